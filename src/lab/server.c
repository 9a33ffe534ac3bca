/* SPDX-License-Identifier: Apache-2.0 */
/* Theory of operation. One loop over one listening socket, one socket for datagrams and connections known by place;
 * `life` tells events of a place's former owner from those of the present one. A connection is read until LAB_READ
 * bytes, then the next has its turn. What its peer does not read waits in `unsent`, and meanwhile nothing more is read
 * from it, so that a slow reader costs at most what one turn can answer; LAB_UNSENT and LAB_UNSENT_ALL bound it.
 *
 * A peer that ends its side may still read: what is due to it is sent first. Where we end, ours is shut after the last
 * byte and the peer's is read and thrown away for a moment, since closing with unread bytes would reset the connection
 * and take our last words with it. The end is told to the owner exactly once. */
#include "lab/server.h"
#include "base/clock.h"
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum kind { KIND_LISTENER, KIND_DATAGRAMS, KIND_CONN };
enum { BACKLOG = 4096, REST_MS = 100, ACCEPT_BATCH = 512, LINGER_MS = 2000, LINGER_BYTES = 16 << 20 };

static struct loop_ref ref_of(const struct lab_server *s, const struct lab_conn *c) {
    return (struct loop_ref){.kind = KIND_CONN, .life = c->life, .at = lab_place(s, c)};
}

struct lab_conn *lab_at(struct lab_server *s, uint32_t at, uint16_t life) {
    struct lab_conn *c = at && at < s->places ? &s->conn[at] : NULL;
    return c && c->fd >= 0 && c->life == life ? c : NULL;
}

static struct wheel_node *node_of(void *owner, uint32_t at) { return &((struct lab_server *)owner)->conn[at].timer; }

/* watch asks for the events that can be used now. */
static void watch(struct lab_server *s, struct lab_conn *c) {
    bool out = c->unsent_n > 0, in = !out && !c->peer_done;
    if (out == c->watched_out && in == c->watched_in) return;
    c->watched_out = out;
    c->watched_in = in;
    (void)!loop_change(&s->loop, c->fd, (in ? EPOLLIN : 0u) | (out ? EPOLLOUT : 0u), ref_of(s, c));
}

static void conn_close(struct lab_server *s, struct lab_conn *c, enum lab_end why) {
    if (c->fd < 0) return;
    s->totals.ended[why]++;
    if (s->owner.ended) s->owner.ended(s->owner.to, c, why);
    wheel_clear(&s->wheel, lab_place(s, c));
    s->unsent -= c->unsent_room;
    free(c->unsent);
    if (why == LAB_END_SLOW || why == LAB_END_RESET) sock_close_hard(c->fd);
    else sock_close(c->fd);
    *c = (struct lab_conn){.fd = -1, .life = (uint16_t)(c->life + 1), .timer = c->timer};
    s->free[s->n_free++] = lab_place(s, c);
    s->open--;
}

/* close_when_sent gives a connection back that has nothing left to do. */
static void close_when_sent(struct lab_server *s, struct lab_conn *c) {
    if (c->fd < 0 || c->unsent_n) return;
    if (c->peer_done) return conn_close(s, c, LAB_END_PEER);
    if (!c->ending || c->shut) return;
    c->shut = true;
    sock_end(c->fd);
    wheel_set(&s->wheel, lab_place(s, c), s->now + LINGER_MS);
}

/* ---- sending ---- */

static bool unsent_keep(struct lab_server *s, struct lab_conn *c, struct slice bytes) {
    if (c->unsent_at) memmove(c->unsent, c->unsent + c->unsent_at, c->unsent_n);
    c->unsent_at = 0;
    size_t need = c->unsent_n + bytes.n;
    if (need > c->unsent_room) {
        size_t room = need < 4096 ? 4096 : need + need / 2;
        if (need > LAB_UNSENT || s->unsent + (room - c->unsent_room) > LAB_UNSENT_ALL) return false;
        uint8_t *p = realloc(c->unsent, room);
        if (!p) return false;
        s->unsent += room - c->unsent_room;
        c->unsent = p;
        c->unsent_room = (uint32_t)room;
    }
    memcpy(c->unsent + c->unsent_n, bytes.p, bytes.n);
    c->unsent_n = (uint32_t)need;
    return true;
}

void lab_say(struct lab_server *s, struct lab_conn *c, struct slice bytes) {
    if (c->fd < 0 || !bytes.n) return;
    ssize_t n = c->unsent_n ? -EAGAIN : sock_give(c->fd, bytes);
    if (n > 0) {
        c->out += (uint64_t)n;
        s->totals.out += (uint64_t)n;
        bytes = slice_tail(bytes, (size_t)n);
    }
    if (!bytes.n) return;
    if (n < 0 && n != -EAGAIN && n != -EINTR) conn_close(s, c, LAB_END_RESET);
    else if (!unsent_keep(s, c, bytes)) conn_close(s, c, LAB_END_SLOW);
    else watch(s, c);
}

static void unsent_send(struct lab_server *s, struct lab_conn *c) {
    ssize_t n = sock_give(c->fd, slice_of(c->unsent + c->unsent_at, c->unsent_n));
    if (n == -EAGAIN || n == -EINTR) return;
    if (n < 0) return conn_close(s, c, LAB_END_RESET);
    c->heard = s->now;
    c->out += (uint64_t)n;
    s->totals.out += (uint64_t)n;
    c->unsent_at += (uint32_t)n;
    c->unsent_n -= (uint32_t)n;
    if (c->unsent_n) return;
    s->unsent -= c->unsent_room;
    free(c->unsent);
    c->unsent = NULL;
    c->unsent_at = c->unsent_room = 0;
    close_when_sent(s, c);
    if (c->fd >= 0) watch(s, c);
}

void lab_say_to(struct lab_server *s, const struct sock_addr *to, struct slice bytes) {
    if (sock_give_to(s->udp, to, bytes)) s->totals.out += bytes.n;
}

void lab_end(struct lab_server *s, struct lab_conn *c) {
    if (c->fd < 0) return;
    c->ending = true;
    close_when_sent(s, c);
}

/* ---- deadlines: the owner's, or silence ---- */

void lab_due(struct lab_server *s, struct lab_conn *c, int64_t when) {
    wheel_set(&s->wheel, lab_place(s, c), when ? when : c->heard + s->idle_ms);
}

static void fire(void *to, uint32_t at) {
    struct lab_server *s = to;
    struct lab_conn *c = &s->conn[at];
    if (c->fd < 0) return;
    uint16_t life = c->life;
    if (c->shut) return conn_close(s, c, LAB_END_OURS);
    if (s->now - c->heard >= s->idle_ms) return conn_close(s, c, c->unsent_n ? LAB_END_SLOW : LAB_END_IDLE);
    wheel_set(&s->wheel, at, c->heard + s->idle_ms);
    if (s->owner.due) s->owner.due(s->owner.to, c);
    if (lab_at(s, at, life)) close_when_sent(s, c);
}

/* ---- receiving ---- */

static void conn_open(struct lab_server *s, int fd, const struct sock_addr *from) {
    struct lab_conn *c = &s->conn[s->free[--s->n_free]];
    *c =
        (struct lab_conn){.fd = fd, .life = c->life, .timer = c->timer, .peer = sock_peer_of(from), .watched_in = true};
    c->opened = c->heard = s->now;
    s->open++;
    s->totals.conns++;
    if (s->open > s->totals.most) s->totals.most = s->open;
    if (loop_add(&s->loop, fd, EPOLLIN, ref_of(s, c)) != OK) return conn_close(s, c, LAB_END_RESET);
    wheel_set(&s->wheel, lab_place(s, c), s->now + s->idle_ms);
    if (s->owner.opened) s->owner.opened(s->owner.to, c);
    close_when_sent(s, c);
}

static void accept_all(struct lab_server *s) {
    for (int i = 0; i < ACCEPT_BATCH; i++) {
        struct sock_addr from;
        int fd = sock_accept(s->tcp, &from);
        if (fd == -EAGAIN) return;
        if (fd == -EMFILE || fd == -ENFILE || fd == -ENOBUFS || fd == -ENOMEM) {
            loop_drop(&s->loop, s->tcp);
            s->resting = true;
            s->rest_until = s->now + REST_MS;
            return;
        }
        if (fd < 0) continue; /* it went away before it was taken */
        if (s->n_free) {
            conn_open(s, fd, &from);
            continue;
        }
        s->totals.refused++;
        if (s->owner.refused) s->owner.refused(s->owner.to, &from, fd);
        sock_close(fd);
    }
}

static void rest_end(struct lab_server *s) {
    if (!s->resting || s->now < s->rest_until) return;
    s->resting = loop_add(&s->loop, s->tcp, EPOLLIN, (struct loop_ref){.kind = KIND_LISTENER}) != OK;
    s->rest_until = s->now + REST_MS;
}

static void datagrams(struct lab_server *s) {
    for (int i = 0; i < LAB_DATAGRAMS; i++) {
        struct sock_addr from;
        size_t whole;
        ssize_t n = sock_take_from(s->udp, s->in, sizeof s->in, &from, &whole);
        if (n == -EAGAIN) return;
        if (n < 0) continue; /* such as an ICMP error to an answer */
        s->totals.datagrams++;
        s->totals.in += whole;
        if (s->owner.datagram) s->owner.datagram(s->owner.to, &from, slice_of(s->in, (size_t)n), whole);
    }
}

/* discard reads on after our end, so that it arrives. */
static void discard(struct lab_server *s, struct lab_conn *c, size_t n) {
    c->thrown += n;
    if (!n || c->thrown > LINGER_BYTES) conn_close(s, c, n ? LAB_END_SLOW : LAB_END_OURS);
}

static void conn_read(struct lab_server *s, struct lab_conn *c) {
    uint16_t life = c->life;
    uint32_t at = lab_place(s, c);
    ssize_t n = sock_take(c->fd, s->in, sizeof s->in);
    if (n == -EAGAIN || n == -EINTR) return;
    if (n < 0) return conn_close(s, c, LAB_END_RESET);
    c->heard = s->now;
    if (c->ending) return discard(s, c, (size_t)n);
    if (n == 0) {
        c->peer_done = true;
        if (s->owner.done) s->owner.done(s->owner.to, c);
    } else {
        c->in += (uint64_t)n;
        s->totals.in += (uint64_t)n;
        if (s->owner.came) s->owner.came(s->owner.to, c, slice_of(s->in, (size_t)n));
    }
    if (lab_at(s, at, life)) watch(s, c);
}

static void conn_event(struct lab_server *s, struct loop_event *e) {
    struct lab_conn *c = lab_at(s, e->ref.at, e->ref.life);
    if (!c) return;
    if (e->events & EPOLLOUT) unsent_send(s, c);
    c = lab_at(s, e->ref.at, e->ref.life);
    if (c && (e->events & EPOLLIN) && c->watched_in) conn_read(s, c);
    else if (c && (e->events & (EPOLLERR | EPOLLHUP)) && !(e->events & EPOLLOUT)) conn_close(s, c, LAB_END_RESET);
}

/* sweep gives back what ended in this batch; a place's events later in the batch have another life by then. */
static void sweep(struct lab_server *s, const struct loop_event *e, int n) {
    for (int i = 0; i < n; i++) {
        struct lab_conn *c = e[i].ref.kind == KIND_CONN ? lab_at(s, e[i].ref.at, e[i].ref.life) : NULL;
        if (c) close_when_sent(s, c);
    }
}

void lab_turn(struct lab_server *s, int ms) {
    struct loop_event e[LOOP_BATCH];
    int n = loop_wait(&s->loop, e, s->resting && (ms < 0 || ms > REST_MS) ? REST_MS : ms);
    s->now = clock_ms();
    for (int i = 0; i < n; i++) {
        switch (e[i].ref.kind) {
        case KIND_LISTENER: accept_all(s); break;
        case KIND_DATAGRAMS: datagrams(s); break;
        case KIND_CONN: conn_event(s, &e[i]); break;
        }
    }
    (void)wheel_turn(&s->wheel, s->now, UINT_MAX);
    if (s->owner.turn) s->owner.turn(s->owner.to);
    sweep(s, e, n);
    rest_end(s);
}

/* ---- beginning and end ---- */

static int bind_both(struct lab_server *s, const struct sock_addr *addr, struct writer *why) {
    s->tcp = sock_serve(addr, SOCK_STREAM, BACKLOG);
    if (s->tcp >= 0) {
        s->addr = sock_name(s->tcp); /* the port, where 0 was asked for */
        s->udp = sock_serve(&s->addr, SOCK_DGRAM, 0);
    }
    if (s->tcp >= 0 && s->udp >= 0) return OK;
    wr_s(why, "cannot listen on ");
    sock_print(addr, why);
    wr_f(why, " (%s): %s", s->tcp < 0 ? "TCP" : "UDP", strerror(errno));
    return ERR_IO;
}

static int places_make(struct lab_server *s, uint32_t conns, struct writer *why) {
    size_t room = sock_room(),
           most = room > LAB_SPARE_FILES + LAB_CONNS_LEAST ? room - LAB_SPARE_FILES : LAB_CONNS_LEAST;
    uint32_t n = conns ? conns : LAB_CONNS_DEFAULT;
    if (conns > most) {
        wr_f(why, "%u connections are more than may be open here: %zu (ulimit -n, less %d)", conns, most,
             LAB_SPARE_FILES);
        return ERR_LIMIT;
    }
    s->places = (n < most ? n : (uint32_t)most) + 1;
    s->conn = calloc(s->places, sizeof *s->conn);
    s->free = calloc(s->places, sizeof *s->free);
    if (!s->conn || !s->free) return wr_s(why, err_text(ERR_NOMEM)), ERR_NOMEM;
    for (uint32_t i = s->places - 1; i > 0; i--) {
        s->conn[i].fd = -1;
        s->free[s->n_free++] = i;
    }
    s->conn[0].fd = -1;
    return OK;
}

int lab_open(struct lab_server *s, const struct sock_addr *addr, uint32_t conns, const struct lab_owner *owner,
             struct writer *why) {
    *s = (struct lab_server){.loop = {-1}, .tcp = -1, .udp = -1, .owner = *owner, .idle_ms = LAB_IDLE_MS};
    s->now = clock_ms();
    if (sock_is_local(addr)) {
        wr_s(why, "an IP address and a port are needed, such as 127.0.0.1:50000");
        return ERR_USAGE;
    }
    wheel_init(&s->wheel, s->now);
    s->wheel.node = node_of;
    s->wheel.fire = fire;
    s->wheel.owner = s;
    int rc = places_make(s, conns, why);
    if (rc == OK) rc = bind_both(s, addr, why);
    if (rc != OK) return rc;
    if (loop_open(&s->loop) == OK &&
        loop_add(&s->loop, s->tcp, EPOLLIN, (struct loop_ref){.kind = KIND_LISTENER}) == OK &&
        loop_add(&s->loop, s->udp, EPOLLIN, (struct loop_ref){.kind = KIND_DATAGRAMS}) == OK)
        return OK;
    wr_f(why, "the event loop cannot be made: %s", strerror(errno));
    return ERR_IO;
}

void lab_close(struct lab_server *s) {
    for (uint32_t i = 1; i < s->places && s->conn; i++) conn_close(s, &s->conn[i], LAB_END_STOPPED);
    if (s->tcp >= 0) sock_close(s->tcp);
    if (s->udp >= 0) sock_close(s->udp);
    if (s->loop.fd >= 0) loop_close(&s->loop);
    free(s->conn);
    free(s->free);
    s->conn = NULL;
    s->free = NULL;
    s->places = 0;
}
