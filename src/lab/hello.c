/* SPDX-License-Identifier: Apache-2.0 */
/* Theory of operation: a packet is made up around the bytes (addresses and ports as they are, sequence numbers counted
 * from the connection's first byte) and read by the dissector, which keeps conversations, puts messages together that
 * come in pieces, and is bounded however many connections there are. So what is said here is what `weir ladder` would
 * say of a capture. */
#include "lab/hello.h"
#include "analyse/ladder.h"
#include "base/utf8.h"
#include "base/words.h"
#include "lab/line.h"
#include "proto/tcp/tcp.h"
#include "proto/write.h"
#include "view/words.h"

#include <stdlib.h>

enum { HEADERS = 64, PIECE = 60000, LINKTYPE_RAW_IP = 101, TCP = 6, UDP = 17 };

int hello_make(struct hello *h) {
    *h = (struct hello){0};
    events_want(&h->want);
    h->bytes = malloc(HEADERS + PIECE);
    if (!h->bytes || dissector_make(&h->ds, &h->want)) {
        free(h->bytes);
        return ERR_NOMEM;
    }
    return OK;
}

void hello_free(struct hello *h) {
    if (!h->bytes) return;
    dissector_free(&h->ds);
    free(h->bytes);
    h->bytes = NULL;
}

static void ip_head(struct writer *w, uint8_t protocol, const struct sock_peer *from, const struct sock_peer *to,
                    size_t n) {
    if (from->len == 4) {
        put_be16(w, 0x4500), put_be16(w, (int64_t)(20 + n)), put_be32(w, 0);
        put_be8(w, 64), put_be8(w, protocol), put_be16(w, 0);
        wr_bytes(w, from->ip, 4), wr_bytes(w, to->len == 4 ? to->ip : from->ip, 4);
    } else {
        put_be32(w, 0x60000000), put_be16(w, (int64_t)n), put_be8(w, protocol), put_be8(w, 64);
        wr_bytes(w, from->ip, 16), wr_bytes(w, to->len == 16 ? to->ip : from->ip, 16);
    }
}

static void feed(struct hello *h, const struct writer *made, int64_t ts) {
    static const struct capture_interface raw = {.linktype = LINKTYPE_RAW_IP, .ticks = 1000000000};
    struct packet p = {.number = ++h->packets,
                       .ts = ts,
                       .has_ts = true,
                       .len = (uint32_t)wr_len(made),
                       .data = wr_done(made),
                       .iface = &raw};
    events_read(&h->events, dissector_packet(&h->ds, &p));
}

static void feed_tcp(struct hello *h, const struct sock_peer *from, const struct sock_peer *to, int64_t ts,
                     uint32_t seq, uint16_t flags, struct slice bytes) {
    struct writer w = wr_fixed(h->bytes, HEADERS + PIECE);
    ip_head(&w, TCP, from, to, 20 + bytes.n);
    put_be16(&w, from->port), put_be16(&w, to->port), put_be32(&w, seq), put_be32(&w, 0);
    put_be8(&w, 5 << 4), put_be8(&w, flags), put_be16(&w, 65535), put_be32(&w, 0);
    wr_slice(&w, bytes);
    feed(h, &w, ts);
}

/* harmless copies text that decoders made, with what cannot be seen escaped. */
static void harmless(struct writer *w, struct slice s) {
    while (s.n) {
        uint32_t c;
        size_t n = utf8_next(s, &c);
        if (!n || utf8_hidden(c)) wr_f(w, "\\u%04x", n ? c : s.p[0]);
        else wr_bytes(w, s.p, n);
        s = slice_tail(s, n ? n : 1);
    }
}

/* labels writes what was found in the last packet; the kind of the first, or -1. */
static int labels(struct hello *h, struct writer *w) {
    static const char *const names[EV_KINDS] = {
        [EV_DNS] = "", [EV_TLS] = "TLS ", [EV_HTTP] = "HTTP ", [EV_WEBSOCKET] = "", [EV_MQTT] = "MQTT "};
    int kind = -1;
    for (uint32_t i = 0; i < h->events.n && i < 6; i++) {
        const struct event *e = &h->events.event[i];
        bool named = e->kind == EV_HTTP && (e->http.response || !e->http.method.n); /* its label begins with HTTP */
        wr_f(w, "%s%s", i ? ", " : "", named ? "" : names[e->kind]);
        char text[512];
        struct writer label = wr_fixed(text, sizeof text);
        event_label(&label, e, words);
        harmless(w, wr_done(&label));
        if (kind < 0) kind = e->kind;
    }
    if (h->events.n > 6) wr_f(w, " +%u", h->events.n - 6);
    return kind;
}

void hello_begin(struct hello *h, const struct sock_peer *from, const struct sock_peer *to, int64_t ts) {
    feed_tcp(h, from, to, ts, UINT32_MAX, TH_SYN, slice_of(NULL, 0));
}

int hello_words(struct hello *h, struct writer *w, const struct sock_peer *from, const struct sock_peer *to, int64_t ts,
                uint64_t at, struct slice bytes) {
    struct slice all = bytes;
    int kind = -1;
    for (; bytes.n; at += PIECE, bytes = slice_tail(bytes, PIECE)) {
        feed_tcp(h, from, to, ts, (uint32_t)at, TH_ACK | TH_PUSH, slice_head(bytes, PIECE));
        int found = labels(h, w);
        if (kind < 0) kind = found;
    }
    if (kind < 0) bytes_words(w, all);
    return kind;
}

int hello_datagram(struct hello *h, struct writer *w, const struct sock_peer *from, const struct sock_peer *to,
                   int64_t ts, struct slice bytes) {
    struct writer made = wr_fixed(h->bytes, HEADERS + PIECE);
    struct slice part = slice_head(bytes, PIECE);
    ip_head(&made, UDP, from, to, 8 + part.n);
    put_be16(&made, from->port), put_be16(&made, to->port), put_be16(&made, (int64_t)(8 + part.n)), put_be16(&made, 0);
    wr_slice(&made, part);
    feed(h, &made, ts);
    int kind = labels(h, w);
    if (kind < 0) bytes_words(w, bytes);
    return kind;
}

/* ---- bytes that are no message ---- */

/* mostly_text: at least three characters in four can be seen; line ends and tabs count as seen. */
static bool mostly_text(struct slice s) {
    size_t seen = 0, all = 0;
    for (; s.n; all++) {
        uint32_t c;
        size_t n = utf8_next(s, &c);
        seen += n && (!utf8_hidden(c) || c == '\n' || c == '\r' || c == '\t');
        s = slice_tail(s, n ? n : 1);
    }
    return seen * 4 >= all * 3;
}

static void text_words(struct writer *w, struct slice s) {
    wr_c(w, '"');
    while (s.n) {
        uint32_t c;
        size_t n = utf8_next(s, &c);
        if (!n) wr_f(w, "\\x%02x", s.p[0]);
        else if (c == '\n') wr_s(w, "\\n");
        else if (c == '\r') wr_s(w, "\\r");
        else if (c == '\t') wr_s(w, "\\t");
        else if (c == '"' || c == '\\') wr_f(w, "\\%c", (char)c);
        else if (utf8_hidden(c)) wr_f(w, c < 256 ? "\\x%02x" : "\\u%04x", c);
        else wr_bytes(w, s.p, n);
        s = slice_tail(s, n ? n : 1);
    }
    wr_c(w, '"');
}

static void hex_words(struct writer *w, struct slice s) {
    wr_hexbytes(w, s, ' ');
    wr_s(w, "  |");
    for (size_t i = 0; i < s.n; i++) wr_c(w, s.p[i] >= 0x20 && s.p[i] < 0x7f ? (char)s.p[i] : '.');
    wr_c(w, '|');
}

void bytes_words(struct writer *w, struct slice bytes) {
    struct slice shown = slice_head(bytes, HELLO_SHOWN);
    while (shown.n < bytes.n && shown.n && (bytes.p[shown.n] & 0xc0) == 0x80) shown.n--; /* not inside a character */
    bool text = mostly_text(shown);
    if (!text) shown = slice_head(bytes, HELLO_HEX);
    if (text) text_words(w, shown);
    else hex_words(w, shown);
    if (shown.n == bytes.n) return;
    wr_c(w, ' ');
    uint64_t left = bytes.n - shown.n;
    line_say(w, plural(left, N_("and %1$s byte more"), N_("and %1$s bytes more")), &left, 1);
}
