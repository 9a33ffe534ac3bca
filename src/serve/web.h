/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_SERVE_WEB_H
#define WEIR_SERVE_WEB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* web_plan is what `weir serve` was asked for. */
struct web_plan {
    const char *listen; /* ADDRESS:PORT, or a port alone: on loopback */
    const char *dir;    /* folder of captures; it is there */
    char **files;       /* further captures, shown and never changed */
    size_t n_files;
    char **hosts; /* names the server is reached by, beside addresses and localhost */
    size_t n_hosts;
    const char *guard; /* ADDRESS:PORT of a guard's admin page; NULL: none */
    uint64_t upload_max; /* bytes of one upload */
    uint64_t quota;      /* bytes of all captures in the folder; 0: no limit */
    bool no_auth;        /* no token, wherever it listens */
};

/* web_run serves until SIGINT or SIGTERM; false after a message on stderr where it could not begin. */
bool web_run(const struct web_plan *plan);

#endif
