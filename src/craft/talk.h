/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_CRAFT_TALK_H
#define WEIR_CRAFT_TALK_H

#include "base/reader.h"

/* What a packet says of who talks with whom, as much as telling an answer needs. */

enum talk_family { TALK_NONE, TALK_ARP, TALK_IP4, TALK_IP6 };

struct talk_packet {
    uint8_t family;           /* enum talk_family */
    uint8_t proto;            /* of IP */
    uint8_t type, code;       /* of ICMP and ICMPv6; the operation of ARP */
    uint8_t src[16], dst[16]; /* IPv4 in the first four; in ARP the protocol addresses */
    uint16_t sport, dport;    /* of TCP and UDP; identifier and sequence number of an echo */
    uint32_t seq, ack;        /* of TCP */
    uint8_t flags;            /* of TCP */
    uint16_t window, mss;     /* of TCP; mss 0: not said */
    uint32_t span;            /* sequence numbers the segment takes */
    bool whole;               /* the transport header is complete */
    bool dns, dns_response;   /* UDP with a DNS header */
    uint16_t dns_id;
    uint8_t target[16];     /* of a neighbour solicitation or advertisement */
    struct slice quoted;    /* packet inside an ICMP error */
    struct slice payload;   /* of TCP and UDP */
    struct slice network;   /* from the network header on */
    struct slice transport; /* from the transport header on, to the end the network header says */
    uint8_t link_dst[6];
    bool has_link;
};

enum { TALK_FIN = 1, TALK_SYN = 2, TALK_RST = 4, TALK_PSH = 8, TALK_ACK = 16 };

/* talk_read reads a packet of a LINKTYPE_ (Ethernet with tags, raw IP, Linux cooked); false where it is none of ours.
 */
bool talk_read(struct talk_packet *out, uint32_t linktype, struct slice bytes);

#endif
