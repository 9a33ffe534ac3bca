/* SPDX-License-Identifier: Apache-2.0 */
/* Frames and the capture file.
 *
 * An exchange makes all its frames at once, each with its time; they wait in a heap until no exchange can make
 * an earlier one. An exchange lasts a fraction of a second, so what waits is small whatever the file's length.
 *
 * The capture point stands before the servers. Accidents on the way, all of them in net_send: two segments in
 * the wrong order, a segment lost before the capture point and sent again (with the selective acknowledgement
 * in between), a segment lost behind it (seen twice), a segment the capture itself never saw. */
#include "traffic.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16 };
enum { ETHER_TYPE_VLAN = 0x8100, ETHER_TYPE_QINQ = 0x88a8, ETHER_LEAST = 60, FRAME_MOST = 1540 };
enum { MSS_V4 = 1460, MSS_V6 = 1440, STAMPS_LEN = 12 };

struct frame {
    uint64_t at, order;
    uint32_t n;
    uint8_t p[];
};

static void die(const char *why) {
    fprintf(stderr, "make-capture: %s\n", why);
    exit(2);
}

uint32_t rnd(struct traffic *t, uint32_t n) {
    uint64_t z = t->random += 0x9e3779b97f4a7c15u; /* splitmix64 */
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    return (uint32_t)(((z >> 32) * n) >> 32);
}

bool chance(struct traffic *t, uint32_t per_mille) { return rnd(t, 1000) < per_mille; }

void wait_for(struct traffic *t, uint32_t ns) { t->now += ns / 2 + rnd(t, ns + 1); }

void put(struct buffer *b, const void *p, size_t n) {
    if (n > sizeof b->p - b->n) die("a message is larger than its buffer");
    memcpy(b->p + b->n, p, n);
    b->n += n;
}
void put_u8(struct buffer *b, uint32_t v) { put(b, &(uint8_t){(uint8_t)v}, 1); }
void put_u16(struct buffer *b, uint32_t v) { put(b, (uint8_t[]){(uint8_t)(v >> 8), (uint8_t)v}, 2); }
void put_u32(struct buffer *b, uint32_t v) {
    put_u16(b, v >> 16);
    put_u16(b, v & 0xffff);
}
void put_s(struct buffer *b, const char *s) { put(b, s, strlen(s)); }
void put_f(struct buffer *b, const char *format, ...) {
    char text[1024];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (n < 0 || n >= (int)sizeof text) die("a text is larger than its buffer");
    put(b, text, (size_t)n);
}

/* The file. */

static void write_all(struct traffic *t, const void *p, size_t n) {
    if (fwrite(p, 1, n, t->out) != n) die("cannot write the file");
    t->written += n;
}

void net_start(struct traffic *t) {
    static const uint32_t pcap[] = {0xa1b23c4d, 2 | 4 << 16, 0, 0, 262144, 1};
    static const uint32_t section[] = {0x0a0d0d0a, 28, 0x1a2b3c4d, 1, 0xffffffff, 0xffffffff, 28};
    static const uint32_t interface[] = {
        1, 44, 1, 262144, 2 | 4 << 16, 'e' | 't' << 8 | 'h' << 16 | '0' << 24, 9 | 1 << 16, 9, 0, 0, 44};
    if (t->classic) {
        write_all(t, pcap, sizeof pcap);
    } else {
        write_all(t, section, sizeof section);
        write_all(t, interface, sizeof interface);
    }
}

static void frame_write(struct traffic *t, const struct frame *f) {
    static const uint8_t zeros[4];
    uint64_t ts = t->start + f->at;
    uint32_t pad = -f->n & 3, all = 32 + f->n + pad;
    uint32_t record[] = {(uint32_t)(ts / SECOND), (uint32_t)(ts % SECOND), f->n, f->n};
    uint32_t block[] = {6, all, 0, (uint32_t)(ts >> 32), (uint32_t)ts, f->n, f->n};
    t->frames++;
    if (t->classic) {
        write_all(t, record, sizeof record);
        write_all(t, f->p, f->n);
        return;
    }
    write_all(t, block, sizeof block);
    write_all(t, f->p, f->n);
    write_all(t, zeros, pad);
    write_all(t, &all, sizeof all);
}

/* The frames that wait: a binary heap, the earliest first. */

static bool earlier(const struct frame *a, const struct frame *b) {
    return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static void heap_add(struct traffic *t, struct frame *f) {
    if (t->waiting == t->room) {
        t->room = t->room ? t->room * 2 : 1024;
        t->heap = realloc(t->heap, t->room * sizeof *t->heap);
        if (!t->heap) die("out of memory");
    }
    size_t i = t->waiting++;
    for (; i && earlier(f, t->heap[(i - 1) / 2]); i = (i - 1) / 2) t->heap[i] = t->heap[(i - 1) / 2];
    t->heap[i] = f;
}

static struct frame *heap_take(struct traffic *t) {
    struct frame *first = t->heap[0], *last = t->heap[--t->waiting];
    size_t i = 0, k;
    while ((k = 2 * i + 1) < t->waiting) {
        if (k + 1 < t->waiting && earlier(t->heap[k + 1], t->heap[k])) k++;
        if (!earlier(t->heap[k], last)) break;
        t->heap[i] = t->heap[k];
        i = k;
    }
    t->heap[i] = last;
    return first;
}

void net_flush(struct traffic *t, uint64_t until) {
    while (t->waiting && t->heap[0]->at <= until) {
        struct frame *f = heap_take(t);
        if (t->written < t->limit) frame_write(t, f);
        free(f);
    }
}

/* Headers. */

static uint64_t sum(uint64_t s, const uint8_t *p, size_t n) {
    uint32_t v;
    for (; n >= 4; n -= 4, p += 4) {
        memcpy(&v, p, 4);
        s += v;
    }
    if (n) {
        v = 0;
        memcpy(&v, p, n);
        s += v;
    }
    return s;
}

static void sum_store(uint64_t s, uint8_t *at) {
    while (s >> 16) s = (s & 0xffff) + (s >> 16);
    uint16_t folded = (uint16_t)~s;
    memcpy(at, &folded, 2);
}

static void w16(uint8_t *p, uint32_t v) {
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}
static void w32(uint8_t *p, uint32_t v) {
    w16(p, v >> 16);
    w16(p + 2, v & 0xffff);
}

static void address_write(const struct slot *s, int side, uint8_t *p) {
    static const uint8_t prefix[16] = {0x20, 0x01, 0x0d, 0xb8};
    uint32_t host = side == CLIENT ? 0x0a000000u + 0x10000u * (1 + s->kind) + s->id + 1 : 0xc0000200u + 10u + s->server;
    if (s->v6) {
        memcpy(p, prefix, 16);
        p[5] = (uint8_t)(1 + side);
        w32(p + 12, host & 0xffffff);
    } else {
        w32(p, host);
    }
}

static void mac_write(const struct slot *s, int side, uint8_t *p) {
    p[0] = 2;
    p[1] = (uint8_t)side;
    w32(p + 2, side == CLIENT ? (uint32_t)s->kind << 24 | s->id : s->server);
}

/* link_write writes Ethernet and VLAN headers and returns their length. */
static size_t link_write(const struct slot *s, int side, uint8_t *p) {
    size_t n = 12;
    mac_write(s, !side, p);
    mac_write(s, side, p + 6);
    for (int i = s->tags; i > 0; i--, n += 4) {
        w16(p + n, i == 2 ? ETHER_TYPE_QINQ : ETHER_TYPE_VLAN);
        w16(p + n + 2, s->vlan + (i == 2 ? 1000u : 0));
    }
    w16(p + n, s->v6 ? 0x86dd : 0x0800);
    return n + 2;
}

/* ip_write writes the network header for n bytes of protocol `proto` and returns its length; *pseudo is the sum
 * of the pseudo header. */
static size_t ip_write(struct slot *s, int side, uint8_t proto, size_t n, uint8_t *p, uint64_t *pseudo) {
    uint8_t tail[4] = {0, proto, (uint8_t)(n >> 8), (uint8_t)n};
    size_t alen = s->v6 ? 16 : 4, head = s->v6 ? 40 : 20, at = s->v6 ? 8 : 12;
    memset(p, 0, head);
    if (s->v6) {
        w32(p, 6u << 28 | (s->id & 0xfffff));
        w16(p + 4, (uint32_t)n);
        p[6] = proto;
        p[7] = 64;
    } else {
        p[0] = 0x45;
        w16(p + 2, (uint32_t)(n + head));
        w16(p + 4, s->ip_id[side]++);
        w16(p + 6, 0x4000);
        p[8] = 64;
        p[9] = proto;
    }
    address_write(s, side, p + at);
    address_write(s, !side, p + at + alen);
    if (!s->v6) sum_store(sum(0, p, head), p + 10);
    *pseudo = sum(sum(0, p + at, 2 * alen), tail, 4);
    return head;
}

static struct frame *frame_make(void) {
    struct frame *f = malloc(sizeof *f + FRAME_MOST);
    if (!f) die("out of memory");
    return f;
}

static void frame_queue(struct traffic *t, struct frame *f, int side, uint64_t at, size_t n) {
    if (side == CLIENT && n < ETHER_LEAST) { /* the servers' own frames are captured before they are padded */
        memset(f->p + n, 0, ETHER_LEAST - n);
        n = ETHER_LEAST;
    }
    f->n = (uint32_t)n;
    f->at = at;
    f->order = t->order++;
    heap_add(t, f);
}

/* segment is what distinguishes one TCP segment from the next of its connection. */
struct segment {
    uint64_t at;
    uint32_t seq, ack;
    uint32_t sack_from, sack_to; /* equal: no option */
    uint8_t flags;
    const uint8_t *p;
    size_t n;
};

static size_t options_write(const struct slot *s, int side, const struct segment *g, uint8_t *p) {
    uint32_t own = s->clock[side] + (uint32_t)(g->at / MS), other = s->clock[!side] + (uint32_t)(g->at / MS) - 1;
    size_t n = 0;
    if (g->flags & SYN) {
        w32(p, 2u << 24 | 4 << 16 | (s->v6 ? MSS_V6 : MSS_V4));
        n = 4;
        if (!s->stamps) return n;
        memcpy(p + n, (uint8_t[]){4, 2, 8, 10}, 4);
        w32(p + n + 4, own);
        w32(p + n + 8, g->flags & ACK ? other : 0);
        memcpy(p + n + 12, (uint8_t[]){1, 3, 3, 7}, 4);
        return n + 16;
    }
    if (s->stamps && !(g->flags & RST)) {
        memcpy(p, (uint8_t[]){1, 1, 8, 10}, 4);
        w32(p + 4, own);
        w32(p + 8, other);
        n = STAMPS_LEN;
    }
    if (g->sack_from != g->sack_to) {
        memcpy(p + n, (uint8_t[]){1, 1, 5, 10}, 4);
        w32(p + n + 4, g->sack_from);
        w32(p + n + 8, g->sack_to);
        n += 12;
    }
    return n;
}

static void segment_queue(struct traffic *t, struct slot *s, int side, const struct segment *g) {
    struct frame *f = frame_make();
    uint8_t options[40], *p = f->p;
    uint64_t pseudo;
    size_t nopt = options_write(s, side, g, options), len = 20 + nopt + g->n;
    p += link_write(s, side, p);
    p += ip_write(s, side, 6, len, p, &pseudo);
    w16(p, s->port[side]);
    w16(p + 2, s->port[!side]);
    w32(p + 4, g->seq);
    w32(p + 8, g->flags & ACK ? g->ack : 0);
    w16(p + 12, (uint32_t)((20 + nopt) / 4) << 12 | g->flags);
    w16(p + 14, g->flags & SYN ? 64240 : 501);
    w32(p + 16, 0);
    memcpy(p + 20, options, nopt);
    if (g->n) memcpy(p + 20 + nopt, g->p, g->n);
    sum_store(sum(pseudo, p, len), p + 16);
    frame_queue(t, f, side, g->at, (size_t)(p - f->p) + len);
}

static struct segment segment_of(struct traffic *t, struct slot *s, int side, uint8_t flags) {
    return (struct segment){.at = t->now, .seq = s->seq[side], .ack = s->seq[!side], .flags = flags};
}

static void control(struct traffic *t, struct slot *s, int side, uint8_t flags) {
    struct segment g = segment_of(t, s, side, flags);
    segment_queue(t, s, side, &g);
    if (flags & (SYN | FIN)) s->seq[side]++;
    wait_for(t, side == CLIENT ? 100 * US : s->rtt);
}

void net_ack(struct traffic *t, struct slot *s, int side) { control(t, s, side, ACK); }

void net_open(struct traffic *t, struct slot *s) {
    s->seq[CLIENT] = rnd(t, UINT32_MAX);
    s->seq[SERVER] = rnd(t, UINT32_MAX);
    control(t, s, CLIENT, SYN);
    control(t, s, SERVER, SYN | ACK);
    control(t, s, CLIENT, ACK);
}

void net_close(struct traffic *t, struct slot *s, bool reset) {
    int first = chance(t, 850) ? CLIENT : SERVER;
    if (reset) {
        control(t, s, first, RST | ACK);
        return;
    }
    control(t, s, first, FIN | ACK);
    control(t, s, !first, FIN | ACK);
    control(t, s, first, ACK);
}

/* burst_cut makes segments of what is in `wire`: at the marks and where the segment size asks for it. */
static size_t burst_cut(struct traffic *t, struct slot *s, int side, struct segment *seg) {
    size_t most = (s->v6 ? MSS_V6 : MSS_V4) - (s->stamps ? STAMPS_LEN : 0), n = 0, at = 0;
    for (size_t cut = 0; at < t->wire.n;) {
        while (cut < t->ncuts && t->cuts[cut] <= at) cut++;
        size_t end = cut < t->ncuts ? t->cuts[cut] : t->wire.n, len = end - at < most ? end - at : most;
        if (n == BURST_MAX) die("a burst has too many segments");
        seg[n] = segment_of(t, s, side, at + len == end ? PSH | ACK : ACK);
        seg[n].p = t->wire.p + at;
        seg[n++].n = len;
        s->seq[side] += (uint32_t)len;
        at += len;
        t->now += (5 + rnd(t, 40)) * US;
    }
    t->ncuts = 0;
    return n;
}

/* What becomes of the one segment of a burst that fate picks. */
enum fate {
    FATE_NONE,
    FATE_AGAIN,  /* lost behind the capture point: seen twice */
    FATE_LATE,   /* lost before the capture point: its second sending is seen */
    FATE_SWAP,   /* the next one overtakes it */
    FATE_MISSED, /* the capture itself never saw it */
};

static enum fate fate_pick(struct traffic *t) {
    uint32_t dice = rnd(t, 1000);
    return dice < 3 ? FATE_AGAIN : dice < 6 ? FATE_LATE : dice < 8 ? FATE_MISSED : dice < 20 ? FATE_SWAP : FATE_NONE;
}

/* resend queues the second sending of a segment, and before it the receiver's complaint. */
static void resend(struct traffic *t, struct slot *s, int side, struct segment again, bool complain) {
    if (complain) {
        struct segment dup = segment_of(t, s, !side, ACK);
        dup.ack = again.seq;
        if (s->stamps) {
            dup.sack_from = again.seq + (uint32_t)again.n;
            dup.sack_to = s->seq[side];
        }
        segment_queue(t, s, !side, &dup);
    }
    t->now += complain ? s->rtt : 210u * MS;
    again.at = t->now;
    segment_queue(t, s, side, &again);
}

void net_send(struct traffic *t, struct slot *s, int side) {
    static struct segment seg[BURST_MAX];
    size_t n = burst_cut(t, s, side, seg), victim = n ? rnd(t, (uint32_t)n) : 0;
    enum fate fate = fate_pick(t);
    if (fate == FATE_SWAP && victim + 1 < n) {
        uint64_t at = seg[victim].at;
        seg[victim].at = seg[victim + 1].at;
        seg[victim + 1].at = at;
    }
    for (size_t i = 0; i < n; i++) {
        bool unseen = i == victim && (fate == FATE_LATE || fate == FATE_MISSED);
        if (!unseen) segment_queue(t, s, side, &seg[i]);
        if (n > 2 && (i & 1) && !(fate == FATE_LATE && i >= victim)) { /* every second one is acknowledged */
            struct segment ack = segment_of(t, s, !side, ACK);
            ack.at = seg[i].at + 2 * US;
            ack.ack = seg[i].seq + (uint32_t)seg[i].n;
            segment_queue(t, s, !side, &ack);
        }
    }
    if (fate == FATE_AGAIN || fate == FATE_LATE) resend(t, s, side, seg[victim], fate == FATE_LATE && victim + 1 < n);
    wait_for(t, side == CLIENT ? 200 * US : s->rtt);
}

void net_datagram(struct traffic *t, struct slot *s, int side) {
    struct frame *f = frame_make();
    uint8_t *p = f->p;
    uint64_t pseudo;
    size_t len = 8 + t->wire.n;
    p += link_write(s, side, p);
    p += ip_write(s, side, 17, len, p, &pseudo);
    w16(p, s->port[side]);
    w16(p + 2, s->port[!side]);
    w16(p + 4, (uint32_t)len);
    w16(p + 6, 0);
    memcpy(p + 8, t->wire.p, t->wire.n);
    sum_store(sum(pseudo, p, len), p + 6);
    if (p[6] == 0 && p[7] == 0) w16(p + 6, 0xffff);
    frame_queue(t, f, side, t->now, (size_t)(p - f->p) + len);
    wait_for(t, side == CLIENT ? 400 * US : s->rtt);
}
