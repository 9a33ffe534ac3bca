/* SPDX-License-Identifier: Apache-2.0 */
/* The targets of a rule (ARGS|!ARGS:x|&TX:y) and texts with %{…} in them. */
#include "guard/rules/load.h"
#include "proto/fields.h"

#include <stdio.h>
#include <stdlib.h>

const struct var_info rules_vars[V_COUNT] = {
#define VAR(id, name, from, named) [V_##id] = {name, FROM_##from, named},
#include "guard/rules/vars.def"
#undef VAR
};

static int var_find(struct slice name) {
    for (int i = 0; i < V_COUNT; i++)
        if (s_is(name, rules_vars[i].name)) return i;
    return -1;
}

/* load_slot gives the place of a TX variable, by its name in lower case; -1 without memory. */
int load_slot(struct rules_set *set, struct slice name) {
    for (uint32_t i = 0; i < set->n_slots; i++)
        if (slice_alike(set->slots[i], name)) return (int)i;
    if (set->n_slots == set->cap_slots) {
        uint32_t cap = set->cap_slots ? set->cap_slots * 2 : 128;
        struct slice *grown = realloc(set->slots, cap * sizeof *grown);
        if (!grown) return -1;
        set->slots = grown;
        set->cap_slots = cap;
    }
    uint8_t *copy = arena_get(&set->arena, name.n + 1);
    if (!copy) return -1;
    for (size_t i = 0; i < name.n; i++) copy[i] = ascii_lower(name.p[i]);
    set->slots[set->n_slots] = slice_of(copy, name.n);
    return (int)set->n_slots++;
}

/* field_of_name finds mqtt.NAME, or NAME as a whole; 0 where there is none. */
static uint16_t field_of_name(struct slice name) {
    char full[128];
    for (int whole = 0; whole < 2; whole++) {
        snprintf(full, sizeof full, "%s%.*s", whole ? "" : "mqtt.", (int)name.n, (const char *)name.p);
        for (size_t id = 1; id < weir_fields.count; id++) {
            const char *have = weir_fields.fields[id].name;
            if (have && !strcmp(have, full)) return (uint16_t)id;
        }
    }
    return 0;
}

static int field_var(struct load *l, struct var_ref *v, struct slice name) {
    v->field = field_of_name(name);
    if (!v->field)
        return load_fail(l, (const char *)name.p, "there is no field mqtt.%.*s; `weir fields mqtt` lists them",
                         (int)name.n, (const char *)name.p);
    l->set->wants_fields = true;
    /* A name may stand in the table more than once: all of them are wanted. */
    for (size_t id = 1; id < weir_fields.count; id++)
        if (weir_fields.fields[id].name && !strcmp(weir_fields.fields[id].name, weir_fields.fields[v->field].name))
            want_add(&l->set->wanted, (uint16_t)id);
    return 0;
}

static int var_name(struct load *l, struct var_ref *v, struct slice key) {
    char error[200];
    if (key.n >= 2 && key.p[0] == '\'' && key.p[key.n - 1] == '\'') key = slice_of(key.p + 1, key.n - 2);
    bool regex = key.n >= 2 && key.p[0] == '/' && key.p[key.n - 1] == '/';
    if (rules_vars[v->var].from == FROM_ABSENT) {
        v->select = SEL_KEY;
        v->key.text = key;
        return 0;
    }
    if (regex) {
        v->select = SEL_REGEX;
        v->key.text = slice_of(key.p + 1, key.n - 2);
        v->rx = rx_make(l->set, v->key.text, true, error, sizeof error);
        if (v->rx && v->var == V_MQTT) {
            want_all(&l->set->wanted);
            l->set->wants_fields = true;
        }
        return v->rx ? 0 : load_fail(l, (const char *)key.p, "%s", error);
    }
    v->select = SEL_KEY;
    if (v->var == V_MQTT) {
        v->key.text = key;
        return field_var(l, v, key);
    }
    int rc = load_macro(l, key, &v->key);
    if (v->var == V_ARGS && s_is(key, "payload")) l->set->names_payload = true;
    if (!rc && v->var == V_TX && !v->key.expands) {
        v->slot = load_slot(l->set, key);
        if (v->slot < 0) return load_fail(l, NULL, "out of memory");
    }
    return rc;
}

static int var_one(struct load *l, struct slice text, struct var_ref **out) {
    struct var_ref *v = arena_get(&l->set->arena, sizeof *v);
    if (!v) return load_fail(l, NULL, "out of memory");
    *v = (struct var_ref){.slot = -1};
    text = s_trim(text);
    for (; text.n && (text.p[0] == '!' || text.p[0] == '&'); text = slice_tail(text, 1)) {
        if (text.p[0] == '!') v->not = true;
        else v->count = true;
    }
    size_t n = 0;
    while (n < text.n && text.p[n] != ':' && text.p[n] != '.') n++;
    int id = var_find(slice_of(text.p, n));
    if (id < 0) return load_fail(l, (const char *)text.p, "there is no variable '%.*s'", (int)n, (const char *)text.p);
    v->var = (uint8_t)id;
    if (id == V_REQUEST_BODY || id == V_REQUEST_BODY_LENGTH) l->set->wants_body = true;
    *out = v;
    if (n == text.n) {
        if (id == V_MQTT) want_all(&l->set->wanted), l->set->wants_fields = true;
        return 0;
    }
    if (!rules_vars[id].named)
        return load_fail(l, (const char *)text.p + n, "%s has no parts to choose from", rules_vars[id].name);
    return var_name(l, v, slice_tail(text, n + 1));
}

int load_vars(struct load *l, struct slice text, struct var_ref **out) {
    struct var_ref **end = out;
    *out = NULL;
    for (size_t i = 0, n; i <= text.n; i += n + 1) {
        bool inside = false;
        for (n = 0; i + n < text.n && (inside || text.p[i + n] != '|'); n++)
            if (text.p[i + n] == '\'') inside = !inside;
        int rc = var_one(l, slice_of(text.p + i, n), end);
        if (rc) return rc;
        end = &(*end)->next;
    }
    return 0;
}

static int macro_part(struct load *l, struct macro_part ***end, struct slice text, struct var_ref *var) {
    struct macro_part *p = arena_get(&l->set->arena, sizeof *p);
    if (!p) return load_fail(l, NULL, "out of memory");
    *p = (struct macro_part){.text = text, .var = var};
    **end = p;
    *end = &p->next;
    return 0;
}

int load_macro(struct load *l, struct slice text, struct macro *out) {
    struct macro_part **end = &out->first;
    *out = (struct macro){.text = text};
    end = &out->first;
    for (struct slice rest = text; rest.n;) {
        struct slice open = s_find(rest, SLICE("%{"));
        size_t before = open.p ? (size_t)(open.p - rest.p) : rest.n;
        int rc = before ? macro_part(l, &end, slice_head(rest, before), NULL) : 0;
        if (rc || !open.p) {
            if (rc) return rc;
            break;
        }
        rest = slice_tail(rest, before + 2);
        const uint8_t *close = rest.n ? memchr(rest.p, '}', rest.n) : NULL;
        if (!close) return load_fail(l, (const char *)open.p, "this %%{ has no }");
        struct var_ref *var;
        rc = var_one(l, slice_of(rest.p, (size_t)(close - rest.p)), &var);
        if (!rc) rc = macro_part(l, &end, (struct slice){0}, var);
        if (rc) return rc;
        out->expands = true;
        rest = slice_tail(rest, (size_t)(close - rest.p) + 1);
    }
    return 0;
}
