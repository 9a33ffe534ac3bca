/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_SERVE_WORKER_H
#define WEIR_SERVE_WORKER_H

#include "io/loop.h"
#include "serve/proxy/conn.h"
#include "serve/proxy/evidence.h"
#include "serve/proxy/shared.h"

/* One worker process: an event loop, its connections, its guard. */

enum {
    SCRATCH = TLS_READ_MIN,
    READ_SIZE = 32768,    /* one helping from a plain socket */
    TURNS = 4,            /* helpings of one connection before others get their turn */
    REPLY_MAX = 64 << 10, /* queue for a client of answers of our own before it is not read any more */
    CONN_CHUNK = 256,
    CONN_CHUNKS = 4096, /* a million connections; descriptors end long before */
    FD_RESERVE = 48,    /* descriptors that are no connection's */
    ACCEPT_BATCH = 64,
    EXPIRE_BATCH = 64, /* deadlines of one turn: thousands of slow clients come to theirs at once */
    ACCEPT_PAUSE_MS = 50,
    HALF_CLOSED_MS = 15000, /* one side ended, the other goes on */
    STALL_MS = 120000,      /* a peer that reads nothing of what is queued for it */
    CLOSE_MS = 1000,        /* to send what is queued and see the peers close */
    BROKER_REST_MS = 1000,  /* a broker that refused is asked last for this long */
};

/* What the events of a worker's loop are about. */
enum worker_event { EV_CONTROL, EV_LISTENER, EV_CONN };

/* Messages between parent and worker: one byte each. */
enum worker_message { MSG_RELOAD = 'R', MSG_DRAIN = 'D', MSG_END = 'E', MSG_RELOADED = 'r', MSG_REFUSED = 'x' };

struct worker_listener {
    int fd;
    int index; /* of the setting's listener; -1: it was taken out of the configuration */
};

struct worker {
    struct loop loop;
    struct wheel wheel;
    struct guard *guard;
    struct setting *set;
    uint32_t generation; /* counts settings */
    struct tls_wire *wire;
    struct shared *shared;
    struct shared_worker *cell;
    const struct proxy_plan *plan;
    unsigned number;
    int control; /* socket to the parent */
    int config;  /* file with the configuration's text */
    int wake;    /* eventfd: there are audit records */

    struct worker_listener listener[LISTENERS_MAX];
    struct sock_addr bound[LISTENERS_MAX];
    struct sock_peer own[LISTENERS_MAX]; /* len 0: it differs by connection */
    unsigned listeners;
    bool accepting, draining, said_goodbye;
    int64_t accept_again; /* milliseconds; 0: accepting is not paused */
    int64_t drained_by;
    bool idle;        /* nothing happened in this turn */
    bool expiring;    /* more deadlines have passed than one turn deals with */
    uint64_t trimmed; /* connections accepted when memory was given back last */
    uint32_t trim_below;
    int64_t trim_by; /* milliseconds; from then on also in a busy moment */
    uint32_t connections, connections_max;

    struct conn *chunk[CONN_CHUNKS];
    uint32_t conns, free; /* numbers ever used; head of the free list */
    uint32_t ready, ready_last;
    uint64_t ids;
    unsigned source; /* next source address */
    int64_t broker_rest[BROKERS_MAX];
    uint8_t broker_at[BROKERS_MAX]; /* its address that is tried first: the one that answered last */

    char caught[EVIDENCE_WHY]; /* why the packet just judged was stopped; caught_n 0: it was not */
    uint16_t caught_n;
    unsigned evidence_count; /* tales told in this second */
    int64_t evidence_second;

    int64_t wall;        /* time of day minus now */
    int64_t now, now_ms; /* of this turn: nanoseconds, milliseconds */
    uint8_t scratch[SCRATCH];
    uint8_t frame[SCRATCH + WS_HEAD_MAX];
};

static inline struct conn *worker_conn(const struct worker *w, uint32_t at) {
    return &w->chunk[at / CONN_CHUNK][at % CONN_CHUNK];
}
/* worker_listener_of returns the listener a connection came by, as configured now. */
static inline const struct setting_listener *worker_listener_of(const struct worker *w, const struct conn *c) {
    int i = w->listener[c->listener].index;
    return &w->set->listener[i < 0 ? 0 : i];
}
static inline void worker_count(struct worker *w, enum proxy_stat s, int64_t n) {
    _Atomic uint64_t *cell = &w->cell->stat[s];
    atomic_store_explicit(cell, atomic_load_explicit(cell, memory_order_relaxed) + (uint64_t)n, memory_order_relaxed);
}

/* worker_take gives a zeroed connection, or 0 where there is no room; worker_give takes it back. */
uint32_t worker_take(struct worker *w);
void worker_give(struct worker *w, uint32_t at);
/* worker_ready puts a connection into the list of those that go on in the next turn. */
void worker_ready(struct worker *w, uint32_t at);

/* worker_tell hands a record of that kind to the parent; false: there is no room. */
bool worker_tell(struct worker *w, char kind, struct slice line);

struct worker_start {
    const struct proxy_plan *plan;
    struct shared *shared;
    struct guard_shared *guard_shared;
    struct setting *set;
    const struct worker_listener *listener;
    const struct sock_addr *bound; /* address of each listener */
    unsigned listeners, number;
    int control, config, wake;
};
/* worker_main runs in the child until it is told to end; its exit status. */
int worker_main(const struct worker_start *start);

#endif
