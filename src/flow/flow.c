/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/flow.h"

#include "base/err.h"

#include <stdlib.h>

enum { UNACKED_NODES = 1 << 18, IP_TCP = 6 };

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

static void order_remove(struct flow_table *t, uint32_t n) {
    struct flow *f = at(t, n);
    if (f->older) at(t, f->older)->newer = f->newer;
    else t->oldest = f->newer;
    if (f->newer) at(t, f->newer)->older = f->older;
    else t->newest = f->older;
}

static void order_add(struct flow_table *t, uint32_t n) {
    struct flow *f = at(t, n);
    f->older = t->newest;
    f->newer = 0;
    if (t->newest) at(t, t->newest)->newer = n;
    else t->oldest = n;
    t->newest = n;
}

static void flow_drop(struct flow_table *t, uint32_t n) {
    struct flow *f = at(t, n);
    uint32_t *link = &t->buckets[f->bucket];
    while (*link && *link != n) link = &at(t, *link)->chain;
    if (*link) *link = f->chain;
    order_remove(t, n);
    app_end(f);
    tcp_end(t, f);
    pool_put(&t->tcps, f->tcp);
    pool_put(&t->flows, n);
    t->count--;
}

void flow_table_free(struct flow_table *t) {
    while (t->oldest) flow_drop(t, t->oldest);
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

static uint32_t flow_add(struct flow_table *t, const struct flow_key *key, uint32_t bucket, int64_t ts) {
    if (t->count >= FLOWS_MAX) {
        flow_drop(t, t->oldest);
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
    order_add(t, n);
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
    if (n) {
        if (n != t->newest) {
            order_remove(t, n);
            order_add(t, n);
        }
    } else {
        n = flow_add(t, &key, bucket, ts);
        if (!n) return NULL;
        at(t, n)->flipped = second != (client_hint == 0);
    }
    *side = second != at(t, n)->flipped;
    return at(t, n);
}

void flow_restart(struct flow_table *t, struct flow *f, int side, int64_t ts) {
    app_end(f);
    tcp_end(t, f);
    if (side) f->flipped = !f->flipped; /* who opens is the client */
    f->port = 0;
    begin(t, f, ts);
    if (f->tcp) flow_tcp(t, f)->conv.reused = true;
}
