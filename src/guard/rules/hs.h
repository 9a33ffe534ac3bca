/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_GUARD_RULES_HS_H
#define WEIR_GUARD_RULES_HS_H

#include "base/late.h"

#include <hs/hs.h>

/* Hyperscan, which finds many patterns at once; it is there once hs_load has said so. */
#define HS_LIBRARY "libhs.so.5"
/* clang-format off */
#define HS_CALLS(X)                                                                                                    \
    X(hs_, alloc_scratch) X(hs_, clone_scratch) X(hs_, compile) X(hs_, compile_multi) X(hs_, deserialize_database)     \
    X(hs_, expression_info) X(hs_, free_compile_error) X(hs_, free_database) X(hs_, free_scratch)                      \
    X(hs_, populate_platform) X(hs_, scan) X(hs_, serialize_database) X(hs_, version)
/* clang-format on */
extern struct hs { HS_CALLS(LATE_POINTER) } hs;

/* hs_load loads the library; false where it is not there. */
bool hs_load(void);

#endif
