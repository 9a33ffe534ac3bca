/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/write.h"
#include "proto/icmp/checksum.h"

uint16_t write_checksum(const struct pseudo *ps, uint8_t protocol, struct slice header, struct slice payload) {
    size_t carried = header.n + payload.n;
    size_t address = ps->version == 4 ? 4 : 16;
    uint64_t sum = checksum_add(0, slice_of(ps->src, address));
    sum = checksum_add(sum, slice_of(ps->dst, address));
    sum +=
        protocol + (ps->version == 4 && ps->length != WRITE_AUTO ? (uint64_t)(ps->length & 0xffff) : (uint64_t)carried);
    sum = checksum_add(sum, header); /* of an even length, always */
    return checksum_fold(checksum_add(sum, payload));
}
