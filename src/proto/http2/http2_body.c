/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies of HTTP/2 messages: put together from DATA frames, unfolded where they are compressed. */
#include "field/print.h"
#include "proto/http/http.h"
#include "proto/http2/http2.h"
#include "proto/media/media.h"
#include "proto/protos.h"

static struct http2_body *http2_body_find(struct http2_state *st, int from, uint32_t stream) {
    for (size_t i = 0; stream && i < HTTP2_BODIES; i++)
        if (st->side[from].body[i].stream == stream) return &st->side[from].body[i];
    return NULL;
}

void http2_body_end(struct http2_state *st, struct http2_body *b) {
    st->held -= b->length;
    arena_free(&b->memory);
    *b = (struct http2_body){0};
}

struct http2_body *http2_body_start(struct decode *d, struct http2_state *st, int from, uint32_t stream) {
    struct http2_side *s = &st->side[from];
    struct http2_body *b = http2_body_find(st, from, stream);
    for (size_t i = 0; !b && i < HTTP2_BODIES; i++)
        if (!s->body[i].stream) b = &s->body[i];
    if (!b) {
        b = &s->body[s->next_body];
        s->next_body = (uint8_t)((s->next_body + 1) % HTTP2_BODIES);
    }
    http2_body_end(st, b);
    b->stream = stream;
    b->memory = arena_make_of(2 * HTTP2_BODY_MAX, d->kept);
    return b;
}

static void collect(struct http2_state *st, struct http2_body *b, uint64_t frame, struct slice bytes) {
    struct http2_piece *piece = NULL;
    if (!bytes.n || b->overflow) return;
    if (bytes.n <= HTTP2_BODY_MAX - st->held && b->count < HTTP2_BODY_MAX / 64)
        piece = arena_get(&b->memory, sizeof *piece);
    struct slice copy = piece ? arena_copy(&b->memory, bytes) : (struct slice){0};
    if (copy.n < bytes.n) {
        b->overflow = true;
        return;
    }
    *piece = (struct http2_piece){frame, copy, NULL};
    if (b->last) b->last->next = piece;
    else b->first = piece;
    b->last = piece;
    b->count++;
    b->length += bytes.n;
    st->held += bytes.n;
}

/* pieces_add puts a body together and lists its parts; the new source is left selected. */
static struct slice pieces_add(struct decode *d, const struct http2_body *b) {
    uint8_t *all = arena_get(d->arena, b->length);
    size_t at = 0;
    uint8_t own = all ? fvec_add_source(d->out, slice_of(all, b->length), "Reassembled body") : 0;
    if (!own) return (struct slice){0};
    d->out->src = own;
    fv_open(d->out, FID_HTTP2_BODY_FRAGMENTS, 0, (uint32_t)b->length);
    for (const struct http2_piece *p = b->first; p; p = p->next) {
        memcpy(all + at, p->bytes.p, p->bytes.n);
        fv_u(d->out, FID_HTTP2_BODY_FRAGMENT, (uint32_t)at, (uint32_t)p->bytes.n, p->frame);
        at += p->bytes.n;
    }
    fv_u(d->out, FID_HTTP2_BODY_FRAGMENT_COUNT, 0, 0, b->count);
    fv_u(d->out, FID_HTTP2_BODY_REASSEMBLED_LENGTH, 0, 0, at);
    fv_s(d->out, FID_HTTP2_BODY_REASSEMBLED_DATA, 0, (uint32_t)at, slice_of(all, at));
    fv_close(d->out);
    return slice_of(all, at);
}

/* content_add shows a whole body, unfolded where its sender compressed it, and returns it so. */
static struct http_content content_add(struct decode *d, const struct http2_body *b, struct slice body) {
    struct slice plain = body,
                 type = b->type_len ? http_media_type(d, slice_of(b->type, b->type_len)) : (struct slice){0};
    struct http_content as_is = {.type = type, .data = body, .src = d->out->src};
    uint32_t off = d_off(d, body.p);
    if (!b->coded || (!d_wants(d, FID_HTTP2_DATA_DATA) && !media_wanted(d))) {
        fv_s(d->out, FID_HTTP2_DATA_DATA, off, (uint32_t)body.n, body);
        return as_is;
    }
    fv_open(d->out, FID_HTTP2_TEXT, off, (uint32_t)body.n);
    uint8_t own = http_unfold(d->arena, (enum http_coding)b->coded, body, HTTP2_UNFOLDED_MAX, &plain)
                      ? fvec_add_source(d->out, plain, "Uncompressed entity body")
                      : 0;
    if (own) {
        d->out->src = own;
        fv_s(d->out, FID_HTTP2_DATA_DATA, 0, (uint32_t)plain.n, plain);
    } else {
        d_anomaly(d, FID_HTTP2_BODY_FAILED, off, (uint32_t)body.n);
        fv_s(d->out, FID_HTTP2_DATA_DATA, off, (uint32_t)body.n, body);
        as_is.type.n = 0;
    }
    fv_close(d->out);
    return own ? (struct http_content){.type = type, .data = plain, .src = own} : as_is;
}

/* media_add keeps what the Info column says of the content, which goes by its type alone: the body may not be kept. */
static void media_add(struct decode *d, const struct http2_body *b, uint32_t off) {
    static const struct {
        struct slice type, begins;
    } known[] = {
        {{(const uint8_t *)"image/png", 9}, {(const uint8_t *)"\x89PNG", 4}},
        {{(const uint8_t *)"image/gif", 9}, {(const uint8_t *)"GIF89a", 6}},
        {{(const uint8_t *)"image/jpeg", 10}, {(const uint8_t *)"\xff\xd8", 2}},
    };
    if (!b->type_len || !d_wants(d, FID_HTTP2_MEDIA)) return;
    struct slice type = http_media_type(d, slice_of(b->type, b->type_len)), begins = {0};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (slice_eq(type, known[i].type)) begins = known[i].begins;
    struct slice words = http_media_words(d, slice_of(b->type, b->type_len), begins, NULL);
    if (words.n) fv_hide(fv_s(d->out, FID_HTTP2_MEDIA, off, 0, words));
}

void http2_data_add(struct decode *d, struct http2_state *st, int from, const struct http2_frame *f,
                    struct slice data) {
    struct http2_body *b = http2_body_find(st, from, f->stream);
    bool last = f->flags & H2_END_STREAM,
         wanted = want_any(d->out->want, FID_HTTP2_DATA_DATA, FID_HTTP2_BODY_REASSEMBLED_DATA + 1) || media_wanted(d);
    uint32_t off = data.n ? d_off(d, data.p) : f->off + HTTP2_HEAD;
    uint8_t src = d->out->src;
    bool several = b && (b->count || b->overflow);
    if (b && wanted && (!last || several)) collect(st, b, d->pkt->number, data);
    if (!b || !last || b->overflow || (!several && !data.n)) {
        if (data.n) fv_s(d->out, FID_HTTP2_DATA_DATA, off, (uint32_t)data.n, data);
    } else {
        struct slice body = several ? pieces_add(d, b) : data;
        if (body.n) st->content = content_add(d, b, body);
        d->out->src = src;
    }
    if (!b || !last) return;
    media_add(d, b, f->off);
    http2_body_end(st, b);
}
