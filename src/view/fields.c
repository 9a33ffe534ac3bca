/* SPDX-License-Identifier: Apache-2.0 */
/* Chosen fields, one packet per line: tshark's -T fields. */
#include "field/print.h"
#include "view/view.h"

static const char *const columns[] = {"_ws.col.No.",      "_ws.col.Time",   "_ws.col.Source", "_ws.col.Destination",
                                      "_ws.col.Protocol", "_ws.col.Length", "_ws.col.Info"};
_Static_assert(sizeof columns / sizeof *columns == COLUMN_END - COLUMN_NUMBER, "every column has a name");

uint16_t column_find(struct slice name) {
    for (uint16_t i = 0; i < sizeof columns / sizeof *columns; i++)
        if (slice_eq(name, slice_str(columns[i]))) return (uint16_t)(COLUMN_NUMBER + i);
    return 0;
}

const char *field_title(uint16_t id) { return id >= COLUMN_NUMBER ? columns[id - COLUMN_NUMBER] : field_of(id)->name; }

static bool is_expert(uint16_t id) { return id >= FID_WS_EXPERT && id < FID_WS_EXPERT_END; }

void fields_want(struct want *w, uint16_t id) {
    if (id >= COLUMN_NUMBER) {
        columns_want(w);
        return;
    }
    want_add(w, id);
    /* words put together of any fields */
    if (id == FID_WS_EXPERT_MESSAGE || id == FID_WS_EXPERT || field_of(id)->type == FT_PROTOCOL) want_all(w);
    for (size_t i = 1; is_expert(id) && i < weir_fields.count; i++)
        if (weir_fields.fields[i].severity) want_add(w, (uint16_t)i);
}

void fields_header(struct writer *w, const uint16_t *ids, size_t n, const struct fields_options *o) {
    if (!o->header) return;
    for (size_t i = 0; i < n; i++) {
        if (i) wr_c(w, o->separator);
        wr_s(w, field_title(ids[i]));
    }
    wr_c(w, '\n');
}

static void message(struct writer *w, const struct fvec *v, uint32_t at) {
    const struct proto *p = proto_of(v->v[at].id);
    if (!p || !p->label || !p->label(w, v, at)) wr_s(w, field_of(v->v[at].id)->label);
}

/* expert writes what _ws.expert's field `id` holds for the anomaly at a place. */
static void expert(struct writer *w, const struct fvec *v, uint32_t at, uint16_t id) {
    const struct field *f = field_of(v->v[at].id);
    if (id == FID_WS_EXPERT_SEVERITY) wr_u(w, severity_number(f->severity));
    else if (id == FID_WS_EXPERT_GROUP) wr_u(w, group_number(f->group));
    else {
        if (id == FID_WS_EXPERT)
            wr_f(w, "Expert Info (%s/%s): ", severity_name((enum severity)f->severity),
                 anomaly_group_name((enum anomaly_group)f->group));
        message(w, v, at);
    }
}

void field_show(struct writer *w, const struct fvec *v, uint32_t at, uint16_t id, const struct view *view) {
    const struct fval *f = &v->v[at];
    const struct field *field = field_of(f->id);
    if (is_expert(id)) expert(w, v, at, id);
    else if (field->type == FT_PROTOCOL) label_print(w, v, at, proto_of(f->id), view->show_secrets);
    else if (field->type == FT_NONE) wr_c(w, '1');
    else if (is_secret(f) && !view->show_secrets) wr_s(w, HIDDEN_SECRET);
    else if (field->type == FT_BYTES) wr_hexbytes(w, f->s, 0); /* here tshark parts them by nothing */
    else print_value(w, field, f);
}

/* is_value tells whether the value at a place is one of field `id`. */
static bool is_value(const struct fvec *v, uint32_t at, uint16_t id) {
    if (!is_expert(id)) return v->v[at].id == id;
    return field_of(v->v[at].id)->severity && !(v->v[at].flags & FV_PLAIN);
}

uint32_t field_next(const struct fvec *v, uint16_t id, char occurrence, uint32_t from) {
    uint32_t found = v->n;
    if (occurrence == 'f' && from) return v->n;
    for (uint32_t i = from; i < v->n; i++) {
        if (!is_value(v, i, id)) continue;
        found = i;
        if (occurrence != 'l') break;
    }
    return found;
}

static void values(struct writer *w, const struct fvec *v, uint16_t id, const struct fields_options *o,
                   const struct view *view) {
    uint32_t first = field_next(v, id, o->occurrence, 0);
    if (first == v->n) return;
    if (o->quote) wr_c(w, o->quote);
    for (uint32_t at = first; at < v->n; at = field_next(v, id, o->occurrence, at + 1)) {
        if (at > first) wr_c(w, o->aggregator);
        field_show(w, v, at, id, view);
    }
    if (o->quote) wr_c(w, o->quote);
}

void column_show(struct writer *w, const struct decode *d, uint16_t id, const struct view *view) {
    switch ((enum column_id)id) {
    case COLUMN_NUMBER: wr_u(w, d->pkt->number); break;
    case COLUMN_TIME: columns_time(w, d->pkt, view); break;
    case COLUMN_SOURCE: columns_source(w, d); break;
    case COLUMN_DESTINATION: columns_destination(w, d); break;
    case COLUMN_PROTOCOL: columns_protocol(w, d); break;
    case COLUMN_LENGTH: wr_u(w, d->pkt->len); break;
    default: columns_info(w, d);
    }
}

static void column(struct writer *w, const struct decode *d, uint16_t id, const struct fields_options *o,
                   const struct view *view) {
    if (o->quote) wr_c(w, o->quote);
    column_show(w, d, id, view);
    if (o->quote) wr_c(w, o->quote);
}

void fields_print(struct writer *w, const struct decode *d, const uint16_t *ids, size_t n,
                  const struct fields_options *o, const struct view *view) {
    for (size_t i = 0; i < n; i++) {
        if (i) wr_c(w, o->separator);
        if (ids[i] >= COLUMN_NUMBER) column(w, d, ids[i], o, view);
        else values(w, d->out, ids[i], o, view);
    }
    wr_c(w, '\n');
}
