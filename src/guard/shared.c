/* SPDX-License-Identifier: Apache-2.0 */
/* Shared memory: its layout, statistics, talkers.
 *
 * Theory of operation. Each process has a region only it writes; what all count together is the sum over the regions. A
 * reader may see a sum that is a moment old, never a torn number. Nothing is locked, so a process that is killed leaves
 * nothing locked: guard_shared_forget takes back what it counted as open. Memory is fixed; pages cost nothing until
 * touched. */
#include "guard/cells.h"

#include "base/err.h"

size_t guard_shared_size(unsigned writers) {
    return sizeof(struct guard_shared) + (size_t)writers * sizeof(struct region);
}

struct guard_shared *guard_shared_make(void *memory, unsigned writers) {
    struct guard_shared *h = memory;
    h->writers = writers;
    h->key = hash_key_random();
    return h;
}

void guard_shared_forget(struct guard_shared *h, unsigned writer) {
    struct region *r = &h->region[writer];
    for (size_t i = 0; i < r->used && i < CELLS; i++)
        if (r->cells[i].window < 0) r->cells[i].now = 0;
    for (size_t i = 0; i < TALKERS; i++) r->talkers[i].connections = 0;
    for (int s = 0; s < GUARD_STAT_COUNT; s++)
        if (guard_stat_info[s].gauge) __atomic_store_n(&r->stats[s], 0, __ATOMIC_RELAXED);
}

void guard_stats_sum(const struct guard_shared *h, uint64_t out[GUARD_STAT_COUNT]) {
    for (int s = 0; s < GUARD_STAT_COUNT; s++) {
        out[s] = 0;
        for (unsigned w = 0; w < h->writers; w++) out[s] += cell_load(&h->region[w].stats[s]);
    }
}

const struct stat_info guard_stat_info[GUARD_STAT_COUNT] = {
#define X(id, name, kind, help) [GUARD_STAT_##id] = {"guard_" name, help, #kind[0] == 'G'},
    GUARD_STATS(X)
#undef X
};

uint64_t subject_address(const struct guard_shared *h, const struct net_addr *cut) {
    return hash_bytes(h->key, cut, 1u + cut->len) | 1;
}

uint64_t subject_name(const struct guard_shared *h, uint8_t kind, struct slice name) {
    struct hash_key k = {h->key.a + kind + 1, h->key.b};
    return hash_bytes(k, name.p, name.n) | 1;
}

struct talker *talker_get(struct guard_shared *h, unsigned writer, const struct net_addr *cut) {
    uint64_t key = subject_address(h, cut);
    struct talker *table = h->region[writer].talkers, *worst = NULL;
    for (size_t i = 0; i < TALKER_WAYS; i++) {
        struct talker *t = &table[(key + i) & (TALKERS - 1)];
        if (t->key == key) return t;
        /* Who has nothing open and sent least gives way. */
        if (!worst || (t->connections == 0) > (worst->connections == 0) ||
            ((t->connections == 0) == (worst->connections == 0) && t->bytes < worst->bytes))
            worst = t;
    }
    *worst = (struct talker){.key = key, .address = *cut};
    return worst;
}

static size_t talker_add(struct guard_talker *out, size_t n, size_t max, const struct talker *t) {
    size_t at = 0;
    while (at < n && memcmp(&out[at].address, &t->address, sizeof t->address) != 0) at++;
    if (at == n) {
        if (n == max && out[n - 1].bytes >= t->bytes) return n;
        if (n < max) n++;
        at = n - 1;
        out[at] = (struct guard_talker){.address = t->address};
    }
    out[at].packets += t->packets;
    out[at].bytes += t->bytes;
    out[at].connections += t->connections;
    for (; at > 0 && out[at - 1].bytes < out[at].bytes; at--) {
        struct guard_talker swap = out[at];
        out[at] = out[at - 1];
        out[at - 1] = swap;
    }
    return n;
}

size_t guard_talkers(const struct guard_shared *h, struct guard_talker *out, size_t max) {
    size_t n = 0;
    for (unsigned w = 0; max && w < h->writers; w++)
        for (size_t i = 0; i < TALKERS; i++)
            if (h->region[w].talkers[i].key) n = talker_add(out, n, max, &h->region[w].talkers[i]);
    return n;
}
