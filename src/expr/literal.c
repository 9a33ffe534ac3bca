/* SPDX-License-Identifier: Apache-2.0 */
/* What is written in a filter becomes a value of the type it is compared with. Strings in quotes are texts, raw bytes,
 * names of values, or times; everything else is written without quotes. */
#include "expr/compile.h"

#include "base/hex.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>

enum { NUMBER_TEXT = 64, OID_BYTES = 256 };

/* c_string copies a short text with a NUL; false where it is too long. */
static bool c_string(struct slice s, char out[static NUMBER_TEXT]) {
    if (!s.n || s.n >= NUMBER_TEXT || memchr(s.p, 0, s.n)) return false;
    memcpy(out, s.p, s.n);
    out[s.n] = 0;
    return true;
}

/* whole_number reads decimal, 0x hexadecimal, 0b binary and 0 octal; -1: none, -2: more than 64 bits. */
static int whole_number(struct slice s, uint64_t *out) {
    char text[NUMBER_TEXT], *end;
    if (!c_string(s, text) || text[0] < '0' || text[0] > '9') return -1;
    bool binary = text[0] == '0' && (text[1] | 0x20) == 'b' && text[2];
    const char *digits = binary ? text + 2 : text;
    if (binary && *digits != '0' && *digits != '1') return -1;
    errno = 0;
    *out = strtoull(digits, &end, binary ? 2 : 0);
    return *end ? -1 : errno ? -2 : 0;
}

static bool word_is(const struct node *n, const char *a, const char *b) {
    return n->kind == NODE_WORD && (slice_eq(n->text, slice_str(a)) || slice_eq(n->text, slice_str(b)));
}

/* bool_named finds whether a text names a boolean: by the words True and False, not in quotes, or by what the field
 * calls its values. */
static bool bool_named(const struct field *f, const struct node *n, uint64_t *out) {
    bool own = f && f->type == FT_BOOL;
    *out = word_is(n, "True", "TRUE") || (own && slice_alike(n->text, slice_str(f->set ? f->set : "True")));
    return *out || word_is(n, "False", "FALSE") ||
           (own && slice_alike(n->text, slice_str(f->unset ? f->unset : "False")));
}

/* named_value finds the value that a field calls by a name. */
static bool named_value(const struct field *f, struct slice name, uint64_t *out) {
    if (!f || f->unnamed) return false;
    for (size_t i = 0; f->values && i < f->values->count; i++) {
        if (!slice_alike(name, slice_str(f->values->list[i].name))) continue;
        *out = f->values->list[i].lo;
        return true;
    }
    return false;
}

static void *no_literal(struct compiling *c, const struct node *n, enum field_type type) {
    return fail(c, n->at, n->len, "'%.*s' is no %s", (int)(n->text.n < 60 ? n->text.n : 60),
                n->text.n ? (const char *)n->text.p : "", type_said(c, type));
}

static void *no_string(struct compiling *c, const struct node *n, enum field_type type) {
    return fail(c, n->at, n->len, "a string in quotes is no %s; write it without quotes", type_said(c, type));
}

static int type_bits(enum field_type type) {
    struct field f = {.type = (uint8_t)type};
    return type == FT_BOOL ? 64 : field_bits(&f);
}

static bool in_range(struct compiling *c, const struct node *n, enum field_type type, uint64_t v) {
    bool sign = value_kind_of(type) == VAL_INT;
    int bits = type_bits(type) - sign;
    uint64_t most = bits >= 64 ? UINT64_MAX : ((uint64_t)1 << bits) - 1;
    /* A negative number comes as a minus and its absolute value. */
    if (v <= most + sign) return true;
    fail(c, n->at, n->len, "%llu is too big for this field; it holds at most %llu", (unsigned long long)v,
         (unsigned long long)most);
    return false;
}

static void *no_name(struct compiling *c, const struct node *n, const struct field *f) {
    struct slice s = n->text;
    if (!f || f->unnamed || (!f->values && f->type != FT_BOOL))
        return no_string(c, n, f ? (enum field_type)f->type : FT_UINT32);
    return fail(c, n->at, n->len, "'%.*s' is none of the names of %s's values (weir fields -v %s lists them)",
                (int)(s.n < 40 ? s.n : 40), s.n ? (const char *)s.p : "", f->name, f->name);
}

static bool number_make(struct compiling *c, struct node *n, enum field_type type, const struct field *field) {
    uint64_t v = 0;
    int rc = n->kind == NODE_WORD ? whole_number(n->text, &v) : -1;
    if (n->kind == NODE_CHAR) v = n->text.p[0];
    else if (rc == -2) return fail(c, n->at, n->len, "this number has more than 64 bits");
    else if (rc && !(type == FT_BOOL ? bool_named(field, n, &v) : named_value(field, n->text, &v)))
        return n->kind == NODE_STRING ? no_name(c, n, field) : no_literal(c, n, type);
    if (!in_range(c, n, type, v)) return false;
    if (type == FT_BOOL) v = v != 0;
    n->value = value_kind_of(type) == VAL_INT && v <= INT64_MAX ? (struct value){.kind = VAL_INT, .i = (int64_t)v}
                                                                : (struct value){.kind = VAL_UINT, .u = v};
    return true;
}

static bool double_make(struct compiling *c, struct node *n) {
    char text[NUMBER_TEXT], *end;
    if (n->kind != NODE_WORD || !c_string(n->text, text)) return no_literal(c, n, FT_DOUBLE);
    n->value = (struct value){.kind = VAL_DOUBLE, .d = strtod(text, &end)};
    return !*end || no_literal(c, n, FT_DOUBLE);
}

static bool time_make(struct compiling *c, struct node *n, enum field_type type) {
    __int128 ns = 0;
    if (type == FT_RELTIME) {
        size_t used = n->kind == NODE_WORD ? literal_span(n->text, &ns) : 0;
        if (used && used < n->text.n)
            warn(c, "'%.*s' is read as %.*s seconds, as in Wireshark 4.0: a time span has no exponent",
                 (int)(n->text.n < 60 ? n->text.n : 60), n->text.p, (int)(used < 60 ? used : 60), n->text.p);
        n->value = value_time(ns);
        if (used) return true;
        return n->kind == NODE_STRING ? no_string(c, n, type) : no_literal(c, n, type);
    }
    const char *why = n->kind == NODE_CHAR ? N_("a character is no time") : literal_time(n->text, &ns);
    n->value = value_time(ns);
    return !why || fail(c, n->at, n->len, "%s", say_by(c->say, why));
}

/* split_prefix takes "/n" off an address and gives n, or most where there is none; -1 where n is no number up to most.
 */
static int split_prefix(struct slice *s, int most) {
    const uint8_t *slash = memchr(s->p, '/', s->n);
    uint64_t bits;
    if (!slash) return most;
    struct slice digits = slice_tail(*s, (size_t)(slash - s->p) + 1);
    s->n = (size_t)(slash - s->p);
    return whole_number(digits, &bits) || bits > (uint64_t)most ? -1 : (int)bits;
}

static bool ip_make(struct compiling *c, struct node *n, enum field_type type) {
    char text[NUMBER_TEXT];
    uint8_t *bytes = take(c, 16);
    struct slice s = n->text;
    int most = type == FT_IPV4 ? 32 : 128;
    if (!bytes) return false;
    if (n->kind != NODE_WORD) return no_string(c, n, type);
    int bits = split_prefix(&s, most);
    if (bits < 0) return fail(c, n->at, n->len, "the prefix of an %s has 0 to %d bits", type_said(c, type), most);
    if (!c_string(s, text) || inet_pton(type == FT_IPV4 ? AF_INET : AF_INET6, text, bytes) != 1)
        return fail(c, n->at, n->len, "'%.*s' is no %s; names of hosts are not looked up",
                    (int)(n->text.n < 60 ? n->text.n : 60), n->text.p, type_said(c, type));
    n->value = type == FT_IPV4 ? (struct value){.kind = VAL_IPV4,
                                                .u = (uint64_t)bytes[0] << 24 | (uint64_t)bytes[1] << 16 |
                                                     (uint64_t)bytes[2] << 8 | bytes[3]}
                               : (struct value){.kind = VAL_IPV6, .s = slice_of(bytes, 16)};
    n->value.prefix = (uint8_t)bits;
    return true;
}

/* hex_bytes reads pairs of digits; between them may stand dots and minus signs, before which a byte may have one digit,
 * or colons, of which one may stand before the first. It returns how many bytes there are, 0 where it is none of this.
 */
static size_t hex_bytes(struct slice s, uint8_t *out) {
    size_t n = 0;
    if (s.n && s.p[0] == ':') s = slice_tail(s, 1);
    for (size_t i = 0; i < s.n;) {
        int high = hex_digit(s.p[i]), low = i + 1 < s.n ? hex_digit(s.p[i + 1]) : -1;
        if (high < 0) return 0;
        out[n++] = (uint8_t)(low < 0 ? high : high << 4 | low);
        i += low < 0 ? 1 : 2;
        if (i < s.n && (s.p[i] == '.' || s.p[i] == '-' || (s.p[i] == ':' && low >= 0 && i + 1 < s.n))) i++;
    }
    return n;
}

/* one_byte reads "0x4f". */
static size_t one_byte(struct slice s, uint8_t *out) {
    return s.n == 4 && s.p[0] == '0' && (s.p[1] | 0x20) == 'x' && hex_bytes(slice_tail(s, 2), out) == 1;
}

static size_t guid_bytes(struct slice s, uint8_t *out) {
    static const uint8_t groups[] = {4, 2, 2, 2, 6};
    size_t n = 0, at = 0;
    if (s.n != 36) return 0;
    for (size_t g = 0; g < sizeof groups; g++) {
        if (g && s.p[at++] != '-') return 0;
        for (size_t i = 0; i < groups[g]; i++, at += 2) {
            int high = hex_digit(s.p[at]), low = hex_digit(s.p[at + 1]);
            if (high < 0 || low < 0) return 0;
            out[n++] = (uint8_t)(high << 4 | low);
        }
    }
    return n;
}

static size_t put_arc(uint8_t *out, size_t n, uint64_t arc) {
    unsigned groups = 1;
    while (groups < 9 && arc >> (7 * groups)) groups++;
    if (n + groups > OID_BYTES) return 0;
    for (unsigned g = groups; g > 0; g--) out[n++] = (uint8_t)((arc >> (7 * (g - 1)) & 0x7f) | (g > 1 ? 0x80 : 0));
    return n;
}

static size_t oid_bytes(struct slice s, uint8_t *out) {
    size_t n = 0, arcs = 0;
    uint64_t first = 0;
    while (s.n) {
        uint64_t arc = 0;
        size_t digits = 0;
        while (digits < s.n && s.p[digits] >= '0' && s.p[digits] <= '9' && arc < UINT32_MAX)
            arc = arc * 10 + (s.p[digits++] - '0');
        if (!digits || (digits < s.n && s.p[digits] != '.') || digits + 1 == s.n) return 0;
        s = slice_tail(s, digits + 1);
        if (arcs == 0) first = arc;
        if (arcs == 1) arc += first * 40;
        if ((arcs == 0 && arc > 2) || (arcs == 1 && first < 2 && arc >= first * 40 + 40)) return 0;
        if (arcs++ && !(n = put_arc(out, n, arc))) return 0;
    }
    return n;
}

static size_t bytes_wanted(enum field_type type) {
    return type == FT_ETHER ? 6 : type == FT_EUI64 ? 8 : type == FT_GUID ? 16 : 0;
}

static bool bytes_make(struct compiling *c, struct node *n, enum field_type type, bool partial) {
    size_t wanted = bytes_wanted(type), count;
    uint8_t *bytes = take(c, n->text.n / 2 + OID_BYTES);
    if (!bytes) return false;
    n->value = (struct value){.kind = VAL_BYTES, .s = n->text};
    if (n->kind == NODE_STRING) return !wanted || no_string(c, n, type);
    if (n->kind == NODE_CHAR) return !wanted || no_literal(c, n, type);
    if (type == FT_GUID && !partial) count = guid_bytes(n->text, bytes);
    else if (type == FT_OID && !partial) count = oid_bytes(n->text, bytes);
    else count = hex_bytes(n->text, bytes);
    if (!count && (!wanted || partial)) count = one_byte(n->text, bytes);
    if (!count) return no_literal(c, n, type);
    if (wanted && count != wanted && !partial)
        return fail(c, n->at, n->len, "this has %zu bytes, and an %s has %zu", count, type_said(c, type), wanted);
    n->value.s = slice_of(bytes, count);
    return true;
}

bool literal_make(struct compiling *c, struct node *n, enum field_type type, const struct field *field, bool partial) {
    bool made;
    switch (type) {
    case FT_NONE: return fail(c, n->at, n->len, "there is nothing to compare: the field is a label without a value");
    case FT_STRING:
        n->value = (struct value){.kind = VAL_TEXT, .s = n->text};
        made = true;
        break;
    case FT_DOUBLE: made = double_make(c, n); break;
    case FT_ABSTIME:
    case FT_RELTIME: made = time_make(c, n, type); break;
    case FT_IPV4:
    case FT_IPV6: made = partial ? bytes_make(c, n, FT_BYTES, true) : ip_make(c, n, type); break;
    case FT_PROTOCOL:
    case FT_BYTES:
    case FT_ETHER:
    case FT_EUI64:
    case FT_GUID:
    case FT_OID: made = bytes_make(c, n, type, partial); break;
    default: made = number_make(c, n, type, field);
    }
    if (!made) return false;
    n->kind = NODE_CONST;
    n->type = (uint8_t)type;
    return true;
}
