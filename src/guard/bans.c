/* SPDX-License-Identifier: Apache-2.0 */
/* Bans in shared memory.
 *
 * Theory of operation. A ban is kept by a keyed hash of what it bans in the region of who set it; lifting one is an
 * entry of its own, in the region of who lifts it, that voids all older ones. A number that is odd while an entry is
 * written tells a reader to look again. An address is looked up once for each prefix length there is a ban of. Names
 * are compared by their hash alone, which is keyed and has 64 bits. Limits: BAN_SLOTS entries for each process. */
#include "guard/cells.h"

#include "base/err.h"

static unsigned length_bit(const struct guard_prefix *p) { return p->address.len == 4 ? p->bits : 64u + p->bits; }

static uint64_t prefix_hash(const struct guard_shared *h, const struct guard_prefix *p) {
    struct hash_key k = {h->key.a ^ (length_bit(p) + 1), h->key.b};
    return hash_bytes(k, p->address.bytes, p->address.len) | 1;
}

static uint64_t name_hash(const struct guard_shared *h, enum guard_ban_kind kind, struct slice name) {
    return subject_name(h, (uint8_t)(16 + kind), name);
}

/* slot_read copies an entry that is not being written; false where there is none. */
static bool slot_read(const struct ban_slot *s, struct ban_slot *out) {
    for (int tries = 0; tries < 100; tries++) {
        uint32_t before = __atomic_load_n(&s->seq, __ATOMIC_ACQUIRE);
        if (before & 1) continue;
        memcpy(out, s, sizeof *out);
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if (__atomic_load_n(&s->seq, __ATOMIC_RELAXED) != before) continue;
        bool whole = out->kind < GUARD_BAN_KINDS && out->text_len <= BAN_TEXT && out->reason_len <= BAN_REASON;
        return out->hash != 0 && whole; /* a process that crashed may have left anything */
    }
    return false;
}

static void slot_write(struct ban_slot *s, const struct ban_slot *value) {
    uint32_t writing = s->seq | 1; /* it is odd already where a process died in the middle */
    __atomic_store_n(&s->seq, writing, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    memcpy((char *)s + sizeof s->seq, (const char *)value + sizeof s->seq, sizeof *s - sizeof s->seq);
    __atomic_store_n(&s->seq, writing + 1, __ATOMIC_RELEASE);
}

static bool in_force(const struct ban_slot *s, int64_t now) { return s->hash && s->until > now; }

/* slot_for returns where an entry goes; NULL where all neighbours are in force and must stay. */
static struct ban_slot *slot_for(struct region *r, uint64_t hash, bool lift, bool must, int64_t now) {
    struct ban_slot *free = NULL, *first = NULL;
    for (size_t i = 0; i < BAN_WAYS; i++) {
        struct ban_slot *s = &r->bans[(hash + i) & (BAN_SLOTS - 1)];
        if (s->hash == hash && s->lift == lift) return s;
        if (!in_force(s, now) && !free) free = s;
        if (!first || s->until < first->until) first = s;
    }
    return free ? free : must ? first : NULL;
}

static int slot_put(struct guard_shared *h, unsigned writer, const struct ban_slot *value, bool must, int64_t now) {
    struct region *r = &h->region[writer];
    struct ban_slot *s = slot_for(r, value->hash, value->lift, must, now);
    if (!s) return ERR_LIMIT;
    if (value->kind == GUARD_BAN_ADDRESS) {
        unsigned bit = length_bit(&(struct guard_prefix){value->address, value->bits});
        __atomic_store_n(&r->lengths[bit / 64], r->lengths[bit / 64] | (uint64_t)1 << bit % 64, __ATOMIC_RELAXED);
    }
    slot_write(s, value);
    __atomic_store_n(&r->change, r->change + 1, __ATOMIC_RELEASE);
    return 0;
}

static struct ban_slot slot_of(const struct guard_shared *h, enum guard_ban_kind kind,
                               const struct guard_prefix *prefix, struct slice name, struct slice reason, int64_t made,
                               int64_t until) {
    struct ban_slot s = {.kind = (uint8_t)kind, .made = made, .until = until};
    s.hash = kind == GUARD_BAN_ADDRESS ? prefix_hash(h, prefix) : name_hash(h, kind, name);
    if (kind == GUARD_BAN_ADDRESS) {
        s.address = prefix->address;
        s.bits = prefix->bits;
    }
    s.text_len = (uint8_t)(name.n < BAN_TEXT ? name.n : BAN_TEXT);
    s.reason_len = (uint8_t)(reason.n < BAN_REASON ? reason.n : BAN_REASON);
    if (s.text_len) memcpy(s.text, name.p, s.text_len);
    if (s.reason_len) memcpy(s.reason, reason.p, s.reason_len);
    return s;
}

static int text_read(enum guard_ban_kind kind, struct slice text, struct guard_prefix *prefix) {
    *prefix = (struct guard_prefix){0};
    if (kind != GUARD_BAN_ADDRESS) return text.n ? 0 : ERR_FORMAT;
    return guard_prefix_read(text, prefix) ? 0 : ERR_FORMAT;
}

int guard_ban_set(struct guard_shared *h, unsigned writer, enum guard_ban_kind kind, struct slice text,
                  struct slice reason, int64_t now, int64_t until) {
    struct guard_prefix prefix;
    if (text_read(kind, text, &prefix)) return ERR_FORMAT;
    struct ban_slot s = slot_of(h, kind, &prefix, text, reason, now, until);
    return slot_put(h, writer, &s, false, now);
}

int guard_ban_lift(struct guard_shared *h, unsigned writer, enum guard_ban_kind kind, struct slice text, int64_t now) {
    struct guard_prefix prefix;
    if (text_read(kind, text, &prefix)) return ERR_FORMAT;
    struct ban_slot s = slot_of(h, kind, &prefix, text, SLICE("lifted"), now, INT64_MAX);
    s.lift = true;
    return slot_put(h, writer, &s, true, now);
}

/* entry_at reads the i-th place of a process where a ban of that hash, or what lifts it, may stand. */
static bool entry_at(const struct region *r, uint64_t hash, size_t i, bool lift, struct ban_slot *out) {
    const struct ban_slot *s = &r->bans[(hash + i) & (BAN_SLOTS - 1)];
    return cell_load(&s->hash) == hash && slot_read(s, out) && out->hash == hash && out->lift == lift;
}

/* lifted_at returns when bans of that hash were lifted last. */
static int64_t lifted_at(const struct guard_shared *h, uint64_t hash) {
    int64_t last = INT64_MIN;
    struct ban_slot one;
    for (unsigned w = 0; w < h->writers; w++)
        for (size_t i = 0; cell_load(&h->region[w].change) && i < BAN_WAYS; i++)
            if (entry_at(&h->region[w], hash, i, true, &one) && one.made > last) last = one.made;
    return last;
}

/* entry_find finds the ban in force of that hash that ends last, of those that were not lifted. */
static bool entry_find(const struct guard_shared *h, uint64_t hash, int64_t now, struct ban_slot *out) {
    int64_t lifted = lifted_at(h, hash);
    bool found = false;
    struct ban_slot one;
    for (unsigned w = 0; w < h->writers; w++)
        for (size_t i = 0; cell_load(&h->region[w].change) && i < BAN_WAYS; i++) {
            if (!entry_at(&h->region[w], hash, i, false, &one)) continue;
            if (one.until <= now || one.made <= lifted || (found && one.until <= out->until)) continue;
            *out = one;
            found = true;
        }
    return found;
}

void ban_add(struct guard_shared *h, unsigned writer, enum guard_ban_kind kind, const struct guard_prefix *prefix,
             struct slice name, struct slice reason, int64_t now, int64_t until) {
    struct ban_slot s = slot_of(h, kind, prefix, name, reason, now, until), longer;
    if (entry_find(h, s.hash, now, &longer) && longer.until >= until) return;
    (void)slot_put(h, writer, &s, true, now);
}

/* bans_made counts the bans set and lifted so far. */
static uint64_t bans_made(const struct guard_shared *h) {
    uint64_t n = 0;
    for (unsigned w = 0; w < h->writers; w++) n += cell_load(&h->region[w].change);
    return n;
}

bool ban_find_address(const struct guard_shared *h, const struct net_addr *a, int64_t now, struct ban_slot *out) {
    if (!a->len || !bans_made(h)) return false;
    struct net_addr whole = guard_address_cut(a, 32, 128);
    for (unsigned bits = 0; bits <= whole.len * 8u; bits++) {
        struct guard_prefix p = {guard_address_cut(&whole, (uint8_t)bits, (uint8_t)bits), (uint8_t)bits};
        unsigned bit = length_bit(&p);
        bool any = false;
        for (unsigned w = 0; w < h->writers; w++) any |= cell_load(&h->region[w].lengths[bit / 64]) >> bit % 64 & 1;
        if (any && entry_find(h, prefix_hash(h, &p), now, out)) return true;
    }
    return false;
}

bool ban_find_name(const struct guard_shared *h, enum guard_ban_kind kind, struct slice name, int64_t now,
                   struct ban_slot *out) {
    return name.n && bans_made(h) && entry_find(h, name_hash(h, kind, name), now, out);
}

void guard_bans_each(const struct guard_shared *h, int64_t now, void (*each)(void *to, const struct guard_ban *b),
                     void *to) {
    struct ban_slot one, best;
    for (unsigned w = 0; w < h->writers; w++) {
        if (!cell_load(&h->region[w].change)) continue;
        for (size_t i = 0; i < BAN_SLOTS; i++) {
            if (!slot_read(&h->region[w].bans[i], &one) || one.lift || one.until <= now) continue;
            /* Several processes may have set the same one: it is told once, with its last end. */
            if (!entry_find(h, one.hash, now, &best) || best.made != one.made || best.until != one.until) continue;
            struct guard_ban b = {.kind = one.kind,
                                  .address = one.address,
                                  .prefix = one.bits,
                                  .value = slice_of(one.text, one.text_len),
                                  .reason = slice_of(one.reason, one.reason_len),
                                  .made = one.made,
                                  .until = one.until};
            each(to, &b);
        }
    }
}
