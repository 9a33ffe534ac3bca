/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/udp/udp_write.h"

enum { UDP_HEADER = 8, PROTOCOL_UDP = 17 };

static void put(struct writer *w, const struct udp_write *h, size_t carried, int64_t checksum) {
    put_be16(w, h->src_port);
    put_be16(w, h->dst_port);
    put_be16(w, h->length == WRITE_AUTO ? (int64_t)carried + UDP_HEADER : h->length);
    put_be16(w, checksum);
}

void udp_write(struct writer *w, const struct udp_write *h, const struct pseudo *ps, struct slice payload) {
    uint8_t bytes[UDP_HEADER];
    struct writer draft = wr_fixed(bytes, sizeof bytes);
    put(&draft, h, payload.n, 0);
    int64_t right = ps->version ? write_checksum(ps, PROTOCOL_UDP, wr_done(&draft), payload) : 0;
    if (ps->version && !right) right = 0xffff; /* 0 would say that there is none, RFC 768 */
    put(w, h, payload.n, h->checksum == WRITE_AUTO ? right : h->checksum);
}
