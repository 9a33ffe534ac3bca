/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_IO_PROXYHDR_H
#define WEIR_IO_PROXYHDR_H

#include "base/slice.h"
#include "io/sock.h"

/* The PROXY protocol, versions 1 (a text line) and 2 (binary): who the client really is, said by a balancer in front.
 */
enum { PROXYHDR_MAX = 1024, PROXYHDR_OUT_MAX = 128 };

struct proxyhdr {
    struct sock_peer src, dst; /* len 0: unknown, or the balancer's own check */
    bool local;                /* the balancer speaks for itself (LOCAL): the connection's own addresses count */
};

/* proxyhdr_read reads a header at the start of `in`: its length, 0 where more bytes are needed, ERR_DAMAGED where
 * there is none. */
int proxyhdr_read(struct slice in, struct proxyhdr *out) MUST_USE;
/* proxyhdr_write writes a header of version 1 or 2 and gives its length; `buf` has PROXYHDR_OUT_MAX bytes. */
size_t proxyhdr_write(uint8_t *buf, int version, const struct sock_peer *src, const struct sock_peer *dst);

#endif
