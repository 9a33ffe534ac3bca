/* SPDX-License-Identifier: Apache-2.0 */
/* Binding of YAML to structs: walking, complaining, and the readers of plain values. */
#include "guard/config/config_yaml.h"
#include "base/err.h"
#include "base/near.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define SECOND INT64_C(1000000000)

enum { ANCHORS_MAX = 1000 };

static bool is_named(const yaml_event_t *e) {
    switch (e->type) {
    case YAML_SCALAR_EVENT: return e->data.scalar.anchor;
    case YAML_SEQUENCE_START_EVENT: return e->data.sequence_start.anchor;
    case YAML_MAPPING_START_EVENT: return e->data.mapping_start.anchor;
    default: return false;
    }
}

/* wild tells whether a document nests deeper than a configuration does, or names more of its parts than one does:
 * building such a one takes libyaml quadratic time. */
static bool wild(struct slice text) {
    yaml_parser_t parser;
    yaml_event_t e;
    unsigned depth = 0, anchors = 0;
    bool over = false;
    if (!yaml_parser_initialize(&parser)) return false;
    yaml_parser_set_input_string(&parser, text.p, text.n);
    while (!over && depth <= BIND_DEPTH_MAX && anchors <= ANCHORS_MAX && yaml_parser_parse(&parser, &e)) {
        over = e.type == YAML_STREAM_END_EVENT;
        depth += e.type == YAML_SEQUENCE_START_EVENT || e.type == YAML_MAPPING_START_EVENT;
        depth -= e.type == YAML_SEQUENCE_END_EVENT || e.type == YAML_MAPPING_END_EVENT;
        anchors += is_named(&e);
        yaml_event_delete(&e);
    }
    yaml_parser_delete(&parser);
    return depth > BIND_DEPTH_MAX || anchors > ANCHORS_MAX;
}

int yaml_load(yaml_document_t *doc, struct slice text, struct yaml_fault *why) {
    yaml_parser_t parser;
    *why = (struct yaml_fault){1, 1, "it is nested too deeply, or names too many of its parts", NULL};
    if (wild(text)) return ERR_FORMAT;
    if (!yaml_parser_initialize(&parser)) return ERR_NOMEM;
    yaml_parser_set_input_string(&parser, text.p, text.n);
    bool loaded = yaml_parser_load(&parser, doc);
    if (!loaded)
        *why = (struct yaml_fault){parser.problem_mark.line + 1, parser.problem_mark.column + 1,
                                   parser.problem ? parser.problem : "this is no YAML", parser.context};
    yaml_parser_delete(&parser);
    return loaded ? OK : ERR_FORMAT;
}

void bind_wrong(struct bind *b, const yaml_node_t *n, const char *fmt, ...) {
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    mistake_add(b->m, n->start_mark.line + 1, n->start_mark.column + 1, "%s", text);
}

void *bind_get(struct bind *b, size_t n) {
    void *p = arena_get(&b->p->arena, n);
    if (p) memset(p, 0, n);
    else b->no_memory = true;
    return p;
}

struct slice bind_keep(struct bind *b, struct slice text) {
    struct slice kept = arena_copy(&b->p->arena, text);
    if (kept.n != text.n) b->no_memory = true;
    return kept;
}

bool bind_is_map(const yaml_node_t *n) { return n->type == YAML_MAPPING_NODE; }

static struct slice scalar(const yaml_node_t *n) { return slice_of(n->data.scalar.value, n->data.scalar.length); }

bool bind_text(struct bind *b, const yaml_node_t *n, struct slice *text) {
    if (n->type != YAML_SCALAR_NODE) {
        bind_wrong(b, n, "a single value is expected here, not a %s",
                   n->type == YAML_MAPPING_NODE ? "mapping" : "list");
        return false;
    }
    if (n->data.scalar.length > BIND_TEXT_MAX) {
        bind_wrong(b, n, "the text is longer than %d bytes", BIND_TEXT_MAX);
        return false;
    }
    *text = scalar(n);
    return true;
}

/* bind_nearest returns the name most like a text, or NULL. */
static const char *bind_nearest(struct slice text, const char *const *names, size_t n) {
    const char *best = NULL;
    unsigned least = (unsigned)text.n / 2 + 1;
    for (size_t i = 0; i < n; i++) {
        unsigned d = near_edits(text, slice_str(names[i]));
        if (d < least) {
            least = d;
            best = names[i];
        }
    }
    return best;
}

/* enter guards against documents that grow by aliases or nest without end. */
static bool enter(struct bind *b, const yaml_node_t *n) {
    if (b->depth >= BIND_DEPTH_MAX || b->nodes >= BIND_NODES_MAX) {
        if (b->nodes != UINT32_MAX) bind_wrong(b, n, "the configuration is nested too deeply or too large");
        b->nodes = UINT32_MAX;
        return false;
    }
    b->nodes++;
    b->depth++;
    return true;
}

static void unknown_key(struct bind *b, const yaml_node_t *n, const struct key *keys, size_t count, const char *what) {
    const char *names[64];
    size_t k = 0;
    for (; k < count && k < 64; k++) names[k] = keys[k].name;
    const char *near = bind_nearest(scalar(n), names, k);
    bind_wrong(b, n, "'%.*s' is no part of %s%s%s%s", (int)slice_head(scalar(n), 60).n, scalar(n).p, what,
               near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

void bind_map(struct bind *b, const yaml_node_t *n, const struct key *keys, size_t count, void *base,
              const char *what) {
    uint64_t seen = 0;
    if (!bind_is_map(n)) {
        bind_wrong(b, n, "%s is a mapping of names to values", what);
        return;
    }
    if (!enter(b, n)) return;
    for (yaml_node_pair_t *pair = n->data.mapping.pairs.start; pair < n->data.mapping.pairs.top; pair++) {
        const yaml_node_t *key = yaml_document_get_node(&b->doc, pair->key),
                          *value = yaml_document_get_node(&b->doc, pair->value);
        size_t i = 0;
        if (!key || !value || key->type != YAML_SCALAR_NODE) {
            bind_wrong(b, key ? key : n, "a name is expected here");
            continue;
        }
        while (i < count && !slice_eq(scalar(key), slice_str(keys[i].name))) i++;
        if (i == count) {
            unknown_key(b, key, keys, count, what);
            continue;
        }
        if (seen >> i & 1) bind_wrong(b, key, "'%s' stands here twice", keys[i].name);
        seen |= (uint64_t)1 << i;
        keys[i].read(b, value, (char *)base + keys[i].at, keys[i].arg);
    }
    b->depth--;
}

void bind_pairs(struct bind *b, const yaml_node_t *n,
                void (*pair)(struct bind *b, const yaml_node_t *key, const yaml_node_t *value, void *to), void *to,
                const char *what) {
    if (!bind_is_map(n)) {
        bind_wrong(b, n, "%s is a mapping of names to values", what);
        return;
    }
    if (!enter(b, n)) return;
    for (yaml_node_pair_t *p = n->data.mapping.pairs.start; p < n->data.mapping.pairs.top; p++) {
        const yaml_node_t *key = yaml_document_get_node(&b->doc, p->key),
                          *value = yaml_document_get_node(&b->doc, p->value);
        if (!key || !value || key->type != YAML_SCALAR_NODE) bind_wrong(b, key ? key : n, "a name is expected here");
        else pair(b, key, value, to);
    }
    b->depth--;
}

void *bind_each(struct bind *b, const yaml_node_t *n, size_t size, size_t max, bind_reader *reader, const void *arg,
                size_t *count) {
    bool list = n->type == YAML_SEQUENCE_NODE;
    size_t items = list ? (size_t)(n->data.sequence.items.top - n->data.sequence.items.start) : 1;
    *count = 0;
    if (n->type == YAML_SCALAR_NODE && n->data.scalar.length == 0 && n->data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
        return NULL;
    if (items > max) {
        bind_wrong(b, n, "at most %zu elements may stand here", max);
        return NULL;
    }
    if (!items || !enter(b, n)) return NULL;
    char *all = bind_get(b, items * size);
    for (size_t i = 0; all && i < items; i++) {
        const yaml_node_t *one = list ? yaml_document_get_node(&b->doc, n->data.sequence.items.start[i]) : n;
        if (one) reader(b, one, all + i * size, arg);
    }
    b->depth--;
    *count = all ? items : 0;
    return all;
}

void read_text(struct bind *b, const yaml_node_t *n, void *at, const void *arg) {
    struct slice s;
    (void)arg;
    if (!bind_text(b, n, &s)) return;
    if (!s.n || memchr(s.p, 0, s.n)) {
        bind_wrong(b, n, "a text is expected here");
        return;
    }
    char *copy = bind_get(b, s.n + 1);
    if (copy) memcpy(copy, s.p, s.n);
    *(const char **)at = copy;
}

void read_slice(struct bind *b, const yaml_node_t *n, void *at, const void *arg) {
    struct slice s;
    (void)arg;
    if (bind_text(b, n, &s)) *(struct slice *)at = bind_keep(b, s);
}

void read_texts(struct bind *b, const yaml_node_t *n, void *at, const void *arg) {
    struct guard_list *l = at;
    l->item = bind_each(b, n, sizeof *l->item, 100000, read_slice, arg, &l->n);
    if (!l->n) bind_wrong(b, n, "at least one text is expected here");
}

void read_bool(struct bind *b, const yaml_node_t *n, void *at, const void *arg) {
    static const char *const words[] = {"false", "no", "off", "true", "yes", "on"};
    struct slice s;
    (void)arg;
    if (!bind_text(b, n, &s)) return;
    for (size_t i = 0; i < 6; i++) {
        if (!slice_eq(s, slice_str(words[i]))) continue;
        *(bool *)at = i >= 3;
        return;
    }
    bind_wrong(b, n, "'%.*s' is neither true nor false", (int)slice_head(s, 40).n, s.p);
}

/* digits reads a whole number at the front of a text. */
static bool digits(struct slice *s, uint64_t *value) {
    size_t i = 0;
    *value = 0;
    for (; i < s->n && s->p[i] >= '0' && s->p[i] <= '9'; i++)
        if (__builtin_mul_overflow(*value, 10, value) || __builtin_add_overflow(*value, s->p[i] - '0', value))
            return false;
    *s = slice_tail(*s, i);
    return i > 0;
}

static bool bind_size(struct slice s, uint64_t *bytes) {
    static const struct {
        const char *name;
        uint64_t factor;
    } units[] = {{"", 1},          {"B", 1},        {"k", 1000},       {"K", 1000},        {"kB", 1000},
                 {"M", 1000000},   {"MB", 1000000}, {"G", 1000000000}, {"GB", 1000000000}, {"Ki", 1 << 10},
                 {"KiB", 1 << 10}, {"Mi", 1 << 20}, {"MiB", 1 << 20},  {"Gi", 1 << 30},    {"GiB", 1 << 30}};
    uint64_t value;
    if (!digits(&s, &value)) return false;
    while (s.n && s.p[0] == ' ') s = slice_tail(s, 1);
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (slice_eq(s, slice_str(units[i].name))) return !__builtin_mul_overflow(value, units[i].factor, bytes);
    return false;
}

bool bind_time(struct slice s, int64_t *ns) {
    static const struct {
        const char *name;
        int64_t factor;
    } units[] = {{"ms", SECOND / 1000}, {"s", SECOND},        {"", SECOND},         {"m", 60 * SECOND},
                 {"min", 60 * SECOND},  {"h", 3600 * SECOND}, {"d", 86400 * SECOND}};
    uint64_t value;
    if (slice_eq(s, SLICE("forever"))) {
        *ns = INT64_MAX;
        return true;
    }
    if (!digits(&s, &value) || value > INT64_MAX) return false;
    while (s.n && s.p[0] == ' ') s = slice_tail(s, 1);
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (slice_eq(s, slice_str(units[i].name))) return !__builtin_mul_overflow((int64_t)value, units[i].factor, ns);
    return false;
}

static void in_range(struct bind *b, const yaml_node_t *n, uint64_t value, uint64_t *at, const struct range *r) {
    if (r && (value < r->min || value > r->max)) {
        bind_wrong(b, n, "the number must be from %llu to %llu", (unsigned long long)r->min,
                   (unsigned long long)r->max);
        return;
    }
    *at = value;
}

void read_number(struct bind *b, const yaml_node_t *n, void *at, const void *arg) {
    struct slice s, rest;
    uint64_t value;
    if (!bind_text(b, n, &s)) return;
    rest = s;
    if (!digits(&rest, &value) || rest.n) bind_wrong(b, n, "'%.*s' is no whole number", (int)slice_head(s, 40).n, s.p);
    else in_range(b, n, value, at, arg);
}

void read_unsigned(struct bind *b, const yaml_node_t *n, void *at, const void *arg) {
    static const struct range any = {0, UINT32_MAX};
    uint64_t value = *(unsigned *)at;
    read_number(b, n, &value, arg ? arg : &any);
    *(unsigned *)at = (unsigned)value;
}

void read_size(struct bind *b, const yaml_node_t *n, void *at, const void *arg) {
    struct slice s;
    uint64_t value;
    if (!bind_text(b, n, &s)) return;
    if (!bind_size(s, &value))
        bind_wrong(b, n, "'%.*s' is no size; write 1000, 64Ki or 10M", (int)slice_head(s, 40).n, s.p);
    else in_range(b, n, value, at, arg);
}

void read_time(struct bind *b, const yaml_node_t *n, void *at, const void *arg) {
    struct slice s;
    int64_t ns;
    (void)arg;
    if (!bind_text(b, n, &s)) return;
    if (!bind_time(s, &ns))
        bind_wrong(b, n, "'%.*s' is no time; write 500ms, 10s, 5m, 2h or 1d", (int)slice_head(s, 40).n, s.p);
    else *(int64_t *)at = ns;
}

void read_choice(struct bind *b, const yaml_node_t *n, void *at, const void *arg) {
    const struct choice *c = arg;
    char all[200];
    size_t used = 0;
    struct slice s;
    if (!bind_text(b, n, &s)) return;
    for (uint8_t i = 0; i < c->count; i++) {
        if (!slice_eq(s, slice_str(c->names[i]))) continue;
        *(uint8_t *)at = i;
        return;
    }
    for (uint8_t i = 0; i < c->count && used < sizeof all; i++) {
        int n_more = snprintf(all + used, sizeof all - used, "%s%s", i ? ", " : "", c->names[i]);
        used += n_more > 0 ? (size_t)n_more : 0;
    }
    bind_wrong(b, n, "'%.*s' is none of: %s", (int)slice_head(s, 40).n, s.p, all);
}
