/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of what lies below TCP: neighbours that do not answer ARP, addresses that DHCP does not give, datagrams that
 * nobody takes. */
#include "analyse/explain/judge.h"
#include "field/print.h"

enum { ARP_TRIES = 3, DHCP_TRIES = 2, UDP_TRIES = 3, ARP_PAUSE_S = 5, SCAN = 4, PORT_DNS = 53, PORT_NTP = 123 };

static bool asks(const struct sought_rec *s, enum sought kind, uint32_t tries) {
    return s->kind == kind && !s->answered && s->tries >= tries;
}

/* busy tells whether a host took part in a TCP conversation: then it is there, and its ARP passes elsewhere. */
static bool busy(const struct explain *e, const struct net_addr *a) {
    for (size_t i = 0; i < CONVS_MAX; i++)
        for (int side = 0; e->conv[i] && side < 2; side++)
            if (e->conv[i]->half[side].packets && addr_same(&e->conv[i]->end[side].addr, a)) return true;
    return false;
}

/* A host asks three times a second apart and then gives up; who asks for many in turn is looking who is there. */
static const struct sought_rec *lost_neighbour(const struct explain *e, uint32_t *others) {
    const struct sought_rec *first = NULL;
    *others = 0;
    for (uint32_t i = 0; i < e->soughts; i++) {
        const struct sought_rec *s = &e->sought[i];
        if (!asks(s, SOUGHT_NEIGHBOUR, ARP_TRIES) ||
            s->last.ts - s->first.ts > (int64_t)s->tries * ARP_PAUSE_S * SECOND)
            continue;
        if (!first) first = s;
        else ++*others;
    }
    return first && !busy(e, &first->whom) ? first : NULL;
}

static const struct sought_rec *no_lease(const struct explain *e) {
    for (uint32_t i = 0; i < e->soughts; i++)
        if (asks(&e->sought[i], SOUGHT_ADDRESS, DHCP_TRIES)) return &e->sought[i];
    return NULL;
}

bool link_explains(const struct explain *e) {
    uint32_t others;
    return lost_neighbour(e, &others) || no_lease(e);
}

void check_arp(struct judge *j) {
    uint32_t others;
    const struct sought_rec *s = lost_neighbour(j->e, &others);
    if (!s) return;
    struct finding *f = found(j);
    say_addr(j, f, &s->who);
    say_addr(j, f, &s->whom);
    say_number(j, f, s->tries);
    if (others >= SCAN) f->level = LEVEL_NOTE;
    else if (j->e->unicast && !s->named)
        f->level = busy(j->e, &s->who) ? LEVEL_WARNING : LEVEL_NOTE; /* a router asks for who left */
    cite(f, &s->first);
    cite(f, &s->last);
}

static void say_mac(struct judge *j, struct finding *f, const uint8_t mac[6]) {
    char text[24];
    struct writer w = wr_fixed(text, sizeof text);
    print_ether(&w, mac);
    say_text(j, f, wr_done(&w));
}

void check_address_twice(struct judge *j) {
    for (uint32_t i = 0; i < j->e->owners; i++) {
        const struct owner_rec *o = &j->e->owner[i];
        if (!mark_set(&o->clash)) continue;
        struct finding *f = found(j);
        say_addr(j, f, &o->addr);
        say_mac(j, f, o->mac[0]);
        say_mac(j, f, o->mac[1]);
        cite(f, &o->at[0]);
        cite(f, &o->at[1]);
        return;
    }
}

void check_dhcp(struct judge *j) {
    const struct sought_rec *s = no_lease(j->e);
    if (!s) return;
    struct finding *f = found(j);
    say_mac(j, f, s->mac);
    say_number(j, f, s->tries);
    if (j->e->unicast) f->level = LEVEL_NOTE; /* another host's; what it is told may not pass here */
    cite(f, &s->first);
    cite(f, &s->last);
}

/* is_probe: services that programs only try whether they are there: NetBIOS, SNMP, SSDP, NAT-PMP, mDNS, LLMNR. */
static bool is_probe(uint16_t port) {
    return port == 137 || port == 138 || port == 161 || port == 1900 || port == 5351 || port == 5353 || port == 5355;
}

void check_udp_refused(struct judge *j) {
    for (uint32_t i = 0; i < j->e->soughts; i++) {
        const struct sought_rec *s = &j->e->sought[i];
        if (!asks(s, SOUGHT_PORT, UDP_TRIES) || s->port == PORT_DNS) continue; /* dns.unanswered says it */
        struct finding *f = found(j);
        struct endpoint to = {s->whom, s->port};
        say_addr(j, f, &s->who);
        say_endpoint(j, f, &to);
        say_number(j, f, s->tries);
        if (is_probe(s->port)) f->level = LEVEL_NOTE;
        else if (j->e->convs) f->level = LEVEL_WARNING; /* something else works */
        cite(f, &s->first);
        cite(f, &s->last);
        return;
    }
}

void check_udp_silent(struct judge *j) {
    for (uint32_t i = 0; i < j->e->soughts; i++) {
        const struct sought_rec *s = &j->e->sought[i];
        if (!asks(s, SOUGHT_SERVICE, UDP_TRIES) || sought_refused(j->e, &s->who, &s->whom, s->port)) continue;
        struct finding *f = found(j);
        struct endpoint to = {s->whom, s->port};
        say_addr(j, f, &s->who);
        say_endpoint(j, f, &to);
        say_number(j, f, s->tries);
        say_text(j, f, s->port == PORT_NTP ? SLICE("NTP") : SLICE("CoAP"));
        if (s->port == PORT_NTP)
            f->next = N_("Check route and firewall for UDP port 123, or choose another time server: without the time a "
                         "device rejects certificates as not valid yet.");
        if (j->e->convs) f->level = LEVEL_WARNING; /* something else works */
        cite(f, &s->first);
        cite(f, &s->last);
        return;
    }
}
