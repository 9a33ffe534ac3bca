/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_APP_WHEN_H
#define WEIR_APP_WHEN_H

#include <stdbool.h>
#include <stdint.h>

/* when is a moment as people write it: "+1.5" (seconds into the capture), "1700000000.25" (since 1970), "2026-01-31
 * 10:02[:11.4]" (local time; UTC with a Z behind it) or "10:02[:11.4]" (on the day of the first packet). */
struct when {
    enum { WHEN_NEVER, WHEN_INTO, WHEN_AT, WHEN_CLOCK } kind;
    bool utc;   /* WHEN_CLOCK */
    int64_t ns; /* into the capture, since 1970, or since midnight */
};

#define WHEN_HELP "seconds since 1970, +SECONDS into the capture, HH:MM:SS, or YYYY-MM-DD HH:MM:SS[Z]"

/* when_parse reads text; false where it is no moment. */
bool when_parse(const char *text, struct when *out);
/* when_ns returns the moment in nanoseconds since 1970, for a capture whose first packet has the time `begin`; a time
 * range asks once. */
__int128 when_ns(const struct when *w, __int128 begin);

#endif
