/* SPDX-License-Identifier: Apache-2.0 */
/* Transformations that undo an encoding. Their corner cases are those of libmodsecurity 3.0.9, bytes for bytes: rules
 * are written and tested against them. Each writes to `out` (tfn_room says how much) and returns the length. */
#include "base/hex.h"
#include "guard/rules/text.h"
#include "guard/rules/transform.h"

/* A pair of characters as a byte, also where they are no hexadecimal digits. */
static uint8_t loose_digit(uint8_t c) { return (uint8_t)(c >= 'A' ? (c & 0xdf) - 'A' + 10 : c - '0'); }
static uint8_t loose_byte(const uint8_t *p) { return (uint8_t)(loose_digit(p[0]) * 16 + loose_digit(p[1])); }
static bool octal(uint8_t c) { return c >= '0' && c <= '7'; }
static bool hexes(struct slice in, size_t from, size_t n) {
    if (from + n > in.n) return false;
    for (size_t i = 0; i < n; i++)
        if (hex_digit(in.p[from + i]) < 0) return false;
    return true;
}
/* Full-width forms (U+FF01 to U+FF5E) stand for ASCII. */
static uint8_t narrowed(uint8_t low, uint8_t h1, uint8_t h2) {
    return low > 0 && low < 0x5f && ascii_lower(h1) == 'f' && ascii_lower(h2) == 'f' ? (uint8_t)(low + 0x20) : low;
}

/* entity_number reads the digits at `at`; the value saturates as strtol's does. */
static size_t entity_number(struct slice in, size_t at, unsigned base, uint8_t *value) {
    uint64_t v = 0;
    size_t i = at;
    for (; i < in.n; i++) {
        int d = hex_digit(in.p[i]);
        if (d < 0 || (unsigned)d >= base) break;
        v = v > (uint64_t)INT64_MAX / base ? INT64_MAX : v * base + (unsigned)d;
        if (v > INT64_MAX) v = INT64_MAX;
    }
    *value = (uint8_t)v;
    return i - at;
}

static int entity_name(struct slice name) {
    static const struct {
        const char *name;
        uint8_t c;
    } known[] = {{"quot", '"'}, {"amp", '&'}, {"lt", '<'}, {"gt", '>'}, {"nbsp", 160}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (s_is(name, known[i].name)) return known[i].c;
    return -1;
}

/* entity reads what follows an ampersand. It returns the length with the ampersand and the semicolon and the character,
 * or 0 and in *plain how many bytes are taken over as they are. */
static size_t entity(struct slice in, uint8_t *c, size_t *plain) {
    size_t digits, n = 1;
    *plain = 1;
    if (in.n < 2) return 0;
    if (in.p[1] == '#') {
        bool hex = in.n > 2 && ascii_lower(in.p[2]) == 'x';
        *plain = hex ? 3 : 2;
        n = hex ? 3 : 2;
        digits = entity_number(in, n, hex ? 16 : 10, c);
        if (!digits) return 0;
        n += digits;
    } else {
        while (n < in.n && (hex_digit(in.p[n]) >= 0 || (ascii_lower(in.p[n]) >= 'g' && ascii_lower(in.p[n]) <= 'z')))
            n++;
        if (n == 1) return 0;
        int known = entity_name(slice_of(in.p + 1, n - 1));
        if (known < 0) return *plain = n, 0;
        *c = (uint8_t)known;
    }
    return n < in.n && in.p[n] == ';' ? n + 1 : n;
}

size_t tfn_html(struct slice in, uint8_t *out) {
    uint8_t *d = out;
    for (size_t i = 0, n; i < in.n;) {
        size_t plain = 1;
        if (in.p[i] == '&' && (n = entity(slice_tail(in, i), d, &plain)) > 0) {
            d++;
            i += n;
            continue;
        }
        for (; plain && i < in.n; plain--) *d++ = in.p[i++];
    }
    return (size_t)(d - out);
}

static uint8_t letter_escape(uint8_t c) {
    switch (c) {
    case 'a': return '\a';
    case 'b': return '\b';
    case 'f': return '\f';
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    case 'v': return '\v';
    }
    return c;
}

/* octal_escape reads up to three digits; a value past one byte leaves the third out where `fits` is asked for. */
static size_t octal_escape(struct slice in, size_t at, bool fits, uint8_t *value) {
    unsigned v = 0;
    size_t n = 0;
    while (n < 3 && at + n < in.n && octal(in.p[at + n])) n++;
    if (fits && n == 3 && in.p[at] > '3') n = 2;
    for (size_t i = 0; i < n; i++) v = v * 8 + (in.p[at + i] - '0');
    *value = (uint8_t)v;
    return n;
}

size_t tfn_js(struct slice in, uint8_t *out) {
    uint8_t *d = out;
    for (size_t i = 0; i < in.n;) {
        const uint8_t *p = in.p + i;
        size_t left = in.n - i;
        if (p[0] != '\\' || left < 2) {
            *d++ = p[0];
            i++;
        } else if (p[1] == 'u' && hexes(in, i + 2, 4)) {
            *d++ = narrowed(loose_byte(p + 4), p[2], p[3]);
            i += 6;
        } else if (p[1] == 'x' && hexes(in, i + 2, 2)) {
            *d++ = loose_byte(p + 2);
            i += 4;
        } else if (octal(p[1])) {
            i += 1 + octal_escape(in, i + 1, true, d++);
        } else {
            *d++ = letter_escape(p[1]);
            i += 2;
        }
    }
    return (size_t)(d - out);
}

/* css_hex decodes the 1 to 6 hexadecimal digits at p: the last two count, after a check for full-width forms. */
static uint8_t css_hex(const uint8_t *p, size_t n) {
    if (n == 1) return loose_digit(p[0]);
    uint8_t c = loose_byte(p + n - 2);
    bool wide = n == 4 || (n == 5 && p[0] == '0') || (n == 6 && p[0] == '0' && p[1] == '0');
    return wide ? narrowed(c, p[n - 3], p[n - 4]) : c;
}

size_t tfn_css(struct slice in, uint8_t *out) {
    uint8_t *d = out;
    for (size_t i = 0; i < in.n;) {
        if (in.p[i] != '\\') {
            *d++ = in.p[i++];
            continue;
        }
        if (++i >= in.n) break;
        size_t n = 0;
        while (n < 6 && i + n < in.n && hex_digit(in.p[i + n]) >= 0) n++;
        if (n) {
            *d++ = css_hex(in.p + i, n);
            i += n;
            if (i < in.n && c_space(in.p[i])) i++;
        } else if (in.p[i] == '\n') {
            i++;
        } else {
            *d++ = in.p[i++];
        }
    }
    /* What follows a NUL is not seen. */
    const uint8_t *nul = d > out ? memchr(out, 0, (size_t)(d - out)) : NULL;
    return nul ? (size_t)(nul - out) : (size_t)(d - out);
}

size_t tfn_escape(struct slice in, uint8_t *out) {
    uint8_t *d = out;
    for (size_t i = 0; i < in.n;) {
        const uint8_t *p = in.p + i;
        if (p[0] != '\\' || in.n - i < 2) {
            *d++ = p[0];
            i++;
        } else if (ascii_lower(p[1]) == 'x' && hexes(in, i + 2, 2)) {
            *d++ = loose_byte(p + 2);
            i += 4;
        } else if (octal(p[1])) {
            i += 1 + octal_escape(in, i + 1, false, d++);
        } else {
            *d++ = letter_escape(p[1]);
            i += 2;
        }
    }
    return (size_t)(d - out);
}

size_t tfn_url(struct slice in, uint8_t *out) {
    uint8_t *d = out;
    for (size_t i = 0; i < in.n;) {
        if (in.p[i] == '%' && hexes(in, i + 1, 2)) {
            *d++ = loose_byte(in.p + i + 1);
            i += 3;
        } else {
            *d++ = in.p[i] == '+' ? ' ' : in.p[i];
            i++;
        }
    }
    return (size_t)(d - out);
}

static uint8_t url_unicode(const uint8_t *p, const int16_t *map) {
    unsigned code = (unsigned)hex_digit(p[0]) << 12 | (unsigned)hex_digit(p[1]) << 8 | (unsigned)hex_digit(p[2]) << 4 |
                    (unsigned)hex_digit(p[3]);
    if (map && map[code] >= 0) return (uint8_t)map[code];
    return narrowed((uint8_t)code, p[0], p[1]);
}

size_t tfn_url_uni(struct slice in, const int16_t *map, uint8_t *out) {
    uint8_t *d = out;
    for (size_t i = 0; i < in.n;) {
        if (in.p[i] == '%' && i + 1 < in.n && ascii_lower(in.p[i + 1]) == 'u') {
            if (hexes(in, i + 2, 4)) {
                *d++ = url_unicode(in.p + i + 2, map);
                i += 6;
            } else {
                *d++ = in.p[i++];
                *d++ = in.p[i++];
            }
        } else if (in.p[i] == '%' && hexes(in, i + 1, 2)) {
            *d++ = loose_byte(in.p + i + 1);
            i += 3;
        } else {
            *d++ = in.p[i] == '+' ? ' ' : in.p[i];
            i++;
        }
    }
    return (size_t)(d - out);
}

static uint8_t *put_unicode(uint8_t *d, uint32_t code) {
    static const char digits[] = "0123456789abcdef";
    int n = 4;
    while (n < 6 && code >> (4 * n)) n++;
    *d++ = '%';
    *d++ = 'u';
    while (n--) *d++ = (uint8_t)digits[code >> (4 * n) & 15];
    return d;
}

/* A sequence of 2 to 4 bytes becomes %uXXXX; a broken one is left out, one that is too long or a surrogate is followed
 * by its first byte, a first byte past U+10FFFF stands before it. NUL bytes vanish. */
size_t tfn_utf8(struct slice in, uint8_t *out) {
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    uint8_t *d = out;
    for (size_t i = 0; i < in.n;) {
        uint8_t c = in.p[i];
        unsigned n = c < 0x80 ? 1 : (c & 0xe0) == 0xc0 ? 2 : (c & 0xf0) == 0xe0 ? 3 : (c & 0xf8) == 0xf0 ? 4 : 0;
        if (n < 2) {
            if (c) *d++ = c;
            i++;
            continue;
        }
        if (c >= 0xf5) *d++ = c;
        uint32_t code = c & (0x7fu >> n);
        unsigned have = 1;
        for (; have < n && i + have < in.n && (in.p[i + have] & 0xc0) == 0x80; have++)
            code = code << 6 | (in.p[i + have] & 0x3f);
        if (have < n) {
            i++;
            continue;
        }
        d = put_unicode(d, code);
        if (code >= 0xd800 && code <= 0xdfff) *d++ = c;
        if (code < least[n]) *d++ = c;
        i += n;
    }
    return (size_t)(d - out);
}

/* sql_at gives the byte at i; behind the end there is a NUL. */
static uint8_t sql_at(struct slice in, size_t i) { return i < in.n ? in.p[i] : 0; }

/* 0x4142 becomes AB. As in libmodsecurity the last character is left out and the text ends at a NUL. */
size_t tfn_sql_hex(struct slice in, uint8_t *out) {
    size_t d = 0, i = 0, count = 0;
    for (; ++count < in.n && sql_at(in, i); out[d++] = sql_at(in, i++)) {
        if (in.p[i] != '0' || ascii_lower(sql_at(in, i + 1)) != 'x' || !hexes(in, i + 2, 2)) continue;
        i += 2;
        count += 2;
        for (; hexes(in, i, 2); i += 2, count += 2) out[d++] = loose_byte(in.p + i);
    }
    const uint8_t *nul = d ? memchr(out, 0, d) : NULL;
    return nul ? (size_t)(nul - out) : d;
}

static int base64_digit(uint8_t c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* base64_fit tells whether the text is base64 with line ends between and blanks only before line ends. */
static bool base64_fit(struct slice in) {
    unsigned pads = 0;
    for (size_t i = 0; i < in.n; i++) {
        bool blank = false;
        while (i < in.n && in.p[i] == ' ') i++, blank = true;
        if (i == in.n) break;
        if (in.p[i] == '\n' || (in.p[i] == '\r' && i + 1 < in.n && in.p[i + 1] == '\n')) continue;
        if (blank) return false;
        if (in.p[i] == '=') {
            if (++pads > 2) return false;
        } else if (base64_digit(in.p[i]) < 0 || pads) {
            return false;
        }
    }
    return true;
}

size_t tfn_base64(struct slice in, uint8_t *out) {
    const uint8_t *nul = in.n ? memchr(in.p, 0, in.n) : NULL;
    if (nul) in.n = (size_t)(nul - in.p);
    if (!base64_fit(in)) return 0;
    uint32_t x = 0;
    size_t d = 0;
    unsigned n = 0, whole = 3;
    for (size_t i = 0; i < in.n; i++) {
        if (in.p[i] == '\r' || in.p[i] == '\n' || in.p[i] == ' ') continue;
        if (in.p[i] == '=') whole--;
        int v = base64_digit(in.p[i]);
        x = x << 6 | (v < 0 ? 0 : (unsigned)v);
        if (++n < 4) continue;
        n = 0;
        for (unsigned k = 0; k < whole; k++) out[d++] = (uint8_t)(x >> (16 - 8 * k));
    }
    return d;
}

/* What is no base64 digit is passed over. */
size_t tfn_base64_ext(struct slice in, uint8_t *out) {
    uint32_t x = 0;
    size_t d = 0, n = 0;
    for (size_t i = 0; i < in.n; i++) {
        if (in.p[i] == '=') {
            bool pad_next = i + 1 < in.n && in.p[i + 1] == '=';
            if ((!pad_next || i + 1 == in.n) && n % 4 == 1) return 0;
            continue;
        }
        int v = base64_digit(in.p[i]);
        if (v < 0) continue;
        x = x << 6 | (unsigned)v;
        if (n % 4 == 1) out[d++] = (uint8_t)(x >> 4);
        if (n % 4 == 2) out[d++] = (uint8_t)(x >> 2);
        if (n % 4 == 3) out[d++] = (uint8_t)x;
        n++;
    }
    if (in.n && in.p[in.n - 1] == '=' && n % 4 == 1) return 0;
    return d;
}
