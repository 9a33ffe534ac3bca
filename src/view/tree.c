/* SPDX-License-Identifier: Apache-2.0 */
/* The packet as an indented tree, as tshark -V shows it. */
#include "field/print.h"
#include "view/view.h"

static bool own_label(struct writer *w, const struct fvec *v, uint32_t at, const struct proto *p) {
    return p && p->label && p->label(w, v, at);
}

static void expert_label(struct writer *w, const struct fvec *v, uint32_t at, const struct proto *p) {
    const struct field *field = field_of(v->v[at].id);
    wr_f(w, "[Expert Info (%s/%s): ", severity_name(field->severity), anomaly_group_name(field->group));
    if (!own_label(w, v, at, p)) wr_s(w, field->label);
    if (field->clause) wr_f(w, " (%s)", field->clause);
    wr_c(w, ']');
}

void label_print(struct writer *w, const struct fvec *v, uint32_t at, const struct proto *p, bool show_secrets) {
    const struct fval *f = &v->v[at];
    const struct field *field = field_of(f->id);
    if (__builtin_expect(is_secret(f) && !show_secrets, false)) {
        wr_s(w, field->label);
        wr_s(w, ": ");
        if (f->flags & FV_SECRET) print_string(w, slice_head(f->s, f->extra)); /* what stands in front of the secret */
        wr_s(w, HIDDEN_SECRET);
        return;
    }
    if (__builtin_expect(field->severity && !(f->flags & FV_PLAIN), false)) {
        expert_label(w, v, at, p);
        return;
    }
    if (own_label(w, v, at, p)) return;
    if (f->id == FID_WS_MALFORMED || f->id == FID_WS_SHORT || f->id == FID_WS_UNREASSEMBLED)
        wr_f(w, "[%s]", field->label);
    else print_label(w, field, f);
}

/* expert_lines writes what stands below an expert item. */
static void expert_lines(struct writer *w, const struct fvec *v, uint32_t at, const struct proto *p) {
    const struct field *field = field_of(v->v[at].id);
    size_t spaces = 4 * ((size_t)v->v[at].depth + 1);
    wr_spaces(w, spaces);
    wr_c(w, '[');
    if (!own_label(w, v, at, p)) wr_s(w, field->label);
    wr_s(w, "]\n");
    wr_spaces(w, spaces);
    wr_f(w, "[Severity level: %s]\n", severity_name(field->severity));
    wr_spaces(w, spaces);
    wr_f(w, "[Group: %s]\n", anomaly_group_name(field->group));
}

/* raw_lines writes the bytes nothing decodes. */
static void raw_lines(struct writer *w, const struct fvec *v, const struct fval *f) {
    if (f->src >= v->sources) return;
    wr_c(w, '\n');
    hex_dump(w, slice_head(slice_tail(v->source[f->src].bytes, f->off), f->len));
}

static bool listed(const struct proto *p, const struct proto *const *only) {
    for (; *only; only++)
        if (*only == p) return true;
    return false;
}

void tree_want(struct want *w) {
    for (uint16_t id = 0; id < weir_fields.count; id++)
        if (!field_of(id)->hidden) want_add(w, id);
}

void tree_print(struct writer *w, const struct decode *d, const struct proto *const *only, const struct view *view) {
    const struct fvec *v = d->out;
    const struct proto *p = NULL;
    bool open = true; /* what stands inside the present outermost entry is shown */
    for (uint32_t i = 0; i < v->n; i++) {
        const struct fval *f = &v->v[i];
        const struct field *field = field_of(f->id);
        if (field->hidden || (f->flags & FV_HIDDEN)) continue;
        p = proto_near(p, f->id);
        if (only && f->depth == 0) open = listed(p, only);
        if (!open && f->depth > 0) continue;
        wr_spaces(w, 4 * (size_t)f->depth);
        label_print(w, v, i, p, view->show_secrets);
        wr_c(w, '\n');
        if (field->severity && !(f->flags & FV_PLAIN)) expert_lines(w, v, i, p);
        if (f->id == FID_DATA && !view->hex && (!only || listed(&proto_data, only))) raw_lines(w, v, f);
    }
    if (v->overflowed) wr_s(w, "[Too many fields: the rest of the packet is not shown]\n");
}
