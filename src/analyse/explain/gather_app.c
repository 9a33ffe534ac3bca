/* SPDX-License-Identifier: Apache-2.0 */
/* What DNS, TLS, HTTP and WebSocket add to the records. */
#include "analyse/explain/gather.h"
#include "proto/http/http.h"
#include "proto/tls/tls.h"

#include <ctype.h>
#include <stdlib.h>

enum { TYPE_A = 1, TYPE_AAAA = 28, SHORT_RECORD = 64, LOWER_MAX = 256 };

/* lower writes a name's letters in small ones, so that case does not part what DNS holds for one (RFC 1035 2.3.3). */
static struct slice lower(struct slice s, char buf[LOWER_MAX]) {
    s = slice_head(s, LOWER_MAX);
    for (size_t i = 0; i < s.n; i++) buf[i] = (char)tolower(s.p[i]);
    return slice_of(buf, s.n);
}

static uint64_t host_hash(const struct explain *e, const struct net_addr *who, const struct net_addr *addr) {
    uint8_t key[34] = {who->len, addr->len};
    memcpy(key + 2, who->bytes, 16);
    memcpy(key + 18, addr->bytes, 16);
    return hash_bytes(e->key, key, sizeof key) | 1;
}

static void host_add(struct explain *e, uint32_t name, const struct net_addr *who, const struct net_addr *addr) {
    uint64_t hash = host_hash(e, who, addr);
    uint32_t at = map_find(&e->by_host, hash);
    if (at == PLACE_NONE) {
        if (e->hosts == HOSTS_MAX) return;
        at = e->hosts++;
        map_set(&e->by_host, hash, at);
    }
    e->host[at] = (struct host_rec){.who = *who, .addr = *addr, .name = (uint16_t)name};
}

uint32_t gather_use(struct explain *e, const struct net_addr *src, const struct net_addr *dst) {
    if (!e->hosts) return 0;
    uint32_t at = map_find(&e->by_host, host_hash(e, src, dst));
    if (at == PLACE_NONE) return 0;
    e->name[e->host[at].name].used = true;
    return e->host[at].name + 1u;
}

void gather_quic(struct explain *e, const struct packet_events *p) {
    uint64_t hash = host_hash(e, &p->dst, &p->src);
    if (e->quics == QUIC_MAX || map_find(&e->by_quic, hash) != PLACE_NONE) return;
    map_set(&e->by_quic, hash, e->quics++);
}

bool quic_spoken(const struct explain *e, const struct net_addr *client, const struct net_addr *server) {
    return map_find(&e->by_quic, host_hash(e, client, server)) != PLACE_NONE;
}

static struct name_rec *name_of(struct explain *e, const struct net_addr *who, struct slice name, uint32_t *place) {
    char buf[LOWER_MAX];
    struct slice low = lower(name, buf);
    uint64_t hash = hash_text(e, who->bytes, 16, low);
    uint32_t at = map_find(&e->by_name, hash);
    if (at == PLACE_NONE) {
        if (e->names == NAMES_MAX) {
            e->left_out++;
            return NULL;
        }
        at = e->names++;
        e->name[at] = (struct name_rec){.who = *who, .name = keep(e, name)};
        map_set(&e->by_name, hash, at);
    }
    *place = at;
    return &e->name[at];
}

static void dns_asked(struct name_rec *n, int kind, const struct packet_events *p, const struct dns_event *q) {
    n->server = p->dst;
    mark_first(&n->asked[kind], p);
    if (mark_set(&n->answered[kind]) && q->id != n->id[kind]) return; /* asked anew later */
    n->id[kind] = q->id;
    n->last = mark_of(p);
    n->tries[kind]++;
}

/* is_nowhere: the unspecified address and loopback, which name servers that block names answer with. Other addresses of
 * 127/8 are what black lists answer with, and fine. */
static bool is_nowhere(const struct net_addr *a) {
    static const uint8_t zero[16], own4[4] = {127, 0, 0, 1}, own6[16] = {[15] = 1};
    const uint8_t *own = a->len == 4 ? own4 : own6;
    return a->len && (!memcmp(a->bytes, zero, a->len) || !memcmp(a->bytes, own, a->len));
}

static void dns_answered(struct explain *e, struct name_rec *n, uint32_t place, int kind, const struct packet_events *p,
                         const struct dns_event *q) {
    if (!n->server.len) n->server = p->src;
    if (!mark_set(&n->answered[kind]) && mark_set(&n->asked[kind])) {
        int64_t took = p->ts - n->asked[kind].ts;
        if (took > n->slowest) {
            n->slowest = took;
            n->slow_asked = n->asked[kind];
            n->slow_answered = mark_of(p);
        }
    }
    if (!mark_set(&n->answered[kind]) || n->rcode[kind]) { /* a good answer stands */
        n->answered[kind] = mark_of(p);
        n->rcode[kind] = q->rcode;
    }
    if (q->addrs && n->addrs[kind] < UINT16_MAX - EVENT_NAMES) n->addrs[kind] = (uint16_t)(n->addrs[kind] + q->addrs);
    if (q->addrs) n->nowhere = q->addrs == 1 && is_nowhere(&q->addr[0]) ? q->addr[0] : (struct net_addr){0};
    for (unsigned i = 0; i < q->addrs; i++) host_add(e, place, &n->who, &q->addr[i]);
}

void gather_dns(struct explain *e, const struct packet_events *p, const struct dns_event *q, bool selected) {
    if (q->multicast || q->opcode || !q->name.n) return;
    uint32_t place = 0;
    struct name_rec *n = name_of(e, q->response ? &p->dst : &p->src, q->name, &place);
    if (!n) return;
    e->any_dns = true;
    n->selected |= selected;
    int kind = q->type == TYPE_AAAA;
    if (q->type != TYPE_A && q->type != TYPE_AAAA) n->other_type = q->type;
    if (q->response) dns_answered(e, n, place, kind, p, q);
    else dns_asked(n, kind, p, q);
}

static void tls_handshake(struct explain *e, struct tls_rec *r, const struct packet_events *p, int side,
                          const struct tls_event *t) {
    if (t->encrypted) return;
    switch (t->type) {
    case CLIENT_HELLO:
        mark_first(&r->client_hello, p);
        r->offered = t->version;
        if (t->name.n) r->name = keep(e, t->name);
        if (t->alpn.n) r->alpn = keep(e, t->alpn);
        r->alpn_any |= t->alpn.n > 0;
        r->alpn_mqtt |= t->alpn_mqtt;
        break;
    case SERVER_HELLO:
        mark_first(&r->server_hello, p);
        r->version = t->version;
        r->suite = t->suite;
        break;
    case CERTIFICATE:
        if (side == SERVER && t->certificates && !mark_set(&r->cert.at)) {
            r->cert.at = mark_of(p);
            certificate_read(e, &r->cert, t, r->name);
        }
        break;
    case CERTIFICATE_REQUEST: mark_first(&r->request, p); break;
    }
}

void gather_tls(struct explain *e, struct conv *c, int side, const struct packet_events *p, const struct tls_event *t) {
    if (!c->tls) c->tls = slabs_get(&e->slabs, sizeof *c->tls);
    struct tls_rec *r = c->tls;
    if (!r) return;
    if (p->shut.n) r->shut = keep(e, p->shut);
    switch (t->what) {
    case TLS_WHAT_HANDSHAKE: tls_handshake(e, r, p, side, t); break;
    case TLS_WHAT_ALERT:
        if (mark_set(&r->alert[side]) && (r->alert_code[side] || !t->type)) break;
        r->alert[side] = mark_of(p);
        r->alert_code[side] = t->type;
        r->alert_hidden[side] = t->encrypted;
        break;
    case TLS_WHAT_CCS: r->changed[side] = true; break;
    case TLS_WHAT_DATA:
        if (!r->records[side]++) r->first_len[side] = t->length;
        r->replies += side == SERVER && r->records[CLIENT];
        mark_first(&r->data[side], p);
        r->last_data[side] = mark_of(p);
        if (!t->inner || t->inner == TLS_CONTENT_DATA) r->spoke[side] = mark_of(p);
        r->before_len[side] = r->last_short_len[side];
        r->last_short[side] = t->length <= SHORT_RECORD ? mark_of(p) : (struct mark){0};
        r->last_short_len[side] = t->length;
        break;
    }
}

/* web_of returns the conversation's record of HTTP, made where there is none; NULL: no memory. */
static struct web_rec *web_of(struct explain *e, struct conv *c) {
    if (!c->web) c->web = slabs_get(&e->slabs, sizeof *c->web);
    return c->web;
}

static void request_take(struct explain *e, struct conv *c, const struct packet_events *p, const struct http_event *h) {
    struct web_rec *w = c->web;
    w->requests++;
    w->part[CLIENT].at = (struct mark){0};
    w->request = mark_of(p);
    w->method = keep(e, h->method);
    w->uri = keep(e, h->uri);
    if (slice_eq(h->method, SLICE("CONNECT"))) {
        w->connect = true;
        mark_first(&w->proxy, p);
    }
    if (!h->upgrade) return;
    mark_first(&w->upgrade, p);
    c->websocket = true;
    w->asked = keep(e, h->protocol);
}

static void response_take(struct explain *e, const struct conv *c, const struct packet_events *p,
                          const struct http_event *h) {
    struct web_rec *w = c->web;
    w->responses++;
    w->part[SERVER].at = (struct mark){0};
    w->response = mark_of(p);
    w->code = h->code;
    w->phrase = keep(e, h->phrase);
    w->location = h->code / 100 == 3 ? keep(e, h->location) : (struct slice){0};
    if (h->code == 101 && c->websocket) {
        mark_first(&w->upgraded, p);
        w->granted = keep(e, h->protocol);
    }
    if (h->code < 400 || (mark_set(&w->failed) && (w->failed_code >= 500 || h->code < 500))) return;
    w->failed_request = w->request;
    w->failed = mark_of(p);
    w->failed_code = h->code;
    w->failed_phrase = keep(e, h->phrase);
    w->failed_uri = w->uri;
}

void gather_http(struct explain *e, struct conv *c, int side, const struct packet_events *p,
                 const struct http_event *h) {
    if (!h->response && !h->method.n) return;
    struct web_rec *w = web_of(e, c);
    if (!w) return;
    (void)side;
    if (h->proxied) mark_first(&w->proxy, p);
    if (h->forwarded.n) w->forwarded = keep(e, h->forwarded);
    if (h->response) response_take(e, c, p, h);
    else request_take(e, c, p, h);
}

/* part_text returns what is said of a message by its first line: of a request all, of an answer the phrase. */
static struct slice part_text(const struct http_part *h) {
    struct slice text = h->line;
    if (h->kind == HTTP_LINE_RESPONSE)
        for (int words = 0; words < 2 && text.n; text = slice_tail(text, 1)) words += text.p[0] == ' ';
    while (text.n && text.p[text.n - 1] <= ' ') text.n--;
    return http_string(text);
}

static void part_begins(struct explain *e, struct conv *c, int side, const struct packet_events *p) {
    const struct http_part *h = p->http;
    bool answer = h->kind == HTTP_LINE_RESPONSE;
    if (answer != (side == SERVER) || h->kind == HTTP_LINE_NOTIFICATION || h->body == HTTP_BODY_UNTIL_END) return;
    if (answer && !(c->web && (c->web->requests || mark_set(&c->web->part[CLIENT].at)))) return;
    struct web_rec *w = web_of(e, c);
    if (!w) return;
    c->part_begun = true;
    w->part[side] = (struct web_part){
        .at = mark_of(p),
        .head = h->head,
        .body = h->body == HTTP_BODY_LENGTH ? h->length : 0,
        .before = c->half[side].bytes - h->got,
        .came = h->got + (p->carried - h->carried),
        .inside = h->carried > 0,
        .seq = p->tcp.seq + p->tcp.len - (uint32_t)h->got,
        .end = p->tcp.seq + p->tcp.len,
        .code = h->status,
        .text = keep(e, part_text(h)),
        .uri = answer ? w->uri : (struct slice){0},
    };
}

void gather_http_part(struct explain *e, struct conv *c, int side, const struct packet_events *p) {
    struct web_part *part = c->web ? &c->web->part[side] : NULL;
    if (part && mark_set(&part->at)) {
        uint32_t end = p->tcp.seq + p->tcp.len;
        part->came += p->carried;
        if (seq_lt(part->end, end)) part->end = end;
    }
    if (p->http) part_begins(e, c, side, p);
}

void gather_websocket(struct explain *e, struct conv *c, int side, const struct packet_events *p,
                      const struct websocket_event *w) {
    (void)side;
    if (!c->websocket && !web_of(e, c)) return;
    c->websocket = true;
    if (w->opcode == 8 && !mark_set(&c->web->ws_close)) c->web->ws_close = mark_of(p);
}
