/* SPDX-License-Identifier: Apache-2.0 */
#include "analyse/waterfall.h"
#include "proto/mqtt/mqtt.h"
#include "proto/tls/tls.h"

#include <stdlib.h>

enum { SLOTS = 4 * WATERFALLS_MAX, TEXT_KEPT = 200 };

int waterfall_make(struct waterfall *f) {
    memset(f, 0, sizeof *f);
    f->arena = arena_make(WATERFALL_ARENA);
    f->bars_max = WATERFALL_BARS;
    f->slot = calloc(SLOTS, sizeof *f->slot);
    return f->slot ? OK : ERR_NOMEM;
}

void waterfall_free(struct waterfall *f) {
    for (uint32_t i = 0; i < f->rows; i++) free(f->row[i].bar);
    free(f->row);
    free(f->slot);
    arena_free(&f->arena);
}

static struct slice kept(struct waterfall *f, struct slice s) {
    return arena_copy(&f->arena, slice_head(s, TEXT_KEPT));
}

/* ---- rows and bars ---- */

static struct bar *bar_add(struct waterfall *f, struct waterfall_row *r, enum bar_kind kind) {
    if (r->bars >= f->bars_max || f->bars == WATERFALL_BARS_ALL) return r->left_out++, NULL;
    if (r->bars == r->room) {
        uint32_t room = r->room ? r->room * 2 : 8;
        struct bar *more = realloc(r->bar, room * sizeof *more);
        if (!more) return r->left_out++, NULL;
        r->bar = more;
        r->room = room;
    }
    r->bar[r->bars] = (struct bar){.kind = (uint8_t)kind, .open = true};
    f->bars++;
    return &r->bar[r->bars++];
}

static struct bar *bar_begin(struct waterfall *f, struct waterfall_row *r, enum bar_kind kind,
                             const struct packet_events *p) {
    struct bar *b = bar_add(f, r, kind);
    if (!b) return NULL;
    b->begin = b->end = p->ts;
    b->frame = b->end_frame = p->frame;
    return b;
}

static void bar_end(struct bar *b, const struct packet_events *p) {
    b->end = p->ts;
    b->end_frame = p->frame;
    b->open = false;
}

static struct bar *bar_open(struct waterfall_row *r, enum bar_kind kind) {
    for (uint32_t i = r->bars; i-- > 0 && r->bars - i <= WATERFALL_OPEN;)
        if (r->bar[i].kind == kind && r->bar[i].open) return &r->bar[i];
    return NULL;
}

static struct waterfall_row *row_new(struct waterfall *f, const struct packet_events *p) {
    if (f->rows == WATERFALLS_MAX) return f->left_out++, NULL;
    if (f->rows == f->room) {
        uint32_t room = f->room ? f->room * 2 : 64;
        struct waterfall_row *more = realloc(f->row, room * sizeof *more);
        if (!more) return NULL;
        f->row = more;
        f->room = room;
    }
    bool syn = p->tcp.flags & TH_SYN, from_client = syn ? !(p->tcp.flags & TH_ACK) : p->sport > p->dport;
    struct waterfall_row *r = &f->row[f->rows++];
    *r = (struct waterfall_row){.stream = p->tcp.stream,
                                .client = from_client ? p->src : p->dst,
                                .server = from_client ? p->dst : p->src,
                                .client_port = from_client ? p->sport : p->dport,
                                .server_port = from_client ? p->dport : p->sport,
                                .first = p->ts};
    return r;
}

/* row_of finds a conversation by its number in an open-addressing table that is never full. */
static struct waterfall_row *row_of(struct waterfall *f, const struct packet_events *p) {
    uint32_t at = p->tcp.stream * 2654435761u % SLOTS;
    while (f->slot[at].place && f->slot[at].stream != p->tcp.stream) at = (at + 1) % SLOTS;
    if (f->slot[at].place) return &f->row[f->slot[at].place - 1];
    struct waterfall_row *r = row_new(f, p);
    if (!r) return NULL;
    f->slot[at].stream = p->tcp.stream;
    f->slot[at].place = f->rows;
    return r;
}

static bool from_client(const struct waterfall_row *r, const struct packet_events *p) {
    return p->sport == r->client_port && addr_same(&p->src, &r->client);
}

/* ---- name look-ups ---- */

static void name_ask(struct waterfall *f, const struct packet_events *p, const struct dns_event *q) {
    uint64_t kept_names = f->names < WATERFALL_NAMES ? f->names : WATERFALL_NAMES;
    for (uint64_t i = 0; i < kept_names; i++) {
        struct waterfall_name *n = &f->name[i];
        if (!n->answered && n->id == q->id && addr_same(&n->who, &p->src)) return; /* asked again */
    }
    f->name[f->names++ % WATERFALL_NAMES] = (struct waterfall_name){.who = p->src,
                                                                    .name = kept(f, q->name),
                                                                    .id = q->id,
                                                                    .begin = p->ts,
                                                                    .end = p->ts,
                                                                    .frame = p->frame,
                                                                    .end_frame = p->frame};
}

static void name_answer(struct waterfall *f, const struct packet_events *p, const struct dns_event *q) {
    uint64_t kept_names = f->names < WATERFALL_NAMES ? f->names : WATERFALL_NAMES;
    for (uint64_t i = 0; i < kept_names; i++) {
        struct waterfall_name *n = &f->name[i];
        if (n->answered || n->id != q->id || !addr_same(&n->who, &p->dst)) continue;
        n->answered = true;
        n->end = p->ts;
        n->end_frame = p->frame;
        n->rcode = q->rcode;
        n->addrs = q->addrs;
        memcpy(n->addr, q->addr, q->addrs * sizeof *n->addr);
        return;
    }
}

/* name_bar shows the last look-up by the client that gave the server's address. */
static void name_bar(struct waterfall *f, struct waterfall_row *r) {
    const struct waterfall_name *best = NULL;
    uint64_t kept_names = f->names < WATERFALL_NAMES ? f->names : WATERFALL_NAMES;
    for (uint64_t i = 0; i < kept_names; i++) {
        const struct waterfall_name *n = &f->name[i];
        bool gave = false;
        for (uint8_t k = 0; k < n->addrs && !gave; k++) gave = addr_same(&n->addr[k], &r->server);
        if (gave && addr_same(&n->who, &r->client) && (!best || n->end > best->end)) best = n;
    }
    struct bar *b = best ? bar_add(f, r, BAR_DNS) : NULL;
    if (!b) return;
    b->open = false;
    b->begin = best->begin;
    b->end = best->end;
    b->frame = best->frame;
    b->end_frame = best->end_frame;
    b->code = best->rcode;
    b->text = best->name;
}

/* ---- TCP, TLS, WebSocket ---- */

static void tcp_take(struct waterfall *f, struct waterfall_row *r, const struct packet_events *p, bool client) {
    bool syn = p->tcp.flags & TH_SYN, ack = p->tcp.flags & TH_ACK;
    struct bar *b = bar_open(r, BAR_TCP);
    if (syn && !ack && !r->bars) {
        name_bar(f, r);
        bar_begin(f, r, BAR_TCP, p);
    } else if (b && (p->tcp.flags & TH_RST)) {
        b->failed = true;
        bar_end(b, p);
    } else if (b && client && !syn && ack) {
        bar_end(b, p);
    }
}

/* A handshake ends before the first record of data; in TLS 1.3, where it travels in such records itself, with the
 * client's first one, which is its Finished (RFC 8446 2). An alert before is its failure. */
static void tls_take(struct waterfall *f, struct waterfall_row *r, const struct packet_events *p,
                     const struct tls_event *t, bool client) {
    struct bar *b = bar_open(r, BAR_TLS);
    if (t->what == TLS_WHAT_HANDSHAKE && !t->encrypted && t->type == CLIENT_HELLO && !r->tls_begun) {
        r->tls_begun = true;
        b = bar_begin(f, r, BAR_TLS, p);
        if (b) b->text = kept(f, t->name);
        return;
    }
    if (!b) return;
    if (t->what == TLS_WHAT_ALERT) {
        b->failed = true;
        b->code = t->type;
        bar_end(b, p);
    } else if (t->what == TLS_WHAT_DATA && !r->tls13) {
        b->open = false; /* ended with the last packet of the handshake */
    } else if (t->what == TLS_WHAT_DATA && client) {
        bar_end(b, p);
    } else {
        if (t->what == TLS_WHAT_HANDSHAKE && !t->encrypted && t->type == SERVER_HELLO) r->tls13 = t->version >= 0x0304;
        b->end = p->ts;
        b->end_frame = p->frame;
    }
}

static void http_take(struct waterfall *f, struct waterfall_row *r, const struct packet_events *p,
                      const struct http_event *h) {
    struct bar *b = bar_open(r, BAR_WEBSOCKET);
    if (!h->response && h->upgrade && !b) {
        b = bar_begin(f, r, BAR_WEBSOCKET, p);
        if (b) b->text = kept(f, h->uri);
    } else if (h->response && b) {
        b->failed = h->code != 101;
        b->code = h->code < 256 ? (uint8_t)h->code : 0;
        bar_end(b, p);
    }
}

/* ---- MQTT ---- */

/* asks tells whether a packet waits for another. */
static bool asks(const struct mqtt_event *m) {
    switch (m->type) {
    case MQTT_CONNECT:
    case MQTT_SUBSCRIBE:
    case MQTT_UNSUBSCRIBE:
    case MQTT_PINGREQ: return true;
    case MQTT_PUBLISH: return m->qos > 0;
    default: return false;
    }
}

/* answers tells whether a packet of type `type` ends the exchange a bar shows. */
static bool answers(const struct bar *b, uint8_t type) {
    switch (type) {
    case MQTT_CONNACK: return b->type == MQTT_CONNECT;
    case MQTT_SUBACK: return b->type == MQTT_SUBSCRIBE;
    case MQTT_UNSUBACK: return b->type == MQTT_UNSUBSCRIBE;
    case MQTT_PINGRESP: return b->type == MQTT_PINGREQ;
    case MQTT_PUBACK: return b->type == MQTT_PUBLISH && b->qos == 1;
    case MQTT_PUBCOMP: return b->type == MQTT_PUBLISH && b->qos == 2;
    case MQTT_PUBREC: return b->type == MQTT_PUBLISH && b->qos == 2; /* ends it where it refuses */
    default: return false;
    }
}

static bool refuses(const struct mqtt_event *m) {
    if (!m->has_code) return false;
    return m->type == MQTT_CONNACK ? m->code != 0 : m->type != MQTT_PINGRESP && m->code >= 0x80;
}

static void mqtt_answer(struct waterfall_row *r, const struct packet_events *p, const struct mqtt_event *m,
                        uint8_t side) {
    bool by_id = m->type != MQTT_CONNACK && m->type != MQTT_PINGRESP;
    for (uint32_t i = r->bars; i-- > 0 && r->bars - i <= WATERFALL_OPEN;) {
        struct bar *b = &r->bar[i];
        if (b->kind != BAR_MQTT || !b->open || b->from == side || !answers(b, m->type) || (by_id && b->id != m->id))
            continue;
        b->failed = refuses(m);
        b->code = m->has_code ? m->code : 0;
        if (m->type == MQTT_PUBREC && !b->failed) return;
        return bar_end(b, p);
    }
}

static struct slice mqtt_text(const struct mqtt_event *m) {
    if (m->type == MQTT_CONNECT) return m->client;
    return m->topics || m->type == MQTT_PUBLISH ? m->topic[0] : (struct slice){0};
}

static void mqtt_take(struct waterfall *f, struct waterfall_row *r, const struct packet_events *p,
                      const struct mqtt_event *m, bool client) {
    uint8_t side = client ? 0 : 1;
    struct bar *tls = bar_open(r, BAR_TLS);
    if (tls) tls->open = false;
    r->mqtt = true;
    if (m->client.n && !r->id.n) r->id = kept(f, m->client);
    if (m->type != MQTT_PUBLISH && !asks(m)) return mqtt_answer(r, p, m, side);
    if (m->dup && m->type == MQTT_PUBLISH)
        for (uint32_t i = r->bars; i-- > 0 && r->bars - i <= WATERFALL_OPEN;)
            if (r->bar[i].open && r->bar[i].type == MQTT_PUBLISH && r->bar[i].id == m->id && r->bar[i].from == side)
                return;
    struct bar *b = bar_begin(f, r, BAR_MQTT, p);
    if (!b) return;
    b->type = m->type;
    b->from = side;
    b->qos = m->type == MQTT_PUBLISH ? m->qos : 0;
    b->id = m->id;
    b->text = kept(f, mqtt_text(m));
    b->open = asks(m);
}

void waterfall_packet(struct waterfall *f, const struct packet_events *p, bool selected) {
    for (uint32_t i = 0; i < p->n; i++) {
        const struct event *e = &p->event[i];
        if (e->kind != EV_DNS || e->dns.multicast) continue;
        if (e->dns.response) name_answer(f, p, &e->dns);
        else name_ask(f, p, &e->dns);
    }
    struct waterfall_row *r = p->transport == TRANSPORT_TCP ? row_of(f, p) : NULL;
    if (!r) return;
    bool client = from_client(r, p);
    r->last = p->ts;
    r->selected |= selected;
    tcp_take(f, r, p, client);
    for (uint32_t i = 0; i < p->n; i++) {
        const struct event *e = &p->event[i];
        if (e->kind == EV_TLS) tls_take(f, r, p, &e->tls, client);
        else if (e->kind == EV_HTTP) http_take(f, r, p, &e->http);
        else if (e->kind == EV_MQTT) mqtt_take(f, r, p, &e->mqtt, client);
    }
}
