/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_PROTO_TLS_KEYS_H
#define WEIR_PROTO_TLS_KEYS_H

#include "base/arena.h"
#include "base/hash.h"
#include "base/pool.h"
#include "base/writer.h"
#include "proto/tls/tls_suite.h"

/* tls_keys holds what can open TLS sessions: the secrets of key logs, private keys, pre-shared keys, and what sessions
 * that were opened leave for those that resume them.
 *
 * Theory of operation. A secret is found by its kind and an id: the client's random, a session id, the digest of a
 * ticket, the first bytes of an encrypted premaster secret. Secrets come from text (tls_keys_log), whole lines at a
 * time, so that a file that grows can be followed: `generation` changes with every new one, and a session without keys
 * looks again when it did. A later line for the same id replaces the earlier one. Nothing is trusted: a secret is used
 * for plaintext only after a record's MAC or tag was verified with it. Limits: TLS_KEYS_MAX secrets, TLS_PRIVATE_MAX
 * private keys, TLS_PSK_MAX pre-shared keys. */

enum {
    TLS_KEYS_MAX = 1 << 20,
    TLS_KEYS_BUCKETS = 1 << 16,
    TLS_SESSIONS_MAX = 1 << 16,
    TLS_QUIC_MAX = 1 << 14, /* connections of QUIC that are opened */
    TLS_QUIC_STREAMS_MAX = 1 << 16,
    TLS_PRIVATE_MAX = 64,
    TLS_PSK_MAX = 64,
    TLS_PSK_BYTES = 256,
    TLS_ID_BYTES = 32,
    TLS_SECRET_BYTES = 64,
};

enum tls_key_kind {
    TLS_KEY_NONE,
    TLS_KEY_MASTER,         /* by the client's random */
    TLS_KEY_MASTER_SESSION, /* by session id */
    TLS_KEY_MASTER_TICKET,  /* by the SHA-256 of a session ticket */
    TLS_KEY_PREMASTER,      /* by the client's random */
    TLS_KEY_PREMASTER_SENT, /* by the first 8 bytes of the encrypted premaster secret */
    TLS_KEY_CLIENT_EARLY,   /* TLS 1.3, by the client's random, as all that follow */
    TLS_KEY_CLIENT_HANDSHAKE,
    TLS_KEY_SERVER_HANDSHAKE,
    TLS_KEY_CLIENT_DATA,
    TLS_KEY_SERVER_DATA,
    TLS_KEY_KINDS
};

/* tls_key_origin is where a secret came from. */
enum tls_key_origin { TLS_FROM_LOG, TLS_FROM_CAPTURE, TLS_FROM_PRIVATE_KEY, TLS_FROM_PSK, TLS_FROM_SESSION };

struct tls_key {
    uint32_t next; /* in the bucket */
    uint8_t kind, origin, id_len, n;
    uint8_t id[TLS_ID_BYTES];
    uint8_t secret[TLS_SECRET_BYTES];
};

struct tls_psk {
    uint8_t n, identity_len;
    uint8_t key[TLS_PSK_BYTES - 1], identity[TLS_PSK_BYTES - 1]; /* identity_len 0: for whoever asks */
};

struct tls_keys {
    struct pool secrets;  /* struct tls_key */
    struct pool sessions; /* struct tls_session */
    struct pool quic;     /* struct quic_session */
    struct pool quic_streams;
    uint32_t *buckets;   /* made with the first secret */
    struct arena memory; /* of the buckets and of pre-shared keys */
    struct hash_key hash_key;
    uint64_t generation;
    bool any;        /* something was given to decrypt with */
    bool expected;   /* something may come to be, with the packets */
    bool has_log;    /* a key log or secrets of the capture are among it */
    bool premasters; /* something that needs the handshake's digest is among it */
    EVP_PKEY *private[TLS_PRIVATE_MAX];
    unsigned n_private;
    struct tls_psk *psk[TLS_PSK_MAX];
    unsigned n_psk;
    /* The library's algorithms, fetched once. */
    EVP_CIPHER *cipher[TLS_BULK_COUNT];
    EVP_MAC *hmac;
    void *legacy; /* OSSL_PROVIDER */
    /* more is asked for secrets when one is missing, as a key log may have grown; NULL: nobody to ask. */
    void (*more)(void *to);
    void *more_to;
};

/* tls_keys_make prepares an empty store; tls_keys_free releases it and wipes its secrets. */
void tls_keys_make(struct tls_keys *k);
void tls_keys_free(struct tls_keys *k);

/* tls_keys_log takes the secrets of a key log's whole lines, and of its last line where `ended`; it returns the bytes
 * used. Lines that are none are passed over. */
size_t tls_keys_log(struct tls_keys *k, struct slice text, enum tls_key_origin origin, bool ended);
/* tls_keys_private takes a private key: PEM, DER (PKCS#1, PKCS#8, also encrypted) or PKCS#12, with a passphrase or
 * NULL. On failure it is false with a reason in `why`. */
bool tls_keys_private(struct tls_keys *k, struct slice file, const char *passphrase, struct writer *why);
/* tls_keys_psk takes a pre-shared key in hexadecimal digits, after "IDENTITY=" where it is for one identity only. */
bool tls_keys_psk(struct tls_keys *k, struct slice text, struct writer *why);

/* tls_keys_find returns a secret, or NULL. tls_keys_put remembers one, in the place of one with the same id. */
const struct tls_key *tls_keys_find(const struct tls_keys *k, enum tls_key_kind kind, struct slice id);
void tls_keys_put(struct tls_keys *k, enum tls_key_kind kind, struct slice id, struct slice secret,
                  enum tls_key_origin origin);
/* tls_keys_cipher returns the library's algorithm of a suite, tls_keys_hmac that of its MAC; NULL where it has none. */
const EVP_CIPHER *tls_keys_cipher(struct tls_keys *k, uint8_t bulk);
EVP_MAC *tls_keys_hmac(struct tls_keys *k);

#endif
