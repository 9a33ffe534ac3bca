/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_APP_CHILDREN_H
#define WEIR_APP_CHILDREN_H

#include <stdbool.h>
#include <sys/types.h>

/* A handful of child processes that never outlive their parent.
 *
 * Each child asks the kernel for a signal when the parent dies, so that not even a killed parent leaves one behind;
 * children_end ends those that still run. The parent notices Ctrl-C, SIGTERM, SIGHUP and SIGPIPE as
 * children_stopped(), which every wait here watches. */

enum { CHILDREN_MAX = 16 };

struct children {
    pid_t pid[CHILDREN_MAX]; /* 0: ended and reaped */
    int n;
};

/* children_watch makes the stopping signals set a flag instead of ending the process. */
void children_watch(void);
/* children_stopped returns the number of the signal that asked to stop, or 0. */
int children_stopped(void);

/* child_start runs argv (ends with NULL, found by PATH) with standard output and error appended to the file `out`, or
 * inherited where it is NULL; gives the child's place, or -1 with errno. */
int child_start(struct children *c, const char *out, char *const argv[]);
/* child_wait waits up to ms milliseconds for a child to end; its exit status, 128 + signal, or -1 when it still runs
 * or a signal asked to stop. */
int child_wait(struct children *c, int at, int ms);
/* child_running tells whether the child has not ended yet. */
bool child_running(struct children *c, int at);
/* child_signal sends a signal to a child that still runs. */
void child_signal(struct children *c, int at, int signal);
/* children_end ends every child: asked first, the one started last before the others; forced after a second. */
void children_end(struct children *c);

/* children_nap sleeps ms milliseconds; false when a signal asked to stop. */
bool children_nap(int ms);

#endif
