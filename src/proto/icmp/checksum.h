/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_PROTO_CHECKSUM_H
#define WEIR_PROTO_CHECKSUM_H

#include "base/reader.h"

/* The Internet checksum (RFC 1071): ones' complement sum of 16-bit words. */

enum checksum_status { CHECKSUM_BAD, CHECKSUM_GOOD, CHECKSUM_UNVERIFIED, CHECKSUM_ABSENT, CHECKSUM_ILLEGAL };

/* checksum_add adds the bytes of s to a sum; only the last piece may have an odd length. */
static inline uint64_t checksum_add(uint64_t sum, struct slice s) {
    size_t i = 0;
    for (; i + 4 <= s.n; i += 4) sum += load_be32(s.p + i);
    for (; i + 2 <= s.n; i += 2) sum += load_be16(s.p + i);
    if (i < s.n) sum += (uint64_t)s.p[i] << 8;
    return sum;
}

/* checksum_fold returns the complement of the sum: 0 where the summed bytes hold a right checksum. */
static inline uint16_t checksum_fold(uint64_t sum) {
    while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

/* checksum_expected returns what a checksum field that holds `field` ought to hold, given the remainder
 * checksum_fold gave. */
static inline uint16_t checksum_expected(uint16_t field, uint16_t remainder) {
    return checksum_fold((uint64_t)(0xffff - remainder) + (0xffff - field));
}

#endif
