/* SPDX-License-Identifier: Apache-2.0 */
/* Who asks and is not answered below TCP: for a neighbour (ARP), for an address (DHCP), at a port of UDP (ICMP).
 *
 * A host that is answered asks once; so what is asked several times was not answered, even where the answer could not
 * be seen, as on a port of a switch. One table for all, which takes nothing new when it is full. */
#include "analyse/explain/gather.h"

enum { ARP_REQUEST = 1, DHCP_DISCOVER = 1, DHCP_OFFER = 2, DHCP_REQUEST = 3, DHCP_ACK = 5, DHCP_NAK = 6 };
enum { ICMP_UNREACHABLE = 3, ICMPV6_UNREACHABLE = 1, EPHEMERAL = 32768 };

static struct sought_rec *sought_find(struct explain *e, const struct sought_rec *like) {
    for (uint32_t i = 0; i < e->soughts; i++) {
        struct sought_rec *s = &e->sought[i];
        if (s->kind == like->kind && s->port == like->port && addr_same(&s->who, &like->who) &&
            addr_same(&s->whom, &like->whom) && !memcmp(s->mac, like->mac, sizeof s->mac))
            return s;
    }
    return NULL;
}

static struct sought_rec *sought_add(struct explain *e, const struct sought_rec *like, const struct packet_events *p) {
    struct sought_rec *s = sought_find(e, like);
    if (!s && e->soughts == SOUGHT_MAX) return NULL;
    if (!s) {
        s = &e->sought[e->soughts++];
        *s = *like;
        s->first = mark_of(p);
    }
    s->last = mark_of(p);
    s->tries++;
    return s;
}

/* owner_note remembers who has an address. A host that takes over another's once is a spare; two that speak in turn, or
 * at the same time, are one too many. */
static void owner_note(struct explain *e, const struct packet_events *p) {
    const struct link_event *l = &p->link;
    static const struct net_addr none = {.len = 4};
    struct owner_rec *o = e->owner, *end = e->owner + e->owners;
    if (!l->from.len || addr_same(&l->from, &none)) return;
    while (o < end && !addr_same(&o->addr, &l->from)) o++;
    if (o == end && e->owners == OWNERS_MAX) return;
    if (o == end) {
        *o = (struct owner_rec){.addr = l->from};
        memcpy(o->mac[0], l->mac, sizeof l->mac);
        e->owners++;
    }
    int who = !memcmp(o->mac[0], l->mac, sizeof l->mac) ? 0 : 1;
    if (who == 1 && !mark_set(&o->at[1])) memcpy(o->mac[1], l->mac, sizeof l->mac);
    if (memcmp(o->mac[who], l->mac, sizeof l->mac) != 0) return; /* a third one */
    const struct mark *other = &o->at[!who];
    bool again = mark_set(&o->at[who]) && other->ts > o->at[who].ts, close = p->ts - other->ts < SECOND;
    if (mark_set(other) && (again || close) && !mark_set(&o->clash)) o->clash = mark_of(p);
    o->at[who] = mark_of(p);
}

void gather_service(struct explain *e, const struct packet_events *p) {
    struct sought_rec like = {.kind = SOUGHT_SERVICE, .who = p->dst, .whom = p->src, .port = p->sport};
    struct sought_rec *asked = sought_find(e, &like);
    if (asked) {
        asked->answered = true;
    } else if (port_answers(p->dport)) {
        like = (struct sought_rec){.kind = SOUGHT_SERVICE, .who = p->src, .whom = p->dst, .port = p->dport};
        sought_add(e, &like, p);
    }
}

static void neighbour_take(struct explain *e, const struct packet_events *p) {
    const struct link_event *l = &p->link;
    owner_note(e, p);
    for (uint32_t i = 0; i < e->soughts; i++) /* whoever speaks is there */
        if (e->sought[i].kind == SOUGHT_NEIGHBOUR && addr_same(&e->sought[i].whom, &l->from))
            e->sought[i].answered = true;
    if (l->arp != ARP_REQUEST || l->own || addr_same(&l->from, &l->to)) return;
    bool named = gather_use(e, &l->from, &l->to);
    sought_add(e, &(struct sought_rec){.kind = SOUGHT_NEIGHBOUR, .who = l->from, .whom = l->to, .named = named}, p);
}

static void lease_take(struct explain *e, const struct packet_events *p) {
    struct sought_rec like = {.kind = SOUGHT_ADDRESS};
    memcpy(like.mac, p->link.mac, sizeof like.mac);
    if (p->link.dhcp == DHCP_DISCOVER || p->link.dhcp == DHCP_REQUEST) {
        sought_add(e, &like, p);
    } else if (p->link.dhcp == DHCP_OFFER || p->link.dhcp == DHCP_ACK || p->link.dhcp == DHCP_NAK) {
        struct sought_rec *s = sought_find(e, &like);
        if (s) s->answered = true;
    }
}

void gather_link(struct explain *e, const struct packet_events *p) {
    if (p->link.arp) neighbour_take(e, p);
    else lease_take(e, p);
}

void gather_refused(struct explain *e, const struct packet_events *p) {
    const struct icmp_event *i = &p->icmp;
    if (i->type != (i->v6 ? ICMPV6_UNREACHABLE : ICMP_UNREACHABLE) || i->tcp) return;
    if (!i->dport || i->dport >= i->sport || i->dport >= EPHEMERAL) return; /* an answer that came too late */
    sought_add(e, &(struct sought_rec){.kind = SOUGHT_PORT, .who = i->src, .whom = i->dst, .port = i->dport}, p);
}

const struct sought_rec *sought_refused(const struct explain *e, const struct net_addr *who,
                                        const struct net_addr *whom, uint16_t port) {
    for (uint32_t i = 0; i < e->soughts; i++) {
        const struct sought_rec *s = &e->sought[i];
        if (s->kind == SOUGHT_PORT && s->port == port && addr_same(&s->who, who) && addr_same(&s->whom, whom)) return s;
    }
    return NULL;
}
