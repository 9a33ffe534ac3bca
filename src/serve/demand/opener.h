/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_SERVE_OPENER_H
#define WEIR_SERVE_OPENER_H

#include "serve/demand/record.h"
#include <sys/types.h>

/* Captures that begin long after the server gave up its privileges. */

/* opener_user is whom server and recorders become. */
struct opener_user {
    bool change; /* false: everybody stays who they are */
    uid_t uid;
    gid_t gid;
    const char *name; /* NULL: groups are not looked up */
};

struct opener;

/* opener_start forks the process that starts recorders; to be called while there is one thread and the right to capture
 * is still held. ERR_IO with errno. */
int opener_start(struct opener **out, const struct opener_user *user) MUST_USE;
/* opener_record starts a recorder for an order, writing to `file`, which stays the caller's. It returns the socket its
 * reports (struct record_report, one to a message) come from and one byte stops it through, or -1 with errno. */
int opener_record(struct opener *o, const struct record_order *order, int file) MUST_USE;
void opener_free(struct opener *o);
/* opener_user_become makes the calling process the user, without any privilege left. */
bool opener_user_become(const struct opener_user *user) MUST_USE;

#endif
