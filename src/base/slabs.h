/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_BASE_SLABS_H
#define WEIR_BASE_SLABS_H

#include "base/slice.h"

/* slabs is memory for many small things that live for different times and are looked at again and again.
 *
 * A piece stands in cache lines of its own and never moves. Pieces come out of chunks in large pages: with many thousands
 * of things, finding the page of one costs as much as the thing. What is given back is used again for pieces of its size;
 * the chunks go back to the system in slabs_free only. What is greater than SLABS_MOST comes from the system directly.
 * Freed memory is poisoned under AddressSanitizer. */
enum { SLABS_LINE = 64, SLABS_MOST = 1024 /* bytes */ };

struct slabs {
    void *free[SLABS_MOST / SLABS_LINE]; /* lists, by size */
    struct slabs_chunk *chunks;          /* the present one first */
    size_t used;                         /* bytes of the present one */
};

/* slabs_get returns n bytes, cleared, or NULL where there is no memory; {0} is an empty struct slabs. */
void *slabs_get(struct slabs *s, size_t n);
/* slabs_put gives back what slabs_get returned for n bytes; NULL is fine. */
void slabs_put(struct slabs *s, void *p, size_t n);
/* slabs_free gives everything back at once, but what was greater than SLABS_MOST. */
void slabs_free(struct slabs *s);

#endif
