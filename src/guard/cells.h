/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_GUARD_CELLS_H
#define WEIR_GUARD_CELLS_H

#include "guard/policy.h"

/* The layout of the shared memory; shared.h says what it is for. A region is written by one process only, so plain
 * stores of whole words are enough; who reads may see a number a moment old. */

enum {
    CELLS = 1 << 17, /* counted things (an address under a limit) of one writer; a power of two */
    CELL_WAYS = 8,   /* neighbours in the index among which a new one finds its place */
    TALKERS = 1 << 14,
    TALKER_WAYS = 4,
    BAN_SLOTS = 1 << 13,
    BAN_WAYS = 16,
    BAN_TEXT = 80, /* bytes shown of a name or reason; what is compared is the hash of the whole name */
    BAN_REASON = 48,
};

/* cell is one counter of a sliding window, or of things open now. */
struct cell {
    uint64_t key;   /* 0: free */
    int64_t window; /* number of the window `now` counts; -1: it counts what is open */
    uint64_t now, prev;
    uint64_t others; /* what the other processes count, as of others_at */
    int64_t others_at;
    int64_t until;    /* a window: when nothing of it counts any more */
    uint64_t cleared; /* how often counting began anew; what a cell that is behind another counted is void */
};

struct talker {
    uint64_t key;
    struct net_addr address;
    uint32_t connections;
    uint64_t packets, bytes;
};

struct ban_slot {
    uint32_t seq; /* odd while it is being written */
    uint8_t kind, bits, text_len, reason_len;
    bool lift;
    struct net_addr address;
    uint64_t hash; /* 0: free */
    int64_t made, until;
    char text[BAN_TEXT], reason[BAN_REASON];
};

struct region {
    uint64_t stats[GUARD_STAT_COUNT];
    uint64_t change;
    uint64_t lengths[4]; /* prefix lengths among the bans: bit 0-32 IPv4, 64-192 IPv6 */
    struct ban_slot bans[BAN_SLOTS];
    struct talker talkers[TALKERS];
    uint32_t used;         /* cells in use: the first ones */
    uint32_t sweep;        /* of them the one looked at last */
    uint32_t index[CELLS]; /* by key: a cell's number and some bits of its key (limit.c); 0: free */
    struct cell cells[CELLS];
};

struct guard_shared {
    unsigned writers;
    struct hash_key key;
    struct region region[];
};

static inline void stat_add(struct region *r, enum guard_stat s, uint64_t n) {
    __atomic_store_n(&r->stats[s], r->stats[s] + n, __ATOMIC_RELAXED);
}
static inline uint64_t cell_load(const uint64_t *p) { return __atomic_load_n(p, __ATOMIC_RELAXED); }

/* subject_address and subject_name turn whom a limit counts into a number no outsider can foresee. */
uint64_t subject_address(const struct guard_shared *h, const struct net_addr *cut);
uint64_t subject_name(const struct guard_shared *h, uint8_t kind, struct slice name);

/* limit_count adds `add` to what `l` counts for a subject and returns how much there is in its window now, over all
 * processes. `exact` asks the others anew however short ago that was. */
uint64_t limit_count(struct guard_shared *h, unsigned writer, const struct guard_limit *l, uint64_t subject,
                     uint64_t add, bool exact, int64_t now);
/* limit_clear makes every process count anew for a subject whose limit limit_count found exceeded. */
void limit_clear(struct guard_shared *h, unsigned writer, const struct guard_limit *l, uint64_t subject);
/* open_count does the same as limit_count for things that are open: `add` is 1, 0 or -1. */
uint64_t open_count(struct guard_shared *h, unsigned writer, uint64_t key, int add, int64_t now);

/* talker_get returns the place of an address among the talkers. */
struct talker *talker_get(struct guard_shared *h, unsigned writer, const struct net_addr *cut);

/* ban_find tells whether an address (kind GUARD_BAN_ADDRESS) or a name is banned. */
bool ban_find_address(const struct guard_shared *h, const struct net_addr *a, int64_t now, struct ban_slot *out);
bool ban_find_name(const struct guard_shared *h, enum guard_ban_kind kind, struct slice name, int64_t now,
                   struct ban_slot *out);
/* ban_add is guard_ban_set with the address read already. It never fails, where there is no room the ban that ends
 * first gives way; and it shortens none: one that ends later stands. */
void ban_add(struct guard_shared *h, unsigned writer, enum guard_ban_kind kind, const struct guard_prefix *prefix,
             struct slice name, struct slice reason, int64_t now, int64_t until);

#endif
