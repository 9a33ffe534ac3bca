/* SPDX-License-Identifier: Apache-2.0 */
/* Theory of operation. lab/server.h owns the sockets. The first bytes of a connection say what it speaks: HTTP, lines,
 * or what is refused (TLS, MQTT). Readings found in a batch of events go into one transaction and every answer waits in
 * `answers`; after the commit, at the end of the turn, the answers are given in the order they are due. So nothing is
 * answered 201 that is not on the disk, and a flood costs one commit for many readings. Where the commit fails, all
 * that waited for it are answered 507.
 *
 * Limits: a reading, the rate of an address (a bucket of tokens in a table that forgets who came first where two
 * addresses fall together), unfinished bytes of all connections, the store; lab/server.h has those of connections. */
#include "lab/sink.h"
#include "base/clock.h"
#include "lab/hello.h"
#include "lab/line.h"
#include "lab/post.h"
#include "lab/server.h"

#include "base/hash.h"
#include "base/words.h"
#include "view/words.h"
#include <stdlib.h>
#include <string.h>

enum talk_kind {
    TALK_NEW,     /* too few bytes to tell */
    TALK_LINES,   /* each line is a reading */
    TALK_SKIP,    /* lines; the rest of one that was too long is passed over */
    TALK_HTTP,    /* requests */
    TALK_REFUSED, /* what still comes is not looked at */
};

struct talk {
    uint8_t kind; /* enum talk_kind */
    int64_t due;  /* when the line counts as whole, or the request as late; 0: never */
    struct pile pile;
    struct post post;
};

struct answer {
    uint32_t at; /* the connection; 0: a datagram, answered to `to` */
    uint16_t life, status;
    bool http, last, stored; /* last: the connection ends with it */
    uint32_t size;
    int64_t id;
    struct sock_addr to;
};

struct bucket {
    uint8_t ip[16];
    int64_t since; /* milliseconds */
    double tokens;
};

struct sink {
    struct lab_server server;
    struct sink_config config;
    struct talk *talk;
    size_t held;
    struct answer answers[SINK_BATCH];
    uint32_t n_answers;
    struct writer batch; /* lines to print once the batch is stored */
    struct bucket bucket[SINK_SOURCES];
    struct hash_key key;
    uint64_t stored, bytes, refused;
    uint64_t by_status[600];
};

static struct talk *talk_of(struct sink *s, const struct lab_conn *c) { return &s->talk[lab_place(&s->server, c)]; }

/* ---- answers, after the commit ---- */

static void answer_http(struct sink *s, struct lab_conn *c, const struct answer *a) {
    char body[256], text[640];
    struct writer b = wr_fixed(body, sizeof body), w = wr_fixed(text, sizeof text);
    if (a->status == 100) return lab_say(&s->server, c, SLICE("HTTP/1.1 100 Continue\r\n\r\n"));
    if (a->stored) wr_f(&b, "{\"id\":%lld,\"size\":%u}\n", (long long)a->id, a->size);
    else wr_f(&b, "%u %s\n", a->status, post_why(a->status));
    wr_f(&w, "HTTP/1.1 %u %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n", a->status, post_phrase(a->status),
         a->stored ? "application/json" : "text/plain; charset=utf-8", wr_len(&b));
    if (a->status == 405) wr_s(&w, "Allow: POST, PUT\r\n");
    if (a->status == 426) wr_s(&w, "Upgrade: HTTP/1.1\r\n");
    if (a->status == 429 || a->status == 503) wr_s(&w, "Retry-After: 1\r\n");
    if (a->last) wr_s(&w, "Connection: close\r\n");
    wr_s(&w, "\r\n");
    wr_slice(&w, wr_done(&b));
    lab_say(&s->server, c, wr_done(&w));
}

static struct slice answer_line(const struct answer *a, char *text, size_t n) {
    struct writer w = wr_fixed(text, n);
    if (a->stored) wr_s(&w, "201\n");
    else wr_f(&w, "%u %s\n", a->status, post_why(a->status));
    return wr_done(&w);
}

static void answer_give(struct sink *s, const struct answer *a) {
    char text[256];
    if (!a->at) return lab_say_to(&s->server, &a->to, answer_line(a, text, sizeof text));
    struct lab_conn *c = lab_at(&s->server, a->at, a->life);
    if (!c) return;
    if (a->http) answer_http(s, c, a);
    else lab_say(&s->server, c, answer_line(a, text, sizeof text));
    if (a->last && (c = lab_at(&s->server, a->at, a->life))) lab_end(&s->server, c);
}

/* settle ends the batch: commits, prints, answers. */
static void settle(struct sink *s) {
    bool ok = readings_commit(s->config.store) == OK;
    uint32_t n = s->n_answers;
    s->n_answers = 0; /* answering may end connections, which asks for no new answers */
    for (uint32_t i = 0; i < n; i++) {
        struct answer *a = &s->answers[i];
        if (a->stored && !ok) {
            a->stored = false;
            a->status = 507;
        }
        if (a->stored) s->stored++, s->bytes += a->size;
        else if (a->status != 100) s->refused++;
        s->by_status[a->status]++;
        answer_give(s, a);
    }
    if (ok) wr_slice(s->config.out, wr_done(&s->batch));
    else
        wr_f(s->config.out, "%s: %s\n", words(N_("storing failed, nothing of this batch is kept")),
             readings_why(s->config.store));
    wr_reset(&s->batch);
}

static void answer_add(struct sink *s, const struct answer *a) {
    s->answers[s->n_answers++] = *a;
    if (s->n_answers == SINK_BATCH) settle(s);
}

/* ---- readings ---- */

static bool rate_allows(struct sink *s, const struct sock_peer *who) {
    if (!s->config.rate) return true;
    struct bucket *b = &s->bucket[hash_bytes(s->key, who->ip, sizeof who->ip) % SINK_SOURCES];
    double most = s->config.rate;
    if (!b->since || memcmp(b->ip, who->ip, sizeof b->ip)) {
        *b = (struct bucket){.since = s->server.now, .tokens = most};
        memcpy(b->ip, who->ip, sizeof b->ip);
    }
    b->tokens += (double)(s->server.now - b->since) * most / 1000;
    if (b->tokens > most) b->tokens = most;
    b->since = s->server.now;
    if (b->tokens < 1) return false;
    b->tokens -= 1;
    return true;
}

static void note(struct sink *s, const char *how, const struct sock_peer *who, const struct answer *a,
                 struct slice data) {
    if (s->config.quiet) return;
    line_begin(&s->batch, clock_wall_ns(), how, who);
    if (a->stored) {
        wr_f(&s->batch, "#%lld  ", (long long)a->id);
        line_bytes(&s->batch, data.n);
        wr_s(&s->batch, "  ");
        bytes_words(&s->batch, data);
    } else {
        wr_f(&s->batch, "%u: %s", a->status, words(post_why(a->status)));
    }
    wr_c(&s->batch, '\n');
}

/* store puts data into the present batch; the status it will be answered with. */
static unsigned store(struct sink *s, const char *how, const struct sock_peer *who, const char *type, struct slice data,
                      struct answer *a) {
    char ip[64];
    struct writer w = wr_fixed(ip, sizeof ip);
    if (data.n > s->config.size) return 413;
    if (!rate_allows(s, who)) return 429;
    sock_peer_print(who, &w);
    struct reading r = {.ts = clock_wall_ns(),
                        .how = slice_str(how),
                        .source = wr_done(&w),
                        .type = slice_str(type),
                        .port = who->port,
                        .data = data};
    if (readings_add(s->config.store, &r) != OK) return 507;
    a->id = r.id;
    a->size = (uint32_t)data.n;
    a->stored = true;
    return 201;
}

/* take stores what a connection sent, or refuses it with `status`. */
static void take(struct sink *s, struct lab_conn *c, struct slice data, unsigned status, bool last) {
    struct talk *t = talk_of(s, c);
    struct answer a = {.at = lab_place(&s->server, c), .life = c->life, .http = t->kind == TALK_HTTP, .last = last};
    const char *how = a.http ? "http" : "tcp";
    a.status = (uint16_t)(status ? status : store(s, how, &c->peer, a.http ? t->post.type : "", data, &a));
    if (last) t->kind = TALK_REFUSED;
    if (a.status != 100) note(s, how, &c->peer, &a, data);
    answer_add(s, &a);
}

static void datagram(void *to, const struct sock_addr *from, struct slice bytes, size_t whole) {
    struct sink *s = to;
    struct sock_peer who = sock_peer_of(from);
    struct answer a = {.to = *from};
    if (!who.port || who.port == ntohs(s->server.addr.v4.sin_port))
        return; /* another sink: it would answer our answer */
    a.status = (uint16_t)(whole > bytes.n ? 413 : store(s, "udp", &who, "", bytes, &a));
    note(s, "udp", &who, &a, bytes);
    answer_add(s, &a);
}

/* ---- what a connection says ---- */

struct keeper {
    struct sink *s;
    struct talk *t;
};

static bool keep(void *to, struct slice bytes) {
    struct sink *s = ((struct keeper *)to)->s;
    struct pile *p = &((struct keeper *)to)->t->pile;
    if (p->n + bytes.n > p->room) {
        size_t room = p->n + bytes.n < 256 ? 256 : (p->n + bytes.n) * 3 / 2;
        if (s->held + (room - p->room) > SINK_HELD_ALL) return false;
        uint8_t *more = realloc(p->p, room);
        if (!more) return false;
        s->held += room - p->room;
        p->p = more;
        p->room = room;
    }
    if (bytes.n) memcpy(p->p + p->n, bytes.p, bytes.n);
    p->n += bytes.n;
    return true;
}

static void pile_drop(struct sink *s, struct pile *p) {
    s->held -= p->room;
    free(p->p);
    *p = (struct pile){0};
}

static void due_in(struct sink *s, struct lab_conn *c, int64_t ms) {
    struct talk *t = talk_of(s, c);
    t->due = ms ? s->server.now + ms : 0;
    lab_due(&s->server, c, t->due);
}

/* starts_like: s begins as the text does, as far as both go. */
static bool starts_like(struct slice s, const char *text) {
    size_t n = strlen(text);
    return !memcmp(s.p, text, s.n < n ? s.n : n);
}

/* first_words tells from the first bytes what is spoken: enum talk_kind, TALK_NEW where more must come first; a status
 * where it is refused. */
static enum talk_kind first_words(struct slice s, unsigned *refusal) {
    static const char *const methods[] = {"POST /",  "PUT /",   "GET /",    "HEAD /",    "DELETE /", "OPTIONS ",
                                          "PATCH /", "TRACE /", "CONNECT ", "POST http", "PUT http", "PRI * HTTP/2"};
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (starts_like(s, methods[i])) return s.n >= strlen(methods[i]) ? TALK_HTTP : TALK_NEW;
    if (s.p[0] == 0x16 && (s.n < 2 || s.p[1] == 3)) { /* a handshake record of TLS */
        *refusal = 426;
        return s.n < 6 ? TALK_NEW : TALK_REFUSED;
    }
    if (s.p[0] == 0x10 && s.n < 8) return TALK_NEW; /* perhaps MQTT's CONNECT */
    struct slice head = slice_head(s, 12);
    if (s.p[0] == 0x10 && (slice_holds(head, SLICE("\0\4MQTT")) || slice_holds(head, SLICE("\0\6MQIs")))) {
        *refusal = 415;
        return TALK_REFUSED;
    }
    return TALK_LINES;
}

/* lines takes whole lines from bytes and keeps the rest. */
static void lines(struct sink *s, struct lab_conn *c, struct slice in) {
    struct talk *t = talk_of(s, c);
    struct keeper k = {s, t};
    uint32_t at = lab_place(&s->server, c);
    uint16_t life = c->life;
    while (in.n) {
        const uint8_t *end = memchr(in.p, '\n', in.n);
        struct slice part = slice_head(in, end ? (size_t)(end - in.p) : in.n);
        in = slice_tail(in, part.n + (end ? 1 : 0));
        if (t->kind == TALK_SKIP) {
            if (end) t->kind = TALK_LINES;
            continue;
        }
        if (end && !t->pile.n) {
            if (part.n && part.p[part.n - 1] == '\r') part.n--;
            if (part.n) take(s, c, part, 0, false);
        } else if (t->pile.n + part.n > s->config.size + 1 || !keep(&k, part)) { /* one more: the CR of a line end */
            unsigned status = t->pile.n + part.n > s->config.size ? 413 : 503;
            t->pile.n = 0;
            if (!end) t->kind = TALK_SKIP;
            take(s, c, slice_of(NULL, 0), status, false);
        } else if (end) {
            struct slice line = slice_of(t->pile.p, t->pile.n);
            if (line.n && line.p[line.n - 1] == '\r') line.n--;
            t->pile.n = 0;
            if (line.n) take(s, c, line, 0, false);
        }
        if (!lab_at(&s->server, at, life)) return;
    }
    due_in(s, c, t->pile.n ? s->config.line_wait_ms : 0);
    if (!t->pile.n) pile_drop(s, &t->pile);
}

static void requests(struct sink *s, struct lab_conn *c, struct slice in) {
    struct talk *t = talk_of(s, c);
    struct keeper k = {s, t};
    uint32_t at = lab_place(&s->server, c);
    uint16_t life = c->life;
    while (in.n && t->kind == TALK_HTTP) {
        bool go_on = false;
        in = slice_tail(in, post_feed(&t->post, &t->pile, in, keep, &k, &go_on));
        if (go_on && t->post.phase != POST_WHOLE && !in.n) take(s, c, slice_of(NULL, 0), 100, false);
        if (t->post.phase == POST_REFUSED) {
            take(s, c, slice_of(NULL, 0), t->post.status, true);
        } else if (t->post.phase == POST_WHOLE) {
            take(s, c, slice_of(t->pile.p, t->pile.n), t->pile.n ? 0 : 400, !t->post.keep_alive);
            if (!lab_at(&s->server, at, life)) return;
            t->pile.n = 0;
            post_begin(&t->post, s->config.size);
            due_in(s, c, 0);
        }
        if (!lab_at(&s->server, at, life)) return;
    }
    bool between = t->kind != TALK_HTTP || (t->post.phase == POST_REQUEST && !t->post.head);
    if (between) pile_drop(s, &t->pile);
    else if (!t->due) due_in(s, c, SINK_REQUEST_MS);
}

static void talk_on(struct sink *s, struct lab_conn *c, struct slice in) {
    switch (talk_of(s, c)->kind) {
    case TALK_LINES:
    case TALK_SKIP: lines(s, c, in); break;
    case TALK_HTTP: requests(s, c, in); break;
    default: break;
    }
}

/* begin settles what a new connection speaks; false where more must come first. */
static bool begin(struct sink *s, struct lab_conn *c, struct slice in) {
    struct talk *t = talk_of(s, c);
    unsigned refusal = 0;
    t->kind = (uint8_t)first_words(in, &refusal);
    if (t->kind == TALK_HTTP) {
        post_begin(&t->post, s->config.size);
        due_in(s, c, 0); /* the wait for a line's end is over: a request has its own time */
    }
    if (t->kind == TALK_REFUSED) take(s, c, in, refusal, true);
    return t->kind != TALK_NEW;
}

static void came(void *to, struct lab_conn *c, struct slice in) {
    struct sink *s = to;
    struct talk *t = talk_of(s, c);
    if (t->kind != TALK_NEW) return talk_on(s, c, in);
    if (!t->pile.n && begin(s, c, in)) return talk_on(s, c, in);
    struct keeper k = {s, t};
    if (!keep(&k, in)) return take(s, c, in, 503, true);
    if (!begin(s, c, slice_of(t->pile.p, t->pile.n))) return due_in(s, c, s->config.line_wait_ms);
    struct pile all = t->pile;
    t->pile = (struct pile){0};
    talk_on(s, c, slice_of(all.p, all.n));
    pile_drop(s, &all);
}

/* line_end takes a line that has no end: the connection has, or there was silence. */
static void line_end(struct sink *s, struct lab_conn *c) {
    struct talk *t = talk_of(s, c);
    struct pile all = t->pile;
    if (t->kind == TALK_NEW) t->kind = TALK_LINES;
    t->pile = (struct pile){0};
    t->due = 0;
    if (all.n && t->kind == TALK_LINES) take(s, c, slice_of(all.p, all.n), 0, false);
    pile_drop(s, &all);
}

static void done(void *to, struct lab_conn *c) {
    struct sink *s = to;
    struct talk *t = talk_of(s, c);
    if (t->kind == TALK_HTTP && (t->post.phase != POST_REQUEST || t->post.head))
        take(s, c, slice_of(NULL, 0), 400, true);
    else line_end(s, c);
}

static void due(void *to, struct lab_conn *c) {
    struct sink *s = to;
    struct talk *t = talk_of(s, c);
    if (!t->due) return;
    if (s->server.now < t->due) return lab_due(&s->server, c, t->due);
    if (t->kind == TALK_HTTP) take(s, c, slice_of(NULL, 0), 408, true);
    else line_end(s, c);
}

static void ended(void *to, struct lab_conn *c, enum lab_end why) {
    struct sink *s = to;
    struct talk *t = talk_of(s, c);
    (void)why;
    pile_drop(s, &t->pile);
    *t = (struct talk){0};
}

static void refused(void *to, const struct sock_addr *from, int fd) {
    (void)to, (void)from;
    (void)sock_give(fd, SLICE("503 too many connections are open; try again later\n"));
}

static void turn(void *to) { settle(to); }

/* ---- beginning and end ---- */

int sink_open(struct sink **out, const struct sink_config *config, struct writer *why) {
    struct sink *s = calloc(1, sizeof *s);
    if (!s) return wr_s(why, err_text(ERR_NOMEM)), ERR_NOMEM;
    struct lab_owner owner = {.to = s,
                              .came = came,
                              .done = done,
                              .ended = ended,
                              .refused = refused,
                              .datagram = datagram,
                              .due = due,
                              .turn = turn};
    s->config = *config;
    s->key = hash_key_random();
    s->batch = wr_grow();
    int rc = lab_open(&s->server, &config->addr, config->conns, &owner, why);
    if (rc == OK && !(s->talk = calloc(s->server.places, sizeof *s->talk))) wr_s(why, err_text(rc = ERR_NOMEM));
    if (rc != OK) sink_close(s);
    else *out = s;
    return rc;
}

const struct sock_addr *sink_addr(const struct sink *s) { return &s->server.addr; }

int sink_turn(struct sink *s, int ms) {
    lab_turn(&s->server, ms);
    return wr_flush(s->config.out);
}

void sink_totals(const struct sink *s, struct writer *w) {
    const struct lab_totals *t = &s->server.totals;
    line_say(
        w, N_("readings stored: %1$s (bytes: %2$s), refused: %3$s; connections: %4$s (at once: %5$s), datagrams: %6$s"),
        (uint64_t[]){s->stored, s->bytes, s->refused, t->conns, t->most, t->datagrams}, 6);
    if (t->refused) line_say(w, N_(", turned away: %1$s"), &t->refused, 1);
    wr_c(w, '\n');
    for (unsigned i = 400; i < sizeof s->by_status / sizeof *s->by_status; i++)
        if (s->by_status[i]) wr_f(w, "  %u %s: %llu\n", i, post_phrase(i), (unsigned long long)s->by_status[i]);
}

void sink_close(struct sink *s) {
    if (!s) return;
    if (s->talk) settle(s);
    lab_close(&s->server);
    free(s->talk);
    wr_free(&s->batch);
    free(s);
}
