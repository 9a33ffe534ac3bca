/* SPDX-License-Identifier: Apache-2.0 */
/* The first pass: which sensitive rules could match this packet at all?
 *
 * The packet's values are laid end to end, one byte between, in up to three texts: arguments with their names, topic
 * and what else is a single value; the body; fields. Each chain of transformations is applied to every value of a text
 * once; where it changes nothing, its result is the text before it, not a copy. Patterns and phrases of all sensitive
 * rules stand in Hyperscan databases, one per text and chain, and one per text and family for the usual case that many
 * chains left the text alone: then one scan answers for all of them. Chains that lower the case are a family of their
 * own.
 *
 * Hyperscan gets each regular expression as a prefilter, so what it does not know (look-around, back references) makes
 * it report too much, never too little. Between two values stands a line feed for expressions with ^ or $, which match
 * there as they do at a value's end (all are compiled with (?ms)), and the byte 0xff for the others, since many of them
 * look for line feeds; those that ask for the very start or end (\A, \z, \Z, \G) are not given to it. What it reports
 * is confirmed by the rule itself on its own targets. Rules that are no patterns are ruled out by the bytes they need,
 * or asked directly.
 *
 * Databases are kept on disk under a digest of everything that went into them. */
#include "guard/rules/first_in.h"
#include "guard/rules/load.h"

#include <openssl/evp.h>
#include <stdlib.h>

/* A list of more than PHRASES_FEW has an automaton of its own, made in a moment; Hyperscan would take minutes over it.
 */
enum { EXPRESSION_MAX = 16000, KEY_LEN = 64, PHRASES_FEW = 2000 };

/* ---- load time: may the engine be trusted? ---- */

static int found(unsigned id, unsigned long long from, unsigned long long to, unsigned flags, void *ctx) {
    (void)id, (void)from, (void)to, (void)flags;
    *(bool *)ctx = true;
    return 0;
}

/* Vectorscan before 5.4.12 misses matches on some x86 processors; a first pass that misses is worse than none. It shows
 * with an expression of this kind on texts longer than a vector. */
static bool engine_misses(void) {
    static const char expression[] = "\\$(?:\\((?:\\(.*\\)|.*)\\)|\\{.*\\})|[<>]\\(.*\\)";
    char text[256] = "${";
    hs_database_t *db = NULL;
    hs_compile_error_t *error = NULL;
    hs_scratch_t *scratch = NULL;
    bool ok = hs.compile(expression, HS_FLAG_DOTALL, HS_MODE_BLOCK, NULL, &db, &error) == HS_SUCCESS &&
              hs.alloc_scratch(db, &scratch) == HS_SUCCESS;
    for (unsigned n = 2; ok && n < sizeof text - 1; n++) {
        bool hit = false;
        text[n] = '}';
        ok = hs.scan(db, text, n + 1, 0, scratch, found, &hit) == HS_SUCCESS && hit;
        text[n] = "a(b)."[n % 5];
    }
    if (error) hs.free_compile_error(error);
    hs.free_scratch(scratch);
    hs.free_database(db);
    return !ok;
}

/* ---- load time: what each rule needs ---- */

static bool has_anchor(struct slice s) {
    for (size_t i = 0; i + 1 < s.n; i++) {
        if (s.p[i] == '\\' && strchr("AzZG", s.p[i + 1]) && s.p[i + 1]) return true;
        if (s.p[i] == '\\') i++;
        if (s.p[i] == '(' && s.p[i + 1] == '*') return true;
        if (s.p[i] == '(' && s.p[i + 1] == '?' && i + 2 < s.n && s.p[i + 2] == '-') return true;
    }
    return false;
}

/* has_lines tells whether there is a ^ or $ outside of classes. */
static bool has_lines(struct slice s) {
    bool class = false;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\\') i++;
        else if (class) class = s.p[i] != ']';
        else if (s.p[i] == '[') {
            class = true;
            if (i + 1 < s.n && s.p[i + 1] == '^') i++;
            if (i + 1 < s.n && s.p[i + 1] == ']') i++;
        } else if (s.p[i] == '^' || s.p[i] == '$') {
            return true;
        }
    }
    return false;
}

static uint8_t texts_of(const struct rule *r) {
    uint8_t texts = 0;
    for (const struct var_ref *v = r->vars; v; v = v->next) {
        if (v->not || rules_vars[v->var].from == FROM_ABSENT) continue;
        if (v->count || text_of_var(v->var) == TEXTS) return 0;
        texts |= (uint8_t)(1 << text_of_var(v->var));
    }
    return texts;
}

static bool is_literal(const struct op *op) {
    switch (op->kind) {
    case OP_BEGINS_WITH:
    case OP_ENDS_WITH:
    case OP_CONTAINS:
    case OP_CONTAINS_WORD:
    case OP_STR_EQ:
    case OP_STR_MATCH: return op->param.text.n > 0;
    }
    return false;
}

static bool is_phrases(const struct op *op) {
    return op->kind == OP_PM || op->kind == OP_PM_F || op->kind == OP_PM_FROM_FILE;
}

static void need_bytes(struct check *c, struct slice bytes) {
    c->how = HOW_BYTES;
    c->need.n = 1;
    for (size_t i = 0; i < bytes.n; i++) bytes_add(c->need.set[0], bytes.p[i]);
}

static void need_all_but(struct check *c, const uint64_t without[4]) {
    c->how = HOW_BYTES;
    c->need.n = 1;
    for (int i = 0; i < 4; i++) c->need.set[0][i] = ~without[i];
}

static bool usable(const char *expression, unsigned flags) {
    hs_expr_info_t *info = NULL;
    hs_compile_error_t *error = NULL;
    bool ok = hs.expression_info(expression, flags, &info, &error) == HS_SUCCESS;
    if (error) hs.free_compile_error(error);
    free(info);
    return ok;
}

enum { RX_FLAGS = HS_FLAG_DOTALL | HS_FLAG_MULTILINE | HS_FLAG_SINGLEMATCH | HS_FLAG_ALLOWEMPTY | HS_FLAG_PREFILTER };

static bool rx_usable(struct slice text) {
    char buf[EXPRESSION_MAX + 1];
    if (text.n > EXPRESSION_MAX || memchr(text.p, 0, text.n) || has_anchor(text)) return false;
    memcpy(buf, text.p, text.n);
    buf[text.n] = 0;
    return usable(buf, RX_FLAGS);
}

static void check_rx(struct check *c, const struct op *op, bool trusted) {
    if (!op->rx || !op->rx->text.n) return;
    need_of_rx(op->rx->text, op->rx->caseless, &c->need);
    if (!trusted || !rx_usable(op->rx->text)) return;
    c->how = HOW_PATTERN;
    c->lines = has_lines(op->rx->text);
    c->special = need_special(&c->need);
}

static bool is_long_list(const struct op *op) {
    const struct slice *words;
    return is_phrases(op) && pm_words(op->phrases, &words) > PHRASES_FEW;
}

static void check_make(struct check *c, const struct rule *r, bool trusted) {
    const struct op *op = &r->op;
    *c = (struct check){.how = HOW_ASK, .texts = texts_of(r)};
    c->input_only = c->texts && !op->param.expands;
    if (!c->input_only || op->not ) return;
    switch (op->kind) {
    case OP_RX:
    case OP_VERIFY_CC:
    case OP_VERIFY_CPF:
    case OP_VERIFY_SSN:
    case OP_VERIFY_SVNR:
    case OP_RX_GLOBAL: check_rx(c, op, trusted); return;
    case OP_VALIDATE_BYTE_RANGE: need_all_but(c, op->bytes); return;
    case OP_DETECT_XSS: need_bytes(c, SLICE("<=")); return;
    case OP_VALIDATE_URL_ENCODING: need_bytes(c, SLICE("%")); return;
    case OP_VALIDATE_UTF8_ENCODING:
        c->how = HOW_BYTES;
        c->need.n = 1;
        c->need.set[0][2] = c->need.set[0][3] = ~(uint64_t)0;
        return;
    }
    if ((!is_literal(op) && !is_phrases(op)) || is_long_list(op)) return;
    if (trusted) c->how = HOW_PATTERN;
    if (is_literal(op)) need_of_literal(op->param.text, false, &c->need);
    c->special = need_special(&c->need);
}

/* ---- load time: databases ---- */

static bool lowers(const struct rules_set *set, uint16_t chain) {
    for (; chain; chain = set->chains[chain].parent)
        if (set->chains[chain].tfn == T_LOWERCASE) return true;
    return false;
}

static struct group *group_of(struct first *f, struct group want) {
    for (uint32_t i = 0; i < f->n_groups; i++) {
        struct group *g = &f->group[i];
        if (g->text == want.text && g->family == want.family && g->lines == want.lines && g->special == want.special &&
            g->chain == want.chain)
            return g;
    }
    if (f->n_groups == f->cap_groups) {
        struct group *grown = realloc(f->group, (f->cap_groups + 32) * sizeof *grown);
        if (!grown) return NULL;
        f->group = grown;
        f->cap_groups += 32;
    }
    f->group[f->n_groups] = want;
    return &f->group[f->n_groups++];
}

/* patterns collects the expressions of one database. */
struct patterns {
    struct arena *arena;
    const char **expression;
    unsigned *flags, *ids;
    uint32_t n, cap;
};

static bool pattern_add(struct patterns *p, const char *expression, unsigned flags, unsigned id) {
    if (p->n == p->cap) {
        uint32_t cap = p->cap ? p->cap * 2 : 256;
        const char **e = realloc(p->expression, cap * sizeof *e);
        if (e) p->expression = e;
        unsigned *fl = realloc(p->flags, cap * sizeof *fl);
        if (fl) p->flags = fl;
        unsigned *id2 = realloc(p->ids, cap * sizeof *id2);
        if (id2) p->ids = id2;
        if (!e || !fl || !id2) return false;
        p->cap = cap;
    }
    p->expression[p->n] = expression;
    p->flags[p->n] = flags;
    p->ids[p->n++] = id;
    return expression != NULL;
}

static const char *literal(struct arena *arena, struct slice s) {
    char *out = arena_get(arena, s.n * 4 + 1), *d = out;
    for (size_t i = 0; out && i < s.n; i++) d += sprintf(d, "\\x%02x", s.p[i]);
    if (out) *d = 0;
    return out;
}

static const char *expression_of(struct arena *arena, struct slice s) {
    char *out = arena_get(arena, s.n + 1);
    if (!out) return NULL;
    memcpy(out, s.p, s.n);
    out[s.n] = 0;
    return out;
}

static bool patterns_of(struct patterns *p, const struct rule *r, unsigned id) {
    const struct slice *word;
    if (is_phrases(&r->op)) {
        size_t n = pm_words(r->op.phrases, &word);
        for (size_t i = 0; i < n; i++)
            if (!pattern_add(p, literal(p->arena, word[i]), HS_FLAG_CASELESS | HS_FLAG_SINGLEMATCH, id)) return false;
        return true;
    }
    if (is_literal(&r->op)) return pattern_add(p, literal(p->arena, r->op.param.text), HS_FLAG_SINGLEMATCH, id);
    return pattern_add(p, expression_of(p->arena, r->op.rx->text), RX_FLAGS, id);
}

static bool in_group(const struct rules_set *set, const struct group *g, const struct check *c, const struct rule *r) {
    if (c->how != HOW_PATTERN || !(c->texts >> g->text & 1) || c->lines != g->lines || c->special != g->special)
        return false;
    for (uint8_t k = r->a.multimatch ? 0 : (uint8_t)(r->n_steps - 1); k < r->n_steps; k++) {
        if (g->chain == r->steps[k]) return true;
        if (g->chain == UINT16_MAX && g->family == lowers(set, r->steps[k])) return true;
    }
    return false;
}

static bool group_patterns(const struct rules_set *set, struct group *g, struct patterns *p) {
    p->n = 0;
    memset(g->need, 0, sizeof g->need);
    for (uint32_t i = 0; i < set->first->n; i++) {
        if (!in_group(set, g, &set->first->check[i], set->sensitive[i].link)) continue;
        if (!patterns_of(p, set->sensitive[i].link, i)) return false;
        need_rarest(&set->first->check[i].need, g->need);
    }
    return true;
}

static int by_class(const void *a, const void *b) {
    const struct group *x = a, *y = b;
    unsigned i = x->text * 8u + x->family * 4u + x->lines * 2u + x->special,
             k = y->text * 8u + y->family * 4u + y->lines * 2u + y->special;
    return i != k ? (i < k ? -1 : 1) : x->chain < y->chain ? -1 : x->chain > y->chain;
}

/* groups_sort puts the groups of a class side by side and counts them. */
static bool groups_sort(struct first *f) {
    qsort(f->group, f->n_groups, sizeof *f->group, by_class);
    for (uint32_t i = 0, n; i < f->n_groups; i += n) {
        const struct group *a = &f->group[i];
        for (n = 1; i + n < f->n_groups; n++) {
            const struct group *b = &f->group[i + n];
            if (a->text != b->text || a->family != b->family || a->lines != b->lines || a->special != b->special) break;
        }
        f->group[i].class = n;
        if (n > CLASS_MAX) return false;
    }
    return true;
}

static bool groups_make(struct rules_set *set) {
    struct first *f = set->first;
    for (uint32_t i = 0; i < f->n; i++) {
        const struct rule *r = set->sensitive[i].link;
        for (uint8_t t = 0; t < TEXTS; t++) {
            if (f->check[i].how != HOW_PATTERN || !(f->check[i].texts >> t & 1)) continue;
            for (uint8_t k = r->a.multimatch ? 0 : (uint8_t)(r->n_steps - 1); k < r->n_steps; k++) {
                struct group g = {.text = t,
                                  .family = lowers(set, r->steps[k]),
                                  .lines = f->check[i].lines,
                                  .special = f->check[i].special,
                                  .chain = UINT16_MAX};
                if (!group_of(f, g)) return false;
                g.chain = r->steps[k];
                if (!group_of(f, g)) return false;
            }
        }
    }
    return !f->n_groups || groups_sort(f);
}

/* key_of makes the digest of all expressions and of the engine they are compiled for. */
static bool key_of(const struct rules_set *set, struct patterns *p, char key[KEY_LEN + 1]) {
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    uint8_t sum[EVP_MAX_MD_SIZE];
    hs_platform_info_t platform = {0};
    unsigned n = 0;
    bool ok = md && EVP_DigestInit_ex(md, EVP_sha256(), NULL) && hs.populate_platform(&platform) == HS_SUCCESS;
    if (ok)
        ok = EVP_DigestUpdate(md, hs.version(), strlen(hs.version())) &&
             EVP_DigestUpdate(md, &platform, sizeof platform);
    for (uint32_t g = 0; ok && g < set->first->n_groups; g++) {
        ok = group_patterns(set, &set->first->group[g], p);
        set->first->group[g].n = p->n;
        for (uint32_t i = 0; ok && i < p->n; i++)
            ok = EVP_DigestUpdate(md, p->expression[i], strlen(p->expression[i]) + 1) &&
                 EVP_DigestUpdate(md, &p->flags[i], sizeof p->flags[i]) &&
                 EVP_DigestUpdate(md, &p->ids[i], sizeof p->ids[i]);
        ok = ok && EVP_DigestUpdate(md, "|", 1);
    }
    if (ok) ok = EVP_DigestFinal_ex(md, sum, &n) && n * 2 == KEY_LEN;
    EVP_MD_CTX_free(md);
    for (unsigned i = 0; ok && i < n; i++) sprintf(key + 2 * i, "%02x", sum[i]);
    return ok;
}

/* compile makes the database of a group. An expression Hyperscan takes alone but not in company is left out, and its
 * rule asked. */
static int compile(struct load *l, struct group *g, struct patterns *p) {
    struct first *f = l->set->first;
    for (;;) {
        hs_compile_error_t *error = NULL;
        if (!group_patterns(l->set, g, p)) return load_fail(l, NULL, "out of memory");
        g->n = p->n;
        if (!p->n) return 0;
        hs_error_t rc = hs.compile_multi(p->expression, p->flags, p->ids, p->n, HS_MODE_BLOCK, NULL, &g->db, &error);
        int at = error ? error->expression : -1;
        if (rc == HS_SUCCESS) return 0;
        if (error) hs.free_compile_error(error);
        if (rc != HS_COMPILER_ERROR || at < 0)
            return load_fail(l, NULL, "the patterns of the rules could not be compiled");
        f->check[p->ids[at]].how = HOW_ASK;
    }
}

/* A cached blob: for every group the length (8 bytes) and the serialized database. */
static bool restore(struct first *f, struct slice blob) {
    for (uint32_t g = 0; g < f->n_groups; g++) {
        uint64_t n;
        if (!f->group[g].n) continue;
        if (blob.n < 8) return false;
        memcpy(&n, blob.p, 8);
        blob = slice_tail(blob, 8);
        if (n > blob.n || hs.deserialize_database((const char *)blob.p, n, &f->group[g].db) != HS_SUCCESS) return false;
        blob = slice_tail(blob, n);
    }
    return blob.n == 0;
}

static void drop_databases(struct first *f) {
    for (uint32_t g = 0; g < f->n_groups; g++) {
        hs.free_database(f->group[g].db);
        f->group[g].db = NULL;
    }
}

static void save(const struct load *l, const char *key) {
    const struct first *f = l->set->first;
    struct writer w = wr_grow();
    for (uint32_t g = 0; g < f->n_groups && l->source->cache.put; g++) {
        char *bytes = NULL;
        size_t n = 0;
        if (!f->group[g].db) continue;
        if (hs.serialize_database(f->group[g].db, &bytes, &n) != HS_SUCCESS) {
            wr_free(&w);
            return;
        }
        uint64_t len = n;
        wr_bytes(&w, &len, 8);
        wr_bytes(&w, bytes, n);
        free(bytes);
    }
    if (!w.err && wr_len(&w) && l->source->cache.put) l->source->cache.put(l->source->cache.ctx, key, wr_done(&w));
    wr_free(&w);
}

static int databases(struct load *l, struct patterns *p) {
    struct first *f = l->set->first;
    char key[KEY_LEN + 1] = "";
    struct slice blob;
    if (!groups_make(l->set) || !key_of(l->set, p, key)) return load_fail(l, NULL, "out of memory");
    if (l->source->cache.get && l->source->cache.get(l->source->cache.ctx, key, &blob)) {
        f->cached = restore(f, blob);
        l->source->cache.release(l->source->cache.ctx, blob);
        if (f->cached) return 0;
        drop_databases(f);
    }
    bool whole = true;
    for (uint32_t g = 0; g < f->n_groups; g++) {
        uint32_t before = f->group[g].n;
        int rc = compile(l, &f->group[g], p);
        if (rc) return rc;
        whole = whole && f->group[g].n == before;
    }
    if (whole) save(l, key);
    return 0;
}

int first_make(struct load *l) {
    struct rules_set *set = l->set;
    struct first *f = calloc(1, sizeof *f);
    struct arena arena = arena_make(256 << 20);
    struct patterns p = {.arena = &arena};
    if (!f) return load_fail(l, NULL, "out of memory");
    if (!hs_load()) return free(f), load_fail(l, NULL, HS_LIBRARY " cannot be loaded");
    set->first = f;
    f->n = set->n_sensitive;
    f->check = calloc(f->n + 1, sizeof *f->check);
    bool trusted = !engine_misses();
    if (!trusted)
        load_note(l,
                  "Hyperscan %s misses matches on this processor and is not used: rules run correctly, but slowly; "
                  "install libhyperscan5",
                  hs.version());
    int rc = f->check ? 0 : load_fail(l, NULL, "out of memory");
    for (uint32_t i = 0; !rc && i < f->n; i++) check_make(&f->check[i], set->sensitive[i].link, trusted);
    if (!rc) rc = databases(l, &p);
    for (uint32_t g = 0; !rc && g < f->n_groups; g++)
        if (f->group[g].db && hs.alloc_scratch(f->group[g].db, &f->scratch) != HS_SUCCESS)
            rc = load_fail(l, NULL, "out of memory");
    free(p.expression);
    free(p.flags);
    free(p.ids);
    arena_free(&arena);
    return rc;
}

void first_free(struct first *f) {
    if (!f) return;
    drop_databases(f);
    hs.free_scratch(f->scratch);
    free(f->check);
    free(f->group);
    free(f);
}

bool first_scratch(struct rules_tx *tx) {
    const struct rules_set *set = tx->set;
    if (!set->first) return true;
    struct first_state *s = tx->first = calloc(1, sizeof *s);
    if (!s) return false;
    s->made = calloc((size_t)set->n_chains * TEXTS, sizeof(struct made *));
    s->candidate = calloc(set->first->n + 1, 1);
    s->from = calloc(set->first->n + 1, sizeof *s->from);
    if (set->first->scratch && hs.clone_scratch(set->first->scratch, &s->scratch) != HS_SUCCESS) return false;
    return s->made && s->candidate && s->from;
}

void first_scratch_free(struct rules_tx *tx) {
    struct first_state *s = tx->first;
    if (!s) return;
    hs.free_scratch(s->scratch);
    free(s->made);
    free(s->candidate);
    free(s->from);
    free(s);
}

/* ---- for people ---- */

void first_explain(const struct rules_set *set, const struct rule *rule, struct writer *w) {
    static const char *const texts[TEXTS] = {"arguments and topic", "body", "fields"};
    const struct first *f = set->first;
    for (uint32_t i = 0; f && i < f->n; i++) {
        const struct check *c = &f->check[i];
        if (set->sensitive[i].head != rule) continue;
        wr_s(w, "compiled: first pass, ");
        if (c->how == HOW_PATTERN) wr_s(w, "a pattern over");
        else if (c->how == HOW_BYTES) wr_s(w, "the bytes it needs, in");
        else wr_s(w, "nothing to look for, the rule itself is asked");
        for (uint8_t t = 0; c->how != HOW_ASK && t < TEXTS; t++)
            if (c->texts >> t & 1) wr_f(w, " %s%s", texts[t], c->texts >> (t + 1) ? "," : "");
        wr_c(w, '\n');
        return;
    }
}
