/* SPDX-License-Identifier: Apache-2.0 */
/* Theory of operation (RFC 9293 3.5 to 3.10, RFC 6298): what was sent and is not confirmed stands between `una` and
 * `nxt`. When nothing is confirmed within the time-out, which doubles each time, sending begins again at `una`,
 * with one segment at first (RFC 5681 3.1); after HAND_TRIES the other side counts as silent. HAND_SAME acknowledgments
 * that say the same again tell of a segment that is lost: it alone is sent again at once (RFC 5681 3.2), and so is the
 * next one that is missing when its confirmation does not reach what was sent by then (RFC 6582 3.2). At most
 * HAND_IN_FLIGHT segments are under way. Bytes are taken in order only: what comes early is asked for again, so nothing
 * an outsider sends is kept. A reset counts where its number is exactly the expected one (RFC 5961 3.2), anything else
 * that does not fit is passed over with a word. */
#include "craft/hand.h"
#include "proto/ip/ip_write.h"
#include "proto/ipv6/ipv6_write.h"
#include "proto/tcp/tcp_write.h"

#define NS_SECOND INT64_C(1000000000)
#define RTO_LEAST (NS_SECOND / 5)
#define RTO_MOST (8 * NS_SECOND)

static int32_t ahead(uint32_t a, uint32_t b) { return (int32_t)(a - b); }

static void timer_set(struct hand *h, int64_t now) { h->alarm = h->nxt != h->una ? now + h->rto : 0; }

static void say(struct hand *h, uint8_t flags, uint32_t seq, struct slice data, enum hand_word why, uint64_t number) {
    struct hand_segment s = {.seq = seq, .flags = flags, .window = HAND_WINDOW, .data = data};
    if (flags & TALK_ACK) s.ack = h->rcv;
    if (flags & TALK_SYN) s.mss = h->own_mss;
    h->ops->send(h->to, &s, why, number);
}

static const struct slice nothing;

void hand_start(struct hand *h, const struct hand_ops *ops, void *to, int64_t now, uint32_t iss, uint16_t own_mss,
                struct slice data, int64_t quiet) {
    *h = (struct hand){.ops = ops,
                       .to = to,
                       .iss = iss,
                       .una = iss,
                       .nxt = iss + 1,
                       .high = iss + 1,
                       .mss = HAND_MSS,
                       .flight = HAND_IN_FLIGHT,
                       .own_mss = own_mss,
                       .data = data,
                       .quiet = quiet,
                       .rto = NS_SECOND,
                       .last = now,
                       .timed = iss + 1,
                       .timed_at = now};
    timer_set(h, now);
    say(h, TALK_SYN, iss, nothing, HAND_ASK, iss);
}

/* rtt_take: RFC 6298 2, with a smaller least value. */
static void rtt_take(struct hand *h, int64_t r) {
    int64_t off = h->srtt > r ? h->srtt - r : r - h->srtt;
    h->rttvar = h->srtt ? (3 * h->rttvar + off) / 4 : r / 2;
    h->srtt = h->srtt ? (7 * h->srtt + r) / 8 : r;
    h->rto = h->srtt + 4 * h->rttvar;
    if (h->rto < RTO_LEAST) h->rto = RTO_LEAST;
    if (h->rto > RTO_MOST) h->rto = RTO_MOST;
}

static uint32_t first_byte(const struct hand *h) { return h->iss + 1; }
static uint32_t end_of_data(const struct hand *h) { return first_byte(h) + (uint32_t)h->data.n; }

/* room returns how many bytes more may be under way. */
static size_t room(const struct hand *h) {
    uint32_t limit = h->flight * h->mss, out = h->nxt - h->una;
    if (h->window < limit) limit = h->window;
    return out < limit ? limit - out : 0;
}

static void piece_send(struct hand *h, int64_t now, size_t n, enum hand_word why) {
    uint32_t from = h->nxt - first_byte(h);
    struct slice piece = slice_head(slice_tail(h->data, from), n);
    bool again = ahead(h->high, h->nxt) > 0;
    uint32_t seq = h->nxt;
    h->nxt += (uint32_t)piece.n;
    if (!again && !h->timed_at) h->timed = h->nxt, h->timed_at = now;
    if (ahead(h->nxt, h->high) > 0) h->high = h->nxt;
    timer_set(h, now);
    say(h, TALK_ACK | TALK_PSH, seq, piece, again ? HAND_AGAIN : why, piece.n);
}

static void fin_send(struct hand *h, int64_t now) {
    uint32_t seq = h->nxt++;
    bool again = h->fin_sent;
    h->fin_sent = true;
    h->state = HAND_CLOSING;
    if (ahead(h->nxt, h->high) > 0) h->high = h->nxt;
    timer_set(h, now);
    say(h, TALK_ACK | TALK_FIN, seq, nothing, again ? HAND_AGAIN : HAND_FINISH, 0);
}

/* output sends what may be sent. */
static void output(struct hand *h, int64_t now) {
    if (h->state != HAND_TALKING && h->state != HAND_CLOSING) return;
    while (ahead(end_of_data(h), h->nxt) > 0 && room(h)) {
        size_t n = room(h) < h->mss ? room(h) : h->mss;
        piece_send(h, now, n, HAND_SEND);
    }
    if (h->nxt == end_of_data(h) && (h->finish || h->fin_sent)) fin_send(h, now);
}

static void end(struct hand *h, enum hand_state state, enum hand_word word) {
    h->state = state;
    h->alarm = 0;
    h->ops->came(h->to, word, 0);
}

static void asking_came(struct hand *h, int64_t now, const struct talk_packet *t) {
    bool ours = (t->flags & TALK_ACK) && t->ack == h->iss + 1;
    if (t->flags & TALK_RST) {
        if (ours) end(h, HAND_REFUSED_STATE, HAND_REFUSED);
        else h->ops->came(h->to, HAND_STRANGE, 0);
        return;
    }
    if (!(t->flags & TALK_SYN) || !ours) return h->ops->came(h->to, HAND_STRANGE, 0);
    h->irs = t->seq;
    h->rcv = t->seq + 1;
    h->una = h->iss + 1;
    h->state = HAND_TALKING;
    h->tries = 0;
    h->last = now;
    if (h->timed_at) rtt_take(h, now - h->timed_at);
    h->timed_at = 0;
    h->alarm = 0;
    h->ops->came(h->to, HAND_AGREED, t->seq);
    say(h, TALK_ACK, h->nxt, nothing, HAND_OPEN, 0);
    output(h, now);
}

/* lost_send sends the first segment again that is not confirmed, and goes on where sending stood. */
static void lost_send(struct hand *h, int64_t now) {
    uint32_t nxt = h->nxt, left = end_of_data(h) - h->una;
    h->timed_at = 0; /* Karn: what was sent twice is not timed */
    h->nxt = h->una;
    if (ahead(end_of_data(h), h->una) > 0) piece_send(h, now, left < h->mss ? left : h->mss, HAND_AGAIN);
    else fin_send(h, now);
    if (ahead(nxt, h->nxt) > 0) h->nxt = nxt;
}

/* same_take counts acknowledgments of nothing new, which come while something is under way. */
static void same_take(struct hand *h, int64_t now, const struct talk_packet *t) {
    if (t->ack != h->una || t->span || t->window != h->window || h->nxt == h->una) return;
    if (++h->same != HAND_SAME || h->recovering) return;
    h->recovering = true;
    h->recover = h->high;
    lost_send(h, now);
}

/* ack_take takes the acknowledgment; false where it acknowledges what was never sent. */
static bool ack_take(struct hand *h, int64_t now, const struct talk_packet *t, bool quiet_word) {
    if (ahead(t->ack, h->high) > 0) return false;
    if (ahead(t->ack, h->una) <= 0) return same_take(h, now, t), true;
    h->una = t->ack;
    h->same = 0;
    if (h->flight < HAND_IN_FLIGHT) h->flight++;
    if (ahead(h->una, h->nxt) > 0) h->nxt = h->una;
    h->tries = 0;
    h->last = now;
    if (h->timed_at && ahead(t->ack, h->timed) >= 0) rtt_take(h, now - h->timed_at), h->timed_at = 0;
    timer_set(h, now);
    h->recovering = h->recovering && ahead(h->recover, h->una) > 0;
    if (h->recovering) lost_send(h, now);
    bool fin = h->fin_sent && h->una == end_of_data(h) + 1;
    if (fin) h->ops->came(h->to, HAND_FIN_KNOWN, 0);
    else if (!quiet_word) h->ops->came(h->to, HAND_ARRIVED, h->una - first_byte(h));
    return true;
}

/* bytes_take takes data and FIN; what is not next is only answered. */
static void bytes_take(struct hand *h, int64_t now, const struct talk_packet *t) {
    int32_t early = ahead(t->seq, h->rcv);
    uint32_t had = early < 0 ? (uint32_t)-early : 0;
    if (early > 0) {
        h->ops->came(h->to, HAND_GAP, (uint64_t)early);
        return say(h, TALK_ACK, h->nxt, nothing, HAND_CONFIRM, h->rcv - h->irs - 1);
    }
    if (had >= t->span) {
        h->ops->came(h->to, HAND_SEEN, 0);
        return say(h, TALK_ACK, h->nxt, nothing, HAND_CONFIRM, h->rcv - h->irs - 1 - h->other_done);
    }
    struct slice fresh = slice_tail(t->payload, had);
    if (h->other_done) return h->ops->came(h->to, HAND_STRANGE, 0); /* bytes behind the end */
    h->rcv += (uint32_t)fresh.n;
    h->last = now;
    if (fresh.n) {
        h->ops->came(h->to, HAND_DATA, fresh.n);
        h->ops->data(h->to, fresh);
    }
    if (!(t->flags & TALK_FIN)) return say(h, TALK_ACK, h->nxt, nothing, HAND_CONFIRM, h->rcv - h->irs - 1);
    h->rcv++;
    h->other_done = true;
    h->ops->came(h->to, HAND_OTHER_FIN, 0);
    say(h, TALK_ACK, h->nxt, nothing, HAND_FINISHED, 0);
    h->finish = true; /* it hears, but has nothing more to say */
}

static bool is_over(const struct hand *h) { return h->other_done && h->fin_sent && h->una == end_of_data(h) + 1; }

static void talking_came(struct hand *h, int64_t now, const struct talk_packet *t) {
    if (t->flags & TALK_RST) {
        if (t->seq == h->rcv) end(h, HAND_CUT_STATE, HAND_CUT);
        else h->ops->came(h->to, HAND_STRANGE, 0);
        return;
    }
    if (t->flags & TALK_SYN) { /* the SYN, ACK again: ours was lost */
        h->ops->came(h->to, t->seq == h->irs ? HAND_SEEN : HAND_STRANGE, 0);
        return say(h, TALK_ACK, h->nxt, nothing, HAND_CONFIRM, h->rcv - h->irs - 1);
    }
    if (!(t->flags & TALK_ACK) || ahead(t->seq, h->rcv) > HAND_WINDOW || ahead(t->seq, h->rcv) < -HAND_WINDOW ||
        !ack_take(h, now, t, t->span > 0))
        return h->ops->came(h->to, HAND_STRANGE, 0);
    uint32_t before = h->window;
    h->window = t->window;
    if (before && !h->window) h->ops->came(h->to, HAND_FULL, 0);
    if (t->span) bytes_take(h, now, t);
    if (is_over(h)) {
        h->state = HAND_OVER;
        h->alarm = 0;
        return;
    }
    output(h, now);
    if (!h->alarm && !h->window && ahead(end_of_data(h), h->nxt) > 0) h->alarm = now + h->rto;
}

void hand_came(struct hand *h, int64_t now, const struct talk_packet *t) {
    if (h->state == HAND_ASKING) {
        if (t->flags & TALK_SYN) h->window = t->window, h->mss = t->mss ? t->mss : HAND_MSS;
        if (h->mss < HAND_MSS_LEAST) h->mss = HAND_MSS_LEAST;
        if (h->mss > h->own_mss) h->mss = h->own_mss;
        asking_came(h, now, t);
    } else if (!hand_is_over(h)) {
        talking_came(h, now, t);
    }
}

/* again sends anew from the first byte that is not confirmed. */
static void again(struct hand *h, int64_t now) {
    h->timed_at = 0; /* Karn: what was sent twice is not timed */
    h->rto = h->rto * 2 < RTO_MOST ? h->rto * 2 : RTO_MOST;
    if (h->state == HAND_ASKING) {
        timer_set(h, now);
        return say(h, TALK_SYN, h->iss, nothing, HAND_AGAIN, 0);
    }
    h->nxt = h->una;
    h->recovering = false;
    h->flight = 1;
    if (ahead(end_of_data(h), h->nxt) > 0 && !room(h)) return piece_send(h, now, 1, HAND_PROBE);
    output(h, now);
}

void hand_tick(struct hand *h, int64_t now) {
    if (hand_is_over(h)) return;
    if (h->alarm && now >= h->alarm) {
        if (++h->tries > HAND_TRIES) {
            h->state = HAND_SILENT;
            return;
        }
        again(h, now);
    }
    bool idle = h->state == HAND_TALKING && !h->finish && h->una == end_of_data(h);
    if (idle && now - h->last >= h->quiet) {
        h->finish = true;
        h->last = now;
        output(h, now);
    } else if (h->state == HAND_CLOSING && !h->alarm && now - h->last >= h->quiet + NS_SECOND) {
        h->state = HAND_HALF;
    }
}

int64_t hand_due(const struct hand *h) {
    int64_t idle = h->last + h->quiet + (h->state == HAND_CLOSING ? NS_SECOND : 0);
    return h->alarm && h->alarm < idle ? h->alarm : h->alarm ? h->alarm : idle;
}

void hand_blocked(struct hand *h) {
    if (h->state == HAND_ASKING) h->state = HAND_BLOCKED; /* later ones are soft errors, RFC 5461 */
}

void hand_wait(struct hand *h, int64_t ns) {
    if (h->alarm) h->alarm += ns;
    if (h->timed_at) h->timed_at += ns;
    h->last += ns;
}

void hand_abort(struct hand *h) {
    if (h->state == HAND_TALKING || h->state == HAND_CLOSING)
        say(h, TALK_RST | TALK_ACK, h->nxt, nothing, HAND_ABORT, 0);
    h->state = HAND_CUT_STATE;
}

void hand_write(struct writer *w, const struct hand_segment *s, const struct hand_ends *e, uint16_t id) {
    uint8_t mss[4] = {2, 4, (uint8_t)(s->mss >> 8), (uint8_t)s->mss};
    struct tcp_write tcp = {e->sport,
                            e->dport,
                            s->seq,
                            s->ack,
                            WRITE_AUTO,
                            0,
                            s->flags,
                            s->window,
                            WRITE_AUTO,
                            0,
                            slice_of(mss, s->mss ? sizeof mss : 0)};
    struct ip_write v4 = {4, WRITE_AUTO, 0, WRITE_AUTO, id ? id : 1, 2 /* do not fragment */, 0, 64, 6, WRITE_AUTO};
    struct ipv6_write v6 = {6, 0, 0, WRITE_AUTO, 6, 64};
    size_t carried = 20 + (s->mss ? sizeof mss : 0) + s->data.n;
    if (e->n == 4) {
        memcpy(v4.src, e->src, 4);
        memcpy(v4.dst, e->dst, 4);
        ip_write(w, &v4, carried);
    } else {
        memcpy(v6.src, e->src, 16);
        memcpy(v6.dst, e->dst, 16);
        ipv6_write(w, &v6, carried);
    }
    struct pseudo ps = e->n == 4 ? ip_pseudo(&v4) : ipv6_pseudo(&v6);
    tcp_write(w, &tcp, &ps, s->data);
    wr_slice(w, s->data);
}
