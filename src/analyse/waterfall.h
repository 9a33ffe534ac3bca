/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_ANALYSE_WATERFALL_H
#define WEIR_ANALYSE_WATERFALL_H

#include "analyse/events.h"
#include "base/hash.h"

/* waterfall: how long each step of a connection took, from the name look-up to the acknowledgment of each message.
 *
 * Theory of operation. A TCP conversation is a row; its bars are the look-up of its server's name, TCP's handshake,
 * that of TLS, the upgrade to WebSocket, and every MQTT exchange: what was asked, and the packet that ended it. A bar
 * is opened by the packet that asks and closed by the one that answers; what is never answered stays open. A look-up
 * belongs to the conversations the same host then opens to an address it gave. Limits: WATERFALLS_MAX conversations,
 * WATERFALL_BARS bars of each and WATERFALL_BARS_ALL of all, WATERFALL_NAMES look-ups under way or done; more is
 * counted. */

enum {
    WATERFALLS_MAX = 4096,
    WATERFALL_BARS = 2000,
    WATERFALL_BARS_ALL = 200000,
    WATERFALL_NAMES = 512,
    WATERFALL_OPEN = 64, /* last bars an answer is looked for in */
    WATERFALL_ARENA = 32 << 20,
};

enum bar_kind { BAR_DNS, BAR_TCP, BAR_TLS, BAR_WEBSOCKET, BAR_MQTT };

struct bar {
    uint8_t kind, type; /* enum bar_kind; of BAR_MQTT: enum mqtt_type */
    uint8_t from;       /* 0: the client asked */
    uint8_t qos;
    uint16_t id;
    bool open, failed;
    uint8_t code; /* of the answer */
    int64_t begin, end;
    uint64_t frame, end_frame;
    struct slice text; /* name, topic or filter, client id */
};

struct waterfall_row {
    uint32_t stream;
    struct net_addr client, server;
    uint16_t client_port, server_port;
    struct slice id; /* MQTT client id */
    int64_t first, last;
    bool selected, mqtt, tls_begun, tls13;
    struct bar *bar;
    uint32_t bars, room;
    uint64_t left_out;
};

struct waterfall_name {
    struct net_addr who;
    struct slice name;
    uint16_t id;
    bool answered;
    int64_t begin, end;
    uint64_t frame, end_frame;
    uint8_t addrs, rcode;
    struct net_addr addr[EVENT_NAMES];
};

struct waterfall {
    struct arena arena;
    struct waterfall_row *row; /* in the order they began */
    uint32_t rows, room, bars_max, bars;
    uint64_t left_out;
    struct {
        uint32_t stream, place; /* place + 1; 0: empty */
    } * slot;
    struct waterfall_name name[WATERFALL_NAMES];
    uint64_t names; /* ever; the last WATERFALL_NAMES are kept */
};

/* waterfall_make prepares; 0 or ERR_NOMEM. */
int waterfall_make(struct waterfall *f) MUST_USE;
void waterfall_free(struct waterfall *f);
/* waterfall_packet takes a packet; rows none of whose packets were selected are not shown. */
void waterfall_packet(struct waterfall *f, const struct packet_events *p, bool selected);

#endif
