/* SPDX-License-Identifier: Apache-2.0 */
/* From a segment's payload to the messages above TCP: order, holes, messages over several segments.
 *
 * Messages that lie whole in a segment are decoded where they are, without a copy. Only what is left of a message that
 * goes on in a later segment is kept (flow/stream.h). A protocol that tells a message's length up front
 * (stream_ops.frame) has its messages counted first, so that TCP's own entry can say where they are before it is
 * closed. */
#include "flow/layer.h"

#include <stdlib.h>

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
    bool last;        /* the stream ends with the data */
    bool owned; /* the port is one of a protocol that does not recognise the bytes and wants them shown by nobody */
    /* Of the packet's parts of messages: how many, the last one, whether one is TCP_PART_FIRST, and whether a message
     * became complete. */
    unsigned parts;
    struct slice part;
    bool first, completes;
    bool shown; /* the packet's last part of a message has an entry (read_result.shown) */
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
    f->parts += as != TCP_PART_AGAIN;
    f->first |= as == TCP_PART_FIRST;
    f->part = part;
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
        s->lost = !needed;
        stream_drop_message(s, &f->dr->flows.limits);
        app_lost(f);
        d_anomaly(f->d, FID_TCP_REASSEMBLY_LIMIT, f->tcp_off, 0);
    }
    segment_data(f, rest, as);
}

static void tunnel_show(struct feed *f, struct slice in) {
    const struct flow_tunnel *t = flow_tcp(f->flow)->tunnel;
    if (!t || !t->by->tunnel || f->flow->app == t->by) return;
    for (uint8_t i = f->d->layers; t->by->by_segment && i > 0 && f->d->layer[i - 1].proto != &proto_tcp; i--)
        if (f->d->layer[i - 1].proto == t->by) return;
    t->by->tunnel(f->d, slice_of(t->host, t->host_len), t->port, in);
}

/* raw shows bytes that nobody reads. */
static void raw(struct feed *f, struct slice in) {
    tcp_close(f);
    if (in.n && f->in_packet && !f->flow->app) tunnel_show(f, in);
    if (in.n && f->in_packet && !f->owned) d_data(f->d, in);
}

/* become_done makes the conversation what its protocol said it goes on as. */
static void become_done(struct feed *f) {
    if (!f->dr->become.asked) return;
    f->dr->become.asked = false;
    flow_tcp(f->flow)->before = f->flow->app;
    flow_app_start(&f->dr->flows, f->flow, f->dr->become.proto);
    if (f->dr->become.port) flow_tcp(f->flow)->port = f->dr->become.port;
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
    const struct layer_step *steps = f->d->steps;
    tunnel_show(f, in);
    f->d->before = tcp->tunnel ? NULL : tcp->before; /* a tunnel shows its own layer */
    f->d->gap = f->stream->gap;
    struct read_result r = f->flow->app->stream->read(f->d, f->flow->app_state, f->side, in);
    f->d->before = NULL;
    f->d->nesting = nesting;
    f->shown = r.status == READ_MORE && r.shown;
    bool nothing = r.status == READ_MORE || (r.status == READ_BAD && r.stranger);
    if (nothing && tcp->tunnel) { /* who reads its message is still to come */
        v->n = fields;
        f->d->layers = layers;
        f->d->steps = steps;
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

/* pieces_add lists the segments that the first n bytes of the gathered ones came in, before the message's own fields,
 * which begin at `at`: only when it is read it is known that it was whole. */
static void pieces_add(struct feed *f, const struct stream *s, size_t n, uint32_t at) {
    struct fvec *v = f->d->out;
    uint32_t count = 0, from = v->n;
    f->completes = true;
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

static void lose(struct feed *f) {
    stream_drop_message(f->stream, &f->dr->flows.limits);
    f->stream->lost = true;
    app_lost(f);
}

/* port_proto returns who is registered for the conversation's ports *a and *b, which are the same where it was asked to
 * go on to another; NULL: nobody. */
static const struct proto *port_proto(const struct feed *f, uint16_t *a, uint16_t *b) {
    uint16_t port = flow_tcp(f->flow)->port;
    *a = port ? port : flow_key_port(&f->flow->key, 0);
    *b = port ? port : flow_key_port(&f->flow->key, 1);
    const struct proto *p = driver_lookup(f->dr, TABLE_TCP, *a < *b ? *a : *b);
    return p ? p : driver_lookup(f->dr, TABLE_TCP, *a < *b ? *b : *a);
}

/* stranger_leave ends a protocol that recognised nothing of the conversation so far. true where another knows the
 * bytes: one that is sure of them, or the one before, which was to go on as `app` and did not. */
static bool stranger_leave(struct feed *f, struct slice in) {
    uint16_t a, b;
    const struct proto *app = f->flow->app, *sure = driver_probe(f->dr, in), *before = flow_tcp(f->flow)->before;
    f->owned = app->stream->owns_port && port_proto(f, &a, &b) == app;
    f->stream->lost = false;
    flow_tcp(f->flow)->before = NULL;
    flow_app_start(&f->dr->flows, f->flow, sure ? NULL : before);
    return sure ? sure != app : before != NULL;
}

/* size_add says how long the message at `off` is; the place ends with the segment, the message need not. */
static void size_add(struct feed *f, uint32_t off, size_t n) {
    struct fvec *v = f->d->out;
    if (!f->in_packet) return;
    size_t room = v->source[v->src].bytes.n - off;
    fv_u(v, FID_TCP_PDU_SIZE, off, (uint32_t)(n < room ? n : room), n);
}

/* sizes_add says where the messages of a segment are, while TCP's entry is still open; of those that are gathered it
 * says how long they are. */
static void sizes_add(struct feed *f, struct slice in, bool gathered) {
    const struct stream_ops *ops = f->flow->app->stream;
    if (!ops->frame || !f->in_packet || !d_wants(f->d, FID_TCP_PDU_SIZE)) return;
    while (in.n) {
        struct read_result r = ops->frame(in);
        if (r.status != READ_OK || !r.consumed) return;
        size_add(f, gathered ? f->tcp_off : d_off(f->d, in.p), r.consumed);
        in = slice_tail(in, r.consumed);
    }
}

/* overlap_note says of the last piece that its segment began within the message: what was there before it won. It
 * returns the part of the segment that lies in the message, of which `part` is new. */
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

/* put_back returns `in` with the n bytes before it. */
static struct slice put_back(struct slice in, size_t n) { return slice_of(in.p - n, in.n + n); }

/* gather takes what the unfinished message is known to need off *in, all where that is not known; *part grows by it.
 * false: the message is too long to be kept, which was said. */
static bool gather(struct feed *f, struct slice *in, struct slice *part) {
    struct stream *s = f->stream;
    size_t before = s->n, take = s->needed > before && s->needed - before < in->n ? s->needed - before : in->n;
    struct slice fresh = slice_head(*in, take);
    *in = slice_tail(*in, take);
    if (!stream_keep(s, &f->dr->flows.limits, fresh, f->frame)) {
        keep(f, fresh, s->needed, TCP_PART);
        return false;
    }
    part->n += take;
    *part = overlap_note(f, *part, before);
    stream_join_pieces(s);
    return true;
}

/* asks_on returns what a part of a message is whose protocol was asked about it and wants more. */
static enum tcp_part asks_on(const struct feed *f) {
    return f->flow->app->stream->clears_info ? TCP_PART_FIRST : TCP_PART;
}

/* part_asks_on says of the part shown last that its protocol was asked about it and wants more. */
static void part_asks_on(struct feed *f) {
    struct fvec *v = f->d->out;
    uint32_t i = f->in_packet ? v->n : 0;
    f->first |= f->in_packet && asks_on(f) == TCP_PART_FIRST;
    while (i > 0 && v->v[i - 1].id != FID_TCP_SEGMENT_DATA) i--;
    if (i) v->v[i - 1].extra = asks_on(f);
}

/* is_complete tells whether all of the gathered message is there, as far as its protocol says before it is read. One
 * that says that it is too long is given up: then nothing is gathered any more. *size is its length, 0: not known; *as
 * becomes what its parts are where the protocol wants more. */
static bool is_complete(struct feed *f, size_t *size, enum tcp_part *as) {
    struct stream *s = f->stream;
    const struct stream_ops *ops = f->flow->app->stream;
    *size = 0;
    if (s->needed > s->n) return false;
    if (!ops->frame) return true;
    struct read_result r = ops->frame(slice_of(s->buf, s->n));
    if (r.status == READ_OK) *size = r.consumed;
    if (r.status != READ_MORE) return true;
    *as = asks_on(f);
    s->needed = r.needed;
    if (r.needed > MESSAGE_MAX && r.needed != READ_UNTIL_END) keep(f, (struct slice){0}, r.needed, TCP_PART);
    return false;
}

/* gathered_done lets the gathered bytes go, which were read with result r. */
static void gathered_done(struct feed *f, struct read_result r) {
    driver_message_retire(f->dr, f->stream);
    if (r.status != READ_BAD) return;
    f->stream->lost = true;
    app_lost(f);
    if (r.stranger) stranger_leave(f, (struct slice){0});
}

/* gathered_begin decodes the first of the gathered messages, of `size` bytes, 0: not known. Their source, *whole, stays
 * selected, and *fields is where the message's begin. READ_MORE: it goes on, and nothing was added. */
static struct read_result gathered_begin(struct feed *f, size_t size, struct slice *whole, uint32_t *fields) {
    struct stream *s = f->stream;
    struct fvec *v = f->d->out;
    tcp_close(f);
    uint8_t src = v->src, layers = f->d->layers;
    const struct layer_step *steps = f->d->steps;
    uint32_t put_back = f->dr->put_back;
    uint16_t sources = v->sources;
    *fields = v->n;
    *whole = whole_select(f);
    struct read_result r = message_read(f, size ? slice_head(*whole, size) : *whole);
    *fields += f->dr->put_back - put_back;
    if (r.status != READ_MORE) return r;
    v->n = *fields;
    v->src = src;
    v->sources = sources;
    f->d->layers = layers;
    f->d->steps = steps;
    s->needed = r.needed > s->n ? r.needed : 0;
    part_asks_on(f);
    begun_add(f, slice_head(slice_of(s->buf, s->n), r.begun));
    return r;
}

/* gathered_read decodes the gathered message, of which `before` bytes came in earlier segments; what of its own stands
 * behind the message is put back to *in. false: its length was a guess, and it goes on. */
static bool gathered_read(struct feed *f, size_t before, struct slice *in) {
    struct stream *s = f->stream;
    uint8_t src = f->d->out->src;
    uint32_t fields;
    struct slice whole;
    struct read_result r = gathered_begin(f, 0, &whole, &fields);
    if (r.status == READ_MORE) return false;
    size_t used = r.status == READ_OK ? r.consumed : s->n;
    if (r.status == READ_BAD && r.stranger && whole.n) d_data(f->d, whole);
    pieces_add(f, s, used, fields);
    f->d->out->src = src;
    *in = used > before ? put_back(*in, s->n - used) : (struct slice){in->p + in->n, 0};
    gathered_done(f, r);
    return true;
}

/* skip_take passes over what an oversized message still has of *in. */
static void skip_take(struct feed *f, struct slice *in) {
    struct stream *s = f->stream;
    size_t gone = s->skip < in->n ? (size_t)s->skip : in->n;
    s->skip -= gone;
    segment_data(f, slice_head(*in, gone), TCP_PART);
    *in = slice_tail(*in, gone);
}

/* whole_read goes on with a message whose beginning came in earlier segments. true: it was read, or given up, and what
 * is left in *in stands behind it; false: it goes on in a later segment. */
static bool whole_read(struct feed *f, struct slice *in) {
    struct stream *s = f->stream;
    const size_t before = s->n;
    struct slice part = {in->p, 0}; /* what the segment has of the message and was not shown yet */
    enum tcp_part as = TCP_PART;    /* what it is */
    while (in->n) {
        size_t size;
        if (!gather(f, in, &part)) return in->n > 0;
        bool complete = is_complete(f, &size, &as);
        if (!complete && s->n) continue; /* perhaps its length is known now */
        if (size) size_add(f, f->tcp_off, size);
        segment_data(f, part, TCP_PART);
        if (size > before) sizes_add(f, put_back(*in, s->n - size), false);
        part = (struct slice){in->p, 0};
        if (complete && gathered_read(f, before, in)) return true;
        if (complete) {
            as = asks_on(f);
            continue;
        }
        skip_take(f, in);
        return in->n > 0;
    }
    segment_data(f, part, as);
    return false;
}

/* announced_start makes the conversation what was said of either end of it, if anything was. */
static void announced_start(struct feed *f) {
    const struct announced_table *t = &f->dr->announced;
    if (!t->entry) return;
    const struct flow_key *key = &f->flow->key;
    int end = f->side ^ f->flow->flipped;
    const struct announced *a = announced_find(t, &f->d->src, flow_key_port(key, end), false);
    if (!a) a = announced_find(t, &f->d->dst, flow_key_port(key, !end), false);
    if (!a) return;
    flow_app_start(&f->dr->flows, f->flow, a->proto);
    if (f->flow->app == a->proto) memcpy(f->flow->app_state, a->about, a->about_n);
}

static void app_search(struct feed *f, struct slice in) {
    struct flow *flow = f->flow;
    uint16_t a, b;
    const struct proto *p = port_proto(f, &a, &b);
    bool forced = driver_forced(f->dr, TABLE_TCP, a) || driver_forced(f->dr, TABLE_TCP, b);
    const struct proto *sure = forced ? NULL : driver_probe(f->dr, in);
    if (sure) p = sure;
    else if (forced) p = driver_lookup(f->dr, TABLE_TCP, driver_forced(f->dr, TABLE_TCP, a) ? a : b);
    else if (p && p->stream && p->stream->probe && p->stream->probe(in) == PROBE_NO && !f->stream->lost) {
        f->owned = p->stream->owns_port;
        p = NULL;
    }
    if (p) flow_app_start(&f->dr->flows, flow, p);
    else announced_start(f);
}

/* end_read shows a message that ends with its stream, or what there is of one whose end the capture left out; that it
 * did is certain where the message says its length. */
static void end_read(struct feed *f, struct slice in) {
    bool sized = f->flow->app->stream->frame != NULL;
    tcp_close(f);
    f->d->stream_end = true;
    struct read_result r = message_read(f, in);
    f->d->stream_end = false;
    struct reader end = d_reader(f->d, slice_tail(in, in.n));
    if (r.status != READ_OK) raw(f, in);
    else if (sized && f->d->cut) d_bad(f->d, &end);
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
            if (f->d->cut || (f->last && r.needed == READ_UNTIL_END)) end_read(f, in);
            else {
                keep(f, in, r.needed, first ? asks_on(f) : TCP_PART);
                begun_add(f, slice_head(in, r.begun));
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

/* feed_data takes new bytes in their order. */
static void feed_data(struct feed *f, struct slice in) {
    struct stream *s = f->stream;
    s->next += (uint32_t)in.n;
    skip_take(f, &in);
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
        sizes_add(f, in, false);
    }
    messages_read(f, in, first);
}

/* held_follows tells whether data held before its turn goes on where `in` ends. */
static bool held_follows(const struct stream *s, struct slice in) {
    uint32_t end = s->next + (uint32_t)in.n;
    for (const struct held *h = s->held; h && seq_le(h->seq, end); h = h->next)
        if (seq_lt(end, h->seq + h->len)) return true;
    return false;
}

/* join gathers `in` and all that was held and follows, and shows what of the segment is new. false: it is too much, and
 * nothing was gathered. */
static bool join(struct feed *f, struct slice in) {
    struct stream *s = f->stream;
    struct stream_limits *l = &f->dr->flows.limits;
    size_t before = s->n;
    if (!stream_keep(s, l, in, f->frame)) return false;
    s->next += (uint32_t)in.n;
    struct slice part = overlap_note(f, in, before), fresh;
    struct held *h;
    while (s->held && s->n + s->held->len <= MESSAGE_MAX && (h = stream_take(s, l, &fresh))) {
        before = s->n;
        s->next += (uint32_t)fresh.n;
        bool kept = stream_keep(s, l, fresh, h->frame);
        f->old = slice_of(h->bytes, h->len - fresh.n);
        if (kept) overlap_note(f, fresh, before);
        free(h);
        if (kept) continue;
        d_anomaly(f->d, FID_TCP_REASSEMBLY_LIMIT, f->tcp_off, 0);
        lose(f);
        break;
    }
    f->old.n = 0;
    segment_data(f, part, TCP_PART);
    return true;
}

/* joined_read decodes all messages that are gathered, the first one of `size` bytes, one behind the other; what is left
 * of the last one stays. */
static void joined_read(struct feed *f, size_t size) {
    struct stream *s = f->stream;
    uint8_t src = f->d->out->src;
    uint32_t fields;
    struct slice whole;
    struct read_result r = gathered_begin(f, size, &whole, &fields);
    if (r.status == READ_MORE) return;
    if (r.status == READ_BAD) {
        pieces_add(f, s, s->n, fields);
        gathered_done(f, r);
    } else {
        struct stream done = stream_detach(s);
        f->in_packet = false;
        messages_read(f, slice_tail(whole, r.consumed), false);
        f->in_packet = true;
        pieces_add(f, &done, done.n - s->n, fields);
        stream_pieces_from(s, &done);
        driver_message_retire(f->dr, &done);
        free(done.pieces);
    }
    f->d->out->src = src;
}

/* joined_feed takes a segment that fills a hole together with what was held behind it. false: nothing was held there,
 * or nobody reads it. */
static bool joined_feed(struct feed *f, struct slice in) {
    struct stream *s = f->stream;
    if (!s->held || s->skip || s->lost || f->d->cut || !held_follows(s, in)) return false;
    if (!f->flow->app) app_search(f, in);
    if (!f->flow->app || !f->flow->app->stream || !join(f, in)) return false;
    size_t size;
    enum tcp_part as = TCP_PART;
    if (is_complete(f, &size, &as)) {
        sizes_add(f, slice_of(s->buf, s->n), true);
        joined_read(f, size);
    } else if (as == TCP_PART_FIRST) {
        part_asks_on(f);
    }
    return true;
}

/* held_feed continues with segments that arrived before their turn. */
static void held_feed(struct feed *f) {
    struct slice fresh;
    struct held *h;
    while ((h = stream_take(f->stream, &f->dr->flows.limits, &fresh))) {
        struct fvec *v = f->d->out;
        uint8_t src = v->src;
        if (!driver_retire(f->dr, h)) return; /* fields may point into it */
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
    f->stream->gap = true;
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
    pieces_add(f, s, s->n, fields + f->dr->put_back);
    v->src = src;
    driver_message_retire(f->dr, s);
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

/* payload_say adds the field of a segment's payload and returns what of it belongs to the stream. */
static struct slice payload_say(struct decode *d, const struct tcp_segment *s) {
    struct slice in = s->payload;
    if (!in.n) return in;
    if (s->flags & TH_RST) { /* RFC 9293 3.5.2: words about the reset, no part of the stream */
        fv_s(d->out, FID_TCP_RESET_CAUSE, d_off(d, in.p), (uint32_t)in.n, in);
        return slice_head(in, 0);
    }
    fv_s(d->out, FID_TCP_PAYLOAD, d_off(d, in.p), (uint32_t)in.n, in);
    return in;
}

/* stream_begin makes `seq` the first byte of a stream that has not begun, or that a SYN with another number begins
 * anew. */
static void stream_begin(struct feed *f, uint16_t flags, uint32_t seq) {
    struct stream *st = f->stream;
    bool *begun = &flow_tcp(f->flow)->begun[f->side];
    if (*begun && !((flags & TH_SYN) && seq != st->first)) return; /* a SYN that is sent again begins nothing */
    if (*begun) stream_reset(st, &f->dr->flows.limits);
    *begun = true;
    st->gap = false;
    st->before = flags & TH_SYN; /* it is the SYN */
    st->next = st->first = seq;
}

/* tunnel_part_show shows the tunnel around the part of a message; the line is about the segment. */
static void tunnel_part_show(struct feed *f) {
    uint8_t layers = f->d->layers;
    tunnel_show(f, f->part);
    if (f->d->layers > layers) f->d->layer[layers].inside = true;
}

/* begun_show gives what asks for it (read_result.shown) and the beginning of a TLS record that ends a segment an entry
 * of its own, though the record is not complete: as in Wireshark, where no whole record before it has one, save the one
 * that was put together. Of the parts of records in the segment the first one may belong to a record that is complete
 * with it. */
static void begun_show(struct feed *f) {
    struct decode *d = f->d;
    const struct proto *app = f->flow->app;
    unsigned entries = 0;
    if (!f->parts || (app != &proto_tls && !f->shown)) return;
    for (uint8_t i = 0; i < d->layers; i++) entries += d->layer[i].proto == app && !d->layer[i].quoted;
    if (app != &proto_tls ? entries > 0 : f->completes ? f->parts < 2 || entries > 1 : !f->first || entries) return;
    tcp_close(f);
    tunnel_part_show(f);
    uint32_t off = d_off(d, f->part.p);
    d_begin_inside(d, app, off, (uint32_t)f->part.n);
    if (app->stream->part) app->stream->part(d, f->side, off);
    d_end(d);
}

/* tunnel_parts_show shows a tunnel in a segment which has parts of messages only. */
static void tunnel_parts_show(struct feed *f) {
    struct decode *d = f->d;
    const struct flow_tunnel *t = flow_tcp(f->flow)->tunnel;
    if (!t || !t->by->by_segment || !f->parts || d->layer[d->layers - 1].proto != &proto_tcp) return;
    tcp_close(f);
    tunnel_part_show(f);
}

void driver_tcp_data(struct decode *d, const struct tcp_segment *s, int side) {
    struct driver *dr = d->driver;
    if (!dr->needs_app) { /* nobody asks for the stream */
        if (s->payload.n) fv_s(d->out, FID_TCP_PAYLOAD, d_off(d, s->payload.p), (uint32_t)s->payload.n, s->payload);
        d_end(d);
        return;
    }
    struct flow_tcp *tcp = flow_tcp(dr->flow);
    if (!s->payload.n && !s->len && !(s->flags & (TH_SYN | TH_FIN | TH_RST)) && tcp->begun[side]) {
        d_end(d); /* of the stream it says nothing */
        return;
    }
    struct stream *st = &tcp->side[side];
    struct feed f = {.dr = dr,
                     .d = d,
                     .flow = dr->flow,
                     .stream = st,
                     .side = side,
                     .frame = d->pkt->number,
                     .in_packet = true,
                     .open = true,
                     .last = (s->flags & TH_FIN) && !st->held,
                     .tcp_off = d_off(d, s->payload.p) - s->hlen};
    struct slice in = payload_say(d, s);
    uint32_t seq = s->seq + (s->flags & TH_SYN ? 1 : 0);
    if ((s->flags & TH_FIN) && st->ended_by) fv_u(d->out, FID_TCP_FIN_RETRANSMISSION, f.tcp_off, 0, st->ended_by);
    stream_begin(&f, s->flags, seq);
    bool keep_alive = s->len == 1 && seq == st->next - 1;
    bool fresh = !st->before && st->next == st->first; /* all there was of the stream is a number */
    if (keep_alive && fresh) {                         /* not seen before, but no part of what follows */
        st->before = true;
        raw(&f, in);
        return;
    }
    /* it ran ahead, or was that of a keep-alive without data (RFC 9293 3.8.4) */
    if (fresh && in.n && (seq_lt(seq, st->next) || seq == st->next + 1)) st->next = st->first = seq;
    if (!in.n || keep_alive) {
        if ((s->flags & (TH_FIN | TH_RST)) && seq == st->next) stream_close(&f, s->flags);
        tcp_close(&f);
        return;
    }
    if (!fresh_left(&f, s, seq, &tcp->conv, &in)) {
        tcp_close(&f);
        return;
    }
    if (!joined_feed(&f, in)) feed_data(&f, in);
    if (s->len > s->payload.n) { /* the capture cut the segment: what follows has no beginning */
        lose(&f);
        st->next = seq + s->len;
    }
    if (st->held && gap_known(&f, &tcp->conv)) skip_gap(&f, st->held->seq);
    if (st->held) held_feed(&f);
    if ((s->flags & TH_FIN) && seq + s->len == st->next) stream_close(&f, s->flags);
    begun_show(&f);
    tunnel_parts_show(&f);
    tcp_close(&f);
}
