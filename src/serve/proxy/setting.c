/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/proxy/setting.h"
#include "base/hash.h"
#include "io/tls/tls.h"
#include "serve/proxy/rules_source.h"
#include <stdio.h>
#include <stdlib.h>

enum { MQTT_PORT = 1883, MQTTS_PORT = 8883 };

static int tell_mistakes(const struct proxy_plan *plan, const struct guard_mistakes *m, int code, struct writer *why) {
    const char *file = plan->config ? plan->config : "defaults";
    for (size_t i = 0; i < m->count; i++)
        wr_f(why, "%s:%u:%u: %s\n", file, m->list[i].line, m->list[i].column, m->list[i].text);
    if (!m->count) wr_f(why, "%s: %s\n", file, err_text(code));
    return code;
}

static int read_config(struct setting *s, const struct proxy_plan *plan, struct slice text, struct writer *why) {
    struct guard_mistakes m = {0};
    int r = guard_config_make(&s->config, text, &m);
    if (r != OK) tell_mistakes(plan, &m, r, why);
    guard_mistakes_free(&m);
    for (size_t i = 0; r == OK && i < plan->listen_count; i++)
        if ((r = guard_config_listen(s->config, plan->listen[i])) != OK)
            wr_f(why, "--listen %s: %s\n", plan->listen[i], err_text(r));
    for (size_t i = 0; r == OK && i < plan->broker_count; i++)
        if ((r = guard_config_broker(s->config, plan->brokers[i])) != OK)
            wr_f(why, "--broker %s: %s\n", plan->brokers[i], err_text(r));
    return r;
}

static int read_rules(struct setting *s, struct writer *why) {
    struct rules_source source = rules_source_here();
    struct rules_report e;
    int r = guard_config_rules(s->config, &source, &e);
    if (r != OK) wr_f(why, "%s:%u:%u: %s\n", e.file, e.line, e.column, e.text);
    return r;
}

static int ended(struct writer *why, int code) {
    wr_c(why, '\n');
    return code;
}

static int make_listener(struct setting_listener *l, const struct guard_listener *conf, const uint8_t *tickets,
                         struct writer *why) {
    l->conf = conf;
    int r = sock_parse(&l->addr, conf->address, conf->tls ? MQTTS_PORT : MQTT_PORT, why);
    if (r != OK) return ended(why, r);
    if (!conf->tls) return OK;
    if (!conf->tls->certificate) {
        wr_f(why, "listener %s: TLS needs a certificate\n", conf->address);
        return ERR_USAGE;
    }
    struct tls_server_config c = {
        .cert = conf->tls->certificate,
        .key = conf->tls->key,
        .client_ca = conf->tls->client_auth != GUARD_AUTH_NONE ? conf->tls->ca : NULL,
        .client_required = conf->tls->client_auth == GUARD_AUTH_REQUIRED,
        .only_13 = conf->tls->min_version && !strcmp(conf->tls->min_version, "1.3"),
        .ciphers = conf->tls->ciphers,
        .tickets = tickets,
    };
    if (conf->tls->client_auth != GUARD_AUTH_NONE && !conf->tls->ca) {
        wr_f(why, "listener %s: client certificates need the CA that signs them\n", conf->address);
        return ERR_USAGE;
    }
    return (r = tls_server(&l->tls, &c, why)) == OK ? OK : ended(why, r);
}

/* host_of cuts the host out of "host:port". */
static void host_of(const char *address, char *host) {
    const char *end = strrchr(address, ':');
    if (*address == '[' && strchr(address, ']')) end = strchr(++address, ']');
    size_t n = end ? (size_t)(end - address) : strlen(address);
    snprintf(host, SETTING_HOST_MAX, "%.*s", (int)(n < SETTING_HOST_MAX ? n : 0), address);
}

static int make_broker(struct setting_broker *b, const struct guard_broker *conf, struct writer *why) {
    b->conf = conf;
    b->weight = conf->weight ? conf->weight : 1;
    b->hash = hash_bytes((struct hash_key){1, 2}, conf->address, strlen(conf->address));
    int r = sock_parse_all(b->addr, BROKER_ADDRESSES, conf->address, conf->tls ? MQTTS_PORT : MQTT_PORT, why);
    if (r < 0) return ended(why, r);
    b->addrs = (unsigned)r;
    if (!conf->tls) return OK;
    if (conf->tls->server_name) snprintf(b->host, sizeof b->host, "%s", conf->tls->server_name);
    else if (!sock_is_local(b->addr)) host_of(conf->address, b->host);
    struct tls_client_config c = {conf->tls->ca, conf->tls->certificate, conf->tls->key, !conf->tls->verify};
    return (r = tls_client(&b->tls, &c, why)) == OK ? OK : ended(why, r);
}

const struct sock_addr *setting_source(const struct setting *s, const struct sock_addr *to, unsigned from) {
    for (unsigned i = 0; i < s->sources; i++) {
        const struct sock_addr *a = &s->source[(from + i) % s->sources];
        if (a->any.sa_family == to->any.sa_family) return a;
    }
    return NULL;
}

static int count_check(const struct guard_config *c, struct writer *why) {
    if (c->listener_count == 0) wr_s(why, "no listener: give --listen ADDRESS:PORT, or `listeners:` in the file\n");
    else if (c->broker_count == 0) wr_s(why, "no broker: give --broker ADDRESS:PORT, or `brokers:` in the file\n");
    else if (c->listener_count > LISTENERS_MAX) wr_f(why, "more than %d listeners\n", LISTENERS_MAX);
    else if (c->broker_count > BROKERS_MAX) wr_f(why, "more than %d brokers\n", BROKERS_MAX);
    else if (c->source_count > SOURCES_MAX) wr_f(why, "more than %d source addresses\n", SOURCES_MAX);
    else return OK;
    return ERR_USAGE;
}

/* twice_check: of two listeners of one address each would get some of the clients. */
static int twice_check(const struct setting *s, struct writer *why) {
    const struct setting_listener *last = &s->listener[s->listeners - 1];
    for (const struct setting_listener *l = s->listener; l < last; l++) {
        if (!sock_same(&l->addr, &last->addr)) continue;
        wr_f(why, "listener %s: its address is given twice\n", last->conf->address);
        return ERR_USAGE;
    }
    return OK;
}

static int resolve(struct setting *s, const uint8_t *tickets, struct writer *why) {
    const struct guard_config *c = s->config;
    int r = count_check(c, why);
    for (size_t i = 0; r == OK && i < c->listener_count; i++)
        if ((r = make_listener(&s->listener[s->listeners++], &c->listeners[i], tickets, why)) == OK)
            r = twice_check(s, why);
    for (size_t i = 0; r == OK && i < c->broker_count; i++)
        r = make_broker(&s->broker[s->brokers++], &c->brokers[i], why);
    for (size_t i = 0; r == OK && i < c->source_count; i++)
        if ((r = sock_parse(&s->source[s->sources++], c->sources[i], 1, why)) != OK) ended(why, r);
    /* Port 1 only satisfied the parser: the kernel picks it. */
    for (unsigned i = 0; i < s->sources; i++) s->source[i].v4.sin_port = 0;
    return r;
}

int setting_load(struct setting **out, const struct proxy_plan *plan, struct slice text, const uint8_t *tickets,
                 struct writer *why) {
    struct setting *s = calloc(1, sizeof *s);
    if (!s) return ERR_NOMEM;
    int r = read_config(s, plan, text, why);
    if (r == OK) r = read_rules(s, why);
    if (r == OK) r = resolve(s, tickets, why);
    if (r != OK) setting_free(s);
    else *out = s;
    return r;
}

void setting_free(struct setting *s) {
    if (!s) return;
    for (unsigned i = 0; i < s->listeners; i++) tls_ctx_free(s->listener[i].tls);
    for (unsigned i = 0; i < s->brokers; i++) tls_ctx_free(s->broker[i].tls);
    guard_config_free(s->config);
    free(s);
}
