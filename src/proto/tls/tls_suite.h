/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_PROTO_TLS_SUITE_H
#define WEIR_PROTO_TLS_SUITE_H

#include "base/slice.h"

#include <openssl/evp.h>

/* tls_kx is how the two sides come to a secret. */
enum tls_kx {
    KX_UNKNOWN,
    KX_RSA,
    KX_RSA_EXPORT,
    KX_DH,
    KX_ECDH,
    KX_PSK,
    KX_RSA_PSK,
    KX_DH_PSK,
    KX_ECDH_PSK,
    KX_TLS13,
    KX_COUNT
};

enum tls_bulk_mode { BULK_NULL, BULK_STREAM, BULK_IDEA, BULK_CBC, BULK_GCM, BULK_CCM, BULK_CHACHA };
enum tls_hash { HASH_MD5, HASH_SHA1, HASH_SHA256, HASH_SHA384, HASH_NONE };

/* tls_suite is what a cipher suite stands for. */
struct tls_suite {
    uint8_t kx;    /* enum tls_kx */
    uint8_t bulk;  /* number of the algorithm: tls_bulk_name */
    uint8_t mode;  /* enum tls_bulk_mode */
    uint8_t key;   /* bytes of the key */
    uint8_t drawn; /* bytes of the key that come out of the key block: fewer for exportable suites */
    uint8_t block; /* bytes of a block; 0: no blocks */
    uint8_t tag;   /* bytes of the authentication tag */
    uint8_t mac;   /* enum tls_hash of the MAC; HASH_NONE: the cipher authenticates */
    uint8_t prf;   /* enum tls_hash of the key schedule from TLS 1.2 on */
};

enum { TLS_BULK_COUNT = 24 };

/* tls_suite_find tells what a suite stands for, from its name; false where it is not one Weir can decrypt: then only kx
 * is set. */
bool tls_suite_find(uint16_t number, struct tls_suite *out);
/* tls_bulk_name returns the library's name of an algorithm; NULL for no encryption. */
const char *tls_bulk_name(uint8_t bulk);
/* tls_bulk_legacy tells whether the library keeps the algorithm apart, as unsafe. */
bool tls_bulk_legacy(uint8_t bulk);
/* tls_hash_md returns the digest of an enum tls_hash, tls_hash_size its bytes. */
const EVP_MD *tls_hash_md(uint8_t hash);
size_t tls_hash_size(uint8_t hash);

#endif
