/* SPDX-License-Identifier: Apache-2.0 */
/* Hostile bytes are the normal case: everything is read through the reader, and nothing is believed about lengths. */
#include "craft/talk.h"

enum {
    LINK_ETHERNET = 1,
    LINK_RAW_OLD = 12,
    LINK_RAW = 101,
    LINK_SLL = 113,
    LINK_IPV4 = 228,
    LINK_IPV6 = 229,
    LINK_SLL2 = 276
};
enum { TYPE_IP4 = 0x800, TYPE_ARP = 0x806, TYPE_VLAN = 0x8100, TYPE_QINQ = 0x88a8, TYPE_IP6 = 0x86dd };
enum { ICMP = 1, TCP = 6, UDP = 17, ICMP6 = 58 };
enum { TAGS_MAX = 4, EXTENSIONS_MAX = 16, DNS_PORT = 53, MDNS_PORT = 5353, DNS_HEADER = 12 };

static bool is_dns(uint16_t port) { return port == DNS_PORT || port == MDNS_PORT; }

static void udp_read(struct talk_packet *t, struct reader *r) {
    t->sport = rd_be16(r);
    t->dport = rd_be16(r);
    t->whole = rd_ok(r);
    rd_skip(r, 4);
    t->payload = rd_rest(r);
    if (!rd_ok(r) || t->payload.n < DNS_HEADER || (!is_dns(t->sport) && !is_dns(t->dport))) return;
    t->dns = true;
    t->dns_id = rd_be16(r);
    t->dns_response = rd_u8(r) & 0x80;
}

static void mss_read(struct talk_packet *t, struct slice options) {
    while (options.n >= 2 && options.p[0]) {
        if (options.p[0] == 2 && options.p[1] == 4 && options.n >= 4) t->mss = load_be16(options.p + 2);
        if (options.p[0] != 1 && options.p[1] < 2) return;
        options = slice_tail(options, options.p[0] == 1 ? 1 : options.p[1]);
    }
}

static void tcp_read(struct talk_packet *t, struct reader *r) {
    t->sport = rd_be16(r);
    t->dport = rd_be16(r);
    t->seq = rd_be32(r);
    t->whole = rd_ok(r); /* what an ICMP error quotes at least */
    t->ack = rd_be32(r);
    uint8_t words = rd_u8(r) >> 4;
    t->flags = rd_u8(r);
    t->window = rd_be16(r);
    rd_skip(r, 4);
    if (words > 5) mss_read(t, rd_take(r, (size_t)(words - 5) * 4));
    if (!rd_ok(r)) return;
    t->payload = rd_rest(r);
    t->span = (uint32_t)t->payload.n + !!(t->flags & TALK_SYN) + !!(t->flags & TALK_FIN);
}

static bool quotes(const struct talk_packet *t) {
    if (t->proto == ICMP6) return t->type >= 1 && t->type <= 4;
    return t->type == 3 || t->type == 4 || t->type == 5 || t->type == 11 || t->type == 12;
}

static void icmp_read(struct talk_packet *t, struct reader *r) {
    t->type = rd_u8(r);
    t->code = rd_u8(r);
    rd_skip(r, 2);
    t->sport = rd_be16(r);
    t->dport = rd_be16(r);
    t->whole = rd_ok(r);
    if (quotes(t)) t->quoted = rd_rest(r);
    if (t->proto != ICMP6 || (t->type != 135 && t->type != 136)) return;
    struct slice target = rd_take(r, 16);
    if (rd_ok(r)) memcpy(t->target, target.p, 16);
    t->sport = t->dport = 0;
}

static bool transport_read(struct talk_packet *t, struct slice in) {
    struct reader r = rd_init(in, in.p);
    t->transport = in;
    switch (t->proto) {
    case ICMP:
    case ICMP6: icmp_read(t, &r); break;
    case TCP: tcp_read(t, &r); break;
    case UDP: udp_read(t, &r); break;
    default: break;
    }
    return true;
}

static bool ip4_read(struct talk_packet *t, struct slice in) {
    struct reader r = rd_init(in, in.p);
    uint8_t words = rd_u8(&r) & 15;
    rd_skip(&r, 1);
    uint16_t len = rd_be16(&r);
    rd_skip(&r, 2);
    bool first = !(rd_be16(&r) & 0x1fff);
    rd_skip(&r, 1);
    t->proto = rd_u8(&r);
    rd_skip(&r, 2);
    struct slice src = rd_take(&r, 4), dst = rd_take(&r, 4);
    if (!rd_ok(&r)) return false;
    t->family = TALK_IP4;
    memcpy(t->src, src.p, 4);
    memcpy(t->dst, dst.p, 4);
    size_t header = words < 5 ? 20 : 4u * words;
    if (len >= header) in = slice_head(in, len); /* behind it stands padding */
    return first ? transport_read(t, slice_tail(in, header)) : true;
}

static bool ip6_read(struct talk_packet *t, struct slice in) {
    struct reader r = rd_init(in, in.p);
    rd_skip(&r, 4);
    uint16_t len = rd_be16(&r);
    uint8_t next = rd_u8(&r);
    rd_skip(&r, 1);
    struct slice src = rd_take(&r, 16), dst = rd_take(&r, 16);
    if (!rd_ok(&r)) return false;
    t->family = TALK_IP6;
    memcpy(t->src, src.p, 16);
    memcpy(t->dst, dst.p, 16);
    struct slice rest = len ? slice_head(rd_rest(&r), len) : rd_rest(&r);
    for (int i = 0; i < EXTENSIONS_MAX && rest.n >= 8; i++) {
        if (next == 44 && (load_be16(rest.p + 2) & 0xfff8)) return true; /* not the first fragment */
        if (next != 0 && next != 43 && next != 44 && next != 60) break;
        size_t size = next == 44 ? 8 : 8u * (rest.p[1] + 1u);
        next = rest.p[0];
        rest = slice_tail(rest, size);
    }
    t->proto = next;
    return transport_read(t, rest);
}

static bool arp_read(struct talk_packet *t, struct slice in) {
    struct reader r = rd_init(in, in.p);
    rd_skip(&r, 4);
    uint16_t sizes = rd_be16(&r);
    t->type = (uint8_t)rd_be16(&r);
    rd_skip(&r, 6);
    struct slice src = rd_take(&r, 4);
    rd_skip(&r, 6);
    struct slice dst = rd_take(&r, 4);
    if (!rd_ok(&r) || sizes != 0x604) return false;
    t->family = TALK_ARP;
    memcpy(t->src, src.p, 4);
    memcpy(t->dst, dst.p, 4);
    return true;
}

static bool network_read(struct talk_packet *t, uint16_t type, struct slice in) {
    for (int tags = 0; tags < TAGS_MAX && (type == TYPE_VLAN || type == TYPE_QINQ) && in.n >= 4; tags++) {
        type = load_be16(in.p + 2);
        in = slice_tail(in, 4);
    }
    t->network = in;
    switch (type) {
    case TYPE_IP4: return ip4_read(t, in);
    case TYPE_IP6: return ip6_read(t, in);
    case TYPE_ARP: return arp_read(t, in);
    default: return false;
    }
}

static uint16_t version_type(struct slice in) {
    return in.n && in.p[0] >> 4 == 4 ? TYPE_IP4 : in.n && in.p[0] >> 4 == 6 ? TYPE_IP6 : 0;
}

bool talk_read(struct talk_packet *out, uint32_t linktype, struct slice b) {
    *out = (struct talk_packet){0};
    switch (linktype) {
    case LINK_ETHERNET:
        if (b.n < 14) return false;
        out->has_link = true;
        memcpy(out->link_dst, b.p, 6);
        return network_read(out, load_be16(b.p + 12), slice_tail(b, 14));
    case LINK_RAW_OLD:
    case LINK_RAW:
    case LINK_IPV4:
    case LINK_IPV6: return network_read(out, version_type(b), b);
    case LINK_SLL: return b.n >= 16 && network_read(out, load_be16(b.p + 14), slice_tail(b, 16));
    case LINK_SLL2: return b.n >= 20 && network_read(out, load_be16(b.p), slice_tail(b, 20));
    default: return false;
    }
}
