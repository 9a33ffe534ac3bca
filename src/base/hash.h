/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_BASE_HASH_H
#define WEIR_BASE_HASH_H

#include "base/slice.h"

/* hash_key is a secret that makes hash values unpredictable for who sends the traffic. */
struct hash_key {
    uint64_t a, b;
};

/* hash_key_random fills the key from the kernel's random source (it falls back to clock and address). */
struct hash_key hash_key_random(void);

static inline uint64_t hash_mix(uint64_t a, uint64_t b) {
    __uint128_t m = (__uint128_t)a * b;
    return (uint64_t)m ^ (uint64_t)(m >> 64);
}

/* hash_bytes returns a keyed 64-bit hash of n bytes: multiply-and-fold over 16 bytes at a time. */
static inline uint64_t hash_bytes(struct hash_key k, const void *data, size_t n) {
    const uint8_t *p = data;
    uint64_t h = k.a ^ n, x, y;
    for (; n > 16; n -= 16, p += 16) {
        memcpy(&x, p, 8);
        memcpy(&y, p + 8, 8);
        h = hash_mix(x ^ k.b, y ^ h);
    }
    x = y = 0; /* the rest is read in words that overlap: n is part of the hash already */
    if (n > 8) {
        memcpy(&x, p, 8);
        memcpy(&y, p + n - 8, 8);
    } else if (n >= 4) {
        memcpy(&x, p, 4);
        memcpy(&y, p + n - 4, 4);
    } else if (n) {
        x = p[0] | (uint64_t)p[n / 2] << 8 | (uint64_t)p[n - 1] << 16;
    }
    h = hash_mix(x ^ k.b, y ^ h);
    return hash_mix(h ^ k.a, 0x9e3779b97f4a7c15u ^ k.b);
}

#endif
