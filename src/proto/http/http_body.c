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
    while (http_header_next(&rest, &h))
        fv_s(d->out, FID_HTTP_CHUNKED_TRAILER, d_off(d, h.line.p), (uint32_t)h.line.n, h.line);
    if (rest.n) fv_add(d->out, FID_HTTP_TEXT, d_off(d, rest.p), (uint32_t)rest.n);
}

static void chunks_add(struct decode *d, const struct http_scan *s, struct slice body) {
    struct slice head, data, tail, rest = body;
    if (!d_wants(d, FID_HTTP_CHUNK_SIZE) && !d_wants(d, FID_HTTP_CHUNK_DATA) && !d_wants(d, FID_HTTP_CHUNKED_TRAILER)) return;
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

struct slice http_media_type(struct decode *d, struct slice value) {
    size_t n = 0;
    while (n < value.n && value.p[n] != ';' && value.p[n] != ' ' && value.p[n] != '\t' && value.p[n] != ',') n++;
    uint8_t *out = arena_get(d->arena, n + 1);
    if (!out) return (struct slice){0};
    for (size_t i = 0; i < n; i++) out[i] = value.p[i] >= 'A' && value.p[i] <= 'Z' ? value.p[i] | 0x20 : value.p[i];
    return slice_of(out, n);
}

static bool ends_with(struct slice s, const char *text) {
    struct slice end = slice_str(text);
    return s.n >= end.n && slice_eq(slice_tail(s, s.n - end.n), end);
}

static bool is_xml(struct slice type) {
    return slice_eq(type, SLICE("text/xml")) || slice_eq(type, SLICE("application/xml")) || ends_with(type, "+xml");
}

static bool is_json(struct slice type) {
    return slice_eq(type, SLICE("application/json")) || slice_eq(type, SLICE("text/json")) || ends_with(type, "+json");
}

struct slice http_media_words(struct decode *d, struct slice type, struct slice data) {
    enum { ROOM = 200 };
    if (slice_eq(type, SLICE("image/gif")) && slice_starts(data, SLICE("GIF8")) && data.n >= 6)
        return data.p[4] == '7' ? SLICE(" (GIF87a)") : SLICE(" (GIF89a)");
    if (slice_eq(type, SLICE("image/png")) && slice_starts(data, SLICE("\x89PNG"))) return SLICE(" (PNG)");
    if ((slice_eq(type, SLICE("image/jpeg")) || slice_eq(type, SLICE("image/jpg"))) && slice_starts(data, SLICE("\xff\xd8")))
        return SLICE(" (JPEG JFIF image)");
    if (is_xml(type)) return (struct slice){0};
    char *text = arena_get(d->arena, ROOM);
    if (!text) return (struct slice){0};
    struct writer w = wr_fixed(text, ROOM);
    wr_s(&w, is_json(type) ? ", JavaScript Object Notation (" : " (");
    wr_slice(&w, slice_head(type, ROOM / 2));
    wr_c(&w, ')');
    return wr_done(&w);
}

struct slice http_string(struct slice s) {
    const uint8_t *nul = s.n ? memchr(s.p, 0, s.n) : NULL;
    return slice_head(s, nul ? (size_t)(nul - s.p) : s.n);
}

enum { PEEK = 16 }; /* bytes unfolded where nobody wants the body itself */

static void media_add(struct decode *d, struct slice type, struct slice data, uint32_t off) {
    struct fval *media = fv_s(d->out, FID_HTTP_MEDIA, off, 0, http_media_words(d, type, data));
    if (media) media->extra = is_json(type) ? HTTP_MEDIA_JSON : is_xml(type) ? HTTP_MEDIA_XML : HTTP_MEDIA_OTHER;
    fv_hide(media);
}

/* content_add shows the content and names its media type. `made` tells what made the bytes, which are not in the packet
 * then; NULL: they are. Where its coding could not be undone (`whole` is false) it is no more than bytes. */
static struct http_content content_add(struct decode *d, struct slice data, const char *made, const struct http_facts *f, bool whole) {
    uint8_t src = d->out->src, own = made ? fvec_add_source(d->out, data, made) : src;
    if (made && !own) return (struct http_content){0};
    d->out->src = own;
    uint32_t off = d_off(d, data.p);
    fv_s(d->out, FID_HTTP_FILE_DATA, off, (uint32_t)data.n, http_string(data));
    struct slice type = data.n && f->content_type.n ? http_media_type(d, f->content_type) : (struct slice){0};
    if (type.n && d_wants(d, FID_HTTP_MEDIA)) media_add(d, type, data, off);
    d->out->src = src;
    return (struct http_content){.type = whole ? type : (struct slice){0}, .data = data, .src = own};
}

void http_content_read(struct decode *d, const struct http_content *c) {
    uint8_t src = d->out->src;
    if (!c->data.n || !d->ops) return;
    d->out->src = c->src;
    media_read(d, c->type, c->data);
    d->out->src = src;
}

struct http_content http_body_add(struct decode *d, const struct http_scan *s, struct slice body, const struct http_facts *f, uint32_t msg) {
    const char *made = NULL;
    bool whole = true;
    if (!body.n) return (struct http_content){0};
    if (f->chunked) {
        chunks_add(d, s, body);
        body = http_dechunk(d->arena, body);
        made = "De-chunked entity body";
    }
    if (body.n && http_coding_of(f->content_encoding) != HTTP_PLAIN) {
        size_t max = d_wants(d, FID_HTTP_FILE_DATA) || !f->content_type.n || media_wanted(d) ? HTTP_BODY_MAX : PEEK;
        struct slice plain;
        size_t room = d->out->source[d->out->src].bytes.n - msg;
        fv_add(d->out, FID_HTTP_TEXT, made ? msg : d_off(d, body.p), (uint32_t)(body.n < room ? body.n : room));
        if (http_unfold(d->arena, http_coding_of(f->content_encoding), body, max, &plain)) {
            body = plain;
            made = "Uncompressed entity body";
        } else {
            d_anomaly(d, FID_HTTP_DECOMPRESSION_FAILED, msg, 0);
            whole = false;
        }
    }
    return content_add(d, body, made, f, whole);
}
