/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_GUARD_POLICY_H
#define WEIR_GUARD_POLICY_H

#include "base/arena.h"
#include "guard/guard.h"
#include "guard/rules/rules.h"
#include "guard/shared.h"
#include "guard/topic.h"

/* The policy as the guard uses it: made by config_*.c, read by everything else in this room, never changed after
 * guard_policy_finish. Everything lies in the policy's arena. */

/* A PUBLISH is held up to this many bytes before its payload (topic, properties), other packets up to this size. */
enum { GUARD_HEAD_MAX = 128 * 1024, GUARD_HOLD_OTHER = 128 * 1024 };

enum { GUARD_RULES_MAX = 4096, GUARD_LIMITS_MAX = 64, GUARD_BANS_MAX = 65536 };

/* What each MQTT field can be set to as an anomaly. */
enum guard_anomaly { GUARD_ANOMALY_IGNORE, GUARD_ANOMALY_LOG, GUARD_ANOMALY_BLOCK };
enum { GUARD_ANOMALIES = FID_MQTT_END - FID_MQTT };

/* Kinds of access, as bits. */
enum { GUARD_PUBLISH = 1, GUARD_SUBSCRIBE = 2, GUARD_RECEIVE = 4, GUARD_WILL = 8, GUARD_ANY_ACCESS = 15 };
/* What is asked about a response topic; no rule has this kind. */
enum { GUARD_RESPONSE = 16 };

/* guard_do is what a rule does when it applies. */
struct guard_do {
    const char *id;     /* shown in audit records */
    const char *reason; /* one phrase, or NULL */
    enum guard_action action;
    bool log_only; /* say it, do nothing */
    int64_t ban;   /* of GUARD_BAN, nanoseconds; INT64_MAX: for ever */
};

/* guard_list is a list of texts in which * and ? stand for any text and any character. */
struct guard_list {
    const struct slice *item;
    size_t n;
};

struct guard_prefix {
    struct net_addr address; /* masked */
    uint8_t bits;
};

/* guard_who is whom a rule is about: every part that is given must fit. */
struct guard_who {
    struct guard_list users, clients, certificates, groups;
    const struct guard_prefix *prefixes;
    size_t prefix_count;
    uint32_t listeners; /* bits; 0: all */
    bool anonymous;     /* only clients without a user name */
};

struct guard_group {
    struct slice name;
    struct guard_list users, clients, certificates;
};

struct guard_access {
    struct guard_do act; /* action GUARD_ALLOW: it allows */
    uint8_t kinds;       /* GUARD_PUBLISH ... */
    struct guard_who who;
    struct guard_list topics;
};

struct expr;

struct guard_condition {
    struct guard_do act;
    struct guard_who who;
    struct slice text;
    struct expr *when;
    uint16_t types; /* bits of packet types; 0: all */
    uint8_t sides;  /* bits: 1 client, 2 broker; 0: both */
    bool everyone;  /* who says nothing */
};

struct guard_schema;

struct guard_shape {
    struct guard_do act;
    struct guard_who who;
    struct guard_list topics;
    uint8_t sides;
    bool json, utf8;
    uint64_t max, min;                 /* bytes; max 0: any */
    const struct guard_schema *schema; /* NULL: any */
    bool everyone;
};

enum guard_per { GUARD_PER_ADDRESS, GUARD_PER_CLIENT, GUARD_PER_USER, GUARD_PER_ALL, GUARD_PERS };
enum guard_what {
    GUARD_WHAT_CONNECTIONS, /* open at a time */
    GUARD_WHAT_CONNECTS,
    GUARD_WHAT_LOGINS,     /* refused ones */
    GUARD_WHAT_PUBLISHES,  /* from clients */
    GUARD_WHAT_BYTES,      /* of all packets from clients */
    GUARD_WHAT_PACKETS,    /* from clients */
    GUARD_WHAT_VIOLATIONS, /* packets the guard refused */
    GUARD_WHATS
};

struct guard_limit {
    struct guard_do act;
    enum guard_per per;
    enum guard_what what;
    uint64_t max;
    int64_t window; /* nanoseconds; connections have none */
    struct guard_who who;
    bool everyone;
    uint64_t key; /* what makes its counters those of the same limit after a reload */
};

struct guard_policy_ban {
    enum guard_ban_kind kind;
    struct guard_prefix prefix;
    struct slice name; /* with * and ? */
    struct slice reason;
    int64_t until; /* time of day in nanoseconds; INT64_MAX: for ever */
};

/* Single numbers with an action of their own. */
#define GUARD_MAXIMA(X)                                                                                                \
    X(PACKET, packet, "packet", 268435460, DISCONNECT, "packet is larger than allowed")                                \
    X(CONNECT, connect, "connect", 65536, DISCONNECT, "CONNECT is larger than allowed")                                \
    X(PAYLOAD, payload, "payload", 268435455, DROP, "payload is larger than allowed")                                  \
    X(TOPIC_LENGTH, topic_length, "topic_length", 4096, DROP, "topic is longer than allowed")                          \
    X(TOPIC_DEPTH, topic_depth, "topic_depth", 128, DROP, "topic has more levels than allowed")                        \
    X(CLIENT_ID, client_id_length, "client_id_length", 1024, DISCONNECT, "client identifier is longer than allowed")   \
    X(USER_NAME, user_name_length, "user_name_length", 1024, DISCONNECT, "user name is longer than allowed")           \
    X(FILTERS, filters, "filters", 1000, DROP, "SUBSCRIBE has more filters than allowed")                              \
    X(SUBSCRIPTIONS, subscriptions, "subscriptions", 10000, DROP, "client has more subscriptions than allowed")        \
    X(IN_FLIGHT, in_flight, "in_flight", 20000, DISCONNECT, "more messages in flight than allowed")                    \
    X(ALIASES, topic_aliases, "topic_aliases", 1024, DISCONNECT, "more topic aliases than allowed")                    \
    X(KEEP_ALIVE, keep_alive, "keep_alive", 65535, DISCONNECT, "keep alive is longer than allowed")

/* guard_rule_files is what the policy says about rule files in SecLang. */
struct guard_rule_files {
    const char *const *files; /* paths and patterns, in order */
    size_t n;
    uint64_t paranoia; /* 1 to 4; 0: the files say */
    uint8_t sides;     /* bits: 1 client, 2 broker */
    bool pass_limited; /* what needs more work than rule files may do passes */
    struct guard_do act;
    struct rules_set *set; /* NULL: none */
};

enum guard_maximum {
#define X(id, member, name, value, action, reason) GUARD_MAX_##id,
    GUARD_MAXIMA(X)
#undef X
        GUARD_MAXIMUM_COUNT
};

struct guard_maximum_rule {
    uint64_t value;
    struct guard_do act;
};

struct guard_policy {
    uint32_t generation; /* never the same in a process */
    bool log_only;       /* the whole guard runs in log mode */
    unsigned audit_rate; /* records a process makes in a second; 0: any number */
    uint8_t anomaly[GUARD_ANOMALIES];
    uint8_t malformed, packet_id_used, ack_mismatch; /* enum guard_anomaly */
    uint8_t versions;                                /* bits 3, 4, 5 */
    bool keep_alive_required;
    int64_t handshake_time, connect_time, connack_time, packet_time, idle_time; /* nanoseconds; 0: none */
    unsigned idle_percent;                                                      /* of the keep alive */
    size_t payload_window;
    bool window_refuse; /* larger payloads are refused, not streamed */
    struct guard_do window_act;
    struct guard_maximum_rule max[GUARD_MAXIMUM_COUNT];
    uint8_t prefix4, prefix6;    /* bits of an address that limits and talkers go by */
    bool ban_users, ban_clients; /* what a ban set by a rule bans besides the address */
    struct guard_limit limits[GUARD_LIMITS_MAX];
    size_t limit_count;
    bool limits_given;             /* the configuration says which limits there are */
    struct guard_policy_ban *bans; /* addresses first, sorted */
    size_t ban_count, ban_addresses;
    uint64_t ban_lengths[4]; /* prefix lengths among them: bit 0-32 IPv4, 64-192 IPv6 */
    const struct guard_group *groups;
    size_t group_count;
    struct guard_access *access;
    size_t access_count;
    bool access_deny;           /* what no rule is about is denied */
    bool narrow;                /* a subscription that could match a denied topic is narrowed, not refused */
    struct guard_do access_act; /* of the default */
    struct topic_index *access_index;
    uint8_t access_kinds; /* kinds any rule is about */
    struct guard_condition *conditions;
    size_t condition_count;
    struct guard_shape *shapes;
    size_t shape_count;
    struct topic_index *shape_index;
    struct guard_rule_files rule_files;
    struct want want;    /* fields to decode */
    bool want_addresses; /* conditions ask for fields of IP and TCP */
    struct arena arena;
};

/* guard_policy_make returns the defaults, to be added to; NULL: no memory. */
struct guard_policy *guard_policy_make(void);
/* guard_policy_finish builds what is found fast; afterwards the policy does not change. 0 or ERR_NOMEM. */
int guard_policy_finish(struct guard_policy *p);
void guard_policy_free(struct guard_policy *p);
/* guard_policy_limit adds a limit; NULL where there are GUARD_LIMITS_MAX. */
struct guard_limit *guard_policy_limit(struct guard_policy *p, const char *id, enum guard_per per, enum guard_what what,
                                       uint64_t max, int64_t window);

/* guard_glob tells whether a text fits a pattern with * and ?. */
bool guard_glob(struct slice pattern, struct slice text);
/* guard_list_has tells whether a text fits one of a list of patterns. */
bool guard_list_has(const struct guard_list *l, struct slice text);
/* guard_prefix_read reads an address with an optional prefix length; false where it is none. */
bool guard_prefix_read(struct slice text, struct guard_prefix *p);
/* guard_prefix_has tells whether an address lies in the prefix; IPv4 in IPv6 counts as IPv4. */
bool guard_prefix_has(const struct guard_prefix *p, const struct net_addr *a);
/* guard_address_cut returns the address with only its first `bits` bits. IPv4 in IPv6 (::ffff:a.b.c.d) becomes IPv4. */
struct net_addr guard_address_cut(const struct net_addr *a, uint8_t bits4, uint8_t bits6);
/* guard_address_write writes an address as text. */
void guard_address_write(struct writer *w, const struct net_addr *a);

#endif
