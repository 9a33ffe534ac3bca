/* SPDX-License-Identifier: Apache-2.0 */
/* What the configuration says of sockets, processes and the guard as a whole; rules are in config_rules.c. */
#include "base/err.h"
#include "guard/config/config_yaml.h"

#include <string.h>

static const struct choice auths = {(const char *const[]){"none", "optional", "required"}, 3};
static const struct choice tls_versions = {(const char *const[]){"1.2", "1.3"}, 2};
static const struct choice modes = {(const char *const[]){"enforce", "log"}, 2};
static const struct choice beyonds = {(const char *const[]){"pass", "refuse"}, 2};
static const struct choice proxies = {(const char *const[]){"none", "v1", "v2"}, 3};

static const struct range thousands = {0, 1000}, bits4 = {0, 32}, bits6 = {0, 128};
static const struct choice ban_kinds = {(const char *const[]){"user", "client"}, 2};

static void tls_version(struct bind *b, const yaml_node_t *n, void *at, const void *arg) {
    uint8_t which = 0;
    read_choice(b, n, &which, arg);
    *(const char **)at = tls_versions.names[which];
}

static const struct key tls_keys[] = {
    {"certificate", read_text, offsetof(struct guard_tls, certificate)},
    {"key", read_text, offsetof(struct guard_tls, key)},
    {"ca", read_text, offsetof(struct guard_tls, ca)},
    {"ciphers", read_text, offsetof(struct guard_tls, ciphers)},
    {"min_version", tls_version, offsetof(struct guard_tls, min_version), &tls_versions},
    {"server_name", read_text, offsetof(struct guard_tls, server_name)},
    {"client_certificate", read_choice, offsetof(struct guard_tls, client_auth), &auths},
    {"verify", read_bool, offsetof(struct guard_tls, verify)},
};

static void listener_tls(struct bind *b, const yaml_node_t *n, void *at, const void *arg) {
    struct guard_tls *t = bind_get(b, sizeof *t);
    (void)arg;
    if (!t) return;
    bind_map(b, n, KEYS(tls_keys), t, "tls");
    if (bind_is_map(n) && (!t->certificate || !t->key))
        bind_wrong(b, n, "TLS for clients needs 'certificate' and 'key'");
    if (t->client_auth && !t->ca) bind_wrong(b, n, "client certificates are checked against a 'ca'");
    *(const struct guard_tls **)at = t;
}

static void broker_tls(struct bind *b, const yaml_node_t *n, void *at, const void *arg) {
    struct guard_tls *t = bind_get(b, sizeof *t);
    (void)arg;
    if (!t) return;
    t->verify = true;
    bind_map(b, n, KEYS(tls_keys), t, "tls");
    if (!t->certificate != !t->key) bind_wrong(b, n, "'certificate' and 'key' belong together");
    *(const struct guard_tls **)at = t;
}

static void check_address(struct bind *b, const yaml_node_t *n, const char *text, bool own) {
    if (text && !config_address_ok(text, own))
        bind_wrong(b, n, "'%.100s' is no address; write host:port, [::]:port, *:port or unix:/path", text);
}

/* read_own reads an address of ours, where port 0 is any free one; read_peer somebody else's. */
static void read_own(struct bind *b, const yaml_node_t *n, void *at, const void *arg) {
    read_text(b, n, at, arg);
    check_address(b, n, *(const char **)at, true);
}

static void read_peer(struct bind *b, const yaml_node_t *n, void *at, const void *arg) {
    read_text(b, n, at, arg);
    check_address(b, n, *(const char **)at, false);
}

static const struct key listener_keys[] = {
    {"address", read_own, offsetof(struct guard_listener, address)},
    {"tls", listener_tls, offsetof(struct guard_listener, tls)},
    {"websocket", read_bool, offsetof(struct guard_listener, websocket)},
    {"path", read_text, offsetof(struct guard_listener, path)},
    {"proxy_protocol", read_bool, offsetof(struct guard_listener, proxy_protocol)},
    {"backlog", read_unsigned, offsetof(struct guard_listener, backlog)},
};

static void read_listener(struct bind *b, const yaml_node_t *n, void *at, const void *arg) {
    struct guard_listener *l = at;
    if (!bind_is_map(n)) {
        read_own(b, n, &l->address, arg);
        return;
    }
    bind_map(b, n, KEYS(listener_keys), l, "a listener");
    if (!l->address) bind_wrong(b, n, "a listener needs an 'address'");
}

static void read_listeners(struct bind *b, const yaml_node_t *n, void *at, const void *arg) {
    (void)at, (void)arg;
    b->c->listeners = bind_each(b, n, sizeof *b->c->listeners, 32, read_listener, NULL, &b->c->listener_count);
}

static const struct key broker_keys[] = {
    {"address", read_peer, offsetof(struct guard_broker, address)},
    {"tls", broker_tls, offsetof(struct guard_broker, tls)},
    {"weight", read_unsigned, offsetof(struct guard_broker, weight), &(const struct range){0, 1000}},
    {"proxy_protocol", read_choice, offsetof(struct guard_broker, proxy_protocol), &proxies},
};

static void read_broker(struct bind *b, const yaml_node_t *n, void *at, const void *arg) {
    struct guard_broker *k = at;
    k->weight = 1;
    if (!bind_is_map(n)) {
        read_peer(b, n, &k->address, arg);
        return;
    }
    bind_map(b, n, KEYS(broker_keys), k, "a broker");
    if (!k->address) bind_wrong(b, n, "a broker needs an 'address'");
}

static void read_brokers(struct bind *b, const yaml_node_t *n, void *at, const void *arg) {
    (void)at, (void)arg;
    b->c->brokers = bind_each(b, n, sizeof *b->c->brokers, 256, read_broker, NULL, &b->c->broker_count);
}

static void read_sources(struct bind *b, const yaml_node_t *n, void *at, const void *arg) {
    (void)at, (void)arg;
    b->c->sources = bind_each(b, n, sizeof *b->c->sources, 1024, read_text, NULL, &b->c->source_count);
    for (size_t i = 0; i < b->c->source_count; i++) {
        struct guard_prefix p;
        const char *s = b->c->sources[i];
        if (s && (!guard_prefix_read(slice_str(s), &p) || strchr(s, '/'))) bind_wrong(b, n, "'%.60s' is no address", s);
    }
}

/* The times of the sockets stand beside those of the policy; each reader knows its struct. */
static void read_times(struct bind *b, const yaml_node_t *n, void *at, const void *arg) {
    struct times {
        int64_t handshake, connect, connack, packet, idle, broker, health, drain;
        uint64_t percent;
    } t = {b->p->handshake_time, b->p->connect_time,    b->p->connack_time, b->p->packet_time, b->p->idle_time,
           b->c->connect_time,   b->c->health_interval, b->c->drain_time,   b->p->idle_percent};
    static const struct range percents = {0, 1000};
    static const struct key keys[] = {
        {"handshake", read_time, offsetof(struct times, handshake)},
        {"connect", read_time, offsetof(struct times, connect)},
        {"connack", read_time, offsetof(struct times, connack)},
        {"packet", read_time, offsetof(struct times, packet)},
        {"idle", read_time, offsetof(struct times, idle)},
        {"broker_connect", read_time, offsetof(struct times, broker)},
        {"health", read_time, offsetof(struct times, health)},
        {"drain", read_time, offsetof(struct times, drain)},
        {"keep_alive_percent", read_number, offsetof(struct times, percent), &percents},
    };
    (void)at, (void)arg;
    bind_map(b, n, KEYS(keys), &t, "time");
    b->p->handshake_time = t.handshake;
    b->p->connect_time = t.connect;
    b->p->connack_time = t.connack;
    b->p->packet_time = t.packet;
    b->p->idle_time = t.idle;
    b->p->idle_percent = (unsigned)t.percent;
    b->c->connect_time = t.broker;
    b->c->health_interval = t.health;
    b->c->drain_time = t.drain;
}

static void read_rate(struct bind *b, const yaml_node_t *n, void *at, const void *arg) {
    (void)at;
    read_unsigned(b, n, &b->p->audit_rate, arg);
}

static void read_audit(struct bind *b, const yaml_node_t *n, void *at, const void *arg) {
    static const struct key keys[] = {
        {"file", read_text, offsetof(struct guard_config, audit)},
        {"size", read_size, offsetof(struct guard_config, audit_size)},
        {"files", read_unsigned, offsetof(struct guard_config, audit_files), &thousands},
        {"rate", read_rate, 0},
    };
    (void)at;
    if (!bind_is_map(n)) read_text(b, n, &b->c->audit, arg);
    else bind_map(b, n, KEYS(keys), b->c, "audit");
}

static void read_evidence(struct bind *b, const yaml_node_t *n, void *at, const void *arg) {
    static const struct range bytes = {1024, 1 << 20}, files = {1, 10000};
    static const struct key keys[] = {
        {"folder", read_text, offsetof(struct guard_config, evidence)},
        {"bytes", read_size, offsetof(struct guard_config, evidence_bytes), &bytes},
        {"files", read_unsigned, offsetof(struct guard_config, evidence_files), &files},
    };
    (void)at;
    if (!bind_is_map(n)) read_text(b, n, &b->c->evidence, arg);
    else bind_map(b, n, KEYS(keys), b->c, "evidence");
}

static void read_mode(struct bind *b, const yaml_node_t *n, void *at, const void *arg) {
    uint8_t which = b->p->log_only;
    (void)at;
    read_choice(b, n, &which, arg);
    b->p->log_only = which;
}

static void read_beyond(struct bind *b, const yaml_node_t *n, void *at, const void *arg) {
    uint8_t which = b->p->window_refuse;
    (void)at;
    read_choice(b, n, &which, arg);
    b->p->window_refuse = which;
}

static void read_window(struct bind *b, const yaml_node_t *n, void *at, const void *arg) {
    static const struct range sizes = {0, 16 << 20};
    uint64_t value = b->p->payload_window;
    (void)at, (void)arg;
    read_size(b, n, &value, &sizes);
    b->p->payload_window = value;
}

static void read_prefixes(struct bind *b, const yaml_node_t *n, void *at, const void *arg) {
    struct lengths {
        uint64_t four, six;
    } l = {b->p->prefix4, b->p->prefix6};
    static const struct key keys[] = {
        {"ipv4", read_number, offsetof(struct lengths, four), &bits4},
        {"ipv6", read_number, offsetof(struct lengths, six), &bits6},
    };
    (void)at, (void)arg;
    bind_map(b, n, KEYS(keys), &l, "prefixes");
    b->p->prefix4 = (uint8_t)l.four;
    b->p->prefix6 = (uint8_t)l.six;
}

static void read_required(struct bind *b, const yaml_node_t *n, void *at, const void *arg) {
    (void)at;
    read_bool(b, n, &b->p->keep_alive_required, arg);
}

static void ban_also(struct bind *b, const yaml_node_t *n, void *at, const void *arg) {
    uint8_t which = 0;
    (void)at, (void)arg;
    read_choice(b, n, &which, &ban_kinds);
    if (which) b->p->ban_clients = true;
    else b->p->ban_users = true;
}

static void read_ban_also(struct bind *b, const yaml_node_t *n, void *at, const void *arg) {
    size_t count;
    (void)at, (void)arg;
    (void)bind_each(b, n, 1, 2, ban_also, NULL, &count);
}

#define AT(member) offsetof(struct guard_config, member)

static const struct key top_keys[] = {
    {"mode", read_mode, 0, &modes},
    {"listen", read_listeners, 0},
    {"brokers", read_brokers, 0},
    {"broker", read_brokers, 0},
    {"sources", read_sources, 0},
    {"workers", read_unsigned, AT(workers), &(const struct range){0, 256}},
    {"connections", read_unsigned, AT(connections)},
    {"buffer", read_size, AT(buffer), &(const struct range){4096, 1 << 30}},
    {"user", read_text, AT(user)},
    {"admin", read_own, AT(admin)},
    {"audit", read_audit, 0},
    {"evidence", read_evidence, 0},
    {"login_log", read_text, AT(login_log)},
    {"time", read_times, 0},
    {"versions", read_versions, 0},
    {"keep_alive_required", read_required, 0},
    {"payload_window", read_window, 0},
    {"beyond_window", read_beyond, 0, &beyonds},
    {"max", read_maxima, 0},
    {"anomalies", read_anomalies, 0},
    {"prefixes", read_prefixes, 0},
    {"bans", read_bans, 0},
    {"ban_also", read_ban_also, 0},
    {"limits", read_limits, 0},
    {"groups", read_groups, 0},
    {"topics", read_topics, 0},
    {"rules", read_conditions, 0},
    {"rule_files", read_rule_files, 0},
    {"payloads", read_shapes, 0},
};

static int bind_all(struct bind *b) {
    const yaml_node_t *root = yaml_document_get_root_node(&b->doc);
    if (!root) return 0; /* nothing but comments */
    bind_map(b, root, KEYS(top_keys), b->c, "the configuration");
    groups_check(b);
    return b->no_memory ? ERR_NOMEM : b->m->count ? ERR_FORMAT : 0;
}

int config_bind(struct guard_config *c, struct guard_policy *p, struct slice yaml, struct guard_mistakes *m) {
    struct bind b = {.c = c, .p = p, .m = m};
    struct yaml_fault why;
    int rc = yaml_load(&b.doc, yaml, &why);
    if (rc == ERR_FORMAT)
        mistake_add(m, why.line, why.column, "%s%s%s", why.problem, why.context ? " " : "",
                    why.context ? why.context : "");
    if (rc) return rc;
    rc = field_index_make(&b.names, &weir_fields) ? ERR_NOMEM : bind_all(&b);
    field_index_free(&b.names);
    yaml_document_delete(&b.doc);
    return rc;
}
