/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_BASE_POISON_H
#define WEIR_BASE_POISON_H

/* POISON and UNPOISON tell AddressSanitizer which bytes of memory handed out in pieces nobody may touch; elsewhere they
 * do nothing. */
#if defined(__SANITIZE_ADDRESS__)
#define WEIR_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WEIR_ASAN 1
#endif
#endif
#ifdef WEIR_ASAN
#include <sanitizer/asan_interface.h>
#define POISON(p, n) ASAN_POISON_MEMORY_REGION(p, n)
#define UNPOISON(p, n) ASAN_UNPOISON_MEMORY_REGION(p, n)
#else
#define POISON(p, n) ((void)(p), (void)(n))
#define UNPOISON(p, n) ((void)(p), (void)(n))
#endif

#endif
