/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_LAB_SINK_H
#define WEIR_LAB_SINK_H

#include "base/writer.h"
#include "io/readings.h"
#include "io/sock.h"

/* The data sink: lines over TCP, datagrams and HTTP requests on one port, each stored with time, source and size before
 * it is answered 201. */

enum {
    SINK_SIZE_DEFAULT = 64 << 10, /* bytes of one reading */
    SINK_SIZE_MOST = 16 << 20,
    SINK_RATE_DEFAULT = 10000, /* readings a second from one address */
    SINK_LINE_WAIT_MS = 500,   /* silence after which a line without an end counts as whole */
    SINK_REQUEST_MS = 30000,   /* within which a request must have come */
    SINK_HELD_ALL = 128 << 20, /* bytes of unfinished lines and requests, of all connections together */
    SINK_BATCH = 4096,         /* readings stored in one transaction */
    SINK_SOURCES = 4096,       /* addresses whose rate is known */
};

struct sink;

struct sink_config {
    struct sock_addr addr;
    struct readings *store; /* lives as long as the sink */
    size_t size;            /* bytes of one reading at most */
    uint32_t rate;          /* of one address, a second; 0: any */
    uint32_t conns;         /* 0: as many as may be */
    uint32_t line_wait_ms;  /* 0: a line ends with its line end or with the connection only */
    bool quiet;
    struct writer *out; /* a line for each reading */
};

/* sink_open binds the port; says why where it fails. */
int sink_open(struct sink **out, const struct sink_config *config, struct writer *why) MUST_USE;
const struct sock_addr *sink_addr(const struct sink *s);
/* sink_turn waits at most ms milliseconds for something to come and handles it; the writer's error, or OK. */
int sink_turn(struct sink *s, int ms) MUST_USE;
/* sink_totals writes what was counted, one line. */
void sink_totals(const struct sink *s, struct writer *w);
void sink_close(struct sink *s);

#endif
