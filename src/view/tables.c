/* SPDX-License-Identifier: Apache-2.0 */
/* Tables for people and programs. */
#include "view/tables.h"
#include "base/isotime.h"

#include "field/print.h"

enum { BAR_MAX = 20, BAR_LEAST = 6 };

static void time_write(struct writer *w, int64_t ns) {
    iso_time(w, ns, 6);
    wr_c(w, 'Z');
}

static void seconds_write(struct writer *w, int64_t ns, int digits) {
    if (ns < 0) wr_c(w, '-');
    uint64_t abs = ns < 0 ? -(uint64_t)ns : (uint64_t)ns;
    wr_u(w, abs / 1000000000);
    wr_c(w, '.');
    wr_uz(w, digits == 9 ? abs % 1000000000 : abs % 1000000000 / 1000, digits);
}

static void list_write(struct writer *w, struct slice s) {
    while (s.n) {
        const uint8_t *nl = memchr(s.p, '\n', s.n);
        size_t len = nl ? (size_t)(nl - s.p) : s.n;
        print_string(w, slice_head(s, len));
        s = slice_tail(s, len + 1);
        if (s.n) wr_s(w, ", ");
    }
}

static void cell_people(struct writer *w, const struct cell *c) {
    for (uint8_t i = 0; i < c->indent; i++) wr_s(w, "  ");
    switch ((enum cell_kind)c->kind) {
    case CELL_NONE: break;
    case CELL_TEXT: print_string(w, cell_slice(c)); break;
    case CELL_LIST: list_write(w, cell_slice(c)); break;
    case CELL_COUNT:
    case CELL_BYTES: wr_u(w, c->u); break;
    case CELL_REAL: wr_f(w, "%.1f", c->d); break;
    case CELL_SECONDS: seconds_write(w, c->i, 6); break;
    case CELL_TIME: time_write(w, c->i); break;
    case CELL_BOOL: wr_s(w, c->u ? "yes" : "no"); break;
    }
}

static bool cell_right(const struct cell *c) { return c->kind >= CELL_COUNT && c->kind <= CELL_SECONDS; }

/* shown_width counts characters, not bytes. */
static size_t shown_width(struct slice s) {
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) n += (s.p[i] & 0xc0) != 0x80;
    return n;
}

struct layout {
    size_t width[COLUMNS_MAX];
    bool right[COLUMNS_MAX];
    size_t all;
    int bar; /* column; -1: none */
    uint64_t most;
};

static const struct cell *row_at(const struct table *t, size_t row) { return t->cells + row * t->n_columns; }

static void layout_make(struct layout *l, const struct table *t) {
    struct writer text = wr_grow();
    *l = (struct layout){.bar = -1};
    for (size_t c = 0; c < t->n_columns; c++) {
        if (!t->columns[c].title) continue;
        l->width[c] = strlen(t->columns[c].title);
        if (t->columns[c].bar) l->bar = (int)c;
        for (size_t r = 0; r < t->rows; r++) {
            const struct cell *cell = row_at(t, r) + c;
            wr_reset(&text);
            cell_people(&text, cell);
            size_t width = shown_width(wr_done(&text));
            if (width > l->width[c]) l->width[c] = width;
            if (cell->kind != CELL_NONE) l->right[c] = cell_right(cell);
            if (t->columns[c].bar && cell->u > l->most) l->most = cell->u;
        }
        l->all += l->width[c] + 2;
    }
    wr_free(&text);
}

static void bar_write(struct writer *w, uint64_t value, uint64_t most, size_t room) {
    static const char *const eighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    uint64_t n = most ? (uint64_t)((double)value / (double)most * (double)room * 8 + 0.5) : 0;
    for (; n >= 8; n -= 8) wr_s(w, "█");
    wr_s(w, eighths[n]);
}

static void field_write(struct writer *w, struct slice text, size_t width, bool right, bool last) {
    size_t shown = shown_width(text), pad = width > shown ? width - shown : 0;
    if (right) wr_spaces(w, pad);
    wr_slice(w, text);
    if (!right && !last) wr_spaces(w, pad);
}

void table_print(struct writer *w, const struct table *t, unsigned width, bool color) {
    struct layout l;
    layout_make(&l, t);
    size_t room = width > l.all ? width - l.all : 0, last = 0;
    if (room > BAR_MAX) room = BAR_MAX;
    if (l.bar < 0 || room < BAR_LEAST || t->rows < 2) room = 0;
    for (size_t c = 0; c < t->n_columns; c++)
        if (t->columns[c].title) last = c;
    struct writer text = wr_grow();
    if (color) wr_s(w, "\033[1m");
    for (size_t c = 0; c < t->n_columns; c++) {
        if (!t->columns[c].title) continue;
        field_write(w, slice_str(t->columns[c].title), l.width[c], l.right[c], c == last);
        if (c != last) wr_s(w, "  ");
    }
    wr_s(w, color ? "\033[0m\n" : "\n");
    for (size_t r = 0; r < t->rows; r++) {
        for (size_t c = 0; c < t->n_columns; c++) {
            if (!t->columns[c].title) continue;
            wr_reset(&text);
            cell_people(&text, row_at(t, r) + c);
            field_write(w, wr_done(&text), l.width[c], l.right[c], c == last && !room);
            if (c != last) wr_s(w, "  ");
        }
        if (room) {
            wr_s(w, "  ");
            bar_write(w, row_at(t, r)[l.bar].u, l.most, room);
        }
        wr_c(w, '\n');
    }
    wr_free(&text);
}

/* is_formula tells whether a spreadsheet that opens the file would compute the text and not show it; a topic filter
 * such as +/a is none. */
static bool is_formula(struct slice s) {
    if (!s.n || (s.p[0] != '+' && s.p[0] != '-')) return s.n && (s.p[0] == '=' || s.p[0] == '@');
    return memchr(s.p, '(', s.n) || memchr(s.p, '|', s.n) || memchr(s.p, '!', s.n);
}

/* csv_text writes text as people see it, those of a list in lines; the apostrophe is how spreadsheets mark text. */
static void csv_text(struct writer *w, struct slice s, bool list) {
    struct writer shown = wr_grow();
    while (s.n) {
        const uint8_t *nl = list ? memchr(s.p, '\n', s.n) : NULL;
        struct slice line = nl ? slice_head(s, (size_t)(nl - s.p)) : s;
        print_string(&shown, line);
        if (nl) wr_c(&shown, '\n');
        s = slice_tail(s, line.n + 1);
    }
    s = wr_done(&shown);
    bool quote = s.n == 0;
    for (size_t i = 0; i < s.n; i++) quote |= s.p[i] == ',' || s.p[i] == '"' || s.p[i] == '\n';
    if (quote) wr_c(w, '"');
    if (is_formula(s)) wr_c(w, '\'');
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '"') wr_c(w, '"');
        wr_c(w, (char)s.p[i]);
    }
    if (quote) wr_c(w, '"');
    wr_free(&shown);
}

static bool column_data(const struct table_column *c) { return !c->people_only; }

void table_csv(struct writer *w, const struct table *t) {
    bool first = true;
    for (size_t c = 0; c < t->n_columns; c++) {
        if (!column_data(&t->columns[c])) continue;
        if (!first) wr_c(w, ',');
        wr_s(w, t->columns[c].name);
        first = false;
    }
    wr_s(w, "\r\n");
    for (size_t r = 0; r < t->rows; r++) {
        first = true;
        for (size_t c = 0; c < t->n_columns; c++) {
            struct cell cell = row_at(t, r)[c];
            if (!column_data(&t->columns[c])) continue;
            if (!first) wr_c(w, ',');
            first = false;
            cell.indent = 0;
            if (cell.kind == CELL_TEXT || cell.kind == CELL_LIST)
                csv_text(w, cell_slice(&cell), cell.kind == CELL_LIST);
            else if (cell.kind == CELL_SECONDS) seconds_write(w, cell.i, 9);
            else if (cell.kind == CELL_REAL) wr_f(w, "%.6g", cell.d);
            else cell_people(w, &cell);
        }
        wr_s(w, "\r\n");
    }
}

static void json_list(struct writer *w, struct slice s) {
    wr_c(w, '[');
    for (size_t n = 0; s.n; n++) {
        const uint8_t *nl = memchr(s.p, '\n', s.n);
        size_t len = nl ? (size_t)(nl - s.p) : s.n;
        if (n) wr_c(w, ',');
        json_text(w, slice_head(s, len));
        s = slice_tail(s, len + 1);
    }
    wr_c(w, ']');
}

static void json_cell(struct writer *w, const struct cell *c) {
    switch ((enum cell_kind)c->kind) {
    case CELL_NONE: wr_s(w, "null"); break;
    case CELL_TEXT: json_text(w, cell_slice(c)); break;
    case CELL_LIST: json_list(w, cell_slice(c)); break;
    case CELL_COUNT:
    case CELL_BYTES: wr_u(w, c->u); break;
    case CELL_REAL: wr_f(w, "%.10g", c->d); break;
    case CELL_SECONDS: seconds_write(w, c->i, 9); break;
    case CELL_TIME:
        wr_c(w, '"');
        time_write(w, c->i);
        wr_c(w, '"');
        break;
    case CELL_BOOL: wr_s(w, c->u ? "true" : "false"); break;
    }
}

void table_json(struct writer *w, const struct table *t) {
    wr_c(w, '[');
    for (size_t r = 0; r < t->rows; r++) {
        wr_s(w, r ? ",\n  {" : "\n  {");
        bool first = true;
        for (size_t c = 0; c < t->n_columns; c++) {
            if (!column_data(&t->columns[c])) continue;
            if (!first) wr_s(w, ", ");
            first = false;
            wr_f(w, "\"%s\": ", t->columns[c].name);
            json_cell(w, row_at(t, r) + c);
        }
        wr_c(w, '}');
    }
    wr_s(w, t->rows ? "\n]" : "]");
}
