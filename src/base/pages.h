/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_BASE_PAGES_H
#define WEIR_BASE_PAGES_H

#include <stddef.h>

/* pages_wide asks for large pages for the n bytes at p, which must be memory that was not touched yet, from
 * PAGES_SPARED bytes on: what is used here and there is then found with fewer looks into page tables. It is a wish, and
 * whoever uses only the beginning of the memory pays for no more than that. */
enum { PAGES_SPARED = 1 << 20 };
void pages_wide(void *p, size_t n);
/* pages_whole does so from the first byte on. */
void pages_whole(void *p, size_t n);

#endif
