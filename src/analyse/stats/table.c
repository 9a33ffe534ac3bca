/* SPDX-License-Identifier: Apache-2.0 */
#include "analyse/stats/table.h"

#include <stdlib.h>

static struct cell spare[COLUMNS_MAX]; /* written when there is no memory, never read */

struct table *table_make(const char *name, const char *title, const struct table_column *columns, size_t n_columns) {
    struct table *t = calloc(1, sizeof *t);
    if (!t) return NULL;
    t->name = name;
    t->title = title;
    t->columns = columns;
    t->n_columns = n_columns;
    t->text = arena_make(TABLE_TEXT_MAX);
    return t;
}

void table_free(struct table *t) {
    while (t) {
        struct table *next = t->next;
        free(t->cells);
        arena_free(&t->text);
        free(t);
        t = next;
    }
}

struct cell *table_row(struct table *t) {
    if (t->rows == t->room) {
        size_t room = t->room ? t->room * 2 : 32;
        struct cell *cells = realloc(t->cells, room * t->n_columns * sizeof *cells);
        if (!cells) {
            t->short_of_memory = true;
            return spare;
        }
        t->cells = cells;
        t->room = room;
    }
    struct cell *row = t->cells + t->rows++ * t->n_columns;
    memset(row, 0, t->n_columns * sizeof *row);
    return row;
}

struct slice table_text(struct table *t, struct slice s) {
    struct slice copy = s.n ? arena_copy(&t->text, s) : (struct slice){0};
    if (copy.n < s.n) t->short_of_memory = true;
    return copy;
}

struct slice cell_list_next(struct slice *list) {
    const uint8_t *end = list->n ? memchr(list->p, 0, list->n) : NULL;
    struct slice first = end ? slice_head(*list, (size_t)(end - list->p)) : *list;
    *list = slice_tail(*list, first.n + 1);
    return first;
}

int table_column(const struct table *t, const char *name) {
    for (size_t i = 0; i < t->n_columns; i++)
        if (strcmp(t->columns[i].name, name) == 0) return (int)i;
    return -1;
}

static int order(const struct cell *a, const struct cell *b) {
    if (a->kind != b->kind) return a->kind < b->kind ? 1 : -1; /* nothing comes last */
    switch (a->kind) {
    case CELL_NONE: return 0;
    case CELL_TEXT:
    case CELL_LIST: {
        size_t n = a->n < b->n ? a->n : b->n;
        int c = n ? memcmp(a->text, b->text, n) : 0;
        return c ? c : (a->n > b->n) - (a->n < b->n);
    }
    case CELL_REAL: return (a->d < b->d) - (a->d > b->d);
    case CELL_CHANGE:
    case CELL_SECONDS: return (a->i < b->i) - (a->i > b->i);
    default: return (a->u < b->u) - (a->u > b->u);
    }
}

struct ranked {
    const struct cell *key;
    size_t row;
};

static int ranked_order(const void *a, const void *b, void *backwards) {
    const struct ranked *x = a, *y = b;
    int c = order(x->key, y->key);
    if (*(bool *)backwards) c = -c;
    return c ? c : (x->row > y->row) - (x->row < y->row);
}

/* circle_move puts the row that belongs at `to` there, the one that belongs in its place there, and so on until the
 * circle is closed; a place that has its row has its own number in `rank`. */
static void circle_move(struct table *t, struct ranked *rank, size_t to) {
    struct cell first[COLUMNS_MAX];
    size_t width = t->n_columns * sizeof *first, at = to;
    if (rank[to].row == to) return;
    memcpy(first, t->cells + to * t->n_columns, width);
    while (rank[at].row != to) {
        size_t from = rank[at].row;
        memcpy(t->cells + at * t->n_columns, t->cells + from * t->n_columns, width);
        rank[at].row = at;
        at = from;
    }
    memcpy(t->cells + at * t->n_columns, first, width);
    rank[at].row = at;
}

void table_sort(struct table *t, size_t column, bool backwards) {
    struct ranked *rank = malloc((t->rows + 1) * sizeof *rank);
    if (!rank) {
        t->short_of_memory = true;
        return;
    }
    for (size_t i = 0; i < t->rows; i++) rank[i] = (struct ranked){t->cells + i * t->n_columns + column, i};
    qsort_r(rank, t->rows, sizeof *rank, ranked_order, &backwards);
    for (size_t i = 0; i < t->rows; i++) circle_move(t, rank, i);
    free(rank);
}

void table_head(struct table *t, size_t n) {
    if (n < t->rows) t->rows = n;
}
