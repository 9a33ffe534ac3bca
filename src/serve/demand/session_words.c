/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/demand/store.h"

static const char *const states[] = {
    [SESSION_REQUESTED] = "REQUESTED", [SESSION_ACCEPTED] = "ACCEPTED",
    [SESSION_CAPTURING] = "CAPTURING", [SESSION_POST_PROCESSING] = "POST_PROCESSING",
    [SESSION_DONE] = "DONE",           [SESSION_FAILED] = "FAILED",
    [SESSION_STOPPED] = "STOPPED",
};
_Static_assert(sizeof states / sizeof *states == SESSION_STATES, "every state has a name");

static const char *const roles[] = {
    [ROLE_NONE] = "none",
    [ROLE_VIEW] = "view",
    [ROLE_CAPTURE] = "capture",
    [ROLE_ADMIN] = "admin",
};
_Static_assert(sizeof roles / sizeof *roles == ROLES, "every role has a name");

const char *session_state_name(enum session_state s) { return states[s]; }
const char *store_role_name(enum store_role r) { return roles[r]; }

enum store_role store_role_read(const char *word) {
    for (enum store_role r = ROLE_VIEW; r < ROLES; r++)
        if (strcmp(word, roles[r]) == 0) return r;
    return ROLE_NONE;
}
