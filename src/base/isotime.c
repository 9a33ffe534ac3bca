/* SPDX-License-Identifier: Apache-2.0 */
#include "base/isotime.h"

#include "base/moment.h"

#include <time.h>

void iso_time(struct writer *w, __int128 ns, int digits) {
    struct moment_clock at = moment_clock(ns);
    char text[40];
    time_t t = (time_t)at.seconds;
    struct tm tm = {.tm_mday = 1};
    (void)gmtime_r(&t, &tm); /* MOMENT_MAX is far below what it can say */
    wr_bytes(w, text, strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm));
    iso_fraction(w, at.ns, digits);
}
