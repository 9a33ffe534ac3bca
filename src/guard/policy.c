/* SPDX-License-Identifier: Apache-2.0 */
/* Making a policy: the defaults, and what is built from the rules once they are all there. */
#include "guard/session.h"

#include "base/err.h"
#include "expr/expr.h"

#include <arpa/inet.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum { POLICY_MEMORY = 256 << 20 };

#define SECOND INT64_C(1000000000)
#define FOLD 0x7765697267756172u

/* anomaly_default is what an anomaly is set to where the configuration says nothing. */
static enum guard_anomaly anomaly_default(uint16_t id) {
    const struct field *f = field_of(id);
    switch (id) {
    case FID_MQTT_UNKNOWN_VERSION: return GUARD_ANOMALY_IGNORE; /* a session begins with its CONNECT */
    case FID_MQTT_A_CONTROL: return GUARD_ANOMALY_BLOCK;        /* may be taken for malformed, MQTT 1.5.4; brokers do */
    case FID_MQTT_A_PAYLOAD: return GUARD_ANOMALY_LOG;
    case FID_MQTT_ILLEGAL_TOPIC_LENGTH:
    case FID_MQTT_UNKNOWN_TOPIC_ALIAS: return GUARD_ANOMALY_BLOCK;
    default:
        return f->severity >= SEV_ERROR ? GUARD_ANOMALY_BLOCK : f->severity ? GUARD_ANOMALY_LOG : GUARD_ANOMALY_IGNORE;
    }
}

static void maxima_set(struct guard_policy *p) {
#define X(which, member, name, number, what, why)                                                                      \
    p->max[GUARD_MAX_##which] =                                                                                        \
        (struct guard_maximum_rule){number, {.id = "max." name, .reason = why, .action = GUARD_##what}};
    GUARD_MAXIMA(X)
#undef X
}

struct guard_limit *guard_policy_limit(struct guard_policy *p, const char *id, enum guard_per per, enum guard_what what,
                                       uint64_t max, int64_t window) {
    if (p->limit_count == GUARD_LIMITS_MAX) return NULL;
    struct guard_limit *l = &p->limits[p->limit_count++];
    *l = (struct guard_limit){.act = {.id = id, .action = GUARD_DROP},
                              .per = per,
                              .what = what,
                              .max = max,
                              .window = window,
                              .everyone = true};
    return l;
}

struct guard_policy *guard_policy_make(void) {
    static atomic_uint generation;
    struct guard_policy *p = calloc(1, sizeof *p);
    if (!p) return NULL;
    p->arena = arena_make(POLICY_MEMORY);
    p->generation = ++generation;
    for (uint16_t id = FID_MQTT + 1; id < FID_MQTT_END; id++)
        if (field_of(id)->severity) p->anomaly[id - FID_MQTT] = anomaly_default(id);
    p->audit_rate = 1000;
    p->malformed = GUARD_ANOMALY_BLOCK;
    p->packet_id_used = GUARD_ANOMALY_LOG;
    p->ack_mismatch = GUARD_ANOMALY_BLOCK;
    p->versions = 1 << 3 | 1 << 4 | 1 << 5;
    p->handshake_time = 10 * SECOND;
    p->connect_time = 10 * SECOND;
    p->connack_time = 30 * SECOND;
    p->packet_time = 30 * SECOND;
    p->idle_percent = 150;
    p->payload_window = 64 * 1024;
    p->window_act = (struct guard_do){
        .id = "payload_window", .action = GUARD_DROP, .reason = "payload is larger than what is inspected"};
    p->prefix4 = 32;
    p->prefix6 = 64;
    p->access_act =
        (struct guard_do){.id = "topics.default", .action = GUARD_DROP, .reason = "no rule allows this topic"};
    maxima_set(p);
    return p;
}

static int access_build(struct guard_policy *p) {
    p->access_index = topic_index_make(&p->arena);
    if (!p->access_index) return ERR_NOMEM;
    for (size_t i = 0; i < p->access_count; i++) {
        p->access_kinds |= p->access[i].kinds;
        for (size_t k = 0; k < p->access[i].topics.n; k++) {
            int rc = topic_index_add(p->access_index, p->access[i].topics.item[k], (uint32_t)i);
            if (rc) return rc;
        }
    }
    if (p->access_deny) p->access_kinds = GUARD_ANY_ACCESS;
    p->shape_index = topic_index_make(&p->arena);
    if (!p->shape_index) return ERR_NOMEM;
    for (size_t i = 0; i < p->shape_count; i++) {
        for (size_t k = 0; k < p->shapes[i].topics.n; k++) {
            int rc = topic_index_add(p->shape_index, p->shapes[i].topics.item[k], (uint32_t)i);
            if (rc) return rc;
        }
    }
    return 0;
}

static void want_make(struct guard_policy *p) {
    for (uint16_t id = FID_MQTT + 1; id < FID_MQTT_END; id++)
        if (p->anomaly[id - FID_MQTT] != GUARD_ANOMALY_IGNORE) want_add(&p->want, id);
    for (size_t i = 0; i < p->condition_count; i++)
        if (p->conditions[i].when) want_union(&p->want, expr_want(p->conditions[i].when));
}

static uint64_t list_hash(uint64_t h, const struct guard_list *l) {
    h = hash_mix(h ^ l->n, FOLD);
    for (size_t i = 0; i < l->n; i++) h = hash_bytes((struct hash_key){h, FOLD}, l->item[i].p, l->item[i].n);
    return h;
}

static uint64_t who_hash(uint64_t h, const struct guard_who *w) {
    h = list_hash(list_hash(h, &w->users), &w->clients);
    h = list_hash(list_hash(h, &w->certificates), &w->groups);
    for (size_t i = 0; i < w->prefix_count; i++) {
        const struct guard_prefix *p = &w->prefixes[i];
        h = hash_bytes((struct hash_key){h ^ p->bits, FOLD}, p->address.bytes, p->address.len);
    }
    return hash_mix(h ^ ((uint64_t)w->listeners << 1 | w->anonymous), FOLD);
}

/* Every limit has counters of its own, and keeps them where a reload leaves what it counts, in which window and of
 * whom: not its id, place or max. Among several that count the same their order tells them apart. */
static void limits_key(struct guard_policy *p) {
    uint64_t kind[GUARD_LIMITS_MAX];
    for (size_t i = 0; i < p->limit_count; i++) {
        struct guard_limit *l = &p->limits[i];
        uint64_t alike = 0, parts[2] = {(uint64_t)l->per << 8 | (uint64_t)l->what, (uint64_t)l->window};
        kind[i] = who_hash(hash_bytes((struct hash_key){0x6d6f73717569746f, FOLD}, parts, sizeof parts), &l->who);
        for (size_t k = 0; k < i; k++) alike += kind[k] == kind[i];
        l->key = hash_mix(kind[i] ^ alike, FOLD);
    }
}

int guard_policy_finish(struct guard_policy *p) {
    int rc = access_build(p);
    if (rc) return rc;
    limits_key(p);
    policy_bans_sort(p);
    want_make(p);
    for (uint16_t id = 1; id < FID_COUNT && !p->want_addresses; id++)
        p->want_addresses = want_has(&p->want, id) && (id < FID_MQTT || id >= FID_MQTT_END);
    return 0;
}

void guard_policy_free(struct guard_policy *p) {
    if (!p) return;
    for (size_t i = 0; i < p->condition_count; i++) expr_free(p->conditions[i].when);
    rules_free(p->rule_files.set);
    arena_free(&p->arena);
    free(p);
}

size_t guard_hold_max(const struct guard_policy *p) {
    size_t publish = p->payload_window + GUARD_HEAD_MAX, other = p->max[GUARD_MAX_PACKET].value;
    if (other > GUARD_HOLD_OTHER) other = GUARD_HOLD_OTHER;
    if (p->max[GUARD_MAX_CONNECT].value > other) other = p->max[GUARD_MAX_CONNECT].value;
    return publish > other ? publish : other;
}

int64_t guard_handshake_time(const struct guard_policy *p) { return p->handshake_time; }

bool guard_glob(struct slice pattern, struct slice text) {
    size_t p = 0, t = 0, star = SIZE_MAX, mark = 0;
    while (t < text.n) {
        if (p < pattern.n && pattern.p[p] == '*') {
            star = p++;
            mark = t;
        } else if (p < pattern.n && (pattern.p[p] == '?' || pattern.p[p] == text.p[t])) {
            p++;
            t++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            t = ++mark;
        } else {
            return false;
        }
    }
    while (p < pattern.n && pattern.p[p] == '*') p++;
    return p == pattern.n;
}

bool guard_list_has(const struct guard_list *l, struct slice text) {
    for (size_t i = 0; i < l->n; i++)
        if (guard_glob(l->item[i], text)) return true;
    return false;
}

static void mask(struct net_addr *a, uint8_t bits) {
    for (unsigned i = 0; i < a->len; i++) {
        unsigned keep = bits > i * 8 ? bits - i * 8 : 0;
        if (keep < 8) a->bytes[i] &= (uint8_t)(0xff00u >> keep);
    }
}

bool guard_prefix_read(struct slice text, struct guard_prefix *p) {
    char buf[INET6_ADDRSTRLEN + 8];
    if (text.n >= sizeof buf || !text.n || memchr(text.p, 0, text.n)) return false;
    memcpy(buf, text.p, text.n);
    buf[text.n] = 0;
    char *slash = strchr(buf, '/');
    unsigned bits = 0;
    bool whole = !slash;
    if (slash) {
        *slash++ = 0;
        if (!*slash || strlen(slash) > 3) return false;
        for (; *slash; slash++) {
            if (*slash < '0' || *slash > '9') return false;
            bits = bits * 10 + (unsigned)(*slash - '0');
        }
    }
    struct net_addr a = {0};
    a.len = strchr(buf, ':') ? 16 : 4;
    if (inet_pton(a.len == 4 ? AF_INET : AF_INET6, buf, a.bytes) != 1) return false;
    if (whole) bits = a.len * 8u;
    if (bits > a.len * 8u) return false;
    mask(&a, (uint8_t)bits);
    *p = (struct guard_prefix){a, (uint8_t)bits};
    return true;
}

static struct net_addr unmapped(const struct net_addr *a) {
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    struct net_addr out = *a;
    if (a->len != 16 || memcmp(a->bytes, mapped, sizeof mapped) != 0) return out;
    out = (struct net_addr){.len = 4};
    memcpy(out.bytes, a->bytes + 12, 4);
    return out;
}

bool guard_prefix_has(const struct guard_prefix *p, const struct net_addr *a) {
    struct net_addr one = unmapped(a);
    if (one.len != p->address.len) return false;
    mask(&one, p->bits);
    return memcmp(one.bytes, p->address.bytes, one.len) == 0;
}

struct net_addr guard_address_cut(const struct net_addr *a, uint8_t bits4, uint8_t bits6) {
    struct net_addr out = unmapped(a);
    mask(&out, out.len == 4 ? bits4 : bits6);
    return out;
}

void guard_address_write(struct writer *w, const struct net_addr *a) {
    char buf[INET6_ADDRSTRLEN];
    for (int i = 0; a->len == 4 && i < 4; i++) {
        if (i) wr_c(w, '.');
        wr_u(w, a->bytes[i]);
    }
    if (a->len == 16 && inet_ntop(AF_INET6, a->bytes, buf, sizeof buf)) wr_s(w, buf);
}
