/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_LAB_HELLO_H
#define WEIR_LAB_HELLO_H

#include "analyse/events.h"
#include "base/writer.h"
#include "io/sock.h"

/* What came, in words: bytes of a connection or a datagram go through the program's own decoders, and what they are not
 * is shown as text or in hexadecimal, harmless to a terminal. */

enum {
    HELLO_SHOWN = 160, /* bytes of a message that are shown */
    HELLO_HEX = 32,    /* where they are no text */
};

struct hello {
    struct dissector ds;
    struct packet_events events;
    struct want want;
    uint64_t packets;
    uint8_t *bytes; /* of the packet made up for the decoders */
};

/* hello_make prepares; 0 or ERR_NOMEM. */
int hello_make(struct hello *h) MUST_USE;
void hello_free(struct hello *h);

/* hello_begin tells that a connection begins: its first byte has number 0. */
void hello_begin(struct hello *h, const struct sock_peer *from, const struct sock_peer *to, int64_t ts);
/* hello_words writes what bytes are, which are number `at` of a connection; what kind of protocol was found (enum
 * event_kind), or -1: none. */
int hello_words(struct hello *h, struct writer *w, const struct sock_peer *from, const struct sock_peer *to, int64_t ts,
                uint64_t at, struct slice bytes);
/* hello_datagram is the same for a datagram. */
int hello_datagram(struct hello *h, struct writer *w, const struct sock_peer *from, const struct sock_peer *to,
                   int64_t ts, struct slice bytes);

/* bytes_words writes bytes as text in quotes with escapes, or in hexadecimal and ASCII where they are mostly no text.
 */
void bytes_words(struct writer *w, struct slice bytes);

#endif
