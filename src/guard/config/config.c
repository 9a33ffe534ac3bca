/* SPDX-License-Identifier: Apache-2.0 */
/* A configuration from its defaults to the end; what YAML says is config_yaml.c and config_bind.c. */
#include "guard/config/config_in.h"

#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define SECOND INT64_C(1000000000)

enum { CONFIG_MEMORY = 16 << 20, MISTAKES_MEMORY = 1 << 20, LISTENERS_MAX = 32, BROKERS_MAX = 256 };

/* limits_default sets generous limits: what only an attack or a broken device does. */
static int limits_default(struct guard_policy *p) {
    struct guard_limit *login =
        guard_policy_limit(p, "limits.logins", GUARD_PER_ADDRESS, GUARD_WHAT_LOGINS, 30, 60 * SECOND);
    struct guard_limit *flap =
        guard_policy_limit(p, "limits.reconnects", GUARD_PER_CLIENT, GUARD_WHAT_CONNECTS, 300, 10 * SECOND);
    if (!login || !flap) return ERR_NOMEM;
    login->act.action = GUARD_BAN;
    login->act.ban = 60 * SECOND;
    return 0;
}

static struct guard_config *config_new(void) {
    struct guard_config *c = calloc(1, sizeof *c);
    if (!c) return NULL;
    *c = (struct guard_config){
        .connect_time = 5 * SECOND,
        .health_interval = 5 * SECOND,
        .drain_time = 10 * SECOND,
        .buffer = 256 * 1024,
        .audit_size = 100 << 20,
        .audit_files = 5,
        .evidence_bytes = 16 << 10,
        .evidence_files = 1000,
        .arena = arena_make(CONFIG_MEMORY),
    };
    return c;
}

void guard_config_free(struct guard_config *c) {
    if (!c) return;
    guard_policy_free((struct guard_policy *)c->policy);
    arena_free(&c->arena);
    free(c);
}

void guard_config_log_only(struct guard_config *c) {
    struct guard_policy *p = (struct guard_policy *)c->policy;
    p->log_only = true;
    p->audit_rate = 0;
}

void guard_mistakes_free(struct guard_mistakes *m) { arena_free(&m->arena); }

void mistake_add(struct guard_mistakes *m, size_t line, size_t column, const char *fmt, ...) {
    char buf[600];
    va_list ap;
    if (m->count == GUARD_MISTAKES_MAX) return;
    va_start(ap, fmt);
    int n = vsnprintf(buf, sizeof buf, fmt, ap);
    va_end(ap);
    size_t len = n < 0 ? 0 : (size_t)n < sizeof buf ? (size_t)n : sizeof buf - 1;
    char *text = arena_get(&m->arena, len + 1);
    if (text) {
        memcpy(text, buf, len);
        text[len] = 0;
    }
    m->list[m->count++] = (struct guard_mistake){(unsigned)line, (unsigned)column, text ? text : "a mistake"};
}

int guard_config_make(struct guard_config **out, struct slice yaml, struct guard_mistakes *m) {
    *m = (struct guard_mistakes){.arena = arena_make(MISTAKES_MEMORY)};
    struct guard_config *c = config_new();
    struct guard_policy *p = guard_policy_make();
    if (!c || !p) {
        guard_policy_free(p);
        guard_config_free(c);
        return ERR_NOMEM;
    }
    c->policy = p;
    int rc = yaml.n ? config_bind(c, p, yaml, m) : 0;
    if (!rc && !p->limits_given) rc = limits_default(p);
    if (!rc) rc = guard_policy_finish(p);
    if (rc) {
        guard_config_free(c);
        return rc;
    }
    *out = c;
    return 0;
}

/* A "host:port" whose host may be empty, *, a name or an address, IPv6 in brackets; or "unix:/path". */
bool config_address_ok(const char *a, bool own) {
    if (!strncmp(a, "unix:", 5)) return a[5] != 0;
    const char *colon = strrchr(a, ':');
    const char *close = a[0] == '[' ? strchr(a, ']') : NULL;
    if (!colon || (a[0] == '[' && close != colon - 1)) return false;
    if (a[0] != '[' && memchr(a, ':', (size_t)(colon - a))) return false; /* IPv6 needs its brackets */
    long port = 0;
    if (!colon[1]) return false;
    for (const char *p = colon + 1; *p; p++) {
        if (*p < '0' || *p > '9') return false;
        port = port * 10 + (*p - '0');
        if (port > 65535) return false;
    }
    return port > 0 || own;
}

static char *config_copy(struct guard_config *c, const char *text) {
    size_t size = strlen(text) + 1;
    char *p = arena_get(&c->arena, size);
    return p ? memcpy(p, text, size) : NULL;
}

int guard_config_listen(struct guard_config *c, const char *address) {
    if (!config_address_ok(address, true) || c->listener_count == LISTENERS_MAX) return ERR_FORMAT;
    struct guard_listener *more = arena_get(&c->arena, (c->listener_count + 1) * sizeof *more);
    char *copy = config_copy(c, address);
    if (!more || !copy) return ERR_NOMEM;
    if (c->listener_count) memcpy(more, c->listeners, c->listener_count * sizeof *more);
    more[c->listener_count++] = (struct guard_listener){.address = copy};
    c->listeners = more;
    return 0;
}

int guard_config_broker(struct guard_config *c, const char *address) {
    if (!config_address_ok(address, false) || c->broker_count == BROKERS_MAX) return ERR_FORMAT;
    struct guard_broker *more = arena_get(&c->arena, (c->broker_count + 1) * sizeof *more);
    char *copy = config_copy(c, address);
    if (!more || !copy) return ERR_NOMEM;
    if (c->broker_count) memcpy(more, c->brokers, c->broker_count * sizeof *more);
    more[c->broker_count++] = (struct guard_broker){.address = copy, .weight = 1};
    c->brokers = more;
    return 0;
}

int guard_config_rules(struct guard_config *c, const struct rules_source *source, struct rules_report *error) {
    struct guard_policy *p = (struct guard_policy *)c->policy; /* not in use yet */
    struct guard_rule_files *r = &p->rule_files;
    struct rules_source from = *source;
    if (!r->n) return 0;
    from.paranoia = (int)r->paranoia;
    int rc = rules_load(&r->set, &from, r->files, r->n, error);
    if (rc) return rc;
    rules_wanted(r->set, &p->want);
    want_add(&p->want, FID_MQTT_PASSWD);
    want_add(&p->want, FID_MQTT_PROP_KEY);
    want_add(&p->want, FID_MQTT_PROP_VALUE);
    return 0;
}

const char *guard_config_slow(const struct guard_config *c) {
    const struct rules_set *set = c->policy->rule_files.set;
    if (!set || !rules_interpreted(set)) return NULL;
    return "regular expressions of the rule files are interpreted, which is ten times slower: the system does not let "
           "memory be made executable (systemd: MemoryDenyWriteExecute=no)";
}
