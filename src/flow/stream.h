/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_FLOW_STREAM_H
#define WEIR_FLOW_STREAM_H

#include "base/err.h"
#include "base/slice.h"

/* One direction of a byte stream, put together from segments in any order.
 *
 * Theory of operation. `next` is the sequence number of the first byte not seen yet. A segment that starts there is new
 * data; one that starts before it is trimmed to what is new (the first copy of a byte wins); one behind it is kept
 * until the hole is filled, or until it is known that it never will be: the peer acknowledged the missing bytes, so
 * they were lost before the capture, or the limits are reached. Then the hole is an explicit gap.
 * Bytes of a message that is not complete are kept in `buf`, with the frames they came from.
 * Limits: HELD_MAX segments out of order and MESSAGE_MAX bytes of message for each direction, STREAMS_MAX bytes for all
 * directions together. What it does not do: decoding (layer.c). Specification: RFC 9293 3.4 and 3.10.7.4. */

enum { HELD_MAX = 512, MESSAGE_MAX = 16 << 20, STREAMS_MAX = 32 << 20, PIECES_MAX = 65536 };

struct stream_limits {
    size_t held; /* bytes held for all streams */
    /* Memory of messages that are done, for those that come: most of a stream are of one size. The fields of the
     * present packet point into `shown`; with the packet it becomes `spare`. */
    struct stream_room {
        uint8_t *buf;
        uint32_t cap;
    } spare, shown;
};

/* held is a segment that arrived before its turn. */
struct held {
    struct held *next;
    uint32_t seq;
    uint32_t len;
    uint64_t frame;
    uint8_t bytes[];
};

/* piece says which frame brought a part of a message: `len` new bytes at `at`, behind `old` ones that the message had
 * already, which `conflict` with those. */
struct piece {
    uint64_t frame;
    uint32_t at, len, old;
    bool conflict;
};

/* What every segment touches comes first. */
struct stream {
    uint32_t next, first; /* first: what `next` began with */
    bool lost : 1;        /* a gap broke the framing and no message start was seen since */
    bool gap : 1;         /* bytes are missing somewhere before `next` */
    bool before : 1;      /* the byte before the first one was seen */
    uint16_t held_count;
    uint32_t n;        /* bytes of the unfinished message, up to MESSAGE_MAX */
    struct held *held; /* in order of seq */
    uint64_t skip;     /* bytes of an oversized message still to be passed over */
    /* Of the unfinished message: */
    uint8_t *buf;
    size_t needed; /* bytes it has in all; 0: not known */
    struct piece *pieces;
    uint32_t cap, piece_count, piece_cap;
    uint64_t ended_by; /* frame whose FIN ended a message that lasts up to the end; 0: none did */
};

/* stream_reset drops everything held and starts over. */
void stream_reset(struct stream *s, struct stream_limits *l);
/* stream_keep appends bytes of an unfinished message; false where a limit is reached (nothing was kept). */
bool stream_keep(struct stream *s, struct stream_limits *l, struct slice bytes, uint64_t frame);
/* stream_join_pieces makes one piece of the last two where one segment brought both: the rest of a header, and what
 * that said there is. */
void stream_join_pieces(struct stream *s);
/* stream_repeat notes that the frame brought bytes of the unfinished message again, those from `at` on; what came first
 * stays. */
void stream_repeat(struct stream *s, uint32_t at, struct slice bytes, uint64_t frame);
/* stream_detach returns the unfinished message and leaves the stream none: its memory is the caller's, who gives it to
 * stream_release and frees `pieces`. */
struct stream stream_detach(struct stream *s) MUST_USE;
/* stream_pieces_from makes the unfinished message, which ends with `whole`, of the pieces of that. */
void stream_pieces_from(struct stream *s, const struct stream *whole);
/* stream_drop_message forgets the unfinished message. */
void stream_drop_message(struct stream *s, struct stream_limits *l);
/* stream_release forgets a message that is done, whose bytes the present packet's fields point into: they stay until
 * stream_packet_done. It returns its memory where the caller is to see to that. */
uint8_t *stream_release(struct stream *s, struct stream_limits *l) MUST_USE;
/* stream_packet_done says that nobody points into messages that were released. */
void stream_packet_done(struct stream_limits *l);
void stream_limits_free(struct stream_limits *l);
/* stream_hold keeps a segment that came before its turn; false where a limit is reached. */
bool stream_hold(struct stream *s, struct stream_limits *l, uint32_t seq, struct slice bytes, uint64_t frame);
/* stream_take removes the first held segment that starts at or before `next`, trimmed to what is new, and returns it;
 * NULL where there is none. The caller frees it. *fresh is its new part. */
struct held *stream_take(struct stream *s, struct stream_limits *l, struct slice *fresh);

#endif
