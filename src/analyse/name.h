/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_ANALYSE_NAME_H
#define WEIR_ANALYSE_NAME_H

#include "base/hash.h"

/* name is a text from the wire as part of a key: up to NAME_SIZE bytes of it; a longer one is its beginning and a hash.
 */
enum { NAME_SIZE = 160, NAME_HEAD = 140 };

struct name {
    uint8_t text[NAME_SIZE];
    uint32_t n;
};

/* name_set fills n, padding included; `secret` makes the hashes of long names unpredictable. */
void name_set(struct name *n, struct hash_key secret, struct slice text);
static inline struct slice name_slice(const struct name *n) { return slice_of(n->text, n->n); }

#endif
