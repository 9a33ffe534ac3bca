/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_LAB_ECHO_H
#define WEIR_LAB_ECHO_H

#include "base/writer.h"
#include "io/sock.h"

/* The echo server: what comes by TCP or UDP goes back, and who came and what they said is printed. */

struct echo;

struct echo_config {
    struct sock_addr addr;
    uint32_t conns; /* 0: as many as may be */
    bool quiet, json;
    struct writer *out; /* lines are written here, a turn at a time */
};

/* echo_open binds the port; says why where it fails. */
int echo_open(struct echo **out, const struct echo_config *config, struct writer *why) MUST_USE;
/* echo_addr is where it listens, as bound. */
const struct sock_addr *echo_addr(const struct echo *e);
/* echo_turn waits at most ms milliseconds for something to come and handles it; the writer's error, or OK. */
int echo_turn(struct echo *e, int ms) MUST_USE;
/* echo_totals writes what was counted, one line. */
void echo_totals(const struct echo *e, struct writer *w);
void echo_close(struct echo *e);

#endif
