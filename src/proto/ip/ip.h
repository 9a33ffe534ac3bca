/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_PROTO_IP_H
#define WEIR_PROTO_IP_H

#include "proto/proto.h"

/* ip_proto_name returns the name of a protocol number, for every number [IANA, Assigned Internet Protocol Numbers]. */
const char *ip_proto_name(uint64_t number);

/* ip_route_goal returns where in the options of a header the address stands to which a source route leads (RFC 791
 * 3.1); NULL: there is none, or the packet has been everywhere. */
const uint8_t *ip_route_goal(struct slice options);
/* ip_options reads the options in `r`; `goal` is theirs. */
void ip_options(struct decode *d, struct reader *r, const uint8_t *goal);
/* ip_address_add adds an address of the packet under the side's name and, hidden, what both sides have in common. */
void ip_address_add(struct decode *d, uint16_t id, uint16_t host_id, uint32_t off, uint32_t address);
/* ip_stop_add adds an address on the packet's way. */
void ip_stop_add(struct decode *d, uint16_t id, uint16_t host_id, uint32_t off, uint32_t address);

#endif
