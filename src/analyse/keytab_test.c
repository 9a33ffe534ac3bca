/* SPDX-License-Identifier: Apache-2.0 */
#undef NDEBUG
#include "analyse/keytab.h"

#include <assert.h>
#include <stdio.h>

struct entry {
    uint32_t key;
    uint64_t count;
};

int main(void) {
    enum { LIMIT = 1000 };
    struct keytab t = keytab_make(sizeof(uint32_t), sizeof(struct entry), LIMIT);
    uint32_t none = 7;
    assert(!keytab_find(&t, &none));
    puts("ok an empty table finds nothing");
    for (uint32_t round = 0; round < 3; round++)
        for (uint32_t i = 0; i < LIMIT; i++) {
            uint32_t key = i * 2654435761u;
            struct entry *e = keytab_get(&t, &key);
            assert(e && e->key == key && e->count == round);
            e->count++;
        }
    assert(t.n == LIMIT && t.refused == 0);
    puts("ok entries are found again while the table grows");
    for (uint32_t i = 0; i < LIMIT; i++) {
        const struct entry *e = keytab_at(&t, i);
        assert(e->key == i * 2654435761u && keytab_place(&t, e) == i);
    }
    puts("ok they keep the order they came in");
    uint32_t more = 12345;
    assert(!keytab_get(&t, &more) && t.refused == 1 && !keytab_find(&t, &more));
    puts("ok beyond the limit entries are refused and counted");
    keytab_free(&t);
    return 0;
}
