/* SPDX-License-Identifier: Apache-2.0 */
/* Cipher suites: what a suite does is written in its registered name, TLS_<key exchange>_WITH_<cipher>_<digest>. */
#include "proto/tls/tls_suite.h"

#include "proto/tls/tls.h"

#include <assert.h>

enum { EXPORT_KEY = 5 }; /* RFC 2246 A.5 */

/* The order matters in both tables: the first that fits. */
static const struct {
    const char *head;
    enum tls_kx kx;
} heads[] = {
    {"TLS_ECDHE_PSK_", KX_ECDH_PSK},
    {"TLS_ECDHE_", KX_ECDH},
    {"TLS_ECDH_", KX_ECDH},
    {"TLS_DHE_PSK_", KX_DH_PSK},
    {"TLS_DHE_", KX_DH},
    {"TLS_DH_", KX_DH},
    {"TLS_RSA_PSK_", KX_RSA_PSK},
    {"TLS_RSA_EXPORT", KX_RSA_EXPORT},
    {"TLS_RSA_", KX_RSA},
    {"TLS_PSK_", KX_PSK},
    {"TLS_AES_", KX_TLS13},
    {"TLS_CHACHA20_", KX_TLS13},
};

static const struct {
    const char *word, *name;
    uint8_t mode, key, block, tag;
    bool legacy;
} bulks[] = {
    {"AES_128_GCM", "AES-128-GCM", BULK_GCM, 16, 0, 16, false},
    {"AES_256_GCM", "AES-256-GCM", BULK_GCM, 32, 0, 16, false},
    {"CHACHA20_POLY1305", "ChaCha20-Poly1305", BULK_CHACHA, 32, 0, 16, false},
    {"AES_128_CCM_8", "AES-128-CCM", BULK_CCM, 16, 0, 8, false},
    {"AES_256_CCM_8", "AES-256-CCM", BULK_CCM, 32, 0, 8, false},
    {"AES_128_CCM", "AES-128-CCM", BULK_CCM, 16, 0, 16, false},
    {"AES_256_CCM", "AES-256-CCM", BULK_CCM, 32, 0, 16, false},
    {"AES_128_CBC", "AES-128-CBC", BULK_CBC, 16, 16, 0, false},
    {"AES_256_CBC", "AES-256-CBC", BULK_CBC, 32, 16, 0, false},
    {"CAMELLIA_128_CBC", "CAMELLIA-128-CBC", BULK_CBC, 16, 16, 0, false},
    {"CAMELLIA_256_CBC", "CAMELLIA-256-CBC", BULK_CBC, 32, 16, 0, false},
    {"ARIA_128_CBC", "ARIA-128-CBC", BULK_CBC, 16, 16, 0, false},
    {"ARIA_256_CBC", "ARIA-256-CBC", BULK_CBC, 32, 16, 0, false},
    {"ARIA_128_GCM", "ARIA-128-GCM", BULK_GCM, 16, 0, 16, false},
    {"ARIA_256_GCM", "ARIA-256-GCM", BULK_GCM, 32, 0, 16, false},
    {"3DES_EDE_CBC", "DES-EDE3-CBC", BULK_CBC, 24, 8, 0, false},
    {"WITH_NULL", NULL, BULK_NULL, 0, 0, 0, false},
    {"RC4_128", "RC4", BULK_STREAM, 16, 0, 0, true},
    {"SEED_CBC", "SEED-CBC", BULK_CBC, 16, 16, 0, true},
    {"IDEA_CBC", NULL, BULK_IDEA, 16, 8, 0, false},
    {"WITH_DES_CBC", "DES-CBC", BULK_CBC, 8, 8, 0, true},
    {"WITH_DES40_CBC", "DES-CBC", BULK_CBC, 8, 8, 0, true},
    {"WITH_RC4_40", "RC4", BULK_STREAM, 16, 0, 0, true},
};
static_assert(sizeof bulks / sizeof *bulks <= TLS_BULK_COUNT, "each algorithm has its place in tls_keys");

static enum tls_kx kx_of(struct slice name) {
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
        if (slice_starts(name, slice_str(heads[i].head))) return heads[i].kx;
    return KX_UNKNOWN;
}

static bool ends(const char *name, const char *with) {
    size_t n = strlen(name), m = strlen(with);
    return n >= m && strcmp(name + n - m, with) == 0;
}

static void digests_find(const char *name, struct tls_suite *s) {
    static const struct {
        const char *end;
        enum tls_hash hash;
    } ending[] = {{"_SHA384", HASH_SHA384}, {"_SHA256", HASH_SHA256}, {"_SHA", HASH_SHA1}, {"_MD5", HASH_MD5}};
    uint8_t hash = HASH_NONE;
    for (size_t i = 0; i < sizeof ending / sizeof *ending && hash == HASH_NONE; i++)
        if (ends(name, ending[i].end)) hash = (uint8_t)ending[i].hash;
    bool authenticates = s->mode >= BULK_GCM;
    s->mac = authenticates ? HASH_NONE : hash;
    s->prf =
        hash == HASH_SHA384 ? HASH_SHA384 : HASH_SHA256; /* RFC 5246 5: SHA-256 where the suite says nothing else */
}

bool tls_suite_find(uint16_t number, struct tls_suite *out) {
    const char *name = field_value_name(&vals_tls_suite, number);
    *out = (struct tls_suite){.mac = HASH_NONE, .prf = HASH_SHA256};
    if (!name) return false;
    out->kx = (uint8_t)kx_of(slice_str(name));
    if (out->kx == KX_UNKNOWN) return false;
    for (size_t i = 0; i < sizeof bulks / sizeof *bulks; i++) {
        if (!strstr(name, bulks[i].word)) continue;
        out->bulk = (uint8_t)i;
        out->mode = bulks[i].mode;
        out->key = bulks[i].key;
        out->drawn = strstr(name, "_EXPORT_") ? EXPORT_KEY : out->key;
        out->block = bulks[i].block;
        out->tag = bulks[i].tag;
        digests_find(name, out);
        return out->mac != HASH_NONE || out->mode >= BULK_GCM;
    }
    return false;
}

const char *tls_bulk_name(uint8_t bulk) { return bulks[bulk].name; }
bool tls_bulk_legacy(uint8_t bulk) { return bulks[bulk].legacy; }

const EVP_MD *tls_hash_md(uint8_t hash) {
    switch (hash) {
    case HASH_MD5: return EVP_md5();
    case HASH_SHA1: return EVP_sha1();
    case HASH_SHA384: return EVP_sha384();
    default: return EVP_sha256();
    }
}

size_t tls_hash_size(uint8_t hash) {
    static const uint8_t sizes[] = {
        [HASH_MD5] = 16, [HASH_SHA1] = 20, [HASH_SHA256] = 32, [HASH_SHA384] = 48, [HASH_NONE] = 0};
    return sizes[hash];
}
