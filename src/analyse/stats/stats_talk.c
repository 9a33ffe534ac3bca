/* SPDX-License-Identifier: Apache-2.0 */
/* Theory of operation: one pass over the packet's few wanted fields finds every pair of ends of the level, those of
 * tunnels too; addresses are remembered on the way for the ports above them. Fields of quoted packets do not count. TCP
 * and UDP streams have numbers, so after a stream's first packet its entries are found without hashing. Limits:
 * STATS_ENTRIES_MAX entries. */
#include "analyse/stats/stats_talk.h"

#include "base/lines.h"
#include "proto/ipv6/ipv6.h"

#include <stdlib.h>

static const char *const titles[] = {
    [TALK_ETH] = "Ethernet", [TALK_IP] = "IPv4", [TALK_IPV6] = "IPv6", [TALK_TCP] = "TCP", [TALK_UDP] = "UDP"};
_Static_assert(sizeof titles / sizeof *titles == TALK_LEVELS, "every level has a title");
static const char *const levels[] = {"eth", "ip", "ipv6", "tcp", "udp", NULL};
_Static_assert(sizeof levels / sizeof *levels == TALK_LEVELS + 1, "every level has a name");

const char *talk_level_title(enum talk_level level) { return titles[level]; }

static int start(struct talk *t, const struct stats_args *args, bool pairs, struct writer *why) {
    for (int i = 0; args->which && i < TALK_LEVELS; i++) {
        if (strcmp(args->which, levels[i]) != 0) continue;
        t->level = (enum talk_level)i;
        t->pairs = pairs;
        t->tab = pairs ? keytab_make(offsetof(struct talk_pair, stream) + sizeof(uint32_t), sizeof(struct talk_pair),
                                     STATS_ENTRIES_MAX)
                       : keytab_make(sizeof(struct talk_addr), sizeof(struct talk_host), STATS_ENTRIES_MAX);
        return OK;
    }
    wr_s(why, "say of which protocol: eth, ip, ipv6, tcp or udp");
    return ERR_USAGE;
}

static int hosts_start(void *state, const struct stats_args *args, struct writer *why) {
    return start(state, args, false, why);
}
static int pairs_start(void *state, const struct stats_args *args, struct writer *why) {
    return start(state, args, true, why);
}

static void want(const void *state, struct want *w) {
    static const uint16_t ids[TALK_LEVELS][11] = {
        [TALK_ETH] = {FID_ETH_SRC, FID_ETH_DST},
        [TALK_IP] = {FID_IP_SRC, FID_IP_DST},
        [TALK_IPV6] = {FID_IPV6_SRC, FID_IPV6_DST, FID_IPV6_FRAGHDR, FID_IPV6_FRAGMENTS, FID_IPV6_FRAGHDR_OFFSET,
                       FID_IPV6_FRAGHDR_MORE},
        [TALK_TCP] = {FID_IP_SRC, FID_IP_DST, FID_IPV6_SRC, FID_IPV6_DST, FID_IPV6_ROUTING_SEGLEFT,
                      FID_IPV6_ROUTING_SRC_ADDR, FID_IPV6_ROUTING_SRH_ADDR, FID_TCP_SRCPORT, FID_TCP_DSTPORT,
                      FID_TCP_STREAM},
        [TALK_UDP] = {FID_IP_SRC, FID_IP_DST, FID_IPV6_SRC, FID_IPV6_DST, FID_IPV6_ROUTING_SEGLEFT,
                      FID_IPV6_ROUTING_SRC_ADDR, FID_IPV6_ROUTING_SRH_ADDR, FID_UDP_SRCPORT, FID_UDP_DSTPORT,
                      FID_UDP_STREAM},
    };
    const struct talk *t = state;
    for (const uint16_t *id = ids[t->level]; *id; id++) want_add(w, *id);
}

static void host_count(struct talk_host *h, bool sent, uint32_t len) {
    if (sent) {
        h->sent++;
        h->sent_bytes += len;
    } else {
        h->received++;
        h->received_bytes += len;
    }
}

static void pair_count(struct talk_pair *p, const struct talk_addr *src, const struct packet *pkt, int64_t begin) {
    bool back = (p->a.port != src->port) | (memcmp(p->a.bytes, src->bytes, sizeof src->bytes) != 0);
    int64_t at = (pkt->has_ts ? pkt->ts : 0) - begin;
    if (!p->packets[0] && !p->packets[1]) {
        p->first = p->last = at;
        p->b_began = back;
    }
    p->packets[back]++;
    p->bytes[back] += pkt->len;
    if (at > p->last) p->last = at;
    if (at < p->first) p->first = at;
}

/* stream_slots returns the places kept for a stream, or NULL. */
static uint32_t *stream_slots(struct talk *t, uint32_t stream) {
    if (stream >= t->streams) {
        if (stream >= STATS_STREAMS_MAX) return NULL;
        uint32_t n = t->streams ? t->streams * 2 : 256;
        while (n <= stream) n *= 2;
        uint32_t(*more)[2] = realloc(t->by_stream, n * sizeof *more);
        if (!more) return NULL;
        memset(more + t->streams, 0, (n - t->streams) * sizeof *more);
        t->by_stream = more;
        t->streams = n;
    }
    return t->by_stream[stream];
}

static struct talk_host *host_get(struct talk *t, const struct talk_addr *a, uint32_t *slots) {
    for (int i = 0; slots && i < 2 && slots[i]; i++) {
        struct talk_host *h = keytab_at(&t->tab, slots[i] - 1);
        if (memcmp(&h->at, a, sizeof *a) == 0) return h;
    }
    struct talk_host *h = keytab_get(&t->tab, a);
    if (h && slots) slots[slots[0] != 0] = keytab_place(&t->tab, h) + 1;
    return h;
}

static struct talk_pair *pair_get(struct talk *t, const struct talk_addr *src, const struct talk_addr *dst,
                                  uint32_t stream, uint32_t *slots) {
    if (slots && slots[0]) return keytab_at(&t->tab, slots[0] - 1);
    struct talk_pair key = {.stream = stream};
    bool swap = memcmp(src, dst, sizeof *src) > 0;
    key.a = swap ? *dst : *src;
    key.b = swap ? *src : *dst;
    struct talk_pair *p = keytab_get(&t->tab, &key);
    if (p && slots) slots[0] = keytab_place(&t->tab, p) + 1;
    return p;
}

static void count(struct talk *t, const struct decode *d, const struct talk_addr *src, const struct talk_addr *dst,
                  const uint32_t *stream, int64_t begin) {
    if (t->pairs && stream &&
        *stream < t->tab.n) { /* where nothing is filtered out, the places are the streams' numbers */
        struct talk_pair *p = keytab_at(&t->tab, *stream);
        if (p->stream == *stream) {
            pair_count(p, src, d->pkt, begin);
            return;
        }
    }
    uint32_t *slots = stream ? stream_slots(t, *stream) : NULL;
    if (t->pairs) {
        struct talk_pair *p = pair_get(t, src, dst, stream ? *stream : 0, slots);
        if (p) pair_count(p, src, d->pkt, begin);
        return;
    }
    struct talk_host *h = host_get(t, src, slots);
    if (h) host_count(h, true, d->pkt->len);
    h = host_get(t, dst, slots);
    if (h) host_count(h, false, d->pkt->len);
}

/* ipv6_count counts IPv6 headers. As tshark does it, a fragment counts only where its datagram is whole with it, and
 * a packet only where its extension headers are. */
static void ipv6_count(struct talk *t, const struct decode *d, const struct fval *f, const struct fval *end,
                       int64_t begin) {
    struct talk_addr src = {0}, dst = {0};
    bool pending = false;
    for (; f < end; f++) {
        if (f->id == FID_IPV6_SRC) {
            if (pending) count(t, d, &src, &dst, NULL, begin);
            talk_addr_set(&src, f, 16);
            pending = false;
        } else if (f->id == FID_IPV6_DST) {
            talk_addr_set(&dst, f, 16);
            pending = f->extra != IPV6_UNFINISHED;
        } else if ((f->id == FID_IPV6_FRAGHDR_OFFSET || f->id == FID_IPV6_FRAGHDR_MORE) && f->u) {
            pending = false;
        } else if (f->id == FID_IPV6_FRAGMENTS) {
            pending = true;
        }
    }
    if (pending) count(t, d, &src, &dst, NULL, begin);
}

/* header_whole tells whether all of a TCP header was captured, with its options; one that is not counts nowhere. */
static bool header_whole(const struct decode *d, const struct fval *port) {
    enum { OFFSET_BYTE = 12 };
    struct slice bytes = d->out->source[port->src].bytes;
    if (port->id != FID_TCP_SRCPORT) return true;
    return port->off + OFFSET_BYTE < bytes.n &&
           port->off + (size_t)(bytes.p[port->off + OFFSET_BYTE] >> 4) * 4 <= bytes.n;
}

/* next_ask fetches the entry of the packet that comes next from memory, where the driver can tell its stream. */
static void next_ask(const struct talk *t, const struct driver *dr) {
    uint32_t stream = flow_ahead_stream(&dr->flows);
    if (!t->pairs || stream >= t->tab.n) return;
    const char *entry = keytab_at(&t->tab, stream);
    line_ask(entry);
    line_ask(entry + t->tab.entry_size - 1);
}

/* packet walks the fields once. An address belongs to the level when the second one of its header is there, a port when
 * the stream was named. Fields that others want, a filter or another statistic, may stand among those of the level. */
static void packet(void *state, const struct decode *d, int64_t begin) {
    struct talk *t = state;
    struct talk_addr src = {0}, dst = {0};
    bool whole = true;  /* the TCP header is */
    bool stops = false; /* the routing header has addresses the packet has not been to */
    const struct fval *f = d->out->v, *end = f + stats_outer(d);
    if (talk_has_ports(t)) next_ask(t, d->driver);
    if (t->level == TALK_IPV6) {
        ipv6_count(t, d, f, end, begin);
        return;
    }
    for (; f < end; f++) {
        switch (f->id) {
        case FID_ETH_DST: talk_addr_set(&dst, f, 6); break;
        case FID_ETH_SRC:
            talk_addr_set(&src, f, 6);
            if (t->level == TALK_ETH) count(t, d, &src, &dst, NULL, begin);
            break;
        case FID_IP_DST:
            talk_addr_set(&dst, f, 4);
            if (t->level == TALK_IP) count(t, d, &src, &dst, NULL, begin);
            break;
        case FID_IPV6_ROUTING_SEGLEFT: stops = f->u > 0; break;
        case FID_IPV6_ROUTING_SRH_ADDR: /* the first one is: RFC 8754 2 */
            if (stops) talk_addr_set(&dst, f, 16);
            stops = false;
            break;
        case FID_IPV6_ROUTING_SRC_ADDR: /* the last one is where the packet goes in the end: RFC 2460 4.4 */
            if (stops) talk_addr_set(&dst, f, 16);
            break;
        case FID_TCP_SRCPORT:
        case FID_UDP_SRCPORT:
            src.port = (uint16_t)f->u;
            whole = !d->out->bad || header_whole(d, f);
            break;
        case FID_TCP_STREAM:
        case FID_UDP_STREAM: {
            if (!whole || t->level != (f->id == FID_TCP_STREAM ? TALK_TCP : TALK_UDP)) break;
            uint32_t stream = (uint32_t)f->u;
            count(t, d, &src, &dst, &stream, begin);
            break;
        }
        default: talk_ends_take(&src, &dst, f);
        }
    }
}

static void end(void *state) {
    struct talk *t = state;
    keytab_free(&t->tab);
    free(t->by_stream);
}

struct rank {
    uint64_t packets;
    uint32_t place;
};

static int rank_order(const void *a, const void *b) {
    const struct rank *x = a, *y = b;
    if (x->packets != y->packets) return x->packets < y->packets ? 1 : -1;
    return (x->place > y->place) - (x->place < y->place);
}

uint32_t *talk_by_packets(const struct talk *t) {
    struct rank *rank = malloc((t->tab.n + 1) * sizeof *rank);
    uint32_t *places = malloc((t->tab.n + 1) * sizeof *places);
    for (uint32_t i = 0; rank && i < t->tab.n; i++) {
        const struct talk_pair *p = t->pairs ? keytab_at(&t->tab, i) : NULL;
        const struct talk_host *h = t->pairs ? NULL : keytab_at(&t->tab, i);
        rank[i] = (struct rank){p ? p->packets[0] + p->packets[1] : h->sent + h->received, i};
    }
    if (rank && places) {
        qsort(rank, t->tab.n, sizeof *rank, rank_order);
        for (uint32_t i = 0; i < t->tab.n; i++) places[i] = rank[i].place;
    } else {
        free(places);
        places = NULL;
    }
    free(rank);
    return places;
}

struct talk_pair talk_pair_at(const struct talk *t, uint32_t place) {
    struct talk_pair p = *(const struct talk_pair *)keytab_at(&t->tab, place);
    if (!p.b_began) return p;
    return (struct talk_pair){.a = p.b,
                              .b = p.a,
                              .stream = p.stream,
                              .packets = {p.packets[1], p.packets[0]},
                              .bytes = {p.bytes[1], p.bytes[0]},
                              .first = p.first,
                              .last = p.last};
}

static struct cell addr_cell(struct table *out, const struct talk_addr *a) {
    char text[64];
    struct writer w = wr_fixed(text, sizeof text);
    talk_addr_print(&w, a);
    return cell_text(out, wr_done(&w));
}

static struct table *hosts_table(void *state) {
    static const struct table_column columns[] = {
        {.name = "address", .title = "Address"},       {.name = "port", .title = "Port"},
        {.name = "packets", .title = "Packets"},       {.name = "bytes", .title = "Bytes", .bar = true},
        {.name = "tx_packets", .title = "Tx packets"}, {.name = "tx_bytes", .title = "Tx bytes"},
        {.name = "rx_packets", .title = "Rx packets"}, {.name = "rx_bytes", .title = "Rx bytes"},
    };
    static const struct table_column portless[] = {
        {.name = "address", .title = "Address"},          {.name = "packets", .title = "Packets"},
        {.name = "bytes", .title = "Bytes", .bar = true}, {.name = "tx_packets", .title = "Tx packets"},
        {.name = "tx_bytes", .title = "Tx bytes"},        {.name = "rx_packets", .title = "Rx packets"},
        {.name = "rx_bytes", .title = "Rx bytes"},
    };
    const struct talk *t = state;
    bool ports = talk_has_ports(t);
    struct table *out = table_make("endpoints", "Endpoints", ports ? columns : portless, ports ? 8 : 7);
    uint32_t *places = out ? talk_by_packets(t) : NULL;
    for (uint32_t i = 0; places && i < t->tab.n; i++) {
        const struct talk_host *h = keytab_at(&t->tab, places[i]);
        struct cell *c = table_row(out);
        *c++ = addr_cell(out, &h->at);
        if (ports) *c++ = cell_count(h->at.port);
        *c++ = cell_count(h->sent + h->received);
        *c++ = cell_bytes(h->sent_bytes + h->received_bytes);
        *c++ = cell_count(h->sent);
        *c++ = cell_bytes(h->sent_bytes);
        *c++ = cell_count(h->received);
        *c = cell_bytes(h->received_bytes);
    }
    free(places);
    if (out) stats_note(out, &t->tab, "endpoints");
    return out;
}

static void pair_row(struct table *out, const struct talk_pair *p, bool ports) {
    struct cell *c = table_row(out);
    if (ports) *c++ = cell_count(p->stream);
    *c++ = addr_cell(out, &p->a);
    if (ports) *c++ = cell_count(p->a.port);
    *c++ = addr_cell(out, &p->b);
    if (ports) *c++ = cell_count(p->b.port);
    *c++ = cell_count(p->packets[0] + p->packets[1]);
    *c++ = cell_bytes(p->bytes[0] + p->bytes[1]);
    *c++ = cell_count(p->packets[0]);
    *c++ = cell_bytes(p->bytes[0]);
    *c++ = cell_count(p->packets[1]);
    *c++ = cell_bytes(p->bytes[1]);
    *c++ = cell_seconds(p->first);
    *c = cell_seconds(p->last - p->first);
}

static struct table *pairs_table(void *state) {
    static const struct table_column columns[] = {
        {.name = "stream", .title = "Stream"},
        {.name = "address_a", .title = "Address A"},
        {.name = "port_a", .title = "Port A"},
        {.name = "address_b", .title = "Address B"},
        {.name = "port_b", .title = "Port B"},
        {.name = "packets", .title = "Packets"},
        {.name = "bytes", .title = "Bytes", .bar = true},
        {.name = "packets_a_b", .title = "A > B"},
        {.name = "bytes_a_b", .title = "Bytes A > B"},
        {.name = "packets_b_a", .title = "B > A"},
        {.name = "bytes_b_a", .title = "Bytes B > A"},
        {.name = "start", .title = "Start s"},
        {.name = "duration", .title = "Duration s"},
    };
    static const struct table_column portless[] = {
        {.name = "address_a", .title = "Address A"}, {.name = "address_b", .title = "Address B"},
        {.name = "packets", .title = "Packets"},     {.name = "bytes", .title = "Bytes", .bar = true},
        {.name = "packets_a_b", .title = "A > B"},   {.name = "bytes_a_b", .title = "Bytes A > B"},
        {.name = "packets_b_a", .title = "B > A"},   {.name = "bytes_b_a", .title = "Bytes B > A"},
        {.name = "start", .title = "Start s"},       {.name = "duration", .title = "Duration s"},
    };
    const struct talk *t = state;
    bool ports = talk_has_ports(t);
    struct table *out = table_make("conversations", "Conversations", ports ? columns : portless, ports ? 13 : 10);
    uint32_t *places = out ? talk_by_packets(t) : NULL;
    for (uint32_t i = 0; places && i < t->tab.n; i++) {
        struct talk_pair pair = talk_pair_at(t, places[i]);
        pair_row(out, &pair, ports);
    }
    free(places);
    if (out) stats_note(out, &t->tab, "conversations");
    return out;
}

const struct stats_ops stats_endpoints = {.name = "endpoints",
                                          .purpose = "who sends and receives: eth ip ipv6 tcp udp",
                                          .which = levels,
                                          .state_size = sizeof(struct talk),
                                          .start = hosts_start,
                                          .want = want,
                                          .packet = packet,
                                          .tables = hosts_table,
                                          .end = end};
const struct stats_ops stats_conversations = {.name = "conversations",
                                              .purpose = "who talks with whom: eth ip ipv6 tcp udp",
                                              .which = levels,
                                              .state_size = sizeof(struct talk),
                                              .start = pairs_start,
                                              .want = want,
                                              .packet = packet,
                                              .tables = pairs_table,
                                              .end = end};
