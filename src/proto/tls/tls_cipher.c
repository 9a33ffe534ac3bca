/* SPDX-License-Identifier: Apache-2.0 */
/* The protection of records: RFC 8446 5.2 and 5.3, RFC 5246 6.2.3, RFC 5288, RFC 6655, RFC 7905, RFC 7366, RFC
 * 6101 5.2.3.
 *
 * Theory of operation. The contexts are keyed once; a record costs a new IV and, with a MAC, a reset of it. Nothing
 * leaves without its MAC or tag having been compared. Where bytes of the stream were lost the sequence number of the
 * next record is not known: the caller says how many following ones may be tried. What depends on the bytes before (the
 * chain of TLS 1.0, RC4) comes back with the record after next, or not at all. */
#include "proto/tls/tls_cipher.h"

#include "proto/tls/tls.h"

#include <endian.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/params.h>

enum { SALT = 4, EXPLICIT = 8, NONCE = 12, AAD12 = 13, AAD13 = 5 };

size_t tls_cipher_iv_size(uint16_t version, const struct tls_suite *s) {
    if (version == TLS13 || s->mode == BULK_CHACHA) return NONCE;
    if (s->mode == BULK_GCM || s->mode == BULK_CCM) return SALT;
    if (s->block && version <= TLS10) return s->block;
    return 0;
}

void tls_cipher_end(struct tls_cipher *c) {
    EVP_CIPHER_CTX_free(c->ctx);
    EVP_MAC_CTX_free(c->mac);
    OPENSSL_clear_free(c->idea, sizeof *c->idea);
    OPENSSL_cleanse(c, sizeof *c);
}

static bool mac_start(struct tls_cipher *c, struct tls_keys *k, const struct tls_cipher_keys *keys) {
    uint8_t hash = c->suite.mac;
    if (hash == HASH_NONE) return true;
    c->mac_len = (uint8_t)(keys->short_mac ? 10 : tls_hash_size(hash));
    if (c->version == SSL3) {
        if (keys->mac.n > sizeof c->mac_secret) return false;
        memcpy(c->mac_secret, keys->mac.p, keys->mac.n);
        return true;
    }
    char name[16] = {0};
    strncpy(name, EVP_MD_get0_name(tls_hash_md(hash)), sizeof name - 1);
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
                           OSSL_PARAM_construct_end()};
    EVP_MAC *hmac = tls_keys_hmac(k);
    c->mac = hmac ? EVP_MAC_CTX_new(hmac) : NULL;
    return c->mac && EVP_MAC_init(c->mac, keys->mac.p, keys->mac.n, params);
}

static bool bulk_start(struct tls_cipher *c, struct tls_keys *k, const struct tls_cipher_keys *keys) {
    uint8_t mode = c->suite.mode;
    if (mode == BULK_NULL) return true;
    if (mode == BULK_IDEA) {
        c->idea = keys->key.n == IDEA_KEY ? OPENSSL_zalloc(sizeof *c->idea) : NULL;
        if (c->idea) idea_start(c->idea, keys->key.p);
        return c->idea != NULL;
    }
    const EVP_CIPHER *cipher = tls_keys_cipher(k, c->suite.bulk);
    c->ctx = cipher ? EVP_CIPHER_CTX_new() : NULL;
    if (!c->ctx || !EVP_DecryptInit_ex2(c->ctx, cipher, NULL, NULL, NULL)) return false;
    if (mode >= BULK_GCM && EVP_CIPHER_CTX_ctrl(c->ctx, EVP_CTRL_AEAD_SET_IVLEN, NONCE, NULL) <= 0) return false;
    if (mode == BULK_CCM && EVP_CIPHER_CTX_ctrl(c->ctx, EVP_CTRL_AEAD_SET_TAG, c->suite.tag, NULL) <= 0) return false;
    if (EVP_CIPHER_CTX_get_key_length(c->ctx) != (int)keys->key.n) return false;
    if (!EVP_DecryptInit_ex2(c->ctx, NULL, keys->key.p, NULL, NULL)) return false;
    if (mode == BULK_GCM && EVP_CIPHER_CTX_ctrl(c->ctx, EVP_CTRL_GCM_SET_IV_FIXED, SALT, c->iv) <= 0) return false;
    /* Where there are no blocks the call would only be repeated with every record. */
    return mode != BULK_CBC || EVP_CIPHER_CTX_set_padding(c->ctx, 0) > 0;
}

bool tls_cipher_start(struct tls_cipher *c, struct tls_keys *k, const struct tls_cipher_keys *keys) {
    *c = (struct tls_cipher){
        .version = keys->version, .suite = keys->suite, .etm = keys->etm && keys->suite.block, .no_aad = keys->no_aad};
    if (keys->iv.n > sizeof c->iv) return false;
    memcpy(c->iv, keys->iv.p, keys->iv.n);
    c->chained = c->suite.block && c->version <= TLS10;
    c->ready = mac_start(c, k, keys) && bulk_start(c, k, keys);
    if (!c->ready) tls_cipher_end(c);
    return c->ready;
}

static void be64_put(uint8_t *to, uint64_t v) {
    v = htobe64(v);
    memcpy(to, &v, sizeof v);
}

static size_t aad_make(const struct tls_cipher *c, const struct tls_sealed *r, uint64_t seq, size_t plain,
                       uint8_t *aad) {
    if (c->no_aad) return 0;
    if (c->version == TLS13) {
        aad[0] = r->type;
        aad[1] = (uint8_t)(r->version >> 8);
        aad[2] = (uint8_t)r->version;
        aad[3] = (uint8_t)(r->body.n >> 8);
        aad[4] = (uint8_t)r->body.n;
        return AAD13;
    }
    be64_put(aad, seq);
    aad[8] = r->type;
    aad[9] = (uint8_t)(r->version >> 8);
    aad[10] = (uint8_t)r->version;
    aad[11] = (uint8_t)(plain >> 8);
    aad[12] = (uint8_t)plain;
    return AAD12;
}

static void nonce_make(const struct tls_cipher *c, struct slice explicit, uint64_t seq, uint8_t nonce[NONCE]) {
    memcpy(nonce, c->iv, NONCE);
    if (explicit.n) {
        memcpy(nonce + SALT, explicit.p, EXPLICIT);
        return;
    }
    be64_put(nonce + SALT, load_be64(c->iv + SALT) ^ seq);
}

/* nonce_set gives the context what a record begins with. With GCM that is one call for the tag and for the part of the
 * nonce behind the salt, which stays: to begin anew costs as much as decrypting a short record. */
static bool nonce_set(const struct tls_cipher *c, uint8_t nonce[NONCE], const uint8_t *tag, size_t plain) {
    bool gcm = c->suite.mode == BULK_GCM, ccm = c->suite.mode == BULK_CCM;
    const OSSL_PARAM params[] = {
        OSSL_PARAM_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, (uint8_t *)tag, c->suite.tag), /* it is only read */
        OSSL_PARAM_octet_string(gcm ? OSSL_CIPHER_PARAM_AEAD_TLS1_SET_IV_INV : NULL, nonce + SALT, NONCE - SALT),
        OSSL_PARAM_END,
    };
    int n;
    if (gcm) return EVP_CIPHER_CTX_set_params(c->ctx, params) > 0;
    /* CCM takes tag and length before the rest, and verifies while it decrypts. */
    if (ccm && !EVP_CIPHER_CTX_set_params(c->ctx, params)) return false;
    if (!EVP_DecryptInit_ex2(c->ctx, NULL, NULL, nonce, ccm ? NULL : params)) return false;
    return !ccm || EVP_DecryptUpdate(c->ctx, NULL, &n, NULL, (int)plain) > 0;
}

static bool aead_try(const struct tls_cipher *c, const struct tls_sealed *r, struct slice explicit, struct slice sealed,
                     uint64_t seq, uint8_t *out) {
    uint8_t nonce[NONCE], aad[AAD12];
    size_t plain = sealed.n - c->suite.tag, aad_len = aad_make(c, r, seq, plain, aad);
    int n;
    nonce_make(c, explicit, seq, nonce);
    if (!nonce_set(c, nonce, sealed.p + plain, plain)) return false;
    if (aad_len && !EVP_DecryptUpdate(c->ctx, NULL, &n, aad, (int)aad_len)) return false;
    if (EVP_DecryptUpdate(c->ctx, out, &n, sealed.p, (int)plain) <= 0) return false;
    return c->suite.mode == BULK_CCM || EVP_DecryptFinal_ex(c->ctx, out + n, &n) > 0;
}

/* seq_guess starts at the number that the step of the explicit nonce suggests: most count it with the records. */
static uint64_t seq_guess(const struct tls_cipher *c, uint64_t nonce, unsigned tries) {
    if (!c->has_nonce) return c->seq;
    uint64_t step = nonce - c->nonce;
    return step && step <= (uint64_t)tries ? c->seq + step - 1 : c->seq;
}

static bool aead_open(struct tls_cipher *c, const struct tls_sealed *r, unsigned tries, uint8_t *out,
                      struct slice *plain) {
    struct slice explicit = {0}, sealed = r->body;
    bool has_explicit = c->version != TLS13 && c->suite.mode != BULK_CHACHA;
    if (has_explicit) {
        explicit = slice_head(sealed, EXPLICIT);
        sealed = slice_tail(sealed, EXPLICIT);
    }
    if (sealed.n < c->suite.tag || (has_explicit && explicit.n < EXPLICIT)) return false;
    uint64_t nonce = has_explicit ? load_be64(explicit.p) : 0,
             guess = has_explicit ? seq_guess(c, nonce, tries) : c->seq, seq = guess;
    bool ok = aead_try(c, r, explicit, sealed, seq, out);
    for (unsigned i = 0; !ok && i < tries; i++) {
        seq = c->seq + i;
        if (seq != guess) ok = aead_try(c, r, explicit, sealed, seq, out);
    }
    if (!ok) return false;
    c->seq = seq + 1;
    c->nonce = nonce;
    c->has_nonce = has_explicit;
    *plain = slice_of(out, sealed.n - c->suite.tag);
    return true;
}

static bool mac_ssl3(const struct tls_cipher *c, const struct tls_sealed *r, uint64_t seq, struct slice data,
                     uint8_t *mac) {
    const EVP_MD *md = tls_hash_md(c->suite.mac);
    size_t size = tls_hash_size(c->suite.mac), pads = c->suite.mac == HASH_MD5 ? 48 : 40;
    uint8_t pad[48], head[11], inner[20];
    be64_put(head, seq);
    head[8] = r->type;
    head[9] = (uint8_t)(data.n >> 8);
    head[10] = (uint8_t)data.n;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    memset(pad, 0x36, sizeof pad);
    bool ok = ctx && EVP_DigestInit_ex(ctx, md, NULL) && EVP_DigestUpdate(ctx, c->mac_secret, size) &&
              EVP_DigestUpdate(ctx, pad, pads) && EVP_DigestUpdate(ctx, head, sizeof head) &&
              EVP_DigestUpdate(ctx, data.p, data.n) && EVP_DigestFinal_ex(ctx, inner, NULL);
    memset(pad, 0x5c, sizeof pad);
    ok = ok && EVP_DigestInit_ex(ctx, md, NULL) && EVP_DigestUpdate(ctx, c->mac_secret, size) &&
         EVP_DigestUpdate(ctx, pad, pads) && EVP_DigestUpdate(ctx, inner, size) && EVP_DigestFinal_ex(ctx, mac, NULL);
    EVP_MD_CTX_free(ctx);
    return ok;
}

static bool mac_make(const struct tls_cipher *c, const struct tls_sealed *r, uint64_t seq, struct slice data,
                     uint8_t *mac) {
    uint8_t head[AAD12];
    size_t n;
    if (c->version == SSL3) return mac_ssl3(c, r, seq, data, mac);
    be64_put(head, seq);
    head[8] = r->type;
    head[9] = (uint8_t)(r->version >> 8);
    head[10] = (uint8_t)r->version;
    head[11] = (uint8_t)(data.n >> 8);
    head[12] = (uint8_t)data.n;
    return EVP_MAC_init(c->mac, NULL, 0, NULL) && EVP_MAC_update(c->mac, head, sizeof head) &&
           EVP_MAC_update(c->mac, data.p, data.n) && EVP_MAC_final(c->mac, mac, &n, EVP_MAX_MD_SIZE);
}

/* mac_fits compares the MAC with that of the next `tries` sequence numbers. */
static bool mac_fits(struct tls_cipher *c, const struct tls_sealed *r, unsigned tries, struct slice data,
                     const uint8_t *mac) {
    uint8_t own[EVP_MAX_MD_SIZE];
    for (unsigned i = 0; i < tries; i++) {
        if (!mac_make(c, r, c->seq + i, data, own)) return false;
        if (CRYPTO_memcmp(own, mac, c->mac_len) != 0) continue;
        c->seq += i + 1;
        return true;
    }
    return false;
}

/* blocks_open decrypts the blocks of a record; *plain is what is inside without the padding. */
static bool blocks_open(struct tls_cipher *c, struct slice in, size_t least, uint8_t *out, struct slice *plain) {
    size_t block = c->suite.block;
    const uint8_t *iv = c->iv;
    int n;
    if (!c->chained) { /* from TLS 1.1 on the record brings its own */
        iv = in.p;
        if (in.n < block) return false;
        in = slice_tail(in, block);
    }
    if (in.n % block || in.n < least + 1) return false;
    if (c->idea) idea_cbc_open(c->idea, iv, in.p, in.n, out);
    else if (!EVP_DecryptInit_ex2(c->ctx, NULL, NULL, iv, NULL) ||
             !EVP_DecryptUpdate(c->ctx, out, &n, in.p, (int)in.n) || (size_t)n != in.n)
        return false;
    size_t pad = out[in.n - 1];
    if (pad + 1 + least > in.n || (c->version == SSL3 && pad >= block)) return false;
    for (size_t i = 1; c->version != SSL3 && i <= pad; i++) /* RFC 5246 6.2.3.2 */
        if (out[in.n - 1 - i] != pad) return false;
    *plain = slice_of(out, in.n - pad - 1);
    return true;
}

static bool cbc_open(struct tls_cipher *c, const struct tls_sealed *r, unsigned tries, uint8_t *out,
                     struct slice *plain) {
    struct slice in = r->body, text;
    if (in.n < c->mac_len) return false;
    if (c->etm) { /* RFC 7366 3: the MAC is over the IV and what is encrypted */
        struct slice sealed = slice_head(in, in.n - c->mac_len);
        return mac_fits(c, r, tries, sealed, in.p + sealed.n) && blocks_open(c, sealed, 0, out, plain);
    }
    if (!blocks_open(c, in, c->mac_len, out, &text)) return false;
    struct slice data = slice_head(text, text.n - c->mac_len);
    if (!mac_fits(c, r, tries, data, text.p + data.n)) return false;
    *plain = data;
    return true;
}

static bool stream_open(struct tls_cipher *c, const struct tls_sealed *r, unsigned tries, uint8_t *out,
                        struct slice *plain) {
    int n = (int)r->body.n;
    if (r->body.n < c->mac_len) return false;
    if (!c->ctx) memcpy(out, r->body.p, r->body.n);
    else if (!EVP_DecryptUpdate(c->ctx, out, &n, r->body.p, n)) return false;
    struct slice data = slice_of(out, r->body.n - c->mac_len);
    if (!mac_fits(c, r, tries, data, out + data.n)) return false;
    *plain = data;
    return true;
}

/* tls_cipher_pass notes a record that was not opened: what the next one needs of it. */
static void tls_cipher_pass(struct tls_cipher *c, const struct tls_sealed *r) {
    size_t block = c->suite.block, end = r->body.n;
    if (!c->chained) return;
    if (c->etm) end = end > c->mac_len ? end - c->mac_len : 0;
    if (end >= block) memcpy(c->iv, r->body.p + end - block, block);
}

bool tls_cipher_open(struct tls_cipher *c, const struct tls_sealed *r, unsigned tries, uint8_t *out,
                     struct slice *plain) {
    bool ok;
    switch (c->suite.mode) {
    case BULK_IDEA:
    case BULK_CBC: ok = cbc_open(c, r, tries, out, plain); break;
    case BULK_NULL:
    case BULK_STREAM: ok = stream_open(c, r, tries, out, plain); break;
    default: ok = aead_open(c, r, tries, out, plain); break;
    }
    tls_cipher_pass(c, r);
    return ok;
}
