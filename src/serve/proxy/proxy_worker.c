/* SPDX-License-Identifier: Apache-2.0 */
/* Theory of operation: a worker is one process with one thread. Nothing it does waits for anything but epoll: records
 * for the audit file go into a ring the parent empties, the configuration comes as text the parent has already checked.
 *
 * Connections are known by number and lie in chunks that never move. Numbers are taken again, `life` tells owners
 * apart. Accepting pauses when descriptors or room run out and is tried again ACCEPT_PAUSE_MS later, or when a
 * connection ends: the listener is taken out of epoll meanwhile, so nothing spins and the kernel's queue keeps who
 * waits. */
#include "base/clock.h"
#include "io/tls/tls.h"
#include "serve/proxy/worker.h"
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CONFIG_MAX = 16 << 20, TRIM_AFTER = 256, TRIM_BUSY_MS = 10000, BEAT_MS = 1000, TURN_MS = WHEEL_TICK_MS };

static bool add_chunk(struct worker *w) {
    uint32_t k = w->conns / CONN_CHUNK;
    if (k >= CONN_CHUNKS) return false;
    w->chunk[k] = calloc(CONN_CHUNK, sizeof(struct conn));
    if (!w->chunk[k]) return false;
    w->conns += CONN_CHUNK;
    /* Number 0 stands for none. The list hands out low numbers first. */
    for (uint32_t i = CONN_CHUNK; i-- > 0;) {
        struct conn *c = &w->chunk[k][i];
        c->number = k * CONN_CHUNK + i;
        if (!c->number) continue;
        c->next = w->free;
        w->free = c->number;
    }
    return true;
}

uint32_t worker_take(struct worker *w) {
    if (!w->free && !add_chunk(w)) return 0;
    uint32_t at = w->free;
    struct conn *c = worker_conn(w, at);
    w->free = c->next;
    w->connections++;
    *c = (struct conn){.number = at, .life = c->life, .ready = c->ready};
    return at;
}

void worker_give(struct worker *w, uint32_t at) {
    struct conn *c = worker_conn(w, at);
    c->state = CONN_FREE;
    c->life++;
    w->connections--;
    /* One that is in the ready list is given back when the list comes to it: both lists use `next`. */
    if (!c->ready) {
        c->next = w->free;
        w->free = at;
    }
    if (w->accept_again) w->accept_again = 1;
}

void worker_ready(struct worker *w, uint32_t at) {
    struct conn *c = worker_conn(w, at);
    if (c->ready) return;
    c->ready = true;
    c->next = 0;
    if (w->ready) worker_conn(w, w->ready_last)->next = at;
    else w->ready = at;
    w->ready_last = at;
}

/* run_ready goes once through those that were ready when the turn began. */
static void run_ready(struct worker *w) {
    uint32_t at = w->ready, last = w->ready_last;
    w->ready = w->ready_last = 0;
    while (at) {
        struct conn *c = worker_conn(w, at);
        uint32_t next = at == last ? 0 : c->next;
        c->ready = false;
        if (c->state == CONN_FREE) {
            c->next = w->free;
            w->free = at;
        } else {
            conn_resume(w, at);
        }
        at = next;
    }
}

static void watch_listeners(struct worker *w) {
    for (unsigned i = 0; i < w->listeners; i++) {
        struct loop_ref ref = {.kind = EV_LISTENER, .at = i};
        if (loop_add(&w->loop, w->listener[i].fd, EPOLLIN | EPOLLEXCLUSIVE, ref) != OK)
            fprintf(stderr, "weir guard: worker %u cannot watch a listener: %s\n", w->number, strerror(errno));
    }
    w->accepting = true;
    w->accept_again = 0;
}

static void stop_accepting(struct worker *w) {
    for (unsigned i = 0; w->accepting && i < w->listeners; i++) loop_drop(&w->loop, w->listener[i].fd);
    w->accepting = false;
}

/* accept_pause stops accepting for a moment: there are no descriptors or no room. */
static void accept_pause(struct worker *w) {
    if (!w->accepting) return;
    stop_accepting(w);
    worker_count(w, PROXY_STAT_ACCEPT_PAUSES, 1);
    w->accept_again = w->now_ms + ACCEPT_PAUSE_MS;
}

static void accept_some(struct worker *w, unsigned i) {
    for (int k = 0; k < ACCEPT_BATCH && w->accepting; k++) {
        struct sock_addr peer;
        if (w->connections >= w->connections_max) return accept_pause(w);
        int fd = sock_accept(w->listener[i].fd, &peer);
        if (fd == -EMFILE || fd == -ENFILE || fd == -ENOMEM || fd == -ENOBUFS) return accept_pause(w);
        if (fd == -EAGAIN) return;
        if (fd >= 0) conn_start(w, fd, i, &peer);
    }
}

/* The parent sleeps unless the ring was empty. */
bool worker_tell(struct worker *w, char kind, struct slice line) {
    uint8_t record[RING_RECORD_MAX];
    struct ring *r = &w->cell->audit;
    if (line.n >= sizeof record) line.n = sizeof record - 1;
    record[0] = (uint8_t)kind;
    memcpy(record + 1, line.p, line.n);
    bool idle =
        atomic_load_explicit(&r->head, memory_order_relaxed) == atomic_load_explicit(&r->tail, memory_order_acquire);
    uint64_t one = 1;
    if (!ring_put(r, slice_of(record, line.n + 1))) return false;
    if (idle) (void)!write(w->wake, &one, sizeof one);
    return true;
}

static void on_event(void *to, const struct guard_event *e) {
    struct worker *w = to;
    evidence_caught(w, e);
    char line[RING_RECORD_MAX - 1];
    int64_t wall = clock_wall_ns() - w->now;
    struct writer out = wr_fixed(line, sizeof line);
    guard_event_json(&out, e, wall);
    if (!out.err) (void)worker_tell(w, 'A', wr_done(&out));
    if (!e->login) return;
    wr_reset(&out);
    guard_event_login(&out, e, wall);
    if (!out.err) (void)worker_tell(w, 'L', wr_done(&out));
}

/* read_config reads the text the parent left; the caller frees it. NULL: it cannot be read. */
static char *read_config(struct worker *w, size_t *n) {
    struct stat st;
    if (fstat(w->config, &st) < 0 || st.st_size > CONFIG_MAX) return NULL;
    char *text = malloc((size_t)st.st_size + 1);
    ssize_t got = text ? pread(w->config, text, (size_t)st.st_size, 0) : -1;
    if (got != st.st_size) return free(text), NULL;
    *n = (size_t)got;
    return text;
}

/* match_listeners finds each open listener in the new setting by its address. */
static void match_listeners(struct worker *w, const struct setting *s) {
    for (unsigned i = 0; i < w->listeners; i++) {
        w->listener[i].index = -1;
        for (unsigned k = 0; k < s->listeners; k++)
            if (sock_same(&w->bound[i], &s->listener[k].addr)) w->listener[i].index = (int)k;
    }
}

static bool reload(struct worker *w) {
    char buf[1024];
    size_t n;
    struct writer why = wr_fixed(buf, sizeof buf);
    struct setting *fresh = NULL, *old = w->set;
    char *text = read_config(w, &n);
    int r = text ? setting_load(&fresh, w->plan, slice_of(text, n), w->shared->tickets, &why) : ERR_NOMEM;
    free(text);
    if (r == OK) r = guard_set_policy(w->guard, fresh->config->policy);
    if (r != OK) {
        setting_free(fresh);
        return false;
    }
    match_listeners(w, fresh);
    memset(w->broker_rest, 0, sizeof w->broker_rest);
    memset(w->broker_at, 0, sizeof w->broker_at);
    w->generation++;
    w->set = fresh;
    setting_free(old);
    return true;
}

/* drain stops accepting and lets clients go on until `ms` have passed. */
static void drain(struct worker *w, int64_t ms) {
    if (w->draining) return;
    w->draining = true;
    stop_accepting(w);
    w->accept_again = 0;
    for (unsigned i = 0; i < w->listeners; i++) close(w->listener[i].fd);
    w->listeners = 0;
    w->drained_by = w->now_ms + ms;
}

static void on_control(struct worker *w) {
    char m;
    ssize_t n;
    while ((n = recv(w->control, &m, 1, MSG_DONTWAIT)) == 1) {
        if (m == MSG_DRAIN) drain(w, w->set->config->drain_time / 1000000);
        if (m == MSG_END) drain(w, 0);
        if (m != MSG_RELOAD) continue;
        char answer = reload(w) ? MSG_RELOADED : MSG_REFUSED;
        (void)!send(w->control, &answer, 1, MSG_NOSIGNAL);
    }
    if (n == 0) _exit(1); /* the parent is gone; nobody would supervise, write records or reload */
}

static void dispatch(struct worker *w, const struct loop_event *e) {
    switch ((enum worker_event)e->ref.kind) {
    case EV_CONTROL: return on_control(w);
    case EV_LISTENER: return accept_some(w, e->ref.at);
    case EV_CONN:
        if (worker_conn(w, e->ref.at)->life == e->ref.life) conn_event(w, e->ref.at, e->ref.side, e->events);
        return;
    }
}

static void read_clock(struct worker *w) {
    w->now = clock_ns();
    w->now_ms = w->now / 1000000;
}

static void say_goodbye(struct worker *w) {
    w->said_goodbye = true;
    for (uint32_t at = 1; at < w->conns; at++)
        if (worker_conn(w, at)->state != CONN_FREE) conn_goodbye(w, at);
}

/* give_back returns what the heap keeps of handshakes and connections that have ended, once there were many of them. It
 * takes a millisecond or some, so it waits for a moment without events, but not for ever: a worker that never has one
 * would keep the most it ever needed, in pieces. */
static void give_back(struct worker *w) {
    uint64_t did = w->cell->stat[PROXY_STAT_ACCEPTED];
    if (did - w->trimmed < TRIM_AFTER && w->connections >= w->trim_below) return;
    if (!w->idle && w->now_ms < w->trim_by) return;
    malloc_trim(0);
    w->trimmed = did;
    w->trim_below = w->connections / 2;
    w->trim_by = w->now_ms + TRIM_BUSY_MS;
}

/* keep_house does what is due by the clock; true: the worker may end. */
static bool keep_house(struct worker *w) {
    w->expiring = wheel_turn(&w->wheel, w->now_ms, EXPIRE_BATCH);
    if (w->accept_again && w->accept_again <= w->now_ms && w->connections < w->connections_max) watch_listeners(w);
    if (atomic_load_explicit(&w->cell->beat, memory_order_relaxed) + BEAT_MS / 2 < w->now_ms) {
        atomic_store_explicit(&w->cell->beat, w->now_ms, memory_order_relaxed);
        w->wall = clock_wall_ns() - w->now;
        guard_set_wall(w->guard, w->wall);
    }
    give_back(w);
    if (!w->draining) return false;
    if (!w->said_goodbye && w->now_ms >= w->drained_by) say_goodbye(w);
    return w->connections == 0;
}

static void turn(struct worker *w) {
    struct loop_event e[LOOP_BATCH];
    bool work = w->ready || w->expiring;
    int n = loop_wait(&w->loop, e, work ? 0 : w->connections || w->accept_again || w->draining ? TURN_MS : BEAT_MS);
    w->idle = n == 0;
    read_clock(w);
    run_ready(w);
    for (int i = 0; i < n; i++) dispatch(w, &e[i]);
}

/* room_for returns how many connections the descriptor limit allows: two each. */
static uint32_t room_for(const struct guard_config *c) {
    struct rlimit l = {0};
    if (getrlimit(RLIMIT_NOFILE, &l) == 0 && l.rlim_cur < l.rlim_max) {
        l.rlim_cur = l.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &l);
    }
    uint32_t most = l.rlim_cur > 2 * FD_RESERVE ? (uint32_t)(l.rlim_cur - FD_RESERVE) / 2 : FD_RESERVE / 2;
    if (most > CONN_CHUNK * CONN_CHUNKS - 1) most = CONN_CHUNK * CONN_CHUNKS - 1;
    return c->connections && c->connections < most ? c->connections : most;
}

static struct wheel_node *timer_of(void *w, uint32_t at) { return &worker_conn(w, at)->timer; }
static void on_timer(void *w, uint32_t at) { conn_expire(w, at); }

/* own_addresses notes the listeners' addresses, where they are one. */
static void own_addresses(struct worker *w) {
    for (unsigned i = 0; i < w->listeners; i++) {
        struct sock_addr a = sock_name(w->listener[i].fd);
        struct sock_peer own = sock_peer_of(&a);
        static const uint8_t any[16];
        if (memcmp(own.ip, any, sizeof any) != 0) w->own[i] = own;
    }
}

static bool set_up(struct worker *w, const struct worker_start *s) {
    read_clock(w);
    w->plan = s->plan, w->shared = s->shared, w->cell = &s->shared->worker[s->number], w->set = s->set;
    w->number = s->number, w->control = s->control, w->config = s->config, w->wake = s->wake;
    w->ids = (uint64_t)(s->number + 1) << 48 | (uint64_t)(atomic_load(&w->cell->restarts) & 0xffff) << 32;
    w->source = s->number;
    w->listeners = s->listeners;
    memcpy(w->listener, s->listener, s->listeners * sizeof *s->listener);
    memcpy(w->bound, s->bound, s->listeners * sizeof *s->bound);
    match_listeners(w, w->set);
    own_addresses(w);
    w->connections_max = room_for(w->set->config);
    w->wheel.node = timer_of, w->wheel.fire = on_timer, w->wheel.owner = w;
    wheel_init(&w->wheel, w->now_ms);
    w->wall = clock_wall_ns() - w->now;
    struct guard_options o = {.writer = s->number, .wall = w->wall, .event = on_event, .to = w};
    struct loop_ref ref = {.kind = EV_CONTROL};
    w->wire = tls_wire_make();
    return w->wire && loop_open(&w->loop) == OK && loop_add(&w->loop, w->control, EPOLLIN, ref) == OK &&
           guard_make(&w->guard, w->set->config->policy, s->guard_shared, &o) == OK;
}

static void default_signals(void) {
    sigset_t none;
    sigemptyset(&none);
    /* Ctrl-C reaches the whole group: the parent decides what becomes of it. */
    signal(SIGINT, SIG_IGN), signal(SIGHUP, SIG_IGN), signal(SIGUSR1, SIG_IGN), signal(SIGUSR2, SIG_IGN);
    signal(SIGTERM, SIG_IGN), signal(SIGPIPE, SIG_IGN);
    sigprocmask(SIG_SETMASK, &none, NULL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
}

int worker_main(const struct worker_start *start) {
    default_signals();
    struct worker *w = calloc(1, sizeof *w);
    if (!w || !set_up(w, start)) {
        fprintf(stderr, "weir guard: worker %u cannot start: %s\n", start->number, strerror(errno));
        return 2;
    }
    watch_listeners(w);
    atomic_store(&w->cell->beat, w->now_ms);
    do turn(w);
    while (!keep_house(w));
    guard_free(w->guard);
    setting_free(w->set);
    return 0;
}
