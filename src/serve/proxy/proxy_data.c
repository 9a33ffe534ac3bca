/* SPDX-License-Identifier: Apache-2.0 */
/* Theory of operation: bytes are read into the worker's scratch, judged there, and what is allowed is written to the
 * other side from where it lies. Copies are made in two cases only: what the guard did not consume (a packet that is
 * not whole) is kept in the side's `in`, what the other socket does not take is kept in that side's `out`. Both vanish
 * when empty, so an idle connection owns no buffer.
 *
 * Back-pressure: while a side's `out` holds anything, the other side is not read. A side is not read either while
 * REPLY_MAX bytes of answers of our own wait for it. So `out` is bounded by one helping and what it was judged to, `in`
 * by what the guard may ask for and one helping. Order is kept: `out` is always sent before anything newer. */
#include "io/tls/tls.h"
#include "serve/proxy/worker.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/uio.h>

enum { KEEP_GRAIN = 256, STOPS = 64 };

/* bytes_free wipes what is given up: it may hold a CONNECT with its password. */
static void bytes_free(struct bytes *b) {
    if (b) explicit_bzero(b->data, b->cap);
    free(b);
}

/* make_room sees to it that `more` bytes fit behind what is held: by moving it to the front, or in a larger buffer that
 * has half as much again to spare, so that a packet coming in small pieces is not copied for each of them. */
static bool make_room(struct worker *w, struct bytes **b, size_t more) {
    size_t held = bytes_held(*b), want = held + more, cap = want + held / 2;
    if (want > UINT32_MAX / 2) return false;
    struct bytes *old = *b, *n = old;
    if (!old || want > old->cap) {
        cap = (cap + KEEP_GRAIN - 1) & ~(size_t)(KEEP_GRAIN - 1);
        if (!(n = malloc(sizeof *n + cap))) return false;
        worker_count(w, PROXY_STAT_BUFFERED, (int64_t)cap - (old ? old->cap : 0));
        n->cap = (uint32_t)cap;
    }
    if (old) memmove(n->data, old->data + old->at, held);
    if (n != old) bytes_free(old);
    n->at = 0;
    n->n = (uint32_t)held;
    *b = n;
    return true;
}

bool data_keep(struct worker *w, struct bytes **b, struct slice s) {
    if (!s.n) return true;
    if ((!*b || (*b)->cap - (*b)->n < s.n) && !make_room(w, b, s.n)) return false;
    memcpy((*b)->data + (*b)->n, s.p, s.n);
    (*b)->n += (uint32_t)s.n;
    return true;
}

void data_drop(struct worker *w, struct bytes **b) {
    if (*b) worker_count(w, PROXY_STAT_BUFFERED, -(int64_t)(*b)->cap);
    bytes_free(*b);
    *b = NULL;
}

static void consume(struct worker *w, struct bytes **b, size_t n) {
    (*b)->at += (uint32_t)n;
    if (bytes_held(*b) == 0) data_drop(w, b);
}

/* write_once writes to the socket: bytes taken, 0: no room, -1: failed. */
static ssize_t write_once(struct worker *w, struct side *s, struct slice b) {
    if (s->tls) {
        ssize_t n = tls_write(w->wire, s->tls, s->fd, b.p, b.n);
        return n == TLS_AGAIN ? 0 : n < 0 ? -1 : n;
    }
    ssize_t n = send(s->fd, b.p, b.n, MSG_NOSIGNAL);
    return n >= 0 ? n : errno == EAGAIN || errno == EINTR ? 0 : -1;
}

static void write_failed(struct worker *w, struct side *s) {
    s->flags |= SIDE_DEAD | SIDE_READABLE | SIDE_HUP;
    data_drop(w, &s->out);
}

/* write_some writes what the socket takes and returns how much that was; less than b.n: it is full or dead. */
static size_t write_some(struct worker *w, struct side *s, struct slice b) {
    size_t done = 0;
    while (done < b.n && (s->flags & (SIDE_WRITABLE | SIDE_DEAD)) == SIDE_WRITABLE) {
        ssize_t n = write_once(w, s, slice_tail(b, done));
        if (n < 0) write_failed(w, s);
        else if (n == 0) s->flags &= (uint8_t)~SIDE_WRITABLE;
        else done += (size_t)n;
        /* A short write means a full socket: the next try would only say so. */
        if (n > 0 && done < b.n && !s->tls) s->flags &= (uint8_t)~SIDE_WRITABLE;
    }
    return done;
}

void data_send_raw(struct worker *w, struct conn *c, enum guard_side to, struct slice b) {
    struct side *s = &c->side[to];
    if (!b.n || s->flags & (SIDE_DEAD | SIDE_SHUT)) return;
    size_t done = s->out ? 0 : write_some(w, s, b);
    if (done == b.n || s->flags & SIDE_DEAD) return;
    if (!data_keep(w, &s->out, slice_tail(b, done))) {
        worker_count(w, PROXY_STAT_NO_MEMORY, 1);
        write_failed(w, s);
        conn_begin_close(w, c);
    }
}

static void send_framed(struct worker *w, struct conn *c, struct slice b) {
    size_t head = ws_head(w->frame, b.n);
    size_t first = b.n < sizeof w->frame - head ? b.n : sizeof w->frame - head;
    memcpy(w->frame + head, b.p, first);
    data_send_raw(w, c, GUARD_CLIENT, slice_of(w->frame, head + first));
    data_send_raw(w, c, GUARD_CLIENT, slice_tail(b, first));
}

void data_send(struct worker *w, struct conn *c, enum guard_side to, struct slice b) {
    if (!b.n) return;
    if (to == GUARD_CLIENT && c->ws) send_framed(w, c, b);
    else data_send_raw(w, c, to, b);
}

bool data_flush(struct worker *w, struct conn *c, enum guard_side to) {
    struct side *s = &c->side[to];
    if (!s->out) return true;
    size_t done = write_some(w, s, slice_of(s->out->data + s->out->at, bytes_held(s->out)));
    if (done && c->due_kind == DUE_STALL) conn_due(w, c, DUE_STALL, STALL_MS);
    if (s->out && done) consume(w, &s->out, done);
    return !s->out;
}

static ssize_t read_plain(struct worker *w, struct side *s) {
    ssize_t n = recv(s->fd, w->scratch, READ_SIZE, 0);
    /* Less than asked for: the socket is empty, epoll(7) will say when it is not. Behind a hang-up the end is to be
     * read as well. */
    if (n < READ_SIZE && (n < 0 || !(s->flags & SIDE_HUP))) s->flags &= (uint8_t)~SIDE_READABLE;
    if (n >= 0) return n;
    return errno == EAGAIN || errno == EINTR ? -1 : -2;
}

static ssize_t read_tls(struct worker *w, struct side *s) {
    bool drained;
    ssize_t n = tls_read(w->wire, s->tls, s->fd, w->scratch, sizeof w->scratch, &drained);
    if (drained && (n < 0 || !(s->flags & SIDE_HUP))) s->flags &= (uint8_t)~SIDE_READABLE;
    return n == TLS_AGAIN ? -1 : n < 0 ? -2 : n;
}

ssize_t data_read(struct worker *w, struct conn *c, enum guard_side from) {
    struct side *s = &c->side[from];
    return s->tls ? read_tls(w, s) : read_plain(w, s);
}

static bool may_read(const struct conn *c, enum guard_side from) {
    const struct side *s = &c->side[from];
    if (c->state != CONN_OPEN && !(c->state == CONN_WAIT && from == GUARD_CLIENT)) return false;
    return s->fd >= 0 && !(s->flags & SIDE_EOF) && !c->side[!from].out && bytes_held(s->out) < REPLY_MAX;
}

/* remember keeps what was judged, and hands it over where it was stopped: with what is left, where nothing more is
 * judged. */
static void remember(struct worker *w, struct conn *c, enum guard_side from, struct slice in,
                     const struct guard_out *out) {
    /* What was stopped stands behind what passed, as a piece of its own: it is not to be cut for what came before. */
    size_t passed = w->caught_n && out->forward.p == in.p ? out->forward.n : 0;
    evidence_add(w, c, from, slice_head(in, passed));
    evidence_add(w, c, from, slice_tail(out->close == GUARD_OPEN ? slice_head(in, out->consumed) : in, passed));
    evidence_tell(w, c);
    evidence_add(w, c, GUARD_BROKER, out->inject[GUARD_CLIENT]);
}

/* judge hands `in` to the guard until it wants more bytes, something is in the way, or it has stopped STOPS packets:
 * each of those is told, so who sends nothing else would keep others waiting. Returns what was consumed. */
static size_t judge(struct worker *w, struct conn *c, enum guard_side from, struct slice in) {
    struct side *s = &c->side[from];
    struct guard_out out;
    size_t at = 0;
    int stops = 0;
    do {
        w->caught_n = 0;
        guard_feed(w->guard, &c->guard, from, slice_tail(in, at), w->now, &out);
        if (w->set->config->evidence) remember(w, c, from, slice_tail(in, at), &out);
        at += out.consumed;
        s->need = (uint32_t)out.needed;
        s->flags = (uint8_t)(out.again ? s->flags | SIDE_AGAIN : s->flags & ~SIDE_AGAIN);
        conn_apply(w, c, from, &out);
    } while (out.again && may_read(c, from) && at < in.n && ++stops < STOPS);
    return at;
}

static void out_of_memory(struct worker *w, struct conn *c) {
    worker_count(w, PROXY_STAT_NO_MEMORY, 1);
    conn_begin_close(w, c);
}

static void judge_kept(struct worker *w, struct conn *c, enum guard_side from) {
    struct side *s = &c->side[from];
    struct slice in = slice_of(s->in->data + s->in->at, bytes_held(s->in));
    size_t used = judge(w, c, from, in);
    if (c->state == CONN_CLOSE) data_drop(w, &s->in);
    else if (used) consume(w, &s->in, used);
}

static void take_mqtt(struct worker *w, struct conn *c, enum guard_side from, struct slice in) {
    struct side *s = &c->side[from];
    if (s->in || !may_read(c, from)) {
        if (!data_keep(w, &s->in, in)) return out_of_memory(w, c);
        if (may_read(c, from) && bytes_held(s->in) >= s->need) judge_kept(w, c, from);
        else if (!may_read(c, from)) s->flags |= SIDE_AGAIN;
        return;
    }
    size_t used = judge(w, c, from, in);
    if (c->state != CONN_CLOSE && !data_keep(w, &s->in, slice_tail(in, used))) out_of_memory(w, c);
}

static void take_frames(struct worker *w, struct conn *c, struct slice in) {
    uint8_t buf[1024];
    enum ws_status status;
    /* Replies are short; a client that sends more pings in one helping than fit is answered the first ones. */
    struct writer reply = wr_fixed(buf, sizeof buf);
    size_t n = ws_decode(c->ws, (uint8_t *)(uintptr_t)in.p, in.n, &reply, &status);
    data_send_raw(w, c, GUARD_CLIENT, wr_done(&reply));
    if (n) take_mqtt(w, c, GUARD_CLIENT, slice_of(in.p, n));
    if (status != WS_GOING) c->side[GUARD_CLIENT].flags |= SIDE_HUP | SIDE_READABLE;
    if (status != WS_GOING && c->state != CONN_CLOSE) conn_begin_close(w, c);
}

void data_take(struct worker *w, struct conn *c, enum guard_side from, struct slice in) {
    if (from == GUARD_CLIENT && c->ws) take_frames(w, c, in);
    else take_mqtt(w, c, from, in);
}

static void ended(struct worker *w, struct conn *c, enum guard_side from, bool failed) {
    struct guard_out out;
    c->side[from].flags |= SIDE_EOF;
    if (failed) write_failed(w, &c->side[from]);
    guard_eof(w->guard, &c->guard, from, w->now, &out);
    conn_apply(w, c, from, &out);
}

void data_pump(struct worker *w, struct conn *c, enum guard_side from) {
    struct side *s = &c->side[from];
    for (int turn = 0; turn < TURNS; turn++) {
        if (!may_read(c, from)) return;
        if (s->in && s->flags & SIDE_AGAIN) {
            judge_kept(w, c, from);
            continue;
        }
        if (!(s->flags & SIDE_READABLE)) return;
        ssize_t n = data_read(w, c, from);
        if (n > 0) data_take(w, c, from, slice_of(w->scratch, (size_t)n));
        else if (n != -1) return ended(w, c, from, n == -2);
    }
    if (may_read(c, from) && s->flags & (SIDE_READABLE | SIDE_AGAIN)) worker_ready(w, c->number);
}
