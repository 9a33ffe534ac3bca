/* SPDX-License-Identifier: Apache-2.0 */
/* Theory of operation: whose packet it is.
 *
 * Ends of the command's sockets are kept by port. A connected socket owns what goes between its two ends; one that is
 * only bound owns its port on its address, or, bound to no address, on every address of this machine, so that a server
 * of the same port elsewhere, whom somebody else talks to, is not taken for ours. Questions to a name server from a
 * socket nobody told of belong to the command when they ask for a name it is looking up: the C library makes those
 * sockets where they cannot be seen. */
#include "app/run/run.h"

#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <strings.h>

enum { PORTS = 65536, DNS_PORT = 53, DNS_HEADER = 12 };

/* plain turns an IPv4 address in the clothes of IPv6 into itself. */
static struct shim_end plain(struct shim_end e) {
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    if (e.len != 16 || memcmp(e.addr, mapped, sizeof mapped) != 0) return e;
    struct shim_end v4 = {.port = e.port, .len = 4};
    memcpy(v4.addr, e.addr + 12, 4);
    return v4;
}

static bool any_address(const struct shim_end *e) {
    for (size_t i = 0; i < e->len; i++)
        if (e->addr[i]) return false;
    return true;
}

static bool same_address(const struct shim_end *a, const struct shim_end *b) {
    return a->len == b->len && memcmp(a->addr, b->addr, a->len) == 0;
}

static void own_addresses(struct run_ends *e) {
    struct ifaddrs *all = NULL;
    if (getifaddrs(&all) < 0) return;
    for (const struct ifaddrs *i = all; i && e->owns < RUN_LOCAL_MAX; i = i->ifa_next) {
        if (!i->ifa_addr) continue;
        struct shim_end *own = &e->own[e->owns];
        *own = (struct shim_end){0};
        if (i->ifa_addr->sa_family == AF_INET)
            memcpy(own->addr, &((const struct sockaddr_in *)(const void *)i->ifa_addr)->sin_addr, own->len = 4);
        if (i->ifa_addr->sa_family == AF_INET6)
            memcpy(own->addr, &((const struct sockaddr_in6 *)(const void *)i->ifa_addr)->sin6_addr, own->len = 16);
        if (own->len) e->owns++;
    }
    freeifaddrs(all);
}

static bool is_own(const struct run_ends *e, const struct shim_end *a) {
    if (a->len == 4 && a->addr[0] == 127) return true;
    for (size_t i = 0; i < e->owns; i++)
        if (same_address(a, &e->own[i])) return true;
    return false;
}

int run_ends_make(struct run_ends *e) {
    e->end = calloc(RUN_ENDS_MAX, sizeof *e->end);
    e->by_port = calloc(PORTS, sizeof *e->by_port);
    if (!e->end || !e->by_port) return ERR_NOMEM;
    own_addresses(e);
    return OK;
}

void run_ends_free(struct run_ends *e) {
    free(e->end);
    free(e->by_port);
}

static void chain_drop(struct run_ends *e, uint16_t place) {
    uint16_t *link = &e->by_port[e->end[place].local.port];
    while (*link && *link != place + 1) link = &e->end[*link - 1].next;
    if (*link) *link = e->end[place].next;
}

/* fits tells whether the packet goes between the ends, seen from `local`. */
static bool fits(const struct run_ends *e, const struct run_end *end, uint8_t proto, const struct shim_end *local,
                 const struct shim_end *peer) {
    if (end->proto != proto || end->local.port != local->port) return false;
    if (any_address(&end->local) ? !is_own(e, local) : !same_address(&end->local, local)) return false;
    return !end->peer.port || (end->peer.port == peer->port && same_address(&end->peer, peer));
}

void run_ends_add(struct run_ends *e, uint8_t proto, const struct shim_end *local, const struct shim_end *peer) {
    struct run_end new = {.local = plain(*local), .peer = plain(*peer), .proto = proto, .used = true};
    for (uint16_t i = e->by_port[new.local.port]; i; i = e->end[i - 1].next) {
        const struct run_end *old = &e->end[i - 1];
        if (old->proto == proto && same_address(&old->local, &new.local) && same_address(&old->peer, &new.peer) &&
            old->peer.port == new.peer.port)
            return;
        /* a connection that was accepted: the socket that listens owns its packets already */
        if (!old->peer.port && fits(e, old, proto, &new.local, &new.peer)) return;
    }
    uint16_t place = (uint16_t)(e->n++ % RUN_ENDS_MAX);
    if (e->end[place].used) chain_drop(e, place);
    new.next = e->by_port[new.local.port];
    e->end[place] = new;
    e->by_port[new.local.port] = (uint16_t)(place + 1);
}

void run_ends_lookup(struct run_ends *e, const char *name) {
    for (uint32_t i = 0; i < RUN_LOOKUPS_MAX; i++)
        if (!strcasecmp(e->lookup[i], name)) return;
    char *to = e->lookup[e->lookups++ % RUN_LOOKUPS_MAX];
    memset(to, 0, sizeof e->lookup[0]);
    strncpy(to, name, sizeof e->lookup[0] - 1);
}

static bool side_has(const struct run_ends *e, uint8_t proto, const struct shim_end *local,
                     const struct shim_end *peer) {
    for (uint16_t i = e->by_port[local->port]; i; i = e->end[i - 1].next)
        if (fits(e, &e->end[i - 1], proto, local, peer)) return true;
    return false;
}

/* asks_for tells whether a question's name begins with `name`, label by label; a search list may add to it. */
static bool asks_for(struct slice question, const char *name) {
    while (question.n && *name) {
        size_t n = question.p[0], dot = strcspn(name, ".");
        if (!n || n > 63 || n != dot || question.n <= n || strncasecmp(name, (const char *)question.p + 1, n) != 0)
            return false;
        question = slice_tail(question, n + 1);
        name += dot + (name[dot] == '.');
    }
    return !*name;
}

static bool is_lookup(const struct run_ends *e, const struct run_packet *p) {
    if (p->proto != IPPROTO_UDP || p->dst.port != DNS_PORT || p->payload.n <= DNS_HEADER) return false;
    for (uint32_t i = 0; i < RUN_LOOKUPS_MAX; i++)
        if (e->lookup[i][0] && asks_for(slice_tail(p->payload, DNS_HEADER), e->lookup[i])) return true;
    return false;
}

bool run_ends_has(struct run_ends *e, const struct run_packet *packet) {
    struct run_packet p = *packet;
    p.src = plain(p.src);
    p.dst = plain(p.dst);
    if (side_has(e, p.proto, &p.src, &p.dst) || side_has(e, p.proto, &p.dst, &p.src)) return true;
    if (!is_lookup(e, &p) || !is_own(e, &p.src)) return false;
    run_ends_add(e, p.proto, &p.src, &p.dst);
    return true;
}
