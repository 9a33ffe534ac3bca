/* SPDX-License-Identifier: Apache-2.0 */
/* Theory of operation: header blocks of HTTP/2 (RFC 7541), decompressed by libnghttp2.
 *
 * How a header field is written (its representation) is read here, for the tree; what it says comes from the library,
 * which keeps the dynamic table. An index counts from the newest entry, so after a gap, or a block that could not be
 * read, an empty table gives either what was meant or an error, never something else: hence a table is thrown away
 * at the first error. The encoder's own limit is the peer's setting, which may not have been seen; HTTP2_TABLE_MAX
 * stands in for it. */
#include "proto/http2/http2.h"

#ifdef WEIR_NGHTTP2
#include <nghttp2/nghttp2.h>

bool http2_hpack_works(void) { return true; }

enum { INFLATER_BYTES = 6 * 1024 }; /* that it takes with an empty table */

/* charge keeps the budget's account of the inflater's memory; false: there is no more room. */
static bool charge(struct http2_hpack *h, size_t bytes) {
    if (!h->of) return true;
    h->of->held = h->of->held - h->charged + bytes;
    h->charged = bytes;
    return h->of->held <= h->of->cap;
}

void http2_hpack_end(struct http2_hpack *h) {
    if (h->inflater) nghttp2_hd_inflate_del(h->inflater);
    (void)charge(h, 0);
    *h = (struct http2_hpack){0};
}

static bool begin(struct http2_hpack *h, struct arena_budget *of) {
    if (h->inflater) return true;
    h->of = of;
    nghttp2_hd_inflater *inflater;
    if (nghttp2_hd_inflate_new(&inflater)) return false;
    if (nghttp2_hd_inflate_change_table_size(inflater, HTTP2_TABLE_MAX)) {
        nghttp2_hd_inflate_del(inflater);
        return false;
    }
    h->inflater = inflater;
    return charge(h, INFLATER_BYTES);
}

/* number_read reads an integer with a prefix of `bits`: RFC 7541 5.1. */
static uint32_t number_read(struct reader *r, unsigned bits) {
    uint32_t most = (1u << bits) - 1, v = rd_u8(r) & most;
    if (v < most) return v;
    for (unsigned shift = 0; shift < 28; shift += 7) {
        uint8_t b = rd_u8(r);
        v += (uint32_t)(b & 0x7f) << shift;
        if (!(b & 0x80)) break;
    }
    return v;
}

/* repr_read tells how the header field at r is written: RFC 7541 6. */
static void repr_read(struct reader *r, struct http2_field *f) {
    int first = rd_peek(r, 0);
    if (first < 0) return;
    unsigned bits = first & 0x80 ? 7 : first & 0x40 ? 6 : first & 0x20 ? 5 : 4;
    f->index = number_read(r, bits);
    f->repr = first & 0x80   ? REPR_INDEXED
              : first & 0x40 ? (f->index ? REPR_INCREMENTAL : REPR_INCREMENTAL_NEW)
              : first & 0x20 ? REPR_SIZE
              : first & 0x10 ? (f->index ? REPR_NEVER : REPR_NEVER_NEW)
                             : (f->index ? REPR_WITHOUT : REPR_WITHOUT_NEW);
}

/* sizes_read takes changes of the table's size off the front of a block, which the library reads together with the
 * field behind them. */
static size_t sizes_read(struct slice block, size_t at, struct http2_field *out, size_t max) {
    struct reader r = rd_init(slice_tail(block, at), block.p);
    size_t n = 0;
    while (n < max && rd_left(&r) && (rd_peek(&r, 0) & 0xe0) == 0x20) {
        struct http2_field f = {.off = rd_off(&r)};
        repr_read(&r, &f);
        f.len = rd_off(&r) - f.off;
        out[n++] = f;
    }
    return n;
}

size_t http2_hpack_read(struct http2_hpack *h, struct decode *d, struct slice block, bool last, struct http2_field *out,
                        size_t max, bool *ok, bool *more) {
    size_t n = 0, at = 0;
    bool done = false;
    *ok = begin(h, d->kept);
    *more = false;
    while (*ok && !done) {
        if (!h->inside) {
            size_t sizes = sizes_read(block, at, out + n, max - n);
            n += sizes;
        }
        size_t start = n && out[n - 1].repr == REPR_SIZE ? out[n - 1].off + out[n - 1].len : at;
        nghttp2_nv nv;
        int flags = 0;
        ssize_t used = nghttp2_hd_inflate_hd2(h->inflater, &nv, &flags, block.p + at, block.n - at, last);
        *ok = used >= 0;
        if (!*ok) break;
        at += (size_t)used;
        if (flags & NGHTTP2_HD_INFLATE_EMIT) {
            if (n == max) {
                *more = true;
                break;
            }
            struct http2_field f = {.off = (uint32_t)start, .len = (uint32_t)(at - start)};
            struct reader r = rd_init(slice_head(slice_tail(block, start), f.len), block.p);
            if (!h->inside) repr_read(&r, &f);
            f.name = arena_copy(d->arena, slice_of(nv.name, nv.namelen));
            f.value = arena_copy(d->arena, slice_of(nv.value, nv.valuelen));
            out[n++] = f;
            h->inside = false;
        } else if (!last && at > start) {
            h->inside = true;
        }
        done = flags & NGHTTP2_HD_INFLATE_FINAL || (!(flags & NGHTTP2_HD_INFLATE_EMIT) && at >= block.n);
        if (flags & NGHTTP2_HD_INFLATE_FINAL) nghttp2_hd_inflate_end_headers(h->inflater);
    }
    *ok = *ok && charge(h, INFLATER_BYTES + nghttp2_hd_inflate_get_dynamic_table_size(h->inflater));
    if (!*ok || *more) http2_hpack_end(h);
    return n;
}

#else

bool http2_hpack_works(void) { return false; }
void http2_hpack_end(struct http2_hpack *h) { (void)h; }
size_t http2_hpack_read(struct http2_hpack *h, struct decode *d, struct slice block, bool last, struct http2_field *out,
                        size_t max, bool *ok, bool *more) {
    (void)h, (void)d, (void)block, (void)last, (void)out, (void)max;
    *ok = true;
    *more = false;
    return 0;
}

#endif
