/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_GUARD_JSON_H
#define WEIR_GUARD_JSON_H

#include "base/writer.h"

/* A JSON text (RFC 8259) read in place, piece by piece. Nothing is copied or allocated; depth is limited. */

enum { JSON_DEPTH_MAX = 64 };

enum json_kind { JSON_BAD, JSON_NULL, JSON_TRUE, JSON_FALSE, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

/* json_value reads the value at the front of *s, moves behind it, and gives its kind; `text` is its bytes: of a string
 * what stands between the quotes, escapes as they are. JSON_BAD where it is no JSON or deeper than JSON_DEPTH_MAX. */
enum json_kind json_value(struct slice *s, struct slice *text);
/* json_valid tells whether all of s is one JSON text. */
bool json_valid(struct slice s);
/* json_next takes the next member of an object (`name` is set) or element of an array whose text json_value gave;
 * *inside is what is left of that text without its brackets, begun by json_inside. False at the end. */
struct slice json_inside(struct slice text);
bool json_next(struct slice *inside, bool object, struct slice *name, enum json_kind *kind, struct slice *text);
/* json_string_len counts the characters of a string's text, an escape as one. */
size_t json_string_len(struct slice text);
/* json_string_eq tells whether a string's text stands for the same as plain bytes. */
bool json_string_eq(struct slice text, struct slice plain);
/* json_string_read writes what a string's text stands for, as UTF-8; false where a surrogate stands alone. */
bool json_string_read(struct slice text, struct writer *out);
/* json_number turns a number's text into a double. */
double json_number(struct slice text);

#endif
