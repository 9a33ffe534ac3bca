/* SPDX-License-Identifier: Apache-2.0 */
/* Theory of operation: handshake messages over several records, RFC 8446 5.1.
 *
 * A message that does not end with its record is gathered, one for each side, in memory of the conversation; when it is
 * whole it becomes a source of its own with the lifetime of the packet, and is read like any other. It is given up
 * where it says to be longer than TLS_MESSAGE_MOST, where bytes of its side are lost, and with its conversation. */
#include "proto/tls/tls.h"

enum { HEADER = 4 };

static uint32_t whole_of(const struct tls_gather *g) {
    return g->have < HEADER ? HEADER : HEADER + load_be24(g->bytes + 1);
}

void tls_gather_drop(struct tls_gather *g) {
    arena_free(&g->memory);
    *g = (struct tls_gather){0};
}

/* room_make makes room for n bytes in all, and some more. */
static bool room_make(struct tls_gather *g, size_t n) {
    if (n <= g->room) return true;
    if (n < 2 * (size_t)g->room) n = 2 * (size_t)g->room; /* not as much as the message says it will be */
    uint8_t *larger = arena_get(&g->memory, n);
    if (!larger) return false;
    if (g->have) memcpy(larger, g->bytes, g->have);
    g->bytes = larger;
    g->room = (uint32_t)n;
    return true;
}

static bool take(struct tls_gather *g, struct slice part) {
    if (!room_make(g, g->have + part.n > HEADER ? g->have + part.n : HEADER)) return false;
    memcpy(g->bytes + g->have, part.p, part.n);
    g->have += (uint32_t)part.n;
    return true;
}

size_t tls_gather_take(struct decode *d, struct tls_gather *g, struct slice in) {
    size_t used = 0;
    bool ok = true;
    if (!g->memory.cap) g->memory = arena_make_of(4 * (TLS_MESSAGE_MOST + HEADER), d->kept);
    while (ok && used < in.n && g->have < whole_of(g)) { /* the header first, which says how much there is */
        uint32_t want = whole_of(g);
        ok = want <= TLS_MESSAGE_MOST + HEADER;
        struct slice part = slice_head(slice_tail(in, used), want - g->have);
        ok = ok && take(g, part);
        if (ok) used += part.n;
    }
    if (!ok) {
        tls_gather_drop(g);
        return 0;
    }
    if (g->pieces < TLS_PIECES_MOST) g->piece[g->pieces] = (struct tls_piece){d->pkt->number, (uint32_t)used};
    g->pieces++;
    return used;
}

bool tls_gather_whole(const struct tls_gather *g) { return g->have >= HEADER && g->have == whole_of(g); }

/* tls_gather_show adds the list of the pieces; `src` is the source of the whole message. */
void tls_gather_show(struct decode *d, const struct tls_gather *g, uint32_t off, uint8_t src) {
    struct fvec *v = d->out;
    uint8_t before = v->src;
    uint32_t at = 0;
    size_t room = v->source[before].bytes.n - off; /* the place ends with the record's source, the message does not */
    fv_open(v, FID_TLS_HS_FRAGMENTS, off, (uint32_t)(g->have < room ? g->have : room));
    v->src = src;
    for (uint32_t i = 0; i < g->pieces && i < TLS_PIECES_MOST; at += g->piece[i++].len)
        fv_u(v, FID_TLS_HS_FRAGMENT, at, g->piece[i].len, g->piece[i].frame);
    v->src = before;
    fv_u(v, FID_TLS_HS_FRAGMENT_COUNT, 0, 0, g->pieces);
    fv_close(v);
}
