/* SPDX-License-Identifier: Apache-2.0 */
/* Internet Control Message Protocol (RFC 792, 950, 1191, 1256, 4884, 8335). */
#include "proto/icmp/icmp.h"

#include "proto/icmp/checksum.h"
#include "proto/protos.h"

enum { HEADER = 8, CHECKED = 6, TYPE_IPV4 = 0x0800, NS_PER_S = 1000000000, DAY = 86400, CODE_TOO_BIG = 4 };
enum icmp_type {
    T_ECHO_REPLY = 0,
    T_UNREACHABLE = 3,
    T_QUENCH = 4,
    T_REDIRECT = 5,
    T_ECHO = 8,
    T_ROUTER_ADVERTISEMENT = 9,
    T_EXCEEDED = 11,
    T_PARAMETER = 12,
    T_TIMESTAMP = 13,
    T_TIMESTAMP_REPLY = 14,
    T_INFORMATION = 15,
    T_INFORMATION_REPLY = 16,
    T_MASK = 17,
    T_MASK_REPLY = 18,
    T_EXTENDED = 42,
    T_EXTENDED_REPLY = 43
};

void icmp_echo_add(struct decode *d, const struct icmp_echo *e, uint32_t off) {
    uint64_t frame;
    int64_t ns;
    if (d->quoted || !d->ops->echo_match) return;
    if (!d->ops->echo_match(d, e->kind, e->ident, e->seq, e->request, &frame, &ns) || e->request) return;
    fv_u(d->out, e->to, off, 0, frame);
    struct fval *f = fv_add(d->out, e->time, off, 0);
    if (f) f->d = (double)ns / 1e6;
}

static void checksum_read(struct decode *d, struct reader *r, struct slice all) {
    uint32_t off = rd_off(r);
    uint16_t sum = rd_be16(r);
    bool whole = !d->quoted && !d->wire_len;
    uint16_t rest = whole ? checksum_fold(checksum_add(0, all)) : 0;
    d_open_u(d, FID_ICMP_CHECKSUM, off, 2, sum);
    if (rest) {
        struct fval *f = d_anomaly(d, FID_ICMP_CHECKSUM_BAD, off, 2);
        if (f) f->extra = checksum_expected(sum, rest);
    }
    fv_close(d->out);
    fv_u(d->out, FID_ICMP_CHECKSUM_STATUS, off, 0, !whole ? CHECKSUM_UNVERIFIED : rest ? CHECKSUM_BAD : CHECKSUM_GOOD);
}

/* pair_read reads a number and shows it in both byte orders: some systems count in their own. */
static uint16_t pair_read(struct decode *d, struct reader *r, uint16_t big, uint16_t little) {
    uint32_t off = rd_off(r);
    uint16_t value = rd_be16(r);
    if (!rd_ok(r)) return 0;
    fv_u(d->out, big, off, 2, value);
    fv_u(d->out, little, off, 2, __builtin_bswap16(value));
    return value;
}

/* unused_read reads the four bytes before a quoted packet; a length may hide in them (RFC 4884 4). */
static uint8_t unused_read(struct decode *d, struct reader *r, uint8_t type, uint8_t code) {
    uint32_t off = rd_off(r);
    int words = rd_peek(r, 1);
    bool mtu = type == T_UNREACHABLE && code == CODE_TOO_BIG;
    size_t left = mtu ? 2 : 4;
    if (type == T_PARAMETER) get_u8(d, r, FID_ICMP_POINTER);
    else if (words > 0) get_bytes(d, r, FID_ICMP_UNUSED, 1);
    if (words > 0) {
        get_u8(d, r, FID_ICMP_LENGTH);
        fv_u(d->out, FID_ICMP_LENGTH_ORIGINAL_DATAGRAM, off + 1, 1, (uint64_t)words * 4);
    }
    left -= rd_off(r) - off;
    if (left) get_bytes(d, r, FID_ICMP_UNUSED, left);
    if (mtu) get_be16(d, r, FID_ICMP_MTU); /* RFC 1191 4 */
    return words > 0 ? (uint8_t)words : 0;
}

static void error_read(struct decode *d, struct reader *r, uint8_t type, uint8_t code) {
    uint8_t words = 0;
    bool extends = type == T_UNREACHABLE || type == T_EXCEEDED || type == T_PARAMETER;
    if (extends) words = unused_read(d, r, type, code);
    else if (type == T_REDIRECT) get_be32(d, r, FID_ICMP_REDIR_GW);
    else rd_skip(r, 4);
    struct slice body = rd_rest(r);
    if (extends) body = icmp_extensions(d, body, words, 4);
    else if (type == T_REDIRECT && body.n) body = slice_head(body, (body.p[0] & 15u) * 4 + 8); /* RFC 792 */
    bool beyond = extends && words * 4u > body.n; /* the length says more than there is */
    d_quote(d, TABLE_ETHERTYPE, TYPE_IPV4, body);
    if (beyond) d_bad(d, r);
}

/* timestamp_find tells whether the data starts with the time the packet was sent: seconds and microseconds in
 * either byte order, less than a day from when it was captured. */
static bool timestamp_find(const struct decode *d, struct slice data, int64_t *ns) {
    if (data.n < 8 || !d->pkt->has_ts) return false;
    for (int big = 0; big < 2; big++) {
        uint32_t sec = big ? load_be32(data.p) : load_le32(data.p),
                 us = big ? load_be32(data.p + 4) : load_le32(data.p + 4);
        int64_t apart;
        if (us >= 1000000) continue;
        *ns = (int64_t)sec * NS_PER_S + (int64_t)us * 1000;
        if (__builtin_sub_overflow(d->pkt->ts, *ns, &apart)) continue;
        if (apart > -(int64_t)DAY * NS_PER_S && apart < (int64_t)DAY * NS_PER_S) return true;
    }
    return false;
}

static void echo_data(struct decode *d, struct slice data) {
    int64_t sent;
    if (timestamp_find(d, data, &sent)) {
        uint32_t off = d_off(d, data.p);
        fv_i(d->out, FID_ICMP_DATA_TIME, off, 8, sent);
        fv_i(d->out, FID_ICMP_DATA_TIME_RELATIVE, off, 8, d->pkt->ts - sent);
        data = slice_tail(data, 8);
    }
    d_data(d, data);
}

static void query_read(struct decode *d, struct reader *r, uint8_t type, uint32_t off) {
    uint16_t ident = pair_read(d, r, FID_ICMP_IDENT, FID_ICMP_IDENT_LE);
    uint16_t seq = pair_read(d, r, FID_ICMP_SEQ, FID_ICMP_SEQ_LE);
    struct icmp_echo e = {
        .ident = ident, .seq = seq, .request = type == T_ECHO, .to = FID_ICMP_RESP_TO, .time = FID_ICMP_RESPTIME};
    switch (type) {
    case T_ECHO:
    case T_ECHO_REPLY:
        icmp_echo_add(d, &e, off);
        echo_data(d, rd_rest(r));
        break;
    case T_TIMESTAMP:
    case T_TIMESTAMP_REPLY:
        get_be32(d, r, FID_ICMP_ORIGINATE_TIMESTAMP);
        get_be32(d, r, FID_ICMP_RECEIVE_TIMESTAMP);
        get_be32(d, r, FID_ICMP_TRANSMIT_TIMESTAMP);
        break;
    case T_MASK:
    case T_MASK_REPLY: get_be32(d, r, FID_ICMP_ADDRESS_MASK); break;
    default: break;
    }
}

static void extended_read(struct decode *d, struct reader *r, bool reply) { /* RFC 8335 2, 3 */
    pair_read(d, r, FID_ICMP_IDENT, FID_ICMP_IDENT_LE);
    get_u8(d, r, FID_ICMP_EXT_ECHO_SEQ);
    uint32_t off = rd_off(r);
    uint8_t bits = rd_u8(r);
    if (!rd_ok(r)) return;
    if (reply) {
        fv_u(d->out, FID_ICMP_EXT_ECHO_RSP_STATE, off, 1, bits >> 5);
        fv_u(d->out, FID_ICMP_EXT_ECHO_RSP_RES, off, 1, bits >> 3 & 3);
        fv_u(d->out, FID_ICMP_EXT_ECHO_RSP_ACTIVE, off, 1, bits >> 2 & 1);
        fv_u(d->out, FID_ICMP_EXT_ECHO_RSP_IPV4, off, 1, bits >> 1 & 1);
        fv_u(d->out, FID_ICMP_EXT_ECHO_RSP_IPV6, off, 1, bits & 1);
    } else {
        fv_u(d->out, FID_ICMP_EXT_ECHO_REQ_RES, off, 1, bits >> 1);
        fv_u(d->out, FID_ICMP_EXT_ECHO_REQ_LOCAL, off, 1, bits & 1);
        if (rd_left(r)) icmp_extension_read(d, rd_rest(r));
    }
}

static void routers_read(struct decode *d, struct reader *r) { /* RFC 1256 3 */
    uint8_t n = get_u8(d, r, FID_ICMP_NUM_ADDRS), words = get_u8(d, r, FID_ICMP_ADDR_ENTRY_SIZE);
    get_be16(d, r, FID_ICMP_LIFETIME);
    for (uint8_t i = 0; words == 2 && i < n && rd_ok(r); i++) {
        get_be32(d, r, FID_ICMP_ROUTER_ADDRESS);
        uint32_t off = rd_off(r);
        int32_t preference = (int32_t)rd_be32(r);
        if (rd_ok(r)) fv_i(d->out, FID_ICMP_PREF_LEVEL, off, 4, preference);
    }
}

static void body_read(struct decode *d, struct reader *r, uint8_t type, uint8_t code, uint32_t off) {
    switch (type) {
    case T_UNREACHABLE:
    case T_QUENCH:
    case T_REDIRECT:
    case T_EXCEEDED:
    case T_PARAMETER: error_read(d, r, type, code); break;
    case T_ECHO:
    case T_ECHO_REPLY:
    case T_TIMESTAMP:
    case T_TIMESTAMP_REPLY:
    case T_INFORMATION:
    case T_INFORMATION_REPLY:
    case T_MASK:
    case T_MASK_REPLY: query_read(d, r, type, off); break;
    case T_ROUTER_ADVERTISEMENT: routers_read(d, r); break;
    case T_EXTENDED:
    case T_EXTENDED_REPLY: extended_read(d, r, type == T_EXTENDED_REPLY); break;
    default: break;
    }
}

static void icmp_read(struct decode *d, struct slice in) {
    struct reader r = d_reader(d, in);
    uint32_t off = rd_off(&r);
    if (!d_header(d, &proto_icmp, in, CHECKED)) return;
    d_begin(d, &proto_icmp, off, (uint32_t)in.n);
    if (rd_need(&r, HEADER)) {
        uint8_t type = get_u8(d, &r, FID_ICMP_TYPE);
        struct fval *f = fv_u(d->out, FID_ICMP_CODE, off + 1, 1, in.p[1]);
        if (f) f->extra = type;
        rd_skip(&r, 1);
        checksum_read(d, &r, in);
        body_read(d, &r, type, in.p[1], off);
    }
    if (!rd_ok(&r)) d_bad(d, &r);
    d_end(d);
}

static const struct proto_key keys[] = {{TABLE_IP, 1}, {TABLE_COUNT, 0}};
const struct proto proto_icmp = {.name = "icmp",
                                 .column = "ICMP",
                                 .id = FID_ICMP,
                                 .end = FID_ICMP_END,
                                 .keys = keys,
                                 .read = icmp_read,
                                 .info = icmp_info,
                                 .info_fields = icmp_info_fields,
                                 .label = icmp_label};
