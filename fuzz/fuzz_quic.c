/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: what stands in QUIC's packets once they are opened, which no fuzzer gets past the tag of.
 *
 * Input: packets, each with one byte (bit 0: the side, above it: the space) and two bytes of length before its frames.
 */
#include "fuzz_fields.h"

#include "proto/protos.h"
#include "proto/quic/quic.h"

enum { ARENA_MAX = 4 << 20, KEPT_MOST = 16 << 20 };

static void call(struct decode *d, const struct proto *p, struct slice in) {
    if (p->read) p->read(d, in);
}
/* carry takes the place of who reads the streams. */
static void carry(struct decode *d, struct nested **nested, const struct carry *how, int from, struct slice in) {
    (void)nested, (void)how;
    FUZZ_CHECK(from == 0 || from == 1);
    FUZZ_CHECK(in.p >= d_base(d) && in.n <= d->out->source[d->out->src].bytes.n);
}
static const struct decode_ops ops = {.call = call, .carry = carry};

/* session_make gives the connection its place in the store, as if it could be opened. */
static void session_make(struct tls_keys *keys, struct quic_state *st) {
    tls_keys_make(keys);
    st->store = keys;
    st->session = pool_get(&keys->quic);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct fvec fields;
    static struct want want;
    struct arena arena = arena_make(ARENA_MAX);
    struct arena_budget kept = {.cap = KEPT_MOST};
    struct packet pkt = {0};
    struct quic_state st = {0};
    struct reader r = rd_init(slice_of(data, size), data);
    want_all(&want);
    fvec_make(&fields, &want);
    struct tls_keys keys;
    tls_quic_start(&st.tls);
    session_make(&keys, &st);
    while (rd_left(&r) > 3) {
        uint8_t head = rd_u8(&r), space = (head >> 1) % QUIC_SPACES;
        int side = head & 1;
        size_t n = rd_be16(&r);
        struct slice frames = rd_take(&r, n < rd_left(&r) ? n : rd_left(&r));
        pkt.number++;
        arena_reset(&arena);
        fvec_start(&fields, frames);
        struct decode d = {.out = &fields, .arena = &arena, .pkt = &pkt, .ops = &ops, .kept = &kept};
        uint8_t src = fvec_add_source(&fields, frames, "Decrypted QUIC");
        struct quic_opened o = {.space = space, .plain = frames};
        quic_frames_read(&d, &st, side, &o, src, 0);
        quic_streams_read(&d, &st);
        FUZZ_CHECK(fields.depth == 0);
        fuzz_fields(&fields, 0);
    }
    quic_state_end(&st);
    FUZZ_CHECK(kept.held == 0);
    tls_keys_free(&keys);
    fvec_free(&fields);
    arena_free(&arena);
    return 0;
}
