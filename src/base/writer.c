/* SPDX-License-Identifier: Apache-2.0 */
#include "base/writer.h"

#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct writer wr_fixed(void *buf, size_t n) {
    return (struct writer){.p = buf, .buf = buf, .end = (char *)buf + n};
}

struct writer wr_sink(void *buf, size_t n, int (*flush)(void *to, struct slice bytes), void *to) {
    return (struct writer){.p = buf, .buf = buf, .end = (char *)buf + n, .flush = flush, .to = to};
}

struct writer wr_grow(void) {
    return (struct writer){.grows = true};
}

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

/* The three digits of every number below 1000, the first one in the lowest byte. */
const uint32_t wr_triples[1000] = {
#define ONE(h, t, u) (uint32_t)(h) | (uint32_t)(t) << 8 | (uint32_t)(u) << 16
#define TEN(h, t)                                                                                                      \
    ONE(h, t, '0'), ONE(h, t, '1'), ONE(h, t, '2'), ONE(h, t, '3'), ONE(h, t, '4'), ONE(h, t, '5'), ONE(h, t, '6'),    \
        ONE(h, t, '7'), ONE(h, t, '8'), ONE(h, t, '9')
#define HUNDRED(h)                                                                                                     \
    TEN(h, '0'), TEN(h, '1'), TEN(h, '2'), TEN(h, '3'), TEN(h, '4'), TEN(h, '5'), TEN(h, '6'), TEN(h, '7'),            \
        TEN(h, '8'), TEN(h, '9')
    HUNDRED('0'), HUNDRED('1'), HUNDRED('2'), HUNDRED('3'), HUNDRED('4'),
    HUNDRED('5'), HUNDRED('6'), HUNDRED('7'), HUNDRED('8'), HUNDRED('9'),
#undef ONE
#undef TEN
#undef HUNDRED
};

char *put_long(char *p, uint64_t v) { return put_triple(put_triple(put_u(p, v / 1000000), v / 1000 % 1000), v % 1000); }

void wr_u(struct writer *w, uint64_t v) {
    char room[PUT_ROOM], *at = put_at(w, room, PUT_ROOM);
    put_done(w, room, at, put_u(at, v));
}

void wr_uz(struct writer *w, uint64_t v, int digits) {
    char tmp[PUT_ROOM];
    if (digits < 2) {
        wr_u(w, v);
        return;
    }
    int n = (int)(put_u(tmp, v) - tmp);
    for (int zeros = (digits < 20 ? digits : 20) - n; zeros > 0; zeros--) wr_c(w, '0');
    wr_bytes(w, tmp, (size_t)n);
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
    bool room = w->end - w->p >= (ptrdiff_t)sizeof tmp;
    char *p = room ? w->p : tmp;
    int n = (67 - __builtin_clzll(v | 1)) / 4;
    if (n < digits) n = digits < 16 ? digits : 16;
    for (int i = n - 1; i >= 0; i--, v >>= 4) p[i] = hexdigits[v & 15];
    if (room) w->p += n;
    else wr_bytes(w, tmp, (size_t)n);
}

/* letters is what a nibble's digit lies behind '0' more than the nibble says. */
static int letters(int nibble) { return ((nibble + 6) >> 4) * ('a' - '9' - 1); }

/* digits_put writes two digits for every byte at p and returns the end. There is neither table nor branch in it, so
 * that the compiler can make many at a time. */
static char *digits_put(char *p, struct slice s) {
    for (size_t i = 0; i < s.n; i++) {
        int high = s.p[i] >> 4, low = s.p[i] & 15;
        p[2 * i] = (char)('0' + high + letters(high));
        p[2 * i + 1] = (char)('0' + low + letters(low));
    }
    return p + 2 * s.n;
}

static char *digits_parted(char *p, struct slice s, char sep) {
    for (size_t i = 0; i < s.n; i++) {
        *p++ = hexdigits[s.p[i] >> 4];
        *p++ = hexdigits[s.p[i] & 15];
        *p++ = sep;
    }
    return p;
}

void wr_hexbytes(struct writer *w, struct slice s, char sep) {
    enum { PIECE = 64 };
    char text[3 * PIECE];
    while (s.n) {
        struct slice piece = slice_head(s, PIECE);
        char *end = sep ? digits_parted(text, piece, sep) : digits_put(text, piece);
        s = slice_tail(s, piece.n);
        if (sep && !s.n) end--; /* between them, not behind the last */
        wr_bytes(w, text, (size_t)(end - text));
    }
}

void wr_spaces_slow(struct writer *w, size_t n) {
    static const char blanks[] = "                                ";
    for (size_t part; n; n -= part) {
        part = n < sizeof blanks - 1 ? n : sizeof blanks - 1;
        wr_bytes(w, blanks, part);
    }
}

/* formatted writes what printf would. */
static void formatted(struct writer *w, const char *fmt, va_list ap) {
    char small[256];
    va_list again;
    va_copy(again, ap);
    int n = vsnprintf(small, sizeof small, fmt, ap);
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

/* Of printf's conversions %s, %u and %x, also of long long and with leading zeros, are done here, as they are nearly
 * all there are and printf takes its time; from the first other one on it is asked. */
void wr_f(struct writer *w, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    for (;;) {
        const char *percent = strchrnul(fmt, '%'), *p = percent + 1;
        wr_bytes(w, fmt, (size_t)(percent - fmt));
        fmt = percent;
        if (!*fmt) break;
        int zeros = 1;
        if (p[0] == '0' && p[1] >= '1' && p[1] <= '9') {
            zeros = p[1] - '0';
            p += 2;
        }
        bool wide = p[0] == 'l' && p[1] == 'l';
        if (wide) p += 2;
        if (*p == 's' && p == percent + 1) {
            const char *s = va_arg(ap, const char *);
            wr_s(w, s ? s : "(null)");
        } else if (*p == 'u') wr_uz(w, wide ? va_arg(ap, unsigned long long) : va_arg(ap, unsigned), zeros);
        else if (*p == 'x') wr_hex(w, wide ? va_arg(ap, unsigned long long) : va_arg(ap, unsigned), zeros);
        else break;
        fmt = p + 1;
    }
    if (*fmt) formatted(w, fmt, ap);
    va_end(ap);
}

const char *plural(uint64_t n, const char *one, const char *many) { return n == 1 ? one : many; }
