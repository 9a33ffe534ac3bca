/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_FLOW_FRAG_H
#define WEIR_FLOW_FRAG_H

#include "proto/proto.h"

/* Reassembly of fragmented IP datagrams (RFC 791 3.2, RFC 8200 4.5).
 *
 * Theory of operation. Pieces of a datagram are kept by addresses, identification and protocol until all bytes from 0
 * to the end of the last piece are there. Bytes that were seen first win, and so does the first end. A datagram that is
 * complete is forgotten, so an identification may be used again. Limits: FRAG_DATAGRAMS at a time (the oldest is given
 * up), FRAG_PIECES pieces and 65535 bytes each. */

enum { FRAG_DATAGRAMS = 64, FRAG_PIECES = 128, FRAG_BYTES = 65535 };

struct frag_piece {
    uint64_t frame;
    uint32_t off, len;
};

struct frag_datagram {
    struct net_addr src, dst;
    uint32_t id;
    uint8_t proto;
    bool used, has_end;
    uint32_t end; /* total length, where has_end */
    uint64_t age;
    uint8_t *bytes; /* FRAG_BYTES */
    uint8_t *seen;  /* a byte for each eight bytes of the datagram */
    uint32_t pieces;
    struct frag_piece piece[FRAG_PIECES];
};

struct frag_table {
    struct frag_datagram *slot; /* FRAG_DATAGRAMS, allocated when the first piece comes */
    uint64_t clock;
};

/* frag_table_free releases what is held; {0} is an empty table. */
void frag_table_free(struct frag_table *t);
/* frag_add takes a piece; it returns the datagram when it is complete, whose bytes live until the next call, else NULL.
 */
const struct frag_datagram *frag_add(struct frag_table *t, const struct fragment *f, uint64_t frame);

#endif
