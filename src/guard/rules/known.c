/* SPDX-License-Identifier: Apache-2.0 */
/* The short texts that were found harmless before. A place is found by hash and taken over by the next text that falls
 * on it; whatever is found is compared whole, so a collision costs time and nothing else. */
#include "base/hash.h"
#include "guard/rules/tx.h"

struct known *known_find(struct known *table, uint8_t kind, struct slice a, struct slice b, bool *found) {
    uint8_t text[KNOWN_MAX + 8] = {0};
    size_t n = a.n + b.n;
    uint64_t h = n + kind * 256u + (a.n << 16), x;
    *found = false;
    if (n > KNOWN_MAX) return NULL;
    if (a.n) memcpy(text, a.p, a.n);
    if (b.n) memcpy(text + a.n, b.p, b.n);
    for (size_t i = 0; i < n; i += 8) {
        memcpy(&x, text + i, 8);
        h = hash_mix(h ^ x, 0x9e3779b97f4a7c15u);
    }
    struct known *k = &table[h % KNOWNS];
    *found = k->n == n && k->kind == kind && k->split == a.n && n && !memcmp(k->text, text, n);
    if (*found) return k;
    k->n = 0; /* taken over: whoever finds the text harmless sets n */
    k->kind = kind;
    k->split = (uint8_t)a.n;
    memcpy(k->text, text, n);
    return k;
}
