/* SPDX-License-Identifier: Apache-2.0 */
/* Theory of operation: which broker a client gets, and how it is reached.
 *
 * The choice is rendezvous hashing: every broker gets a score from its address, its weight and the client id, and the
 * best score wins. So a client comes back to its broker (where its session is) from every worker and after every
 * restart, and a broker that goes only moves its own clients. A client without an id is spread by its address and port.
 * Brokers that are down (health checks, or a refusal within BROKER_REST_MS) are asked last, not never: what the checks
 * know is old.
 *
 * A dial goes from attempt to attempt as long as a broker is left that was not tried. Nothing was sent by then, so
 * nothing is lost or doubled. A broker whose name has several addresses has failed when all of them have, and the one
 * that answered is the first for the next client. `tried` holds numbers of one setting: after a reload the choice
 * starts anew. */
#include "base/hash.h"
#include "io/proxyhdr.h"
#include "io/tls/tls.h"
#include "serve/proxy/worker.h"
#include <errno.h>
#include <math.h>
#include <unistd.h>

static const struct hash_key key = {0x77656972, 0x62726f6b6572}; /* no secret: every guard must choose alike */

static uint64_t client_hash(const struct conn *c) {
    struct slice id = guard_client_id(&c->guard);
    if (id.n) return hash_bytes(key, id.p, id.n);
    const struct guard_peer *p = &c->guard.peer;
    return hash_bytes(key, p->client.bytes, sizeof p->client.bytes) ^ p->client_port;
}

/* score is larger for the better choice; shares of clients are as the weights. */
static double score(const struct setting_broker *b, uint64_t client) {
    uint64_t h = hash_mix(client ^ key.a, b->hash ^ key.b);
    double u = ((double)(h >> 11) + 0.5) / 9007199254740992.0; /* 2^53: 0 < u < 1 */
    return -b->weight / log(u);
}

static bool is_down(const struct worker *w, unsigned i) {
    return w->broker_rest[i] > w->now_ms || atomic_load_explicit(&w->shared->down[i], memory_order_relaxed);
}

static int choose(const struct worker *w, const struct conn *c) {
    int best = -1;
    double best_score = 0;
    uint64_t client = client_hash(c);
    for (unsigned i = 0; i < w->set->brokers; i++) {
        if (c->tried >> i & 1) continue;
        double s = score(&w->set->broker[i], client) + (is_down(w, i) ? 0 : 1e12);
        if (best >= 0 && s <= best_score) continue;
        best = (int)i;
        best_score = s;
    }
    return best;
}

/* connect_from tries the source addresses in turn: one whose ports are used up is passed over. */
static int connect_from(struct worker *w, const struct sock_addr *to) {
    int fd = -EADDRNOTAVAIL;
    unsigned n = w->set->sources ? w->set->sources : 1;
    for (unsigned i = 0; i < n && fd == -EADDRNOTAVAIL; i++)
        fd = sock_connect(to, setting_source(w->set, to, w->source++));
    return fd;
}

static bool watch_broker(struct worker *w, struct conn *c, int fd) {
    struct loop_ref ref = {EV_CONN, GUARD_BROKER, c->life, c->number};
    if (loop_add(&w->loop, fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, ref) != OK) return close(fd), false;
    c->side[GUARD_BROKER].fd = fd;
    worker_count(w, PROXY_STAT_BROKERS, 1);
    return true;
}

static void no_broker(struct worker *w, struct conn *c) {
    struct guard_out out = {0};
    worker_count(w, PROXY_STAT_NO_BROKER, 1);
    data_drop(w, &c->side[GUARD_BROKER].out);
    guard_unavailable(w->guard, &c->guard, w->now, &out);
    conn_apply(w, c, GUARD_CLIENT, &out);
    conn_begin_close(w, c);
}

static void failed(struct worker *w, struct conn *c) {
    worker_count(w, PROXY_STAT_DIAL_FAILED, 1);
    if (c->generation != w->generation) return;
    unsigned addrs = w->set->broker[c->broker].addrs;
    c->address = (uint8_t)((c->address + 1u) % addrs);
    if (++c->addresses_failed < addrs) return;
    c->tried |= 1ull << c->broker;
    w->broker_rest[c->broker] = w->now_ms + BROKER_REST_MS;
}

/* attempt chooses a broker, and keeps to it while it has addresses that were not tried; false: none is left. */
static bool attempt(const struct worker *w, struct conn *c) {
    if (c->addresses_failed && c->addresses_failed < w->set->broker[c->broker].addrs) return true;
    int i = choose(w, c);
    if (i < 0) return false;
    c->broker = (uint8_t)i;
    c->address = w->broker_at[i];
    c->addresses_failed = 0;
    return true;
}

/* next begins attempts until one is under way or no broker is left. */
static void next(struct worker *w, struct conn *c) {
    if (c->generation != w->generation) c->tried = c->addresses_failed = 0;
    c->generation = w->generation;
    for (; attempt(w, c); failed(w, c)) {
        worker_count(w, PROXY_STAT_DIALED, 1);
        int fd = connect_from(w, &w->set->broker[c->broker].addr[c->address]);
        if (fd < 0 || !watch_broker(w, c, fd)) continue;
        c->state = CONN_DIAL;
        return conn_due(w, c, DUE_DIAL, w->set->config->connect_time / 1000000);
    }
    no_broker(w, c);
}

void dial_start(struct worker *w, struct conn *c) {
    c->tried = c->addresses_failed = 0;
    c->generation = w->generation;
    next(w, c);
}

static void give_up(struct worker *w, struct conn *c) {
    struct side *s = &c->side[GUARD_BROKER];
    tls_free(w->wire, s->tls);
    s->tls = NULL;
    close(s->fd);
    s->fd = -1;
    s->flags = 0;
    worker_count(w, PROXY_STAT_BROKERS, -1);
    failed(w, c);
    next(w, c);
}

static struct sock_peer peer_of(const struct net_addr *a, uint16_t port) {
    struct sock_peer p = {.port = port, .len = a->len == 4 || a->len == 16 ? a->len : 0};
    memcpy(p.ip, a->bytes, p.len);
    return p;
}

/* send_header says who the client is; a fresh socket takes that many bytes at once. */
static bool send_header(struct conn *c, int version) {
    if (!version) return true;
    uint8_t buf[PROXYHDR_OUT_MAX];
    const struct guard_peer *p = &c->guard.peer;
    struct sock_peer src = peer_of(&p->client, p->client_port), dst = peer_of(&p->local, p->local_port);
    size_t n = proxyhdr_write(buf, version, &src, &dst);
    return send(c->side[GUARD_BROKER].fd, buf, n, MSG_NOSIGNAL) == (ssize_t)n;
}

/* reached goes on with a broker that answered. */
static void reached(struct worker *w, struct conn *c) {
    if (c->generation == w->generation) w->broker_at[c->broker] = c->address;
    conn_open_up(w, c);
}

static void shake_hands(struct worker *w, struct conn *c) {
    struct side *s = &c->side[GUARD_BROKER];
    int r = tls_handshake(w->wire, s->tls, s->fd);
    if (r == 1) {
        tls_park(w->wire, s->tls);
        reached(w, c);
    } else if (r != TLS_AGAIN || s->flags & SIDE_HUP) give_up(w, c);
}

static void connected(struct worker *w, struct conn *c) {
    const struct setting_broker *b = &w->set->broker[c->broker];
    struct side *s = &c->side[GUARD_BROKER];
    if (!send_header(c, b->conf->proxy_protocol)) return give_up(w, c);
    if (!b->tls) return reached(w, c);
    s->tls = tls_connect(w->wire, b->tls, b->host[0] ? b->host : NULL);
    if (!s->tls) return give_up(w, c);
    c->state = CONN_DIAL_TLS;
    shake_hands(w, c);
}

void dial_event(struct worker *w, struct conn *c, uint32_t events) {
    if (c->state == CONN_DIAL_TLS) return shake_hands(w, c);
    bool failed = events & (EPOLLERR | EPOLLHUP);
    if (!failed && !(events & EPOLLOUT)) return;
    /* A reload in between has other numbers for brokers: this attempt belongs to the past. */
    if (failed || c->generation != w->generation) give_up(w, c);
    else connected(w, c);
}

void dial_late(struct worker *w, struct conn *c) { give_up(w, c); }
