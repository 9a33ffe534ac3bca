/* SPDX-License-Identifier: Apache-2.0 */
/* The first pass on a packet; first.c says how it works. */
#include "guard/rules/first_in.h"

static bool in_text(const struct rules_tx *tx, const struct input *in, uint8_t text) {
    return text_of_var(in->var) == text && !in->clean && (!in->named_only || tx->set->names_payload);
}

static struct made *made_new(struct rules_tx *tx, uint32_t values, size_t room) {
    struct made *m = tx_room(tx, sizeof *m + values * sizeof *m->end + room);
    if (!m) return NULL;
    *m = (struct made){.end = (uint32_t *)(m + 1), .values = values};
    m->p = (uint8_t *)(m->end + values);
    return m;
}

/* text_make lays the values of one text end to end; NULL where there are none. */
static struct made *text_make(struct rules_tx *tx, uint8_t text) {
    size_t n = 0;
    uint32_t values = 0, k = 0;
    struct bytes_table seen = {0};
    for (uint32_t i = 1; i <= tx->n_in; i++)
        if (in_text(tx, &tx->in[i], text)) n += tx->in[i].value.n + 1, values++;
    struct made *m = values ? made_new(tx, values, n) : NULL;
    uint32_t *input = tx->first->input[text] = values ? tx_room(tx, values * sizeof *input) : NULL;
    if (!m || !input) return NULL;
    uint8_t *d = m->p;
    for (uint32_t i = 1; i <= tx->n_in; i++) {
        struct slice v = tx->in[i].value;
        if (!in_text(tx, &tx->in[i], text)) continue;
        if (v.n) memcpy(d, v.p, v.n);
        bytes_note(&seen, v);
        d += v.n;
        input[k] = i;
        m->end[k++] = (uint32_t)(d - m->p);
        *d++ = '\n';
    }
    bytes_noted(&seen, m->seen);
    m->n = (size_t)(d - m->p);
    return m;
}

/* text_lower is text_change for lowercase, all values at once. */
static struct made *text_lower(struct rules_tx *tx, const struct made *from) {
    struct made *m = made_new(tx, from->values, from->n);
    if (!m) return NULL;
    memcpy(m->end, from->end, from->values * sizeof *m->end);
    m->n = tfn_run(T_LOWERCASE, NULL, slice_of(from->p, from->n), m->p);
    /* Capital letters are bits 1 to 26 of the second word, small ones 33 to 58. */
    const uint64_t capitals = 0x7fffffe;
    memcpy(m->seen, from->seen, sizeof m->seen);
    m->seen[1] = (m->seen[1] & ~capitals) | (m->seen[1] & capitals) << 32;
    return m;
}

/* text_change applies one transformation to every value. */
static struct made *text_change(struct rules_tx *tx, struct made *from, uint8_t tfn) {
    size_t room = 0;
    struct bytes_table seen = {0};
    for (uint32_t k = 0, at = 0; k < from->values; at = from->end[k++] + 1)
        room += tfn_room(tfn, from->end[k] - at) + 1;
    struct made *m = made_new(tx, from->values, room);
    if (!m) return NULL;
    uint8_t *d = m->p;
    for (uint32_t k = 0, at = 0; k < from->values; at = from->end[k++] + 1) {
        size_t n = tfn_run(tfn, tx->set->unicode_map, slice_of(from->p + at, from->end[k] - at), d);
        bytes_note(&seen, slice_of(d, n));
        d += n;
        m->end[k] = (uint32_t)(d - m->p);
        *d++ = '\n';
    }
    bytes_noted(&seen, m->seen);
    m->n = (size_t)(d - m->p);
    return m->n == from->n && !memcmp(m->p, from->p, m->n) ? from : m;
}

/* text_after gives what a transformation makes of a text, once for all chains that come by. */
static struct made *text_after(struct rules_tx *tx, struct made *from, uint8_t tfn) {
    if (tfn_idle(tfn, from->seen)) return from;
    for (const struct kid *k = from->kids; k; k = k->next)
        if (k->tfn == tfn) return k->made;
    struct kid *k = tx_room(tx, sizeof *k);
    if (!k) return NULL;
    *k = (struct kid){from->kids, tfn == T_LOWERCASE ? text_lower(tx, from) : text_change(tx, from, tfn), tfn};
    from->kids = k;
    return k->made;
}

static struct made *text_chain(struct rules_tx *tx, uint8_t text, uint16_t chain) {
    struct made **at = &tx->first->made[(size_t)text * tx->set->n_chains + chain];
    if (*at || !chain) return *at;
    const struct chain *c = &tx->set->chains[chain];
    struct made *from = text_chain(tx, text, c->parent);
    return *at = from ? text_after(tx, from, c->tfn) : NULL;
}

bool first_same(const struct rules_tx *tx, uint8_t var, uint16_t chain) {
    uint8_t text = text_of_var(var);
    if (!tx->texts_made || text == TEXTS) return false;
    struct made *const *made = &tx->first->made[(size_t)text * tx->set->n_chains];
    return made[0] && made[chain] == made[0];
}

/* input_at gives the input whose value holds the byte before `to`. Nothing before it has matched: matches are reported
 * in the order of their ends. */
static uint32_t input_at(const struct rules_tx *tx, unsigned long long to) {
    const struct made *m = tx->first->scanned;
    uint32_t lo = 0, hi = m->values;
    while (lo < hi) {
        uint32_t mid = (lo + hi) / 2;
        if (m->end[mid] < to) lo = mid + 1;
        else hi = mid;
    }
    /* A match may end behind the separator of the value it began in. */
    lo -= lo > 0;
    return lo < m->values ? tx->first->input[tx->first->text][lo] : 0;
}

static int on_match(unsigned id, unsigned long long from, unsigned long long to, unsigned flags, void *ctx) {
    struct rules_tx *tx = ctx;
    struct first_state *s = tx->first;
    (void)from, (void)flags;
    /* A family's database holds rules of other chains, too: those are not asked by this text. */
    const struct rule *r = tx->set->sensitive[id].link;
    bool asked = false;
    for (uint8_t k = r->a.multimatch ? 0 : (uint8_t)(r->n_steps - 1); k < r->n_steps; k++)
        asked = asked || s->made[(size_t)s->text * tx->set->n_chains + r->steps[k]] == s->scanned;
    if (!asked) return 0;
    uint32_t input = input_at(tx, to);
    if (!s->candidate[id] || input < s->from[id]) s->from[id] = input;
    s->candidate[id] = 1;
    return 0;
}

static void separate(struct made *m, uint8_t c) {
    for (uint32_t k = 0; k < m->values; k++) m->p[m->end[k]] = c;
}

static bool scan(struct rules_tx *tx, const struct group *g, struct made *m) {
    if (g->special && !((m->seen[0] & g->need[0]) | (m->seen[1] & g->need[1]) | (m->seen[2] & g->need[2]) |
                        (m->seen[3] & g->need[3])))
        return true;
    tx->first->scanned = m;
    tx->first->text = g->text;
    if (!g->lines) separate(m, 0xff);
    bool ok = hs.scan(g->db, (const char *)m->p, (unsigned)m->n, 0, tx->first->scratch, on_match, tx) == HS_SUCCESS;
    if (!g->lines) separate(m, '\n');
    return ok;
}

/* pick says how one text is scanned: the family's database, where many chains left the text alone, or each chain's own.
 */
static bool scan_shared(struct rules_tx *tx, const struct group *all, const struct group *const *own,
                        struct made *const *made, uint32_t n, uint32_t at) {
    uint32_t expressions = 0;
    struct made *m = made[at];
    for (uint32_t k = 0; k < n; k++) {
        if (made[k] != m) continue;
        if (k < at) return true; /* scanned before */
        expressions += own[k]->n;
    }
    if (all && expressions * 2 > all->n) return scan(tx, all, m);
    for (uint32_t k = at; k < n; k++)
        if (made[k] == m && !scan(tx, own[k], m)) return false;
    return true;
}

/* scan_class scans what the chains of one class of groups made of a text; false where something went wrong: everything
 * is a candidate then. */
static bool scan_class(struct rules_tx *tx, const struct group *g, uint32_t n_groups) {
    const struct group *all = NULL, *own[CLASS_MAX];
    struct made *made[CLASS_MAX];
    uint32_t n = 0;
    for (; n_groups; n_groups--, g++) {
        if (!g->db) continue;
        if (g->chain == UINT16_MAX) all = g;
        else if (!(made[n] = text_chain(tx, g->text, g->chain))) return false;
        else own[n++] = g;
    }
    for (uint32_t i = 0; i < n; i++)
        if (!scan_shared(tx, all, own, made, n, i)) return false;
    return true;
}

static bool bytes_candidate(struct rules_tx *tx, const struct check *c, const struct rule *r) {
    for (uint8_t t = 0; t < TEXTS; t++) {
        if (!(c->texts >> t & 1) || !tx->first->made[(size_t)t * tx->set->n_chains]) continue;
        for (uint8_t k = r->a.multimatch ? 0 : (uint8_t)(r->n_steps - 1); k < r->n_steps; k++) {
            const struct made *m = text_chain(tx, t, r->steps[k]);
            if (!m) return true;
            if (need_met(&c->need, m->seen)) return true;
        }
    }
    return false;
}

static bool has_texts(const struct rules_tx *tx, uint8_t texts) {
    for (uint8_t t = 0; t < TEXTS; t++)
        if (texts >> t & 1 && tx->first->made[(size_t)t * tx->set->n_chains]) return true;
    return false;
}

/* know_steady finds the inputs that were harmless before, know_more remembers those of a packet that was harmless as a
 * whole. */
static void know_steady(struct rules_tx *tx) {
    for (uint32_t i = 1; i <= tx->n_in; i++) {
        struct input *in = &tx->in[i];
        if (in->steady)
            (void)known_find(tx->known + KNOWNS, in->var, in->var == V_ARGS ? in->name : (struct slice){0}, in->value,
                             &in->clean);
    }
}

static void know_more(struct rules_tx *tx) {
    for (uint32_t i = 1; i <= tx->n_in; i++) {
        struct input *in = &tx->in[i];
        struct slice name = in->var == V_ARGS ? in->name : (struct slice){0};
        bool found;
        struct known *k =
            in->steady && !in->clean ? known_find(tx->known + KNOWNS, in->var, name, in->value, &found) : NULL;
        if (k && !found) k->n = (uint8_t)(name.n + in->value.n);
    }
}

static void candidates(struct rules_tx *tx) {
    const struct first *f = tx->set->first;
    struct first_state *s = tx->first;
    bool everything = false;
    memset(s->candidate, 0, f->n);
    memset(s->from, 0, f->n * sizeof *s->from);
    memset(s->made, 0, (size_t)tx->set->n_chains * TEXTS * sizeof *s->made);
    for (uint8_t t = 0; t < TEXTS; t++) {
        struct made *m = s->made[(size_t)t * tx->set->n_chains] = text_make(tx, t);
        for (uint32_t k = 0, n; m && k < f->n_groups; k += n) {
            n = f->group[k].class;
            if (f->group[k].text == t && !scan_class(tx, &f->group[k], n)) everything = true;
        }
    }
    tx->texts_made = true;
    if (tx->limited || everything) {
        memset(s->candidate, 1, f->n);
        memset(s->from, 0, f->n * sizeof *s->from);
    }
    for (uint32_t i = 0; i < f->n; i++) {
        const struct check *c = &f->check[i];
        if (c->how == HOW_ASK && !c->need.n) s->candidate[i] |= !c->input_only || has_texts(tx, c->texts);
        else if (c->how != HOW_PATTERN && !s->candidate[i])
            s->candidate[i] = bytes_candidate(tx, c, tx->set->sensitive[i].link);
    }
}

bool first_run(struct rules_tx *tx) {
    const struct rules_set *set = tx->set;
    const struct first *f = set->first;
    bool full = false;
    memset(tx->miss, 0, set->n_heads);
    know_steady(tx);
    candidates(tx);
    tx_clear(tx);
    memcpy(tx->tx, set->fixed, set->n_slots * sizeof *tx->tx);
    for (uint32_t i = 0; i < f->n; i++) {
        const struct sensitive *s = &set->sensitive[i];
        bool maybe = tx->first->candidate[i];
        if (maybe && !full) {
            maybe = set->confirm_full || eval_head(tx, s->link, (int32_t)tx->first->from[i], f->check[i].input_only);
            full = maybe;
        }
        if (!maybe && f->check[i].input_only && s->link == s->head) tx->miss[s->head->number] = 1;
    }
    if (!full && !tx->limited) know_more(tx);
    return full;
}
