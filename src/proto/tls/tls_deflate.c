/* SPDX-License-Identifier: Apache-2.0 */
/* Compressed records, RFC 3749: the records of a side are one zlib stream, flushed after each. A record that was lost
 * takes those behind it with it. The stream's state lives in the library's memory, as it must not move. */
#include "proto/tls/tls_session.h"

#include <openssl/crypto.h>
#include <zlib.h>

enum { PLAIN_MOST = 1 << 14 }; /* RFC 3749 2: what is inside is no longer than a record may be */

void tls_inflate_end(struct tls_side *side) {
    if (side->inflater) inflateEnd(side->inflater);
    OPENSSL_free(side->inflater);
    side->inflater = NULL;
}

bool tls_inflate(struct tls_side *side, struct arena *memory, struct slice *plain) {
    uint8_t *out = arena_get(memory, PLAIN_MOST);
    if (!side->inflater) {
        z_stream *fresh = OPENSSL_zalloc(sizeof *fresh);
        if (!fresh || inflateInit(fresh) != Z_OK) {
            OPENSSL_free(fresh);
            return false;
        }
        side->inflater = fresh;
    }
    z_stream *z = side->inflater;
    z->next_in = (uint8_t *)(uintptr_t)plain->p;
    z->avail_in = (uInt)plain->n;
    z->next_out = out;
    z->avail_out = PLAIN_MOST;
    int rc = out ? inflate(z, Z_SYNC_FLUSH) : Z_MEM_ERROR;
    if ((rc != Z_OK && rc != Z_BUF_ERROR && rc != Z_STREAM_END) || z->avail_in) return false;
    *plain = slice_of(out, PLAIN_MOST - z->avail_out);
    return true;
}
