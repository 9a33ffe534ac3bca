/* SPDX-License-Identifier: Apache-2.0 */
/* Theory of operation: OpenSSL wants a BIO per connection; here one BIO of our own serves all connections of a process,
 * told before each call whose socket it stands for. It reads a socket once into `in` and deals that out until OpenSSL
 * asks for more than there is; what OpenSSL took of an unfinished record it keeps itself. So `in` is always empty
 * between two calls, and with SSL_MODE_RELEASE_BUFFERS an idle connection has no buffer at all. Writes go straight to
 * the socket, one record a call. tls_read's TLS_READ_MIN is chosen so that `in` and a kept record fit. */
#include "io/tls/tls_in.h"
#include <assert.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

enum { HANDSHAKE_HELPINGS = 8, FINISHED_GCM = RECORD_HEAD + RECORD_NONCE + 16 + RECORD_TAG };

static bool fill(struct tls_wire *w) {
    if (w->drained || w->eof || w->helpings == 0) return false;
    w->helpings--;
    ssize_t n = recv(w->fd, w->in, WIRE_IN, 0);
    w->at = 0;
    w->n = n > 0 ? (size_t)n : 0;
    w->drained = n < WIRE_IN;
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

/* note_nonce keeps the nonce of a Finished of TLS 1.2 with AES-GCM: the only record sealed with the connection's key
 * that OpenSSL writes before it is parked, and the last of its flight (RFC 5246 7.4.9, RFC 5288 3). */
static void note_nonce(struct tls *t, const uint8_t *p, size_t n) {
    static const uint8_t head[RECORD_HEAD] = {RECORD_HANDSHAKE, 3, 3, 0, FINISHED_GCM - RECORD_HEAD};
    t->has_nonce = n >= FINISHED_GCM && !memcmp(p + n - FINISHED_GCM, head, sizeof head);
    if (!t->has_nonce) return;
    t->nonce = 0;
    for (size_t i = 0; i < RECORD_NONCE; i++) t->nonce = t->nonce << 8 | p[n - FINISHED_GCM + RECORD_HEAD + i];
}

static int wire_write(BIO *b, const char *p, size_t n, size_t *done) {
    struct tls_wire *w = BIO_get_data(b);
    BIO_clear_retry_flags(b);
    ssize_t r = send(w->fd, p, n, MSG_NOSIGNAL);
    *done = r > 0 ? (size_t)r : 0;
    if (w->owner && w->owner->ssl) note_nonce(w->owner, (const uint8_t *)p, *done);
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
    w->crypt = record_crypt_make();
    if (!w->bio || !w->crypt) return tls_wire_free(w), NULL;
    BIO_set_data(w->bio, w);
    BIO_set_init(w->bio, 1);
    return w;
}

void tls_wire_free(struct tls_wire *w) {
    if (!w) return;
    BIO_free(w->bio);
    BIO_meth_free(w->method);
    record_crypt_free(w->crypt);
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

/* on_secret is OpenSSL's key log: the only way to a connection's traffic secrets. The line goes nowhere else. */
static void on_secret(const SSL *ssl, const char *line) {
    struct tls *t = SSL_get_app_data(ssl);
    bool client = !strncmp(line, "CLIENT_TRAFFIC_SECRET_0 ", 24),
         server = !strncmp(line, "SERVER_TRAFFIC_SECRET_0 ", 24);
    bool in = SSL_is_server(ssl) ? client : server;
    const char *hex = strrchr(line, ' ');
    if (!t || !(client || server) || (!t->parked && !(t->parked = calloc(1, sizeof *t->parked)))) return;
    struct record_key *k = in ? &t->parked->in : &t->parked->out;
    size_t n = 0;
    bool ok = OPENSSL_hexstr2buf_ex(k->secret, sizeof k->secret, &n, hex + 1, 0) == 1;
    if (in) t->parked->have_in = ok;
    else t->parked->have_out = ok;
}

/* on_message counts the records sent behind the handshake, under the new keys: a ticket may take more than one, and a
 * number used twice would give the key away (RFC 8446 5.3). */
static void on_message(int sent, int version, int type, const void *b, size_t n, SSL *ssl, void *arg) {
    struct tls *t = SSL_get_app_data(ssl);
    (void)arg, (void)version, (void)b, (void)n;
    if (sent && type == SSL3_RT_INNER_CONTENT_TYPE && t && t->parked && t->parked->have_out) t->sent++;
}

static void common(SSL_CTX *ctx, bool only_13) {
    SSL_CTX_set_min_proto_version(ctx, only_13 ? TLS1_3_VERSION : TLS1_2_VERSION);
    SSL_CTX_set_mode(ctx,
                     SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                 SSL_OP_PRIORITIZE_CHACHA | SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_quiet_shutdown(ctx, 0);
    SSL_CTX_set_keylog_callback(ctx, on_secret);
    SSL_CTX_set_msg_callback(ctx, on_message);
}

static int suite_of(const SSL *ssl) {
    bool v12 = SSL_version(ssl) == TLS1_2_VERSION;
    if (!v12 && SSL_version(ssl) != TLS1_3_VERSION) return -1;
    switch (SSL_CIPHER_get_cipher_nid(SSL_get_current_cipher(ssl))) {
    case NID_aes_128_gcm: return v12 ? RECORD12_AES128 : RECORD13_AES128;
    case NID_aes_256_gcm: return v12 ? RECORD12_AES256 : RECORD13_AES256;
    case NID_chacha20_poly1305: return v12 ? RECORD12_CHACHA : RECORD13_CHACHA;
    default: return -1;
    }
}

static bool keys_13(struct tls_wire *w, struct tls *t) {
    struct parked *p = t->parked;
    if (!p || !p->have_in || !p->have_out || !record_start(w->crypt, p->suite, &p->in, p->in.secret) ||
        !record_start(w->crypt, p->suite, &p->out, p->out.secret))
        return false;
    p->out.seq = t->sent;
    return true;
}

static bool keys_12(struct tls_wire *w, struct tls *t) {
    uint8_t master[RECORD_SECRET_MAX], client[RECORD_RANDOM], server[RECORD_RANDOM];
    struct parked *p = t->parked;
    bool ok = SSL_SESSION_get_master_key(SSL_get_session(t->ssl), master, sizeof master) == sizeof master &&
              SSL_get_client_random(t->ssl, client, sizeof client) == sizeof client &&
              SSL_get_server_random(t->ssl, server, sizeof server) == sizeof server &&
              record12_start(w->crypt, p->suite, p->client ? &p->out : &p->in, p->client ? &p->in : &p->out, master,
                             client, server);
    OPENSSL_cleanse(master, sizeof master);
    p->out.nonce = t->nonce + 1;
    return ok;
}

/* record_most returns the largest record the peer takes (RFC 6066 4). */
static uint16_t record_most(const SSL *ssl) {
    uint8_t code = SSL_SESSION_get_max_fragment_length(SSL_get_session(ssl));
    return (uint16_t)(code >= 1 && code <= 4 ? 256 << code : RECORD_PLAIN_MAX);
}

void tls_park(struct tls_wire *w, struct tls *t) {
    /* SSL_has_pending: OpenSSL has begun to read a record itself; then it keeps the connection. */
    if (!t->ssl || SSL_has_pending(t->ssl)) return;
    int suite = suite_of(t->ssl);
    bool v12 = suite >= 0 && record_is_12(suite), gcm = v12 && suite != RECORD12_CHACHA;
    if (suite < 0 || (gcm && !t->has_nonce)) return;
    if (!t->parked && !(t->parked = calloc(1, sizeof *t->parked))) return;
    t->parked->suite = (uint8_t)suite;
    t->parked->client = !SSL_is_server(t->ssl);
    t->parked->most = record_most(t->ssl);
    if (v12 ? !keys_12(w, t) : !keys_13(w, t)) return;
    SSL_free(t->ssl);
    t->ssl = NULL;
    if (w->owner == t) parked_start(w, t->parked);
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

/* name_sessions sees to it that a session is only resumed where the same authorities vouch for clients, as strictly:
 * what resumes shows no certificate again, and all listeners share the keys of tickets, also across reloads. */
static bool name_sessions(SSL_CTX *ctx, const struct tls_server_config *c) {
    uint8_t name[SSL_MAX_SID_CTX_LENGTH], one[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    uint8_t strict = c->client_required;
    static_assert(sizeof name == 32, "a SHA-256 names sessions");
    EVP_MD_CTX *d = EVP_MD_CTX_new();
    const STACK_OF(X509_OBJECT) *known = X509_STORE_get0_objects(SSL_CTX_get_cert_store(ctx));
    bool ok = d && EVP_DigestInit_ex(d, EVP_sha256(), NULL) == 1 && EVP_DigestUpdate(d, &strict, 1) == 1;
    for (int i = 0; ok && c->client_ca && i < sk_X509_OBJECT_num(known); i++) {
        X509 *cert = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(known, i));
        ok = !cert || (X509_digest(cert, EVP_sha256(), one, &n) == 1 && EVP_DigestUpdate(d, one, n) == 1);
    }
    ok = ok && EVP_DigestFinal_ex(d, name, &n) == 1 && SSL_CTX_set_session_id_context(ctx, name, n) == 1;
    EVP_MD_CTX_free(d);
    return ok;
}

int tls_server(struct ssl_ctx_st **out, const struct tls_server_config *c, struct writer *why) {
    ERR_clear_error();
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    if (!ctx) return ERR_NOMEM;
    common(ctx, c->only_13);
    /* Sessions live in tickets the clients keep, not in a cache here. */
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(ctx, 1);
    if (c->tickets) SSL_CTX_set_tlsext_ticket_keys(ctx, (void *)(uintptr_t)c->tickets, TLS_TICKET_KEY);
    int r = load_pair(ctx, c->cert, c->key, why);
    if (r == OK) r = ask_clients(ctx, c, why);
    if (r == OK && !name_sessions(ctx, c)) r = say_error(why, "session tickets", NULL);
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
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    int r = c->cert ? load_pair(ctx, c->cert, c->key, why) : OK;
    if (r == OK && c->ca && SSL_CTX_load_verify_locations(ctx, c->ca, NULL) != 1) r = say_error(why, "CA", c->ca);
    if (r == OK && !c->ca && !c->insecure) SSL_CTX_set_default_verify_paths(ctx);
    if (!c->insecure) SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    if (r != OK) SSL_CTX_free(ctx);
    else *out = ctx;
    return r;
}

void tls_ctx_free(struct ssl_ctx_st *ctx) { SSL_CTX_free(ctx); }

static struct tls *endpoint(struct tls_wire *w, SSL_CTX *ctx) {
    struct tls *t = calloc(1, sizeof *t);
    if (!t || !(t->ssl = SSL_new(ctx))) return free(t), NULL;
    BIO_up_ref(w->bio);
    SSL_set_bio(t->ssl, w->bio, w->bio);
    SSL_set_app_data(t->ssl, t);
    return t;
}

struct tls *tls_accept(struct tls_wire *w, struct ssl_ctx_st *ctx) {
    struct tls *t = endpoint(w, ctx);
    if (t) SSL_set_accept_state(t->ssl);
    return t;
}

struct tls *tls_connect(struct tls_wire *w, struct ssl_ctx_st *ctx, const char *host) {
    struct tls *t = endpoint(w, ctx);
    if (!t) return NULL;
    SSL_set_connect_state(t->ssl);
    if (!host) return t;
    X509_VERIFY_PARAM *v = SSL_get0_param(t->ssl);
    bool ip = X509_VERIFY_PARAM_set1_ip_asc(v, host) == 1;
    if (ip || (SSL_set_tlsext_host_name(t->ssl, host) == 1 && SSL_set1_host(t->ssl, host) == 1)) return t;
    tls_free(w, t);
    return NULL;
}

void tls_free(struct tls_wire *w, struct tls *t) {
    if (!t) return;
    if (w->owner == t) w->owner = NULL;
    SSL_free(t->ssl);
    parked_free(w, t->parked);
    free(t);
}

/* turn_to makes the wire that of connection t. What the end of a handshake left in `in` is t's first data. */
static void turn_to(struct tls_wire *w, struct tls *t, int fd, int helpings) {
    if (w->owner != t) w->at = w->n = 0;
    w->owner = t;
    w->fd = fd;
    w->helpings = helpings;
    w->drained = w->eof = false;
    ERR_clear_error();
}

/* result makes one of tls_result of what OpenSSL said. */
static int result(struct tls *t, int r) {
    int e = SSL_get_error(t->ssl, r);
    if (e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE) return TLS_AGAIN;
    if (e == SSL_ERROR_ZERO_RETURN) return TLS_EOF;
    ERR_clear_error();
    return TLS_FAILED;
}

int tls_handshake(struct tls_wire *w, struct tls *t, int fd) {
    turn_to(w, t, fd, HANDSHAKE_HELPINGS);
    int r = SSL_do_handshake(t->ssl);
    if (r == 1) return 1;
    r = result(t, r);
    return r == TLS_AGAIN ? TLS_AGAIN : TLS_FAILED;
}

ssize_t tls_read(struct tls_wire *w, struct tls *t, int fd, void *buf, size_t n, bool *drained) {
    /* One helping of the socket is enough for one call; the caller comes again, so that others get their turn. */
    turn_to(w, t, fd, 1);
    if (!t->ssl) {
        ssize_t n_parked = parked_read(w, t->parked, buf, n);
        *drained = w->drained;
        return n_parked;
    }
    size_t total = 0, got;
    int r = 1;
    while (total < n && (r = SSL_read_ex(t->ssl, (char *)buf + total, n - total, &got)) == 1) total += got;
    /* The end behind data is told by the next call; the socket will not say again that there is something. */
    *drained = w->drained && !(total && SSL_get_shutdown(t->ssl) & SSL_RECEIVED_SHUTDOWN);
    return total ? (ssize_t)total : result(t, r);
}

ssize_t tls_write(struct tls_wire *w, struct tls *t, int fd, const void *buf, size_t n) {
    turn_to(w, t, fd, 0);
    if (!t->ssl) return parked_write(w, t->parked, buf, n);
    size_t done = 0;
    while (done < n) {
        size_t part = 0;
        int r = SSL_write_ex(t->ssl, (const char *)buf + done, n - done, &part);
        if (r == 1) {
            done += part;
            continue;
        }
        int why = result(t, r);
        if (why == TLS_AGAIN) break;
        return TLS_FAILED;
    }
    return done ? (ssize_t)done : TLS_AGAIN;
}

void tls_end(struct tls_wire *w, struct tls *t, int fd) {
    turn_to(w, t, fd, 0);
    if (!t->ssl) parked_end(w, t->parked);
    else if (SSL_shutdown(t->ssl) < 0) ERR_clear_error();
}

/* verified_peer returns the certificate the peer has shown and that holds, or NULL. */
static X509 *verified_peer(const struct tls *t) {
    X509 *cert = t->ssl ? SSL_get0_peer_certificate(t->ssl) : NULL;
    return cert && SSL_get_verify_result(t->ssl) == X509_V_OK ? cert : NULL;
}

bool tls_subject(struct tls *t, struct writer *out) {
    X509 *cert = verified_peer(t);
    if (!cert) return false;
    BIO *b = BIO_new(BIO_s_mem());
    char *text;
    bool ok = b && X509_NAME_print_ex(b, X509_get_subject_name(cert), 0, XN_FLAG_RFC2253) >= 0;
    long n = ok ? BIO_get_mem_data(b, &text) : 0;
    if (n > 0) wr_bytes(out, text, (size_t)n);
    BIO_free(b);
    return n > 0;
}

bool tls_name(struct tls *t, struct writer *out) {
    X509 *cert = verified_peer(t);
    const X509_NAME *subject = cert ? X509_get_subject_name(cert) : NULL;
    int at = subject ? X509_NAME_get_index_by_NID(subject, NID_commonName, -1) : -1;
    unsigned char *text = NULL;
    int n = at < 0 ? 0 : ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
    bool ok = n > 0 && !memchr(text, 0, (size_t)n); /* else who compares it up to a NUL takes it for another one */
    if (ok) wr_bytes(out, text, (size_t)n);
    OPENSSL_free(text);
    return ok;
}

const char *tls_version(struct tls *t) {
    return t->ssl ? SSL_get_version(t->ssl) : record_is_12(t->parked->suite) ? "TLSv1.2" : "TLSv1.3";
}
bool tls_resumed(struct tls *t) { return t->ssl && SSL_session_reused(t->ssl); }
