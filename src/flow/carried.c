/* SPDX-License-Identifier: Apache-2.0 */
/* A stream inside the messages of another one, put together like that of TCP: what travels inside TLS.
 *
 * Theory of operation. The carrier hands over the bytes of a side in their order. The first of them decide whose stream
 * it is: what the carrier knows, else what the bytes certainly are, else who is registered for the port. Its messages
 * are read one after the other; the beginning of one that is not complete is kept, with the frames its pieces came in,
 * until the rest comes. Bytes that nobody reads are shown as data. Limits: those of stream.h for a side. Invariant: a
 * reader sees a message's bytes together, from its first one. */
#include "flow/layer.h"

#include <stdlib.h>

struct carried {
    struct nested nested; /* first: what the carrier knows */
    const struct proto *proto;
    void *state;
    struct stream side[2];
    struct stream_limits *limits;
    bool lost[2]; /* the framing is lost until a message is recognised */
};

/* turn is the handling of one piece of the stream. */
struct turn {
    struct driver *dr;
    struct decode *d;
    struct carried *c;
    const struct carry *how;
    struct stream *s;
    int from;
    struct size {
        uint32_t off, n;
        uint8_t src;
    } * sizes; /* of messages that were read */
    uint32_t n_sizes;
};

enum { SIZES_MAX = 1024 }; /* messages in one piece whose length is shown */

static void app_end(struct carried *c) {
    if (c->state && c->proto->stream->end) c->proto->stream->end(c->state);
    free(c->state);
    c->state = NULL;
    c->proto = NULL;
}

static void app_start(struct carried *c, const struct proto *p) {
    app_end(c);
    if (!p || !p->stream) return;
    size_t size = p->stream->state_size;
    c->state = size ? calloc(1, size) : NULL;
    if (size && !c->state) return;
    c->proto = p;
    if (p->stream->start) p->stream->start(c->state);
}

static void carried_lost(struct nested *n, int from) {
    struct carried *c = (struct carried *)n;
    stream_drop_message(&c->side[from & 1], c->limits);
    c->lost[from & 1] = true;
    if (c->proto && c->proto->stream->lost) c->proto->stream->lost(c->state, from & 1);
}

static void carried_end(struct nested *n) {
    struct carried *c = (struct carried *)n;
    app_end(c);
    for (int i = 0; i < 2; i++) stream_reset(&c->side[i], c->limits);
    free(c);
}

static struct carried *carried_make(struct driver *dr) {
    struct carried *c = calloc(1, sizeof *c);
    if (c) *c = (struct carried){.nested = {.lost = carried_lost, .end = carried_end}, .limits = &dr->flows.limits};
    return c;
}

/* behind moves the fields from place `from` on to the end of the entry of the last layer of p; false: they stay. */
static bool behind(struct decode *d, const struct proto *p, uint32_t from) {
    struct fvec *v = d->out;
    for (uint8_t i = d->layers; i > 0; i--) {
        uint32_t at = d->layer[i - 1].at;
        if (d->layer[i - 1].proto != p) continue;
        uint32_t end = at < from && v->v[at].id == p->id ? fv_end(v, at) : from;
        if (end < from) d_move_back(d, end, from);
        return end < from;
    }
    return false;
}

/* segment_add shows bytes of a message that is not complete, or not in one piece, among the carrier's fields. */
static void segment_add(struct turn *t, struct slice part) {
    struct fvec *v = t->d->out;
    uint32_t from = v->n;
    uint8_t depth = v->depth;
    if (!part.n || !t->how->segment_data) return;
    v->depth = (uint8_t)(depth + 1);
    struct fval *seg = fv_s(v, t->how->segment_data, d_off(t->d, part.p), (uint32_t)part.n, part);
    v->depth = depth;
    if (!seg) return;
    behind(t->d, t->how->by, from);
}

static void raw(struct turn *t, struct slice in) {
    if (in.n) d_data(t->d, in);
}

/* broken gives a side up until its bytes are recognised again. */
static void broken(struct turn *t) { carried_lost(&t->c->nested, t->from); }

static void keep(struct turn *t, struct slice rest, size_t needed) {
    t->s->needed = needed;
    segment_add(t, rest);
    if ((needed > MESSAGE_MAX && needed != READ_UNTIL_END) || !stream_keep(t->s, t->c->limits, rest, t->d->pkt->number))
        broken(t);
}

/* size_note keeps the length of a message that is read, which TCP's entry shows. */
static void size_note(struct turn *t, struct slice whole) {
    if (t->n_sizes == SIZES_MAX || !d_wants(t->d, FID_TCP_PDU_SIZE)) return;
    if (!t->sizes) t->sizes = arena_get(t->d->arena, SIZES_MAX * sizeof *t->sizes);
    if (t->sizes) t->sizes[t->n_sizes++] = (struct size){d_off(t->d, whole.p), (uint32_t)whole.n, t->d->out->src};
}

static void sizes_add(struct turn *t) {
    struct fvec *v = t->d->out;
    uint32_t from = v->n;
    uint8_t src = v->src, depth = v->depth;
    v->depth = (uint8_t)(depth + 1);
    for (uint32_t i = 0; i < t->n_sizes; i++) {
        v->src = t->sizes[i].src;
        fv_u(v, FID_TCP_PDU_SIZE, t->sizes[i].off, t->sizes[i].n, t->sizes[i].n);
    }
    v->depth = depth;
    v->src = src;
    if (v->n > from && behind(t->d, &proto_tcp, from)) t->dr->put_back += v->n - from;
}

static struct read_result message_read(struct turn *t, struct slice in) {
    struct decode *d = t->d;
    if (t->c->proto->stream->frame) size_note(t, in);
    uint8_t nesting = d->nesting;
    uint16_t service = d->service;
    d->nesting++;
    d->service = t->how->port;
    t->dr->become.asked = false;
    struct read_result r = t->c->proto->stream->read(d, t->c->state, t->from, in);
    d->nesting = nesting;
    d->service = service;
    bool become = t->dr->become.asked && r.status == READ_OK;
    t->dr->become.asked = false; /* it is this stream that goes on, not the one below */
    if (become) app_start(t->c, t->dr->become.proto);
    if (r.status == READ_OK && (r.consumed == 0 || r.consumed > in.n)) r.status = READ_BAD;
    return r;
}

static void pieces_add(struct turn *t, size_t n, uint32_t at) {
    struct fvec *v = t->d->out;
    const struct stream *s = t->s;
    const struct carry *how = t->how;
    uint32_t off = 0, count = 0, from = v->n;
    fv_open(v, how->segments, 0, (uint32_t)n);
    for (; count < s->piece_count && off < n; count++) {
        uint32_t len = s->pieces[count].len;
        if (off + len > n) len = (uint32_t)n - off;
        fv_u(v, how->segment, off, len, s->pieces[count].frame);
        off += len;
    }
    fv_u(v, how->segment_count, 0, 0, count);
    fv_u(v, how->length, 0, 0, n);
    fv_s(v, how->data, 0, (uint32_t)n, slice_of(s->buf, n));
    fv_close(v);
    if (v->n > from && at < from) d_move_back(t->d, at, from);
}

/* gathered_read goes on with a message whose beginning was kept, and takes the bytes it used off *in; false where the
 * message is still not complete (then all bytes were used). `fresh`: *in was not shown yet. */
static bool gathered_read(struct turn *t, struct slice *in, bool fresh) {
    struct stream *s = t->s;
    struct fvec *v = t->d->out;
    const struct stream_ops *ops = t->c->proto->stream;
    size_t before = s->n;
    size_t take = s->needed > before && s->needed - before < in->n ? s->needed - before : in->n;
    struct slice part = slice_head(*in, take);
    if (fresh) segment_add(t, *in);
    *in = slice_tail(*in, take);
    if (!stream_keep(s, t->c->limits, part, t->d->pkt->number)) {
        broken(t);
        return false;
    }
    struct slice whole = slice_of(s->buf, s->n);
    struct read_result r = {.status = s->needed > s->n ? READ_MORE : READ_OK, .needed = s->needed};
    if (r.status == READ_OK && ops->frame) r = ops->frame(whole);
    if (r.status == READ_MORE) {
        s->needed = r.needed;
        if (r.needed > MESSAGE_MAX && r.needed != READ_UNTIL_END) broken(t);
        else if (in->n && r.needed > s->n) return gathered_read(t, in, false); /* its length is known now */
        return false;
    }
    uint8_t src = v->src, layers = t->d->layers;
    const struct layer_step *steps = t->d->steps;
    uint32_t fields = v->n - t->dr->put_back;
    uint16_t sources = v->sources;
    uint8_t own = fvec_add_source(v, whole, t->how->name);
    if (!own) return broken(t), false;
    v->src = own;
    if (r.status == READ_OK) r = message_read(t, ops->frame ? slice_head(whole, r.consumed) : whole);
    size_t used = r.status == READ_OK ? r.consumed : s->n;
    if (r.status != READ_MORE) pieces_add(t, used, fields + t->dr->put_back);
    v->src = src;
    if (r.status == READ_MORE) { /* its length was a guess */
        v->n = fields + t->dr->put_back;
        v->sources = sources;
        t->d->layers = layers;
        t->d->steps = steps;
        s->needed = r.needed > s->n ? r.needed : 0;
        return in->n ? gathered_read(t, in, false) : false;
    }
    if (used > before) *in = (struct slice){part.p + (used - before), part.n - (used - before) + in->n};
    driver_message_retire(t->dr, s);
    if (r.status == READ_BAD) broken(t);
    return true;
}

static void app_search(struct turn *t, struct slice in) {
    const struct proto *p = t->how->proto, *sure = p ? NULL : driver_probe(t->dr, in);
    if (sure) p = sure;
    else if (!p) p = t->how->likely;
    if (!sure && p && p->stream && p->stream->probe && p->stream->probe(in) == PROBE_NO && !t->c->lost[t->from])
        p = NULL;
    if (p) app_start(t->c, p);
}

/* recognised tells whether a message may begin here after bytes were lost. */
static bool recognised(struct turn *t, struct slice in) {
    const struct stream_ops *ops = t->c->proto->stream;
    if (!t->c->lost[t->from]) return true;
    if (!ops->resyncs && ops->probe && ops->probe(in) == PROBE_NO) return false;
    t->c->lost[t->from] = false;
    return true;
}

static void bytes_read(struct turn *t, struct slice in) {
    while (in.n && !t->d->out->overflowed) {
        if (!t->c->proto) app_search(t, in);
        if (!t->c->proto || !recognised(t, in)) return raw(t, in);
        if (t->s->n) {
            if (!gathered_read(t, &in, true)) return;
            continue;
        }
        const struct stream_ops *ops = t->c->proto->stream;
        struct read_result r = ops->frame ? ops->frame(in) : (struct read_result){.status = READ_OK, .consumed = in.n};
        if (r.status != READ_MORE)
            r = message_read(t, ops->frame && r.status == READ_OK ? slice_head(in, r.consumed) : in);
        if (r.status == READ_MORE) return keep(t, in, r.needed > in.n ? r.needed : 0);
        if (r.status == READ_BAD) {
            broken(t);
            return raw(t, in);
        }
        in = slice_tail(in, r.consumed);
    }
}

void driver_carry(struct decode *d, struct nested **nested, const struct carry *how, int from, struct slice in) {
    struct driver *dr = d->driver;
    from &= 1;
    struct carried *c = *nested ? (struct carried *)*nested : d->nesting < NESTING_MAX ? carried_make(dr) : NULL;
    if (!c) {
        d_data(d, in);
        return;
    }
    *nested = &c->nested;
    d->carried += (uint32_t)in.n;
    struct turn t = {.dr = dr, .d = d, .c = c, .how = how, .s = &c->side[from], .from = from};
    d->nesting++;
    bytes_read(&t, in);
    if (t.n_sizes) sizes_add(&t);
    d->nesting--;
}
