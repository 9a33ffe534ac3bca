/* SPDX-License-Identifier: Apache-2.0 */
#include "expr/value.h"

#include "proto/fields.h"

#include <assert.h>

enum value_kind value_kind_of(enum field_type type) {
    switch (type) {
    case FT_INT8:
    case FT_INT16:
    case FT_INT32:
    case FT_INT64: return VAL_INT;
    case FT_DOUBLE: return VAL_DOUBLE;
    case FT_ABSTIME:
    case FT_RELTIME: return VAL_TIME;
    case FT_IPV4: return VAL_IPV4;
    case FT_IPV6: return VAL_IPV6;
    case FT_STRING: return VAL_TEXT;
    case FT_NONE:
    case FT_PROTOCOL:
    case FT_BYTES:
    case FT_ETHER:
    case FT_EUI64:
    case FT_GUID:
    case FT_OID: return VAL_BYTES;
    default: return VAL_UINT;
    }
}

/* is_header tells whether a protocol's bytes, when they are searched, are those of its whole packet and not of its
 * header alone. Messages in streams end where they end. */
static bool is_header(uint16_t id) {
    switch (id) {
    case FID_FRAME:
    case FID_ETH:
    case FID_VLAN:
    case FID_SLL:
    case FID_PPP:
    case FID_LLC:
    case FID_MPLS:
    case FID_ARP:
    case FID_IP:
    case FID_IPV6:
    case FID_ICMP:
    case FID_ICMPV6:
    case FID_IGMP:
    case FID_GRE:
    case FID_UDP:
    case FID_TCP: return true;
    default: return false;
    }
}

static void protocol_value(struct value *out, const struct fval *v, const struct fvec *list) {
    struct slice all = list->source[v->src].bytes;
    struct slice own = slice_tail(all, v->off);
    out->s = slice_head(own, v->len);
    if (is_header(v->id)) out->reach = own.n;
}

struct value value_of(const struct field *f, const struct fval *v, const struct fvec *list) {
    struct value out = {.kind = (uint8_t)value_kind_of((enum field_type)f->type), .prefix = 128};
    switch (out.kind) {
    case VAL_INT: out.i = v->i; break;
    case VAL_TIME:
        out.i = v->i;
        out.era = (int16_t)v->extra;
        break;
    case VAL_DOUBLE: out.d = v->d; break;
    case VAL_UINT: out.u = f->type == FT_BOOL ? v->u != 0 : v->u; break;
    case VAL_IPV4:
        out.u = (uint32_t)v->u;
        out.prefix = 32;
        break;
    default:
        if (f->type == FT_PROTOCOL) protocol_value(&out, v, list);
        else if (f->type == FT_NONE) out.s = slice_of(NULL, 0);
        else out.s = v->s;
    }
    return out;
}

static int three_way(bool less, bool greater) { return greater - less; }

static int order_plain(struct slice a, struct slice b) {
    size_t n = a.n < b.n ? a.n : b.n;
    int order = n ? memcmp(a.p, b.p, n) : 0;
    return order ? three_way(order<0, order> 0) : three_way(a.n<b.n, a.n> b.n);
}

static int order_bytes(const struct value *a, const struct value *b) {
    /* Wireshark 4.0: of byte strings the longer one is the greater */
    if (a->kind == VAL_BYTES && a->s.n != b->s.n) return three_way(a->s.n<b->s.n, a->s.n> b->s.n);
    if (!a->fold && !b->fold) return order_plain(a->s, b->s);
    for (size_t i = 0; i < a->s.n && i < b->s.n; i++) {
        uint8_t x = letter_fold(a->s.p[i], a->fold), y = letter_fold(b->s.p[i], b->fold);
        if (x != y) return three_way(x<y, x> y);
    }
    return three_way(a->s.n<b->s.n, a->s.n> b->s.n);
}

static int order_ipv4(const struct value *a, const struct value *b) {
    unsigned bits = a->prefix < b->prefix ? a->prefix : b->prefix;
    uint32_t mask = bits ? UINT32_MAX << (32 - bits) : 0;
    uint32_t x = (uint32_t)a->u & mask, y = (uint32_t)b->u & mask;
    return three_way(x<y, x> y);
}

static int order_ipv6(const struct value *a, const struct value *b) {
    unsigned bits = a->prefix < b->prefix ? a->prefix : b->prefix;
    if (a->s.n != 16 || b->s.n != 16) return order_plain(a->s, b->s);
    for (unsigned i = 0; i * 8 < bits; i++) {
        unsigned left = bits - i * 8;
        uint8_t mask = left >= 8 ? 0xff : (uint8_t)(0xff00 >> left);
        uint8_t x = a->s.p[i] & mask, y = b->s.p[i] & mask;
        if (x != y) return three_way(x<y, x> y);
    }
    return 0;
}

static bool order_numbers(const struct value *a, const struct value *b, int *order) {
    if (a->kind == VAL_UINT && b->kind == VAL_UINT) *order = three_way(a->u<b->u, a->u> b->u);
    else if (a->kind == VAL_INT && b->kind == VAL_INT) *order = three_way(a->i<b->i, a->i> b->i);
    else if (a->kind == VAL_INT) *order = a->i < 0 ? -1 : three_way((uint64_t)a->i<b->u, (uint64_t)a->i> b->u);
    else if (b->i < 0) return false;
    else *order = three_way(a->u<(uint64_t)b->i, a->u>(uint64_t) b->i);
    return true;
}

static int order_times(const struct value *a, const struct value *b) {
    __int128 x = value_moment(a), y = value_moment(b);
    return three_way(x<y, x> y);
}

bool value_order(const struct value *a, const struct value *b, int *order) {
    bool numbers = a->kind <= VAL_INT;
    if (numbers != (b->kind <= VAL_INT)) return false;
    if (numbers) return order_numbers(a, b, order);
    switch (a->kind) {
    case VAL_DOUBLE:
        if (b->kind != VAL_DOUBLE) return false;
        *order = three_way(a->d<b->d, a->d> b->d);
        return a->d == a->d && b->d == b->d;
    case VAL_TIME: *order = order_times(a, b); return b->kind == VAL_TIME;
    case VAL_IPV4: *order = order_ipv4(a, b); return b->kind == VAL_IPV4;
    case VAL_IPV6: *order = order_ipv6(a, b); return b->kind == VAL_IPV6;
    default: *order = order_bytes(a, b); return b->kind >= VAL_BYTES;
    }
}

enum { FOLD_CHUNK = 16 * 1024 };

/* folded_contains looks through a piece at a time, each in one case; pieces overlap by the length of what is looked
 * for, which is at most half of one. */
static bool folded_contains(struct slice hay, uint8_t hay_fold, struct slice needle, uint8_t needle_fold) {
    uint8_t chunk[FOLD_CHUNK], what[FOLD_CHUNK / 2];
    if (needle.n > sizeof what) return false;
    for (size_t i = 0; i < needle.n; i++) what[i] = letter_fold(needle.p[i], needle_fold);
    while (hay.n >= needle.n) {
        size_t n = hay.n < sizeof chunk ? hay.n : sizeof chunk;
        for (size_t i = 0; i < n; i++) chunk[i] = letter_fold(hay.p[i], hay_fold);
        if (memmem(chunk, n, what, needle.n)) return true;
        if (n == hay.n) return false;
        hay = slice_tail(hay, n - needle.n + 1);
    }
    return false;
}

enum { SHORT_HAY = 256, SHORT_NEEDLE = 32 };

/* short_contains is memmem for little of both, without the table memmem makes first. */
static bool short_contains(struct slice hay, struct slice needle) {
    const uint8_t *at = hay.p, *last = hay.p + (hay.n - needle.n);
    while (at <= last && (at = memchr(at, needle.p[0], (size_t)(last - at) + 1))) {
        if (memcmp(at, needle.p, needle.n) == 0) return true;
        at++;
    }
    return false;
}

bool value_contains(const struct value *a, const struct value *b) {
    struct slice hay = a->s;
    if (a->kind < VAL_BYTES || b->kind < VAL_BYTES) return false;
    if (a->reach) hay.n = a->reach;
    /* Wireshark 4.0: bytes contain the empty string where there are any, a text never does. */
    if (!b->s.n) return a->kind == VAL_BYTES && hay.n > 0;
    if (hay.n < b->s.n) return false;
    if (a->fold || b->fold) return folded_contains(hay, a->fold, b->s, b->fold);
    if (hay.n <= SHORT_HAY && b->s.n <= SHORT_NEEDLE) return short_contains(hay, b->s);
    return memmem(hay.p, hay.n, b->s.p, b->s.n) != NULL;
}

bool value_relates(enum relation rel, const struct value *a, const struct value *b) {
    int order;
    if (rel == REL_CONTAINS) return value_contains(a, b);
    if (!value_order(a, b, &order)) return rel == REL_NE;
    switch (rel) {
    case REL_EQ: return order == 0;
    case REL_NE: return order != 0;
    case REL_LT: return order < 0;
    case REL_LE: return order <= 0;
    case REL_GT: return order > 0;
    case REL_GE: return order >= 0;
    default: return false;
    }
}

bool value_nonzero(const struct value *v) {
    switch (v->kind) {
    case VAL_INT: return v->i != 0;
    case VAL_TIME: return value_moment(v) != 0;
    case VAL_DOUBLE: return v->d != 0;
    case VAL_UINT:
    case VAL_IPV4: return v->u != 0;
    default:
        for (size_t i = 0; i < v->s.n; i++)
            if (v->s.p[i]) return true;
        return false;
    }
}

static bool whole(__int128 n, struct value *out) {
    if (n < INT64_MIN || n > UINT64_MAX) return false;
    *out =
        n < 0 ? (struct value){.kind = VAL_INT, .i = (int64_t)n} : (struct value){.kind = VAL_UINT, .u = (uint64_t)n};
    return true;
}

static __int128 wide(const struct value *v) { return v->kind == VAL_INT ? (__int128)v->i : (__int128)v->u; }

static bool compute_whole(enum arith op, __int128 a, __int128 b, struct value *out) {
    if ((op == ARITH_DIV || op == ARITH_MOD) && b == 0) return false;
    switch (op) {
    case ARITH_ADD: return whole(a + b, out);
    case ARITH_SUB: return whole(a - b, out);
    case ARITH_MUL: { /* both have at most 65 bits */
        __int128 product;
        return !__builtin_mul_overflow(a, b, &product) && whole(product, out);
    }
    case ARITH_DIV: return whole(a / b, out);
    case ARITH_MOD: return whole(a % b, out);
    default: return whole((__int128)((uint64_t)a & (uint64_t)b), out);
    }
}

static bool compute_time(enum arith op, __int128 a, __int128 b, struct value *out) {
    __int128 t = op == ARITH_ADD ? a + b : a - b;
    if (op > ARITH_SUB || t > 2 * MOMENT_MAX || t < -2 * MOMENT_MAX) return false;
    *out = value_time(t);
    return true;
}

static bool compute_double(enum arith op, double a, double b, struct value *out) {
    if (op > ARITH_DIV || (op == ARITH_DIV && b == 0)) return false;
    double n = op == ARITH_ADD ? a + b : op == ARITH_SUB ? a - b : op == ARITH_MUL ? a * b : a / b;
    *out = (struct value){.kind = VAL_DOUBLE, .d = n};
    return true;
}

static uint8_t *room_take(struct scratch *room, size_t n) {
    if ((size_t)(room->end - room->p) < n) return NULL;
    room->p += n;
    return room->p - n;
}

static bool and_bytes(const struct value *a, const struct value *b, struct value *out, struct scratch *room) {
    size_t n = a->s.n < b->s.n ? a->s.n : b->s.n; /* the shorter one says how many bytes count */
    uint8_t *p = room_take(room, n);
    if (!p) return false;
    for (size_t i = 0; i < n; i++) p[i] = a->s.p[i] & b->s.p[i];
    *out = (struct value){.kind = a->kind, .prefix = 128, .s = slice_of(p, n)};
    return true;
}

bool value_compute(enum arith op, const struct value *a, const struct value *b, struct value *out,
                   struct scratch *room) {
    if (a->kind <= VAL_INT && b->kind <= VAL_INT) return compute_whole(op, wide(a), wide(b), out);
    if (a->kind == VAL_TIME && b->kind == VAL_TIME) return compute_time(op, value_moment(a), value_moment(b), out);
    if (a->kind == VAL_DOUBLE && b->kind == VAL_DOUBLE) return compute_double(op, a->d, b->d, out);
    if (op != ARITH_AND) return false;
    if (a->kind == VAL_IPV4 && b->kind == VAL_IPV4) {
        *out = (struct value){.kind = VAL_IPV4, .prefix = 32, .u = a->u & b->u};
        return true;
    }
    return a->kind >= VAL_IPV6 && b->kind >= VAL_IPV6 && and_bytes(a, b, out, room);
}

bool value_negate(const struct value *v, struct value *out) {
    struct value r = *v;
    if (v->kind <= VAL_INT) return whole(-wide(v), out);
    if (v->kind == VAL_DOUBLE) r.d = -v->d;
    else if (v->kind == VAL_TIME) r = value_time(-value_moment(v));
    else return false;
    *out = r;
    return true;
}

bool value_fits(const struct value *v, bool wide) {
    if (wide || v->kind > VAL_INT) return true;
    return v->kind == VAL_UINT ? v->u <= UINT32_MAX : v->i >= INT32_MIN;
}

bool value_absolute(const struct value *v, struct value *out) {
    bool negative = v->kind == VAL_DOUBLE ? v->d < 0
                    : v->kind == VAL_INT  ? v->i < 0
                                          : v->kind == VAL_TIME && value_moment(v) < 0;
    if (negative) return value_negate(v, out);
    *out = *v;
    return v->kind <= VAL_TIME;
}

bool value_bytes(const struct value *v, struct value *out, struct scratch *room) {
    if (v->kind == VAL_IPV4) {
        uint8_t *p = room_take(room, 4);
        if (!p) return false;
        for (int i = 0; i < 4; i++) p[i] = (uint8_t)(v->u >> (24 - 8 * i));
        *out = (struct value){.kind = VAL_BYTES, .s = slice_of(p, 4)};
        return true;
    }
    *out = *v;
    out->kind = VAL_BYTES;
    out->reach = 0;
    return v->kind >= VAL_IPV6;
}
