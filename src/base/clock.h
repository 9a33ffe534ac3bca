/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_BASE_CLOCK_H
#define WEIR_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

/* clock_read returns nanoseconds of a clock. */
static inline int64_t clock_read(clockid_t which) {
    struct timespec t;
    clock_gettime(which, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* clock_ms and clock_ns tell what passes (the monotonic clock), clock_wall_ms and clock_wall_ns the time since
 * 1970-01-01 UTC, in milliseconds and nanoseconds. */
static inline int64_t clock_ns(void) { return clock_read(CLOCK_MONOTONIC); }
static inline int64_t clock_ms(void) { return clock_ns() / 1000000; }
static inline int64_t clock_wall_ns(void) { return clock_read(CLOCK_REALTIME); }
static inline int64_t clock_wall_ms(void) { return clock_wall_ns() / 1000000; }

#endif
