/* SPDX-License-Identifier: Apache-2.0 */
/* Topic names and filters.
 *
 * Theory of operation. A filter is a set of topics; two filters' common topics are again one filter, level by level,
 * which is what makes "could this subscription match a denied topic" a question with an exact answer (access.c asks
 * it).
 *
 * The index is a tree of levels. A node's children by name stand in one hash for the whole tree, under the node's
 * number and the level's bytes; + and levels with placeholders are kept apart, and a # hangs at the node of the level
 * before it, whose topic it matches too. A tree's nodes are met at most once in a walk, so a name costs no more than
 * the policy is large, and usually as many look-ups as it has levels. Limits: TOPIC_LEVELS_MAX levels, and the arena's
 * cap. */
#include "guard/topic.h"

#include "base/err.h"

static size_t slash(struct slice s) {
    const uint8_t *at = s.n ? memchr(s.p, '/', s.n) : NULL;
    return at ? (size_t)(at - s.p) : s.n;
}

/* levels walks along a name: `now` is the level, `rest` what comes behind its separator. */
struct levels {
    struct slice now, rest;
    bool more; /* a separator follows */
};

static void level_first(struct levels *l, struct slice topic) {
    size_t n = slash(topic);
    *l = (struct levels){slice_head(topic, n), slice_tail(topic, n + 1), n < topic.n};
}

static bool level_next(struct levels *l) {
    if (!l->more) return false;
    level_first(l, l->rest);
    return true;
}

static bool is(struct slice s, char c) { return s.n == 1 && s.p[0] == (uint8_t)c; }
static bool hidden(struct slice s) { return s.n && s.p[0] == '$'; }

size_t topic_levels(struct slice topic) {
    size_t n = 1;
    for (size_t i = 0; i < topic.n; i++) n += topic.p[i] == '/';
    return n;
}

bool topic_filter_ok(struct slice filter) {
    struct levels l;
    if (!filter.n || filter.n > TOPIC_MAX || topic_levels(filter) > TOPIC_LEVELS_MAX) return false;
    if (memchr(filter.p, 0, filter.n)) return false;
    level_first(&l, filter);
    do {
        if (!l.now.n) continue;
        if (memchr(l.now.p, '#', l.now.n) && (l.now.n > 1 || l.more)) return false;
        if (memchr(l.now.p, '+', l.now.n) && l.now.n > 1) return false;
    } while (level_next(&l));
    return true;
}

bool topic_matches(struct slice filter, struct slice topic) {
    struct levels f, t;
    level_first(&f, filter);
    level_first(&t, topic);
    if (hidden(topic) && (is(f.now, '#') || is(f.now, '+'))) return false;
    for (;;) {
        if (is(f.now, '#')) return true;
        if (!is(f.now, '+') && !slice_eq(f.now, t.now)) return false;
        bool filter_more = level_next(&f), topic_more = level_next(&t);
        if (!filter_more && !topic_more) return true;
        if (!topic_more) return is(f.now, '#'); /* a/# matches a as well, MQTT 4.7.1.2 */
        if (!filter_more) return false;
    }
}

bool topic_covers(struct slice wide, struct slice narrow) {
    struct levels w, n;
    level_first(&w, wide);
    level_first(&n, narrow);
    if (hidden(narrow) && (is(w.now, '#') || is(w.now, '+'))) return false;
    for (;;) {
        if (is(w.now, '#')) return true;
        if (is(n.now, '#')) return false;
        if (!is(w.now, '+') && !slice_eq(w.now, n.now)) return false;
        bool wide_more = level_next(&w), narrow_more = level_next(&n);
        if (!wide_more && !narrow_more) return true;
        if (!narrow_more) return is(w.now, '#');
        if (!wide_more) return false;
    }
}

/* meet_rest copies what is left of a filter behind the level written last. */
static size_t meet_rest(uint8_t *buf, size_t at, bool first, const struct levels *l) {
    if (!first) buf[at++] = '/';
    memcpy(buf + at, l->now.p, l->now.n);
    at += l->now.n;
    if (!l->more) return at;
    buf[at++] = '/';
    if (l->rest.n) memcpy(buf + at, l->rest.p, l->rest.n);
    return at + l->rest.n;
}

bool topic_meet(struct slice a, struct slice b, uint8_t *buf, struct slice *meet) {
    struct levels x, y;
    size_t at = 0;
    bool first = true;
    if (a.n > TOPIC_MAX || b.n > TOPIC_MAX) return false;
    level_first(&x, a);
    level_first(&y, b);
    if ((hidden(a) && (is(y.now, '#') || is(y.now, '+'))) || (hidden(b) && (is(x.now, '#') || is(x.now, '+'))))
        return false;
    for (;; first = false) {
        if (is(x.now, '#') || is(y.now, '#')) {
            *meet = slice_of(buf, meet_rest(buf, at, first, is(x.now, '#') ? &y : &x));
            return true;
        }
        if (!is(x.now, '+') && !is(y.now, '+') && !slice_eq(x.now, y.now)) return false;
        struct slice level = is(x.now, '+') ? y.now : x.now;
        if (at + level.n + 1 > TOPIC_MAX) return false; /* no topic is that long */
        if (!first) buf[at++] = '/';
        if (level.n) memcpy(buf + at, level.p, level.n);
        at += level.n;
        bool x_more = level_next(&x), y_more = level_next(&y);
        if ((!x_more && y_more && !is(y.now, '#')) || (x_more && !y_more && !is(x.now, '#'))) return false;
        if (!x_more || !y_more) break;
    }
    *meet = slice_of(buf, at);
    return true;
}

struct slice topic_subscription(struct slice filter) {
    struct slice rest = filter;
    if (slice_starts(filter, SLICE("$queue/"))) return slice_tail(filter, sizeof "$queue/" - 1);
    if (!slice_starts(filter, SLICE("$share/"))) return filter;
    rest = slice_tail(filter, sizeof "$share/" - 1);
    size_t n = slash(rest);
    return n < rest.n ? slice_tail(rest, n + 1) : filter;
}

/* stands returns what a placeholder stands for, empty where that is nothing. */
static struct slice stands(const struct topic_names *names, char which) {
    struct slice s = which == 'c' ? names->client : names->user;
    bool usable = s.n && !memchr(s.p, '/', s.n) && !memchr(s.p, '+', s.n) && !memchr(s.p, '#', s.n);
    return usable ? s : (struct slice){0};
}

static bool placeholder(struct slice s, size_t at) {
    return s.p[at] == '%' && at + 1 < s.n && (s.p[at + 1] == 'c' || s.p[at + 1] == 'u');
}

static bool has_placeholder(struct slice s) {
    for (size_t i = 0; i < s.n; i++)
        if (placeholder(s, i)) return true;
    return false;
}

bool topic_expand(struct slice filter, const struct topic_names *names, struct slice otherwise, uint8_t *buf,
                  struct slice *out) {
    size_t at = 0, level = 0;
    for (size_t i = 0; i < filter.n; i++) {
        struct slice piece = slice_of(filter.p + i, 1);
        if (filter.p[i] == '/') level = at + 1;
        if (placeholder(filter, i)) {
            piece = stands(names, (char)filter.p[++i]);
            if (!piece.n) { /* the whole level stands for what is put in its place */
                if (!otherwise.n) return false;
                at = level;
                while (i + 1 < filter.n && filter.p[i + 1] != '/') i++;
                piece = otherwise;
            }
        }
        if (at + piece.n > TOPIC_MAX) return false;
        memcpy(buf + at, piece.p, piece.n);
        at += piece.n;
    }
    *out = slice_of(buf, at);
    return true;
}

/* level_is tells whether a level of a policy with placeholders is the one of a name. */
static bool level_is(struct slice pattern, struct slice level, const struct topic_names *names, bool *loose) {
    size_t at = 0;
    for (size_t i = 0; i < pattern.n; i++) {
        struct slice piece = slice_of(pattern.p + i, 1);
        if (placeholder(pattern, i)) {
            piece = stands(names, (char)pattern.p[++i]);
            if (!piece.n) return *loose = true;
        }
        if (!slice_starts(slice_tail(level, at), piece)) return false;
        at += piece.n;
    }
    return at == level.n;
}

struct ends {
    struct ends *next;
    uint32_t number;
};

struct node {
    uint32_t number;
    struct node *plus;
    struct edge *patterns;     /* levels with placeholders */
    struct ends *here, *below; /* filters that end here, and those that end with a # below */
    bool children;             /* the hash has some */
};

struct edge {
    struct edge *next;
    struct node *parent, *child;
    struct slice level;
    uint64_t hash;
};

struct topic_index {
    struct arena *arena;
    struct hash_key key;
    struct node root;
    uint32_t nodes;
    struct edge **bucket;
    size_t buckets, edges; /* buckets: a power of two */
};

struct topic_index *topic_index_make(struct arena *a) {
    struct topic_index *t = arena_get(a, sizeof *t);
    if (!t) return NULL;
    *t = (struct topic_index){.arena = a, .key = hash_key_random()};
    return t;
}

static uint64_t edge_hash(const struct topic_index *t, const struct node *parent, struct slice level) {
    struct hash_key k = {t->key.a ^ parent->number, t->key.b};
    return hash_bytes(k, level.p, level.n);
}

static struct node *child_find(const struct topic_index *t, const struct node *parent, struct slice level) {
    if (!parent->children) return NULL;
    uint64_t hash = edge_hash(t, parent, level);
    for (struct edge *e = t->bucket[hash & (t->buckets - 1)]; e; e = e->next)
        if (e->hash == hash && e->parent == parent && slice_eq(e->level, level)) return e->child;
    return NULL;
}

static bool buckets_grow(struct topic_index *t) {
    size_t n = t->buckets ? t->buckets * 2 : 64;
    if (t->edges < t->buckets) return true;
    struct edge **bucket = arena_get(t->arena, n * sizeof(struct edge *));
    if (!bucket) return false;
    memset(bucket, 0, n * sizeof(struct edge *));
    for (size_t i = 0; i < t->buckets; i++) {
        for (struct edge *e = t->bucket[i], *next; e; e = next) {
            next = e->next;
            e->next = bucket[e->hash & (n - 1)];
            bucket[e->hash & (n - 1)] = e;
        }
    }
    t->bucket = bucket;
    t->buckets = n;
    return true;
}

static struct node *node_make(struct topic_index *t) {
    struct node *n = arena_get(t->arena, sizeof *n);
    if (n) *n = (struct node){.number = ++t->nodes};
    return n;
}

static struct edge *edge_make(struct topic_index *t, struct node *parent, struct slice level) {
    struct edge *e = arena_get(t->arena, sizeof *e);
    struct slice copy = arena_copy(t->arena, level);
    struct node *child = node_make(t);
    if (!e || !child || copy.n != level.n) return NULL;
    *e = (struct edge){.parent = parent, .child = child, .level = copy, .hash = edge_hash(t, parent, level)};
    return e;
}

static struct node *child_add(struct topic_index *t, struct node *parent, struct slice level) {
    if (is(level, '+')) {
        if (!parent->plus) parent->plus = node_make(t);
        return parent->plus;
    }
    if (has_placeholder(level)) {
        for (struct edge *e = parent->patterns; e; e = e->next)
            if (slice_eq(e->level, level)) return e->child;
        struct edge *e = edge_make(t, parent, level);
        if (!e) return NULL;
        e->next = parent->patterns;
        parent->patterns = e;
        return e->child;
    }
    struct node *known = child_find(t, parent, level);
    if (known) return known;
    if (!buckets_grow(t)) return NULL;
    struct edge *e = edge_make(t, parent, level);
    if (!e) return NULL;
    e->next = t->bucket[e->hash & (t->buckets - 1)];
    t->bucket[e->hash & (t->buckets - 1)] = e;
    t->edges++;
    parent->children = true;
    return e->child;
}

int topic_index_add(struct topic_index *t, struct slice filter, uint32_t number) {
    struct node *n = &t->root;
    struct levels l;
    bool below = false;
    if (!topic_filter_ok(filter)) return ERR_FORMAT;
    level_first(&l, filter);
    do {
        below = is(l.now, '#');
        if (!below) n = child_add(t, n, l.now);
        if (!n) return ERR_NOMEM;
    } while (level_next(&l));
    struct ends *end = arena_get(t->arena, sizeof *end);
    if (!end) return ERR_NOMEM;
    struct ends **list = below ? &n->below : &n->here;
    *end = (struct ends){*list, number};
    *list = end;
    return 0;
}

struct walk {
    const struct topic_index *t;
    const struct topic_names *names;
    void (*hit)(void *to, uint32_t number, bool loose);
    void *to;
};

static void hits(const struct walk *w, const struct ends *e, bool loose) {
    for (; e; e = e->next) w->hit(w->to, e->number, loose);
}

/* walk_on goes on from a node that matched the levels before `l`; `l` is NULL behind the last one. As deep as the
 * policy's longest filter at most. */
static void walk_on(const struct walk *w, const struct node *n, const struct levels *l, bool loose, bool wild) {
    if (wild) hits(w, n->below, loose);
    if (!l) {
        hits(w, n->here, loose);
        return;
    }
    struct levels next = *l;
    const struct levels *rest = level_next(&next) ? &next : NULL;
    const struct node *child = child_find(w->t, n, l->now);
    if (child) walk_on(w, child, rest, loose, true);
    if (n->plus && wild) walk_on(w, n->plus, rest, loose, true);
    for (const struct edge *e = n->patterns; e; e = e->next) {
        bool nothing = loose;
        if (level_is(e->level, l->now, w->names, &nothing)) walk_on(w, e->child, rest, nothing, true);
    }
}

void topic_index_match(const struct topic_index *t, struct slice topic, const struct topic_names *names,
                       void (*hit)(void *to, uint32_t number, bool loose), void *to) {
    struct walk w = {t, names, hit, to};
    struct levels l;
    if (!t->nodes && !t->root.below) return;
    level_first(&l, topic);
    walk_on(&w, &t->root, &l, false, !hidden(topic));
}
