/* SPDX-License-Identifier: Apache-2.0 */
/* Theory of operation: conversations are kept by their ends, each with a list of transactions that were begun: the text
 * of their event so far. A message that ends one completes the text and the line is written; one that belongs to none
 * is a line of its own. What is still open at the end of its conversation is written as far as it came. Invariants: a
 * conversation is in exactly one bucket; `text` is the sum of the begun texts. Limits: those of eve.h; past
 * EVE_FLOWS_MAX the oldest of a few conversations is closed, past the others a transaction is told in parts. */
#include "view/eve/eve.h"

#include "base/err.h"
#include "proto/fields.h"
#include "proto/mqtt/mqtt.h"

#include <stdlib.h>

enum { IP_TCP = 6, IP_UDP = 17, VICTIMS = 16, CLIENT = 0, SERVER = 1, NOBODY = UINT32_MAX };

struct conversation {
    uint32_t chain;  /* next in the bucket; first, as pools want it */
    uint32_t bucket; /* NOBODY: the node is free */
    struct flow_key key;
    struct net_addr addr[2]; /* client, server */
    uint16_t port[2];
    uint8_t proto, flags[2];   /* IP protocol; TCP flags each side sent */
    uint32_t stream;           /* of TCP */
    uint32_t open, open_count; /* first begun transaction, oldest first */
    uint64_t number;           /* flow_id */
    const char *app;
    int64_t first, last;
    uint64_t packets[2], bytes[2]; /* sent by the client, by the server */
};

struct transaction {
    uint32_t next;
    uint8_t kind, type, from; /* enum event_kind; packet type; side that began it */
    uint16_t id;
    uint64_t frame;
    int64_t ts;
    struct writer text;
};

/* now is the packet being told. */
struct now {
    struct eve *e;
    struct writer *w;
    const struct packet_events *p;
    struct conversation *c;
    uint8_t side; /* who sent it */
};

int eve_make(struct eve *e) {
    *e = (struct eve){.flows = pool_make(sizeof(struct conversation), EVE_FLOWS_MAX + 1),
                      .pending = pool_make(sizeof(struct transaction), EVE_PENDING_MAX + 1),
                      .secret = hash_key_random(),
                      .buckets = calloc(EVE_BUCKETS, sizeof(uint32_t))};
    return e->buckets ? OK : ERR_NOMEM;
}

static struct conversation *at(const struct eve *e, uint32_t n) { return pool_at(&e->flows, n); }
static struct transaction *begun_at(const struct eve *e, uint32_t n) { return pool_at(&e->pending, n); }

static void begin(struct eve *e, struct writer *w, const struct conversation *c, const char *type, int64_t ts,
                  uint64_t frame) {
    struct flow_ends ends = {c->proto, &c->addr[CLIENT], &c->addr[SERVER], c->port[CLIENT], c->port[SERVER]};
    e->events++;
    eve_begin(
        w,
        &(struct eve_head){
            .ts = ts, .era = e->era, .type = type, .flow_id = c->number, .frame = frame, .ends = &ends, .app = c->app});
}

static const char *kind_name(uint8_t kind) { return kind == EV_MQTT ? "mqtt" : kind == EV_TLS ? "tls" : "http"; }

static void transaction_tell(struct eve *e, struct writer *w, const struct conversation *c, uint32_t n) {
    struct transaction *t = begun_at(e, n);
    struct slice text = wr_done(&t->text);
    begin(e, w, c, kind_name(t->kind), t->ts, t->frame);
    wr_f(w, ",\"%s\":{", kind_name(t->kind));
    wr_slice(w, text.n && text.p[0] == ',' ? slice_tail(text, 1) : text);
    wr_s(w, "}}\n");
    e->text -= text.n;
    wr_free(&t->text);
    pool_put(&e->pending, n);
}

/* conversation_tell writes what is left of a conversation and its `flow` event. */
static void conversation_tell(struct eve *e, struct writer *w, struct conversation *c) {
    for (uint32_t n = c->open, next; n; n = next) {
        next = begun_at(e, n)->next;
        transaction_tell(e, w, c, n);
    }
    c->open = c->open_count = 0;
    uint8_t seen = c->flags[CLIENT] | c->flags[SERVER];
    bool answered = c->packets[CLIENT] && c->packets[SERVER];
    const char *state = seen & (TH_FIN | TH_RST) ? "closed" : answered ? "established" : "new";
    begin(e, w, c, "flow", c->last, 0);
    wr_f(w,
         ",\"flow\":{\"pkts_toserver\":%llu,\"pkts_toclient\":%llu,\"bytes_toserver\":%llu,\"bytes_toclient\":%llu,"
         "\"start\":\"",
         (unsigned long long)c->packets[CLIENT], (unsigned long long)c->packets[SERVER],
         (unsigned long long)c->bytes[CLIENT], (unsigned long long)c->bytes[SERVER]);
    eve_time(w, moment_of(c->first, e->era));
    wr_s(w, "\",\"end\":\"");
    eve_time(w, moment_of(c->last, e->era));
    wr_f(w, "\",\"age\":%lld,\"state\":\"%s\"}", (long long)((c->last - c->first) / 1000000000), state);
    if (c->proto == IP_TCP)
        wr_f(w, ",\"tcp\":{\"syn\":%s,\"fin\":%s,\"rst\":%s}", seen & TH_SYN ? "true" : "false",
             seen & TH_FIN ? "true" : "false", seen & TH_RST ? "true" : "false");
    wr_s(w, "}\n");
}

static void conversation_drop(struct eve *e, uint32_t n) {
    struct conversation *c = at(e, n);
    uint32_t *link = &e->buckets[c->bucket];
    while (*link && *link != n) link = &at(e, *link)->chain;
    if (*link) *link = c->chain;
    c->bucket = NOBODY;
    pool_put(&e->flows, n);
    e->alive--;
}

static void oldest_give_up(struct eve *e, struct writer *w) {
    uint32_t oldest = 0;
    for (uint32_t looked = 0; looked < VICTIMS || !oldest; looked++) {
        e->hand = e->hand + 1 < e->flows.used ? e->hand + 1 : 1;
        const struct conversation *c = at(e, e->hand);
        if (c->bucket != NOBODY && (!oldest || c->last < at(e, oldest)->last)) oldest = e->hand;
    }
    conversation_tell(e, w, at(e, oldest));
    conversation_drop(e, oldest);
}

/* conversation_begin fills a conversation; who sent first is the client, but a SYN/ACK comes from the server. */
static void conversation_begin(struct eve *e, struct conversation *c, const struct packet_events *p) {
    bool server = p->transport == TRANSPORT_TCP && (p->tcp.flags & (TH_SYN | TH_ACK)) == (TH_SYN | TH_ACK);
    c->addr[server ? SERVER : CLIENT] = p->src;
    c->addr[server ? CLIENT : SERVER] = p->dst;
    c->port[server ? SERVER : CLIENT] = p->sport;
    c->port[server ? CLIENT : SERVER] = p->dport;
    c->proto = p->transport == TRANSPORT_TCP ? IP_TCP : IP_UDP;
    c->stream = p->tcp.stream;
    c->flags[CLIENT] = c->flags[SERVER] = 0;
    c->packets[CLIENT] = c->packets[SERVER] = c->bytes[CLIENT] = c->bytes[SERVER] = 0;
    c->app = NULL;
    c->first = p->ts;
    c->number = ++e->conversations;
}

static struct conversation *conversation_of(struct eve *e, struct writer *w, const struct packet_events *p) {
    struct flow_ends ends = {p->transport == TRANSPORT_TCP ? IP_TCP : IP_UDP, &p->src, &p->dst, p->sport, p->dport};
    struct flow_key key;
    flow_key_make(&key, &ends);
    uint32_t bucket = (uint32_t)hash_bytes(e->secret, &key, sizeof key) & (EVE_BUCKETS - 1), n = e->buckets[bucket];
    while (n && !flow_key_same(&at(e, n)->key, &key)) n = at(e, n)->chain;
    if (!n) {
        if (e->alive >= EVE_FLOWS_MAX) oldest_give_up(e, w);
        n = pool_get(&e->flows);
        if (!n) return NULL;
        struct conversation *c = at(e, n);
        c->key = key;
        c->bucket = bucket;
        c->chain = e->buckets[bucket];
        e->buckets[bucket] = n;
        e->alive++;
        conversation_begin(e, c, p);
    } else if (p->transport == TRANSPORT_TCP && at(e, n)->stream != p->tcp.stream) { /* the ports are used again */
        conversation_tell(e, w, at(e, n));
        conversation_begin(e, at(e, n), p);
    }
    return at(e, n);
}

/* transaction_begin gives the writer of a new transaction, or NULL at a limit. */
static struct writer *transaction_begin(struct now *t, uint8_t kind, uint8_t type, uint16_t id) {
    struct eve *e = t->e;
    bool room = e->text < EVE_TEXT_MAX && t->c->open_count < EVE_OPEN_MAX;
    uint32_t n = room ? pool_get(&e->pending) : 0, *link = &t->c->open;
    if (!n) {
        e->unheld++;
        return NULL;
    }
    *begun_at(e, n) = (struct transaction){
        .kind = kind, .type = type, .from = t->side, .id = id, .frame = t->p->frame, .ts = t->p->ts, .text = wr_grow()};
    while (*link) link = &begun_at(e, *link)->next;
    *link = n;
    t->c->open_count++;
    return &begun_at(e, n)->text;
}

/* transaction_find returns the place of the link to a begun transaction, or NULL. */
static uint32_t *transaction_find(const struct now *t, uint8_t kind, uint8_t type, int from, uint16_t id) {
    for (uint32_t *link = &t->c->open; *link; link = &begun_at(t->e, *link)->next) {
        const struct transaction *b = begun_at(t->e, *link);
        if (b->kind == kind && b->type == type && b->id == id && (from < 0 || b->from == from)) return link;
    }
    return NULL;
}

static void transaction_end(const struct now *t, uint32_t *link) {
    uint32_t n = *link;
    *link = begun_at(t->e, n)->next;
    t->c->open_count--;
    transaction_tell(t->e, t->w, t->c, n);
}

static void mqtt_member(struct writer *w, const struct mqtt_event *m, uint64_t frame) {
    wr_f(w, ",\"%s\":", eve_mqtt_name(m->type));
    eve_mqtt(w, m, frame);
}

/* mqtt_alone tells a message that belongs to no transaction. */
static void mqtt_alone(const struct now *t, const struct mqtt_event *m) {
    begin(t->e, t->w, t->c, "mqtt", t->p->ts, t->p->frame);
    wr_f(t->w, ",\"mqtt\":{\"%s\":", eve_mqtt_name(m->type));
    eve_mqtt(t->w, m, t->p->frame);
    wr_s(t->w, "}}\n");
}

/* What answers what: the type that began, which side did relative to the answer's sender, whether it is then complete.
 */
static const struct {
    uint8_t begun;
    bool same_side, ends;
} answers[MQTT_TYPES] = {
    [MQTT_CONNACK] = {MQTT_CONNECT, false, true},      [MQTT_PUBACK] = {MQTT_PUBLISH, false, true},
    [MQTT_PUBREC] = {MQTT_PUBLISH, false, false},      [MQTT_PUBREL] = {MQTT_PUBLISH, true, false},
    [MQTT_PUBCOMP] = {MQTT_PUBLISH, false, true},      [MQTT_SUBACK] = {MQTT_SUBSCRIBE, false, true},
    [MQTT_UNSUBACK] = {MQTT_UNSUBSCRIBE, false, true}, [MQTT_PINGRESP] = {MQTT_PINGREQ, false, true},
};

static bool begins(const struct mqtt_event *m) {
    return m->type == MQTT_CONNECT || m->type == MQTT_SUBSCRIBE || m->type == MQTT_UNSUBSCRIBE ||
           m->type == MQTT_PINGREQ || (m->type == MQTT_PUBLISH && m->qos);
}

static void mqtt_begin(struct now *t, const struct mqtt_event *m) {
    uint32_t *again = transaction_find(t, EV_MQTT, m->type, t->side, m->id);
    if (again && m->dup) return; /* the same message once more */
    if (again) transaction_end(t, again);
    struct writer *text = transaction_begin(t, EV_MQTT, m->type, m->id);
    if (!text) {
        mqtt_alone(t, m);
        return;
    }
    mqtt_member(text, m, t->p->frame);
    t->e->text += wr_len(text);
}

static void mqtt_take(struct now *t, const struct mqtt_event *m) {
    uint8_t begun = m->type < MQTT_TYPES ? answers[m->type].begun : 0;
    if (!eve_mqtt_name(m->type)) return;
    if (begins(m)) {
        mqtt_begin(t, m);
        return;
    }
    uint32_t *link =
        begun ? transaction_find(t, EV_MQTT, begun, answers[m->type].same_side ? t->side : !t->side, m->id) : NULL;
    if (!link) {
        mqtt_alone(t, m);
        return;
    }
    struct writer *text = &begun_at(t->e, *link)->text;
    size_t before = wr_len(text);
    mqtt_member(text, m, t->p->frame);
    t->e->text += wr_len(text) - before;
    bool refused = m->has_code && m->code >= 0x80; /* nothing follows, MQTT 5.0 4.3.3 */
    if (answers[m->type].ends || refused) transaction_end(t, link);
}

static void violation_tell(const struct now *t, const struct mqtt_event *m) {
    const struct field *f = field_of(m->violation);
    begin(t->e, t->w, t->c, "alert", t->p->ts, t->p->frame);
    wr_s(t->w, ",\"alert\":{\"action\":\"allowed\"");
    json_member(t->w, "signature", slice_str(f->label));
    json_member(t->w, "category", SLICE("protocol violation"));
    json_member(t->w, "field", slice_str(f->name));
    if (f->clause) json_member(t->w, "clause", slice_str(f->clause));
    wr_s(t->w, "}}\n");
}

static void tls_alert(const struct now *t, const struct tls_event *a) {
    const char *what = field_value_name(&vals_tls_alert, a->type),
               *level = field_value_name(&vals_tls_alert_level, a->level);
    if (a->encrypted || a->type == 0) return; /* 0: close_notify */
    begin(t->e, t->w, t->c, "tls", t->p->ts, t->p->frame);
    wr_f(t->w, ",\"tls\":{\"sender\":\"%s\"", t->side == CLIENT ? "client" : "server");
    if (what) json_member(t->w, "alert", slice_str(what));
    json_member_u(t->w, "alert_number", a->type);
    if (level) json_member(t->w, "alert_level", slice_str(level));
    wr_s(t->w, "}}\n");
}

/* answer_take completes the oldest begun transaction of a kind; an answer to nothing is not told. */
static void answer_take(struct now *t, uint8_t kind, const struct event *v) {
    uint32_t *link = transaction_find(t, kind, 0, -1, 0);
    if (!link) return;
    struct writer *text = &begun_at(t->e, *link)->text;
    size_t before = wr_len(text);
    if (kind == EV_TLS) eve_tls_server(text, &v->tls);
    else eve_http_response(text, &v->http);
    t->e->text += wr_len(text) - before;
    transaction_end(t, link);
}

static void question_take(struct now *t, uint8_t kind, const struct event *v) {
    struct writer *text = transaction_begin(t, kind, 0, 0);
    if (!text) return;
    if (kind == EV_TLS) eve_tls_hello(text, &v->tls);
    else eve_http_request(text, &v->http);
    t->e->text += wr_len(text);
}

static void event_take(struct now *t, const struct event *v) {
    enum { CLIENT_HELLO = 1, SERVER_HELLO = 2 };
    switch (v->kind) {
    case EV_MQTT:
        t->c->app = "mqtt";
        mqtt_take(t, &v->mqtt);
        if (v->mqtt.violation) violation_tell(t, &v->mqtt);
        break;
    case EV_TLS:
        if (!t->c->app) t->c->app = t->p->transport == TRANSPORT_UDP ? "quic" : "tls";
        if (v->tls.what == TLS_WHAT_ALERT) tls_alert(t, &v->tls);
        if (v->tls.what != TLS_WHAT_HANDSHAKE || v->tls.encrypted) break;
        if (v->tls.type == CLIENT_HELLO) question_take(t, EV_TLS, v);
        else if (v->tls.type == SERVER_HELLO) answer_take(t, EV_TLS, v);
        break;
    case EV_HTTP:
        if (!t->c->app || strcmp(t->c->app, "tls") == 0) t->c->app = "http";
        if (!v->http.response) question_take(t, EV_HTTP, v);
        else if (v->http.code >= 200 || v->http.code == 101) answer_take(t, EV_HTTP, v);
        break;
    case EV_DNS:
        t->c->app = "dns";
        begin(t->e, t->w, t->c, "dns", t->p->ts, t->p->frame);
        eve_dns(t->w, &v->dns);
        wr_s(t->w, "}\n");
        break;
    default: break;
    }
}

void eve_packet(struct eve *e, struct writer *w, const struct packet_events *p) {
    if (!e->packets++) e->first = p->ts;
    e->bytes += p->len;
    e->last = p->ts;
    e->era = p->era;
    if (p->transport != TRANSPORT_TCP && p->transport != TRANSPORT_UDP) return;
    struct conversation *c = conversation_of(e, w, p);
    if (!c) return;
    bool from_client = p->sport == c->port[CLIENT] && p->src.len == c->addr[CLIENT].len &&
                       memcmp(p->src.bytes, c->addr[CLIENT].bytes, p->src.len) == 0;
    struct now t = {e, w, p, c, from_client ? CLIENT : SERVER};
    c->packets[t.side]++;
    c->bytes[t.side] += p->len;
    c->last = p->ts;
    if (p->transport == TRANSPORT_TCP) c->flags[t.side] |= (uint8_t)p->tcp.flags;
    for (uint32_t i = 0; i < p->n; i++) event_take(&t, &p->event[i]);
}

void eve_end(struct eve *e, struct writer *w) {
    for (uint32_t n = 1; n < e->flows.used; n++)
        if (at(e, n)->bucket != NOBODY) conversation_tell(e, w, at(e, n));
    e->events++;
    eve_begin(w, &(struct eve_head){.ts = e->last, .era = e->era, .type = "stats"});
    wr_f(w, ",\"stats\":{\"uptime\":%lld,\"decoder\":{\"pkts\":%llu,\"bytes\":%llu}",
         (long long)((e->last - e->first) / 1000000000), (unsigned long long)e->packets, (unsigned long long)e->bytes);
    wr_f(w, ",\"flow\":{\"total\":%llu},\"events\":%llu", (unsigned long long)e->conversations,
         (unsigned long long)e->events);
    if (e->unheld) json_member_u(w, "told_in_parts", e->unheld);
    wr_s(w, "}}\n");
}

void eve_free(struct eve *e) {
    for (uint32_t n = 1; n < e->flows.used; n++) {
        if (at(e, n)->bucket == NOBODY) continue;
        for (uint32_t b = at(e, n)->open; b; b = begun_at(e, b)->next) wr_free(&begun_at(e, b)->text);
    }
    free(e->buckets);
    pool_free(&e->flows);
    pool_free(&e->pending);
}
