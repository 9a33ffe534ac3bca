/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_IO_RECORD_H
#define WEIR_IO_RECORD_H

#include "base/slice.h"

/* TLS records of an established connection: keys out of its secrets, sealing, opening. TLS 1.3 (RFC 8446 5, 7.1-7.3),
 * and TLS 1.2 with AES-GCM (RFC 5288) or ChaCha20-Poly1305 (RFC 7905). The ciphers themselves are OpenSSL's. */
enum record_suite {
    RECORD13_AES128,
    RECORD13_AES256,
    RECORD13_CHACHA,
    RECORD12_AES128,
    RECORD12_AES256,
    RECORD12_CHACHA,
    RECORD_SUITES
};
enum record_type { RECORD_CHANGE_CIPHER = 20, RECORD_ALERT = 21, RECORD_HANDSHAKE = 22, RECORD_DATA = 23 };
/* Alerts (RFC 8446 6). */
enum record_alert {
    ALERT_CLOSE_NOTIFY = 0,
    ALERT_UNEXPECTED = 10,
    ALERT_BAD_RECORD = 20,
    ALERT_OVERFLOW = 22,
    ALERT_ILLEGAL = 47,
    ALERT_USER_CANCELED = 90,
    ALERT_NO_RENEGOTIATION = 100,
};
enum {
    RECORD_HEAD = 5,
    RECORD_TAG = 16,
    RECORD_NONCE = 8, /* in each record of TLS 1.2 with AES-GCM */
    RECORD_PLAIN_MAX = 1 << 14,
    RECORD_CIPHER_MAX = RECORD_PLAIN_MAX + 256, /* 5.2; more than TLS 1.2 needs with these ciphers */
    RECORD_SEALED_MAX = RECORD_HEAD + RECORD_NONCE + RECORD_PLAIN_MAX + RECORD_TAG,
    RECORD_SECRET_MAX = 48,
    RECORD_RANDOM = 32,
};

/* record_key is what one direction of a connection keeps. */
struct record_key {
    uint64_t id; /* unique in the process: which key a cipher was set up with last */
    uint64_t seq;
    uint64_t nonce;                                     /* TLS 1.2 with AES-GCM: of the next record sent */
    uint8_t secret[RECORD_SECRET_MAX], key[32], iv[12]; /* secret: TLS 1.3 only */
};

/* record_crypt is the cipher state all connections of a process use in turn. */
struct record_crypt;
struct record_crypt *record_crypt_make(void);
void record_crypt_free(struct record_crypt *c);

static inline bool record_is_12(enum record_suite s) { return s >= RECORD12_AES128; }
/* record_start derives key and IV from a traffic secret of TLS 1.3; record_next does so from the one that follows it
 * (KeyUpdate). False where OpenSSL failed. */
bool record_start(struct record_crypt *c, enum record_suite s, struct record_key *k, const uint8_t *secret);
bool record_next(struct record_crypt *c, enum record_suite s, struct record_key *k);
/* record12_start derives both sides' keys from the master secret of a TLS 1.2 connection (RFC 5246 6.3) and its
 * randoms, of RECORD_RANDOM bytes. Both are behind their Finished: the next number is 1. The sender of records sets
 * `nonce` to one never used with the key. */
bool record12_start(struct record_crypt *c, enum record_suite s, struct record_key *client, struct record_key *server,
                    const uint8_t master[RECORD_SECRET_MAX], const uint8_t *client_random,
                    const uint8_t *server_random);
/* record_forget wipes a key, also where it is the last one a cipher was set up with. */
void record_forget(struct record_crypt *c, enum record_suite s, struct record_key *k);
/* record_seal writes a whole record with n <= RECORD_PLAIN_MAX bytes to `out` (RECORD_SEALED_MAX); its length, 0:
 * failed. */
size_t record_seal(struct record_crypt *c, enum record_suite s, struct record_key *k, enum record_type type,
                   const void *plain, size_t n, uint8_t *out);
/* record_open decrypts a whole record to `out`, which may hold as many bytes as the record: the length of its content
 * and its type, or the alert that is due (enum record_alert) as a negative number; then `out` means nothing. */
long record_open(struct record_crypt *c, enum record_suite s, struct record_key *k, struct slice record, uint8_t *out,
                 int *type);

#endif
