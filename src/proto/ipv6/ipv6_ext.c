/* SPDX-License-Identifier: Apache-2.0 */
/* IPv6 extension headers: hop-by-hop and destination options, routing, fragment (RFC 8200 4), authentication
 * (RFC 4302). */
#include "proto/ipv6/ipv6.h"
#include "proto/protos.h"

enum { ADDRESS = 16, UNIT = 8 };
enum { ROUTE_SOURCE = 0, ROUTE_MOBILE = 2, ROUTE_RPL = 3, ROUTE_SEGMENT = 4 };

/* Which fields the first two bytes of an extension header fill. */
struct common_ids {
    uint16_t self, next, len, bytes;
};
static const struct common_ids hop_ids = {FID_IPV6_HOPOPTS, FID_IPV6_HOPOPTS_NXT, FID_IPV6_HOPOPTS_LEN,
                                          FID_IPV6_HOPOPTS_LEN_OCT};
static const struct common_ids dst_ids = {FID_IPV6_DSTOPTS, FID_IPV6_DSTOPTS_NXT, FID_IPV6_DSTOPTS_LEN,
                                          FID_IPV6_DSTOPTS_LEN_OCT};
static const struct common_ids routing_ids = {FID_IPV6_ROUTING, FID_IPV6_ROUTING_NXT, FID_IPV6_ROUTING_LEN,
                                              FID_IPV6_ROUTING_LEN_OCT};

/* common_read opens a header's entry, reads its next header and length and returns a reader over the rest of it. */
static struct reader common_read(struct decode *d, struct ipv6_walk *walk, const struct common_ids *id,
                                 bool misplaced) {
    uint32_t off = rd_off(&walk->r);
    int units = rd_peek(&walk->r, 1);
    uint32_t bytes = units < 0 ? 0 : ((uint32_t)units + 1) * UNIT;
    d_step(d, field_of(id->self)->name);
    fv_open(d->out, id->self, off, bytes < rd_left(&walk->r) ? bytes : (uint32_t)rd_left(&walk->r));
    if (misplaced) d_anomaly(d, FID_IPV6_HOPOPTS_NOT_FIRST, off, bytes);
    walk->next = get_u8(d, &walk->r, id->next);
    get_u8(d, &walk->r, id->len);
    if (rd_ok(&walk->r)) fv_u(d->out, id->bytes, off + 1, 1, bytes);
    return rd_ok(&walk->r) ? rd_sub(&walk->r, bytes - 2) : walk->r;
}

static void options_header(struct decode *d, struct ipv6_walk *walk, bool hop) {
    struct reader whole = walk->r;
    struct reader o = common_read(d, walk, hop ? &hop_ids : &dst_ids, hop && !walk->first);
    if (!rd_ok(&o)) { /* what is there is shown */
        rd_skip(&whole, rd_left(&whole) < 2 ? rd_left(&whole) : 2);
        o = whole;
    }
    ipv6_options(d, walk, &o, hop);
    if (!rd_ok(&o)) rd_fail(&walk->r);
    fv_close(d->out);
}

/* address_entry reads the address at place n of a route; multicast has no place there (RFC 2460 4.4). */
static struct slice address_entry(struct decode *d, struct reader *r, uint16_t id, unsigned n) {
    uint32_t off = rd_off(r);
    struct fval *f = fv_at(d->out, fv_open(d->out, id, off, ADDRESS));
    struct slice a = rd_take(r, ADDRESS);
    if (f) {
        f->s = a;
        f->extra = (uint16_t)n;
    }
    if (id == FID_IPV6_ROUTING_SRC_ADDR && a.p[0] == 0xff)
        d_anomaly(d, FID_IPV6_SRC_ROUTE_LIST_MULTICAST_ADDR, off, ADDRESS);
    fv_close(d->out);
    return a;
}

static void source_route(struct decode *d, struct reader *r, bool mobile, uint8_t left) {
    get_bytes(d, r, mobile ? FID_IPV6_ROUTING_MIPV6_RESERVED : FID_IPV6_ROUTING_SRC_RESERVED, 4);
    struct slice last = {0};
    for (unsigned n = 1; rd_ok(r) && rd_left(r) >= ADDRESS; n++)
        last = address_entry(d, r, mobile ? FID_IPV6_ROUTING_MIPV6_HOME_ADDRESS : FID_IPV6_ROUTING_SRC_ADDR, n);
    if (left && last.n) d->dst = addr_of(last.p, ADDRESS);
}

/* segment_route reads a segment list; its first entry is the last segment (RFC 8754 2). */
static void segment_route(struct decode *d, struct reader *r, uint8_t left) {
    uint8_t last_entry = get_u8(d, r, FID_IPV6_ROUTING_SRH_LAST_ENTRY);
    get_u8(d, r, FID_IPV6_ROUTING_SRH_FLAGS);
    get_bytes(d, r, FID_IPV6_ROUTING_SRH_TAG, 2);
    struct slice first = {0};
    for (unsigned n = 0; rd_ok(r) && n <= last_entry && rd_left(r) >= ADDRESS; n++) {
        struct slice a = address_entry(d, r, FID_IPV6_ROUTING_SRH_ADDR, n);
        if (!n) first = a;
    }
    if (left && first.n) d->dst = addr_of(first.p, ADDRESS);
    if (rd_left(r)) get_bytes(d, r, FID_IPV6_ROUTING_UNKNOWN_DATA, rd_left(r));
}

/* rpl_route reads addresses that leave out the bytes they share with the destination (RFC 6554 3). */
static void rpl_route(struct decode *d, struct reader *r, uint8_t left) {
    uint32_t off = rd_off(r), word = rd_be32(r);
    uint32_t most = word >> 28, last = word >> 24 & 15, pad = word >> 20 & 15;
    if (!rd_ok(r)) return;
    fv_u(d->out, FID_IPV6_ROUTING_RPL_CMPRI, off, 4, most);
    fv_u(d->out, FID_IPV6_ROUTING_RPL_CMPRE, off, 4, last);
    fv_u(d->out, FID_IPV6_ROUTING_RPL_PAD, off, 4, pad);
    fv_u(d->out, FID_IPV6_ROUTING_RPL_RESERVED, off, 4, word & 0xfffff);
    size_t bytes = rd_left(r) > pad ? rd_left(r) - pad : 0;
    size_t count = bytes < ADDRESS - last ? 0 : (bytes - (ADDRESS - last)) / (ADDRESS - most) + 1;
    fv_i(d->out, FID_IPV6_ROUTING_RPL_ADDR_COUNT, off, 2, (int64_t)count);
    uint8_t full[ADDRESS];
    for (size_t n = 1; n <= count; n++) {
        size_t shared = n == count ? last : most, own = ADDRESS - shared;
        uint32_t at = rd_off(r);
        struct slice part = get_bytes(d, r, FID_IPV6_ROUTING_RPL_ADDRESS, own);
        if (!rd_ok(r)) return;
        memcpy(full, d->dst.bytes, shared);
        memcpy(full + shared, part.p, own);
        struct slice copy = arena_copy(d->arena, slice_of(full, ADDRESS));
        if (copy.n != ADDRESS) return;
        struct fval *f = fv_s(d->out, FID_IPV6_ROUTING_RPL_FULL_ADDRESS, at, (uint32_t)own, copy);
        if (f) f->extra = (uint16_t)n;
        if (left && n == count) d->dst = addr_of(full, ADDRESS);
    }
}

static void routing_header(struct decode *d, struct ipv6_walk *walk) {
    struct reader r = common_read(d, walk, &routing_ids, false);
    uint32_t off = rd_off(&r);
    uint8_t type = rd_u8(&r);
    if (rd_ok(&r)) {
        d_open_u(d, FID_IPV6_ROUTING_TYPE, off, 1, type);
        if (type == ROUTE_SOURCE) d_anomaly(d, FID_IPV6_ROUTING_DEPRECATED, off, 1);
        fv_close(d->out);
    }
    uint8_t left = rd_u8(&r);
    if (rd_ok(&r)) {
        size_t count = rd_left(&r) < 4 ? 0 : (rd_left(&r) - 4) / ADDRESS;
        d_open_u(d, FID_IPV6_ROUTING_SEGLEFT, off + 1, 1, left);
        if (type == ROUTE_SOURCE && left > count) {
            struct fval *f = d_anomaly(d, FID_IPV6_ROUTING_INVALID_SEGLEFT, off + 1, 1);
            if (f) f->extra = (uint16_t)count;
        }
        fv_close(d->out);
    }
    if (!rd_ok(&r)) {
        rd_fail(&walk->r);
    } else if (type == ROUTE_SOURCE || type == ROUTE_MOBILE) {
        source_route(d, &r, type == ROUTE_MOBILE, left);
    } else if (type == ROUTE_SEGMENT) {
        segment_route(d, &r, left);
    } else if (type == ROUTE_RPL) {
        rpl_route(d, &r, left);
    } else if (rd_left(&r)) {
        off = rd_off(&r);
        get_bytes(d, &r, FID_IPV6_ROUTING_UNKNOWN_DATA, rd_left(&r));
        d_anomaly(d, FID_IPV6_ROUTING_UNDECODED, off, 1);
    }
    fv_close(d->out);
}

static void fragment_header(struct decode *d, struct ipv6_walk *walk) {
    struct reader *r = &walk->r;
    uint32_t off = rd_off(r);
    d_step(d, "ipv6.fraghdr");
    fv_open(d->out, FID_IPV6_FRAGHDR, off, UNIT);
    walk->next = get_u8(d, r, FID_IPV6_FRAGHDR_NXT);
    get_u8(d, r, FID_IPV6_FRAGHDR_RESERVED_OCTET);
    uint16_t word = rd_be16(r);
    if (rd_ok(r)) {
        fv_u(d->out, FID_IPV6_FRAGHDR_OFFSET, off + 2, 2, word >> 3);
        fv_u(d->out, FID_IPV6_FRAGHDR_RESERVED_BITS, off + 2, 2, word >> 1 & 3);
        fv_u(d->out, FID_IPV6_FRAGHDR_MORE, off + 2, 2, word & 1);
    }
    uint32_t id = get_be32(d, r, FID_IPV6_FRAGHDR_IDENT);
    fv_close(d->out);
    bool atomic = !(word & ~6); /* RFC 6946: whole, although it has the header */
    if (!rd_ok(r) || atomic) return;
    walk->fragment = true;
    walk->piece = (struct fragment){.src = d->src,
                                    .dst = d->dst,
                                    .id = id,
                                    .proto = walk->next,
                                    .off = word & 0xfff8u,
                                    .more = word & 1,
                                    .data = rd_rest(r),
                                    .ids = {FID_IPV6_FRAGMENTS, FID_IPV6_FRAGMENT, FID_IPV6_FRAGMENT_COUNT,
                                            FID_IPV6_REASSEMBLED_LENGTH, FID_IPV6_REASSEMBLED_DATA}};
}

uint8_t ah_header(struct decode *d, struct reader *r) {
    uint8_t next = get_u8(d, r, FID_AH_NEXT_HEADER), units = get_u8(d, r, FID_AH_LENGTH);
    get_bytes(d, r, FID_AH_RESERVED, 2);
    get_be32(d, r, FID_AH_SPI);
    get_be32(d, r, FID_AH_SEQUENCE);
    /* RFC 4302 2.2: the length counts words, less two; three of them were read. */
    if (rd_ok(r) && units > 1) get_bytes(d, r, FID_AH_ICV, (units - 1u) * 4);
    return next;
}

static void authentication_header(struct decode *d, struct ipv6_walk *walk) {
    int units = rd_peek(&walk->r, 1);
    uint32_t len = units < 0 ? 0 : ((uint32_t)units + 2) * 4;
    d_begin(d, &proto_ah, rd_off(&walk->r), len);
    walk->next = ah_header(d, &walk->r);
    fv_close(d->out);
}

bool ipv6_extension(struct decode *d, struct ipv6_walk *walk) {
    switch (walk->next) {
    case NEXT_HOP: options_header(d, walk, true); break;
    case NEXT_DST: options_header(d, walk, false); break;
    case NEXT_ROUTING: routing_header(d, walk); break;
    case NEXT_FRAGMENT: fragment_header(d, walk); break;
    case NEXT_AH: authentication_header(d, walk); break;
    default: return false;
    }
    walk->first = false;
    return rd_ok(&walk->r);
}
