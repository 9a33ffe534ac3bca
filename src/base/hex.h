/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_BASE_HEX_H
#define WEIR_BASE_HEX_H

/* hex_digit returns the value of a hexadecimal digit in either case, -1 where c is none. */
static inline int hex_digit(int c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

#endif
