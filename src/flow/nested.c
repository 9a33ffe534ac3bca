/* SPDX-License-Identifier: Apache-2.0 */
/* A stream inside the messages of another one: MQTT in WebSocket.
 *
 * The bytes come in order and without holes, so all there is to do is to keep the beginning of a message until the
 * rest of it comes. Only protocols that give each message's length up front (stream_ops.frame) can be carried. */
#include "flow/layer.h"

#include <stddef.h>

struct inner {
    _Alignas(max_align_t) struct nested nested; /* first: what the carrier knows */
    const struct proto *proto;
    void *state; /* behind this, in the same piece of memory */
    struct stream_limits *limits;
    struct slabs *slabs; /* where the memory is from */
    bool bad[2];         /* the framing is lost */
    struct stream side[2];
};

static size_t inner_size(const struct proto *p) { return sizeof(struct inner) + p->stream->state_size; }

static void inner_lost(struct nested *n, int from) {
    struct inner *in = (struct inner *)n;
    const struct stream_ops *ops = in->proto->stream;
    stream_drop_message(&in->side[from & 1], in->limits);
    if (ops->lost) ops->lost(in->state, from & 1);
}

static void inner_end(struct nested *n) {
    struct inner *in = (struct inner *)n;
    const struct stream_ops *ops = in->proto->stream;
    for (int i = 0; i < 2; i++) stream_reset(&in->side[i], in->limits);
    if (in->state && ops->end) ops->end(in->state);
    slabs_put(in->slabs, in, inner_size(in->proto));
}

static struct inner *inner_make(struct driver *dr, const struct proto *p) {
    struct inner *in = slabs_get(&dr->flows.slabs, inner_size(p));
    if (!in) return NULL;
    *in = (struct inner){.nested = {.lost = inner_lost, .end = inner_end},
                         .proto = p,
                         .state = p->stream->state_size ? in + 1 : NULL,
                         .limits = &dr->flows.limits,
                         .slabs = &dr->flows.slabs};
    if (p->stream->start) p->stream->start(in->state);
    return in;
}

/* messages_read decodes the whole messages of `in` and returns what is left. */
static struct slice messages_read(struct decode *d, struct inner *inner, int from, struct slice in) {
    const struct stream_ops *ops = inner->proto->stream;
    struct stream *s = &inner->side[from];
    s->needed = 0;
    while (in.n && !d->out->overflowed) {
        struct read_result r = ops->frame(in);
        if (r.status == READ_OK) r = ops->read(d, inner->state, from, slice_head(in, r.consumed));
        if (r.status == READ_MORE) {
            s->needed = r.needed > in.n ? r.needed : 0;
            break;
        }
        if (r.status == READ_BAD || r.consumed == 0 || r.consumed > in.n) {
            inner->bad[from] = true;
            break;
        }
        in = slice_tail(in, r.consumed);
    }
    return in;
}

/* rest_keep keeps the beginning of a message; where it cannot be kept, what follows is not decoded. */
static void rest_keep(struct decode *d, struct inner *inner, int from, struct slice rest) {
    struct stream *s = &inner->side[from];
    if (!inner->bad[from] && s->needed <= MESSAGE_MAX && stream_keep(s, inner->limits, rest, d->pkt->number)) return;
    stream_drop_message(s, inner->limits);
    inner->bad[from] = true;
    d_data(d, rest);
}

/* gathered_read decodes what was kept, now that it has grown. */
static void gathered_read(struct decode *d, struct inner *inner, int from, struct slice in) {
    struct driver *dr = d->driver;
    struct stream *s = &inner->side[from];
    uint8_t src = d->out->src;
    if (!stream_keep(s, inner->limits, in, d->pkt->number)) {
        rest_keep(d, inner, from, in);
        return;
    }
    if (s->needed > s->n) return;
    struct slice whole = slice_of(s->buf, s->n);
    uint8_t own = fvec_add_source(d->out, whole, "Reassembled message");
    if (!own) return;
    d->out->src = own;
    inner->bad[from] = !driver_message_retire(dr, s);
    struct slice rest = inner->bad[from] ? (struct slice){0} : messages_read(d, inner, from, whole);
    if (rest.n) rest_keep(d, inner, from, rest);
    d->out->src = src;
}

bool driver_stream_feed(struct decode *d, struct nested **nested, const struct proto *p, int from, struct slice in) {
    from &= 1;
    if (!p->stream || !p->stream->frame || d->nesting >= NESTING_MAX) return false;
    if (!*nested) {
        struct inner *made = inner_make(d->driver, p);
        if (!made) return false;
        *nested = &made->nested;
    }
    struct inner *inner = (struct inner *)*nested;
    if (inner->bad[from]) return false;
    d->nesting++;
    if (inner->side[from].n) {
        gathered_read(d, inner, from, in);
    } else {
        struct slice rest = messages_read(d, inner, from, in);
        if (rest.n) rest_keep(d, inner, from, rest);
    }
    d->nesting--;
    return true;
}
