/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_GUARD_RULES_HS_H
#define WEIR_GUARD_RULES_HS_H

#include "base/late.h"

#include <hs/hs.h>

/* Hyperscan, which finds many patterns at once; it is there once hs_load has said so. */
#define HS_LIBRARY "libhs.so.5"
/* clang-format off */
#define HS_CALLS(X)                                                                                                    \
    X(hs_alloc_scratch) X(hs_clone_scratch) X(hs_compile) X(hs_compile_multi) X(hs_deserialize_database)               \
    X(hs_expression_info) X(hs_free_compile_error) X(hs_free_database) X(hs_free_scratch)                              \
    X(hs_populate_platform) X(hs_scan) X(hs_serialize_database) X(hs_version)
/* clang-format on */
extern struct hs { HS_CALLS(LATE_POINTER) } hs;

bool hs_load(void);

/* Calls are written as in its manual. */
#define hs_alloc_scratch hs.hs_alloc_scratch
#define hs_clone_scratch hs.hs_clone_scratch
#define hs_compile hs.hs_compile
#define hs_compile_multi hs.hs_compile_multi
#define hs_deserialize_database hs.hs_deserialize_database
#define hs_expression_info hs.hs_expression_info
#define hs_free_compile_error hs.hs_free_compile_error
#define hs_free_database hs.hs_free_database
#define hs_free_scratch hs.hs_free_scratch
#define hs_populate_platform hs.hs_populate_platform
#define hs_scan hs.hs_scan
#define hs_serialize_database hs.hs_serialize_database
#define hs_version hs.hs_version

#endif
