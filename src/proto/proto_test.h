/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_PROTO_TEST_H
#define WEIR_PROTO_TEST_H

#include <stdio.h>
#include <stdlib.h>

#include "field/print.h"
#include "proto/proto.h"

/* What unit tests of decoders need: bytes from hex, a decode without a driver, a look at the fields. */

static int test_failures;

/* CHECK says a sentence that must be true. */
#define CHECK(true_thing, ...)                                                                                         \
    do {                                                                                                               \
        if (!(true_thing)) {                                                                                           \
            fprintf(stderr, "%s:%d: not so: ", __FILE__, __LINE__);                                                    \
            fprintf(stderr, __VA_ARGS__);                                                                              \
            fputc('\n', stderr);                                                                                       \
            test_failures++;                                                                                           \
        }                                                                                                              \
    } while (0)

/* bench is a decode context over one source. */
struct bench {
    struct want want;
    struct fvec v;
    struct arena arena;
    struct decode d;
    struct packet pkt;
};

static inline void bench_make(struct bench *b) {
    memset(b, 0, sizeof *b);
    want_all(&b->want);
    fvec_make(&b->v, &b->want);
    b->arena = arena_make(1 << 20);
}
/* bench_start begins a packet of the given bytes. */
static inline void bench_start(struct bench *b, struct slice bytes) {
    fvec_start(&b->v, bytes);
    arena_reset(&b->arena);
    b->pkt.number++;
    b->d = (struct decode){.out = &b->v, .arena = &b->arena, .pkt = &b->pkt};
}
static inline void bench_free(struct bench *b) {
    fvec_free(&b->v);
    arena_free(&b->arena);
}

/* bench_find returns the nth value (from 0) of a field, or NULL. */
static inline const struct fval *bench_find(const struct bench *b, uint16_t id, unsigned nth) {
    for (uint32_t i = 0; i < b->v.n; i++)
        if (b->v.v[i].id == id && nth-- == 0) return &b->v.v[i];
    return NULL;
}
static inline bool bench_is(const struct bench *b, uint16_t id, unsigned nth, uint64_t value) {
    const struct fval *f = bench_find(b, id, nth);
    return f && f->u == value;
}
static inline bool bench_says(const struct bench *b, uint16_t id, unsigned nth, const char *text) {
    const struct fval *f = bench_find(b, id, nth);
    return f && slice_eq(f->s, slice_str(text));
}

/* unhex returns exactly as many heap bytes as the hex digits say, so that a read past them is found; spaces do not
 * count, 'text' between quotes stands for itself. The caller frees .p. */
static inline struct slice unhex(const char *hex) {
    uint8_t *p = malloc(strlen(hex) + 1), *out;
    size_t n = 0;
    while (*hex) {
        if (*hex == ' ') {
            hex++;
        } else if (*hex == '\'') {
            for (hex++; *hex && *hex != '\''; hex++) p[n++] = (uint8_t)*hex;
            if (*hex) hex++;
        } else {
            char pair[3] = {hex[0], hex[1], 0};
            p[n++] = (uint8_t)strtoul(pair, NULL, 16);
            hex += hex[1] ? 2 : 1;
        }
    }
    out = malloc(n ? n : 1);
    memcpy(out, p, n);
    free(p);
    return slice_of(out, n);
}

#endif
