/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_FUZZ_FUZZ_H
#define WEIR_FUZZ_FUZZ_H

#include "base/reader.h"
#include "proto/proto.h"

#include <stdlib.h>

/* What the fuzz targets share. A target finds more than crashes: what must always hold is checked, and a check
 * that fails is a crash. */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_CHECK(what)                                                                                               \
    do {                                                                                                               \
        if (!(what)) fuzz_failed(#what, __FILE__, __LINE__);                                                           \
    } while (0)

_Noreturn void fuzz_failed(const char *what, const char *file, int line);

/* fuzz_fields checks a list of fields from place `from` on (tree without holes, places inside their source) and
 * prints every value and label, which must not crash either. */
void fuzz_fields(const struct fvec *v, uint32_t from);

#endif
