/* SPDX-License-Identifier: Apache-2.0 */
/* -z flow,tcp,network: packets as arrows between addresses, in tshark's form.
 *
 * Theory of operation: who takes part is known only at the end, so what is drawn of each packet is kept until then: its
 * ends as places in the list of addresses, and its words, one behind the other. Limits: ITEMS_MAX packets, TEXT_MAX
 * bytes of words, NODES_MAX addresses, as in tshark; an arrow to an address beyond those ends at the edge. */
#include "app/read/taps.h"
#include "proto/tcp/tcp.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    ITEMS_MAX = 1 << 20,
    TEXT_MAX = 256 << 20,
    NODES_MAX = 40,
    NODE_WIDTH = 20,
    LINE_WIDTH = NODES_MAX * NODE_WIDTH + 1,
    PORT_WIDTH = 8,
    TIME_WIDTH = 10,
    CONV_WIDTH = 5,
};

enum flow_of { FLOW_ANY, FLOW_TCP, FLOW_ICMP, FLOW_ICMPV6, FLOWS };
static const char *const names[FLOWS] = {"any", "tcp", "icmp", "icmpv6"};

struct item {
    size_t text; /* of its words: time, label and comment, each ended by a NUL */
    uint32_t conv;
    uint16_t port[2];
    uint8_t node[2];
};

struct tap_flow {
    enum flow_of of;
    bool network; /* the link's addresses where there are none of the network */
    struct net_addr node[NODES_MAX];
    uint8_t nodes;
    struct item *item;
    uint32_t n, room;
    struct writer text;
    uint64_t left_out;
};

const char *tap_flow_filter(const char *text) {
    const char *style = strchr(text, ','), *filter = style ? strchr(style + 1, ',') : NULL;
    return filter ? filter + 1 : NULL;
}

static int start(void *state, const struct stats_args *args, struct writer *why) {
    struct tap_flow *t = state;
    const char *at = args->which, *style = at + strcspn(at, ",");
    size_t n = (size_t)(style - at), len = *style ? strcspn(++style, ",") : 0;
    while (t->of < FLOWS && (strlen(names[t->of]) != n || memcmp(names[t->of], at, n) != 0)) t->of++;
    t->text = wr_grow();
    t->network = len == 7 && memcmp(style, "network", 7) == 0;
    if (t->of < FLOWS && (t->network || (len == 8 && memcmp(style, "standard", 8) == 0))) return OK;
    wr_s(why, "expected any|tcp|icmp|icmpv6 and standard|network, as in flow,tcp,network");
    return ERR_USAGE;
}

static void want(const void *state, struct want *w) {
    static const uint16_t wanted[FLOWS][9] = {
        [FLOW_ANY] = {FID_TCP_SRCPORT, FID_TCP_DSTPORT, FID_UDP_SRCPORT, FID_UDP_DSTPORT},
        [FLOW_TCP] = {FID_TCP_SRCPORT, FID_TCP_DSTPORT, FID_TCP_STREAM, FID_TCP_FLAGS, FID_TCP_SEQ, FID_TCP_ACK,
                      FID_TCP_LEN},
        [FLOW_ICMP] = {FID_ICMP_TYPE, FID_ICMP_CODE, FID_ICMP_RESPTIME},
        [FLOW_ICMPV6] = {FID_ICMPV6_TYPE, FID_ICMPV6_CODE, FID_ICMPV6_RESPTIME},
    };
    const struct tap_flow *t = state;
    for (const uint16_t *id = wanted[t->of]; *id; id++) want_add(w, *id);
    if (t->of != FLOW_TCP) columns_want(w);
}

/* node_of returns the place of an address; NODES_MAX: there is no room for it. */
static uint8_t node_of(struct tap_flow *t, const struct net_addr *a) {
    uint8_t i = 0;
    while (i < t->nodes && (t->node[i].len != a->len || memcmp(t->node[i].bytes, a->bytes, a->len) != 0)) i++;
    if (i == t->nodes && i < NODES_MAX) t->node[t->nodes++] = *a;
    return i;
}

/* item_make begins an item with its ends and its time; NULL: it has no addresses, or there is no room. */
static struct item *item_make(struct tap_flow *t, const struct decode *d, int64_t begin) {
    const struct net_addr *src = d->src.len || !t->network ? &d->src : &d->link_src;
    const struct net_addr *dst = d->dst.len || !t->network ? &d->dst : &d->link_dst;
    if (!src->len || !dst->len) return NULL;
    if (t->n == t->room) {
        uint32_t room = t->room ? t->room * 2 : 1024;
        struct item *more = room <= ITEMS_MAX ? realloc(t->item, room * sizeof *more) : NULL;
        if (more) t->item = more;
        if (more) t->room = room;
    }
    if (t->n == t->room || wr_len(&t->text) > TEXT_MAX || t->text.err) {
        t->left_out++;
        return NULL;
    }
    struct view view = {.time = TIME_RELATIVE, .precision = -1, .times = {.has_first = true, .first = begin}};
    struct item *i = &t->item[t->n++];
    *i = (struct item){.text = wr_len(&t->text), .node = {node_of(t, src), node_of(t, dst)}};
    columns_time(&t->text, d->pkt, &view);
    wr_c(&t->text, 0);
    return i;
}

/* info_write writes the Info column as label, and as comment behind the protocol. */
static void info_write(struct writer *w, const struct decode *d) {
    columns_info(w, d);
    wr_c(w, 0);
    columns_protocol(w, d);
    wr_s(w, ": ");
    columns_info(w, d);
    wr_c(w, 0);
}

static void any_take(struct tap_flow *t, const struct decode *d, int64_t begin) {
    struct item *i = item_make(t, d, begin);
    if (!i) return;
    for (uint32_t k = 0; k < d->out->n; k++) {
        const struct fval *f = &d->out->v[k];
        if (f->id == FID_TCP_SRCPORT || f->id == FID_UDP_SRCPORT) i->port[0] = (uint16_t)f->u;
        if (f->id == FID_TCP_DSTPORT || f->id == FID_UDP_DSTPORT) i->port[1] = (uint16_t)f->u;
    }
    info_write(&t->text, d);
}

/* segment is what is shown of a TCP header. */
struct segment {
    bool here;
    uint64_t src, dst, stream, flags, seq, ack, len;
};

static void segment_take(struct tap_flow *t, const struct decode *d, const struct segment *s, int64_t begin) {
    struct item *i = s->here ? item_make(t, d, begin) : NULL;
    struct writer *w = &t->text;
    if (!i) return;
    i->conv = (uint32_t)s->stream;
    i->port[0] = (uint16_t)s->src;
    i->port[1] = (uint16_t)s->dst;
    tcp_flags_print(w, s->flags);
    if (s->len) wr_f(w, " - Len: %llu", (unsigned long long)s->len);
    wr_c(w, 0);
    wr_f(w, "Seq = %llu", (unsigned long long)s->seq);
    if (s->flags & TH_ACK) wr_f(w, " Ack = %llu", (unsigned long long)s->ack);
    wr_c(w, 0);
}

static void tcp_take(struct tap_flow *t, const struct decode *d, int64_t begin) {
    struct segment s = {0};
    for (uint32_t k = 0, end = stats_outer(d); k < end; k++) {
        const struct fval *f = &d->out->v[k];
        switch (f->id) {
        case FID_TCP_SRCPORT:
            segment_take(t, d, &s, begin);
            s = (struct segment){.here = true, .src = f->u};
            break;
        case FID_TCP_DSTPORT: s.dst = f->u; break;
        case FID_TCP_STREAM: s.stream = f->u; break;
        case FID_TCP_FLAGS: s.flags = f->u; break;
        case FID_TCP_SEQ: s.seq = f->u; break;
        case FID_TCP_ACK: s.ack = f->u; break;
        case FID_TCP_LEN: s.len = f->u; break;
        default: break;
        }
    }
    segment_take(t, d, &s, begin);
}

/* echo_take takes echo requests and the answers to those that were seen. What stands for the port of destination is
 * type and code. */
static void echo_take(struct tap_flow *t, const struct decode *d, int64_t begin) {
    bool six = t->of == FLOW_ICMPV6, asks = false, answers = false;
    uint64_t type = 0, code = 0;
    for (uint32_t k = 0, end = stats_outer(d); k < end; k++) {
        const struct fval *f = &d->out->v[k];
        if (f->id == (six ? FID_ICMPV6_TYPE : FID_ICMP_TYPE))
            type = f->u, asks = six ? type == 128 || type == 160 : type == 8 || type == 42;
        if (f->id == (six ? FID_ICMPV6_CODE : FID_ICMP_CODE)) code = f->u;
        if (f->id == (six ? FID_ICMPV6_RESPTIME : FID_ICMP_RESPTIME)) answers = true;
    }
    struct item *i = asks || answers ? item_make(t, d, begin) : NULL;
    if (!i) return;
    i->port[1] = (uint16_t)(type << 8 | code);
    info_write(&t->text, d);
}

static void packet(void *state, const struct decode *d, int64_t begin) {
    struct tap_flow *t = state;
    if (t->of == FLOW_ANY) any_take(t, d, begin);
    else if (t->of == FLOW_TCP) tcp_take(t, d, begin);
    else echo_take(t, d, begin);
}

static void end(void *state) {
    struct tap_flow *t = state;
    free(t->item);
    wr_free(&t->text);
}

const struct stats_ops tap_flow_ops = {
    .name = "flow", .state_size = sizeof(struct tap_flow), .start = start, .want = want, .packet = packet, .end = end};

static void padded(struct writer *w, const char *text, size_t width) {
    size_t n = strlen(text);
    wr_s(w, text);
    if (n < width) wr_spaces(w, width - n);
}

static void addr_cell(struct writer *w, const struct net_addr *a, bool odd) {
    char text[80];
    struct writer t = wr_fixed(text, sizeof text - 1);
    struct talk_addr addr = {.len = a->len};
    memcpy(addr.bytes, a->bytes, a->len);
    wr_s(&t, "| ");
    talk_addr_print(&t, &addr);
    if (odd && wr_len(&t) < NODE_WIDTH) {
        wr_spaces(&t, NODE_WIDTH - wr_len(&t));
        wr_s(&t, "| ");
    }
    *t.p = 0;
    padded(w, text, NODE_WIDTH * 2);
}

/* heads_print writes the addresses, in turn on one line and on the other, as they are wide. */
static void heads_print(struct writer *w, const struct tap_flow *t, bool convs) {
    wr_s(w, convs ? "Conv.| Time    " : "|Time     ");
    for (uint8_t i = 0; i < t->nodes; i += 2) addr_cell(w, &t->node[i], false);
    wr_s(w, "|\n");
    wr_s(w, convs ? "     |         " : "|         ");
    padded(w, "| ", NODE_WIDTH);
    for (uint8_t i = 1; i < t->nodes; i += 2) addr_cell(w, &t->node[i], true);
    wr_c(w, '\n');
}

/* words_print writes the line of the addresses with as much of a label as fits between its ends. What does not fit into
 * the line, since both ends are its last address, is put between its parts, as in tshark; so is an arrow. */
static void words_print(struct writer *w, const char *empty, size_t width, size_t from, size_t room,
                        const char *label) {
    size_t chars = 0, n = 0;
    while (label[n] && (chars < room || (label[n] & 0xc0) == 0x80)) chars += (label[n++] & 0xc0) != 0x80;
    wr_bytes(w, empty, from);
    wr_bytes(w, label, n);
    size_t rest = from + chars <= width ? from + chars : from;
    wr_bytes(w, empty + rest, width - rest);
}

static void put(char *line, size_t width, size_t at, const char *text, size_t n) {
    for (size_t i = 0; i < n && at + i < width; i++) line[at + i] = text[i];
}

static void port_put(char *line, size_t width, size_t at, uint16_t port) {
    char text[PORT_WIDTH + 1];
    put(line, width, at, text, (size_t)snprintf(text, sizeof text, "(%u)", port));
}

static void arrow_print(struct writer *w, const char *empty, size_t width, size_t from, size_t to,
                        const uint16_t *port) {
    char line[LINE_WIDTH + NODE_WIDTH], dash[LINE_WIDTH + NODE_WIDTH];
    size_t left = from < to ? from : to, room = from < to ? to - from : from - to;
    memcpy(line, empty, width);
    if (left + room - 1 > width) {
        memcpy(line + left + room - 1, empty + left, width - left);
        width += room - 1;
    }
    memset(dash, '-', room);
    if (from < to) dash[room - 2] = '>';
    else dash[0] = '<';
    put(line, width, left, dash, room - 1);
    port_put(line, width, from < to ? from - PORT_WIDTH - 1 : from + 1, port[0]);
    port_put(line, width, from < to ? to + 1 : to - PORT_WIDTH - 1, port[1]);
    wr_bytes(w, line, width);
    wr_c(w, '\n');
}

static void item_print(struct writer *w, const struct tap_flow *t, const struct item *i, const char *empty,
                       size_t width, bool convs) {
    const char *time = t->text.buf + i->text, *label = time + strlen(time) + 1, *comment = label + strlen(label) + 1;
    size_t from = (size_t)i->node[0] * NODE_WIDTH + NODE_WIDTH / 2,
           to = (size_t)i->node[1] * NODE_WIDTH + NODE_WIDTH / 2;
    if (from >= width) from = width - 1;
    if (to >= width) to = width - 1;
    if (from == to) to = from + NODE_WIDTH;
    char text[64];
    if (convs) {
        snprintf(text, sizeof text, "%u", i->conv);
        padded(w, text, CONV_WIDTH);
    }
    snprintf(text, sizeof text, "|%s", time);
    padded(w, text, TIME_WIDTH);
    words_print(w, empty, width, from < to ? from : to, from < to ? to - from : from - to, label);
    wr_s(w, comment);
    wr_c(w, '\n');
    wr_s(w, convs ? "     |         " : "|         ");
    arrow_print(w, empty, width, from, to, i->port);
}

void tap_flow_print(struct writer *w, const struct tap *tap) {
    const struct tap_flow *t = tap->state;
    bool convs = false;
    if (!t->n || t->text.err) return;
    for (uint32_t i = 1; i < t->n; i++) convs |= t->item[i].conv != t->item[0].conv;
    size_t width = (size_t)t->nodes * NODE_WIDTH + 1;
    char empty[LINE_WIDTH];
    memset(empty, ' ', width);
    for (size_t at = 0; at < width; at += NODE_WIDTH) empty[at] = '|';
    heads_print(w, t, convs);
    for (uint32_t i = 0; i < t->n; i++) {
        if (i && t->item[i].conv != t->item[i - 1].conv) {
            for (size_t k = 0; k < width + TIME_WIDTH + CONV_WIDTH + 1; k++) wr_c(w, '-');
            wr_c(w, '\n');
        }
        item_print(w, t, &t->item[i], empty, width, convs);
    }
    if (t->left_out)
        wr_f(w, plural(t->left_out, "[%llu packet more is not drawn]\n", "[%llu packets more are not drawn]\n"),
             (unsigned long long)t->left_out);
}
