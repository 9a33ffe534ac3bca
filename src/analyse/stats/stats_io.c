/* SPDX-License-Identifier: Apache-2.0 */
/* Each column has a filter, and is packets and bytes or a calculation over the values of a field in the packets that
 * pass. Limits: IO_INTERVALS_MAX intervals, IO_COLUMNS_MAX columns. */
#include "analyse/stats/stats_io.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const calc_names[] = {
    [IO_BOTH] = "",       [IO_FRAMES] = "FRAMES", [IO_BYTES] = "BYTES", [IO_SUM] = "SUM",
    [IO_COUNT] = "COUNT", [IO_MIN] = "MIN",       [IO_MAX] = "MAX",     [IO_AVG] = "AVG"};
_Static_assert(sizeof calc_names / sizeof *calc_names == IO_CALCS, "every calculation has a name");

const char *io_calc_name(enum io_calc c) { return calc_names[c]; }

static bool countable(uint16_t id) {
    const struct field *f = field_of(id);
    return field_is_int(f) || f->type == FT_RELTIME || f->type == FT_DOUBLE;
}

bool io_is_real(const struct io_column *c) {
    return c->calc >= IO_SUM && c->calc != IO_COUNT &&
           (field_of(c->id)->type == FT_RELTIME || field_of(c->id)->type == FT_DOUBLE);
}

/* calc_parse takes "SUM(frame.len)" off the beginning of a column; what is left is its filter. */
static int calc_parse(struct io_column *c, const char **rest, const struct field_index *names, struct writer *why) {
    const char *text = c->text;
    for (int i = IO_FRAMES; i < IO_CALCS; i++) {
        size_t n = strlen(calc_names[i]);
        if (strncmp(text, calc_names[i], n) != 0 || (text[n] != '(' && text[n])) continue;
        const char *close = text[n] ? strchr(text + n, ')') : NULL;
        c->calc = (enum io_calc)i;
        if (i <= IO_BYTES) {
            *rest = close ? close + 1 : text + n + (text[n] == '(');
            return OK;
        }
        if (close) c->id = field_find(names, slice_of(text + n + 1, (size_t)(close - text) - n - 1));
        if (!c->id || (i != IO_COUNT && !countable(c->id))) {
            wr_f(why, "%s: expected %s(FIELD), FIELD being %s, as in SUM(frame.len)", text, calc_names[i],
                 i == IO_COUNT ? "any field" : "a number or a time");
            return ERR_USAGE;
        }
        *rest = close + 1;
        return OK;
    }
    return OK;
}

static int column_add(struct io_stats *s, const char *text, const struct field_index *names, struct writer *why) {
    struct expr_error error;
    if (s->n_columns == IO_COLUMNS_MAX) {
        wr_f(why, "at most %d columns", IO_COLUMNS_MAX);
        return ERR_LIMIT;
    }
    struct io_column *c = &s->column[s->n_columns++];
    const char *rest = c->text = text;
    int rc = calc_parse(c, &rest, names, why);
    if (rc == OK && *rest) {
        rc = expr_compile(&c->filter, slice_str(rest), names, &error);
        if (rc) wr_f(why, "%s: %s", rest, rc == ERR_NOMEM ? "out of memory" : error.message);
    }
    return rc;
}

/* text_parse takes tshark's "1.5,filter,filter". */
static int text_parse(struct io_stats *s, const char *text, const struct field_index *names, struct writer *why) {
    char *end;
    double seconds = strtod(text, &end);
    if (end == text || (*end && *end != ',') || !(seconds >= 0 && seconds < 1e9)) {
        wr_s(why, "the interval in seconds comes first, as in io,stat,1");
        return ERR_USAGE;
    }
    s->interval = (int64_t)(seconds * 1e9 + 0.5);
    const char *dot = memchr(text, '.', (size_t)(end - text));
    if (dot) s->digits = (int)(end - dot) - 1;
    if (!*end) return column_add(s, "", names, why);
    if (!(s->text = strdup(end + 1))) return ERR_NOMEM;
    int rc = OK;
    for (char *at = s->text; at && rc == OK;) {
        char *comma = strchr(at, ',');
        if (comma) *comma = 0;
        rc = column_add(s, at, names, why);
        at = comma ? comma + 1 : NULL;
    }
    return rc;
}

static int start(void *state, const struct stats_args *args, struct writer *why) {
    struct io_stats *s = state;
    struct field_index names;
    if (field_index_make(&names, &weir_fields)) return ERR_NOMEM;
    int rc = OK;
    if (args->text) rc = text_parse(s, args->text, &names, why);
    else {
        s->interval = args->interval;
        if (!args->n_columns) rc = column_add(s, "", &names, why);
        for (size_t i = 0; i < args->n_columns && rc == OK; i++) rc = column_add(s, args->columns[i], &names, why);
    }
    field_index_free(&names);
    return rc;
}

static void end(void *state) {
    struct io_stats *s = state;
    for (size_t i = 0; i < s->n_columns; i++) {
        expr_free(s->column[i].filter);
        free(s->column[i].cell);
    }
    free(s->text);
}

static void want(const void *state, struct want *w) {
    const struct io_stats *s = state;
    for (size_t i = 0; i < s->n_columns; i++) {
        if (s->column[i].filter) want_union(w, expr_want(s->column[i].filter));
        if (s->column[i].id) want_add(w, s->column[i].id);
    }
}

static bool grow(struct io_stats *s, uint32_t n) {
    if (n <= s->room) return true;
    if (n > IO_INTERVALS_MAX) return false;
    uint32_t room = s->room ? s->room : 64;
    while (room < n) room *= 2;
    for (size_t i = 0; i < s->n_columns; i++) {
        struct io_cell *more = realloc(s->column[i].cell, room * sizeof *more);
        if (!more) return false;
        memset(more + s->room, 0, (room - s->room) * sizeof *more);
        s->column[i].cell = more;
    }
    s->room = room;
    return true;
}

static double number_of(const struct fval *f) {
    const struct field *field = field_of(f->id);
    if (field->type == FT_DOUBLE) return f->d;
    if (field->type == FT_RELTIME) return (double)fv_time(f);
    return field_signed(field) ? (double)f->i : (double)f->u;
}

static void value_add(struct io_cell *cell, const struct io_column *c, const struct fval *f) {
    double v = c->calc == IO_COUNT ? 0 : number_of(f);
    if (!cell->values || v < cell->least) cell->least = v;
    if (!cell->values || v > cell->most) cell->most = v;
    cell->sum += v;
    cell->values++;
}

static void packet(void *state, const struct decode *d, int64_t begin) {
    struct io_stats *s = state;
    if (d->pkt->has_ts && !s->begun) s->begun = true, s->era = d->pkt->era;
    int eras = d->pkt->has_ts ? d->pkt->era - s->era : 0; /* less than that: the first packet is later */
    int64_t at = d->pkt->has_ts && eras >= 0 ? d->pkt->ts - begin : 0;
    uint64_t place = at > 0 && s->interval ? (uint64_t)(at / s->interval) : 0;
    if (eras > 0 && s->interval) place = IO_INTERVALS_MAX; /* some 292 years are more than all intervals */
    else if (at > s->last) s->last = at;
    if (place >= IO_INTERVALS_MAX || !grow(s, (uint32_t)place + 1)) {
        s->refused++;
        return;
    }
    if (place >= s->n) s->n = (uint32_t)place + 1;
    for (size_t i = 0; i < s->n_columns; i++) {
        struct io_column *c = &s->column[i];
        if (c->filter && !expr_match(c->filter, d->out)) continue;
        struct io_cell *cell = &c->cell[place];
        cell->frames++;
        cell->bytes += d->pkt->len;
        for (uint32_t j = 0; c->id && j < d->out->n; j++)
            if (d->out->v[j].id == c->id) value_add(cell, c, &d->out->v[j]);
    }
}

double io_value(const struct io_column *c, uint32_t interval) {
    const struct io_cell *cell = &c->cell[interval];
    double scale = c->id && field_of(c->id)->type == FT_RELTIME ? 1e9 : 1;
    switch (c->calc) {
    case IO_BYTES: return (double)cell->bytes;
    case IO_COUNT: return (double)cell->values;
    case IO_SUM: return cell->sum / scale;
    case IO_MIN: return cell->least / scale;
    case IO_MAX: return cell->most / scale;
    case IO_AVG: return cell->values ? cell->sum / (double)cell->values / scale : 0;
    default: return (double)cell->frames;
    }
}

static size_t width(const struct io_column *c) { return c->calc == IO_BOTH ? 2 : 1; }

static const char *title_make(struct table *out, const struct io_column *c, size_t part) {
    static const char *const both[] = {"frames", "bytes"};
    char title[200];
    if (c->calc != IO_BOTH) snprintf(title, sizeof title, "%s", c->text);
    else snprintf(title, sizeof title, "%s%s%s", both[part], *c->text ? " " : "", c->text);
    return (const char *)table_text(out, slice_of(title, strlen(title) + 1)).p;
}

/* table_begin makes the empty table: the interval's start, then one or two columns for each that was asked for. */
static struct table *table_begin(const struct io_stats *s) {
    size_t n = 1, at = 1;
    for (size_t i = 0; i < s->n_columns; i++) n += width(&s->column[i]);
    if (n > COLUMNS_MAX) n = COLUMNS_MAX;
    struct table *out = table_make("io", "Per interval", NULL, n);
    struct table_column *columns = out ? arena_get(&out->text, n * sizeof *columns) : NULL;
    if (!columns) {
        table_free(out);
        return NULL;
    }
    out->columns = columns;
    columns[0] = (struct table_column){.name = "start", .title = "Start s"};
    for (size_t i = 0; i < s->n_columns; i++)
        for (size_t part = 0; part < width(&s->column[i]) && at < n; part++) {
            const char *title = title_make(out, &s->column[i], part);
            columns[at++] = (struct table_column){.name = title, .title = title, .bar = part == 1 && i == 0};
        }
    return out;
}

static struct cell value_cell(const struct io_column *c, uint32_t row, size_t part) {
    const struct io_cell *cell = &c->cell[row];
    if (c->calc == IO_BOTH) return part ? cell_bytes(cell->bytes) : cell_count(cell->frames);
    if (!io_is_real(c) && c->calc != IO_AVG) return cell_count((uint64_t)io_value(c, row));
    return cell->values ? cell_real(io_value(c, row)) : (struct cell){0};
}

static struct table *tables(void *state) {
    const struct io_stats *s = state;
    struct table *out = table_begin(s);
    for (uint32_t row = 0; out && row < s->n; row++) {
        struct cell *cell = table_row(out);
        size_t at = 0;
        cell[at++] = cell_seconds((int64_t)row * s->interval);
        for (size_t i = 0; i < s->n_columns; i++)
            for (size_t part = 0; part < width(&s->column[i]) && at < out->n_columns; part++)
                cell[at++] = value_cell(&s->column[i], row, part);
    }
    if (out && s->refused) {
        struct writer w = wr_fixed(out->note, sizeof out->note - 1);
        wr_f(&w,
             plural(s->refused, "%" PRIu64 " packet is later than %d intervals and not counted",
                    "%" PRIu64 " packets are later than %d intervals and not counted"),
             s->refused, IO_INTERVALS_MAX);
        *w.p = 0;
    }
    return out;
}

const struct stats_ops stats_io = {.name = "io",
                                   .purpose = "packets, bytes and values per interval",
                                   .state_size = sizeof(struct io_stats),
                                   .start = start,
                                   .want = want,
                                   .packet = packet,
                                   .tables = tables,
                                   .end = end};
