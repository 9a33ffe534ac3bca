/* SPDX-License-Identifier: Apache-2.0 */
/* The shape of payloads: size, UTF-8, JSON, and what a schema says of the JSON. A payload of which only a window is
 * there cannot be checked for its content: where a rule asks for that, it does not fit. */
#include "guard/schema.h"
#include "guard/session.h"

#include "base/utf8.h"

#include <math.h>

static uint8_t types_of(enum json_kind kind, struct slice text) {
    switch (kind) {
    case JSON_NULL: return SCHEMA_NULL;
    case JSON_TRUE:
    case JSON_FALSE: return SCHEMA_BOOLEAN;
    case JSON_NUMBER: {
        double n = json_number(text);
        return isfinite(n) && n == floor(n) ? SCHEMA_NUMBER | SCHEMA_INTEGER : SCHEMA_NUMBER;
    }
    case JSON_STRING: return SCHEMA_STRING;
    case JSON_ARRAY: return SCHEMA_ARRAY;
    case JSON_OBJECT: return SCHEMA_OBJECT;
    default: return 0;
    }
}

static bool chosen(const struct guard_schema *c, enum json_kind kind, struct slice text) {
    for (size_t i = 0; i < c->choice_count; i++) {
        if (kind == JSON_STRING ? json_string_eq(text, c->choice[i]) : slice_eq(text, c->choice[i])) return true;
        if (kind == JSON_NUMBER && json_number(text) == json_number(c->choice[i])) return true;
    }
    return !c->choice_count;
}

static bool fits(const struct guard_schema *c, enum json_kind kind, struct slice text);

static bool array_fits(const struct guard_schema *c, struct slice text) {
    struct slice inside = json_inside(text), one;
    enum json_kind kind;
    uint64_t n = 0;
    for (; json_next(&inside, false, NULL, &kind, &one); n++)
        if (c->items && !fits(c->items, kind, one)) return false;
    return n >= c->min_items && (!c->max_items || n <= c->max_items);
}

static bool object_fits(const struct guard_schema *c, struct slice text) {
    struct slice inside = json_inside(text), name, one;
    uint64_t seen[SCHEMA_PROPERTIES_MAX / 64] = {0};
    enum json_kind kind;
    while (json_next(&inside, true, &name, &kind, &one)) {
        size_t i = 0;
        while (i < c->property_count && !json_string_eq(name, c->properties[i].name)) i++;
        if (i == c->property_count && c->closed) return false;
        if (i == c->property_count) continue;
        if (c->properties[i].schema && !fits(c->properties[i].schema, kind, one)) return false;
        seen[i / 64] |= (uint64_t)1 << i % 64;
    }
    for (size_t i = 0; i < c->property_count; i++)
        if (c->properties[i].required && !(seen[i / 64] >> i % 64 & 1)) return false;
    return true;
}

static bool fits(const struct guard_schema *c, enum json_kind kind, struct slice text) {
    if (c->types && !(c->types & types_of(kind, text))) return false;
    if (!chosen(c, kind, text)) return false;
    if (kind == JSON_NUMBER) {
        double n = json_number(text);
        return (!c->has_min || n >= c->min) && (!c->has_max || n <= c->max);
    }
    if (kind == JSON_STRING && (c->min_length || c->max_length)) {
        size_t n = json_string_len(text);
        return n >= c->min_length && (!c->max_length || n <= c->max_length);
    }
    if (kind == JSON_ARRAY) return array_fits(c, text);
    return kind != JSON_OBJECT || object_fits(c, text);
}

/* schema_fits tells whether a JSON text is as the schema says; it must be valid JSON. */
static bool schema_fits(const struct guard_schema *schema, struct slice text) {
    struct slice rest = text, whole;
    enum json_kind kind = json_value(&rest, &whole);
    return kind != JSON_BAD && fits(schema, kind, whole);
}

/* wrong says what is wrong with a payload, NULL: nothing. */
static const char *wrong(const struct guard_shape *r, struct slice payload, uint64_t total) {
    bool reads = r->json || r->utf8 || r->schema;
    if (r->max && total > r->max) return "payload is larger than allowed for its topic";
    if (total < r->min) return "payload is smaller than allowed for its topic";
    if (reads && total > payload.n) return "payload is too large to be checked";
    if (r->utf8 && !utf8_valid(payload)) return "payload is not UTF-8";
    if ((r->json || r->schema) && !json_valid(payload)) return "payload is not JSON";
    if (r->schema && !schema_fits(r->schema, payload)) return "payload does not fit its schema";
    return NULL;
}

/* found collects the numbers of the rules about a topic. */
struct found {
    uint64_t bits[GUARD_RULES_MAX / 64];
};

static void shape_hit(void *to, uint32_t number, bool loose) {
    struct found *f = to;
    (void)loose;
    f->bits[number / 64] |= (uint64_t)1 << number % 64;
}

bool shape_check(struct guard *g, struct guard_session *s, struct slice topic, struct slice payload, uint64_t total,
                 bool will, struct verdict *v) {
    const struct guard_policy *p = g->policy;
    struct found found = {0};
    g->names = (struct topic_names){names_client(s->names), names_user(s->names)};
    topic_index_match(p->shape_index, topic, &g->names, shape_hit, &found);
    for (size_t i = 0; i < p->shape_count; i++) {
        const struct guard_shape *r = &p->shapes[i];
        if (!(found.bits[i / 64] >> i % 64 & 1) || (r->sides && !(r->sides >> g->side & 1))) continue;
        if (!r->everyone && !who_fits(p, &r->who, s)) continue;
        const char *why = wrong(r, payload, total);
        if (!why) continue;
        bool stop = judge_act(g, &r->act, why, v);
        v->field = will ? FID_MQTT_WILLMSG : FID_MQTT_MSG;
        v->value = payload;
        v->code = 0x99;
        if (stop) return false;
        event_tell(g, s, v);
    }
    return true;
}
