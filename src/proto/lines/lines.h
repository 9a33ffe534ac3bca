/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_PROTO_LINES_H
#define WEIR_PROTO_LINES_H

#include "field/print.h"
#include "proto/proto.h"

/* What protocols that speak in lines of text share. */

enum { LINES_MAX = 2000, LINE_BYTES_MAX = 64 << 10 };

/* line is one of them: `all` with its end, `text` without. */
struct line {
    struct slice all, text;
};

/* line_take takes the first line off *in; the last one may have no end. false: nothing is left. */
static inline bool line_take(struct slice *in, struct line *line) {
    if (!in->n) return false;
    const uint8_t *end = memchr(in->p, '\n', in->n);
    line->all = slice_head(*in, end ? (size_t)(end - in->p) + 1 : in->n);
    line->text = line->all;
    while (line->text.n && (line->text.p[line->text.n - 1] == '\n' || line->text.p[line->text.n - 1] == '\r'))
        line->text.n--;
    *in = slice_tail(*in, line->all.n);
    return true;
}

/* whole_lines returns `in` up to its last line end. */
static inline struct slice whole_lines(struct slice in) {
    const uint8_t *end = in.n ? memrchr(in.p, '\n', in.n) : NULL;
    return slice_head(in, end ? (size_t)(end - in.p) + 1 : 0);
}

/* lines_wait tells whether a side's bytes, of which whole_lines left `whole`, are to wait for the end of a line: not
 * for one that is very long, and not where nothing follows. */
static inline bool lines_wait(const struct decode *d, struct slice in, struct slice whole) {
    return !whole.n && in.n < LINE_BYTES_MAX && !d->stream_end;
}

/* word_take takes the text up to the first space off *text, and the spaces behind it. */
static inline struct slice word_take(struct slice *text) {
    const uint8_t *space = text->n ? memchr(text->p, ' ', text->n) : NULL;
    struct slice word = slice_head(*text, space ? (size_t)(space - text->p) : text->n);
    *text = slice_tail(*text, word.n);
    while (text->n && text->p[0] == ' ') *text = slice_tail(*text, 1);
    return word;
}

/* header_split parts a line "name: value"; false: it is none. */
static inline bool header_split(struct slice text, struct slice *name, struct slice *value) {
    const uint8_t *colon = text.n ? memchr(text.p, ':', text.n) : NULL;
    if (!colon) return false;
    *name = slice_head(text, (size_t)(colon - text.p));
    *value = slice_tail(text, name->n + 1);
    while (name->n && name->p[name->n - 1] == ' ') name->n--;
    while (value->n && (value->p[0] == ' ' || value->p[0] == '\t')) *value = slice_tail(*value, 1);
    return true;
}

/* code_of returns the three digits a reply begins with, -1: it begins with something else. */
static inline int code_of(struct slice text) {
    int code = 0;
    if (text.n < 3) return -1;
    for (size_t i = 0; i < 3; i++) {
        if (text.p[i] < '0' || text.p[i] > '9') return -1;
        code = code * 10 + (text.p[i] - '0');
    }
    return code;
}

/* line_add adds a part of a line. */
static inline struct fval *line_add(struct decode *d, uint16_t id, struct slice s) {
    return fv_s(d->out, id, d_off(d, s.p), (uint32_t)s.n, s);
}
/* line_open is line_add for one that has parts of its own; closed with fv_close. */
static inline struct fval *line_open(struct decode *d, uint16_t id, struct slice s) {
    struct fval *f = fv_at(d->out, fv_open(d->out, id, d_off(d, s.p), (uint32_t)s.n));
    if (f) f->s = s;
    return f;
}

/* from_server tells whether side `from` is the server's, going by the port that is p's. */
static inline bool from_server(struct decode *d, const struct proto *p, int from) {
    bool first_serves = d->ops->lookup && d->ops->lookup(d, TABLE_TCP, d->service) != p;
    return (from == 1) != first_serves;
}

/* line_say writes the first line of the text of a field, of a secret one what stands in front of the secret. */
static inline void line_say(struct writer *w, const struct fvec *v, const struct fval *f, struct slice text) {
    struct line line;
    if (line_take(&text, &line)) print_told(w, v, f, line.text);
}

/* LINES_PROTO is the entry of a protocol of lines, made of its ID of fields and of what is named after it. */
#define LINES_PROTO(name_, ID_, COLUMN_)                                                                               \
    .name = #name_, .column = (COLUMN_), .id = FID_##ID_, .end = FID_##ID_##_END, .keys = name_##_keys,                \
    .stream = &name_##_stream, .info = name_##_info

/* lines_whole says that everything that came was read. */
static inline struct read_result lines_whole(struct slice in) {
    return (struct read_result){.status = READ_OK, .consumed = in.n};
}

#endif
