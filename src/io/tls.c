/* SPDX-License-Identifier: Apache-2.0 */
/* Theory of operation: OpenSSL wants a BIO per connection; here one BIO of our own serves all connections of a process,
 * told before each call whose socket it stands for. It reads a socket once into `in` and deals that out until OpenSSL
 * asks for more than there is; what OpenSSL took of an unfinished record it keeps itself. So `in` is always empty
 * between two calls, and with SSL_MODE_RELEASE_BUFFERS an idle connection has no buffer at all. Writes go straight to
 * the socket, one record a call. tls_read's TLS_READ_MIN is chosen so that `in` and a kept record fit. */
#include "io/tls.h"
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#define WIRE_IN 32768
#define HANDSHAKE_HELPINGS 8

struct tls_wire {
    BIO_METHOD *method;
    BIO *bio;
    SSL *owner;
    int fd;
    bool drained, eof;
    int helpings; /* how often the socket may still be read in this call */
    size_t at, n; /* unread part of `in` */
    char why[160];
    uint8_t in[WIRE_IN];
};

static bool fill(struct tls_wire *w) {
    if (w->drained || w->eof || w->helpings == 0) return false;
    w->helpings--;
    ssize_t n = recv(w->fd, w->in, sizeof w->in, 0);
    w->at = 0;
    w->n = n > 0 ? (size_t)n : 0;
    w->drained = n < (ssize_t)sizeof w->in;
    w->eof = n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
    return n > 0;
}

static int wire_read(BIO *b, char *out, size_t n, size_t *got) {
    struct tls_wire *w = BIO_get_data(b);
    BIO_clear_retry_flags(b);
    *got = 0;
    if (w->at == w->n && !fill(w)) {
        if (!w->eof) BIO_set_retry_read(b);
        return 0;
    }
    *got = n < w->n - w->at ? n : w->n - w->at;
    memcpy(out, w->in + w->at, *got);
    w->at += *got;
    return 1;
}

static int wire_write(BIO *b, const char *p, size_t n, size_t *done) {
    struct tls_wire *w = BIO_get_data(b);
    BIO_clear_retry_flags(b);
    ssize_t r = send(w->fd, p, n, MSG_NOSIGNAL);
    *done = r > 0 ? (size_t)r : 0;
    if (r < 0 && (errno == EAGAIN || errno == EINTR)) BIO_set_retry_write(b);
    return r > 0;
}

static long wire_ctrl(BIO *b, int cmd, long n, void *p) {
    (void)n, (void)p;
    if (cmd == BIO_CTRL_EOF) return ((struct tls_wire *)BIO_get_data(b))->eof;
    return cmd == BIO_CTRL_FLUSH || cmd == BIO_CTRL_DUP;
}

struct tls_wire *tls_wire_make(void) {
    struct tls_wire *w = calloc(1, sizeof *w);
    if (!w) return NULL;
    w->method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "wire");
    if (w->method) {
        BIO_meth_set_read_ex(w->method, wire_read);
        BIO_meth_set_write_ex(w->method, wire_write);
        BIO_meth_set_ctrl(w->method, wire_ctrl);
        w->bio = BIO_new(w->method);
    }
    if (!w->bio) return tls_wire_free(w), NULL;
    BIO_set_data(w->bio, w);
    BIO_set_init(w->bio, 1);
    return w;
}

void tls_wire_free(struct tls_wire *w) {
    if (!w) return;
    BIO_free(w->bio);
    BIO_meth_free(w->method);
    free(w);
}

static int say_error(struct writer *why, const char *what, const char *file) {
    unsigned long e = ERR_get_error();
    const char *reason = ERR_reason_error_string(e);
    /* The oldest entry names the cause; for a file that is not there that is the system's. */
    if (ERR_SYSTEM_ERROR(e)) reason = strerror(ERR_GET_REASON(e));
    wr_f(why, "%s%s%s: %s", what, file ? " " : "", file ? file : "", reason ? reason : "failed");
    ERR_clear_error();
    return ERR_USAGE;
}

static void common(SSL_CTX *ctx, bool only_13) {
    SSL_CTX_set_min_proto_version(ctx, only_13 ? TLS1_3_VERSION : TLS1_2_VERSION);
    SSL_CTX_set_mode(ctx,
                     SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                 SSL_OP_PRIORITIZE_CHACHA | SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_quiet_shutdown(ctx, 0);
}

static int load_pair(SSL_CTX *ctx, const char *cert, const char *key, struct writer *why) {
    if (SSL_CTX_use_certificate_chain_file(ctx, cert) != 1) return say_error(why, "certificate", cert);
    if (!key) key = cert;
    if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1) return say_error(why, "key", key);
    if (SSL_CTX_check_private_key(ctx) != 1) return say_error(why, "the key does not fit the certificate:", key);
    return OK;
}

static int ask_clients(SSL_CTX *ctx, const struct tls_server_config *c, struct writer *why) {
    if (!c->client_ca) return OK;
    STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(c->client_ca);
    if (!names || SSL_CTX_load_verify_locations(ctx, c->client_ca, NULL) != 1) {
        sk_X509_NAME_pop_free(names, X509_NAME_free);
        return say_error(why, "client CA", c->client_ca);
    }
    SSL_CTX_set_client_CA_list(ctx, names);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | (c->client_required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), NULL);
    return OK;
}

int tls_server(struct ssl_ctx_st **out, const struct tls_server_config *c, struct writer *why) {
    ERR_clear_error();
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    if (!ctx) return ERR_NOMEM;
    common(ctx, c->only_13);
    /* Sessions live in tickets the clients keep, not in a cache here; the context's id must be set for resumption with
     * client certificates. */
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"weir", 4);
    SSL_CTX_set_num_tickets(ctx, 1);
    if (c->tickets) SSL_CTX_set_tlsext_ticket_keys(ctx, (void *)(uintptr_t)c->tickets, TLS_TICKET_KEY);
    int r = load_pair(ctx, c->cert, c->key, why);
    if (r == OK) r = ask_clients(ctx, c, why);
    if (r == OK && c->ciphers && SSL_CTX_set_cipher_list(ctx, c->ciphers) != 1)
        r = say_error(why, "ciphers", c->ciphers);
    if (r != OK) SSL_CTX_free(ctx);
    else *out = ctx;
    return r;
}

int tls_client(struct ssl_ctx_st **out, const struct tls_client_config *c, struct writer *why) {
    ERR_clear_error();
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    if (!ctx) return ERR_NOMEM;
    common(ctx, false);
    int r = c->cert ? load_pair(ctx, c->cert, c->key, why) : OK;
    if (r == OK && c->ca && SSL_CTX_load_verify_locations(ctx, c->ca, NULL) != 1) r = say_error(why, "CA", c->ca);
    if (r == OK && !c->ca && !c->insecure) SSL_CTX_set_default_verify_paths(ctx);
    if (!c->insecure) SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    if (r != OK) SSL_CTX_free(ctx);
    else *out = ctx;
    return r;
}

void tls_ctx_free(struct ssl_ctx_st *ctx) { SSL_CTX_free(ctx); }

static SSL *endpoint(struct tls_wire *w, SSL_CTX *ctx) {
    SSL *t = SSL_new(ctx);
    if (!t) return NULL;
    BIO_up_ref(w->bio);
    SSL_set_bio(t, w->bio, w->bio);
    return t;
}

struct ssl_st *tls_accept(struct tls_wire *w, struct ssl_ctx_st *ctx) {
    SSL *t = endpoint(w, ctx);
    if (t) SSL_set_accept_state(t);
    return t;
}

struct ssl_st *tls_connect(struct tls_wire *w, struct ssl_ctx_st *ctx, const char *host) {
    SSL *t = endpoint(w, ctx);
    if (!t) return NULL;
    SSL_set_connect_state(t);
    if (!host) return t;
    X509_VERIFY_PARAM *v = SSL_get0_param(t);
    bool ip = X509_VERIFY_PARAM_set1_ip_asc(v, host) == 1;
    if (ip || (SSL_set_tlsext_host_name(t, host) == 1 && SSL_set1_host(t, host) == 1)) return t;
    SSL_free(t);
    return NULL;
}

void tls_free(struct tls_wire *w, struct ssl_st *t) {
    if (t && w->owner == t) w->owner = NULL;
    SSL_free(t);
}

/* turn_to makes the wire that of connection t. What the end of a handshake left in `in` is t's first data. */
static void turn_to(struct tls_wire *w, SSL *t, int fd, int helpings) {
    if (w->owner != t) w->at = w->n = 0;
    w->owner = t;
    w->fd = fd;
    w->helpings = helpings;
    w->drained = w->eof = false;
    ERR_clear_error();
}

/* result makes one of tls_result of what OpenSSL said, and keeps the reason of a failure. */
static int result(struct tls_wire *w, SSL *t, int r) {
    int e = SSL_get_error(t, r);
    if (e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE) return TLS_AGAIN;
    if (e == SSL_ERROR_ZERO_RETURN) return TLS_EOF;
    long verify = SSL_get_verify_result(t);
    unsigned long code = ERR_peek_error();
    const char *text = ERR_reason_error_string(code);
    if (verify != X509_V_OK) text = X509_verify_cert_error_string(verify);
    snprintf(w->why, sizeof w->why, "%s", text ? text : w->eof ? "the peer closed" : "the socket failed");
    ERR_clear_error();
    return TLS_FAILED;
}

int tls_handshake(struct tls_wire *w, struct ssl_st *t, int fd) {
    turn_to(w, t, fd, HANDSHAKE_HELPINGS);
    int r = SSL_do_handshake(t);
    if (r == 1) return 1;
    r = result(w, t, r);
    return r == TLS_AGAIN ? TLS_AGAIN : TLS_FAILED;
}

ssize_t tls_read(struct tls_wire *w, struct ssl_st *t, int fd, void *buf, size_t n, bool *drained) {
    /* One helping of the socket is enough for one call; the caller comes again, so that others get their turn. */
    turn_to(w, t, fd, 1);
    size_t total = 0, got;
    int r = 1;
    while (total < n && (r = SSL_read_ex(t, (char *)buf + total, n - total, &got)) == 1) total += got;
    *drained = w->drained;
    return total ? (ssize_t)total : result(w, t, r);
}

ssize_t tls_write(struct tls_wire *w, struct ssl_st *t, int fd, const void *buf, size_t n) {
    turn_to(w, t, fd, 0);
    size_t done = 0;
    while (done < n) {
        size_t part = 0;
        int r = SSL_write_ex(t, (const char *)buf + done, n - done, &part);
        if (r == 1) {
            done += part;
            continue;
        }
        int why = result(w, t, r);
        if (why == TLS_AGAIN) break;
        return TLS_FAILED;
    }
    return done ? (ssize_t)done : TLS_AGAIN;
}

int tls_end(struct tls_wire *w, struct ssl_st *t, int fd) {
    turn_to(w, t, fd, 0);
    int r = SSL_shutdown(t);
    if (r >= 0) return 1;
    return result(w, t, r) == TLS_AGAIN ? TLS_AGAIN : TLS_FAILED;
}

const char *tls_reason(struct tls_wire *w) { return w->why; }

bool tls_subject(struct ssl_st *t, struct writer *out) {
    X509 *cert = SSL_get0_peer_certificate(t);
    if (!cert || SSL_get_verify_result(t) != X509_V_OK) return false;
    BIO *b = BIO_new(BIO_s_mem());
    char *text;
    bool ok = b && X509_NAME_print_ex(b, X509_get_subject_name(cert), 0, XN_FLAG_RFC2253) >= 0;
    long n = ok ? BIO_get_mem_data(b, &text) : 0;
    if (n > 0) wr_bytes(out, text, (size_t)n);
    BIO_free(b);
    return n > 0;
}

bool tls_name(struct ssl_st *t, struct writer *out) {
    char name[256];
    X509 *cert = SSL_get0_peer_certificate(t);
    if (!cert || SSL_get_verify_result(t) != X509_V_OK) return false;
    if (X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, name, sizeof name) <= 0) return false;
    wr_s(out, name);
    return true;
}

const char *tls_version(struct ssl_st *t) { return SSL_get_version(t); }
bool tls_resumed(struct ssl_st *t) { return SSL_session_reused(t); }
