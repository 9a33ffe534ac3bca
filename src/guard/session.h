/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_GUARD_SESSION_H
#define WEIR_GUARD_SESSION_H

#include "guard/cells.h"
#include "guard/rules/rules.h"

/* What the files that make up a session share. */

/* Bits of guard_session.flags. */
enum {
    SESSION_OPEN = 1,           /* counted as open */
    SESSION_USER_OPEN = 2,      /* counted under its user name */
    SESSION_CLIENT_OPEN = 4,    /* counted under its client identifier */
    SESSION_SWALLOW_CLIENT = 8, /* what passes of the client's payload is dropped, not forwarded */
    SESSION_SWALLOW_BROKER = 16,
    SESSION_PAUSED_CLIENT = 32,
    SESSION_PAUSED_BROKER = 64,
    SESSION_BLIND = 128, /* log mode let something through behind which nothing can be read any more */
};

/* guard_names is a session's identity, one block: this, the bits of the access rules about it, then the texts. */
struct guard_names {
    uint64_t address, user, client; /* subjects of limits */
    uint16_t client_n, user_n, subject_n, common_n;
    uint16_t words; /* of bits */
    bool has_user;
    uint64_t bits[]; /* rule i is about this session: bit i */
};

/* ids is a set of packet identifiers with a state each: open addressing, no larger than need be. */
struct ids {
    uint32_t *slot; /* identifier | state << 16; 0: free */
    uint32_t cap, count;
};

/* What an identifier in flight is. */
enum id_state {
    ID_NONE,
    ID_QOS1, /* the message was forwarded; PUBACK is due */
    ID_QOS2, /* the same; PUBREC is due */
    ID_HALF, /* PUBREC came; PUBCOMP is due */
    ID_OURS, /* QoS 2, refused: the guard plays the receiver to the end */
};

struct alias {
    uint16_t len;
    bool stale; /* the receiver does not have it: the message that set it was dropped */
    uint8_t topic[];
};

struct guard_flight {
    struct ids sent[GUARD_SIDES];      /* by who sent the PUBLISH */
    struct alias **alias[GUARD_SIDES]; /* by its number - 1 */
    uint16_t alias_cap[GUARD_SIDES];
    uint32_t alias_bytes;
    uint8_t *late; /* replies that must wait for the broker's CONNACK */
    size_t late_n;
    bool full;         /* an alias could not be kept */
    uint64_t *filters; /* hashes of the subscriptions */
    uint32_t filter_count, filter_cap;
};

/* Topics of one connection's aliases, and replies that wait for CONNACK. */
enum { FLIGHT_ALIAS_BYTES = 1 << 20, FLIGHT_LATE_MAX = 64 * 1024 };

struct guard {
    const struct guard_policy *policy;
    struct guard_shared *shared;
    struct guard_options o;
    struct decode d;
    struct fvec fields;
    struct want want;
    struct arena arena;
    struct capture_interface iface;
    struct packet packet;
    uint64_t frame;
    int64_t told_second; /* the second told_count counts */
    unsigned told_count;
    void *own_shared; /* where nobody gave us one */
    struct writer inject[GUARD_SIDES];
    struct writer forward; /* a run that could not be a part of the input */
    uint8_t *text, *text2; /* TOPIC_MAX bytes each */
    struct topic_names names;
    struct rules_tx *rules_tx; /* NULL: no rule files */
    struct rules_store *rules_store;
    struct rules_verdict rules_verdict;
    /* What is being judged, for records. */
    const struct mqtt_message *m; /* NULL: no packet */
    enum guard_side side;
    int64_t now;
};

static inline struct region *guard_region(struct guard *g) { return &g->shared->region[g->o.writer]; }

/* verdict is what is to become of a packet. */
struct verdict {
    enum guard_action action;
    bool would;                /* GUARD_ALLOW, but not without log mode */
    bool login;                /* the broker refused a login */
    bool whole;                /* of a subscription: nothing of it is allowed */
    const struct guard_do *by; /* NULL: nothing said anything */
    const char *rule, *reason, *clause;
    uint16_t field; /* 0: none */
    struct slice value;
    uint8_t code; /* MQTT 5 reason code */
    int64_t ban;
};

/* Identity (names.c). names_make keeps who a session is: the client identifier, the user name (NULL: none), subject and
 * common name of the certificate; OK or ERR_NOMEM. */
int names_make(struct guard *g, struct guard_session *s, struct slice client, const struct slice *user,
               struct slice subject, struct slice common);
/* names_refresh makes the bits anew where the policy is another one. */
void names_refresh(struct guard *g, struct guard_session *s);
/* What was kept; it lives as long as the session. */
struct slice names_client(const struct guard_names *n);
struct slice names_user(const struct guard_names *n);
struct slice names_subject(const struct guard_names *n);
struct slice names_common(const struct guard_names *n);
/* who_fits tells whether a rule is about the session: every condition of the rule holds. */
bool who_fits(const struct guard_policy *p, const struct guard_who *w, const struct guard_session *s);

/* What is in flight (flight.c). flight_get makes it where there was none; NULL: no memory. */
struct guard_flight *flight_get(struct guard_session *s);
void flight_free(struct guard_session *s);
/* Packet identifiers: ids_get returns the state of one, ids_set sets it, false without memory, ids_drop forgets it. */
enum id_state ids_get(const struct ids *t, uint16_t id);
bool ids_set(struct ids *t, uint16_t id, enum id_state state);
void ids_drop(struct ids *t, uint16_t id);
/* flight_aliases keeps topic aliases for the decoder; flight_alias returns the one of a number that a side set, or
 * NULL. */
extern const struct mqtt_alias_ops flight_aliases;
struct alias *flight_alias(const struct guard_session *s, int from, uint16_t number);
/* Topic filters the client is subscribed to, by their hashes; filters_add gives false without memory. */
bool filters_add(struct guard_flight *f, uint64_t hash);
void filters_drop(struct guard_flight *f, uint64_t hash);
bool filters_have(const struct guard_flight *f, uint64_t hash);

/* Topics (access.c): false where denied, with the rule in *v. `kind` is one of GUARD_PUBLISH ... */
bool access_topic(struct guard *g, struct guard_session *s, unsigned kind, struct slice topic, struct verdict *v);
bool access_filter(struct guard *g, struct guard_session *s, struct slice filter, struct verdict *v);

/* Judging (judge.c). g->m, g->side and g->now say what is judged. The verdict on a packet that was decoded: */
struct verdict judge_packet(struct guard *g, struct guard_session *s);
/* judge_peer judges who comes, before any byte; judge_subject a certificate; judge_login counts a refused login. */
struct verdict judge_peer(struct guard *g, struct guard_session *s);
struct verdict judge_subject(struct guard *g, struct guard_session *s, struct slice subject);
struct verdict judge_login(struct guard *g, struct guard_session *s);
/* judge_refused counts a packet that was refused. */
void judge_refused(struct guard *g, struct guard_session *s);
/* judge_act puts what a rule does into a verdict: true where that stops the packet, false where it is a note only,
 * since the rule only logs or log mode is on. */
bool judge_act(const struct guard *g, const struct guard_do *act, const char *reason, struct verdict *v);
/* judge_ended tells whether a verdict ends the judging; one that only logs is noted. */
bool judge_ended(struct guard *g, struct guard_session *s, const struct verdict *v);
/* judge_maximum is judge_act for one of the policy's single numbers. */
bool judge_maximum(const struct guard *g, enum guard_maximum which, uint16_t field, struct slice value,
                   struct verdict *v);
/* judge_anomaly is judge_act for an anomaly; `id` may be a field's or 0 with a name. */
bool judge_anomaly(const struct guard *g, uint16_t id, const char *name, enum guard_anomaly set, struct verdict *v);

/* Payload (shape.c). */
/* shape_check holds a payload of `total` bytes, of which `payload` is there, against the rules of its topic; true:
 * fine. */
bool shape_check(struct guard *g, struct guard_session *s, struct slice topic, struct slice payload, uint64_t total,
                 bool will, struct verdict *v);

/* Replies (reply.c), written into g->inject: what the sender of a refused packet is due, and what the client is told
 * before its connection is closed (CONNACK or DISCONNECT, where its version has one; `code` is MQTT 5's). */
void reply_refuse(struct guard *g, struct guard_session *s, const struct mqtt_message *m, enum guard_side side,
                  const struct verdict *v);
void reply_goodbye(struct guard *g, struct guard_session *s, uint8_t code);

/* event_tell makes the audit record of a verdict (event.c). */
void event_tell(struct guard *g, struct guard_session *s, const struct verdict *v);

/* policy_ban_address and policy_ban_name find a ban of the configuration (policy_bans.c); wall: time of day. */
void policy_bans_sort(struct guard_policy *p);
const struct guard_policy_ban *policy_ban_address(const struct guard_policy *p, const struct net_addr *a, int64_t wall);
const struct guard_policy_ban *policy_ban_name(const struct guard_policy *p, enum guard_ban_kind kind,
                                               struct slice name, int64_t wall);

#endif
