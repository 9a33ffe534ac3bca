/* SPDX-License-Identifier: Apache-2.0 */
/* What can be known about a rule set before any packet: most of a large set does not depend on the packet at all.
 *
 * The phases are walked once in a dry run, in the world where no rule that looks at the packet matches. Rules whose
 * targets and parameters are fixed (TX variables that only fixed rules have set, SecAction) are evaluated for good,
 * with their jumps: at paranoia level 1 the rules of the levels above are never reached. Rules that look at the packet
 * are *sensitive*: they are written down and taken not to match. What remains after the walk is the verdict on every
 * packet for which no sensitive rule matches, and the list of rules that the first pass has to rule out for it.
 *
 * A TX variable whose value came from the packet is *tainted*: rules that read it are sensitive. Where a fixed rule
 * changes something outside of the packet (a persistent collection), or refuses, or a sensitive rule reads a variable
 * that changes later, there is no short way and every packet is evaluated in full (`always_full`). */
#include "guard/rules/load.h"
#include "guard/rules/tx.h"

#include <stdlib.h>

struct plan {
    struct load *l;
    struct rules_set *set;
    struct rules_tx *tx;
    uint32_t cap;
};

/* tx_fixed: a choice of TX variables is fixed while none of them is tainted. */
static bool tx_fixed(const struct plan *p, const struct var_ref *v) {
    if (v->select == SEL_KEY) return v->slot >= 0 && !p->tx->tainted[v->slot];
    for (uint32_t i = 0; i < p->set->n_slots; i++)
        if (p->tx->tainted[i] && var_ref_same(p->tx, v, V_TX, p->set->slots[i])) return false;
    return true;
}

static bool var_fixed(const struct plan *p, const struct var_ref *v) {
    switch (v->var) {
    case V_TX: return tx_fixed(p, v);
    case V_MODSEC_BUILD:
    case V_WEBAPPID: return true;
    }
    return rules_vars[v->var].from == FROM_ABSENT;
}

static bool macro_fixed(const struct plan *p, const struct macro *m) {
    for (const struct macro_part *k = m->first; m->expands && k; k = k->next)
        if (k->var && !var_fixed(p, k->var)) return false;
    return true;
}

static bool link_fixed(const struct plan *p, const struct rule *r) {
    for (const struct var_ref *v = r->vars; v; v = v->next)
        if (!v->not &&!var_fixed(p, v)) return false;
    return macro_fixed(p, &r->op.param);
}

/* reads marks the TX variables a sensitive link looks at. Where one of them is tainted, or is set later on, its value
 * at the end of the walk is not what the link will see: no short way. */
static void read_var(struct plan *p, const struct var_ref *v) {
    if (v->var != V_TX || v->not ) return;
    if (v->slot < 0 || p->tx->tainted[v->slot]) p->tx->effects = true;
    else p->tx->read[v->slot] = 1;
}

static void reads(struct plan *p, const struct rule *r) {
    for (const struct var_ref *v = r->vars; v; v = v->next) read_var(p, v);
    for (const struct macro_part *k = r->op.param.first; r->op.param.expands && k; k = k->next)
        if (k->var) read_var(p, k->var);
}

/* remember notes a sensitive rule by the link of its chain that looks at the packet. */
static bool remember(struct plan *p, struct rule *head, struct rule *link) {
    struct rules_set *set = p->set;
    if (set->n_sensitive == p->cap) {
        uint32_t cap = p->cap ? p->cap * 2 : 64;
        struct sensitive *grown = realloc(set->sensitive, cap * sizeof *grown);
        if (!grown) return false;
        set->sensitive = grown;
        p->cap = cap;
    }
    set->sensitive[set->n_sensitive++] = (struct sensitive){head, link};
    head->life = LIFE_SENSITIVE;
    reads(p, link);
    /* A rule that does not match forgets what matched before it. */
    p->tx->n_matched = 0;
    p->tx->has_last = false;
    return true;
}

static bool reaches_out(const struct rule *r) {
    for (; r; r = r->child) {
        for (const struct setvar *s = r->a.sets; s; s = s->next)
            if (s->var->var != V_TX) return true;
        for (const struct act *a = r->a.acts; a; a = a->next)
            if (a->kind == ACT_EXPIRE) return true;
    }
    return false;
}

static void finish_match(struct plan *p, struct rule *link, struct rule *last) {
    if (link != last) finish_match(p, link->child, last);
    act_after(p->tx, link);
}

/* walk_rule evaluates as much of a chain as is fixed. */
static bool walk_rule(struct plan *p, struct rule *head, int phase) {
    head->life = LIFE_FIXED;
    if (head->never) return head->life = LIFE_DEAD, true;
    if (eval_removed(p->tx, head)) return true;
    for (struct rule *k = head; k; k = k->child) {
        if (k->unconditional) {
            act_setvars(p->tx, k);
        } else if (!link_fixed(p, k)) {
            /* Findings of phase 5 are not part of a verdict; only what they leave behind matters. */
            return phase == 5 && !reaches_out(head) ? true : remember(p, head, k);
        } else if (!eval_targets(p->tx, k)) {
            return true;
        }
        if (k->child) continue;
        finish_match(p, head, k);
        eval_logged(p->tx, head);
    }
    return true;
}

static bool walk_phase(struct plan *p, int phase) {
    struct rules_tx *tx = p->tx;
    for (uint32_t i = 0; i < p->set->n_phase[phase] && !tx->stop; i++) {
        struct rule *r = p->set->phase[phase][i];
        if (r->marker) {
            if (tx->marker.p && slice_eq(tx->marker, r->marker_name)) tx->marker = (struct slice){0};
        } else if (tx->marker.p) {
            r->life = LIFE_FIXED;
        } else if (tx->skip) {
            tx->skip--;
            r->life = LIFE_FIXED;
        } else if (!walk_rule(p, r, phase)) {
            return false;
        }
    }
    return true;
}

static bool keep_fixed(struct plan *p) {
    struct rules_set *set = p->set;
    set->fixed = calloc(set->n_slots + 1, sizeof *set->fixed);
    set->fixed_verdict = arena_get(&set->arena, sizeof *set->fixed_verdict);
    if (!set->fixed || !set->fixed_verdict) return false;
    for (uint32_t i = 0; i < set->n_slots; i++) {
        if (!p->tx->tx[i].set) continue;
        set->fixed[i].set = true;
        set->fixed[i].v = p->tx->tx[i].v.n ? arena_copy(&set->arena, p->tx->tx[i].v) : SLICE("");
    }
    eval_sum(p->tx, p->tx->out);
    *set->fixed_verdict = *p->tx->out;
    set->fixed_verdict->msg = arena_copy(&set->arena, p->tx->out->msg);
    set->fixed_verdict->matched_name = set->fixed_verdict->matched_value = (struct slice){0};
    set->fixed_verdict->first_pass = true;
    return true;
}

static bool walk(struct plan *p) {
    struct rules_set *set = p->set;
    struct rules_tx *tx = p->tx;
    if (!walk_phase(p, 1) || !walk_phase(p, 2)) return false;
    bool decided = tx->stop || tx->out->action != RULES_PASS || tx->allow != ALLOW_NONE || tx->engine != set->engine;
    if (!keep_fixed(p)) return false;
    tx->stop = false;
    tx->marker = (struct slice){0};
    tx->skip = 0;
    if (!walk_phase(p, 5)) return false;
    set->always_full = decided || tx->effects || tx->n_dyn;
    set->confirm_full = tx->n_removals > 0;
    return true;
}

int plan_make(struct load *l) {
    struct rules_verdict *verdict = calloc(1, sizeof *verdict);
    struct plan p = {.l = l, .set = l->set, .tx = rules_tx_make(l->set, NULL)};
    bool ok = verdict && p.tx;
    if (ok && !l->source->no_first_pass) {
        p.tx->dry = true;
        p.tx->out = verdict;
        ok = walk(&p);
    }
    rules_tx_free(p.tx);
    free(verdict);
    if (!ok) return load_fail(l, NULL, "out of memory");
    if (l->source->no_first_pass || l->set->always_full || l->set->engine == ENGINE_OFF) return 0;
    return first_make(l);
}
