/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of TCP conversations. */
#include "analyse/explain/judge.h"
#include "proto/fields.h"
#include "proto/tcp/tcp.h"

enum {
    SYN_TRIES = 2,
    SYN_WAIT_S = 3,
    SYNACK_TRIES = 2,
    STUCK_TIMES = 3,
    LARGE = 1000,
    ZERO_MS = 1000,
    LOSS_SEGMENTS = 20,
    LOSS_PERCENT = 3,
    SLOW_FACTOR = 5,
    SLOW_MS = 100,
    AFTER_GAP = 8,
    HALF_S = 20,
    IDLE_S = 20,
    ANSWER_S = 3
};

static void say_side(struct finding *f, int side) {
    if (f->args < FINDING_ARGS) f->arg[f->args++] = f->arg[side]; /* arguments 1 and 2 are the sides */
}

static bool attempted(const struct conv *c) {
    return mark_set(&c->half[CLIENT].syn) && !mark_set(&c->half[SERVER].syn);
}

enum { NEXT_CONVS = 8, NEXT_S = 3, ENDS_TOGETHER = 2 };

/* instead returns the connection that came up in place of a failed one: the client went on to the next address of the
 * same name or, where no name is known, to one of the other version of IP; NULL: there is none. */
static const struct conv *instead(const struct judge *j) {
    const struct conv *c = j->c;
    for (uint32_t i = 1; i <= NEXT_CONVS; i++) {
        const struct conv *o = explain_conv(j->e, c->stream + i);
        if (!o || o->port[SERVER] != c->port[SERVER] || addr_same(&o->end[SERVER].addr, &c->end[SERVER].addr)) continue;
        bool other = o->end[SERVER].addr.len != c->end[SERVER].addr.len;
        bool same = c->name && o->name ? slice_eq(j->e->name[c->name - 1].name, j->e->name[o->name - 1].name)
                                       : other && !c->name && !o->name;
        if (same && mark_set(&o->established) && o->first.ts - c->half[CLIENT].last.ts < NEXT_S * SECOND) return o;
    }
    return NULL;
}

/* instead_say makes less of a failure that another address made good. */
static void instead_say(struct judge *j, struct finding *f) {
    const struct conv *o = instead(j);
    if (!o) return;
    f->level = LEVEL_NOTE;
    f->args = 2;
    say_endpoint(j, f, &o->end[SERVER]);
    f->text = N_("%1$s did not reach %2$s and went on to %3$s, which took the connection.");
    f->next =
        N_("Nothing to do; let the server listen at the first address too (`localhost`, for instance, often stands for "
           "one of IPv6 and one of IPv4), and clients need not try twice.");
    cite(f, &o->established);
}

void check_no_answer(struct judge *j) {
    const struct conv *c = j->c;
    const struct half *me = &c->half[CLIENT];
    if (!attempted(c) || c->half[SERVER].packets || mark_set(&c->icmp) || mark_set(&me->rst)) return;
    int64_t waited = j->now - me->syn.ts;
    if (me->syns < SYN_TRIES && waited < SYN_WAIT_S * SECOND) return;
    struct finding *f = found(j);
    say_number(j, f, me->syns);
    say_time(j, f, me->syns > 1 ? me->last.ts - me->syn.ts : waited);
    cite(f, &me->syn);
    cite(f, &me->last);
    instead_say(j, f);
}

void check_refused(struct judge *j) {
    const struct conv *c = j->c;
    if (!attempted(c) || !mark_set(&c->half[SERVER].rst) || c->half[SERVER].segments) return;
    struct finding *f = found(j);
    cite(f, &c->half[CLIENT].syn);
    cite(f, &c->half[SERVER].rst);
    instead_say(j, f);
}

static const char *icmp_words(const struct conv *c) {
    static const char *const v4[] = {[0] = N_("network unreachable"),
                                     [1] = N_("host unreachable"),
                                     [2] = N_("protocol unreachable"),
                                     [3] = N_("port unreachable"),
                                     [4] = N_("fragmentation needed"),
                                     [5] = N_("source route failed"),
                                     [6] = N_("network unknown"),
                                     [7] = N_("host unknown"),
                                     [9] = N_("network administratively prohibited"),
                                     [10] = N_("host administratively prohibited"),
                                     [13] = N_("communication administratively prohibited")};
    static const char *const v6[] = {[0] = N_("no route to destination"),
                                     [1] = N_("communication administratively prohibited"),
                                     [2] = N_("beyond the scope of the source address"),
                                     [3] = N_("address unreachable"),
                                     [4] = N_("port unreachable"),
                                     [5] = N_("source address failed a policy"),
                                     [6] = N_("route rejected")};
    bool unreachable = c->icmp_v6 ? c->icmp_type == 1 : c->icmp_type == 3;
    const char *words = NULL;
    if (unreachable && c->icmp_v6 && c->icmp_code < sizeof v6 / sizeof *v6) words = v6[c->icmp_code];
    if (unreachable && !c->icmp_v6 && c->icmp_code < sizeof v4 / sizeof *v4) words = v4[c->icmp_code];
    if (c->icmp_v6 ? c->icmp_type == 3 : c->icmp_type == 11) return N_("time to live exceeded");
    return words ? words : N_("destination unreachable");
}

void check_unreachable(struct judge *j) {
    const struct conv *c = j->c;
    bool needs_smaller = c->icmp_v6 ? c->icmp_type == 2 : c->icmp_type == 3 && c->icmp_code == 4;
    if (!mark_set(&c->icmp) || needs_smaller || mark_set(&c->established)) return;
    struct finding *f = found(j);
    say_addr(j, f, &c->icmp_from);
    say_words(f, icmp_words(c));
    bool unreachable = c->icmp_type == (c->icmp_v6 ? 1 : 3);
    if (unreachable && c->icmp_code == (c->icmp_v6 ? 3 : 1))
        f->next =
            N_("%3$s stands before the host and gets no answer from it: the host is off, or the address is wrong; "
               "compare it with what the name server said and what is configured.");
    else if (unreachable && c->icmp_code == 0)
        f->next = N_("%3$s knows no way to that network: check the address, and the routes of %3$s.");
    cite(f, &c->half[CLIENT].syn);
    cite(f, &c->icmp);
    instead_say(j, f);
}

/* beside returns another connection of the client to the same server that came up at about the same time; NULL: none.
 * One that begins TOGETHER_MS behind this one's end, or later, is a second try, not one of several at once. */
static const struct conv *beside(const struct judge *j) {
    enum { TOGETHER_MS = 50 };
    const struct conv *c = j->c;
    for (uint32_t i = 1; i <= 2 * NEXT_CONVS; i++) {
        const struct conv *o = explain_conv(j->e, i > NEXT_CONVS ? c->stream - (i - NEXT_CONVS) : c->stream + i);
        if (!o || !mark_set(&o->established) || !endpoint_same(&o->end[SERVER], &c->end[SERVER]) ||
            !addr_same(&o->end[CLIENT].addr, &c->end[CLIENT].addr))
            continue;
        if (o->first.ts - c->half[CLIENT].rst.ts >= TOGETHER_MS * MILLI) continue;
        if (c->first.ts - o->first.ts < NEXT_S * SECOND) return o;
    }
    return NULL;
}

/* ends_beside tells whether the client ended other connections between its SYN and its RST: its program ends. */
static bool ends_beside(const struct judge *j) {
    const struct conv *c = j->c;
    const struct half *client = &c->half[CLIENT];
    int ended = 0;
    for (uint32_t i = 1; i <= NEXT_CONVS; i++) {
        const struct conv *o = explain_conv(j->e, c->stream - i);
        if (!o || !addr_same(&o->end[CLIENT].addr, &c->end[CLIENT].addr)) continue;
        const struct half *h = &o->half[CLIENT];
        uint64_t end = mark_set(&h->fin) ? h->fin.frame : h->rst.frame;
        ended += end > client->syn.frame && end < client->rst.frame;
    }
    return ended >= ENDS_TOGETHER;
}

/* given_up says in a sentence why a client that left a handshake unfinished is a healthy one; NULL: it does not look
 * so. */
static const char *given_up(const struct judge *j, const struct conv *o, const char **next) {
    const struct conv *c = j->c;
    *next = N_("Nothing to do: programs that try several ways at once do this.");
    if (o)
        return N_("%1$s gave a connection to %2$s up before it was used; it had opened another one at the same time.");
    if (c->port[SERVER] == PORT_QUIC && quic_spoken(j->e, &c->end[CLIENT].addr, &c->end[SERVER].addr))
        return N_("%1$s gave a connection to %2$s up before it was used; it speaks QUIC with that server instead.");
    *next = N_("Nothing to do: a program that ends leaves what it had just begun.");
    if (ends_beside(j))
        return N_("%1$s gave a connection to %2$s up before it was used; it ended other connections at the same time.");
    return NULL;
}

void check_client_reset(struct judge *j) {
    const struct conv *c = j->c;
    const struct half *client = &c->half[CLIENT], *server = &c->half[SERVER];
    if (!conv_handshaken(c) || !mark_set(&client->rst) || client->rst.frame < server->syn.frame) return;
    if (client->segments && client->first_data.frame < client->rst.frame) return;
    if (mark_set(&c->established) && c->established.frame < client->rst.frame)
        return; /* it had answered with ACK first */
    struct finding *f = found(j);
    say_addr(j, f, &c->end[SERVER].addr);
    cite(f, &client->syn);
    cite(f, &server->syn);
    cite(f, &client->rst);
    const struct conv *o = beside(j);
    const char *next, *text = given_up(j, o, &next);
    if (!text) return;
    f->level = LEVEL_NOTE;
    f->text = text;
    f->next = next;
    if (o) cite(f, &o->established);
}

void check_ack_lost(struct judge *j) {
    const struct conv *c = j->c;
    const struct half *client = &c->half[CLIENT], *server = &c->half[SERVER];
    if (server->syns < SYNACK_TRIES + 1 || server->segments || mark_set(&client->rst) || client->largest_ack > 1)
        return;
    struct finding *f = found(j);
    say_number(j, f, server->syns);
    if (client->syns > SYN_TRIES)
        f->text =
            N_("%2$s took the connection of %1$s %3$s times, and %1$s keeps asking: the answers do not reach it.");
    cite(f, &server->syn);
    cite(f, &server->last);
}

void check_proxy_header(struct judge *j) {
    const struct conv *c = j->c;
    if (c->first_bytes[CLIENT] != PAYLOAD_PROXY || c->half[SERVER].segments || !conv_closed(c)) return;
    struct finding *f = found(j);
    cite(f, &c->half[CLIENT].first_data);
    cite(f, mark_set(&c->half[SERVER].rst) ? &c->half[SERVER].rst : &c->half[SERVER].fin);
}

/* stuck_side returns the side whose data is not acknowledged at the end, or -1. */
static int stuck_side(const struct judge *j) {
    for (int side = 0; side < 2; side++) {
        const struct half *h = &j->c->half[side];
        if (h->stuck_times < STUCK_TIMES) continue;
        if (j->final || j->now - conv_trouble(j->c, side)->stuck_last.ts > SECOND || conv_closed(j->c)) return side;
    }
    return -1;
}

/* speaks_on tells whether the peer of what is stuck still sends, so that the way is not dead. */
static bool speaks_on(const struct conv *c, int side) {
    const struct half *peer = &c->half[!side];
    return peer->last.ts > conv_trouble(c, side)->stuck.ts &&
           !(mark_set(&peer->rst) && peer->last.frame == peer->rst.frame);
}

/* hole_side returns the side whose data has a hole, at the receiver, that never was filled although what is behind it
 * came; or -1. Had only the capture missed it, the receiver would have acknowledged it. */
static int hole_side(const struct judge *j) {
    const struct conv *c = j->c;
    for (int side = 0; side < 2; side++) {
        const struct half *peer = &c->half[!side];
        const struct trouble *t = conv_trouble(c, side);
        if (!mark_set(&t->hole) || t->hole_len < LARGE || t->hole_len > UINT16_MAX || peer->acked != t->hole_seq)
            continue;
        if (peer->last.frame > t->hole.frame && j->now - t->hole.ts >= SYN_WAIT_S * SECOND) return side;
    }
    return -1;
}

bool conv_path_broken(const struct judge *j) { return stuck_side(j) >= 0 || hole_side(j) >= 0; }

static bool is_mtu(const struct judge *j, int side) {
    uint32_t took = j->c->half[!side].largest_ack; /* the largest segment that got through */
    uint32_t len = conv_trouble(j->c, side)->stuck_len;
    bool told = mark_set(&j->c->icmp) && j->c->icmp_mtu;
    if (!took) return len >= LARGE && speaks_on(j->c, side); /* not even the first one came through */
    return len >= LARGE && (told || (took < len && took < LARGE));
}

static struct finding *stuck_found(struct judge *j, int side) {
    const struct half *h = &j->c->half[side];
    const struct trouble *t = conv_trouble(j->c, side);
    struct finding *f = found(j);
    f->blame = BLAME_PATH;
    say_side(f, side);
    say_number(j, f, t->stuck_len);
    say_number(j, f, h->stuck_times + 1);
    cite(f, &t->stuck);
    cite(f, &t->stuck_last);
    return f;
}

static void hole_found(struct judge *j, int side) {
    const struct trouble *t = conv_trouble(j->c, side);
    struct finding *f = found(j);
    f->text =
        N_("%4$s bytes that %3$s sent never arrived, while the smaller segment behind them did: large packets are "
           "lost on the way (an MTU black hole).");
    f->confidence = LIKELY;
    say_side(f, side);
    say_number(j, f, t->hole_len);
    cite(f, &t->hole);
    cite(f, &j->c->half[!side].last);
}

void check_mtu(struct judge *j) {
    int side = stuck_side(j), hole = hole_side(j);
    if (side < 0 && hole >= 0) {
        hole_found(j, hole);
        return;
    }
    if (side < 0 || !is_mtu(j, side)) return;
    struct finding *f = stuck_found(j, side);
    say_number(j, f, j->c->half[!side].largest_ack);
    if (!j->c->half[!side].largest_ack)
        f->text =
            N_("Segments of %4$s bytes from %3$s were sent %5$s times and never acknowledged, while small packets "
               "passed: large packets are lost on the way (an MTU black hole).");
    f->confidence = LIKELY;
    if (mark_set(&j->c->icmp)) cite(f, &j->c->icmp);
}

/* gap_ns returns how long the last long silence was, 0: there was none. */
static int64_t gap_ns(const struct conv *c) { return c->gap.ts - c->gap_before.ts; }

bool conv_idle_death(const struct judge *j) {
    const struct conv *c = j->c;
    if (gap_ns(c) < IDLE_S * SECOND || (c->from_start && !mark_set(&c->established)) || c->since_gap > AFTER_GAP + 24)
        return false;
    if (stuck_side(j) >= 0) {
        const struct half *h = &c->half[stuck_side(j)];
        return h->last_data.ts >= c->gap.ts && c->half[!stuck_side(j)].last.ts <= c->gap_before.ts;
    }
    for (int side = 0; side < 2; side++) {
        const struct half *me = &c->half[side], *peer = &c->half[!side];
        /* Something in between may have acknowledged it; but who speaks and is heard for a while is not dead. */
        if (c->gap_answered && me->rst.ts - c->gap.ts > ANSWER_S * SECOND) continue;
        /* RST that answers the first packet behind the silence */
        if (mark_set(&me->rst) && me->rst.frame > c->gap.frame && c->since_gap <= AFTER_GAP &&
            peer->last.ts >= c->gap.ts && !(me->last_data.ts >= c->gap.ts) && !mark_set(&me->fin) &&
            !mark_set(&peer->fin))
            return true;
    }
    return false;
}

void check_unacked(struct judge *j) {
    int side = stuck_side(j);
    if (side < 0 || is_mtu(j, side) || conv_idle_death(j)) return;
    say_side(stuck_found(j, side), !side);
}

void check_idle_reset(struct judge *j) {
    const struct conv *c = j->c;
    if (!conv_idle_death(j)) return;
    struct finding *f = found(j);
    say_time(j, f, gap_ns(c));
    if (c->mqtt && c->mqtt->keep_alive) say_time(j, f, c->mqtt->keep_alive * SECOND);
    else if (c->mqtt && mark_set(&c->mqtt->connect)) say_words(f, N_("switched off"));
    else say_words(f, N_("not known"));
    if (!c->mqtt && c->end[SERVER].port != 1883 && c->end[SERVER].port != 8883) {
        f->text =
            N_("After %3$s of silence the connection between %1$s and %2$s was dead: the next packet was answered "
               "with RST or not at all. A NAT or firewall forgot it.");
        f->next = N_("Let one side send something more often than that, TCP keep-alive for instance, or let the client "
                     "connect anew after a pause.");
    }
    f->confidence = LIKELY;
    cite(f, &c->gap_before);
    cite(f, &c->gap);
    cite(f, mark_set(&c->half[SERVER].rst) ? &c->half[SERVER].rst : &c->half[CLIENT].rst);
}

void check_zero_window(struct judge *j) {
    for (int side = 0; side < 2; side++) {
        const struct half *h = &j->c->half[side];
        const struct trouble *t = conv_trouble(j->c, side);
        if (!mark_set(&t->zero)) continue;
        int64_t end = h->zero_open ? j->c->last.ts : t->zero_end.ts;
        if (end - t->zero.ts < ZERO_MS * MILLI) continue;
        struct finding *f = found(j);
        f->blame = side == CLIENT ? BLAME_CLIENT : BLAME_SERVER;
        say_side(f, side);
        say_time(j, f, end - t->zero.ts);
        cite(f, &t->zero);
        if (!h->zero_open) cite(f, &t->zero_end);
        return;
    }
}

void check_half_close(struct judge *j) {
    for (int side = 0; side < 2; side++) {
        const struct half *me = &j->c->half[side], *peer = &j->c->half[!side];
        if (!mark_set(&me->fin) || mark_set(&peer->fin) || mark_set(&peer->rst) || mark_set(&me->rst)) continue;
        if (j->now - me->fin.ts < HALF_S * SECOND) continue;
        struct finding *f = found(j);
        say_side(f, side);
        say_time(j, f, j->now - me->fin.ts);
        cite(f, &me->fin);
        return;
    }
}

/* explained tells whether another finding says why the conversation ended with RST. */
static bool explained(const struct judge *j) {
    const struct conv *c = j->c;
    const struct mqtt_rec *m = c->mqtt;
    if (!conv_handshaken(c) && c->from_start) return true;
    if (c->from_start && mark_set(&c->half[CLIENT].rst) &&
        (!c->half[CLIENT].segments || c->half[CLIENT].first_data.frame > c->half[CLIENT].rst.frame))
        return true;
    if (conv_idle_death(j) || conv_path_broken(j) || c->stray.n || closed_on(c)) return true;
    if (c->first_bytes[CLIENT] == PAYLOAD_PROXY && !c->half[SERVER].segments) return true; /* tcp.proxy-header */
    if (c->tls && mark_set(&c->tls->client_hello) && !mark_set(&c->tls->data[SERVER]))
        return true; /* the checks of TLS say more */
    if (c->tls && (mark_set(&c->tls->alert[0]) || mark_set(&c->tls->alert[1]))) return true;
    return m && (m->after || mark_set(&m->disconnect[0]) || mark_set(&m->disconnect[1]) ||
                 (mark_set(&m->connack) && m->connack_code));
}

/* Both ends had closed, or the peer had and this is the answer to what came late: ordinary, if not pretty. */
static bool after_close(const struct conv *c, int side) {
    const struct mark *rst = &c->half[side].rst;
    for (int k = 0; k < 2; k++)
        if (mark_set(&c->half[k].fin) && c->half[k].fin.frame <= rst->frame) return true;
    return false;
}

void check_reset(struct judge *j) {
    for (int side = 0; side < 2; side++) {
        const struct half *h = &j->c->half[side];
        if (!mark_set(&h->rst) || after_close(j->c, side) || explained(j)) continue;
        struct finding *f = found(j);
        f->blame = side == CLIENT ? BLAME_CLIENT : BLAME_SERVER;
        if (!conv_is_mqtt(j->c) && !(j->c->tls && !mark_set(&j->c->tls->data[SERVER]))) f->level = LEVEL_NOTE;
        say_side(f, side);
        cite(f, &h->rst);
        return;
    }
}

static void percent(struct judge *j, struct finding *f, uint64_t part, uint64_t whole) {
    char buf[32];
    struct writer w = wr_fixed(buf, sizeof buf);
    wr_f(&w, "%.3g %%", whole ? 100.0 * (double)part / (double)whole : 0.0);
    say_text(j, f, wr_done(&w));
}

void check_loss(struct judge *j) {
    uint64_t all = 0, again = 0;
    if (conv_path_broken(j)) return; /* nothing arrives any more, which other checks say */
    for (int side = 0; side < 2; side++) {
        const struct half *h = &j->c->half[side];
        if (h->segments < LOSS_SEGMENTS || h->repeats < LOSS_SEGMENTS / 4 ||
            h->repeats * 100 < h->segments * LOSS_PERCENT)
            continue;
        if (j->final) { /* of the others */
            const struct half *both = j->c->half;
            all = j->e->segments - both[0].segments - both[1].segments;
            again = j->e->repeats - both[0].repeats - both[1].repeats;
        }
        struct finding *f = found(j);
        say_side(f, side);
        say_number(j, f, h->repeats);
        percent(j, f, h->repeats, h->segments);
        percent(j, f, again, all);
        cite(f, &conv_trouble(j->c, side)->resent);
        return;
    }
}

void check_slow(struct judge *j) {
    int64_t rtt = j->c->syn_rtt, median = j->e->rtt_median;
    if (!j->final || !median || rtt < SLOW_FACTOR * median || rtt < SLOW_MS * MILLI) return;
    struct finding *f = found(j);
    say_time(j, f, rtt);
    say_time(j, f, median);
    cite(f, &j->c->half[CLIENT].syn);
    cite(f, &j->c->half[SERVER].syn);
}

void check_silent(struct judge *j) {
    const struct conv *c = j->c;
    if (!mark_set(&c->established) || c->half[0].segments || c->half[1].segments || conv_is_broker(c)) return;
    if (mark_set(&c->half[CLIENT].rst) || !quiet_for(j, &c->established, 2)) return;
    struct finding *f = found(j);
    cite(f, &c->half[CLIENT].syn);
    cite(f, &c->established);
}
