/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_PROTO_TLS_IDEA_H
#define WEIR_PROTO_TLS_IDEA_H

#include "base/slice.h"

/* IDEA, of RFC 5469: libraries are built without it, and old captures have it. Decryption only, in CBC mode. */

enum { IDEA_BLOCK = 8, IDEA_KEY = 16, IDEA_SUBKEYS = 52 };

struct idea {
    uint16_t subkey[IDEA_SUBKEYS]; /* for decryption */
};

/* idea_start works the keys for decryption out. */
void idea_start(struct idea *c, const uint8_t key[IDEA_KEY]);
/* idea_cbc_open decrypts n bytes, a multiple of IDEA_BLOCK, from `in` to `out`, which may not overlap. */
void idea_cbc_open(const struct idea *c, const uint8_t iv[IDEA_BLOCK], const uint8_t *in, size_t n, uint8_t *out);

#endif
