/* SPDX-License-Identifier: Apache-2.0 */
/* The ISO transport on TCP (RFC 1006 6, RFC 905 13) and, above it, the first messages of remote desktops (MS-RDPBCGR
 * 2.2.1.1); and EtherNet/IP (volume 2, 2-3.1) with the requests of CIP it carries. */
#include "proto/lines/lines.h"
#include "proto/protos.h"
#include "proto/sized.h"

#include "field/print.h"

enum { TPKT_HEAD = 4, TPKT_VERSION = 3, S7 = 0x32, S7_HEAD = 10, COOKIE_MAX = 256 };
enum cotp_type { COTP_CC = 13, COTP_CR = 14, COTP_DT = 15 };

static size_t tpkt_size(struct slice in) { return in.p[0] == TPKT_VERSION ? load_be16(in.p + 2) : 0; }

/* unit_name returns the short name of a transport unit's type, NULL: there is none such. */
static const char *unit_name(uint64_t type) {
    static const char *const words[] = {[1] = "ED", [2] = "EA",  [5] = "RJ",  [6] = "AK",  [7] = "ER",
                                        [8] = "DR", [12] = "DC", [13] = "CC", [14] = "CR", [15] = "DT"};
    return type < sizeof words / sizeof *words ? words[type] : NULL;
}

/* tpkt_probe: behind the head stands a transport unit whose own head fits (RFC 905 13.2). */
static enum probe_result tpkt_probe(struct slice in) {
    if (!in.n || in.p[0] != TPKT_VERSION || (in.n > 1 && in.p[1])) return PROBE_NO;
    if (in.n < TPKT_HEAD + 2) return PROBE_UNSURE;
    return unit_name(in.p[5] >> 4) && TPKT_HEAD + (size_t)1 + in.p[4] <= tpkt_size(in) ? PROBE_UNSURE : PROBE_NO;
}

static void tpkt_read(struct decode *d, struct slice in) {
    static const struct d_row rows[] = {{FID_TPKT_VERSION, 1}, {FID_TPKT_RESERVED, 1}, {FID_TPKT_LENGTH, 2}};
    struct reader r = d_reader(d, in);
    d_begin(d, &proto_tpkt, rd_off(&r), TPKT_HEAD);
    d_rows(d, &r, D_ROWS(rows));
    d_end(d);
    if (rd_left(&r)) d->ops->call(d, &proto_cotp, rd_rest(&r));
}

/* user_call hands what a transport unit carries on. */
static void user_call(struct decode *d, struct slice in) {
    if (!in.n) return;
    if (in.n >= S7_HEAD && in.p[0] == S7) d->ops->call(d, &proto_s7comm, in);
    else d_data(d, in);
}

/* is_rdp tells whether the end of a connect unit is what remote desktops put there: a line or a negotiation. */
static bool is_rdp(struct slice in) {
    return slice_starts(in, SLICE("Cookie:")) ||
           (in.n == 8 && in.p[0] >= 1 && in.p[0] <= 3 && in.p[2] == 8 && !in.p[3]);
}

static void cotp_read(struct decode *d, struct slice in) {
    static const struct d_row connect[] = {{FID_COTP_DESTREF, 2}, {FID_COTP_SRCREF, 2}, {FID_COTP_CLASS, 1}},
                              data[] = {{0, 1}, {FID_COTP_TPDU_NUMBER, 0}, {FID_COTP_EOT, 0}};
    struct reader r = d_reader(d, in);
    uint32_t off = rd_off(&r), at = d_begin(d, &proto_cotp, off, (uint32_t)in.n);
    uint8_t li = get_u8(d, &r, FID_COTP_LI);
    struct reader head = rd_sub(&r, li);
    uint32_t type_off = rd_off(&head);
    unsigned type = rd_u8(&head) >> 4;
    if (rd_ok(&head)) fv_u(d->out, FID_COTP_TYPE, type_off, 1, type);
    if (type == COTP_CC || type == COTP_CR) d_rows(d, &head, D_ROWS(connect));
    if (type == COTP_DT) d_rows(d, &head, D_ROWS(data));
    struct slice rest = rd_rest(&head);
    bool rdp = (type == COTP_CC || type == COTP_CR) && rd_ok(&head) && is_rdp(rest);
    fv_set_len(d->out, at, li + 1u - (rdp ? (uint32_t)rest.n : 0));
    if (!rd_ok(&head) || !rd_ok(&r)) d_bad(d, &head);
    d_end(d);
    if (rdp) d->ops->call(d, &proto_rdp, rest);
    else if (type == COTP_DT && rd_ok(&r)) user_call(d, rd_rest(&r));
}

static void rdp_read(struct decode *d, struct slice in) {
    d_begin(d, &proto_rdp, d_off(d, in.p), (uint32_t)in.n);
    size_t line = 0;
    while (in.p[0] == 'C' && line < in.n && line < COOKIE_MAX && in.p[line] != '\r') line++;
    if (line) fv_s(d->out, FID_RDP_RT_COOKIE, d_off(d, in.p), (uint32_t)line, slice_head(in, line));
    struct slice rest = slice_tail(in, line && line + 2 <= in.n ? line + 2 : line);
    if (rest.n) fv_u(d->out, FID_RDP_NEG_TYPE, d_off(d, rest.p), 1, rest.p[0]);
    d_end(d);
}

static void cotp_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *type = fv_first(v, FID_COTP_TYPE, at, end), *to = fv_first(v, FID_COTP_DESTREF, at, end);
    const struct fval *from = fv_first(v, FID_COTP_SRCREF, at, end), *eot = fv_first(v, FID_COTP_EOT, at, end);
    const struct fval *number = fv_first(v, FID_COTP_TPDU_NUMBER, at, end);
    const char *name = type ? unit_name(type->u) : NULL;
    if (!name) return;
    wr_f(w, "%s TPDU ", name);
    if (from && to) wr_f(w, "src-ref: 0x%04x dst-ref: 0x%04x", (unsigned)from->u, (unsigned)to->u);
    if (number) wr_f(w, "(%u) ", (unsigned)number->u);
    if (eot && eot->u) wr_s(w, "EOT");
}

static void rdp_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    static const char *const words[] = {"", "Negotiate Request", "Negotiate Response", "Negotiate Failure"};
    const struct fval *cookie = fv_first(v, FID_RDP_RT_COOKIE, at, end), *type = fv_first(v, FID_RDP_NEG_TYPE, at, end);
    if (cookie) print_string(w, cookie->s);
    if (cookie && type) wr_s(w, ", ");
    if (type && type->u < sizeof words / sizeof *words) wr_s(w, words[type->u]);
}

enum {
    ENIP_HEAD = 24,
    ENIP_PORT = 44818,
    ENIP_IO_PORT = 2222,
    ITEM_SEQUENCED = 0x8002,
    RR_DATA = 0x6f,
    UNIT_DATA = 0x70,
    ITEM_UNCONNECTED = 0xb2,
    ITEM_CONNECTED = 0xb1,
    ITEMS_MAX = 64
};

static size_t enip_size(struct slice in) { return ENIP_HEAD + (size_t)load_le16(in.p + 2); }

/* enip_probe: the options are 0 (volume 2, 2-3.7). */
static enum probe_result enip_probe(struct slice in) {
    if (in.n >= ENIP_HEAD && load_le32(in.p + 20)) return PROBE_NO;
    return in.n >= 2 && !field_value_name(&vals_enip_command, load_le16(in.p)) ? PROBE_NO : PROBE_UNSURE;
}

/* items_read looks for the requests among the items of the common packet format. */
static void items_read(struct decode *d, struct reader *r) {
    enum { INTERFACE_TIMEOUT = 6, SEQUENCE = 2 };
    rd_skip(r, INTERFACE_TIMEOUT);
    unsigned count = rd_le16(r);
    for (unsigned i = 0; rd_ok(r) && i < count && i < ITEMS_MAX; i++) {
        uint16_t type = rd_le16(r), n = rd_le16(r);
        struct reader item = rd_sub(r, n);
        if (type != ITEM_UNCONNECTED && type != ITEM_CONNECTED) continue;
        if (type == ITEM_CONNECTED) rd_skip(&item, SEQUENCE);
        if (rd_ok(&item) && rd_left(&item)) d->ops->call(d, &proto_cip, rd_rest(&item));
    }
}

static void message_read(struct decode *d, bool answer, struct slice in) {
    static const struct d_row rows[] = {{FID_ENIP_COMMAND, 2, true},
                                        {FID_ENIP_LENGTH, 2, true},
                                        {FID_ENIP_SESSION, 4, true},
                                        {FID_ENIP_STATUS, 4, true},
                                        {0, 8},
                                        {0, 4}};
    if (enip_probe(in) == PROBE_NO) {
        d_data(d, in);
        return;
    }
    struct reader r = d_reader(d, in);
    d_begin(d, &proto_enip, rd_off(&r), (uint32_t)in.n);
    uint16_t command = in.n >= 2 ? load_le16(in.p) : 0;
    d_rows(d, &r, D_ROWS(rows));
    fv_gen(fv_u(d->out, FID_ENIP_ANSWER, rd_off(&r), 0, answer));
    if (!rd_ok(&r)) d_bad(d, &r);
    d_end(d);
    if (rd_ok(&r) && (command == RR_DATA || command == UNIT_DATA)) items_read(d, &r);
}

/* is_io tells whether a datagram is one of a connection's data (volume 2, 3-2.2): its number, and what it carries. */
static bool is_io(struct slice in) {
    enum { LEAST = 18, ITEMS = 2, SEQUENCED = 8 };
    return in.n >= LEAST && load_le16(in.p) == ITEMS && load_le16(in.p + 2) == ITEM_SEQUENCED &&
           load_le16(in.p + 4) == SEQUENCED && load_le16(in.p + 14) == ITEM_CONNECTED;
}

static void io_read(struct decode *d, struct slice in) {
    static const struct d_row rows[] = {{FID_ENIP_CPF_ITEMCOUNT, 2, true}, {FID_ENIP_CPF_TYPEID, 2, true},
                                        {FID_ENIP_CPF_LENGTH, 2, true},    {FID_ENIP_CPF_SAI_CONNID, 4, true},
                                        {FID_ENIP_CPF_SAI_SEQ, 4, true},   {FID_ENIP_CPF_TYPEID, 2, true},
                                        {FID_ENIP_CPF_LENGTH, 2, true}};
    struct reader r = d_reader(d, in);
    d_begin(d, &proto_enip, rd_off(&r), (uint32_t)in.n);
    d_rows(d, &r, D_ROWS(rows));
    rd_skip(&r, load_le16(in.p + 16));
    if (!rd_ok(&r)) d_bad(d, &r);
    d_end(d);
}

static void enip_read(struct decode *d, struct slice in) {
    if (is_io(in)) io_read(d, in);
    else message_read(d, d->sport == ENIP_PORT, in);
}

static void enip_side_read(struct decode *d, int from, struct slice in) {
    message_read(d, from_server(d, &proto_enip, from), in);
}

/* path_class returns the class a request's path of so many words begins with (volume 1, C-1.4), -1: none. */
static int path_class(struct slice path) {
    enum { CLASS_8 = 0x20, CLASS_16 = 0x21 };
    if (path.n >= 2 && path.p[0] == CLASS_8) return path.p[1];
    return path.n >= 4 && path.p[0] == CLASS_16 ? load_le16(path.p + 2) : -1;
}

static void cip_read(struct decode *d, struct slice in) {
    enum { RESPONSE = 0x80 };
    struct reader r = d_reader(d, in);
    d_begin(d, &proto_cip, rd_off(&r), (uint32_t)in.n);
    uint32_t off = rd_off(&r);
    uint8_t service = rd_u8(&r);
    if (rd_ok(&r)) fv_u(d->out, FID_CIP_RR, off, 1, service >> 7);
    if (rd_ok(&r)) fv_u(d->out, FID_CIP_SC, off, 1, service & ~RESPONSE);
    if (service & RESPONSE) {
        rd_skip(&r, 1);
        get_u8(d, &r, FID_CIP_GENSTAT);
    } else {
        size_t words = rd_u8(&r);
        uint32_t at = rd_off(&r);
        int class = path_class(rd_take(&r, words * 2));
        if (rd_ok(&r) && class >= 0) fv_u(d->out, FID_CIP_CLASS, at, 2, (unsigned)class);
    }
    if (!rd_ok(&r)) d_bad(d, &r);
    d_end(d);
}

/* part_say parts the words of a message from those of one before it in the packet. */
static void part_say(struct writer *w, const struct fvec *v, uint16_t id, uint32_t at) {
    if (fv_first(v, id, 0, at)) wr_s(w, " | ");
}

static void enip_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *command = fv_first(v, FID_ENIP_COMMAND, at, end),
                      *answer = fv_first(v, FID_ENIP_ANSWER, at, end);
    const struct fval *session = fv_first(v, FID_ENIP_SESSION, at, end);
    enum { REGISTER = 0x65, UNREGISTER = 0x66 };
    const struct fval *connection = fv_first(v, FID_ENIP_CPF_SAI_CONNID, at, end),
                      *sequence = fv_first(v, FID_ENIP_CPF_SAI_SEQ, at, end);
    if (connection && sequence)
        wr_f(w, "Connection: ID=0x%08X, SEQ=%010u", (unsigned)connection->u, (unsigned)sequence->u);
    if (!command || !answer) return;
    if ((command->u == RR_DATA || command->u == UNIT_DATA) && fv_first(v, FID_CIP_SC, end, v->n)) return; /* it says */
    part_say(w, v, FID_ENIP_COMMAND, at);
    fv_value_say(w, v, FID_ENIP_COMMAND, at, end);
    wr_s(w, answer->u ? " (Rsp)" : " (Req)");
    if (session && (command->u == REGISTER || command->u == UNREGISTER))
        wr_f(w, ", Session: 0x%08X", (unsigned)session->u);
}

static void cip_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *class = fv_first(v, FID_CIP_CLASS, at, end), *service = fv_first(v, FID_CIP_SC, at, end);
    const char *status = fv_value_name(v, FID_CIP_GENSTAT, at, end), *name = fv_value_name(v, FID_CIP_SC, at, end);
    part_say(w, v, FID_CIP_SC, at);
    if (status) wr_f(w, "%s: ", status);
    const char *where = class ? field_value_name(&vals_cip_class, class->u) : NULL;
    if (where) wr_f(w, "%s - ", where);
    else if (class) wr_f(w, "Class (0x%02x) - ", (unsigned)class->u);
    if (name) wr_s(w, name);
    else if (service) wr_f(w, "Service (0x%02x)", (unsigned)service->u);
}

SIZED_STREAM(tpkt, TPKT_HEAD, tpkt_probe)
SIDED_STREAM(enip, ENIP_HEAD, enip_probe)
#define LAYER(name_, ID_, COLUMN_)                                                                                     \
    .name = #name_, .column = (COLUMN_), .id = FID_##ID_, .end = FID_##ID_##_END, .info = name_##_info,                \
    .info_fields = name_##_fields
static const uint16_t cotp_fields[] = {FID_COTP_TYPE,        FID_COTP_SRCREF, FID_COTP_DESTREF,
                                       FID_COTP_TPDU_NUMBER, FID_COTP_EOT,    0},
                      rdp_fields[] = {FID_RDP_RT_COOKIE, FID_RDP_NEG_TYPE, 0}, enip_fields[] = {FID_ENIP_COMMAND,
                                                                                                FID_ENIP_ANSWER,
                                                                                                FID_ENIP_SESSION,
                                                                                                FID_CIP_SC,
                                                                                                FID_ENIP_CPF_SAI_CONNID,
                                                                                                FID_ENIP_CPF_SAI_SEQ,
                                                                                                0},
                      cip_fields[] = {FID_CIP_CLASS, FID_CIP_SC, FID_CIP_GENSTAT, 0};
static const struct proto_key tpkt_keys[] = {{TABLE_TCP, 102}, {TABLE_TCP, 3389}, {TABLE_TLS, 3389}, {TABLE_COUNT, 0}},
                              enip_keys[] = {{TABLE_TCP, ENIP_PORT},
                                             {TABLE_UDP, ENIP_PORT},
                                             {TABLE_UDP, ENIP_IO_PORT},
                                             {TABLE_TLS, 2221},
                                             {TABLE_COUNT, 0}};
const struct proto proto_tpkt = {
    .name = "tpkt", .column = "TPKT", .id = FID_TPKT, .end = FID_TPKT_END, .keys = tpkt_keys, .stream = &tpkt_stream};
const struct proto proto_cotp = {LAYER(cotp, COTP, "COTP"), .read = cotp_read};
const struct proto proto_rdp = {LAYER(rdp, RDP, "RDP"), .read = rdp_read};
const struct proto proto_enip = {LAYER(enip, ENIP, "ENIP"), .keys = enip_keys, .read = enip_read,
                                 .stream = &enip_stream, .info_plain = true};
const struct proto proto_cip = {LAYER(cip, CIP, "CIP"), .read = cip_read, .info_plain = true};
