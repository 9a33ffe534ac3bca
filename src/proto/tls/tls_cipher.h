/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_PROTO_TLS_CIPHER_H
#define WEIR_PROTO_TLS_CIPHER_H

#include "proto/tls/tls_idea.h"
#include "proto/tls/tls_keys.h"

/* tls_cipher opens the records of one direction under one set of keys. It owns the library's contexts. */
struct tls_cipher {
    EVP_CIPHER_CTX *ctx; /* NULL: nothing is encrypted */
    EVP_MAC_CTX *mac;
    struct idea *idea;
    uint64_t seq;   /* of the next record */
    uint64_t nonce; /* the explicit nonce of the last record, where has_nonce */
    uint16_t version;
    struct tls_suite suite;
    uint8_t iv[16];         /* fixed part of the nonce, or the last block of the record before */
    uint8_t mac_secret[20]; /* SSL 3.0 */
    uint8_t mac_len;        /* bytes of the MAC on the wire */
    bool ready, etm, has_nonce, chained, no_aad;
};

/* tls_cipher_keys is what a cipher is made with. */
struct tls_cipher_keys {
    uint16_t version;
    struct tls_suite suite;
    bool etm, short_mac; /* RFC 7366; RFC 6066 7 */
    bool no_aad;         /* drafts of TLS 1.3 before 25 */
    struct slice mac, key, iv;
};

/* tls_sealed is a record as it came. */
struct tls_sealed {
    uint8_t type;
    uint16_t version;
    struct slice body;
};

/* tls_cipher_start makes the contexts; false where the library cannot. */
bool tls_cipher_start(struct tls_cipher *c, struct tls_keys *k, const struct tls_cipher_keys *keys);
void tls_cipher_end(struct tls_cipher *c);
/* tls_cipher_iv_size returns the bytes of the IV that come out of the key block. */
size_t tls_cipher_iv_size(uint16_t version, const struct tls_suite *s);
/* tls_cipher_open verifies and decrypts a record into `out`, which has room for its body. It tries the sequence numbers
 * from c->seq on, `tries` of them; when one fits, seq is the one behind it. false: no plaintext. */
bool tls_cipher_open(struct tls_cipher *c, const struct tls_sealed *r, unsigned tries, uint8_t *out,
                     struct slice *plain);

#endif
