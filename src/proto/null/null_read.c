/* SPDX-License-Identifier: Apache-2.0 */
/* Captures with nearly no link header: BSD loopback, where four bytes name the address family in the byte order
 * of the machine that captured (LINKTYPE_NULL) or of the network (LINKTYPE_LOOP), and raw IP. */
#include "proto/protos.h"

enum { HEADER = 4, LINK_LOOP = 108, LINK_IPV4 = 228, LEAST_TYPE = 1501, PPP_START = 0xff03 };
enum { FAMILY_INET = 2, FAMILY_INET6_BSD = 24, FAMILY_INET6_FREEBSD = 28, FAMILY_INET6_DARWIN = 30 };
enum { TYPE_IPV4 = 0x0800, TYPE_IPV6 = 0x86dd };

/* family_guess finds the family in four bytes of unknown byte order: a family and an EtherType need at most two
 * bytes, and a family is small. */
static uint32_t family_guess(const uint8_t *p) {
    uint32_t value = load_le32(p);
    if (value >> 16) {
        if (!(value >> 24) && (value & 0xff0000) < 0x060000) return value >> 16; /* the family in half the field */
        return load_be32(p);
    }
    if (!(value & 0xff) && (value & 0xff00) < 0x0600) return value >> 8;
    return value;
}

static bool family_pass(struct decode *d, uint32_t family, struct slice payload) {
    switch (family) {
    case FAMILY_INET: return d->ops->next(d, TABLE_ETHERTYPE, TYPE_IPV4, payload);
    case FAMILY_INET6_BSD:
    case FAMILY_INET6_FREEBSD:
    case FAMILY_INET6_DARWIN: return d->ops->next(d, TABLE_ETHERTYPE, TYPE_IPV6, payload);
    default: return false;
    }
}

static void null_read(struct decode *d, struct slice in) {
    struct reader r = d_reader(d, in);
    uint32_t off = rd_off(&r);
    if (in.n >= 2 && load_be16(in.p) == PPP_START) { /* some systems put PPP under this link type */
        d->ops->call(d, &proto_ppp, in);
        return;
    }
    d_begin(d, &proto_null, off, HEADER);
    struct slice header = rd_take(&r, HEADER);
    if (!rd_ok(&r)) {
        d_bad(d, &r);
        d_end(d);
        return;
    }
    bool loop = d->pkt->iface->linktype == LINK_LOOP;
    uint32_t family = loop ? load_be32(header.p) : family_guess(header.p);
    bool type = !loop && family >= LEAST_TYPE;
    if (type) fv_u(d->out, FID_NULL_TYPE, off, HEADER, family & 0xffff);
    else fv_u(d->out, FID_NULL_FAMILY, off, HEADER, family);
    d_end(d);
    struct slice payload = rd_rest(&r);
    bool known = type ? d->ops->next(d, TABLE_ETHERTYPE, family & 0xffff, payload) : family_pass(d, family, payload);
    if (!known) d_data(d, payload);
}

static void null_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    (void)v, (void)at, (void)end;
    wr_s(w, "Null/Loopback");
}

static const struct proto_key null_keys[] = {{TABLE_LINK, 0}, {TABLE_LINK, LINK_LOOP}, {TABLE_COUNT, 0}};
const struct proto proto_null = {.name = "null",
                                 .column = "N/A",
                                 .id = FID_NULL,
                                 .end = FID_NULL_END,
                                 .keys = null_keys,
                                 .read = null_read,
                                 .info = null_info};

static void raw_read(struct decode *d, struct slice in) {
    if (d->pkt->iface->linktype == LINK_IPV4) {
        if (!d->ops->next(d, TABLE_ETHERTYPE, TYPE_IPV4, in)) d_data(d, in);
        return;
    }
    struct reader r = d_reader(d, in);
    d_begin(d, &proto_raw, rd_off(&r), (uint32_t)in.n);
    d_end(d);
    int first = rd_peek(&r, 0);
    bool known = (first >= 0 && first >> 4 == 4 && d->ops->next(d, TABLE_ETHERTYPE, TYPE_IPV4, in)) ||
                 (first >= 0 && first >> 4 == 6 && d->ops->next(d, TABLE_ETHERTYPE, TYPE_IPV6, in));
    if (!known) d_data(d, in);
}

static void raw_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    (void)v, (void)at, (void)end;
    wr_s(w, "Raw packet data");
}

static const struct proto_key raw_keys[] = {
    {TABLE_LINK, 101}, {TABLE_LINK, 12}, {TABLE_LINK, 14}, {TABLE_LINK, LINK_IPV4}, {TABLE_COUNT, 0}};
const struct proto proto_raw = {.name = "raw",
                                .column = "N/A",
                                .id = FID_RAW,
                                .end = FID_RAW_END,
                                .keys = raw_keys,
                                .read = raw_read,
                                .info = raw_info};
