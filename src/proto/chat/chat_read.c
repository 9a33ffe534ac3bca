/* SPDX-License-Identifier: Apache-2.0 */
/* XMPP (RFC 6120 4) by its port, until it turns to TLS; the messages of MSN and Yahoo; SMPP (3.4, 3.2): what they are,
 * not what they say. */
#include "proto/lines/lines.h"
#include "proto/protos.h"
#include "proto/sized.h"

#include "field/print.h"

static bool is_blank(uint8_t c) { return c == ' ' || c == '\n'; }

/* xmpp_probe: white space keeps a connection open. */
static enum probe_result xmpp_probe(struct slice in) {
    while (in.n && is_blank(in.p[0])) in = slice_tail(in, 1);
    return !in.n || in.p[0] == '<' ? PROBE_UNSURE : PROBE_NO;
}

/* xmpp_ends tells whether an element may end with the last bytes of `in`. */
static bool xmpp_ends(struct slice in) {
    while (in.n && in.p[in.n - 1] <= ' ') in.n--;
    return !in.n || in.p[in.n - 1] == '>';
}

static struct read_result xmpp_read(struct decode *d, void *state, int from, struct slice in) {
    (void)state, (void)from;
    if (in.p[0] != '<' && !is_blank(in.p[0])) return (struct read_result){.status = READ_BAD, .stranger = true};
    if (in.n < LINE_BYTES_MAX && !d->stream_end && !xmpp_ends(in)) return (struct read_result){.status = READ_MORE};
    d_begin(d, &proto_xmpp, d_off(d, in.p), (uint32_t)in.n);
    d_end(d);
    return lines_whole(in);
}

/* xmpp_info: what an element says is not read, and what is below does not count. */
static void xmpp_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    (void)w, (void)v, (void)at, (void)end;
}

/* msnms_probe: commands have three letters; replies with a number have its digits. */
static enum probe_result msnms_probe(struct slice in) {
    enum { COMMAND = 3 };
    for (size_t i = 0; i < in.n && i < COMMAND; i++)
        if ((in.p[i] < 'A' || in.p[i] > 'Z') && (in.p[i] < '0' || in.p[i] > '9')) return PROBE_NO;
    return in.n <= COMMAND || in.p[COMMAND] == ' ' || in.p[COMMAND] == '\r' ? PROBE_UNSURE : PROBE_NO;
}

static struct read_result msnms_read(struct decode *d, void *state, int from, struct slice in) {
    (void)state, (void)from;
    struct slice left = in;
    struct line line;
    d_begin(d, &proto_msnms, d_off(d, in.p), (uint32_t)in.n);
    if (line_take(&left, &line)) line_add(d, FID_MSNMS_LINE, line.text);
    d_end(d);
    return lines_whole(in);
}

static void msnms_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *line = fv_first(v, FID_MSNMS_LINE, at, end);
    if (line) print_string(w, line->s);
}

enum { YMSG_HEAD = 20, SMPP_HEAD = 16, SMPP_MOST = 64 << 10, SMPP_ANSWER = 0x80 };

static bool is_ymsg(struct slice in) { return slice_starts(in, SLICE("YMSG")); }

static size_t ymsg_size(struct slice in) { return is_ymsg(in) ? YMSG_HEAD + (size_t)load_be16(in.p + 8) : 0; }

static enum probe_result ymsg_probe(struct slice in) { return is_ymsg(in) ? PROBE_CERTAIN : PROBE_NO; }

static void ymsg_read(struct decode *d, struct slice in) {
    static const struct d_row rows[] = {{0, 4},
                                        {FID_YMSG_VERSION, 2},
                                        {FID_YMSG_VENDOR, 2},
                                        {FID_YMSG_LEN, 2},
                                        {FID_YMSG_SERVICE, 2},
                                        {FID_YMSG_STATUS, 4},
                                        {FID_YMSG_SESSION_ID, 4}};
    d_layer(d, &proto_ymsg, in, D_ROWS(rows));
}

static void ymsg_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const char *status = fv_value_name(v, FID_YMSG_STATUS, at, end);
    fv_value_say(w, v, FID_YMSG_SERVICE, at, end);
    if (status) wr_f(w, " (status=%s)   ", status);
}

static size_t smpp_size(struct slice in) {
    size_t n = load_be32(in.p);
    return n <= SMPP_MOST && field_value_name(&vals_smpp_command_id, load_be32(in.p + 4)) ? n : 0;
}

/* smpp_body tells whether what stands behind the head is what messages have there: nothing, which few requests are
 * content with, or text that ends with a zero, before which addresses have two small numbers. */
static bool smpp_body(uint32_t id, struct slice body) {
    enum { UNBIND = 0x06, ENQUIRE_LINK = 0x15, ALERT = 0x102, TEXT_MOST = 65, TON_NPI = 2 };
    if (!body.n) return id >> 24 == SMPP_ANSWER || id == UNBIND || id == ENQUIRE_LINK;
    if (id == ALERT) body = slice_tail(body, TON_NPI);
    for (size_t i = 0; i < body.n && i < TEXT_MOST; i++) {
        if (!body.p[i]) return true;
        if (body.p[i] < ' ' || body.p[i] > '~') return false;
    }
    return false;
}

/* smpp_probe: a length, a small number, a zero and a count begin many protocols, so the body must be SMPP's as well.
 * Only answers have a status (5.1.3); messages are counted from 1 (5.1.4). */
static enum probe_result smpp_probe(struct slice in) {
    if (in.n < SMPP_HEAD || smpp_size(in) < SMPP_HEAD) return PROBE_NO;
    uint32_t id = load_be32(in.p + 4), status = load_be32(in.p + 8), number = load_be32(in.p + 12);
    if ((id >> 24 != SMPP_ANSWER && status) || !number || number >> 31) return PROBE_NO;
    return smpp_body(id, slice_tail(slice_head(in, smpp_size(in)), SMPP_HEAD)) ? PROBE_CERTAIN : PROBE_NO;
}

static void smpp_read(struct decode *d, struct slice in) {
    static const struct d_row rows[] = {{FID_SMPP_COMMAND_LENGTH, 4},
                                        {FID_SMPP_COMMAND_ID, 4},
                                        {FID_SMPP_COMMAND_STATUS, 4},
                                        {FID_SMPP_SEQUENCE_NUMBER, 4}};
    d_layer(d, &proto_smpp, in, D_ROWS(rows));
}

static void smpp_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    fv_value_say(w, v, FID_SMPP_COMMAND_ID, at, end);
}

SIZED_STREAM(ymsg, YMSG_HEAD, ymsg_probe)
SIZED_STREAM(smpp, SMPP_HEAD, smpp_probe)
static const struct stream_ops xmpp_stream = {.read = xmpp_read, .probe = xmpp_probe, .owns_port = true},
                               msnms_stream = {.read = msnms_read, .probe = msnms_probe, .resyncs = true};
static const uint16_t msnms_fields[] = {FID_MSNMS_LINE, 0}, ymsg_fields[] = {FID_YMSG_SERVICE, FID_YMSG_STATUS, 0},
                      smpp_fields[] = {FID_SMPP_COMMAND_ID, 0};
static const struct proto_key xmpp_keys[] = {{TABLE_TCP, 5222}, {TABLE_COUNT, 0}},
                              msnms_keys[] = {{TABLE_TCP, 1863}, {TABLE_COUNT, 0}};
#define LAYER(name_, ID_, COLUMN_)                                                                                     \
    .name = #name_, .column = (COLUMN_), .id = FID_##ID_, .end = FID_##ID_##_END, .stream = &name_##_stream
const struct proto proto_xmpp = {LAYER(xmpp, XMPP, "XMPP/XML"), .keys = xmpp_keys, .info = xmpp_info};
const struct proto proto_msnms = {LAYER(msnms, MSNMS, "MSNMS"), .keys = msnms_keys, .info = msnms_info,
                                  .info_fields = msnms_fields};
const struct proto proto_ymsg = {LAYER(ymsg, YMSG, "YMSG"), .info = ymsg_info, .info_fields = ymsg_fields};
const struct proto proto_smpp = {LAYER(smpp, SMPP, "SMPP"), .info = smpp_info, .info_fields = smpp_fields};
