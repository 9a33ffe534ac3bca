/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_IO_DIGEST_H
#define WEIR_IO_DIGEST_H

#include "base/slice.h"

enum { DIGEST_BASE64_MAX = 32, DIGEST_SHA256 = 32 };

/* digest_sha256 writes the SHA-256 of bytes; digest_hmac their HMAC-SHA-256 with a key of DIGEST_SHA256 bytes. False
 * where the library fails. */
bool digest_sha256(uint8_t out[DIGEST_SHA256], struct slice bytes);
bool digest_hmac(uint8_t out[DIGEST_SHA256], const uint8_t key[DIGEST_SHA256], struct slice bytes);

/* digest_websocket writes the Sec-WebSocket-Accept that answers a Sec-WebSocket-Key (RFC 6455 4.2.2), with its NUL. */
void digest_websocket(char accept[DIGEST_BASE64_MAX], struct slice key);

#endif
