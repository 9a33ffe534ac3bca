/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_APP_SPAN_H
#define WEIR_APP_SPAN_H

#include <stdbool.h>
#include <stdint.h>

/* span_parse reads a length of time as people write it, "0.5", "20ms", "250us", "2s", "1m", in nanoseconds; false where
 * it is none. */
bool span_parse(const char *text, int64_t *ns);

#define SPAN_HELP "seconds, or with us, ms, s, m behind the number"

#endif
