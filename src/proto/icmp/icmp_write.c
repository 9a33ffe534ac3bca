/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/icmp/icmp_write.h"
#include "proto/icmp/checksum.h"

enum { ICMP_HEADER = 8, PROTOCOL_ICMPV6 = 58 };

static void put(struct writer *w, const struct icmp_write *h, int64_t checksum) {
    put_be8(w, h->type);
    put_be8(w, h->code);
    put_be16(w, checksum);
    put_be32(w, h->rest);
}

void icmp_write(struct writer *w, const struct icmp_write *h, struct slice payload) {
    uint8_t bytes[ICMP_HEADER];
    struct writer draft = wr_fixed(bytes, sizeof bytes);
    put(&draft, h, 0);
    uint16_t right = checksum_fold(checksum_add(checksum_add(0, wr_done(&draft)), payload));
    put(w, h, h->checksum == WRITE_AUTO ? right : h->checksum);
}

void icmpv6_write(struct writer *w, const struct icmp_write *h, const struct pseudo *ps, struct slice payload) {
    uint8_t bytes[ICMP_HEADER];
    struct writer draft = wr_fixed(bytes, sizeof bytes);
    put(&draft, h, 0);
    uint16_t right = ps->version ? write_checksum(ps, PROTOCOL_ICMPV6, wr_done(&draft), payload) : 0;
    put(w, h, h->checksum == WRITE_AUTO ? right : h->checksum);
}
