/* SPDX-License-Identifier: Apache-2.0 */
/* Internet Protocol version 6: the header, what its addresses hold, and the way to the payload (RFC 8200). */
#include "proto/ipv6/ipv6.h"

#include "field/print.h"
#include "proto/protos.h"

enum { HEADER = 40, ADDRESS = 16, ADDRESS_TEXT = 46, LINK_IPV6 = 229, MOST_EXTENSIONS = 64 };

/* Which fields one of the two addresses fills. */
struct address_ids {
    uint16_t addr, host, slaac, isatap, to4_gw, to4_sla, teredo_server, teredo_port, teredo_client, embedded;
};
static const struct address_ids src_ids = {FID_IPV6_SRC,
                                           FID_IPV6_SRC_HOST,
                                           FID_IPV6_SRC_SLAAC_MAC,
                                           FID_IPV6_SRC_ISATAP_IPV4,
                                           FID_IPV6_SRC_6TO4_GW_IPV4,
                                           FID_IPV6_SRC_6TO4_SLA_ID,
                                           FID_IPV6_SRC_TS_IPV4,
                                           FID_IPV6_SRC_TC_PORT,
                                           FID_IPV6_SRC_TC_IPV4,
                                           FID_IPV6_SRC_EMBED_IPV4};
static const struct address_ids dst_ids = {FID_IPV6_DST,
                                           FID_IPV6_DST_HOST,
                                           FID_IPV6_DST_SLAAC_MAC,
                                           FID_IPV6_DST_ISATAP_IPV4,
                                           FID_IPV6_DST_6TO4_GW_IPV4,
                                           FID_IPV6_DST_6TO4_SLA_ID,
                                           FID_IPV6_DST_TS_IPV4,
                                           FID_IPV6_DST_TC_PORT,
                                           FID_IPV6_DST_TC_IPV4,
                                           FID_IPV6_DST_EMBED_IPV4};

static void address_read(struct decode *d, struct reader *r, const struct address_ids *id) {
    uint32_t off = rd_off(r);
    struct slice a = get_bytes(d, r, id->addr, ADDRESS);
    if (!rd_ok(r)) return;
    fv_hide(fv_s(d->out, FID_IPV6_ADDR, off, ADDRESS, a));
    if (!d_wants(d, id->host) && !d_wants(d, FID_IPV6_HOST)) return;
    char *text = arena_get(d->arena, ADDRESS_TEXT);
    if (!text) return;
    struct writer w = wr_fixed(text, ADDRESS_TEXT);
    print_ipv6(&w, a.p);
    fv_hide(fv_s(d->out, id->host, off, ADDRESS, wr_done(&w)));
    fv_hide(fv_s(d->out, FID_IPV6_HOST, off, ADDRESS, wr_done(&w)));
}

/* both_add adds a number under the side's name and, hidden, under the common one. */
static void both_add(struct decode *d, uint16_t id, uint16_t common, uint32_t off, uint32_t len, uint64_t value) {
    fv_u(d->out, id, off, len, value);
    fv_hide(fv_u(d->out, common, off, len, value));
}

/* teredo_add: server, and port and address of the client with their bits inverted (RFC 4380 4). */
static void teredo_add(struct decode *d, const uint8_t *a, uint32_t off, const struct address_ids *id) {
    uint32_t server = load_be32(a + 4), client = ~load_be32(a + 12);
    uint16_t port = (uint16_t)~load_be16(a + 10);
    fv_u(d->out, id->teredo_server, off + 4, 4, server);
    fv_u(d->out, id->teredo_port, off + 10, 2, port);
    fv_u(d->out, id->teredo_client, off + 12, 4, client);
    fv_hide(fv_u(d->out, FID_IPV6_TS_IPV4, off + 4, 4, server));
    fv_hide(fv_u(d->out, FID_IPV6_TC_PORT, off + 10, 2, port));
    fv_hide(fv_u(d->out, FID_IPV6_TC_IPV4, off + 12, 4, client));
}

static void prefix_add(struct decode *d, const uint8_t *a, uint32_t off, const struct address_ids *id) {
    static const uint8_t well_known[12] = {0, 0x64, 0xff, 0x9b};
    if (load_be32(a) == 0x20010000) {
        teredo_add(d, a, off, id);
    } else if (load_be16(a) == 0x2002) { /* RFC 3056 2 */
        fv_u(d->out, id->to4_gw, off + 2, 4, load_be32(a + 2));
        fv_u(d->out, id->to4_sla, off + 6, 2, load_be16(a + 6));
        fv_hide(fv_u(d->out, FID_IPV6_6TO4_GW_IPV4, off + 2, 4, load_be32(a + 2)));
        fv_hide(fv_u(d->out, FID_IPV6_6TO4_SLA_ID, off + 6, 2, load_be16(a + 6)));
    } else if (memcmp(a, well_known, sizeof well_known) == 0) { /* RFC 6052 2.1 */
        fv_s(d->out, FID_IPV6_EMBED_IPV4_PREFIX, off, 12, slice_of(a, 12));
        fv_u(d->out, id->embedded, off + 12, 4, load_be32(a + 12));
        fv_u(d->out, FID_IPV6_EMBED_IPV4, off + 12, 4, load_be32(a + 12));
    }
}

/* interface_add shows what an interface identifier was made of (RFC 4291 appendix A, RFC 5214 6.1). */
static void interface_add(struct decode *d, const uint8_t *a, uint32_t off, const struct address_ids *id) {
    if (load_be16(a + 11) == 0xfffe && (a[8] & 2)) {
        if (!d_wants(d, id->slaac) && !d_wants(d, FID_IPV6_SLAAC_MAC)) return;
        const uint8_t mac[6] = {a[8] ^ 2, a[9], a[10], a[13], a[14], a[15]};
        struct slice copy = arena_copy(d->arena, slice_of(mac, sizeof mac));
        if (copy.n != sizeof mac) return;
        fv_s(d->out, id->slaac, off + 8, 8, copy);
        fv_hide(fv_s(d->out, FID_IPV6_SLAAC_MAC, off + 8, 8, copy));
    } else if ((load_be32(a + 8) & ~0x02000000u) == 0x00005efe) {
        both_add(d, id->isatap, FID_IPV6_ISATAP_IPV4, off + 12, 4, load_be32(a + 12));
    }
}

static void address_parts(struct decode *d, struct slice a, const struct address_ids *id) {
    uint32_t off = d_off(d, a.p);
    prefix_add(d, a.p, off, id);
    interface_add(d, a.p, off, id);
}

/* wire_left returns how many bytes behind p the frame had on the wire. */
static size_t wire_left(const struct decode *d, const struct reader *r) {
    size_t missing = d->cut && d->out->src == 0 && d->pkt->len > d->pkt->data.n ? d->pkt->len - d->pkt->data.n : 0;
    return rd_left(r) + missing;
}

static void length_read(struct decode *d, struct reader *r, struct ipv6_walk *walk) {
    uint32_t off = rd_off(r);
    walk->plen = rd_be16(r);
    if (!rd_ok(r)) return;
    int next = rd_peek(r, 0);
    bool jumbo = walk->plen == 0 && next == NEXT_HOP;
    size_t rest = HEADER - 6, have = wire_left(d, r) > rest ? wire_left(d, r) - rest : 0;
    d_open_u(d, FID_IPV6_PLEN, off, 2, walk->plen);
    if (walk->plen > have && !d->quoted) {
        struct fval *f = d_anomaly(d, FID_IPV6_PLEN_EXCEEDS_FRAMING, off, 2);
        if (f) f->extra = (uint16_t)have;
    }
    if (!walk->plen && next >= 0 && next != NEXT_NONE && !jumbo) d_anomaly(d, FID_IPV6_PLEN_ZERO, off, 2);
    fv_close(d->out);
}

/* header_read reads the fixed header; false where it was cut or is of another version. */
static bool header_read(struct decode *d, struct reader *r, struct ipv6_walk *walk) {
    uint32_t off = rd_off(r);
    uint8_t version = (uint8_t)(rd_peek(r, 0) >> 4);
    fv_u(d->out, FID_IPV6_VERSION, off, 1, version);
    fv_hide(fv_u(d->out, FID_IP_VERSION, off, 1, version));
    if (version != 6) {
        struct fval *f = d_anomaly(d, FID_IPV6_BOGUS_IPV6_VERSION, off, 1);
        if (f) f->extra = version;
        return false;
    }
    if (rd_left(r) < HEADER) d_anomaly(d, FID_IPV6_INVALID_HEADER, off, (uint32_t)rd_left(r));
    uint32_t word = rd_be32(r);
    if (!rd_ok(r)) return false;
    d_open_u(d, FID_IPV6_TCLASS, off, 4, word >> 20 & 0xff);
    fv_u(d->out, FID_IPV6_TCLASS_DSCP, off, 4, word >> 22 & 0x3f);
    fv_u(d->out, FID_IPV6_TCLASS_ECN, off, 4, word >> 20 & 3);
    fv_close(d->out);
    fv_u(d->out, FID_IPV6_FLOW, off + 1, 3, word & 0xfffff);
    length_read(d, r, walk);
    walk->next = get_u8(d, r, FID_IPV6_NXT);
    get_u8(d, r, FID_IPV6_HLIM);
    struct slice both = rd_rest(r);
    address_read(d, r, &src_ids);
    address_read(d, r, &dst_ids);
    if (!rd_ok(r)) return false;
    addr_set(&d->src, both.p, ADDRESS);
    addr_set(&d->dst, both.p + ADDRESS, ADDRESS);
    address_parts(d, slice_of(both.p, ADDRESS), &src_ids);
    address_parts(d, slice_of(both.p + ADDRESS, ADDRESS), &dst_ids);
    return true;
}

/* reassemble gives the piece away; true where the walk goes on in the whole datagram. */
static bool reassemble(struct decode *d, struct ipv6_walk *walk) {
    struct slice whole;
    if (!d->ops->fragment || d->quoted || d->cut || !d->ops->fragment(d, &walk->piece, &whole)) return false;
    walk->r = d_reader(d, whole);
    walk->next = walk->piece.proto;
    walk->fragment = false;
    return true;
}

/* extensions_walk reads extension headers up to the payload; false where they were cut. */
static bool extensions_walk(struct decode *d, struct ipv6_walk *walk) {
    for (int i = 0; i < MOST_EXTENSIONS; i++) {
        if (walk->fragment) {
            if (!reassemble(d, walk)) return true;
        } else if (!ipv6_extension(d, walk)) {
            return rd_ok(&walk->r);
        }
    }
    return true;
}

/* walk_failed says that the extension headers end too early; who counts packets sees it at the address, too. */
static void walk_failed(struct decode *d, const struct ipv6_walk *walk) {
    for (uint32_t i = d->out->n; i-- > 0;) {
        if (d->out->v[i].id != FID_IPV6_DST) continue;
        d->out->v[i].extra = IPV6_UNFINISHED;
        break;
    }
    d_bad(d, &walk->r);
}

static void payload_pass(struct decode *d, struct ipv6_walk *walk) {
    struct slice payload = rd_rest(&walk->r);
    const struct proto *p = payload.n || d->cut || d->quoted ? NULL
                            : d->ops->lookup                 ? d->ops->lookup(d, TABLE_IP, walk->next)
                                                             : NULL;
    if (p) (void)d_header(d, p, payload, 1); /* something is said to be there, and is not */
    else if (walk->fragment || walk->next == NEXT_NONE) d_data(d, payload);
    else if (!d->ops->next(d, TABLE_IP, walk->next, payload)) d_data(d, payload);
}

/* jumbo_length returns the length that a hop-by-hop option at the beginning of `in` says instead of the header (RFC
 * 2675 2); 0: none does. */
static size_t jumbo_length(struct slice in) {
    enum { PAD1 = 0 };
    struct reader r = rd_init(in, in.p);
    rd_skip(&r, 1);
    struct reader o = rd_sub(&r, 8u * rd_u8(&r) + 6);
    while (rd_ok(&r) && rd_left(&o)) {
        uint8_t type = rd_u8(&o), len = type == PAD1 ? 0 : rd_u8(&o);
        if (type == OPT_JUMBO && len == 4) {
            uint32_t length = rd_be32(&o);
            return length >= JUMBO_LEAST ? length : 0;
        }
        rd_skip(&o, len);
    }
    return 0;
}

static void ipv6_read(struct decode *d, struct slice in) {
    struct reader r = d_reader(d, in);
    struct ipv6_walk walk = {.first = true, .start = rd_off(&r)};
    uint32_t off = rd_off(&r), at = d_begin(d, &proto_ipv6, off, in.n < HEADER ? (uint32_t)in.n : HEADER);
    uint8_t source = d->out->src;
    bool fine = in.n > 0 && header_read(d, &r, &walk);
    if (!fine) {
        if (!in.n || !rd_ok(&r)) d_bad(d, &r);
        d_end(d);
        return;
    }
    struct slice payload = rd_rest(&r);
    size_t jumbo = walk.plen == 0 && walk.next == NEXT_HOP ? jumbo_length(payload) : 0;
    payload = slice_head(payload, jumbo ? jumbo : walk.plen);
    if (walk.plen == 0 && walk.next == NEXT_HOP && !jumbo) d_anomaly(d, FID_IPV6_OPT_JUMBO_MISSING, off + 4, 2);
    uint32_t missing = !jumbo && walk.plen > payload.n && d->cut ? walk.plen - (uint32_t)payload.n : 0;
    walk.r = d_reader(d, payload);
    bool cut = d->cut;
    d->cut = cut && (jumbo || walk.plen > payload.n); /* what the capture left out may be no part of the packet */
    fine = extensions_walk(d, &walk);
    if (d->out->src == source) fv_set_len(d->out, at, (uint32_t)(HEADER + payload.n - rd_left(&walk.r)));
    if (!fine) walk_failed(d, &walk);
    d_end(d);
    d->wire_len = missing ? (uint32_t)rd_left(&walk.r) + missing : 0;
    if (fine) payload_pass(d, &walk);
    d->cut = cut;
    d->out->src = source;
    d->payload_end = payload.p + payload.n;
}

static const struct proto_key keys[] = {
    {TABLE_ETHERTYPE, 0x86dd}, {TABLE_IP, NEXT_IPV6}, {TABLE_PPP, 0x0057}, {TABLE_LINK, LINK_IPV6}, {TABLE_COUNT, 0}};
const struct proto proto_ipv6 = {.name = "ipv6",
                                 .shown_empty = true,
                                 .column = "IPv6",
                                 .id = FID_IPV6,
                                 .end = FID_IPV6_END,
                                 .keys = keys,
                                 .read = ipv6_read,
                                 .info = ipv6_info,
                                 .info_fields = ipv6_info_fields,
                                 .label = ipv6_label};

/* An extension header that another protocol announces, in practice IPv4. */
static void stray_read(struct decode *d, struct slice in, uint8_t next) {
    struct ipv6_walk walk = {.r = d_reader(d, in), .next = next, .plen = 1};
    bool fine = ipv6_extension(d, &walk) && extensions_walk(d, &walk);
    if (fine) payload_pass(d, &walk);
    else d_bad(d, &walk.r);
}
static void stray_hop_read(struct decode *d, struct slice in) { stray_read(d, in, NEXT_HOP); }
static void stray_dst_read(struct decode *d, struct slice in) { stray_read(d, in, NEXT_DST); }
static void stray_routing_read(struct decode *d, struct slice in) { stray_read(d, in, NEXT_ROUTING); }

/* Their fields are among those of ipv6. */
static const struct proto_key hop_keys[] = {{TABLE_IP, NEXT_HOP}, {TABLE_COUNT, 0}};
const struct proto proto_ipv6_hopopts = {
    .name = "ipv6.hopopts", .id = FID_IPV6, .end = FID_IPV6, .keys = hop_keys, .read = stray_hop_read};
static const struct proto_key dst_keys[] = {{TABLE_IP, NEXT_DST}, {TABLE_COUNT, 0}};
const struct proto proto_ipv6_dstopts = {
    .name = "ipv6.dstopts", .id = FID_IPV6, .end = FID_IPV6, .keys = dst_keys, .read = stray_dst_read};
static const struct proto_key routing_keys[] = {{TABLE_IP, NEXT_ROUTING}, {TABLE_COUNT, 0}};
const struct proto proto_ipv6_routing = {
    .name = "ipv6.routing", .id = FID_IPV6, .end = FID_IPV6, .keys = routing_keys, .read = stray_routing_read};

static void ah_read(struct decode *d, struct slice in) {
    struct reader r = d_reader(d, in);
    d_begin(d, &proto_ah, rd_off(&r), (uint32_t)in.n);
    uint8_t next = ah_header(d, &r);
    if (!rd_ok(&r)) d_bad(d, &r);
    d_end(d);
    if (rd_ok(&r) && !d->ops->next(d, TABLE_IP, next, rd_rest(&r))) d_data(d, rd_rest(&r));
}

static const struct proto_key ah_keys[] = {{TABLE_IP, NEXT_AH}, {TABLE_COUNT, 0}};
const struct proto proto_ah = {
    .name = "ah", .column = "AH", .id = FID_AH, .end = FID_AH_END, .keys = ah_keys, .read = ah_read, .label = ah_label};
