/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_IO_ROUTE_H
#define WEIR_IO_ROUTE_H

#include "base/err.h"
#include "base/writer.h"

#include <net/if.h>

enum route_kind { ROUTE_REMOTE, ROUTE_LOCAL, ROUTE_BROADCAST, ROUTE_MULTICAST };

/* route is how the kernel would send to an address of n bytes. */
struct route {
    enum route_kind kind;
    uint8_t n;
    int device; /* index */
    char name[IF_NAMESIZE];
    uint8_t source[16], next[16]; /* own address; the gateway, or the destination itself */
    bool ether;                   /* frames of the device have Ethernet addresses */
    uint8_t mac[6];               /* of the device */
};

/* route_find asks the kernel for the route to dst, over `device` where that is not NULL; nothing is sent. ERR_NOTFOUND
 * where there is none, ERR_IO with errno. */
int route_find(struct route *out, const uint8_t *dst, size_t n, const char *device) MUST_USE;
/* route_next_mac gives the Ethernet address of the next hop from the kernel's table of neighbours, having the kernel
 * ask the link (ARP, neighbour discovery) where it does not know, for at most wait_ms. ERR_NOTFOUND where nobody
 * answers, ERR_DENIED where the kernel may not be asked. */
int route_next_mac(const struct route *r, uint8_t mac[6], int wait_ms) MUST_USE;
/* route_device fills device, name, ether and mac for an interface by its name. */
int route_device(struct route *out, const char *name) MUST_USE;
/* route_lookup gives an address of n bytes of a host's name. */
bool route_lookup(const char *name, uint8_t *addr, size_t n);
/* route_source gives the address the kernel would send to dst from (n: 4 or 16 bytes). */
bool route_source(const uint8_t *dst, uint8_t *src, size_t n);

#endif
