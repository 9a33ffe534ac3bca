/* SPDX-License-Identifier: Apache-2.0 */
/* What a rule became, for people. */
#include "guard/rules/impl.h"

static void put(FILE *to, struct slice s, size_t most) {
    for (size_t i = 0; i < s.n && i < most; i++) {
        if (s.p[i] < 0x20 || s.p[i] == 0x7f) fprintf(to, "\\x%02x", s.p[i]);
        else fputc(s.p[i], to);
    }
    if (s.n > most) fprintf(to, "... (%zu bytes)", s.n);
}

static void put_var(FILE *to, const struct var_ref *v) {
    fprintf(to, "%s%s%s", v->not? "!" : "", v->count ? "&" : "", rules_vars[v->var].name);
    if (v->select == SEL_ALL) return;
    fputc(':', to);
    if (v->select == SEL_REGEX) fputc('/', to);
    put(to, v->key.text, 60);
    if (v->select == SEL_REGEX) fputc('/', to);
}

static void put_vars(FILE *to, const struct rule *r) {
    bool first = true, absent = false;
    for (const struct var_ref *v = r->vars; v; v = v->next) {
        if (rules_vars[v->var].from == FROM_ABSENT) {
            absent = true;
            continue;
        }
        fputs(first ? "" : " ", to);
        put_var(to, v);
        first = false;
    }
    if (first) fputs("nothing an MQTT packet has", to);
    else if (absent) fputs(" (others are of HTTP only and were left out)", to);
    fputc('\n', to);
}

static void put_chain(FILE *to, const struct rules_set *set, uint16_t chain) {
    if (!chain) return;
    put_chain(to, set, set->chains[chain].parent);
    fprintf(to, " %s", tfn_name(set->chains[chain].tfn));
}

static void put_set(FILE *to, const struct setvar *s) {
    static const char *const how[] = {[SET_TO] = "=", [SET_ADD] = "=+", [SET_SUB] = "=-", [SET_DROP] = ""};
    fprintf(to, "  sets %s%s:", s->how == SET_DROP ? "!" : "", rules_vars[s->var->var].name);
    put(to, s->var->key.text, 60);
    fputs(how[s->how], to);
    put(to, s->value.text, 80);
    fputc('\n', to);
}

static void put_link(FILE *to, const struct rules_set *set, const struct rule *r) {
    if (r->unconditional) {
        fprintf(to, "  always\n");
    } else {
        fprintf(to, "  looks at: ");
        put_vars(to, r);
        if (r->chain) {
            fprintf(to, "  after:");
            put_chain(to, set, r->chain);
            fprintf(to, "%s\n", r->a.multimatch ? ", and after each step" : "");
        }
        fprintf(to, "  matches: %s@%s ", r->op.not? "not " : "", op_name(r->op.kind));
        if (r->op.phrases) {
            const struct slice *words;
            fprintf(to, "%zu phrases", pm_words(r->op.phrases, &words));
        } else {
            put(to, r->op.param.text, 400);
        }
        fputc('\n', to);
    }
    for (const struct setvar *s = r->a.sets; s; s = s->next) put_set(to, s);
}

static void put_head(FILE *to, const struct rules_set *set, const struct rule *r) {
    static const char *const does[] = {[DIS_NONE] = "nothing", [DIS_PASS] = "pass", [DIS_DENY] = "deny", [DIS_DROP] = "drop"};
    uint8_t disrupt = r->a.block ? set->defaults[r->a.phase].disrupt : r->a.disrupt;
    fprintf(to, "rule %u, phase %u, %s:%u\n", r->a.id, r->a.phase, r->file, r->line);
    if (r->a.has_msg) fprintf(to, "  \""), put(to, r->a.msg.text, 300), fprintf(to, "\"\n");
    for (const struct rule *k = r; k; k = k->child) {
        if (k != r) fprintf(to, "and\n");
        put_link(to, set, k);
    }
    fprintf(to, "then: %s%s\n", r->a.block ? "block, which is " : "", does[disrupt]);
}

bool rules_explain(const struct rules_set *set, uint32_t id, FILE *to) {
    const struct rule *r = set->rules;
    while (r && (r->marker || r->a.id != id)) r = r->next;
    if (!r) return false;
    put_head(to, set, r);
    if (r->removed) fprintf(to, "compiled: removed by SecRuleRemove\n");
    else if (r->a.phase == 3 || r->a.phase == 4) fprintf(to, "compiled: never run, MQTT has no responses in HTTP's sense\n");
    else if (r->never) fprintf(to, "compiled: left out, it can never match an MQTT packet and costs nothing\n");
    else if (set->always_full || !set->first) fprintf(to, "compiled: evaluated for every packet\n");
    else if (r->life == LIFE_FIXED) fprintf(to, "compiled: decided at load time, or skipped by a rule that was\n");
    else first_explain(set, r, to);
    return true;
}
