/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_FLOW_MATCH_H
#define WEIR_FLOW_MATCH_H

#include "base/hash.h"

/* match_table remembers requests until their answers come: by a keyed hash of what both share. It holds MATCH_SLOTS
 * requests; a newer one takes the place of the oldest of MATCH_WAYS neighbours, whose answer then finds nothing. */
enum { MATCH_SLOTS = 1 << 13, MATCH_WAYS = 16 };

struct match_slot {
    uint64_t hash, frame;
    int64_t ts;
    uint64_t answer; /* frame of the first answer, 0: none yet */
};

struct match_table {
    struct match_slot *slot; /* allocated at first use */
    struct hash_key key;
};

/* match_table_free releases the slots; {0} is an empty table. */
void match_table_free(struct match_table *t);
/* match_add remembers a request. match_find returns it, or NULL. `id` holds n bytes that both share. */
void match_add(struct match_table *t, const void *id, size_t n, uint64_t frame, int64_t ts);
struct match_slot *match_find(struct match_table *t, const void *id, size_t n);

#endif
