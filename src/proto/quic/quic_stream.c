/* SPDX-License-Identifier: Apache-2.0 */
/* Theory of operation: the streams of a connection (RFC 9000 2, 3, 19.8).
 *
 * Each side of a stream is put in order; what is, waits until the layer of its packet is complete and then goes on to
 * who reads the application protocol, which is the one agreed on in the handshake, as a stream inside this one. A
 * stream that ended keeps its place, so that what is sent again is known, until others need it; numbers at or below
 * those of streams that gave up their place are not followed, as an endpoint opens them in their order (2.1).
 *
 * A hole is given up where there is no room for more behind it: then the reader is told that bytes were lost. Where
 * secrets came late, or the capture began late, a stream begins with the first bytes that are seen of it.
 *
 * Limits: STREAMS_MAX streams for a connection, TLS_QUIC_STREAMS_MAX for all; EARLY_MEMORY of early bytes for each side
 * within the budget of all conversations. */
#include "proto/protos.h"
#include "proto/quic/quic.h"

enum { STREAMS_MAX = 64, EARLY_MEMORY = 512 << 10 };

/* quic_plain is bytes in order, until the layer of their packet is complete. */
struct quic_plain {
    struct quic_plain *next;
    uint64_t stream;
    struct slice bytes;
    uint8_t side, src;
    bool lost; /* bytes before them are missing */
};

static struct quic_stream *at(const struct tls_keys *k, uint32_t n) { return pool_at(&k->quic_streams, n); }

/* stream_clear ends what a stream has. */
static void stream_clear(struct quic_stream *s) {
    for (int i = 0; i < 2; i++) quic_order_end(&s->in[i]);
    if (s->inner) s->inner->end(s->inner);
    s->inner = NULL;
}

void quic_streams_end(struct tls_keys *k, struct quic_session *q) {
    while (q->streams) {
        uint32_t n = q->streams;
        stream_clear(at(k, n));
        q->streams = at(k, n)->next;
        pool_put(&k->quic_streams, n);
    }
}

/* stream_find returns a stream, which is then the first of the list, where the next frame is likely to look for it. */
static struct quic_stream *stream_find(struct tls_keys *k, struct quic_session *q, uint64_t id) {
    for (uint32_t *link = &q->streams; *link; link = &at(k, *link)->next) {
        uint32_t n = *link;
        if (at(k, n)->id != id) continue;
        *link = at(k, n)->next;
        at(k, n)->next = q->streams;
        q->streams = n;
        return at(k, n);
    }
    return NULL;
}

/* last_drop gives up the stream that was used longest ago. */
static void last_drop(struct tls_keys *k, struct quic_session *q) {
    uint32_t *link = &q->streams;
    if (!*link) return;
    while (at(k, *link)->next) link = &at(k, *link)->next;
    uint32_t n = *link;
    struct quic_stream *s = at(k, n);
    if (s->id >= q->floor[s->id & 3]) q->floor[s->id & 3] = s->id + 1;
    stream_clear(s);
    *link = 0;
    pool_put(&k->quic_streams, n);
    q->n_streams--;
}

/* stream_get finds a stream or makes it; NULL where it is not followed. */
static struct quic_stream *stream_get(struct tls_keys *k, struct quic_session *q, uint64_t id) {
    struct quic_stream *s = stream_find(k, q, id);
    if (s || id < q->floor[id & 3]) return s;
    if (q->n_streams == STREAMS_MAX) last_drop(k, q);
    uint32_t n = pool_get(&k->quic_streams);
    if (!n) return NULL;
    s = at(k, n);
    s->id = id;
    s->next = q->streams;
    q->streams = n;
    q->n_streams++;
    return s;
}

/* plain_add notes bytes that are in order. */
static void plain_add(struct decode *d, struct quic_state *st, uint64_t id, int side, struct slice bytes, uint8_t src,
                      bool lost) {
    struct quic_plain *p = arena_get(d->arena, sizeof *p);
    if (!p) return;
    *p = (struct quic_plain){.stream = id, .bytes = bytes, .side = (uint8_t)side, .src = src, .lost = lost};
    if (st->plain) st->plain_last->next = p;
    else st->plain = p;
    st->plain_last = p;
}

/* ready_take notes the early bytes that are in order now. */
static void ready_take(struct decode *d, struct quic_state *st, struct quic_stream *s, int side) {
    struct quic_order *o = &s->in[side];
    uint64_t end;
    uint32_t n = quic_order_ready(o, &end);
    if (!n) return;
    struct slice whole = end > o->next ? quic_order_join(d->arena, o, n, end) : (struct slice){0};
    uint8_t src = whole.n ? fvec_add_source(d->out, whole, "Reassembled QUIC") : 0;
    if (src) plain_add(d, st, s->id, side, whole, src, s->lost[side]);
    if (whole.n) s->lost[side] = !src;
    quic_order_pass(o, n, end);
}

/* hole_pass gives up what is missing before the first of the early bytes. */
static void hole_pass(struct decode *d, struct quic_state *st, struct quic_stream *s, int side) {
    struct quic_order *o = &s->in[side];
    o->next = o->early->piece[0].off;
    s->lost[side] = true;
    ready_take(d, st, s, side);
}

/* bytes_take takes bytes that are not all old. */
static void bytes_take(struct decode *d, struct quic_state *st, struct quic_stream *s, int side, uint64_t off,
                       struct slice in) {
    struct quic_order *o = &s->in[side];
    while (off > o->next && !quic_order_keep(d, o, EARLY_MEMORY, off, in)) {
        if (o->early && o->early->piece[0].off < off) {
            hole_pass(d, st, s, side);
        } else {
            o->next = off;
            s->lost[side] = true;
        }
    }
    if (off > o->next) return;
    if (off + in.n <= o->next) return; /* a hole that was given up went so far */
    in = slice_tail(in, (size_t)(o->next - off));
    o->next += in.n;
    plain_add(d, st, s->id, side, in, d->out->src, s->lost[side]);
    s->lost[side] = false;
    ready_take(d, st, s, side);
}

static bool side_over(const struct quic_stream *s, unsigned side) {
    return s->reset[side] || (s->size[side] && s->in[side].next + 1 >= s->size[side]);
}

/* stream_over tells whether all was seen of a stream; one that goes one way has one side only. */
static bool stream_over(const struct quic_stream *s) {
    unsigned opener = s->id & 1;
    return side_over(s, opener) && (s->id & 2 || side_over(s, !opener));
}

void quic_stream_take(struct decode *d, struct quic_state *st, int side, uint64_t id, uint64_t off, struct slice in,
                      bool fin) {
    struct quic_session *q = quic_session_of(st);
    struct quic_stream *s = q ? stream_get(st->store, q, id) : NULL;
    if (!s) return;
    struct quic_order *o = &s->in[side];
    if (q->side[side].late && !o->next && !o->early && off) {
        o->next = off;
        s->lost[side] = true;
    }
    if (in.n && off + in.n <= o->next) d_anomaly(d, FID_QUIC_RETRANSMISSION, d_off(d, in.p), (uint32_t)in.n);
    else if (in.n && !s->reset[side]) bytes_take(d, st, s, side, off, in);
    if (fin) s->size[side] = off + in.n + 1;
    if (!st->plain && stream_over(s)) stream_clear(s);
}

void quic_stream_reset(struct quic_state *st, int side, uint64_t id) {
    struct quic_session *q = quic_session_of(st);
    struct quic_stream *s = q ? stream_find(st->store, q, id) : NULL;
    if (!s) return;
    s->reset[side] = true;
    quic_order_end(&s->in[side]);
    if (!st->plain && stream_over(s)) stream_clear(s);
}

/* carried_read hands bytes on to who reads the stream. */
static void carried_read(struct decode *d, struct quic_state *st, struct quic_stream *s, const struct quic_plain *p) {
    const struct carry how = {
        .by = &proto_quic,
        .proto = tls_quic_inner(&st->tls),
        .name = "Reassembled QUIC",
        .segments = FID_QUIC_FRAGMENTS,
        .segment = FID_QUIC_FRAGMENT,
        .segment_count = FID_QUIC_FRAGMENT_COUNT,
        .length = FID_QUIC_REASSEMBLED_LENGTH,
        .data = FID_QUIC_REASSEMBLED_DATA,
    };
    d->out->src = p->src;
    d->exchange = (uint32_t)s->id + 1;
    if (p->lost && s->inner) s->inner->lost(s->inner, p->side);
    if (d->ops->carry) d->ops->carry(d, &s->inner, &how, p->side, p->bytes);
    d->exchange = 0;
}

void quic_streams_read(struct decode *d, struct quic_state *st) {
    struct quic_session *q = quic_session_of(st);
    uint8_t src = d->out->src;
    struct quic_plain *list = st->plain;
    st->plain = NULL;
    for (; list && q; list = list->next) {
        struct quic_stream *s = stream_find(st->store, q, list->stream); /* it may have lost its place since */
        if (!s) continue;
        carried_read(d, st, s, list);
        if (stream_over(s)) stream_clear(s);
    }
    d->out->src = src;
}
