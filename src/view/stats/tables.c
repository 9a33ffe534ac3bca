/* SPDX-License-Identifier: Apache-2.0 */
/* Tables for people and programs. */
#include "view/stats/tables.h"

#include "field/print.h"
#include "view/words.h"

enum { BAR_MAX = 20, BAR_LEAST = 6 };

static void seconds_write(struct writer *w, int64_t ns, int digits) {
    if (ns < 0) wr_c(w, '-');
    uint64_t abs = ns < 0 ? -(uint64_t)ns : (uint64_t)ns;
    wr_u(w, abs / 1000000000);
    wr_c(w, '.');
    wr_uz(w, digits == 9 ? abs % 1000000000 : abs % 1000000000 / 1000, digits);
}

/* real_write writes a number for programs: a whole one, such as a sum of bytes, to its last digit. */
static void real_write(struct writer *w, double d, int digits) {
    enum { EXACT_BITS = 53 };
    bool whole = d > -(double)(1ll << EXACT_BITS) && d < (double)(1ll << EXACT_BITS) && d == (double)(long long)d;
    if (whole) wr_f(w, "%lld", (long long)d);
    else wr_f(w, "%.*g", digits, d);
}

static void list_write(struct writer *w, struct slice s) {
    while (s.n) {
        print_string(w, cell_list_next(&s));
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
    case CELL_CHANGE: wr_f(w, c->i ? "%+lld" : "%lld", (long long)c->i); break;
    case CELL_REAL: wr_f(w, "%.1f", c->d); break;
    case CELL_SECONDS: seconds_write(w, c->i, 6); break;
    }
}

static bool cell_right(const struct cell *c) { return c->kind >= CELL_COUNT && c->kind <= CELL_SECONDS; }

/* ---- for people ---- */

/* Theory of operation. Without a terminal, or where a table fits it, every column is as wide as its widest cell. Where
 * it does not fit: headings of two words take two lines; then cells of text go on in further lines of their row, down
 * to TEXT_LEAST columns; where that is not enough, the columns at the right go to a second line of each row (a third
 * ...). Nothing is left out. */
enum { TEXT_LEAST = 24, GAP = 2, FOLD_INDENT = 4 };

struct layout {
    size_t width[COLUMNS_MAX];
    bool shown[COLUMNS_MAX], right[COLUMNS_MAX], text[COLUMNS_MAX];
    bool first[COLUMNS_MAX]; /* the column begins a further line of its row */
    bool heads;              /* headings take two lines */
    bool folded;             /* rows take several lines */
    size_t all;              /* width of a line, without a bar */
    int bar;                 /* column; -1: none */
    uint64_t most;
};

static const struct cell *row_at(const struct table *t, size_t row) { return t->cells + row * t->n_columns; }

/* head_part returns one of a heading's two lines: "Bytes A > B" is torn behind its first word, "A > B" is not. */
static struct slice head_part(const char *title, bool torn, int part) {
    const char *blank = strchr(title, ' ');
    if (!torn || !blank || blank - title < 2) return part ? slice_str(title) : slice_of(NULL, 0);
    return part ? slice_str(blank + 1) : slice_of(title, (size_t)(blank - title));
}

static size_t head_width(const char *title, bool torn) {
    size_t a = text_width(head_part(title, torn, 0)), b = text_width(head_part(title, torn, 1));
    return a > b ? a : b;
}

static size_t line_width(const struct layout *l, size_t n) {
    size_t all = 0;
    for (size_t c = 0; c < n; c++)
        if (l->shown[c]) all += l->width[c] + (all ? GAP : 0);
    return all;
}

/* cells_measure finds what the cells of a column need, and of what kind they are. */
static void cells_measure(struct layout *l, const struct table *t, size_t c, struct writer *text) {
    for (size_t r = 0; r < t->rows; r++) {
        const struct cell *cell = row_at(t, r) + c;
        wr_reset(text);
        cell_people(text, cell);
        size_t width = text_width(wr_done(text));
        if (width > l->width[c]) l->width[c] = width;
        if (cell->kind != CELL_NONE) l->right[c] = cell_right(cell);
        l->text[c] |= cell->kind == CELL_TEXT || cell->kind == CELL_LIST;
        if (t->columns[c].bar && cell->u > l->most) l->most = cell->u;
    }
}

static void layout_measure(struct layout *l, const struct table *t) {
    struct writer text = wr_grow();
    for (size_t c = 0; c < t->n_columns; c++) {
        l->shown[c] = t->columns[c].title != NULL;
        l->width[c] = 0;
        if (!l->shown[c]) continue;
        l->width[c] = head_width(t->columns[c].title, l->heads);
        if (t->columns[c].bar) l->bar = (int)c;
        cells_measure(l, t, c, &text);
    }
    wr_free(&text);
    l->all = line_width(l, t->n_columns);
}

/* texts_narrow takes what is too much from the widest columns of text; false where they cannot give so much. */
static bool texts_narrow(struct layout *l, size_t n, size_t width) {
    struct layout was = *l;
    while (l->all > width) {
        size_t widest = n;
        for (size_t c = 0; c < n; c++)
            if (l->shown[c] && l->text[c] && (widest == n || l->width[c] > l->width[widest])) widest = c;
        if (widest == n || l->width[widest] <= TEXT_LEAST) {
            *l = was;
            return false;
        }
        l->width[widest]--;
        l->all--;
    }
    return true;
}

static void layout_fold(struct layout *l, size_t n, size_t width) {
    size_t used = 0, most = 0;
    l->folded = true;
    for (size_t c = 0; c < n; c++) {
        if (!l->shown[c]) continue;
        if (l->text[c] && l->width[c] + FOLD_INDENT > width && width > 2 * FOLD_INDENT)
            l->width[c] = width - FOLD_INDENT;
        l->first[c] = used && used + GAP + l->width[c] > width;
        used = l->first[c] ? FOLD_INDENT + l->width[c] : used + (used ? GAP : 0) + l->width[c];
        if (used > most) most = used;
    }
    l->all = most;
}

static void layout_make(struct layout *l, const struct table *t, size_t width) {
    *l = (struct layout){.bar = -1};
    layout_measure(l, t);
    if (!width || l->all <= width) return;
    l->heads = true;
    layout_measure(l, t);
    if (l->all <= width || texts_narrow(l, t->n_columns, width)) return;
    l->heads = false;
    layout_measure(l, t);
    layout_fold(l, t->n_columns, width);
}

static void bar_write(struct writer *w, uint64_t value, uint64_t most, size_t room) {
    static const char *const eighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    uint64_t n = most ? (uint64_t)((double)value / (double)most * (double)room * 8 + 0.5) : 0;
    for (; n >= 8; n -= 8) wr_s(w, "█");
    wr_s(w, eighths[n]);
}

/* lines collects the cells of one line; spaces are written when something stands behind them. */
struct lines {
    struct writer *w;
    const struct layout *l;
    size_t column, at;  /* where the next cell begins, and what is written */
    struct writer text; /* of a row's cells */
};

static void line_end(struct lines *o) {
    wr_c(o->w, '\n');
    o->column = o->at = 0;
}

static void cell_write(struct lines *o, size_t c, struct slice text) {
    size_t width = o->l->width[c], shown = text_width(text), pad = width > shown ? width - shown : 0;
    if (o->l->first[c]) {
        if (o->at) line_end(o);
        o->column = FOLD_INDENT;
    }
    if (text.n) {
        size_t from = o->column + (o->l->right[c] ? pad : 0);
        wr_spaces(o->w, from - o->at);
        wr_slice(o->w, text);
        o->at = from + shown;
    }
    o->column += width + GAP;
}

static void heads_write(struct lines *o, const struct table *t) {
    for (int part = o->l->heads ? 0 : 1; part < 2; part++) {
        for (size_t c = 0; c < t->n_columns; c++)
            if (o->l->shown[c]) cell_write(o, c, head_part(t->columns[c].title, o->l->heads, part));
        if (!part) line_end(o);
    }
}

/* text_take takes so much off a cell's text as its column has room for; at a blank where there is one. */
static struct slice text_take(struct slice *s, size_t width) {
    size_t n = text_width(*s) <= width ? s->n : 0, blank = 0, used = 0; /* most texts fit whole */
    while (n < s->n) {
        size_t len = 1;
        while (n + len < s->n && (s->p[n + len] & 0xc0) == 0x80) len++;
        used += text_width(slice_head(slice_tail(*s, n), len));
        if (used > width && n) break;
        if (s->p[n] == ' ') blank = n;
        n += len;
    }
    if (n < s->n && blank) n = blank;
    struct slice head = slice_head(*s, n);
    *s = slice_tail(*s, n);
    while (s->n && s->p[0] == ' ') *s = slice_tail(*s, 1);
    return head;
}

/* row_write writes a row, and what of its texts did not fit below it. */
static void row_write(struct lines *o, const struct table *t, size_t row, size_t room) {
    size_t end[COLUMNS_MAX];
    struct slice rest[COLUMNS_MAX];
    wr_reset(&o->text);
    for (size_t c = 0; c < t->n_columns; c++) {
        if (o->l->shown[c]) cell_people(&o->text, row_at(t, row) + c);
        end[c] = wr_len(&o->text);
    }
    for (size_t c = 0; c < t->n_columns; c++)
        rest[c] = slice_tail(slice_head(wr_done(&o->text), end[c]), c ? end[c - 1] : 0);
    for (bool more = true, first = true; more; first = false) {
        more = false;
        for (size_t c = 0; c < t->n_columns; c++) {
            if (!o->l->shown[c]) continue;
            cell_write(o, c, text_take(&rest[c], o->l->width[c]));
            more |= rest[c].n > 0;
        }
        if (room && first) {
            wr_spaces(o->w, o->l->all + GAP - o->at);
            bar_write(o->w, row_at(t, row)[o->l->bar].u, o->l->most, room);
        }
        line_end(o);
    }
}

void table_print(struct writer *w, const struct table *t, unsigned width, bool color) {
    struct layout l;
    layout_make(&l, t, width);
    size_t room = width > l.all + GAP ? width - l.all - GAP : 0;
    if (room > BAR_MAX) room = BAR_MAX;
    if (l.bar < 0 || room < BAR_LEAST || t->rows < 2 || l.folded) room = 0;
    struct lines o = {.w = w, .l = &l, .text = wr_grow()};
    if (color) wr_s(w, "\033[1m");
    heads_write(&o, t);
    if (color) wr_s(w, "\033[0m");
    line_end(&o);
    for (size_t r = 0; r < t->rows; r++) row_write(&o, t, r, room);
    wr_free(&o.text);
}

/* ---- for programs ---- */

/* is_formula tells whether a spreadsheet that opens the file would compute the text and not show it; a topic filter
 * such as +/a is none. */
static bool is_formula(struct slice s) {
    if (!s.n || (s.p[0] != '+' && s.p[0] != '-')) return s.n && (s.p[0] == '=' || s.p[0] == '@');
    return memchr(s.p, '(', s.n) || memchr(s.p, '|', s.n) || memchr(s.p, '!', s.n);
}

/* csv_text writes text as people see it, those of a list in lines; the apostrophe is how spreadsheets mark text. */
static void csv_text(struct writer *w, struct slice s, bool list) {
    struct writer shown = wr_grow();
    if (!list) print_string(&shown, s);
    while (list && s.n) {
        print_string(&shown, cell_list_next(&s));
        if (s.n) wr_c(&shown, '\n');
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
            else if (cell.kind == CELL_REAL) real_write(w, cell.d, 6);
            else if (cell.kind == CELL_CHANGE) wr_f(w, "%lld", (long long)cell.i);
            else cell_people(w, &cell);
        }
        wr_s(w, "\r\n");
    }
}

static void json_list(struct writer *w, struct slice s) {
    wr_c(w, '[');
    for (size_t n = 0; s.n; n++) {
        if (n) wr_c(w, ',');
        json_text(w, cell_list_next(&s));
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
    case CELL_CHANGE: wr_f(w, "%lld", (long long)c->i); break;
    case CELL_REAL: real_write(w, c->d, 10); break;
    case CELL_SECONDS: seconds_write(w, c->i, 9); break;
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
