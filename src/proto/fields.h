/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_PROTO_FIELDS_H
#define WEIR_PROTO_FIELDS_H

#include "field/field.h"

/* Every field of every protocol, by number. The lists are the x.def files; this is what they may hold:
 *
 *   PROTOCOL(ID, "filter name", "title")          first line: the protocol's own entry
 *   FIELD(ID, "filter name", "label", TYPE, BASE, .member = value ...)
 *   ANOMALY(ID, "filter name", SEVERITY, GROUP, "text", .clause = "where it is written")
 *   VALUES(name, V(value, "text"), R(low, high, "text"), ...)   names of values, ascending
 *   END(ID)                                        last line
 */

enum field_id {
    FID_NONE,
#define PROTOCOL(id, name, title) FID_##id,
#define FIELD(id, name, label, type, base, ...) FID_##id,
#define ANOMALY(id, name, sev, group, text, ...) FID_##id,
#define VALUES(name, ...)
#define END(id) FID_##id##_LAST_, FID_##id##_END = FID_##id##_LAST_, FID_##id##_BACK_ = FID_##id##_LAST_ - 1,
#include "proto/all.def"
#undef PROTOCOL
#undef FIELD
#undef ANOMALY
#undef VALUES
#undef END
    FID_COUNT
};

#define PROTOCOL(id, name, title)
#define FIELD(id, name, label, type, base, ...)
#define ANOMALY(id, name, sev, group, text, ...)
#define VALUES(name, ...) extern const struct field_values vals_##name;
#define END(id)
#include "proto/all.def"
#undef PROTOCOL
#undef FIELD
#undef ANOMALY
#undef VALUES
#undef END

/* weir_fields is the field table of the program. */
extern const struct field_table weir_fields;

/* field_of returns the entry of a field id. */
static inline const struct field *field_of(uint16_t id) { return &weir_fields.fields[id]; }

#endif
