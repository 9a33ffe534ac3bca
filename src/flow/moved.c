/* SPDX-License-Identifier: Apache-2.0 */
/* Theory of operation: conversations that go on from other addresses (RFC 9000 9).
 *
 * A protocol whose datagrams name their conversation notes the names, each with the side that chose it. A datagram of a
 * conversation that nobody speaks yet is asked for such a name; the one it finds, if it says that the datagram is its
 * own (stream_ops.owns), hands its protocol and state over, with its sides as they were, and leaves word of where they
 * went. Datagrams of the old addresses are asked in turn, so
 * a conversation may go back and forth. Places are checked by the number of the conversation, as an entry may have been
 * given to another one since. Limits: those of match.h, and HOPS_MAX steps from a name to its conversation. */
#include "flow/layer.h"

enum { HOPS_MAX = 8, NAME_MIN = 4 /* fewer bytes stand in a stranger's datagram by chance */, NAME_MAX = 20 };

/* moved_key is a name, or a place that was left (`name` is empty). Compared as bytes, so it has no holes. */
struct moved_key {
    uint64_t place;
    uint32_t n;
    uint8_t name[NAME_MAX];
};

static uint64_t place_make(const struct flow *f, uint32_t number) { return (uint64_t)f->stream << 32 | number; }

static struct moved_key name_key(struct slice name) {
    struct moved_key k = {.n = (uint32_t)name.n};
    memcpy(k.name, name.p, name.n);
    return k;
}

void driver_known_as(struct decode *d, struct slice name) {
    struct driver *dr = d->driver;
    if (!dr->flow || name.n < NAME_MIN || name.n > NAME_MAX) return;
    struct moved_key k = name_key(name);
    uint32_t number = dr->flows.latest;
    if (flow_at(&dr->flows, number) != dr->flow) return;
    match_add(&dr->names, &k, sizeof k, d->pkt->number, (int64_t)place_make(dr->flow, number));
    struct match_slot *s = match_find(&dr->names, &k, sizeof k);
    if (s) s->answer = d->from;
    dr->name_lengths |= 1u << name.n;
}

/* owner_find returns the conversation at a place, or where it went, and its number; NULL: it is gone. */
static struct flow *owner_find(struct driver *dr, uint64_t place, uint32_t *number) {
    for (int hops = 0; hops < HOPS_MAX; hops++) {
        *number = (uint32_t)place;
        struct flow *f =
            *number & FLOW_IN_TCPS || *number >= dr->flows.flows.used ? NULL : flow_at(&dr->flows, *number);
        bool same = f && f->bucket != UINT32_MAX && place_make(f, *number) == place;
        if (same && f->app_state) return f;
        struct moved_key k = {.place = place};
        struct match_slot *s = match_find(&dr->names, &k, sizeof k);
        if (!s) return NULL;
        place = (uint64_t)s->ts;
    }
    return NULL;
}

/* owns asks a conversation whether a datagram of a side is of it. */
static bool owns(struct driver *dr, const struct flow *f, uint8_t side, struct slice name, struct slice in) {
    const struct stream_ops *s = f->app->stream;
    uint8_t from = dr->d.from;
    dr->d.from = side;
    bool own = !s->owns || s->owns(&dr->d, f->app_state, name, in);
    dr->d.from = from;
    return own;
}

/* hand_over gives the present conversation what `from` speaks; `side` is who sends. */
static const struct proto *hand_over(struct driver *dr, struct flow *from, uint32_t number, uint8_t side) {
    struct flow *to = dr->flow;
    struct moved_key k = {.place = place_make(from, number)};
    to->app = from->app;
    to->app_state = from->app_state;
    from->app = NULL;
    from->app_state = NULL;
    if (dr->d.from != side) to->flipped = !to->flipped;
    dr->d.from = side;
    match_add(&dr->names, &k, sizeof k, dr->d.pkt->number, (int64_t)place_make(to, dr->flows.latest));
    return to->app;
}

const struct proto *driver_moved(struct driver *dr, struct slice in) {
    enum { LONG = 0x80 }; /* a header with more than a name (RFC 8999 5.2) begins a conversation */
    if (!dr->flow || dr->d.quoted || in.p[0] & LONG || flow_at(&dr->flows, dr->flows.latest) != dr->flow) return NULL;
    for (uint32_t n = NAME_MIN; n <= NAME_MAX; n++) {
        if (!(dr->name_lengths >> n & 1) || in.n <= n) continue;
        struct slice name = slice_head(slice_tail(in, 1), n);
        struct moved_key k = name_key(name);
        struct match_slot *s = match_find(&dr->names, &k, sizeof k);
        uint32_t number;
        struct flow *from = s ? owner_find(dr, (uint64_t)s->ts, &number) : NULL;
        if (!from || from == dr->flow) continue;
        uint8_t side = !s->answer;
        if (owns(dr, from, side, name, in)) return hand_over(dr, from, number, side);
    }
    return NULL;
}
