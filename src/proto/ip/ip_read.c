/* SPDX-License-Identifier: Apache-2.0 */
/* Internet Protocol version 4: header, options, fragments (RFC 791; RFC 2474 and 3168 for the DS field). */
#include "field/print.h"
#include "proto/ip/ip.h"
#include "proto/protos.h"

enum { HEADER = 20, FLAG_RB = 4, FLAG_DF = 2, FLAG_MF = 1, SMALL_TTL = 5, ANY_TTL = 0, IP_OSPF = 89, IP_PIM = 103 };
enum { INFO_FITS = 1 }; /* fval.extra of the protocol's own entry: the Info column may read the header there */
enum { LENGTH_UNSAID = 1, LENGTH_BOGUS }; /* fval.extra of FID_IP_LEN */

/* ip_header is the fixed part, in host order. */
struct ip_header {
    uint8_t vhl, tos, ttl, proto, flags;
    bool unsaid; /* len stands for the 0 that the header says */
    bool routed; /* dst is where the packet goes next, an option says where it goes in the end */
    uint16_t id, frag, checksum;
    uint32_t len, src, dst, off;
};

/* header_of reads the fixed part at p. */
static struct ip_header header_of(const uint8_t *p, uint32_t off) {
    return (struct ip_header){.vhl = p[0],
                              .tos = p[1],
                              .len = load_be16(p + 2),
                              .id = load_be16(p + 4),
                              .flags = p[6] >> 5,
                              .frag = load_be16(p + 6) & 0x1fff,
                              .ttl = p[8],
                              .proto = p[9],
                              .checksum = load_be16(p + 10),
                              .src = load_be32(p + 12),
                              .dst = load_be32(p + 16),
                              .off = off};
}

/* local_block_ttl returns the TTL that packets to a Local Network Control Block address have. */
static uint8_t local_block_ttl(uint32_t dst) {
    switch (dst & 255) {
    case 18:  /* VRRP, RFC 5798 5.1.1.3 */
    case 102: /* GLBP */
    case 251: /* mDNS, RFC 6762 11 */ return 255;
    case 252: /* LLMNR */ return ANY_TTL;
    default: return 1;
    }
}

static void ttl_check(struct decode *d, const struct ip_header *h) {
    d->out->depth++;
    if (h->dst >> 8 == 0xe00000) {
        uint8_t ttl = local_block_ttl(h->dst);
        if (ttl != ANY_TTL && h->ttl != ttl) {
            struct fval *f = d_anomaly(d, FID_IP_TTL_LNCB, h->off + 8, 1);
            if (f) f->extra = ttl;
        }
    } else if (h->ttl < SMALL_TTL && h->dst >> 28 != 14 && h->proto != IP_PIM && h->proto != IP_OSPF) {
        struct fval *f = d_anomaly(d, FID_IP_TTL_TOO_SMALL, h->off + 8, 1);
        if (f) f->extra = h->ttl;
    }
    fv_close(d->out);
}

/* length_find puts the length of a datagram that says 0, because the network card was to cut it into segments, in its
 * place: all there is. */
static void length_find(const struct decode *d, struct ip_header *h, struct slice in) {
    h->unsaid = !h->len && !d->quoted;
    if (!h->unsaid) return;
    h->len = (uint32_t)in.n;
    if (d->cut && d->out->src == 0) h->len += d->pkt->len - (uint32_t)d->pkt->data.n;
}

/* length_add adds what stands before the identification, front_add what stands from there to the TTL, back_add what
 * stands behind it. */
static void length_add(struct fvec *v, const struct ip_header *h) {
    uint32_t off = h->off;
    fv_u(v, FID_IP_DSFIELD, off + 1, 1, h->tos);
    v->depth++;
    fv_u(v, FID_IP_DSCP, off + 1, 1, h->tos >> 2);
    fv_u(v, FID_IP_ECN, off + 1, 1, h->tos & 3);
    fv_close(v);
    struct fval *len = fv_u(v, FID_IP_LEN, off + 2, 2, h->len);
    if (len) len->extra = h->unsaid ? LENGTH_UNSAID : h->len < (h->vhl & 15) * 4u ? LENGTH_BOGUS : 0;
}

static void front_add(struct fvec *v, const struct ip_header *h) {
    uint32_t off = h->off;
    fv_u(v, FID_IP_ID, off + 4, 2, h->id);
    fv_u(v, FID_IP_FLAGS, off + 6, 1, h->flags);
    v->depth++;
    fv_u(v, FID_IP_FLAGS_RB, off + 6, 1, h->flags >> 2 & 1);
    fv_u(v, FID_IP_FLAGS_DF, off + 6, 1, h->flags >> 1 & 1);
    fv_u(v, FID_IP_FLAGS_MF, off + 6, 1, h->flags & 1);
    fv_close(v);
    fv_u(v, FID_IP_FRAG_OFFSET, off + 6, 2, h->frag);
}

static void back_add(struct decode *d, const struct ip_header *h) {
    struct fvec *v = d->out;
    uint32_t off = h->off;
    fv_u(v, FID_IP_PROTO, off + 9, 1, h->proto);
    fv_u(v, FID_IP_CHECKSUM, off + 10, 2, h->checksum);
    fv_u(v, FID_IP_CHECKSUM_STATUS, off + 10, 0, 2);
    ip_address_add(d, FID_IP_SRC, FID_IP_SRC_HOST, off + 12, h->src);
    if (h->routed) ip_stop_add(d, FID_IP_CUR_RT, FID_IP_CUR_RT_HOST, off + 16, h->dst);
    else ip_address_add(d, FID_IP_DST, FID_IP_DST_HOST, off + 16, h->dst);
}

static void header_add(struct decode *d, const struct ip_header *h) {
    const struct want *want = d->out->want;
    if (want_any(want, FID_IP_ID, FID_IP_TTL)) front_add(d->out, h);
    fv_u(d->out, FID_IP_TTL, h->off + 8, 1, h->ttl);
    ttl_check(d, h);
    if (want_any(want, FID_IP_PROTO, FID_IP_OPTIONS_NOP) || h->routed) back_add(d, h);
}

/* payload_pass hands the payload on, whole or as a fragment. */
static void payload_pass(struct decode *d, const struct ip_header *h, struct slice payload) {
    bool fragmented = h->frag || (h->flags & FLAG_MF);
    if (fragmented) {
        struct fragment f = {.src = d->src,
                             .dst = d->dst,
                             .id = h->id,
                             .proto = h->proto,
                             .off = (uint32_t)h->frag * 8,
                             .more = h->flags & FLAG_MF,
                             .data = payload,
                             .ids = {FID_IP_FRAGMENTS, FID_IP_FRAGMENT, FID_IP_FRAGMENT_COUNT, FID_IP_REASSEMBLED_LEN,
                                     FID_IP_REASSEMBLED_DATA}};
        struct slice whole;
        bool broken = payload.n + (h->vhl & 15) * 4u < h->len; /* not all of it is here: it can be put to nothing */
        if (h->frag == 0 && (d->quoted || broken)) {
            d->fragment = !d->quoted;
        } else if (!d->ops->fragment || d->quoted || broken || !d->ops->fragment(d, &f, &whole)) {
            d_end(d);
            d_data(d, payload);
            return;
        } else {
            payload = whole;
        }
    }
    d_end(d);
    if (!payload.n && !d->cut) return;
    if (!d->ops->next(d, TABLE_IP, h->proto, payload)) d_data(d, payload);
}

/* start_read adds the fields up to the length. false: with what they say nothing more can be read. */
static bool start_read(struct decode *d, const struct ip_header *h) {
    uint32_t hlen = (h->vhl & 15) * 4u;
    fv_u(d->out, FID_IP_VERSION, h->off, 1, h->vhl >> 4);
    if (h->vhl >> 4 != 4) {
        d_anomaly(d, FID_IP_BOGUS_VERSION, h->off, 1);
        return false;
    }
    fv_u(d->out, FID_IP_HDR_LEN, h->off, 1, hlen);
    if (hlen < HEADER) {
        d_anomaly(d, FID_IP_BOGUS_HEADER_LENGTH, h->off, 1);
        return false;
    }
    if (want_any(d->out->want, FID_IP_DSFIELD, FID_IP_ID)) length_add(d->out, h);
    if (h->len >= hlen || d->quoted) return true;
    d_anomaly(d, FID_IP_BOGUS_LENGTH, h->off + 2, 2);
    return false;
}

static void ip_read(struct decode *d, struct slice in) {
    struct reader r = d_reader(d, in);
    uint32_t at = d_begin(d, &proto_ip, rd_off(&r), HEADER);
    struct slice fixed = rd_take(&r, HEADER);
    if (!rd_ok(&r)) {
        d_bad(d, &r);
        d_end(d);
        return;
    }
    const uint8_t *p = fixed.p;
    struct ip_header h = header_of(p, d_off(d, p));
    uint32_t hlen = (h.vhl & 15) * 4u;
    fv_set_len(d->out, at, hlen < in.n ? hlen : (uint32_t)in.n); /* a claim, until the options were read */
    length_find(d, &h, in);
    if (!start_read(d, &h)) {
        d_end(d);
        if (h.vhl >> 4 == 6) d->ops->call(d, &proto_ipv6, in); /* under the number of version 4 */
        return;
    }
    if (at != FV_UNWANTED) fv_at(d->out, at)->extra = INFO_FITS;
    addr_set(&d->src, p + 12, 4);
    addr_set(&d->dst, p + 16, 4);
    if (!d->quoted) d->ip_id = h.id;
    struct reader options = r;
    const uint8_t *goal = NULL;
    if (hlen > HEADER) {
        options = rd_sub(&r, hlen - HEADER);
        goal = ip_route_goal(rd_rest(&options));
    }
    if (goal) addr_set(&d->dst, goal, 4);
    h.routed = goal;
    header_add(d, &h);
    if (hlen > HEADER && rd_ok(&r)) ip_options(d, &options, goal);
    if (!rd_ok(&r)) {
        d_bad(d, &r);
        d_end(d);
        return;
    }
    struct slice payload = rd_rest(&r);
    if (h.len >= hlen && h.len <= in.n) {
        payload = slice_head(payload, h.len - hlen);
        d->wire_len = 0;
        if (d->out->src == 0 && !d->quoted) d->payload_end = payload.p + payload.n;
    } else if (!d->quoted && !d->cut) {
        struct fval *f = d_anomaly(d, FID_IP_BOGUS_LENGTH, h.off + 2, 2);
        if (f) f->extra = (uint16_t)in.n;
    }
    if (d->cut && h.len > in.n) d->wire_len = h.len - hlen;
    const uint8_t *end = d->payload_end;
    uint8_t source = d->out->src;
    bool cut = d->cut;
    d->cut = cut && (h.len < hlen || h.len > in.n); /* what the capture left out may be no part of the datagram */
    payload_pass(d, &h, payload);
    d->cut = cut;
    d->payload_end = end; /* whatever was inside */
    d->out->src = source;
}

static void expert_text(struct writer *w, const struct fvec *v, uint32_t at) {
    const struct fval *f = &v->v[at];
    if (f->id == FID_IP_TTL_TOO_SMALL) wr_f(w, "\"Time To Live\" only %u", f->extra);
    else if (f->id == FID_IP_BOGUS_LENGTH && f->extra)
        wr_f(w, "IPv4 total length exceeds packet length (%u bytes)", f->extra);
    else if (f->id == FID_IP_BOGUS_LENGTH) wr_s(w, "Bogus IP length");
    else
        wr_f(w, "\"Time To Live\" != %u for a packet sent to the Local Network Control Block (see RFC 3171)", f->extra);
}

static void address_text(struct writer *w, const struct fvec *v, uint32_t at) {
    const struct fval *src = fv_first(v, FID_IP_SRC, at, v->n), *dst = fv_first(v, FID_IP_DST, at, v->n);
    wr_s(w, "Internet Protocol Version 4");
    if (!src || !dst) return;
    wr_s(w, ", Src: ");
    print_ipv4(w, (uint32_t)src->u);
    wr_s(w, ", Dst: ");
    print_ipv4(w, (uint32_t)dst->u);
    const struct fval *via = fv_first(v, FID_IP_CUR_RT, at, v->n);
    if (!via) return;
    wr_s(w, ", Via: ");
    print_ipv4(w, (uint32_t)via->u);
}

static void fragments_text(struct writer *w, const struct fvec *v, uint32_t at) {
    uint32_t end = fv_end(v, at), n = 0;
    for (uint32_t i = at; i < end; i++) n += v->v[i].id == FID_IP_FRAGMENT;
    wr_f(w, "[%u IPv4 Fragment%s (%u bytes): ", n, n == 1 ? "" : "s", v->v[at].len);
    const char *between = "";
    for (uint32_t i = at; i < end; i++) {
        if (v->v[i].id != FID_IP_FRAGMENT) continue;
        wr_f(w, "%s#%llu(%u)", between, (unsigned long long)v->v[i].u, v->v[i].len);
        between = ", ";
    }
    wr_c(w, ']');
}

static bool length_text(struct writer *w, const struct fval *f) {
    if (!f->extra) return false;
    wr_number(w, "Total Length: ", f->u,
              f->extra == LENGTH_BOGUS
                  ? " bytes (bogus, less than the header length)"
                  : " bytes (reported as 0, presumed to be because of \"TCP segmentation offload\" (TSO))");
    return true;
}

static bool ip_label(struct writer *w, const struct fvec *v, uint32_t at) {
    const struct fval *f = &v->v[at];
    const char *name;
    switch (f->id) {
    case FID_IP: address_text(w, v, at); return true;
    case FID_IP_HDR_LEN:
        print_bits(w, 8, 0x0f, f->u / 4);
        wr_number(w, "Header Length: ", f->u, " bytes (");
        wr_number(w, "", f->u / 4, ")");
        return true;
    case FID_IP_DSFIELD:
        name = field_value_name(&vals_ip_dscp_short, f->u >> 2);
        wr_hexnumber(w, "Differentiated Services Field: 0x", f->u, 2, " (DSCP: ");
        wr_s(w, name ? name : "Unknown");
        wr_s(w, ", ECN: ");
        wr_s(w, field_value_name(&vals_ip_ecn_short, f->u & 3));
        wr_c(w, ')');
        return true;
    case FID_IP_LEN: return length_text(w, f);
    case FID_IP_FLAGS:
        print_bits(w, 8, 0xe0, f->u);
        wr_hexnumber(w, "Flags: 0x", f->u, 1, f->u & FLAG_RB ? ", Reserved bit" : "");
        wr_s(w, f->u & FLAG_DF ? ", Don't fragment" : "");
        wr_s(w, f->u & FLAG_MF ? ", More fragments" : "");
        return true;
    case FID_IP_FRAG_OFFSET:
        print_bits(w, 16, 0x1fff, f->u);
        wr_number(w, "Fragment Offset: ", f->u * 8, "");
        return true;
    case FID_IP_FRAGMENTS: fragments_text(w, v, at); return true;
    case FID_IP_FRAGMENT:
        wr_f(w, "[Frame: %llu, payload: %u-%u (%u bytes)]", (unsigned long long)f->u, f->off,
             f->off + f->len - (f->len != 0), f->len);
        return true;
    case FID_IP_CHECKSUM: wr_hexnumber(w, "Header Checksum: 0x", f->u, 4, " [validation disabled]"); return true;
    case FID_IP_CHECKSUM_STATUS:
        wr_s(w, "[Header checksum status: ");
        wr_s(w, field_value_name(&vals_checksum_status, f->u));
        wr_c(w, ']');
        return true;
    case FID_IP_TTL_LNCB:
    case FID_IP_BOGUS_LENGTH:
    case FID_IP_TTL_TOO_SMALL: expert_text(w, v, at); return true;
    default: return false;
    }
}

const char *ip_proto_name(uint64_t number) {
    const char *name = field_value_name(&vals_ip_proto, number);
    return name ? name : number < 224 ? "Unassigned" : "Unknown";
}

/* bogus_say says why a header cannot be read. */
static void bogus_say(struct writer *w, struct slice header) {
    unsigned hlen = header.n ? (header.p[0] & 15) * 4u : 0;
    if (!header.n) return;
    if (header.p[0] >> 4 != 4) wr_f(w, "Bogus IPv4 version (%u, must be 4)", header.p[0] >> 4);
    else if (hlen < HEADER) wr_f(w, "Bogus IP header length (%u, must be at least %u)", hlen, HEADER);
    else if (header.n >= 4) wr_f(w, "Bogus IP length (%u, less than header length %u)", load_be16(header.p + 2), hlen);
}

/* The header alone is the topmost layer only for a fragment or a protocol nobody knows: for that no line should have to
 * ask for its fields, so they are read again. */
static void ip_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *own = fv_first(v, FID_IP, at, end);
    struct slice header = own ? slice_tail(v->source[own->src].bytes, own->off) : (struct slice){0};
    if (header.n < HEADER || own->extra != INFO_FITS) {
        bogus_say(w, header);
        return;
    }
    struct ip_header h = header_of(header.p, own->off);
    const char *name = ip_proto_name(h.proto);
    if (h.frag || (h.flags & FLAG_MF))
        wr_f(w, "Fragmented IP protocol (proto=%s %u, off=%u, ID=%04x)", name, h.proto, h.frag * 8u, h.id);
    else wr_f(w, "%s (%u)", name, h.proto);
}

static const uint16_t info_fields[] = {FID_IP, 0};
static const struct proto_key keys[] = {
    {TABLE_ETHERTYPE, 0x0800}, {TABLE_IP, 4}, {TABLE_PPP, 0x0021}, {TABLE_COUNT, 0}};
const struct proto proto_ip = {.name = "ip",
                               .column = "IPv4",
                               .id = FID_IP,
                               .end = FID_IP_END,
                               .keys = keys,
                               .read = ip_read,
                               .info = ip_info,
                               .info_fields = info_fields,
                               .label = ip_label};
