/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/tcp/tcp_write.h"

enum { TCP_HEADER = 20, PROTOCOL_TCP = 6 };

static void put(struct writer *w, const struct tcp_write *h, int64_t checksum) {
    struct slice options = slice_head(h->options, TCP_WRITE_OPTIONS_MAX);
    size_t padding = (4 - options.n % 4) % 4;
    int64_t words = h->hdr_words == WRITE_AUTO ? (int64_t)(TCP_HEADER + options.n + padding) / 4 : h->hdr_words;
    put_be16(w, h->src_port);
    put_be16(w, h->dst_port);
    put_be32(w, h->seq);
    put_be32(w, h->ack);
    put_be16(w, (words & 15) << 12 | (h->reserved & 7) << 9 | (h->flags & 0x1ff));
    put_be16(w, h->window);
    put_be16(w, checksum);
    put_be16(w, h->urgent);
    wr_slice(w, options);
    while (padding--) put_be8(w, 0);
}

void tcp_write(struct writer *w, const struct tcp_write *h, const struct pseudo *ps, struct slice payload) {
    uint8_t bytes[TCP_HEADER + TCP_WRITE_OPTIONS_MAX];
    struct writer draft = wr_fixed(bytes, sizeof bytes);
    put(&draft, h, 0);
    uint16_t right = ps->version ? write_checksum(ps, PROTOCOL_TCP, wr_done(&draft), payload) : 0;
    put(w, h, h->checksum == WRITE_AUTO ? right : h->checksum);
}
