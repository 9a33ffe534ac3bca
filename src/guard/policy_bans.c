/* SPDX-License-Identifier: Apache-2.0 */
/* Bans of the configuration. Addresses are sorted and looked up once for each prefix length there is; names, which may
 * have wildcards, are looked through. */
#include "guard/session.h"

#include <stdlib.h>

static int prefix_order(const struct guard_prefix *a, const struct guard_prefix *b) {
    if (a->address.len != b->address.len) return a->address.len - b->address.len;
    if (a->bits != b->bits) return a->bits - b->bits;
    return memcmp(a->address.bytes, b->address.bytes, a->address.len);
}

static int ban_order(const void *x, const void *y) {
    const struct guard_policy_ban *a = x, *b = y;
    bool address = a->kind == GUARD_BAN_ADDRESS;
    if (address != (b->kind == GUARD_BAN_ADDRESS)) return address ? -1 : 1;
    if (!address) return 0;
    int order = prefix_order(&a->prefix, &b->prefix);
    return order                 ? order
           : a->until < b->until ? 1
           : a->until > b->until ? -1
                                 : 0; /* the one that lasts longest first */
}

static unsigned length_bit(const struct guard_prefix *p) { return p->address.len == 4 ? p->bits : 64u + p->bits; }

void policy_bans_sort(struct guard_policy *p) {
    if (p->ban_count) qsort(p->bans, p->ban_count, sizeof *p->bans, ban_order);
    while (p->ban_addresses < p->ban_count && p->bans[p->ban_addresses].kind == GUARD_BAN_ADDRESS) {
        unsigned bit = length_bit(&p->bans[p->ban_addresses++].prefix);
        p->ban_lengths[bit / 64] |= (uint64_t)1 << bit % 64;
    }
}

/* first_of returns the first ban of exactly that prefix, or NULL. */
static const struct guard_policy_ban *first_of(const struct guard_policy *p, const struct guard_prefix *prefix) {
    size_t lo = 0, hi = p->ban_addresses;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (prefix_order(&p->bans[mid].prefix, prefix) < 0) lo = mid + 1;
        else hi = mid;
    }
    return lo < p->ban_addresses && prefix_order(&p->bans[lo].prefix, prefix) == 0 ? &p->bans[lo] : NULL;
}

const struct guard_policy_ban *policy_ban_address(const struct guard_policy *p, const struct net_addr *a,
                                                  int64_t wall) {
    if (!p->ban_addresses || !a->len) return NULL;
    struct net_addr whole = guard_address_cut(a, 32, 128);
    for (unsigned bits = 0; bits <= whole.len * 8u; bits++) {
        struct guard_prefix prefix = {guard_address_cut(&whole, (uint8_t)bits, (uint8_t)bits), (uint8_t)bits};
        unsigned bit = length_bit(&prefix);
        if (!(p->ban_lengths[bit / 64] >> bit % 64 & 1)) continue;
        const struct guard_policy_ban *b = first_of(p, &prefix);
        if (b && b->until > wall) return b;
    }
    return NULL;
}

const struct guard_policy_ban *policy_ban_name(const struct guard_policy *p, enum guard_ban_kind kind,
                                               struct slice name, int64_t wall) {
    for (size_t i = p->ban_addresses; i < p->ban_count; i++)
        if (p->bans[i].kind == kind && p->bans[i].until > wall && guard_glob(p->bans[i].name, name)) return &p->bans[i];
    return NULL;
}
