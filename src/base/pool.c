/* SPDX-License-Identifier: Apache-2.0 */
#include "base/pool.h"

#include "base/pages.h"

#include <stdlib.h>

enum { LINE = 64, GREAT = 2 * PAGES_SPARED };

/* pool_make: great nodes begin at the beginning of a cache line, so that they touch as few as they can. */
struct pool pool_make(size_t size, uint32_t cap) {
    size_t whole = size > 2 * LINE ? LINE : 8;
    return (struct pool){.size = (size + whole - 1) / whole * whole, .cap = cap, .used = 1};
}

void pool_free(struct pool *p) {
    free(p->nodes);
    *p = pool_make(p->size, p->cap);
}

/* grown returns room for n bytes with the nodes in it, which are copied: large pages are for memory that is new. */
static void *grown(const struct pool *p, size_t n) {
    void *nodes = aligned_alloc(LINE, (n + LINE - 1) / LINE * LINE);
    if (!nodes) return NULL;
    if (n >= GREAT) pages_wide(nodes, n);
    if (p->nodes) memcpy(nodes, p->nodes, (size_t)p->have * p->size);
    free(p->nodes);
    return nodes;
}

static bool pool_grow(struct pool *p) {
    uint32_t have = p->have ? p->have * 2 : 64;
    if (have > p->cap) have = p->cap;
    if (have <= p->have) return false;
    void *nodes = grown(p, (size_t)have * p->size);
    if (!nodes) return false;
    p->nodes = nodes;
    p->have = have;
    return true;
}

uint32_t pool_get(struct pool *p) {
    uint32_t node = p->free;
    if (node) {
        memcpy(&p->free, pool_at(p, node), sizeof p->free);
    } else {
        if (p->used >= p->have && !pool_grow(p)) return 0;
        node = p->used++;
    }
    memset(pool_at(p, node), 0, p->size);
    return node;
}

void pool_put(struct pool *p, uint32_t node) {
    if (!node) return;
    memcpy(pool_at(p, node), &p->free, sizeof p->free);
    p->free = node;
}
