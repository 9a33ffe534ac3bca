/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_PROTO_DCERPC_H
#define WEIR_PROTO_DCERPC_H

#include "proto/proto.h"

/* dcerpc_state is what a conversation's calls are of: services by the context that was bound to them, and by the call
 * that awaits its answer; the oldest give way. All zeros at first. */
enum { DCERPC_KEPT = 16 };
struct dcerpc_state {
    struct {
        uint64_t pipe;
        uint16_t context;
        uint8_t service; /* place in the table of services + 1; 0: unknown */
    } bound[DCERPC_KEPT];
    struct {
        uint32_t call;
        uint8_t service;
    } asked[DCERPC_KEPT];
    uint8_t bounds, asks; /* where the next one is kept */
};

/* dcerpc_begins tells whether bytes begin with the head of a packet. */
bool dcerpc_begins(struct slice in);
/* dcerpc_show shows one packet; `pipe` tells pipes of one conversation apart. */
void dcerpc_show(struct decode *d, struct dcerpc_state *st, uint64_t pipe, struct slice in);
/* dcerpc_service returns the service behind an interface, whose 16 bytes are as little-endian hosts send them; NULL: it
 * has no name here. */
const struct proto *dcerpc_service(const uint8_t *interface);
/* dcerpc_datagram_read shows a packet of calls without connections; dcerpc_is_datagram recognises one. */
void dcerpc_datagram_read(struct decode *d, struct slice in);
bool dcerpc_is_datagram(struct slice in, enum known_as known);

#endif
