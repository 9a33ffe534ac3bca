/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_CRAFT_CRAFT_H
#define WEIR_CRAFT_CRAFT_H

#include "base/err.h"
#include "base/writer.h"

/* Packets from expressions as people write them: `IP(dst="10.0.0.9")/TCP(dport=[80,443],flags="S")`.
 *
 * A layer is a name and its fields, under Scapy's name or Wireshark's; a text alone is payload. A list, a range
 * `(1,9)`, a network "10.0.0.0/24" or "10.0.0.1-9" stands for several values, and an expression for one packet per
 * combination, the first layer's values changing slowest. What is not said is right by default. */

enum {
    CRAFT_TEXT_MAX = 64 << 10,    /* bytes of an expression */
    CRAFT_LAYERS_MAX = 16,        /* of a packet */
    CRAFT_PACKETS_MAX = 1 << 24,  /* packets of one expression */
    CRAFT_BYTES_MAX = 65535 + 18, /* of a packet */
};

/* craft_env answers what lies outside an expression; `to` is handed back to it. */
struct craft_env {
    /* source gives the own address towards dst, of 4 or 16 bytes; false where there is no route, NULL: addresses that
     * are not said stay zero. */
    bool (*source)(void *to, const uint8_t *dst, uint8_t *src, size_t n);
    /* link gives the Ethernet addresses towards dst: of the next hop (where next is not NULL) and the own one. NULL or
     * false: those that are not said are broadcast and zero. */
    bool (*link)(void *to, const uint8_t *dst, size_t n, uint8_t next[6], uint8_t own[6]);
    /* lookup gives an address of n bytes of a host's name, asked once for an expression; NULL or false: there is none.
     */
    bool (*lookup)(void *to, const char *name, uint8_t *addr, size_t n);
    void *to;
    uint8_t mqtt_version; /* of MQTT packets that do not say theirs; 0: 3.1.1 */
    uint32_t round;       /* how often the expression was sent before: the sequence number of echoes that say none */
};

struct craft; /* one expression, understood */

/* craft_make reads an expression and checks every value; a sentence goes to `why` where it gives ERR_USAGE. env lives
 * as long as the craft. */
int craft_make(struct craft **out, const char *text, const struct craft_env *env, struct writer *why) MUST_USE;
void craft_free(struct craft *c);
/* craft_count returns how many packets the expression stands for, 1 to CRAFT_PACKETS_MAX. */
uint64_t craft_count(const struct craft *c);
/* craft_packet writes packet number i (from 0); the bytes live until the next call. ERR_LIMIT where it is too large. */
int craft_packet(struct craft *c, uint64_t i, struct slice *bytes, struct writer *why) MUST_USE;
/* craft_linktype returns the LINKTYPE_ value of the packets, -1 where they begin with a layer no link carries. */
int craft_linktype(const struct craft *c);
/* craft_layers prints every layer and its fields. */
void craft_layers(struct writer *w);

#endif
