/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_PROTO_WLAN_H
#define WEIR_PROTO_WLAN_H

#include "proto/proto.h"

/* What a carrier knows of an 802.11 frame that the frame does not say. */
struct wlan_frame {
    bool swapped; /* the two bytes of the frame control field come in network byte order */
    bool padded;  /* the header is padded to a multiple of four bytes */
};

/* wlan_frame_read decodes an 802.11 frame without its frame check sequence. */
void wlan_frame_read(struct decode *d, struct slice in, const struct wlan_frame *how);

#endif
