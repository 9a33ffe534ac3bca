/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_FLOW_ANNOUNCE_H
#define WEIR_FLOW_ANNOUNCE_H

#include "proto/proto.h"

/* What conversations said of others to come: at an address and a port somebody will speak a protocol, as FTP says of
 * its data and SIP of its calls. ANNOUNCED_MAX of them are kept, the oldest gives way; an outsider can announce no more
 * than that, only ports nobody is registered for are read so, and of datagrams those the protocol takes for its own. */
enum { ANNOUNCED_MAX = 256 };

struct announced {
    struct net_addr addr;
    const struct proto *proto;
    uint8_t about[ANNOUNCE_ABOUT_MAX]; /* the first bytes of the protocol's state */
    size_t about_n;
};

struct announced_table {
    struct announced *entry;      /* ANNOUNCED_MAX; NULL: nothing was announced */
    uint16_t port[ANNOUNCED_MAX]; /* of the entries; 0: none. Together, since they are searched for every datagram */
    uint32_t next;
    bool datagrams; /* something was said of datagrams */
};

void announced_table_free(struct announced_table *t);
/* announce keeps what is said of a place, in the stead of what was said of it before. */
void announce(struct announced_table *t, const struct proto *p, const struct net_addr *addr, uint16_t port,
              struct slice about);
/* announced_find returns what was said of a place, of its datagrams or of its streams, or NULL. */
const struct announced *announced_find(const struct announced_table *t, const struct net_addr *addr, uint16_t port,
                                       bool datagrams);

#endif
