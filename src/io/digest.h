/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_IO_DIGEST_H
#define WEIR_IO_DIGEST_H

#include "base/slice.h"

enum { DIGEST_BASE64_MAX = 32 };

/* digest_websocket writes the Sec-WebSocket-Accept that answers a Sec-WebSocket-Key (RFC 6455 4.2.2), with its NUL. */
void digest_websocket(char accept[DIGEST_BASE64_MAX], struct slice key);

#endif
