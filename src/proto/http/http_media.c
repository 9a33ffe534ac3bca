/* SPDX-License-Identifier: Apache-2.0 */
/* What is said of content by its media type: the words in the Info column and the name in the Protocol column.
 *
 * Content of a type that says nothing of its form is known by its first bytes. Of a multipart body (RFC 2046 5.1) every
 * part that another boundary ends is worded; MULTIPART_DEPTH bounds parts inside parts, WORDS_MAX the words altogether.
 */
#include "proto/http/http.h"
#include "proto/media/media.h"

enum { WORDS_MAX = 2048, TYPE_MAX = 100, MULTIPART_DEPTH = 4 };

struct slice http_media_type(struct decode *d, struct slice value) {
    size_t n = 0;
    while (n < value.n && value.p[n] != ';' && value.p[n] != ' ' && value.p[n] != '\t' && value.p[n] != ',') n++;
    uint8_t *out = arena_get(d->arena, n + 1);
    if (!out) return (struct slice){0};
    for (size_t i = 0; i < n; i++) out[i] = value.p[i] >= 'A' && value.p[i] <= 'Z' ? value.p[i] | 0x20 : value.p[i];
    return slice_of(out, n);
}

/* by_bytes names an image by how it begins; empty: it is none. */
static struct slice by_bytes(struct slice data) {
    if (data.n >= 6 && slice_starts(data, SLICE("GIF87a"))) return SLICE(" (GIF87a)");
    if (data.n >= 6 && slice_starts(data, SLICE("GIF89a"))) return SLICE(" (GIF89a)");
    if (slice_starts(data, SLICE("\x89PNG"))) return SLICE(" (PNG)");
    if (slice_starts(data, SLICE("\xff\xd8"))) return SLICE(" (JPEG JFIF image)");
    return (struct slice){0};
}

struct words {
    struct decode *d;
    struct writer w;
    uint8_t kind;
};

static void words_put(struct words *w, struct slice value, struct slice data, int depth);

static void part_put(struct words *w, struct slice part, int depth) {
    struct http_header h;
    struct slice type = {0};
    while (http_header_next(&part, &h))
        if (slice_alike(h.name, SLICE("content-type"))) type = h.value;
    const uint8_t *lf = part.n ? memchr(part.p, '\n', part.n) : NULL; /* of the empty line */
    if (type.p && lf) words_put(w, type, slice_tail(part, (size_t)(lf - part.p) + 1), depth);
}

static void parts_put(struct words *w, struct slice value, struct slice body, int depth) {
    struct media_parts m;
    if (depth >= MULTIPART_DEPTH || !media_parts_begin(&m, value, body)) return;
    while (media_part_next(&m)) part_put(w, m.part, depth);
}

static void words_put(struct words *w, struct slice value, struct slice data, int depth) {
    struct slice type = http_media_type(w->d, value), image = {0};
    enum media_kind kind = media_kind_of(type);
    if (kind == MEDIA_TEXT && media_text_is_xml(data)) kind = MEDIA_XML;
    switch (kind) {
    case MEDIA_MULTIPART: parts_put(w, value, data, depth + 1); return;
    case MEDIA_XML: w->kind = HTTP_MEDIA_XML; return;
    case MEDIA_DATA:
    case MEDIA_MAIL:
    case MEDIA_SILENT: return;
    case MEDIA_JSON: w->kind = HTTP_MEDIA_JSON; break;
    case MEDIA_OTHER: image = by_bytes(data); break;
    case MEDIA_TEXT: break;
    }
    if (image.n) {
        wr_slice(&w->w, image);
        return;
    }
    wr_s(&w->w, kind == MEDIA_JSON ? ", JavaScript Object Notation (" : " (");
    wr_slice(&w->w, slice_head(type, TYPE_MAX));
    wr_c(&w->w, ')');
}

struct slice http_media_words(struct decode *d, struct slice value, struct slice data, uint8_t *kind) {
    size_t room = media_kind_of(http_media_type(d, value)) == MEDIA_MULTIPART ? WORDS_MAX : TYPE_MAX + 40;
    char *text = arena_get(d->arena, room);
    if (!text) return (struct slice){0};
    struct words w = {d, wr_fixed(text, room), HTTP_MEDIA_OTHER};
    words_put(&w, value, data, 0);
    if (kind) *kind = w.kind;
    return wr_done(&w.w);
}
