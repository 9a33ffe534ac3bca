/* SPDX-License-Identifier: Apache-2.0 */
#include "base/check.h"
#include "io/tls/record.h"
#include <stdio.h>
#include <stdlib.h>

static struct record_crypt *crypt;

/* start makes both ends of one direction of a connection. */
static void start(enum record_suite s, struct record_key *a, struct record_key *b) {
    uint8_t secret[RECORD_SECRET_MAX], random[2 * RECORD_RANDOM];
    struct record_key server;
    memset(secret, 7, sizeof secret);
    memset(random, 9, sizeof random);
    if (record_is_12(s)) {
        CHECK(record12_start(crypt, s, a, &server, secret, random, random + RECORD_RANDOM));
        CHECK(record12_start(crypt, s, b, &server, secret, random, random + RECORD_RANDOM));
        CHECK(memcmp(a->key, server.key, 16) && memcmp(a->iv, server.iv, 4));
        a->nonce = UINT64_MAX; /* it wraps */
    } else {
        CHECK(record_start(crypt, s, a, secret) && record_start(crypt, s, b, secret));
    }
}

static size_t around(enum record_suite s) {
    return RECORD_HEAD + RECORD_TAG + (s == RECORD12_CHACHA ? 0 : record_is_12(s) ? RECORD_NONCE : 1);
}

/* RFC 8448 3: the server's application traffic secret of the simple handshake, and what is derived from it. */
static void keys_are_those_of_the_published_trace(void) {
    static const uint8_t secret[] = {0xa1, 0x1a, 0xf9, 0xf0, 0x55, 0x31, 0xf8, 0x56, 0xad, 0x47, 0x11,
                                     0x6b, 0x45, 0xa9, 0x50, 0x32, 0x82, 0x04, 0xb4, 0xf4, 0x4b, 0xfb,
                                     0x6b, 0x3a, 0x4b, 0x4f, 0x1f, 0x3f, 0xcb, 0x63, 0x16, 0x43};
    static const uint8_t key[] = {0x9f, 0x02, 0x28, 0x3b, 0x6c, 0x9c, 0x07, 0xef,
                                  0xc2, 0x6b, 0xb9, 0xf2, 0xac, 0x92, 0xe3, 0x56};
    static const uint8_t iv[] = {0xcf, 0x78, 0x2b, 0x88, 0xdd, 0x83, 0x54, 0x9a, 0xad, 0xf1, 0xe9, 0x84};
    struct record_key k;
    CHECK(record_start(crypt, RECORD13_AES128, &k, secret));
    CHECK(!memcmp(k.key, key, sizeof key) && !memcmp(k.iv, iv, sizeof iv));
}

static void what_is_sealed_opens_once_and_in_order(void) {
    static uint8_t plain[RECORD_PLAIN_MAX], sealed[2][RECORD_SEALED_MAX], out[RECORD_SEALED_MAX];
    static const size_t sizes[] = {0, 1, 15, 16, 17, 1000, RECORD_PLAIN_MAX};
    int type;
    for (size_t i = 0; i < sizeof plain; i++) plain[i] = (uint8_t)(i * 31);
    for (int s = 0; s < RECORD_SUITES; s++) {
        struct record_key a, b;
        start(s, &a, &b);
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            size_t n = sizes[i], len = record_seal(crypt, s, &a, RECORD_DATA, plain, n, sealed[0]);
            CHECK(len == n + around(s));
            CHECK(record_open(crypt, s, &b, slice_of(sealed[0], len), out, &type) == (long)n);
            CHECK(type == RECORD_DATA && !memcmp(out, plain, n));
        }
        if (!record_is_12(s)) CHECK(record_next(crypt, s, &a) && record_next(crypt, s, &b));
        size_t one = record_seal(crypt, s, &a, RECORD_ALERT, plain, 2, sealed[0]);
        size_t two = record_seal(crypt, s, &a, RECORD_DATA, plain, 2, sealed[1]);
        struct record_key late = b;
        CHECK(record_open(crypt, s, &late, slice_of(sealed[1], two), out, &type) < 0); /* out of order */
        CHECK(record_open(crypt, s, &b, slice_of(sealed[0], one), out, &type) == 2 && type == RECORD_ALERT);
        CHECK(record_open(crypt, s, &b, slice_of(sealed[1], two), out, &type) == 2);
        CHECK(record_open(crypt, s, &b, slice_of(sealed[1], two), out, &type) < 0); /* a second time */
    }
}

static void a_changed_bit_anywhere_is_noticed(enum record_suite s) {
    uint8_t sealed[64], out[64];
    int type;
    struct record_key a, b;
    start(s, &a, &b);
    size_t n = record_seal(crypt, s, &a, RECORD_DATA, "hello", 5, sealed);
    for (size_t bit = 0; bit < n * 8; bit++) {
        struct record_key k = b;
        sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
        CHECK(record_open(crypt, s, &k, slice_of(sealed, n), out, &type) < 0);
        sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t k = 0; k < n; k++) {
        struct record_key key = b;
        CHECK(record_open(crypt, s, &key, slice_of(sealed, k), out, &type) < 0);
    }
    CHECK(record_open(crypt, s, &b, slice_of(sealed, n), out, &type) == 5);
}

/* The numbers of records never begin anew, and no two records have the same nonce. */
static void numbers_run_out_before_they_repeat(enum record_suite s) {
    uint8_t one[64], two[64], out[64];
    int type;
    struct record_key a, b;
    start(s, &a, &b);
    a.seq = b.seq = UINT64_MAX - 1;
    size_t n = record_seal(crypt, s, &a, RECORD_DATA, "x", 1, one);
    CHECK(n && record_open(crypt, s, &b, slice_of(one, n), out, &type) == 1);
    CHECK(!record_seal(crypt, s, &a, RECORD_DATA, "x", 1, two));
    CHECK(record_open(crypt, s, &b, slice_of(one, n), out, &type) == -ALERT_BAD_RECORD);
    start(s, &a, &b);
    CHECK(record_seal(crypt, s, &a, RECORD_DATA, "same", 4, one) ==
          record_seal(crypt, s, &a, RECORD_DATA, "same", 4, two));
    CHECK(memcmp(one + RECORD_HEAD, two + RECORD_HEAD, 12));
}

/* open_inner opens a record of TLS 1.3 whose content is n bytes, the last of them as given: a type, or padding. */
static long open_inner(size_t n, uint8_t last, int *type) {
    static uint8_t inner[RECORD_PLAIN_MAX + 64], sealed[RECORD_SEALED_MAX + 64], out[sizeof sealed];
    struct record_key a, b;
    start(RECORD13_AES128, &a, &b);
    if (n) inner[n - 1] = last;
    /* What seal adds as the type is padding here. */
    size_t len = record_seal(crypt, RECORD13_AES128, &a, 0, inner, n, sealed);
    if (n) inner[n - 1] = 0;
    return len ? record_open(crypt, RECORD13_AES128, &b, slice_of(sealed, len), out, type) : 0;
}

static void padding_and_limits(void) {
    int type;
    CHECK(open_inner(1, RECORD_DATA, &type) == 0 && type == RECORD_DATA);
    CHECK(open_inner(1000, RECORD_ALERT, &type) == 999 && type == RECORD_ALERT);
    CHECK(open_inner(RECORD_PLAIN_MAX, RECORD_DATA, &type) == RECORD_PLAIN_MAX - 1);
    CHECK(open_inner(RECORD_PLAIN_MAX + 1, RECORD_DATA, &type) == -ALERT_OVERFLOW);
    CHECK(open_inner(0, 0, &type) == -ALERT_UNEXPECTED);
    CHECK(open_inner(500, 0, &type) == -ALERT_UNEXPECTED);
}

int main(void) {
    crypt = record_crypt_make();
    CHECK(crypt);
    keys_are_those_of_the_published_trace();
    what_is_sealed_opens_once_and_in_order();
    for (int s = 0; s < RECORD_SUITES; s++) {
        a_changed_bit_anywhere_is_noticed(s);
        numbers_run_out_before_they_repeat(s);
    }
    padding_and_limits();
    record_crypt_free(crypt);
    return 0;
}
