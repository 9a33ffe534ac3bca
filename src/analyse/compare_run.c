/* SPDX-License-Identifier: Apache-2.0 */
/* Packets into deeds: what of a packet is compared, and what is left out because it differs by nature. */
#include "analyse/compare.h"
#include "analyse/ladder.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/words.h"
#include "field/print.h"
#include "proto/mqtt/mqtt.h"
#include "proto/protos.h"
#include "proto/tls/tls.h"

#include <stdlib.h>

static const struct hash_key plain_key = {0x243f6a8885a308d3u,
                                          0x13198a2e03707344u}; /* nobody gains by a collision here */

int run_make(struct run *r, const char *name, say_fn *say) {
    memset(r, 0, sizeof *r);
    r->name = name;
    r->say = say;
    r->arena = arena_make(RUN_ARENA);
    return OK;
}

void run_free(struct run *r) {
    for (uint32_t i = 0; i < r->lists; i++) free(r->list[i].deed);
    arena_free(&r->arena);
}

static struct deed_list *list_new(struct run *r) {
    if (r->lists == RUN_LISTS) {
        r->left_out++;
        return NULL;
    }
    return &r->list[r->lists++];
}

static struct deed_list *dns_list(struct run *r) {
    for (uint32_t i = 0; i < r->lists; i++)
        if (r->list[i].is_dns) return &r->list[i];
    struct deed_list *l = list_new(r);
    if (l) l->is_dns = true;
    return l;
}

static struct deed_list *tcp_list(struct run *r, const struct packet_events *p) {
    for (uint32_t i = r->lists; i-- > 0;)
        if (!r->list[i].is_dns && r->list[i].stream == p->tcp.stream) return &r->list[i];
    struct deed_list *l = list_new(r);
    if (!l) return NULL;
    bool syn = p->tcp.flags & TH_SYN;
    bool from_client = syn ? !(p->tcp.flags & TH_ACK) : p->dport < p->sport;
    l->stream = p->tcp.stream;
    l->client = from_client ? p->src : p->dst;
    l->server = from_client ? p->dst : p->src;
    l->client_port = from_client ? p->sport : p->dport;
    l->port = from_client ? p->dport : p->sport;
    return l;
}

static struct deed *deed_new(struct deed_list *l) {
    if (l->deeds == LIST_DEEDS) {
        l->left_out++;
        return NULL;
    }
    if (l->deeds == l->room) {
        uint32_t room = l->room ? 2 * l->room : 16;
        struct deed *more = realloc(l->deed, room * sizeof *more);
        if (!more) return NULL;
        l->deed = more;
        l->room = room;
    }
    struct deed *d = &l->deed[l->deeds++];
    memset(d, 0, sizeof *d);
    return d;
}

static void detail_add(struct run *r, struct deed *d, const char *name, struct slice value) {
    if (d->details < DETAILS_MAX)
        d->detail[d->details++] = (struct detail){name, arena_copy(&r->arena, slice_head(value, DEED_TEXT))};
}

static void detail_number(struct run *r, struct deed *d, const char *name, uint64_t n) {
    char text[24];
    struct writer w = wr_fixed(text, sizeof text);
    wr_u(&w, n);
    detail_add(r, d, name, wr_done(&w));
}

static void detail_name(struct run *r, struct deed *d, const char *name, const struct field_values *v, uint64_t n) {
    const char *text = field_value_name(v, n);
    if (text) detail_add(r, d, name, slice_str(text));
    else detail_number(r, d, name, n);
}

static bool deed_same(const struct deed *a, const struct deed *b) {
    if (a->hash != b->hash || a->details != b->details) return false;
    for (unsigned i = 0; i < a->details; i++)
        if (!slice_eq(a->detail[i].value, b->detail[i].value)) return false;
    return true;
}

/* fold drops the last block of deeds where it repeats the one before it. */
static void fold(struct deed_list *l) {
    for (uint32_t n = 1; n <= BLOCK_MAX && 2 * n <= l->deeds; n++) {
        struct deed *a = &l->deed[l->deeds - 2 * n], *b = &l->deed[l->deeds - n];
        uint32_t same = 0;
        while (same < n && deed_same(&a[same], &b[same])) same++;
        if (same < n) continue;
        for (uint32_t i = 0; i < n; i++) a[i].times++;
        l->deeds -= n;
        return;
    }
}

/* finish gives a deed its words and its hash of kind, type and side. */
static void finish(struct run *r, struct deed_list *l, struct deed *d, const struct packet_events *p, uint8_t kind,
                   unsigned type, int side, struct slice text) {
    uint32_t key[3] = {kind, type, (uint32_t)side};
    d->frame = p->frame;
    d->ts = p->ts;
    d->kind = kind;
    d->side = (uint8_t)side;
    d->hash = hash_bytes(plain_key, key, sizeof key);
    d->text = arena_copy(&r->arena, slice_head(text, DEED_TEXT));
    fold(l);
}

static void mqtt_details(struct run *r, struct deed_list *l, struct deed *d, const struct mqtt_event *m, int side) {
    l->mqtt = true;
    switch (m->type) {
    case MQTT_CONNECT:
        if (!l->id.n) l->id = arena_copy(&r->arena, slice_head(m->client, 64));
        detail_add(r, d, N_("client id"), m->client);
        detail_name(r, d, N_("version"), &vals_mqtt_version, m->version);
        detail_number(r, d, N_("keep-alive"), m->keep_alive);
        detail_add(r, d, N_("user name"), m->user ? SLICE("yes") : SLICE("no"));
        detail_add(r, d, N_("clean session"), m->clean ? SLICE("yes") : SLICE("no"));
        break;
    case MQTT_PUBLISH:
        if (side == 0) l->publishes = true;
        else l->subscribes = true;
        detail_add(r, d, N_("topic"), m->topic[0]);
        detail_number(r, d, N_("QoS"), m->qos);
        detail_add(r, d, N_("retain"), m->retain ? SLICE("yes") : SLICE("no"));
        break;
    case MQTT_SUBSCRIBE: l->subscribes = true; /* fall through */
    case MQTT_UNSUBSCRIBE:
        for (unsigned i = 0; i < m->topics && i < 2; i++) detail_add(r, d, N_("filter"), m->topic[i]);
        if (m->topics) detail_number(r, d, N_("QoS"), m->codes[0]);
        break;
    case MQTT_CONNACK:
        detail_name(r, d, N_("code"), m->code >= 0x80 ? &vals_mqtt_connack_reason : &vals_mqtt_return, m->code);
        break;
    default:
        if (m->has_code || m->type == MQTT_DISCONNECT) detail_number(r, d, N_("code"), m->code);
    }
    d->bad = m->has_code && (m->code >= 0x80 || (m->type == MQTT_CONNACK && m->code));
}

static void tls_details(struct run *r, struct deed *d, const struct tls_event *t) {
    if (t->what == TLS_WHAT_ALERT && !t->encrypted) {
        detail_name(r, d, N_("alert"), &vals_tls_alert, t->type);
        d->bad = t->type != 0;
    }
    if (t->what != TLS_WHAT_HANDSHAKE || t->encrypted) return;
    if (t->type == CLIENT_HELLO || t->type == SERVER_HELLO)
        detail_name(r, d, N_("version"), &vals_tls_version, t->version);
    if (t->type == CLIENT_HELLO) {
        detail_add(r, d, N_("server name"), t->name);
        detail_add(r, d, N_("ALPN"), t->alpn);
    }
    if (t->type == SERVER_HELLO) detail_name(r, d, N_("cipher suite"), &vals_tls_suite, t->suite);
    if (t->type == CERTIFICATE) detail_number(r, d, N_("certificates"), t->certificates);
}

static void http_details(struct run *r, struct deed *d, const struct http_event *h) {
    if (h->response) {
        detail_number(r, d, N_("status"), h->code);
        d->bad = h->code >= 400;
        return;
    }
    detail_add(r, d, N_("method"), h->method);
    struct slice path = h->uri;
    for (size_t i = 0; i < path.n; i++)
        if (path.p[i] == '?') path.n = i; /* what is asked may vary */
    detail_add(r, d, N_("path"), path);
    if (h->protocol.n) detail_add(r, d, N_("subprotocol"), h->protocol);
}

static unsigned type_of(const struct event *e) {
    switch (e->kind) {
    case EV_MQTT: return e->mqtt.type;
    case EV_TLS:
        return (unsigned)e->tls.what << 9 | (unsigned)e->tls.encrypted << 8 |
               (e->tls.what == TLS_WHAT_HANDSHAKE && !e->tls.encrypted ? e->tls.type : 0);
    case EV_HTTP: return e->http.response;
    case EV_WEBSOCKET: return 2u + (e->websocket.opcode == 8);
    default: return 0;
    }
}

/* passes_over tells which messages are no deeds of their own: session tickets and key updates come as they like. */
static bool passes_over(const struct event *e) {
    if (e->kind == EV_WEBSOCKET) return e->websocket.opcode != 8;
    return e->kind == EV_TLS && e->tls.what == TLS_WHAT_HANDSHAKE && !e->tls.encrypted &&
           (e->tls.type == NEW_SESSION_TICKET || e->tls.type == KEY_UPDATE);
}

static void event_take(struct run *r, struct deed_list *l, const struct packet_events *p, const struct event *e,
                       int side) {
    static const uint8_t kinds[EV_KINDS] = {[EV_DNS] = DEED_DNS,
                                            [EV_TLS] = DEED_TLS,
                                            [EV_HTTP] = DEED_HTTP,
                                            [EV_WEBSOCKET] = DEED_HTTP,
                                            [EV_MQTT] = DEED_MQTT};
    char text[DEED_TEXT];
    struct writer w = wr_fixed(text, sizeof text);
    if (passes_over(e)) return;
    struct deed *d = deed_new(l);
    if (!d) return;
    event_label(&w, e, r->say);
    if (e->kind == EV_MQTT) mqtt_details(r, l, d, &e->mqtt, side);
    else if (e->kind == EV_TLS) tls_details(r, d, &e->tls);
    else if (e->kind == EV_HTTP) http_details(r, d, &e->http);
    finish(r, l, d, p, kinds[e->kind], type_of(e), side, wr_done(&w));
}

static void flags_take(struct run *r, struct deed_list *l, const struct packet_events *p, int side) {
    uint16_t flags = p->tcp.flags & (TH_SYN | TH_FIN | TH_RST);
    const char *text = flags & TH_RST          ? "RST"
                       : flags & TH_FIN        ? "FIN"
                       : p->tcp.flags & TH_ACK ? flags & TH_SYN ? "SYN, ACK" : "ACK"
                                               : "SYN";
    struct deed *d = deed_new(l);
    if (!d) return;
    if ((flags & TH_SYN) && side == 0) detail_number(r, d, N_("port"), p->dport);
    d->bad = flags & TH_RST;
    finish(r, l, d, p, DEED_TCP, flags | (p->tcp.flags & TH_ACK && !flags ? TH_ACK : 0u), side, slice_str(text));
}

static void data_take(struct run *r, struct deed_list *l, const struct packet_events *p, int side) {
    struct deed *d = deed_new(l);
    if (!d) return;
    char text[40];
    struct writer w = wr_fixed(text, sizeof text);
    wr_f(&w, "%s (%u)", say_by(r->say, N_("data")), p->tcp.len);
    finish(r, l, d, p, DEED_DATA, 0, side, wr_done(&w));
}

/* tcp_take: the handshake with its last ACK, messages, bytes nobody claims, and the end. What was sent again says
 * nothing about what was meant, save a SYN that goes unanswered. */
static void tcp_take(struct run *r, const struct packet_events *p) {
    struct deed_list *l = tcp_list(r, p);
    if (!l) return;
    int side = addr_same(&p->src, &l->client) && p->sport == l->client_port ? 0 : 1;
    bool again =
        (p->tcp.found & (TA_RETRANSMISSION | TA_KEEP_ALIVE | TA_ZERO_PROBE)) && !(p->tcp.flags & (TH_RST | TH_SYN));
    if (again) return;
    bool synack =
        l->deeds && l->deed[l->deeds - 1].kind == DEED_TCP && slice_eq(l->deed[l->deeds - 1].text, SLICE("SYN, ACK"));
    if (p->tcp.flags & TH_SYN) {
        flags_take(r, l, p, side);
    } else if (!l->up && side == 0 && synack && !(p->tcp.flags & TH_RST)) { /* the third step of the handshake */
        l->up = true;
        struct packet_events ack;
        memcpy(&ack, p, offsetof(struct packet_events, event));
        ack.tcp.flags = TH_ACK;
        flags_take(r, l, &ack, side);
    }
    for (uint32_t i = 0; i < p->n; i++) event_take(r, l, p, &p->event[i], side);
    if (!p->n && p->tcp.len && !l->mqtt && !(p->tcp.flags & TH_SYN)) data_take(r, l, p, side);
    if ((p->tcp.flags & (TH_FIN | TH_RST)) && !(p->tcp.flags & TH_SYN)) flags_take(r, l, p, side);
}

static void dns_take(struct run *r, const struct packet_events *p, const struct event *e) {
    const struct dns_event *q = &e->dns;
    if (q->multicast || q->repeated || !q->name.n) return;
    struct deed_list *l = dns_list(r);
    struct deed *d = l ? deed_new(l) : NULL;
    if (!d) return;
    char text[DEED_TEXT];
    struct writer w = wr_fixed(text, sizeof text);
    event_label(&w, e, r->say);
    l->client = q->response ? p->dst : p->src;
    l->server = q->response ? p->src : p->dst;
    l->port = 53;
    detail_add(r, d, N_("name"), q->name);
    if (q->response) detail_name(r, d, N_("code"), &vals_dns_rcode, q->rcode);
    if (q->response) detail_add(r, d, N_("address"), q->addrs ? SLICE("yes") : SLICE("no"));
    d->bad = q->response && q->rcode;
    finish(r, l, d, p, DEED_DNS, (unsigned)q->type << 1 | q->response, q->response, wr_done(&w));
}

static void icmp_take(struct run *r, const struct packet_events *p) {
    const struct icmp_event *i = &p->icmp;
    for (uint32_t k = r->lists; i->error && k-- > 0;) {
        struct deed_list *l = &r->list[k];
        if (l->is_dns || l->client_port != i->sport || l->port != i->dport || !addr_same(&l->client, &i->src)) continue;
        struct deed *d = deed_new(l);
        char text[DEED_TEXT];
        struct writer w = wr_fixed(text, sizeof text);
        packet_label(&w, p, r->say);
        if (!d) return;
        d->bad = true;
        detail_number(r, d, N_("code"), i->code);
        finish(r, l, d, p, DEED_ICMP, i->type, 1, wr_done(&w));
        return;
    }
}

void run_want(struct want *w) { want_add(w, FID_DNS_RETRANSMISSION); }

void run_packet(struct run *r, const struct packet_events *p) {
    if (!r->begun) r->first = p->ts;
    r->begun = true;
    if (p->transport == TRANSPORT_TCP) tcp_take(r, p);
    else if (p->transport == TRANSPORT_ICMP) icmp_take(r, p);
    for (uint32_t i = 0; p->transport == TRANSPORT_UDP && i < p->n; i++)
        if (p->event[i].kind == EV_DNS) dns_take(r, p, &p->event[i]);
}
