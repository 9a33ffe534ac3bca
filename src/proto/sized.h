/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_PROTO_SIZED_H
#define WEIR_PROTO_SIZED_H

#include "proto/proto.h"

/* What protocols share whose messages begin with a head that tells how long they are, over TCP. */

/* sized_cut cuts the first message off a stream: `size` tells its length from `in`, which holds `head` bytes at least;
 * a length below that is none of the protocol's. */
static inline struct read_result sized_cut(struct slice in, size_t head, size_t (*size)(struct slice in)) {
    if (in.n < head) return (struct read_result){.status = READ_MORE, .needed = head};
    size_t n = size(in);
    if (n < head) return (struct read_result){.status = READ_BAD, .stranger = true};
    if (n > in.n) return (struct read_result){.status = READ_MORE, .needed = n};
    return (struct read_result){.status = READ_OK, .consumed = n};
}

/* SIZED_STREAM makes name_stream of name_size (as for sized_cut), of name_read, which decodes one message, and of what
 * tells whether bytes look like it. Of a message whose end the capture left out, what is there is read. */
#define SIZED_STREAM(name_, head_, probe_)                                                                             \
    static inline void name_##_side_read(struct decode *d, int from, struct slice in) {                                \
        (void)from;                                                                                                    \
        name_##_read(d, in);                                                                                           \
    }                                                                                                                  \
    SIDED_STREAM(name_, head_, probe_)
/* SIDED_STREAM is SIZED_STREAM of name_side_read, which is told the side a message came from. */
#define SIDED_STREAM(name_, head_, probe_)                                                                             \
    static inline struct read_result name_##_frame(struct slice in) { return sized_cut(in, head_, name_##_size); }     \
    static inline struct read_result name_##_stream_read(struct decode *d, void *state, int from, struct slice in) {   \
        (void)state;                                                                                                   \
        struct read_result r = name_##_frame(in);                                                                      \
        if (r.status == READ_MORE && d->stream_end) r = (struct read_result){.status = READ_OK, .consumed = in.n};     \
        if (r.status == READ_OK) name_##_side_read(d, from, slice_head(in, r.consumed));                               \
        return r;                                                                                                      \
    }                                                                                                                  \
    static const struct stream_ops name_##_stream = {                                                                  \
        .read = name_##_stream_read, .frame = name_##_frame, .probe = (probe_)};

#endif
