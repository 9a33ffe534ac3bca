/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_BASE_MOMENT_H
#define WEIR_BASE_MOMENT_H

#include <stdint.h>

/* Moments are nanoseconds since 1970, spans of time nanoseconds. Time stamps of pcapng are unsigned counts of 64 bits
 * in units as long as a second [draft-ietf-opsawg-pcapng 4.3]: they reach further than 64 bits of nanoseconds. What
 * keeps a moment keeps, as NTP does [RFC 5905 6], an era and the nanoseconds in it: era * 2^63 + ns, ns from -2^62 to
 * below 2^62. Era 0 is 1824 to 2116. Whoever looks at the nanoseconds alone sees every capture in that era, and the
 * difference of two never overflows. */

/* MOMENT_MAX is how far from 1970 moments are kept, 2.4 million years; differences of two of them have an era, too. */
#define MOMENT_MAX ((__int128)1 << 76)

static inline __int128 moment_of(int64_t ns, int16_t era) { return (__int128)((unsigned __int128)era << 63) + ns; }
static inline int16_t moment_era(__int128 m) { return (int16_t)((m + ((__int128)1 << 62)) >> 63); }
static inline int64_t moment_ns(__int128 m) { return (int64_t)(m - moment_of(0, moment_era(m))); }

/* moment_clock parts a moment into whole seconds and what is above them, as clocks count, before 1970 too. */
struct moment_clock {
    int64_t seconds;
    uint32_t ns;
};
static inline struct moment_clock moment_clock(__int128 m) {
    const int64_t second = 1000000000;
    int64_t seconds = (int64_t)m == m ? (int64_t)m / second : (int64_t)(m / second);
    int64_t ns = (int64_t)(m - (__int128)seconds * second);
    if (ns < 0) seconds--, ns += second;
    return (struct moment_clock){seconds, (uint32_t)ns};
}

#endif
