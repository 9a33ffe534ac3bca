/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_GUARD_RULES_H
#define WEIR_GUARD_RULES_H

#include "guard/session.h"

/* Rule files in the policy's order: behind the conditions, before the shape of the payload.
 *
 * rules_check puts the packet's parts and the session's identity into a transaction and judges it; true: a verdict. */
bool rules_check(struct guard *g, struct guard_session *s, const struct mqtt_message *m, struct verdict *v);

/* rules_renew makes the transaction for the policy the guard has now; 0 or ERR_NOMEM. Collections stay. rules_end frees all. */
int rules_renew(struct guard *g);
void rules_end(struct guard *g);

#endif
