/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_BASE_EIGHT_H
#define WEIR_BASE_EIGHT_H

#include "base/slice.h"

/* Eight bytes of text looked at at a time: each function returns 0 where none of them is what it looks for. */

#define EIGHT_ONES 0x0101010101010101u
#define EIGHT_TOPS 0x8080808080808080u

static inline uint64_t eight_load(const uint8_t *p) {
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}
/* eight_equal looks for the byte c. */
static inline uint64_t eight_equal(uint64_t v, uint8_t c) {
    uint64_t zero = v ^ (EIGHT_ONES * c);
    return (zero - EIGHT_ONES) & ~zero & EIGHT_TOPS;
}
/* eight_strange looks for what is not printable ASCII. */
static inline uint64_t eight_strange(uint64_t v) {
    uint64_t below = (v - 0x20 * EIGHT_ONES) & ~v, above = (v + EIGHT_ONES) | v;
    return (below | above) & EIGHT_TOPS;
}

#endif
