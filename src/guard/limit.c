/* SPDX-License-Identifier: Apache-2.0 */
/* Counting in windows.
 *
 * Theory of operation. A limit counts in windows of fixed length; what is in the sliding window that ends now is what
 * the present one has, and the share of the one before that still reaches into it. Every process counts in cells of its
 * own; the sum over the others is asked for at most a few times in a window where packets are counted, so a packet does
 * not pay for every process, and each time where connections and logins are counted.
 *
 * Cells are used one after the other, so that memory is touched as things are counted; scattered by their keys, every
 * thing counted would take a page in each process, of those that only look as well. An index, small enough to be
 * touched all over, finds them: a keyed hash chooses CELL_WAYS neighbours, each of which names a cell and has some bits
 * of its key, so that a cell is looked at only where it is likely to be the one. Before a cell that was never used is
 * begun, a few others are looked at in turn for one that counts nothing any more: so the cells in use stay in
 * proportion to what is counted now, however many came and went. Where all the neighbours are taken the one used
 * longest ago gives way; cells of what is open never do. Then the newcomer is not counted, which the statistics say.
 *
 * No process writes another's cells, so to count anew it raises a number in its own: what a cell with a lower number
 * counted is void, and its process empties it when it counts next. */
#include "guard/cells.h"

enum { SWEEP = 4 }; /* cells looked at for each that is begun: one in four being stale is enough */
/* An entry of the index: the cell's number + 1 below, bits of the key above. */
#define NUMBER_BITS 18
_Static_assert(CELLS < 1 << NUMBER_BITS, "every cell's number fits into an entry");

static uint32_t entry_of(uint64_t key, uint32_t number) {
    return (uint32_t)(key >> (32 + NUMBER_BITS)) << NUMBER_BITS | (number + 1);
}

/* cell_at returns the cell an entry names. */
static struct cell *cell_at(const struct region *r, uint32_t entry) {
    return (struct cell *)&r->cells[((entry & ((1u << NUMBER_BITS) - 1)) - 1) & (CELLS - 1)];
}

static struct cell *cell_find(const struct region *r, uint64_t key) {
    if (!__atomic_load_n(&r->used, __ATOMIC_RELAXED))
        return NULL; /* the parent never counts: no page of it is needed */
    for (size_t i = 0; i < CELL_WAYS; i++) {
        uint32_t entry = __atomic_load_n(&r->index[(key + i) & (CELLS - 1)], __ATOMIC_ACQUIRE);
        if (!entry || (entry ^ entry_of(key, 0)) >> NUMBER_BITS) continue;
        struct cell *c = cell_at(r, entry);
        if (__atomic_load_n(&c->key, __ATOMIC_ACQUIRE) == key) return c;
    }
    return NULL;
}

static bool pinned(const struct cell *c) { return c->window < 0 && c->now; }

/* place finds where in the index a new key goes: a free entry, or the one whose cell gives way; NULL: none may. */
static uint32_t *place(struct region *r, uint64_t key) {
    uint32_t *oldest = NULL;
    for (size_t i = 0; i < CELL_WAYS; i++) {
        uint32_t *at = &r->index[(key + i) & (CELLS - 1)];
        if (!*at) return at;
        const struct cell *c = cell_at(r, *at);
        if (!pinned(c) && (!oldest || c->others_at < cell_at(r, *oldest)->others_at)) oldest = at;
    }
    return oldest;
}

static bool stale(const struct cell *c, int64_t now) { return c->window < 0 ? !c->now : c->until <= now; }

/* reclaim takes a cell that counts nothing any more out of the index; NULL: none of those whose turn it is. */
static struct cell *reclaim(struct region *r, int64_t now) {
    for (unsigned k = 0; k < SWEEP && k < r->used; k++) {
        if (++r->sweep >= r->used) r->sweep = 0;
        struct cell *c = &r->cells[r->sweep];
        if (!stale(c, now)) continue;
        for (size_t i = 0; i < CELL_WAYS; i++) {
            uint32_t *at = &r->index[(c->key + i) & (CELLS - 1)];
            if (*at && cell_at(r, *at) == c) __atomic_store_n(at, 0, __ATOMIC_RELEASE);
        }
        return c;
    }
    return NULL;
}

static struct cell *cell_get(struct region *r, uint64_t key, bool open, int64_t now) {
    struct cell *c = cell_find(r, key);
    if (c) return c;
    uint32_t *at = place(r, key);
    if (at) c = *at ? cell_at(r, *at) : reclaim(r, now);
    if (at && !c && r->used < CELLS) c = &r->cells[r->used];
    if (!c) {
        stat_add(r, GUARD_STAT_UNTRACKED, 1);
        return NULL;
    }
    __atomic_store_n(&c->key, 0, __ATOMIC_RELEASE); /* who reads it for the old key shall not count the new one */
    *c = (struct cell){.window = open ? -1 : 0, .others_at = INT64_MIN / 2};
    __atomic_store_n(&c->key, key, __ATOMIC_RELEASE);
    __atomic_store_n(at, entry_of(key, (uint32_t)(c - r->cells)), __ATOMIC_RELEASE);
    if (c == &r->cells[r->used]) __atomic_store_n(&r->used, r->used + 1, __ATOMIC_RELEASE);
    return c;
}

/* in_window returns what a cell counts in the window of that length that ends now. */
static uint64_t in_window(const struct cell *c, int64_t now, int64_t length) {
    int64_t window = now / length, age = window - c->window;
    uint64_t rest = (uint64_t)(length - now % length);
    if (age == 0) return c->now + (uint64_t)((__uint128_t)c->prev * rest / (uint64_t)length);
    return age == 1 ? (uint64_t)((__uint128_t)c->now * rest / (uint64_t)length) : 0;
}

static void roll(struct cell *c, int64_t now, int64_t length) {
    int64_t window = now / length;
    c->until = (window + 2) * length;
    if (c->window == window) return;
    c->prev = c->window == window - 1 ? c->now : 0;
    c->now = 0;
    c->window = window;
}

enum { ASKS = 16 }; /* times in a window others are asked */

static uint64_t key_of(const struct guard_limit *l, uint64_t subject) {
    return hash_mix(subject ^ l->key, l->key | 1) | 1;
}

/* cell_clear empties a cell; the number comes last, so that who reads it does not take the old count for a new one. */
static void cell_clear(struct cell *c, uint64_t cleared) {
    c->now = c->prev = c->others = 0;
    __atomic_store_n(&c->cleared, cleared, __ATOMIC_RELEASE);
}

/* others_ask counts what the other processes have; where one of them began anew, the own cell does so too. */
static void others_ask(struct guard_shared *h, unsigned writer, struct cell *own, int64_t now, int64_t length) {
    uint64_t key = own->key, latest = own->cleared, sum = 0;
    for (unsigned w = 0; w < h->writers; w++) {
        const struct cell *c = w == writer ? NULL : cell_find(&h->region[w], key);
        uint64_t cleared = c ? __atomic_load_n(&c->cleared, __ATOMIC_ACQUIRE) : 0;
        if (!c || cleared < latest) continue;
        if (cleared > latest) sum = 0;
        latest = cleared;
        sum += in_window(c, now, length);
    }
    if (own->cleared < latest) cell_clear(own, latest);
    own->others = sum;
    own->others_at = now;
}

uint64_t limit_count(struct guard_shared *h, unsigned writer, const struct guard_limit *l, uint64_t subject,
                     uint64_t add, bool exact, int64_t now) {
    struct cell *own = cell_get(&h->region[writer], key_of(l, subject), false, now);
    if (!own) return 0;
    roll(own, now, l->window);
    /* Nobody is banned for what another process has begun anew since it was asked. */
    bool ban = l->act.action == GUARD_BAN && in_window(own, now, l->window) + own->others + add > l->max;
    if (exact || ban || now - own->others_at >= l->window / ASKS) others_ask(h, writer, own, now, l->window);
    own->now += add;
    return in_window(own, now, l->window) + own->others;
}

void limit_clear(struct guard_shared *h, unsigned writer, const struct guard_limit *l, uint64_t subject) {
    struct cell *own = cell_find(&h->region[writer], key_of(l, subject));
    if (own) cell_clear(own, own->cleared + 1);
}

uint64_t open_count(struct guard_shared *h, unsigned writer, uint64_t key, int add, int64_t now) {
    uint64_t sum = 0;
    struct cell *own = add > 0 ? cell_get(&h->region[writer], key, true, now) : cell_find(&h->region[writer], key);
    if (own && add > 0) own->now++;
    if (own && add < 0 && own->now) own->now--;
    if (own) own->others_at = now;
    for (unsigned w = 0; add >= 0 && w < h->writers; w++) {
        const struct cell *c = cell_find(&h->region[w], key);
        if (c) sum += cell_load(&c->now);
    }
    return sum;
}
