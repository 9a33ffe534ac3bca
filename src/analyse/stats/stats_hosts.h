/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_ANALYSE_STATS_STATS_HOSTS_H
#define WEIR_ANALYSE_STATS_STATS_HOSTS_H

#include "analyse/name.h"
#include "analyse/stats/stats.h"
#include "analyse/talk_addr.h"

/* Which names the DNS answers of a capture, and the file itself, give to addresses, tshark's -z hosts; and how many
 * messages of DHCP there were of each type, its -z dhcp,stat. */

enum { HOSTS_MAX_NAMED = 1 << 17, DHCP_TYPES = 256 };

struct hosts {
    struct keytab names; /* of struct host_named */
    struct hash_key secret;
    bool four, six; /* which addresses were asked for */
};

/* host_named is an address and the name it was given last. */
struct host_named {
    struct talk_addr addr; /* its port is 0 */
    struct name name;
};

struct dhcp_types {
    uint64_t packets[DHCP_TYPES]; /* by the value of option 53 */
};

extern const struct stats_ops stats_hosts, stats_dhcp;
/* hosts_block takes the body of a block of names (pcapng, Name Resolution Block). */
void hosts_block(struct hosts *h, struct slice body, bool big_endian);
/* hosts_sorted orders the names by address, IPv4 first. No packet may be counted behind it. */
void hosts_sorted(struct hosts *h);

#endif
