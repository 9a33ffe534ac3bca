/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_PROTO_TLS_SESSION_H
#define WEIR_PROTO_TLS_SESSION_H

#include "proto/tls/tls.h"
#include "proto/tls/tls_cipher.h"

/* What a connection needs to be decrypted: tls_state names it by number, in the pool of tls_keys.
 *
 * Theory of operation. The handshake's messages go through tls_session_message, in clear or opened, and leave what the
 * key schedule needs. Up to TLS 1.2 a side's keys change with its ChangeCipherSpec: then the master secret is looked
 * for and the key block made of it. In TLS 1.3 a side goes through epochs (early data, handshake, application data),
 * each with a secret from the key log, and through generations of the last one. A side changes epoch when the message
 * is read that ends it; where that message was lost, a record that does not open is tried with the epochs that follow.
 * Invariant: what was encrypted is handed out only when its MAC or tag fits.
 * Where keys are missing the records are counted, so that keys that come later find their sequence number. */

enum tls_epoch { EPOCH_NONE, EPOCH_EARLY, EPOCH_HANDSHAKE, EPOCH_DATA };

/* tls_verdict is whether a session can be read, and why. */
enum tls_verdict {
    VERDICT_NONE,
    READ_BY_LOG,
    READ_BY_CAPTURE,
    READ_BY_PRIVATE_KEY,
    READ_BY_PSK,
    READ_BY_SESSION,
    READ_UNSEALED,
    SHUT_NO_KEYS,
    SHUT_NO_HELLO,
    SHUT_NOT_IN_LOG,
    SHUT_RSA_EPHEMERAL_DH,
    SHUT_RSA_EPHEMERAL_ECDH,
    SHUT_RSA_EXPORT,
    SHUT_RSA_TLS13,
    SHUT_RSA_RESUMED,
    SHUT_RSA_OTHER_KEY,
    SHUT_RSA_PSK_SUITE,
    SHUT_PSK_EXCHANGE,
    SHUT_PSK_TLS13,
    SHUT_PSK_IDENTITY,
    SHUT_RESUMED,
    SHUT_SUITE,
    SHUT_COMPRESSED,
    SHUT_KEYS_DO_NOT_FIT,
    VERDICT_COUNT
};

/* tls_verdict_text returns the sentence of a verdict. */
const char *tls_verdict_text(uint8_t verdict);
static inline bool tls_verdict_readable(uint8_t verdict) { return verdict >= READ_BY_LOG && verdict <= READ_UNSEALED; }

enum { TLS_OFFERED_MAX = 8, TLS_MASTER = 48, COMPRESSION_DEFLATE = 1 };

struct tls_side {
    struct tls_cipher now;
    uint8_t secret[TLS_MASTER]; /* TLS 1.3: of the present epoch */
    uint8_t last[16];           /* the last block of the record before, for keys that come late */
    uint8_t epoch;
    uint8_t origin;  /* enum tls_key_origin of the present keys */
    bool gap;        /* bytes were lost since a record was opened */
    bool works;      /* the present keys opened a record */
    bool dead;       /* the present keys do not fit, */
    bool over;       /* or the side is closed */
    uint32_t failed; /* records in a row that did not open */
    uint32_t spent;  /* sequence numbers tried in vain, see TRIES_SPENT_MAX */
    void *inflater;  /* of compressed records */
    uint64_t passed; /* records since the keys changed that were not tried */
    uint64_t tried;  /* generation of the store when keys were looked for */
};

struct tls_session {
    uint32_t unused; /* the pool's */
    uint16_t version, suite_number;
    struct tls_suite suite;
    uint8_t draft; /* of TLS 1.3; 0: the standard */
    bool has_client, has_server, has_suite, known_suite, etm, short_mac, extended, early, retried;
    uint8_t compression;
    bool full; /* a ClientKeyExchange was seen: nothing is resumed */
    bool has_master, has_ticket, has_digest, has_certificate;
    uint8_t origin; /* of the master secret */
    uint8_t client_random[32], server_random[32];
    uint8_t client_id[32], server_id[32], client_id_len, server_id_len;
    uint8_t ticket[32];             /* SHA-256 of the ticket the client offered */
    uint8_t sent[8];                /* first bytes of the encrypted premaster secret, where full */
    uint8_t digest[64], digest_len; /* of the handshake up to the ClientKeyExchange (RFC 7627 4) */
    uint8_t master[TLS_MASTER];
    uint16_t offered[TLS_OFFERED_MAX];
    uint8_t n_offered;
    int8_t private;            /* number of the private key of the server's certificate; -1: none of ours */
    EVP_MD_CTX *transcript[3]; /* MD5 with SHA-1, SHA-256, SHA-384 */
    struct tls_side side[2];
};

/* tls_session_message takes a whole handshake message of side `from`. */
void tls_session_message(struct decode *d, struct tls_state *st, int from, uint8_t type, struct slice message);
/* tls_session_hello2 takes a ClientHello in the form of SSL 2.0, without its length. */
void tls_session_hello2(struct decode *d, struct tls_state *st, struct slice message);
/* tls_session_ccs says that side `from` changes to the keys agreed on. */
void tls_session_ccs(struct tls_state *st, int from);
/* tls_session_closed says that side `from` sends nothing more, tls_session_lost that bytes of it are missing. */
void tls_session_closed(struct tls_state *st, int from);
void tls_session_lost(struct tls_state *st, int from);
/* tls_session_searches tells whether side `from` could be read, and bytes of it were lost since. */
bool tls_session_searches(const struct tls_state *st, int from);
void tls_session_end(struct tls_state *st);
static inline struct tls_session *tls_session_of(const struct tls_state *st) {
    return st->session ? pool_at(&st->keys->sessions, st->session) : NULL;
}

/* tls_opened is a record that was decrypted. */
struct tls_opened {
    bool ok;
    uint8_t type;
    struct slice plain; /* lives as long as the packet */
};

/* tls_open decrypts a record where it is encrypted and there are keys. *o must be zeroed. */
void tls_open(struct decode *d, struct tls_state *st, int from, const struct tls_sealed *r, struct tls_opened *o);
/* tls_plain is application data of a record that was opened, until the layer of TLS is complete. */
struct tls_plain {
    struct tls_plain *next;
    struct slice bytes;
    uint8_t source;
    bool lost; /* bytes before it are missing */
};

/* tls_inner_name returns the name of what the session carries, empty where it is not known; tls_inner_read hands it on.
 */
struct slice tls_inner_name(struct decode *d, const struct tls_state *st);
void tls_inner_read(struct decode *d, struct tls_state *st, int from, const struct tls_plain *list);
/* tls_readable_add says once, and again when it changes, whether the session can be read. */
void tls_readable_add(struct decode *d, struct tls_state *st, uint32_t off);

/* tls_master_find gets the master secret of the handshake (up to TLS 1.2) from what is known; false: there is none. */
bool tls_master_find(struct tls_keys *k, struct tls_session *s);
/* tls_master_exchange takes a ClientKeyExchange's body: from it, with a private key or a pre-shared key, the master. */
void tls_master_exchange(struct tls_keys *k, struct tls_session *s, struct slice body);
/* tls_keys_block makes a side's cipher from the master secret, tls_keys_secret from a traffic secret of TLS 1.3. */
bool tls_keys_block(struct tls_keys *k, const struct tls_session *s, int from, struct tls_cipher *c);
bool tls_keys_secret(struct tls_keys *k, const struct tls_session *s, const struct tls_suite *suite,
                     const uint8_t *secret, struct tls_cipher *c);
/* tls_epoch_secret returns the secret of a side in an epoch of TLS 1.3, NULL where the store has none. */
const struct tls_key *tls_epoch_secret(const struct tls_keys *k, const struct tls_session *s, int from, uint8_t epoch);
/* tls_secret_next turns an application traffic secret into the one that follows it (RFC 8446 7.2). */
bool tls_secret_next(const struct tls_session *s, uint8_t *secret);
/* tls_inflate undoes the compression of a side's next record; *plain then lies in `memory`. false: it cannot be undone.
 */
bool tls_inflate(struct tls_side *side, struct arena *memory, struct slice *plain);
void tls_inflate_end(struct tls_side *side);
/* tls_private_match returns the number of our private key that belongs to a certificate, or -1; tls_private_open
 * decrypts a premaster secret with it: its bytes, at most `room`, or 0. */
int tls_private_match(const struct tls_keys *k, struct slice certificate);
size_t tls_private_open(const struct tls_keys *k, int number, struct slice sealed, uint8_t *out, size_t room);

#endif
