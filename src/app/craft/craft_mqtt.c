/* SPDX-License-Identifier: Apache-2.0 */
/* weir craft mqtt: MQTT packets, right or wrong, over the system's own TCP. What is sent and received is put into
 * made-up TCP segments, so that the decoder, filters and capture files see a connection like any other; its addresses,
 * ports and times are the real ones.
 *
 * Every packet that comes is asked all filters of the script at once, since its fields live only until the next one; an
 * expectation then looks through what came since the one before it was met. */
#include "app/children.h"
#include "app/craft/craft.h"
#include "app/craft/mqtt_script.h"
#include "app/span.h"
#include "app/story.h"
#include "base/clock.h"
#include "craft/hand.h"
#include "craft/mqtt_break.h"
#include "io/sock.h"
#include "proto/protos.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { RECEIVE_MAX = 2 << 20, SEGMENT_MAX = 60000, SEEN_MAX = 1 << 16, CONNECT_MS = 10000, LINK_RAW = 101 };

struct mqtt_opts {
    const char *script, *breaks, *file, *timeout, *wait;
    int64_t split, level;
    bool show, hex, quiet;
    struct opt_list words;
};

static const struct opt_def defs[] = {
    {'s', "script", "FILE", "what to send and to expect, a step a line; - is stdin", OPT_TEXT,
     offsetof(struct mqtt_opts, script)},
    {'b', "break", "NAME", "break the first packet it fits, in this way; list: all of them", OPT_TEXT,
     offsetof(struct mqtt_opts, breaks)},
    {0, "split", "N", "send packets in pieces of N bytes", OPT_NUMBER, offsetof(struct mqtt_opts, split), .min = 1,
     .max = 1 << 20},
    {'p', "protocol", "N", "version of packets that do not say theirs: 3, 4 (3.1.1) or 5", OPT_NUMBER,
     offsetof(struct mqtt_opts, level), .min = 3, .max = 5},
    {'V', "show", NULL, "every packet's fields", OPT_FLAG, offsetof(struct mqtt_opts, show)},
    {'x', "hex", NULL, "every packet's bytes", OPT_FLAG, offsetof(struct mqtt_opts, hex)},
    {'q', "quiet", NULL, "no line per packet", OPT_FLAG, offsetof(struct mqtt_opts, quiet)},
    {'w', "write", "FILE", "write the conversation to FILE (pcapng)", OPT_TEXT, offsetof(struct mqtt_opts, file)},
    {0, "timeout", "TIME", "how long an expectation waits (" SPAN_HELP "); default 5", OPT_TEXT,
     offsetof(struct mqtt_opts, timeout)},
    {0, "wait", "TIME", "how long to listen when all is sent; default 0.5", OPT_TEXT, offsetof(struct mqtt_opts, wait)},
};

static const char *const examples[] = {
    "weir craft mqtt 127.0.0.1 1883",
    "weir craft mqtt 127.0.0.1 1883 'MQTT(type=\"CONNECT\",clientid=\"x\")' 'expect CONNACK mqtt.conack.val == 0' "
    "'MQTT(type=\"DISCONNECT\")'",
    "weir craft mqtt 127.0.0.1 1883 --break qos-3 --show",
    "weir craft mqtt --break list",
    NULL,
};

static const struct opt_command command = {
    .name = "craft mqtt",
    .synopsis = "HOST PORT [--script FILE | STEP...] [--break NAME]",
    .purpose = "MQTT packets, right or broken, to try a broker or the guard",
    .description =
        "Connects by TCP, sends MQTT packets and shows what comes back. A script has a step a line (as words: a step a "
        "word); # begins a comment:\n\n"
        "MQTT(type=\"CONNECT\",clientid=\"x\") sends a packet; lists and ranges make several; a text in quotes sends "
        "bytes as they are. `repeat N MQTT(...)` sends it N times.\n\n"
        "`wait 0.5` listens. `expect CONNACK`, `expect PUBLISH mqtt.topic == \"a\"` or `expect FILTER` waits for a "
        "packet the display filter finds; `expect close` for the end of the connection, `expect nothing within 1` that "
        "nothing comes; `within TIME` at the end says how long.\n\n"
        "`break NAME` breaks the next packet, `split N` sends from here on in pieces of N bytes (0: whole packets). "
        "`close`, `reset` and `connect` end the connection in order, at once, and begin a new one.\n\n"
        "Without a script a short conversation is held: CONNECT, SUBSCRIBE, PUBLISH, DISCONNECT.\n\n"
        "Exit status: 0 all expectations were met, 1 one was not, or the connection failed.",
    .examples = examples,
    .defs = defs,
    .n_defs = sizeof defs / sizeof *defs,
    .words_at = offsetof(struct mqtt_opts, words),
};

static const char usual[] = "MQTT(type=\"CONNECT\",clientid=\"weir-craft-%ld\")\nexpect CONNACK\n"
                            "MQTT(type=\"SUBSCRIBE\",topic=\"weir/craft\",QOS=1,msgid=1)\nexpect SUBACK\n"
                            "MQTT(type=\"PUBLISH\",topic=\"weir/craft\",value=\"hello\",QOS=1,msgid=2)\nexpect PUBACK\n"
                            "MQTT(type=\"UNSUBSCRIBE\",topic=\"weir/craft\",msgid=3)\nexpect UNSUBACK\n"
                            "MQTT(type=\"DISCONNECT\")\nexpect close\n";
/* The same for a broken packet: what comes then is what one wants to see. */
static const char patient[] = "MQTT(type=\"CONNECT\",clientid=\"weir-craft-%ld\")\nwait 0.2\n"
                              "MQTT(type=\"SUBSCRIBE\",topic=\"weir/craft\",QOS=1,msgid=1)\nwait 0.2\n"
                              "MQTT(type=\"PUBLISH\",topic=\"weir/craft\",value=\"hello\",QOS=0)\nwait 0.2\n"
                              "MQTT(type=\"PUBLISH\",topic=\"weir/craft\",value=\"hello\",QOS=1,msgid=2)\nwait 0.2\n"
                              "MQTT(type=\"UNSUBSCRIBE\",topic=\"weir/craft\",msgid=3)\nwait 0.2\n"
                              "MQTT(type=\"PINGREQ\")\nwait 0.5\nMQTT(type=\"DISCONNECT\")\n";

struct seen {
    uint64_t met[SCRIPT_EXPECTS_MAX / 64]; /* expectations the packet fulfils */
};

enum ending { OPEN, ENDED_HERE, ENDED_THERE, RESET_THERE };

struct mqtt {
    struct mqtt_opts o;
    struct craft_env env;
    struct script script;
    struct craft_out out;
    struct sock_addr to;
    int fd;
    struct hand_ends ends;
    uint32_t seq[2]; /* of the made-up segments: ours, theirs */
    enum ending ending;
    int64_t began, timeout, wait;
    size_t pieces;
    int breaks;   /* pending; -1: none */
    bool at_once; /* it is for the next packet, not for the first it fits */
    bool was_broken, patient;
    uint64_t sent, received;
    struct seen *seen;
    size_t n_seen, at_seen;
    uint8_t *in;
    size_t n_in;
    struct writer packet, broken;
    uint16_t id;
};

static double now_of(const struct mqtt *m) { return (double)(clock_ns() - m->began) / 1e9; }

static void note(struct mqtt *m, bool out, const char *text) {
    if (!m->o.quiet)
        wr_f(&m->out.out, "%10.6f %s %s\n", now_of(m),
             !story_unicode() ? out ? "->" : "<-"
             : out            ? "\u2192"
                              : "\u2190",
             text);
    (void)wr_flush(&m->out.out);
}

static bool has_mqtt(const struct decode *d) {
    for (uint8_t i = 0; i < d->layers; i++)
        if (d->layer[i].proto->id == FID_MQTT) return true;
    return false;
}

/* bytes_show shows what went or came. */
static void bytes_show(struct mqtt *m, bool out, const struct decode *d, struct slice bytes, const char *how) {
    const struct proto *only[] = {proto_find(SLICE("mqtt")), NULL};
    char text[2048];
    struct writer w = wr_fixed(text, sizeof text - 100);
    if (d && has_mqtt(d)) columns_info(&w, d);
    else
        wr_f(&w,
             plural(bytes.n, "%zu byte the decoder takes for no whole MQTT packet",
                    "%zu bytes the decoder takes for no whole MQTT packet"),
             bytes.n);
    if (how) wr_f(&w, "   (%s)", how);
    *w.p = 0;
    note(m, out, text);
    if (m->o.show && d) tree_print(&m->out.out, d, only, &m->out.view);
    if (m->o.hex) hex_dump(&m->out.out, bytes);
    if (m->o.show || m->o.hex) wr_c(&m->out.out, '\n');
}

/* segment makes a TCP segment of what happened: the decoder and the file see it. */
static const struct decode *segment(struct mqtt *m, bool out, uint8_t flags, struct slice data) {
    const struct decode *d = NULL;
    struct hand_ends back = {.n = m->ends.n, .sport = m->ends.dport, .dport = m->ends.sport};
    struct hand_segment s = {m->seq[!out], flags & TALK_ACK ? m->seq[out] : 0, flags, HAND_WINDOW, 0, data};
    memcpy(back.src, m->ends.dst, 16);
    memcpy(back.dst, m->ends.src, 16);
    wr_reset(&m->packet);
    hand_write(&m->packet, &s, out ? &m->ends : &back, ++m->id);
    m->seq[!out] += (uint32_t)data.n + !!(flags & (TALK_SYN | TALK_FIN));
    if (craft_out_packet(&m->out, LINK_RAW, wr_done(&m->packet), clock_wall_ns(), out ? CRAFT_OUT : CRAFT_IN, &d))
        fprintf(stderr, "weir craft mqtt: %s cannot be written\n", m->o.file ? m->o.file : "a packet");
    return d;
}

static void seen_note(struct mqtt *m, const struct decode *d) {
    if (m->n_seen == SEEN_MAX) { /* nobody will ask for the oldest half */
        memmove(m->seen, m->seen + SEEN_MAX / 2, SEEN_MAX / 2 * sizeof *m->seen);
        m->n_seen = SEEN_MAX / 2;
        m->at_seen = m->at_seen > SEEN_MAX / 2 ? m->at_seen - SEEN_MAX / 2 : 0;
    }
    struct seen *s = &m->seen[m->n_seen++];
    *s = (struct seen){0};
    for (unsigned i = 0; d && i < m->script.n_expects; i++)
        if (expr_match(m->script.expects[i], d->out)) s->met[i / 64] |= (uint64_t)1 << i % 64;
}

static void packet_came(struct mqtt *m, struct slice bytes) {
    const struct decode *d = NULL;
    for (struct slice rest = bytes; rest.n; rest = slice_tail(rest, SEGMENT_MAX))
        d = segment(m, false, TALK_ACK | TALK_PSH, slice_head(rest, SEGMENT_MAX));
    m->received++;
    seen_note(m, d);
    bytes_show(m, false, d, bytes, NULL);
}

/* frame gives the bytes of the first packet of `in`: 0 where it is not complete, all where it cannot be told. */
static size_t frame(struct slice in) {
    size_t v = 0;
    for (size_t i = 1; i < 5; i++) {
        if (i >= in.n) return 0;
        v |= (size_t)(in.p[i] & 127) << 7 * (i - 1);
        if (in.p[i] & 128) continue;
        return v + i + 1 > RECEIVE_MAX ? in.n : v + i + 1 <= in.n ? v + i + 1 : 0;
    }
    return in.n;
}

static void frames_take(struct mqtt *m, bool all) {
    struct slice in = slice_of(m->in, m->n_in);
    for (size_t n; in.n && ((n = frame(in)) || all); in = slice_tail(in, n)) {
        if (!n) n = in.n;
        packet_came(m, slice_head(in, n));
    }
    memmove(m->in, in.p, in.n);
    m->n_in = in.n;
}

static void ended(struct mqtt *m, bool reset) {
    frames_take(m, true);
    m->ending = reset ? RESET_THERE : ENDED_THERE;
    (void)segment(m, false, reset ? TALK_RST | TALK_ACK : TALK_FIN | TALK_ACK, slice_of(NULL, 0));
    if (!reset) {
        (void)segment(m, true, TALK_FIN | TALK_ACK, slice_of(NULL, 0));
        (void)segment(m, false, TALK_ACK, slice_of(NULL, 0));
    }
    note(m, false, reset ? "the broker reset the connection" : "the broker closed the connection");
    sock_close(m->fd);
    m->fd = -1;
}

/* hear takes what comes until `until` (ns of clock_ns), or until something came. */
static void hear(struct mqtt *m, int64_t until) {
    int64_t left = until - clock_ns();
    struct pollfd p = {.fd = m->fd, .events = POLLIN};
    (void)wr_flush(&m->out.out);
    if (m->fd < 0) {
        if (left > 0) nanosleep(&(struct timespec){.tv_sec = left / 1000000000, .tv_nsec = left % 1000000000}, NULL);
        return;
    }
    if (poll(&p, 1, left > 0 ? (int)(left / 1000000) + 1 : 0) <= 0) return;
    ssize_t n = sock_take(m->fd, m->in + m->n_in, RECEIVE_MAX - m->n_in);
    if (n == -EAGAIN || n == -EINTR) return;
    if (n <= 0) return ended(m, n < 0);
    m->n_in += (size_t)n;
    frames_take(m, m->n_in == RECEIVE_MAX);
}

static void listen_for(struct mqtt *m, int64_t ns) {
    for (int64_t end = clock_ns() + ns; clock_ns() < end && !children_stopped();) hear(m, end);
}

static bool bytes_send(struct mqtt *m, struct slice s) {
    int64_t end = clock_ns() + m->timeout;
    while (s.n && m->fd >= 0 && !children_stopped()) {
        ssize_t n = sock_give(m->fd, s);
        if (n > 0) s = slice_tail(s, (size_t)n);
        else if (n != -EAGAIN && n != -EINTR) return hear(m, clock_ns()), false;
        else if (clock_ns() > end) return false;
        else if (n == -EAGAIN) {
            struct pollfd p = {.fd = m->fd, .events = POLLOUT};
            (void)poll(&p, 1, 100);
            hear(m, clock_ns()); /* a peer that reads only after it could write */
        }
    }
    return !s.n;
}

static bool send_pieces(struct mqtt *m, struct slice bytes) {
    size_t piece = m->pieces ? m->pieces : bytes.n;
    for (; bytes.n; bytes = slice_tail(bytes, piece)) {
        if (!bytes_send(m, slice_head(bytes, piece))) return false;
        if (m->pieces && bytes.n > piece) nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    return true;
}

/* version_note learns from a CONNECT which version the connection speaks. */
static void version_note(struct mqtt *m, struct slice s) {
    size_t i = 1;
    if (!s.n || s.p[0] >> 4 != 1 || m->o.level) return;
    while (i < s.n && i < 4 && (s.p[i] & 128)) i++;
    s = slice_tail(s, i + 1);
    size_t name = s.n > 2 ? load_be16(s.p) : 0;
    uint8_t level = 2 + name < s.n ? s.p[2 + name] : 0;
    if (level >= 3 && level <= 5) m->env.mqtt_version = level;
}

static int fail(struct mqtt *m, const struct step *t, const char *what) {
    (void)wr_flush(&m->out.out);
    fprintf(stderr, "weir craft mqtt: line %u: %s: %s\n", t->line, t->text, what);
    return EXIT_FINDING;
}

static int packet_send(struct mqtt *m, const struct step *t, struct slice bytes) {
    const char *how = NULL;
    const struct decode *d = NULL;
    bool ends = false;
    wr_reset(&m->broken);
    version_note(m, bytes);
    if (m->breaks >= 0 &&
        mqtt_break_apply(m->breaks, m->env.mqtt_version ? m->env.mqtt_version : 4, bytes, &m->broken)) {
        how = mqtt_breaks[m->breaks].what;
        ends = mqtt_breaks[m->breaks].ends;
        bytes = wr_done(&m->broken);
        m->breaks = -1;
        m->was_broken = true;
    } else if (m->breaks >= 0 && m->at_once) {
        return opt_bad_use(&command, "line %u: %s: %s does not fit this packet", t->line, t->text,
                           mqtt_breaks[m->breaks].name);
    }
    if (m->fd < 0) return m->patient ? (int)OPT_GO : fail(m, t, "there is no connection any more");
    for (struct slice rest = bytes; rest.n; rest = slice_tail(rest, SEGMENT_MAX))
        d = segment(m, true, TALK_ACK | TALK_PSH, slice_head(rest, SEGMENT_MAX));
    if (bytes.n) bytes_show(m, true, d, bytes, how);
    else note(m, true, how);
    m->sent += bytes.n > 0;
    if (!send_pieces(m, bytes) && !m->patient && !children_stopped()) return fail(m, t, "the packet could not be sent");
    if (ends && m->fd >= 0) sock_end(m->fd);
    return OPT_GO;
}

static int step_send(struct mqtt *m, const struct step *t) {
    char buf[512];
    struct writer why = wr_fixed(buf, sizeof buf - 1);
    struct slice bytes;
    int rc = OPT_GO;
    for (uint64_t n = 0; rc == OPT_GO && n < t->times; n++)
        for (uint64_t i = 0; rc == OPT_GO && i < craft_count(t->craft) && !children_stopped(); i++) {
            int err = craft_packet(t->craft, i, &bytes, &why);
            *why.p = 0;
            if (err) return opt_bad_use(&command, "line %u: %s", t->line, buf[0] ? buf : err_text(err));
            rc = packet_send(m, t, bytes);
            if (m->fd >= 0) hear(m, clock_ns());
        }
    return rc;
}

static int step_expect(struct mqtt *m, const struct step *t) {
    int64_t end = clock_ns() + (t->span ? t->span : m->timeout);
    for (bool last = false;; last = m->fd < 0 || clock_ns() >= end || children_stopped()) {
        for (; m->at_seen < m->n_seen; m->at_seen++)
            if (m->seen[m->at_seen].met[t->expect / 64] >> t->expect % 64 & 1) return m->at_seen++, OPT_GO;
        if (last) return fail(m, t, m->fd < 0 ? "the connection ended before it came" : "it did not come in time");
        if (m->fd >= 0) hear(m, end);
    }
}

static int step_closed(struct mqtt *m, const struct step *t) {
    int64_t end = clock_ns() + (t->span ? t->span : m->timeout);
    while (m->fd >= 0 && clock_ns() < end && !children_stopped()) hear(m, end);
    return m->fd < 0 ? OPT_GO : fail(m, t, "the connection is still open");
}

static int step_silence(struct mqtt *m, const struct step *t) {
    size_t had = m->n_seen;
    if (m->at_seen < m->n_seen) return fail(m, t, "something came");
    listen_for(m, t->span ? t->span : 1000000000);
    return m->n_seen == had && m->fd >= 0 ? OPT_GO : fail(m, t, m->fd < 0 ? "the connection ended" : "something came");
}

static int dial(struct mqtt *m) {
    char text[100];
    struct writer w = wr_fixed(text, sizeof text - 1);
    m->fd = sock_connect(&m->to, NULL);
    struct pollfd p = {.fd = m->fd, .events = POLLOUT};
    int error = m->fd < 0 ? -m->fd : poll(&p, 1, CONNECT_MS) > 0 ? sock_connected(m->fd) : ETIMEDOUT;
    sock_print(&m->to, &w);
    *w.p = 0;
    if (error) {
        if (m->fd >= 0) sock_close(m->fd);
        m->fd = -1;
        fprintf(stderr, "weir craft mqtt: %s: %s\n", text, strerror(error));
        return EXIT_FINDING;
    }
    struct sock_addr name = sock_name(m->fd);
    struct sock_peer own = sock_peer_of(&name), peer = sock_peer_of(&m->to);
    m->ends = (struct hand_ends){.n = peer.len, .sport = own.port, .dport = peer.port};
    memcpy(m->ends.src, own.ip, peer.len);
    memcpy(m->ends.dst, peer.ip, peer.len);
    m->seq[0] = m->seq[1] = (uint32_t)clock_ns();
    m->ending = OPEN;
    m->n_in = 0;
    (void)segment(m, true, TALK_SYN, slice_of(NULL, 0));
    (void)segment(m, false, TALK_SYN | TALK_ACK, slice_of(NULL, 0));
    (void)segment(m, true, TALK_ACK, slice_of(NULL, 0));
    return OPT_GO;
}

static void hang_up(struct mqtt *m, bool reset) {
    if (m->fd < 0) return;
    (void)segment(m, true, reset ? TALK_RST | TALK_ACK : TALK_FIN | TALK_ACK, slice_of(NULL, 0));
    if (reset) sock_close_hard(m->fd);
    else sock_close(m->fd);
    m->fd = -1;
    m->ending = ENDED_HERE;
}

static int step_do(struct mqtt *m, const struct step *t) {
    switch (t->kind) {
    case STEP_SEND: return step_send(m, t);
    case STEP_WAIT: return listen_for(m, t->span), OPT_GO;
    case STEP_EXPECT: return step_expect(m, t);
    case STEP_CLOSED: return step_closed(m, t);
    case STEP_SILENCE: return step_silence(m, t);
    case STEP_BREAK: return m->breaks = t->breaks, m->at_once = true, OPT_GO;
    case STEP_SPLIT: return m->pieces = t->pieces, OPT_GO;
    case STEP_CONNECT: return hang_up(m, false), dial(m);
    case STEP_CLOSE: return hang_up(m, false), OPT_GO;
    case STEP_RESET: return hang_up(m, true), OPT_GO;
    }
    return OPT_GO;
}

static int breaks_list(void) {
    for (size_t i = 0; i < mqtt_breaks_count; i++)
        printf("%-24s %s%s\n", mqtt_breaks[i].name, mqtt_breaks[i].what, mqtt_breaks[i].versions ? " (MQTT 5)" : "");
    return EXIT_FINE;
}

/* script_text gives the text of the script, from a file, from the words, or the usual one. */
static char *script_text(const struct mqtt *m) {
    struct writer w = wr_grow();
    char buf[4096];
    size_t n;
    if (m->o.script) {
        FILE *f = strcmp(m->o.script, "-") ? fopen(m->o.script, "re") : stdin;
        if (!f) return NULL;
        while (wr_len(&w) <= SCRIPT_TEXT_MAX && (n = fread(buf, 1, sizeof buf, f)) > 0) wr_bytes(&w, buf, n);
        if (f != stdin) fclose(f);
    } else {
        for (size_t i = 2; i < m->o.words.n; i++) wr_f(&w, "%s\n", m->o.words.item[i]);
        if (m->o.words.n == 2)
            wr_f(&w, m->patient ? patient : usual, (long)getpid()); /* a broker knows a client by it */
    }
    wr_c(&w, 0);
    if (!w.err && wr_len(&w) <= SCRIPT_TEXT_MAX) return w.buf;
    wr_free(&w);
    return errno = EFBIG, NULL;
}

static int options_read(struct mqtt *m) {
    m->timeout = 5000000000;
    m->wait = 500000000;
    m->breaks = -1;
    m->pieces = (size_t)m->o.split;
    m->env.mqtt_version = (uint8_t)m->o.level;
    if (m->o.timeout && !span_parse(m->o.timeout, &m->timeout))
        return opt_bad_use(&command, "--timeout %s: no length of time (" SPAN_HELP ")", m->o.timeout);
    if (m->o.wait && !span_parse(m->o.wait, &m->wait))
        return opt_bad_use(&command, "--wait %s: no length of time (" SPAN_HELP ")", m->o.wait);
    if (m->o.breaks && (m->breaks = mqtt_break_find(m->o.breaks)) < 0)
        return opt_bad_use(&command, "--break %s: no such break; --break list lists them", m->o.breaks);
    if (m->o.script && m->o.words.n > 2) return opt_bad_use(&command, "--script and steps as words exclude each other");
    if (m->breaks >= 0 && mqtt_breaks[m->breaks].versions && !m->o.level)
        m->env.mqtt_version = mqtt_breaks[m->breaks].versions;
    m->patient = m->breaks >= 0 && !m->o.script && m->o.words.n == 2;
    return OPT_GO;
}

static int prepare(struct mqtt *m) {
    char text[300], buf[200];
    struct writer why = wr_fixed(buf, sizeof buf - 1);
    if (m->o.words.n < 2)
        return opt_bad_use(&command, "HOST and PORT belong here, such as `weir craft mqtt 127.0.0.1 1883`");
    int rc = options_read(m);
    if (rc != OPT_GO) return rc;
    snprintf(text, sizeof text, strchr(m->o.words.item[0], ':') ? "[%s]:%s" : "%s:%s", m->o.words.item[0],
             m->o.words.item[1]);
    int err = sock_parse(&m->to, text, 0, &why);
    *why.p = 0;
    if (err || sock_is_local(&m->to)) return opt_bad_use(&command, "%s", buf[0] ? buf : "this is no address of a host");
    char *script = script_text(m);
    if (!script) return opt_bad_use(&command, "--script %s: %s", m->o.script, strerror(errno));
    rc = script_read(&m->script, &command, m->o.script ? m->o.script : "script", script, &m->env);
    m->in = malloc(RECEIVE_MAX);
    m->seen = malloc(SEEN_MAX * sizeof *m->seen);
    if (rc == OPT_GO && (!m->in || !m->seen)) rc = opt_bad_use(&command, "out of memory");
    return rc;
}

static int out_open(struct mqtt *m) {
    m->out.cmd = &command;
    m->out.file = m->o.file;
    m->out.show = m->o.show;
    for (unsigned i = 0; i < m->script.n_expects; i++) want_union(&m->out.want, expr_want(m->script.expects[i]));
    int rc = craft_out_open(&m->out, true);
    const struct proto *mqtt = proto_find(SLICE("mqtt"));
    struct sock_peer peer = sock_peer_of(&m->to);
    if (rc == OPT_GO && driver_decode_as(&m->out.ds.driver, TABLE_TCP, peer.port, mqtt))
        rc = opt_bad_use(&command, "out of memory");
    return rc;
}

static int converse(struct mqtt *m) {
    children_watch();
    m->began = clock_ns();
    int rc = dial(m);
    for (size_t i = 0; rc == OPT_GO && i < m->script.n && !children_stopped(); i++)
        rc = step_do(m, &m->script.steps[i]);
    if (m->fd >= 0 && !children_stopped()) {
        int64_t end = clock_ns() + m->wait;
        while (m->fd >= 0 && clock_ns() < end && !children_stopped()) hear(m, end);
    }
    enum ending how = m->ending;
    hang_up(m, false);
    (void)wr_flush(&m->out.out);
    static const char *const endings[] = {[OPEN] = "the broker left the connection open",
                                          [ENDED_HERE] = "the connection was closed here",
                                          [ENDED_THERE] = "the broker closed the connection",
                                          [RESET_THERE] = "the broker reset the connection"};
    if (m->began && (m->sent || m->received || rc == OPT_GO))
        fprintf(stderr, "%llu %s sent, %llu received; %s\n", (unsigned long long)m->sent,
                plural(m->sent, "packet", "packets"), (unsigned long long)m->received, endings[how]);
    if (m->breaks >= 0 && rc == OPT_GO && !m->was_broken)
        return opt_bad_use(&command, "no packet that was sent can be broken that way: %s", mqtt_breaks[m->breaks].name);
    return rc == OPT_GO ? EXIT_FINE : rc;
}

static void mqtt_free(struct mqtt *m) {
    if (m->script.steps) script_free(&m->script);
    wr_free(&m->packet);
    wr_free(&m->broken);
    free(m->in);
    free(m->seen);
    opt_release(&command, &m->o);
    free(m);
}

int craft_mqtt(int argc, char **argv) {
    struct mqtt *m = calloc(1, sizeof *m);
    if (!m) return opt_bad_use(&command, "out of memory");
    m->fd = -1;
    m->packet = wr_grow();
    m->broken = wr_grow();
    int rc = opt_parse(&command, &m->o, argc, argv);
    if (rc == OPT_GO && m->o.breaks && !strcmp(m->o.breaks, "list")) rc = breaks_list();
    if (rc == OPT_GO) rc = prepare(m);
    if (rc == OPT_GO) {
        rc = out_open(m);
        if (rc == OPT_GO) rc = converse(m);
        rc = craft_out_close(&m->out, rc);
    }
    mqtt_free(m);
    return rc;
}
