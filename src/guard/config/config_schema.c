/* SPDX-License-Identifier: Apache-2.0 */
/* The schema of JSON payloads in a configuration: the words are JSON Schema's, those that are not known are mistakes.
 */
#include "guard/config/config_yaml.h"
#include "guard/schema.h"

#include <stdlib.h>

static const struct choice types = {
    (const char *const[]){"null", "boolean", "number", "integer", "string", "array", "object"}, 7};

static void read_type(struct bind *b, const yaml_node_t *n, void *at, const void *arg) {
    uint8_t which = 0;
    (void)arg;
    read_choice(b, n, &which, &types);
    *(uint8_t *)at = (uint8_t)(1u << which);
}

static void read_types(struct bind *b, const yaml_node_t *n, void *at, const void *arg) {
    size_t count = 0;
    (void)arg;
    const uint8_t *list = bind_each(b, n, 1, 7, read_type, NULL, &count);
    for (size_t i = 0; i < count; i++) *(uint8_t *)at |= list[i];
}

/* draft is a schema while it is read: properties and required names are joined at the end. */
struct draft {
    struct guard_schema schema;
    struct guard_list required;
    bool open;
    struct guard_property *properties;
};

static bool number(struct bind *b, const yaml_node_t *n, double *value) {
    struct slice s;
    char buf[64], *end;
    if (!bind_text(b, n, &s)) return false;
    size_t len = s.n < sizeof buf - 1 ? s.n : sizeof buf - 1;
    memcpy(buf, s.p, len);
    buf[len] = 0;
    *value = strtod(buf, &end);
    if (!len || *end) bind_wrong(b, n, "'%s' is no number", buf);
    return len && !*end;
}

static void read_min(struct bind *b, const yaml_node_t *n, void *at, const void *arg) {
    struct draft *d = at;
    (void)arg;
    d->schema.has_min = number(b, n, &d->schema.min);
}

static void read_max(struct bind *b, const yaml_node_t *n, void *at, const void *arg) {
    struct draft *d = at;
    (void)arg;
    d->schema.has_max = number(b, n, &d->schema.max);
}

static void read_choices(struct bind *b, const yaml_node_t *n, void *at, const void *arg) {
    struct draft *d = at;
    (void)arg;
    d->schema.choice = bind_each(b, n, sizeof *d->schema.choice, 1000, read_slice, NULL, &d->schema.choice_count);
}

static void read_property(struct bind *b, const yaml_node_t *key, const yaml_node_t *value, void *to) {
    struct draft *d = to;
    struct guard_property *p = &d->properties[d->schema.property_count++];
    read_slice(b, key, &p->name, NULL);
    read_schema(b, value, &p->schema, NULL);
}

static void read_properties(struct bind *b, const yaml_node_t *n, void *at, const void *arg) {
    struct draft *d = at;
    (void)arg;
    size_t count = bind_is_map(n) ? (size_t)(n->data.mapping.pairs.top - n->data.mapping.pairs.start) : 0;
    if (count > SCHEMA_PROPERTIES_MAX / 2) {
        bind_wrong(b, n, "at most %d properties may stand here", SCHEMA_PROPERTIES_MAX / 2);
        return;
    }
    d->properties = bind_get(b, SCHEMA_PROPERTIES_MAX * sizeof *d->properties);
    if (d->properties) bind_pairs(b, n, read_property, d, "properties");
}

#define IN(member) offsetof(struct draft, schema.member)

static const struct key keys[] = {
    {"type", read_types, IN(types)},
    {"minimum", read_min, 0},
    {"maximum", read_max, 0},
    {"minLength", read_number, IN(min_length)},
    {"maxLength", read_number, IN(max_length)},
    {"minItems", read_number, IN(min_items)},
    {"maxItems", read_number, IN(max_items)},
    {"items", read_schema, IN(items)},
    {"enum", read_choices, 0},
    {"properties", read_properties, 0},
    {"required", read_texts, offsetof(struct draft, required)},
    {"additionalProperties", read_bool, offsetof(struct draft, open)},
};

/* require marks a property as required; one nobody described may hold anything. */
static void require(struct bind *b, const yaml_node_t *n, struct draft *d, struct slice name) {
    struct guard_schema *s = &d->schema;
    for (size_t i = 0; i < s->property_count; i++) {
        if (!slice_eq(d->properties[i].name, name)) continue;
        d->properties[i].required = true;
        return;
    }
    if (!d->properties) d->properties = bind_get(b, SCHEMA_PROPERTIES_MAX * sizeof *d->properties);
    if (!d->properties) return;
    if (s->property_count == SCHEMA_PROPERTIES_MAX) bind_wrong(b, n, "too many required properties");
    else d->properties[s->property_count++] = (struct guard_property){.name = name, .required = true};
}

void read_schema(struct bind *b, const yaml_node_t *n, void *at, const void *arg) {
    struct draft d = {.open = true};
    (void)arg;
    bind_map(b, n, KEYS(keys), &d, "a schema");
    for (size_t i = 0; i < d.required.n; i++) require(b, n, &d, d.required.item[i]);
    d.schema.closed = !d.open;
    d.schema.properties = d.properties;
    struct guard_schema *kept = bind_get(b, sizeof *kept);
    if (kept) *kept = d.schema;
    *(const struct guard_schema **)at = kept;
}
