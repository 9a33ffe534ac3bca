/* SPDX-License-Identifier: Apache-2.0 */
#include "analyse/name.h"

#include <stdio.h>

void name_set(struct name *n, struct hash_key secret, struct slice text) {
    memset(n, 0, sizeof *n);
    if (text.n <= NAME_SIZE) {
        n->n = (uint32_t)text.n;
        if (text.n) memcpy(n->text, text.p, text.n);
        return;
    }
    char hash[20];
    memcpy(n->text, text.p, NAME_HEAD);
    snprintf(hash, sizeof hash, "...%016llx", (unsigned long long)hash_bytes(secret, text.p, text.n));
    memcpy(n->text + NAME_HEAD, hash, sizeof hash - 1);
    n->n = NAME_HEAD + sizeof hash - 1;
}
