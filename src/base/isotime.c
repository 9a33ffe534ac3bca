/* SPDX-License-Identifier: Apache-2.0 */
#include "base/isotime.h"

#include <time.h>

void iso_time(struct writer *w, int64_t ns, int digits) {
    static const uint32_t divide[] = {1000000000, 100000000, 10000000, 1000000, 100000, 10000, 1000, 100, 10, 1};
    char text[40];
    struct tm tm = {.tm_mday = 1};
    int64_t part = ns % 1000000000;
    time_t t = (time_t)(ns / 1000000000) - (part < 0);
    if (part < 0) part += 1000000000;
    (void)gmtime_r(&t, &tm); /* nanoseconds of 64 bits end in 2262 */
    wr_bytes(w, text, strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm));
    if (!digits) return;
    wr_c(w, '.');
    wr_uz(w, (uint64_t)part / divide[digits], digits);
}
