/* SPDX-License-Identifier: Apache-2.0 */
/* Theory of operation: bytes that come in any order (RFC 9000 2.2), of the handshake and of streams.
 *
 * Pieces that come early wait in memory of the conversation until there is no hole before them. What was handed on
 * already is not read again. Invariant: the waiting pieces are ordered by offset and end behind `next`. Limits: the
 * memory the caller allows, as many bytes ahead, QUIC_PIECES_MOST pieces. */
#include "proto/quic/quic.h"

void quic_order_end(struct quic_order *o) {
    arena_free(&o->memory);
    o->early = NULL;
}

bool quic_order_keep(struct decode *d, struct quic_order *o, size_t memory, uint64_t off, struct slice in) {
    if (off + in.n - o->next > memory) return false;
    if (!o->memory.cap) o->memory = arena_make_of(memory, d->kept);
    if (!o->early) {
        o->early = arena_get(&o->memory, sizeof *o->early);
        if (!o->early) return false;
        o->early->n = 0;
    }
    struct quic_pieces *p = o->early;
    if (p->n == QUIC_PIECES_MOST) return false;
    struct slice copy = arena_copy(&o->memory, in);
    if (!copy.n) return false;
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
