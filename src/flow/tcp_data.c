/* SPDX-License-Identifier: Apache-2.0 */
/* From a segment's payload to the messages above TCP: order, holes, messages over several segments.
 *
 * Messages that lie whole in a segment are decoded where they are, without a copy. Only what is left of a message that
 * goes on in a later segment is kept (flow/stream.h). A protocol that tells a message's length up front
 * (stream_ops.frame) has its messages counted first, so that TCP's own entry can say where they are before it is
 * closed. */
#include "flow/layer.h"

/* feed is one piece of new data on its way up. */
struct feed {
    struct driver *dr;
    struct decode *d;
    struct flow *flow;
    struct stream *stream;
    int side;
    uint32_t tcp_off; /* of the TCP header */
    uint64_t frame;   /* that brought the data */
    struct slice old; /* bytes of its segment before the data, which were seen already */
    bool in_packet;   /* the data lies in the present packet, not in a held segment */
    bool open;        /* TCP's entry is not closed yet */
    bool owned; /* the port is one of a protocol that does not recognise the bytes and wants them shown by nobody */
};

static void tcp_close(struct feed *f) {
    if (f->open) d_end(f->d);
    f->open = false;
}

/* segment_data says that bytes belong to a message which is not complete, or complete only with others, or belonged to
 * one. */
static void segment_data(struct feed *f, struct slice part, enum tcp_part as) {
    struct fvec *v = f->d->out;
    if (!part.n || !f->in_packet) return;
    uint32_t from = v->n;
    uint8_t depth = v->depth;
    if (!f->open) v->depth = (uint8_t)(depth + 1);
    struct fval *seg = fv_s(v, FID_TCP_SEGMENT_DATA, d_off(f->d, part.p), (uint32_t)part.n, part);
    if (seg) seg->extra = as;
    v->depth = depth;
    if (f->open || !seg) return;
    for (uint8_t i = f->d->layers; i > 0; i--) { /* it belongs to TCP's entry, which is closed already */
        uint32_t at = f->d->layer[i - 1].at;
        if (f->d->layer[i - 1].proto != &proto_tcp) continue;
        uint32_t end = v->v[at].id == FID_TCP ? fv_end(v, at) : from;
        if (end < from) d_move_back(f->d, end, from);
        return;
    }
}

/* begun_add keeps what a protocol says of the message it has not got all of, for the Info column. */
static void begun_add(struct feed *f, struct slice begun) {
    if (begun.n && f->in_packet && d_wants(f->d, FID_TCP_BEGUN))
        fv_s(f->d->out, FID_TCP_BEGUN, f->tcp_off, 0, arena_copy(f->d->arena, begun));
}

static void app_lost(struct feed *f) {
    const struct proto *app = f->flow->app;
    if (app && app->stream && app->stream->lost) app->stream->lost(f->flow->app_state, f->side);
}

/* keep puts an unfinished message's bytes aside. */
static void keep(struct feed *f, struct slice rest, size_t needed, enum tcp_part as) {
    struct stream *s = f->stream;
    s->needed = needed;
    if ((needed > MESSAGE_MAX && needed != READ_UNTIL_END) || !stream_keep(s, &f->dr->flows.limits, rest, f->frame)) {
        uint64_t gone = s->n + rest.n;
        s->skip = needed > gone ? needed - gone : 0;
        stream_drop_message(s, &f->dr->flows.limits);
        app_lost(f);
        d_anomaly(f->d, FID_TCP_REASSEMBLY_LIMIT, f->tcp_off, 0);
    }
    segment_data(f, rest, as);
}

static void raw(struct feed *f, struct slice in) {
    tcp_close(f);
    if (in.n && f->in_packet && !f->owned) d_data(f->d, in);
}

void driver_become(struct decode *d, const struct proto *p, uint16_t port) {
    struct driver *dr = d->driver;
    dr->become.asked = true;
    dr->become.proto = p;
    dr->become.port = port;
}

void driver_tunnel(struct decode *d, const struct proto *p, struct slice host, uint16_t port) {
    struct driver *dr = d->driver;
    driver_become(d, NULL, port);
    if (dr->flow && flow_is_tcp(dr->flow)) flow_tunnel_set(flow_tcp(dr->flow), p, host, port);
}

/* become_done makes the conversation what its protocol said it goes on as. */
static void become_done(struct feed *f) {
    if (!f->dr->become.asked) return;
    f->dr->become.asked = false;
    flow_tcp(f->flow)->before = f->flow->app;
    flow_app_start(&f->dr->flows, f->flow, f->dr->become.proto);
    if (f->dr->become.port) flow_tcp(f->flow)->port = f->dr->become.port;
}

static void tunnel_show(struct feed *f, struct slice in) {
    const struct flow_tunnel *t = flow_tcp(f->flow)->tunnel;
    if (t && t->by->tunnel && f->flow->app != t->by) t->by->tunnel(f->d, slice_of(t->host, t->host_len), t->port, in);
}

static struct read_result message_read(struct feed *f, struct slice in) {
    uint8_t nesting = f->d->nesting;
    f->d->nesting++;
    f->dr->become.asked = false;
    const struct flow_tcp *tcp = flow_tcp(f->flow);
    f->d->service = tcp->port ? tcp->port : flow_key_port(&f->flow->key, !f->flow->flipped);
    struct fvec *v = f->d->out;
    uint32_t fields = v->n;
    uint8_t layers = f->d->layers;
    tunnel_show(f, in);
    f->d->before = tcp->tunnel ? NULL : tcp->before; /* a tunnel shows its own layer */
    struct read_result r = f->flow->app->stream->read(f->d, f->flow->app_state, f->side, in);
    f->d->before = NULL;
    f->d->nesting = nesting;
    if (r.status == READ_MORE && tcp->tunnel) { /* its message is still to come */
        v->n = fields;
        f->d->layers = layers;
    }
    if (r.status == READ_OK) become_done(f);
    if (r.status == READ_OK && (r.consumed == 0 || r.consumed > in.n)) r.status = READ_BAD; /* a decoder must move on */
    return r;
}

/* whole_select makes the gathered message the source of what is decoded next. */
static struct slice whole_select(struct feed *f) {
    struct slice whole = slice_of(f->stream->buf, f->stream->n);
    uint8_t source = fvec_add_source(f->d->out, whole, "Reassembled TCP");
    if (!source) return (struct slice){0};
    f->d->out->src = source;
    return whole;
}

/* pieces_add lists the segments that the first n bytes came in, before the message's own fields, which begin at `at`:
 * only when it is read it is known that it was whole. */
static void pieces_add(struct feed *f, size_t n, uint32_t at) {
    struct fvec *v = f->d->out;
    const struct stream *s = f->stream;
    uint32_t count = 0, from = v->n;
    fv_open(v, FID_TCP_SEGMENTS, 0, (uint32_t)n);
    for (; count < s->piece_count && s->pieces[count].at < n; count++) {
        const struct piece *p = &s->pieces[count];
        uint32_t off = p->at - p->old, end = p->at + p->len;
        if (end > n) end = (uint32_t)n;
        struct fval *shown =
            fv_at(v, fv_open(v, p->conflict ? FID_TCP_SEGMENT_ERROR : FID_TCP_SEGMENT, off, end - off));
        if (shown) shown->u = p->frame;
        if (p->old) fv_u(v, FID_TCP_SEGMENT_OVERLAP, off, 0, 1);
        if (p->conflict) fv_u(v, FID_TCP_SEGMENT_OVERLAP_CONFLICT, off, 0, 1);
        fv_close(v);
    }
    fv_u(v, FID_TCP_SEGMENT_COUNT, 0, 0, count);
    fv_u(v, FID_TCP_REASSEMBLED_LEN, 0, 0, n);
    fv_s(v, FID_TCP_REASSEMBLED_DATA, 0, (uint32_t)n, slice_of(s->buf, n));
    fv_close(v);
    if (v->n > from && at < from) d_move_back(f->d, at, from);
}

/* message_release hands the message's buffer over to the packet, whose fields point into it. */
static void message_release(struct feed *f) {
    struct stream *s = f->stream;
    f->dr->flows.limits.held -= s->cap;
    driver_retire(f->dr, s->buf);
    s->buf = NULL;
    s->cap = 0;
    stream_drop_message(s, &f->dr->flows.limits);
}

static void lose(struct feed *f) {
    stream_drop_message(f->stream, &f->dr->flows.limits);
    f->stream->lost = true;
    app_lost(f);
}

/* stranger_leave ends a protocol that recognised nothing of the conversation so far. true where another knows the
 * bytes. */
static bool stranger_leave(struct feed *f, struct slice in) {
    const struct proto *app = f->flow->app, *sure = driver_probe(f->dr, in);
    f->owned = app->stream->owns_port;
    f->stream->lost = false;
    flow_app_start(&f->dr->flows, f->flow, NULL);
    return sure && sure != app;
}

/* overlap_note says of the last piece that its segment began within the message: what was there before it won. It
 * returns the part of the segment that lies in the message. */
static struct slice overlap_note(struct feed *f, struct slice part, size_t before) {
    const struct stream *s = f->stream;
    struct slice old = f->old;
    f->old.n = 0;
    if (!old.n || old.n > before) return part;
    struct piece *p = &s->pieces[s->piece_count - 1];
    p->old = (uint32_t)old.n;
    p->conflict = memcmp(s->buf + before - old.n, old.p, old.n) != 0;
    return slice_of(old.p, old.n + part.n);
}

/* whole_read decodes a message gathered from several segments; the part of `in` behind it is left in *rest. */
static bool whole_read(struct feed *f, struct slice *in) {
    struct stream *s = f->stream;
    struct fvec *v = f->d->out;
    size_t before = s->n;
    size_t take = s->needed > before && s->needed - before < in->n ? s->needed - before : in->n;
    struct slice part = slice_head(*in, take);
    if (!stream_keep(s, &f->dr->flows.limits, part, f->frame)) {
        keep(f, part, s->needed, TCP_PART); /* over the limit: says so */
        *in = slice_tail(*in, take);
        return false;
    }
    part = overlap_note(f, part, before);
    if (s->needed > s->n) {
        segment_data(f, part, TCP_PART);
        *in = slice_tail(*in, take);
        return false;
    }
    const struct stream_ops *ops = f->flow->app->stream;
    if (ops->frame) {
        struct read_result r = ops->frame(slice_of(s->buf, s->n));
        if (r.status == READ_MORE) {
            s->needed = r.needed;
            if (r.needed > MESSAGE_MAX) keep(f, (struct slice){part.p, 0}, r.needed, TCP_PART);
            *in = slice_tail(*in, take);
            if (in->n && s->needed) return whole_read(f, in); /* the length is known now */
            segment_data(f, part, TCP_PART);
            return false;
        }
        if (r.status == READ_OK && f->in_packet) {
            size_t room =
                v->source[v->src].bytes.n - f->tcp_off; /* the place ends with the segment, the message does not */
            fv_u(v, FID_TCP_PDU_SIZE, f->tcp_off, (uint32_t)(r.consumed < room ? r.consumed : room), r.consumed);
        }
    }
    segment_data(f, part, TCP_PART);
    tcp_close(f);
    uint8_t src = v->src;
    uint32_t fields = v->n - f->dr->put_back, layers = f->d->layers;
    uint16_t sources = v->sources;
    struct slice whole = whole_select(f);
    struct read_result r = message_read(f, whole);
    size_t used = r.status == READ_OK ? r.consumed : s->n;
    if (r.status != READ_MORE) pieces_add(f, used, fields + f->dr->put_back);
    v->src = src;
    if (r.status == READ_MORE) { /* its length was a guess: wait on */
        v->n = fields + f->dr->put_back;
        v->sources = sources;
        f->d->layers = (uint8_t)layers;
        s->needed = r.needed > s->n ? r.needed : 0;
        begun_add(f, r.begun);
        *in = slice_tail(*in, take);
        return in->n ? whole_read(f, in) : false;
    }
    *in = used > before ? slice_tail(*in, used - before) : (struct slice){in->p + in->n, 0};
    message_release(f);
    if (r.status == READ_BAD) {
        s->lost = true;
        app_lost(f);
        if (r.stranger) stranger_leave(f, (struct slice){0});
    }
    return true;
}

static void app_search(struct feed *f, struct slice in) {
    struct flow *flow = f->flow;
    uint16_t port = flow_tcp(flow)->port, a = port ? port : flow_key_port(&flow->key, 0),
             b = port ? port : flow_key_port(&flow->key, 1);
    const struct proto *p = driver_lookup(f->dr, TABLE_TCP, a < b ? a : b);
    if (!p) p = driver_lookup(f->dr, TABLE_TCP, a < b ? b : a);
    bool forced = driver_forced(f->dr, TABLE_TCP, a) || driver_forced(f->dr, TABLE_TCP, b);
    const struct proto *sure = forced ? NULL : driver_probe(f->dr, in);
    if (sure) p = sure;
    else if (forced) p = driver_lookup(f->dr, TABLE_TCP, driver_forced(f->dr, TABLE_TCP, a) ? a : b);
    else if (p && p->stream && p->stream->probe && p->stream->probe(in) == PROBE_NO && !f->stream->lost) {
        f->owned = p->stream->owns_port;
        p = NULL;
    }
    if (p) flow_app_start(&f->dr->flows, flow, p);
}

/* cut_read shows what there is of a message whose end the capture left out. */
static void cut_read(struct feed *f, struct slice in) {
    tcp_close(f);
    f->d->stream_end = true;
    struct read_result r = message_read(f, in);
    f->d->stream_end = false;
    if (r.status != READ_OK) raw(f, in);
}

/* messages_read decodes the messages that lie whole in `in`, and keeps what is left. */
static void messages_read(struct feed *f, struct slice in, bool first) {
    bool left = false;
    while (in.n) {
        if (f->d->out->overflowed) return;
        if (!f->flow->app) app_search(f, in);
        if (!f->flow->app || !f->flow->app->stream) {
            raw(f, in);
            return;
        }
        const struct stream_ops *ops = f->flow->app->stream;
        struct read_result r = ops->frame ? ops->frame(in) : (struct read_result){.status = READ_OK, .consumed = in.n};
        if (r.status != READ_MORE) { /* where the framing is wrong the decoder says how */
            tcp_close(f);
            r = message_read(f, ops->frame && r.status == READ_OK ? slice_head(in, r.consumed) : in);
        }
        if (r.status == READ_MORE) {
            if (r.needed && r.needed <= in.n) r.needed = 0;
            if (f->d->cut) cut_read(f, in);
            else {
                keep(f, in, r.needed, first && f->flow->app->stream->clears_info ? TCP_PART_FIRST : TCP_PART);
                begun_add(f, r.begun);
            }
            return;
        }
        if (r.status == READ_BAD) {
            lose(f);
            if (r.stranger && stranger_leave(f, in) && !left) {
                left = true;
                continue;
            }
            raw(f, in);
            return;
        }
        in = slice_tail(in, r.consumed);
        first = false;
    }
}

/* sizes_add says where the messages of a segment are, while TCP's entry is still open. */
static void sizes_add(struct feed *f, struct slice in) {
    const struct stream_ops *ops = f->flow->app->stream;
    if (!ops->frame || !f->in_packet || !d_wants(f->d, FID_TCP_PDU_SIZE)) return;
    while (in.n) {
        struct read_result r = ops->frame(in);
        if (r.status != READ_OK) return;
        fv_u(f->d->out, FID_TCP_PDU_SIZE, d_off(f->d, in.p), (uint32_t)r.consumed, r.consumed);
        in = slice_tail(in, r.consumed);
    }
}

/* feed_data takes new bytes in their order. */
static void feed_data(struct feed *f, struct slice in) {
    struct stream *s = f->stream;
    s->next += (uint32_t)in.n;
    if (s->skip) {
        size_t gone = s->skip < in.n ? (size_t)s->skip : in.n;
        s->skip -= gone;
        segment_data(f, slice_head(in, gone), TCP_PART);
        in = slice_tail(in, gone);
    }
    if (!f->flow->app) app_search(f, in);
    if (!f->flow->app || !f->flow->app->stream) {
        raw(f, in);
        return;
    }
    if (s->lost) {
        if (!f->flow->app->stream->resyncs && f->flow->app->stream->probe &&
            f->flow->app->stream->probe(in) <= PROBE_UNLIKELY) {
            raw(f, in);
            return;
        }
        s->lost = false;
    }
    bool first = true;
    if (s->n) {
        if (!whole_read(f, &in)) return;
        first = false;
    } else {
        sizes_add(f, in);
    }
    messages_read(f, in, first);
}

/* held_feed continues with segments that arrived before their turn. */
static void held_feed(struct feed *f) {
    struct slice fresh;
    struct held *h;
    while ((h = stream_take(f->stream, &f->dr->flows.limits, &fresh))) {
        struct fvec *v = f->d->out;
        uint8_t src = v->src;
        driver_retire(f->dr, h); /* fields may point into it */
        uint8_t source = fvec_add_source(v, slice_of(h->bytes, h->len), "Segment received before");
        if (!source) return;
        tcp_close(f);
        v->src = source;
        f->frame = h->frame;
        f->old = slice_of(h->bytes, h->len - fresh.n);
        f->in_packet = false;
        feed_data(f, fresh);
        v->src = src;
    }
}

/* gap_known tells whether the hole before seq will never be filled: its bytes were acknowledged, so they were lost
 * before the capture point and not on the way. */
static bool gap_known(const struct feed *f, const struct tcp_conv *c) {
    const struct tcp_side *peer = &c->side[!f->side];
    return peer->has_ack && seq_lt(f->stream->next, peer->last_ack);
}

/* left_behind returns how many bytes behind a hole of `gap` bytes still belong to the message under way; false: nobody
 * knows where it ends. No protocol has more than LENGTH_WITHIN bytes up to the end of its length: with fewer what is
 * needed is only the rest of the header. */
static bool left_behind(const struct stream *s, uint32_t gap, uint64_t *left) {
    enum { LENGTH_WITHIN = 16 };
    uint64_t gone = s->n + gap, end = s->skip ? s->skip : s->n >= LENGTH_WITHIN ? s->needed : 0;
    if (s->skip) gone = gap;
    *left = end == READ_UNTIL_END ? end : end - gone;
    return end >= gone;
}

/* skip_gap passes over bytes that will not come. They cost the message they were in; the next one is found where that
 * ended. */
static void skip_gap(struct feed *f, uint32_t to) {
    uint64_t left;
    bool known = left_behind(f->stream, to - f->stream->next, &left);
    lose(f);
    f->stream->lost = !known;
    f->stream->skip = known ? left : 0;
    f->stream->next = to;
}

/* gaps_skip gives up the holes before seq; what lies between them and was held is decoded first. */
static void gaps_skip(struct feed *f, uint32_t seq) {
    struct feed own = *f;
    while (f->stream->held && seq_lt(f->stream->held->seq, seq)) {
        if (seq_lt(f->stream->next, f->stream->held->seq)) skip_gap(f, f->stream->held->seq);
        held_feed(f);
    }
    f->frame = own.frame;
    f->old = own.old;
    f->in_packet = own.in_packet;
    if (seq_lt(f->stream->next, seq)) skip_gap(f, seq);
}

/* stream_finish decodes a message that ends with its stream. */
static void stream_finish(struct feed *f) {
    struct stream *s = f->stream;
    if (!s->n || s->needed != READ_UNTIL_END || !f->flow->app || !f->flow->app->stream) return;
    s->ended_by = f->d->pkt->number;
    struct fvec *v = f->d->out;
    uint8_t src = v->src;
    tcp_close(f);
    uint32_t fields = v->n - f->dr->put_back;
    struct slice whole = whole_select(f);
    f->d->stream_end = true;
    message_read(f, whole);
    f->d->stream_end = false;
    pieces_add(f, s->n, fields + f->dr->put_back);
    v->src = src;
    message_release(f);
}

/* stream_close: nothing follows in this direction, and a message that is not complete never will be. After a reset not
 * even one that ends with its stream is; what the other side had under way may still come by. */
static void stream_close(struct feed *f, uint16_t flags) {
    if (!(flags & TH_RST)) stream_finish(f);
    stream_drop_message(f->stream, &f->dr->flows.limits);
    const struct proto *app = f->flow->app;
    if (app && app->stream && app->stream->closed) app->stream->closed(f->flow->app_state, f->side);
}

/* fresh_left leaves of a segment's payload what is new and comes next; false: nothing of it does, for it was seen or is
 * held until what comes before it is there. */
static bool fresh_left(struct feed *f, const struct tcp_segment *s, uint32_t seq, const struct tcp_conv *conv,
                       struct slice *in) {
    struct stream *st = f->stream;
    if (seq == st->next) return true;
    if (seq_lt(seq, st->next)) {
        uint32_t old = st->next - seq;
        if (old >= s->len) { /* all of it was seen: shown as bytes of the segment, not decoded again */
            /* as in tshark, one that repeats the beginning or the last segment is a retransmission and no part of it */
            if (old < st->n && old > in->n) stream_repeat(st, (uint32_t)st->n - old, *in, f->frame);
            segment_data(f, *in, old <= st->n ? TCP_PART : TCP_PART_AGAIN);
            return false;
        }
        f->old = slice_head(*in, old);
        *in = slice_tail(*in, old);
        return true;
    }
    bool cut = s->len > s->payload.n; /* what the capture left out of it will not come: waiting is of no use */
    if (!cut && !gap_known(f, conv) && stream_hold(st, &f->dr->flows.limits, seq, *in, f->frame)) {
        segment_data(f, *in, TCP_PART);
        return false;
    }
    gaps_skip(f, seq);
    *in = slice_tail(*in, st->next - seq);
    return in->n > 0;
}

void driver_tcp_data(struct decode *d, const struct tcp_segment *s, int side) {
    struct driver *dr = d->driver;
    if (!dr->needs_app) { /* nobody asks for the stream */
        if (s->payload.n) fv_s(d->out, FID_TCP_PAYLOAD, d_off(d, s->payload.p), (uint32_t)s->payload.n, s->payload);
        d_end(d);
        return;
    }
    struct flow_tcp *tcp = flow_tcp(dr->flow);
    struct stream *st = &tcp->side[side];
    struct feed f = {.dr = dr,
                     .d = d,
                     .flow = dr->flow,
                     .stream = st,
                     .side = side,
                     .frame = d->pkt->number,
                     .in_packet = true,
                     .open = true,
                     .tcp_off = d_off(d, s->payload.p) - s->hlen};
    struct slice in = s->payload;
    uint32_t seq = s->seq + (s->flags & TH_SYN ? 1 : 0);
    if (in.n && (s->flags & TH_RST)) { /* RFC 9293 3.5.2: words about the reset, no part of the stream */
        fv_s(d->out, FID_TCP_RESET_CAUSE, d_off(d, in.p), (uint32_t)in.n, in);
        in.n = 0;
    }
    if (in.n) fv_s(d->out, FID_TCP_PAYLOAD, d_off(d, in.p), (uint32_t)in.n, in);
    if ((s->flags & TH_FIN) && st->ended_by) fv_u(d->out, FID_TCP_FIN_RETRANSMISSION, f.tcp_off, 0, st->ended_by);
    if (!st->synced || ((s->flags & TH_SYN) && seq != st->first)) { /* a SYN that is sent again begins nothing */
        if (st->synced) stream_reset(st, &dr->flows.limits);
        st->synced = true;
        st->next = st->first = seq;
    }
    bool keep_alive = s->len == 1 && seq == st->next - 1;
    if (!in.n || keep_alive) {
        if ((s->flags & (TH_FIN | TH_RST)) && seq == st->next) stream_close(&f, s->flags);
        tcp_close(&f);
        return;
    }
    if (!fresh_left(&f, s, seq, &tcp->conv, &in)) {
        tcp_close(&f);
        return;
    }
    feed_data(&f, in);
    if (s->len > s->payload.n) { /* the capture cut the segment: what follows has no beginning */
        lose(&f);
        st->next = seq + s->len;
    }
    if (st->held && gap_known(&f, &tcp->conv)) skip_gap(&f, st->held->seq);
    if (st->held) held_feed(&f);
    if ((s->flags & TH_FIN) && seq + s->len == st->next) stream_close(&f, s->flags);
    tcp_close(&f);
}
