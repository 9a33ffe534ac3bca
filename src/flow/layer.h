/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_FLOW_LAYER_H
#define WEIR_FLOW_LAYER_H

#include "flow/ahead.h"
#include "flow/announce.h"
#include "flow/flow.h"
#include "flow/frag.h"
#include "flow/match.h"
#include "proto/protos.h"

/* The driver: takes a packet through its layers and gives every decoder what it asks for.
 *
 * Theory of operation. `tables` map a number (EtherType, IP protocol, port ...) to a protocol. A decoder asks for the
 * next one through the ops of struct decode; the driver finds it, or finds out by probing, keeps the conversations,
 * puts streams and fragments together, and calls on. What nobody wants is not done: a protocol is entered only where a
 * wanted field can come of it (`useful`), conversations are kept only where a wanted field needs them. Invariants: one
 * driver serves one capture, in order; everything handed out in a packet lives until the next one. Limits: NESTING_MAX
 * decoders inside each other; those of flow.h, stream.h, frag.h. */

enum { NESTING_MAX = 24, PROTOS_MAX = 256, PACKET_ARENA = 16 << 20, KEPT_MAX = 192 << 20 };

struct driver {
    struct decode d;
    struct fvec fields;
    struct arena arena;
    uint32_t quic_connections;
    struct arena_budget kept;
    struct want want;
    uint16_t *table[TABLE_COUNT]; /* 65536 entries: place in weir_protos + 1; the top bit: the user said so */
    bool useful[PROTOS_MAX];      /* by place in weir_protos */
    bool needs_flow, needs_app;
    bool needs_unacked; /* the segments that were not acknowledged yet */
    /* Those that know datagrams, or the beginning of streams, by their bytes: what no port is registered for is asked
     * of each. */
    const struct proto *recogniser[PROTOS_MAX], *prober[PROTOS_MAX];
    size_t recognisers, probers;
    struct flow_table flows;
    struct frag_table frags;
    struct match_table matches;
    struct announced_table announced;
    struct match_table names; /* of conversations that may change their addresses: see moved.c */
    uint32_t name_lengths;    /* a bit for each length that one of them has */
    uint8_t **retired;        /* buffers that the present packet's fields point into */
    size_t retired_count, retired_cap;
    struct flow *flow; /* of the present TCP segment or UDP datagram */
    uint32_t put_back; /* fields put into TCP's entry after it was closed: places noted before have moved by so many */
    /* What a protocol said its conversation goes on as; done when its message is read. */
    struct {
        bool asked;
        const struct proto *proto;
        uint16_t port;
    } become;
};

/* driver_make prepares a driver for the fields in want; 0 or ERR_NOMEM. */
int driver_make(struct driver *dr, const struct want *want);
void driver_free(struct driver *dr);
/* driver_decode_as makes `p` the protocol for a number of a table. */
int driver_decode_as(struct driver *dr, enum proto_table table, uint32_t key, const struct proto *p);

/* driver_begin starts a packet; then frame fields may be added; driver_layers decodes the rest. */
void driver_begin(struct driver *dr, const struct packet *p);
void driver_layers(struct driver *dr);
/* driver_ahead may be shown the packets that come AHEAD_STEPS later, each once and in order: what they need is fetched
 * meanwhile. driver_ahead_pays tells whether that is worth the work now. */
bool driver_ahead_pays(const struct driver *dr);
void driver_ahead(struct driver *dr, uint32_t link, struct slice frame);

/* For the parts of the driver. */
const struct proto *driver_lookup(const struct driver *dr, enum proto_table table, uint32_t key);
/* driver_forced tells whether the user chose the protocol of a number: then it is not asked whether the bytes look like
 * it. */
bool driver_forced(const struct driver *dr, enum proto_table table, uint32_t key);
/* driver_retire hands a buffer over that is freed when the packet is done. false: there was no memory to note it, so it
 * is freed already, and the packet has no fields any more. */
bool driver_retire(struct driver *dr, void *buffer);
/* driver_message_retire does so with the unfinished message of a stream, which is then none any more: the packet's
 * fields may point into it. */
bool driver_message_retire(struct driver *dr, struct stream *s);
/* driver_probe returns the protocol that recognises the first bytes of a stream, or NULL. */
const struct proto *driver_probe(const struct driver *dr, struct slice in);
/* What the driver fills decode_ops with. */
bool driver_echo_match(struct decode *d, uint8_t kind, uint16_t ident, uint16_t seq, bool request, uint64_t *frame,
                       int64_t *ns);
enum dns_turn driver_dns_match(struct decode *d, uint16_t id, bool response, uint64_t *frame, int64_t *ns);
void driver_known_as(struct decode *d, struct slice name);
/* driver_moved returns what the present conversation speaks where its first datagram names one that was seen under
 * other addresses, which it then goes on with; else NULL. */
const struct proto *driver_moved(struct driver *dr, struct slice in);
void driver_become(struct decode *d, const struct proto *p, uint16_t port);
void driver_tunnel(struct decode *d, const struct proto *p, struct slice host, uint16_t port);
bool driver_stream_feed(struct decode *d, struct nested **nested, const struct proto *p, int from, struct slice in);
void driver_carry(struct decode *d, struct nested **nested, const struct carry *how, int from, struct slice in);
/* driver_tcp_data puts what a segment brings into its place of the stream and has read what is in order now. */
void driver_tcp_data(struct decode *d, const struct tcp_segment *s, int side);

#endif
