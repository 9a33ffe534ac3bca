/* SPDX-License-Identifier: Apache-2.0 */
/* The evaluator: rules in their order, phase by phase, and the verdict.
 *
 * A packet first goes through the first pass (first.c). Where it marks no rule, and the rules that do not depend on the
 * packet were run once at load time (plan.c), the verdict is known. Otherwise everything is evaluated here, in order
 * and with all effects; rules the first pass has ruled out are stepped over. So the first pass may only ever be too
 * careful. */
#include "guard/rules/tx.h"

#include <stdio.h>
#include <stdlib.h>

bool eval_removed(const struct rules_tx *tx, const struct rule *rule) {
    for (uint32_t i = 0; i < tx->n_removals; i++) {
        const struct removal *m = &tx->removals[i];
        if (m->kind == ACT_REMOVE_ID && rule->a.id >= m->lo && rule->a.id <= m->hi) return true;
        if (m->kind == ACT_REMOVE_MSG && rule->a.has_msg && slice_eq(rule->a.msg.text, m->name)) return true;
        for (const struct tag *t = m->kind == ACT_REMOVE_TAG ? rule->a.tags : NULL; t; t = t->next)
            if (slice_eq(t->text.text, m->name)) return true;
    }
    return false;
}

static bool logs(const struct rules_tx *tx, const struct rule *rule) {
    return (rule->a.log >= 0 ? rule->a.log : tx->set->defaults[rule->a.phase].log) != 0;
}

/* eval_log notes a rule in the verdict. */
static void eval_log(struct rules_tx *tx, const struct rule *rule) {
    struct rules_verdict *v = tx->out;
    if (!v || !rule->a.id) return;
    for (size_t i = 0; i < v->n_ids; i++)
        if (v->ids[i] == rule->a.id) return;
    if (v->n_ids == RULES_IDS_MAX) return;
    /* What is told about the packet is the first finding, not the sum that decided. */
    bool input = tx->has_last && tx->last.var != V_TX;
    if (!v->n_ids || (!v->matched_value.p && input)) {
        if (rule->a.has_msg) v->msg = tx_macro(tx, &rule->a.msg);
        if (input) {
            v->matched_name = tx->last.name.n ? tx->last.name : slice_str(rules_vars[tx->last.var].name);
            v->matched_value = tx->last.value;
        }
    }
    v->ids[v->n_ids++] = rule->a.id;
}

void eval_logged(struct rules_tx *tx, const struct rule *rule) {
    if (!rule->a.multimatch && logs(tx, rule)) eval_log(tx, rule);
}

static void matched(struct rules_tx *tx, const struct target *t, struct slice value) {
    tx->last = (struct target){t->name, value, t->var, -1};
    tx->has_last = true;
    if (tx->n_matched < MATCHED_MAX) tx->matched[tx->n_matched++] = tx->last;
}

/* try_target runs the operator on one value, with multiMatch after every transformation that changed it. */
static bool try_target(struct rules_tx *tx, const struct rule *rule, struct target t) {
    bool any = false;
    struct slice before = {0};
    for (uint8_t i = rule->a.multimatch ? 0 : (uint8_t)(rule->n_steps - 1); i < rule->n_steps; i++) {
        struct slice value = tx_chain(tx, &t, rule->steps[i]);
        if (before.p && slice_eq(before, value)) continue;
        before = value;
        if (!op_run(tx, rule, &rule->op, value)) continue;
        any = true;
        matched(tx, &t, value);
        act_setvars(tx, rule);
        if (rule->a.multimatch && rule == rule->head) eval_log(tx, rule);
    }
    return any;
}

bool eval_targets(struct rules_tx *tx, const struct rule *rule) {
    bool any = false;
    tx->now_rule = rule;
    tx_targets(tx, rule);
    for (uint32_t i = 0; i < tx->n_targets && !tx_late(tx); i++) any |= try_target(tx, rule, tx->targets[i]);
    if (!any) {
        tx->n_matched = 0;
        tx->has_last = false;
    }
    return any;
}

bool eval_head(struct rules_tx *tx, const struct rule *rule, int32_t from, bool inputs) {
    tx->now_rule = rule;
    tx_targets(tx, rule);
    for (uint32_t i = 0; i < tx->n_targets; i++) {
        struct target t = tx->targets[i];
        if (tx_late(tx)) return true;
        if (t.input > 0 && (t.input < from || (inputs && tx->in[t.input].clean))) continue;
        for (uint8_t k = rule->a.multimatch ? 0 : (uint8_t)(rule->n_steps - 1); k < rule->n_steps; k++)
            if (op_run(tx, NULL, &rule->op, tx_chain(tx, &t, rule->steps[k]))) return true;
    }
    return false;
}

/* eval_rule runs a rule with its chain: true where it matched. */
static bool eval_rule(struct rules_tx *tx, const struct rule *rule) {
    if (rule->unconditional) act_setvars(tx, rule);
    else if (!eval_targets(tx, rule)) return false;
    if (rule->child && !eval_rule(tx, rule->child)) return false;
    act_after(tx, rule);
    if (rule == rule->head) eval_logged(tx, rule);
    return true;
}

/* eval_phase runs the rules of a phase in order. */
static void eval_phase(struct rules_tx *tx, int phase) {
    const struct rules_set *set = tx->set;
    if (tx->allow == ALLOW_ALL && phase != 5) return;
    if (tx->allow == ALLOW_REQUEST && phase <= 2) return;
    tx->allow = ALLOW_NONE;
    for (uint32_t i = 0; i < set->n_phase[phase] && !tx->stop && !tx->late && tx->engine != ENGINE_OFF; i++) {
        const struct rule *r = set->phase[phase][i];
        if (r->marker) {
            if (tx->marker.p && slice_eq(tx->marker, r->marker_name)) tx->marker = (struct slice){0};
        } else if (tx->marker.p) {
            continue;
        } else if (tx->skip) {
            tx->skip--;
        } else if (tx->allow != ALLOW_NONE) {
            break;
        } else if (!r->never && !tx->miss[r->number] && !(tx->n_removals && eval_removed(tx, r))) {
            eval_rule(tx, r);
        }
    }
}

static int tx_int(struct rules_tx *tx, const char *name) {
    struct slice v = {0};
    struct var_ref ref = {.var = V_TX, .select = SEL_KEY, .slot = -1, .key = {.text = slice_str(name)}};
    return tx_get(tx, &ref, &v) ? (int)s_number(v) : 0;
}

static int by_number(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

void eval_sum(struct rules_tx *tx, struct rules_verdict *v) {
    char name[32];
    v->score = tx_int(tx, "anomaly_score");
    for (int i = 0; i < 4; i++) {
        snprintf(name, sizeof name, "anomaly_score_pl%d", i + 1);
        v->score_pl[i] = tx_int(tx, name);
    }
    qsort(v->ids, v->n_ids, sizeof v->ids[0], by_number);
}

/* logging runs phase 5, whose findings are not part of the verdict. */
static void logging(struct rules_tx *tx) {
    tx->stop = false;
    tx->out = NULL;
    tx->marker = (struct slice){0};
    tx->skip = 0;
    eval_phase(tx, 5);
}

static void verdict_start(struct rules_verdict *v) {
    v->action = RULES_PASS;
    v->by = 0;
    v->n_ids = 0;
    v->limited = v->first_pass = false;
    v->score = 0;
    memset(v->score_pl, 0, sizeof v->score_pl);
    v->msg = v->matched_name = v->matched_value = (struct slice){0};
}

/* verdict_fixed is the verdict on a packet no rule matched that looks at it. */
static void verdict_fixed(struct rules_tx *tx, struct rules_verdict *v) {
    const struct rules_verdict *f = tx->set->fixed_verdict;
    v->first_pass = true;
    v->limited = tx->limited;
    v->n_ids = f->n_ids;
    if (f->n_ids) memcpy(v->ids, f->ids, f->n_ids * sizeof v->ids[0]);
    v->msg = f->msg;
    v->score = f->score;
    memcpy(v->score_pl, f->score_pl, sizeof v->score_pl);
}

void rules_tx_judge(struct rules_tx *tx, struct rules_verdict *v) {
    verdict_start(v);
    tx->out = v;
    if (tx->set->engine == ENGINE_OFF) return;
    if (tx->set->clock) tx_time(tx);
    const struct limits *most = &tx->set->limits;
    if (most->body && most->body_reject && tx->body.n > most->body) tx->limited = true;
    if (tx->set->first && !first_run(tx)) {
        verdict_fixed(tx, v);
        return;
    }
    tx_clear(tx);
    eval_phase(tx, 1);
    if (!tx->stop) eval_phase(tx, 2);
    eval_sum(tx, v);
    logging(tx);
    v->limited = tx->limited;
}

const char *rules_action_name(enum rules_action action) {
    static const char *const names[] = {
        [RULES_PASS] = "allow", [RULES_BLOCK] = "block", [RULES_DROP] = "drop", [RULES_WOULD_BLOCK] = "would_block"};
    return names[action];
}
