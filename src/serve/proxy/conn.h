/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_SERVE_CONN_H
#define WEIR_SERVE_CONN_H

#include "guard/guard.h"
#include "io/sock.h"
#include "io/wheel.h"
#include "serve/proxy/ws.h"

struct worker;

/* conn_state is how far a proxied connection has come; proxy_conn.c has the picture. */
enum conn_state {
    CONN_FREE,     /* the number is not in use */
    CONN_HEADER,   /* the PROXY header is awaited; nothing is consumed but the header */
    CONN_TLS,      /* TLS handshake with the client */
    CONN_UPGRADE,  /* the HTTP request of a WebSocket is collected in the client's `in` */
    CONN_WAIT,     /* MQTT is read, nothing was allowed yet: there is no broker */
    CONN_DIAL,     /* a broker is being connected; what is allowed waits in its `out`, the client is not read */
    CONN_DIAL_TLS, /* TLS handshake with the broker; as above, and no byte was sent to the broker yet */
    CONN_OPEN,     /* both sides are read and written */
    CONN_CLOSE,    /* nothing is judged any more: queues are sent, then both ends are shut; input is thrown away */
};

/* bytes is a buffer that exists only while it holds something. */
struct bytes {
    uint32_t at, n, cap; /* data lie from `at` to before `n` */
    uint8_t data[];
};

enum side_flag {
    SIDE_READABLE = 1, /* the socket may have input (edge-triggered: true until a read found the end) */
    SIDE_WRITABLE = 2, /* likewise for room */
    SIDE_HUP = 4,      /* the peer closed or failed: read on until it shows */
    SIDE_EOF = 8,      /* the peer will send no more, and the guard knows */
    SIDE_DEAD = 16,    /* writing failed: what is meant for it is thrown away */
    SIDE_SHUT = 32,    /* we said that we will send no more */
    SIDE_PAUSED = 128, /* it is not read since the other side is slow, and the guard knows */
    SIDE_AGAIN = 64,   /* `in` can be judged without further bytes */
};

struct side {
    int fd; /* -1: none */
    uint8_t flags;
    uint32_t need;     /* bytes `in` must have before it is worth judging */
    struct tls *tls;   /* NULL: plain */
    struct bytes *in;  /* received and not consumed; NULL: nothing */
    struct bytes *out; /* to be sent; NULL: nothing */
};

/* due_kind is what conn.due is about. */
enum due_kind { DUE_NONE, DUE_HANDSHAKE, DUE_DIAL, DUE_HALF, DUE_STALL, DUE_CLOSE };

struct conn {
    struct side side[GUARD_SIDES];
    struct evidence *evidence; /* NULL: nothing is remembered */
    struct ws *ws;             /* NULL: the client speaks MQTT without WebSocket */
    int64_t due;               /* own deadline, milliseconds; the guard has its own */
    uint64_t tried;            /* brokers that failed, one bit each */
    struct wheel_node timer;
    uint32_t next;       /* of the free or the ready list */
    uint32_t number;     /* its own */
    uint32_t generation; /* of the setting the dial was begun with */
    uint16_t life;
    uint8_t state, listener, broker, due_kind;
    uint8_t address, addresses_failed; /* the broker's that is tried; how many did not answer */
    bool opened;                       /* guard_open was called: guard_end is due */
    bool ready;                        /* it is in the ready list */
    struct guard_session guard;
};

/* conn_start takes an accepted socket as connection `at`; false: there is no memory, the socket is closed. */
void conn_start(struct worker *w, int fd, unsigned listener, const struct sock_addr *peer);
/* conn_event handles what epoll reported about one side. */
void conn_event(struct worker *w, uint32_t at, enum guard_side s, uint32_t events);
/* conn_resume goes on with a connection of the ready list. */
void conn_resume(struct worker *w, uint32_t at);
/* conn_expire is called when a deadline of the connection may have passed. */
void conn_expire(struct worker *w, uint32_t at);
/* conn_goodbye tells the client that the server goes down, and closes. */
void conn_goodbye(struct worker *w, uint32_t at);

/* For the files of one connection: */

/* conn_begin_close stops judging; what is queued is sent first. */
void conn_begin_close(struct worker *w, struct conn *c);
/* conn_apply does what the guard said. */
void conn_apply(struct worker *w, struct conn *c, enum guard_side from, const struct guard_out *out);
/* conn_due sets the connection's own deadline. */
void conn_due(struct worker *w, struct conn *c, enum due_kind kind, int64_t ms);
/* conn_open_up is called by the dial when the broker is there. */
void conn_open_up(struct worker *w, struct conn *c);

/* proxy_data.c: moving bytes. */
/* data_pump reads and judges side s as long as it may. */
void data_pump(struct worker *w, struct conn *c, enum guard_side s);
/* data_send sends or queues bytes for side s, framed where the client speaks WebSocket. */
void data_send(struct worker *w, struct conn *c, enum guard_side s, struct slice bytes);
/* data_send_raw the same, unframed. */
void data_send_raw(struct worker *w, struct conn *c, enum guard_side s, struct slice bytes);
/* data_flush sends what is queued; true where the queue is empty now. */
bool data_flush(struct worker *w, struct conn *c, enum guard_side s);
/* data_read reads once from side s to the worker's scratch: byte count, 0 at the end of the stream, -1: nothing now,
 * -2: failed. */
ssize_t data_read(struct worker *w, struct conn *c, enum guard_side s);
/* data_take hands bytes just read from side s (WebSocket: frames) to the guard. */
void data_take(struct worker *w, struct conn *c, enum guard_side s, struct slice in);
/* data_keep appends to a buffer; false: no memory. data_drop frees it. */
bool data_keep(struct worker *w, struct bytes **b, struct slice s);
void data_drop(struct worker *w, struct bytes **b);
static inline size_t bytes_held(const struct bytes *b) { return b ? b->n - b->at : 0; }

/* proxy_upgrade.c: WebSocket's handshake. */
void upgrade_read(struct worker *w, struct conn *c);

/* proxy_dial.c: the broker's side until it is open. */
void dial_start(struct worker *w, struct conn *c);
void dial_event(struct worker *w, struct conn *c, uint32_t events);
/* dial_late gives the present attempt up. */
void dial_late(struct worker *w, struct conn *c);

#endif
