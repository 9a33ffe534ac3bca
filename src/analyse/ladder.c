/* SPDX-License-Identifier: Apache-2.0 */
/* Theory of operation: arrows are collected with both their ends. At the end it is known which ends are servers; a
 * client's many ports then become one lifeline, but where one address is client and server (loopback), or several MQTT
 * clients share it, each port keeps its own. Limits: RUNGS_MAX arrows, PARTIES_MAX lifelines; more is counted. */
#include "analyse/ladder.h"
#include "base/err.h"
#include "proto/mqtt/mqtt.h"

#include <stdlib.h>

int ladder_make(struct ladder *l, say_fn *say) {
    memset(l, 0, sizeof *l);
    l->say = say;
    l->arena = arena_make(LADDER_ARENA);
    l->rung = calloc(RUNGS_MAX, sizeof *l->rung);
    return l->rung ? OK : ERR_NOMEM;
}

void ladder_free(struct ladder *l) {
    free(l->rung);
    arena_free(&l->arena);
}

static bool end_same(const struct rung_end *a, const struct rung_end *b) {
    return a->port == b->port && addr_same(&a->addr, &b->addr);
}

static uint8_t kind_of(const struct packet_events *p) {
    if (p->transport == TRANSPORT_ICMP) return RUNG_ICMP;
    if (!p->n) return p->transport == TRANSPORT_TCP && !p->tcp.len ? RUNG_TCP : RUNG_DATA;
    switch (p->event[p->n - 1].kind) {
    case EV_DNS: return RUNG_DNS;
    case EV_TLS: return RUNG_TLS;
    case EV_MQTT: return RUNG_MQTT;
    default: return RUNG_HTTP;
    }
}

static bool event_bad(const struct event *e) {
    switch (e->kind) {
    case EV_DNS: return e->dns.response && e->dns.rcode;
    case EV_TLS: return e->tls.what == TLS_WHAT_ALERT && !e->tls.encrypted && e->tls.type;
    case EV_HTTP: return e->http.code >= 400;
    case EV_MQTT: return e->mqtt.has_code && e->mqtt.code && (e->mqtt.type == MQTT_CONNACK || e->mqtt.code >= 0x80);
    default: return false;
    }
}

static uint8_t mood_of(const struct packet_events *p) {
    if (p->transport == TRANSPORT_ICMP) return p->icmp.error ? MOOD_BAD : MOOD_PLAIN;
    if (p->transport == TRANSPORT_TCP && (p->tcp.flags & TH_RST)) return MOOD_BAD;
    for (uint32_t i = 0; i < p->n; i++)
        if (event_bad(&p->event[i])) return MOOD_BAD;
    return p->transport == TRANSPORT_TCP && (p->tcp.found & (TA_RETRANSMISSION | TA_ZERO_WINDOW)) ? MOOD_AGAIN
                                                                                                  : MOOD_PLAIN;
}

/* to_server guesses from one packet; a SYN knows, ports mostly do. */
static bool to_server(const struct packet_events *p) {
    if (p->transport == TRANSPORT_TCP && (p->tcp.flags & TH_SYN)) return !(p->tcp.flags & TH_ACK);
    return p->dport < p->sport;
}

static struct rung_mqtt *mqtt_of(struct ladder *l, const struct rung_end *client, const struct rung_end *server) {
    for (uint32_t i = 0; i < l->mqtts; i++)
        if (end_same(&l->mqtt[i].client, client) && end_same(&l->mqtt[i].server, server)) return &l->mqtt[i];
    if (l->mqtts == PARTIES_MAX) return NULL;
    l->mqtt[l->mqtts] = (struct rung_mqtt){.client = *client, .server = *server};
    return &l->mqtt[l->mqtts++];
}

static void mqtt_note(struct ladder *l, struct rung *r, const struct mqtt_event *m) {
    bool from_client =
        m->type == MQTT_CONNECT || m->type == MQTT_SUBSCRIBE || m->type == MQTT_PINGREQ || m->type == MQTT_UNSUBSCRIBE;
    bool from_server =
        m->type == MQTT_CONNACK || m->type == MQTT_SUBACK || m->type == MQTT_PINGRESP || m->type == MQTT_UNSUBACK;
    if (from_client) r->to_server = true;
    if (from_server) r->to_server = false;
    struct rung_mqtt *q = r->to_server ? mqtt_of(l, &r->from, &r->to) : mqtt_of(l, &r->to, &r->from);
    if (!q) return;
    if (m->client.n && !q->id.n) q->id = arena_copy(&l->arena, slice_head(m->client, 64));
    if (m->type == MQTT_SUBSCRIBE || (m->type == MQTT_PUBLISH && !r->to_server)) q->subscribes = true;
    if (m->type == MQTT_PUBLISH && r->to_server) q->publishes = true;
}

/* is_chatter: what a link says to itself, such as neighbour discovery and announcements to many, draws no arrow. */
static bool is_chatter(const struct packet_events *p) {
    if (p->transport == TRANSPORT_ICMP) return p->icmp.v6 && p->icmp.type >= 130;
    return p->transport == TRANSPORT_UDP && !p->unicast;
}

/* ends_handshake: the acknowledgment right behind SYN/ACK is the handshake's third step. */
static bool ends_handshake(const struct ladder *l, uint32_t stream) {
    enum { LOOK_BACK = 64 };
    for (uint32_t i = l->rungs; i-- > 0 && l->rungs - i <= LOOK_BACK;) {
        const struct rung *r = &l->rung[i];
        if (r->stream != stream || r->kind == RUNG_DNS || r->kind == RUNG_ICMP) continue;
        return r->kind == RUNG_TCP && slice_starts(r->text, SLICE("SYN, ACK"));
    }
    return false;
}

void ladder_packet(struct ladder *l, const struct packet_events *p) {
    if (p->transport == TRANSPORT_NONE || !p->src.len || is_chatter(p)) return;
    bool bare = packet_bare(p);
    uint8_t mood = mood_of(p);
    if (!l->rungs && !l->bare) l->begin = p->ts;
    if (bare && mood == MOOD_PLAIN && !l->all && !ends_handshake(l, p->tcp.stream)) {
        l->bare++;
        return;
    }
    if (l->rungs == RUNGS_MAX) {
        l->left_out++;
        return;
    }
    char text[RUNG_TEXT];
    struct writer w = wr_fixed(text, sizeof text);
    packet_label(&w, p, l->say);
    enum lead lead = packet_lead(p);
    struct rung *r = &l->rung[l->rungs++];
    *r = (struct rung){.frame = p->frame,
                       .ts = p->ts,
                       .from = {p->src, p->sport},
                       .to = {p->dst, p->dport},
                       .kind = kind_of(p),
                       .mood = mood,
                       .to_server = to_server(p),
                       .bare = bare,
                       .lead = (uint8_t)lead,
                       .lead_n = lead ? (uint8_t)(strlen(say_by(l->say, lead_words(lead))) + 2) : 0,
                       .text = arena_copy(&l->arena, wr_done(&w))};
    if (p->transport == TRANSPORT_TCP) r->stream = p->tcp.stream;
    for (uint32_t i = 0; i < p->n; i++)
        if (p->event[i].kind == EV_MQTT) mqtt_note(l, r, &p->event[i].mqtt);
}

/* keeps_ports tells whether the ports of a client's address stay apart. */
static bool keeps_ports(const struct ladder *l, const struct rung_end *client) {
    unsigned clients = 0;
    for (uint32_t i = 0; i < l->mqtts; i++) {
        if (addr_same(&l->mqtt[i].server.addr, &client->addr)) return true;
        clients += addr_same(&l->mqtt[i].client.addr, &client->addr);
    }
    return clients > 1;
}

static const struct rung_mqtt *mqtt_find(const struct ladder *l, const struct rung_end *end, bool server) {
    for (uint32_t i = 0; i < l->mqtts; i++)
        if (end_same(server ? &l->mqtt[i].server : &l->mqtt[i].client, end)) return &l->mqtt[i];
    return NULL;
}

static int party_of(struct ladder *l, const struct rung *r, bool server, bool loopback) {
    struct rung_end end = (r->to_server == server) ? r->to : r->from;
    const struct rung_mqtt *client = server ? NULL : mqtt_find(l, &end, false);
    if (r->kind == RUNG_ICMP) end.port = 0;
    else if (!server && !loopback && !keeps_ports(l, &end)) end.port = 0;
    for (uint32_t i = 0; i < l->parties; i++) {
        struct party *p = &l->party[i];
        if (end_same(&p->end, &end) || (r->kind == RUNG_ICMP && addr_same(&p->end.addr, &end.addr))) {
            if (client && !p->client.n) p->client = client->id;
            if (client) p->publishes |= client->publishes, p->subscribes |= client->subscribes;
            return (int)i;
        }
    }
    if (l->parties == PARTIES_MAX) return -1;
    struct party *p = &l->party[l->parties];
    *p = (struct party){.end = end, .server = server, .broker = server && mqtt_find(l, &end, true)};
    if (client)
        *p = (struct party){
            .end = end, .client = client->id, .publishes = client->publishes, .subscribes = client->subscribes};
    return (int)l->parties++;
}

static bool parties_of(struct ladder *l, const struct rung *r, int *client, int *server) {
    bool loopback = addr_same(&r->from.addr, &r->to.addr);
    *client = party_of(l, r, false, loopback);
    *server = party_of(l, r, true, loopback);
    return *client >= 0 && *server >= 0;
}

void ladder_want(struct ladder *l, uint64_t frame) {
    int client, server;
    for (uint32_t i = 0; i < l->rungs; i++)
        if (l->rung[i].frame == frame && parties_of(l, &l->rung[i], &client, &server))
            l->party[client].wanted = l->party[server].wanted = true;
}

static void party_has(struct ladder *l, int party, uint32_t rung) {
    struct party *p = &l->party[party];
    if (!p->rungs++) p->first = rung;
}

void ladder_finish(struct ladder *l) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < l->rungs; i++) {
        struct rung *r = &l->rung[i];
        int client, server;
        if (!parties_of(l, r, &client, &server)) {
            l->strangers++;
            continue;
        }
        r->from_party = (uint8_t)(r->to_server ? client : server);
        r->to_party = (uint8_t)(r->to_server ? server : client);
        party_has(l, client, kept);
        party_has(l, server, kept);
        l->rung[kept++] = *r;
    }
    l->rungs = kept;
}
