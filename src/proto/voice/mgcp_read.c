/* SPDX-License-Identifier: Apache-2.0 */
/* MGCP (RFC 3435 3): the first line of its commands and responses and the session description behind them; of RAS
 * (H.225.0 7.7) which message it is. */
#include "proto/lines/lines.h"
#include "proto/protos.h"

#include "field/print.h"

enum { VERB = 4 };

static bool is_verb(struct slice in) {
    for (size_t i = 0; i < VERB; i++)
        if (in.n <= VERB || (in.p[i] | 0x20) < 'a' || (in.p[i] | 0x20) > 'z') return false;
    return in.p[VERB] == ' ';
}

/* is_message: a command says the version behind what it is about (RFC 3435 3.2.1), a reply whom it answers (3.3). */
static bool is_message(struct slice in) {
    struct line line;
    if (!is_verb(in)) return in.n > 4 && code_of(in) >= 0 && in.p[3] == ' ' && in.p[4] >= '0' && in.p[4] <= '9';
    return line_take(&in, &line) && memmem(line.text.p, line.text.n, " MGCP ", 6);
}

static void command_read(struct decode *d, struct slice text) {
    static const uint16_t words[] = {FID_MGCP_REQ_VERB, FID_MGCP_TRANSID, FID_MGCP_REQ_ENDPOINT};
    for (size_t i = 0; i < sizeof words / sizeof *words && text.n; i++) line_add(d, words[i], word_take(&text));
    if (text.n) line_add(d, FID_MGCP_VERSION, text);
}

static void response_read(struct decode *d, struct slice text) {
    struct slice code = word_take(&text);
    fv_u(d->out, FID_MGCP_RSP_RSPCODE, d_off(d, code.p), (uint32_t)code.n, (unsigned)code_of(code));
    if (text.n) line_add(d, FID_MGCP_TRANSID, word_take(&text));
    if (text.n) line_add(d, FID_MGCP_RSP_RSPSTRING, text);
}

/* mgcp_read reads one message: what stands behind an empty line describes a session. */
static void mgcp_read(struct decode *d, struct slice in) {
    struct slice left = in;
    struct line line;
    if (!is_message(in)) {
        d_data(d, in);
        return;
    }
    uint32_t off = d_off(d, in.p), at = d_begin(d, &proto_mgcp, off, (uint32_t)in.n);
    line_take(&left, &line);
    if (is_verb(in)) command_read(d, line.text);
    else response_read(d, line.text);
    const uint8_t *params = left.p;
    bool blank = false;
    for (unsigned i = 0; i < LINES_MAX && !blank && line_take(&left, &line); i++) blank = !line.text.n;
    uint32_t n = (uint32_t)((blank ? line.all.p : left.p) - params);
    if (n) fv_add(d->out, FID_MGCP_PARAMS, d_off(d, params), n);
    if (blank) fv_set_len(d->out, at, d_off(d, line.all.p) - off);
    d_end(d);
    if (blank && left.n) d->ops->call(d, &proto_sdp, left);
}

static void mgcp_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    static const uint16_t words[] = {FID_MGCP_REQ_VERB,     FID_MGCP_RSP_RSPCODE, FID_MGCP_TRANSID,
                                     FID_MGCP_REQ_ENDPOINT, FID_MGCP_VERSION,     FID_MGCP_RSP_RSPSTRING};
    bool first = true;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        const struct fval *f = fv_first(v, words[i], at, end);
        if (!f) continue;
        if (!first) wr_c(w, ' ');
        print_value(w, field_of(f->id), f);
        first = false;
    }
}

static const char *mgcp_column(const struct fvec *v, uint32_t at, uint32_t end) {
    return fv_first(v, FID_SDP_VERSION, at, end) ? "MGCP/SDP" : NULL;
}

static void h225_read(struct decode *d, struct slice in) {
    enum { EXTENDED = 0x80 }; /* a choice of later versions; else five bits have it */
    unsigned message = in.p[0] >> 2;
    bool known = field_value_name(&vals_h225_RasMessage, message) != NULL;
    if (!known && !(in.p[0] & EXTENDED)) {
        d_data(d, in);
        return;
    }
    d_begin(d, &proto_h225, d_off(d, in.p), (uint32_t)in.n);
    if (known) fv_u(d->out, FID_H225_RASMESSAGE, d_off(d, in.p), (uint32_t)in.n, message);
    d_end(d);
}

static void h225_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    wr_s(w, "RAS: ");
    fv_value_say(w, v, FID_H225_RASMESSAGE, at, end);
    wr_c(w, ' ');
}

static const uint16_t mgcp_fields[] = {FID_MGCP_REQ_VERB, FID_MGCP_RSP_RSPCODE,
                                       FID_MGCP_TRANSID,  FID_MGCP_REQ_ENDPOINT,
                                       FID_MGCP_VERSION,  FID_MGCP_RSP_RSPSTRING,
                                       FID_SDP_VERSION,   0},
                      h225_fields[] = {FID_H225_RASMESSAGE, 0};
static const struct proto_key mgcp_keys[] = {{TABLE_UDP, 2427}, {TABLE_UDP, 2727}, {TABLE_COUNT, 0}},
                              h225_keys[] = {{TABLE_UDP, 1718}, {TABLE_UDP, 1719}, {TABLE_COUNT, 0}};
const struct proto proto_mgcp = {.name = "mgcp",
                                 .column = "MGCP",
                                 .column_of = mgcp_column,
                                 .id = FID_MGCP,
                                 .end = FID_MGCP_END,
                                 .keys = mgcp_keys,
                                 .read = mgcp_read,
                                 .info = mgcp_info,
                                 .info_fields = mgcp_fields};
const struct proto proto_h225 = {.name = "h225",
                                 .column = "H.225.0",
                                 .id = FID_H225,
                                 .end = FID_H225_END,
                                 .keys = h225_keys,
                                 .read = h225_read,
                                 .info = h225_info,
                                 .info_fields = h225_fields};
