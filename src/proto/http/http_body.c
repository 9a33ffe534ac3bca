/* SPDX-License-Identifier: Apache-2.0 */
/* The body of a message of HTTP/1: chunks, content codings, and what the Info column says of its media type. */
#include "proto/http/http.h"
#include "proto/media/media.h"
#include "proto/protos.h"

struct slice http_dechunk(struct arena *arena, struct slice body) {
    struct slice head, data, tail, rest = body, first = {0};
    size_t total = 0, chunks = 0;
    while (http_chunk_next(&rest, &head, &data, &tail) && data.n) {
        if (chunks++ == 0) first = data;
        total += data.n;
    }
    if (chunks <= 1) return first;
    uint8_t *out = arena_get(arena, total), *to = out;
    if (!out) return (struct slice){0};
    for (rest = body; http_chunk_next(&rest, &head, &data, &tail) && data.n; to += data.n) memcpy(to, data.p, data.n);
    return slice_of(out, total);
}

static void trailer_add(struct decode *d, struct slice rest) {
    struct http_header h;
    while (http_header_next(&rest, &h)) {
        struct fval *line = fv_s(d->out, FID_HTTP_CHUNKED_TRAILER, d_off(d, h.line.p), (uint32_t)h.line.n, h.line);
        http_line_mark(line, &h);
    }
    if (rest.n) fv_add(d->out, FID_HTTP_TEXT, d_off(d, rest.p), (uint32_t)rest.n);
}

static void chunks_add(struct decode *d, const struct http_scan *s, struct slice body) {
    struct slice head, data, tail, rest = body;
    if (!s->bad_chunk && !want_any(d->out->want, FID_HTTP_CHUNKED_TRAILER, FID_HTTP_CHUNK_DATA + 1)) return;
    fv_open(d->out, FID_HTTP_TEXT, d_off(d, body.p), (uint32_t)body.n);
    while (http_chunk_next(&rest, &head, &data, &tail)) {
        uint32_t off = d_off(d, head.p);
        fv_open(d->out, FID_HTTP_TEXT, off, (uint32_t)(head.n + data.n + tail.n));
        fv_u(d->out, FID_HTTP_CHUNK_SIZE, off, (uint32_t)head.n, data.n);
        if (data.n) fv_s(d->out, FID_HTTP_CHUNK_DATA, d_off(d, data.p), (uint32_t)data.n, data);
        if (tail.n) fv_s(d->out, FID_HTTP_CHUNK_BOUNDARY, d_off(d, tail.p), (uint32_t)tail.n, tail);
        fv_close(d->out);
        if (!data.n) break;
    }
    if (s->bad_chunk) d_anomaly(d, FID_HTTP_BAD_CHUNK, d_off(d, rest.p), (uint32_t)rest.n);
    else trailer_add(d, rest);
    fv_close(d->out);
}

struct slice http_string(struct slice s) {
    const uint8_t *nul = s.n ? memchr(s.p, 0, s.n) : NULL;
    return slice_head(s, nul ? (size_t)(nul - s.p) : s.n);
}

enum { PEEK = 16 }; /* bytes unfolded where nobody wants the body itself */

static void media_add(struct decode *d, struct slice value, struct slice data, uint32_t off) {
    uint8_t kind = HTTP_MEDIA_OTHER;
    struct fval *media = fv_s(d->out, FID_HTTP_MEDIA, off, 0, http_media_words(d, value, data, &kind));
    if (media) media->extra = kind;
    fv_hide(media);
}

/* content_add shows the content and names its media type. `made` tells what made the bytes, which are not in the packet
 * then; NULL: they are. */
static struct http_content content_add(struct decode *d, struct slice data, const char *made,
                                       const struct http_facts *f) {
    uint8_t src = d->out->src, own = made ? fvec_add_source(d->out, data, made) : src;
    if (made && !own) return (struct http_content){0};
    d->out->src = own;
    uint32_t off = d_off(d, data.p);
    fv_s(d->out, FID_HTTP_FILE_DATA, off, (uint32_t)data.n, http_string(data));
    struct slice type = data.n && f->content_type.p ? http_media_type(d, f->content_type) : (struct slice){0};
    bool image = !type.n && media_image_of(data);
    if ((type.p || image) && d_wants(d, FID_HTTP_MEDIA)) media_add(d, f->content_type, data, off);
    if (!type.n && !image && d->ops)
        d_data(d, data); /* nobody says what it is: it belongs to the message's own entry */
    d->out->src = src;
    if (!type.n && !image) return (struct http_content){0};
    return (struct http_content){.value = f->content_type, .type = type, .data = data, .src = own};
}

void http_content_read(struct decode *d, const struct http_content *c) {
    uint8_t src = d->out->src;
    if (!c->data.n || !d->ops) return;
    d->out->src = c->src;
    if (media_kind_of(c->type) == MEDIA_MULTIPART) media_multipart_read(d, c->value, c->data);
    else media_or_data_read(d, c->type, c->data);
    d->out->src = src;
}

/* decoded undoes a content coding. false where it cannot be undone: the bytes are nothing but data then. */
static bool decoded(struct decode *d, struct slice *body, const char **made, const struct http_facts *f, uint32_t msg) {
    enum http_coding coding = http_coding_of(f->content_encoding);
    if (coding == HTTP_PLAIN) return true;
    struct slice plain, type = http_media_type(d, f->content_type);
    enum media_kind kind = media_kind_of(type);
    bool whole = d_wants(d, FID_HTTP_FILE_DATA) || !type.n || kind == MEDIA_DATA || kind == MEDIA_MULTIPART ||
                 kind == MEDIA_MAIL || media_wanted(d);
    size_t room = d->out->source[d->out->src].bytes.n - msg;
    uint32_t off = *made ? msg : d_off(d, body->p);
    bool done = http_unfold(d->arena, coding, *body, whole ? HTTP_BODY_MAX : PEEK, &plain);
    fv_open(d->out, FID_HTTP_TEXT, off, (uint32_t)(body->n < room ? body->n : room));
    if (!done) {
        d_anomaly(d, FID_HTTP_DECOMPRESSION_FAILED, msg, 0);
        uint8_t src = d->out->src, own = *made ? fvec_add_source(d->out, *body, *made) : src;
        if (own || !*made) {
            d->out->src = own;
            d_data(d, *body);
            d->out->src = src;
        }
    }
    fv_close(d->out);
    *body = plain;
    *made = "Uncompressed entity body";
    return done;
}

struct http_content http_body_add(struct decode *d, const struct http_scan *s, struct slice body,
                                  const struct http_facts *f, uint32_t msg) {
    const char *made = NULL;
    if (!body.n) return (struct http_content){0};
    if (f->chunked) {
        chunks_add(d, s, body);
        body = http_dechunk(d->arena, body);
        made = "De-chunked entity body";
    }
    if (body.n && f->content_encoding.p && !decoded(d, &body, &made, f, msg)) return (struct http_content){0};
    return content_add(d, body, made, f);
}
