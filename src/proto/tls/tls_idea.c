/* SPDX-License-Identifier: Apache-2.0 */
/* The cipher: eight rounds and half a one of multiplication modulo 2^16+1 (where 0 stands for 2^16), addition modulo
 * 2^16 and exclusive or, on four words of 16 bits. Decryption is encryption with the inverses of the subkeys, in
 * reverse order. */
#include "proto/tls/tls_idea.h"

#include "base/reader.h"

enum { ROUNDS = 8, MODULUS = 65537 };

static uint16_t multiply(uint16_t a, uint16_t b) {
    uint64_t x = a ? a : 65536, y = b ? b : 65536;
    return (uint16_t)(x * y % MODULUS); /* 65536 becomes 0 */
}

/* inverse: a to the power of modulus - 2. */
static uint16_t inverse(uint16_t a) {
    uint16_t result = 1;
    for (uint32_t power = MODULUS - 2; power; power >>= 1) {
        if (power & 1) result = multiply(result, a);
        a = multiply(a, a);
    }
    return result;
}

static uint16_t negative(uint16_t a) { return (uint16_t)(0x10000 - a); }

/* encryption_keys cuts the key into words, turning it by 25 bits after every eight of them. */
static void encryption_keys(const uint8_t key[IDEA_KEY], uint16_t z[IDEA_SUBKEYS]) {
    for (int i = 0; i < 8; i++) z[i] = load_be16(key + 2 * i);
    for (int i = 8; i < IDEA_SUBKEYS; i++) {
        int base = (i / 8 - 1) * 8, at = i % 8;
        z[i] = (uint16_t)(z[base + (at + 1) % 8] << 9 | z[base + (at + 2) % 8] >> 7);
    }
}

void idea_start(struct idea *c, const uint8_t key[IDEA_KEY]) {
    uint16_t z[IDEA_SUBKEYS], *to = c->subkey;
    encryption_keys(key, z);
    for (int round = ROUNDS; round >= 0; round--, to += 6) {
        const uint16_t *from = z + 6 * round;
        bool outer = round == ROUNDS || round == 0; /* the two words in the middle change places in between */
        to[0] = inverse(from[0]);
        to[1] = negative(from[outer ? 1 : 2]);
        to[2] = negative(from[outer ? 2 : 1]);
        to[3] = inverse(from[3]);
        if (round == 0) break;
        to[4] = from[-2];
        to[5] = from[-1];
    }
}

static void block_open(const struct idea *c, const uint8_t *in, uint8_t *out) {
    const uint16_t *k = c->subkey;
    uint16_t a = load_be16(in), b = load_be16(in + 2), d = load_be16(in + 4), e = load_be16(in + 6);
    for (int round = 0; round < ROUNDS; round++, k += 6) {
        a = multiply(a, k[0]);
        b = (uint16_t)(b + k[1]);
        d = (uint16_t)(d + k[2]);
        e = multiply(e, k[3]);
        uint16_t s = multiply((uint16_t)(a ^ d), k[4]), t = multiply((uint16_t)((b ^ e) + s), k[5]);
        s = (uint16_t)(s + t);
        a ^= t;
        e ^= s;
        uint16_t middle = (uint16_t)(b ^ s);
        b = (uint16_t)(d ^ t);
        d = middle;
    }
    uint16_t last[4] = {multiply(a, k[0]), (uint16_t)(d + k[1]), (uint16_t)(b + k[2]), multiply(e, k[3])};
    for (int i = 0; i < 4; i++) {
        out[2 * i] = (uint8_t)(last[i] >> 8);
        out[2 * i + 1] = (uint8_t)last[i];
    }
}

void idea_cbc_open(const struct idea *c, const uint8_t iv[IDEA_BLOCK], const uint8_t *in, size_t n, uint8_t *out) {
    for (size_t at = 0; at + IDEA_BLOCK <= n; at += IDEA_BLOCK) {
        const uint8_t *before = at ? in + at - IDEA_BLOCK : iv;
        block_open(c, in + at, out + at);
        for (int i = 0; i < IDEA_BLOCK; i++) out[at + (size_t)i] ^= before[i];
    }
}
