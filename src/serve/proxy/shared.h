/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_SERVE_SHARED_H
#define WEIR_SERVE_SHARED_H

#include "guard/shared.h"
#include "io/ring.h"
#include "io/tls/tls.h"
#include "serve/proxy/setting.h"
#include <sys/types.h>

/* The memory workers and parent share, beside the guard's own (guard/shared.h): mapped once before the first fork.
 * Every cell has one writer; nobody waits for anybody. */

enum { WORKERS_MAX = 256 };

/* What a worker counts of its sockets, in the order of the metrics: name, kind (C counter, G gauge), help. */
#define PROXY_STATS(X)                                                                                                 \
    X(CLIENTS, "connections_open", G, "Client sockets open")                                                           \
    X(BROKERS, "broker_connections_open", G, "Broker sockets open")                                                    \
    X(ACCEPTED, "accepted_total", C, "Client sockets accepted")                                                        \
    X(ACCEPT_PAUSES, "accept_pauses_total", C, "Times accepting stopped for want of descriptors or room")              \
    X(TLS_DONE, "tls_handshakes_total", C, "TLS handshakes finished with clients")                                     \
    X(TLS_RESUMED, "tls_resumed_total", C, "TLS handshakes that resumed a session")                                    \
    X(TLS_FAILED, "tls_failures_total", C, "TLS handshakes that failed")                                               \
    X(DIALED, "broker_connects_total", C, "Connections to brokers begun")                                              \
    X(DIAL_FAILED, "broker_connect_failures_total", C, "Connections to brokers that failed")                           \
    X(NO_BROKER, "broker_unavailable_total", C, "Clients refused since no broker was up")                              \
    X(NO_MEMORY, "memory_failures_total", C, "Connections closed for want of memory")                                  \
    X(HANDSHAKE_LATE, "handshake_timeouts_total", C, "Connections closed before they spoke MQTT")                      \
    X(STALLED, "stalled_total", C, "Connections closed since the peer read nothing")                                   \
    X(PAUSES, "backpressure_total", C, "Times a sender was held back for a slow reader")                               \
    X(BUFFERED, "buffered_bytes", G, "Bytes held for connections")

enum proxy_stat {
#define X(id, name, kind, help) PROXY_STAT_##id,
    PROXY_STATS(X)
#undef X
        PROXY_STAT_COUNT
};

/* shared_worker is written by its worker, but pid and restarts, which are the parent's. */
struct shared_worker {
    _Atomic uint64_t stat[PROXY_STAT_COUNT];
    _Atomic int64_t beat; /* clock_ms of the last turn of its loop */
    _Atomic int pid;
    _Atomic uint32_t restarts;
    struct ring audit; /* records for the parent to write: a byte 'A' (audit) or 'L' (login), then the line */
};

struct shared {
    _Atomic uint8_t down[BROKERS_MAX]; /* by health check: the parent's */
    _Atomic uint64_t audit_lost;       /* records a full disk or ring swallowed: the parent's */
    _Atomic uint64_t audit_written;
    _Atomic uint64_t reloads, reloads_refused;
    uint8_t tickets[TLS_TICKET_KEY]; /* set before the first fork */
    struct shared_worker worker[];
};

/* shared_make maps the memory for n workers; NULL with errno. It is never given back. */
struct shared *shared_make(unsigned n);
/* shared_stats_sum adds up n workers. */
void shared_stats_sum(const struct shared *h, unsigned n, uint64_t out[PROXY_STAT_COUNT]);
extern const struct stat_info proxy_stat_info[PROXY_STAT_COUNT];

#endif
