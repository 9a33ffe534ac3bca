/* SPDX-License-Identifier: Apache-2.0 */
#include "io/record13.h"
#include <stdio.h>
#include <stdlib.h>

#define CHECK(x)                                                                                                       \
    do {                                                                                                               \
        if (!(x)) {                                                                                                    \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x);                                                    \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

static struct record13_crypt *crypt;

/* RFC 8448 3: the server's application traffic secret of the simple handshake, and what is derived from it. */
static void keys_are_those_of_the_published_trace(void) {
    static const uint8_t secret[] = {0xa1, 0x1a, 0xf9, 0xf0, 0x55, 0x31, 0xf8, 0x56, 0xad, 0x47, 0x11,
                                     0x6b, 0x45, 0xa9, 0x50, 0x32, 0x82, 0x04, 0xb4, 0xf4, 0x4b, 0xfb,
                                     0x6b, 0x3a, 0x4b, 0x4f, 0x1f, 0x3f, 0xcb, 0x63, 0x16, 0x43};
    static const uint8_t key[] = {0x9f, 0x02, 0x28, 0x3b, 0x6c, 0x9c, 0x07, 0xef,
                                  0xc2, 0x6b, 0xb9, 0xf2, 0xac, 0x92, 0xe3, 0x56};
    static const uint8_t iv[] = {0xcf, 0x78, 0x2b, 0x88, 0xdd, 0x83, 0x54, 0x9a, 0xad, 0xf1, 0xe9, 0x84};
    struct record13_key k;
    CHECK(record13_start(crypt, RECORD13_AES128, &k, secret));
    CHECK(!memcmp(k.key, key, sizeof key) && !memcmp(k.iv, iv, sizeof iv));
}

static void what_is_sealed_opens_once_and_in_order(void) {
    static uint8_t plain[RECORD_PLAIN_MAX], sealed[2][RECORD_SEALED_MAX], out[RECORD_SEALED_MAX];
    static const size_t sizes[] = {0, 1, 15, 16, 17, 1000, RECORD_PLAIN_MAX};
    uint8_t secret[RECORD_SECRET_MAX];
    int type;
    memset(secret, 7, sizeof secret);
    for (size_t i = 0; i < sizeof plain; i++) plain[i] = (uint8_t)(i * 31);
    for (int s = 0; s < RECORD13_SUITES; s++) {
        struct record13_key a, b;
        CHECK(record13_start(crypt, s, &a, secret) && record13_start(crypt, s, &b, secret));
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            size_t n = sizes[i], len = record13_seal(crypt, s, &a, RECORD_DATA, plain, n, sealed[0]);
            CHECK(len == RECORD_HEAD + n + 1 + RECORD_TAG);
            CHECK(record13_open(crypt, s, &b, slice_of(sealed[0], len), out, &type) == (long)n);
            CHECK(type == RECORD_DATA && !memcmp(out, plain, n));
        }
        CHECK(record13_next(crypt, s, &a) && record13_next(crypt, s, &b));
        size_t one = record13_seal(crypt, s, &a, RECORD_ALERT, plain, 2, sealed[0]);
        size_t two = record13_seal(crypt, s, &a, RECORD_DATA, plain, 2, sealed[1]);
        struct record13_key late = b;
        CHECK(record13_open(crypt, s, &late, slice_of(sealed[1], two), out, &type) < 0); /* out of order */
        CHECK(record13_open(crypt, s, &b, slice_of(sealed[0], one), out, &type) == 2 && type == RECORD_ALERT);
        CHECK(record13_open(crypt, s, &b, slice_of(sealed[1], two), out, &type) == 2);
        CHECK(record13_open(crypt, s, &b, slice_of(sealed[1], two), out, &type) < 0); /* a second time */
    }
}

static void a_changed_bit_anywhere_is_noticed(void) {
    uint8_t secret[RECORD_SECRET_MAX] = {1}, sealed[64], out[64];
    int type;
    struct record13_key a, b;
    CHECK(record13_start(crypt, RECORD13_AES256, &a, secret) && record13_start(crypt, RECORD13_AES256, &b, secret));
    size_t n = record13_seal(crypt, RECORD13_AES256, &a, RECORD_DATA, "hello", 5, sealed);
    for (size_t bit = 0; bit < n * 8; bit++) {
        struct record13_key k = b;
        sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
        CHECK(record13_open(crypt, RECORD13_AES256, &k, slice_of(sealed, n), out, &type) < 0);
        sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t k = 0; k < n; k++) {
        struct record13_key key = b;
        CHECK(record13_open(crypt, RECORD13_AES256, &key, slice_of(sealed, k), out, &type) < 0);
    }
    CHECK(record13_open(crypt, RECORD13_AES256, &b, slice_of(sealed, n), out, &type) == 5);
}

int main(void) {
    crypt = record13_crypt_make();
    CHECK(crypt);
    keys_are_those_of_the_published_trace();
    what_is_sealed_opens_once_and_in_order();
    a_changed_bit_anywhere_is_noticed();
    record13_crypt_free(crypt);
    return 0;
}
