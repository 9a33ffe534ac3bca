/* SPDX-License-Identifier: Apache-2.0 */
#include "field/print.h"

#include "base/eight.h"
#include "base/isotime.h"
#include "base/utf8.h"

#include <endian.h>
#include <time.h>

/* The bytes of an address with the dot behind them: how many digits the next one has cannot be foretold, so there is no
 * branch on it. */
static const struct octet {
    char text[4]; /* "255." fills it */
    uint8_t n;
} octets[] = {
#define ONE(digits)                                                                                                    \
    { digits ".", sizeof digits }
#define SIX(t) ONE(t "0"), ONE(t "1"), ONE(t "2"), ONE(t "3"), ONE(t "4"), ONE(t "5")
#define TEN(t) SIX(t), ONE(t "6"), ONE(t "7"), ONE(t "8"), ONE(t "9")
#define NINETY(t)                                                                                                      \
    TEN(t "1"), TEN(t "2"), TEN(t "3"), TEN(t "4"), TEN(t "5"), TEN(t "6"), TEN(t "7"), TEN(t "8"), TEN(t "9")
    TEN(""), NINETY(""), TEN("10"), NINETY("1"), TEN("20"), TEN("21"), TEN("22"), TEN("23"), TEN("24"), SIX("25"),
#undef ONE
#undef SIX
#undef TEN
#undef NINETY
};
_Static_assert(sizeof octets / sizeof *octets == 256, "every byte has its text");

void print_ipv4(struct writer *w, uint32_t address) {
    if (!wr_fits(w, 16)) return;
    char *p = w->p;
    for (int shift = 24; shift >= 0; shift -= 8) {
        const struct octet *o = &octets[address >> shift & 255];
        memcpy(p, o->text, sizeof o->text);
        p += o->n;
    }
    w->p = p - 1; /* the last dot */
}

size_t print_ipv4_length(uint32_t address) {
    size_t n = 0;
    for (int shift = 24; shift >= 0; shift -= 8) n += octets[address >> shift & 255].n;
    return n - 1;
}

void print_ipv6(struct writer *w, const uint8_t a[16]) {
    int best = -1, best_len = 1; /* a single zero group is not shortened */
    for (int i = 0; i < 8; i++) {
        int n = 0;
        while (i + n < 8 && !a[2 * (i + n)] && !a[2 * (i + n) + 1]) n++;
        if (n > best_len) {
            best = i;
            best_len = n;
        }
        if (n) i += n - 1;
    }
    bool mapped = best == 0 && ((best_len == 6) || (best_len == 5 && a[10] == 255 && a[11] == 255));
    int groups = mapped ? 6 : 8;
    for (int i = 0; i < groups; i++) {
        if (i == best) {
            wr_s(w, "::");
            i += best_len - 1;
            continue;
        }
        if (i && i != best + (best >= 0 ? best_len : 0)) wr_c(w, ':');
        wr_hex(w, (uint64_t)a[2 * i] << 8 | a[2 * i + 1], 1);
    }
    if (mapped) {
        if (best_len == 5) wr_c(w, ':');
        print_ipv4(w, (uint32_t)a[12] << 24 | (uint32_t)a[13] << 16 | (uint32_t)a[14] << 8 | a[15]);
    }
}

void print_ether(struct writer *w, const uint8_t mac[6]) { wr_hexbytes(w, slice_of(mac, 6), ':'); }

/* plain_length returns how many bytes from the beginning on are printable ASCII; most text is, so eight are looked at
 * at a time. */
static size_t plain_length(struct slice s) {
    size_t n = 0;
    while (s.n - n >= 8 && !eight_strange(eight_load(s.p + n))) n += 8;
    while (n < s.n && s.p[n] >= 0x20 && s.p[n] < 0x7f) n++;
    return n;
}

void print_string(struct writer *w, struct slice s) {
    static const char named[] = "abtnvfr";
    while (s.n) {
        size_t plain = plain_length(s);
        wr_bytes(w, s.p, plain);
        s = slice_tail(s, plain);
        if (!s.n) break;
        uint32_t code;
        size_t n = utf8_next(s, &code);
        if (n == 0) {
            wr_s(w, "\xef\xbf\xbd");
            n = 1;
        } else if (code >= 7 && code <= 13) {
            char pair[2] = {'\\', named[code - 7]};
            wr_bytes(w, pair, 2);
        } else if (utf8_hidden(code)) {
            wr_f(w, code < 0x80 ? "\\%03o" : code <= 0xffff ? "\\u%04X" : "\\U%08X", code);
        } else {
            wr_bytes(w, s.p, n);
        }
        s = slice_tail(s, n);
    }
}

void print_told(struct writer *w, const struct fvec *v, const struct fval *f, struct slice text) {
    bool hides = f->flags & FV_SECRET && !v->show_secrets;
    print_string(w, hides ? slice_head(text, f->extra) : text);
    if (hides) wr_s(w, HIDDEN_SECRET);
}

void print_quoted(struct writer *w, struct slice s) {
    wr_c(w, '"');
    while (s.n) {
        uint32_t code;
        size_t n = utf8_next(s, &code), used = n ? n : 1;
        if (!n || utf8_hidden(code))
            for (size_t i = 0; i < used; i++) wr_f(w, "\\x%02x", s.p[i]);
        else if (code == '"' || code == '\\') wr_f(w, "\\%c", (char)code);
        else wr_slice(w, slice_head(s, n));
        s = slice_tail(s, used);
    }
    wr_c(w, '"');
}

static void clock_part(struct writer *w, char before, int v) {
    wr_c(w, before);
    wr_uz(w, (uint64_t)v, 2);
}

void print_abstime(struct writer *w, __int128 ns, bool local) {
    if (ns == INT64_MIN) {
        wr_s(w, "NULL");
        return;
    }
    static const char months[][4] = {"Jan ", "Feb ", "Mar ", "Apr ", "May ", "Jun ",
                                     "Jul ", "Aug ", "Sep ", "Oct ", "Nov ", "Dec "};
    struct moment_clock at = moment_clock(ns);
    time_t t = (time_t)at.seconds;
    struct tm tm;
    if (!(local ? localtime_r(&t, &tm) : gmtime_r(&t, &tm))) {
        wr_s(w, "Not representable");
        return;
    }
    wr_bytes(w, months[tm.tm_mon], sizeof *months);
    wr_spaces(w, tm.tm_mday < 10);
    wr_number(w, "", (uint64_t)tm.tm_mday, ", ");
    wr_i(w, tm.tm_year + (int64_t)1900);
    clock_part(w, ' ', tm.tm_hour);
    clock_part(w, ':', tm.tm_min);
    clock_part(w, ':', tm.tm_sec);
    iso_fraction(w, at.ns, 9);
    wr_c(w, ' ');
    wr_s(w, local ? tm.tm_zone : "UTC");
}

void print_reltime(struct writer *w, __int128 ns, int digits) {
    struct moment_clock span = moment_clock(ns < 0 ? -ns : ns);
    char room[2 * PUT_ROOM], *at = put_at(w, room, sizeof room), *p = at;
    if (ns < 0) *p++ = '-';
    p = put_u(p, (uint64_t)span.seconds);
    put_done(w, room, at, put_fraction(p, span.ns, digits));
}

static void print_hex(struct writer *w, const struct field *f, uint64_t value) {
    wr_bytes(w, "0x", 2);
    wr_hex(w, value, field_bits(f) / 4);
}

static void print_guid(struct writer *w, struct slice s) {
    static const uint8_t groups[] = {4, 2, 2, 2, 6};
    for (size_t i = 0; i < sizeof groups && s.n >= groups[i]; i++) {
        if (i) wr_c(w, '-');
        wr_hexbytes(w, slice_head(s, groups[i]), 0);
        s = slice_tail(s, groups[i]);
    }
}

static void print_dots(struct writer *w, struct slice s) {
    for (size_t i = 0; i < s.n; i++) {
        if (i) wr_c(w, '.');
        wr_u(w, s.p[i]);
    }
}

static void print_oid(struct writer *w, struct slice s) {
    uint64_t arc = 0;
    bool first = true;
    for (size_t i = 0; i < s.n; i++) {
        arc = arc << 7 | (s.p[i] & 0x7f);
        if (s.p[i] & 0x80) continue;
        if (first) {
            uint64_t root = arc < 80 ? arc / 40 : 2;
            wr_u(w, root);
            arc -= root * 40;
            first = false;
        }
        wr_c(w, '.');
        wr_u(w, arc);
        arc = 0;
    }
}

void print_value(struct writer *w, const struct field *f, const struct fval *v) {
    switch (f->type) {
    case FT_NONE: break;
    case FT_PROTOCOL: wr_s(w, f->name); break;
    case FT_BOOL: wr_c(w, v->u ? '1' : '0'); break;
    case FT_INT8:
    case FT_INT16:
    case FT_INT32:
    case FT_INT64: wr_i(w, v->i); break;
    case FT_DOUBLE: wr_f(w, "%.15g", v->d); break;
    case FT_ABSTIME: print_abstime(w, fv_time(v), f->base != BASE_UTC); break;
    case FT_RELTIME: print_reltime(w, fv_time(v), 9); break;
    case FT_STRING: print_string(w, v->s); break;
    case FT_IPV4: print_ipv4(w, (uint32_t)v->u); break;
    case FT_IPV6:
        if (v->s.n == 16) print_ipv6(w, v->s.p);
        break;
    case FT_GUID: print_guid(w, v->s); break;
    case FT_OID: print_oid(w, v->s); break;
    case FT_BYTES:
        if (f->base == BASE_DOTS) {
            print_dots(w, v->s);
            break;
        }
        /* fall through */
    case FT_ETHER:
    case FT_EUI64: wr_hexbytes(w, v->s, ':'); break;
    default:
        if (f->base == BASE_HEX || f->base == BASE_HEX_DEC || (v->flags & FV_HEX)) print_hex(w, f, v->u);
        else if (f->base == BASE_OCT) wr_f(w, "%#llo", (unsigned long long)v->u);
        else wr_u(w, v->u);
    }
}

/* number_label writes a number as a tree line has it: a masked one with the hex digits of its own bits. */
static void number_label(struct writer *w, const struct field *f, uint64_t value) {
    struct fval v = {.u = value};
    if (f->mask && f->type != FT_BOOL && (f->base == BASE_HEX || f->base == BASE_HEX_DEC)) {
        wr_s(w, "0x");
        wr_hex(w, value, (__builtin_popcountll(f->mask) + 3) / 4);
    } else {
        print_value(w, f, &v);
    }
}

void print_named(struct writer *w, const struct field *f, uint64_t value) {
    const char *name = f->values ? field_value_name(f->values, value) : NULL;
    if (name && f->base == BASE_NONE) {
        wr_s(w, name);
    } else if (f->values) {
        wr_s(w, name ? name : "Unknown");
        wr_s(w, " (");
        number_label(w, f, value);
        wr_c(w, ')');
    } else {
        number_label(w, f, value);
        if (f->base == BASE_DEC_HEX || f->base == BASE_HEX_DEC) {
            wr_s(w, " (");
            if (f->base == BASE_DEC_HEX) print_hex(w, f, value);
            else wr_u(w, value);
            wr_c(w, ')');
        }
    }
}

/* spread has a byte for each bit of a number, that of the highest bit the lowest. */
static const uint32_t spread[16] = {
    0x00000000, 0xff000000, 0x00ff0000, 0xffff0000, 0x0000ff00, 0xff00ff00, 0x00ffff00, 0xffffff00,
    0x000000ff, 0xff0000ff, 0x00ff00ff, 0xffff00ff, 0x0000ffff, 0xff00ffff, 0x00ffffff, 0xffffffff,
};

/* bits_put writes the bits of a masked value at p, which has BITS_ROOM bytes, and returns the end. */
enum { BITS_ROOM = (4 + 1) * 64 / 4 + 8 };
static char *bits_put(char *p, int bits, uint64_t mask, uint64_t value) {
    size_t skip = (size_t)-bits & 3; /* the first four may be fewer */
    for (int shift = (bits - 1) & ~3; shift >= 0; shift -= 4) {
        uint32_t shown = spread[mask >> shift & 15], digits = 0x30303030 | (spread[value >> shift & 15] & 0x01010101);
        uint32_t four = (digits & shown) | (0x2e2e2e2e & ~shown);
        uint64_t five = htole64((four | (uint64_t)' ' << 32) >> 8 * skip);
        memcpy(p, &five, sizeof five);
        p += 5 - skip;
        skip = 0;
    }
    memcpy(p, "= ", 2);
    return p + 2;
}

void print_bits(struct writer *w, int bits, uint64_t mask, uint64_t value) {
    char tmp[BITS_ROOM];
    value <<= mask ? __builtin_ctzll(mask) : 0;
    if (w->end - w->p >= BITS_ROOM) w->p = bits_put(w->p, bits, mask, value);
    else wr_bytes(w, tmp, (size_t)(bits_put(tmp, bits, mask, value) - tmp));
}

enum { LABEL_BYTES = 36 }; /* bytes shown in a tree line, as Wireshark cuts them */

/* mask_bits gives the width a masked value is drawn in; a boolean takes that of its bytes. */
static int mask_bits(const struct field *f, const struct fval *v) {
    int bits = field_bits(f), own = v->len <= 8 ? 8 * (int)v->len : 0;
    return f->type == FT_BOOL && !f->bits && own > bits ? own : bits;
}

void print_label(struct writer *w, const struct field *f, const struct fval *v) {
    bool brackets = f->computed || (v->flags & FV_GENERATED);
    if (brackets) wr_c(w, '[');
    if (f->mask && field_is_int(f)) print_bits(w, mask_bits(f, v), f->mask, v->u);
    wr_bytes(w, f->label, f->label_len);
    if (f->type != FT_NONE && f->type != FT_PROTOCOL) {
        wr_s(w, ": ");
        if (f->type == FT_BOOL) wr_s(w, v->u ? (f->set ? f->set : "True") : (f->unset ? f->unset : "False"));
        else if (f->type == FT_BYTES && f->base == BASE_NONE) {
            wr_hexbytes(w, slice_head(v->s, LABEL_BYTES), 0);
            if (v->s.n > LABEL_BYTES) wr_s(w, "…");
        } else if (field_is_int(f) && !field_signed(f)) print_named(w, f, v->u);
        else print_value(w, f, v);
        if (f->type == FT_RELTIME) wr_s(w, " seconds");
        if (f->unit) wr_s(w, f->unit);
    }
    if (brackets) wr_c(w, ']');
}
