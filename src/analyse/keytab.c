/* SPDX-License-Identifier: Apache-2.0 */
/* Open addressing with linear steps; slots hold part of the hash, so that entries are compared only where they are
 * likely the same. Slots are at least twice as many as entries. */
#include "analyse/keytab.h"

#include <stdlib.h>

enum { FIRST_ROOM = 64 };

struct keytab keytab_make(size_t key_size, size_t entry_size, uint32_t limit) {
    return (struct keytab){.secret = hash_key_random(), .key_size = key_size, .entry_size = entry_size, .limit = limit};
}

void keytab_free(struct keytab *t) {
    free(t->entries);
    free(t->slots);
    t->entries = NULL;
    t->slots = NULL;
    t->n = t->room = t->mask = 0;
}

static void slot_put(struct keytab_slot *slots, uint32_t mask, uint32_t hash, uint32_t place) {
    uint32_t i = hash & mask;
    while (slots[i].place) i = (i + 1) & mask;
    slots[i] = (struct keytab_slot){hash, place + 1};
}

static bool grow(struct keytab *t) {
    uint32_t room = t->room ? t->room * 2 : FIRST_ROOM, count = room * 2;
    uint8_t *entries = realloc(t->entries, (size_t)room * t->entry_size);
    if (!entries) return false;
    t->entries = entries;
    struct keytab_slot *slots = calloc(count, sizeof *slots);
    if (!slots) return false;
    for (uint32_t i = 0; t->slots && i <= t->mask; i++)
        if (t->slots[i].place) slot_put(slots, count - 1, t->slots[i].hash, t->slots[i].place - 1);
    free(t->slots);
    t->slots = slots;
    t->mask = count - 1;
    t->room = room;
    return true;
}

static void *find(const struct keytab *t, const void *key, uint32_t hash) {
    if (!t->slots) return NULL;
    for (uint32_t i = hash & t->mask; t->slots[i].place; i = (i + 1) & t->mask) {
        if (t->slots[i].hash != hash) continue;
        void *entry = keytab_at(t, t->slots[i].place - 1);
        if (memcmp(entry, key, t->key_size) == 0) return entry;
    }
    return NULL;
}

void *keytab_find(const struct keytab *t, const void *key) {
    return find(t, key, (uint32_t)hash_bytes(t->secret, key, t->key_size));
}

void *keytab_get(struct keytab *t, const void *key) {
    uint32_t hash = (uint32_t)hash_bytes(t->secret, key, t->key_size);
    void *entry = find(t, key, hash);
    if (entry) return entry;
    if (t->n >= t->limit || (t->n == t->room && !grow(t))) {
        t->refused++;
        return NULL;
    }
    entry = keytab_at(t, t->n);
    memcpy(entry, key, t->key_size);
    memset((uint8_t *)entry + t->key_size, 0, t->entry_size - t->key_size);
    slot_put(t->slots, t->mask, hash, t->n++);
    return entry;
}
