/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_IO_SAVEFILE_H
#define WEIR_IO_SAVEFILE_H

#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SAVEFILE_NAME_MAX 4096

enum savefile_style {
    SAVEFILE_COUNTED, /* tcpdump -C: name, name1, name2; with digits: name00, name01 */
    SAVEFILE_RING,    /* dumpcap -b: name_00001_20260101120000.ext */
};

/* savefile_plan is how the files of one capture are named: file number `seq` (from 0), begun at `when` (seconds). */
struct savefile_plan {
    const char *path; /* lives as long as the savefiles */
    enum savefile_style style;
    bool dated;   /* strftime conversions in the path (-G) */
    int digits;   /* at least so many of the count, 0: none for the first file */
    bool counted; /* the count is part of the name */
    bool chown;   /* give the files to owner and group */
    uid_t owner;
    gid_t group;
};

struct savefiles; /* opens the files of a capture, also after the privileges are dropped */

/* savefiles_make takes the plan; with `guarded` a child process keeps the present privileges, knows the plan and opens
 * nothing but the names the plan gives. The caller may then drop its own privileges. */
int savefiles_make(struct savefiles **out, const struct savefile_plan *plan, bool guarded) MUST_USE;
/* savefiles_open creates or empties the file `seq` and writes its name: a descriptor, or -1 with errno. */
int savefiles_open(struct savefiles *s, uint32_t seq, int64_t when, char *name, size_t size) MUST_USE;
/* savefiles_remove deletes a file opened before under the same numbers; 0 or -1 with errno. */
int savefiles_remove(struct savefiles *s, uint32_t seq, int64_t when);
void savefiles_free(struct savefiles *s);

/* privileges_drop becomes uid/gid (with its groups by name, NULL: none) and gives up every capability; false with errno
 * where it cannot, and then the program must not go on. */
bool privileges_drop(uid_t uid, gid_t gid, const char *user) MUST_USE;
/* privileges_keep_capture becomes uid/gid in the same way, but keeps what opens interfaces, CAP_NET_RAW and
 * CAP_NET_ADMIN, as far as the process had them. */
bool privileges_keep_capture(uid_t uid, gid_t gid, const char *user) MUST_USE;

#endif
