/* SPDX-License-Identifier: Apache-2.0 */
/* The key schedule: master secret and key block up to TLS 1.2 (RFC 5246 8.1 and 6.3, RFC 7627, RFC 4279, RFC 5489),
 * traffic keys of TLS 1.3 (RFC 8446 7.3). */
#include "proto/tls/tls_prf.h"
#include "proto/tls/tls_session.h"

#include <openssl/crypto.h>

enum { KEY_BLOCK_MAX = 2 * (48 + 32 + 16), PREMASTER_MAX = 4 + 48 + TLS_PSK_BYTES, DRAFT_AAD = 25 };

static const EVP_MD *prf_md(const struct tls_session *s) { return tls_hash_md(s->suite.prf); }

/* master_make turns a premaster secret into the master secret; false where the digest it needs is not known. */
static bool master_make(struct tls_session *s, struct slice premaster, enum tls_key_origin origin) {
    struct slice client = slice_of(s->client_random, 32), server = slice_of(s->server_random, 32);
    if (s->extended && !s->has_digest) return false;
    if (s->extended)
        s->has_master = tls_prf(s->version, prf_md(s), premaster, "extended master secret",
                                slice_of(s->digest, s->digest_len), (struct slice){0}, s->master, TLS_MASTER);
    else
        s->has_master =
            tls_prf(s->version, prf_md(s), premaster, "master secret", client, server, s->master, TLS_MASTER);
    s->origin = (uint8_t)origin;
    return s->has_master;
}

static bool master_take(struct tls_session *s, const struct tls_key *key) {
    if (!key || key->n != TLS_MASTER) return false;
    memcpy(s->master, key->secret, TLS_MASTER);
    s->origin = key->origin;
    return s->has_master = true;
}

static bool premaster_take(struct tls_session *s, const struct tls_key *key) {
    return key && s->has_server && master_make(s, slice_of(key->secret, key->n), key->origin);
}

/* resumed_find looks for the session that this one goes on with. */
static bool resumed_find(struct tls_keys *k, struct tls_session *s) {
    if (s->full) return false;
    if (s->has_ticket && master_take(s, tls_keys_find(k, TLS_KEY_MASTER_TICKET, slice_of(s->ticket, 32)))) return true;
    return s->server_id_len &&
           slice_eq(slice_of(s->client_id, s->client_id_len), slice_of(s->server_id, s->server_id_len)) &&
           master_take(s, tls_keys_find(k, TLS_KEY_MASTER_SESSION, slice_of(s->server_id, s->server_id_len)));
}

/* logged_session_find looks for the id of a session, which a key log may name. */
static bool logged_session_find(struct tls_keys *k, struct tls_session *s) {
    const struct tls_key *key = tls_keys_find(k, TLS_KEY_MASTER_SESSION, slice_of(s->server_id, s->server_id_len));
    return key && key->origin != TLS_FROM_SESSION && master_take(s, key);
}

bool tls_master_find(struct tls_keys *k, struct tls_session *s) {
    struct slice random = slice_of(s->client_random, 32);
    if (s->has_client && master_take(s, tls_keys_find(k, TLS_KEY_MASTER, random))) return true;
    if (s->has_master) return true;
    if (s->full && premaster_take(s, tls_keys_find(k, TLS_KEY_PREMASTER_SENT, slice_of(s->sent, 8)))) return true;
    if (s->has_client && premaster_take(s, tls_keys_find(k, TLS_KEY_PREMASTER, random))) return true;
    return resumed_find(k, s) || logged_session_find(k, s);
}

static void be16_put(uint8_t *to, size_t v) {
    to[0] = (uint8_t)(v >> 8);
    to[1] = (uint8_t)v;
}

/* psk_premaster joins the other secret (n zeros where it is NULL) and the key: RFC 4279 2 and 4. */
static size_t psk_premaster(uint8_t *to, const uint8_t *other, size_t n, const struct tls_psk *psk) {
    be16_put(to, n);
    if (other) memcpy(to + 2, other, n);
    else memset(to + 2, 0, n);
    be16_put(to + 2 + n, psk->n);
    memcpy(to + 4 + n, psk->key, psk->n);
    return 4 + n + psk->n;
}

/* psk_find picks the key of the identity, else one that is for everybody. */
static const struct tls_psk *psk_find(const struct tls_keys *k, struct slice identity) {
    const struct tls_psk *any = NULL;
    for (unsigned i = 0; i < k->n_psk; i++) {
        const struct tls_psk *p = k->psk[i];
        if (p->identity_len && slice_eq(identity, slice_of(p->identity, p->identity_len))) return p;
        if (!p->identity_len && !any) any = p;
    }
    return any;
}

static struct slice vector16(struct reader *r) {
    uint16_t n = rd_be16(r);
    return rd_take(r, n);
}

/* sealed_open decrypts what the client sent with the key of the server's certificate, or, where that was not seen, with
 * any that fits. */
static size_t sealed_open(const struct tls_keys *k, const struct tls_session *s, struct slice sealed, uint8_t *out) {
    if (s->has_certificate) return tls_private_open(k, s->private, sealed, out, TLS_MASTER);
    size_t n = 0;
    for (unsigned i = 0; i < k->n_private && n != TLS_MASTER; i++)
        n = tls_private_open(k, (int)i, sealed, out, TLS_MASTER);
    return n;
}

void tls_master_exchange(struct tls_keys *k, struct tls_session *s, struct slice body) {
    uint8_t premaster[PREMASTER_MAX] = {0}, opened[TLS_MASTER];
    struct reader r = rd_init(body, body.p);
    uint8_t kx = s->suite.kx;
    bool rsa = kx == KX_RSA || kx == KX_RSA_PSK, psk = kx == KX_PSK || kx == KX_RSA_PSK;
    struct slice identity = psk || kx == KX_DH_PSK || kx == KX_ECDH_PSK ? vector16(&r) : (struct slice){0};
    struct slice sealed = {0};
    s->full = true;
    if (rsa) sealed = s->version == SSL3 ? rd_rest(&r) : vector16(&r);
    if (!rd_ok(&r) || !s->has_client || !s->has_server) return;
    if (rsa && sealed.n >= sizeof s->sent) memcpy(s->sent, sealed.p, sizeof s->sent);
    const struct tls_psk *key = psk ? psk_find(k, identity) : NULL;
    if ((psk && !key) || (!rsa && !psk)) return;
    size_t n = 0;
    if (rsa && (n = sealed_open(k, s, sealed, opened)) != TLS_MASTER) return;
    if (psk) n = psk_premaster(premaster, rsa ? opened : NULL, rsa ? n : key->n, key);
    else memcpy(premaster, opened, n);
    master_make(s, slice_of(premaster, n), rsa ? TLS_FROM_PRIVATE_KEY : TLS_FROM_PSK);
    OPENSSL_cleanse(premaster, sizeof premaster);
    OPENSSL_cleanse(opened, sizeof opened);
}

/* exported makes the keys of exportable suites out of the few bytes of the key block (RFC 2246 6.3.1, RFC
 * 6101 6.2.2.1). */
static bool exported(const struct tls_session *s, int from, struct tls_cipher_keys *keys, uint8_t *key, uint8_t *iv) {
    struct slice client = slice_of(s->client_random, 32), server = slice_of(s->server_random, 32);
    size_t block = keys->suite.block;
    uint8_t ivs[32];
    if (s->version == SSL3) {
        struct slice a = from ? server : client, b = from ? client : server;
        uint8_t digest[2][EVP_MAX_MD_SIZE];
        EVP_MD_CTX *ctx = EVP_MD_CTX_new();
        bool ok = ctx && EVP_DigestInit_ex(ctx, EVP_md5(), NULL) && EVP_DigestUpdate(ctx, keys->key.p, keys->key.n) &&
                  EVP_DigestUpdate(ctx, a.p, a.n) && EVP_DigestUpdate(ctx, b.p, b.n) &&
                  EVP_DigestFinal_ex(ctx, digest[0], NULL) && EVP_DigestInit_ex(ctx, EVP_md5(), NULL) &&
                  EVP_DigestUpdate(ctx, a.p, a.n) && EVP_DigestUpdate(ctx, b.p, b.n) &&
                  EVP_DigestFinal_ex(ctx, digest[1], NULL);
        EVP_MD_CTX_free(ctx);
        memcpy(key, digest[0], keys->suite.key);
        memcpy(iv, digest[1], block);
        return ok;
    }
    if (!tls_prf(s->version, prf_md(s), keys->key, from ? "server write key" : "client write key", client, server, key,
                 keys->suite.key) ||
        !tls_prf(s->version, prf_md(s), (struct slice){0}, "IV block", client, server, ivs, 2 * block))
        return false;
    memcpy(iv, ivs + (from ? block : 0), block);
    return true;
}

bool tls_keys_block(struct tls_keys *k, const struct tls_session *s, int from, struct tls_cipher *c) {
    uint8_t block[KEY_BLOCK_MAX], final_key[32], final_iv[16];
    size_t mac = tls_hash_size(s->suite.mac), key = s->suite.drawn, iv = tls_cipher_iv_size(s->version, &s->suite);
    size_t n = 2 * (mac + key + iv), side = (size_t)(from & 1);
    if (n > sizeof block || !s->has_client || !s->has_server || !s->known_suite) return false;
    if (!tls_prf(s->version, prf_md(s), slice_of(s->master, TLS_MASTER), "key expansion",
                 slice_of(s->server_random, 32), slice_of(s->client_random, 32), block, n))
        return false;
    struct tls_cipher_keys keys = {.version = s->version, .suite = s->suite, .etm = s->etm, .short_mac = s->short_mac};
    keys.mac = slice_of(block + side * mac, mac);
    keys.key = slice_of(block + 2 * mac + side * key, key);
    keys.iv = slice_of(block + 2 * (mac + key) + side * iv, iv);
    bool ok = true;
    if (s->suite.drawn < s->suite.key) {
        ok = exported(s, from & 1, &keys, final_key, final_iv);
        keys.key = slice_of(final_key, s->suite.key);
        if (iv) keys.iv = slice_of(final_iv, iv);
    }
    ok = ok && tls_cipher_start(c, k, &keys);
    OPENSSL_cleanse(block, sizeof block);
    OPENSSL_cleanse(final_key, sizeof final_key);
    return ok;
}

bool tls_keys_secret(struct tls_keys *k, const struct tls_session *s, const struct tls_suite *suite,
                     const uint8_t *secret, struct tls_cipher *c) {
    uint8_t key[32], iv[16];
    const EVP_MD *md = tls_hash_md(suite->prf);
    struct slice from = slice_of(secret, tls_hash_size(suite->prf));
    size_t iv_size = tls_cipher_iv_size(TLS13, suite);
    if (suite->key > sizeof key || !tls_expand(md, s->draft, from, "key", key, suite->key) ||
        !tls_expand(md, s->draft, from, "iv", iv, iv_size))
        return false;
    struct tls_cipher_keys keys = {.version = TLS13, .suite = *suite, .no_aad = s->draft && s->draft < DRAFT_AAD};
    keys.key = slice_of(key, suite->key);
    keys.iv = slice_of(iv, iv_size);
    return tls_cipher_start(c, k, &keys);
}
