/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_FLOW_FLOW_H
#define WEIR_FLOW_FLOW_H

#include "base/hash.h"
#include "base/pool.h"
#include "base/slabs.h"
#include "flow/stream.h"
#include "proto/tcp/tcp.h"

/* The flow table: which conversation a packet belongs to.
 *
 * Theory of operation. A conversation is found by protocol, both addresses and both ports; one entry serves both
 * directions. Entries live in pools and are named by number; a hash with a secret key finds them. Those of TCP are
 * longer and have a pool of their own: what a packet touches then lies together, which is what looking it up costs.
 * When the table is full, or what the protocols keep of its conversations more than STATES_MAX bytes, the oldest of a
 * few entries is given up: a list kept in order for that would cost every packet. Invariants: an entry is in exactly
 * one bucket; side 0 is the client where that is known (SYN or SYN/ACK seen first), else who sent first. Memory is
 * bounded by FLOWS_MAX entries and STATES_MAX. */

enum { FLOWS_MAX = 65536, FLOW_BUCKETS = 1 << 19, STATES_MAX = 128 << 20 };

/* flow_key tells conversations apart, in words that are written and read whole: what is written in pieces and read as
 * one makes the processor wait. The smaller end is the first. */
struct flow_key {
    uint64_t addr[2][2]; /* an IPv4 address stands in the first word */
    uint64_t rest;       /* bits 0-15 and 16-31: ports, 32-39: bytes of an address, 40-47: IP protocol number */
};

static inline uint16_t flow_key_port(const struct flow_key *k, int end) { return (uint16_t)(k->rest >> 16 * end); }
static inline uint8_t flow_key_proto(const struct flow_key *k) { return (uint8_t)(k->rest >> 40); }

/* flow_tunnel is what a conversation goes through since it asked a proxy for it. */
enum { TUNNEL_HOST_MAX = 255 };
struct flow_tunnel {
    const struct proto *by; /* who made it: its `tunnel` shows it */
    uint16_t port;
    uint8_t host_len;
    uint8_t host[TUNNEL_HOST_MAX];
};

struct flow {
    uint32_t chain; /* next in the bucket; first, so that a free pool node's link does not hurt */
    uint32_t bucket;
    struct flow_key key;
    uint32_t stream; /* number shown to people: counts conversations of a protocol from 0 */
    bool flipped;    /* side 0 is end[1] of the key */
    enum { NUMBER_KEPT, NUMBER_DUE, NUMBER_CHANGED } number : 8; /* of a UDP conversation: see flow_number_again */
    int64_t first, last;                                         /* time stamps */
    const struct proto *app;
    const struct proto *beside; /* what a UDP conversation agreed to speak as well; NULL: nothing */
    void *app_state;
};

/* flow_tcp is a TCP conversation. */
struct flow_tcp {
    struct flow flow;           /* first: either is found from the other */
    const struct proto *before; /* what the conversation spoke before it turned to flow.app; NULL: nothing else */
    struct flow_tunnel *tunnel; /* NULL: the conversation goes through no tunnel */
    uint16_t port;              /* stands for the key's ports when the protocol is looked for; 0: they do */
    bool begun[2];              /* the sides whose stream has a first byte */
    struct tcp_conv conv;
    struct stream side[2];
};

/* ahead_slot is what is known of a packet to come (ahead.h). */
enum { AHEAD_STEPS = 3, AHEAD_SLOTS = AHEAD_STEPS + 1 };
struct ahead_slot {
    uint32_t bucket; /* + 1; 0: none */
    uint32_t flow;   /* the first entry of the bucket, 0: none */
};

struct flow_table {
    struct pool flows, tcps, unacked; /* tcps: of struct flow_tcp; flows: all others */
    uint32_t *buckets;
    struct hash_key hash_key;
    uint32_t hand[2]; /* where the search for an entry to give up goes on; [1]: among those of TCP */
    uint32_t count, tcp_streams, udp_streams;
    size_t states;      /* bytes of all app_state */
    struct slabs slabs; /* where they lie */
    struct stream_limits limits;
    struct ahead_slot ahead[AHEAD_SLOTS];
    bool streams_unused; /* only the conversations are kept: of struct flow_tcp the sides are not touched */
    unsigned ahead_turn; /* the slot of the present packet, and the next to be filled */
    uint32_t latest;     /* the entry found last */
};

/* flow_table_make prepares an empty table: 0 or ERR_NOMEM. flow_table_free ends all conversations and releases it. */
int flow_table_make(struct flow_table *t);
void flow_table_free(struct flow_table *t);

/* flow_ends says between whom a packet goes. */
struct flow_ends {
    uint8_t proto; /* IP protocol number */
    const struct net_addr *src, *dst;
    uint16_t sport, dport;
};

/* flow_key_make fills the key of the ends and tells whether src is its second end; flow_key_same compares two. */
bool flow_key_make(struct flow_key *k, const struct flow_ends *e);
bool flow_key_same(const struct flow_key *a, const struct flow_key *b);
/* flow_bucket returns where in `buckets` the conversation of the ends would be. */
uint32_t flow_bucket(const struct flow_table *t, const struct flow_ends *e);
/* flow_find returns the conversation of two ends, made where there is none, and which side src is. NULL: no memory.
 * `client_hint` says who src is where the conversation is new: 1 the client, 0 the server, -1 not known. */
struct flow *flow_find(struct flow_table *t, const struct flow_ends *e, int client_hint, int64_t ts, int *side);
/* flow_restart makes the entry a new conversation on the same ends; the side it gives is src's. */
void flow_restart(struct flow_table *t, struct flow *f, int side, int64_t ts);
/* flow_number_again lets the conversation begin anew, once, with its next datagram (proto.renumbers). */
void flow_number_again(struct flow *f);
/* flow_at returns an entry by its number; flow_tcp the whole of one that is of TCP. */
enum { FLOW_IN_TCPS = 1 << 30 /* bit of an entry's number */, FLOW_PROTO_TCP = 6 };
static inline struct flow *flow_at(const struct flow_table *t, uint32_t n) {
    return n & FLOW_IN_TCPS ? pool_at(&t->tcps, n ^ FLOW_IN_TCPS) : pool_at(&t->flows, n);
}
static inline bool flow_is_tcp(const struct flow *f) { return flow_key_proto(&f->key) == FLOW_PROTO_TCP; }
static inline struct flow_tcp *flow_tcp(struct flow *f) { return (struct flow_tcp *)f; }
/* flow_tunnel_set says that the conversation goes through a tunnel of protocol `by` to a host; a long name is cut. */
void flow_tunnel_set(struct flow_tcp *f, const struct proto *by, struct slice host, uint16_t port);
/* flow_app_start makes p the protocol of the conversation's payload, with fresh state. */
void flow_app_start(struct flow_table *t, struct flow *f, const struct proto *p);

#endif
