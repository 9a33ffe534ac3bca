/* SPDX-License-Identifier: Apache-2.0 */
/* After the last file: SecRuleUpdate… and SecRuleRemove… are applied, transformations become shared chains, rules get
 * their places, and what can never match is marked. */
#include "guard/rules/load.h"

#include <stdlib.h>

static uint16_t load_chain(struct rules_set *set, uint16_t parent, uint8_t tfn) {
    for (uint16_t i = 1; i < set->n_chains; i++)
        if (set->chains[i].parent == parent && set->chains[i].tfn == tfn) return i;
    if (set->n_chains == set->cap_chains) {
        struct chain *grown =
            set->cap_chains < 32768 ? realloc(set->chains, 2u * set->cap_chains * sizeof *grown) : NULL;
        if (!grown) return UINT16_MAX;
        set->chains = grown;
        set->cap_chains = (uint16_t)(2 * set->cap_chains);
    }
    set->chains[set->n_chains] = (struct chain){parent, tfn, (uint8_t)(set->chains[parent].depth + 1)};
    return set->n_chains++;
}

static bool has_tag(const struct rule *r, struct slice name) {
    for (const struct tag *t = r->a.tags; t; t = t->next)
        if (slice_eq(t->text.text, name)) return true;
    return false;
}

static bool meant(const struct update *u, const struct rule *r) {
    switch (u->kind) {
    case UPDATE_TARGET_TAG:
    case REMOVE_TAG: return has_tag(r, u->name);
    case UPDATE_TARGET_MSG:
    case REMOVE_MSG: return r->a.has_msg && slice_eq(r->a.msg.text, u->name);
    }
    return r->a.id >= u->lo && r->a.id <= u->hi;
}

static int add_targets(struct load *l, struct rule *r, const struct var_ref *vars) {
    for (; vars; vars = vars->next) {
        struct var_ref *copy = arena_get(&l->set->arena, sizeof *copy);
        if (!copy) return load_fail(l, NULL, "out of memory");
        *copy = *vars;
        copy->next = r->vars;
        r->vars = copy;
    }
    return 0;
}

#define APPEND(list, more)                                                                                             \
    do {                                                                                                               \
        __auto_type end = &(list);                                                                                     \
        while (*end) end = &(*end)->next;                                                                              \
        *end = (more);                                                                                                 \
    } while (0)

/* Lists of an update are shared by the rules it means, so they are put behind a rule's own only once per rule. */
static int copy_acts(struct load *l, struct rule *r, const struct acts_of *a) {
    for (const struct setvar *s = a->sets; s; s = s->next) {
        struct setvar *copy = arena_get(&l->set->arena, sizeof *copy);
        if (!copy) return load_fail(l, NULL, "out of memory");
        *copy = *s;
        copy->next = NULL;
        APPEND(r->a.sets, copy);
    }
    for (const struct act *s = a->acts; s; s = s->next) {
        struct act *copy = arena_get(&l->set->arena, sizeof *copy);
        if (!copy) return load_fail(l, NULL, "out of memory");
        *copy = *s;
        copy->next = NULL;
        APPEND(r->a.acts, copy);
    }
    for (const struct tag *s = a->tags; s; s = s->next) {
        struct tag *copy = arena_get(&l->set->arena, sizeof *copy);
        if (!copy) return load_fail(l, NULL, "out of memory");
        *copy = *s;
        copy->next = NULL;
        APPEND(r->a.tags, copy);
    }
    return 0;
}

static int update_actions(struct load *l, struct rule *r, const struct acts_of *a) {
    if (a->disrupt) r->a.disrupt = a->disrupt, r->a.block = false;
    if (a->block) r->a.block = true, r->a.disrupt = DIS_NONE;
    if (a->log >= 0) r->a.log = a->log;
    if (a->severity >= 0) r->a.severity = a->severity;
    if (a->has_msg) r->a.msg = a->msg, r->a.has_msg = true;
    if (a->has_logdata) r->a.logdata = a->logdata, r->a.has_logdata = true;
    if (a->none) r->a.none = true, r->a.n_tfns = 0;
    for (int i = 0; i < a->n_tfns && r->a.n_tfns < sizeof r->a.tfns; i++) r->a.tfns[r->a.n_tfns++] = a->tfns[i];
    r->a.capture |= a->capture;
    r->a.multimatch |= a->multimatch;
    return copy_acts(l, r, a);
}

static int apply(struct load *l, const struct update *u, struct rule *r) {
    switch (u->kind) {
    case UPDATE_TARGET_ID:
    case UPDATE_TARGET_TAG:
    case UPDATE_TARGET_MSG: return add_targets(l, r, u->vars);
    case UPDATE_ACTION: return update_actions(l, r, &u->acts);
    }
    r->removed = true;
    return 0;
}

static int apply_updates(struct load *l) {
    for (const struct update *u = l->updates; u; u = u->next) {
        for (struct rule *r = l->set->rules; r; r = r->next) {
            if (r->marker || !meant(u, r)) continue;
            int rc = apply(l, u, r);
            if (rc) return rc;
        }
    }
    return 0;
}

static int step(struct load *l, struct rule *r, uint8_t tfn) {
    uint16_t chain = load_chain(l->set, r->chain, tfn);
    if (chain == UINT16_MAX) return load_fail(l, NULL, "too many different transformations");
    r->chain = chain;
    if (r->n_steps < sizeof r->steps / sizeof r->steps[0]) r->steps[r->n_steps++] = chain;
    return 0;
}

static int make_chain(struct load *l, struct rule *r) {
    const struct acts_of *d = &l->set->defaults[r->a.phase];
    r->steps[r->n_steps++] = 0;
    for (int i = 0; !r->a.none && i < d->n_tfns; i++) {
        int rc = step(l, r, d->tfns[i]);
        if (rc) return rc;
    }
    for (int i = 0; i < r->a.n_tfns; i++) {
        int rc = step(l, r, r->a.tfns[i]);
        if (rc) return rc;
    }
    return 0;
}

/* A link that looks at absent variables only, or whose operator cannot match here, never matches. */
static bool dead(const struct rule *r) {
    bool any = r->unconditional;
    for (const struct var_ref *v = r->vars; v; v = v->next)
        any = any || (!v->not &&rules_vars[v->var].from != FROM_ABSENT);
    return !any || r->op.never;
}

static int by_id(const void *a, const void *b) {
    const struct rule *x = *(struct rule *const *)a, *y = *(struct rule *const *)b;
    return x->a.id < y->a.id ? -1 : x->a.id > y->a.id;
}

static int check_ids(struct load *l) {
    uint32_t n = 0;
    struct rule **all = malloc((l->set->n_rules + 1) * sizeof *all);
    if (!all) return load_fail(l, NULL, "out of memory");
    for (struct rule *r = l->set->rules; r; r = r->next)
        if (!r->marker) all[n++] = r;
    qsort(all, n, sizeof *all, by_id);
    int rc = 0;
    for (uint32_t i = 1; i < n && !rc; i++) {
        if (all[i]->a.id != all[i - 1]->a.id) continue;
        struct rule *first = all[i - 1], *second = all[i];
        for (struct rule *r = l->set->rules; r; r = r->next)
            if (r == first) break;
            else if (r == second) second = first, first = r;
        l->file = second->file;
        l->line = second->line;
        rc = load_fail(l, NULL, "rule id %u is taken, see %s:%u", second->a.id, first->file, first->line);
    }
    free(all);
    return rc;
}

static int place_rules(struct load *l) {
    struct rules_set *set = l->set;
    uint32_t room = 1;
    for (struct rule *r = set->rules; r; r = r->next) room++;
    for (int p = 1; p <= 5; p++)
        if (!(set->phase[p] = malloc(room * sizeof(struct rule *)))) return load_fail(l, NULL, "out of memory");
    for (struct rule *r = set->rules; r; r = r->next) {
        if (r->removed) continue;
        if (!r->marker) r->number = set->n_heads++;
        for (uint8_t p = r->marker ? 1 : r->a.phase; p <= (r->marker ? 5 : r->a.phase); p++) {
            r->place = set->n_phase[p];
            set->phase[p][set->n_phase[p]++] = r;
        }
    }
    return 0;
}

int load_finish(struct load *l) {
    if (l->open) {
        l->file = l->open->head->file;
        l->line = l->open->head->line;
        return load_fail(l, NULL, "the chain that begins here has no last rule");
    }
    int rc = apply_updates(l);
    if (!rc) rc = check_ids(l);
    for (struct rule *r = l->set->rules; !rc && r; r = r->next)
        for (struct rule *k = r; !rc && k && !r->marker; k = k->child) {
            k->a.phase = r->a.phase;
            rc = make_chain(l, k);
            if (dead(k)) r->never = true;
        }
    if (!rc) rc = place_rules(l);
    return rc ? rc : plan_make(l);
}

size_t rules_count(const struct rules_set *set, size_t *live) {
    *live = 0;
    for (const struct rule *r = set->rules; r; r = r->next)
        for (const struct rule *k = r; k && !r->marker; k = k->child)
            *live += !r->never && !r->removed && (r->a.phase == 1 || r->a.phase == 2 || r->a.phase == 5);
    return set->n_rules;
}

void rules_wanted(const struct rules_set *set, struct want *want) {
    if (set->wants_fields) want_union(want, &set->wanted);
}
