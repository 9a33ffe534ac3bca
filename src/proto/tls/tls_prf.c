/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/tls/tls_prf.h"

#include "proto/tls/tls.h"

#include <openssl/crypto.h>
#include <openssl/hmac.h>

enum { SEED_MAX = 192, LABEL_MAX = 32, LABELS_CHANGED = 20 };

/* seed_make joins label and seeds; 0 where they are too long. */
static size_t seed_make(uint8_t *to, const char *label, struct slice a, struct slice b) {
    size_t n = strlen(label);
    if (n + a.n + b.n > SEED_MAX) return 0;
    memcpy(to, label, n);
    if (a.n) memcpy(to + n, a.p, a.n);
    if (b.n) memcpy(to + n + a.n, b.p, b.n);
    return n + a.n + b.n;
}

/* p_hash mixes n bytes of P_hash (RFC 5246 5) into `out` by exclusive or. */
static bool p_hash(const EVP_MD *md, struct slice secret, struct slice seed, uint8_t *out, size_t n) {
    uint8_t block[EVP_MAX_MD_SIZE + SEED_MAX], piece[EVP_MAX_MD_SIZE]; /* block: A(i), then the seed */
    unsigned len = 0;
    if (!HMAC(md, secret.p, (int)secret.n, seed.p, seed.n, block, &len)) return false;
    for (size_t at = 0; at < n;) {
        memcpy(block + len, seed.p, seed.n);
        if (!HMAC(md, secret.p, (int)secret.n, block, len + seed.n, piece, NULL)) return false;
        for (size_t i = 0; i < len && at < n; i++) out[at++] ^= piece[i];
        uint8_t next[EVP_MAX_MD_SIZE];
        if (!HMAC(md, secret.p, (int)secret.n, block, len, next, NULL)) return false;
        memcpy(block, next, len);
    }
    return true;
}

/* ssl3_prf: MD5(secret + SHA1(letters + secret + seeds)), the letters being A, BB, CCC and so on. */
static bool ssl3_prf(struct slice secret, struct slice a, struct slice b, uint8_t *out, size_t n) {
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx != NULL;
    uint8_t letter = 'A';
    for (size_t at = 0; ok && at < n; letter++) {
        uint8_t letters[26], inner[20], piece[16];
        size_t count = (size_t)(letter - 'A' + 1);
        if (count > sizeof letters) break;
        memset(letters, letter, count);
        ok = EVP_DigestInit_ex(ctx, EVP_sha1(), NULL) && EVP_DigestUpdate(ctx, letters, count) &&
             EVP_DigestUpdate(ctx, secret.p, secret.n) && EVP_DigestUpdate(ctx, a.p, a.n) &&
             EVP_DigestUpdate(ctx, b.p, b.n) && EVP_DigestFinal_ex(ctx, inner, NULL) &&
             EVP_DigestInit_ex(ctx, EVP_md5(), NULL) && EVP_DigestUpdate(ctx, secret.p, secret.n) &&
             EVP_DigestUpdate(ctx, inner, sizeof inner) && EVP_DigestFinal_ex(ctx, piece, NULL);
        for (size_t i = 0; ok && i < sizeof piece && at < n; i++) out[at++] = piece[i];
    }
    EVP_MD_CTX_free(ctx);
    return ok;
}

bool tls_prf(uint16_t version, const EVP_MD *md, struct slice secret, const char *label, struct slice seed1,
             struct slice seed2, uint8_t *out, size_t n) {
    uint8_t bytes[SEED_MAX];
    memset(out, 0, n);
    if (version == SSL3) return ssl3_prf(secret, seed1, seed2, out, n);
    struct slice seed = slice_of(bytes, seed_make(bytes, label, seed1, seed2));
    if (!seed.n) return false;
    if (version >= TLS12) return p_hash(md, secret, seed, out, n);
    size_t half = (secret.n + 1) / 2; /* the halves share a byte where the length is odd */
    return p_hash(EVP_md5(), slice_head(secret, half), seed, out, n) &&
           p_hash(EVP_sha1(), slice_tail(secret, secret.n - half), seed, out, n);
}

bool tls_expand(const EVP_MD *md, uint8_t draft, struct slice secret, const char *label, uint8_t *out, size_t n) {
    const char *prefix = draft && draft < LABELS_CHANGED ? "TLS 1.3, " : "tls13 ";
    uint8_t info[EVP_MAX_MD_SIZE + LABEL_MAX + 8], block[EVP_MAX_MD_SIZE]; /* T(i-1), HkdfLabel, counter */
    size_t head = strlen(prefix), words = strlen(label), at = 0, had = 0;
    if (head + words > LABEL_MAX || n > 255) return false;
    for (uint8_t counter = 1; at < n; counter++) {
        uint8_t *p = info + had;
        memcpy(info, block, had);
        *p++ = 0;
        *p++ = (uint8_t)n;
        *p++ = (uint8_t)(head + words);
        memcpy(p, prefix, head);
        memcpy(p + head, label, words);
        p += head + words;
        *p++ = 0;
        *p++ = counter;
        unsigned len = 0;
        if (!HMAC(md, secret.p, (int)secret.n, info, (size_t)(p - info), block, &len)) return false;
        had = len;
        size_t take = n - at < len ? n - at : len;
        memcpy(out + at, block, take);
        at += take;
    }
    OPENSSL_cleanse(block, sizeof block);
    return true;
}
