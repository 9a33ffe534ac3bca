/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_ANALYSE_FOLLOW_H
#define WEIR_ANALYSE_FOLLOW_H

#include "analyse/dissect.h"
#include "analyse/talk_addr.h"

/* One conversation's bytes, in the order a reader of either side would have got them. */

enum {
    FOLLOW_HELD_MAX = 4096,       /* segments of a side that wait for an earlier one */
    FOLLOW_HELD_BYTES = 16 << 20, /* and their bytes */
};

/* What is followed: segments, datagrams, or what an application's messages carry. */
enum follow_proto { FOLLOW_TCP, FOLLOW_UDP, FOLLOW_TLS, FOLLOW_HTTP, FOLLOW_HTTP2, FOLLOW_WEBSOCKET, FOLLOW_PROTOS };
/* follow_proto_name returns "tcp" and so on; follow_proto_find the one of a name of n bytes, or FOLLOW_PROTOS. */
const char *follow_proto_name(enum follow_proto p);
enum follow_proto follow_proto_find(const char *name, size_t n);

/* follow_chunk is what one packet added: side 0 is who sent the conversation's first packet. */
struct follow_chunk {
    int side;
    struct slice bytes;
    uint64_t frame;
    int64_t ts;
};

struct follow_held;

struct follow {
    enum follow_proto proto;
    bool by_stream;
    uint32_t stream;
    bool by_substream; /* of HTTP/2: only this one */
    uint32_t substream;
    bool frames; /* of HTTP/2: whole frames, and lists of fields as they are decompressed, as tshark follows them */
    struct talk_addr asked[2]; /* where !by_stream */
    struct talk_addr end[2];   /* as found: end[0] is who sent first */
    bool begun;
    struct follow_side {
        bool synced;
        uint32_t next;
        struct follow_held *held; /* in the order they came */
        uint32_t count, lowest;   /* lowest: sequence number of what waits */
        size_t bytes;
    } side[2];
    uint64_t dropped; /* segments given up: too many waited */
    /* take gets every chunk; its bytes live until it returns. */
    void (*take)(void *to, const struct follow *f, const struct follow_chunk *c);
    void *to;
};

/* follow_want adds the fields that following reads. */
void follow_want(const struct follow *f, struct want *w);
/* follow_packet looks whether a packet belongs to the conversation, takes its bytes in, and tells. */
bool follow_packet(struct follow *f, const struct decode *d);
/* follow_app_want and follow_app_packet are their parts for applications. */
void follow_app_want(enum follow_proto proto, struct want *w);
void follow_app_packet(struct follow *f, const struct decode *d, const struct talk_addr *src,
                       const struct talk_addr *dst);
void follow_end(struct follow *f);

/* follow_skips tells, from a few bytes, that a packet is plainly of another conversation than that between a and b
 * (whose protocol is `ip_proto`), so that it need not be decoded. Packets that are not plain, in tunnels or pieces, are
 * not skipped. */
bool follow_skips(const struct packet *p, uint8_t ip_proto, const struct talk_addr *a, const struct talk_addr *b);

#endif
