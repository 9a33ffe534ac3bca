/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_PROTO_UDP_WRITE_H
#define WEIR_PROTO_UDP_WRITE_H

#include "proto/write.h"

struct udp_write {
    int64_t src_port, dst_port, length, checksum;
};

/* udp_write appends header and payload; a length or a checksum of WRITE_AUTO is worked out. */
void udp_write(struct writer *w, const struct udp_write *h, const struct pseudo *ps, struct slice payload);

#endif
