/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_SERVE_WS_H
#define WEIR_SERVE_WS_H

#include "base/slice.h"
#include "base/writer.h"

/* The server's side of WebSocket (RFC 6455) for MQTT: no sockets, no extensions. */

enum { WS_HEAD_MAX = 10, WS_CONTROL_MAX = 125, WS_REQUEST_MAX = 8192 };

/* ws is what lasts between two frames. */
struct ws {
    uint64_t left; /* payload bytes of the frame still to come */
    uint8_t mask[4];
    uint8_t phase;  /* next byte of the mask */
    uint8_t opcode; /* of the frame being read */
    uint8_t head_n; /* bytes of its header collected */
    bool in_payload;
    bool in_message; /* a message of several frames has begun */
    bool closed;     /* a close frame was sent */
    uint8_t control_n;
    uint8_t head[14];
    uint8_t control[WS_CONTROL_MAX];
};

/* ws_status is why a connection is closed (RFC 6455 7.4.1). */
enum ws_status { WS_GOING = 0, WS_NORMAL = 1000, WS_PROTOCOL = 1002, WS_UNSUPPORTED = 1003 };

/* ws_decode takes `n` received bytes at `p` apart in place: what belongs to MQTT is moved together to the front of p
 * and its length returned. Answers to control frames are appended to `reply`. *status is set where the connection must
 * close; what came before still counts. */
size_t ws_decode(struct ws *ws, uint8_t *p, size_t n, struct writer *reply, enum ws_status *status);
/* ws_head writes the header of an unmasked binary message of n bytes; its length. */
size_t ws_head(uint8_t head[WS_HEAD_MAX], uint64_t n);
/* ws_close_frame appends a close frame, once. */
void ws_close_frame(struct ws *ws, struct writer *reply, enum ws_status status);

/* ws_request is what became of a client's opening request. */
struct ws_request {
    int status;           /* HTTP status: 101 where it was accepted; 0: not whole yet */
    size_t length;        /* bytes of the request */
    const char *protocol; /* the subprotocol that was chosen */
    struct slice path, key;
};
/* ws_read_request reads an opening request; `path` is what it must ask for, NULL: anything. */
struct ws_request ws_read_request(struct slice in, const char *path);
/* ws_answer writes the response: `accept` is the 28 characters of Sec-WebSocket-Accept and `protocol` the subprotocol,
 * for 101. */
void ws_answer(struct writer *w, int status, const char *accept, const char *protocol);

#endif
