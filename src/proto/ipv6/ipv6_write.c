/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/ipv6/ipv6_write.h"

void ipv6_write(struct writer *w, const struct ipv6_write *h, size_t carried) {
    put_be32(w, (h->version & 15) << 28 | (h->traffic_class & 0xff) << 20 | (h->flow & 0xfffff));
    put_be16(w, h->payload_len == WRITE_AUTO ? (int64_t)carried : h->payload_len);
    put_be8(w, h->next);
    put_be8(w, h->hop_limit);
    wr_bytes(w, h->src, sizeof h->src);
    wr_bytes(w, h->dst, sizeof h->dst);
}

struct pseudo ipv6_pseudo(const struct ipv6_write *h) {
    struct pseudo ps = {.version = 6, .length = WRITE_AUTO};
    memcpy(ps.src, h->src, sizeof h->src);
    memcpy(ps.dst, h->dst, sizeof h->dst);
    return ps;
}
