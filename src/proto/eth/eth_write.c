/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/eth/eth_write.h"

void eth_write(struct writer *w, const struct eth_write *h) {
    wr_bytes(w, h->dst, sizeof h->dst);
    wr_bytes(w, h->src, sizeof h->src);
    put_be16(w, h->type);
}

void vlan_write(struct writer *w, const struct vlan_write *h) {
    put_be16(w, (h->priority & 7) << 13 | (h->dei & 1) << 12 | (h->id & 0xfff));
    put_be16(w, h->type);
}
