/* SPDX-License-Identifier: Apache-2.0 */
#include "app/rights.h"
#include "io/capture/savefile.h"
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define NOBODY 65534

static bool by_name(struct rights *t, const char *name) {
    const struct passwd *p = getpwnam(name);
    if (!p) return false;
    *t = (struct rights){true, true, p->pw_uid, p->pw_gid, ""};
    snprintf(t->name, sizeof t->name, "%s", p->pw_name);
    return true;
}

/* env_id reads SUDO_UID or SUDO_GID; 0 where it says nothing usable. */
static unsigned env_id(const char *name) {
    const char *text = getenv(name);
    char *rest;
    unsigned long v = text ? strtoul(text, &rest, 10) : 0;
    return text && rest != text && !*rest && v < UINT32_MAX ? (unsigned)v : 0;
}

bool rights_pick(struct rights *t, const char *user, bool keep) {
    *t = (struct rights){0};
    if (user && !by_name(t, user)) return false;
    if (geteuid() != 0) {
        /* nothing to become; capabilities of the file (setcap) are given up all the same */
        *t = (struct rights){true, false, getuid(), getgid(), ""};
    } else if (user || keep) {
        t->drop = user && t->uid != 0;
    } else if (env_id("SUDO_UID") && env_id("SUDO_GID")) {
        *t = (struct rights){true, true, env_id("SUDO_UID"), env_id("SUDO_GID"), ""};
    } else {
        *t = (struct rights){true, false, NOBODY, NOBODY, ""};
    }
    return true;
}

bool rights_drop(const struct rights *t) {
    return !t->drop || privileges_drop(t->uid, t->gid, t->name[0] ? t->name : NULL);
}
