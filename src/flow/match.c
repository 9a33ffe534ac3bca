/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/match.h"

#include <stdlib.h>

void match_table_free(struct match_table *t) {
    free(t->slot);
    t->slot = NULL;
}

/* slot_of returns the slot of a request among the few where its hash may lie; where it has none, the oldest of them. */
static struct match_slot *slot_of(struct match_table *t, uint64_t hash) {
    struct match_slot *oldest = &t->slot[hash % MATCH_SLOTS];
    for (uint64_t i = 0; i < MATCH_WAYS; i++) {
        struct match_slot *s = &t->slot[(hash + i) % MATCH_SLOTS];
        if (s->frame && s->hash == hash) return s;
        if (s->frame < oldest->frame) oldest = s;
    }
    return oldest;
}

void match_add(struct match_table *t, const void *id, size_t n, uint64_t frame, int64_t ts) {
    if (!t->slot) {
        t->key = hash_key_random();
        t->slot = calloc(MATCH_SLOTS, sizeof *t->slot);
        if (!t->slot) return;
    }
    uint64_t hash = hash_bytes(t->key, id, n);
    *slot_of(t, hash) = (struct match_slot){.hash = hash, .frame = frame, .ts = ts};
}

struct match_slot *match_find(struct match_table *t, const void *id, size_t n) {
    if (!t->slot) return NULL;
    uint64_t hash = hash_bytes(t->key, id, n);
    struct match_slot *s = slot_of(t, hash);
    return s->hash == hash && s->frame ? s : NULL;
}
