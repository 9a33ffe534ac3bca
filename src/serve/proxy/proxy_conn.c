/* SPDX-License-Identifier: Apache-2.0 */
/* Theory of operation: the life of a proxied connection.
 *
 *   accept -> HEADER -> TLS -> UPGRADE -> WAIT -> DIAL -> DIAL_TLS -> OPEN -> CLOSE -> free
 *             `--------- as the listener asks ---'   `----------------^
 *
 * HEADER   the listener speaks the PROXY protocol: its header is peeked at, and only then taken from the socket, since
 * what follows may belong to TLS. The address it names is the client's from here on. (opened) guard_open is asked as
 * soon as the address is known: right after accept, or after HEADER. A banned address costs one accept and one close.
 * TLS      handshake; a certificate's subject is told to the guard.
 * UPGRADE  HTTP request of a WebSocket.
 * WAIT     the client's bytes are judged. The first that is allowed (its CONNECT) begins the dial: only then the client
 *          id, which chooses the broker, is known. A client that never sends a CONNECT costs no broker connection.
 * DIAL     nothing is read of the client. An attempt that fails is followed by one at another broker, as no byte was
 * sent yet; with no broker left the guard words the refusal. OPEN     each side is read, judged, and written to the
 * other (proxy_data.c). The end of one side is passed on when what it sent before was sent (half-close); the connection
 * ends when both sides ended, or HALF_CLOSED_MS later. CLOSE    the guard, a limit or a fault ended it. Queues are
 * sent, then both sockets are shut for writing and what still comes in is thrown away until the peers close, for at
 * most CLOSE_MS: closing at once would make the kernel send a reset that overtakes the reason we gave.
 *
 * Every event ends in settle(), which draws these conclusions and sets the timer: the earlier of the guard's deadline
 * and our own. A connection is freed in one place only, conn_free; its number's `life` then changes, so that events of
 * the same batch about the old owner are recognised. */
#include "io/proxyhdr.h"
#include "io/tls/tls.h"
#include "serve/proxy/worker.h"
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum { NS_PER_MS = 1000000, IDENTITY_MAX = 512 };

static void settle(struct worker *w, struct conn *c);

void conn_due(struct worker *w, struct conn *c, enum due_kind kind, int64_t ms) {
    c->due_kind = (uint8_t)kind;
    c->due = kind == DUE_NONE ? INT64_MAX : w->now_ms + ms;
}

static void drop_side(struct worker *w, struct side *s) {
    data_drop(w, &s->in);
    data_drop(w, &s->out);
    tls_free(w->wire, s->tls);
    s->tls = NULL;
    if (s->fd >= 0) close(s->fd);
    s->fd = -1;
}

static void conn_free(struct worker *w, struct conn *c) {
    if (c->opened) guard_end(w->guard, &c->guard, w->now);
    worker_count(w, PROXY_STAT_CLIENTS, -1);
    if (c->side[GUARD_BROKER].fd >= 0) worker_count(w, PROXY_STAT_BROKERS, -1);
    drop_side(w, &c->side[GUARD_CLIENT]);
    drop_side(w, &c->side[GUARD_BROKER]);
    free(c->ws);
    c->ws = NULL;
    evidence_free(c->evidence);
    c->evidence = NULL;
    wheel_clear(&w->wheel, c->number);
    worker_give(w, c->number);
}

/* refuse ends a connection that never came to speak MQTT: nothing was sent, nothing is kept for it. */
static void refuse(struct worker *w, struct conn *c) {
    sock_close_hard(c->side[GUARD_CLIENT].fd);
    c->side[GUARD_CLIENT].fd = -1;
    conn_free(w, c);
}

void conn_begin_close(struct worker *w, struct conn *c) {
    if (c->state == CONN_CLOSE) return;
    struct side *b = &c->side[GUARD_BROKER];
    if (c->state != CONN_OPEN && b->fd >= 0) { /* a dial nobody waits for any more */
        worker_count(w, PROXY_STAT_BROKERS, -1);
        drop_side(w, b);
    }
    if (b->fd < 0) data_drop(w, &b->out);
    c->state = CONN_CLOSE;
    c->side[GUARD_CLIENT].flags |= SIDE_READABLE;
    b->flags |= SIDE_READABLE;
    conn_due(w, c, DUE_CLOSE, CLOSE_MS);
}

static void close_frame(struct worker *w, struct conn *c) {
    uint8_t buf[8];
    struct writer reply = wr_fixed(buf, sizeof buf);
    if (!c->ws) return;
    ws_close_frame(c->ws, &reply, WS_NORMAL);
    data_send_raw(w, c, GUARD_CLIENT, wr_done(&reply));
}

void conn_apply(struct worker *w, struct conn *c, enum guard_side from, const struct guard_out *out) {
    data_send(w, c, !from, out->forward);
    data_send(w, c, GUARD_CLIENT, out->inject[GUARD_CLIENT]);
    if (c->state == CONN_OPEN || c->side[GUARD_BROKER].out) data_send(w, c, GUARD_BROKER, out->inject[GUARD_BROKER]);
    if (out->close == GUARD_OPEN) return;
    close_frame(w, c);
    conn_begin_close(w, c);
}

static int64_t handshake_ms(const struct worker *w) { return guard_handshake_time(w->set->config->policy) / NS_PER_MS; }

static void begin_mqtt(struct worker *w, struct conn *c) {
    c->state = CONN_WAIT;
    conn_due(w, c, DUE_NONE, 0);
    c->side[GUARD_CLIENT].flags |= SIDE_READABLE;
}

static void begin_upgrade(struct worker *w, struct conn *c) {
    if (!worker_listener_of(w, c)->conf->websocket) return begin_mqtt(w, c);
    c->state = CONN_UPGRADE;
    c->side[GUARD_CLIENT].flags |= SIDE_READABLE;
}

/* begin_tls goes on behind the PROXY header; false: there is no memory. */
static bool begin_tls(struct worker *w, struct conn *c) {
    const struct setting_listener *l = worker_listener_of(w, c);
    if (!l->tls) return begin_upgrade(w, c), true;
    c->side[GUARD_CLIENT].tls = tls_accept(w->wire, l->tls);
    c->state = CONN_TLS;
    if (!c->side[GUARD_CLIENT].tls) worker_count(w, PROXY_STAT_NO_MEMORY, 1);
    return c->side[GUARD_CLIENT].tls;
}

static struct net_addr net_addr_of(const struct sock_peer *p) { return addr_of(p->ip, p->len); }

/* open_guard asks whether this client may speak at all; false: the connection is gone. */
static bool open_guard(struct worker *w, struct conn *c, const struct sock_peer *client, const struct sock_peer *own) {
    struct guard_peer peer = {
        .client = net_addr_of(client),
        .local = net_addr_of(own),
        .client_port = client->port,
        .local_port = own->port,
        .listener = (uint16_t)w->listener[c->listener].index,
        .id = ++w->ids,
    };
    struct guard_out out = {0};
    c->opened = true;
    if (guard_open(w->guard, &c->guard, &peer, w->now, &out) && begin_tls(w, c)) return true;
    return refuse(w, c), false;
}

static void new_side(struct side *s) { *s = (struct side){.fd = -1}; }

/* own_address returns where the client connected to: known without asking the kernel but of a wildcard listener. */
static struct sock_peer own_address(const struct worker *w, const struct conn *c) {
    if (w->own[c->listener].len) return w->own[c->listener];
    struct sock_addr own = sock_name(c->side[GUARD_CLIENT].fd);
    return sock_peer_of(&own);
}

void conn_start(struct worker *w, int fd, unsigned listener, const struct sock_addr *addr) {
    uint32_t at = worker_take(w);
    if (!at) return worker_count(w, PROXY_STAT_NO_MEMORY, 1), sock_close_hard(fd);
    struct conn *c = worker_conn(w, at);
    new_side(&c->side[GUARD_CLIENT]);
    new_side(&c->side[GUARD_BROKER]);
    c->side[GUARD_CLIENT].fd = fd;
    c->listener = (uint8_t)listener;
    worker_count(w, PROXY_STAT_ACCEPTED, 1);
    worker_count(w, PROXY_STAT_CLIENTS, 1);
    conn_due(w, c, DUE_HANDSHAKE, handshake_ms(w));
    if (worker_listener_of(w, c)->conf->proxy_protocol) {
        c->state = CONN_HEADER;
    } else {
        struct sock_peer client = sock_peer_of(addr), local = own_address(w, c);
        if (!open_guard(w, c, &client, &local)) return;
    }
    struct loop_ref ref = {EV_CONN, GUARD_CLIENT, c->life, at};
    if (loop_add(&w->loop, fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, ref) != OK) return refuse(w, c);
    settle(w, c);
}

/* read_header takes the PROXY header from the socket when it is whole; false: the connection is gone. */
static bool read_header(struct worker *w, struct conn *c) {
    struct side *s = &c->side[GUARD_CLIENT];
    struct proxyhdr h;
    ssize_t n = recv(s->fd, w->scratch, PROXYHDR_MAX, MSG_PEEK);
    int used = n > 0 ? proxyhdr_read(slice_of(w->scratch, (size_t)n), &h) : 0;
    bool over = used < 0 || (used == 0 && (n == 0 || s->flags & SIDE_HUP || (n < 0 && errno != EAGAIN)));
    if (over) return refuse(w, c), false;
    if (used == 0) return true;
    if (recv(s->fd, w->scratch, (size_t)used, 0) != used) return refuse(w, c), false;
    if (h.local) {
        struct sock_addr own = sock_name(s->fd), peer = sock_peer_name(s->fd);
        h.src = sock_peer_of(&peer), h.dst = sock_peer_of(&own);
    }
    return open_guard(w, c, &h.src, &h.dst);
}

/* tell_identity gives the guard the certificate's subject; false: the connection is gone. One that does not fit is
 * refused: cut, it might be somebody else's. */
static bool tell_identity(struct worker *w, struct conn *c) {
    char subject[IDENTITY_MAX], name[IDENTITY_MAX];
    struct writer s = wr_fixed(subject, sizeof subject), n = wr_fixed(name, sizeof name);
    struct guard_out out = {0};
    if (!tls_subject(c->side[GUARD_CLIENT].tls, &s)) return true;
    (void)tls_name(c->side[GUARD_CLIENT].tls, &n);
    if (!s.err && !n.err && guard_secured(w->guard, &c->guard, wr_done(&s), wr_done(&n), w->now, &out)) return true;
    return refuse(w, c), false;
}

/* shake_hands goes on with the client's TLS handshake; false: the connection is gone. */
static bool shake_hands(struct worker *w, struct conn *c) {
    struct side *s = &c->side[GUARD_CLIENT];
    int r = tls_handshake(w->wire, s->tls, s->fd);
    if (r == TLS_AGAIN && !(s->flags & SIDE_HUP)) return true;
    if (r != 1) {
        worker_count(w, PROXY_STAT_TLS_FAILED, 1);
        return conn_free(w, c), false; /* an alert may be on its way */
    }
    worker_count(w, PROXY_STAT_TLS_DONE, 1);
    if (tls_resumed(s->tls)) worker_count(w, PROXY_STAT_TLS_RESUMED, 1);
    if (!tell_identity(w, c)) return false;
    tls_park(w->wire, s->tls);
    begin_upgrade(w, c);
    return true;
}

/* discard throws input away in CLOSE, so that the kernel need not answer it with a reset. */
static void discard(struct worker *w, struct conn *c, enum guard_side from) {
    struct side *s = &c->side[from];
    for (int turn = 0; turn < TURNS && s->fd >= 0 && s->flags & SIDE_READABLE && !(s->flags & SIDE_EOF); turn++) {
        ssize_t n = data_read(w, c, from);
        if (n == 0 || n == -2) s->flags |= SIDE_EOF;
        if (n == -2) s->flags |= SIDE_DEAD;
    }
}

/* gone: the peer was reset, or failed otherwise, and nothing of it is left to be read. */
static bool gone(const struct side *s) { return (s->flags & SIDE_DEAD) && (s->flags & SIDE_EOF); }

/* shut passes the end of a stream on, once nothing is queued any more. */
static void shut(struct worker *w, struct conn *c, enum guard_side to) {
    struct side *s = &c->side[to];
    if (s->fd < 0 || s->flags & SIDE_SHUT || gone(s) || !data_flush(w, c, to)) return;
    s->flags |= SIDE_SHUT;
    if (s->tls && !(s->flags & SIDE_DEAD)) tls_end(w->wire, s->tls, s->fd);
    (void)shutdown(s->fd, SHUT_WR);
}

/* leave_broker ends the broker's side of a connection that closes. Who closes first keeps the port for a while
 * (TIME_WAIT, RFC 9293 3.6), and the ports from here to one broker are few. So behind a DISCONNECT it is the broker
 * that closes (MQTT 3.14.4); one that does not has CLOSE_MS. And a client's reset is passed on as one, unless that
 * could overtake what was sent before. */
static void leave_broker(struct worker *w, struct conn *c) {
    struct side *b = &c->side[GUARD_BROKER];
    bool ended = b->flags & SIDE_EOF;
    if (b->fd < 0 || (guard_said_goodbye(&c->guard) && !ended)) return;
    bool reset = !ended && gone(&c->side[GUARD_CLIENT]);
    if (b->tls || !data_flush(w, c, GUARD_BROKER) || !(ended || (reset && sock_unsent(b->fd) == 0)))
        return shut(w, c, GUARD_BROKER);
    if (reset) sock_close_hard(b->fd);
    else close(b->fd);
    b->fd = -1;
    worker_count(w, PROXY_STAT_BROKERS, -1);
}

static bool over(const struct conn *c) {
    for (int i = 0; i < GUARD_SIDES; i++) {
        const struct side *s = &c->side[i];
        if (s->fd >= 0 && !((s->flags & SIDE_EOF) && (s->flags & (SIDE_SHUT | SIDE_DEAD)))) return false;
    }
    return true;
}

static void set_timer(struct worker *w, struct conn *c) {
    int64_t at = c->due;
    if (c->opened && c->state >= CONN_WAIT && c->state != CONN_CLOSE) {
        int64_t guard = guard_timer(w->guard, &c->guard);
        if (guard != INT64_MAX && guard / NS_PER_MS + 1 < at) at = guard / NS_PER_MS + 1;
    }
    if (at != INT64_MAX) wheel_set(&w->wheel, c->number, at);
    else wheel_clear(&w->wheel, c->number);
}

/* watch_open chooses our own deadline of an open connection. */
static void watch_open(struct worker *w, struct conn *c) {
    const struct side *a = &c->side[GUARD_CLIENT], *b = &c->side[GUARD_BROKER];
    enum due_kind want = DUE_NONE;
    if ((a->flags | b->flags) & SIDE_EOF) want = DUE_HALF;
    else if (a->out || b->out) want = DUE_STALL;
    if (c->due_kind == want) return;
    if (want == DUE_STALL) worker_count(w, PROXY_STAT_PAUSES, 1);
    conn_due(w, c, want, want == DUE_HALF ? HALF_CLOSED_MS : STALL_MS);
}

/* both_ended: nobody will send or read any more, so the sockets need no farewell. */
static bool both_ended(const struct conn *c) {
    const struct side *a = &c->side[GUARD_CLIENT], *b = &c->side[GUARD_BROKER];
    return a->flags & b->flags & SIDE_EOF && !a->out && !b->out;
}

/* tell_pauses lets the guard know which side is not read: what was begun there cannot go on meanwhile. */
static void tell_pauses(struct worker *w, struct conn *c) {
    for (int i = 0; i < GUARD_SIDES; i++) {
        struct side *s = &c->side[i];
        bool paused = c->side[!i].out, known = s->flags & SIDE_PAUSED;
        if (paused == known) continue;
        s->flags ^= SIDE_PAUSED;
        guard_pause(&c->guard, i, paused, w->now);
    }
}

static void settle_open(struct worker *w, struct conn *c) {
    for (int i = 0; i < GUARD_SIDES; i++) {
        const struct side *s = &c->side[i];
        if ((s->flags & SIDE_EOF) && !c->side[!i].out) shut(w, c, !i);
    }
    watch_open(w, c);
}

/* settle draws the conclusions of an event; the connection may be gone afterwards. */
static void settle(struct worker *w, struct conn *c) {
    if (c->state == CONN_WAIT && c->side[GUARD_BROKER].out) dial_start(w, c);
    if (c->state == CONN_WAIT && c->side[GUARD_CLIENT].flags & SIDE_EOF) conn_begin_close(w, c);
    if (c->state == CONN_OPEN && both_ended(c)) return conn_free(w, c);
    if (c->state == CONN_OPEN) settle_open(w, c);
    if (c->state == CONN_CLOSE) {
        shut(w, c, GUARD_CLIENT);
        leave_broker(w, c);
        discard(w, c, GUARD_CLIENT);
        discard(w, c, GUARD_BROKER);
    }
    if (c->state >= CONN_WAIT && c->state <= CONN_OPEN) tell_pauses(w, c);
    if (c->state >= CONN_OPEN && over(c)) return conn_free(w, c);
    set_timer(w, c);
}

/* go_on does what can be done now in the state the connection is in; false: it is gone. */
static bool go_on(struct worker *w, struct conn *c) {
    if (c->state == CONN_HEADER && !read_header(w, c)) return false;
    if (c->state == CONN_TLS && !shake_hands(w, c)) return false;
    if (c->state == CONN_UPGRADE) upgrade_read(w, c);
    for (int i = 0; i < GUARD_SIDES; i++)
        if (data_flush(w, c, i) && c->state <= CONN_OPEN) data_pump(w, c, !i);
    return true;
}

void conn_open_up(struct worker *w, struct conn *c) {
    c->state = CONN_OPEN;
    conn_due(w, c, DUE_NONE, 0);
    /* The end of a TLS handshake may have brought the broker's first bytes; so it also comes first. */
    c->side[GUARD_BROKER].flags |= c->side[GUARD_BROKER].tls ? SIDE_WRITABLE | SIDE_READABLE : SIDE_WRITABLE;
    (void)data_flush(w, c, GUARD_BROKER);
    data_pump(w, c, GUARD_BROKER);
    data_pump(w, c, GUARD_CLIENT);
}

void conn_event(struct worker *w, uint32_t at, enum guard_side s, uint32_t events) {
    struct conn *c = worker_conn(w, at);
    struct side *side = &c->side[s];
    if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) side->flags |= SIDE_HUP | SIDE_READABLE;
    if (events & EPOLLIN) side->flags |= SIDE_READABLE;
    if (events & EPOLLOUT) side->flags |= SIDE_WRITABLE;
    if (s == GUARD_BROKER && (c->state == CONN_DIAL || c->state == CONN_DIAL_TLS)) dial_event(w, c, events);
    if (go_on(w, c)) settle(w, c);
}

void conn_resume(struct worker *w, uint32_t at) {
    struct conn *c = worker_conn(w, at);
    if (c->state != CONN_FREE && go_on(w, c)) settle(w, c);
}

static void own_deadline(struct worker *w, struct conn *c) {
    switch ((enum due_kind)c->due_kind) {
    case DUE_HANDSHAKE: worker_count(w, PROXY_STAT_HANDSHAKE_LATE, 1); return refuse(w, c);
    case DUE_DIAL: dial_late(w, c); return settle(w, c);
    case DUE_STALL: worker_count(w, PROXY_STAT_STALLED, 1); return conn_free(w, c);
    case DUE_HALF: conn_begin_close(w, c); return settle(w, c);
    case DUE_CLOSE: return conn_free(w, c);
    case DUE_NONE: return settle(w, c);
    }
}

void conn_expire(struct worker *w, uint32_t at) {
    struct conn *c = worker_conn(w, at);
    if (c->state == CONN_FREE) return;
    if (c->due <= w->now_ms) return own_deadline(w, c);
    if (c->opened && c->state >= CONN_WAIT && c->state != CONN_CLOSE) {
        struct guard_out out = {0};
        guard_expire(w->guard, &c->guard, w->now, &out);
        conn_apply(w, c, GUARD_CLIENT, &out);
    }
    settle(w, c);
}

void conn_goodbye(struct worker *w, uint32_t at) {
    struct conn *c = worker_conn(w, at);
    if (c->state == CONN_FREE || c->state == CONN_CLOSE) return;
    if (!c->opened || c->state < CONN_WAIT) return refuse(w, c);
    struct guard_out out = {0};
    guard_shutdown(w->guard, &c->guard, w->now, &out);
    conn_apply(w, c, GUARD_CLIENT, &out);
    conn_begin_close(w, c);
    settle(w, c);
}
