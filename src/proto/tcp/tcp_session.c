/* SPDX-License-Identifier: Apache-2.0 */
/* What a TCP segment means in its conversation.
 *
 * Theory of operation. Each side of a conversation remembers the highest byte it sent, the last acknowledgment and
 * window it gave, and a list of its segments that were not acknowledged yet. A segment is compared with what its own
 * side did before and with what the other side said last; the findings have the names and the rules of Wireshark's
 * documented analysis (tcp.analysis.*), so that people find what they know.
 *
 * Limits: UNACKED_MAX segments are remembered for each side, and as many as the pool holds for all; past that round
 * trip times and bytes in flight are not shown for the missing ones, nothing else changes. A list whose segments were
 * sent in order is walked only as far as an acknowledgment reaches, no list where it reaches none of it. Time is the
 * packet's. What it does not do: reassembly (flow/stream.c). Specification: RFC 9293 3.4, 3.8, 3.10; RFC 7323; RFC
 * 5681 3.2. */
#include "proto/tcp/tcp.h"

enum {
    UNACKED_MAX = 4096,
    MILLISECOND = 1000000,
    FAST_RETRANSMISSION_WITHIN = 20 * MILLISECOND,
    REORDER_WITHIN = 3 * MILLISECOND
};
enum { CONTROL = TH_SYN | TH_FIN | TH_RST };

void tcp_conv_start(struct tcp_conv *c) {
    memset(c, 0, sizeof *c);
    c->side[0].wscale = c->side[1].wscale = WSCALE_UNKNOWN;
}

static void list_drop(struct tcp_side *side, struct pool *pool) {
    for (uint32_t n = side->unacked, next; n; n = next) {
        next = ((struct tcp_unacked *)pool_at(pool, n))->next;
        pool_put(pool, n);
    }
    side->unacked = side->unacked_last = side->unacked_count = 0;
}

void tcp_conv_end(struct tcp_conv *c, struct pool *unacked) {
    list_drop(&c->side[0], unacked);
    list_drop(&c->side[1], unacked);
}

bool tcp_is_new(const struct tcp_conv *c, const struct tcp_segment *s, int side) {
    const struct tcp_side *me = &c->side[side];
    if (!c->started || (s->flags & (TH_SYN | TH_ACK)) != TH_SYN) return false;
    return me->has_base && s->seq != me->base_seq;
}

static void list_add(struct tcp_side *me, struct pool *pool, const struct tcp_segment *s, uint32_t end, uint64_t frame,
                     int64_t ts) {
    uint32_t n = me->unacked_count < UNACKED_MAX ? pool_get(pool) : 0;
    if (!n) return;
    *(struct tcp_unacked *)pool_at(pool, n) =
        (struct tcp_unacked){.seq = s->seq, .end = end, .control = end != s->seq + s->len, .frame = frame, .ts = ts};
    struct tcp_unacked *last = me->unacked_last ? pool_at(pool, me->unacked_last) : NULL;
    if (last) last->next = n;
    else me->unacked = n;
    me->unacked_sorted = !last || (me->unacked_sorted && seq_le(last->seq, s->seq) && seq_le(last->end, end));
    if (!last || seq_lt(s->seq, me->unacked_low)) me->unacked_low = s->seq;
    if (!last || seq_lt(me->unacked_high, s->seq + s->len)) me->unacked_high = s->seq + s->len;
    me->unacked_last = n;
    me->unacked_count++;
}

static void list_take_out(struct tcp_side *side, struct pool *pool, uint32_t before, uint32_t n, uint32_t next) {
    if (before) ((struct tcp_unacked *)pool_at(pool, before))->next = next;
    else side->unacked = next;
    if (side->unacked_last == n) side->unacked_last = before;
    side->unacked_count--;
    pool_put(pool, n);
}

/* list_ack drops what `ack` acknowledges and finds the segment it was the answer to. */
static void list_ack(struct tcp_side *peer, struct pool *pool, uint32_t ack, int64_t ts, struct tcp_analysis *out) {
    uint32_t before = 0, low = 0;
    if (!peer->unacked || seq_le(ack, peer->unacked_low)) return;
    for (uint32_t n = peer->unacked, next; n; n = next) {
        struct tcp_unacked *u = pool_at(pool, n);
        next = u->next;
        if (ack == u->end && !out->has_acked) {
            out->has_acked = true;
            out->acked_frame = u->frame;
            out->rtt = ts - u->ts;
        } else if (seq_lt(u->seq, ack) && seq_lt(ack, u->end)) {
            u->seq = ack;
        }
        if (seq_lt(ack, u->end)) {
            if (!before || seq_lt(u->seq, low)) low = u->seq;
            before = n;
            if (peer->unacked_sorted && seq_lt(ack, u->seq)) break;
            continue;
        }
        list_take_out(peer, pool, before, n, next);
    }
    peer->unacked_low = low;
}

static uint32_t list_in_flight(const struct tcp_side *me, uint32_t sacked) {
    uint32_t bytes = me->unacked ? me->unacked_high - me->unacked_low : 0;
    return bytes < 2000000000u && bytes > sacked ? bytes - sacked : 0;
}

/* window_edge returns the first byte behind what the peer may send to a receiver. */
static uint32_t window_edge(const struct tcp_side *receiver) {
    return receiver->last_ack + (receiver->wscale >= 0 ? receiver->window << receiver->wscale : receiver->window);
}

/* pure_ack tells whether a segment carries nothing but an acknowledgment at the place its side had reached. */
static bool pure_ack(const struct tcp_side *me, const struct tcp_segment *s) {
    return s->len == 0 && me->has_next && s->seq == me->next_seq && me->has_ack && s->ack == me->last_ack &&
           !(s->flags & CONTROL);
}

/* forward_findings compares the segment with what its own side did before. */
static uint32_t forward_findings(const struct tcp_side *me, const struct tcp_side *peer, const struct tcp_segment *s) {
    uint32_t found = 0;
    if (s->len == 1 && me->has_next && s->seq == me->next_seq && peer->saw_window && peer->window == 0)
        return TA_ZERO_PROBE;
    if (s->window == 0 && !(s->flags & CONTROL)) found |= TA_ZERO_WINDOW;
    if (me->has_next && seq_lt(me->next_seq, s->seq) && !(s->flags & TH_RST)) found |= TA_LOST;
    if (s->len <= 1 && me->has_next && s->seq == me->next_seq - 1 && !(s->flags & CONTROL)) found |= TA_KEEP_ALIVE;
    if (pure_ack(me, s) && s->window && s->window != me->window) found |= TA_WINDOW_UPDATE;
    if (s->len && peer->wscale != WSCALE_UNKNOWN && peer->has_ack && s->seq + s->len == window_edge(peer) &&
        !(s->flags & CONTROL))
        found |= TA_WINDOW_FULL;
    if (pure_ack(me, s) && s->window == me->window) {
        if (s->window && (peer->last_findings & TA_KEEP_ALIVE)) return found | TA_KEEP_ALIVE_ACK;
        if (!s->window && (peer->last_findings & TA_ZERO_PROBE)) return found | TA_ZERO_PROBE_ACK;
        if (s->window) found |= TA_DUP_ACK;
    }
    return found;
}

/* segment_end is the sequence number behind the segment: SYN and FIN count as one [RFC 9293 3.4]. */
static uint32_t segment_end(const struct tcp_segment *s) {
    return s->seq + s->len + (s->flags & (TH_SYN | TH_FIN) ? 1 : 0);
}

/* acks_unseen tells whether the segment acknowledges what was not seen of the peer. Where nothing else of it waits for
 * an acknowledgment that is said once, until there is a new hole. */
static bool acks_unseen(const struct tcp_side *me, struct tcp_side *peer, const struct tcp_segment *s,
                        struct tcp_analysis *out) {
    out->beyond = s->flags & TH_ACK && peer->has_next && seq_lt(peer->next_seq, s->ack);
    if (!(s->flags & TH_ACK) || !peer->has_top || seq_le(s->ack, peer->top_acked)) return false;
    bool beyond = seq_lt(peer->next_seq, s->ack);
    peer->has_top = !beyond || !me->has_ack || seq_lt(me->last_ack, peer->next_seq);
    peer->top_acked = beyond ? s->ack : peer->next_seq;
    return true;
}

/* was_acked tells whether the peer has acknowledged the segment's data already. */
static bool was_acked(const struct tcp_side *peer, const struct tcp_segment *s) {
    return s->len && peer->has_ack && seq_le(s->seq + s->len, peer->last_ack);
}

/* repeat_findings says why a segment does not advance the sequence number. */
RARE static uint32_t repeat_findings(const struct tcp_conv *c, const struct tcp_side *me, const struct tcp_side *peer,
                                     const struct tcp_segment *s, int64_t ts, const struct pool *pool,
                                     struct tcp_analysis *out) {
    int64_t reorder = c->initial_rtt ? c->initial_rtt : REORDER_WITHIN;
    if (peer->dup_acks >= 2 && peer->last_ack == s->seq && ts - peer->last_ack_time < FAST_RETRANSMISSION_WITHIN)
        return TA_FAST | TA_RETRANSMISSION;
    if (was_acked(peer, s)) return TA_SPURIOUS | TA_RETRANSMISSION;
    int64_t since = ts - me->next_time; /* clocks go back, too */
    if (since >= 0 && since < reorder && me->next_seq != segment_end(s)) return TA_OUT_OF_ORDER;
    out->rto = ts - me->next_time;
    out->rto_frame = me->next_frame;
    if (me->unacked) { /* the oldest that is not acknowledged is the likely one */
        const struct tcp_unacked *u = pool_at(pool, me->unacked);
        out->rto = ts - u->ts;
        out->rto_frame = u->frame;
    }
    return TA_RETRANSMISSION;
}

static void push_count(struct tcp_side *me, const struct tcp_segment *s) {
    if (me->pushed) {
        me->push_bytes = 0;
        me->pushed = false;
    }
    me->push_bytes += s->len;
    me->pushed = s->flags & TH_PUSH;
}

static void analyse_segment(struct tcp_conv *c, const struct tcp_segment *s, int side, uint64_t frame, int64_t ts,
                            struct pool *pool, struct tcp_analysis *out) {
    struct tcp_side *me = &c->side[side], *peer = &c->side[!side];
    uint32_t end = segment_end(s), before = me->next_seq;
    uint32_t found = forward_findings(me, peer, s);
    bool carries = s->len || (s->flags & (TH_SYN | TH_FIN));
    if (found & TA_DUP_ACK) {
        out->dup_num = ++me->dup_acks;
        out->dup_frame = me->nondup_frame;
    }
    if (found & TA_LOST) me->lost_bytes = true;
    if (!me->has_ack || s->ack != me->last_ack) {
        me->nondup_frame = frame;
        me->dup_acks = 0;
    }
    if (acks_unseen(me, peer, s, out)) found |= TA_ACK_LOST;
    bool probed = s->len > 1 && s->seq == me->next_seq - 1; /* its first byte was, or a FIN that was none */
    if (carries && me->has_next && seq_lt(s->seq, me->next_seq) && !probed && !(found & TA_KEEP_ALIVE))
        found |= repeat_findings(c, me, peer, s, ts, pool, out);
    else if (was_acked(peer, s) && !(found & TA_KEEP_ALIVE))
        found |= TA_SPURIOUS | TA_RETRANSMISSION | (probed ? 0 : TA_LATE);
    if (found & TA_OUT_OF_ORDER) me->top_acked = me->next_seq; /* the hole is being filled */
    if (carries && pool) list_add(me, pool, s, end, frame, ts);
    bool no_number = (s->flags & TH_RST) && !s->seq; /* of an answer to what said none [RFC 9293 3.10.7.1] */
    if (!(found & TA_ZERO_PROBE) && !no_number) {
        bool met = !me->has_next;
        if (!me->has_next || seq_lt(me->next_seq, end)) {
            if (!me->has_next || !(s->flags & TH_RST)) me->next_seq = end; /* what a reset says need not be true */
            me->next_frame = frame;
            me->next_time = ts;
            me->has_next = true;
        }
        bool begins = !me->has_top && (met || (found & TA_LOST)); /* nothing is known, or there is a new hole */
        if (begins || (me->has_top && s->seq == me->top_acked)) { /* what fills a hole makes all that was seen behind it
                                                                     acknowledgeable */
            me->top_acked = found & TA_LOST ? before : me->next_seq;
            me->has_top = true;
        }
    }
    if (s->flags & TH_ACK) {
        if (pool) list_ack(peer, pool, s->ack, ts, out);
        peer->lost_bytes = false; /* what was lost is acknowledged or asked for again */
    }
    if (pool && s->len && !me->lost_bytes) {
        push_count(me, s);
        out->counted = true;
        out->in_flight = list_in_flight(me, peer->sacked);
        out->push_bytes = me->push_bytes;
    }
    me->sacked = s->sacked;
    me->last_findings = found;
    out->flags |= found;
}

/* handshake_update notes what was seen. What a conversation is met with counts only where it is a SYN: the rest may be
 * of any part of it. */
static void handshake_update(struct tcp_conv *c, const struct tcp_segment *s, int side, int64_t ts) {
    uint8_t before = c->seen;
    if ((s->flags & (TH_SYN | TH_ACK)) == TH_SYN) {
        c->syn_time = ts;
        c->fast_open = s->has_cookie && s->len;
        c->seen |= SEEN_SYN;
        c->server = (uint8_t)!side;
    } else if (s->flags & TH_SYN) {
        c->seen |= SEEN_SYNACK;
        c->server = (uint8_t)side;
    } else if ((s->flags & TH_ACK) && (c->seen & SEEN_SYN) && !c->initial_rtt &&
               c->syn_time) { /* 0: who wrote the capture had no clock yet */
        c->initial_rtt = ts - c->syn_time;
    }
    if ((s->flags & (TH_SYN | TH_ACK)) == TH_ACK && !s->len) c->seen |= SEEN_ACK;
    if (s->len) c->seen |= SEEN_DATA;
    if (s->flags & TH_FIN) c->seen |= SEEN_FIN;
    if (s->flags & TH_RST) c->seen |= SEEN_RST;
    if (!c->started && (s->flags & (TH_SYN | TH_ACK)) != TH_SYN) c->seen = before;
}

static void window_update(struct tcp_conv *c, const struct tcp_segment *s, int side) {
    struct tcp_side *me = &c->side[side], *peer = &c->side[!side];
    if (s->flags & TH_SYN) { /* RFC 7323 2.2: only where both sides sent the option */
        if (s->has_wscale) me->wscale = (int8_t)(s->wscale > 14 ? 14 : s->wscale);
        if (me->wscale == WSCALE_UNKNOWN) me->wscale = peer->wscale = WSCALE_NONE;
        else if ((s->flags & TH_ACK) && peer->wscale == WSCALE_NONE) me->wscale = WSCALE_NONE;
    }
    me->window = s->window;
    me->saw_window = true;
}

void tcp_conv_update(struct tcp_conv *c, const struct tcp_segment *s, int side, uint64_t frame, int64_t ts,
                     bool analyse, struct pool *unacked, struct tcp_analysis *out) {
    struct tcp_side *me = &c->side[side], *peer = &c->side[!side];
    *out = (struct tcp_analysis){.flags = c->reused && !c->started ? TA_REUSED_PORTS : 0};
    if ((s->flags & TH_SYN) && (s->flags & TH_ACK) && me->has_base && !s->short_header && s->seq != me->base_seq)
        out->flags |= TA_REUSED_PORTS;
    c->seen_before = c->seen;
    handshake_update(c, s, side, ts);
    if (c->reused && !c->started)
        c->seen_before = c->seen; /* the SYN that begins the conversation anew is part of it already */
    c->started = true;
    if (s->short_header) {
        out->flags = 0;
        return;
    }
    if (!me->has_base || (s->flags & TH_SYN)) {
        me->base_seq = s->flags & TH_SYN ? s->seq : s->seq - 1;
        me->has_base = true;
    }
    if (!peer->has_base && (s->flags & TH_ACK)) {
        peer->base_seq = s->ack - 1;
        peer->has_base = true;
    }
    if (analyse) analyse_segment(c, s, side, frame, ts, unacked, out);
    window_update(c, s, side);
    if (s->flags & TH_ACK) {
        me->last_ack = s->ack;
        me->last_ack_time = ts;
        me->has_ack = true;
    } else if (s->flags & TH_SYN) {
        me->has_ack = false; /* it asks for the peer's number anew */
    }
}
