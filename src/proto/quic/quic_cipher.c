/* SPDX-License-Identifier: Apache-2.0 */
/* The protection of packets: RFC 9001 5.3 and 5.4, RFC 9000 17.1 and A.3.
 *
 * The contexts are keyed once; a packet costs a mask and a new nonce. Nothing leaves whose tag does not fit. */
#include "proto/quic/quic.h"

#include <openssl/evp.h>

enum { SAMPLE = 16, MASK = 1 + QUIC_NUMBER_MAX };

static const EVP_CIPHER *payload_cipher(const struct quic_keys *k) {
    bool longer = k->size > 16;
    switch (k->mode) {
    case BULK_GCM: return longer ? EVP_aes_256_gcm() : EVP_aes_128_gcm();
    case BULK_CCM: return longer ? EVP_aes_256_ccm() : EVP_aes_128_ccm();
    case BULK_CHACHA: return EVP_chacha20_poly1305();
    default: return NULL;
    }
}

static const EVP_CIPHER *header_cipher(const struct quic_keys *k) {
    return k->mode == BULK_CHACHA ? EVP_chacha20() : k->size > 16 ? EVP_aes_256_ecb() : EVP_aes_128_ecb();
}

bool quic_cipher_payload_start(struct quic_cipher *c, const struct quic_keys *k) {
    *c = (struct quic_cipher){.mode = k->mode, .payload = EVP_CIPHER_CTX_new()};
    memcpy(c->iv, k->iv, QUIC_IV);
    const EVP_CIPHER *cipher = payload_cipher(k);
    bool ccm = k->mode == BULK_CCM; /* the others have nonces and tags of these lengths by themselves */
    bool ok = cipher && c->payload && EVP_DecryptInit_ex2(c->payload, cipher, NULL, NULL, NULL) > 0 &&
              (!ccm || (EVP_CIPHER_CTX_ctrl(c->payload, EVP_CTRL_AEAD_SET_IVLEN, QUIC_IV, NULL) > 0 &&
                        EVP_CIPHER_CTX_ctrl(c->payload, EVP_CTRL_AEAD_SET_TAG, QUIC_TAG, NULL) > 0)) &&
              EVP_DecryptInit_ex2(c->payload, NULL, k->key, NULL, NULL) > 0;
    if (!ok) quic_cipher_end(c);
    return ok;
}

bool quic_cipher_start(struct quic_cipher *c, const struct quic_keys *k) {
    if (!quic_cipher_payload_start(c, k)) return false;
    c->header = EVP_CIPHER_CTX_new();
    bool ok = c->header && EVP_EncryptInit_ex2(c->header, header_cipher(k), k->header, NULL, NULL) > 0;
    if (!ok) quic_cipher_end(c);
    return ok;
}

void quic_cipher_end(struct quic_cipher *c) {
    EVP_CIPHER_CTX_free(c->header);
    EVP_CIPHER_CTX_free(c->payload);
    *c = (struct quic_cipher){0};
}

/* mask_make makes what hides first byte and number (RFC 9001 5.4.3, 5.4.4). ChaCha20 takes the sample as its counter
 * and nonce. */
static bool mask_make(const struct quic_cipher *c, const uint8_t *sample, uint8_t mask[SAMPLE]) {
    static const uint8_t zeros[MASK];
    int n;
    if (c->mode != BULK_CHACHA) return EVP_EncryptUpdate(c->header, mask, &n, sample, SAMPLE) > 0 && n == SAMPLE;
    return EVP_EncryptInit_ex2(c->header, NULL, NULL, sample, NULL) > 0 &&
           EVP_EncryptUpdate(c->header, mask, &n, zeros, MASK) > 0 && n == MASK;
}

/* number_whole returns the number nearest to the next one that ends in the bits sent (RFC 9000 A.3). */
static uint64_t number_whole(uint64_t sent, unsigned bits, uint64_t next) {
    uint64_t window = (uint64_t)1 << bits, number = (next & ~(window - 1)) | sent;
    if (number + window / 2 <= next && number < ((uint64_t)1 << 62) - window) return number + window;
    if (number > next + window / 2 && number >= window) return number - window;
    return number;
}

bool quic_header_open(const struct quic_cipher *c, struct slice packet, size_t number_at, uint64_t next,
                      struct quic_opened *o) {
    enum { LONG = 0x80, HIDDEN_LONG = 0x0f, HIDDEN_SHORT = 0x1f };
    uint8_t mask[SAMPLE];
    if (number_at < 1 || packet.n < number_at + QUIC_NUMBER_MAX + SAMPLE) return false; /* no room for the sample */
    if (!mask_make(c, packet.p + number_at + QUIC_NUMBER_MAX, mask)) return false;
    o->first = packet.p[0] ^ (mask[0] & (packet.p[0] & LONG ? HIDDEN_LONG : HIDDEN_SHORT));
    o->number_len = (uint8_t)((o->first & 3) + 1);
    for (unsigned i = 0; i < QUIC_NUMBER_MAX; i++) o->sent[i] = packet.p[number_at + i] ^ mask[1 + i];
    o->number = number_whole(load_be(o->sent, o->number_len), 8u * o->number_len, next);
    return true;
}

/* sealed_open decrypts into `out`, where the header stands as it was before it was hidden. */
static bool sealed_open(const struct quic_cipher *c, struct slice header, struct slice sealed, uint64_t number,
                        uint8_t *out) {
    EVP_CIPHER_CTX *ctx = c->payload;
    int n, plain = (int)(sealed.n - QUIC_TAG);
    uint8_t nonce[QUIC_IV], tag[QUIC_TAG];
    memcpy(nonce, c->iv, QUIC_IV);
    for (unsigned i = 0; i < 8; i++) nonce[QUIC_IV - 1 - i] ^= (uint8_t)(number >> (8 * i));
    memcpy(tag, sealed.p + plain, QUIC_TAG);
    if (c->mode == BULK_CCM) /* it takes tag and length before the rest, and verifies while it decrypts */
        return EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, QUIC_TAG, tag) > 0 &&
               EVP_DecryptInit_ex2(ctx, NULL, NULL, nonce, NULL) > 0 &&
               EVP_DecryptUpdate(ctx, NULL, &n, NULL, plain) > 0 &&
               EVP_DecryptUpdate(ctx, NULL, &n, header.p, (int)header.n) > 0 &&
               EVP_DecryptUpdate(ctx, out, &n, sealed.p, plain) > 0;
    return EVP_DecryptInit_ex2(ctx, NULL, NULL, nonce, NULL) > 0 &&
           EVP_DecryptUpdate(ctx, NULL, &n, header.p, (int)header.n) > 0 &&
           EVP_DecryptUpdate(ctx, out, &n, sealed.p, plain) > 0 &&
           EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, QUIC_TAG, tag) > 0 &&
           EVP_DecryptFinal_ex(ctx, out + n, &n) > 0;
}

bool quic_payload_open(struct arena *a, const struct quic_cipher *c, struct slice packet, size_t number_at,
                       struct quic_opened *o) {
    size_t head = number_at + o->number_len;
    if (packet.n < head + QUIC_TAG) return false;
    uint8_t *out = arena_get(a, packet.n);
    if (!out) return false;
    memcpy(out, packet.p, number_at);
    out[0] = o->first;
    memcpy(out + number_at, o->sent, o->number_len);
    o->plain = slice_of(out + head, packet.n - head - QUIC_TAG);
    return sealed_open(c, slice_of(out, head), slice_tail(packet, head), o->number, out + head);
}
