/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_IO_TLS_H
#define WEIR_IO_TLS_H

#include "base/err.h"
#include "base/slice.h"
#include "base/writer.h"
#include <sys/types.h>

/* TLS endpoints over non-blocking sockets (OpenSSL 3; TLS 1.2 and 1.3, RFC 5246, RFC 8446).
 *
 * tls_ctx is what many connections share (certificate, key, ticket keys); it lives until the last connection made with
 * it has gone, so a reload swaps contexts without touching connections. tls_wire is the one of a process that reads and
 * writes: connections hold no buffer of their own between two calls unless a record is half there. */
struct ssl_ctx_st;
struct tls;
struct tls_wire;

enum { TLS_TICKET_KEY = 80, TLS_READ_MIN = 65536 };
/* Results of reading, writing and shaking hands that are no byte counts. */
enum tls_result { TLS_EOF = 0, TLS_AGAIN = -1, TLS_FAILED = -2 };

struct tls_server_config {
    const char *cert, *key; /* PEM files; cert may hold the chain */
    const char *client_ca;  /* PEM file of who signs clients' certificates; NULL: they are not asked for one */
    bool client_required;   /* a client without a certificate is refused */
    bool only_13;           /* TLS 1.2 is refused */
    const char *ciphers;    /* TLS 1.2 cipher list; NULL: the default */
    const uint8_t *tickets; /* TLS_TICKET_KEY bytes all processes share; NULL: random */
};

struct tls_client_config {
    const char *ca;         /* PEM file; NULL: the system's */
    const char *cert, *key; /* own certificate; NULL: none */
    bool insecure;          /* take any certificate */
};

/* tls_server and tls_client make a context; they say why where they give ERR_USAGE. Freed by tls_ctx_free. */
int tls_server(struct ssl_ctx_st **out, const struct tls_server_config *c, struct writer *why) MUST_USE;
int tls_client(struct ssl_ctx_st **out, const struct tls_client_config *c, struct writer *why) MUST_USE;
void tls_ctx_free(struct ssl_ctx_st *ctx);

/* tls_wire_make returns what the endpoints of a thread share to move bytes; NULL: no memory. Freed by tls_wire_free. */
struct tls_wire *tls_wire_make(void);
void tls_wire_free(struct tls_wire *w);

/* tls_accept and tls_connect make a connection's endpoint; NULL: no memory. `host` is the name the server must show and
 * is sent as SNI; NULL: none. Freed by tls_free. */
struct tls *tls_accept(struct tls_wire *w, struct ssl_ctx_st *ctx);
struct tls *tls_connect(struct tls_wire *w, struct ssl_ctx_st *ctx, const char *host);
void tls_free(struct tls_wire *w, struct tls *t);

/* tls_handshake goes on with the handshake: 1 done, TLS_AGAIN, TLS_FAILED. When it is done the
 * wire may hold the peer's first data: tls_read this connection before the wire turns to another one. */
int tls_handshake(struct tls_wire *w, struct tls *t, int fd);
/* tls_park gives up everything an established connection does not need any more: to be called when what tls_subject and
 * its kin say is known. It does nothing where it cannot (TLS 1.2 without AES-GCM or ChaCha20). */
void tls_park(struct tls_wire *w, struct tls *t);
/* tls_read fills buf, of at least TLS_READ_MIN bytes, with what has come; byte count, TLS_EOF (the peer said it will
 * send no more), TLS_AGAIN or TLS_FAILED. *drained: the socket has nothing more now. */
ssize_t tls_read(struct tls_wire *w, struct tls *t, int fd, void *buf, size_t n, bool *drained);
/* tls_write sends from buf; bytes taken, TLS_AGAIN or TLS_FAILED. After TLS_AGAIN the same bytes must be offered again.
 */
ssize_t tls_write(struct tls_wire *w, struct tls *t, int fd, const void *buf, size_t n);
/* tls_end tells the peer that no more will be sent, where the socket has room for it. */
void tls_end(struct tls_wire *w, struct tls *t, int fd);

/* tls_subject writes the subject of the peer's verified certificate (RFC 2253); false: it showed none. tls_name writes
 * its common name alone, in UTF-8; false also where it has none, or one with a NUL in it. */
bool tls_subject(struct tls *t, struct writer *out);
bool tls_name(struct tls *t, struct writer *out);
/* tls_version and tls_resumed describe an established connection. */
const char *tls_version(struct tls *t);
bool tls_resumed(struct tls *t);

#endif
