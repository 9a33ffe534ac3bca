/* SPDX-License-Identifier: Apache-2.0 */
/* Two runs side by side: which conversations belong together, which deeds, and where they part. */
#include "analyse/compare.h"
#include "base/err.h"

#include <stdlib.h>

enum { ID_RANDOM = 8, ID_PREFIX = 3 };

/* by_nature tells whether two client identifiers differ only in a random tail, as libraries make them. */
static bool by_nature(struct slice a, struct slice b) {
    size_t same = 0;
    while (same < a.n && same < b.n && a.p[same] == b.p[same]) same++;
    return same >= ID_PREFIX && a.n == b.n && a.n - same >= ID_RANDOM;
}

/* differs returns the first detail in which two deeds of one kind differ and should not, or -1. */
static int differs(const struct deed *good, const struct deed *bad) {
    unsigned n = good->details > bad->details ? good->details : bad->details;
    for (unsigned i = 0; i < n; i++) {
        struct slice a = i < good->details ? good->detail[i].value : (struct slice){0},
                     b = i < bad->details ? bad->detail[i].value : (struct slice){0};
        if (slice_eq(a, b) || (good->varies >> i & 1)) continue;
        const char *name = i < good->details ? good->detail[i].name : bad->detail[i].name;
        if (!strcmp(name, "client id") && by_nature(a, b)) continue;
        return (int)i;
    }
    return -1;
}

/* weight is what it is worth to put two deeds beside each other: equal ones more than those of one kind. */
static unsigned weight(const struct deed *a, const struct deed *b) {
    if (a->hash != b->hash) return 0;
    return differs(a, b) < 0 ? 3 : 2;
}

/* align fills rows with the best alignment of two lists: longest common subsequence by weight. */
static int align(const struct deed_list *a, const struct deed_list *b, struct pairing *p) {
    uint32_t n = a ? a->deeds : 0, m = b ? b->deeds : 0;
    uint16_t *best = calloc((size_t)(n + 1) * (m + 1), sizeof *best);
    p->row = calloc((size_t)n + m + 1, sizeof *p->row);
    if (!best || !p->row) {
        free(best);
        return ERR_NOMEM;
    }
#define AT(i, k) best[(size_t)(i) * (m + 1) + (k)]
    for (uint32_t i = n; i-- > 0;)
        for (uint32_t k = m; k-- > 0;) {
            unsigned w = weight(&a->deed[i], &b->deed[k]), with = w ? AT(i + 1, k + 1) + w : 0;
            unsigned skip = AT(i + 1, k) > AT(i, k + 1) ? AT(i + 1, k) : AT(i, k + 1);
            AT(i, k) = (uint16_t)(with > skip ? with : skip);
        }
    uint32_t i = 0, k = 0;
    while (i < n || k < m) {
        struct row *r = &p->row[p->rows++];
        unsigned w = i < n && k < m ? weight(&a->deed[i], &b->deed[k]) : 0;
        if (w && AT(i, k) == AT(i + 1, k + 1) + w) {
            int d = differs(&a->deed[i], &b->deed[k]);
            *r = (struct row){.good = (int32_t)i++,
                              .bad = (int32_t)k++,
                              .what = d < 0 ? ROW_SAME : ROW_VALUE,
                              .detail = (uint8_t)(d < 0 ? 0 : d)};
        } else if (i < n && (k == m || AT(i + 1, k) >= AT(i, k + 1))) {
            *r = (struct row){.good = (int32_t)i++, .bad = -1, .what = ROW_MISSING};
        } else {
            *r = (struct row){.good = -1, .bad = (int32_t)k++, .what = ROW_EXTRA};
        }
    }
#undef AT
    free(best);
    return OK;
}

static bool allowed(const struct run *r, uint64_t hash) {
    for (uint32_t i = 0; i < r->alloweds; i++)
        if (r->allowed[i] == hash) return true;
    return false;
}

/* judge_rows lets pass what good runs have taught, and counts the rest. */
static void judge_rows(const struct run *good, const struct deed_list *a, const struct deed_list *b,
                       struct pairing *p) {
    p->first = p->rows;
    for (uint32_t i = 0; i < p->rows; i++) {
        struct row *r = &p->row[i];
        if (r->what == ROW_MISSING && a->deed[r->good].optional) r->what = ROW_ALLOWED;
        if (r->what == ROW_EXTRA && allowed(good, b->deed[r->bad].hash)) r->what = ROW_ALLOWED;
        p->missing += r->what == ROW_MISSING;
        p->extra += r->what == ROW_EXTRA;
        p->values += r->what == ROW_VALUE;
        if (r->what != ROW_SAME && r->what != ROW_ALLOWED && p->first == p->rows) p->first = i;
    }
}

static int likeness(const struct deed_list *a, const struct deed_list *b) {
    if (a->is_dns != b->is_dns) return -1;
    if (a->is_dns) return 100;
    int n = 0;
    if (a->id.n && slice_eq(a->id, b->id)) n += 16;
    if (a->port == b->port) n += 8;
    if (a->publishes == b->publishes && a->subscribes == b->subscribes) n += 4;
    if (addr_same(&a->server, &b->server)) n += 2;
    if (addr_same(&a->client, &b->client)) n += 1;
    return n;
}

/* pair_up finds for each list of the bad run the good one most like it; of equals the first. Two rounds: like ones,
 * then the rest by order, for a device that went to another port. */
static void pair_up(const struct run *good, const struct run *bad, int32_t to[RUN_LISTS]) {
    bool taken[RUN_LISTS] = {false};
    for (uint32_t i = 0; i < bad->lists; i++) to[i] = -1;
    for (int least = 16; least >= 0; least -= 8)
        for (uint32_t i = 0; i < bad->lists; i++) {
            int best = least - 1;
            int32_t with = -1;
            for (uint32_t k = 0; to[i] < 0 && k < good->lists; k++) {
                int n = taken[k] ? -1 : likeness(&good->list[k], &bad->list[i]);
                if (n <= best) continue;
                best = n;
                with = (int32_t)k;
            }
            if (with < 0) continue;
            to[i] = with;
            taken[with] = true;
        }
}

static int pair_add(struct comparison *c, int32_t good, int32_t bad) {
    struct pairing *p = &c->pair[c->pairs++];
    const struct deed_list *a = good < 0 ? NULL : &c->good->list[good], *b = bad < 0 ? NULL : &c->bad->list[bad];
    *p = (struct pairing){.good = good, .bad = bad};
    int rc = align(a, b, p);
    if (rc == OK) judge_rows(c->good, a, b, p);
    return rc;
}

/* part_time returns when a pair parts, counted from the beginning of its run. */
static int64_t part_time(const struct comparison *c, const struct pairing *p) {
    const struct row *r = &p->row[p->first];
    if (r->good >= 0) return c->good->list[p->good].deed[r->good].ts - c->good->first;
    return c->bad->list[p->bad].deed[r->bad].ts - c->bad->first;
}

int compare_runs(struct comparison *out, struct run *good, struct run *bad) {
    int32_t to[RUN_LISTS];
    bool met[RUN_LISTS] = {false};
    int rc = OK;
    memset(out, 0, sizeof *out);
    out->good = good;
    out->bad = bad;
    out->first = -1;
    pair_up(good, bad, to);
    for (uint32_t i = 0; i < bad->lists; i++)
        if (to[i] >= 0) met[to[i]] = true;
    for (uint32_t k = 0; k < good->lists && rc == OK; k++) {
        int32_t with = -1;
        for (uint32_t i = 0; met[k] && i < bad->lists; i++)
            if (to[i] == (int32_t)k) with = (int32_t)i;
        rc = pair_add(out, (int32_t)k, with);
    }
    for (uint32_t i = 0; i < bad->lists && rc == OK; i++)
        if (to[i] < 0) rc = pair_add(out, -1, (int32_t)i);
    for (uint32_t i = 0; rc == OK && i < out->pairs; i++) {
        const struct pairing *p = &out->pair[i];
        if (p->first < p->rows && (out->first < 0 || part_time(out, p) < part_time(out, &out->pair[out->first])))
            out->first = (int32_t)i;
    }
    return rc;
}

void compare_free(struct comparison *c) {
    for (uint32_t i = 0; i < c->pairs; i++) free(c->pair[i].row);
    c->pairs = 0;
}

static void allow(struct run *r, uint64_t hash) {
    if (!allowed(r, hash) && r->alloweds < ALLOWED_MAX) r->allowed[r->alloweds++] = hash;
}

static void pair_learn(struct run *base, const struct run *other, const struct pairing *p) {
    for (uint32_t i = 0; i < p->rows; i++) {
        const struct row *r = &p->row[i];
        struct deed *a = r->good < 0 ? NULL : &base->list[p->good].deed[r->good];
        const struct deed *b = r->bad < 0 ? NULL : &other->list[p->bad].deed[r->bad];
        if (!b) {
            a->optional = true;
        } else if (!a) {
            allow(base, b->hash);
        } else {
            for (unsigned k = 0; k < a->details && k < b->details; k++)
                if (!slice_eq(a->detail[k].value, b->detail[k].value)) a->varies |= (uint8_t)(1 << k);
            if (a->details != b->details) a->varies = 0xff;
        }
    }
}

int run_learn(struct run *base, struct run *other) {
    struct comparison *c = malloc(sizeof *c);
    if (!c) return ERR_NOMEM;
    int rc = compare_runs(c, base, other);
    for (uint32_t i = 0; rc == OK && i < c->pairs; i++) pair_learn(base, other, &c->pair[i]);
    compare_free(c);
    free(c);
    return rc;
}
