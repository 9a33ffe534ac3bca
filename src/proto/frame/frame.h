/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_PROTO_FRAME_H
#define WEIR_PROTO_FRAME_H

#include "proto/proto.h"

/* frame_times is what a packet's times are counted from. */
struct frame_times {
    __int128 first, previous, displayed; /* nanoseconds since 1970 */
    bool has_first, has_displayed;
};

/* frame_begin adds the frame's own fields; frame.protocols is added by frame_end when the layers are known. */
void frame_begin(struct decode *d, const struct frame_times *t);
void frame_end(struct decode *d);

#endif
