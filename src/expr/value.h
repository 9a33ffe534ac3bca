/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_EXPR_VALUE_H
#define WEIR_EXPR_VALUE_H

#include "field/fvec.h"

/* Values as filters compute with them: what a field holds, a constant, or what was made of these. */

enum value_kind {
    VAL_UINT,   /* u: also booleans and frame numbers */
    VAL_INT,    /* i */
    VAL_DOUBLE, /* d */
    VAL_TIME,   /* i and era: a point or a span, see base/moment.h */
    VAL_IPV4,   /* u and prefix */
    VAL_IPV6,   /* s and prefix */
    VAL_BYTES,  /* s */
    VAL_TEXT,   /* s: a string */
    VAL_KINDS
};

enum fold { FOLD_NONE, FOLD_LOWER, FOLD_UPPER };

struct value {
    uint8_t kind;   /* enum value_kind */
    uint8_t fold;   /* of VAL_BYTES and VAL_TEXT: the letters count as if in this case */
    uint8_t prefix; /* of addresses: the leading bits that count */
    int16_t era;    /* of VAL_TIME */
    size_t reach;   /* of a protocol: bytes from s.p on that `contains` and `matches` see; 0: s.n */
    union {
        uint64_t u;
        int64_t i;
        double d;
        struct slice s;
    };
};

enum relation { REL_EQ, REL_NE, REL_LT, REL_LE, REL_GT, REL_GE, REL_CONTAINS, REL_MATCHES, RELATIONS };
enum arith { ARITH_ADD, ARITH_SUB, ARITH_MUL, ARITH_DIV, ARITH_MOD, ARITH_AND, ARITH_OPS };

static inline struct value value_time(__int128 t) {
    return (struct value){.kind = VAL_TIME, .era = moment_era(t), .i = moment_ns(t)};
}
static inline __int128 value_moment(const struct value *v) { return moment_of(v->i, v->era); }
/* value_of returns what the field f holds in v, as found in list. */
struct value value_of(const struct field *f, const struct fval *v, const struct fvec *list);
/* value_kind_of returns the kind of a field type's values. */
enum value_kind value_kind_of(enum field_type type);

/* value_relates tells whether a relation other than REL_MATCHES holds. A negative number on the right of an unsigned
 * one is equal to none, and neither less nor greater. */
bool value_relates(enum relation rel, const struct value *a, const struct value *b);
/* value_order compares two values of one kind: less, equal, greater as -1, 0, 1 in *order; false: they do not compare.
 */
bool value_order(const struct value *a, const struct value *b, int *order);
/* value_contains tells whether b's bytes are among a's. */
bool value_contains(const struct value *a, const struct value *b);
/* value_nonzero tells whether any bit of a value is set. */
bool value_nonzero(const struct value *v);

/* scratch is room for bytes made during one evaluation. */
struct scratch {
    uint8_t *p, *end;
};

/* value_compute gives a op b in *out, false where there is no result: division by zero, overflow, bytes of unequal
 * length, no room. */
bool value_compute(enum arith op, const struct value *a, const struct value *b, struct value *out,
                   struct scratch *room);
/* value_negate and value_absolute give -v and |v|; false where there is no result. */
bool value_negate(const struct value *v, struct value *out);
bool value_absolute(const struct value *v, struct value *out);
/* value_fits tells whether the result of a calculation is one: that of numbers of up to 32 bits has no more (wide: 64).
 */
bool value_fits(const struct value *v, bool wide);
/* value_bytes makes the bytes of an address or a text a plain byte string; false where there is no room. */
bool value_bytes(const struct value *v, struct value *out, struct scratch *room);

/* letter_fold returns c in the given case. */
static inline uint8_t letter_fold(uint8_t c, uint8_t fold) {
    if (fold == FOLD_LOWER && c >= 'A' && c <= 'Z') return c | 0x20;
    if (fold == FOLD_UPPER && c >= 'a' && c <= 'z') return c & 0xdf;
    return c;
}

#endif
