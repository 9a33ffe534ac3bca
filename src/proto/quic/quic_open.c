/* SPDX-License-Identifier: Apache-2.0 */
/* Where keys come from (RFC 9001 5.1, 5.2, 6.1, RFC 9369 3.3): those of Initial packets out of a connection id that is
 * sent in the clear, so that who sees a connection begin can read them, all others out of the secrets of TLS. Nothing
 * is kept here. */
#include "proto/quic/quic.h"
#include "proto/tls/tls_prf.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

enum { DRAFT_29 = 0xff00001d, SALT = 20, SECRET = 32 };

/* What the versions mix into their secrets. */
static const uint8_t salt_v1[SALT] = {0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17,
                                      0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad, 0xcc, 0xbb, 0x7f, 0x0a};
static const uint8_t salt_v2[SALT] = {0x0d, 0xed, 0xe3, 0xde, 0xf7, 0x00, 0xa6, 0xdb, 0x81, 0x93,
                                      0x81, 0xbe, 0x6e, 0x26, 0x9d, 0xcb, 0xf9, 0xbd, 0x2e, 0xd9};
static const uint8_t salt_t050[SALT] = {0x7f, 0xf5, 0x79, 0xe5, 0xac, 0xd0, 0x72, 0x91, 0x55, 0x80,
                                        0x30, 0x4c, 0x43, 0xa2, 0x36, 0x7c, 0x60, 0x48, 0x83, 0x10};
static const uint8_t salt_t051[SALT] = {0x7a, 0x4e, 0xde, 0xf4, 0xe7, 0xcc, 0xee, 0x5f, 0xa4, 0x50,
                                        0x6c, 0x19, 0x12, 0x4f, 0xc8, 0xcc, 0xda, 0x6e, 0x03, 0x3d};
static const uint8_t salt_draft_21[SALT] = {0x7f, 0xbc, 0xdb, 0x0e, 0x7c, 0x66, 0xbb, 0xe9, 0x19, 0x3a,
                                            0x96, 0xcd, 0x21, 0x51, 0x9e, 0xbd, 0x7a, 0x02, 0x64, 0x4a};
static const uint8_t salt_draft_23[SALT] = {0xc3, 0xee, 0xf7, 0x12, 0xc7, 0x2e, 0xbb, 0x5a, 0x11, 0xa7,
                                            0xd2, 0x43, 0x2b, 0xb4, 0x63, 0x65, 0xbe, 0xf9, 0xf5, 0x02};
static const uint8_t salt_draft_29[SALT] = {0xaf, 0xbf, 0xec, 0x28, 0x99, 0x93, 0xd2, 0x4c, 0x9e, 0x97,
                                            0x86, 0xf1, 0x9c, 0x61, 0x11, 0xe0, 0x43, 0x90, 0xa8, 0x99};

static const struct {
    uint32_t first, last;
    const uint8_t *salt;
} salts[] = {
    {QUIC_VERSION_1, QUIC_VERSION_1, salt_v1}, {0x54303530, 0x54303530, salt_t050},
    {0x54303531, 0x54303531, salt_t051},       {QUIC_VERSION_2, QUIC_VERSION_2, salt_v2},
    {0xfaceb001, 0xfaceb001, salt_draft_21},   {0xfaceb002, 0xfaceb00e, salt_draft_23},
    {0xff000015, 0xff000016, salt_draft_21},   {0xff000017, 0xff00001c, salt_draft_23},
    {0xff00001d, 0xff000020, salt_draft_29},   {0xff000021, 0xff000022, salt_v1},
};

static const uint8_t *salt_of(uint32_t version) {
    if ((version & 0x0f0f0f0f) == QUIC_RESERVED)
        version = DRAFT_29; /* nobody's: clients that ask for the list say it */
    for (size_t i = 0; i < sizeof salts / sizeof *salts; i++)
        if (version >= salts[i].first && version <= salts[i].last) return salts[i].salt;
    return NULL;
}

bool quic_keys_expand(uint32_t version, const EVP_MD *md, struct slice secret, struct quic_keys *k) {
    bool two = version == QUIC_VERSION_2;
    return tls_expand(md, 0, secret, two ? "quicv2 key" : "quic key", k->key, k->size) &&
           tls_expand(md, 0, secret, two ? "quicv2 iv" : "quic iv", k->iv, QUIC_IV) &&
           tls_expand(md, 0, secret, two ? "quicv2 hp" : "quic hp", k->header, k->size);
}

bool quic_secret_next(uint32_t version, const EVP_MD *md, uint8_t *secret) {
    uint8_t next[EVP_MAX_MD_SIZE];
    size_t n = (size_t)EVP_MD_get_size(md);
    bool ok = tls_expand(md, 0, slice_of(secret, n), version == QUIC_VERSION_2 ? "quicv2 ku" : "quic ku", next, n);
    if (ok) memcpy(secret, next, n);
    OPENSSL_cleanse(next, sizeof next);
    return ok;
}

/* side_derive makes the keys of one side out of the connection's secret. */
static bool side_derive(uint32_t version, const uint8_t secret[SECRET], const char *label, struct quic_keys *k) {
    uint8_t own[SECRET];
    *k = (struct quic_keys){.mode = BULK_GCM, .size = 16};
    return tls_expand(EVP_sha256(), 0, slice_of(secret, SECRET), label, own, SECRET) &&
           quic_keys_expand(version, EVP_sha256(), slice_of(own, SECRET), k);
}

bool quic_keys_derive(uint32_t version, struct slice id, struct quic_keys keys[2]) {
    const uint8_t *salt = salt_of(version);
    uint8_t secret[SECRET];
    return salt && HMAC(EVP_sha256(), salt, SALT, id.p, id.n, secret, NULL) &&
           side_derive(version, secret, "client in", &keys[0]) && side_derive(version, secret, "server in", &keys[1]);
}

bool quic_open(struct arena *a, const struct quic_keys *k, struct slice packet, size_t number_at, uint64_t next,
               struct quic_opened *o) {
    struct quic_cipher c;
    bool ok = quic_cipher_start(&c, k) && quic_header_open(&c, packet, number_at, next, o) &&
              quic_payload_open(a, &c, packet, number_at, o);
    quic_cipher_end(&c);
    return ok;
}
