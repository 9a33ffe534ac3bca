/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_PROTO_IPV6_H
#define WEIR_PROTO_IPV6_H

#include "proto/proto.h"

enum ipv6_next {
    NEXT_HOP = 0,
    NEXT_IPV6 = 41,
    NEXT_ROUTING = 43,
    NEXT_FRAGMENT = 44,
    NEXT_AH = 51,
    NEXT_NONE = 59,
    NEXT_DST = 60
};

enum { IPV6_UNFINISHED = 1 }; /* fval.extra of ipv6.dst: what follows the header could not be found */
enum { JUMBO_LEAST = 65536 }; /* bytes of payload that the header cannot say */

enum ipv6_option {
    OPT_PAD1 = 0x00,
    OPT_PADN = 0x01,
    OPT_TEL = 0x04,
    OPT_ROUTER_ALERT = 0x05,
    OPT_CALIPSO = 0x07,
    OPT_SMF_DPD = 0x08,
    OPT_PDM = 0x0f,
    OPT_EXP_1E = 0x1e,
    OPT_QUICK_START = 0x26,
    OPT_EXP_3E = 0x3e,
    OPT_TPF = 0x41,
    OPT_EXP_5E = 0x5e,
    OPT_RPL = 0x63,
    OPT_MPL = 0x6d,
    OPT_EXP_7E = 0x7e,
    OPT_ILNP = 0x8b,
    OPT_LIO = 0x8c,
    OPT_EXP_9E = 0x9e,
    OPT_EXP_BE = 0xbe,
    OPT_JUMBO = 0xc2,
    OPT_HOME = 0xc9,
    OPT_EXP_DE = 0xde,
    OPT_DFF = 0xee,
    OPT_EXP_FE = 0xfe
};

/* ipv6_walk is the way through the extension headers of one packet. */
struct ipv6_walk {
    struct reader r; /* over what is left of the payload */
    uint8_t next;    /* kind of what r stands at */
    uint32_t start;  /* offset of the header */
    uint16_t plen;   /* the header's payload length */
    uint32_t jumbo;  /* length from a jumbo payload option; 0: none */
    bool first;      /* no extension header was read yet */
    bool fragment;   /* the rest is a piece of a datagram */
    struct fragment piece;
};

/* ipv6_extension reads the extension header the walk stands at and moves on; false: it is none, or it was cut. */
bool ipv6_extension(struct decode *d, struct ipv6_walk *walk);
/* ipv6_options reads the options of a hop-by-hop (hop) or destination options header; `o` holds just them. */
void ipv6_options(struct decode *d, struct ipv6_walk *walk, struct reader *o, bool hop);
/* ah_header reads an authentication header and returns the protocol that follows. */
uint8_t ah_header(struct decode *d, struct reader *r);

/* What struct proto calls info and label. */
bool ipv6_label(struct writer *w, const struct fvec *v, uint32_t at);
void ipv6_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end);
extern const uint16_t ipv6_info_fields[];
bool ah_label(struct writer *w, const struct fvec *v, uint32_t at);

#endif
