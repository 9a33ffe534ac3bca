/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_PROTO_STUN_H
#define WEIR_PROTO_STUN_H

#include "proto/proto.h"

/* stun_state is a conversation's transactions, as many as may be under way; the oldest give way. */
enum { STUN_KEPT = 12, STUN_ID = 12 };
struct stun_state {
    uint8_t next;
    struct stun_transaction {
        uint8_t id[STUN_ID];
        uint64_t asked, answered; /* frames; 0: none */
        int64_t at;               /* nanoseconds, of the request */
    } kept[STUN_KEPT];
};

/* stun_match notes a message and says which one it answers, or repeats (RFC 8489 6.2.1). `response` tells it from a
 * request; id is its transaction's, STUN_ID bytes. */
void stun_match(struct decode *d, struct stun_state *st, bool response, const uint8_t *id, uint32_t off);

#endif
