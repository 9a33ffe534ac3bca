/* SPDX-License-Identifier: Apache-2.0 */
/* Teredo (RFC 4380): an IPv6 packet in a UDP datagram, maybe behind an authentication header and an origin indication
 * (5.1.1). */
#include "proto/protos.h"

enum { KIND_ORIGIN = 0, KIND_AUTHENTICATION = 1, NONCE = 9, TYPE_IPV6 = 0x86dd };

static void authentication_read(struct decode *d, struct reader *r) {
    uint32_t at = fv_open(d->out, FID_TEREDO_AUTH, rd_off(r), 0), start = rd_off(r);
    rd_skip(r, 2);
    uint8_t id = get_u8(d, r, FID_TEREDO_AUTH_IDLEN), value = get_u8(d, r, FID_TEREDO_AUTH_AULEN);
    rd_skip(r, (size_t)id + value + NONCE);
    fv_set_len(d->out, at, rd_off(r) - start);
    fv_close(d->out);
}

/* origin_read: port and address travel with every bit turned over. */
static void origin_read(struct decode *d, struct reader *r) {
    uint32_t off = rd_off(r);
    fv_open(d->out, FID_TEREDO_ORIG, off, 8);
    rd_skip(r, 2);
    uint16_t port = rd_be16(r);
    uint32_t addr = rd_be32(r);
    if (rd_ok(r)) fv_u(d->out, FID_TEREDO_ORIG_PORT, off + 2, 2, port ^ 0xffffu);
    if (rd_ok(r)) fv_u(d->out, FID_TEREDO_ORIG_ADDR, off + 4, 4, ~addr);
    fv_close(d->out);
}

static int kind(const struct reader *r) { return rd_left(r) >= 2 ? rd_peek(r, 0) << 8 | rd_peek(r, 1) : -1; }

static void teredo_read(struct decode *d, struct slice in) {
    struct reader r = d_reader(d, in);
    uint32_t off = rd_off(&r), at = d_begin(d, &proto_teredo, off, 0);
    if (kind(&r) == KIND_AUTHENTICATION) authentication_read(d, &r);
    if (kind(&r) == KIND_ORIGIN) origin_read(d, &r);
    fv_set_len(d->out, at, rd_off(&r) - off);
    if (!rd_ok(&r)) d_bad(d, &r);
    d_end(d);
    if (!rd_ok(&r) || !rd_left(&r)) return;
    if (rd_peek(&r, 0) >> 4 == 6) d->ops->next(d, TABLE_ETHERTYPE, TYPE_IPV6, rd_rest(&r));
    else d_data(d, rd_rest(&r));
}

static const struct proto_key keys[] = {{TABLE_UDP, 3544}, {TABLE_COUNT, 0}};
const struct proto proto_teredo = {.name = "teredo",
                                   .column = "Teredo",
                                   .id = FID_TEREDO,
                                   .end = FID_TEREDO_END,
                                   .keys = keys,
                                   .read = teredo_read,
                                   .carrier = true};
