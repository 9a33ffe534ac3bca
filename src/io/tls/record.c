/* SPDX-License-Identifier: Apache-2.0 */
/* Theory of operation: all connections of a process share one cipher context for each cipher and way; `keyed` remembers
 * whose key it holds, by a number no two keys of the process share, so that a connection that speaks again saves the
 * schedule of its key.
 *
 * No nonce is used twice with a key. TLS 1.3 and ChaCha20 make it of the record's number, which only counts up and is
 * counted before the cipher runs, so also where that fails. TLS 1.2 with AES-GCM sends it: the caller says where it
 * goes on from what OpenSSL used, and it counts up from there. At the last number sealing and opening fail. */
#include "io/tls/record.h"
#include <assert.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <stdlib.h>

enum cipher { AES128, AES256, CHACHA, CIPHERS };
static const struct {
    const char *name, *hash; /* hash: of TLS 1.3's key schedule and of the PRF of TLS 1.2 with this cipher */
    uint8_t key, secret;
} ciphers[] = {
    [AES128] = {"AES-128-GCM", "SHA256", 16, 32},
    [AES256] = {"AES-256-GCM", "SHA384", 32, 48},
    [CHACHA] = {"ChaCha20-Poly1305", "SHA256", 32, 32},
};
static_assert(sizeof ciphers / sizeof *ciphers == CIPHERS, "every cipher is described");
static_assert(RECORD13_AES128 % 3 == AES128 && RECORD12_CHACHA % 3 == CHACHA && RECORD_SUITES == 2 * CIPHERS,
              "suites of both versions are in the order of the ciphers");

enum { SEAL, OPEN, WAYS, NONCE = 12, SALT = 4, AAD12 = 13 };

struct record_crypt {
    EVP_CIPHER_CTX *ctx[CIPHERS][WAYS];
    uint64_t keyed[CIPHERS][WAYS]; /* record_key.id the context was set up with */
    const EVP_MD *md[CIPHERS];
    EVP_KDF_CTX *prf; /* of TLS 1.2 */
    uint64_t ids;
};

static enum cipher cipher_of(enum record_suite s) { return s % CIPHERS; }
/* explicit_of returns the bytes of nonce each record carries. */
static size_t explicit_of(enum record_suite s) {
    return s == RECORD12_AES128 || s == RECORD12_AES256 ? RECORD_NONCE : 0;
}

static bool make_cipher(struct record_crypt *c, int i) {
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, ciphers[i].name, NULL);
    bool ok = cipher && (c->md[i] = EVP_get_digestbyname(ciphers[i].hash));
    for (int way = 0; ok && way < WAYS; way++) {
        c->ctx[i][way] = EVP_CIPHER_CTX_new();
        ok = c->ctx[i][way] && EVP_CipherInit_ex(c->ctx[i][way], cipher, NULL, NULL, NULL, way == SEAL) == 1;
    }
    EVP_CIPHER_free(cipher);
    return ok;
}

struct record_crypt *record_crypt_make(void) {
    struct record_crypt *c = calloc(1, sizeof *c);
    if (!c) return NULL;
    EVP_KDF *prf = EVP_KDF_fetch(NULL, "TLS1-PRF", NULL);
    bool ok = prf && (c->prf = EVP_KDF_CTX_new(prf));
    EVP_KDF_free(prf);
    for (int i = 0; ok && i < CIPHERS; i++) ok = make_cipher(c, i);
    if (ok) return c;
    record_crypt_free(c);
    return NULL;
}

void record_crypt_free(struct record_crypt *c) {
    if (!c) return;
    for (int i = 0; i < CIPHERS; i++)
        for (int way = 0; way < WAYS; way++) EVP_CIPHER_CTX_free(c->ctx[i][way]);
    EVP_KDF_CTX_free(c->prf);
    free(c);
}

/* expand is HKDF-Expand-Label (7.1) with an empty context, for results no longer than the hash: one HMAC. */
static bool expand(const struct record_crypt *c, enum cipher i, const uint8_t *secret, const char *label, uint8_t *out,
                   size_t n) {
    uint8_t info[64], block[EVP_MAX_MD_SIZE];
    size_t at = 0, len = strlen(label);
    unsigned made = 0;
    info[at++] = 0;
    info[at++] = (uint8_t)n;
    info[at++] = (uint8_t)(6 + len);
    memcpy(info + at, "tls13 ", 6);
    memcpy(info + at + 6, label, len);
    at += 6 + len;
    info[at++] = 0; /* no context */
    info[at++] = 1; /* RFC 5869 2.3: the number of the block */
    bool ok = HMAC(c->md[i], secret, ciphers[i].secret, info, at, block, &made) && made >= n;
    if (ok) memcpy(out, block, n);
    OPENSSL_cleanse(block, sizeof block);
    return ok;
}

bool record_start(struct record_crypt *c, enum record_suite s, struct record_key *k, const uint8_t *secret) {
    enum cipher i = cipher_of(s);
    memmove(k->secret, secret, ciphers[i].secret);
    k->id = ++c->ids;
    k->seq = 0;
    return expand(c, i, k->secret, "key", k->key, ciphers[i].key) && expand(c, i, k->secret, "iv", k->iv, NONCE);
}

bool record_next(struct record_crypt *c, enum record_suite s, struct record_key *k) {
    uint8_t next[RECORD_SECRET_MAX];
    enum cipher i = cipher_of(s);
    bool ok = expand(c, i, k->secret, "traffic upd", next, ciphers[i].secret) && record_start(c, s, k, next);
    OPENSSL_cleanse(next, sizeof next);
    return ok;
}

/* prf is TLS 1.2's (RFC 5246 5). */
static bool prf(struct record_crypt *c, enum cipher i, const uint8_t *master, const uint8_t *seed, size_t n_seed,
                uint8_t *out, size_t n) {
    OSSL_PARAM p[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)(uintptr_t)ciphers[i].hash, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SECRET, (void *)(uintptr_t)master, RECORD_SECRET_MAX),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SEED, (void *)(uintptr_t)seed, n_seed),
        OSSL_PARAM_construct_end(),
    };
    bool ok = EVP_KDF_derive(c->prf, out, n, p) == 1;
    EVP_KDF_CTX_reset(c->prf); /* it holds the master secret */
    return ok;
}

bool record12_start(struct record_crypt *c, enum record_suite s, struct record_key *client, struct record_key *server,
                    const uint8_t master[RECORD_SECRET_MAX], const uint8_t *client_random,
                    const uint8_t *server_random) {
    static const char label[] = "key expansion";
    enum { LABEL = sizeof label - 1 };
    uint8_t seed[LABEL + 2 * RECORD_RANDOM], block[2 * (32 + NONCE)];
    enum cipher i = cipher_of(s);
    size_t key = ciphers[i].key, iv = explicit_of(s) ? SALT : NONCE;
    memcpy(seed, label, LABEL);
    memcpy(seed + LABEL, server_random, RECORD_RANDOM);
    memcpy(seed + LABEL + RECORD_RANDOM, client_random, RECORD_RANDOM);
    bool ok = prf(c, i, master, seed, sizeof seed, block, 2 * (key + iv));
    struct record_key *both[] = {client, server};
    for (size_t k = 0; ok && k < 2; k++) {
        *both[k] = (struct record_key){.id = ++c->ids, .seq = 1};
        memcpy(both[k]->key, block + k * key, key);
        memcpy(both[k]->iv, block + 2 * key + k * iv, iv);
    }
    OPENSSL_cleanse(block, sizeof block);
    return ok;
}

void record_forget(struct record_crypt *c, enum record_suite s, struct record_key *k) {
    static const uint8_t nothing[sizeof k->key];
    enum cipher i = cipher_of(s);
    for (int way = 0; way < WAYS; way++) {
        if (!k->id || c->keyed[i][way] != k->id) continue;
        (void)EVP_CipherInit_ex(c->ctx[i][way], NULL, NULL, nothing, nothing, way == SEAL);
        c->keyed[i][way] = 0;
    }
    OPENSSL_cleanse(k, sizeof *k);
}

static void put64(uint8_t *to, uint64_t v) {
    for (int i = 0; i < 8; i++) to[i] = (uint8_t)(v >> (56 - 8 * i));
}

/* nonce_of makes the nonce of the record of number k->seq (RFC 8446 5.3, RFC 7905 2; RFC 5288 3: `sent` is its part in
 * the record). */
static void nonce_of(const struct record_key *k, const uint8_t *sent, uint8_t nonce[NONCE]) {
    memcpy(nonce, k->iv, NONCE);
    if (sent) {
        memcpy(nonce + SALT, sent, RECORD_NONCE);
        return;
    }
    for (int i = 0; i < 8; i++) nonce[NONCE - 1 - i] ^= (uint8_t)(k->seq >> 8 * i);
}

/* set_up gives the shared context this connection's key, unless it still has it, the record's nonce and what is
 * authenticated beside its content, and counts the record. NULL: failed, or the numbers have run out. */
static EVP_CIPHER_CTX *set_up(struct record_crypt *c, enum record_suite s, int way, struct record_key *k,
                              const uint8_t *head, size_t plain) {
    uint8_t nonce[NONCE], aad[AAD12];
    size_t n = RECORD_HEAD;
    int got;
    nonce_of(k, explicit_of(s) ? head + RECORD_HEAD : NULL, nonce);
    memcpy(aad, head, RECORD_HEAD);
    if (record_is_12(s)) { /* RFC 5246 6.2.3.3 */
        put64(aad, k->seq);
        memcpy(aad + 8, head, 3);
        aad[11] = (uint8_t)(plain >> 8), aad[12] = (uint8_t)plain;
        n = AAD12;
    }
    if (k->seq == UINT64_MAX) return NULL;
    k->seq++;
    EVP_CIPHER_CTX *x = c->ctx[cipher_of(s)][way];
    uint64_t *keyed = &c->keyed[cipher_of(s)][way];
    bool ok = EVP_CipherInit_ex(x, NULL, NULL, *keyed == k->id ? NULL : k->key, nonce, way == SEAL) == 1 &&
              EVP_CipherUpdate(x, NULL, &got, aad, (int)n) == 1;
    *keyed = ok ? k->id : 0;
    return ok ? x : NULL;
}

size_t record_seal(struct record_crypt *c, enum record_suite s, struct record_key *k, enum record_type type,
                   const void *plain, size_t n, uint8_t *out) {
    bool v12 = record_is_12(s);
    size_t sent = explicit_of(s), len = sent + n + !v12 + RECORD_TAG;
    uint8_t inner = (uint8_t)type, *to = out + RECORD_HEAD + sent;
    int got;
    out[0] = v12 ? inner : RECORD_DATA, out[1] = 3, out[2] = 3, out[3] = (uint8_t)(len >> 8), out[4] = (uint8_t)len;
    if (sent) put64(out + RECORD_HEAD, k->nonce++);
    EVP_CIPHER_CTX *x = set_up(c, s, SEAL, k, out, n);
    bool ok = x && (!n || EVP_EncryptUpdate(x, to, &got, plain, (int)n) == 1) &&
              (v12 || EVP_EncryptUpdate(x, to + n, &got, &inner, 1) == 1) &&
              EVP_EncryptFinal_ex(x, to + n + !v12, &got) == 1 &&
              EVP_CIPHER_CTX_ctrl(x, EVP_CTRL_AEAD_GET_TAG, RECORD_TAG, to + n + !v12) == 1;
    return ok ? RECORD_HEAD + len : 0;
}

/* decrypt opens what is sealed in a record: `n` bytes behind its head and nonce. */
static bool decrypt(struct record_crypt *c, enum record_suite s, struct record_key *k, struct slice record, size_t n,
                    uint8_t *out) {
    const uint8_t *from = record.p + RECORD_HEAD + explicit_of(s);
    uint8_t tag[RECORD_TAG];
    int got;
    memcpy(tag, from + n, RECORD_TAG);
    EVP_CIPHER_CTX *x = set_up(c, s, OPEN, k, record.p, n);
    return x && (!n || EVP_DecryptUpdate(x, out, &got, from, (int)n) == 1) &&
           EVP_CIPHER_CTX_ctrl(x, EVP_CTRL_AEAD_SET_TAG, RECORD_TAG, tag) == 1 &&
           EVP_DecryptFinal_ex(x, out + n, &got) == 1;
}

static bool known_type(uint8_t t) { return t >= RECORD_CHANGE_CIPHER && t <= RECORD_DATA; }

long record_open(struct record_crypt *c, enum record_suite s, struct record_key *k, struct slice record, uint8_t *out,
                 int *type) {
    bool v12 = record_is_12(s);
    size_t around = RECORD_HEAD + explicit_of(s) + RECORD_TAG;
    if (record.n < RECORD_HEAD) return -ALERT_BAD_RECORD;
    /* In the clear: anybody could have sent it. TLS 1.2 has no other place for the type. */
    if (v12 ? !known_type(record.p[0]) || record.p[1] != 3 || record.p[2] != 3 : record.p[0] != RECORD_DATA)
        return -ALERT_UNEXPECTED;
    if (record.n < around + !v12 || record.n - RECORD_HEAD != (size_t)(record.p[3] << 8 | record.p[4]))
        return -ALERT_BAD_RECORD;
    size_t n = record.n - around;
    if (n > (size_t)RECORD_PLAIN_MAX + !v12) return -ALERT_OVERFLOW; /* 5.4: padding does not make it longer */
    if (!decrypt(c, s, k, record, n, out)) return -ALERT_BAD_RECORD;
    *type = record.p[0];
    if (v12) return (long)n;
    while (n && out[n - 1] == 0) n--; /* padding (5.4) */
    if (n == 0) return -ALERT_UNEXPECTED;
    *type = out[n - 1];
    return (long)n - 1;
}
