/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_ANALYSE_CONNECTIONS_H
#define WEIR_ANALYSE_CONNECTIONS_H

#include "analyse/stats/stats.h"
#include "analyse/talk_addr.h"

/* connections: every TCP and UDP conversation in one row, with what a person looks at first.
 *
 * Theory of operation. A row is found by protocol and stream number. All rows share one scale of time for their small
 * histograms: CONNECTION_BINS bins from the capture's first packet on; when a packet lies behind the last bin, bins are
 * added up in pairs and become twice as wide, so that one pass is enough however long the capture is. Limits:
 * CONNECTIONS_MAX rows; CONNECTION_TEXT bytes of a name. */

enum { CONNECTIONS_MAX = 65536, CONNECTION_BINS = 32, CONNECTION_TEXT = 96 };

enum connection_trouble {
    TROUBLE_AGAIN, /* retransmissions of any kind */
    TROUBLE_OUT_OF_ORDER,
    TROUBLE_LOST, /* segments that were not captured */
    TROUBLE_DUP_ACK,
    TROUBLE_ZERO_WINDOW,
    TROUBLE_KINDS
};

struct connection {
    struct { /* the key */
        uint32_t stream;
        uint32_t udp;
    } key;
    struct talk_addr end[2]; /* end[0] is the client, or who sent first */
    const struct proto *app; /* highest protocol seen; NULL: none */
    uint8_t app_depth, text_rank;
    uint16_t flags[2]; /* of TCP, all that were set, by side */
    uint64_t packets[2], bytes[2], payload[2];
    int64_t first, last;      /* ns since the capture's first packet */
    int64_t initial_rtt;      /* 0: not seen */
    int64_t rtt_sum, rtt_max; /* of acknowledgments */
    uint64_t rtts, trouble[TROUBLE_KINDS];
    uint64_t first_frame;
    uint32_t n_text;
    char text[CONNECTION_TEXT]; /* MQTT client id, server name, host or name asked for */
    uint64_t bin[CONNECTION_BINS];
};

struct connections {
    struct keytab tab;
    int64_t bin_ns; /* width of a bin */
    int64_t end;    /* of the capture, ns since its first packet */
};

/* connections_make prepares an empty table, connections_free releases it; connections_want adds the fields it reads. */
void connections_make(struct connections *c);
void connections_free(struct connections *c);
void connections_want(struct want *w);
/* connections_packet takes a packet; `begin` is the time of the capture's first one. */
void connections_packet(struct connections *c, const struct decode *d, int64_t begin);

enum connection_order { BY_STREAM, BY_BYTES, BY_PACKETS, BY_START, BY_DURATION, BY_TROUBLE, BY_RTT, CONNECTION_ORDERS };
/* connections_sorted returns the places of the rows, greatest first (BY_STREAM and BY_START: as they began); the caller
 * frees it. NULL: no memory. */
uint32_t *connections_sorted(const struct connections *c, enum connection_order by);

#endif
