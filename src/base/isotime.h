/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_BASE_ISOTIME_H
#define WEIR_BASE_ISOTIME_H

#include "base/writer.h"

/* iso_time writes a moment in nanoseconds since 1970 as ISO 8601 has it, in UTC: 2026-11-21T11:52:03, with `digits` (0
 * to 9) of the second behind a point. The zone ("Z" or "+0000") is the caller's. */
void iso_time(struct writer *w, __int128 ns, int digits);
/* put_fraction puts the point and so many digits (0: nothing) of a part of a second, all nine in passing; what is finer
 * is cut. iso_fraction writes that. */
static inline char *put_fraction(char *p, uint32_t ns, int digits) {
    if (!digits) return p;
    *p++ = '.';
    put_triple(put_triple(put_triple(p, ns / 1000000), ns / 1000 % 1000), ns % 1000);
    return p + digits;
}
static inline void iso_fraction(struct writer *w, uint32_t ns, int digits) {
    char room[PUT_ROOM], *at = put_at(w, room, PUT_ROOM);
    put_done(w, room, at, put_fraction(at, ns, digits));
}

#endif
