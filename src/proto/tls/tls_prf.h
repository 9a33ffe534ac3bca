/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_PROTO_TLS_PRF_H
#define WEIR_PROTO_TLS_PRF_H

#include "base/slice.h"

#include <openssl/evp.h>

/* Making keys out of secrets. Nothing here keeps anything; false: the library refused (out of memory, no such digest).
 */

/* tls_prf fills n bytes of `out` from a secret, a label and up to two seeds, as the version has it: SSL 3.0 (RFC
 * 6101 6.1, which has no label), TLS 1.0 and 1.1 (RFC 2246 5), TLS 1.2 (RFC 5246 5) with the digest md. */
bool tls_prf(uint16_t version, const EVP_MD *md, struct slice secret, const char *label, struct slice seed1,
             struct slice seed2, uint8_t *out, size_t n);
/* tls_expand is HKDF-Expand-Label with an empty context (RFC 8446 7.1); `draft` is that of TLS 1.3, 0 for the standard.
 */
bool tls_expand(const EVP_MD *md, uint8_t draft, struct slice secret, const char *label, uint8_t *out, size_t n);

#endif
