/* SPDX-License-Identifier: Apache-2.0 */
/* Counting in windows.
 *
 * Theory of operation. A limit counts in windows of fixed length; what is in the sliding window that ends now is what
 * the present one has, and the share of the one before that still reaches into it. Every process counts in cells of its
 * own; the sum over the others is asked for at most a few times in a window where packets are counted, so a packet does
 * not pay for every process, and each time where connections and logins are counted. A cell is found by a keyed hash
 * among CELL_WAYS neighbours. Where all are taken the one that counts nothing any more or was used longest ago gives
 * way; cells of what is open never do. Then the newcomer is not counted, which the statistics say. */
#include "guard/cells.h"

static struct cell *cell_find(const struct region *r, uint64_t key) {
    for (size_t i = 0; i < CELL_WAYS; i++) {
        const struct cell *c = &r->cells[(key + i) & (CELLS - 1)];
        if (cell_load(&c->key) == key) return (struct cell *)c;
    }
    return NULL;
}

static bool pinned(const struct cell *c) { return c->window < 0 && c->now; }

static struct cell *cell_get(struct region *r, uint64_t key, bool open) {
    struct cell *c = cell_find(r, key), *oldest = NULL;
    if (c) return c;
    for (size_t i = 0; i < CELL_WAYS; i++) {
        c = &r->cells[(key + i) & (CELLS - 1)];
        if (!c->key) {
            oldest = c;
            break;
        }
        if (!pinned(c) && (!oldest || c->others_at < oldest->others_at)) oldest = c;
    }
    if (!oldest) {
        stat_add(r, GUARD_STAT_UNTRACKED, 1);
        return NULL;
    }
    *oldest = (struct cell){.window = open ? -1 : 0, .others_at = INT64_MIN / 2};
    __atomic_store_n(&oldest->key, key, __ATOMIC_RELEASE);
    return oldest;
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
    if (c->window == window) return;
    c->prev = c->window == window - 1 ? c->now : 0;
    c->now = 0;
    c->window = window;
}

enum { ASKS = 16 }; /* times in a window others are asked */

uint64_t limit_count(struct guard_shared *h, unsigned writer, const struct guard_limit *l, uint64_t subject,
                     uint64_t add, bool exact, int64_t now) {
    uint64_t key = hash_mix(subject ^ l->key, l->key | 1) | 1;
    struct cell *own = cell_get(&h->region[writer], key, false);
    if (!own) return 0;
    roll(own, now, l->window);
    own->now += add;
    if (exact || now - own->others_at >= l->window / ASKS) {
        own->others = 0;
        for (unsigned w = 0; w < h->writers; w++) {
            const struct cell *c = w == writer ? NULL : cell_find(&h->region[w], key);
            if (c) own->others += in_window(c, now, l->window);
        }
        own->others_at = now;
    }
    return in_window(own, now, l->window) + own->others;
}

uint64_t open_count(struct guard_shared *h, unsigned writer, uint64_t key, int add, int64_t now) {
    uint64_t sum = 0;
    struct cell *own = add > 0 ? cell_get(&h->region[writer], key, true) : cell_find(&h->region[writer], key);
    if (own && add > 0) own->now++;
    if (own && add < 0 && own->now) own->now--;
    if (own) own->others_at = now;
    for (unsigned w = 0; add >= 0 && w < h->writers; w++) {
        const struct cell *c = cell_find(&h->region[w], key);
        if (c) sum += cell_load(&c->now);
    }
    return sum;
}
