/* SPDX-License-Identifier: Apache-2.0 */
/* Chosen fields, one packet per line: tshark's -T fields. */
#include "field/print.h"
#include "view/view.h"

void fields_header(struct writer *w, const uint16_t *ids, size_t n, const struct fields_options *o) {
    if (!o->header) return;
    for (size_t i = 0; i < n; i++) {
        if (i) wr_c(w, o->separator);
        wr_s(w, field_of(ids[i])->name);
    }
    wr_c(w, '\n');
}

static void one(struct writer *w, const struct fval *f, const struct view *view) {
    const struct field *field = field_of(f->id);
    if (field->secret && !view->show_secrets) wr_s(w, HIDDEN_SECRET);
    else if (field->type == FT_NONE) wr_c(w, '1');
    else if (field->type == FT_BYTES) wr_hexbytes(w, f->s, 0); /* here tshark parts them by nothing */
    else print_value(w, field, f);
}

static void column(struct writer *w, const struct fvec *v, uint16_t id, const struct fields_options *o, const struct view *view) {
    const struct fval *last = NULL;
    bool any = false;
    for (uint32_t i = 0; i < v->n; i++) {
        if (v->v[i].id != id) continue;
        last = &v->v[i];
        if (o->occurrence == 'l') continue;
        if (!any && o->quote) wr_c(w, o->quote);
        if (any) wr_c(w, o->aggregator);
        one(w, last, view);
        any = true;
        if (o->occurrence == 'f') break;
    }
    if (o->occurrence == 'l' && last) {
        if (o->quote) wr_c(w, o->quote);
        one(w, last, view);
        any = true;
    }
    if (any && o->quote) wr_c(w, o->quote);
}

void fields_print(struct writer *w, const struct decode *d, const uint16_t *ids, size_t n, const struct fields_options *o,
                  const struct view *view) {
    for (size_t i = 0; i < n; i++) {
        if (i) wr_c(w, o->separator);
        column(w, d->out, ids[i], o, view);
    }
    wr_c(w, '\n');
}
