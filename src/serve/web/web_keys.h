/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_SERVE_WEB_KEYS_H
#define WEIR_SERVE_WEB_KEYS_H

#include "proto/tls/tls_keys.h"
#include "serve/web/web_in.h"

/* web_keys_load adds what was given to decrypt the capture at path with. */
void web_keys_load(const struct web *s, const char *path, struct tls_keys *keys);
/* web_keys_put keeps the body of the request as keys of a capture, web_keys_show says how many there are and never
 * which, web_keys_drop deletes them. */
void web_keys_put(struct web_request *q, const char *path);
void web_keys_show(struct web_request *q, const char *path);
void web_keys_drop(struct web_request *q, const char *path);
/* web_keys_stamp changes whenever the keys of a capture do. */
uint64_t web_keys_stamp(const struct web *s, const char *path);
/* web_keys_forget deletes the keys of a capture that is gone. */
void web_keys_forget(const struct web *s, const char *path);

#endif
