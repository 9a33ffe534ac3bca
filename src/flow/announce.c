/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/announce.h"

#include <stdlib.h>

void announced_table_free(struct announced_table *t) {
    free(t->entry);
    t->entry = NULL;
}

const struct announced *announced_find(const struct announced_table *t, const struct net_addr *addr, uint16_t port) {
    for (size_t i = 0; t->entry && i < ANNOUNCED_MAX; i++)
        if (t->entry[i].proto && t->entry[i].port == port && addr_same(&t->entry[i].addr, addr)) return &t->entry[i];
    return NULL;
}

void announce(struct announced_table *t, const struct proto *p, const struct net_addr *addr, uint16_t port,
              struct slice about) {
    if (!t->entry) t->entry = calloc(ANNOUNCED_MAX, sizeof *t->entry);
    if (!t->entry || about.n > ANNOUNCE_ABOUT_MAX) return;
    const struct announced *known = announced_find(t, addr, port);
    struct announced *a = known ? &t->entry[known - t->entry] : &t->entry[t->next++ % ANNOUNCED_MAX];
    *a = (struct announced){.addr = *addr, .port = port, .proto = p, .about_n = about.n};
    memcpy(a->about, about.p, about.n);
}
