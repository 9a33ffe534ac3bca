/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/stream.h"

#include "base/poison.h"
#include "proto/tcp/tcp.h"

#include <stdlib.h>

/* How much more than there is of a message it gets room for at once, where it says how long it is. */
enum { NEEDED_AHEAD = 4 };
enum { SPARE_MOST = 32 << 10, PIECES_FEW = 4 }; /* what is not given back to the system */

void stream_drop_message(struct stream *s, struct stream_limits *l) {
    l->held -= s->cap;
    free(s->buf);
    s->buf = NULL;
    s->n = s->cap = s->needed = s->piece_count = 0;
    if (s->piece_cap <= PIECES_FEW) return; /* the next message's */
    free(s->pieces);
    s->pieces = NULL;
    s->piece_cap = 0;
}

uint8_t *stream_release(struct stream *s, struct stream_limits *l) {
    struct stream_room done = {s->buf, s->cap};
    l->held -= s->cap;
    s->buf = NULL;
    s->cap = 0;
    stream_drop_message(s, l);
    if (l->shown.buf || done.cap > SPARE_MOST) return done.buf;
    l->shown = done;
    return NULL;
}

void stream_packet_done(struct stream_limits *l) {
    if (!l->shown.buf) return;
    free(l->spare.buf);
    l->spare = l->shown;
    l->shown = (struct stream_room){0};
    POISON(l->spare.buf, l->spare.cap);
}

void stream_limits_free(struct stream_limits *l) {
    free(l->spare.buf);
    free(l->shown.buf);
    l->spare = l->shown = (struct stream_room){0};
}

/* spare_take gives a message the spare memory, where it is not much more than the message will have. */
static void spare_take(struct stream *s, struct stream_limits *l, size_t want) {
    size_t whole = s->needed > want ? s->needed : want;
    if (s->buf || l->spare.cap < want || l->spare.cap / NEEDED_AHEAD > whole) return;
    if (l->held + l->spare.cap > STREAMS_MAX) return;
    UNPOISON(l->spare.buf, l->spare.cap);
    l->held += l->spare.cap;
    s->buf = l->spare.buf;
    s->cap = l->spare.cap;
    l->spare = (struct stream_room){0};
}

static void held_free(struct held *h, struct stream_limits *l) {
    l->held -= sizeof *h + h->len;
    free(h);
}

void stream_reset(struct stream *s, struct stream_limits *l) {
    stream_drop_message(s, l);
    free(s->pieces);
    while (s->held) {
        struct held *h = s->held;
        s->held = h->next;
        held_free(h, l);
    }
    *s = (struct stream){0};
}

static bool pieces_grow(struct stream *s) {
    if (s->piece_count < s->piece_cap) return true;
    uint32_t cap = s->piece_cap ? s->piece_cap * 2 : PIECES_FEW;
    struct piece *p = cap <= PIECES_MAX ? realloc(s->pieces, cap * sizeof *p) : NULL;
    if (!p) return false;
    s->pieces = p;
    s->piece_cap = cap;
    return true;
}

bool stream_keep(struct stream *s, struct stream_limits *l, struct slice bytes, uint64_t frame) {
    size_t want = s->n + bytes.n;
    if (want > MESSAGE_MAX || !pieces_grow(s)) return false;
    spare_take(s, l, want);
    if (want > s->cap) {
        size_t cap = (size_t)s->cap * 2 > want ? (size_t)s->cap * 2 : want;
        if (s->needed > want && s->needed < NEEDED_AHEAD * want) cap = s->needed;
        if (l->held + (cap - s->cap) > STREAMS_MAX) return false;
        uint8_t *buf = realloc(s->buf, cap);
        if (!buf) return false;
        l->held += cap - s->cap;
        s->buf = buf;
        s->cap = (uint32_t)cap;
    }
    if (bytes.n) memcpy(s->buf + s->n, bytes.p, bytes.n);
    s->pieces[s->piece_count++] = (struct piece){.frame = frame, .at = s->n, .len = (uint32_t)bytes.n};
    s->n = (uint32_t)want;
    return true;
}

struct stream stream_detach(struct stream *s) {
    struct stream message = *s;
    s->buf = NULL;
    s->pieces = NULL;
    s->n = s->cap = s->needed = s->piece_count = s->piece_cap = 0;
    return message;
}

void stream_pieces_from(struct stream *s, const struct stream *whole) {
    uint32_t from = whole->n - s->n;
    s->piece_count = 0;
    for (uint32_t i = 0; i < whole->piece_count; i++) {
        struct piece p = whole->pieces[i];
        if (p.at + p.len <= from || !pieces_grow(s)) continue;
        if (p.at < from) p = (struct piece){.frame = p.frame, .at = from, .len = p.at + p.len - from};
        p.at -= from;
        s->pieces[s->piece_count++] = p;
    }
}

void stream_join_pieces(struct stream *s) {
    if (s->piece_count < 2) return;
    struct piece *last = &s->pieces[s->piece_count - 1], *p = last - 1;
    if (p->frame != last->frame || p->at + p->len != last->at || last->old) return;
    p->len += last->len;
    s->piece_count--;
}

void stream_repeat(struct stream *s, uint32_t at, struct slice bytes, uint64_t frame) {
    if (!pieces_grow(s)) return;
    s->pieces[s->piece_count++] = (struct piece){.frame = frame,
                                                 .at = at + (uint32_t)bytes.n,
                                                 .old = (uint32_t)bytes.n,
                                                 .conflict = memcmp(s->buf + at, bytes.p, bytes.n) != 0};
}

bool stream_hold(struct stream *s, struct stream_limits *l, uint32_t seq, struct slice bytes, uint64_t frame) {
    size_t size = sizeof(struct held) + bytes.n;
    if (s->held_count >= HELD_MAX || l->held + size > STREAMS_MAX) return false;
    struct held **at = &s->held;
    while (*at && seq_le((*at)->seq, seq)) {
        if ((*at)->seq == seq && (*at)->len >= bytes.n) return true; /* a copy of what is there */
        at = &(*at)->next;
    }
    struct held *h = malloc(size);
    if (!h) return false;
    *h = (struct held){.next = *at, .seq = seq, .len = (uint32_t)bytes.n, .frame = frame};
    memcpy(h->bytes, bytes.p, bytes.n);
    *at = h;
    s->held_count++;
    l->held += size;
    return true;
}

struct held *stream_take(struct stream *s, struct stream_limits *l, struct slice *fresh) {
    while (s->held && seq_le(s->held->seq, s->next)) {
        struct held *h = s->held;
        uint32_t old = s->next - h->seq;
        s->held = h->next;
        s->held_count--;
        if (old < h->len) {
            *fresh = slice_of(h->bytes + old, h->len - old);
            l->held -= sizeof *h + h->len;
            return h;
        }
        held_free(h, l);
    }
    return NULL;
}
