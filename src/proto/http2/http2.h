/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_PROTO_HTTP2_H
#define WEIR_PROTO_HTTP2_H

#include "proto/http/http.h"
#include "proto/proto.h"

enum {
    HTTP2_HEAD = 9,                /* bytes of a frame header: RFC 9113 4.1 */
    HTTP2_PREFACE = 24,            /* bytes of the client's preface: RFC 9113 3.4 */
    HTTP2_TABLE_MAX = 65536,       /* bytes a dynamic table may grow to */
    HTTP2_LINES_MAX = 200,         /* header fields of a block that are decompressed */
    HTTP2_BODIES = 16,             /* messages per side whose content type is remembered */
    HTTP2_TYPE_MAX = 80,           /* bytes of a content type that are remembered */
    HTTP2_BODY_MAX = 1 << 20,      /* bytes of the bodies of a conversation that are put together */
    HTTP2_UNFOLDED_MAX = 16 << 20, /* bytes a compressed body may unfold to */
};

enum http2_type {
    H2_DATA,
    H2_HEADERS,
    H2_PRIORITY,
    H2_RST_STREAM,
    H2_SETTINGS,
    H2_PUSH_PROMISE,
    H2_PING,
    H2_GOAWAY,
    H2_WINDOW_UPDATE,
    H2_CONTINUATION,
    H2_ALTSVC,
    H2_BLOCKED,
    H2_ORIGIN,
    H2_PRIORITY_UPDATE = 16
};
enum { H2_END_STREAM = 0x01, H2_ACK = 0x01, H2_END_HEADERS = 0x04, H2_PADDED = 0x08, H2_PRIORITIZED = 0x20 };

/* http2_hpack decompresses the header blocks of one sender: RFC 7541. Where the program was built without the library
 * for it, blocks stay as they are. */
struct http2_hpack {
    void *inflater; /* NULL: not begun */
    struct arena_budget *of;
    size_t charged; /* bytes of it */
    bool inside;    /* the last block ended inside a header field, which the next one goes on with */
};

enum http2_repr {
    REPR_NONE,
    REPR_INDEXED,
    REPR_INCREMENTAL,
    REPR_INCREMENTAL_NEW,
    REPR_WITHOUT,
    REPR_WITHOUT_NEW,
    REPR_NEVER,
    REPR_NEVER_NEW,
    REPR_SIZE
};

/* http2_field is a header field, or a change of the table's size, of a block. */
struct http2_field {
    uint8_t repr;      /* enum http2_repr; REPR_NONE: not known */
    uint32_t index;    /* of the table; REPR_SIZE: the size */
    uint32_t off, len; /* place in the block */
    struct slice name, value;
};

/* http2_hpack_works tells whether header blocks can be decompressed at all. */
bool http2_hpack_works(void);
/* http2_hpack_read decompresses a block, or a part of one where `last` is false, into at most max fields, whose text is
 * in the packet's memory. It returns how many; *ok is false where the block is damaged, *more where it has more than
 * max: what follows from this sender is then decompressed without what it said before. */
size_t http2_hpack_read(struct http2_hpack *h, struct decode *d, struct slice block, bool last, struct http2_field *out,
                        size_t max, bool *ok, bool *more);
/* http2_hpack_end releases the table; a later block begins with an empty one. */
void http2_hpack_end(struct http2_hpack *h);

/* http2_piece is a DATA frame's part of a body. */
struct http2_piece {
    uint64_t frame;
    struct slice bytes;
    struct http2_piece *next;
};

/* http2_body is what is known of the message a side sends on a stream. */
struct http2_body {
    uint32_t stream; /* 0: the place is free */
    uint8_t type_len;
    uint8_t coded; /* enum http_coding */
    bool overflow;
    char type[HTTP2_TYPE_MAX];
    struct arena memory;
    struct http2_piece *first, *last;
    uint32_t count;
    size_t length;
};

struct http2_state {
    struct http2_side {
        struct http2_hpack hpack;
        uint32_t block_stream; /* the stream whose header block is not complete */
        uint8_t next_body;
        struct http2_body body[HTTP2_BODIES];
    } side[2];
    size_t held;                 /* bytes of bodies */
    struct http_content content; /* of the message that ends with the frame being read */
};

/* http2_frame is a frame; payload is what stands behind its header. */
struct http2_frame {
    uint32_t length, stream;
    uint8_t type, flags;
    bool r;
    uint32_t off; /* of the frame in its source */
    struct slice payload;
};

/* http2_block_add shows a block of header fields, or a part of one. */
void http2_block_add(struct decode *d, struct http2_state *st, int from, const struct http2_frame *f, uint32_t stream,
                     struct slice block);
/* http2_data_add shows what a DATA frame carries, and with the last one of a message its whole body. */
void http2_data_add(struct decode *d, struct http2_state *st, int from, const struct http2_frame *f, struct slice data);
/* http2_body_type notes what a message's body is; http2_body_coded that its content is compressed. */
struct http2_body *http2_body_start(struct decode *d, struct http2_state *st, int from, uint32_t stream);
void http2_body_end(struct http2_state *st, struct http2_body *b);

/* What struct proto calls info and label. */
void http2_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end);
bool http2_label(struct writer *w, const struct fvec *v, uint32_t at);
extern const uint16_t http2_info_fields[];

/* http2_is_preface tells whether `in` begins with the client's preface. */
bool http2_is_preface(struct slice in);

#endif
