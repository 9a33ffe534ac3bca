/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_FUZZ_FIELDS_H
#define WEIR_FUZZ_FIELDS_H

#include "fuzz.h"
#include "proto/proto.h"

/* fuzz_fields checks a list of fields from place `from` on (tree without holes, places inside their source) and
 * prints every value and label, which must not crash either. */
void fuzz_fields(const struct fvec *v, uint32_t from);

#endif
