/* SPDX-License-Identifier: Apache-2.0 */
/* Persistent collections in memory.
 *
 * One hash table over (collection, key, name); entries expire, and at the cap the one written longest ago gives way, so
 * the memory an outsider can fill is bounded. A list through all entries in the order of their last write makes that
 * cheap. The table lives outside of any rule set, so counters survive a reload. */
#include "base/hash.h"
#include "guard/rules/tx.h"

#include <stdlib.h>

struct entry {
    struct entry *next; /* in the bucket */
    struct entry *older, *newer;
    uint64_t hash;
    int64_t until;
    uint8_t collection;
    uint16_t n_key, n_name, n_value, cap_value;
    uint8_t text[]; /* key, name, value */
};

struct memory {
    struct rules_store store;
    struct hash_key secret;
    struct entry **bucket, *oldest, *newest;
    size_t mask, n, cap;
};

static uint64_t hash_of(const struct memory *m, uint8_t c, struct slice key, struct slice name) {
    uint64_t h = hash_bytes(m->secret, key.p, key.n);
    return hash_mix(h ^ hash_bytes(m->secret, name.p, name.n), 0x9e3779b97f4a7c15u + c);
}

static struct entry **find(const struct memory *m, uint8_t c, struct slice key, struct slice name, uint64_t h) {
    struct entry **e = &m->bucket[h & m->mask];
    for (; *e; e = &(*e)->next)
        if ((*e)->hash == h && (*e)->collection == c && slice_eq(slice_of((*e)->text, (*e)->n_key), key) &&
            slice_eq(slice_of((*e)->text + (*e)->n_key, (*e)->n_name), name))
            break;
    return e;
}

static void unlink_entry(struct memory *m, struct entry *e) {
    *(e->older ? &e->older->newer : &m->oldest) = e->newer;
    *(e->newer ? &e->newer->older : &m->newest) = e->older;
}

static void newest(struct memory *m, struct entry *e) {
    e->older = m->newest;
    e->newer = NULL;
    *(m->newest ? &m->newest->newer : &m->oldest) = e;
    m->newest = e;
}

static void drop_at(struct memory *m, struct entry **at) {
    struct entry *e = *at;
    *at = e->next;
    unlink_entry(m, e);
    free(e);
    m->n--;
}

static void drop_oldest(struct memory *m) {
    struct entry *e = m->oldest, **at = &m->bucket[e->hash & m->mask];
    while (*at != e) at = &(*at)->next;
    drop_at(m, at);
}

static struct slice folded(struct slice s, uint8_t *out) {
    s = slice_head(s, RULES_NAME_MAX);
    for (size_t i = 0; i < s.n; i++) out[i] = ascii_lower(s.p[i]);
    return slice_of(out, s.n);
}

static bool mem_get(void *ctx, enum rules_collection c, struct slice key, struct slice name, int64_t now,
                    struct slice *value) {
    struct memory *m = ctx;
    uint8_t low[RULES_NAME_MAX];
    name = folded(name, low);
    struct entry **at = find(m, (uint8_t)c, key, name, hash_of(m, (uint8_t)c, key, name));
    if (!*at) return false;
    if ((*at)->until <= now) return drop_at(m, at), false;
    *value = slice_of((*at)->text + (*at)->n_key + (*at)->n_name, (*at)->n_value);
    return true;
}

static void mem_drop(void *ctx, enum rules_collection c, struct slice key, struct slice name) {
    struct memory *m = ctx;
    uint8_t low[RULES_NAME_MAX];
    name = folded(name, low);
    struct entry **at = find(m, (uint8_t)c, key, name, hash_of(m, (uint8_t)c, key, name));
    if (*at) drop_at(m, at);
}

static void mem_set(void *ctx, enum rules_collection c, struct slice key, struct slice name, struct slice value,
                    int64_t now, int64_t until) {
    struct memory *m = ctx;
    uint8_t low[RULES_NAME_MAX];
    name = folded(name, low);
    if (key.n > RULES_NAME_MAX || value.n > RULES_VALUE_MAX) return;
    uint64_t h = hash_of(m, (uint8_t)c, key, name);
    struct entry **at = find(m, (uint8_t)c, key, name, h), *e = *at;
    if (e && (e->until <= now || e->cap_value < value.n)) {
        drop_at(m, at);
        e = NULL;
    }
    if (!e) {
        size_t cap = value.n < 24 ? 24 : value.n;
        if (m->n >= m->cap) drop_oldest(m);
        e = malloc(sizeof *e + key.n + name.n + cap);
        if (!e) return;
        *e = (struct entry){.hash = h,
                            .until = until,
                            .collection = (uint8_t)c,
                            .n_key = (uint16_t)key.n,
                            .n_name = (uint16_t)name.n,
                            .cap_value = (uint16_t)cap};
        memcpy(e->text, key.p, key.n);
        memcpy(e->text + key.n, name.p, name.n);
        at = &m->bucket[h & m->mask];
        e->next = *at;
        *at = e;
        m->n++;
    } else {
        unlink_entry(m, e);
    }
    newest(m, e);
    e->n_value = (uint16_t)value.n;
    if (value.n) memcpy(e->text + e->n_key + e->n_name, value.p, value.n);
}

static void mem_expire(void *ctx, enum rules_collection c, struct slice key, struct slice name, int64_t until) {
    struct memory *m = ctx;
    uint8_t low[RULES_NAME_MAX];
    name = folded(name, low);
    struct entry **at = find(m, (uint8_t)c, key, name, hash_of(m, (uint8_t)c, key, name));
    if (*at) (*at)->until = until;
}

struct rules_store *rules_store_make(size_t cap) {
    struct memory *m = calloc(1, sizeof *m);
    size_t buckets = 64;
    while (buckets < cap && buckets < (size_t)1 << 24) buckets *= 2;
    if (m) m->bucket = calloc(buckets, sizeof(struct entry *));
    if (!m || !m->bucket) return free(m), NULL;
    m->mask = buckets - 1;
    m->cap = cap ? cap : 1;
    m->secret = hash_key_random();
    m->store = (struct rules_store){.ctx = m, .get = mem_get, .set = mem_set, .drop = mem_drop, .expire = mem_expire};
    return &m->store;
}

void rules_store_free(struct rules_store *store) {
    if (!store) return;
    struct memory *m = store->ctx;
    while (m->oldest) drop_oldest(m);
    free(m->bucket);
    free(m);
}
