/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_ANALYSE_STATS_STATS_CREDENTIALS_H
#define WEIR_ANALYSE_STATS_STATS_CREDENTIALS_H

#include "analyse/stats/stats.h"

/* Who logged in where anybody could read it, tshark's -z credentials: users of HTTP, FTP, POP3, IMAP and SMTP, and the
 * packets that have their passwords; never the passwords. */

enum { CREDENTIALS_MAX = 1 << 16, CREDENTIALS_USER = 128 }; /* logins, and connections of logins, that are kept */

/* credentials_user is a user's name, cut where it is longer. */
struct credentials_user {
    uint8_t n;
    uint8_t text[CREDENTIALS_USER];
};

struct credential {
    uint64_t frame, user_frame; /* of the password, and of the name where that came before; 0: with it */
    const char *proto;
    struct credentials_user user;
};

struct credentials {
    struct credential *row;
    uint32_t n, room;
    uint64_t refused;       /* logins beyond CREDENTIALS_MAX */
    struct keytab sessions; /* connections with a name whose password may come */
};

extern const struct stats_ops stats_credentials;

#endif
