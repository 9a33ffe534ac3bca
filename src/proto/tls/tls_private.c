/* SPDX-License-Identifier: Apache-2.0 */
/* Private keys: read from their files, matched to certificates, and used on premaster secrets. */
#include "proto/tls/tls_session.h"

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/decoder.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/provider.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

enum { MODULUS_MAX = 2048, MODULUS_LEAST = 64 }; /* bytes */

static int passphrase_give(char *buf, int size, int writing, void *to) {
    const char *pass = to;
    (void)writing;
    size_t n = pass ? strlen(pass) : 0;
    if (!pass || n > (size_t)size) return -1;
    memcpy(buf, pass, n);
    return (int)n;
}

/* pem_or_der_read reads all forms of a bare key. */
static EVP_PKEY *pem_or_der_read(struct slice file, const char *passphrase) {
    EVP_PKEY *key = NULL;
    BIO *bio = BIO_new_mem_buf(file.p, (int)file.n);
    OSSL_DECODER_CTX *ctx = OSSL_DECODER_CTX_new_for_pkey(&key, NULL, NULL, NULL, EVP_PKEY_KEYPAIR, NULL, NULL);
    if (ctx) OSSL_DECODER_CTX_set_pem_password_cb(ctx, passphrase_give, (void *)(uintptr_t)passphrase);
    /* A file may begin with a certificate: the decoder takes one object after the other. */
    while (bio && ctx && !key && BIO_pending(bio) > 0 && OSSL_DECODER_from_bio(ctx, bio)) continue;
    OSSL_DECODER_CTX_free(ctx);
    if (!key && bio) {
        (void)BIO_reset(bio);
        key = PEM_read_bio_PrivateKey(bio, NULL, passphrase_give, (void *)(uintptr_t)passphrase);
    }
    BIO_free(bio);
    return key;
}

static EVP_PKEY *pkcs12_read(struct slice file, const char *passphrase, bool *is_one) {
    BIO *bio = BIO_new_mem_buf(file.p, (int)file.n);
    PKCS12 *p12 = bio ? d2i_PKCS12_bio(bio, NULL) : NULL;
    EVP_PKEY *key = NULL;
    *is_one = p12 != NULL;
    if (p12 && !PKCS12_parse(p12, passphrase ? passphrase : "", &key, NULL, NULL)) key = NULL;
    PKCS12_free(p12);
    BIO_free(bio);
    return key;
}

/* encrypted tells whether a file that did not open is an encrypted key: PEM says so, DER by its structure. */
static bool encrypted(struct slice file) {
    const unsigned char *p = file.p;
    X509_SIG *sealed = d2i_X509_SIG(NULL, &p, (long)file.n);
    bool is = sealed || slice_holds(file, SLICE("ENCRYPTED"));
    X509_SIG_free(sealed);
    return is;
}

bool tls_keys_private(struct tls_keys *k, struct slice file, const char *passphrase, struct writer *why) {
    bool p12 = false;
    if (k->n_private == TLS_PRIVATE_MAX) {
        wr_f(why, "more than %d private keys", TLS_PRIVATE_MAX);
        return false;
    }
    EVP_PKEY *key = file.n && file.n < INT32_MAX ? pem_or_der_read(file, passphrase) : NULL;
    if (!key && file.n && file.n < INT32_MAX) {
        key = pkcs12_read(file, passphrase, &p12);
        if (!key && p12 && !k->legacy) { /* older files are encrypted with what the library now keeps apart */
            k->legacy = OSSL_PROVIDER_try_load(NULL, "legacy", 1);
            key = pkcs12_read(file, passphrase, &p12);
        }
    }
    bool secret = !key && (p12 || (file.n && file.n < INT32_MAX && encrypted(file)));
    ERR_clear_error();
    if (secret)
        wr_s(why, passphrase ? "the passphrase does not open it" : "it is encrypted, and no passphrase was given");
    else if (!key) wr_s(why, "no private key in it (PEM, DER or PKCS#12)");
    else if (EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA)
        wr_s(why, "not an RSA key: only those open sessions of others, up to TLS 1.2");
    else if (EVP_PKEY_get_size(key) > MODULUS_MAX || EVP_PKEY_get_size(key) < MODULUS_LEAST)
        wr_s(why, "an RSA key of that size is not used for TLS");
    else {
        k->private[k->n_private++] = key;
        return k->any = k->premasters = true;
    }
    EVP_PKEY_free(key);
    return false;
}

int tls_private_match(const struct tls_keys *k, struct slice certificate) {
    const unsigned char *p = certificate.p;
    X509 *x = certificate.n < INT32_MAX ? d2i_X509(NULL, &p, (long)certificate.n) : NULL;
    EVP_PKEY *public = x ? X509_get0_pubkey(x) : NULL;
    int found = -1;
    for (unsigned i = 0; public && i < k->n_private && found < 0; i++)
        if (EVP_PKEY_eq(public, k->private[i]) == 1) found = (int)i;
    X509_free(x);
    ERR_clear_error();
    return found;
}

/* raw_open applies the private key without looking at the padding, which is checked below: the library's own check
 * hides whether it failed. */
static size_t raw_open(EVP_PKEY *key, struct slice sealed, uint8_t *out, size_t room) {
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
    size_t n = room;
    bool ok = ctx && EVP_PKEY_decrypt_init(ctx) > 0 && EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_NO_PADDING) > 0 &&
              EVP_PKEY_decrypt(ctx, out, &n, sealed.p, sealed.n) > 0;
    EVP_PKEY_CTX_free(ctx);
    ERR_clear_error();
    return ok ? n : 0;
}

size_t tls_private_open(const struct tls_keys *k, int number, struct slice sealed, uint8_t *out, size_t room) {
    uint8_t block[MODULUS_MAX];
    if (number < 0 || (unsigned)number >= k->n_private || sealed.n != (size_t)EVP_PKEY_get_size(k->private[number]))
        return 0;
    size_t n = raw_open(k->private[number], sealed, block, sizeof block), at = 2;
    /* RFC 8017 7.2.2: 00 02, at least eight bytes that are not zero, 00, the secret. */
    if (n != sealed.n || block[0] != 0 || block[1] != 2) return 0;
    while (at < n && block[at]) at++;
    size_t len = n - at;
    if (at < 10 || len < 2 || len - 1 > room) return 0;
    memcpy(out, block + at + 1, len - 1);
    OPENSSL_cleanse(block, sizeof block);
    return len - 1;
}
