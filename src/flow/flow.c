/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/flow.h"

#include "base/err.h"

#include <stdlib.h>

enum { UNACKED_NODES = 1 << 18, VICTIMS = 16 };

int flow_table_make(struct flow_table *t) {
    memset(t, 0, sizeof *t);
    t->flows = pool_make(sizeof(struct flow), FLOWS_MAX + 1);
    t->tcps = pool_make(sizeof(struct flow_tcp), FLOWS_MAX + 1);
    t->unacked = pool_make(sizeof(struct tcp_unacked), UNACKED_NODES);
    t->hash_key = hash_key_random();
    t->buckets = calloc(FLOW_BUCKETS, sizeof *t->buckets);
    return t->buckets ? OK : ERR_NOMEM;
}

static void app_end(struct flow_table *t, struct flow *f) {
    if (f->app && f->app_state) {
        if (f->app->stream->end) f->app->stream->end(f->app_state);
        t->states -= f->app->stream->state_size;
        slabs_put(&t->slabs, f->app_state, f->app->stream->state_size);
    }
    f->app = NULL;
    f->app_state = NULL;
}

void flow_tunnel_set(struct flow_tcp *f, const struct proto *by, struct slice host, uint16_t port) {
    if (!f->tunnel) f->tunnel = calloc(1, sizeof *f->tunnel);
    if (!f->tunnel) return;
    host = slice_head(host, TUNNEL_HOST_MAX);
    *f->tunnel = (struct flow_tunnel){.by = by, .port = port, .host_len = (uint8_t)host.n};
    if (host.n) memcpy(f->tunnel->host, host.p, host.n);
}

void flow_app_start(struct flow_table *t, struct flow *f, const struct proto *p) {
    app_end(t, f);
    f->app = p;
    if (!p || !p->stream || !p->stream->state_size) return;
    f->app_state = slabs_get(&t->slabs, p->stream->state_size);
    if (!f->app_state) {
        f->app = NULL;
        return;
    }
    t->states += p->stream->state_size;
    if (p->stream->start) p->stream->start(f->app_state);
}

static void tcp_end(struct flow_table *t, struct flow *f) {
    if (!flow_is_tcp(f)) return;
    struct flow_tcp *tcp = flow_tcp(f);
    tcp_conv_end(&tcp->conv, &t->unacked);
    stream_reset(&tcp->side[0], &t->limits);
    stream_reset(&tcp->side[1], &t->limits);
    free(tcp->tunnel);
    tcp->tunnel = NULL;
    tcp->before = NULL;
    tcp->port = 0;
    tcp->begun[0] = tcp->begun[1] = false;
}

static void flow_drop(struct flow_table *t, uint32_t n) {
    struct flow *f = flow_at(t, n);
    uint32_t *link = &t->buckets[f->bucket];
    while (*link && *link != n) link = &flow_at(t, *link)->chain;
    if (*link) *link = f->chain;
    app_end(t, f);
    tcp_end(t, f);
    f->bucket = UINT32_MAX;
    if (n & FLOW_IN_TCPS) pool_put(&t->tcps, n ^ FLOW_IN_TCPS);
    else pool_put(&t->flows, n);
    t->count--;
}

void flow_table_free(struct flow_table *t) {
    for (uint32_t n = 1; n < t->tcps.used; n++)
        if (flow_at(t, n | FLOW_IN_TCPS)->bucket != UINT32_MAX) flow_drop(t, n | FLOW_IN_TCPS);
    for (uint32_t n = 1; n < t->flows.used; n++)
        if (flow_at(t, n)->bucket != UINT32_MAX) flow_drop(t, n);
    free(t->buckets);
    pool_free(&t->flows);
    pool_free(&t->tcps);
    pool_free(&t->unacked);
    stream_limits_free(&t->limits);
    slabs_free(&t->slabs);
}

/* word_of returns one of the two words of an address, in which addr_set wrote it; behind a short one there are zeros.
 */
static inline uint64_t word_of(const struct net_addr *a, int i) {
    uint64_t word;
    memcpy(&word, a->bytes + 8 * i, sizeof word);
    return word;
}

bool flow_key_make(struct flow_key *k, const struct flow_ends *e) {
    uint64_t src[2] = {word_of(e->src, 0), word_of(e->src, 1)}, dst[2] = {word_of(e->dst, 0), word_of(e->dst, 1)};
    /* Who sends changes with every other packet and cannot be foretold, so there is no branch on it. */
    bool second =
        (src[0] > dst[0]) | ((src[0] == dst[0]) & ((src[1] > dst[1]) | ((src[1] == dst[1]) & (e->sport > e->dport))));
    uint64_t all = 0 - (uint64_t)second, a = (src[0] ^ dst[0]) & all, b = (src[1] ^ dst[1]) & all,
             c = (uint64_t)(e->sport ^ e->dport) & all;
    *k = (struct flow_key){{{src[0] ^ a, src[1] ^ b}, {dst[0] ^ a, dst[1] ^ b}},
                           (e->sport ^ c) | (e->dport ^ c) << 16 | (uint64_t)e->src->len << 32 |
                               (uint64_t)e->proto << 40};
    return second;
}

bool flow_key_same(const struct flow_key *a, const struct flow_key *b) {
    return a->rest == b->rest && a->addr[0][0] == b->addr[0][0] && a->addr[1][0] == b->addr[1][0] &&
           a->addr[0][1] == b->addr[0][1] && a->addr[1][1] == b->addr[1][1];
}

static uint32_t bucket_of(const struct flow_table *t, const struct flow_key *key) {
    return (uint32_t)hash_bytes(t->hash_key, key, sizeof *key) & (FLOW_BUCKETS - 1);
}

uint32_t flow_bucket(const struct flow_table *t, const struct flow_ends *e) {
    struct flow_key key;
    flow_key_make(&key, e);
    return bucket_of(t, &key);
}

static void begin(struct flow_table *t, struct flow *f, int64_t ts) {
    f->stream = flow_is_tcp(f) ? t->tcp_streams++ : t->udp_streams++;
    f->first = f->last = ts;
    f->beside = NULL;
    if (flow_is_tcp(f)) tcp_conv_start(&flow_tcp(f)->conv);
}

/* hand_move moves one of the hands that go round the entries to its next one. */
static uint32_t hand_move(struct flow_table *t, bool tcp) {
    uint32_t *hand = &t->hand[tcp], used = tcp ? t->tcps.used : t->flows.used;
    *hand = *hand + 1 < used ? *hand + 1 : 1;
    return tcp ? *hand | FLOW_IN_TCPS : *hand;
}

/* victim_find returns an old entry: the oldest of a few that the hands point at. */
static uint32_t victim_find(struct flow_table *t) {
    uint32_t oldest = 0;
    for (uint32_t looked = 0; looked < VICTIMS || !oldest; looked++) {
        bool tcp = t->flows.used < 2 || (looked % 2 && t->tcps.used > 1); /* the first node of a pool is none */
        uint32_t n = hand_move(t, tcp);
        const struct flow *f = flow_at(t, n);
        if (f->bucket != UINT32_MAX && (!oldest || f->last < flow_at(t, oldest)->last)) oldest = n;
    }
    return oldest;
}

static uint32_t flow_add(struct flow_table *t, const struct flow_key *key, uint32_t bucket, int64_t ts) {
    while (t->count >= FLOWS_MAX || t->states > STATES_MAX) flow_drop(t, victim_find(t));
    bool tcp = flow_key_proto(key) == FLOW_PROTO_TCP;
    uint32_t n = pool_get(tcp ? &t->tcps : &t->flows);
    if (!n) return 0;
    if (tcp) n |= FLOW_IN_TCPS;
    struct flow *f = flow_at(t, n);
    f->key = *key;
    f->bucket = bucket;
    f->chain = t->buckets[bucket];
    t->buckets[bucket] = n;
    t->count++;
    begin(t, f, ts);
    return n;
}

/* flow_search returns the number of the entry with the key; where there is none it is made. The entry is then its
 * bucket's first, where flow_ahead finds it. */
static uint32_t flow_search(struct flow_table *t, const struct flow_key *key, bool flipped, int64_t ts) {
    uint32_t bucket = bucket_of(t, key), *first = &t->buckets[bucket], *link = first, n;
    while ((n = *link) && !flow_key_same(&flow_at(t, n)->key, key)) link = &flow_at(t, n)->chain;
    if (n && link != first) {
        *link = flow_at(t, n)->chain;
        flow_at(t, n)->chain = *first;
        *first = n;
    }
    if (n) return n;
    n = flow_add(t, key, bucket, ts);
    if (n) flow_at(t, n)->flipped = flipped;
    return n;
}

struct flow *flow_find(struct flow_table *t, const struct flow_ends *e, int client_hint, int64_t ts, int *side) {
    struct flow_key key;
    bool second = flow_key_make(&key, e);
    uint32_t guess = t->ahead[t->ahead_turn].flow, n = guess ? guess : t->latest;
    if (!n || flow_at(t, n)->bucket == UINT32_MAX || !flow_key_same(&flow_at(t, n)->key, &key))
        n = flow_search(t, &key, second != (client_hint == 0), ts);
    t->latest = n;
    if (!n) return NULL;
    struct flow *f = flow_at(t, n);
    *side = second != f->flipped;
    if (f->number == NUMBER_DUE) {
        begin(t, f, ts);
        f->number = NUMBER_CHANGED;
    }
    return f;
}

void flow_number_again(struct flow *f) {
    if (f->number == NUMBER_KEPT) f->number = NUMBER_DUE;
}

void flow_restart(struct flow_table *t, struct flow *f, int side, int64_t ts) {
    app_end(t, f);
    tcp_end(t, f);
    if (side) f->flipped = !f->flipped; /* who opens is the client */
    begin(t, f, ts);
    if (flow_is_tcp(f)) flow_tcp(f)->conv.reused = true;
}
