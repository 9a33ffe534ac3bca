/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/arp/arp_write.h"

void arp_write(struct writer *w, const struct arp_write *h) {
    put_be16(w, h->hw_type);
    put_be16(w, h->proto_type);
    put_be8(w, h->hw_size == WRITE_AUTO ? 6 : h->hw_size);
    put_be8(w, h->proto_size == WRITE_AUTO ? 4 : h->proto_size);
    put_be16(w, h->opcode);
    wr_bytes(w, h->src_hw, sizeof h->src_hw);
    wr_bytes(w, h->src_proto, sizeof h->src_proto);
    wr_bytes(w, h->dst_hw, sizeof h->dst_hw);
    wr_bytes(w, h->dst_proto, sizeof h->dst_proto);
}
