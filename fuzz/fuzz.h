/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_FUZZ_FUZZ_H
#define WEIR_FUZZ_FUZZ_H

#include "base/reader.h"
#include <stdio.h>
#include <stdlib.h>

/* What the fuzz targets share. A target finds more than crashes: what must always hold is checked, and a check
 * that fails is a crash. */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_CHECK(what)                                                                                               \
    do {                                                                                                               \
        if (!(what)) fuzz_failed(#what, __FILE__, __LINE__);                                                           \
    } while (0)

_Noreturn static inline void fuzz_failed(const char *what, const char *file, int line) {
    fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
    abort();
}

#endif
