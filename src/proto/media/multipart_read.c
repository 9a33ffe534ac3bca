/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies of several parts (RFC 2046 5.1): boundaries, the header fields of parts, and their content by its media type.
 * Limits: PARTS_MAX parts, DEPTH_MAX parts inside parts. */
#include "field/print.h"
#include "proto/http/http.h"
#include "proto/media/media.h"
#include "proto/protos.h"

enum { PARTS_MAX = 1000, DEPTH_MAX = 4, BOUNDARY_MAX = 255, PARAMETERS_MAX = 1024 };

/* parameter returns the value of a parameter of a media type, without its quotes: RFC 2045 5.1. */
static struct slice parameter(struct slice value, const char *name) {
    value = slice_head(value, PARAMETERS_MAX);
    for (;;) {
        const uint8_t *semicolon = value.n ? memchr(value.p, ';', value.n) : NULL;
        if (!semicolon) return (struct slice){0};
        value = slice_tail(value, (size_t)(semicolon - value.p) + 1);
        while (value.n && (value.p[0] == ' ' || value.p[0] == '\t' || value.p[0] == '\r' || value.p[0] == '\n'))
            value = slice_tail(value, 1);
        const uint8_t *equals = value.n ? memchr(value.p, '=', value.n) : NULL;
        size_t n = equals ? (size_t)(equals - value.p) : value.n;
        if (!equals || !slice_alike(slice_head(value, n), slice_str(name))) continue;
        value = slice_tail(value, n + 1);
        bool quoted = value.n && value.p[0] == '"';
        if (quoted) value = slice_tail(value, 1);
        for (n = 0; n < value.n &&
                    (quoted ? value.p[n] != '"' : value.p[n] != ';' && value.p[n] != ' ' && value.p[n] != '\t');)
            n++;
        return slice_head(value, n);
    }
}

bool media_parts_begin(struct media_parts *m, struct slice value, struct slice body) {
    struct slice boundary = parameter(value, "boundary");
    *m = (struct media_parts){.rest = body, .mark = {'-', '-'}};
    if (!boundary.n || boundary.n > BOUNDARY_MAX) return false;
    memcpy(m->mark + 2, boundary.p, boundary.n);
    m->mark_len = (uint16_t)(boundary.n + 2);
    if (!media_part_next(m)) return false;
    /* The line end in front of the first boundary is the preamble's. */
    const uint8_t *mark = memchr(m->boundary.p, '-', m->boundary.n);
    size_t ends = (size_t)(mark - m->boundary.p);
    m->part.n += ends;
    m->boundary = slice_tail(m->boundary, ends);
    return true;
}

bool media_part_next(struct media_parts *m) {
    struct slice body = m->rest, at = body;
    while (!m->last) {
        const uint8_t *p = at.n ? memmem(at.p, at.n, m->mark, m->mark_len) : NULL;
        if (!p) return false;
        size_t off = (size_t)(p - body.p), begin = off;
        at = slice_tail(body, off + m->mark_len);
        struct slice rest = at;
        bool line = off == 0 || body.p[off - 1] == '\n', end = slice_starts(rest, SLICE("--"));
        if (end) rest = slice_tail(rest, 2);
        while (rest.n && (rest.p[0] == ' ' || rest.p[0] == '\t' || rest.p[0] == '\r')) rest = slice_tail(rest, 1);
        if (!line || (rest.n && rest.p[0] != '\n')) continue;
        /* The line end in front belongs to the boundary. */
        if (begin && body.p[begin - 1] == '\n') begin--;
        if (begin < off && begin && body.p[begin - 1] == '\r') begin--;
        m->part = slice_head(body, begin);
        m->rest = slice_tail(rest, 1);
        m->boundary = slice_of(body.p + begin, body.n - begin - m->rest.n);
        m->last = end;
        return true;
    }
    return false;
}

static uint16_t header_id(struct slice name) {
    static const struct {
        const char *name;
        uint16_t id;
    } known[] = {
        {"content-type", FID_MIME_MULTIPART_CONTENT_TYPE},
        {"content-disposition", FID_MIME_MULTIPART_CONTENT_DISPOSITION},
        {"content-transfer-encoding", FID_MIME_MULTIPART_CONTENT_TRANSFER_ENCODING},
        {"content-id", FID_MIME_MULTIPART_CONTENT_ID},
        {"content-length", FID_MIME_MULTIPART_CONTENT_LENGTH},
        {"content-description", FID_MIME_MULTIPART_CONTENT_DESCRIPTION},
        {"content-encoding", FID_MIME_MULTIPART_CONTENT_ENCODING},
        {"content-language", FID_MIME_MULTIPART_CONTENT_LANGUAGE},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (slice_alike(name, slice_str(known[i].name))) return known[i].id;
    return FID_MIME_MULTIPART_LINE;
}

/* compact returns a header field's value without white space behind its semicolons. */
static struct slice compact(struct decode *d, struct slice value) {
    uint8_t *out = arena_get(d->arena, value.n + 1);
    size_t n = 0;
    for (size_t i = 0; out && i < value.n; i++) {
        bool blank = value.p[i] == ' ' || value.p[i] == '\t' || value.p[i] == '\r' || value.p[i] == '\n';
        if (!blank || !n || out[n - 1] != ';') out[n++] = value.p[i];
    }
    return slice_of(out, n);
}

static void parts_read(struct decode *d, struct slice value, struct slice data, int depth);

static void part_read(struct decode *d, struct slice part, int depth) {
    struct slice head = part, content = {0}, type = {0};
    struct http_header h;
    uint32_t at = fv_open(d->out, FID_MIME_MULTIPART_PART, d_off(d, part.p), (uint32_t)part.n);
    while (http_header_next(&head, &h)) {
        uint16_t id = header_id(h.name);
        struct slice shown = id == FID_MIME_MULTIPART_LINE ? h.line : compact(d, h.value);
        fv_s(d->out, id, d_off(d, h.line.p), (uint32_t)h.line.n, shown);
        if (id == FID_MIME_MULTIPART_CONTENT_TYPE) content = h.value;
    }
    const uint8_t *lf = head.n ? memchr(head.p, '\n', head.n) : NULL; /* of the empty line */
    struct slice data = lf ? slice_tail(head, (size_t)(lf - head.p) + 1) : (struct slice){0};
    if (content.n) type = http_media_type(d, content);
    struct fval *f = fv_at(d->out, at);
    if (f) f->s = type;
    if (data.n && media_kind_of(type) == MEDIA_MULTIPART) parts_read(d, content, data, depth + 1);
    else if (data.n) media_or_data_read(d, type, data);
    fv_close(d->out);
}

static void parts_read(struct decode *d, struct slice value, struct slice data, int depth) {
    struct media_parts m;
    bool begun = depth < DEPTH_MAX && media_parts_begin(&m, value, data);
    if (depth >= DEPTH_MAX || !m.mark_len) { /* nobody says what parts it */
        d_data(d, data);
        return;
    }
    uint32_t off = d_off(d, data.p);
    struct slice type = http_media_type(d, value);
    media_begin(d, &proto_mime_multipart, type, data);
    fv_s(d->out, FID_MIME_MULTIPART_TYPE, off, 0, type);
    if (!begun) { /* its boundary is nowhere */
        d_data(d, data);
        d_end(d);
        return;
    }
    if (m.part.n) fv_s(d->out, FID_MIME_MULTIPART_PREAMBLE, off, (uint32_t)m.part.n, m.part);
    uint16_t id = FID_MIME_MULTIPART_FIRST_BOUNDARY;
    for (unsigned i = 0; i < PARTS_MAX; i++) {
        fv_s(d->out, id, d_off(d, m.boundary.p), (uint32_t)m.boundary.n, m.boundary);
        if (!media_part_next(&m)) break;
        part_read(d, m.part, depth);
        id = m.last ? FID_MIME_MULTIPART_LAST_BOUNDARY : FID_MIME_MULTIPART_BOUNDARY;
    }
    if (m.last && m.rest.n) fv_s(d->out, FID_MIME_MULTIPART_TRAILER, d_off(d, m.rest.p), (uint32_t)m.rest.n, m.rest);
    d_end(d);
}

void media_multipart_read(struct decode *d, struct slice value, struct slice data) {
    if (media_wanted(d) || want_any(d->out->want, FID_DATA, FID_DATA_END)) parts_read(d, value, data, 0);
}

bool media_multipart_label(struct writer *w, const struct fvec *v, uint32_t at) {
    const struct fval *f = &v->v[at];
    if (f->id == FID_MIME_MULTIPART) {
        const struct fval *first = fv_first(v, FID_MIME_MULTIPART_FIRST_BOUNDARY, at, fv_end(v, at));
        struct slice boundary = first ? slice_tail(first->s, sizeof "--" - 1) : (struct slice){0};
        while (boundary.n && boundary.p[boundary.n - 1] <= ' ') boundary.n--;
        wr_s(w, "MIME Multipart Media Encapsulation, Type: ");
        print_string(w, f->s);
        if (!boundary.n) return true;
        wr_s(w, ", Boundary: \"");
        print_string(w, boundary);
        wr_c(w, '"');
        return true;
    }
    if (f->id != FID_MIME_MULTIPART_PART) return false;
    wr_s(w, "Encapsulated multipart part: ");
    if (!f->s.n) return true;
    wr_s(w, " (");
    print_string(w, f->s);
    wr_c(w, ')');
    return true;
}
