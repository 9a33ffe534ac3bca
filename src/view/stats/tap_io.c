/* SPDX-License-Identifier: Apache-2.0 */
/* -z io,stat in the shape tshark has for it. */
#include "view/stats/tables.h"

#include <stdio.h>

struct io_layout {
    int digits;         /* of seconds' fractions */
    int time_width;     /* of one end of an interval */
    int whole_width;    /* of the duration's whole seconds */
    int interval_width; /* inside of the first column */
    int width[IO_COLUMNS_MAX][2];
    int table, border; /* characters of a line */
    int64_t interval, duration;
    uint32_t rows;
};

static int number_text(char *text, size_t n, const struct io_column *c, double v) {
    return io_is_real(c) ? snprintf(text, n, "%.6f", v)
                         : snprintf(text, n, "%.0f", c->calc == IO_AVG ? (double)(int64_t)v : v);
}

static void widths_find(struct io_layout *l, const struct io_stats *s, size_t column) {
    const struct io_column *c = &s->column[column];
    char text[64];
    int *w = l->width[column];
    w[0] = c->calc == IO_BOTH ? 6 : (int)strlen(io_calc_name(c->calc));
    w[1] = c->calc == IO_BOTH ? 5 : 0;
    for (uint32_t i = 0; i < s->n; i++) {
        int n = c->calc == IO_BOTH ? snprintf(text, sizeof text, "%llu", (unsigned long long)c->cell[i].frames)
                                   : number_text(text, sizeof text, c, io_value(c, i));
        if (n > w[0]) w[0] = n;
        n = snprintf(text, sizeof text, "%llu", (unsigned long long)c->cell[i].bytes);
        if (w[1] && n > w[1]) w[1] = n;
    }
}

static const char *label_of(const struct io_column *c) { return *c->text ? c->text : "Frames and bytes"; }

static void layout_make(struct io_layout *l, const struct io_stats *s) {
    char text[64];
    int64_t duration = (s->last + 500) / 1000 * 1000;
    bool parts = s->interval && s->interval <= duration; /* else one interval, as long as the capture */
    *l = (struct io_layout){.digits = parts                                 ? s->digits
                                      : duration < 10 * (int64_t)1000000000 ? 3
                                                                            : 1,
                            .duration = duration};
    l->interval = parts ? s->interval : duration;
    l->time_width = snprintf(text, sizeof text, "%.*f", l->digits, (double)l->duration / 1e9);
    l->whole_width = snprintf(text, sizeof text, "%lld", (long long)(l->duration / 1000000000));
    if (!l->digits) l->time_width = l->whole_width;
    l->interval_width = 2 * l->time_width + 6 > 10 ? 2 * l->time_width + 6 : 10;
    l->table = l->interval_width + 2;
    for (size_t i = 0; i < s->n_columns; i++) {
        widths_find(l, s, i);
        l->table += l->width[i][0] + 3 + (l->width[i][1] ? l->width[i][1] + 3 : 0);
    }
    l->border = l->table;
    for (size_t i = 0; i < s->n_columns; i++) {
        int n = (int)strlen(label_of(&s->column[i])) + (l->digits ? 12 : 11);
        if (n > l->border) l->border = n;
    }
    l->rows = l->interval ? (uint32_t)(l->duration / l->interval) + (l->duration % l->interval > 0) : 1;
    if (!parts || !l->rows) l->rows = 1;
    if (l->rows > s->n) l->rows = s->n;
}

static void repeated(struct writer *w, char c, int n) {
    for (int i = 0; i < n; i++) wr_c(w, c);
}

static void line(struct writer *w, const struct io_layout *l, const char *text) {
    wr_f(w, "| %-*s|\n", l->border - 3, text);
}

/* row_close ends a heading line that is `l->table` characters long at the border. */
static void row_close(struct writer *w, const struct io_layout *l) {
    if (l->border > l->table) {
        wr_spaces(w, (size_t)(l->border - l->table - 1));
        wr_c(w, '|');
    }
    wr_c(w, '\n');
}

static void top_print(struct writer *w, const struct io_stats *s, const struct io_layout *l) {
    char text[64];
    wr_c(w, '\n');
    repeated(w, '=', l->border);
    wr_c(w, '\n');
    line(w, l, "IO Statistics");
    line(w, l, "");
    if (l->digits) snprintf(text, sizeof text, "Duration: %.*f secs", l->digits, (double)l->duration / 1e9);
    else
        snprintf(text, sizeof text, "Duration: %lld.%6lld secs", (long long)(l->duration / 1000000000),
                 (long long)(l->duration % 1000000000 / 1000));
    line(w, l, text);
    snprintf(text, sizeof text, "Interval: %*.*f secs", l->time_width, l->digits, (double)l->interval / 1e9);
    line(w, l, text);
    line(w, l, "");
    for (size_t i = 0; i < s->n_columns; i++)
        wr_f(w, "| %s%2zu: %-*s|\n", i ? "   " : "Col", i + 1, l->border - 10, label_of(&s->column[i]));
    wr_c(w, '|');
    repeated(w, '-', l->border - 2);
    wr_s(w, "|\n");
}

static void heading_print(struct writer *w, const struct io_stats *s, const struct io_layout *l) {
    wr_f(w, "|%*s|", l->interval_width, "");
    for (size_t i = 0; i < s->n_columns; i++) {
        int inner = l->width[i][0] + 2 + (l->width[i][1] ? l->width[i][1] + 3 : 0);
        wr_f(w, "%-*zu|", inner, i + 1);
    }
    row_close(w, l);
    wr_f(w, "| %-*s|", l->interval_width - 1, "Interval");
    for (size_t i = 0; i < s->n_columns; i++) {
        if (l->width[i][1]) {
            wr_f(w, " %*s | %*s |", l->width[i][0], "Frames", l->width[i][1], "Bytes");
            continue;
        }
        const char *name = io_calc_name(s->column[i].calc);
        int pad = l->width[i][0] - (int)strlen(name);
        wr_f(w, " %*s%s%*s |", (pad + 1) / 2, "", name, pad / 2, "");
    }
    row_close(w, l);
    wr_c(w, '|');
    repeated(w, '-', l->table - 2);
    wr_c(w, '|');
    row_close(w, l);
}

static void row_print(struct writer *w, const struct io_stats *s, const struct io_layout *l, uint32_t row) {
    char text[64];
    bool last = row + 1 == l->rows;
    int64_t from = (int64_t)row * l->interval, to = last ? l->duration : from + l->interval;
    if (l->digits) {
        wr_f(w, "| %*.*f <> %*.*f |", l->time_width, l->digits, (double)from / 1e9, l->time_width, l->digits,
             (double)to / 1e9);
    } else {
        int width = l->whole_width < 2 ? 2 : l->whole_width;
        if (last && l->duration % l->interval) snprintf(text, sizeof text, "Dur");
        else snprintf(text, sizeof text, "%*lld", l->whole_width, (long long)((from + l->interval) / 1000000000));
        wr_f(w, "| %*lld <> %-*s|", width, (long long)(from / 1000000000), l->interval_width - width - 5, text);
    }
    for (size_t i = 0; i < s->n_columns; i++) {
        const struct io_column *c = &s->column[i];
        if (l->width[i][1]) {
            wr_f(w, " %*llu | %*llu |", l->width[i][0], (unsigned long long)c->cell[row].frames, l->width[i][1],
                 (unsigned long long)c->cell[row].bytes);
            continue;
        }
        number_text(text, sizeof text, c, io_value(c, row));
        wr_f(w, " %*s |", l->width[i][0], text);
    }
    row_close(w, l);
}

void tap_io_print(struct writer *w, const struct io_stats *s) {
    struct io_layout l;
    layout_make(&l, s);
    top_print(w, s, &l);
    heading_print(w, s, &l);
    for (uint32_t row = 0; row < l.rows; row++) row_print(w, s, &l, row);
    repeated(w, '=', l.border);
    wr_c(w, '\n');
}
