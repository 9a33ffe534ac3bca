/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/flow.h"

#include "base/err.h"

#include <stdlib.h>

enum { UNACKED_NODES = 1 << 18, IP_TCP = 6, VICTIMS = 16 };

int flow_table_make(struct flow_table *t) {
    memset(t, 0, sizeof *t);
    t->flows = pool_make(sizeof(struct flow), FLOWS_MAX + 1);
    t->tcps = pool_make(sizeof(struct flow_tcp), FLOWS_MAX + 1);
    t->unacked = pool_make(sizeof(struct tcp_unacked), UNACKED_NODES);
    t->hash_key = hash_key_random();
    t->buckets = calloc(FLOW_BUCKETS, sizeof *t->buckets);
    return t->buckets ? OK : ERR_NOMEM;
}

static struct flow *at(const struct flow_table *t, uint32_t n) { return pool_at(&t->flows, n); }

static void app_end(struct flow *f) {
    if (f->app && f->app_state) {
        if (f->app->stream && f->app->stream->end) f->app->stream->end(f->app_state);
        free(f->app_state);
    }
    f->app = NULL;
    f->app_state = NULL;
}

static void tunnel_end(struct flow *f) {
    free(f->tunnel);
    f->tunnel = NULL;
}

void flow_tunnel_set(struct flow *f, const struct proto *by, struct slice host, uint16_t port) {
    if (!f->tunnel) f->tunnel = calloc(1, sizeof *f->tunnel);
    if (!f->tunnel) return;
    host = slice_head(host, TUNNEL_HOST_MAX);
    *f->tunnel = (struct flow_tunnel){.by = by, .port = port, .host_len = (uint8_t)host.n};
    if (host.n) memcpy(f->tunnel->host, host.p, host.n);
}

void flow_app_start(struct flow *f, const struct proto *p) {
    app_end(f);
    f->app = p;
    if (!p || !p->stream || !p->stream->state_size) return;
    f->app_state = calloc(1, p->stream->state_size);
    if (!f->app_state) f->app = NULL;
    else if (p->stream->start) p->stream->start(f->app_state);
}

static void tcp_end(struct flow_table *t, struct flow *f) {
    if (!f->tcp) return;
    struct flow_tcp *tcp = flow_tcp(t, f);
    tcp_conv_end(&tcp->conv, &t->unacked);
    stream_reset(&tcp->side[0], &t->limits);
    stream_reset(&tcp->side[1], &t->limits);
}

static void flow_drop(struct flow_table *t, uint32_t n) {
    struct flow *f = at(t, n);
    uint32_t *link = &t->buckets[f->bucket];
    while (*link && *link != n) link = &at(t, *link)->chain;
    if (*link) *link = f->chain;
    app_end(f);
    tunnel_end(f);
    tcp_end(t, f);
    pool_put(&t->tcps, f->tcp);
    f->bucket = UINT32_MAX;
    pool_put(&t->flows, n);
    t->count--;
}

void flow_table_free(struct flow_table *t) {
    for (uint32_t n = 1; n < t->flows.used; n++)
        if (at(t, n)->bucket != UINT32_MAX) flow_drop(t, n);
    free(t->buckets);
    pool_free(&t->flows);
    pool_free(&t->tcps);
    pool_free(&t->unacked);
}

static bool key_make(struct flow_key *k, uint8_t proto, const struct net_addr *src, const struct net_addr *dst, uint16_t sport,
                     uint16_t dport) {
    memset(k, 0, sizeof *k);
    int order = memcmp(src->bytes, dst->bytes, sizeof src->bytes);
    if (order == 0) order = (sport > dport) - (sport < dport);
    bool swap = order > 0;
    memcpy(k->end[swap].addr, src->bytes, 16);
    memcpy(k->end[!swap].addr, dst->bytes, 16);
    k->end[swap].port = sport;
    k->end[!swap].port = dport;
    k->addr_len = src->len;
    k->proto = proto;
    return swap;
}

static void begin(struct flow_table *t, struct flow *f, int64_t ts) {
    f->stream = f->key.proto == IP_TCP ? t->tcp_streams++ : t->udp_streams++;
    f->first = f->last = ts;
    if (f->tcp) tcp_conv_start(&flow_tcp(t, f)->conv);
}

/* victim_find returns an old entry: the oldest of a few that a hand going round points at. */
static uint32_t victim_find(struct flow_table *t) {
    uint32_t oldest = 0;
    for (uint32_t looked = 0; looked < VICTIMS || !oldest; looked++) {
        t->hand = t->hand + 1 < t->flows.used ? t->hand + 1 : 1;
        const struct flow *f = at(t, t->hand);
        if (f->bucket != UINT32_MAX && (!oldest || f->last < at(t, oldest)->last)) oldest = t->hand;
    }
    return oldest;
}

static uint32_t flow_add(struct flow_table *t, const struct flow_key *key, uint32_t bucket, int64_t ts) {
    if (t->count >= FLOWS_MAX) {
        flow_drop(t, victim_find(t));
        t->evicted++;
    }
    uint32_t tcp = key->proto == IP_TCP ? pool_get(&t->tcps) : 0;
    uint32_t n = key->proto != IP_TCP || tcp ? pool_get(&t->flows) : 0;
    if (!n) {
        pool_put(&t->tcps, tcp);
        return 0;
    }
    struct flow *f = at(t, n);
    f->key = *key;
    f->tcp = tcp;
    f->bucket = bucket;
    f->chain = t->buckets[bucket];
    t->buckets[bucket] = n;
    t->count++;
    begin(t, f, ts);
    return n;
}

struct flow *flow_find(struct flow_table *t, uint8_t proto, const struct net_addr *src, const struct net_addr *dst, uint16_t sport,
                       uint16_t dport, int client_hint, int64_t ts, int *side) {
    struct flow_key key;
    bool second = key_make(&key, proto, src, dst, sport, dport);
    uint32_t bucket = (uint32_t)hash_bytes(t->hash_key, &key, sizeof key) & (FLOW_BUCKETS - 1);
    uint32_t n = t->buckets[bucket];
    while (n && memcmp(&at(t, n)->key, &key, sizeof key) != 0) n = at(t, n)->chain;
    if (!n) {
        n = flow_add(t, &key, bucket, ts);
        if (!n) return NULL;
        at(t, n)->flipped = second != (client_hint == 0);
    }
    struct flow *f = at(t, n);
    if (f->tcp) { /* what is needed next lies elsewhere: ask for it early */
        const char *tcp = (const char *)flow_tcp(t, f);
        for (size_t line = 0; line < sizeof(struct flow_tcp); line += 64) __builtin_prefetch(tcp + line, 1);
        __builtin_prefetch(f->app_state);
    }
    *side = second != f->flipped;
    return f;
}

void flow_restart(struct flow_table *t, struct flow *f, int side, int64_t ts) {
    app_end(f);
    tunnel_end(f);
    tcp_end(t, f);
    if (side) f->flipped = !f->flipped; /* who opens is the client */
    f->port = 0;
    f->before = NULL;
    begin(t, f, ts);
    if (f->tcp) flow_tcp(t, f)->conv.reused = true;
}
