/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_GUARD_RULES_H
#define WEIR_GUARD_RULES_H

#include "guard/session.h"

/* Where rule files stand in the policy's order: behind the conditions, before the shape of the payload. A rule file
 * gets the packet's parts from `m` and the identity from the session, and ends the judging by true with a verdict.
 * There are no rule files yet. */
static inline bool rules_check(struct guard *g, struct guard_session *s, const struct mqtt_message *m,
                               struct verdict *v) {
    (void)g, (void)s, (void)m, (void)v;
    return false;
}

#endif
