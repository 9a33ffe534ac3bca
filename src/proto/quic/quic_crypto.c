/* SPDX-License-Identifier: Apache-2.0 */
/* Theory of operation: the handshake's bytes in order (RFC 9000 19.6).
 *
 * Each space has a row of its own. Pieces that follow each other go to TLS at once, which gathers messages of several.
 * Where some come early all wait until no hole is left before any, and are handed on together, as one source of the
 * packet. What has no room is dropped, and sent again where the loss was not only ours. */
#include "proto/protos.h"
#include "proto/quic/quic.h"

enum { EARLY_MEMORY = 96 << 10 };

/* pieces_show lists the pieces of the whole. */
static void pieces_show(struct decode *d, const struct quic_order *c, uint32_t len) {
    struct fvec *v = d->out;
    fv_open(v, FID_QUIC_CRYPTO_FRAGMENTS, 0, len);
    for (uint32_t i = 0; i < c->early->n; i++) {
        uint64_t off = c->early->piece[i].off, n = c->early->piece[i].bytes.n;
        if (off < c->next) n -= c->next - off, off = c->next; /* its beginning was there before */
        fv_u(v, FID_QUIC_CRYPTO_FRAGMENT, (uint32_t)(off - c->next), (uint32_t)n, c->early->piece[i].frame);
    }
    fv_u(v, FID_QUIC_CRYPTO_FRAGMENT_COUNT, 0, 0, c->early->n);
    fv_close(v);
}

/* hand_on gives TLS bytes that follow those before. No message goes on in packets of another space (RFC 9001 4.1.3). */
static void hand_on(struct decode *d, struct quic_state *st, enum quic_space space, int side, struct slice in) {
    if (st->speaks[side] != space) tls_gather_drop(&st->tls.gather[side]);
    st->speaks[side] = (uint8_t)space;
    st->tls.open_to_all = space == QUIC_FIRST;
    tls_quic_read(d, &st->tls, side, in);
}

/* early_read hands on all pieces, which leave no hole up to `end`. */
static void early_read(struct decode *d, struct quic_state *st, enum quic_space space, int side, uint64_t end) {
    struct quic_order *c = &st->crypto[space][side];
    struct slice whole = quic_order_join(d->arena, c, c->early->n, end);
    uint8_t own = d->out->src, src = whole.n ? fvec_add_source(d->out, whole, "Reassembled QUIC CRYPTO") : 0;
    if (src) {
        d->out->src = src;
        pieces_show(d, c, (uint32_t)whole.n);
        hand_on(d, st, space, side, whole);
        d->out->src = own;
    }
    quic_order_pass(c, c->early->n, end);
}

void quic_crypto_take(struct decode *d, struct quic_state *st, enum quic_space space, int side, uint64_t off,
                      struct slice in) {
    struct quic_order *c = &st->crypto[space][side];
    if (!in.n) return;
    if (off + in.n <= c->next) {
        d_anomaly(d, FID_QUIC_RETRANSMISSION, d_off(d, in.p), (uint32_t)in.n);
    } else if (!c->early && off == c->next) {
        c->next += in.n;
        hand_on(d, st, space, side, in);
    } else if (quic_order_keep(d, c, EARLY_MEMORY, off, in)) {
        uint64_t end;
        if (quic_order_ready(c, &end) == c->early->n) early_read(d, st, space, side, end);
    }
}
