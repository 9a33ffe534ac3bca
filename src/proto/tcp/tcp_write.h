/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_PROTO_TCP_WRITE_H
#define WEIR_PROTO_TCP_WRITE_H

#include "proto/write.h"

enum { TCP_WRITE_OPTIONS_MAX = 40 };

struct tcp_write {
    int64_t src_port, dst_port, seq, ack, hdr_words, reserved, flags, window, checksum, urgent;
    struct slice options; /* encoded; filled up with zeros to a multiple of four bytes */
};

/* tcp_write appends the header (RFC 9293 3.1); options beyond TCP_WRITE_OPTIONS_MAX bytes are left out. */
void tcp_write(struct writer *w, const struct tcp_write *h, const struct pseudo *ps, struct slice payload);

#endif
