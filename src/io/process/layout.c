/* SPDX-License-Identifier: Apache-2.0 */
/* From what was read in a process to the lines of a key log.
 *
 * OpenSSL keeps the application traffic secrets of TLS 1.3 but not those of the handshake; these are derived again from
 * the handshake secret and the hash of the two hellos (RFC 8446 7.1), which it keeps. How long secrets are follows from
 * the cipher's hash: 32 bytes, or 48, and then the bytes behind the 32nd are not all zero. */
#include "io/process/layout.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

static const struct {
    uint16_t at, bytes;
} values[] = {
#define MEMBER(name)                                                                                                   \
    { offsetof(struct layout_hit, name), sizeof((struct layout_hit *)0)->name }
    [LAYOUT_RANDOM] = MEMBER(random),   [LAYOUT_HANDSHAKE] = MEMBER(handshake), [LAYOUT_HASH] = MEMBER(hash),
    [LAYOUT_CLIENT] = MEMBER(client),   [LAYOUT_SERVER] = MEMBER(server),       [LAYOUT_MASTER] = MEMBER(master),
    [LAYOUT_VERSION] = MEMBER(version), [LAYOUT_INIT] = MEMBER(init),
};
_Static_assert(sizeof values / sizeof *values == LAYOUT_VALUES, "every value has its member");

size_t layout_bytes(enum layout_value v) { return values[v].bytes; }
size_t layout_offset(enum layout_value v) { return values[v].at; }

static bool any(const uint8_t *p, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (p[i]) return true;
    return false;
}

/* expand derives a traffic secret of n bytes, HKDF-Expand-Label of RFC 8446 7.1; one round gives all of it. */
static bool expand(const uint8_t *secret, size_t n, const char *label, const uint8_t *hash, uint8_t *out) {
    uint8_t info[128];
    struct writer w = wr_fixed(info, sizeof info);
    wr_c(&w, 0);
    wr_c(&w, (char)n);
    wr_c(&w, (char)(6 + strlen(label)));
    wr_s(&w, "tls13 ");
    wr_s(&w, label);
    wr_c(&w, (char)n);
    wr_bytes(&w, hash, n);
    wr_c(&w, 1);
    return HMAC(n == 48 ? EVP_sha384() : EVP_sha256(), secret, (int)n, info, wr_len(&w), out, NULL) != NULL;
}

static void line(struct writer *w, const char *label, const struct layout_hit *h, const uint8_t *secret, size_t n) {
    wr_s(w, label);
    wr_c(w, ' ');
    wr_hexbytes(w, slice_of(h->random, sizeof h->random), 0);
    wr_c(w, ' ');
    wr_hexbytes(w, slice_of(secret, n), 0);
    wr_c(w, '\n');
}

static bool lines_13(const struct layout_hit *h, struct writer *w) {
    uint8_t client[EVP_MAX_MD_SIZE], server[EVP_MAX_MD_SIZE];
    if (!any(h->hash, 32) || !any(h->handshake, 32)) return false; /* no ServerHello yet */
    size_t n = any(h->hash + 32, 16) ? 48 : 32;
    if (!expand(h->handshake, n, "c hs traffic", h->hash, client) ||
        !expand(h->handshake, n, "s hs traffic", h->hash, server))
        return false;
    line(w, "CLIENT_HANDSHAKE_TRAFFIC_SECRET", h, client, n);
    line(w, "SERVER_HANDSHAKE_TRAFFIC_SECRET", h, server, n);
    if (any(h->server, n)) line(w, "SERVER_TRAFFIC_SECRET_0", h, h->server, n);
    if (any(h->client, n) && !h->init) line(w, "CLIENT_TRAFFIC_SECRET_0", h, h->client, n);
    return true;
}

bool layout_lines(const struct layout_hit *h, struct writer *w) {
    enum { TLS_1_0 = 0x0301, TLS_1_2 = 0x0303, TLS_1_3 = 0x0304 };
    if (!any(h->random, sizeof h->random)) return false;
    if (h->version == TLS_1_3) return lines_13(h, w);
    if (h->version < TLS_1_0 || h->version > TLS_1_2) return false; /* QUIC's and DTLS' objects look otherwise */
    if (h->init || !any(h->master, sizeof h->master)) return false;
    line(w, "CLIENT_RANDOM", h, h->master, sizeof h->master);
    return true;
}
