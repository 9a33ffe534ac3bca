/* SPDX-License-Identifier: Apache-2.0 */
/* Action lists: "id:1,phase:2,t:lowercase,setvar:'tx.x=+1',ctl:ruleRemoveById=2". */
#include "guard/rules/load.h"

struct one {
    struct load *l;
    struct acts_of *a;
    struct slice name, value;
};

static int number(struct one *o, uint32_t *out) {
    struct slice v = o->value;
    if (v.n > 1 && v.p[0] == '\'') v = slice_of(v.p + 1, v.n - 2);
    for (size_t i = 0; i < v.n; i++)
        if (v.p[i] < '0' || v.p[i] > '9') v.n = 0;
    if (!v.n || v.n > 10 || s_number(v) > UINT32_MAX)
        return load_fail(o->l, (const char *)o->name.p, "%.*s needs a number", (int)o->name.n, (const char *)o->name.p);
    *out = (uint32_t)s_number(v);
    return 0;
}

static struct act *act_add(struct one *o, enum act_kind kind) {
    struct act **end = &o->a->acts, *act = arena_get(&o->l->set->arena, sizeof *act);
    if (!act) return NULL;
    *act = (struct act){.kind = (uint8_t)kind};
    while (*end) end = &(*end)->next;
    return *end = act;
}

static int act_id(struct one *o) { return number(o, &o->a->id); }

static int act_phase(struct one *o) {
    static const struct {
        const char *name;
        uint8_t phase;
    } named[] = {{"request", 2}, {"response", 4}, {"logging", 5}};
    uint32_t n = 0;
    for (size_t i = 0; i < 3; i++)
        if (s_is(o->value, named[i].name)) n = named[i].phase;
    if (!n) {
        int rc = number(o, &n);
        if (rc) return rc;
    }
    if (n < 1 || n > 5) return load_fail(o->l, (const char *)o->value.p, "a phase is 1 to 5");
    o->a->phase = (uint8_t)n;
    return 0;
}

static int act_tfn(struct one *o) {
    if (s_is(o->value, "none")) {
        o->a->none = true;
        o->a->n_tfns = 0;
        return 0;
    }
    int tfn = tfn_find(o->value);
    if (tfn < 0)
        return load_fail(o->l, (const char *)o->value.p, "there is no transformation '%.*s'", (int)o->value.n,
                         (const char *)o->value.p);
    if (o->a->n_tfns == sizeof o->a->tfns)
        return load_fail(o->l, (const char *)o->value.p, "more than %zu transformations", sizeof o->a->tfns);
    o->a->tfns[o->a->n_tfns++] = (uint8_t)tfn;
    return 0;
}

/* split_var parts "tx.score=+5" into variable, how and value. */
static int set_var(struct one *o) {
    struct slice v = o->value;
    struct setvar **end = &o->a->sets, *set = arena_get(&o->l->set->arena, sizeof *set);
    struct var_ref *next;
    if (!set) return load_fail(o->l, NULL, "out of memory");
    *set = (struct setvar){.how = SET_TO};
    if (v.n && v.p[0] == '!') {
        set->how = SET_DROP;
        v = slice_tail(v, 1);
    }
    const uint8_t *eq = v.n ? memchr(v.p, '=', v.n) : NULL;
    struct slice name = eq ? slice_of(v.p, (size_t)(eq - v.p)) : v, text = eq ? slice_tail(v, name.n + 1) : SLICE("1");
    if (eq && text.n && (text.p[0] == '+' || text.p[0] == '-')) {
        set->how = text.p[0] == '+' ? SET_ADD : SET_SUB;
        text = slice_tail(text, 1);
    }
    int rc = load_vars(o->l, name, &set->var);
    if (!rc) rc = load_macro(o->l, text, &set->value);
    if (rc) return rc;
    next = set->var->next;
    uint8_t from = rules_vars[set->var->var].from;
    if (next || set->var->select != SEL_KEY || (set->var->var != V_TX && from != FROM_KEPT))
        return load_fail(o->l, (const char *)v.p,
                         "setvar writes TX, IP, GLOBAL, SESSION, USER or RESOURCE, such as tx.name");
    while (*end) end = &(*end)->next;
    *end = set;
    return 0;
}

static int act_expire(struct one *o) {
    const uint8_t *eq = o->value.n ? memchr(o->value.p, '=', o->value.n) : NULL;
    struct act *act = act_add(o, ACT_EXPIRE);
    if (!eq || !act)
        return load_fail(o->l, (const char *)o->value.p, "expirevar needs a variable and seconds: ip.name=60");
    int rc = load_vars(o->l, slice_of(o->value.p, (size_t)(eq - o->value.p)), &act->var);
    if (!rc) rc = load_macro(o->l, slice_tail(o->value, (size_t)(eq - o->value.p) + 1), &act->value);
    if (!rc && act->var->var == V_TX) load_note(o->l, "expirevar of TX means nothing: TX lives as long as the packet");
    return rc;
}

static int act_initcol(struct one *o) {
    const uint8_t *eq = o->value.n ? memchr(o->value.p, '=', o->value.n) : NULL;
    static const char *const names[RULES_COLLECTIONS] = {"ip", "global", "session", "user", "resource"};
    struct slice name = eq ? slice_of(o->value.p, (size_t)(eq - o->value.p)) : (struct slice){0};
    for (uint8_t i = 0; eq && i < RULES_COLLECTIONS; i++) {
        if (!s_is(name, names[i])) continue;
        struct act *act = act_add(o, ACT_INITCOL);
        if (!act) return load_fail(o->l, NULL, "out of memory");
        act->what = i;
        return load_macro(o->l, slice_tail(o->value, name.n + 1), &act->value);
    }
    return load_fail(o->l, (const char *)o->value.p,
                     "initcol needs ip, global, session, user or resource and a key: ip=%%{REMOTE_ADDR}");
}

static int act_set_id(struct one *o) {
    struct act *act = act_add(o, s_is(o->name, "setuid") ? ACT_SETUID : ACT_SETSID);
    return act ? load_macro(o->l, o->value, &act->value) : load_fail(o->l, NULL, "out of memory");
}

static int act_skip(struct one *o) {
    struct act *act = act_add(o, ACT_SKIP);
    return act ? number(o, &act->lo) : load_fail(o->l, NULL, "out of memory");
}

static int act_skip_after(struct one *o) {
    struct act *act = act_add(o, ACT_SKIP_AFTER);
    if (!act || !o->value.n) return load_fail(o->l, (const char *)o->name.p, "skipAfter needs the name of a SecMarker");
    act->name = o->value;
    return 0;
}

static int act_allow(struct one *o) {
    struct act *act = act_add(o, ACT_ALLOW);
    if (!act) return load_fail(o->l, NULL, "out of memory");
    if (!o->value.n) act->what = ALLOW_ALL;
    else if (s_is(o->value, "phase")) act->what = ALLOW_PHASE;
    else if (s_is(o->value, "request")) act->what = ALLOW_REQUEST;
    else return load_fail(o->l, (const char *)o->value.p, "allow, allow:phase or allow:request");
    o->a->disrupt = DIS_PASS;
    return 0;
}

/* ids reads "1", "1-5" and lists of both. */
static int act_ids(struct one *o, struct slice text) {
    while (text.n) {
        size_t n = 0;
        while (n < text.n && text.p[n] != ' ' && text.p[n] != ',') n++;
        struct slice part = slice_of(text.p, n);
        text = slice_tail(text, n + 1);
        if (!n) continue;
        const uint8_t *dash = memchr(part.p, '-', part.n);
        int64_t lo = s_number(part), hi = dash ? s_number(slice_tail(part, (size_t)(dash - part.p) + 1)) : lo;
        struct act *act = act_add(o, ACT_REMOVE_ID);
        if (!act || lo <= 0 || hi < lo || hi > UINT32_MAX)
            return load_fail(o->l, (const char *)part.p, "'%.*s' is no rule id or range of ids", (int)part.n,
                             (const char *)part.p);
        act->lo = (uint32_t)lo;
        act->hi = (uint32_t)hi;
    }
    return 0;
}

static int act_target(struct one *o, enum act_kind kind, struct slice text) {
    const uint8_t *semi = text.n ? memchr(text.p, ';', text.n) : NULL;
    if (!semi) return load_fail(o->l, (const char *)text.p, "a target is removed with RULE;VARIABLE");
    struct slice what = slice_of(text.p, (size_t)(semi - text.p));
    struct var_ref *vars;
    int rc = load_vars(o->l, slice_tail(text, what.n + 1), &vars);
    if (rc) return rc;
    struct act *act = act_add(o, kind);
    if (!act) return load_fail(o->l, NULL, "out of memory");
    act->var = vars;
    act->name = what;
    if (kind != ACT_TARGET_ID) return 0;
    const uint8_t *dash = what.n ? memchr(what.p, '-', what.n) : NULL;
    act->lo = (uint32_t)s_number(what);
    act->hi = dash ? (uint32_t)s_number(slice_tail(what, (size_t)(dash - what.p) + 1)) : act->lo;
    return act->lo && act->hi >= act->lo ? 0 : load_fail(o->l, (const char *)what.p, "this is no rule id");
}

static int act_engine(struct one *o, struct slice text) {
    struct act *act = act_add(o, ACT_ENGINE);
    if (!act) return load_fail(o->l, NULL, "out of memory");
    if (s_is(text, "on")) act->what = ENGINE_ON;
    else if (s_is(text, "off")) act->what = ENGINE_OFF;
    else if (s_is(text, "detectiononly")) act->what = ENGINE_DETECT;
    else return load_fail(o->l, (const char *)text.p, "ruleEngine is On, Off or DetectionOnly");
    return 0;
}

static int act_ctl(struct one *o) {
    static const char *const idle[] = {
        "auditEngine",       "auditLogParts",    "debugLogLevel",        "forceRequestBodyVariable",
        "requestBodyAccess", "requestBodyLimit", "requestBodyProcessor", "responseBodyAccess",
        "responseBodyLimit", "hashEngine",       "hashEnforcement"};
    const uint8_t *eq = o->value.n ? memchr(o->value.p, '=', o->value.n) : NULL;
    if (!eq) return load_fail(o->l, (const char *)o->value.p, "ctl needs a name and a value: ctl:ruleEngine=Off");
    struct slice name = slice_of(o->value.p, (size_t)(eq - o->value.p)), text = slice_tail(o->value, name.n + 1);
    if (s_is(name, "ruleEngine")) return act_engine(o, text);
    if (s_is(name, "ruleRemoveById")) return act_ids(o, text);
    if (s_is(name, "ruleRemoveTargetById")) return act_target(o, ACT_TARGET_ID, text);
    if (s_is(name, "ruleRemoveTargetByTag")) return act_target(o, ACT_TARGET_TAG, text);
    if (s_is(name, "ruleRemoveTargetByMsg")) return act_target(o, ACT_TARGET_MSG, text);
    if (s_is(name, "ruleRemoveByTag") || s_is(name, "ruleRemoveByMsg")) {
        struct act *act = act_add(o, s_is(name, "ruleRemoveByTag") ? ACT_REMOVE_TAG : ACT_REMOVE_MSG);
        if (!act) return load_fail(o->l, NULL, "out of memory");
        act->name = text;
        return 0;
    }
    for (size_t i = 0; i < sizeof idle / sizeof idle[0]; i++)
        if (s_is(name, idle[i])) return 0; /* MQTT bodies are always read, and read by what they are */
    return load_fail(o->l, (const char *)name.p, "there is no ctl:%.*s", (int)name.n, (const char *)name.p);
}

static int act_severity(struct one *o) {
    static const char *const names[] = {"emergency", "alert",  "critical", "error",
                                        "warning",   "notice", "info",     "debug"};
    for (int8_t i = 0; i < 8; i++)
        if (s_is(o->value, names[i]) || (o->value.n == 1 && o->value.p[0] == '0' + i)) return o->a->severity = i, 0;
    return load_fail(o->l, (const char *)o->value.p, "a severity is 0 to 7 or a name such as CRITICAL");
}

static int act_tag(struct one *o) {
    struct tag **end = &o->a->tags, *tag = arena_get(&o->l->set->arena, sizeof *tag);
    if (!tag) return load_fail(o->l, NULL, "out of memory");
    *tag = (struct tag){0};
    while (*end) end = &(*end)->next;
    *end = tag;
    return load_macro(o->l, o->value, &tag->text);
}

static int act_msg(struct one *o) {
    bool log = s_is(o->name, "logdata");
    if (log) o->a->has_logdata = true;
    else o->a->has_msg = true;
    return load_macro(o->l, o->value, log ? &o->a->logdata : &o->a->msg);
}

static int act_word(struct one *o) {
    struct acts_of *a = o->a;
    if (s_is(o->name, "pass")) a->disrupt = DIS_PASS;
    else if (s_is(o->name, "deny")) a->disrupt = DIS_DENY;
    else if (s_is(o->name, "drop")) a->disrupt = DIS_DROP;
    else if (s_is(o->name, "redirect") || s_is(o->name, "proxy")) {
        a->disrupt = DIS_DENY;
        load_note(o->l, "%.*s means nothing in MQTT; the packet is refused", (int)o->name.n, (const char *)o->name.p);
    } else if (s_is(o->name, "block")) a->block = true;
    else if (s_is(o->name, "capture")) a->capture = true;
    else if (s_is(o->name, "multiMatch")) a->multimatch = true;
    else if (s_is(o->name, "chain")) a->chain = true;
    else if (s_is(o->name, "log")) a->log = 1;
    else a->log = 0; /* nolog */
    return 0;
}

static int act_idle(struct one *o) { return (void)o, 0; }

static int act_note(struct one *o) {
    load_note(o->l, "%.*s means nothing here", (int)o->name.n, (const char *)o->name.p);
    return 0;
}

static int act_exec(struct one *o) {
    load_note(o->l, "exec is left out: the guard runs no programs");
    return 0;
}

static const struct {
    const char *name;
    int (*read)(struct one *);
    bool value; /* must have one */
} kinds[] = {
    {"id", act_id, true},
    {"phase", act_phase, true},
    {"t", act_tfn, true},
    {"setvar", set_var, true},
    {"ctl", act_ctl, true},
    {"msg", act_msg, true},
    {"logdata", act_msg, true},
    {"tag", act_tag, true},
    {"severity", act_severity, true},
    {"skip", act_skip, true},
    {"skipAfter", act_skip_after, true},
    {"expirevar", act_expire, true},
    {"initcol", act_initcol, true},
    {"setsid", act_set_id, true},
    {"setuid", act_set_id, true},
    {"allow", act_allow, false},
    {"pass", act_word, false},
    {"deny", act_word, false},
    {"drop", act_word, false},
    {"block", act_word, false},
    {"capture", act_word, false},
    {"multiMatch", act_word, false},
    {"chain", act_word, false},
    {"log", act_word, false},
    {"nolog", act_word, false},
    {"redirect", act_word, false},
    {"proxy", act_word, false},
    {"auditlog", act_idle, false},
    {"noauditlog", act_idle, false},
    {"status", act_idle, true},
    {"ver", act_idle, true},
    {"rev", act_idle, true},
    {"maturity", act_idle, true},
    {"accuracy", act_idle, true},
    {"exec", act_exec, true},
    {"pause", act_note, false},
    {"append", act_note, false},
    {"prepend", act_note, false},
    {"deprecatevar", act_note, false},
    {"setenv", act_note, false},
    {"setrsc", act_note, false},
    {"xmlns", act_note, false},
    {"sanitiseArg", act_note, false},
    {"sanitiseMatched", act_note, false},
    {"sanitiseMatchedBytes", act_note, false},
    {"sanitiseRequestHeader", act_note, false},
    {"sanitiseResponseHeader", act_note, false},
};

static int act_one(struct one *o) {
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (!s_is(o->name, kinds[i].name)) continue;
        if (kinds[i].value && !o->value.p)
            return load_fail(o->l, (const char *)o->name.p, "%s needs a value", kinds[i].name);
        return kinds[i].read(o);
    }
    return load_fail(o->l, (const char *)o->name.p, "there is no action '%.*s'", (int)o->name.n,
                     (const char *)o->name.p);
}

int load_acts(struct load *l, struct slice text, struct acts_of *a) {
    for (size_t i = 0, n; i < text.n; i += n + 1) {
        bool inside = false;
        for (n = 0; i + n < text.n && (inside || text.p[i + n] != ','); n++) {
            if (text.p[i + n] == '\\' && i + n + 1 < text.n) n++;
            else if (text.p[i + n] == '\'') inside = !inside;
        }
        struct slice s = s_trim(slice_of(text.p + i, n));
        if (!s.n) continue;
        const uint8_t *colon = memchr(s.p, ':', s.n);
        struct one o = {.l = l, .a = a, .name = colon ? s_trim(slice_of(s.p, (size_t)(colon - s.p))) : s};
        if (colon) o.value = s_trim(slice_of(colon + 1, (size_t)(s.p + s.n - colon - 1)));
        if (o.value.n > 1 && o.value.p[0] == '\'' && o.value.p[o.value.n - 1] == '\'')
            o.value = slice_of(o.value.p + 1, o.value.n - 2);
        int rc = act_one(&o);
        if (rc) return rc;
    }
    return 0;
}
