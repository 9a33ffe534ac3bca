/* SPDX-License-Identifier: Apache-2.0 */
/* Trees of counters as tshark prints them. */
#include "view/stats/tables.h"

#include <stdio.h>
#include <stdlib.h>

enum { TREE_COLUMNS = 8, COLUMN_WIDTH = 13, DEPTH_MAX = 16, LIST_RULE = 67 };

static const char *const heads[TREE_COLUMNS] = {"Count",     "Average", "Min Val",    "Max Val",
                                                "Rate (ms)", "Percent", "Burst Rate", "Burst Start"};

/* name_width returns the columns the longest name below `parent` takes, indented by its depth. */
static size_t name_width(const struct stats_tree *t, uint32_t parent, size_t depth) {
    size_t most = 0;
    for (uint32_t at = parent ? tree_at(t, parent)->children : t->roots; at; at = tree_at(t, at)->next) {
        size_t own = strlen(tree_name(tree_at(t, at))) + depth,
               below = depth < DEPTH_MAX ? name_width(t, at, depth + 1) : 0;
        if (own > most) most = own;
        if (below > most) most = below;
    }
    return most;
}

static void value_print(char *text, const struct tree_counter *c, double v) {
    if (c->values == TREE_PARTS) snprintf(text, 32, "%f", v);
    else snprintf(text, 32, "%lld", (long long)v);
}

static void cells_make(char cell[TREE_COLUMNS][32], const struct stats_tree *t, const struct tree_counter *c) {
    const struct tree_counter *above = c->parent ? tree_at(t, c->parent) : NULL;
    memset(cell, 0, TREE_COLUMNS * sizeof *cell);
    snprintf(cell[0], 32, "%u", c->count);
    if (c->values != TREE_COUNTS || (c->container && c->count)) {
        for (int i = 1; i <= 3; i++) strcpy(cell[i], "-");
        if (c->count) {
            snprintf(cell[1], 32, "%.2f", (double)((float)c->total / (float)c->count));
            value_print(cell[2], c, c->least);
            value_print(cell[3], c, c->most);
        }
    }
    if (t->elapsed != 0) snprintf(cell[4], 32, "%.4f", (double)(float)c->count / t->elapsed);
    if (!above) strcpy(cell[5], "100%");
    else if (above->count) snprintf(cell[5], 32, "%.2f%%", c->count * 100.0 / above->count);
    strcpy(cell[6], "-");
    strcpy(cell[7], "-");
    if (!c->burst) return;
    snprintf(cell[6], 32, "%.4f", (double)c->burst / (TREE_SLOT_MS * TREE_WINDOW));
    snprintf(cell[7], 32, "%.3f", c->burst_at / 1000);
}

static void rows_print(struct writer *w, const struct stats_tree *t, uint32_t parent, size_t depth, size_t width) {
    uint32_t n, *places = tree_sorted(t, parent, &n);
    char cell[TREE_COLUMNS][32];
    for (uint32_t i = 0; i < n; i++) {
        const struct tree_counter *c = tree_at(t, places[i]);
        cells_make(cell, t, c);
        wr_spaces(w, depth);
        wr_f(w, "%-*s", (int)(width - depth), tree_name(c));
        for (int k = 0; k < TREE_COLUMNS; k++) wr_f(w, " %-*s", COLUMN_WIDTH, cell[k]);
        wr_c(w, '\n');
        if (depth < DEPTH_MAX) rows_print(w, t, places[i], depth + 1, width);
    }
    free(places);
}

static void rule(struct writer *w, char c, size_t n) {
    while (n--) wr_c(w, c);
    wr_c(w, '\n');
}

void tap_lists_print(struct writer *w, const struct stats_tree *t, const char *filter) {
    uint32_t roots, *root = tree_sorted(t, 0, &roots);
    wr_c(w, '\n');
    rule(w, '=', LIST_RULE);
    wr_s(w, t->kind->title);
    if (filter) wr_f(w, " with filter %s", filter);
    wr_c(w, '\n');
    for (uint32_t i = 0; i < roots; i++) {
        uint32_t n, *at = tree_sorted(t, root[i], &n);
        wr_f(w, "* %-39s %9s\n", tree_name(tree_at(t, root[i])), "Packets");
        for (uint32_t k = 0; k < n; k++) {
            const struct tree_counter *c = tree_at(t, at[k]);
            wr_f(w, "  %-39s %9u%s\n", tree_name(c), c->count, i ? " " : "");
        }
        free(at);
    }
    free(root);
    rule(w, '=', LIST_RULE);
}

void tap_tree_print(struct writer *w, const struct stats_tree *t) {
    const char *title = strrchr(t->kind->title, '/');
    size_t width = name_width(t, 0, 1), own = strlen(title ? title + 1 : t->kind->title);
    if (own > width) width = own;
    size_t all = width + TREE_COLUMNS * (COLUMN_WIDTH + 1);
    wr_c(w, '\n');
    rule(w, '=', all);
    wr_f(w, "%s:\n%-*s", t->kind->title, (int)width, "Topic / Item");
    for (int k = 0; k < TREE_COLUMNS; k++) wr_f(w, " %-*s", COLUMN_WIDTH, heads[k]);
    wr_c(w, '\n');
    rule(w, '-', all);
    rows_print(w, t, 0, 0, width);
    wr_c(w, '\n');
    rule(w, '-', all);
}
