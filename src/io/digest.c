/* SPDX-License-Identifier: Apache-2.0 */
#include "io/digest.h"
#include <openssl/evp.h>
#include <openssl/hmac.h>

void digest_websocket(char accept[DIGEST_BASE64_MAX], struct slice key) {
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    uint8_t text[64 + sizeof guid], sum[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    size_t k = key.n < 64 ? key.n : 64;
    memcpy(text, key.p, k);
    memcpy(text + k, guid, sizeof guid - 1);
    accept[0] = 0;
    if (EVP_Digest(text, k + sizeof guid - 1, sum, &n, EVP_sha1(), NULL) == 1)
        EVP_EncodeBlock((unsigned char *)accept, sum, (int)n);
}

bool digest_sha256(uint8_t out[DIGEST_SHA256], struct slice bytes) {
    return EVP_Digest(bytes.p, bytes.n, out, NULL, EVP_sha256(), NULL) == 1;
}

bool digest_hmac(uint8_t out[DIGEST_SHA256], const uint8_t key[DIGEST_SHA256], struct slice bytes) {
    return HMAC(EVP_sha256(), key, DIGEST_SHA256, bytes.p, bytes.n, out, NULL) != NULL;
}
