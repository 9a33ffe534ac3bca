/* SPDX-License-Identifier: Apache-2.0 */
/* DNS: how much of which kind, and which names were asked for, with how long the answers took. */
#include "analyse/keytab.h"
#include "analyse/name.h"
#include "analyse/stats/stats.h"

enum { CODES = 16, TYPES_MAX = 65536 };

struct dns_name {
    struct name name;
    uint64_t queries, answers, failures;
    int64_t most;
    double sum;
    uint64_t timed;
};

struct dns_kind {
    uint32_t type;
    uint64_t queries;
};

struct dns_stats {
    uint64_t queries, answers, code[CODES];
    struct keytab names, types;
    struct hash_key secret;
};

static int start(void *state, const struct stats_args *args, struct writer *why) {
    struct dns_stats *s = state;
    (void)args;
    (void)why;
    s->names = keytab_make(sizeof(struct name), sizeof(struct dns_name), STATS_ENTRIES_MAX / 2);
    s->types = keytab_make(sizeof(uint32_t), sizeof(struct dns_kind), TYPES_MAX);
    s->secret = hash_key_random();
    return OK;
}

static void end(void *state) {
    struct dns_stats *s = state;
    keytab_free(&s->names);
    keytab_free(&s->types);
}

static void want(const void *state, struct want *w) {
    static const uint16_t ids[] = {
        FID_DNS, FID_DNS_FLAGS_RESPONSE, FID_DNS_FLAGS_RCODE, FID_DNS_QRY_NAME, FID_DNS_QRY_TYPE, FID_DNS_TIME, 0};
    (void)state;
    for (const uint16_t *id = ids; *id; id++) want_add(w, *id);
}

static void type_count(struct dns_stats *s, uint32_t type) {
    struct dns_kind *k = keytab_get(&s->types, &type);
    if (k) k->queries++;
}

static void packet(void *state, const struct decode *d, int64_t begin) {
    struct dns_stats *s = state;
    bool response = false;
    uint64_t code = 0;
    struct dns_name *last = NULL;
    (void)begin;
    for (uint32_t i = 0, to = stats_outer(d); i < to; i++) {
        const struct fval *f = &d->out->v[i];
        struct name key;
        switch (f->id) {
        case FID_DNS:
            response = false;
            code = 0;
            last = NULL;
            break;
        case FID_DNS_FLAGS_RESPONSE:
            response = f->u;
            if (response) s->answers++;
            else s->queries++;
            break;
        case FID_DNS_FLAGS_RCODE:
            code = f->u;
            if (response) s->code[code % CODES]++;
            break;
        case FID_DNS_QRY_NAME:
            name_set(&key, s->secret, f->s);
            last = keytab_get(&s->names, &key);
            if (!last) break;
            if (response) last->answers++;
            else last->queries++;
            if (response && code) last->failures++;
            break;
        case FID_DNS_QRY_TYPE:
            if (!response) type_count(s, (uint32_t)f->u);
            break;
        case FID_DNS_TIME:
            if (!last) break;
            last->timed++;
            last->sum += (double)f->i;
            if (f->i > last->most) last->most = f->i;
            break;
        default: break;
        }
    }
}

static void summary_row(struct table *t, const char *what, uint64_t n) {
    struct cell *c = table_row(t);
    c[0] = cell_text(t, slice_str(what));
    c[1] = cell_count(n);
}

static struct table *summary_table(const struct dns_stats *s) {
    static const struct table_column columns[] = {{.name = "what", .title = "DNS"},
                                                  {.name = "count", .title = "Count", .bar = true}};
    struct table *t = table_make("summary", "Summary", columns, 2);
    const struct field *code = field_of(FID_DNS_FLAGS_RCODE), *type = field_of(FID_DNS_QRY_TYPE);
    char text[120];
    if (!t) return NULL;
    summary_row(t, "queries", s->queries);
    summary_row(t, "answers", s->answers);
    for (unsigned i = 0; i < CODES; i++) {
        const char *name = code->values ? field_value_name(code->values, i) : NULL;
        struct writer w = wr_fixed(text, sizeof text - 1);
        wr_f(&w, "answer: %s", name ? name : "unknown code");
        *w.p = 0;
        if (s->code[i]) summary_row(t, text, s->code[i]);
    }
    for (uint32_t i = 0; i < s->types.n; i++) {
        const struct dns_kind *k = keytab_at(&s->types, i);
        const char *name = type->values ? field_value_name(type->values, k->type) : NULL;
        struct writer w = wr_fixed(text, sizeof text - 1);
        if (name) wr_f(&w, "query: %s", name);
        else wr_f(&w, "query: type %u", k->type);
        *w.p = 0;
        summary_row(t, text, k->queries);
    }
    return t;
}

static struct table *tables(void *state) {
    static const struct table_column columns[] = {{.name = "name", .title = "Name"},
                                                  {.name = "queries", .title = "Queries", .bar = true},
                                                  {.name = "answers", .title = "Answers"},
                                                  {.name = "failures", .title = "Failures"},
                                                  {.name = "average_ms", .title = "Average ms"},
                                                  {.name = "most_ms", .title = "Most ms"}};
    const struct dns_stats *s = state;
    struct table *first = summary_table(s), *t = first ? table_make("names", "Names", columns, 6) : NULL;
    for (uint32_t i = 0; t && i < s->names.n; i++) {
        const struct dns_name *n = keytab_at(&s->names, i);
        struct cell *c = table_row(t);
        c[0] = cell_text(t, name_slice(&n->name));
        c[1] = cell_count(n->queries);
        c[2] = cell_count(n->answers);
        c[3] = cell_count(n->failures);
        if (!n->timed) continue;
        c[4] = cell_real(n->sum / (double)n->timed / 1e6);
        c[5] = cell_real((double)n->most / 1e6);
    }
    if (!t) return first;
    table_sort(t, 1, false);
    stats_note(t, &s->names, "names");
    first->next = t;
    return first;
}

const struct stats_ops stats_dns = {.name = "dns",
                                    .purpose = "DNS queries, answers and names",
                                    .state_size = sizeof(struct dns_stats),
                                    .start = start,
                                    .want = want,
                                    .packet = packet,
                                    .tables = tables,
                                    .end = end};
