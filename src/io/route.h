/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_IO_ROUTE_H
#define WEIR_IO_ROUTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* route_source asks the kernel from which address it would send to dst (n: 4 or 16 bytes); nothing is sent. False where
 * there is no route. */
bool route_source(const uint8_t *dst, uint8_t *src, size_t n);

#endif
