/* SPDX-License-Identifier: Apache-2.0 */
/* weir craft tcp: a TCP connection by hand. The states and segments are in craft/hand.h; here are the way in and out,
 * the rule that holds the system's resets back, and the words. */
#include "app/children.h"
#include "app/craft/craft.h"
#include "app/span.h"
#include "app/story.h"
#include "base/clock.h"
#include "craft/hand.h"
#include "io/nft.h"
#include "io/sock.h"
#include "view/words.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define N_(text) text

enum { SEND_MAX = 64 << 20, WAIT_MS = 50, FIRST_PORT = 49152, PORTS = 16384, SHOWN_MAX = 2000, PIPE_MS = 1000 };

struct tcp_opts {
    const char *send, *data, *out, *file, *wait, *device, *language;
    bool step, let_rst;
    int64_t port;
    struct opt_list words;
};

static const struct opt_def defs[] = {
    {'s', "send", "FILE",
     "send the bytes of FILE; - is stdin, which is also sent without this when it is a pipe or a file", OPT_TEXT,
     offsetof(struct tcp_opts, send)},
    {'d', "data", "TEXT", "send this text; \\n, \\r, \\t and \\xHH stand for their bytes", OPT_TEXT,
     offsetof(struct tcp_opts, data)},
    {'o', "output", "FILE", "write the bytes that arrive to FILE; - is stdout", OPT_TEXT,
     offsetof(struct tcp_opts, out)},
    {'w', "write", "FILE", "write the packets to FILE (pcapng)", OPT_TEXT, offsetof(struct tcp_opts, file)},
    {0, "step", NULL, "wait for Enter before each packet", OPT_FLAG, offsetof(struct tcp_opts, step)},
    {0, "wait", "TIME", "close after so long without anything new (" SPAN_HELP "); default 2", OPT_TEXT,
     offsetof(struct tcp_opts, wait)},
    {0, "let-rst", NULL, "let the system reset the connection, to see it", OPT_FLAG,
     offsetof(struct tcp_opts, let_rst)},
    {0, "source-port", "N", "own port; default: a free one", OPT_NUMBER, offsetof(struct tcp_opts, port), .min = 1,
     .max = 65535},
    {'i', "interface", "NAME", "send by this interface", OPT_TEXT, offsetof(struct tcp_opts, device)},
    {0, "lang", "LANGUAGE", "en, ja, zh_CN; default: the environment's", OPT_TEXT, offsetof(struct tcp_opts, language)},
};

static const char *const examples[] = {
    "sudo weir craft tcp 127.0.0.1 1883",
    "echo hoge | sudo weir craft tcp harvest.example 8514",
    "sudo weir craft tcp 127.0.0.1 80 --data 'GET / HTTP/1.0\\r\\n\\r\\n' -w hand.pcapng",
    "sudo weir craft tcp 127.0.0.1 1883 --step --let-rst",
    NULL,
};

static const struct opt_command command = {
    .name = "craft tcp",
    .synopsis = "HOST PORT [--send FILE] [--step]",
    .purpose = "a TCP connection by hand, each packet with its meaning",
    .description =
        "Opens a connection with packets of its own, SYN, SYN/ACK, ACK, sends data, shows what arrives, closes with "
        "FIN, and says of each packet what it means.\n\n"
        "The trap of connections by hand: the system knows nothing of them and resets them as soon as the SYN/ACK "
        "arrives. A rule of nftables for exactly these addresses and ports drops such resets while the connection "
        "lives; "
        "the kernel takes it away with the program, even after kill -9. With --let-rst there is no rule, and the reset "
        "is shown.\n\n"
        "Exit status: 0 the connection was opened and closed in order, 1 it was refused, reset or never answered.",
    .examples = examples,
    .defs = defs,
    .n_defs = sizeof defs / sizeof *defs,
    .words_at = offsetof(struct tcp_opts, words),
};

/* What each segment means; numbers are arguments. */
static const char *const meaning[HAND_WORDS] = {
    [HAND_ASK] = N_("I ask for a connection. My bytes will be counted from here."),
    [HAND_OPEN] = N_("I have seen the answer: the connection is open in both directions."),
    [HAND_SEND] = N_("I send %1$s bytes."),
    [HAND_CONFIRM] = N_("I confirm: %1$s bytes have arrived here."),
    [HAND_FINISH] = N_("I have nothing more to send."),
    [HAND_FINISHED] = N_("I know that the other side has nothing more to send."),
    [HAND_AGAIN] = N_("Nobody confirmed it in time, so I send it again."),
    [HAND_PROBE] = N_("The other side takes nothing at present; one byte asks whether it does again."),
    [HAND_ABORT] = N_("I end the connection at once."),
    [HAND_AGREED] = N_("The other side agrees, and counts its own bytes from here."),
    [HAND_REFUSED] = N_("Refused: the host is there, but nobody listens on this port."),
    [HAND_CUT] = N_("The connection was reset: the other side, or something on the way, wants no more of it."),
    [HAND_ARRIVED] = N_("The other side confirms %1$s bytes of mine."),
    [HAND_DATA] = N_("%1$s bytes of data arrive:"),
    [HAND_OTHER_FIN] = N_("The other side has nothing more to send."),
    [HAND_FIN_KNOWN] = N_("The other side knows that I have nothing more to send."),
    [HAND_SEEN] = N_("I have seen this before: my confirmation was late or got lost."),
    [HAND_GAP] = N_("%1$s bytes before these are missing; I ask for them again."),
    [HAND_STRANGE] = N_("This does not fit what was said before; I pass it over."),
    [HAND_FULL] = N_("The other side takes nothing at present: its window is closed."),
};
_Static_assert(sizeof meaning / sizeof *meaning == HAND_WORDS, "every word has its sentence");
static const char *const meaning_of_one[HAND_WORDS] = {
    [HAND_SEND] = N_("I send %1$s byte."),
    [HAND_CONFIRM] = N_("I confirm: %1$s byte has arrived here."),
    [HAND_ARRIVED] = N_("The other side confirms %1$s byte of mine."),
    [HAND_DATA] = N_("%1$s byte of data arrives:"),
    [HAND_GAP] = N_("%1$s byte before these is missing; I ask for it again."),
};

struct tcp {
    struct tcp_opts o;
    struct craft_out out; /* of the capture */
    struct hand hand;
    struct hand_ends ends;
    struct sock_addr to;
    struct route route;
    struct rawsend *raw;
    struct live *live;
    struct nft_hold hold;
    struct writer data; /* to send */
    struct writer packet;
    struct writer w; /* the terminal's */
    int hold_fd, out_fd, text_fd;
    int64_t began, quiet;
    uint32_t irs;
    uint64_t received;
    bool unicode, aborted, sent_badly;
    uint16_t id;
    FILE *keys; /* where Enter comes from */
    char text[8192];
};

static int flush_fd(void *to, struct slice bytes) {
    for (int fd = *(int *)to; bytes.n;) {
        ssize_t n = write(fd, bytes.p, bytes.n);
        if (n < 0 && errno != EINTR) return ERR_IO;
        if (n > 0) bytes = slice_tail(bytes, (size_t)n);
    }
    return OK;
}

static void words_line(struct tcp *t, const char *english, uint64_t number) {
    char text[1024], digits[24];
    struct writer w = wr_fixed(text, sizeof text);
    snprintf(digits, sizeof digits, "%llu", (unsigned long long)number);
    struct argument arg = {.text = slice_str(digits)};
    words_fill(&w, english, &arg, 1);
    wr_s(&t->w, "            ");
    text_wrap(&t->w, wr_done(&w), 12, story_width() - 12);
    (void)wr_flush(&t->w);
}

static void meaning_line(struct tcp *t, enum hand_word what, uint64_t number) {
    const char *one = meaning_of_one[what];
    words_line(t, one ? plural(number, one, meaning[what]) : meaning[what], number);
}

static void flags_print(struct writer *w, uint8_t flags) {
    static const char *const names[] = {"FIN", "SYN", "RST", "PSH", "ACK", "URG"};
    static const uint8_t order[] = {1, 0, 2, 3, 4, 5};
    bool first = true;
    for (size_t i = 0; i < sizeof order; i++) {
        if (!(flags >> order[i] & 1)) continue;
        wr_f(w, "%s%s", first ? "" : ", ", names[order[i]]);
        first = false;
    }
}

/* segment_line shows a segment; numbers count from the first one of each side. */
static void segment_line(struct tcp *t, bool out, uint8_t flags, uint32_t seq, uint32_t ack, size_t n, uint16_t window,
                         uint16_t mss) {
    char names[48];
    struct writer f = wr_fixed(names, sizeof names - 1);
    double at = (double)(clock_ns() - t->began) / 1e9;
    uint32_t mine = t->hand.iss,
             theirs = t->hand.state == HAND_ASKING && !t->hand.irs ? (out ? ack : seq) : t->hand.irs;
    flags_print(&f, flags);
    *f.p = 0;
    const char *arrow = t->unicode ? (out ? "\u2192" : "\u2190") : (out ? "->" : "<-");
    wr_f(&t->w, "%10.6f %s %-13s seq %u", at, arrow, names, out ? seq - mine : seq - theirs);
    if (flags & TALK_ACK) wr_f(&t->w, ", ack %u", out ? ack - theirs : ack - mine);
    if (n) wr_f(&t->w, plural(n, ", %zu byte", ", %zu bytes"), n);
    wr_f(&t->w, ", window %u", window);
    if (mss) wr_f(&t->w, ", mss %u", mss);
    wr_c(&t->w, '\n');
}

static void record(struct tcp *t, struct slice bytes, int64_t ts, enum craft_direction way) {
    const struct decode *d;
    if (craft_out_packet(&t->out, 101, bytes, ts, way, &d)) t->sent_badly = true;
}

/* enter waits for Enter; at the end of input the rest goes by itself. */
static void enter(struct tcp *t) {
    int c;
    int64_t began = clock_ns();
    if (!t->keys) return;
    (void)wr_flush(&t->w);
    fprintf(stderr, "%s ", words(N_("[Enter sends the next packet]")));
    do c = getc(t->keys);
    while (c != '\n' && c != EOF);
    if (c == EOF) t->keys = NULL;
    hand_wait(&t->hand, clock_ns() - began);
}

static void segment_send(void *to, const struct hand_segment *s, enum hand_word why, uint64_t number) {
    struct tcp *t = to;
    enter(t);
    wr_reset(&t->packet);
    hand_write(&t->packet, s, &t->ends, ++t->id);
    struct slice bytes = wr_done(&t->packet);
    int64_t ts = clock_wall_ns();
    if (rawsend_ip(t->raw, t->route.device, bytes) && !t->sent_badly) {
        t->sent_badly = true;
        fprintf(stderr, "weir craft tcp: a packet could not be sent: %s\n", strerror(errno));
    }
    record(t, bytes, ts, CRAFT_OUT);
    segment_line(t, true, s->flags, s->seq, s->ack, s->data.n, s->window, s->mss);
    meaning_line(t, why, number);
}

static void segment_means(void *to, enum hand_word what, uint64_t number) { meaning_line(to, what, number); }

/* data_came shows the beginning of what arrived, line by line, as text where it is text. */
static void data_came(void *to, struct slice s) {
    struct tcp *t = to;
    bool fresh = true;
    t->received += s.n;
    if (t->out_fd >= 0 && flush_fd(&t->out_fd, s)) t->sent_badly = true;
    if (t->out_fd == STDOUT_FILENO) return;
    for (size_t i = 0; i < s.n && i < SHOWN_MAX; i++) {
        uint8_t c = s.p[i];
        if (fresh) wr_s(&t->w, "            | ");
        fresh = c == '\n';
        if (c == '\n' || (c >= 32 && c < 127)) wr_c(&t->w, (char)c);
        else if (c != '\r') wr_f(&t->w, "\\x%02x", c);
    }
    if (!fresh) wr_c(&t->w, '\n');
    size_t left = slice_tail(s, SHOWN_MAX).n;
    if (left)
        wr_f(&t->w, plural(left, "            | ... %zu more byte\n", "            | ... %zu more bytes\n"), left);
    (void)wr_flush(&t->w);
}

static const struct hand_ops hand_ops = {segment_send, segment_means, data_came};

static bool between(const struct talk_packet *p, const uint8_t *src, const uint8_t *dst, size_t n, uint16_t sport,
                    uint16_t dport) {
    return p->proto == 6 && p->whole && p->sport == sport && p->dport == dport && !memcmp(p->src, src, n) &&
           !memcmp(p->dst, dst, n);
}

/* own_reset: a reset from our end that we did not send is the system's. */
static void own_reset(struct tcp *t, const struct talk_packet *p) {
    if (!(p->flags & TALK_RST) || t->aborted) return;
    segment_line(t, true, p->flags, p->seq, p->ack, 0, p->window, 0);
    words_line(
        t,
        N_("This is the trap: the system of this machine sent it, not I. It got a SYN, ACK of a connection it knows "
           "nothing of, and a reset is its answer. The other side closes."),
        0);
}

/* error_came: an ICMP error that quotes one of our packets. */
static void error_came(struct tcp *t, const struct talk_packet *p, const struct packet *k) {
    char from[64], type[8], code[8], text[512];
    struct talk_packet q;
    const struct hand_ends *e = &t->ends;
    struct writer w = wr_fixed(from, sizeof from), line = wr_fixed(text, sizeof text);
    if (!talk_read(&q, 101, p->quoted) || !between(&q, e->src, e->dst, e->n, e->sport, e->dport)) return;
    record(t, p->network, k->ts, CRAFT_IN);
    struct sock_peer peer = {.len = e->n};
    memcpy(peer.ip, p->src, e->n);
    sock_peer_print(&peer, &w);
    snprintf(type, sizeof type, "%u", p->type);
    snprintf(code, sizeof code, "%u", p->code);
    struct argument arg[] = {{.text = wr_done(&w)}, {.text = slice_str(type)}, {.text = slice_str(code)}};
    words_fill(&line, N_("%1$s reports that the packet did not get through (ICMP type %2$s, code %3$s)."), arg, 3);
    wr_f(&t->w, "%10.6f %s ", (double)(clock_ns() - t->began) / 1e9, t->unicode ? "\u2190" : "<-");
    wr_slice(&t->w, wr_done(&line));
    wr_c(&t->w, '\n');
    (void)wr_flush(&t->w);
    if (p->type == (e->n == 4 ? 3 : 1) && !(e->n == 4 && p->code == 4)) hand_blocked(&t->hand);
}

static void packet_came(struct tcp *t, const struct packet *k) {
    struct talk_packet p;
    const struct hand_ends *e = &t->ends;
    if (!talk_read(&p, k->iface->linktype, k->data)) return;
    if (p.quoted.n) return error_came(t, &p, k);
    if (between(&p, e->src, e->dst, e->n, e->sport, e->dport)) {
        if (p.flags & TALK_RST) record(t, p.network, k->ts, CRAFT_OUT);
        return own_reset(t, &p);
    }
    if (!between(&p, e->dst, e->src, e->n, e->dport, e->sport) || hand_is_over(&t->hand)) return;
    record(t, p.network, k->ts, CRAFT_IN);
    segment_line(t, false, p.flags, p.seq, p.ack, p.payload.n, p.window, p.mss);
    hand_came(&t->hand, clock_ns(), &p);
}

static int escape_read(struct writer *w, const char *s) {
    for (; *s; s++) {
        unsigned c;
        int used = 0;
        if (*s != '\\') wr_c(w, *s);
        else if (s[1] == 'n') wr_c(w, '\n'), s++;
        else if (s[1] == 'r') wr_c(w, '\r'), s++;
        else if (s[1] == 't') wr_c(w, '\t'), s++;
        else if (s[1] == '\\') wr_c(w, '\\'), s++;
        else if (s[1] == 'x' && sscanf(s + 2, "%2x%n", &c, &used) == 1 && used == 2) wr_c(w, (char)c), s += 3;
        else wr_c(w, *s);
    }
    return w->err;
}

/* piped tells whether standard input brings data nobody asked for with --send: a file, or a pipe that has something to
 * say soon. One that stays silent may be nobody's, as those of a program that was started by another. */
static bool piped(void) {
    struct stat st;
    if (fstat(STDIN_FILENO, &st)) return false;
    if (S_ISREG(st.st_mode)) return true;
    struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
    if (!S_ISFIFO(st.st_mode)) return false;
    if (poll(&in, 1, PIPE_MS) > 0) return true;
    fprintf(stderr, "weir craft tcp: nothing came on standard input within %d s; --send - waits for it\n",
            PIPE_MS / 1000);
    return false;
}

static int data_read(struct tcp *t) {
    char buf[8192];
    ssize_t n;
    t->data = wr_grow();
    if (t->o.data && t->o.send) return opt_bad_use(&command, "--data and --send exclude each other");
    if (t->o.data && escape_read(&t->data, t->o.data)) return opt_bad_use(&command, "out of memory");
    if (!t->o.send && !t->o.data && !t->o.step && piped()) t->o.send = "-";
    if (!t->o.send) return OPT_GO;
    bool standard = !strcmp(t->o.send, "-");
    int fd = standard ? STDIN_FILENO : open(t->o.send, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return opt_bad_use(&command, "--send %s: %s", t->o.send, strerror(errno));
    while ((n = read(fd, buf, sizeof buf)) > 0 && wr_len(&t->data) <= SEND_MAX) wr_bytes(&t->data, buf, (size_t)n);
    int error = errno;
    if (!standard) close(fd);
    if (n < 0) return opt_bad_use(&command, "--send %s: %s", t->o.send, strerror(error));
    if (wr_len(&t->data) > SEND_MAX) return opt_bad_use(&command, "--send %s: more than %d bytes", t->o.send, SEND_MAX);
    return t->data.err ? opt_bad_use(&command, "out of memory") : OPT_GO;
}

static int address_read(struct tcp *t) {
    char text[300], buf[200];
    struct writer why = wr_fixed(buf, sizeof buf - 1);
    if (t->o.words.n != 2)
        return opt_bad_use(&command, "HOST and PORT belong here, such as `weir craft tcp 127.0.0.1 1883`");
    snprintf(text, sizeof text, strchr(t->o.words.item[0], ':') ? "[%s]:%s" : "%s:%s", t->o.words.item[0],
             t->o.words.item[1]);
    int rc = sock_parse(&t->to, text, 0, &why);
    *why.p = 0;
    if (rc || sock_is_local(&t->to)) return opt_bad_use(&command, "%s", buf[0] ? buf : "this is no address of a host");
    struct sock_peer peer = sock_peer_of(&t->to);
    t->ends.n = peer.len;
    t->ends.dport = peer.port;
    memcpy(t->ends.dst, peer.ip, peer.len);
    if (route_find(&t->route, t->ends.dst, t->ends.n, t->o.device))
        return opt_bad_use(&command, "there is no route to %s", t->o.words.item[0]);
    memcpy(t->ends.src, t->route.source, t->ends.n);
    return OPT_GO;
}

/* port_take chooses our port and keeps it from others. */
static int port_take(struct tcp *t) {
    struct sock_peer own = {.len = t->ends.n};
    uint16_t random = 0;
    memcpy(own.ip, t->ends.src, t->ends.n);
    for (int i = 0; i < 50; i++) {
        (void)!getrandom(&random, sizeof random, 0);
        own.port = t->o.port ? (uint16_t)t->o.port : (uint16_t)(FIRST_PORT + random % PORTS);
        struct sock_addr a = sock_addr_of(&own);
        t->hold_fd = sock_hold_port(&a);
        if (t->hold_fd >= 0 || t->o.port) break;
    }
    if (t->hold_fd < 0) return opt_bad_use(&command, "port %u: %s", own.port, strerror(-t->hold_fd));
    t->ends.sport = own.port;
    return OPT_GO;
}

static int listen_open(struct tcp *t, struct writer *why) {
    char filter[100];
    snprintf(filter, sizeof filter, "(tcp port %u and tcp port %u) or icmp or icmp6", t->ends.sport, t->ends.dport);
    struct live_config config = {
        .device = t->route.name, .immediate = true, .delay_ms = 1, .no_promiscuous = true, .filter = filter};
    return live_open(&t->live, &config, why);
}

static int resets_hold(struct tcp *t) {
    char buf[300];
    struct writer why = wr_fixed(buf, sizeof buf - 1);
    if (t->o.let_rst) return OPT_GO;
    int rc = nft_hold_resets(&t->hold, t->ends.src, t->ends.dst, t->ends.n, t->ends.sport, t->ends.dport, RAWSEND_MARK,
                             &why);
    *why.p = 0;
    if (rc == ERR_NOTFOUND)
        return opt_bad_use(&command, "nft is not installed, so the system would reset the connection: install "
                                     "nftables, or see it happen with --let-rst");
    return rc ? opt_bad_use(&command, "the rule that holds back the system's resets cannot be set: %s", buf) : OPT_GO;
}

static int open_all(struct tcp *t) {
    char buf[300];
    struct writer why = wr_fixed(buf, sizeof buf - 1);
    t->quiet = 2000000000;
    if (t->o.wait && !span_parse(t->o.wait, &t->quiet))
        return opt_bad_use(&command, "--wait %s: no length of time (" SPAN_HELP ")", t->o.wait);
    if (t->o.send && !strcmp(t->o.send, "-") && t->o.step) t->keys = fopen("/dev/tty", "re");
    else if (t->o.step) t->keys = stdin;
    int rc = address_read(t);
    if (rc == OPT_GO) rc = data_read(t);
    if (rc != OPT_GO) return rc;
    int err = rawsend_open(&t->raw, t->o.device, &why);
    if (!err && (rc = port_take(t)) != OPT_GO) return rc;
    if (!err) err = listen_open(t, &why);
    *why.p = 0;
    if (err) return opt_bad_use(&command, "%s", buf[0] ? buf : err_text(err));
    if (t->o.out)
        t->out_fd =
            strcmp(t->o.out, "-") ? open(t->o.out, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666) : STDOUT_FILENO;
    if (t->o.out && t->out_fd < 0) return opt_bad_use(&command, "cannot write %s: %s", t->o.out, strerror(errno));
    if (t->out_fd == STDOUT_FILENO) t->text_fd = STDERR_FILENO;
    t->out.cmd = &command;
    t->out.file = t->o.file;
    rc = craft_out_open(&t->out, false);
    return rc == OPT_GO ? resets_hold(t) : rc;
}

static int talk(struct tcp *t) {
    uint32_t iss;
    struct packet k;
    uint16_t mss = t->route.kind == ROUTE_LOCAL ? 16384 : 1460;
    if (getrandom(&iss, sizeof iss, 0) != sizeof iss) iss = (uint32_t)clock_ns();
    t->id = (uint16_t)iss;
    t->began = clock_ns();
    children_watch();
    hand_start(&t->hand, &hand_ops, t, t->began, iss, mss, wr_done(&t->data), t->quiet);
    while (!hand_is_over(&t->hand) && !children_stopped()) {
        int64_t left = (hand_due(&t->hand) - clock_ns()) / 1000000;
        int got = live_next(t->live, &k, left > WAIT_MS ? WAIT_MS : left > 0 ? (int)left + 1 : 1);
        if (got == OK) packet_came(t, &k);
        else if (got != LIVE_NOTHING) return opt_bad_use(&command, "%s", live_why(t->live));
        else hand_tick(&t->hand, clock_ns());
    }
    if (children_stopped() && !hand_is_over(&t->hand)) {
        t->aborted = true;
        hand_abort(&t->hand);
    }
    for (int i = 0; t->o.let_rst && i < 20 && live_next(t->live, &k, 10) == OK; i++)
        packet_came(t, &k); /* the system's reset may come last */
    return OPT_GO;
}

static int verdict(struct tcp *t) {
    static const char *const sentence[] = {
        [HAND_OVER] = N_("The connection was opened and closed in order."),
        [HAND_REFUSED_STATE] = N_("There was no connection: it was refused."),
        [HAND_CUT_STATE] = N_("The connection ended with a reset."),
        [HAND_HALF] = N_("My side of the connection was closed in order; the other side left its side open."),
        [HAND_BLOCKED] = N_("There was no connection: the host, or the way to it, cannot be reached."),
        [HAND_SILENT] = N_("Nobody answered: the packets, or the answers to them, are lost on the way."),
    };
    const struct hand *h = &t->hand;
    char text[512], sent[24], confirmed[24], received[24];
    uint32_t known = h->state == HAND_REFUSED_STATE || h->irs == 0 ? 0 : h->una - h->iss - 1;
    if (known > h->data.n) known = (uint32_t)h->data.n;
    uint32_t went = h->irs ? h->high - h->iss - 1 : 0;
    snprintf(sent, sizeof sent, "%zu", went < h->data.n ? went : h->data.n);
    snprintf(confirmed, sizeof confirmed, "%u", known);
    snprintf(received, sizeof received, "%llu", (unsigned long long)t->received);
    struct argument arg[] = {{.text = slice_str(sent)}, {.text = slice_str(confirmed)}, {.text = slice_str(received)}};
    struct writer w = wr_fixed(text, sizeof text);
    words_fill(&w, sentence[h->state], NULL, 0);
    wr_c(&w, ' ');
    words_fill(&w, N_("Bytes sent: %1$s, confirmed: %2$s, received: %3$s."), arg, 3);
    wr_slice(&t->w, wr_done(&w));
    wr_c(&t->w, '\n');
    (void)wr_flush(&t->w);
    if (t->sent_badly) return EXIT_TROUBLE;
    return h->state == HAND_OVER || h->state == HAND_HALF ? EXIT_FINE : EXIT_FINDING;
}

static void close_all(struct tcp *t) {
    nft_release(&t->hold);
    if (t->hold_fd >= 0) close(t->hold_fd);
    if (t->out_fd > STDERR_FILENO) close(t->out_fd);
    live_close(t->live);
    rawsend_close(t->raw);
    wr_free(&t->data);
    wr_free(&t->packet);
}

int craft_tcp(int argc, char **argv) {
    struct tcp *t = calloc(1, sizeof *t);
    if (!t) return opt_bad_use(&command, "out of memory");
    t->hold_fd = t->out_fd = -1;
    t->text_fd = STDOUT_FILENO;
    t->out.fd = -1;
    t->packet = wr_grow();
    t->w = wr_sink(t->text, sizeof t->text, flush_fd, &t->text_fd);
    t->unicode = story_unicode();
    int rc = opt_parse(&command, &t->o, argc, argv);
    story_words(t->o.language);
    bool ready = false;
    if (rc == OPT_GO) rc = open_all(t), ready = rc == OPT_GO;
    if (rc == OPT_GO) rc = talk(t);
    if (rc == OPT_GO) rc = verdict(t);
    close_all(t);
    if (ready) rc = craft_out_close(&t->out, rc);
    opt_release(&command, &t->o);
    free(t);
    return rc;
}
