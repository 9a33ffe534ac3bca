/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz targets: a protocol (FUZZ_PROTO) in the byte streams of both sides, with the conversation's state.
 *
 * Input: one byte (not used), then pieces: one byte side (bit 0; bit 1: bytes were lost before it), two bytes length,
 * the bytes. A piece is added to its side's stream, and as many messages as there are then are read, as reassembly
 * would have it. At the end both streams end. */
#include "fuzz_fields.h"

#include "proto/protos.h"

enum { STREAM_MAX = 1 << 18, ARENA_MAX = 4 << 20, SIDES = 2 };

static const struct proto *fuzzed;

struct side {
    uint8_t *bytes; /* exactly the bytes that are there, so that a sanitizer sees a read behind them */
    size_t n;
    bool lost; /* the framing is */
};

static bool op_next(struct decode *d, enum proto_table table, uint32_t key, struct slice in) {
    (void)d, (void)table, (void)key, (void)in;
    return false;
}
static void op_call(struct decode *d, const struct proto *p, struct slice in) {
    if (p->read && d->nesting < 4) {
        d->nesting++;
        p->read(d, in);
        d->nesting--;
    }
}
static const struct decode_ops ops = {.next = op_next, .call = op_call};

static void side_add(struct side *s, struct slice in) {
    uint8_t *grown = malloc(s->n + in.n ? s->n + in.n : 1);
    if (!grown) abort();
    if (s->n) memcpy(grown, s->bytes, s->n);
    if (in.n) memcpy(grown + s->n, in.p, in.n);
    free(s->bytes);
    s->bytes = grown;
    s->n += in.n;
}

static void side_drop(struct side *s, size_t n) {
    struct side rest = {.lost = s->lost};
    side_add(&rest, slice_tail(slice_of(s->bytes, s->n), n));
    free(s->bytes);
    *s = rest;
}

/* places_cut does what the driver does at the end of a packet. */
static void places_cut(struct decode *d) {
    if (d->out->bad || d->out->anomalies) fvec_clamp(d->out);
}

/* message_read reads one message and returns how many bytes it took, 0 for none. */
static size_t message_read(struct decode *d, void *state, int from, struct side *s) {
    struct slice in = slice_of(s->bytes, s->n);
    fvec_start(d->out, in);
    arena_reset(d->arena);
    d->layers = 0;
    const struct stream_ops *stream = fuzzed->stream;
    struct read_result r =
        stream->frame ? stream->frame(in) : (struct read_result){.status = READ_OK, .consumed = in.n};
    if (r.status == READ_OK && stream->frame) FUZZ_CHECK(r.consumed > 0 && r.consumed <= in.n);
    if (r.status != READ_MORE)
        r = stream->read(d, state, from, stream->frame && r.status == READ_OK ? slice_head(in, r.consumed) : in);
    switch (r.status) {
    case READ_OK:
        FUZZ_CHECK(r.consumed > 0 && r.consumed <= in.n);
        places_cut(d);
        fuzz_fields(d->out, 0);
        return r.consumed;
    case READ_MORE:
        FUZZ_CHECK(d->out->n == 0);
        FUZZ_CHECK(r.needed == 0 || r.needed > in.n);
        return 0;
    case READ_BAD:
        places_cut(d);
        fuzz_fields(d->out, 0);
        s->lost = true;
        return 0;
    }
    FUZZ_CHECK(!"a status of its own");
    return 0;
}

static void pieces_read(struct decode *d, void *state, struct reader *r, struct side *sides) {
    while (rd_left(r) >= 3) {
        uint8_t how = rd_u8(r);
        int from = how & 1;
        size_t n = rd_be16(r);
        struct side *s = &sides[from];
        struct slice piece = rd_take(r, n < rd_left(r) ? n : rd_left(r));
        if (how & 2) {
            if (fuzzed->stream->lost) fuzzed->stream->lost(state, from);
            side_drop(s, s->n);
        }
        if (s->lost || s->n + piece.n > STREAM_MAX) continue;
        if (fuzzed->stream->probe) (void)fuzzed->stream->probe(piece);
        side_add(s, piece);
        for (size_t took; s->n && !s->lost && (took = message_read(d, state, from, s)) > 0;) side_drop(s, took);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct fvec fields;
    static struct want want;
    struct arena arena = arena_make(ARENA_MAX);
    struct capture_interface iface = {.linktype = 1, .ticks = 1000000};
    struct packet pkt = {.number = 1, .has_ts = true, .iface = &iface};
    struct decode d = {.out = &fields, .arena = &arena, .ops = &ops, .pkt = &pkt};
    struct side sides[SIDES] = {0};
    struct reader r = rd_init(slice_of(data, size), data);
    fuzzed = proto_find(SLICE(FUZZ_PROTO));
    if (!fuzzed) return 0; /* not built in */
    const struct stream_ops *stream = fuzzed->stream;
    void *state = calloc(1, stream->state_size ? stream->state_size : 1);
    if (!state) abort();
    want_all(&want);
    fvec_make(&fields, &want);
    if (stream->start) stream->start(state);
    rd_skip(&r, 1);
    if (rd_ok(&r)) pieces_read(&d, state, &r, sides);
    d.stream_end = true;
    for (int i = 0; i < SIDES; i++)
        if (sides[i].n && !sides[i].lost) (void)message_read(&d, state, i, &sides[i]);
    if (stream->end) stream->end(state);
    for (int i = 0; i < SIDES; i++) free(sides[i].bytes);
    free(state);
    fvec_free(&fields);
    arena_free(&arena);
    return 0;
}
