/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_GUARD_GUARD_H
#define WEIR_GUARD_GUARD_H

#include "base/writer.h"
#include "proto/mqtt/mqtt.h"

/* The MQTT firewall without its sockets.
 *
 * The caller owns sockets, buffers and clocks; the guard gets the bytes of one side and says what becomes of them:
 *
 *     guard_open(g, &s, &peer, now, &out)             a client was accepted; refused: close at once, nothing was sent
 *     guard_secured(g, &s, subject, now, &out)        after a TLS handshake with a client certificate
 *     guard_feed(g, &s, side, in, now, &out)          `in`: all bytes of that side that were not consumed yet
 *     guard_eof(g, &s, side, now, &out)               that side's stream ended
 *     guard_timer(g, &s) / guard_expire(g, &s, ...)   the next deadline, and what to do when it has passed
 *     guard_end(g, &s, now)                           always once for every guard_open, also a refused one
 *
 * After each call the caller does what `out` says, in this order: sends out.forward to the other side; sends
 * out.inject[GUARD_CLIENT] to the client and out.inject[GUARD_BROKER] to the broker, behind what is queued for them;
 * drops out.consumed bytes from the front of its buffer; where out.close is set, closes both sides once what is
 * queued was sent (GUARD_CLOSE_SOON: at the latest a second later; GUARD_CLOSE_NOW: at once, the broker sees a
 * connection that broke, so that it publishes the will); where out.again is set, calls guard_feed again with the rest.
 * Every slice in `out` is good until the next call with the same struct guard.
 *
 * The broker is connected when there is something to send to it: nothing is forwarded before a CONNECT was allowed,
 * and then guard_client_id and guard_user_name are known. Where no broker is up: guard_unavailable.
 *
 * `now` is in nanoseconds of a clock that does not jump (CLOCK_MONOTONIC, or a capture's time stamps), the same for all
 * processes that share a struct guard_shared; guard_options.wall added to it is the time of day.
 *
 * Memory: a struct guard_session that is idle owns one small block with its client id and user name. What it needs
 * in between (topic aliases, identifiers in flight, filters) is allocated when first used, with a hard cap each. It
 * never keeps input: a packet that is not whole stays in the caller's buffer, at most guard_hold_max bytes. */

struct guard;        /* one for each worker process: decoder, policy, scratch memory */
struct guard_policy; /* what is allowed; never changes after it was made */
struct guard_shared; /* counters, limits and bans all processes see; one writer for each cell */
struct guard_names;  /* what a session keeps of its identity */
struct guard_flight; /* what a session keeps while messages are in flight */

enum guard_side { GUARD_CLIENT, GUARD_BROKER, GUARD_SIDES };

enum guard_close {
    GUARD_OPEN,       /* go on */
    GUARD_CLOSE_SOON, /* close both sides when what is queued was sent */
    GUARD_CLOSE_NOW,  /* close both sides; what is queued for the client may still be sent */
};

/* guard_out is what is to be done, see above. */
struct guard_out {
    size_t consumed;
    struct slice forward;
    struct slice inject[GUARD_SIDES];
    size_t needed; /* bytes the rest of `in` must have before guard_feed can do more with it; 0: not known */
    uint8_t close; /* enum guard_close */
    bool again;
};

/* guard_peer is who connected. */
struct guard_peer {
    struct net_addr client; /* as the PROXY protocol says, where it is spoken; len 0: a Unix socket */
    struct net_addr local;
    uint16_t client_port, local_port;
    uint16_t listener; /* its number in the configuration, from 0 */
    uint16_t unused;
    uint64_t id; /* number of the connection in audit records; unique in the run */
};

/* guard_session is one client and its connection to the broker. Its members are the guard's own; it stands here so that
 * it can be part of the caller's connection. */
struct guard_session {
    struct mqtt_conv conv;
    struct guard_names *names;
    struct guard_flight *flight;
    struct guard_peer peer;
    int64_t heard;                 /* when the client sent its last byte; at first, when it came */
    int64_t begun[GUARD_SIDES];    /* when a packet started that is not whole or is awaited; 0: none */
    uint32_t passing[GUARD_SIDES]; /* bytes of a payload that are still to be streamed */
    uint32_t policy;               /* generation of the policy `names` was made for */
    uint16_t keep_alive;           /* seconds; 0: none */
    uint16_t alias_roof;           /* most topic aliases the policy allows */
    uint16_t flags;
    uint32_t talker; /* place of the address among those that are counted + 1 */
    uint8_t state;   /* enum guard_state */
};

/* guard_state is how far a session has come. */
enum guard_state {
    GUARD_NEW,     /* no CONNECT yet: only the client may send */
    GUARD_ASKED,   /* CONNECT was forwarded, CONNACK is awaited */
    GUARD_UP,      /* CONNACK said yes */
    GUARD_CLOSING, /* the session was told to close: every byte is refused */
};

/* guard_action is what was done about a packet. */
enum guard_action { GUARD_ALLOW, GUARD_LOG, GUARD_DROP, GUARD_DISCONNECT, GUARD_BAN, GUARD_ACTIONS };

/* guard_event is one audit record. All slices are cut and hold no secrets; they live for the call. */
struct guard_event {
    int64_t now;
    const struct guard_session *session;
    enum guard_action action;
    bool would;         /* the rule or the guard runs in log mode: it would have been done */
    bool login;         /* a refused login, for tools that ban by log line */
    uint8_t side;       /* who sent it: enum guard_side */
    uint8_t type;       /* enum mqtt_type; 0: no packet */
    const char *rule;   /* "limits.connect_rate", "topics[3]", "mqtt.anomaly.utf8" or the rule's id */
    const char *reason; /* one phrase */
    const char *clause; /* of the specification, or NULL */
    const char *field;  /* name of the field that matched, or NULL */
    struct slice value; /* of that field */
    struct slice topic;
    uint64_t frame; /* of the capture; 0: none */
    uint8_t code;   /* reason code sent or received */
};

struct guard_options {
    unsigned writer; /* which cells of `shared` are this process's: 0 to writers-1 */
    int64_t wall;    /* time of day minus `now`, nanoseconds */
    /* event is told every audit record; NULL: nobody. */
    void (*event)(void *to, const struct guard_event *e);
    void *to;
};

/* guard_make makes the guard of one process; 0 or ERR_NOMEM. The policy is the caller's and must live until
 * guard_set_policy or guard_free; `shared` may be NULL (then limits count in this process only). */
int guard_make(struct guard **g, const struct guard_policy *p, struct guard_shared *shared,
               const struct guard_options *o);
void guard_free(struct guard *g);
/* guard_set_policy swaps the policy; sessions notice with their next packet. The old one may be freed at once. 0, or
 * ERR_NOMEM with the old policy still in force. */
int guard_set_policy(struct guard *g, const struct guard_policy *p);
/* guard_set_wall says anew what the time of day is. */
void guard_set_wall(struct guard *g, int64_t wall);
/* guard_set_frame says which frame of a capture the bytes come from (--replay). */
void guard_set_frame(struct guard *g, uint64_t frame);

/* guard_open starts a session in memory of the caller: bans by address, connection limits. False: refused, out.close is
 * set. guard_end is due in either case. */
bool guard_open(struct guard *g, struct guard_session *s, const struct guard_peer *peer, int64_t now,
                struct guard_out *out);
/* guard_secured adds the subject of the client's certificate (RFC 2253 text) and its common name; false as guard_open.
 */
bool guard_secured(struct guard *g, struct guard_session *s, struct slice subject, struct slice common_name,
                   int64_t now, struct guard_out *out);
/* guard_feed judges the bytes of one side. It takes a run of allowed packets, or at most one that is not forwarded, per
 * call; out.again tells that there may be more. */
void guard_feed(struct guard *g, struct guard_session *s, enum guard_side side, struct slice in, int64_t now,
                struct guard_out *out);
/* guard_eof says that a side will send no more. */
void guard_eof(struct guard *g, struct guard_session *s, enum guard_side side, int64_t now, struct guard_out *out);
/* guard_unavailable refuses the client since no broker can be reached: CONNACK "server unavailable", and close. */
void guard_unavailable(struct guard *g, struct guard_session *s, int64_t now, struct guard_out *out);
/* guard_shutdown says goodbye: DISCONNECT "server shutting down" to MQTT 5 clients, and close. */
void guard_shutdown(struct guard *g, struct guard_session *s, int64_t now, struct guard_out *out);
/* guard_timer returns when guard_expire is due, INT64_MAX: never. It changes with every call about the session: later
 * for the most part, earlier where a packet began, with CONNECT, CONNACK and DISCONNECT, and with a new policy. */
int64_t guard_timer(const struct guard *g, const struct guard_session *s);
/* guard_expire does what is due at `now`; it may find that nothing is. */
void guard_expire(struct guard *g, struct guard_session *s, int64_t now, struct guard_out *out);
/* guard_pause says that the caller stopped or started reading a side, because the other one is slow: the time limit of
 * a started packet stands still. */
void guard_pause(struct guard_session *s, enum guard_side side, bool paused, int64_t now);
/* guard_end gives back what the session owns and counts it out. */
void guard_end(struct guard *g, struct guard_session *s, int64_t now);

/* guard_join makes a session one that was up before its bytes were seen (a capture that begins in the middle):
 * `version` is the protocol's, MQTT_UNKNOWN where it must be guessed. What is not known of it is not held against it.
 */
void guard_join(struct guard *g, struct guard_session *s, uint8_t version);

/* guard_client_id, guard_user_name and guard_subject return what is known of a session's identity, empty where nothing
 * is; they live as long as the session. */
struct slice guard_client_id(const struct guard_session *s);
struct slice guard_user_name(const struct guard_session *s);
struct slice guard_subject(const struct guard_session *s);
/* guard_said_goodbye tells whether the client sent a DISCONNECT: the broker is about to close. */
bool guard_said_goodbye(const struct guard_session *s);
/* guard_hold_max returns the most bytes of one side guard_feed may ask the caller to hold. */
size_t guard_hold_max(const struct guard_policy *p);
/* guard_handshake_time returns how long a TLS or WebSocket handshake may take, nanoseconds. */
int64_t guard_handshake_time(const struct guard_policy *p);

/* guard_event_json writes an audit record as one line of JSON in the shape of EVE, with the newline. */
void guard_event_json(struct writer *w, const struct guard_event *e, int64_t wall);
/* guard_event_login writes the line about a refused login: stable text for tools that ban by log lines. */
void guard_event_login(struct writer *w, const struct guard_event *e, int64_t wall);

#endif
