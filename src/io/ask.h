/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_IO_ASK_H
#define WEIR_IO_ASK_H

#include "io/sock.h"

/* ask is one HTTP/1.1 request to a server of our own, and its answer. */

enum { ASK_ANSWER_MAX = 8 << 20, ASK_MS = 3000 };

/* ask_http sends METHOD PATH with no body to `to` and appends the answer's body to `body`, at most ASK_ANSWER_MAX
 * bytes, within ASK_MS. It returns the status, or a negative code with a reason in why. The header X-Weir: yes goes
 * along. */
int ask_http(const struct sock_addr *to, const char *method, const char *path, struct writer *body, struct writer *why);

#endif
