/* SPDX-License-Identifier: Apache-2.0 */
/* Either end of a connection against OpenSSL as the other, with every cipher, and the server's end against a client of
 * our own that breaks rules: with the traffic secrets OpenSSL tells, it seals what OpenSSL would not send. */
#include "base/check.h"
#include "io/tls/tls_in.h"
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LARGE = 300000 };

static struct tls_wire *wire;
static struct ssl_ctx_st *server_ctx, *our_client_ctx;
static SSL_CTX *client_ctx, *their_server_ctx;
static struct record_crypt *ciphers;
static uint8_t secret[2][RECORD_SECRET_MAX]; /* the client's, the server's, of the connection made last */
static uint8_t buf[TLS_READ_MIN], big[LARGE];

/* pair is one connection: our end and the client's. */
struct pair {
    int fd[2];
    struct tls *tls;           /* ours, at fd[0] */
    SSL *ssl;                  /* OpenSSL's, at fd[1] */
    struct record_key out, in; /* the client's, for records of our own making */
};

static void note_secret(const SSL *ssl, const char *line) {
    (void)ssl;
    size_t n;
    for (int i = 0; i < 2; i++)
        if (!strncmp(line, i ? "SERVER_TRAFFIC_SECRET_0 " : "CLIENT_TRAFFIC_SECRET_0 ", 24))
            CHECK(OPENSSL_hexstr2buf_ex(secret[i], sizeof secret[i], &n, strrchr(line, ' ') + 1, 0) == 1);
}

static void make_certificate(const char *path, int type, struct slice name) {
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = X509_new();
    FILE *f = fopen(path, "w");
    CHECK(key && x && f);
    X509_gmtime_adj(X509_getm_notBefore(x), 0);
    X509_gmtime_adj(X509_getm_notAfter(x), 3600);
    X509_set_pubkey(x, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", type, name.p, (int)name.n, -1, 0);
    X509_set_issuer_name(x, X509_get_subject_name(x));
    CHECK(X509_sign(x, key, EVP_sha256()) > 0 && PEM_write_X509(f, x) == 1);
    CHECK(PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) == 1 && fclose(f) == 0);
    X509_free(x);
    EVP_PKEY_free(key);
}

/* how is a kind of connection. */
struct how {
    int version;
    const char *cipher; /* NULL: any */
    bool client;        /* we are */
    uint8_t fragment;   /* the maximum fragment length OpenSSL's client asks for, as a code; 0: none */
};

static void set_cipher(SSL *ssl, const struct how *h) {
    CHECK(SSL_set_min_proto_version(ssl, h->version) == 1 && SSL_set_max_proto_version(ssl, h->version) == 1);
    if (!h->cipher) return;
    CHECK(h->version == TLS1_3_VERSION ? SSL_set_ciphersuites(ssl, h->cipher) : SSL_set_cipher_list(ssl, h->cipher));
}

static struct pair pair_of(struct how h) {
    struct pair p = {0};
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, p.fd) == 0);
    p.tls = h.client ? tls_connect(wire, our_client_ctx, NULL) : tls_accept(wire, server_ctx);
    p.ssl = SSL_new(h.client ? their_server_ctx : client_ctx);
    CHECK(p.tls && p.ssl && SSL_set_fd(p.ssl, p.fd[1]) == 1);
    set_cipher(p.ssl, &h);
    if (h.client) SSL_set_accept_state(p.ssl);
    else SSL_set_connect_state(p.ssl);
    if (h.fragment) CHECK(SSL_set_tlsext_max_fragment_length(p.ssl, h.fragment) == 1);
    int r = TLS_AGAIN, theirs = 0;
    for (int i = 0; i < 10 && (r != 1 || theirs != 1); i++) {
        if (theirs != 1) theirs = SSL_do_handshake(p.ssl);
        if (r != 1) r = tls_handshake(wire, p.tls, p.fd[0]);
        CHECK(r == 1 || r == TLS_AGAIN);
    }
    CHECK(r == 1 && theirs == 1);
    tls_park(wire, p.tls);
    CHECK(!strcmp(tls_version(p.tls), SSL_get_version(p.ssl)));
    CHECK(!p.tls->ssl == (SSL_CIPHER_is_aead(SSL_get_current_cipher(p.ssl)) == 1));
    return p;
}

static struct pair make_pair(int version) {
    struct pair p =
        pair_of((struct how){version, version == TLS1_3_VERSION ? "TLS_AES_128_GCM_SHA256" : NULL, false, 0});
    char none;
    (void)SSL_read(p.ssl, &none, 1); /* the ticket */
    if (version != TLS1_3_VERSION) return p;
    CHECK(record_start(ciphers, RECORD13_AES128, &p.out, secret[0]));
    CHECK(record_start(ciphers, RECORD13_AES128, &p.in, secret[1]));
    return p;
}

static void end_pair(struct pair *p) {
    tls_free(wire, p->tls);
    SSL_free(p->ssl);
    close(p->fd[0]);
    close(p->fd[1]);
}

static ssize_t read_once(struct pair *p) {
    bool drained;
    return tls_read(wire, p->tls, p->fd[0], buf, sizeof buf, &drained);
}

/* seal adds a record of the client's making to `to`; its length. */
static size_t seal(struct pair *p, int type, const void *b, size_t n, uint8_t *to) {
    size_t len = record_seal(ciphers, RECORD13_AES128, &p->out, type, b, n, to);
    CHECK(len);
    return len;
}

static void put(const struct pair *p, const void *b, size_t n) { CHECK(write(p->fd[1], b, n) == (ssize_t)n); }

static void data_both_ways(struct how how) {
    struct pair p = pair_of(how);
    int version = how.version;
    static uint8_t got[LARGE];
    size_t sent = 0, have = 0;
    for (size_t i = 0; i < LARGE; i++) big[i] = (uint8_t)(i * 7 + i / 251);
    /* Larger than the socket holds: pieces are taken as there is room, and nothing is sent twice. */
    for (int i = 0; i < 10000 && have < LARGE; i++) {
        ssize_t n = sent < LARGE ? tls_write(wire, p.tls, p.fd[0], big + sent, LARGE - sent) : 0;
        CHECK(n >= 0 || n == TLS_AGAIN);
        if (n > 0) sent += (size_t)n;
        int r = SSL_read(p.ssl, got + have,
                         (int)(1 + (size_t)i * 37 % 9000 < LARGE - have ? 1 + (size_t)i * 37 % 9000 : LARGE - have));
        if (r > 0) have += (size_t)r;
        if (i % 50 == 7 && version == TLS1_3_VERSION) { /* each asks the other side for new keys, in the middle of it */
            CHECK(SSL_key_update(p.ssl, SSL_KEY_UPDATE_REQUESTED) == 1);
            (void)SSL_do_handshake(p.ssl);
            n = read_once(&p);
            CHECK(n == TLS_AGAIN);
        }
    }
    CHECK(have == LARGE && sent == LARGE && !memcmp(got, big, LARGE));
    for (size_t n = 1; n < 60000; n = n * 3 + 1) {
        CHECK(SSL_write(p.ssl, big, (int)n) == (int)n);
        for (have = 0; have < n;) {
            ssize_t r = read_once(&p);
            CHECK(r > 0 && !memcmp(buf, big + have, (size_t)r));
            have += (size_t)r;
        }
        CHECK(have == n && read_once(&p) == TLS_AGAIN);
    }
    tls_end(wire, p.tls, p.fd[0]);
    CHECK(SSL_read(p.ssl, got, 1) == 0);
    CHECK(SSL_get_error(p.ssl, 0) == SSL_ERROR_ZERO_RETURN);
    end_pair(&p);
}

/* what_was_said_before_the_end_counts: data in the same segment as the end, and the end is told without another event.
 */
static void what_was_said_before_the_end_counts(int version) {
    struct pair p = make_pair(version);
    bool drained = true;
    CHECK(SSL_write(p.ssl, "last", 4) == 4 && SSL_shutdown(p.ssl) == 0);
    CHECK(tls_read(wire, p.tls, p.fd[0], buf, sizeof buf, &drained) == 4 && !memcmp(buf, "last", 4) && !drained);
    CHECK(read_once(&p) == TLS_EOF);
    end_pair(&p);
}

/* behind_data sends what comes behind "last" in one segment: the data are delivered, then `then` is told. */
static void behind_data(int type, const void *b, size_t n, ssize_t then) {
    struct pair p = make_pair(TLS1_3_VERSION);
    uint8_t out[512];
    bool drained = true;
    size_t len = seal(&p, RECORD_DATA, "last", 4, out);
    if (type) len += seal(&p, type, b, n, out + len);
    else memcpy(out + len, b, n), len += n;
    put(&p, out, len);
    CHECK(tls_read(wire, p.tls, p.fd[0], buf, sizeof buf, &drained) == 4 && !memcmp(buf, "last", 4));
    CHECK(drained == (then == TLS_AGAIN));
    CHECK(read_once(&p) == then);
    if (then != TLS_AGAIN) CHECK(read_once(&p) == then); /* and stays so */
    end_pair(&p);
}

static void what_breaks_the_rules_ends_it(void) {
    behind_data(RECORD_ALERT, "\1\0", 2, TLS_EOF);
    behind_data(RECORD_ALERT, "\1\132", 2, TLS_AGAIN); /* user_canceled: not the end yet */
    behind_data(RECORD_ALERT, "\2\50", 2, TLS_FAILED);
    behind_data(RECORD_ALERT, "\1", 1, TLS_FAILED);
    behind_data(RECORD_ALERT, "\1\0\1\0", 4, TLS_FAILED);
    behind_data(RECORD_HANDSHAKE, "", 0, TLS_FAILED);
    behind_data(RECORD_HANDSHAKE, "\30\0\0\1\2", 5, TLS_FAILED);
    behind_data(RECORD_HANDSHAKE, "\30\0\0\1\0\30\0\0\1\0", 10, TLS_FAILED);
    behind_data(RECORD_HANDSHAKE, "\1\0\0\0", 4, TLS_FAILED);
    behind_data(RECORD_HANDSHAKE, "\30\0\0\1\0", 5, TLS_AGAIN);
    behind_data(RECORD_DATA, "", 0, TLS_AGAIN);
    behind_data(99, "x", 1, TLS_FAILED);
    behind_data(0, "\27\3\3\377\377", 5, TLS_FAILED);                     /* longer than may be */
    behind_data(0, "\27\3\3\0\0", 5, TLS_FAILED);                         /* empty */
    behind_data(0, "\25\3\3\0\2\1\0", 7, TLS_FAILED);                     /* an alert anybody could have sent */
    behind_data(0, "\24\3\3\0\1\1", 6, TLS_FAILED);                       /* ChangeCipherSpec behind the handshake */
    behind_data(0, "\27\3\3\0\26abcdefghijklmnopqrstuv", 27, TLS_FAILED); /* not sealed */
    behind_data(0, "\27\3\3\0\26abcdef", 11, TLS_AGAIN);                  /* not whole yet */
}

static void a_flood_of_key_updates_is_answered_once(void) {
    struct pair p = make_pair(TLS1_3_VERSION);
    uint8_t in[4096], out[4096], plain[4096];
    size_t len = 0;
    int type;
    for (int i = 0; i < 32; i++) {
        len += seal(&p, RECORD_HANDSHAKE, "\30\0\0\1\1", 5, out + len);
        CHECK(record_next(ciphers, RECORD13_AES128, &p.out));
    }
    put(&p, out, len);
    CHECK(read_once(&p) == TLS_AGAIN);
    put(&p, out, seal(&p, RECORD_DATA, "new", 3, out));
    CHECK(read_once(&p) == 3 && !memcmp(buf, "new", 3));
    CHECK(tls_write(wire, p.tls, p.fd[0], "old", 3) == 3);
    ssize_t n = read(p.fd[1], in, sizeof in);
    CHECK(n == RECORD_HEAD + 5 + 1 + RECORD_TAG + RECORD_HEAD + 3 + 1 + RECORD_TAG);
    size_t first = RECORD_HEAD + 5 + 1 + RECORD_TAG;
    p.in.seq = 1; /* behind the ticket */
    CHECK(record_open(ciphers, RECORD13_AES128, &p.in, slice_of(in, first), plain, &type) == 5);
    CHECK(type == RECORD_HANDSHAKE && record_next(ciphers, RECORD13_AES128, &p.in));
    CHECK(record_open(ciphers, RECORD13_AES128, &p.in, slice_of(in + first, (size_t)n - first), plain, &type) == 3);
    CHECK(type == RECORD_DATA && !memcmp(plain, "old", 3));
    for (int i = 0; i < 33; i++) {
        len = seal(&p, RECORD_HANDSHAKE, "\30\0\0\1\0", 5, out);
        put(&p, out, len);
        CHECK(record_next(ciphers, RECORD13_AES128, &p.out));
        CHECK(read_once(&p) == (i < 32 ? TLS_AGAIN : TLS_FAILED));
    }
    end_pair(&p);
}

/* Records without data are allowed (5.4 calls them useful against listeners), but not without end; each costs us a
 * decryption. Some data between them make them harmless again. */
static void a_flood_of_empty_records_ends_it(void) {
    struct pair p = make_pair(TLS1_3_VERSION);
    static uint8_t out[64 * 64];
    size_t len = 0;
    for (int i = 0; i < 32; i++) len += seal(&p, RECORD_DATA, "", 0, out + len);
    len += seal(&p, RECORD_DATA, "x", 1, out + len);
    for (int i = 0; i < 20; i++) len += seal(&p, RECORD_DATA, "", 0, out + len);
    put(&p, out, len);
    CHECK(read_once(&p) == 1 && read_once(&p) == TLS_AGAIN);
    len = 0;
    for (int i = 0; i < 13; i++) len += seal(&p, RECORD_DATA, "", 0, out + len);
    put(&p, out, len);
    CHECK(read_once(&p) == TLS_FAILED);
    CHECK(tls_write(wire, p.tls, p.fd[0], "no", 2) == TLS_FAILED); /* nothing behind a fatal alert (6.2) */
    end_pair(&p);
}

/* A message may be divided among records, but nothing may come in between, and keys change between records only. */
static void messages_in_parts(void) {
    uint8_t out[256];
    struct pair p = make_pair(TLS1_3_VERSION);
    for (int i = 0; i < 5; i++) {
        put(&p, out, seal(&p, RECORD_HANDSHAKE, &"\30\0\0\1\0"[i], 1, out));
        CHECK(read_once(&p) == TLS_AGAIN);
    }
    CHECK(record_next(ciphers, RECORD13_AES128, &p.out));
    put(&p, out, seal(&p, RECORD_DATA, "new", 3, out));
    CHECK(read_once(&p) == 3);
    put(&p, out, seal(&p, RECORD_HANDSHAKE, "\30\0", 2, out));
    put(&p, out, seal(&p, RECORD_DATA, "between", 7, out));
    CHECK(read_once(&p) == TLS_FAILED);
    end_pair(&p);
    p = make_pair(TLS1_3_VERSION);
    put(&p, out, seal(&p, RECORD_HANDSHAKE, "\4\0\0\4tick", 8, out)); /* from a client: never */
    CHECK(read_once(&p) == TLS_FAILED);
    end_pair(&p);
}

/* With the secrets of the other end, our client is told what an OpenSSL server would not send. */
static void tickets_are_passed_over(void) {
    static uint8_t big_ticket[RECORD_PLAIN_MAX], out[3 * RECORD_SEALED_MAX];
    struct pair p = pair_of((struct how){TLS1_3_VERSION, "TLS_AES_128_GCM_SHA256", true, 0});
    CHECK(record_start(ciphers, RECORD13_AES128, &p.out, secret[1]));
    p.out.seq = 2; /* OpenSSL has sent two tickets */
    CHECK(read_once(&p) == TLS_AGAIN);
    big_ticket[0] = 4, big_ticket[1] = 0, big_ticket[2] = 0x7f, big_ticket[3] = 0xfc; /* two records long */
    size_t len = seal(&p, RECORD_HANDSHAKE, big_ticket, RECORD_PLAIN_MAX, out);
    memset(big_ticket, 4, 4);
    len += seal(&p, RECORD_HANDSHAKE, big_ticket, RECORD_PLAIN_MAX, out + len);
    len += seal(&p, RECORD_DATA, "data", 4, out + len);
    put(&p, out, len);
    ssize_t n = 0;
    for (int i = 0; i < 5 && n <= 0; i++) CHECK((n = read_once(&p)) != TLS_FAILED);
    CHECK(n == 4 && !memcmp(buf, "data", 4));
    end_pair(&p);
}

/* Small devices ask for small records. */
static void the_peer_is_sent_no_larger_records_than_it_takes(int version) {
    for (uint8_t code = 1; code <= 4; code++) {
        struct pair p = pair_of((struct how){version, NULL, false, code});
        static uint8_t in[LARGE], got[5000];
        CHECK(tls_write(wire, p.tls, p.fd[0], big, 5000) == 5000);
        ssize_t n = recv(p.fd[1], in, sizeof in, MSG_PEEK);
        size_t at = 0, most = 256u << code;
        for (size_t len; at + RECORD_HEAD <= (size_t)n; at += RECORD_HEAD + len) {
            len = (size_t)(in[at + 3] << 8 | in[at + 4]);
            CHECK(len <= most + 24 || at == 0); /* the first one may be a ticket */
        }
        int have = 0, r = 1;
        while (have < 5000 && r > 0) have += r = SSL_read(p.ssl, got + have, 5000 - have);
        CHECK(have == 5000 && !memcmp(got, big, 5000));
        end_pair(&p);
    }
}

static void renegotiation_is_declined(void) {
    struct pair p = pair_of((struct how){TLS1_2_VERSION, "ECDHE-ECDSA-AES128-GCM-SHA256", false, 0});
    SSL_set_options(p.ssl, SSL_OP_ALLOW_CLIENT_RENEGOTIATION);
    char none;
    CHECK(SSL_renegotiate(p.ssl) == 1);
    (void)SSL_do_handshake(p.ssl); /* ClientHello goes out */
    CHECK(read_once(&p) == TLS_AGAIN);
    CHECK(SSL_read(p.ssl, &none, 1) <= 0); /* which is told no */
    CHECK(ERR_GET_REASON(ERR_peek_error()) == SSL_R_NO_RENEGOTIATION);
    ERR_clear_error();
    CHECK(tls_write(wire, p.tls, p.fd[0], "on", 2) == 2);
    end_pair(&p);
}

static void records_come_in_pieces(void) {
    struct pair p = make_pair(TLS1_3_VERSION), other = make_pair(TLS1_3_VERSION);
    static uint8_t out[RECORD_SEALED_MAX];
    CHECK(record_start(ciphers, RECORD13_AES128, &other.out, secret[0]));
    size_t len = seal(&other, RECORD_DATA, big, 600, out);
    for (size_t i = 0; i < len; i++) {
        put(&other, out + i, 1);
        CHECK(read_once(&p) == TLS_AGAIN); /* the wire serves both in turn */
        CHECK(read_once(&other) == (i + 1 < len ? TLS_AGAIN : 600));
    }
    CHECK(!memcmp(buf, big, 600));
    end_pair(&p);
    end_pair(&other);
}

/* name_told gives what a client's certificate with this common name is said to name; "": nobody. */
static const char *name_told(int type, struct slice name) {
    static char told[300];
    char path[] = "/tmp/weir-tls-test-XXXXXX", text[256];
    struct writer why = wr_fixed(text, sizeof text), to = wr_fixed(told, sizeof told - 1);
    struct ssl_ctx_st *asks;
    close(mkstemp(path));
    make_certificate(path, type, name);
    struct tls_server_config conf = {.cert = path, .client_ca = path, .client_required = true};
    CHECK(tls_server(&asks, &conf, &why) == OK);
    SSL_CTX *shows = SSL_CTX_new(TLS_client_method());
    CHECK(SSL_CTX_use_certificate_file(shows, path, SSL_FILETYPE_PEM) == 1 &&
          SSL_CTX_use_PrivateKey_file(shows, path, SSL_FILETYPE_PEM) == 1);
    unlink(path);
    struct pair p = {.tls = tls_accept(wire, asks), .ssl = SSL_new(shows)};
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, p.fd) == 0 && SSL_set_fd(p.ssl, p.fd[1]) == 1);
    SSL_set_connect_state(p.ssl);
    for (int i = 0, r = TLS_AGAIN; i < 10 && r != 1; i++) {
        (void)SSL_do_handshake(p.ssl);
        r = tls_handshake(wire, p.tls, p.fd[0]);
    }
    bool named = tls_name(p.tls, &to);
    CHECK(named == (wr_len(&to) > 0));
    *to.p = 0;
    end_pair(&p);
    tls_ctx_free(asks);
    SSL_CTX_free(shows);
    return told;
}

static void names_of_clients_are_whole(void) {
    static const uint8_t two_bytes[] = {0, 'd', 0, 0xe9};
    CHECK(!strcmp(name_told(MBSTRING_ASC, SLICE("device-7")), "device-7"));
    CHECK(!strcmp(name_told(V_ASN1_BMPSTRING, slice_of(two_bytes, sizeof two_bytes)), "d\xc3\xa9"));
    CHECK(!strcmp(name_told(V_ASN1_UTF8STRING, slice_of((const uint8_t *)"admin\0.example", 14)), ""));
}

static const struct how hows[] = {
    {TLS1_3_VERSION, "TLS_AES_128_GCM_SHA256", false, 0},
    {TLS1_3_VERSION, "TLS_AES_256_GCM_SHA384", false, 0},
    {TLS1_3_VERSION, "TLS_CHACHA20_POLY1305_SHA256", false, 0},
    {TLS1_2_VERSION, "ECDHE-ECDSA-AES128-GCM-SHA256", false, 0},
    {TLS1_2_VERSION, "ECDHE-ECDSA-AES256-GCM-SHA384", false, 0},
    {TLS1_2_VERSION, "ECDHE-ECDSA-CHACHA20-POLY1305", false, 0},
    {TLS1_2_VERSION, "ECDHE-ECDSA-AES128-SHA256", false, 0}, /* not taken over from OpenSSL */
};

int main(void) {
    char path[] = "/tmp/weir-tls-test-XXXXXX", text[256];
    struct writer why = wr_fixed(text, sizeof text);
    close(mkstemp(path));
    make_certificate(path, MBSTRING_ASC, SLICE("test"));
    struct tls_server_config conf = {.cert = path};
    CHECK(tls_server(&server_ctx, &conf, &why) == OK);
    their_server_ctx = SSL_CTX_new(TLS_server_method());
    CHECK(their_server_ctx && SSL_CTX_use_certificate_file(their_server_ctx, path, SSL_FILETYPE_PEM) == 1 &&
          SSL_CTX_use_PrivateKey_file(their_server_ctx, path, SSL_FILETYPE_PEM) == 1);
    unlink(path);
    client_ctx = SSL_CTX_new(TLS_client_method());
    ciphers = record_crypt_make();
    wire = tls_wire_make();
    struct tls_client_config ours = {.insecure = true};
    CHECK(client_ctx && ciphers && wire && tls_client(&our_client_ctx, &ours, &why) == OK);
    SSL_CTX_set_keylog_callback(client_ctx, note_secret);
    SSL_CTX_set_keylog_callback(their_server_ctx, note_secret);
    for (size_t i = 0; i < sizeof hows / sizeof *hows; i++)
        for (int client = 0; client < 2; client++) {
            struct how h = hows[i];
            h.client = client;
            data_both_ways(h);
        }
    what_was_said_before_the_end_counts(TLS1_3_VERSION);
    what_was_said_before_the_end_counts(TLS1_2_VERSION);
    what_breaks_the_rules_ends_it();
    a_flood_of_key_updates_is_answered_once();
    a_flood_of_empty_records_ends_it();
    messages_in_parts();
    tickets_are_passed_over();
    the_peer_is_sent_no_larger_records_than_it_takes(TLS1_3_VERSION);
    the_peer_is_sent_no_larger_records_than_it_takes(TLS1_2_VERSION);
    renegotiation_is_declined();
    records_come_in_pieces();
    names_of_clients_are_whole();
    tls_wire_free(wire);
    record_crypt_free(ciphers);
    tls_ctx_free(server_ctx);
    tls_ctx_free(our_client_ctx);
    SSL_CTX_free(client_ctx);
    SSL_CTX_free(their_server_ctx);
    return 0;
}
