/* SPDX-License-Identifier: Apache-2.0 */
/* The store of secrets and the reading of key logs (the SSLKEYLOGFILE format, draft-ietf-tls-keylogfile). */
#include "proto/tls/tls_keys.h"

#include "base/hex.h"
#include "proto/quic/quic.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/provider.h>

enum { MASTER = 48, RANDOM = 32, SENT = 8, MEMORY = 1 << 20, LOG_LINE_MAX = 1024 };

void tls_keys_make(struct tls_keys *k) {
    memset(k, 0, sizeof *k);
    k->secrets = pool_make(sizeof(struct tls_key), TLS_KEYS_MAX + 1);
    k->sessions = pool_make(sizeof(struct tls_session), TLS_SESSIONS_MAX + 1);
    k->quic = pool_make(sizeof(struct quic_session), TLS_QUIC_MAX + 1);
    k->quic_streams = pool_make(sizeof(struct quic_stream), TLS_QUIC_STREAMS_MAX + 1);
    k->memory = arena_make(MEMORY);
    k->hash_key = hash_key_random();
    k->generation = 1;
}

void tls_keys_free(struct tls_keys *k) {
    for (unsigned i = 0; i < k->n_private; i++) EVP_PKEY_free(k->private[i]);
    for (unsigned i = 0; i < TLS_BULK_COUNT; i++) EVP_CIPHER_free(k->cipher[i]);
    EVP_MAC_free(k->hmac);
    if (k->legacy) OSSL_PROVIDER_unload(k->legacy);
    if (k->secrets.nodes) OPENSSL_cleanse(k->secrets.nodes, k->secrets.used * k->secrets.size);
    for (unsigned i = 0; i < k->n_psk; i++) OPENSSL_cleanse(k->psk[i], sizeof *k->psk[i]);
    pool_free(&k->secrets);
    pool_free(&k->sessions);
    pool_free(&k->quic);
    pool_free(&k->quic_streams);
    arena_free(&k->memory);
    memset(k, 0, sizeof *k);
}

static uint32_t *bucket_of(const struct tls_keys *k, enum tls_key_kind kind, struct slice id) {
    uint64_t h = hash_bytes(k->hash_key, id.p, id.n) + (uint64_t)kind * 0x9e3779b97f4a7c15u;
    return &k->buckets[(h >> 32) % TLS_KEYS_BUCKETS];
}

static struct tls_key *key_find(const struct tls_keys *k, enum tls_key_kind kind, struct slice id) {
    if (!k->buckets) return NULL;
    for (uint32_t n = *bucket_of(k, kind, id); n;) {
        struct tls_key *e = pool_at(&k->secrets, n);
        if (e->kind == kind && slice_eq(slice_of(e->id, e->id_len), id)) return e;
        n = e->next;
    }
    return NULL;
}

const struct tls_key *tls_keys_find(const struct tls_keys *k, enum tls_key_kind kind, struct slice id) {
    return key_find(k, kind, id);
}

static struct tls_key *key_make(struct tls_keys *k, enum tls_key_kind kind, struct slice id) {
    if (!k->buckets) {
        k->buckets = arena_get(&k->memory, TLS_KEYS_BUCKETS * sizeof *k->buckets);
        if (!k->buckets) return NULL;
        memset(k->buckets, 0, TLS_KEYS_BUCKETS * sizeof *k->buckets);
    }
    uint32_t n = pool_get(&k->secrets), *bucket = bucket_of(k, kind, id);
    if (!n) return NULL;
    struct tls_key *e = pool_at(&k->secrets, n);
    e->next = *bucket;
    *bucket = n;
    e->kind = (uint8_t)kind;
    e->id_len = (uint8_t)id.n;
    memcpy(e->id, id.p, id.n);
    return e;
}

void tls_keys_put(struct tls_keys *k, enum tls_key_kind kind, struct slice id, struct slice secret,
                  enum tls_key_origin origin) {
    if (!id.n || id.n > TLS_ID_BYTES || secret.n > TLS_SECRET_BYTES) return;
    struct tls_key *e = key_find(k, kind, id);
    if (e && slice_eq(slice_of(e->secret, e->n), secret)) return;
    if (!e) e = key_make(k, kind, id);
    if (!e) return;
    e->origin = (uint8_t)origin;
    e->n = (uint8_t)secret.n;
    memcpy(e->secret, secret.p, secret.n);
    if (origin != TLS_FROM_SESSION) k->generation++; /* who resumes comes later, and looks then */
    k->any = true;
    if (kind == TLS_KEY_PREMASTER || kind == TLS_KEY_PREMASTER_SENT) k->premasters = true;
}

/* tls_hex_read turns hexadecimal digits into at most `room` bytes: their number, or 0 where it is no such text. */
static size_t tls_hex_read(struct slice text, uint8_t *out, size_t room) {
    if (text.n % 2 || text.n / 2 > room) return 0;
    for (size_t i = 0; i < text.n / 2; i++) {
        int high = hex_digit(text.p[2 * i]), low = hex_digit(text.p[2 * i + 1]);
        if (high < 0 || low < 0) return 0;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return text.n / 2;
}

/* What a line of a key log may begin with, and what follows it. Lengths of 0 are any length that fits. */
static const struct {
    const char *label;
    uint8_t kind, id, least, most;
} labels[] = {
    {"CLIENT_RANDOM", TLS_KEY_MASTER, RANDOM, MASTER, MASTER},
    {"PMS_CLIENT_RANDOM", TLS_KEY_PREMASTER, RANDOM, 1, TLS_SECRET_BYTES},
    {"RSA", TLS_KEY_PREMASTER_SENT, SENT, MASTER, MASTER},
    {"CLIENT_EARLY_TRAFFIC_SECRET", TLS_KEY_CLIENT_EARLY, RANDOM, 32, 48},
    {"CLIENT_HANDSHAKE_TRAFFIC_SECRET", TLS_KEY_CLIENT_HANDSHAKE, RANDOM, 32, 48},
    {"SERVER_HANDSHAKE_TRAFFIC_SECRET", TLS_KEY_SERVER_HANDSHAKE, RANDOM, 32, 48},
    {"CLIENT_TRAFFIC_SECRET_0", TLS_KEY_CLIENT_DATA, RANDOM, 32, 48},
    {"SERVER_TRAFFIC_SECRET_0", TLS_KEY_SERVER_DATA, RANDOM, 32, 48},
};

static struct slice word_take(struct slice *line) {
    size_t n = 0;
    while (line->n && (line->p[0] == ' ' || line->p[0] == '\t')) *line = slice_tail(*line, 1);
    while (n < line->n && line->p[n] != ' ' && line->p[n] != '\t') n++;
    struct slice word = slice_head(*line, n);
    *line = slice_tail(*line, n);
    return word;
}

static struct slice after(struct slice s, const char *head) {
    return slice_starts(s, slice_str(head)) ? slice_tail(s, strlen(head)) : (struct slice){0};
}

/* session_line takes "RSA Session-ID:<id> Master-Key:<key>". */
static void session_line(struct tls_keys *k, struct slice first, struct slice second, enum tls_key_origin origin) {
    uint8_t id[TLS_ID_BYTES], key[TLS_SECRET_BYTES];
    size_t n = tls_hex_read(after(first, "Session-ID:"), id, sizeof id);
    size_t m = tls_hex_read(after(second, "Master-Key:"), key, sizeof key);
    if (n && m == MASTER) tls_keys_put(k, TLS_KEY_MASTER_SESSION, slice_of(id, n), slice_of(key, m), origin);
}

static void line_take(struct tls_keys *k, struct slice line, enum tls_key_origin origin) {
    struct slice label = word_take(&line), first = word_take(&line), second = word_take(&line);
    uint8_t id[TLS_ID_BYTES], key[TLS_SECRET_BYTES];
    if (!second.n || label.p[0] == '#') return;
    if (slice_eq(label, SLICE("RSA")) && slice_starts(first, SLICE("Session-ID:"))) {
        session_line(k, first, second, origin);
        return;
    }
    for (size_t i = 0; i < sizeof labels / sizeof *labels; i++) {
        if (!slice_eq(label, slice_str(labels[i].label))) continue;
        size_t n = tls_hex_read(first, id, sizeof id), m = tls_hex_read(second, key, sizeof key);
        if (n != labels[i].id || m < labels[i].least || m > labels[i].most) return;
        tls_keys_put(k, labels[i].kind, slice_of(id, n), slice_of(key, m), origin);
        return;
    }
}

size_t tls_keys_log(struct tls_keys *k, struct slice text, enum tls_key_origin origin, bool ended) {
    const uint8_t *begin = text.p;
    k->any = k->has_log = true;
    while (text.n) {
        const uint8_t *end = memchr(text.p, '\n', text.n);
        if (!end && !ended) break;
        size_t n = end ? (size_t)(end - text.p) : text.n;
        struct slice line = slice_head(text, n);
        if (line.n && line.p[line.n - 1] == '\r') line.n--;
        if (line.n <= LOG_LINE_MAX) line_take(k, line, origin);
        text = slice_tail(text, end ? n + 1 : n);
    }
    return (size_t)(text.p - begin);
}

bool tls_keys_psk(struct tls_keys *k, struct slice text, struct writer *why) {
    if (k->n_psk == TLS_PSK_MAX) {
        wr_f(why, "more than %d pre-shared keys", TLS_PSK_MAX);
        return false;
    }
    struct tls_psk *psk = arena_get(&k->memory, sizeof *psk);
    const uint8_t *equal = text.n ? memrchr(text.p, '=', text.n) : NULL;
    size_t name = equal ? (size_t)(equal - text.p) : 0;
    struct slice hex = slice_tail(text, equal ? name + 1 : 0);
    if (slice_starts(hex, SLICE("0x"))) hex = slice_tail(hex, 2);
    size_t n = psk ? tls_hex_read(hex, psk->key, sizeof psk->key) : 0;
    if (!n || name > sizeof psk->identity) {
        wr_s(why, "a pre-shared key is an even number of hexadecimal digits, or IDENTITY=DIGITS");
        return false;
    }
    psk->n = (uint8_t)n;
    psk->identity_len = (uint8_t)name;
    memcpy(psk->identity, text.p, name);
    k->psk[k->n_psk++] = psk;
    k->any = k->premasters = true;
    return true;
}

const EVP_CIPHER *tls_keys_cipher(struct tls_keys *k, uint8_t bulk) {
    const char *name = tls_bulk_name(bulk);
    if (!name) return NULL;
    if (k->cipher[bulk]) return k->cipher[bulk];
    if (tls_bulk_legacy(bulk) && !k->legacy) k->legacy = OSSL_PROVIDER_try_load(NULL, "legacy", 1);
    k->cipher[bulk] = EVP_CIPHER_fetch(NULL, name, NULL);
    return k->cipher[bulk];
}

EVP_MAC *tls_keys_hmac(struct tls_keys *k) {
    if (!k->hmac) k->hmac = EVP_MAC_fetch(NULL, OSSL_MAC_NAME_HMAC, NULL);
    return k->hmac;
}
