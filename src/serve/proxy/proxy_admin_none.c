/* SPDX-License-Identifier: Apache-2.0 */
/* Builds without libmicrohttpd: the guard works, nothing is shown. */
#include "serve/proxy/parent.h"

bool admin_open(struct parent *p) {
    const char *where = p->plan->admin ? p->plan->admin : p->set->config->admin;
    if (where && strcmp(where, "none") != 0)
        parent_say("admin %s: this build has no HTTP server; build it with libmicrohttpd (libmicrohttpd-dev)", where);
    return true;
}

void admin_turn(struct parent *p) { (void)p; }
void admin_forget(struct parent *p) { (void)p; }
void admin_close(struct parent *p) { (void)p; }
