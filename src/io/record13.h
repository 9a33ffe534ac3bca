/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_IO_RECORD13_H
#define WEIR_IO_RECORD13_H

#include "base/slice.h"

/* TLS 1.3 records of an established connection (RFC 8446 5, 7.1-7.3): keys out of a traffic secret, sealing, opening.
 * The ciphers themselves are OpenSSL's. */
enum record13_suite { RECORD13_AES128, RECORD13_AES256, RECORD13_CHACHA, RECORD13_SUITES };
enum record13_type { RECORD_ALERT = 21, RECORD_HANDSHAKE = 22, RECORD_DATA = 23 };
enum {
    RECORD_HEAD = 5,
    RECORD_TAG = 16,
    RECORD_PLAIN_MAX = 1 << 14,
    RECORD_CIPHER_MAX = RECORD_PLAIN_MAX + 256, /* 5.2 */
    RECORD_SEALED_MAX = RECORD_HEAD + RECORD_PLAIN_MAX + 1 + RECORD_TAG,
    RECORD_SECRET_MAX = 48,
};

/* record13_key is what one direction of a connection keeps. */
struct record13_key {
    uint64_t id; /* unique in the process: which key a cipher was set up with last */
    uint64_t seq;
    uint8_t secret[RECORD_SECRET_MAX], key[32], iv[12];
};

/* record13_crypt is the cipher state all connections of a process use in turn. */
struct record13_crypt;
struct record13_crypt *record13_crypt_make(void);
void record13_crypt_free(struct record13_crypt *c);

/* record13_secret_len returns the bytes of the suite's secrets. */
size_t record13_secret_len(enum record13_suite s);
/* record13_start derives key and IV from a traffic secret; record13_next does so from the one that follows it
 * (KeyUpdate). False where OpenSSL failed. */
bool record13_start(struct record13_crypt *c, enum record13_suite s, struct record13_key *k, const uint8_t *secret);
bool record13_next(struct record13_crypt *c, enum record13_suite s, struct record13_key *k);
/* record13_forget wipes a key, also where it is the last one a cipher was set up with. */
void record13_forget(struct record13_crypt *c, enum record13_suite s, struct record13_key *k);
/* record13_seal writes a whole record with n <= RECORD_PLAIN_MAX bytes to `out` (RECORD_SEALED_MAX); its length, 0:
 * failed. */
size_t record13_seal(struct record13_crypt *c, enum record13_suite s, struct record13_key *k, enum record13_type type,
                     const void *plain, size_t n, uint8_t *out);
/* record13_open decrypts a whole record to `out`, which may hold as many bytes as the record: the length of its content
 * and its type, or -1 where it was not sealed with this key. */
long record13_open(struct record13_crypt *c, enum record13_suite s, struct record13_key *k, struct slice record,
                   uint8_t *out, int *type);

#endif
