/* SPDX-License-Identifier: Apache-2.0 */
#include "base/writer.h"

#include "base/err.h"

#include <endian.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct writer wr_fixed(void *buf, size_t n) {
    return (struct writer){.p = buf, .buf = buf, .end = (char *)buf + n};
}

struct writer wr_sink(void *buf, size_t n, int (*flush)(void *to, struct slice bytes), void *to) {
    return (struct writer){.p = buf, .buf = buf, .end = (char *)buf + n, .flush = flush, .to = to};
}

struct writer wr_grow(void) { return (struct writer){.grows = true}; }

void wr_free(struct writer *w) {
    if (w->grows) free(w->buf);
    *w = (struct writer){0};
}

int wr_flush(struct writer *w) {
    if (w->flush && w->p > w->buf) {
        int rc = w->err ? w->err : w->flush(w->to, wr_done(w));
        if (rc && !w->err) w->err = rc;
        w->p = w->buf;
    }
    return w->err;
}

bool wr_room(struct writer *w, size_t n) {
    if (w->flush) {
        wr_flush(w);
    } else if (w->grows) {
        size_t len = wr_len(w), cap = (size_t)(w->end - w->buf);
        size_t want = cap ? cap : 256;
        while (want - len < n) want *= 2;
        char *buf = realloc(w->buf, want);
        if (buf) {
            w->buf = buf;
            w->p = buf + len;
            w->end = buf + want;
        }
    }
    if ((size_t)(w->end - w->p) >= n) return true;
    if (!w->err) w->err = w->grows ? ERR_NOMEM : ERR_LIMIT;
    return false;
}

void wr_bytes_slow(struct writer *w, const void *p, size_t n) {
    const char *from = p;
    if (w->flush) {
        size_t cap = (size_t)(w->end - w->buf);
        while (n > cap) {
            size_t part = (size_t)(w->end - w->p);
            memcpy(w->p, from, part);
            w->p += part;
            from += part;
            n -= part;
            wr_flush(w);
        }
    } else if (!w->grows && (size_t)(w->end - w->p) < n) {
        size_t part = (size_t)(w->end - w->p);
        memcpy(w->p, from, part);
        w->p += part;
        w->err = w->err ? w->err : ERR_LIMIT;
        return;
    }
    if (!n || !wr_fits(w, n)) return;
    memcpy(w->p, from, n);
    w->p += n;
}

/* eight_digits returns the digits of a number below 10^8, the first one in the lowest byte: halves, quarters and eighths
 * are worked out side by side, without a branch that the next number could take the other way. */
static uint64_t eight_digits(uint32_t v) {
    uint64_t x = v / 10000 | (uint64_t)(v % 10000) << 32;
    uint64_t hundreds = (x * 10486 >> 20) & 0x0000007f0000007f; /* 10486 / 2^20 is 1/100 for what is below 10000 */
    x = hundreds | (x - 100 * hundreds) << 16;
    uint64_t tens = (x * 103 >> 10) & 0x000f000f000f000f; /* 103 / 2^10 is 1/10 for what is below 100 */
    return tens | (x - 10 * tens) << 8;
}

enum { EIGHT = 100000000, NUMBER_ROOM = 32 }; /* what number_put may write to is a little more than what it writes */

/* number_put writes v with at least `least` digits, 1 to 20, at p and returns the end. */
static char *number_put(char *p, uint64_t v, unsigned least) {
    if (v >= EIGHT || least > 8) {
        uint64_t high = v / EIGHT;
        if (high < 10 && least <= 9) *p++ = (char)('0' + high); /* nanoseconds have nine digits */
        else p = number_put(p, high, least > 8 ? least - 8 : 1);
        v %= EIGHT;
        least = 8;
    }
    uint64_t digits = eight_digits((uint32_t)v);
    unsigned blank = (unsigned)__builtin_ctzll(digits | 1ull << 8 * (8 - least)) / 8;
    uint64_t text = htole64((digits + 0x3030303030303030) >> 8 * blank);
    memcpy(p, &text, sizeof text);
    return p + 8 - blank;
}

static inline void number_write(struct writer *w, uint64_t v, unsigned least) {
    char tmp[NUMBER_ROOM];
    if (w->end - w->p >= NUMBER_ROOM) w->p = number_put(w->p, v, least);
    else wr_bytes(w, tmp, (size_t)(number_put(tmp, v, least) - tmp));
}

void wr_uz(struct writer *w, uint64_t v, int digits) { number_write(w, v, digits < 1 ? 1 : digits > 20 ? 20 : (unsigned)digits); }

void wr_u(struct writer *w, uint64_t v) { number_write(w, v, 1); }

void wr_i(struct writer *w, int64_t v) {
    if (v < 0) {
        wr_c(w, '-');
        wr_u(w, -(uint64_t)v);
    } else {
        wr_u(w, (uint64_t)v);
    }
}

static const char hexdigits[] = "0123456789abcdef";

void wr_hex(struct writer *w, uint64_t v, int digits) {
    char tmp[16];
    int n = 0;
    do {
        tmp[15 - n++] = hexdigits[v & 15];
        v >>= 4;
    } while (v);
    while (n < digits && n < 16) tmp[15 - n++] = '0';
    wr_bytes(w, tmp + 16 - n, (size_t)n);
}

void wr_hexbytes(struct writer *w, struct slice s, char sep) {
    for (size_t i = 0; i < s.n; i++) {
        char tmp[3] = {hexdigits[s.p[i] >> 4], hexdigits[s.p[i] & 15], sep};
        wr_bytes(w, tmp, sep && i + 1 < s.n ? 3 : 2);
    }
}

void wr_spaces(struct writer *w, size_t n) {
    static const char blanks[] = "                                ";
    while (n) {
        size_t part = n < sizeof blanks - 1 ? n : sizeof blanks - 1;
        wr_bytes(w, blanks, part);
        n -= part;
    }
}

void wr_f(struct writer *w, const char *fmt, ...) {
    char small[256];
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(small, sizeof small, fmt, ap);
    va_end(ap);
    if (n >= (int)sizeof small) {
        char *big = malloc((size_t)n + 1);
        if (big) {
            vsnprintf(big, (size_t)n + 1, fmt, again);
            wr_bytes(w, big, (size_t)n);
            free(big);
        } else {
            w->err = w->err ? w->err : ERR_NOMEM;
        }
    } else if (n > 0) {
        wr_bytes(w, small, (size_t)n);
    }
    va_end(again);
}
