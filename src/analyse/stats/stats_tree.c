/* SPDX-License-Identifier: Apache-2.0 */
/* Theory of operation: counters are entries of a table keyed by parent and name, linked to their parent. A burst is the
 * greatest count within TREE_WINDOW slots of time: the slots with packets are kept in order, those that left the window
 * are dropped as a later one comes, as tshark does it, since the numbers are to be the same. What a packet counts for
 * is in stats_tree_kinds.c. Limits: TREE_COUNTERS_MAX counters; names are cut to TREE_NAME,
 * their bytes beyond the key bounded by TREE_LONG_NAMES. */
#include "analyse/stats/stats_tree.h"

#include <math.h>
#include <stdlib.h>

static struct tree_counter *counter(struct stats_tree *t, uint32_t place) { return keytab_at(&t->tab, place - 1); }

static void key_make(const struct stats_tree *t, struct tree_counter *key, uint32_t parent, const char *name) {
    size_t n = strlen(name);
    memset(key, 0, sizeof *key);
    key->parent = parent;
    memcpy(key->key, name, n < TREE_KEY ? n : TREE_KEY - 1);
    if (n >= TREE_KEY) key->hash = hash_bytes(t->tab.secret, name, n);
}

static void name_keep(struct stats_tree *t, struct tree_counter *c, const char *name) {
    size_t n = strlen(name);
    if (n < TREE_KEY || t->long_names + n > TREE_LONG_NAMES) return;
    c->name = strdup(name);
    t->long_names += n;
}

uint32_t tree_get(struct stats_tree *t, uint32_t parent, const char *name) {
    struct tree_counter key;
    key_make(t, &key, parent, name);
    uint32_t before = t->tab.n;
    struct tree_counter *c = parent == TREE_FULL ? NULL : keytab_get(&t->tab, &key);
    if (!c) return TREE_FULL;
    uint32_t place = keytab_place(&t->tab, c) + 1;
    if (t->tab.n == before) return place;
    name_keep(t, c, name);
    c->slots = 1; /* as in tshark, the first slot of the capture is there from the beginning */
    uint32_t *first = parent ? &counter(t, parent)->children : &t->roots;
    counter(t, place)->next = *first;
    *first = place;
    return place;
}

uint32_t *tree_lately(struct stats_tree *t, const char *name) {
    struct tree_counter key;
    key_make(t, &key, TREE_FULL, name); /* an entry that no tree holds: nobody's parent is TREE_FULL */
    struct tree_counter *c = keytab_get(&t->tab, &key);
    return c ? &c->children : NULL;
}

static void slot_insert(struct tree_counter *c, uint32_t at, int64_t number, double now, uint32_t n) {
    if (c->slots == TREE_WINDOW + 1) return;
    memmove(&c->slot[at + 1], &c->slot[at], (c->slots - at) * sizeof *c->slot);
    c->slot[at] = (struct tree_slot){.number = number, .count = n, .begin = now};
    c->slots++;
    c->within += n;
}

static void burst_count(const struct stats_tree *t, struct tree_counter *c, uint32_t n) {
    int64_t number = (int64_t)floor(t->now / TREE_SLOT_MS);
    if (!c->slots || number > c->slot[c->slots - 1].number) {
        uint32_t old = 0;
        while (old < c->slots && number >= c->slot[old].number + TREE_WINDOW) c->within -= c->slot[old++].count;
        memmove(c->slot, c->slot + old, (c->slots - old) * sizeof *c->slot);
        c->slots -= old;
        slot_insert(c, c->slots, number, t->now, n);
    } else if (number < c->slot[0].number) { /* time went back: it counts where it is still within the window */
        if (number + TREE_WINDOW > c->slot[c->slots - 1].number) slot_insert(c, 0, number, t->now, n);
    } else {
        uint32_t at = c->slots - 1;
        while (number < c->slot[at].number) at--;
        if (number != c->slot[at].number) {
            slot_insert(c, at + 1, number, t->now, n);
        } else {
            c->slot[at].count += n;
            c->within += n;
            if (c->slot[at].begin > t->now) c->slot[at].begin = t->now;
        }
    }
    if (c->within <= c->burst) return;
    c->burst = c->within;
    c->burst_at = c->slot[0].begin;
}

static void count(struct stats_tree *t, uint32_t place) {
    if (place == TREE_FULL) return;
    struct tree_counter *c = counter(t, place);
    c->count++;
    burst_count(t, c, 1);
}

void tree_again(struct stats_tree *t, uint32_t place) { count(t, place); }

uint32_t tree_tick(struct stats_tree *t, uint32_t parent, const char *name) {
    uint32_t place = tree_get(t, parent, name);
    count(t, place);
    return place;
}

void tree_pivot(struct stats_tree *t, uint32_t parent, const char *name, const char *value) {
    tree_tick(t, tree_tick(t, parent, name), value);
}

/* value_add notes a value; the first one is its own least and most. */
static void value_add(struct tree_counter *c, double value, bool first) {
    if (c->values == TREE_PARTS) value = (double)(float)value; /* as tshark keeps them */
    c->total += value;
    if (first || value < c->least) c->least = value;
    if (first || value > c->most) c->most = value;
}

void tree_value(struct stats_tree *t, uint32_t parent, const char *name, enum tree_values how, double value) {
    uint32_t place = tree_tick(t, parent, name);
    if (place == TREE_FULL) return;
    struct tree_counter *c = counter(t, place);
    c->values = (uint8_t)how;
    value_add(c, value, c->count == 1);
}

void tree_range(struct stats_tree *t, uint32_t parent, const char *name, int64_t floor, int64_t ceiling) {
    uint32_t place = tree_get(t, parent, name);
    if (place == TREE_FULL || !parent) return;
    struct tree_counter *c = counter(t, place);
    c->values = TREE_RANGE;
    c->floor = floor;
    c->ceiling = ceiling;
    counter(t, parent)->container = true;
}

void tree_in_range(struct stats_tree *t, uint32_t parent, int64_t value) {
    if (!parent || parent == TREE_FULL) return;
    struct tree_counter *all = counter(t, parent);
    value_add(all, (double)value, all->count == 1);
    for (uint32_t at = all->children; at; at = counter(t, at)->next) {
        struct tree_counter *c = counter(t, at);
        if (value < c->floor || value > c->ceiling) continue;
        count(t, at);
        value_add(c, (double)value, c->count == 1);
        return;
    }
}

/* before: the greater count first, then the later name; ranges from the lowest. */
static bool before(const struct tree_counter *a, const struct tree_counter *b) {
    if (a->values == TREE_RANGE && b->values == TREE_RANGE) return a->floor < b->floor;
    return a->count != b->count ? a->count > b->count : strcmp(tree_name(a), tree_name(b)) > 0;
}

static int compare(const void *x, const void *y, void *tree) {
    const struct tree_counter *a = tree_at(tree, *(const uint32_t *)x), *b = tree_at(tree, *(const uint32_t *)y);
    return before(a, b) ? -1 : before(b, a);
}

uint32_t *tree_sorted(const struct stats_tree *t, uint32_t parent, uint32_t *n) {
    uint32_t first = parent ? tree_at(t, parent)->children : t->roots;
    *n = 0;
    for (uint32_t at = first; at; at = tree_at(t, at)->next) ++*n;
    uint32_t *places = malloc((*n + 1) * sizeof *places), i = *n;
    for (uint32_t at = first; places && at; at = tree_at(t, at)->next) places[--i] = at; /* as they were made */
    if (places && parent) qsort_r(places, *n, sizeof *places, compare, (void *)t);
    if (!places) *n = 0;
    return places;
}

static int start(void *state, const struct stats_args *args, struct writer *why) {
    struct stats_tree *t = state;
    t->tab = keytab_make(offsetof(struct tree_counter, name), sizeof(struct tree_counter), TREE_COUNTERS_MAX);
    for (const struct tree_kind *k = tree_kinds; k->name; k++)
        if (args->which && strcmp(args->which, k->name) == 0) t->kind = k;
    if (!t->kind) {
        wr_s(why, "which tree is missing");
        return ERR_USAGE;
    }
    if (t->kind->start) t->kind->start(t);
    return OK;
}

static void want(const void *state, struct want *w) {
    const struct stats_tree *t = state;
    for (const uint16_t *id = t->kind->wanted; *id; id++) want_add(w, *id);
}

static void packet(void *state, const struct decode *d, int64_t begin) {
    struct stats_tree *t = state;
    int64_t at = (d->pkt->has_ts ? d->pkt->ts : 0) - begin;
    t->now = (double)(at / 1000000000) * 1000 + (double)(at % 1000000000) / 1e6;
    t->kind->packet(t, d);
}

void tree_clock(struct stats_tree *t) {
    if (!t->begun) t->start = t->now;
    t->begun = true;
    t->elapsed = t->now - t->start;
}

static void end(void *state) {
    struct stats_tree *t = state;
    for (uint32_t i = 0; i < t->tab.n; i++) free(((struct tree_counter *)keytab_at(&t->tab, i))->name);
    keytab_free(&t->tab);
}

const struct stats_ops stats_trees = {.name = "tree",
                                      .state_size = sizeof(struct stats_tree),
                                      .start = start,
                                      .want = want,
                                      .packet = packet,
                                      .end = end};
