/* SPDX-License-Identifier: Apache-2.0 */
/* What a matching rule does: setvar for every match; the other actions once its chain has matched. */
#include "guard/rules/tx.h"

#include <stdio.h>

static int64_t int_of(struct slice s) {
    int64_t v = s_number(s);
    return v < INT32_MIN || v > INT32_MAX ? 0 : v;
}

static struct slice changed(struct rules_tx *tx, const struct setvar *s) {
    struct slice text = tx_macro(tx, &s->value), have = {0};
    char number[24];
    if (s->how == SET_TO) return text.n ? text : SLICE("");
    int64_t by = int_of(text), was = tx_get(tx, s->var, &have) ? int_of(have) : 0;
    int n = snprintf(number, sizeof number, "%lld", (long long)(s->how == SET_ADD ? was + by : was - by));
    return tx_keep(tx, slice_of(number, (size_t)n));
}

static struct slice kept_key(struct rules_tx *tx, int c) {
    static const uint8_t vars[RULES_COLLECTIONS] = {
        [RULES_IP] = V_REMOTE_ADDR, [RULES_SESSION] = V_SESSIONID, [RULES_USER] = V_REMOTE_USER};
    if (tx->keys[c].n) return slice_head(tx->keys[c], RULES_NAME_MAX);
    uint32_t in = vars[c] ? tx->first_of[vars[c]] : 0;
    return in && tx->in[in].value.n ? slice_head(tx->in[in].value, RULES_NAME_MAX) : SLICE("global");
}

static void kept_set(struct rules_tx *tx, const struct setvar *s, struct slice name, struct slice value) {
    int c = tx_collection(s->var->var);
    tx->effects = true;
    if (!tx->store || c < 0 || tx->dry) return;
    int64_t now = tx->now / 1000000000;
    struct slice key = kept_key(tx, c);
    name = slice_head(name, RULES_NAME_MAX);
    if (s->how == SET_DROP) tx->store->drop(tx->store->ctx, (enum rules_collection)c, key, name);
    else
        tx->store->set(tx->store->ctx, (enum rules_collection)c, key, name, slice_head(value, RULES_VALUE_MAX), now,
                       now + tx->set->limits.ttl);
}

/* tainted: does the value depend on the packet? Only asked in the dry run. */
static bool tainted(const struct rules_tx *tx, const struct macro *m) {
    for (const struct macro_part *p = m->first; p && m->expands; p = p->next) {
        if (!p->var) continue;
        if (p->var->var != V_TX || p->var->slot < 0 || tx->tainted[p->var->slot]) return true;
    }
    return false;
}

void act_setvars(struct rules_tx *tx, const struct rule *rule) {
    tx->now_rule = rule;
    for (const struct setvar *s = rule->a.sets; s; s = s->next) {
        struct slice name = s->var->key.expands ? tx_macro(tx, &s->var->key) : s->var->key.text;
        struct slice value = s->how == SET_DROP ? (struct slice){0} : changed(tx, s);
        if (s->var->var == V_TX) tx_set(tx, s->var->slot, name, value);
        else kept_set(tx, s, name, value);
        if (!tx->dry || s->var->var != V_TX) continue;
        if (s->var->slot < 0) {
            tx->effects = true; /* a name that depends on the packet: nothing is fixed any more */
            continue;
        }
        if (tainted(tx, &s->value)) tx->tainted[s->var->slot] = 1;
        else if (s->how == SET_TO) tx->tainted[s->var->slot] = 0;
        if (tx->read[s->var->slot]) tx->effects = true;
    }
}

static void expire(struct rules_tx *tx, const struct act *a) {
    int c = tx_collection(a->var->var);
    tx->effects = tx->effects || c >= 0;
    if (!tx->store || c < 0 || tx->dry) return;
    struct slice name = a->var->key.expands ? tx_macro(tx, &a->var->key) : a->var->key.text;
    tx->store->expire(tx->store->ctx, (enum rules_collection)c, kept_key(tx, c), slice_head(name, RULES_NAME_MAX),
                      tx->now / 1000000000 + int_of(tx_macro(tx, &a->value)));
}

static void remove_later(struct rules_tx *tx, const struct act *a) {
    if (tx->n_removals == REMOVED_MAX) {
        tx->limited = true;
        return;
    }
    tx->removals[tx->n_removals++] = (struct removal){a->kind, a->lo, a->hi, a->name, a->var};
}

static void act_one(struct rules_tx *tx, const struct act *a) {
    switch ((enum act_kind)a->kind) {
    case ACT_ENGINE: tx->engine = (enum engine)a->what; break;
    case ACT_REMOVE_ID:
    case ACT_REMOVE_TAG:
    case ACT_REMOVE_MSG:
    case ACT_TARGET_ID:
    case ACT_TARGET_TAG:
    case ACT_TARGET_MSG: remove_later(tx, a); break;
    case ACT_SKIP: tx->skip = a->lo; break;
    case ACT_SKIP_AFTER: tx->marker = a->name; break;
    case ACT_EXPIRE: expire(tx, a); break;
    case ACT_INITCOL: tx->keys[a->what] = tx_macro(tx, &a->value); break;
    case ACT_SETSID: tx->keys[RULES_SESSION] = tx_macro(tx, &a->value); break;
    case ACT_SETUID: tx->keys[RULES_USER] = tx_macro(tx, &a->value); break;
    case ACT_ALLOW:
        if (tx->engine == ENGINE_ON) tx->allow = (enum allow)a->what;
        break;
    }
}

static void refuse(struct rules_tx *tx, const struct rule *rule, enum disrupt how) {
    struct rules_verdict *v = tx->out;
    if (how != DIS_DENY && how != DIS_DROP) return;
    if (tx->engine == ENGINE_ON) {
        tx->stop = true;
        if (!v) return;
        v->action = how == DIS_DROP ? RULES_DROP : RULES_BLOCK;
        v->by = rule->head->a.id;
    } else if (v && v->action == RULES_PASS) {
        v->action = RULES_WOULD_BLOCK;
        v->by = rule->head->a.id;
    }
}

void act_after(struct rules_tx *tx, const struct rule *rule) {
    tx->now_rule = rule;
    if (rule->a.severity >= 0 && rule->a.severity < tx->severity) tx->severity = rule->a.severity;
    for (const struct act *a = rule->a.acts; a; a = a->next) act_one(tx, a);
    if (rule->a.block) refuse(tx, rule, (enum disrupt)tx->set->defaults[rule->a.phase].disrupt);
    refuse(tx, rule, (enum disrupt)rule->a.disrupt);
}
