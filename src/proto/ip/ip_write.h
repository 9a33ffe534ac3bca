/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_PROTO_IP_WRITE_H
#define WEIR_PROTO_IP_WRITE_H

#include "proto/write.h"

enum { IP_WRITE_OPTIONS_MAX = 40 };

/* ip_write's struct: an IPv4 header (RFC 791 3.1). */
struct ip_write {
    int64_t version, hdr_words, tos, len, id, flags, frag_offset, ttl, proto, checksum; /* offset in units of 8 bytes */
    uint8_t src[4], dst[4];
    struct slice options; /* encoded, at most IP_WRITE_OPTIONS_MAX bytes; filled up with zeros to a multiple of four */
};

/* ip_write appends the header of a datagram that carries `carried` bytes. */
void ip_write(struct writer *w, const struct ip_write *h, size_t carried);
/* ip_pseudo returns what the checksums of the layer above count. */
struct pseudo ip_pseudo(const struct ip_write *h);

#endif
