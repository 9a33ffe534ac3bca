/* SPDX-License-Identifier: Apache-2.0 */
/* mqtt-load: very many MQTT clients from one machine, to measure what stands between them and a broker.
 *
 *     mqtt-load [options] MODE ADDRESS
 *
 * Modes:
 *   - loop: each client subscribes to its own topic and publishes to it; latency is from PUBLISH sent to PUBLISH
 * received
 *   - idle: clients connect and stay; with --carry N each first sends itself a message of N bytes. A line of JSON says
 *     when all are there
 *   - connect: connects, waits for CONNACK, closes with a reset (--polite: says DISCONNECT and waits for the end),
 * again and again: connections per second, --rate of them where it is given
 *   - trickle: clients send a byte of their CONNECT every second
 *   - silent: clients connect over TCP (TLS with --tls) and send nothing
 *   - deaf: clients subscribe to load/flood and never read; one client publishes there
 *   - halftls: clients send the first bytes of a TLS handshake and stop
 *
 * Each process has its own event loop; --processes divides the clients, since descriptors are limited per process and
 * a source address has about 28,000 ports: --sources K uses 127.0.0.2 to 127.0.0.K+1. The result is one line of JSON.
 */
#include "base/clock.h"
#include "io/loop.h"
#include "io/sock.h"
#include "io/tls/tls.h"
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PROCESSES_MAX = 64, BUCKETS = 4096, IN_MAX = 65536, KEEP_ALIVE = 600, CONNECTING_MAX = 256, DRAIN_MS = 10000 };
enum mode { LOOP, IDLE, CONNECT, TRICKLE, SILENT, DEAF, HALFTLS, MODES };
static const char *const mode_names[] = {"loop", "idle", "connect", "trickle", "silent", "deaf", "halftls"};
_Static_assert(sizeof mode_names / sizeof *mode_names == MODES, "every mode has a name");

struct options {
    enum mode mode;
    struct sock_addr to;
    unsigned clients, processes, sources, window, size, qos, version, carry;
    double rate, seconds;
    int run; /* tells several runs at one broker apart */
    bool tls, polite, json;
    const char *ca, *cert, *key;
};

/* tally is what a process measured; in shared memory, one for each. */
struct tally {
    uint64_t connected, failed, lost, sent, received, connects;
    uint64_t bucket[BUCKETS]; /* latencies: logarithmic, 64 to a doubling, from 1 microsecond */
    int64_t max_ns, first_ns, last_ns, all_connected_ns;
    uint64_t refused;
};

enum client_state { C_NONE, C_TCP, C_TLS, C_CONNECT, C_SUB, C_LEAVING, C_UP, C_END };
struct client {
    int fd;
    struct tls *tls;
    uint8_t state, flags;
    uint16_t id_next;
    uint32_t inflight, at;
    uint8_t *rest; /* part of a packet */
    uint32_t rest_n;
    uint8_t *out;
    uint32_t out_n;
    int64_t next_send;
};

struct load {
    const struct options *o;
    struct tally *t;
    struct loop loop;
    struct tls_wire *wire;
    struct ssl_ctx_st *ctx;
    struct client *client;
    unsigned n, first, started, connecting, up;
    int64_t now, begun, end;
    uint64_t again; /* clients that came once more */
    uint8_t in[IN_MAX + TLS_READ_MIN];
    uint8_t packet[1 << 20];
};

static void close_client(struct load *l, struct client *c) {
    if (c->state == C_NONE || c->state == C_END) return;
    if (c->state < C_UP) l->connecting--;
    else l->up--;
    if (c->tls) tls_free(l->wire, c->tls);
    if (l->o->mode == CONNECT && !l->o->polite) sock_close_hard(c->fd);
    else close(c->fd);
    free(c->rest), free(c->out);
    *c = (struct client){.fd = -1, .state = C_END};
}

static void lose(struct load *l, struct client *c) {
    if (c->state >= C_UP) l->t->lost++;
    else l->t->failed++;
    close_client(l, c);
}

static void put_out(struct load *l, struct client *c, struct slice s) {
    if (!c->out_n) {
        ssize_t n = c->tls ? tls_write(l->wire, c->tls, c->fd, s.p, s.n) : send(c->fd, s.p, s.n, MSG_NOSIGNAL);
        if (n > 0) s = slice_tail(s, (size_t)n);
        if (!s.n) return;
    }
    uint8_t *grown = realloc(c->out, c->out_n + s.n);
    if (!grown) return;
    memcpy(grown + c->out_n, s.p, s.n);
    c->out = grown;
    c->out_n += (uint32_t)s.n;
}

static void flush(struct load *l, struct client *c) {
    if (!c->out_n) return;
    ssize_t n =
        c->tls ? tls_write(l->wire, c->tls, c->fd, c->out, c->out_n) : send(c->fd, c->out, c->out_n, MSG_NOSIGNAL);
    if (n <= 0) return;
    memmove(c->out, c->out + n, c->out_n - (size_t)n);
    c->out_n -= (uint32_t)n;
    if (!c->out_n) free(c->out), c->out = NULL;
}

/* ---- packets ---- */

static uint8_t *put16(uint8_t *p, unsigned v) {
    *p++ = (uint8_t)(v >> 8);
    *p++ = (uint8_t)v;
    return p;
}
static uint8_t *put_string(uint8_t *p, const char *s) {
    size_t n = strlen(s);
    p = put16(p, (unsigned)n);
    memcpy(p, s, n);
    return p + n;
}
static uint8_t *put_length(uint8_t *p, size_t n) {
    do *p++ = (uint8_t)((n & 127) | (n > 127 ? 128 : 0));
    while (n >>= 7);
    return p;
}

static void topic_of(const struct load *l, const struct client *c, char *text, size_t n) {
    if (l->o->mode == DEAF) snprintf(text, n, "load/flood");
    else snprintf(text, n, "load/%x/%u", (unsigned)l->o->run, l->first + (unsigned)(c - l->client));
}

static struct slice packet(struct load *l, uint8_t type, const uint8_t *body, size_t n) {
    uint8_t *p = l->packet;
    *p++ = type;
    p = put_length(p, n);
    memcpy(p, body, n);
    return slice_of(l->packet, (size_t)(p - l->packet) + n);
}

static struct slice make_connect(struct load *l, const struct client *c) {
    uint8_t body[256], *p = body;
    char id[64];
    /* A client that comes again and again must not look like one that flaps. */
    unsigned long long turn = l->o->mode == CONNECT ? (unsigned long long)l->t->connects : 0;
    snprintf(id, sizeof id, "load-%d-%u-%llu", l->o->run, l->first + (unsigned)(c - l->client), turn);
    p = put_string(p, "MQTT");
    *p++ = l->o->version == 5 ? 5 : 4;
    *p++ = 2; /* clean session */
    p = put16(p, KEEP_ALIVE);
    if (l->o->version == 5) *p++ = 0;
    p = put_string(p, id);
    return packet(l, 0x10, body, (size_t)(p - body));
}

static struct slice make_subscribe(struct load *l, const struct client *c) {
    uint8_t body[128], *p = body;
    char topic[64];
    topic_of(l, c, topic, sizeof topic);
    p = put16(p, 1);
    if (l->o->version == 5) *p++ = 0;
    p = put_string(p, topic);
    *p++ = (uint8_t)l->o->qos;
    return packet(l, 0x82, body, (size_t)(p - body));
}

/* A payload says when it was sent: its first bytes do, or as JSON the number in its first member. */
#define JSON_HEAD "{\"ts\":"
enum { JSON_DIGITS = 19 };
#define JSON_BASE INT64_C(1000000000000000000)

static void put_payload(bool json, uint8_t *p, size_t size, int64_t now) {
    static const char tail[] =
        ",\"device\":\"pump-17\",\"state\":\"ON\",\"temperature\":21.5,\"humidity\":40.2,\"battery\":87,"
        "\"rssi\":-61,\"fw\":\"1.4.2\",\"location\":\"hall 3\",\"alarm\":false";
    memset(p, json ? ' ' : 'x', size);
    if (!json && size >= sizeof now) memcpy(p, &now, sizeof now);
    if (!json || size < sizeof JSON_HEAD + JSON_DIGITS + sizeof tail) return;
    char head[sizeof JSON_HEAD + 24];
    int n = snprintf(head, sizeof head, JSON_HEAD "%lld", (long long)(JSON_BASE + now));
    memcpy(p, head, (size_t)n);
    memcpy(p + n, tail, sizeof tail - 1);
    p[size - 1] = '}';
}

/* sent_at reads it again; 0: it does not say. */
static int64_t sent_at(bool json, struct slice payload) {
    int64_t sent = 0;
    size_t head = sizeof JSON_HEAD - 1;
    if (!json && payload.n >= sizeof sent) memcpy(&sent, payload.p, sizeof sent);
    if (!json || payload.n < head + JSON_DIGITS) return sent;
    for (size_t i = 0; i < JSON_DIGITS; i++) sent = sent * 10 + (payload.p[head + i] - '0');
    return sent - JSON_BASE;
}

static void publish(struct load *l, struct client *c, size_t size) {
    static uint8_t body[1 << 20];
    uint8_t *p = body;
    char topic[64];
    topic_of(l, c, topic, sizeof topic);
    p = put_string(p, topic);
    if (l->o->qos) p = put16(p, c->id_next = c->id_next == 65535 ? 1 : (uint16_t)(c->id_next + 1));
    if (l->o->version == 5) *p++ = 0;
    if (size > sizeof body - 256) size = sizeof body - 256;
    int64_t now = clock_ns();
    put_payload(l->o->json, p, size, now);
    put_out(l, c, packet(l, (uint8_t)(0x30 | l->o->qos << 1), body, (size_t)(p - body) + size));
    l->t->sent++;
    c->inflight++;
    if (!l->t->first_ns) l->t->first_ns = now;
}

/* ---- what comes ---- */

static void note_latency(struct tally *t, int64_t ns) {
    double us = ns > 1000 ? (double)ns / 1000 : 1;
    int k = 0;
    while (us >= 2) us /= 2, k += 64;
    k += (int)((us - 1) * 64);
    t->bucket[k < BUCKETS ? k : BUCKETS - 1]++;
    if (ns > t->max_ns) t->max_ns = ns;
}

static void come_up(struct load *l, struct client *c) {
    c->state = C_UP;
    l->connecting--;
    l->up++;
    l->t->connected++;
    if (l->up == l->n) l->t->all_connected_ns = clock_ns() - l->begun;
    if (l->o->carry) publish(l, c, l->o->carry);
}

static void on_publish(struct load *l, struct client *c, uint8_t first, struct slice body) {
    if (body.n < 2) return;
    size_t topic = (size_t)(body.p[0] << 8 | body.p[1]), at = 2 + topic;
    int qos = first >> 1 & 3;
    uint8_t ack[4] = {qos == 2 ? 0x50 : 0x40, 2};
    if (at + 2 > body.n) return;
    if (qos) memcpy(ack + 2, body.p + at, 2), at += 2, put_out(l, c, slice_of(ack, 4));
    if (l->o->version == 5) at += 1u + body.p[at];
    if (at > body.n) return;
    int64_t now = clock_ns(), sent = sent_at(l->o->json, slice_tail(body, at));
    l->t->received++;
    l->t->last_ns = now;
    if (c->inflight) c->inflight--;
    if (sent && sent <= now) note_latency(l->t, now - sent);
}

static void on_packet(struct load *l, struct client *c, uint8_t first, struct slice body) {
    uint8_t answer[4] = {0, 2, body.n > 1 ? body.p[0] : 0, body.n > 1 ? body.p[1] : 0};
    switch (first >> 4) {
    case 2: /* CONNACK */
        if (body.n < 2 || body.p[1]) {
            l->t->refused++;
            lose(l, c);
        } else if (l->o->mode == CONNECT) {
            l->t->connects++;
            if (l->o->polite) c->state = C_LEAVING, put_out(l, c, slice_of("\xe0\0", 2));
            else close_client(l, c);
        } else if (l->o->mode == IDLE && !l->o->carry) {
            come_up(l, c);
        } else {
            c->state = C_SUB;
            put_out(l, c, make_subscribe(l, c));
        }
        break;
    case 3: on_publish(l, c, first, body); break;
    case 5: answer[0] = 0x62, put_out(l, c, slice_of(answer, 4)); break; /* PUBREC */
    case 6: answer[0] = 0x70, put_out(l, c, slice_of(answer, 4)); break; /* PUBREL */
    case 9: come_up(l, c); break;                                        /* SUBACK */
    default: break;
    }
}

static size_t split(struct load *l, struct client *c, struct slice in) {
    size_t at = 0;
    while (c->state != C_END && in.n - at >= 2) {
        size_t n = 0, i = 1;
        do n |= (size_t)(in.p[at + i] & 127) << 7 * (i - 1);
        while (in.p[at + i++] & 128 && at + i < in.n && i < 5);
        if (in.p[at + i - 1] & 128 || in.n - at - i < n) break;
        on_packet(l, c, in.p[at], slice_of(in.p + at + i, n));
        at += i + n;
    }
    return at;
}

static void read_client(struct load *l, struct client *c) {
    bool drained;
    for (;;) {
        uint32_t kept = c->rest_n;
        if (kept > IN_MAX) return lose(l, c);
        if (kept) memcpy(l->in, c->rest, kept);
        ssize_t n = c->tls ? tls_read(l->wire, c->tls, c->fd, l->in + kept, TLS_READ_MIN, &drained)
                           : recv(c->fd, l->in + kept, TLS_READ_MIN, 0);
        bool ended = n == 0 || (n < 0 && (c->tls ? n != TLS_AGAIN : errno != EAGAIN));
        if (ended && c->state == C_LEAVING) return close_client(l, c);
        if (ended) return lose(l, c);
        if (n < 0) return;
        struct slice in = slice_of(l->in, kept + (size_t)n);
        struct slice rest = slice_tail(in, split(l, c, in));
        if (c->state == C_END) return;
        free(c->rest);
        c->rest = NULL;
        c->rest_n = (uint32_t)rest.n;
        if (rest.n && (c->rest = malloc(rest.n))) memcpy(c->rest, rest.p, rest.n);
        if (n < TLS_READ_MIN && !c->tls) return;
    }
}

/* ---- connecting ---- */

static void send_first(struct load *l, struct client *c) {
    static const uint8_t hello[] = {22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3};
    c->state = C_CONNECT;
    switch (l->o->mode) {
    case HALFTLS: put_out(l, c, slice_of(hello, sizeof hello)); /* fall through */
    case SILENT: come_up(l, c); break;
    case TRICKLE: come_up(l, c); break;
    default: put_out(l, c, make_connect(l, c));
    }
}

static void tcp_is_up(struct load *l, struct client *c) {
    if (sock_connected(c->fd) != 0) return lose(l, c);
    if (!l->o->tls) return send_first(l, c);
    c->tls = tls_connect(l->wire, l->ctx, NULL);
    c->state = C_TLS;
}

static void start_client(struct load *l, struct client *c) {
    struct sock_addr from = {.v4 = {.sin_family = AF_INET}, .len = sizeof(struct sockaddr_in)};
    unsigned i = (unsigned)(c - l->client) + l->first;
    from.v4.sin_addr.s_addr = htonl(0x7f000002u + i % (l->o->sources ? l->o->sources : 1));
    int fd = sock_connect(&l->o->to, l->o->sources && !sock_is_local(&l->o->to) ? &from : NULL);
    *c = (struct client){.fd = fd, .state = fd < 0 ? C_END : C_TCP};
    if (fd < 0) {
        l->t->failed++;
        return;
    }
    l->connecting++;
    struct loop_ref ref = {.at = (uint32_t)(c - l->client)};
    if (loop_add(&l->loop, fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, ref) != OK) lose(l, c);
}

static void on_event(struct load *l, struct client *c, uint32_t events) {
    if (c->state == C_END) return;
    if (c->state == C_TCP && events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) tcp_is_up(l, c);
    if (c->state == C_TLS) {
        int r = tls_handshake(l->wire, c->tls, c->fd);
        if (r == 1) send_first(l, c);
        else if (r != TLS_AGAIN) return lose(l, c);
    }
    if (c->state < C_CONNECT || c->state == C_END) return;
    if (l->o->mode == DEAF && c->state == C_UP && c != l->client) {
        if (events & (EPOLLERR | EPOLLHUP)) lose(l, c);
        return;
    }
    if (events & EPOLLOUT) flush(l, c);
    if (events & (EPOLLIN | EPOLLRDHUP | EPOLLERR | EPOLLHUP)) read_client(l, c);
}

/* ---- work ---- */

static void trickle(struct load *l, struct client *c) {
    if (c->state != C_UP || c->next_send > l->now) return;
    struct slice s = make_connect(l, c);
    c->next_send = l->now + 1000;
    if (c->at < s.n) put_out(l, c, slice_of(s.p + c->at, 1));
    c->at++;
}

static void publish_some(struct load *l, struct client *c, int64_t gap_ns) {
    if (c->state != C_UP || c->out_n) return;
    int64_t now = clock_ns();
    if (gap_ns == 0) {
        while (c->inflight < l->o->window && !c->out_n) publish(l, c, l->o->size);
        return;
    }
    if (!c->next_send) c->next_send = now + gap_ns * (rand() % 1000) / 1000;
    for (int k = 0; k < 64 && c->next_send <= now; k++, c->next_send += gap_ns) publish(l, c, l->o->size);
}

static void work(struct load *l) {
    const struct options *o = l->o;
    bool all = l->started == l->n && l->connecting == 0;
    int64_t gap = o->rate > 0 ? (int64_t)(1e9 * o->clients / o->rate) : 0;
    if (o->mode == TRICKLE)
        for (unsigned i = 0; i < l->n; i++) trickle(l, &l->client[i]);
    if (o->mode == LOOP && all)
        for (unsigned i = 0; i < l->n; i++) publish_some(l, &l->client[i], gap);
    if (o->mode == DEAF && all) publish_some(l, &l->client[0], 1000000);
}

static void start_some(struct load *l) {
    for (; l->started < l->n && l->connecting < CONNECTING_MAX; l->started++) start_client(l, &l->client[l->started]);
    if (l->o->mode != CONNECT || l->started < l->n) return;
    double rate = l->o->rate / l->o->processes, begun = (double)l->begun / 1e6;
    for (unsigned i = 0; i < l->n; i++) {
        if (rate > 0 && (double)l->again >= rate * ((double)l->now - begun) / 1000) return;
        if (l->client[i].state == C_END) start_client(l, &l->client[i]), l->again++;
    }
}

static void run(struct load *l) {
    struct loop_event e[LOOP_BATCH];
    bool timed = l->o->mode != LOOP;
    while ((l->now = clock_ms()) < l->end) {
        start_some(l);
        int n = loop_wait(&l->loop, e, 1);
        for (int i = 0; i < n; i++) on_event(l, &l->client[e[i].ref.at], e[i].events);
        work(l);
        /* The clock of a load starts when everybody is there. */
        if (!timed && l->started == l->n && l->connecting == 0) {
            timed = true;
            l->end = clock_ms() + (int64_t)(l->o->seconds * 1000);
        }
    }
    if (l->o->mode == LOOP) { /* what is under way still counts */
        for (int64_t until = clock_ms() + DRAIN_MS; clock_ms() < until && l->t->received < l->t->sent;) {
            int n = loop_wait(&l->loop, e, 10);
            for (int i = 0; i < n; i++) on_event(l, &l->client[e[i].ref.at], e[i].events);
        }
    }
}

static int run_process(const struct options *o, struct tally *t, unsigned k) {
    struct load *l = calloc(1, sizeof *l);
    struct rlimit r;
    char why[256] = "";
    struct writer w = wr_fixed(why, sizeof why - 1);
    if (!l) return 2;
    if (getrlimit(RLIMIT_NOFILE, &r) == 0) r.rlim_cur = r.rlim_max, (void)setrlimit(RLIMIT_NOFILE, &r);
    signal(SIGPIPE, SIG_IGN);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    l->o = o, l->t = t;
    l->first = (unsigned)((uint64_t)o->clients * k / o->processes);
    l->n = (unsigned)((uint64_t)o->clients * (k + 1) / o->processes) - l->first;
    l->client = calloc(l->n + 1, sizeof *l->client);
    l->wire = tls_wire_make();
    struct tls_client_config c = {.ca = o->ca, .cert = o->cert, .key = o->key, .insecure = !o->ca};
    if (!l->client || !l->wire || loop_open(&l->loop) != OK || (o->tls && tls_client(&l->ctx, &c, &w) != OK)) {
        fprintf(stderr, "mqtt-load: cannot start: %s\n", *why ? why : strerror(errno));
        return 2;
    }
    l->begun = clock_ns();
    l->end = clock_ms() + (int64_t)(o->seconds * 1000) + (o->mode == LOOP ? 60000 : 0);
    run(l);
    return 0;
}

/* ---- result ---- */

static double percentile(const uint64_t *bucket, double share) {
    uint64_t total = 0, sum = 0;
    for (int i = 0; i < BUCKETS; i++) total += bucket[i];
    for (int i = 0; i < BUCKETS && total; i++)
        if ((double)(sum += bucket[i]) >= share * (double)total)
            return (1.0 + (i % 64 + 1) / 64.0) * (double)(1ull << (i / 64 < 62 ? i / 64 : 62)) / 1000;
    return 0;
}

static void print_result(const struct options *o, const struct tally *t) {
    struct tally s = {0};
    for (unsigned k = 0; k < o->processes; k++) {
        s.connected += t[k].connected, s.failed += t[k].failed, s.lost += t[k].lost, s.sent += t[k].sent;
        s.received += t[k].received, s.connects += t[k].connects, s.refused += t[k].refused;
        for (int i = 0; i < BUCKETS; i++) s.bucket[i] += t[k].bucket[i];
        if (t[k].max_ns > s.max_ns) s.max_ns = t[k].max_ns;
        if (t[k].first_ns && (!s.first_ns || t[k].first_ns < s.first_ns)) s.first_ns = t[k].first_ns;
        if (t[k].last_ns > s.last_ns) s.last_ns = t[k].last_ns;
        if (t[k].all_connected_ns > s.all_connected_ns) s.all_connected_ns = t[k].all_connected_ns;
    }
    double span = s.last_ns > s.first_ns ? (double)(s.last_ns - s.first_ns) / 1e9 : 0;
    printf("{\"mode\":\"%s\",\"clients\":%u,\"connected\":%llu,\"failed\":%llu,\"refused\":%llu,\"lost\":%llu",
           mode_names[o->mode], o->clients, (unsigned long long)s.connected, (unsigned long long)s.failed,
           (unsigned long long)s.refused, (unsigned long long)s.lost);
    if (s.all_connected_ns) printf(",\"all_connected_s\":%.3f", (double)s.all_connected_ns / 1e9);
    if (o->mode == CONNECT)
        printf(",\"connects\":%llu,\"connects_per_s\":%.0f", (unsigned long long)s.connects,
               (double)s.connects / o->seconds);
    if (s.sent)
        printf(",\"sent\":%llu,\"received\":%llu,\"per_s\":%.0f,\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"max_ms\":%.3f",
               (unsigned long long)s.sent, (unsigned long long)s.received, span > 0 ? (double)s.received / span : 0,
               percentile(s.bucket, 0.5), percentile(s.bucket, 0.99), (double)s.max_ns / 1e6);
    printf("}\n");
}

/* wait_all waits for the processes to end; of clients that stay, it tells when all are there. True: all went well. */
static bool wait_all(const struct options *o, const struct tally *t) {
    bool told = o->mode != IDLE;
    int status, bad = 0;
    for (pid_t pid; (pid = waitpid(-1, &status, told ? 0 : WNOHANG)) >= 0;) {
        if (pid) {
            bad |= status;
            continue;
        }
        uint64_t there = 0;
        for (unsigned k = 0; k < o->processes; k++) there += o->carry ? t[k].received : t[k].connected;
        told = there == o->clients;
        if (told) printf("{\"there\":%llu}\n", (unsigned long long)there), fflush(stdout);
        else usleep(50000);
    }
    return bad == 0;
}

static int usage(void) {
    fprintf(stderr,
            "mqtt-load [options] MODE ADDRESS\n"
            "  modes: loop idle connect trickle silent deaf halftls\n"
            "  --clients N --processes N --sources N --seconds S --rate MSGS_PER_S (0: as fast as --window W allows)\n"
            "  --size BYTES --qos N --version 4|5 --carry BYTES --json --polite --tls [--ca FILE] [--cert FILE --key "
            "FILE]\n");
    return 2;
}

static bool read_options(struct options *o, int argc, char **argv) {
    static const struct option longs[] = {{"clients", 1, 0, 'c'},
                                          {"processes", 1, 0, 'p'},
                                          {"sources", 1, 0, 's'},
                                          {"seconds", 1, 0, 'd'},
                                          {"rate", 1, 0, 'r'},
                                          {"window", 1, 0, 'w'},
                                          {"size", 1, 0, 'n'},
                                          {"qos", 1, 0, 'q'},
                                          {"version", 1, 0, 'v'},
                                          {"carry", 1, 0, 'y'},
                                          {"tls", 0, 0, 't'},
                                          {"ca", 1, 0, 'a'},
                                          {"cert", 1, 0, 'C'},
                                          {"key", 1, 0, 'K'},
                                          {"json", 0, 0, 'j'},
                                          {"polite", 0, 0, 'P'},
                                          {0}};
    unsigned *const numbers[256] = {['c'] = &o->clients, ['p'] = &o->processes, ['s'] = &o->sources, ['w'] = &o->window,
                                    ['n'] = &o->size,    ['q'] = &o->qos,       ['v'] = &o->version, ['y'] = &o->carry};
    for (int k; (k = getopt_long(argc, argv, "", longs, NULL)) != -1;) {
        if (k < 256 && numbers[k]) *numbers[k] = (unsigned)strtoul(optarg, NULL, 0);
        else if (k == 'd') o->seconds = strtod(optarg, NULL);
        else if (k == 'r') o->rate = strtod(optarg, NULL);
        else if (k == 't') o->tls = true;
        else if (k == 'j') o->json = true;
        else if (k == 'P') o->polite = true;
        else if (k == 'a') o->ca = optarg;
        else if (k == 'C') o->cert = optarg;
        else if (k == 'K') o->key = optarg;
        else return false;
    }
    if (argc - optind != 2 || !o->processes || o->processes > PROCESSES_MAX || o->carry > 1000000) return false;
    for (o->mode = 0; o->mode < MODES && strcmp(mode_names[o->mode], argv[optind]) != 0;) o->mode++;
    return o->mode < MODES;
}

int main(int argc, char **argv) {
    struct options o = {
        .run = (int)getpid(), .clients = 10, .processes = 1, .window = 1, .size = 64, .seconds = 5, .version = 4};
    char why[256] = "";
    struct writer w = wr_fixed(why, sizeof why - 1);
    if (!read_options(&o, argc, argv)) return usage();
    if (sock_parse(&o.to, argv[optind + 1], 1883, &w) != OK) return fprintf(stderr, "mqtt-load: %s\n", why), 2;
    struct tally *t = mmap(NULL, o.processes * sizeof *t, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (t == MAP_FAILED) return 2;
    for (unsigned k = 0; k < o.processes; k++)
        if (fork() == 0) _exit(run_process(&o, &t[k], k));
    bool ok = wait_all(&o, t);
    print_result(&o, t);
    return ok ? 0 : 2;
}
