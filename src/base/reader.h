/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_BASE_READER_H
#define WEIR_BASE_READER_H

#include "base/slice.h"

/* reader is a read-only cursor with a sticky error.
 *
 * After the first read past the end every read gives zero and the cursor stands at the end, so a header is
 * straight-line reads with one check. Rule: ask rd_ok before a value is used as a length, a count or a loop
 * bound. A child made by rd_sub cannot run past its parent. `base` is what offsets are counted from. */
struct reader {
    const uint8_t *p;
    const uint8_t *end;
    const uint8_t *base;
    bool err;
};

/* rd_init returns a reader over s whose offsets count from base (which must not lie behind s.p). */
static inline struct reader rd_init(struct slice s, const uint8_t *base) {
    return (struct reader){s.p, s.n ? s.p + s.n : s.p, base, false};
}

static inline bool rd_ok(const struct reader *r) { return !r->err; }

/* rd_left returns the number of bytes not read yet. */
static inline size_t rd_left(const struct reader *r) { return (size_t)(r->end - r->p); }

/* rd_off returns the offset of the cursor from the base. */
static inline uint32_t rd_off(const struct reader *r) { return (uint32_t)(r->p - r->base); }

/* rd_rest returns what is left without moving. */
static inline struct slice rd_rest(const struct reader *r) { return (struct slice){r->p, rd_left(r)}; }

/* rd_fail puts the reader into its error state. */
static inline void rd_fail(struct reader *r) {
    r->p = r->end;
    r->err = true;
}

static inline bool rd_need(struct reader *r, size_t n) {
    if (__builtin_expect(rd_left(r) >= n, 1)) return true;
    rd_fail(r);
    return false;
}

/* rd_take returns the next n bytes, empty after an error. */
static inline struct slice rd_take(struct reader *r, size_t n) {
    if (!rd_need(r, n)) return (struct slice){r->p, 0};
    struct slice s = {r->p, n};
    r->p += n;
    return s;
}

/* rd_sub returns a child reader over the next n bytes and moves past them; on error the child is in error too. */
static inline struct reader rd_sub(struct reader *r, size_t n) {
    struct slice s = rd_take(r, n);
    struct reader sub = rd_init(s, r->base);
    sub.err = r->err;
    return sub;
}

static inline void rd_skip(struct reader *r, size_t n) { (void)rd_take(r, n); }

static inline uint8_t rd_u8(struct reader *r) {
    if (!rd_need(r, 1)) return 0;
    return *r->p++;
}

/* rd_peek returns the byte `at` bytes ahead, or -1 where there is none; it never fails the reader. */
static inline int rd_peek(const struct reader *r, size_t at) { return at < rd_left(r) ? r->p[at] : -1; }

/* load_be16 and its kin read an integer from p, which must have that many bytes. */
static inline uint16_t load_be16(const uint8_t *p) { return (uint16_t)(p[0] << 8 | p[1]); }
static inline uint32_t load_be24(const uint8_t *p) { return (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2]; }
static inline uint32_t load_be32(const uint8_t *p) {
    uint32_t v;
    memcpy(&v, p, 4);
    return __builtin_bswap32(v);
}
static inline uint64_t load_be64(const uint8_t *p) {
    uint64_t v;
    memcpy(&v, p, 8);
    return __builtin_bswap64(v);
}
static inline uint16_t load_le16(const uint8_t *p) { return (uint16_t)(p[1] << 8 | p[0]); }
static inline uint32_t load_le32(const uint8_t *p) {
    uint32_t v;
    memcpy(&v, p, 4);
    return v;
}
static inline uint64_t load_le64(const uint8_t *p) {
    uint64_t v;
    memcpy(&v, p, 8);
    return v;
}
/* load_be reads a big-endian integer of n bytes (0 to 8). */
static inline uint64_t load_be(const uint8_t *p, size_t n) {
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++) v = v << 8 | p[i];
    return v;
}

static inline uint16_t rd_be16(struct reader *r) {
    struct slice s = rd_take(r, 2);
    return s.n ? load_be16(s.p) : 0;
}
static inline uint32_t rd_be24(struct reader *r) {
    struct slice s = rd_take(r, 3);
    return s.n ? load_be24(s.p) : 0;
}
static inline uint32_t rd_be32(struct reader *r) {
    struct slice s = rd_take(r, 4);
    return s.n ? load_be32(s.p) : 0;
}
static inline uint64_t rd_be64(struct reader *r) {
    struct slice s = rd_take(r, 8);
    return s.n ? load_be64(s.p) : 0;
}
static inline uint16_t rd_le16(struct reader *r) {
    struct slice s = rd_take(r, 2);
    return s.n ? load_le16(s.p) : 0;
}
static inline uint32_t rd_le32(struct reader *r) {
    struct slice s = rd_take(r, 4);
    return s.n ? load_le32(s.p) : 0;
}

#endif
