/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_ANALYSE_STATS_STATS_TREE_H
#define WEIR_ANALYSE_STATS_STATS_TREE_H

#include "analyse/keytab.h"
#include "analyse/stats/stats.h"

/* Counters in a tree, tshark's -z …,tree: each with its share of the one above, its rate, its busiest tenth of a
 * second, and where it counts values their average and range. */

enum { TREE_FULL = UINT32_MAX };
enum {
    TREE_KEY = 180,             /* bytes of a counter's name that its key holds; a longer name is kept beside it */
    TREE_NAME = 2048,           /* bytes of a name at most, */
    TREE_LONG_NAMES = 16 << 20, /* and of all long ones together; what comes beyond that is shown cut */
    TREE_COUNTERS_MAX = 16384,
    TREE_SLOT_MS = 5, /* packets are counted in slots of so many milliseconds, */
    TREE_WINDOW = 20, /* and so many slots are looked at together */
};

/* What a counter shows beside its count. */
enum tree_values { TREE_COUNTS, TREE_WHOLE, TREE_PARTS, TREE_RANGE };

struct tree_counter {
    /* The key. */
    uint32_t parent; /* place + 1; 0: none */
    char key[TREE_KEY];
    uint64_t hash; /* of a name that the key holds only a part of */
    /* What was counted. */
    char *name;              /* a long one; NULL: it is in the key */
    uint32_t children, next; /* first child and next sibling, places + 1, latest first */
    uint8_t values;          /* enum tree_values */
    bool container;          /* its children are ranges */
    uint32_t count;
    double total, least, most;
    int64_t floor, ceiling; /* of TREE_RANGE */
    /* The slots of the window, the oldest first. */
    struct tree_slot {
        int64_t number;
        uint32_t count;
        double begin;
    } slot[TREE_WINDOW + 1];
    uint32_t slots, within; /* how many there are, and the sum of their counts */
    uint32_t burst;
    double burst_at;
};

struct stats_tree {
    struct keytab tab;
    const struct tree_kind *kind;
    size_t long_names; /* their bytes */
    uint32_t roots;    /* latest first */
    bool begun;
    double start, now, elapsed; /* milliseconds */
};

/* tree_kind is one of the trees: its name behind -z, its title, how it begins and what it makes of a packet. */
struct tree_kind {
    const char *name, *title;
    uint16_t wanted[20]; /* fields; ends with 0 */
    void (*start)(struct stats_tree *t);
    void (*packet)(struct stats_tree *t, const struct decode *d);
};
extern const struct tree_kind tree_kinds[]; /* ends with a name of NULL */
/* http_seq_packet counts requests below the page that led to them, http_stat_packet codes of answers and methods. */
void http_seq_start(struct stats_tree *t);
void http_seq_packet(struct stats_tree *t, const struct decode *d);
void http_stat_start(struct stats_tree *t);
void http_stat_packet(struct stats_tree *t, const struct decode *d);

/* tree_clock says that the present packet has something to count: rates are of the time between the first and the last
 * of those. */
void tree_clock(struct stats_tree *t);
/* tree_get returns the place + 1 of the counter `name` below `parent` (0: none), made where there is none;
 * TREE_FULL where no place is left, and below that. */
uint32_t tree_get(struct stats_tree *t, uint32_t parent, const char *name);
/* tree_lately returns the variable in which the place + 1 of the counter that was called `name` last is kept, 0 at
 * first; NULL where no room is left. It lives until the next counter is made. */
uint32_t *tree_lately(struct stats_tree *t, const char *name);
/* tree_again adds 1 to the counter at a place + 1. */
void tree_again(struct stats_tree *t, uint32_t place);
/* tree_tick adds 1 to it and returns its place + 1. tree_pivot does so for the counter and one below it. */
uint32_t tree_tick(struct stats_tree *t, uint32_t parent, const char *name);
void tree_pivot(struct stats_tree *t, uint32_t parent, const char *name, const char *value);
/* tree_value adds a value to a counter of values. */
void tree_value(struct stats_tree *t, uint32_t parent, const char *name, enum tree_values how, double value);
/* tree_range makes a range below a counter; tree_in_range counts a value in its range and among all. */
void tree_range(struct stats_tree *t, uint32_t parent, const char *name, int64_t floor, int64_t ceiling);
void tree_in_range(struct stats_tree *t, uint32_t parent, int64_t value);
static inline const struct tree_counter *tree_at(const struct stats_tree *t, uint32_t place) {
    return keytab_at(&t->tab, place - 1);
}
static inline const char *tree_name(const struct tree_counter *c) { return c->name ? c->name : c->key; }
/* tree_sorted gives the places + 1 of a counter's children (0: the roots) in tshark's order; the caller frees them. */
uint32_t *tree_sorted(const struct stats_tree *t, uint32_t parent, uint32_t *n);

extern const struct stats_ops stats_trees;

#endif
