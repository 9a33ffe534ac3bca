/* SPDX-License-Identifier: Apache-2.0 */
/* Content codings: gzip and deflate (RFC 9110 8.4.1), br (RFC 7932) where the library for it was there when this was
 * built. */
#include "proto/http/http.h"

#include <zlib.h>
#ifdef WEIR_BROTLI
#include <brotli/decode.h>
#endif

enum http_coding http_coding_of(struct slice name) {
    if (slice_alike(name, SLICE("gzip")) || slice_alike(name, SLICE("x-gzip")) || slice_alike(name, SLICE("deflate")) ||
        slice_alike(name, SLICE("x-deflate")))
        return HTTP_DEFLATED;
#ifdef WEIR_BROTLI
    if (slice_alike(name, SLICE("br"))) return HTTP_BROTLI;
#endif
    return slice_alike(name, SLICE("identity")) ? HTTP_PLAIN : HTTP_CODED;
}

static voidpf zlib_get(voidpf arena, uInt items, uInt size) { return arena_get(arena, (size_t)items * size); }
static void zlib_put(voidpf arena, voidpf p) { (void)arena, (void)p; }

enum { GZIP_OR_ZLIB = 32, FIRST_GUESS = 4 };

/* inflate_as unfolds with the given window bits; the output grows by doubling inside the arena. */
static bool inflate_as(struct arena *arena, struct slice body, size_t max, int window, struct slice *out) {
    z_stream z = {.zalloc = zlib_get,
                  .zfree = zlib_put,
                  .opaque = arena,
                  .next_in = (Bytef *)(uintptr_t)body.p,
                  .avail_in = (uInt)body.n};
    if (body.n > UINT32_MAX || inflateInit2(&z, window) != Z_OK) return false;
    size_t room = body.n < max / FIRST_GUESS ? body.n * FIRST_GUESS + 64 : max, have = 0;
    uint8_t *p = NULL;
    int rc = Z_OK;
    for (;;) {
        uint8_t *larger = arena_get(arena, room);
        if (!larger) break;
        if (have) memcpy(larger, p, have);
        p = larger;
        z.next_out = p + have;
        z.avail_out = (uInt)(room - have);
        rc = inflate(&z, Z_SYNC_FLUSH);
        have = room - z.avail_out;
        if (rc != Z_OK || z.avail_out || room >= max) break;
        room = room < max / 2 ? room * 2 : max;
    }
    *out = slice_of(p, have);
    return (rc == Z_STREAM_END || rc == Z_OK || rc == Z_BUF_ERROR) && p;
}

/* inflate_any: without a header only the whole of the bytes tells whether they were deflated at all. */
static bool inflate_any(struct arena *arena, struct slice body, size_t max, struct slice *out) {
    if (inflate_as(arena, body, max, MAX_WBITS + GZIP_OR_ZLIB, out)) return true;
    bool raw = inflate_as(arena, body, HTTP_BODY_MAX, -MAX_WBITS, out);
    *out = slice_head(*out, max);
    return raw;
}

#ifdef WEIR_BROTLI
static void *brotli_get(void *arena, size_t size) { return arena_get(arena, size); }
static void brotli_put(void *arena, void *p) { (void)arena, (void)p; }

static bool brotli_unfold(struct arena *arena, struct slice body, size_t max, struct slice *out) {
    BrotliDecoderState *b = BrotliDecoderCreateInstance(brotli_get, brotli_put, arena);
    size_t room = body.n < max / FIRST_GUESS ? body.n * FIRST_GUESS + 64 : max, have = 0, left = body.n;
    const uint8_t *from = body.p;
    uint8_t *p = NULL;
    BrotliDecoderResult r = BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT;
    while (b && r == BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT) {
        uint8_t *larger = arena_get(arena, room);
        if (!larger) break;
        if (have) memcpy(larger, p, have);
        p = larger;
        size_t free = room - have;
        uint8_t *to = p + have;
        r = BrotliDecoderDecompressStream(b, &left, &from, &free, &to, NULL);
        have = room - free;
        if (room >= max) break;
        room = room < max / 2 ? room * 2 : max;
    }
    if (b) BrotliDecoderDestroyInstance(b);
    *out = slice_of(p, have);
    return p && r != BROTLI_DECODER_RESULT_ERROR;
}
#endif

bool http_unfold(struct arena *arena, enum http_coding coding, struct slice body, size_t max, struct slice *out) {
    *out = (struct slice){0};
    if (!body.n) return true;
    switch (coding) {
    case HTTP_DEFLATED: return inflate_any(arena, body, max, out);
#ifdef WEIR_BROTLI
    case HTTP_BROTLI: return brotli_unfold(arena, body, max, out);
#else
    case HTTP_BROTLI:
#endif
    case HTTP_CODED:
    case HTTP_PLAIN: break;
    }
    return false;
}
