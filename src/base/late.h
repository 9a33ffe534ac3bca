/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_BASE_LATE_H
#define WEIR_BASE_LATE_H

#include <stdbool.h>
#include <stddef.h>

/* Shared libraries that are loaded when they are first needed: with those that they need in turn they would cost every
 * start of the program, whatever its command.
 *
 * A list of calls `LIST(X) X(lib_, this) X(lib_, that)` makes the struct of pointers to lib_this and lib_that,
 * struct { LIST(LATE_POINTER) } lib, which are called lib.this(...) and lib.that(...), and the names they are found by
 * in the same order, { LIST(LATE_NAME) }. */
#define LATE_POINTER(prefix, name) __typeof__(&prefix##name) name;
#define LATE_NAME(prefix, name) #prefix #name,

/* late_load opens a library, for good, and puts the addresses of n of its functions into the struct of pointers; false
 * where it, or one of them, is not there. */
bool late_load(const char *library, const char *const names[], size_t n, void *pointers);

#endif
