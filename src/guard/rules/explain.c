/* SPDX-License-Identifier: Apache-2.0 */
/* What a rule became, for people. */
#include "guard/rules/set.h"

static void put(struct writer *w, struct slice s, size_t most) {
    for (size_t i = 0; i < s.n && i < most; i++) {
        if (s.p[i] < 0x20 || s.p[i] == 0x7f) wr_f(w, "\\x%02x", s.p[i]);
        else wr_c(w, (char)s.p[i]);
    }
    if (s.n > most) wr_f(w, "... (%zu bytes)", s.n);
}

static void put_var(struct writer *w, const struct var_ref *v) {
    wr_f(w, "%s%s%s", v->not ? "!" : "", v->count ? "&" : "", rules_vars[v->var].name);
    if (v->select == SEL_ALL) return;
    wr_c(w, ':');
    if (v->select == SEL_REGEX) wr_c(w, '/');
    put(w, v->key.text, 60);
    if (v->select == SEL_REGEX) wr_c(w, '/');
}

static void put_vars(struct writer *w, const struct rule *r) {
    bool first = true, absent = false;
    for (const struct var_ref *v = r->vars; v; v = v->next) {
        if (rules_vars[v->var].from == FROM_ABSENT) {
            absent = true;
            continue;
        }
        wr_s(w, first ? "" : " ");
        put_var(w, v);
        first = false;
    }
    if (first) wr_s(w, "nothing an MQTT packet has");
    else if (absent) wr_s(w, " (others are of HTTP only and were left out)");
    wr_c(w, '\n');
}

static void put_chain(struct writer *w, const struct rules_set *set, uint16_t chain) {
    if (!chain) return;
    put_chain(w, set, set->chains[chain].parent);
    wr_f(w, " %s", tfn_name(set->chains[chain].tfn));
}

static void put_set(struct writer *w, const struct setvar *s) {
    static const char *const how[] = {[SET_TO] = "=", [SET_ADD] = "=+", [SET_SUB] = "=-", [SET_DROP] = ""};
    wr_f(w, "  sets %s%s:", s->how == SET_DROP ? "!" : "", rules_vars[s->var->var].name);
    put(w, s->var->key.text, 60);
    wr_s(w, how[s->how]);
    put(w, s->value.text, 80);
    wr_c(w, '\n');
}

static void put_link(struct writer *w, const struct rules_set *set, const struct rule *r) {
    if (r->unconditional) {
        wr_s(w, "  always\n");
    } else {
        wr_s(w, "  looks at: ");
        put_vars(w, r);
        if (r->chain) {
            wr_s(w, "  after:");
            put_chain(w, set, r->chain);
            wr_f(w, "%s\n", r->a.multimatch ? ", and after each step" : "");
        }
        wr_f(w, "  matches: %s@%s ", r->op.not ? "not " : "", op_name(r->op.kind));
        if (r->op.phrases) {
            const struct slice *words;
            wr_f(w, "%zu phrases", pm_words(r->op.phrases, &words));
        } else {
            put(w, r->op.param.text, 400);
        }
        wr_c(w, '\n');
    }
    for (const struct setvar *s = r->a.sets; s; s = s->next) put_set(w, s);
}

static void put_head(struct writer *w, const struct rules_set *set, const struct rule *r) {
    static const char *const does[] = {
        [DIS_NONE] = "nothing", [DIS_PASS] = "pass", [DIS_DENY] = "deny", [DIS_DROP] = "drop"};
    uint8_t disrupt = r->a.block ? set->defaults[r->a.phase].disrupt : r->a.disrupt;
    wr_f(w, "rule %u, phase %u, %s:%u\n", r->a.id, r->a.phase, r->file, r->line);
    if (r->a.has_msg) wr_s(w, "  \""), put(w, r->a.msg.text, 300), wr_s(w, "\"\n");
    for (const struct rule *k = r; k; k = k->child) {
        if (k != r) wr_s(w, "and\n");
        put_link(w, set, k);
    }
    wr_f(w, "then: %s%s\n", r->a.block ? "block, which is " : "", does[disrupt]);
}

bool rules_explain(const struct rules_set *set, uint32_t id, struct writer *w) {
    const struct rule *r = set->rules;
    while (r && (r->marker || r->a.id != id)) r = r->next;
    if (!r) return false;
    put_head(w, set, r);
    if (r->removed) wr_s(w, "compiled: removed by SecRuleRemove\n");
    else if (r->a.phase == 3 || r->a.phase == 4)
        wr_s(w, "compiled: never run, MQTT has no responses in HTTP's sense\n");
    else if (r->never) wr_s(w, "compiled: left out, it can never match an MQTT packet and costs nothing\n");
    else if (set->always_full || !set->first) wr_s(w, "compiled: evaluated for every packet\n");
    else if (r->life == LIFE_FIXED) wr_s(w, "compiled: decided at load time, or skipped by a rule that was\n");
    else first_explain(set, r, w);
    return true;
}
