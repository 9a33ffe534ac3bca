/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_GUARD_RULES_NEED_H
#define WEIR_GUARD_RULES_NEED_H
/* What a text must hold for a regular expression to match in it. */

#include "base/slice.h"

/* need is up to NEED_MAX sets of bytes: a text in which the expression matches has a byte of each. No set: nothing is
 * known. */
enum { NEED_MAX = 6 };
struct need {
    int n;
    uint64_t set[NEED_MAX][4];
};
void need_of_rx(struct slice text, bool caseless, struct need *out);
void need_of_literal(struct slice text, bool caseless, struct need *out);
/* need_special tells whether one of the sets has no byte of ordinary text. */
bool need_special(const struct need *n);
/* need_met tells whether a text of these bytes has what is needed. */
bool need_met(const struct need *n, const uint64_t seen[4]);
/* need_rarest adds the rarest of the sets to `set`, or all bytes where nothing is known. */
void need_rarest(const struct need *n, uint64_t set[4]);

#endif
