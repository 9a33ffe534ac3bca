/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_ANALYSE_TALK_ADDR_H
#define WEIR_ANALYSE_TALK_ADDR_H

#include "base/writer.h"
#include "field/fvec.h"
#include "proto/fields.h"

#include <endian.h>

/* talk_addr is one end of a conversation, as a key: addresses of 4, 6 or 16 bytes, padded with zeros; no port is 0. */
struct talk_addr {
    uint8_t bytes[16];
    uint16_t port;
    uint8_t len, zero;
};

/* talk_addr_set takes an address field of `len` bytes; the port becomes 0. */
static inline void talk_addr_set(struct talk_addr *a, const struct fval *f, uint8_t len) {
    *a = (struct talk_addr){.len = len};
    if (len == 4) {
        uint64_t wire = htole64(__builtin_bswap32((uint32_t)f->u)); /* a whole word, as it is read */
        memcpy(a->bytes, &wire, sizeof wire);
    } else if (f->s.n == len) {
        memcpy(a->bytes, f->s.p, len);
    }
}

/* talk_addr_print writes an address without its port. */
void talk_addr_print(struct writer *w, const struct talk_addr *a);
/* talk_addr_port_print writes address:port, an IPv6 address in brackets. */
void talk_addr_port_print(struct writer *w, const struct talk_addr *a);
/* talk_addr_json writes {"address":"...","port":n}. */
void talk_addr_json(struct writer *w, const struct talk_addr *a);

/* talk_ends_want adds the fields that talk_ends_take reads. */
void talk_ends_want(struct want *w);
/* talk_ends_take notes in *src or *dst what the field says of a packet's ends: an address of IP, or a port of TCP or
 * UDP. Inner headers come later and win. */
static inline void talk_ends_take(struct talk_addr *src, struct talk_addr *dst, const struct fval *f) {
    switch (f->id) {
    case FID_IP_SRC: talk_addr_set(src, f, 4); break;
    case FID_IPV6_SRC: talk_addr_set(src, f, 16); break;
    case FID_IP_DST: talk_addr_set(dst, f, 4); break;
    case FID_IPV6_DST: talk_addr_set(dst, f, 16); break;
    case FID_TCP_SRCPORT:
    case FID_UDP_SRCPORT: src->port = (uint16_t)f->u; break;
    case FID_TCP_DSTPORT:
    case FID_UDP_DSTPORT: dst->port = (uint16_t)f->u; break;
    default: break;
    }
}

#endif
