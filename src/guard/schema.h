/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_GUARD_SCHEMA_H
#define WEIR_GUARD_SCHEMA_H

#include "guard/json.h"

/* What a JSON payload must look like: a part of JSON Schema (draft 2020-12). */

enum { SCHEMA_PROPERTIES_MAX = 256 };

/* Bits of guard_schema.types, one for each JSON type. */
enum {
    SCHEMA_NULL = 1,
    SCHEMA_BOOLEAN = 2,
    SCHEMA_NUMBER = 4,
    SCHEMA_INTEGER = 8,
    SCHEMA_STRING = 16,
    SCHEMA_ARRAY = 32,
    SCHEMA_OBJECT = 64
};

struct guard_property {
    struct slice name;
    bool required;
    const struct guard_schema *schema; /* NULL: anything */
};

struct guard_schema {
    uint8_t types;                 /* 0: any */
    bool has_min, has_max, closed; /* closed: no other members than those named */
    double min, max;
    uint64_t min_length, max_length; /* characters; max 0: any */
    uint64_t min_items, max_items;
    const struct guard_schema *items;
    const struct slice *choice; /* values a string or number may have, as written */
    size_t choice_count;
    const struct guard_property *properties;
    size_t property_count;
};

#endif
