/* SPDX-License-Identifier: Apache-2.0 */
/* Packets in the form Elasticsearch takes in bulk, as tshark has it: an action line, then an object of layers.
 *
 * Theory of operation: within a layer the tree is flat. Of the lines that stand beside each other those of one name are
 * one member, an array where there are several; what stands below them follows, taken together in the same way. Inner
 * protocols and expert items are objects. Depth is that of the tree; memory is a list of places for each level. */
#include "base/isotime.h"
#include "field/print.h"
#include "view/view.h"

#include <stdlib.h>

struct ek {
    struct writer *w;
    const struct fvec *v;
    const struct view *view;
};

/* places is a list of lines of the tree. */
struct places {
    uint32_t *at;
    size_t n, room;
};

static void places_add(struct places *p, uint32_t at) {
    if (p->n == p->room) {
        size_t room = p->room ? p->room * 2 : 16;
        uint32_t *more = realloc(p->at, room * sizeof *more);
        if (!more) return;
        p->at = more;
        p->room = room;
    }
    p->at[p->n++] = at;
}

static bool is_expert(const struct fval *f) { return field_of(f->id)->severity && !(f->flags & FV_PLAIN); }
static bool is_text(const struct fval *f) { return !is_expert(f) && !field_of(f->id)->name[0]; }

/* shown leaves out what tshark has not, and notes of ours that have no name. */
static bool shown(const struct fval *f) {
    const struct field *field = field_of(f->id);
    return !field->own && (field->name[0] || !(f->flags & FV_HIDDEN));
}

static bool has_children(const struct fvec *v, uint32_t at) {
    return at + 1 < v->n && v->v[at + 1].depth > v->v[at].depth;
}

static bool same_key(const struct fval *a, const struct fval *b) {
    if (is_expert(a) || is_expert(b)) return is_expert(a) && is_expert(b);
    return a->id == b->id || (is_text(a) && is_text(b));
}

static void dotless(struct writer *w, const char *name) {
    for (; *name; name++) wr_c(w, *name == '.' ? '_' : *name);
}

/* key writes a member's name: that of its protocol, then its own; `layer` is the protocol it stands in. */
static void key(struct ek *e, uint32_t at, const struct field *layer) {
    const struct fval *f = &e->v->v[at];
    const struct field *field = field_of(f->id);
    const struct proto *p = proto_of(f->id);
    size_t n = layer ? strlen(layer->name) : 0;
    wr_c(e->w, '"');
    if (is_expert(f)) wr_s(e->w, "_ws_expert");
    else if (is_text(f)) wr_s(e->w, "text");
    else {
        /* in Wireshark an option of TCP is a protocol of its own */
        bool protocol = field->type == FT_PROTOCOL || (field->type == FT_BYTES && has_children(e->v, at) &&
                                                       strncmp(field->name, "tcp.options.", 12) == 0);
        bool own = layer && strncmp(field->name, layer->name, n) == 0 && field->name[n] == '.';
        if (layer && !protocol) {
            dotless(e->w, own ? layer->name : p ? p->name : "");
            wr_c(e->w, '_');
        }
        dotless(e->w, field->name);
    }
    wr_s(e->w, "\":");
}

static void expert_write(struct ek *e, uint32_t at) {
    const struct fval *f = &e->v->v[at];
    const struct field *field = field_of(f->id);
    const struct proto *p = proto_of(f->id);
    struct writer t = wr_grow();
    if (!p || !p->label || !p->label(&t, e->v, at)) wr_s(&t, field->label);
    wr_s(e->w, "{\"");
    dotless(e->w, p ? p->name : "");
    wr_c(e->w, '_');
    dotless(e->w, field->name);
    wr_s(e->w, "\":null,\"_ws_expert__ws_expert_message\":");
    json_text(e->w, wr_done(&t));
    wr_f(e->w, ",\"_ws_expert__ws_expert_severity\":\"%llu\",\"_ws_expert__ws_expert_group\":\"%llu\"}",
         (unsigned long long)severity_number(field->severity), (unsigned long long)group_number(field->group));
    wr_free(&t);
}

static void time_write(struct writer *w, __int128 ns) {
    wr_c(w, '"');
    iso_time(w, ns, 9);
    wr_s(w, "Z\"");
}

static void members(struct ek *e, const struct places *parents, const struct field *layer, bool *any);

static void value(struct ek *e, uint32_t at) {
    const struct fval *f = &e->v->v[at];
    const struct field *field = field_of(f->id);
    struct writer t;
    bool any = false;
    if (is_expert(f)) {
        expert_write(e, at);
    } else if (field->type == FT_PROTOCOL && has_children(e->v, at)) {
        wr_c(e->w, '{');
        members(e, &(struct places){&at, 1, 1}, field, &any);
        wr_c(e->w, '}');
    } else if (is_text(f)) {
        t = wr_grow();
        label_print(&t, e->v, at, proto_of(f->id), e->view->show_secrets);
        struct slice words = wr_done(&t);
        if (words.n > 1 && words.p[0] == '[' && words.p[words.n - 1] == ']') words = slice_of(words.p + 1, words.n - 2);
        json_text(e->w, words);
        wr_free(&t);
    } else if (field->type == FT_BOOL) wr_s(e->w, f->u ? "true" : "false");
    else if (field->type == FT_NONE) wr_s(e->w, "null");
    else if (field->type == FT_ABSTIME) time_write(e->w, fv_time(f));
    else json_shown(e->w, f, e->view->show_secrets);
}

/* members writes what stands directly below the parents, then what stands below that. */
static void members(struct ek *e, const struct places *parents, const struct field *layer, bool *any) {
    const struct fval *v = e->v->v;
    struct places below = {0}, same = {0};
    for (size_t i = 0; i < parents->n; i++) {
        uint8_t depth = v[parents->at[i]].depth;
        for (uint32_t at = parents->at[i] + 1; at < e->v->n && v[at].depth > depth; at++)
            if (v[at].depth == depth + 1 && shown(&v[at])) places_add(&below, at);
    }
    for (size_t i = 0; i < below.n; i++) {
        uint32_t first = below.at[i];
        if (first == UINT32_MAX) continue;
        same.n = 0;
        for (size_t j = i; j < below.n; j++) {
            if (below.at[j] == UINT32_MAX || !same_key(&v[below.at[j]], &v[first])) continue;
            places_add(&same, below.at[j]);
            below.at[j] = UINT32_MAX;
        }
        if (*any) wr_c(e->w, ',');
        *any = true;
        key(e, first, layer);
        if (same.n > 1) wr_c(e->w, '[');
        for (size_t j = 0; j < same.n; j++) {
            if (j) wr_c(e->w, ',');
            value(e, same.at[j]);
        }
        if (same.n > 1) wr_c(e->w, ']');
        if (!is_expert(&v[first]) && field_of(v[first].id)->type != FT_PROTOCOL) members(e, &same, layer, any);
    }
    free(below.at);
    free(same.at);
}

void ek_print(struct writer *w, const struct decode *d, const struct view *view) {
    struct ek e = {w, d->out, view};
    const struct fval *v = d->out->v;
    bool any = false;
    ek_begin(w, d);
    for (uint32_t at = 0; at < d->out->n; at++) {
        bool again = false, several = false;
        if (v[at].depth || !shown(&v[at])) continue;
        for (uint32_t i = 0; i < at && !again; i++) again = !v[i].depth && same_key(&v[i], &v[at]);
        if (again) continue;
        for (uint32_t i = at + 1; i < d->out->n && !several; i++) several = !v[i].depth && same_key(&v[i], &v[at]);
        if (any) wr_c(w, ',');
        any = true;
        key(&e, at, NULL);
        if (several) wr_c(w, '[');
        value(&e, at);
        for (uint32_t i = at + 1; several && i < d->out->n; i++) {
            if (v[i].depth || !same_key(&v[i], &v[at])) continue;
            wr_c(w, ',');
            value(&e, i);
        }
        if (several) wr_c(w, ']');
    }
    wr_s(w, "}}\n");
}
