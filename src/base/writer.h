/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_BASE_WRITER_H
#define WEIR_BASE_WRITER_H

#include "base/slice.h"

#include <endian.h>

/* writer collects text or bytes in a buffer of its caller or of its own.
 *
 * When the buffer is full it is handed to `flush` where there is one, or grown where it is owned, or the
 * writer goes into its sticky error state and drops the rest. */
struct writer {
    char *p;   /* next free byte */
    char *end; /* end of the buffer */
    char *buf;
    int (*flush)(void *to, struct slice bytes); /* returns 0 or a negative code */
    void *to;
    bool grows;
    int err; /* first error, sticky */
};

/* wr_fixed returns a writer into a buffer of the caller; what does not fit is dropped and err is set. */
struct writer wr_fixed(void *buf, size_t n);
/* wr_sink returns a writer into buf that hands full buffers to flush. */
struct writer wr_sink(void *buf, size_t n, int (*flush)(void *to, struct slice bytes), void *to);
/* wr_grow returns a writer that owns a growing buffer; wr_free releases it. */
struct writer wr_grow(void);
void wr_free(struct writer *w);

/* wr_flush hands everything collected to the sink and returns the first error so far. */
int wr_flush(struct writer *w);
/* wr_room makes room for n more bytes where it can and tells whether they fit. */
bool wr_room(struct writer *w, size_t n);

/* wr_done returns what was collected and not flushed. */
static inline struct slice wr_done(const struct writer *w) { return slice_of(w->buf, (size_t)(w->p - w->buf)); }
static inline size_t wr_len(const struct writer *w) { return (size_t)(w->p - w->buf); }
static inline void wr_reset(struct writer *w) { w->p = w->buf; }

static inline bool wr_fits(struct writer *w, size_t n) {
    return __builtin_expect((size_t)(w->end - w->p) >= n, 1) || wr_room(w, n);
}

static inline void wr_c(struct writer *w, char c) {
    if (wr_fits(w, 1)) *w->p++ = c;
}
/* wr_bytes appends n bytes, in pieces where the sink's buffer is smaller. */
void wr_bytes_slow(struct writer *w, const void *p, size_t n);
static inline void wr_bytes(struct writer *w, const void *p, size_t n) {
    if (__builtin_expect((size_t)(w->end - w->p) >= n, 1)) {
        if (!n) return; /* a writer that has no buffer yet has nowhere to point */
        memcpy(w->p, p, n);
        w->p += n;
    } else {
        wr_bytes_slow(w, p, n);
    }
}
static inline void wr_s(struct writer *w, const char *s) { wr_bytes(w, s, strlen(s)); }
static inline void wr_slice(struct writer *w, struct slice s) { wr_bytes(w, s.p, s.n); }

/* wr_u appends an unsigned number in decimal. */
void wr_u(struct writer *w, uint64_t v);
/* wr_i appends a signed number in decimal. */
void wr_i(struct writer *w, int64_t v);
/* wr_hex appends v in lower-case hexadecimal with at least `digits` digits. */
void wr_hex(struct writer *w, uint64_t v, int digits);
/* wr_uz appends v in decimal, left-padded with zeros to `digits`. */
void wr_uz(struct writer *w, uint64_t v, int digits);
/* wr_number and wr_hexnumber append a number between two texts; where these are constants that is much faster than
 * wr_f. */
static inline void wr_number(struct writer *w, const char *before, uint64_t v, const char *after) {
    wr_s(w, before);
    wr_u(w, v);
    wr_s(w, after);
}
static inline void wr_hexnumber(struct writer *w, const char *before, uint64_t v, int digits, const char *after) {
    wr_s(w, before);
    wr_hex(w, v, digits);
    wr_s(w, after);
}
/* wr_hexbytes appends the bytes of s in hexadecimal with sep between them (0 for none). */
void wr_hexbytes(struct writer *w, struct slice s, char sep);
/* wr_spaces appends n spaces. */
void wr_spaces_slow(struct writer *w, size_t n);
static inline void wr_spaces(struct writer *w, size_t n) {
    enum { USUAL = 32 }; /* what is written behind them does not count */
    if (n > USUAL || w->end - w->p < USUAL) {
        wr_spaces_slow(w, n);
    } else {
        memset(w->p, ' ', USUAL);
        w->p += n;
    }
}

/* Text of many short pieces is put at a place p that has room for all of it, and the writer is told once: what is kept
 * in memory from piece to piece makes each one wait for the one before. Each function returns the end. */
enum { PUT_ROOM = 32 }; /* a number's digits, and what is written behind them in passing */
extern const uint32_t wr_triples[1000];
/* put_long puts an unsigned number, put_u one that is mostly below 10^6. */
char *put_long(char *p, uint64_t v);
static inline char *put_u(char *p, uint64_t v) {
    if (__builtin_expect(v >= 1000000, 0)) return put_long(p, v);
    /* How many digits the next one has cannot be foretold, so there is no branch on it: those that count are shifted to
     * the front. */
    uint64_t digits = wr_triples[v / 1000] | (uint64_t)wr_triples[v % 1000] << 24;
    unsigned zeros = (unsigned)__builtin_ctzll((digits & 0x0f0f0f0f0f0f) | 1ull << 40) / 8;
    digits = htole64(digits >> 8 * zeros);
    memcpy(p, &digits, sizeof digits);
    return p + 6 - zeros;
}
/* put_triple puts the three digits of a number below 1000, and a byte behind them. */
static inline char *put_triple(char *p, uint64_t v) {
    uint32_t digits = htole32(wr_triples[v]);
    memcpy(p, &digits, sizeof digits);
    return p + 3;
}
static inline char *put_s(char *p, const char *s) {
    size_t n = strlen(s);
    memcpy(p, s, n);
    return p + n;
}
/* put_at returns where n bytes can be put: in the writer's own buffer, or in `room`, which has as many, where it has
 * less. put_done takes what was put there up to p. */
static inline char *put_at(const struct writer *w, char *room, size_t n) {
    return (size_t)(w->end - w->p) >= n ? w->p : room;
}
static inline void put_done(struct writer *w, const char *room, const char *from, char *p) {
    if (from == room) wr_bytes(w, from, (size_t)(p - from));
    else w->p = p;
}

/* wr_f appends formatted text (printf); for rare text, not for the hot path. */
void wr_f(struct writer *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* plural returns `one` where n is 1, else `many`: a word, or a template where more of it changes. */
const char *plural(uint64_t n, const char *one, const char *many) __attribute__((format_arg(2), format_arg(3)));

#endif
