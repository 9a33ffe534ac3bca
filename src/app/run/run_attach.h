/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_APP_RUN_ATTACH_H
#define WEIR_APP_RUN_ATTACH_H

#include "app/run/run.h"

/* The keys of a process that runs already. */
struct run_attach;

/* run_attach_open looks at the process: 0, or an exit status after a message. */
int run_attach_open(struct run_attach **out, pid_t pid);
/* run_attach_name is what the process is called. */
const char *run_attach_name(const struct run_attach *a);
/* run_attach_begin joins what is loaded so far; before the first packet is taken, so that no session is missed. */
void run_attach_begin(struct run_attach *a);
/* run_attach_tell says that the recording goes on, and why its keys cannot be taken where they cannot. */
void run_attach_tell(const struct run_attach *a, const char *file);
/* run_attach_look takes the keys that came up, and now and then joins what was loaded or started since. */
void run_attach_look(struct run_attach *a, struct run_keys *k, struct run_ends *e);
/* run_attach_greeting notes a ClientHello as it comes in: where the process turns out to know its random, the
 * connection is the process' own, also when its socket was gone before anybody could look. */
void run_attach_greeting(struct run_attach *a, struct run_ends *e, const struct run_packet *p, struct slice random);
/* run_attach_hello hands on the keys of a session whose ClientHello was recorded. */
void run_attach_hello(struct run_attach *a, struct run_keys *k, struct slice random);
/* run_attach_ended tells whether the process has ended. */
bool run_attach_ended(const struct run_attach *a);
/* run_attach_reason says why there are no keys, or why there may be none for some session. */
const char *run_attach_reason(const struct run_attach *a);
/* run_attach_close takes out of the kernel what was put there; the process goes on. */
void run_attach_close(struct run_attach *a);

#endif
