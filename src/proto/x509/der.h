/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_PROTO_X509_DER_H
#define WEIR_PROTO_X509_DER_H

#include "base/reader.h"

/* DER: X.690 8 and 10. What is not DER (indefinite lengths, tags of several bytes) is an error of the reader. */

enum der_tag {
    DER_BOOLEAN = 0x01,
    DER_INTEGER = 0x02,
    DER_BITS = 0x03,
    DER_OCTETS = 0x04,
    DER_OID = 0x06,
    DER_ENUMERATED = 0x0a,
    DER_UTF8 = 0x0c,
    DER_PRINTABLE = 0x13,
    DER_TELETEX = 0x14,
    DER_IA5 = 0x16,
    DER_UTC_TIME = 0x17,
    DER_GENERALIZED_TIME = 0x18,
    DER_VISIBLE = 0x1a,
    DER_UNIVERSAL = 0x1c,
    DER_BMP = 0x1e,
    DER_SEQUENCE = 0x30,
    DER_SET = 0x31,
    DER_CONTEXT = 0x80,     /* [0], primitive */
    DER_CONTEXT_SET = 0xa0, /* [0], constructed */
};

/* der is one element: its tag, where it stands with its header, and a reader over its content. */
struct der {
    uint8_t tag;
    uint32_t off, len;
    struct reader in;
};

/* der_next takes the next element; where there is none, or it is no DER, its reader is in error. */
static inline struct der der_next(struct reader *r) {
    struct der e = {.off = rd_off(r)};
    e.tag = rd_u8(r);
    size_t n = rd_u8(r);
    if ((e.tag & 0x1f) == 0x1f || n == 0x80) rd_fail(r);
    if (n & 0x80) {
        size_t bytes = n & 0x7f;
        n = 0;
        if (bytes > 4) rd_fail(r);
        for (size_t i = 0; i < bytes && rd_ok(r); i++) n = n << 8 | rd_u8(r);
    }
    e.in = rd_sub(r, n);
    e.len = rd_ok(&e.in) ? rd_off(r) - e.off : 0;
    return e;
}

/* der_enter takes an element that must have the given tag. */
static inline struct der der_enter(struct reader *r, uint8_t tag) {
    struct der e = der_next(r);
    if (e.tag != tag) rd_fail(&e.in);
    return e;
}

/* der_is tells whether the next element has the tag. */
static inline bool der_is(const struct reader *r, uint8_t tag) { return rd_peek(r, 0) == tag; }

/* der_count returns the number of elements in r. */
static inline uint32_t der_count(struct reader r) {
    uint32_t n = 0;
    while (rd_left(&r)) {
        struct der e = der_next(&r);
        if (!rd_ok(&e.in)) break;
        n++;
    }
    return n;
}

/* der_unsigned returns the value of an INTEGER's content; numbers over 64 bits give their low ones. */
static inline uint64_t der_unsigned(struct reader in) {
    uint64_t v = 0;
    while (rd_left(&in)) v = v << 8 | rd_u8(&in);
    return v;
}

#endif
