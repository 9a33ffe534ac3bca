/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_BASE_SLICE_H
#define WEIR_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* slice is a view of n bytes at p: passed by value, never owns, never NUL-terminated. */
struct slice {
    const uint8_t *p;
    size_t n;
};

#define SLICE(lit) ((struct slice){(const uint8_t *)(lit), sizeof(lit) - 1})

/* slice_of returns a view of n bytes at p. */
static inline struct slice slice_of(const void *p, size_t n) { return (struct slice){(const uint8_t *)p, n}; }

/* slice_str returns a view of a C string without its NUL; NULL gives the empty slice. */
static inline struct slice slice_str(const char *s) { return slice_of(s, s ? strlen(s) : 0); }

/* slice_head returns the first n bytes of s, or all of it where it is shorter. */
static inline struct slice slice_head(struct slice s, size_t n) { return (struct slice){s.p, n < s.n ? n : s.n}; }

/* slice_tail returns s without its first n bytes, empty where it is shorter. */
static inline struct slice slice_tail(struct slice s, size_t n) {
    if (n >= s.n) return (struct slice){s.n ? s.p + s.n : s.p, 0};
    return (struct slice){s.p + n, s.n - n};
}

static inline bool slice_eq(struct slice a, struct slice b) {
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* slice_starts tells whether s begins with the bytes of head. */
static inline bool slice_starts(struct slice s, struct slice head) {
    return s.n >= head.n && (head.n == 0 || memcmp(s.p, head.p, head.n) == 0);
}

/* ascii_lower returns the small letter of a capital one of ASCII, and any other byte as it is. */
static inline uint8_t ascii_lower(uint8_t c) { return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c; }

/* slice_alike compares without regard to the case of ASCII letters. */
static inline bool slice_alike(struct slice a, struct slice b) {
    if (a.n != b.n) return false;
    for (size_t i = 0; i < a.n; i++)
        if (ascii_lower(a.p[i]) != ascii_lower(b.p[i])) return false;
    return true;
}

/* slice_holds: `what`, not empty, stands somewhere in s. */
static inline bool slice_holds(struct slice s, struct slice what) {
    return s.n >= what.n && memmem(s.p, s.n, what.p, what.n);
}

#endif
