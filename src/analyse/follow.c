/* SPDX-License-Identifier: Apache-2.0 */
/* Theory of operation: a datagram is a chunk. Of TCP, what continues its side is a chunk, what was there before is cut
 * off, what comes early waits. When the other side acknowledges what lies behind a hole, the hole will not be filled
 * any more: in its place stands a chunk that says how many bytes are missing, in the words tshark has for it. What
 * still waits at the end of the capture is not shown, as nothing says it was received. Limits: FOLLOW_HELD_MAX segments
 * and FOLLOW_HELD_BYTES bytes wait on each side; what comes beyond that is dropped and counted. */
#include "analyse/follow.h"

#include "analyse/stats/stats.h"

#include <stdio.h>
#include <stdlib.h>

struct follow_held {
    struct follow_held *next;
    uint32_t seq;
    uint64_t frame;
    int64_t ts;
    size_t n;
    uint8_t bytes[];
};

/* segment is what a packet has of the conversation. */
struct segment {
    struct talk_addr src, dst;
    uint32_t stream, seq, ack, len;
    uint16_t flags;
    struct slice payload;
    bool found;
};

static const char *const protos[] = {
    [FOLLOW_TCP] = "tcp",   [FOLLOW_UDP] = "udp",     [FOLLOW_TLS] = "tls",
    [FOLLOW_HTTP] = "http", [FOLLOW_HTTP2] = "http2", [FOLLOW_WEBSOCKET] = "websocket",
};
_Static_assert(sizeof protos / sizeof *protos == FOLLOW_PROTOS, "every protocol has a name");

const char *follow_proto_name(enum follow_proto p) { return protos[p]; }

enum follow_proto follow_proto_find(const char *name, size_t n) {
    int i = 0;
    while (i < FOLLOW_PROTOS && (strlen(protos[i]) != n || memcmp(protos[i], name, n) != 0)) i++;
    return (enum follow_proto)i;
}

void follow_want(const struct follow *f, struct want *w) {
    static const uint16_t tcp[] = {
        FID_TCP_STREAM, FID_TCP_SEQ_RAW, FID_TCP_ACK_RAW, FID_TCP_LEN, FID_TCP_FLAGS, FID_TCP_PAYLOAD, 0};
    static const uint16_t udp[] = {FID_UDP_STREAM, FID_UDP_PAYLOAD, 0};
    talk_ends_want(w);
    for (const uint16_t *id = f->proto == FOLLOW_UDP ? udp : tcp; *id; id++) want_add(w, *id);
    if (f->proto > FOLLOW_UDP) follow_app_want(f->proto, w);
}

static bool segment_is(const struct follow *f, const struct segment *s) {
    if (f->by_stream) return s->stream == f->stream;
    int from = memcmp(&s->src, &f->asked[0], sizeof s->src) != 0;
    return memcmp(&s->src, &f->asked[from], sizeof s->src) == 0 &&
           memcmp(&s->dst, &f->asked[!from], sizeof s->dst) == 0;
}

/* segment_find reads the fields of the conversation's layer; a packet may hold several TCP headers, one in another. */
static struct segment segment_find(const struct follow *f, const struct decode *d) {
    struct segment s = {0};
    const struct fval *v = d->out->v, *end = v + stats_outer(d);
    for (; v < end; v++) {
        switch (v->id) {
        case FID_TCP_SRCPORT:
        case FID_UDP_SRCPORT:
            if (s.found) return s;
            s.src.port = (uint16_t)v->u;
            break;
        case FID_TCP_STREAM:
        case FID_UDP_STREAM:
            s.stream = (uint32_t)v->u;
            s.found = segment_is(f, &s);
            if (!s.found) s = (struct segment){0};
            break;
        case FID_TCP_SEQ_RAW: s.seq = (uint32_t)v->u; break;
        case FID_TCP_ACK_RAW: s.ack = (uint32_t)v->u; break;
        case FID_TCP_LEN: s.len = (uint32_t)v->u; break;
        case FID_TCP_FLAGS: s.flags = (uint16_t)v->u; break;
        case FID_TCP_PAYLOAD: s.payload = v->s; break;
        case FID_UDP_PAYLOAD: s.payload = slice_head(v->s, v->extra); break; /* without padding */
        default: talk_ends_take(&s.src, &s.dst, v);
        }
    }
    return s;
}

static void chunk_give(struct follow *f, int side, struct slice bytes, uint64_t frame, int64_t ts) {
    struct follow_chunk c = {.side = side, .bytes = bytes, .frame = frame, .ts = ts};
    if (bytes.n) f->take(f->to, f, &c);
}

static void held_drop(struct follow_side *s, struct follow_held **link) {
    struct follow_held *h = *link;
    *link = h->next;
    s->count--;
    s->bytes -= h->n;
    free(h);
    if (s->held) s->lowest = s->held->seq;
    for (h = s->held; h; h = h->next)
        if (seq_lt(h->seq, s->lowest)) s->lowest = h->seq;
}

static void hold(struct follow *f, int side, const struct segment *s, const struct packet *p) {
    struct follow_side *me = &f->side[side];
    if (me->count >= FOLLOW_HELD_MAX || me->bytes + s->payload.n > FOLLOW_HELD_BYTES) {
        f->dropped++;
        return;
    }
    struct follow_held *h = malloc(sizeof *h + s->payload.n);
    if (!h) return;
    *h = (struct follow_held){.seq = s->seq, .frame = p->number, .ts = p->ts, .n = s->payload.n};
    memcpy(h->bytes, s->payload.p, s->payload.n);
    struct follow_held **last = &me->held;
    while (*last) last = &(*last)->next;
    *last = h;
    if (!me->count++ || seq_lt(h->seq, me->lowest)) me->lowest = h->seq;
    me->bytes += h->n;
}

/* held_fits gives one waiting segment that fits now, or drops one that is of no use any more; false: there is none. */
static bool held_fits(struct follow *f, int side) {
    struct follow_side *s = &f->side[side];
    if (seq_lt(s->next, s->lowest)) return false;
    for (struct follow_held **link = &s->held; *link; link = &(*link)->next) {
        struct follow_held *h = *link;
        if (seq_lt(s->next, h->seq)) continue;
        uint32_t old = s->next - h->seq;
        if (old < h->n) {
            chunk_give(f, side, slice_of(h->bytes + old, h->n - old), h->frame, h->ts);
            s->next += (uint32_t)h->n - old;
        }
        held_drop(s, link);
        return true;
    }
    return false;
}

/* gap_pass gives the words for a hole whose far side was acknowledged; false: there is none. */
static bool gap_pass(struct follow *f, int side, uint32_t ack, const struct packet *p) {
    struct follow_side *s = &f->side[side];
    if (!s->held || !seq_lt(s->lowest, ack)) return false;
    char text[64];
    int n = snprintf(text, sizeof text, "[%d bytes missing in capture file]", (int)(s->lowest - s->next));
    s->next = s->lowest;
    chunk_give(f, side, slice_of(text, (size_t)n + 1), p->number, 0);
    return true;
}

static void tcp_take(struct follow *f, int side, struct segment *s, const struct packet *p) {
    struct follow_side *me = &f->side[side];
    if (s->flags & TH_ACK)
        while (f->side[!side].held && (held_fits(f, !side) || gap_pass(f, !side, s->ack, p))) {
        }
    if (!me->synced) {
        me->synced = true;
        me->next = s->seq;
    }
    if (s->flags & TH_SYN && s->seq == me->next) {
        me->next++;
        s->seq++;
    }
    if (!s->payload.n) {
        if (s->len && s->seq == me->next) me->next += s->len; /* not captured */
        return;
    }
    if (seq_lt(me->next, s->seq)) {
        hold(f, side, s, p);
        return;
    }
    uint32_t old = me->next - s->seq;
    if (old >= s->len) return;
    struct slice fresh = slice_tail(s->payload, old);
    me->next = s->seq + s->len;
    chunk_give(f, side, fresh, p->number, p->ts);
    while (me->held && held_fits(f, side)) {
    }
}

bool follow_packet(struct follow *f, const struct decode *d) {
    struct segment s = segment_find(f, d);
    if (!s.found) return false;
    if (f->proto > FOLLOW_UDP) {
        follow_app_packet(f, d, &s.src, &s.dst);
        return true;
    }
    if (!f->begun) {
        f->begun = true;
        f->end[0] = s.src;
        f->end[1] = s.dst;
    }
    int side = memcmp(&s.src, &f->end[0], sizeof s.src) != 0;
    if (f->proto == FOLLOW_TCP) tcp_take(f, side, &s, d->pkt);
    else chunk_give(f, side, s.payload, d->pkt->number, d->pkt->ts);
    return true;
}

void follow_end(struct follow *f) {
    for (int i = 0; i < 2; i++)
        while (f->side[i].held) held_drop(&f->side[i], &f->side[i].held);
}

static bool ends_differ(const struct talk_addr *a, const struct talk_addr *b, const uint8_t *addrs, size_t len,
                        const uint8_t *ports) {
    uint16_t src = load_be16(ports), dst = load_be16(ports + 2);
    if (a->len != len) return true;
    bool there = src == a->port && dst == b->port && memcmp(addrs, a->bytes, len) == 0 &&
                 memcmp(addrs + len, b->bytes, len) == 0;
    bool back = src == b->port && dst == a->port && memcmp(addrs, b->bytes, len) == 0 &&
                memcmp(addrs + len, a->bytes, len) == 0;
    return !there && !back;
}

bool follow_skips(const struct packet *p, uint8_t ip_proto, const struct talk_addr *a, const struct talk_addr *b) {
    enum {
        LINK_ETHERNET = 1,
        LINK_RAW = 101,
        TYPE_IPV4 = 0x0800,
        TYPE_IPV6 = 0x86dd,
        ETHER = 14,
        IPV4 = 20,
        IPV6 = 40,
        PORTS = 4
    };
    const uint8_t *ip = p->data.p;
    size_t n = p->data.n;
    if (p->iface->linktype == LINK_ETHERNET) {
        if (n < ETHER + IPV4) return false;
        uint16_t type = load_be16(ip + 12);
        if (type != TYPE_IPV4 && type != TYPE_IPV6) return false;
        ip += ETHER;
        n -= ETHER;
    } else if (p->iface->linktype != LINK_RAW || n < IPV4) {
        return false;
    }
    if (ip[0] == 0x45 && n >= IPV4 + PORTS && ip[9] == ip_proto && !(load_be16(ip + 6) & 0x3fff))
        return ends_differ(a, b, ip + 12, 4, ip + IPV4);
    if (ip[0] >> 4 == 6 && n >= IPV6 + PORTS && ip[6] == ip_proto) return ends_differ(a, b, ip + 8, 16, ip + IPV6);
    return false;
}
