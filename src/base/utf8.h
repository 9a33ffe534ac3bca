/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_BASE_UTF8_H
#define WEIR_BASE_UTF8_H

#include "base/slice.h"

/* utf8_next decodes the first character of s (RFC 3629: no surrogates, no overlong forms). It returns its
 * length in bytes and stores its code point, or returns 0 where the bytes are not UTF-8. */
size_t utf8_next(struct slice s, uint32_t *code);

/* utf8_valid tells whether all of s is UTF-8. */
bool utf8_valid(struct slice s);

/* utf8_hidden tells whether a character is not seen but acts on what is: controls, and Unicode's format characters
 * (category Cf), which turn the direction of the text around them or take no room. Text of strangers has them escaped.
 */
bool utf8_hidden(uint32_t code);

/* utf8_readable tells whether s is UTF-8 without other controls than tabs and ends of lines. */
bool utf8_readable(struct slice s);

#endif
