/* SPDX-License-Identifier: Apache-2.0 */
/* GPRS Tunnelling Protocol: the header of version 1 and the packets in its user plane (3GPP TS 29.281; header also
 * TS 29.060 6); of version 2 (TS 29.274 5) the headers of messages and of their information elements. */
#include "proto/protos.h"

enum { FLAG_E = 4, FLAG_S = 2, FLAG_PN = 1, T_PDU = 0xff, UNIT = 4, EXTENSIONS_MAX = 32 };
enum { TYPE_IPV4 = 0x0800, TYPE_IPV6 = 0x86dd };

static void flags_read(struct decode *d, struct reader *r, uint8_t *flags) {
    uint32_t off = rd_off(r);
    *flags = rd_u8(r);
    if (!rd_ok(r)) return;
    d_open_u(d, FID_GTP_FLAGS, off, 1, *flags);
    fv_u(d->out, FID_GTP_FLAGS_VERSION, off, 1, *flags >> 5);
    fv_u(d->out, FID_GTP_FLAGS_PAYLOAD, off, 1, *flags >> 4 & 1);
    fv_u(d->out, FID_GTP_FLAGS_RESERVED, off, 1, *flags >> 3 & 1);
    fv_u(d->out, FID_GTP_FLAGS_E, off, 1, *flags >> 2 & 1);
    fv_u(d->out, FID_GTP_FLAGS_S, off, 1, *flags >> 1 & 1);
    fv_u(d->out, FID_GTP_FLAGS_PN, off, 1, *flags & 1);
    fv_close(d->out);
}

/* optional_read reads the four bytes that are there when any of the three flags is set, each field shown where its
 * own is (TS 29.281 5.1), and passes over the extension headers. */
static void optional_read(struct decode *d, struct reader *r, uint8_t flags) {
    if (flags & FLAG_S) get_be16(d, r, FID_GTP_SEQ_NUMBER);
    else rd_skip(r, 2);
    if (flags & FLAG_PN) get_u8(d, r, FID_GTP_NPDU_NUMBER);
    else rd_skip(r, 1);
    if (!(flags & FLAG_E)) {
        rd_skip(r, 1);
        return;
    }
    uint8_t next = get_u8(d, r, FID_GTP_NEXT);
    for (int i = 0; next && rd_ok(r) && i < EXTENSIONS_MAX; i++) {
        int units = rd_u8(r); /* the length byte counts too, and so does the type at the end */
        if (units) rd_skip(r, (size_t)units * UNIT - 2);
        else rd_fail(r);
        next = rd_u8(r);
    }
}

/* packet_pass finds out what kind of packet a T-PDU is: nothing in the header says. */
static void packet_pass(struct decode *d, struct slice packet) {
    if (!packet.n) return;
    uint8_t first = packet.p[0];
    if (first >= 0x45 && first <= 0x4f) d->ops->next(d, TABLE_ETHERTYPE, TYPE_IPV4, packet);
    else if (first >> 4 == 6) d->ops->next(d, TABLE_ETHERTYPE, TYPE_IPV6, packet);
    else if (packet.n >= 2 && load_be16(packet.p) == 0xff03) d->ops->call(d, &proto_ppp, packet);
    else d_data(d, packet);
}

static void element_read(struct decode *d, struct reader *r) {
    static const struct d_row rows[] = {
        {FID_GTPV2_IE_TYPE, 1}, {FID_GTPV2_IE_LENGTH, 2}, {0, 1}, {FID_GTPV2_CR, 0}, {FID_GTPV2_INSTANCE, 0}};
    size_t n = rd_left(r) >= 3 ? load_be16(r->p + 1) : 0;
    fv_open(d->out, FID_GTPV2_IE, rd_off(r), (uint32_t)(n + 4));
    d_rows(d, r, D_ROWS(rows));
    rd_skip(r, n);
    fv_close(d->out);
}

/* message_read reads a message of version 2 and returns what travels behind it. */
static struct slice message_read(struct decode *d, struct slice in) {
    enum { LEAST = 8, FLAG_P = 0x10, FLAG_T = 0x08, UNCOUNTED = 4, ELEMENTS_MAX = 4096 };
    static const struct d_row head[] = {{FID_GTPV2_FLAGS, 1}, {FID_GTPV2_VERSION, 0}, {FID_GTPV2_P, 0},
                                        {FID_GTPV2_T, 0},     {FID_GTPV2_MP, 0},      {FID_GTPV2_MESSAGE, 1},
                                        {FID_GTPV2_LENGTH, 2}};
    static const struct d_row rest[] = {{FID_GTPV2_SEQ, 3}, {FID_GTPV2_SPARE, 1}};
    if (!d_header(d, &proto_gtpv2, in, LEAST)) return (struct slice){0};
    struct slice own = slice_head(in, UNCOUNTED + (size_t)load_be16(in.p + 2));
    struct reader r = d_reader(d, own);
    d_begin(d, &proto_gtpv2, rd_off(&r), (uint32_t)own.n);
    d_rows(d, &r, D_ROWS(head));
    if (in.p[0] & FLAG_T) get_be32(d, &r, FID_GTPV2_TEID);
    d_rows(d, &r, D_ROWS(rest));
    for (int i = 0; i < ELEMENTS_MAX && rd_ok(&r) && rd_left(&r); i++) element_read(d, &r);
    if (!rd_ok(&r)) d_bad(d, &r);
    d_end(d);
    return rd_ok(&r) && in.p[0] & FLAG_P ? slice_tail(in, own.n) : (struct slice){0};
}

static void second_read(struct decode *d, struct slice in) {
    enum { TOGETHER_MAX = 2 }; /* TS 29.274 5.5.1 */
    d_step(d, proto_gtp.name);
    for (int i = 0; i < TOGETHER_MAX && in.n; i++) in = message_read(d, in);
}

static void gtp_read(struct decode *d, struct slice in) {
    struct reader r = d_reader(d, in);
    uint32_t off = rd_off(&r);
    uint8_t flags;
    if (in.p[0] >> 5 == 2) {
        second_read(d, in);
        return;
    }
    uint32_t at = d_begin(d, &proto_gtp, off, (uint32_t)in.n);
    flags_read(d, &r, &flags);
    uint8_t message = get_u8(d, &r, FID_GTP_MESSAGE);
    uint16_t len = get_be16(d, &r, FID_GTP_LENGTH);
    if (in.p[0] >> 5 != 1) { /* version 0, and GTP' */
        d_end(d);
        return;
    }
    get_be32(d, &r, FID_GTP_TEID);
    struct slice counted = rd_rest(&r);
    if (len < counted.n) counted.n = len;
    r = rd_ok(&r) ? d_reader(d, counted) : r;
    if (rd_ok(&r) && (flags & (FLAG_E | FLAG_S | FLAG_PN))) optional_read(d, &r, flags);
    if (message == T_PDU) fv_set_len(d->out, at, rd_off(&r) - off);
    if (!rd_ok(&r)) d_bad(d, &r);
    d_end(d);
    if (rd_ok(&r) && message == T_PDU) packet_pass(d, rd_rest(&r));
}

static void gtp_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *message = fv_first(v, FID_GTP_MESSAGE, at, end);
    const char *name = message ? field_value_name(&vals_gtp_message, message->u) : NULL;
    if (message) wr_s(w, name ? name : "Unknown");
}

static const uint16_t info_fields[] = {FID_GTP_MESSAGE, 0};
static const struct proto_key keys[] = {{TABLE_UDP, 2152}, {TABLE_UDP, 2123}, {TABLE_UDP, 3386}, {TABLE_COUNT, 0}};
const struct proto proto_gtp = {.name = "gtp",
                                .column = "GTP",
                                .id = FID_GTP,
                                .end = FID_GTP_END,
                                .keys = keys,
                                .read = gtp_read,
                                .info = gtp_info,
                                .info_fields = info_fields,
                                .carrier = true,
                                .wraps_column = true};

static void gtpv2_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *message = fv_first(v, FID_GTPV2_MESSAGE, at, end);
    const char *name = message ? field_value_name(&vals_gtpv2_message, message->u) : NULL;
    if (message) wr_s(w, name ? name : "Unknown");
}

static const uint16_t second_fields[] = {FID_GTPV2_MESSAGE, 0};
const struct proto proto_gtpv2 = {.name = "gtpv2",
                                  .column = "GTPv2",
                                  .id = FID_GTPV2,
                                  .end = FID_GTPV2_END,
                                  .info = gtpv2_info,
                                  .info_fields = second_fields,
                                  .carrier = true};
