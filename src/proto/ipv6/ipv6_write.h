/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_PROTO_IPV6_WRITE_H
#define WEIR_PROTO_IPV6_WRITE_H

#include "proto/write.h"

/* ipv6_write's struct: the fixed header of RFC 8200 3. */
struct ipv6_write {
    int64_t version, traffic_class, flow, payload_len, next, hop_limit;
    uint8_t src[16], dst[16];
};

/* ipv6_write appends the header of a packet that carries `carried` bytes. */
void ipv6_write(struct writer *w, const struct ipv6_write *h, size_t carried);
/* ipv6_pseudo returns what the checksums of the layer above count. */
struct pseudo ipv6_pseudo(const struct ipv6_write *h);

#endif
