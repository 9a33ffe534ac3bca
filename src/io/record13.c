/* SPDX-License-Identifier: Apache-2.0 */
#include "io/record13.h"
#include <assert.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>

static const struct {
    const char *cipher, *hash;
    uint8_t key, secret;
} suites[] = {
    [RECORD13_AES128] = {"AES-128-GCM", "SHA256", 16, 32},
    [RECORD13_AES256] = {"AES-256-GCM", "SHA384", 32, 48},
    [RECORD13_CHACHA] = {"ChaCha20-Poly1305", "SHA256", 32, 32},
};
static_assert(sizeof suites / sizeof *suites == RECORD13_SUITES, "every suite is described");

enum { SEAL, OPEN, WAYS };

struct record13_crypt {
    EVP_CIPHER_CTX *ctx[RECORD13_SUITES][WAYS];
    uint64_t keyed[RECORD13_SUITES][WAYS]; /* record13_key.id the context was set up with */
    const EVP_MD *md[RECORD13_SUITES];
    uint64_t ids;
};

static bool make_suite(struct record13_crypt *c, int s) {
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, suites[s].cipher, NULL);
    bool ok = cipher && (c->md[s] = EVP_get_digestbyname(suites[s].hash));
    for (int way = 0; ok && way < WAYS; way++) {
        c->ctx[s][way] = EVP_CIPHER_CTX_new();
        ok = c->ctx[s][way] && EVP_CipherInit_ex(c->ctx[s][way], cipher, NULL, NULL, NULL, way == SEAL) == 1;
    }
    EVP_CIPHER_free(cipher);
    return ok;
}

struct record13_crypt *record13_crypt_make(void) {
    struct record13_crypt *c = calloc(1, sizeof *c);
    bool ok = c;
    for (int s = 0; ok && s < RECORD13_SUITES; s++) ok = make_suite(c, s);
    if (ok) return c;
    record13_crypt_free(c);
    return NULL;
}

void record13_crypt_free(struct record13_crypt *c) {
    if (!c) return;
    for (int s = 0; s < RECORD13_SUITES; s++)
        for (int way = 0; way < WAYS; way++) EVP_CIPHER_CTX_free(c->ctx[s][way]);
    free(c);
}

size_t record13_secret_len(enum record13_suite s) { return suites[s].secret; }

/* expand is HKDF-Expand-Label (7.1) with an empty context, for results no longer than the hash: one HMAC. */
static bool expand(const struct record13_crypt *c, int s, const uint8_t *secret, const char *label, uint8_t *out,
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
    bool ok = HMAC(c->md[s], secret, suites[s].secret, info, at, block, &made) && made >= n;
    if (ok) memcpy(out, block, n);
    OPENSSL_cleanse(block, sizeof block);
    return ok;
}

bool record13_start(struct record13_crypt *c, enum record13_suite s, struct record13_key *k, const uint8_t *secret) {
    memmove(k->secret, secret, suites[s].secret);
    k->id = ++c->ids;
    k->seq = 0;
    return expand(c, s, k->secret, "key", k->key, suites[s].key) && expand(c, s, k->secret, "iv", k->iv, sizeof k->iv);
}

bool record13_next(struct record13_crypt *c, enum record13_suite s, struct record13_key *k) {
    uint8_t next[RECORD_SECRET_MAX];
    bool ok = expand(c, s, k->secret, "traffic upd", next, suites[s].secret) && record13_start(c, s, k, next);
    OPENSSL_cleanse(next, sizeof next);
    return ok;
}

void record13_forget(struct record13_crypt *c, enum record13_suite s, struct record13_key *k) {
    static const uint8_t nothing[sizeof k->key];
    for (int way = 0; way < WAYS; way++) {
        if (!k->id || c->keyed[s][way] != k->id) continue;
        (void)EVP_CipherInit_ex(c->ctx[s][way], NULL, NULL, nothing, nothing, way == SEAL);
        c->keyed[s][way] = 0;
    }
    OPENSSL_cleanse(k, sizeof *k);
}

/* set_up gives the shared context this connection's key, unless it still has it, and the record's nonce (5.3). */
static EVP_CIPHER_CTX *set_up(struct record13_crypt *c, int s, int way, struct record13_key *k) {
    uint8_t nonce[12];
    memcpy(nonce, k->iv, sizeof nonce);
    for (int i = 0; i < 8; i++) nonce[11 - i] ^= (uint8_t)(k->seq >> 8 * i);
    k->seq++;
    const uint8_t *key = c->keyed[s][way] == k->id ? NULL : k->key;
    bool ok = EVP_CipherInit_ex(c->ctx[s][way], NULL, NULL, key, nonce, way == SEAL) == 1;
    c->keyed[s][way] = ok ? k->id : 0;
    return ok ? c->ctx[s][way] : NULL;
}

size_t record13_seal(struct record13_crypt *c, enum record13_suite s, struct record13_key *k, enum record13_type type,
                     const void *plain, size_t n, uint8_t *out) {
    size_t len = n + 1 + RECORD_TAG;
    uint8_t inner = (uint8_t)type;
    int got;
    out[0] = RECORD_DATA, out[1] = 3, out[2] = 3, out[3] = (uint8_t)(len >> 8), out[4] = (uint8_t)len;
    EVP_CIPHER_CTX *x = set_up(c, s, SEAL, k);
    bool ok = x && EVP_EncryptUpdate(x, NULL, &got, out, RECORD_HEAD) == 1 &&
              EVP_EncryptUpdate(x, out + RECORD_HEAD, &got, plain, (int)n) == 1 &&
              EVP_EncryptUpdate(x, out + RECORD_HEAD + n, &got, &inner, 1) == 1 &&
              EVP_EncryptFinal_ex(x, out + RECORD_HEAD + n + 1, &got) == 1 &&
              EVP_CIPHER_CTX_ctrl(x, EVP_CTRL_AEAD_GET_TAG, RECORD_TAG, out + RECORD_HEAD + n + 1) == 1;
    return ok ? RECORD_HEAD + len : 0;
}

long record13_open(struct record13_crypt *c, enum record13_suite s, struct record13_key *k, struct slice record,
                   uint8_t *out, int *type) {
    if (record.n < RECORD_HEAD + 1 + RECORD_TAG || record.p[0] != RECORD_DATA) return -1;
    size_t n = record.n - RECORD_HEAD - RECORD_TAG;
    uint8_t tag[RECORD_TAG];
    int got;
    memcpy(tag, record.p + RECORD_HEAD + n, RECORD_TAG);
    EVP_CIPHER_CTX *x = set_up(c, s, OPEN, k);
    bool ok = x && EVP_DecryptUpdate(x, NULL, &got, record.p, RECORD_HEAD) == 1 &&
              EVP_DecryptUpdate(x, out, &got, record.p + RECORD_HEAD, (int)n) == 1 &&
              EVP_CIPHER_CTX_ctrl(x, EVP_CTRL_AEAD_SET_TAG, RECORD_TAG, tag) == 1 &&
              EVP_DecryptFinal_ex(x, out + n, &got) == 1;
    if (!ok) return -1;
    while (n && out[n - 1] == 0) n--; /* padding (5.4) */
    if (n == 0) return -1;            /* no type: unexpected_message */
    *type = out[n - 1];
    return (long)n - 1 <= RECORD_PLAIN_MAX ? (long)n - 1 : -1;
}
