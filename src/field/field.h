/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_FIELD_FIELD_H
#define WEIR_FIELD_FIELD_H

#include "base/slice.h"

/* The field table: what every decoded field is called, how it is typed and how it is shown.
 *
 * The entries come from the x.def files of proto/ (see proto/fields.h); this room only knows their shape.
 * Names are those of Wireshark 4.0, where it has the field. */

enum { FIELD_MAX = 5120 }; /* field ids are below this */

enum field_type {
    FT_NONE,     /* a label, or an anomaly */
    FT_PROTOCOL, /* a protocol's own entry */
    FT_BOOL,
    FT_UINT8,
    FT_UINT16,
    FT_UINT24,
    FT_UINT32,
    FT_UINT40,
    FT_UINT48,
    FT_UINT56,
    FT_UINT64,
    FT_INT8,
    FT_INT16,
    FT_INT32,
    FT_INT64,
    FT_DOUBLE,
    FT_ABSTIME, /* nanoseconds since 1970, UTC */
    FT_RELTIME, /* nanoseconds */
    FT_STRING,
    FT_BYTES,
    FT_ETHER,
    FT_EUI64,
    FT_IPV4,
    FT_IPV6,
    FT_FRAMENUM, /* the number of another frame */
    FT_GUID,
    FT_OID,
    FT_TYPES
};

enum field_base {
    BASE_NONE,
    BASE_DEC,
    BASE_HEX,
    BASE_OCT,
    BASE_DEC_HEX,
    BASE_HEX_DEC,
    BASE_LOCAL, /* absolute times: in the local time zone */
    BASE_UTC,   /* absolute times: in UTC */
    BASE_DOTS   /* bytes: decimal numbers with dots */
};

enum severity { SEV_NONE, SEV_COMMENT, SEV_CHAT, SEV_NOTE, SEV_WARN, SEV_ERROR };
enum anomaly_group {
    GRP_NONE,
    GRP_CHECKSUM,
    GRP_SEQUENCE,
    GRP_RESPONSE,
    GRP_REQUEST,
    GRP_UNDECODED,
    GRP_REASSEMBLE,
    GRP_MALFORMED,
    GRP_DEBUG,
    GRP_PROTOCOL,
    GRP_SECURITY,
    GRP_COMMENTS,
    GRP_DECRYPTION,
    GRP_ASSUMPTION,
    GRP_DEPRECATED,
    GRP_COUNT
};

/* field_value names the values lo to hi. */
struct field_value {
    uint64_t lo, hi;
    const char *name;
};

/* field_values is a list of value names in ascending order. */
struct field_values {
    const struct field_value *list;
    size_t count;
};

struct field {
    const char *name;  /* filter name, mqtt.topic */
    const char *label; /* words, Topic */
    uint16_t label_len;
    uint8_t type;     /* enum field_type */
    uint8_t base;     /* enum field_base */
    uint8_t severity; /* anomalies: enum severity */
    uint8_t group;    /* anomalies: enum anomaly_group */
    uint8_t bits;     /* width shown for the mask where it is not that of the type; 0: it is */
    uint64_t mask;    /* bits of the bytes at off/len that hold the value; 0: all of them */
    const struct field_values *values;
    const char *set, *unset; /* names of a boolean's values; NULL: True, False */
    const char *unit;        /* written behind a number */
    const char *clause;      /* where the specification has it */
    bool computed;           /* not on the wire: shown in brackets */
    bool hidden;             /* found by filters, not shown in trees */
    bool own;                /* not in Wireshark 4.0: left out of PDML, whose readers expect tshark's fields */
    bool secret;             /* shown only where secrets are asked for */
    bool unnamed;            /* the names of its values are shown, but are no constants of filters, as in Wireshark */
};

/* field_value_name returns the name of v, or NULL. */
const char *field_value_name(const struct field_values *values, uint64_t v);

/* field_type_name returns the word for a type as `weir fields` prints it. */
const char *field_type_name(enum field_type type);
const char *severity_name(enum severity s);
const char *anomaly_group_name(enum anomaly_group g);
/* severity_number and group_number give what Wireshark numbers an expert item's severity and group. */
uint64_t severity_number(uint8_t severity);
static inline uint64_t group_number(uint8_t group) { return (uint64_t)group << 24; }

/* field_bits returns the width in bits of a field's whole container: that of the mask's type. */
int field_bits(const struct field *f);

/* field_signed tells whether values are in fval.i. */
static inline bool field_signed(const struct field *f) { return f->type >= FT_INT8 && f->type <= FT_INT64; }
/* field_is_int tells whether values are whole numbers in fval.u or fval.i. */
static inline bool field_is_int(const struct field *f) {
    return (f->type >= FT_BOOL && f->type <= FT_INT64) || f->type == FT_FRAMENUM;
}
/* field_is_bytes tells whether values are in fval.s. */
static inline bool field_is_bytes(const struct field *f) {
    return (f->type >= FT_STRING && f->type <= FT_EUI64) || f->type == FT_IPV6 || f->type == FT_GUID ||
           f->type == FT_OID;
}

/* field_table is all fields of the program; the id of a field is its place. */
struct field_table {
    const struct field *fields;
    size_t count;
};

/* field_index finds fields by name; the caller owns it. */
struct field_index {
    const struct field_table *table;
    uint16_t *by_name; /* ids in the order of their names */
};

/* field_index_make sorts the table's names; 0 or ERR_NOMEM. field_index_free releases it. */
int field_index_make(struct field_index *index, const struct field_table *table);
void field_index_free(struct field_index *index);
/* field_find returns the id of the field called name, or 0. */
uint16_t field_find(const struct field_index *index, struct slice name);
/* field_nearest fills out with up to max ids whose names look most like name, and returns how many. */
size_t field_nearest(const struct field_index *index, struct slice name, uint16_t *out, size_t max);

/* want is a set of field ids: what anybody asked for. */
struct want {
    uint64_t bits[FIELD_MAX / 64];
};

static inline bool want_has(const struct want *w, uint16_t id) { return w->bits[id >> 6] >> (id & 63) & 1; }
static inline void want_add(struct want *w, uint16_t id) { w->bits[id >> 6] |= (uint64_t)1 << (id & 63); }
/* want_any tells whether any id from lo to before hi is in the set. */
static inline bool want_any(const struct want *w, uint16_t lo, uint16_t hi) {
    if (lo >= hi) return false;
    uint16_t first = lo >> 6, last = (uint16_t)(hi - 1) >> 6;
    uint64_t head = ~(uint64_t)0 << (lo & 63), tail = ~(uint64_t)0 >> (63 - ((hi - 1) & 63));
    if (first == last) return (w->bits[first] & head & tail) != 0;
    if ((w->bits[first] & head) || (w->bits[last] & tail)) return true;
    for (uint16_t i = first + 1; i < last; i++)
        if (w->bits[i]) return true;
    return false;
}
/* want_all makes the set hold every id. */
void want_all(struct want *w);
void want_union(struct want *w, const struct want *other);

#endif
