/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/ahead.h"

#include "base/lines.h"
#include "base/reader.h"

enum {
    LINK_ETHERNET = 1,
    LINK_RAW = 101,
    LINK_COOKED = 113,
    LINK_COOKED_V2 = 276,
    ETHERTYPE_AT = 12,
    ETHERTYPE_VLAN = 0x8100,
    VLAN_TAG = 4,
    IPV4_MIN = 20,
    IPV6_SIZE = 40,
    PORTS_SIZE = 4,
    IP_TCP = 6,
    IP_UDP = 17,
    APP_STATE_HEAD = 128, /* bytes of a protocol's state that most packets touch */
};

/* network_of returns what begins with the IP header, as far as the few links known here tell. */
static struct slice network_of(uint32_t link, struct slice frame) {
    size_t at = ETHERTYPE_AT;
    switch (link) {
    case LINK_RAW: return frame;
    case LINK_COOKED: return slice_tail(frame, 16);
    case LINK_COOKED_V2: return slice_tail(frame, 20);
    case LINK_ETHERNET: break;
    default: return (struct slice){0};
    }
    while (frame.n >= at + 2 && load_be16(frame.p + at) == ETHERTYPE_VLAN) at += VLAN_TAG;
    return slice_tail(frame, at + 2);
}

/* ends_of reads the addresses and ports; false where they cannot be had without the decoders. */
static bool ends_of(struct slice ip, struct flow_ends *e, struct net_addr addr[2]) {
    bool v4 = ip.n >= IPV4_MIN && ip.p[0] >> 4 == 4;
    if (!v4 && (ip.n < IPV6_SIZE || ip.p[0] >> 4 != 6)) return false;
    size_t head = v4 ? (size_t)(ip.p[0] & 15) * 4 : IPV6_SIZE;
    uint8_t proto = ip.p[v4 ? 9 : 6];
    if ((proto != IP_TCP && proto != IP_UDP) || head < IPV4_MIN || ip.n < head + PORTS_SIZE) return false;
    if (v4) {
        addr_set(&addr[0], ip.p + 12, 4);
        addr_set(&addr[1], ip.p + 16, 4);
    } else {
        addr_set(&addr[0], ip.p + 8, 16);
        addr_set(&addr[1], ip.p + 24, 16);
    }
    *e = (struct flow_ends){proto, &addr[0], &addr[1], load_be16(ip.p + head), load_be16(ip.p + head + 2)};
    return true;
}

static void state_ask(const struct flow_table *t, const struct flow *f) {
    size_t size = t->streams_unused ? offsetof(struct flow_tcp, side) : offsetof(struct flow_tcp, side[1].buf);
    if (flow_is_tcp(f)) lines_ask(f + 1, size - sizeof *f);
    if (!f->app_state) return;
    size_t head = f->app->stream->state_size;
    lines_ask(f->app_state, head < APP_STATE_HEAD ? head : APP_STATE_HEAD);
}

/* slot_at returns what is known of the packet that comes so many packets later; 0 is the present one. */
static struct ahead_slot *slot_at(const struct flow_table *t, unsigned steps) {
    return (struct ahead_slot *)&t->ahead[(t->ahead_turn + steps) % AHEAD_SLOTS];
}

void flow_ahead(struct flow_table *t, uint32_t link, struct slice frame) {
    struct net_addr addr[2];
    struct flow_ends e;
    t->ahead_turn = (t->ahead_turn + 1) % AHEAD_SLOTS;
    struct ahead_slot *bucket = slot_at(t, AHEAD_STEPS), *entry = slot_at(t, AHEAD_STEPS - 1),
                      *state = slot_at(t, AHEAD_STEPS - 2);
    *bucket = (struct ahead_slot){0};
    if (ends_of(network_of(link, frame), &e, addr)) {
        bucket->bucket = flow_bucket(t, &e) + 1;
        line_ask(&t->buckets[bucket->bucket - 1]);
    }
    if (entry->bucket) {
        entry->flow = t->buckets[entry->bucket - 1];
        if (entry->flow) lines_ask(flow_at(t, entry->flow), sizeof(struct flow));
    }
    if (state->flow) state_ask(t, flow_at(t, state->flow));
}

uint32_t flow_ahead_stream(const struct flow_table *t) {
    const struct ahead_slot *slot = slot_at(t, 1);
    return slot->flow ? flow_at(t, slot->flow)->stream : UINT32_MAX;
}
