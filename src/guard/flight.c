/* SPDX-License-Identifier: Apache-2.0 */
/* What a session keeps while messages are in flight: packet identifiers, topic aliases, subscriptions.
 *
 * Theory of operation. Nothing is here until it is needed, and identifiers go when the last message was acknowledged,
 * so that an idle session is small. Identifiers belong to the side that chose them (MQTT 2.2.1). Aliases belong to a
 * direction (MQTT 3.3.2.3.4); one whose PUBLISH was dropped is `stale`: this side of the guard knows it, the receiver
 * does not, and a later message that relies on it must bring its topic along (feed.c does).
 * Limits: 65535 identifiers for each side, the policy's number of aliases, FLIGHT_ALIAS_BYTES of topics. Reaching the
 * latter two is remembered (`full`) and ends the connection. */
#include "guard/session.h"

#include <stdlib.h>

struct guard_flight *flight_get(struct guard_session *s) {
    if (!s->flight) s->flight = calloc(1, sizeof *s->flight);
    return s->flight;
}

void flight_free(struct guard_session *s) {
    struct guard_flight *f = s->flight;
    if (!f) return;
    for (int side = 0; side < GUARD_SIDES; side++) {
        free(f->sent[side].slot);
        for (unsigned i = 0; i < f->alias_cap[side]; i++) free(f->alias[side][i]);
        free(f->alias[side]);
    }
    free(f->filters);
    free(f->late);
    free(f);
    s->flight = NULL;
}

enum { IDS_FIRST = 8 };

static uint32_t id_home(const struct ids *t, uint16_t id) { return (id * 0x9e3779b1u >> 7) & (t->cap - 1); }

static uint32_t id_find(const struct ids *t, uint16_t id) {
    uint32_t at = id_home(t, id);
    while (t->slot[at] && (uint16_t)t->slot[at] != id) at = (at + 1) & (t->cap - 1);
    return at;
}

enum id_state ids_get(const struct ids *t, uint16_t id) {
    if (!t->count || !id) return ID_NONE;
    return (enum id_state)(t->slot[id_find(t, id)] >> 16);
}

static bool ids_grow(struct ids *t) {
    struct ids more = {.cap = t->cap ? t->cap * 2 : IDS_FIRST, .count = t->count};
    more.slot = calloc(more.cap, sizeof *more.slot);
    if (!more.slot) return false;
    for (uint32_t i = 0; i < t->cap; i++)
        if (t->slot[i]) more.slot[id_find(&more, (uint16_t)t->slot[i])] = t->slot[i];
    free(t->slot);
    *t = more;
    return true;
}

bool ids_set(struct ids *t, uint16_t id, enum id_state state) {
    if (!id) return true; /* the anomaly has said so */
    if ((t->count + 1) * 4 > t->cap * 3 && !ids_grow(t)) return false;
    uint32_t at = id_find(t, id);
    t->count += t->slot[at] == 0;
    t->slot[at] = id | (uint32_t)state << 16;
    return true;
}

void ids_drop(struct ids *t, uint16_t id) {
    if (!t->count || !id) return;
    uint32_t hole = id_find(t, id), mask = t->cap - 1;
    if (!t->slot[hole]) return;
    if (--t->count == 0 && t->cap > IDS_FIRST) {
        free(t->slot);
        *t = (struct ids){0};
        return;
    }
    for (uint32_t at = (hole + 1) & mask; t->slot[at]; at = (at + 1) & mask) {
        uint32_t home = id_home(t, (uint16_t)t->slot[at]);
        if (((at - home) & mask) < ((at - hole) & mask)) continue;
        t->slot[hole] = t->slot[at];
        hole = at;
    }
    t->slot[hole] = 0;
}

struct alias *flight_alias(const struct guard_session *s, int from, uint16_t number) {
    const struct guard_flight *f = s->flight;
    return f && number && number <= f->alias_cap[from] ? f->alias[from][number - 1] : NULL;
}

static bool aliases_grow(struct guard_flight *f, int from, uint16_t number) {
    unsigned cap = f->alias_cap[from] ? f->alias_cap[from] : 4;
    while (cap < number) cap *= 2;
    if (cap > UINT16_MAX) cap = UINT16_MAX;
    struct alias **more = realloc(f->alias[from], cap * sizeof(struct alias *));
    if (!more) return false;
    memset(more + f->alias_cap[from], 0, (cap - f->alias_cap[from]) * sizeof(struct alias *));
    f->alias[from] = more;
    f->alias_cap[from] = (uint16_t)cap;
    return true;
}

static void alias_set(struct mqtt_conv *c, int from, uint16_t number, struct slice topic) {
    struct guard_session *s = (struct guard_session *)c; /* its first member */
    struct guard_flight *f = flight_get(s);
    if (!f || !number) return;
    if (number > s->alias_roof || (number > f->alias_cap[from] && !aliases_grow(f, from, number))) {
        f->full = true;
        return;
    }
    struct alias **at = &f->alias[from][number - 1], *a = *at;
    if (a && a->len == topic.n && memcmp(a->topic, topic.p, topic.n) == 0) return;
    if (f->alias_bytes + topic.n > FLIGHT_ALIAS_BYTES || !(a = malloc(sizeof *a + topic.n))) {
        f->full = true;
        return;
    }
    *a = (struct alias){.len = (uint16_t)topic.n, .stale = true}; /* until it is forwarded */
    memcpy(a->topic, topic.p, topic.n);
    f->alias_bytes += (uint32_t)topic.n - (*at ? (*at)->len : 0u);
    free(*at);
    *at = a;
}

static struct slice alias_get(const struct mqtt_conv *c, int from, uint16_t number) {
    const struct alias *a = flight_alias((const struct guard_session *)c, from, number);
    return a ? slice_of(a->topic, a->len) : (struct slice){0};
}

const struct mqtt_alias_ops flight_aliases = {alias_set, alias_get};

/* The set of subscriptions: open addressing by the hash itself, at most three quarters full. */

static uint32_t filter_at(const struct guard_flight *f, uint64_t hash) {
    uint32_t at = (uint32_t)hash & (f->filter_cap - 1);
    while (f->filters[at] && f->filters[at] != hash) at = (at + 1) & (f->filter_cap - 1);
    return at;
}

bool filters_have(const struct guard_flight *f, uint64_t hash) {
    return f->filter_count && f->filters[filter_at(f, hash | 1)] != 0;
}

static bool filters_grow(struct guard_flight *f) {
    struct guard_flight more = {.filter_cap = f->filter_cap ? f->filter_cap * 2 : 4};
    more.filters = calloc(more.filter_cap, sizeof *more.filters);
    if (!more.filters) return false;
    for (uint32_t i = 0; i < f->filter_cap; i++)
        if (f->filters[i]) more.filters[filter_at(&more, f->filters[i])] = f->filters[i];
    free(f->filters);
    f->filters = more.filters;
    f->filter_cap = more.filter_cap;
    return true;
}

bool filters_add(struct guard_flight *f, uint64_t hash) {
    if ((f->filter_count + 1) * 4 > f->filter_cap * 3 && !filters_grow(f)) return false;
    uint32_t at = filter_at(f, hash | 1);
    f->filter_count += f->filters[at] == 0;
    f->filters[at] = hash | 1;
    return true;
}

void filters_drop(struct guard_flight *f, uint64_t hash) {
    if (!f->filter_count) return;
    uint32_t hole = filter_at(f, hash | 1), mask = f->filter_cap - 1;
    if (!f->filters[hole]) return;
    f->filter_count--;
    for (uint32_t at = (hole + 1) & mask; f->filters[at]; at = (at + 1) & mask) {
        uint32_t home = (uint32_t)f->filters[at] & mask;
        if (((at - home) & mask) < ((at - hole) & mask)) continue;
        f->filters[hole] = f->filters[at];
        hole = at;
    }
    f->filters[hole] = 0;
}
