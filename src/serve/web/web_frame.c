/* SPDX-License-Identifier: Apache-2.0 */
/* One packet: its columns, its fields in the order of the tree, the bytes of every source. What stands before it is
 * decoded too, since a message may have begun there; where there is an index, only what belongs to it is. */
#include "field/print.h"
#include "serve/web/web_pick.h"
#include "view/view.h"
#include <stdlib.h>

enum { VALUE_MAX = 256 };

static void text_json(struct writer *w, struct writer *t) {
    json_text(w, wr_done(t));
    wr_reset(t);
}

static void value_print(struct writer *t, const struct field *field, const struct fval *f) {
    if (field->type == FT_STRING) print_quoted(t, f->s);
    else if (field_is_int(field) && !field_signed(field)) wr_u(t, f->u);
    else if (field->type == FT_ABSTIME) wr_c(t, '"'), print_value(t, field, f), wr_c(t, '"');
    else print_value(t, field, f);
}

/* filter_json writes the comparison that finds packets with the same value; of long and empty ones, the field alone. */
static void filter_json(struct writer *w, struct writer *t, const struct field *field, const struct fval *f) {
    bool bare = field->type == FT_PROTOCOL || field->type == FT_NONE || field->severity ||
                (field_is_bytes(field) && (f->s.n >= VALUE_MAX || (!f->s.n && field->type != FT_STRING)));
    if (!field->name[0] || is_secret(f)) return;
    wr_s(t, field->name);
    if (!bare) {
        wr_s(t, " == ");
        value_print(t, field, f);
    }
    wr_s(w, ",\"filter\":");
    text_json(w, t);
}

static void field_json(struct writer *w, struct writer *t, const struct fvec *v, uint32_t at) {
    const struct fval *f = &v->v[at];
    const struct field *field = field_of(f->id);
    wr_f(w, "{\"name\":\"%s\",\"label\":", field->name);
    label_print(t, v, at, proto_of(f->id), false);
    text_json(w, t);
    wr_f(w, ",\"depth\":%u,\"source\":%u,\"offset\":%u,\"length\":%u", f->depth, f->src, f->off, f->len);
    if (field->severity) wr_f(w, ",\"severity\":\"%s\"", severity_name(field->severity));
    filter_json(w, t, field, f);
    wr_c(w, '}');
}

static bool tree_json(struct writer *w, const struct fvec *v) {
    struct writer t = wr_grow();
    uint32_t shown = 0, i = 0;
    wr_s(w, ",\"tree\":[");
    for (; i < v->n && shown < WEB_TREE_MAX; i++) {
        if (field_of(v->v[i].id)->hidden || (v->v[i].flags & FV_HIDDEN)) continue;
        wr_s(w, shown++ ? ",\n" : "\n");
        field_json(w, &t, v, i);
    }
    wr_c(w, ']');
    wr_free(&t);
    return i == v->n && !v->overflowed;
}

static void sources_json(struct writer *w, const struct fvec *v) {
    wr_s(w, ",\"sources\":[");
    for (uint16_t i = 0; i < v->sources; i++) {
        struct slice bytes = v->source[i].bytes;
        wr_s(w, i ? ",\n{\"name\":" : "\n{\"name\":");
        json_text(w, slice_str(v->source[i].name));
        wr_f(w, ",\"length\":%zu,\"hex\":\"", bytes.n);
        wr_hexbytes(w, slice_head(bytes, WEB_BYTES_MAX), 0);
        wr_s(w, "\"}");
    }
    wr_c(w, ']');
}

static void frame_json(struct writer *w, const struct decode *d) {
    struct writer t = wr_grow();
    wr_f(w, "{\"no\":%llu,\"length\":%u,\"captured\":%zu,\"protocol\":", (unsigned long long)d->pkt->number,
         d->pkt->len, d->pkt->data.n);
    columns_protocol(&t, d);
    text_json(w, &t);
    wr_s(w, ",\"info\":");
    columns_info(&t, d);
    text_json(w, &t);
    bool whole = tree_json(w, d->out);
    sources_json(w, d->out);
    wr_s(w, whole ? ",\"complete\":true}\n" : ",\"complete\":false}\n");
    wr_free(&t);
}

/* ---- finding it ---- */

/* group_of gives a frame's group; GROUP_ALL where it has no row. */
static uint32_t group_of(struct web_index *x, uint64_t number) {
    struct web_places places;
    uint64_t base;
    uint32_t n = web_page_places(x, number, &places, &base), at = (uint32_t)((number - 1) % INDEX_BLOCK);
    return at < n ? places.group[at] : GROUP_ALL;
}

/* pick_make gives a pick that stands before the frame: the parked one, or a new one. NULL after a problem, or where the
 * frame cannot be picked. */
static struct web_pick *pick_make(struct web_request *q, const char *path, struct web_index *x, uint64_t asked) {
    struct want want;
    uint32_t group = group_of(x, asked);
    struct web_pick *p = web_pick_take(x, group, asked);
    want_all(&want);
    if (p) p->r->c = q->c;
    if (p && web_reading_go_on(p->r)) return p;
    web_pick_free(p);
    struct web_reading *r = (p = calloc(1, sizeof *p)) ? web_reading_open(q, path, &want) : NULL;
    if (r && web_pick_begin(p, r, x)) {
        web_pick_choose(p, group);
        return p;
    }
    web_reading_close(r);
    free(p);
    return NULL;
}

/* by_index answers with a frame decoded with what it may depend on, and nothing else: false where that cannot be. */
static bool by_index(struct web_request *q, const char *path, struct web_index *x, uint64_t asked) {
    struct web_pick *p = pick_make(q, path, x, asked);
    const struct decode *d = NULL;
    while (p && (d = web_pick_next(p, asked)) && p->number < asked) {
    }
    if (d) frame_json(&q->reply.w, d);
    if (d && !p->all) web_pick_park(p);
    else web_pick_free(p);
    return d != NULL;
}

static void too_far(struct web_request *q, uint64_t frames) {
    web_problem(q, 404, plural(frames, "the capture has %llu frame", "the capture has %llu frames"),
                (unsigned long long)frames);
}

/* in_order decodes all up to the frame that was asked for. */
static void in_order(struct web_request *q, const char *path, uint64_t asked) {
    struct want want;
    const struct decode *d;
    want_all(&want);
    struct web_reading *r = web_reading_open(q, path, &want);
    if (!r) return;
    while ((d = web_reading_next(r)) && d->pkt->number < asked) {
    }
    if (d) frame_json(&q->reply.w, d);
    else too_far(q, r->packets);
    web_reading_close(r);
}

static void frame_answer(struct web_request *q, const char *path, struct web_index *x, uint64_t asked) {
    bool whole = false, has = x && web_index_wait(x, asked, web_gone_away, q);
    uint64_t frames = has ? web_index_frames(x, &whole) : 0;
    if (whole && asked > frames) too_far(q, frames);
    else if ((!has || !by_index(q, path, x, asked)) && q->reply.status == 200) in_order(q, path, asked);
}

void web_frame(struct web_request *q, const char *path, const char *number) {
    char *end;
    size_t n = strspn(number, "0123456789");
    uint64_t asked = n && n < 20 && !number[n] ? strtoull(number, &end, 10) : 0;
    if (!asked) return web_problem(q, 400, "a frame has a number, from 1");
    struct web_index *x = web_index_of(q->web, path);
    frame_answer(q, path, x, asked);
    web_index_release(x);
}
