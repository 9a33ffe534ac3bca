/* SPDX-License-Identifier: Apache-2.0 */
/* The summary line: No., Time, Source, Destination, Protocol, Length, Info. */
#include "base/isotime.h"
#include "field/print.h"
#include "view/view.h"

#include <time.h>

void columns_want(struct want *w) {
    for (size_t i = 0; weir_protos[i]; i++)
        for (const uint16_t *id = weir_protos[i]->info_fields; id && *id; id++) want_add(w, *id);
    want_add(w, FID_WS_MALFORMED);
    want_add(w, FID_WS_SHORT);
    want_add(w, FID_WS_UNREASSEMBLED);
}

static void clock_time(struct writer *w, __int128 ns, enum time_format how, int digits) {
    bool utc = how >= TIME_OF_DAY_UTC;
    struct moment_clock at = moment_clock(ns);
    time_t t = (time_t)at.seconds;
    struct tm tm;
    char text[40];
    const char *format = how == TIME_ABSOLUTE_DATE || how == TIME_UTC_DATE ? "%Y-%m-%d %H:%M:%S"
                         : how == TIME_ABSOLUTE_DOY || how == TIME_UTC_DOY ? "%Y/%j %H:%M:%S"
                                                                           : "%H:%M:%S";
    if (!(utc ? gmtime_r(&t, &tm) : localtime_r(&t, &tm))) return;
    wr_bytes(w, text, strftime(text, sizeof text, format, &tm));
    iso_fraction(w, at.ns, digits);
}

static int digits_of(uint64_t ticks) {
    int digits = 0;
    if (ticks == 1000000) return 6;
    if (ticks == 1000000000) return 9;
    for (uint64_t t = ticks; t > 1 && digits < 9; t /= 10) digits++;
    return digits;
}

void columns_time(struct writer *w, const struct packet *p, const struct view *view) {
    const struct frame_times *t = &view->times;
    int digits = view->precision >= 0 ? view->precision : digits_of(p->iface->ticks ? p->iface->ticks : 1000000);
    __int128 at = packet_moment(p);
    if (!p->has_ts) return;
    switch (view->time) {
    case TIME_RELATIVE: print_reltime(w, t->has_first ? at - t->first : 0, digits); break;
    case TIME_DELTA: print_reltime(w, t->has_first ? at - t->previous : 0, digits); break;
    case TIME_DELTA_SHOWN: print_reltime(w, t->has_displayed ? at - t->displayed : 0, digits); break;
    case TIME_EPOCH: print_reltime(w, at, digits); break;
    default: clock_time(w, at, view->time, digits);
    }
}

static void address(struct writer *w, const struct net_addr *net, const struct net_addr *link) {
    const struct net_addr *a = net->len ? net : link;
    if (a->len == 4) print_ipv4(w, load_be32(a->bytes));
    else if (a->len == 16) print_ipv6(w, a->bytes);
    else if (a->len) wr_hexbytes(w, slice_of(a->bytes, a->len), ':');
}

void columns_source(struct writer *w, const struct decode *d) { address(w, &d->src, &d->link_src); }
void columns_destination(struct writer *w, const struct decode *d) { address(w, &d->dst, &d->link_dst); }

/* top returns the layer the line is about: the highest one with a name, not inside a quoted packet. */
static const struct layer_mark *top(const struct decode *d) {
    for (uint8_t i = d->layers; i > 0; i--)
        if (d->layer[i - 1].proto->column && !d->layer[i - 1].quoted && !d->layer[i - 1].inside)
            return &d->layer[i - 1];
    return NULL;
}

/* layer_end returns the end of a layer's fields; those of what stands inside its messages, as certificates do, are
 * among them. */
static uint32_t layer_end(const struct decode *d, const struct layer_mark *m) {
    const struct layer_mark *next = m + 1, *end = d->layer + d->layers;
    while (next < end && layer_is_inner(next)) next++;
    return next < end ? next->at : d->out->n;
}

void columns_protocol(struct writer *w, const struct decode *d) {
    const struct layer_mark *m = top(d);
    if (!m) return;
    const struct proto *p = m->proto;
    unsigned around = 0;
    for (const struct layer_mark *below = d->layer; below < m; below++) {
        if (!below->proto->wraps_column) continue;
        wr_s(w, below->proto->column);
        wr_s(w, " <");
        around++;
    }
    const char *name = p->column_of ? p->column_of(d->out, m->at, layer_end(d, m)) : NULL;
    if (d->unknown_type >= 0) wr_f(w, "0x%04x", (unsigned)d->unknown_type);
    else wr_s(w, name ? name : p->column);
    while (around--) wr_c(w, '>');
}

static bool says(const struct layer_mark *m) { return m->proto->info != NULL && !m->quoted && !m->inside; }

/* tcp_prefix writes what the analysis of TCP found, before the words of a protocol in its stream. */
static void tcp_prefix(struct writer *w, const struct decode *d, const struct layer_mark *m, bool plain) {
    if (!d->out->anomalies) return; /* all it finds are such */
    while (m > d->layer && m[-1].proto != &proto_tcp) m--;
    if (m == d->layer) return;
    if (w->end - w->p < 256) wr_flush(w); /* not between the two lengths */
    size_t before = wr_len(w);
    tcp_info_prefix(w, d->out, m[-1].at, layer_end(d, m - 1));
    if (wr_len(w) > before && !plain) wr_s(w, ", ");
}

/* follows tells whether the words of layer m stand in the same line as those of a later message of p. */
static bool follows(const struct layer_mark *m, const struct proto *p) {
    if (m->proto == p) return says(m);
    return p->info_plain && (m->proto->info_plain || !m->proto->info);
}

/* carries tells whether layer m is one of those that bring the messages of p, as WebSocket does those of MQTT: p is in
 * the one before too. */
static bool carries(const struct decode *d, const struct layer_mark *m, const struct proto *p) {
    return m > d->layer && m->proto->stream && m->proto != &proto_tcp && m[1].proto == p && m[-1].proto == p;
}

/* is_content tells whether layer m is what a message holds: it does not part the message from the next one. */
static bool is_content(const struct layer_mark *m) { return layer_is_inner(m) || m->proto == &proto_data; }

/* begun_put adds what a protocol says of the message that begins behind the packet's last whole one, m. */
static void begun_put(struct writer *w, const struct decode *d, const struct layer_mark *m) {
    const struct fval *begun = fv_first(d->out, FID_TCP_BEGUN, m->at, d->out->n);
    if (!begun) return;
    print_string(w, begun->s);
    wr_c(w, ' ');
}

/* comma_drop takes the comma before a text away that only says that a message of TLS has begun: tshark puts that right
 * behind what is there. Text that has left the buffer already stays as it is. */
static void comma_drop(struct writer *w, size_t at) {
    static const struct slice begun = {(const uint8_t *)"[TLS segment", 12};
    size_t len = wr_len(w);
    if (at < 2 || len < at + begun.n || memcmp(w->buf + at, begun.p, begun.n) != 0 ||
        memcmp(w->buf + at - 2, ", ", 2) != 0)
        return;
    memmove(w->buf + at - 2, w->buf + at, len - at);
    w->p -= 2;
}

/* repeat_part puts a space between the text from `at` on and the same one right before it, where that ends without. */
static void repeat_part(struct writer *w, size_t at) {
    size_t len = wr_len(w) - at;
    if (!len || at < len || w->p == w->end || w->p[-1] == ' ' || memcmp(w->buf + at, w->buf + at - len, len) != 0)
        return;
    wr_c(w, ' ');
    memmove(w->buf + at + 1, w->buf + at, len);
    w->buf[at] = ' ';
}

void columns_info(struct writer *w, const struct decode *d) {
    const struct layer_mark *end = d->layer + d->layers, *m = end, *first;
    while (m > d->layer && !says(m - 1)) m--;
    if (m > d->layer) {
        first = --m;
        while (first > d->layer && (m->proto->stream || m->proto->info_plain) &&
               (follows(first - 1, m->proto) || carries(d, first - 1, m->proto) || is_content(first - 1)))
            first--;
        while (!follows(first, m->proto)) first++;
        if (m->proto->stream) tcp_prefix(w, d, first, m->proto->info_plain || m->proto->info_last);
        if (m->proto->info_last) first = m;
        for (const struct layer_mark *one = first; one <= m; one++) {
            if (!follows(one, m->proto) || !says(one)) continue;
            if (one > first && !m->proto->info_plain) wr_s(w, ", ");
            size_t at = wr_len(w);
            one->proto->info(w, d->out, one->at, layer_end(d, one));
            comma_drop(w, at);
            if (m->proto->info_plain) repeat_part(w, at);
        }
        if (m->proto->info_plain) begun_put(w, d, m);
    }
    if (!d->out->bad) return;
    wr_s(w, d->out->bad == FID_WS_SHORT           ? "[Packet size limited during capture]"
            : d->out->bad == FID_WS_UNREASSEMBLED ? "[BoundErrorUnreassembled Packet]"
                                                  : "[Malformed Packet]");
}

enum { WIDTH_MAX = 16, LINE_HEAD = 512 /* what stands before Info fits, and more: columns are padded in place */ };

/* A column, which begins at `from` and ends at p, is padded to its width, of WIDTH_MAX at most, and parted by one
 * space; addresses stand to both sides of the arrow. WIDTH_MAX bytes are moved and blanked whatever the width: there is
 * room, and what stands behind is not written yet. */
static inline char *padded(char *from, char *p, size_t width, bool right) {
    size_t len = (size_t)(p - from);
    if (len >= width) return p;
    if (right) {
        char text[WIDTH_MAX];
        memcpy(text, from, sizeof text);
        memset(from, ' ', sizeof text);
        memcpy(from + width - len, text, sizeof text);
    } else {
        memset(p, ' ', WIDTH_MAX);
    }
    return from + width;
}

/* source_blanks puts blanks at p, of which it returns as many as the source's text is shorter than `width`, where that
 * can be known: to move text that was just written makes the processor wait. */
static inline size_t source_blanks(char *p, const struct decode *d, size_t width) {
    size_t n = d->src.len == 4 ? print_ipv4_length(load_be32(d->src.bytes)) : width;
    memset(p, ' ', WIDTH_MAX);
    return n < width ? width - n : 0;
}

/* paint_of returns the colour of a line, or NULL: what breaks a specification or the framing, what was lost, repeated
 * or reset, and what carries nothing. */
static const char *paint_of(const struct decode *d) {
    const struct layer_mark *m = top(d);
    if ((d->out->bad && d->out->bad != FID_WS_SHORT) || d->out->worst == SEV_ERROR) return "\033[31m";
    if (d->out->worst == SEV_WARN) return "\033[33m";
    if (!m || m->proto != &proto_tcp) return NULL;
    bool again = false, empty = false;
    for (uint32_t i = 0; i < d->out->n; i++) {
        uint16_t id = d->out->v[i].id;
        again |= id == FID_TCP_AN_RETRANSMISSION || id == FID_TCP_AN_FAST_RETRANSMISSION || id == FID_TCP_AN_SPURIOUS;
        empty |= id == FID_TCP_LEN && !d->out->v[i].u;
    }
    return again ? "\033[33m" : empty && !d->out->worst ? "\033[90m" : NULL;
}

void columns_print(struct writer *w, const struct decode *d, struct view *view) {
    if (!wr_fits(w, LINE_HEAD)) return;
    const char *paint = view->color ? paint_of(d) : NULL;
    if (paint) wr_s(w, paint);
    char *from = w->p, *p = padded(from, put_u(from, d->pkt->number), 5, true);
    *p++ = ' ';
    w->p = from = p;
    columns_time(w, d->pkt, view);
    p = padded(from, w->p, 10, true);
    *p++ = ' ';
    from = p;
    w->p = from + source_blanks(from, d, 12);
    columns_source(w, d);
    p = put_s(padded(from, w->p, 12, true), " → ");
    w->p = from = p;
    columns_destination(w, d);
    p = padded(from, w->p, 12, false);
    *p++ = ' ';
    w->p = p;
    columns_protocol(w, d);
    wr_c(w, ' ');
    wr_u(w, d->pkt->len);
    wr_c(w, ' ');
    columns_info(w, d);
    if (paint) wr_s(w, "\033[0m");
    wr_c(w, '\n');
}
