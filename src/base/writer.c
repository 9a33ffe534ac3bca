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

static const char pairs[] = "00010203040506070809101112131415161718192021222324252627282930313233343536373839404142434445464748495051"
                            "52535455565758596061626364656667686970717273747576777879808182838485868788899091929394959697989"
                            "9";

static int digits_of(uint64_t v) {
    for (int n = 0;; n += 4, v /= 10000) {
        if (v < 10) return n + 1;
        if (v < 100) return n + 2;
        if (v < 1000) return n + 3;
        if (v < 10000) return n + 4;
    }
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

/* short_put writes v, below 10^8, with at least `least` digits, of 1 to 8; eight bytes must fit. */
static void short_put(struct writer *w, uint32_t v, unsigned least) {
    uint64_t digits = eight_digits(v), text;
    unsigned blank = (unsigned)__builtin_ctzll(digits | 1ull << 8 * (8 - least)) / 8;
    text = htole64((digits + 0x3030303030303030) >> 8 * blank);
    memcpy(w->p, &text, sizeof text);
    w->p += 8 - blank;
}

static bool is_short(const struct writer *w, uint64_t v) { return v < 100000000 && w->end - w->p >= 8; }

/* number_put writes v with n digits, where they are to stand: what is written in pieces and copied soon after makes the
 * processor wait. */
static void number_put(struct writer *w, uint64_t v, int n) {
    char tmp[20];
    bool fits = w->end - w->p >= n;
    char *begin = fits ? w->p : tmp, *q = begin + n;
    for (; q - begin >= 2; v /= 100) {
        q -= 2;
        memcpy(q, pairs + 2 * (v % 100), 2);
    }
    if (q > begin) *begin = (char)('0' + v % 10);
    if (fits) w->p += n;
    else wr_bytes(w, tmp, (size_t)n);
}

void wr_u(struct writer *w, uint64_t v) {
    if (__builtin_expect(is_short(w, v), 1)) short_put(w, (uint32_t)v, 1);
    else number_put(w, v, digits_of(v));
}

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

void wr_uz(struct writer *w, uint64_t v, int digits) {
    if (digits > 0 && digits <= 8 && is_short(w, v)) {
        short_put(w, (uint32_t)v, (unsigned)digits);
        return;
    }
    int n = digits_of(v);
    number_put(w, v, n > digits ? n : digits < 20 ? digits : 20);
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
