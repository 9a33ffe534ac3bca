/* SPDX-License-Identifier: Apache-2.0 */
/* weir edit: secrets of TLS sessions put into a capture (pcapng, decryption secrets block). */
#include "app/edit/edit.h"
#include "io/keyfile.h"
#include "proto/tls/tls_keys.h"

#include <stdlib.h>

#define SECRETS_TLS_LOG 0x544c534bu /* "TLSK" */

enum { BLOCK_SECRETS = 10, HEAD = 8 };

static void put32(uint8_t *p, uint32_t v, bool big_endian) {
    if (big_endian) v = __builtin_bswap32(v);
    memcpy(p, &v, 4);
}

/* has_secrets tells whether a file is a key log at all: another file put into a capture would help nobody. */
static bool has_secrets(struct slice log) {
    struct tls_keys keys;
    tls_keys_make(&keys);
    tls_keys_log(&keys, log, TLS_FROM_LOG, true);
    bool any = keys.secrets.used > 0 && keys.generation > 1;
    tls_keys_free(&keys);
    return any;
}

int edit_secrets_read(struct slice *log, const char *path, struct writer *why) {
    int rc = keyfile_read(path, log, why);
    if (rc) return rc;
    if (has_secrets(*log)) return OK;
    keyfile_release(log);
    wr_s(why, "it has no line of a key log (CLIENT_RANDOM ... and the like) in it");
    return ERR_FORMAT;
}

int edit_secrets_put(struct edit_out *o, struct slice log, bool big_endian) {
    size_t n = HEAD + ((log.n + 3) & ~(size_t)3);
    uint8_t *body = calloc(1, n);
    if (!body) return ERR_NOMEM;
    put32(body, SECRETS_TLS_LOG, big_endian);
    put32(body + 4, (uint32_t)log.n, big_endian);
    memcpy(body + HEAD, log.p, log.n);
    int rc = edit_out_block(o, BLOCK_SECRETS, big_endian, slice_of(body, n));
    explicit_bzero(body, n);
    free(body);
    return rc;
}
