/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_PROTO_WRITE_H
#define WEIR_PROTO_WRITE_H

#include "base/writer.h"

/* What the writers share. A writer appends one header to w, given what it will carry; fields of struct x_write that are
 * WRITE_AUTO become what the specification wants, all others are written as they are, right or wrong: numbers that are
 * too large lose their upper bits. */

enum { WRITE_AUTO = -1 };

/* pseudo is what a transport checksum counts of the network layer (RFC 9293 3.1, RFC 8200 8.1). */
struct pseudo {
    uint8_t version; /* 4, 6; 0: nothing stands below, and an automatic checksum is 0 */
    uint8_t src[16], dst[16];
    int64_t length; /* what the network layer's own fields say it carries; WRITE_AUTO: as much as it does */
};

static inline void put_be8(struct writer *w, int64_t v) { wr_c(w, (char)(uint8_t)v); }
static inline void put_be16(struct writer *w, int64_t v) {
    put_be8(w, v >> 8);
    put_be8(w, v);
}
static inline void put_be32(struct writer *w, int64_t v) {
    put_be16(w, v >> 16);
    put_be16(w, v);
}

/* write_checksum returns the checksum of a header that holds 0 in its place, the payload, and the pseudo header. */
uint16_t write_checksum(const struct pseudo *ps, uint8_t protocol, struct slice header, struct slice payload);

#endif
