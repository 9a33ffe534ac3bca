/* SPDX-License-Identifier: Apache-2.0 */
/* ERSPAN, a mirrored frame inside GRE: type I has no header, type II one of 8 bytes, type III one of 12 and perhaps 8
 * more (draft-foschiano-erspan-03 4). */
#include "proto/erspan/erspan.h"

#include "proto/protos.h"

enum { VERSION_II = 1, VERSION_III = 2, FRAME_ETHERNET = 0 };

/* masked_add adds the fields from `first` to `last` that share a number of `len` bytes. */
static void masked_add(struct decode *d, uint16_t first, uint16_t last, uint32_t off, uint32_t len, uint64_t value) {
    for (uint16_t id = first; id <= last; id++) {
        uint64_t mask = field_of(id)->mask;
        fv_u(d->out, id, off, len, (value & mask) >> __builtin_ctzll(mask));
    }
}

/* span_read reads the second word of types II and III, which differ in two of its bits. */
static void span_read(struct decode *d, struct reader *r, uint16_t bits) {
    uint32_t off = rd_off(r);
    uint16_t word = rd_be16(r);
    if (!rd_ok(r)) return;
    masked_add(d, FID_ERSPAN_COS, FID_ERSPAN_COS, off, 2, word);
    masked_add(d, bits, bits, off, 2, word);
    masked_add(d, FID_ERSPAN_TRUNCATED, FID_ERSPAN_SPANID, off, 2, word);
}

static void index_read(struct decode *d, struct reader *r) {
    uint32_t off = rd_off(r), word = rd_be32(r);
    if (rd_ok(r)) masked_add(d, FID_ERSPAN_RESERVED, FID_ERSPAN_INDEX, off, 4, word);
}

/* third_read reads what type III adds; false where no Ethernet frame follows. */
static bool third_read(struct decode *d, struct reader *r) {
    get_be32(d, r, FID_ERSPAN_TIMESTAMP);
    get_be16(d, r, FID_ERSPAN_SGT);
    uint32_t off = rd_off(r);
    uint16_t word = rd_be16(r);
    if (rd_ok(r)) masked_add(d, FID_ERSPAN_P, FID_ERSPAN_O, off, 2, word);
    if (word & field_of(FID_ERSPAN_O)->mask) { /* a sub header of the switch's make */
        uint32_t platform = rd_be32(r);
        rd_skip(r, 4);
        if (rd_ok(r)) masked_add(d, FID_ERSPAN_PLATID, FID_ERSPAN_PLATID, off + 2, 4, platform);
    }
    return (word & field_of(FID_ERSPAN_FT)->mask) == FRAME_ETHERNET;
}

static void headed_read(struct decode *d, struct slice in) {
    struct reader r = d_reader(d, in);
    uint32_t off = rd_off(&r), at = d_begin(d, &proto_erspan, off, 0);
    bool ethernet = true;
    uint16_t word = rd_be16(&r);
    if (rd_ok(&r)) masked_add(d, FID_ERSPAN_VERSION, FID_ERSPAN_VLAN, off, 2, word);
    if (word >> 12 == VERSION_II) {
        span_read(d, &r, FID_ERSPAN_ENCAP);
        index_read(d, &r);
    } else if (word >> 12 == VERSION_III) {
        span_read(d, &r, FID_ERSPAN_BSO);
        ethernet = third_read(d, &r);
    } else {
        ethernet = false;
    }
    fv_set_len(d->out, at, rd_off(&r) - off);
    if (!rd_ok(&r)) d_bad(d, &r);
    d_end(d);
    if (!rd_ok(&r)) return;
    if (ethernet) d->ops->call(d, &proto_eth, rd_rest(&r));
    else d_data(d, rd_rest(&r));
}

void erspan_bare_read(struct decode *d, struct slice in) {
    d_begin(d, &proto_erspan, d_off(d, in.p), 0);
    d_end(d);
    d->ops->call(d, &proto_eth, in);
}

const struct proto proto_erspan = {.name = "erspan",
                                   .column = "ERSPAN",
                                   .id = FID_ERSPAN,
                                   .end = FID_ERSPAN_END,
                                   .read = headed_read,
                                   .carrier = true};
