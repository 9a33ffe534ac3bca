/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_CRAFT_ANSWERS_H
#define WEIR_CRAFT_ANSWERS_H

#include "base/err.h"
#include "craft/talk.h"

/* Which packet that came answers which one that was sent: an echo by its identifier and sequence number, TCP by ports
 * and sequence numbers, UDP by ports and where it is DNS by the transaction, ARP and neighbour discovery by the address
 * asked for, and the ICMP error that quotes a packet by what it quotes. Anything else by addresses and protocol. */

enum { ANSWERS_OPEN_MAX = 1 << 20 }; /* packets that wait for their answer; the oldest gives way */

struct answers;

/* answer is what a packet that came turned out to be. */
struct answer {
    uint64_t number; /* of the packet sent */
    int64_t after;   /* ns since it was sent */
    bool error;      /* an ICMP error, not what was asked for */
    bool again;      /* it was answered before */
};

/* answers_open_packet is one that was sent and not answered. */
struct answers_open {
    uint64_t number;
    uint8_t family, proto, n; /* n: bytes of the address */
    uint8_t to[16];
    uint16_t port;
};

struct answers *answers_make(void); /* NULL: no memory */
void answers_free(struct answers *a);
/* answers_sent notes packet `number` (counting up), sent at `ts`. many: it went to many at once, so the answer may come
 * from any address. Where the oldest one had to give way unanswered, it is in *lost and the result true. */
bool answers_sent(struct answers *a, uint64_t number, int64_t ts, const struct talk_packet *t, bool many,
                  struct answers_open *lost);
/* answers_take tells whether a packet that came at `ts` answers one. */
bool answers_take(struct answers *a, int64_t ts, const struct talk_packet *t, struct answer *out);
/* answers_expire gives the next packet sent before `ts` that has no answer; false: there is none. */
bool answers_expire(struct answers *a, int64_t ts, struct answers_open *out);
/* answers_waiting returns how many packets may still be answered for the first time. */
uint64_t answers_waiting(const struct answers *a);

#endif
