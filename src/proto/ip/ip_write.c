/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/ip/ip_write.h"
#include "proto/icmp/checksum.h"

enum { IP_HEADER = 20 };

/* header_size returns the bytes of the header as it is written. */
static size_t header_size(const struct ip_write *h) {
    return IP_HEADER + (slice_head(h->options, IP_WRITE_OPTIONS_MAX).n + 3) / 4 * 4;
}

static void put(struct writer *w, const struct ip_write *h, size_t carried, int64_t checksum) {
    struct slice options = slice_head(h->options, IP_WRITE_OPTIONS_MAX);
    size_t size = header_size(h);
    int64_t words = h->hdr_words == WRITE_AUTO ? (int64_t)size / 4 : h->hdr_words;
    put_be8(w, (h->version & 15) << 4 | (words & 15));
    put_be8(w, h->tos);
    put_be16(w, h->len == WRITE_AUTO ? (int64_t)(carried + size) : h->len);
    put_be16(w, h->id);
    put_be16(w, (h->flags & 7) << 13 | (h->frag_offset & 0x1fff));
    put_be8(w, h->ttl);
    put_be8(w, h->proto);
    put_be16(w, checksum);
    wr_bytes(w, h->src, sizeof h->src);
    wr_bytes(w, h->dst, sizeof h->dst);
    wr_slice(w, options);
    for (size_t n = IP_HEADER + options.n; n < size; n++) put_be8(w, 0);
}

void ip_write(struct writer *w, const struct ip_write *h, size_t carried) {
    uint8_t bytes[IP_HEADER + IP_WRITE_OPTIONS_MAX];
    struct writer draft = wr_fixed(bytes, sizeof bytes);
    put(&draft, h, carried, 0);
    put(w, h, carried, h->checksum == WRITE_AUTO ? checksum_fold(checksum_add(0, wr_done(&draft))) : h->checksum);
}

struct pseudo ip_pseudo(const struct ip_write *h) {
    struct pseudo ps = {.version = 4, .length = WRITE_AUTO};
    int64_t header = h->hdr_words == WRITE_AUTO ? (int64_t)header_size(h) : 4 * h->hdr_words;
    memcpy(ps.src, h->src, sizeof h->src);
    memcpy(ps.dst, h->dst, sizeof h->dst);
    if (h->len != WRITE_AUTO) ps.length = h->len > header ? h->len - header : 0;
    return ps;
}
