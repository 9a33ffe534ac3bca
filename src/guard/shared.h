/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_GUARD_SHARED_H
#define WEIR_GUARD_SHARED_H

#include "base/hash.h"
#include "proto/proto.h"

/* What the processes of a guard share: counters, the windows of limits, bans.
 *
 * The caller maps guard_shared_size bytes of zeroed memory that its children inherit (MAP_SHARED | MAP_ANONYMOUS |
 * MAP_NORESERVE: pages cost nothing until touched) and calls guard_shared_make once. Each process writes in the region
 * of its own writer number only and reads all; so there are no locks. The parent is a writer too. */

struct guard_shared;

/* guard_shared_size returns the bytes to map for a number of writers (the workers and the parent). */
size_t guard_shared_size(unsigned writers);
/* guard_shared_make prepares zeroed memory of that size. */
struct guard_shared *guard_shared_make(void *memory, unsigned writers);
/* guard_shared_forget makes good what a writer that died counted as open: to be called before its number is used again.
 */
void guard_shared_forget(struct guard_shared *h, unsigned writer);

/* What is counted, in the order of the metrics: name, kind (C counter, G gauge), help. */
#define GUARD_STATS(X)                                                                                                 \
    X(CONNECTIONS, "connections_total", C, "Client connections accepted")                                              \
    X(OPEN, "connections", G, "Client connections open now")                                                           \
    X(REFUSED, "connections_refused_total", C, "Client connections refused before a packet was read")                  \
    X(SESSIONS, "sessions_total", C, "CONNECT packets the broker accepted")                                            \
    X(LOGINS_REFUSED, "logins_refused_total", C, "Logins the broker refused")                                          \
    X(PACKETS_IN, "packets_client_total", C, "Packets judged from clients")                                            \
    X(PACKETS_OUT, "packets_broker_total", C, "Packets judged from brokers")                                           \
    X(BYTES_IN, "forwarded_client_bytes_total", C, "Bytes forwarded from clients")                                     \
    X(BYTES_OUT, "forwarded_broker_bytes_total", C, "Bytes forwarded from brokers")                                    \
    X(PUBLISH_IN, "publish_client_total", C, "PUBLISH packets from clients")                                           \
    X(PUBLISH_OUT, "publish_broker_total", C, "PUBLISH packets from brokers")                                          \
    X(DROPPED, "dropped_total", C, "Packets dropped")                                                                  \
    X(DISCONNECTED, "disconnected_total", C, "Connections closed by the policy")                                       \
    X(BANNED, "banned_total", C, "Bans set")                                                                           \
    X(LOGGED, "logged_total", C, "Packets only logged")                                                                \
    X(WOULD_BLOCK, "would_block_total", C, "Packets that log mode let through")                                        \
    X(ANOMALIES, "anomalies_total", C, "Violations of the specification found")                                        \
    X(TIMEOUTS, "timeouts_total", C, "Connections closed since a time limit was reached")                              \
    X(UNTRACKED, "limits_untracked_total", C, "Clients a full table of limits could not count")                        \
    X(AUDIT, "audit_records_total", C, "Audit records made")                                                           \
    X(SUPPRESSED, "audit_suppressed_total", C, "Audit records left out since there were too many a second")

enum guard_stat {
#define X(id, name, kind, help) GUARD_STAT_##id,
    GUARD_STATS(X)
#undef X
        GUARD_STAT_COUNT
};

/* guard_stats_sum adds up all writers. */
void guard_stats_sum(const struct guard_shared *h, uint64_t out[GUARD_STAT_COUNT]);
/* stat_info is for /metrics: the name behind "weir_"; a gauge can fall. */
struct stat_info {
    const char *name, *help;
    bool gauge;
};
extern const struct stat_info guard_stat_info[GUARD_STAT_COUNT];

enum guard_ban_kind { GUARD_BAN_ADDRESS, GUARD_BAN_USER, GUARD_BAN_CLIENT, GUARD_BAN_SUBJECT, GUARD_BAN_KINDS };

/* guard_ban is one ban in force, for lists. */
struct guard_ban {
    uint8_t kind;
    struct net_addr address;
    uint8_t prefix; /* bits */
    struct slice value, reason;
    int64_t made, until; /* in `now` time; until INT64_MAX: for ever */
};

/* guard_ban_set adds a ban in the region of `writer`; `text` is an address with an optional prefix length, or a name.
 * 0, ERR_FORMAT where an address is no address, or ERR_LIMIT where the region is full of bans in force. */
int guard_ban_set(struct guard_shared *h, unsigned writer, enum guard_ban_kind kind, struct slice text,
                  struct slice reason, int64_t now, int64_t until);
/* guard_ban_lift ends every ban of that name set before `now`, whoever set it; errors as guard_ban_set. */
int guard_ban_lift(struct guard_shared *h, unsigned writer, enum guard_ban_kind kind, struct slice text, int64_t now);
/* guard_bans_each calls `each` for every ban in force; the slices live for the call. */
void guard_bans_each(const struct guard_shared *h, int64_t now, void (*each)(void *to, const struct guard_ban *b),
                     void *to);

/* guard_talker is who sends most. */
struct guard_talker {
    struct net_addr address;
    uint64_t packets, bytes;
    uint32_t connections;
};
/* guard_talkers fills `out` with the addresses that sent most bytes, most first, and returns how many. */
size_t guard_talkers(const struct guard_shared *h, struct guard_talker *out, size_t max);

#endif
