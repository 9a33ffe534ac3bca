/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/proxy/shared.h"
#include <sys/mman.h>
#include <sys/random.h>

const struct stat_info proxy_stat_info[PROXY_STAT_COUNT] = {
#define X(id, name, kind, help) [PROXY_STAT_##id] = {name, help, #kind[0] == 'G'},
    PROXY_STATS(X)
#undef X
};

struct shared *shared_make(unsigned n) {
    size_t size = sizeof(struct shared) + n * sizeof(struct shared_worker);
    struct shared *h = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (h == MAP_FAILED) return NULL;
    return getrandom(h->tickets, sizeof h->tickets, 0) == sizeof h->tickets ? h : NULL;
}

void shared_stats_sum(const struct shared *h, unsigned n, uint64_t out[PROXY_STAT_COUNT]) {
    memset(out, 0, PROXY_STAT_COUNT * sizeof *out);
    for (unsigned i = 0; i < n; i++)
        for (int k = 0; k < PROXY_STAT_COUNT; k++)
            out[k] += atomic_load_explicit(&h->worker[i].stat[k], memory_order_relaxed);
}
