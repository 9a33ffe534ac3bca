/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_PROTO_WEBSOCKET_H
#define WEIR_PROTO_WEBSOCKET_H

#include "proto/proto.h"

#include <zlib.h>

enum {
    WEBSOCKET_MESSAGE_MAX = 1 << 20, /* bytes of a message of several frames, or unfolded */
    WEBSOCKET_FRAGMENTS = 64,        /* frames of a message that are listed */
};

/* proto_websocket_mqtt is WebSocket whose subprotocol is MQTT (OASIS MQTT 5.0 6.0): a stream in binary messages. */
extern const struct proto proto_websocket_mqtt;

enum websocket_opcode { WS_CONTINUE = 0, WS_TEXT = 1, WS_BINARY = 2, WS_CLOSE = 8, WS_PING = 9, WS_PONG = 10 };

/* websocket_frame is the header of a frame; payload is as on the wire. */
struct websocket_frame {
    bool fin, masked;
    uint8_t rsv, opcode, length7;
    uint8_t head; /* bytes of the header */
    uint64_t length;
    uint8_t key[4];
    struct slice payload;
};

/* websocket_frame_read reads a frame's header off `in`; READ_OK with its whole length, READ_MORE, or READ_BAD where
 * the length is no length. */
struct read_result websocket_frame_read(struct slice in, struct websocket_frame *f);

/* websocket_piece is a frame of a message that is not whole yet. */
struct websocket_piece {
    uint64_t frame;
    struct slice bytes;
    struct websocket_piece *next;
};

/* websocket_side is what is known of one sender. */
struct websocket_side {
    uint8_t opcode; /* of the message's first frame */
    bool open;      /* a message began and did not end */
    bool compressed, inflating, overflow, inflate_failed;
    uint32_t count;
    size_t length; /* bytes collected */
    struct websocket_piece *first, *last;
    struct arena pieces; /* of the message being collected */
    struct arena window; /* the inflater's */
    z_stream z;
};

/* websocket_state: what every message touches comes first. */
struct websocket_state {
    const struct proto *carries; /* what binary messages hold a stream of; NULL: nobody knows */
    struct nested *inner;        /* that stream; NULL: not begun */
    struct slice message; /* of the frame being read: what it carries, shown behind its entry; in source message_src */
    uint8_t message_src;
    struct slice goes_on; /* of the frame being read: a piece of a message that others follow; in source message_src */
    uint8_t whole_src;    /* the source of the message the frame made whole; 0: it made none */
    bool binary;
    struct websocket_side side[2];
};

#endif
