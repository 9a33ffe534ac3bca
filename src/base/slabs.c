/* SPDX-License-Identifier: Apache-2.0 */
#include "base/slabs.h"

#include "base/pages.h"
#include "base/poison.h"

#include <stdlib.h>

enum { CHUNK = 2 << 20 /* bytes, a large page */ };

struct slabs_chunk {
    struct slabs_chunk *next;
};

static size_t whole_lines(size_t n) { return n ? (n + SLABS_LINE - 1) / SLABS_LINE * SLABS_LINE : SLABS_LINE; }

/* chunk_add: whoever needs one chunk only pays for what is used of it. */
static bool chunk_add(struct slabs *s) {
    struct slabs_chunk *c = aligned_alloc(CHUNK, CHUNK);
    if (!c) return false;
    if (s->chunks) pages_whole(c, CHUNK);
    c->next = s->chunks;
    s->chunks = c;
    s->used = SLABS_LINE;
    POISON((uint8_t *)c + s->used, CHUNK - s->used);
    return true;
}

/* piece_new takes size bytes, whole lines, off the present chunk. */
static void *piece_new(struct slabs *s, size_t size) {
    if ((!s->chunks || s->used + size > CHUNK) && !chunk_add(s)) return NULL;
    uint8_t *p = (uint8_t *)s->chunks + s->used;
    s->used += size;
    return p;
}

void *slabs_get(struct slabs *s, size_t n) {
    if (n > SLABS_MOST) return calloc(1, n);
    size_t size = whole_lines(n);
    void **first = &s->free[size / SLABS_LINE - 1], *p = *first ? *first : piece_new(s, size);
    if (!p) return NULL;
    UNPOISON(p, size);
    if (*first) memcpy(first, p, sizeof *first);
    memset(p, 0, size);
    POISON((uint8_t *)p + n, size - n);
    return p;
}

void slabs_put(struct slabs *s, void *p, size_t n) {
    if (n > SLABS_MOST) {
        free(p);
        return;
    }
    if (!p) return;
    size_t size = whole_lines(n);
    void **first = &s->free[size / SLABS_LINE - 1];
    UNPOISON(p, size);
    memcpy(p, first, sizeof *first);
    *first = p;
    POISON(p, size);
}

void slabs_free(struct slabs *s) {
    for (struct slabs_chunk *c = s->chunks, *next; c; c = next) {
        next = c->next;
        UNPOISON(c, CHUNK);
        free(c);
    }
    *s = (struct slabs){0};
}
