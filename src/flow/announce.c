/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/announce.h"

#include <stdlib.h>

void announced_table_free(struct announced_table *t) {
    free(t->entry);
    t->entry = NULL;
}

static bool is_datagrams(const struct proto *p) { return !p->stream; }

const struct announced *announced_find(const struct announced_table *t, const struct net_addr *addr, uint16_t port,
                                       bool datagrams) {
    for (size_t i = 0; t->entry && port && i < ANNOUNCED_MAX; i++) {
        const struct announced *a = &t->entry[i];
        if (t->port[i] == port && is_datagrams(a->proto) == datagrams && addr_same(&a->addr, addr)) return a;
    }
    return NULL;
}

void announce(struct announced_table *t, const struct proto *p, const struct net_addr *addr, uint16_t port,
              struct slice about) {
    if (!t->entry) t->entry = calloc(ANNOUNCED_MAX, sizeof *t->entry);
    if (!t->entry || about.n > ANNOUNCE_ABOUT_MAX) return;
    const struct announced *known = announced_find(t, addr, port, is_datagrams(p));
    size_t at = known ? (size_t)(known - t->entry) : t->next++ % ANNOUNCED_MAX;
    struct announced *a = &t->entry[at];
    *a = (struct announced){.addr = *addr, .proto = p, .about_n = about.n};
    if (about.n) memcpy(a->about, about.p, about.n);
    t->port[at] = port;
    t->datagrams |= is_datagrams(p);
}
