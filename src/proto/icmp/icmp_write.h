/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_PROTO_ICMP_WRITE_H
#define WEIR_PROTO_ICMP_WRITE_H

#include "proto/write.h"

/* icmp_write's struct: the first eight bytes of RFC 792, the same in ICMPv6; `rest` is the second word, whose meaning
 * the type says (identifier and sequence number of an echo). */
struct icmp_write {
    int64_t type, code, checksum;
    uint32_t rest;
};

/* icmp_write appends header and payload; a checksum of WRITE_AUTO is worked out. */
void icmp_write(struct writer *w, const struct icmp_write *h, struct slice payload);
/* icmpv6_write does the same for ICMPv6, whose checksum counts the pseudo header. */
void icmpv6_write(struct writer *w, const struct icmp_write *h, const struct pseudo *ps, struct slice payload);

#endif
