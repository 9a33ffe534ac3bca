/* SPDX-License-Identifier: Apache-2.0 */
/* Theory of operation: lab/server.h owns the sockets; what comes is sent back from the buffer it was read into. The
 * words for what came are made by lab/hello.h. Nothing is kept per connection but what the server keeps.
 *
 * A datagram from an echo port, or from our own, is not answered: two echo servers whose addresses somebody swapped
 * would talk for ever. */
#include "lab/echo.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/words.h"
#include "lab/hello.h"
#include "lab/line.h"
#include "lab/server.h"
#include "view/words.h"

#include <stdlib.h>

enum { PORT_ECHO = 7, PORT_CHARGEN = 19 };

struct echo {
    struct lab_server server;
    struct hello hello;
    struct echo_config config;
    struct sock_peer self;
    uint64_t silent; /* datagrams not answered */
};

static bool told(const struct echo *e) { return !e->config.quiet; }

/* begin starts a line; where it is JSON, the object stays open. */
static void begin(struct echo *e, const char *event, const char *protocol, const struct sock_peer *who) {
    struct writer *w = e->config.out;
    int64_t now = clock_wall_ns();
    if (!e->config.json) return line_begin(w, now, protocol, who);
    struct sock_addr a = sock_addr_of(who);
    char text[80];
    struct writer ip = wr_fixed(text, sizeof text);
    sock_peer_print(who, &ip);
    wr_s(w, "{\"time\":\"");
    line_time(w, now);
    wr_f(w, "\",\"event\":\"%s\",\"protocol\":\"%s\",\"source\":\"%.*s\",\"port\":%u", event, protocol,
         (int)wr_len(&ip), text, ntohs(a.v4.sin_port));
}

static void opened(void *to, struct lab_conn *c) {
    struct echo *e = to;
    if (!told(e)) return;
    hello_begin(&e->hello, &c->peer, &e->self, clock_wall_ns());
    begin(e, "connected", "tcp", &c->peer);
    if (e->config.json) wr_s(e->config.out, "}\n");
    else {
        line_say(e->config.out, N_("connected (%1$s open)"), &(uint64_t){e->server.open}, 1);
        wr_c(e->config.out, '\n');
    }
}

/* hint says what a client that speaks this protocol will wait for in vain. */
static const char *hint(int kind, uint64_t at) {
    if (at) return "";
    if (kind == EV_MQTT) return N_("(an MQTT client: it waits for CONNACK, which an echo server does not say)");
    if (kind == EV_TLS) return N_("(a TLS client: an echo server cannot answer its handshake)");
    if (kind == EV_HTTP) return N_("(an HTTP client: it gets its own request back)");
    return "";
}

static void say_bytes(struct echo *e, const char *protocol, const struct sock_peer *who, uint64_t at, bool datagram,
                      struct slice bytes, size_t whole) {
    char text[2048];
    struct writer said = wr_fixed(text, sizeof text), *w = e->config.out;
    int64_t now = clock_wall_ns();
    int kind = datagram ? hello_datagram(&e->hello, &said, who, &e->self, now, bytes)
                        : hello_words(&e->hello, &said, who, &e->self, now, at, bytes);
    begin(e, datagram ? "datagram" : "data", protocol, who);
    if (e->config.json) {
        wr_f(w, ",\"bytes\":%zu,\"words\":", whole);
        json_text(w, wr_done(&said));
        wr_s(w, "}\n");
        return;
    }
    line_bytes(w, whole);
    wr_s(w, "  ");
    wr_slice(w, wr_done(&said));
    const char *why = datagram ? "" : hint(kind, at);
    if (*why) wr_f(w, "  %s", words(why));
    wr_c(w, '\n');
}

static void came(void *to, struct lab_conn *c, struct slice bytes) {
    struct echo *e = to;
    if (told(e)) say_bytes(e, "tcp", &c->peer, c->in - bytes.n, false, bytes, bytes.n);
    lab_say(&e->server, c, bytes);
}

static void datagram(void *to, const struct sock_addr *from, struct slice bytes, size_t whole) {
    struct echo *e = to;
    struct sock_peer who = sock_peer_of(from);
    bool loop = who.port == PORT_ECHO || who.port == PORT_CHARGEN || who.port == e->self.port || !who.port;
    if (told(e)) say_bytes(e, "udp", &who, 0, true, bytes, whole);
    if (loop) e->silent++;
    else lab_say_to(&e->server, from, bytes);
}

static void ended(void *to, struct lab_conn *c, enum lab_end why) {
    static const char *const reasons[LAB_ENDS] = {
        [LAB_END_PEER] = N_("closed by the peer"),
        [LAB_END_RESET] = N_("reset by the peer"),
        [LAB_END_IDLE] = N_("closed: silent too long"),
        [LAB_END_SLOW] = N_("cut off: it does not read what it is sent"),
        [LAB_END_OURS] = N_("closed"),
        [LAB_END_STOPPED] = N_("closed: the server ends"),
    };
    struct echo *e = to;
    if (!told(e)) return;
    struct writer *w = e->config.out;
    double seconds = (double)(e->server.now - c->opened) / 1000;
    begin(e, "closed", "tcp", &c->peer);
    if (e->config.json) {
        wr_f(w, ",\"reason\":\"%s\",\"bytes\":%llu,\"echoed\":%llu,\"seconds\":%.3f}\n", reasons[why],
             (unsigned long long)c->in, (unsigned long long)c->out, seconds);
        return;
    }
    wr_f(w, "%s; ", words(reasons[why]));
    line_say(w, N_("bytes in: %1$s, back: %2$s"), (uint64_t[]){c->in, c->out}, 2);
    wr_f(w, ", %.1f s\n", seconds);
}

static void refused(void *to, const struct sock_addr *from, int fd) {
    struct echo *e = to;
    struct sock_peer who = sock_peer_of(from);
    (void)fd;
    if (!told(e)) return;
    begin(e, "refused", "tcp", &who);
    if (e->config.json) wr_s(e->config.out, "}\n");
    else wr_f(e->config.out, "%s\n", words(N_("turned away: as many connections are open as may be")));
}

int echo_open(struct echo **out, const struct echo_config *config, struct writer *why) {
    struct echo *e = calloc(1, sizeof *e);
    if (!e || hello_make(&e->hello)) {
        free(e);
        wr_s(why, err_text(ERR_NOMEM));
        return ERR_NOMEM;
    }
    struct lab_owner owner = {
        .to = e, .opened = opened, .came = came, .ended = ended, .refused = refused, .datagram = datagram};
    e->config = *config;
    int rc = lab_open(&e->server, &config->addr, config->conns, &owner, why);
    if (rc != OK) {
        echo_close(e);
        return rc;
    }
    e->self = sock_peer_of(&e->server.addr);
    *out = e;
    return OK;
}

const struct sock_addr *echo_addr(const struct echo *e) { return &e->server.addr; }

int echo_turn(struct echo *e, int ms) {
    lab_turn(&e->server, ms);
    return wr_flush(e->config.out);
}

void echo_totals(const struct echo *e, struct writer *w) {
    const struct lab_totals *t = &e->server.totals;
    line_say(w, N_("connections: %1$s (at once: %2$s), datagrams: %3$s, bytes in: %4$s, back: %5$s"),
             (uint64_t[]){t->conns, t->most, t->datagrams, t->in, t->out}, 5);
    if (t->refused) line_say(w, N_(", turned away: %1$s"), &t->refused, 1);
    if (t->ended[LAB_END_RESET]) line_say(w, N_(", reset: %1$s"), &t->ended[LAB_END_RESET], 1);
    if (t->ended[LAB_END_SLOW]) line_say(w, N_(", cut off: %1$s"), &t->ended[LAB_END_SLOW], 1);
    if (e->silent) line_say(w, N_(", datagrams not answered: %1$s"), &e->silent, 1);
    wr_c(w, '\n');
}

void echo_close(struct echo *e) {
    if (!e) return;
    lab_close(&e->server);
    hello_free(&e->hello);
    free(e);
}
