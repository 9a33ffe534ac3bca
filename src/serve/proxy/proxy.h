/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_SERVE_PROXY_H
#define WEIR_SERVE_PROXY_H

#include "base/writer.h"
#include "guard/config/config.h"

/* The guard's sockets: listeners, brokers, worker processes, their parent.
 *
 * proxy_run makes the calling process the parent. It opens the listeners, starts the workers, starts a worker anew that
 * crashed, and answers to signals: SIGHUP reloads the configuration, SIGUSR1 opens the audit file anew, SIGUSR2 starts
 * the program anew with the same listening sockets, SIGTERM and SIGINT drain and end. */

struct proxy_plan {
    const char *config;        /* file; NULL: only the command line */
    const char *const *listen; /* further listeners of the command line */
    size_t listen_count;
    const char *const *brokers; /* further brokers of the command line */
    size_t broker_count;
    unsigned workers;  /* 0: as configured */
    const char *admin; /* NULL: as configured; "none": no admin listener */
};

/* proxy_run returns the exit status when everything has ended; messages go to stderr. */
int proxy_run(const struct proxy_plan *plan);

#endif
