/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_PROTO_ETH_WRITE_H
#define WEIR_PROTO_ETH_WRITE_H

#include "proto/write.h"

struct eth_write {
    uint8_t dst[6], src[6];
    int64_t type;
};

/* vlan_write's struct: the four bytes of IEEE 802.1Q after the EtherType 0x8100. */
struct vlan_write {
    int64_t priority, dei, id, type;
};

/* eth_write and vlan_write append a header. */
void eth_write(struct writer *w, const struct eth_write *h);
void vlan_write(struct writer *w, const struct vlan_write *h);

#endif
