/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_ANALYSE_STATS_HOST_NAMES_H
#define WEIR_ANALYSE_STATS_HOST_NAMES_H

#include "analyse/name.h"
#include "analyse/stats/stats.h"
#include "analyse/talk_addr.h"

/* host_names is what a capture tells of the names of addresses: those that name servers gave them for (RFC 1035 3.4.1,
 * by way of aliases too), those that clients of TLS and QUIC asked for there (RFC 6066 3), and the hosts of HTTP
 * requests (RFC 9110 7.2). */

enum { HOST_NAMES = 3, HOSTS_NAMED_MAX = 16384 };

struct host {
    struct talk_addr addr;        /* its port is 0 */
    struct name name[HOST_NAMES]; /* the first ones seen, in small letters */
    uint32_t names;
    bool more; /* it has others */
};

struct host_names {
    struct keytab hosts;
    struct hash_key secret;
};

/* host_names_make returns an empty one; what is equal has equal names where the secret is the same. */
struct host_names host_names_make(struct hash_key secret);
void host_names_free(struct host_names *h);
void host_names_want(struct want *w);
/* host_names_field tells whether a field is one of those that name somebody; host_names_packet reads all of a packet,
 * which goes to `dst`. */
bool host_names_field(uint16_t id);
void host_names_packet(struct host_names *h, const struct decode *d, const struct talk_addr *dst);
/* host_names_find returns what is known of an address, whatever the port; NULL: nothing. */
const struct host *host_names_find(const struct host_names *h, const struct talk_addr *addr);

#endif
