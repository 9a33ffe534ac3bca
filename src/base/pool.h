/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_BASE_POOL_H
#define WEIR_BASE_POOL_H

#include "base/slice.h"

/* pool hands out nodes of one size by number, so that links survive when it grows. Number 0 means none.
 * It takes memory as it is needed, up to a cap of nodes, and gives it back in pool_free only. */
struct pool {
    uint8_t *nodes;
    size_t size;   /* bytes of a node; its first four link the free ones */
    uint32_t used; /* nodes ever handed out, 0 included */
    uint32_t have; /* nodes there is memory for */
    uint32_t cap;
    uint32_t free; /* first free node */
};

/* pool_make returns an empty pool of up to cap nodes (0 included) of size bytes; pool_free gives all its memory back.
 */
struct pool pool_make(size_t size, uint32_t cap);
void pool_free(struct pool *p);
/* pool_get returns the number of a zeroed node, or 0 at the cap; pointers to nodes may move. */
uint32_t pool_get(struct pool *p);
/* pool_put gives a node back; 0 is fine. */
void pool_put(struct pool *p, uint32_t node);

static inline void *pool_at(const struct pool *p, uint32_t node) { return p->nodes + (size_t)node * p->size; }

#endif
