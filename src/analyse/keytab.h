/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_ANALYSE_KEYTAB_H
#define WEIR_ANALYSE_KEYTAB_H

#include "base/hash.h"

/* keytab counts by key: entries of one size, each beginning with its key, found by a keyed hash and kept in the order
 * they were first seen. It takes at most `limit` entries; what finds no place is counted in `refused`. */
struct keytab {
    struct hash_key secret;
    size_t key_size, entry_size;
    uint8_t *entries;
    uint32_t n, room, limit;
    struct keytab_slot {
        uint32_t hash, place; /* place + 1; 0: empty */
    } * slots;
    uint32_t mask;
    uint64_t refused;
};

/* keytab_make prepares an empty table; nothing is allocated until the first entry. */
struct keytab keytab_make(size_t key_size, size_t entry_size, uint32_t limit);
void keytab_free(struct keytab *t);
/* keytab_get returns the entry of a key, made (zeroed behind the key) where there is none; NULL at the limit or without
 * memory. Pointers to entries live until the next one is made. */
void *keytab_get(struct keytab *t, const void *key);
/* keytab_find returns the entry of a key, or NULL. */
void *keytab_find(const struct keytab *t, const void *key);
static inline void *keytab_at(const struct keytab *t, uint32_t place) {
    return t->entries + (size_t)place * t->entry_size;
}
static inline uint32_t keytab_place(const struct keytab *t, const void *entry) {
    return (uint32_t)((size_t)((const uint8_t *)entry - t->entries) / t->entry_size);
}

#endif
