/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_GUARD_FEED_H
#define WEIR_GUARD_FEED_H

#include "guard/session.h"

/* session_begin and session_finish stand around every call about a session. */
void session_begin(struct guard *g, struct guard_out *out, int64_t now);
void session_finish(struct guard *g, struct guard_out *out);
/* session_close ends the session; code: reason code to tell the client, 0: nothing is said. */
void session_close(struct guard *g, struct guard_session *s, struct guard_out *out, enum guard_close how, uint8_t code);
/* session_ban bans who is behind the session, as the verdict says. */
void session_ban(struct guard *g, struct guard_session *s, const struct verdict *v);

/* session_names_leave counts a session out of what is open under its names. */
void session_names_leave(struct guard *g, struct guard_session *s);

#endif
