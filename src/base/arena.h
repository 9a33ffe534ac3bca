/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_BASE_ARENA_H
#define WEIR_BASE_ARENA_H

#include "base/slice.h"

/* arena is a bump allocator of one lifetime (packet, connection or process) with a hard cap.
 *
 * Memory is taken from the system in chunks and given back by arena_free only; arena_reset keeps the first
 * chunk for the next life. Where the cap is reached arena_get returns NULL: a verdict for the caller, not a
 * crash. Freed memory is poisoned under AddressSanitizer. */
/* arena_budget is what many arenas may hold together. */
struct arena_budget {
    size_t held, cap; /* bytes taken from the system */
};

struct arena {
    struct arena_budget *of; /* NULL: none */
    struct arena_chunk *first, *now;
    size_t used; /* bytes of the present chunk */
    size_t held; /* bytes taken from the system */
    size_t cap;
};

/* arena_make returns an arena that never holds more than cap bytes. */
struct arena arena_make(size_t cap);
/* arena_make_of returns one that also stays within a budget, which must outlive it; NULL: none. */
struct arena arena_make_of(size_t cap, struct arena_budget *of);
/* arena_get returns n bytes aligned to 8, not cleared, or NULL at the cap. */
void *arena_get(struct arena *a, size_t n);
/* arena_copy returns a copy of s that lives as long as the arena; empty where the cap is reached. */
struct slice arena_copy(struct arena *a, struct slice s);
/* arena_reset ends the lifetime of everything handed out. */
void arena_reset(struct arena *a);
void arena_free(struct arena *a);

#endif
