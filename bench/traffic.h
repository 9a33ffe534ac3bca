/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_BENCH_TRAFFIC_H
#define WEIR_BENCH_TRAFFIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Synthetic traffic for benchmarks, in three files: traffic_net.c makes frames and the capture file,
 * traffic_apps.c the conversations, make_capture.c the clock that interleaves them.
 *
 * Everything follows from the seed. A slot is one device or browser that lives for the whole file and opens
 * one connection after another, so the number of live connections does not depend on the file's length. */

enum slot_kind { SLOT_MQTT, SLOT_MQTT_WS, SLOT_HTTP, SLOT_DNS };
enum slot_state { SLOT_CLOSED, SLOT_OPEN };
enum { CLIENT, SERVER };
enum { US = 1000, MS = 1000 * 1000, SECOND = 1000 * 1000 * 1000 };
enum { MESSAGE_MAX = 96 * 1024, BURST_MAX = 128 };

struct slot {
    uint64_t when; /* nanoseconds: its next exchange */
    uint32_t id;
    uint8_t kind, state;
    uint8_t version;  /* MQTT protocol level: 3, 4 or 5 */
    bool v6, stamps;  /* IPv6; TCP time stamps */
    bool alias_known; /* MQTT 5: topic alias 1 was set on this connection */
    bool subscribed;
    uint8_t tags; /* VLAN tags: 0 to 2 */
    uint16_t vlan;
    uint8_t server; /* number of the server */
    uint16_t port[2];
    uint32_t seq[2];   /* next sequence number of each side */
    uint32_t clock[2]; /* offset of each side's time stamps */
    uint16_t ip_id[2];
    uint16_t message_id;
    uint32_t rtt;  /* nanoseconds between capture point, client and back */
    uint32_t left; /* exchanges until the connection ends */
};

struct buffer {
    size_t n;
    uint8_t p[MESSAGE_MAX];
};

struct frame;

struct traffic {
    FILE *out;
    uint64_t written, limit; /* bytes */
    bool classic;            /* pcap instead of pcapng */
    uint64_t random;
    uint64_t start; /* time of the first packet, nanoseconds since 1970 */
    uint64_t now;   /* nanoseconds since the start, moves on within an exchange */
    struct frame **heap;
    size_t waiting, room;
    uint64_t order, frames;
    size_t cuts[BURST_MAX]; /* where the message in `wire` may be cut into segments; the end is the last */
    size_t ncuts;
    struct buffer body, message, wire;
};

/* rnd returns a random number below n (n > 0). */
uint32_t rnd(struct traffic *t, uint32_t n);
/* chance is true in `per_mille` of 1000 cases. */
bool chance(struct traffic *t, uint32_t per_mille);
/* wait_for lets between half and one and a half of `ns` nanoseconds pass. */
void wait_for(struct traffic *t, uint32_t ns);

/* put_... append to a buffer; what does not fit is a mistake of this program and ends it. */
void put(struct buffer *b, const void *p, size_t n);
void put_u8(struct buffer *b, uint32_t v);
void put_u16(struct buffer *b, uint32_t v);
void put_u32(struct buffer *b, uint32_t v);
void put_s(struct buffer *b, const char *s);
__attribute__((format(printf, 2, 3))) void put_f(struct buffer *b, const char *format, ...);

/* net_start writes the head of the file; net_flush writes the frames up to time `until`. */
void net_start(struct traffic *t);
void net_flush(struct traffic *t, uint64_t until);
/* net_open is the TCP handshake of a new connection; net_close ends it with FIN or RST. */
void net_open(struct traffic *t, struct slot *s);
void net_close(struct traffic *t, struct slot *s, bool reset);
/* net_ack sends a segment without data. */
void net_ack(struct traffic *t, struct slot *s, int side);
/* net_send sends what is in `wire`, with the accidents of a real network. */
void net_send(struct traffic *t, struct slot *s, int side);
/* net_datagram sends what is in `wire` over UDP. */
void net_datagram(struct traffic *t, struct slot *s, int side);

/* apps_step plays the next exchange of a slot and sets its next time. */
void apps_step(struct traffic *t, struct slot *s);

#endif
