/* SPDX-License-Identifier: Apache-2.0 */
/* Theory of operation: recording the command's packets, and no others.
 *
 * Whose a packet is is often known only after it came: the socket is reported when connect() has returned. So every
 * packet waits HOLD_MS, in the order of arrival, and is written or let go when its time is up. Keys come in the
 * meantime and are written before it, which lets a reader of the file decrypt in one pass. What waits is bounded by
 * HELD_MOST bytes; beyond that packets are judged early. When the command has ended, what it sent last is still taken
 * (DRAIN_MS). A process that runs already is recorded the same way, and goes on when the recording ends. */
#include "app/children.h"
#include "app/run/run.h"
#include "app/run/run_attach.h"
#include "base/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum {
    HOLD_MS = 1000,
    DRAIN_MS = 300,
    WAIT_MS = 5,
    LOOK_MS = 10,
    LOOK_ALONE_MS = 1,
    LOOK_MOST_MS = 250,
    LOOK_SHARE = 4,
    TURN_PACKETS = 256,
    FLUSH_MS = 200
};
#define HELD_MOST ((size_t)64 << 20)
#define SECRETS_TLS 0x544c534bu /* pcapng, decryption secrets: a key log of TLS */

struct held {
    struct held *next;
    int64_t since;
    struct packet pkt;
    uint8_t bytes[];
};

struct loop {
    const struct run_opts *o;
    struct live *live;
    struct capwrite *w;
    struct run_child *child;   /* NULL: */
    struct run_attach *attach; /* a process that runs already */
    struct run_sockets *sockets;
    struct run_keys *keys;
    struct run_ends *ends;
    struct held *first, **last;
    size_t held;
    uint64_t packets, early;
    int64_t look_at;
    int err;
};

/* greet tells of ClientHellos before it is known whose they are. */
static void greet(struct loop *l, const struct packet *p) {
    struct run_packet packet;
    if (!run_packet_read(p->iface->linktype, p->data, &packet) || packet.proto != IPPROTO_TCP) return;
    struct slice random = run_hello_random(packet.payload);
    if (random.n) run_attach_greeting(l->attach, l->ends, &packet, random);
}

static void hold(struct loop *l, const struct packet *p) {
    if (l->attach) greet(l, p);
    struct held *h = malloc(sizeof *h + p->data.n);
    if (!h) return;
    *h = (struct held){.since = clock_ms(), .pkt = *p};
    memcpy(h->bytes, p->data.p, p->data.n);
    h->pkt.data = slice_of(h->bytes, p->data.n);
    *l->last = h;
    l->last = &h->next;
    l->held += p->data.n;
}

static void keep_error(struct loop *l, int code) {
    if (code < 0 && !l->err) l->err = code;
}

static void secrets_write(struct loop *l) {
    struct slice fresh = wr_done(&l->keys->fresh);
    if (!fresh.n) return;
    keep_error(l, capwrite_secrets(l->w, SECRETS_TLS, fresh));
    wr_reset(&l->keys->fresh);
}

/* judge writes the packet where it is the command's, and tells whether it is. */
static bool judge(struct loop *l, const struct held *h) {
    struct run_packet p;
    if (l->err || !run_packet_read(h->pkt.iface->linktype, h->pkt.data, &p) || !run_ends_has(l->ends, &p)) return false;
    struct slice random = p.proto == IPPROTO_TCP ? run_hello_random(p.payload) : (struct slice){0};
    if (l->o->count && l->packets >= (uint64_t)l->o->count) return false;
    if (random.n) run_keys_hello(l->keys, random, &p.dst);
    if (l->attach && random.n) run_attach_hello(l->attach, l->keys, random);
    if (l->attach && p.proto == IPPROTO_TCP) run_keys_older(l->keys, &p, random.n > 0);
    secrets_write(l);
    l->packets++;
    keep_error(l, capwrite_packet(l->w, &h->pkt));
    return true;
}

/* let_go judges what has waited long enough, or everything. */
static void let_go(struct loop *l, bool all) {
    int64_t now = clock_ms();
    for (struct held *h; (h = l->first);) {
        bool over = l->held > HELD_MOST;
        if (!all && !over && now - h->since < HOLD_MS) return;
        bool early = !all && now - h->since < HOLD_MS;
        if (!judge(l, h) && early) l->early++;
        l->first = h->next;
        if (!l->first) l->last = &l->first;
        l->held -= h->pkt.data.n;
        free(h);
    }
}

static void keys_look(struct loop *l) {
    run_keys_look(l->keys);
    if (l->attach) run_attach_look(l->attach, l->keys, l->ends);
}

/* look learns of sockets and keys; looking at all descriptors takes no more than a part of the time. */
static void look(struct loop *l) {
    int64_t now = clock_ms();
    run_sockets_report(l->sockets, l->ends);
    keys_look(l);
    if (now < l->look_at) return;
    run_sockets_look(l->sockets, l->ends);
    /* Where the library is in the command, this is for those it starts that do not have it. */
    int64_t cost = (clock_ms() - now) * LOOK_SHARE, least = l->sockets->joined ? LOOK_MS : LOOK_ALONE_MS;
    l->look_at = now + (cost < least ? least : cost < LOOK_MOST_MS ? cost : LOOK_MOST_MS);
}

/* take gets packets, at most so many that looking is not put off. */
static bool take(struct loop *l, int wait) {
    struct packet p;
    for (int i = 0; i < TURN_PACKETS; i++) {
        int r = live_next(l->live, &p, i ? 0 : wait);
        if (r == LIVE_NOTHING) return true;
        if (r < 0) {
            if (r != ERR_END) opt_bad_use(&run_command, "%s", live_why(l->live));
            return false;
        }
        hold(l, &p);
    }
    return true;
}

static void drain(struct loop *l) {
    run_sockets_look(l->sockets, l->ends);
    int64_t until = clock_ms() + DRAIN_MS;
    bool fine = true;
    while (clock_ms() < until && (fine = take(l, WAIT_MS))) look(l);
    live_end(l->live);
    while (fine && (fine = take(l, WAIT_MS))) look(l);
    keys_look(l);
    let_go(l, true);
    keys_look(l);
    secrets_write(l);
}

static void end_print(const struct shim_end *e) {
    char text[INET6_ADDRSTRLEN] = "";
    inet_ntop(e->len == 4 ? AF_INET : AF_INET6, e->addr, text, sizeof text);
    fprintf(stderr, e->len == 4 ? "%s:%u" : "[%s]:%u", text, e->port);
}

/* tell_missing says which sessions have no keys. */
static void tell_missing(const struct loop *l, uint32_t without) {
    const struct run_session *one = NULL;
    for (uint32_t i = 0; i < l->keys->sessions && !one; i++)
        if (!l->keys->session[i].keyed) one = &l->keys->session[i];
    fprintf(stderr, "weir run: no keys for %u of %u TLS %s (", without, l->keys->sessions,
            plural(l->keys->sessions, "session", "sessions"));
    end_print(&one->server);
    fprintf(stderr, "%s): %s\n", without > 1 ? ", ..." : "",
            l->attach ? run_attach_reason(l->attach)
                      : "the handshake was not completed, or the program's TLS is neither OpenSSL as a shared library "
                        "nor one that obeys SSLKEYLOGFILE");
}

/* tell_older names connections whose handshake is not in the file, so that no key opens them. */
static void tell_older(const struct run_keys *k) {
    fprintf(stderr, plural(k->older.n, "weir run: %zu TLS connection (", "weir run: %zu TLS connections ("),
            k->older.n);
    end_print(&k->older_ends[0]);
    fputs(" with ", stderr);
    end_print(&k->older_ends[1]);
    fputs(plural(k->older.n, ") had begun before the recording: without its handshake it cannot be read\n",
                 ", ...) had begun before the recording: without their handshakes they cannot be read\n"),
          stderr);
}

static void count_left(void *to, pid_t pid) {
    (void)pid;
    ++*(unsigned *)to;
}

static const char *file_name(const struct run_opts *o) { return strcmp(o->file, "-") ? o->file : "standard output"; }

static void tell(const struct loop *l) {
    struct live_counts c = {0};
    uint32_t without = 0;
    unsigned left = 0;
    for (uint32_t i = 0; i < l->keys->sessions; i++) without += !l->keys->session[i].keyed;
    (void)!live_counts(l->live, &c);
    if (!l->o->quiet) {
        uint32_t with = l->keys->sessions - without;
        fprintf(stderr, plural(l->packets, "weir run: %llu packet in %s", "weir run: %llu packets in %s"),
                (unsigned long long)l->packets, file_name(l->o));
        if (with)
            fprintf(stderr, plural(with, ", with the keys of %u TLS session", ", with the keys of %u TLS sessions"),
                    with);
        fputc('\n', stderr);
    }
    if (without) tell_missing(l, without);
    if (l->keys->older.n) tell_older(l->keys);
    if (l->child && !l->sockets->joined)
        fprintf(stderr,
                "weir run: the command could not be joined (%s): sockets that lived for some milliseconds only may be "
                "missing\n",
                l->child->preloaded ? "it is linked statically, or runs with other rights"
                                    : "the library for it was not found or not wanted");
    if (c.dropped)
        fprintf(stderr,
                plural(c.dropped, "weir run: the kernel dropped %llu packet\n",
                       "weir run: the kernel dropped %llu packets\n"),
                (unsigned long long)c.dropped);
    if (l->early)
        fprintf(stderr,
                plural(l->early,
                       "weir run: %llu packet was judged early for want of memory; some of the command's may be "
                       "missing\n",
                       "weir run: %llu packets were judged early for want of memory; some of the command's may be "
                       "missing\n"),
                (unsigned long long)l->early);
    if (l->child) run_children(0, count_left, &left);
    if (left)
        fprintf(stderr,
                plural(left, "weir run: %u process it started still runs and is recorded no more\n",
                       "weir run: %u processes it started still run and are recorded no more\n"),
                left);
}

static void turn(struct loop *l) {
    look(l);
    let_go(l, false);
}

/* command_follow records until the command has ended; its exit status, or why it could not begin. */
static int command_follow(struct loop *l) {
    int status = run_child_go(l->child, l->o);
    if (status != OPT_GO) {
        (void)unlink(l->o->file); /* there is nothing to record */
        return status;
    }
    while (!run_child_reap(l->child) && take(l, l->sockets->joined ? WAIT_MS : LOOK_ALONE_MS)) turn(l);
    while (!run_child_reap(l->child)) { /* the capture failed; the command goes on */
        struct timespec nap = {.tv_nsec = WAIT_MS * 1000000};
        nanosleep(&nap, NULL);
    }
    drain(l);
    tell(l);
    return l->child->status;
}

/* process_follow records until Ctrl-C, a limit, or the end of the process. */
static int process_follow(struct loop *l) {
    const struct run_opts *o = l->o;
    children_watch();
    run_sockets_look(l->sockets, l->ends);
    run_attach_tell(l->attach, file_name(o));
    int64_t flushed = clock_ms(), end = o->stop_ms ? clock_ms() + o->stop_ms : INT64_MAX;
    bool ended = false, fine = true;
    while (fine && !ended && !l->err && !children_stopped() && clock_ms() < end &&
           (!o->count || l->packets < (uint64_t)o->count)) {
        fine = take(l, LOOK_ALONE_MS);
        turn(l);
        if (clock_ms() - flushed > FLUSH_MS) { /* somebody may be reading along */
            keep_error(l, capwrite_flush(l->w));
            flushed = clock_ms();
        }
        ended = run_attach_ended(l->attach);
    }
    drain(l);
    if (ended && !o->quiet) fprintf(stderr, "weir run: %s has ended\n", run_attach_name(l->attach));
    tell(l);
    return fine ? EXIT_FINE : EXIT_TROUBLE;
}

int run_record(const struct run_opts *o, struct live *live, int fd, const struct run_source *from) {
    struct loop l = {.o = o, .live = live, .child = from->child, .attach = from->attach, .sockets = from->sockets};
    l.keys = from->keys;
    l.ends = from->ends;
    l.last = &l.first;
    int code = capwrite_open(&l.w, fd, CAPWRITE_PCAPNG, live_interface(live));
    if (code < 0) return opt_bad_use(&run_command, "%s: %s", o->file, strerror(errno));
    int status = l.attach ? process_follow(&l) : command_follow(&l);
    let_go(&l, true);
    code = capwrite_close(l.w);
    if (!l.err) l.err = code;
    if (l.err < 0) {
        opt_bad_use(&run_command, "%s: %s; it is valid up to its last whole packet", o->file,
                    l.err == ERR_LIMIT ? "no space left" : strerror(errno));
        if (!status) status = EXIT_TROUBLE;
    }
    return status;
}
