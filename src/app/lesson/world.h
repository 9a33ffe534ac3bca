/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_APP_WORLD_H
#define WEIR_APP_WORLD_H

#include "base/err.h"
#include "base/writer.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Networks of three namespaces: device, gateway, broker. */

enum { WORLDS_MAX = 32, WORLD_NAME_MAX = 32, WORLD_HOSTS = 3 };

#define WORLD_DEVICE "10.77.1.2"

/* world_kind is a way to be broken. */
struct world_kind {
    const char *name, *what;
    const char *rules;           /* of nft on the gateway; NULL: none */
    const char *const *commands; /* run on the gateway, ended by NULL; NULL: none */
    int delay_ms;                /* of the cable between device and gateway, each way */
};

enum { WORLD_KINDS = 9 };
extern const struct world_kind world_kinds[WORLD_KINDS];

/* world_up makes a network under a name. Where `hold` is set its hosts end with this process, otherwise with a keeper
 * that runs on. Says why where it fails, and nothing is left then. */
int world_up(const struct world_kind *kind, const char *name, bool hold, struct writer *why) MUST_USE;
/* world_forget removes the trace of a network that ends with this process. */
void world_forget(const char *name);
/* worlds_up fills in the names of those that are up and gives their number. */
int worlds_up(char names[WORLDS_MAX][WORLD_NAME_MAX]);
/* world_enter makes this process run on a host ("device", "gateway", "broker") of a network that is up. */
int world_enter(const char *name, const char *host, struct writer *why) MUST_USE;
/* world_down ends a network and the processes on its hosts. */
int world_down(const char *name, struct writer *why) MUST_USE;

/* own_network moves this process into a network namespace of its own with loopback up; false where it may not. Without
 * root, a user namespace in which it is root comes with it. */
bool own_network(void);

#endif
