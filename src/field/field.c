/* SPDX-License-Identifier: Apache-2.0 */
#include "field/field.h"

#include "base/err.h"
#include "base/near.h"

#include <assert.h>
#include <stdlib.h>

const char *field_value_name(const struct field_values *values, uint64_t v) {
    size_t lo = 0, hi = values->count;
    uint64_t place = hi ? v - values->list->lo : 0;
    if (place < hi && v >= values->list[place].lo && v <= values->list[place].hi)
        return values->list[place].name; /* no holes before it */
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        const struct field_value *e = &values->list[mid];
        if (v < e->lo) hi = mid;
        else if (v > e->hi) lo = mid + 1;
        else return e->name;
    }
    return NULL;
}

static const char *const type_names[] = {
    [FT_NONE] = "label",        [FT_PROTOCOL] = "protocol", [FT_BOOL] = "boolean",  [FT_UINT8] = "uint8",
    [FT_UINT16] = "uint16",     [FT_UINT24] = "uint24",     [FT_UINT32] = "uint32", [FT_UINT40] = "uint40",
    [FT_UINT48] = "uint48",     [FT_UINT56] = "uint56",     [FT_UINT64] = "uint64", [FT_INT8] = "int8",
    [FT_INT16] = "int16",       [FT_INT32] = "int32",       [FT_INT64] = "int64",   [FT_DOUBLE] = "double",
    [FT_ABSTIME] = "time",      [FT_RELTIME] = "duration",  [FT_STRING] = "string", [FT_BYTES] = "bytes",
    [FT_ETHER] = "ether",       [FT_EUI64] = "eui64",       [FT_IPV4] = "ipv4",     [FT_IPV6] = "ipv6",
    [FT_FRAMENUM] = "framenum", [FT_GUID] = "guid",         [FT_OID] = "oid",
};
static_assert(sizeof type_names / sizeof *type_names == FT_TYPES, "every type has a name");

const char *field_type_name(enum field_type type) { return type < FT_TYPES ? type_names[type] : "?"; }

static const char *const severity_names[] = {
    [SEV_NONE] = "",     [SEV_COMMENT] = "Comment", [SEV_CHAT] = "Chat",
    [SEV_NOTE] = "Note", [SEV_WARN] = "Warning",    [SEV_ERROR] = "Error",
};
static_assert(sizeof severity_names / sizeof *severity_names == SEV_ERROR + 1, "every severity has a name");

const char *severity_name(enum severity s) { return s <= SEV_ERROR ? severity_names[s] : "?"; }

static const char *const group_names[] = {
    [GRP_NONE] = "",
    [GRP_CHECKSUM] = "Checksum",
    [GRP_SEQUENCE] = "Sequence",
    [GRP_RESPONSE] = "Response",
    [GRP_REQUEST] = "Request",
    [GRP_UNDECODED] = "Undecoded",
    [GRP_REASSEMBLE] = "Reassemble",
    [GRP_MALFORMED] = "Malformed",
    [GRP_DEBUG] = "Debug",
    [GRP_PROTOCOL] = "Protocol",
    [GRP_SECURITY] = "Security",
    [GRP_COMMENTS] = "Comment",
    [GRP_DECRYPTION] = "Decryption",
    [GRP_ASSUMPTION] = "Assumption",
    [GRP_DEPRECATED] = "Deprecated",
};
static_assert(sizeof group_names / sizeof *group_names == GRP_COUNT, "every group has a name");

uint64_t severity_number(uint8_t severity) {
    static const uint32_t numbers[] = {0, 0x100000, 0x200000, 0x400000, 0x600000, 0x800000};
    return numbers[severity <= SEV_ERROR ? severity : 0];
}

const char *anomaly_group_name(enum anomaly_group g) { return g < GRP_COUNT ? group_names[g] : "?"; }

int field_bits(const struct field *f) {
    if (f->bits) return f->bits;
    switch (f->type) {
    case FT_UINT8:
    case FT_INT8: return 8;
    case FT_UINT16:
    case FT_INT16: return 16;
    case FT_UINT24: return 24;
    case FT_UINT32:
    case FT_INT32:
    case FT_IPV4:
    case FT_FRAMENUM: return 32;
    case FT_UINT40: return 40;
    case FT_UINT48: return 48;
    case FT_UINT56: return 56;
    case FT_BOOL: {
        int bits = 8;
        while (bits < 64 && f->mask >> bits) bits += 8;
        return bits;
    }
    default: return 64;
    }
}

static int by_name(const void *a, const void *b, void *table) {
    const struct field *fields = ((const struct field_table *)table)->fields;
    return strcmp(fields[*(const uint16_t *)a].name, fields[*(const uint16_t *)b].name);
}

int field_index_make(struct field_index *index, const struct field_table *table) {
    index->table = table;
    index->by_name = malloc(table->count * sizeof *index->by_name);
    if (!index->by_name) return ERR_NOMEM;
    for (size_t i = 0; i < table->count; i++) index->by_name[i] = (uint16_t)i;
    qsort_r(index->by_name, table->count, sizeof *index->by_name, by_name, (void *)(uintptr_t)table);
    return OK;
}

void field_index_free(struct field_index *index) {
    free(index->by_name);
    index->by_name = NULL;
}

static int compare(struct slice a, const char *b) {
    size_t n = strlen(b);
    int order = memcmp(a.p, b, a.n < n ? a.n : n);
    return order ? order : (a.n > n) - (a.n < n);
}

uint16_t field_find(const struct field_index *index, struct slice name) {
    size_t lo = 0, hi = index->table->count;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        uint16_t id = index->by_name[mid];
        int order = compare(name, index->table->fields[id].name);
        if (order == 0) return id;
        if (order < 0) hi = mid;
        else lo = mid + 1;
    }
    return 0;
}

size_t field_nearest(const struct field_index *index, struct slice name, uint16_t *out, size_t max) {
    unsigned score[8];
    size_t count = 0;
    if (max > 8) max = 8;
    if (name.n > NEAR_WORD_MAX) return 0;
    for (size_t i = 1; i < index->table->count; i++) {
        unsigned d = near_edits(name, slice_str(index->table->fields[i].name));
        if (d > 2 + name.n / 4) continue;
        size_t at = count < max ? count : max;
        while (at > 0 && score[at - 1] > d) at--;
        if (at >= max) continue;
        if (count < max) count++;
        for (size_t k = count - 1; k > at; k--) {
            score[k] = score[k - 1];
            out[k] = out[k - 1];
        }
        score[at] = d;
        out[at] = (uint16_t)i;
    }
    while (count && score[count - 1] > score[0] + 1) count--; /* far behind the best: no help */
    return count;
}

void want_all(struct want *w) { memset(w, 0xff, sizeof *w); }

void want_union(struct want *w, const struct want *other) {
    for (size_t i = 0; i < sizeof w->bits / sizeof *w->bits; i++) w->bits[i] |= other->bits[i];
}
