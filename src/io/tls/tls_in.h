/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_IO_TLS_IN_H
#define WEIR_IO_TLS_IN_H

#include "io/tls/record.h"
#include "io/tls/tls.h"
#include <openssl/ssl.h>

/* What the two files of the TLS endpoint share. */

enum { WIRE_IN = 32768, WIRE_REST = RECORD_HEAD + RECORD_CIPHER_MAX };

struct tls_wire {
    BIO_METHOD *method;
    BIO *bio;
    struct record_crypt *crypt;
    struct tls *owner;
    int fd;
    bool drained, eof;
    int helpings; /* how often the socket may still be read in this call */
    size_t at, n; /* unread part of `in` */
    uint8_t in[WIRE_REST + WIRE_IN];
    uint8_t out[RECORD_SEALED_MAX];
};

/* parked is what an established connection needs once OpenSSL's object is gone. */
struct parked {
    struct record_key in, out;
    uint8_t suite; /* enum record_suite */
    bool client;   /* we are: TLS 1.3 servers send tickets */
    bool have_in, have_out, said_end;
    bool eof, failed; /* the peer said so, or broke the rules, behind data that were handed out first */
    bool asked;       /* it asked for a KeyUpdate, which is due before the next data */
    uint8_t idle;     /* records in a row that were no data */
    uint8_t head[5];  /* of a handshake message that has begun */
    uint8_t head_n;
    uint32_t skip;                                         /* bytes of a ticket that are still to come */
    uint16_t most;                                         /* bytes of a record the peer takes */
    uint8_t *rest;                                         /* the start of a record */
    uint8_t *pending;                                      /* a sealed record the socket did not take whole */
    uint32_t rest_n, pending_at, pending_n, pending_plain; /* plain: bytes of the caller in it */
};

struct tls {
    SSL *ssl;              /* NULL: parked */
    struct parked *parked; /* secrets come while OpenSSL still shakes hands */
    uint32_t sent;         /* records OpenSSL sent with the keys behind the handshake: tickets */
    bool has_nonce;        /* the last thing it wrote was a record as below */
    uint64_t nonce;        /* of its Finished, in TLS 1.2 with AES-GCM */
};

/* parked_start takes over from OpenSSL, with the keys in p; what the wire has read ahead is kept. */
void parked_start(struct tls_wire *w, struct parked *p);
void parked_free(struct tls_wire *w, struct parked *p);
ssize_t parked_read(struct tls_wire *w, struct parked *p, void *buf, size_t n);
ssize_t parked_write(struct tls_wire *w, struct parked *p, const void *buf, size_t n);
void parked_end(struct tls_wire *w, struct parked *p);

#endif
