/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_BASE_ISOTIME_H
#define WEIR_BASE_ISOTIME_H

#include "base/writer.h"

/* iso_time writes a moment in nanoseconds since 1970 as ISO 8601 has it, in UTC: 2026-11-21T11:52:03, with `digits` (0
 * to 9) of the second behind a point. The zone ("Z" or "+0000") is the caller's. */
void iso_time(struct writer *w, int64_t ns, int digits);

#endif
