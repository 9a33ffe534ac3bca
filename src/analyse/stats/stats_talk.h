/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_ANALYSE_STATS_STATS_TALK_H
#define WEIR_ANALYSE_STATS_STATS_TALK_H

#include "analyse/keytab.h"
#include "analyse/stats/stats.h"
#include "analyse/talk_addr.h"

/* Who talks, and who talks with whom: endpoints and conversations of one protocol. */

enum talk_level { TALK_ETH, TALK_IP, TALK_IPV6, TALK_TCP, TALK_UDP, TALK_LEVELS };

/* talk_host is an endpoint; counts are of packets it sent and received. */
struct talk_host {
    struct talk_addr at;
    uint64_t sent, sent_bytes, received, received_bytes;
};

/* talk_pair is a conversation. As kept, the ends are in the order of their bytes, so that both directions find it;
 * talk_pair_at gives it as it is shown, a being who sent first. */
struct talk_pair {
    struct talk_addr a, b;
    uint32_t stream;               /* of TCP and UDP */
    uint64_t packets[2], bytes[2]; /* sent by a, sent by b */
    int64_t first, last;           /* ns since the capture's first packet */
    bool b_began;                  /* who sent first is b */
};

struct talk {
    enum talk_level level;
    bool pairs;
    struct keytab tab;        /* of talk_host or talk_pair, in the order first seen */
    uint32_t (*by_stream)[2]; /* places + 1 of what a TCP or UDP stream counts for */
    uint32_t streams;
};

/* talk_by_packets returns the places of the entries, most packets first, n of them; the caller frees it. NULL: no
 * memory. */
uint32_t *talk_by_packets(const struct talk *t);
const char *talk_level_title(enum talk_level level);
/* talk_pair_at returns the conversation at a place, a being who sent first. */
struct talk_pair talk_pair_at(const struct talk *t, uint32_t place);
static inline bool talk_has_ports(const struct talk *t) { return t->level >= TALK_TCP; }

#endif
