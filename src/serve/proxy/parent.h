/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_SERVE_PARENT_H
#define WEIR_SERVE_PARENT_H

#include "base/packet.h"
#include "guard/shared.h"
#include "io/loop.h"
#include "serve/proxy/worker.h"
#include <stdio.h>

/* The parent process: listeners, workers, signals, records, the admin page. It touches no connection. */

enum { SOCKETS_MAX = 1024, RECENT_MAX = 100, RECENT_LINE = 1024, STUCK_MS = 30000, PARENT_TURN_MS = 250 };

enum parent_event { PEV_SIGNAL, PEV_CONTROL, PEV_WAKE, PEV_PROBE, PEV_ADMIN };

struct child {
    pid_t pid;              /* 0: none */
    int control;            /* socket to it; -1: none */
    int64_t started, again; /* milliseconds; again: when to start it anew, 0: not due */
    bool reloading;         /* its answer to a reload is awaited */
};

/* listening is one listening socket; several have the same address, one for each worker. */
struct listening {
    int fd;
    struct sock_addr configured; /* as written: the port may be 0 */
};

/* audit_file is where records go. */
struct audit_file {
    const char *path; /* NULL: none */
    int fd;
    int64_t size;
    int64_t told; /* when the last complaint was made, milliseconds */
    bool failing;
};

struct probe {
    int fd; /* -1: none under way */
    int64_t due;
    bool known;       /* a first result is there */
    unsigned address; /* of the broker, that is tried */
};

/* evidence_out is the file of evidence that is written just now. */
struct evidence_out {
    struct capwrite *file; /* NULL: none */
    int fd;
    uint64_t id; /* of the connection */
    struct capture_interface iface;
};

struct recent {
    char line[RECENT_MAX][RECENT_LINE];
    unsigned n; /* ever added */
};

struct parent {
    const struct proxy_plan *plan;
    struct setting *set;
    struct shared *shared;
    struct guard_shared *guard_shared;
    unsigned workers;
    struct child child[WORKERS_MAX];
    struct listening socket[SOCKETS_MAX];
    unsigned sockets;
    struct loop loop;
    int signals, config, wake;
    int64_t now; /* milliseconds */
    int64_t started, watchdog, watchdog_at, kill_at;
    bool reload_again, draining, ended, upgraded;
    pid_t successor;
    struct audit_file audit, logins;
    struct evidence_out evidence;
    struct recent recent;
    struct probe probe[BROKERS_MAX];
    struct admin *admin;
};

/* parent_say writes a line to standard error. */
void parent_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* parent_reload checks the configuration and tells the workers to take it. Where it is refused, `why` (may be NULL)
 * gets the reasons. */
enum parent_reloaded { PARENT_RELOADED, PARENT_LATER, PARENT_REFUSED, PARENT_ENDING };
enum parent_reloaded parent_reload(struct parent *p, struct writer *why);
/* parent_ready tells whether clients would be served: workers run and a broker is up. */
bool parent_ready(const struct parent *p);

/* proxy_listen.c: opens the listeners, first those handed over; false after a message. */
bool listen_open(struct parent *p);
/* listen_of gives the sockets worker k is to accept from, as many as `out` takes. */
unsigned listen_of(const struct parent *p, unsigned k, struct worker_listener *out, struct sock_addr *bound);
void listen_close(struct parent *p);
/* listen_successor starts the program anew with the listening sockets; its process id or -1. */
pid_t listen_successor(struct parent *p);

/* proxy_audit.c: opens the files, opens them again (after a rotation), writes what the workers recorded. */
void audit_open(struct parent *p);
void audit_reopen(struct parent *p);
void audit_drain(struct parent *p);

/* proxy_health.c: probes the brokers. health_turn begins what is due and ends what takes too long, health_event takes
 * what came of a probe. */
void health_init(struct parent *p);
void health_turn(struct parent *p);
void health_event(struct parent *p, unsigned broker);

/* proxy_admin.c: the admin listener; false after a message. admin_turn answers what has come. */
bool admin_open(struct parent *p);
void admin_turn(struct parent *p);
void admin_close(struct parent *p);
/* admin_forget closes in a forked worker what is the admin listener's. */
void admin_forget(struct parent *p);

#endif
