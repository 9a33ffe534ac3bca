/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_GUARD_CONFIG_CONFIG_H
#define WEIR_GUARD_CONFIG_CONFIG_H

#include "base/arena.h"
#include "guard/guard.h"
#include "guard/rules/rules.h"

/* The configuration of `weir guard`: what the sockets need, and the policy. It is made from YAML text or from nothing
 * (the defaults), never changes afterwards, and is swapped as a whole at reload. */

enum guard_client_auth { GUARD_AUTH_NONE, GUARD_AUTH_OPTIONAL, GUARD_AUTH_REQUIRED };

struct guard_tls {
    const char *certificate, *key, *ca; /* files; NULL: none */
    const char *ciphers;                /* OpenSSL's lists; NULL: the library's */
    const char *min_version;            /* "1.2", "1.3"; NULL: 1.2 */
    const char *server_name;            /* brokers: name to ask for and to check; NULL: the host */
    uint8_t client_auth;                /* listeners: enum guard_client_auth */
    bool verify;                        /* brokers: check the certificate */
};

struct guard_listener {
    const char *address;         /* "host:port", "[::]:8883", "*:1883", or "unix:/path" */
    const struct guard_tls *tls; /* NULL: plain */
    bool websocket;
    const char *path;    /* of WebSocket; NULL: any */
    bool proxy_protocol; /* the PROXY header is required */
    unsigned backlog;
};

struct guard_broker {
    const char *address; /* as guard_listener.address */
    const struct guard_tls *tls;
    unsigned weight;
    uint8_t proxy_protocol; /* 0: none, 1, 2: version sent */
};

struct guard_config {
    const struct guard_listener *listeners;
    size_t listener_count;
    const struct guard_broker *brokers;
    size_t broker_count;
    const char *const *sources; /* source addresses to the brokers */
    size_t source_count;
    unsigned workers;        /* 0: one for each processor */
    int64_t connect_time;    /* to a broker, nanoseconds */
    int64_t health_interval; /* nanoseconds; 0: brokers are not probed */
    int64_t drain_time;      /* at SIGTERM, nanoseconds */
    int64_t buffer;          /* bytes queued for one side before the other is not read any more */
    unsigned connections;    /* of one worker; 0: what the descriptor limit allows */
    const char *admin;       /* "host:port" of /metrics, /healthz, /readyz and the API; NULL: none */
    const char *audit;       /* file of audit records; NULL: stderr; "-": stdout */
    int64_t audit_size;      /* bytes after which the file is rotated; 0: never */
    unsigned audit_files;    /* old files kept */
    const char *evidence;    /* folder of captures of connections something was stopped on; NULL: none are kept */
    uint64_t evidence_bytes; /* remembered of a connection */
    unsigned evidence_files; /* kept */
    const char *login_log;   /* file of refused logins; NULL: none */
    const char *user;        /* to run as; NULL: no change */
    const struct guard_policy *policy;
    struct arena arena; /* owns all of the above but the policy */
};

/* guard_mistake is something wrong in a configuration. */
struct guard_mistake {
    unsigned line, column; /* from 1 */
    const char *text;      /* what is wrong and what would be right */
};
enum { GUARD_MISTAKES_MAX = 20 };
struct guard_mistakes {
    struct guard_mistake list[GUARD_MISTAKES_MAX];
    size_t count;
    struct arena arena;
};

/* guard_config_make reads YAML text; the empty text gives the defaults. 0, or ERR_FORMAT with at least one mistake, or
 * ERR_NOMEM, or ERR_UNSUPPORTED where the program was built without YAML and `yaml` is not empty. */
int guard_config_make(struct guard_config **c, struct slice yaml, struct guard_mistakes *m);
void guard_config_free(struct guard_config *c);
void guard_mistakes_free(struct guard_mistakes *m);
/* guard_config_rules loads the rule files the configuration names, if any; 0 or a code with *error filled. */
int guard_config_rules(struct guard_config *c, const struct rules_source *source, struct rules_report *error);
/* guard_config_slow returns what makes the rule files slow on this system, a sentence, or NULL. */
const char *guard_config_slow(const struct guard_config *c);
/* guard_config_listen and guard_config_broker add what the command line says; 0, ERR_FORMAT or ERR_NOMEM. */
int guard_config_listen(struct guard_config *c, const char *address);
int guard_config_broker(struct guard_config *c, const char *address);
/* guard_config_log_only makes the guard say what it would do and do nothing; to be called before the policy is in use.
 */
void guard_config_log_only(struct guard_config *c);
/* guard_config_example returns a commented configuration that shows every part, with the defaults. */
const char *guard_config_example(void);

#endif
