/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include "base/poison.h"
#include "base/rare.h"

#include <stdlib.h>

struct arena_chunk {
    struct arena_chunk *next;
    size_t size;
    max_align_t bytes[];
};

enum { CHUNK = 16 * 1024 };

struct arena arena_make(size_t cap) {
    return (struct arena){.cap = cap};
}

struct arena arena_make_of(size_t cap, struct arena_budget *of) {
    return (struct arena){.of = of, .cap = cap};
}

static bool has_room(const struct arena *a, size_t n) {
    if (n > a->cap || a->held > a->cap - n) return false;
    return !a->of || (n <= a->of->cap && a->of->held <= a->of->cap - n);
}

static struct arena_chunk *chunk_new(struct arena *a, size_t n) {
    size_t size = n > CHUNK ? n : CHUNK;
    if (!has_room(a, size)) size = n; /* near the cap: exactly what is asked for */
    if (!has_room(a, size)) return NULL;
    struct arena_chunk *c = malloc(sizeof *c + size);
    if (!c) return NULL;
    c->next = NULL;
    c->size = size;
    a->held += size;
    if (a->of) a->of->held += size;
    POISON(c->bytes, size);
    return c;
}

/* chunk_next goes on in a chunk with room for n bytes; false where the cap is reached. */
RARE static bool chunk_next(struct arena *a, size_t n) {
    struct arena_chunk *c = chunk_new(a, n);
    if (!c) return false;
    if (a->now) a->now->next = c;
    if (!a->first) a->first = c;
    a->now = c;
    a->used = 0;
    return true;
}

void *arena_get(struct arena *a, size_t n) {
    if (n > a->cap) return NULL;
    n = (n + 7) & ~(size_t)7;
    if ((!a->now || a->now->size - a->used < n) && !chunk_next(a, n)) return NULL;
    char *p = (char *)a->now->bytes + a->used;
    a->used += n;
    UNPOISON(p, n);
    return p;
}

struct slice arena_copy(struct arena *a, struct slice s) {
    void *p = s.n ? arena_get(a, s.n) : NULL;
    if (!p) return (struct slice){0};
    memcpy(p, s.p, s.n);
    return slice_of(p, s.n);
}

static void chunks_free(struct arena *a, struct arena_chunk *c) {
    while (c) {
        struct arena_chunk *next = c->next;
        a->held -= c->size;
        if (a->of) a->of->held -= c->size;
        UNPOISON(c->bytes, c->size);
        free(c);
        c = next;
    }
}

void arena_reset(struct arena *a) {
    if (!a->first) return;
    chunks_free(a, a->first->next);
    a->first->next = NULL;
    a->now = a->first;
    a->used = 0;
    POISON(a->first->bytes, a->first->size);
}

void arena_free(struct arena *a) {
    chunks_free(a, a->first);
    *a = (struct arena){.of = a->of, .cap = a->cap};
}
