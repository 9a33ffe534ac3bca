/* SPDX-License-Identifier: Apache-2.0 */
/* Session Initiation Protocol in datagrams (RFC 3261 7): the first line and the headers as they stand. A body is passed
 * over. */
#include "proto/lines/lines.h"
#include "proto/protos.h"

#include "field/print.h"

/* Headers with a field of their own, with their compact forms (RFC 3261 7.3.3). */
static const struct {
    const char *name, *compact;
    uint16_t id;
} headers[] = {
    {"VIA", "V", FID_SIP_VIA},
    {"FROM", "F", FID_SIP_FROM},
    {"TO", "T", FID_SIP_TO},
    {"CALL-ID", "I", FID_SIP_CALL_ID},
    {"CSEQ", "", FID_SIP_CSEQ},
    {"MAX-FORWARDS", "", FID_SIP_MAX_FORWARDS},
    {"CONTACT", "M", FID_SIP_CONTACT},
    {"USER-AGENT", "", FID_SIP_USER_AGENT},
    {"SERVER", "", FID_SIP_SERVER},
    {"EXPIRES", "", FID_SIP_EXPIRES},
    {"ALLOW", "", FID_SIP_ALLOW},
    {"SUPPORTED", "K", FID_SIP_SUPPORTED},
    {"CONTENT-TYPE", "C", FID_SIP_CONTENT_TYPE},
    {"CONTENT-LENGTH", "L", FID_SIP_CONTENT_LENGTH},
    {"ROUTE", "", FID_SIP_ROUTE},
    {"RECORD-ROUTE", "", FID_SIP_RECORD_ROUTE},
    {"EVENT", "O", FID_SIP_EVENT},
    {"ACCEPT", "", FID_SIP_ACCEPT},
};

/* is_first tells whether a line is a request's or a reply's: "METHOD uri SIP/2.0", "SIP/2.0 200 OK". */
static bool is_first(struct slice text) {
    if (slice_starts(text, SLICE("SIP/2.0 "))) return true;
    return text.n > 8 && memcmp(text.p + text.n - 8, " SIP/2.0", 8) == 0 && text.p[0] >= 'A' && text.p[0] <= 'Z';
}

static bool sip_recognises(struct slice in, bool known) {
    struct line line;
    (void)known;
    return in.n && in.p[0] >= 'A' && in.p[0] <= 'Z' && line_take(&in, &line) && is_first(line.text);
}

static void first_read(struct decode *d, struct slice text) {
    struct slice rest = text, word;
    if (slice_starts(text, SLICE("SIP/2.0 "))) {
        line_open(d, FID_SIP_STATUS_LINE, text);
        word_take(&rest);
        int code = code_of(rest);
        if (code >= 0) fv_u(d->out, FID_SIP_STATUS_CODE, d_off(d, rest.p), 3, (unsigned)code);
    } else {
        line_open(d, FID_SIP_REQUEST_LINE, text);
        word = word_take(&rest);
        line_add(d, FID_SIP_METHOD, word);
        line_add(d, FID_SIP_R_URI, word_take(&rest));
    }
    fv_close(d->out);
}

static uint64_t digits(struct slice s) {
    uint64_t n = 0;
    for (size_t i = 0; i < s.n && s.p[i] >= '0' && s.p[i] <= '9' && n < UINT32_MAX; i++) n = n * 10 + (s.p[i] - '0');
    return n;
}

static void sequence_read(struct decode *d, struct slice value) {
    struct slice number = word_take(&value);
    fv_u(d->out, FID_SIP_CSEQ_SEQ, d_off(d, number.p), (uint32_t)number.n, digits(number));
    if (value.n) line_add(d, FID_SIP_CSEQ_METHOD, value);
}

static void header_read(struct decode *d, const struct line *line) {
    const uint8_t *colon = line->text.n ? memchr(line->text.p, ':', line->text.n) : NULL;
    if (!colon) return;
    struct slice name = slice_head(line->text, (size_t)(colon - line->text.p)),
                 value = slice_tail(line->text, name.n + 1);
    while (name.n && name.p[name.n - 1] == ' ') name.n--;
    while (value.n && (value.p[0] == ' ' || value.p[0] == '\t')) value = slice_tail(value, 1);
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        if (!word_is(name, headers[i].name) && !word_is(name, headers[i].compact)) continue;
        uint32_t off = d_off(d, line->all.p);
        struct fval *f = fv_at(d->out, fv_open(d->out, headers[i].id, off, (uint32_t)line->all.n));
        bool number = !field_is_bytes(field_of(headers[i].id));
        if (f && number) f->u = digits(value);
        else if (f) f->s = value;
        if (headers[i].id == FID_SIP_CSEQ) sequence_read(d, value);
        fv_close(d->out);
        return;
    }
}

static void sip_read(struct decode *d, struct slice in) {
    struct slice left = in;
    struct line line;
    d_begin(d, &proto_sip, d_off(d, in.p), (uint32_t)in.n);
    if (line_take(&left, &line)) first_read(d, line.text);
    struct fval *f = fv_at(d->out, fv_open(d->out, FID_SIP_MSG_HDR, d_off(d, left.p), (uint32_t)left.n));
    if (f) f->s = left;
    for (unsigned i = 0; i < LINES_MAX && line_take(&left, &line) && line.text.n; i++) header_read(d, &line);
    fv_close(d->out);
    d_end(d);
}

static void sip_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *method = fv_first(v, FID_SIP_METHOD, at, end), *uri = fv_first(v, FID_SIP_R_URI, at, end);
    const struct fval *status = fv_first(v, FID_SIP_STATUS_LINE, at, end),
                      *sequence = fv_first(v, FID_SIP_CSEQ_METHOD, at, end);
    if (method && uri) {
        wr_s(w, "Request: ");
        print_string(w, method->s);
        wr_c(w, ' ');
        print_string(w, uri->s);
    } else if (status) {
        wr_s(w, "Status: ");
        print_string(w, slice_tail(status->s, sizeof "SIP/2.0"));
        if (sequence) {
            wr_s(w, " (");
            print_string(w, sequence->s);
            wr_c(w, ')');
        }
    }
    wr_s(w, " | ");
}

static bool sip_label(struct writer *w, const struct fvec *v, uint32_t at) {
    if (v->v[at].id != FID_SIP_MSG_HDR) return false;
    wr_s(w, "Message Header");
    return true;
}

static const uint16_t info_fields[] = {FID_SIP_METHOD, FID_SIP_R_URI, FID_SIP_STATUS_LINE, FID_SIP_CSEQ_METHOD, 0};
static const struct proto_key keys[] = {{TABLE_UDP, 5060}, {TABLE_COUNT, 0}};
const struct proto proto_sip = {.name = "sip",
                                .column = "SIP",
                                .id = FID_SIP,
                                .end = FID_SIP_END,
                                .keys = keys,
                                .read = sip_read,
                                .recognises = sip_recognises,
                                .info = sip_info,
                                .info_fields = info_fields,
                                .label = sip_label};
