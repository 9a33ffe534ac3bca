/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_BASE_ISOTIME_H
#define WEIR_BASE_ISOTIME_H

#include "base/writer.h"

/* iso_time writes a moment in nanoseconds since 1970 as ISO 8601 has it, in UTC: 2026-11-21T11:52:03, with `digits` (0
 * to 9) of the second behind a point. The zone ("Z" or "+0000") is the caller's. */
void iso_time(struct writer *w, __int128 ns, int digits);
/* iso_fraction writes the point and so many digits (0: nothing) of a part of a second; what is finer is cut. */
static inline void iso_fraction(struct writer *w, uint32_t ns, int digits) {
    static const uint32_t divide[] = {1000000000, 100000000, 10000000, 1000000, 100000, 10000, 1000, 100, 10, 1};
    if (!digits) return;
    wr_c(w, '.');
    wr_uz(w, digits == 9 ? ns : ns / divide[digits], digits);
}

#endif
