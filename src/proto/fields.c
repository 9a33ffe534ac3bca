/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/fields.h"

#include <assert.h>

#define V(value, text)                                                                                                 \
    { (value), (value), (text) }
#define R(low, high, text)                                                                                             \
    { (low), (high), (text) }

#define PROTOCOL(id, name, title)
#define FIELD(id, name, label, type, base, ...)
#define ANOMALY(id, name, sev, group, text, ...)
#define VALUES(name, ...)                                                                                              \
    static const struct field_value name##_list[] = {__VA_ARGS__};                                                     \
    const struct field_values vals_##name = {name##_list, sizeof name##_list / sizeof *name##_list};
#define END(id)
#include "proto/all.def"
#undef PROTOCOL
#undef FIELD
#undef ANOMALY
#undef VALUES
#undef END

static const struct field fields[] = {
    [FID_NONE] = {.name = "", .label = ""},
#define PROTOCOL(id, n, title)                                                                                         \
    [FID_##id] = {.name = (n), .label = (title), .label_len = sizeof title - 1, .type = FT_PROTOCOL},
#define FIELD(id, n, words, t, b, ...)                                                                                 \
    [FID_##id] = {.name = (n),                                                                                         \
                  .label = (words),                                                                                    \
                  .label_len = sizeof words - 1,                                                                       \
                  .type = FT_##t,                                                                                      \
                  .base = BASE_##b,                                                                                    \
                  ##__VA_ARGS__},
#define ANOMALY(id, n, sev, grp, text, ...)                                                                            \
    [FID_##id] = {.name = (n),                                                                                         \
                  .label = (text),                                                                                     \
                  .label_len = sizeof text - 1,                                                                        \
                  .severity = SEV_##sev,                                                                               \
                  .group = GRP_##grp,                                                                                  \
                  ##__VA_ARGS__},
#define VALUES(name, ...)
#define END(id)
#include "proto/all.def"
#undef PROTOCOL
#undef FIELD
#undef ANOMALY
#undef VALUES
#undef END
};
static_assert(sizeof fields / sizeof *fields == FID_COUNT, "every field id has an entry");
static_assert((int)FID_COUNT <= (int)FIELD_MAX, "the want mask holds every field");

const struct field_table weir_fields = {fields, FID_COUNT};
