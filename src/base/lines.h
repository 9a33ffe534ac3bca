/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_BASE_LINES_H
#define WEIR_BASE_LINES_H

#include <stddef.h>
#include <stdint.h>

/* line_ask asks memory for the cache line at p, which is written to soon. To the compiler a function that does nothing
 * but ask does nothing, and GCC drops calls of it: the empty statement keeps them. */
static inline void line_ask(const void *p) {
    __builtin_prefetch(p, 1);
    __asm__ volatile("");
}

/* lines_ask asks for every cache line that the n bytes at p touch. */
static inline void lines_ask(const void *p, size_t n) {
    enum { LINE = 64 };
    const char *end = (const char *)p + n;
    for (const char *line = (const char *)p - (uintptr_t)p % LINE; line < end; line += LINE) line_ask(line);
}

#endif
