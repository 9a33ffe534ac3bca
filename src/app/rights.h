/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_APP_RIGHTS_H
#define WEIR_APP_RIGHTS_H

#include <stdbool.h>
#include <sys/types.h>

/* rights is whom to become once the interface is open. */
struct rights {
    bool drop;
    bool own; /* files are to be theirs */
    uid_t uid;
    gid_t gid;
    char name[64]; /* empty: groups are not looked up */
};

/* rights_pick chooses: the user given, else the one who called sudo, else nobody; with keep and no user, root stays
 * root. False when there is no such user. */
bool rights_pick(struct rights *t, const char *user, bool keep) __attribute__((warn_unused_result));
/* rights_drop becomes that user for good; false with errno where it cannot, and then the program must not go on. */
bool rights_drop(const struct rights *t) __attribute__((warn_unused_result));

#endif
