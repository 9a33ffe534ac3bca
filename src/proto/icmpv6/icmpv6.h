/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_PROTO_ICMPV6_H
#define WEIR_PROTO_ICMPV6_H

#include "proto/proto.h"

enum icmpv6_type {
    V6_UNREACHABLE = 1,
    V6_TOO_BIG,
    V6_EXCEEDED,
    V6_PARAMETER,
    V6_ECHO = 128,
    V6_ECHO_REPLY,
    V6_MLD_QUERY,
    V6_MLD_REPORT,
    V6_MLD_DONE,
    V6_ROUTER_SOLICITATION,
    V6_ROUTER_ADVERTISEMENT,
    V6_NEIGHBOR_SOLICITATION,
    V6_NEIGHBOR_ADVERTISEMENT,
    V6_REDIRECT,
    V6_RENUMBERING,
    V6_NODE_QUERY,
    V6_NODE_REPLY,
    V6_INVERSE_SOLICITATION,
    V6_INVERSE_ADVERTISEMENT,
    V6_MLD2_REPORT,
    V6_HOME_REQUEST,
    V6_HOME_REPLY,
    V6_PREFIX_SOLICITATION,
    V6_PREFIX_ADVERTISEMENT,
    V6_CERT_SOLICITATION,
    V6_CERT_ADVERTISEMENT,
    V6_MOBILITY,
    V6_MRD_ADVERTISEMENT,
    V6_MRD_SOLICITATION,
    V6_MRD_TERMINATION,
    V6_FMIP,
    V6_RPL,
    V6_LOCATOR,
    V6_DAR,
    V6_DAC,
    V6_MPL,
    V6_EXTENDED,
    V6_EXTENDED_REPLY
};

enum icmpv6_option {
    ND_SOURCE = 1,
    ND_TARGET,
    ND_PREFIX,
    ND_REDIRECTED,
    ND_MTU,
    ND_INTERVAL = 7,
    ND_HOME_AGENT,
    ND_SOURCE_LIST,
    ND_TARGET_LIST,
    ND_NONCE = 14,
    ND_ROUTE = 24,
    ND_RDNSS,
    ND_FLAGS,
    ND_DNSSL = 31,
    ND_ARO = 33,
    ND_PORTAL = 37,
    ND_PREF64
};

/* bits_add adds single bits and small numbers of a value that stands at off/len. */
struct icmpv6_bits {
    uint16_t id;
    uint8_t shift;
    uint32_t mask; /* after the shift */
};
void icmpv6_bits_add(struct decode *d, const struct icmpv6_bits *bits, size_t n, uint32_t off, uint32_t len,
                     uint32_t value);

/* icmpv6_discovery reads neighbour discovery messages from behind the checksum; false: it is none. */
bool icmpv6_discovery(struct decode *d, struct reader *r, uint8_t type);
/* icmpv6_options reads neighbour discovery options up to the end. */
void icmpv6_options(struct decode *d, struct reader *r);
/* icmpv6_name reads a domain name without compression; its text lives as long as the packet. */
struct slice icmpv6_name(struct decode *d, struct reader *r);

/* What struct proto calls info and label. */
bool icmpv6_label(struct writer *w, const struct fvec *v, uint32_t at);
void icmpv6_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end);
extern const uint16_t icmpv6_info_fields[];

#endif
