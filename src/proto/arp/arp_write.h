/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_PROTO_ARP_WRITE_H
#define WEIR_PROTO_ARP_WRITE_H

#include "proto/write.h"

/* arp_write's struct: addresses are those of Ethernet and IPv4 whatever the four numbers before them say. */
struct arp_write {
    int64_t hw_type, proto_type, hw_size, proto_size, opcode;
    uint8_t src_hw[6], src_proto[4], dst_hw[6], dst_proto[4];
};

/* arp_write appends an ARP packet (RFC 826). */
void arp_write(struct writer *w, const struct arp_write *h);

#endif
