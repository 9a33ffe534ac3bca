/* SPDX-License-Identifier: Apache-2.0 */
/* Theory of operation: bytes that come in any order (RFC 9000 2.2), of the handshake and of streams.
 *
 * Pieces that come early wait in memory of the conversation until there is no hole before them. What was handed on
 * already is not read again; what held it is won back when nothing waits, or when room is needed and half of it is not
 * in use. Invariant: the waiting pieces are ordered by offset and end behind `next`. Limits: the memory the caller
 * allows, as many bytes ahead, QUIC_PIECES_MOST pieces. */
#include "proto/quic/quic.h"

void quic_order_end(struct quic_order *o) {
    arena_free(&o->memory);
    o->early = NULL;
}

/* pieces_make gives an order its memory; false: there is none. */
static bool pieces_make(struct decode *d, struct quic_order *o, size_t memory) {
    o->memory = arena_make_of(memory, d->kept);
    o->early = arena_get(&o->memory, sizeof *o->early);
    if (o->early) o->early->n = 0;
    return o->early != NULL;
}

/* tidy moves what waits to memory of its own; false: too little would be won, and nothing has changed. */
static bool tidy(struct decode *d, struct quic_order *o, size_t memory) {
    struct quic_order fresh = {.next = o->next};
    size_t waiting = sizeof *o->early;
    for (uint32_t i = 0; i < o->early->n; i++) waiting += o->early->piece[i].bytes.n;
    if (waiting > memory / 2 || o->memory.held < memory / 2 || !pieces_make(d, &fresh, memory)) return false;
    *fresh.early = *o->early;
    for (uint32_t i = 0; i < fresh.early->n; i++) {
        struct slice copy = arena_copy(&fresh.memory, o->early->piece[i].bytes);
        if (!copy.n) {
            quic_order_end(&fresh);
            return false;
        }
        fresh.early->piece[i].bytes = copy;
    }
    quic_order_end(o);
    *o = fresh;
    return true;
}

bool quic_order_keep(struct decode *d, struct quic_order *o, size_t memory, uint64_t off, struct slice in) {
    if (off + in.n - o->next > memory) return false;
    if (!o->early && !pieces_make(d, o, memory)) return false;
    if (o->early->n == QUIC_PIECES_MOST) return false;
    struct slice copy = arena_copy(&o->memory, in);
    if (!copy.n && tidy(d, o, memory)) copy = arena_copy(&o->memory, in);
    if (!copy.n) return false;
    struct quic_pieces *p = o->early;
    uint32_t at = p->n++;
    for (; at && p->piece[at - 1].off > off; at--) p->piece[at] = p->piece[at - 1];
    p->piece[at].off = off;
    p->piece[at].frame = d->pkt->number;
    p->piece[at].bytes = copy;
    return true;
}

uint32_t quic_order_ready(const struct quic_order *o, uint64_t *end) {
    uint32_t n = 0;
    *end = o->next;
    for (; o->early && n < o->early->n && o->early->piece[n].off <= *end; n++) {
        uint64_t behind = o->early->piece[n].off + o->early->piece[n].bytes.n;
        if (behind > *end) *end = behind;
    }
    return n;
}

struct slice quic_order_join(struct arena *a, const struct quic_order *o, uint32_t n, uint64_t end) {
    size_t size = (size_t)(end - o->next);
    uint8_t *whole = arena_get(a, size);
    for (uint32_t i = 0; whole && i < n; i++) {
        uint64_t off = o->early->piece[i].off;
        struct slice bytes = o->early->piece[i].bytes;
        if (off + bytes.n <= o->next) continue; /* it was there before */
        if (off < o->next) bytes = slice_tail(bytes, (size_t)(o->next - off)), off = o->next;
        memcpy(whole + (off - o->next), bytes.p, bytes.n);
    }
    return whole ? slice_of(whole, size) : (struct slice){0};
}

void quic_order_pass(struct quic_order *o, uint32_t n, uint64_t end) {
    o->next = end;
    if (!o->early) return;
    o->early->n -= n;
    memmove(o->early->piece, o->early->piece + n, o->early->n * sizeof *o->early->piece);
    if (!o->early->n) quic_order_end(o);
}
