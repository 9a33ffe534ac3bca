/* SPDX-License-Identifier: Apache-2.0 */
/* The fields of a header block of HTTP/2, as a list of names and values in a source of their own. */
#include "base/hex.h"
#include "proto/http/http.h"
#include "proto/http2/http2.h"
#include "proto/media/media.h"
#include "proto/protos.h"

static const struct known {
    const char *name;
    uint16_t id;
} known[] = {
    {":authority", FID_HTTP2_HEADERS_AUTHORITY},
    {":method", FID_HTTP2_HEADERS_METHOD},
    {":path", FID_HTTP2_HEADERS_PATH},
    {":scheme", FID_HTTP2_HEADERS_SCHEME},
    {":status", FID_HTTP2_HEADERS_STATUS},
    {"accept", FID_HTTP2_HEADERS_ACCEPT},
    {"accept-charset", FID_HTTP2_HEADERS_ACCEPT_CHARSET},
    {"accept-encoding", FID_HTTP2_HEADERS_ACCEPT_ENCODING},
    {"accept-language", FID_HTTP2_HEADERS_ACCEPT_LANGUAGE},
    {"accept-ranges", FID_HTTP2_HEADERS_ACCEPT_RANGES},
    {"access-control-allow-origin", FID_HTTP2_HEADERS_ACCESS_CONTROL_ALLOW_ORIGIN},
    {"age", FID_HTTP2_HEADERS_AGE},
    {"allow", FID_HTTP2_HEADERS_ALLOW},
    {"authorization", FID_HTTP2_HEADERS_AUTHORIZATION},
    {"cache-control", FID_HTTP2_HEADERS_CACHE_CONTROL},
    {"content-disposition", FID_HTTP2_HEADERS_CONTENT_DISPOSITION},
    {"content-encoding", FID_HTTP2_HEADERS_CONTENT_ENCODING},
    {"content-language", FID_HTTP2_HEADERS_CONTENT_LANGUAGE},
    {"content-length", FID_HTTP2_HEADERS_CONTENT_LENGTH},
    {"content-location", FID_HTTP2_HEADERS_CONTENT_LOCATION},
    {"content-range", FID_HTTP2_HEADERS_CONTENT_RANGE},
    {"content-type", FID_HTTP2_HEADERS_CONTENT_TYPE},
    {"cookie", FID_HTTP2_HEADERS_COOKIE},
    {"date", FID_HTTP2_HEADERS_DATE},
    {"etag", FID_HTTP2_HEADERS_ETAG},
    {"expect", FID_HTTP2_HEADERS_EXPECT},
    {"expires", FID_HTTP2_HEADERS_EXPIRES},
    {"from", FID_HTTP2_HEADERS_FROM},
    {"if-match", FID_HTTP2_HEADERS_IF_MATCH},
    {"if-modified-since", FID_HTTP2_HEADERS_IF_MODIFIED_SINCE},
    {"if-none-match", FID_HTTP2_HEADERS_IF_NONE_MATCH},
    {"if-range", FID_HTTP2_HEADERS_IF_RANGE},
    {"if-unmodified-since", FID_HTTP2_HEADERS_IF_UNMODIFIED_SINCE},
    {"last-modified", FID_HTTP2_HEADERS_LAST_MODIFIED},
    {"link", FID_HTTP2_HEADERS_LINK},
    {"location", FID_HTTP2_HEADERS_LOCATION},
    {"max-forwards", FID_HTTP2_HEADERS_MAX_FORWARDS},
    {"proxy-authenticate", FID_HTTP2_HEADERS_PROXY_AUTHENTICATE},
    {"proxy-authorization", FID_HTTP2_HEADERS_PROXY_AUTHORIZATION},
    {"range", FID_HTTP2_HEADERS_RANGE},
    {"referer", FID_HTTP2_HEADERS_REFERER},
    {"refresh", FID_HTTP2_HEADERS_REFRESH},
    {"retry-after", FID_HTTP2_HEADERS_RETRY_AFTER},
    {"server", FID_HTTP2_HEADERS_SERVER},
    {"set-cookie", FID_HTTP2_HEADERS_SET_COOKIE},
    {"strict-transport-security", FID_HTTP2_HEADERS_STRICT_TRANSPORT_SECURITY},
    {"user-agent", FID_HTTP2_HEADERS_USER_AGENT},
    {"vary", FID_HTTP2_HEADERS_VARY},
    {"via", FID_HTTP2_HEADERS_VIA},
    {"www-authenticate", FID_HTTP2_HEADERS_WWW_AUTHENTICATE},
};

static uint16_t known_id(struct slice name) { /* names are in lower case: RFC 9113 8.2 */
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (slice_eq(name, slice_str(known[i].name))) return known[i].id;
    return 0;
}

static const char *const repr_names[] = {
    [REPR_INDEXED] = "Indexed Header Field",
    [REPR_INCREMENTAL] = "Literal Header Field with Incremental Indexing - Indexed Name",
    [REPR_INCREMENTAL_NEW] = "Literal Header Field with Incremental Indexing - New Name",
    [REPR_WITHOUT] = "Literal Header Field without Indexing - Indexed Name",
    [REPR_WITHOUT_NEW] = "Literal Header Field without Indexing - New Name",
    [REPR_NEVER] = "Literal Header Field never Indexed - Indexed Name",
    [REPR_NEVER_NEW] = "Literal Header Field never Indexed - New Name",
};

static bool number_of(struct slice s, uint64_t *v) {
    *v = 0;
    if (!s.n || s.n > 18) return false;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9') return false;
        *v = *v * 10 + (uint64_t)(s.p[i] - '0');
    }
    return true;
}

/* unescape returns a value with its percent signs resolved (RFC 3986 2.1); false where one is no escape. */
static bool unescape(struct arena *arena, struct slice in, struct slice *out) {
    *out = in;
    if (!in.n || !memchr(in.p, '%', in.n)) return true;
    uint8_t *p = arena_get(arena, in.n);
    size_t n = 0;
    if (!p) return false;
    for (size_t i = 0; i < in.n; i++) {
        if (in.p[i] != '%') {
            p[n++] = in.p[i];
            continue;
        }
        int high = i + 2 < in.n ? hex_digit(in.p[i + 1]) : -1, low = i + 2 < in.n ? hex_digit(in.p[i + 2]) : -1;
        if (high < 0 || low < 0 || high + low == 0) return false;
        p[n++] = (uint8_t)(high << 4 | low);
        i += 2;
    }
    *out = slice_of(p, n);
    return true;
}

/* text_mark marks the text of a value whose header field is secret, or which has a secret in its query. */
static void text_mark(struct fval *text, const struct http2_field *f, bool secret) {
    if (secret) fv_secret(text);
    else if (slice_eq(f->name, SLICE(":path")) || slice_eq(f->name, SLICE("location")) ||
             slice_eq(f->name, SLICE("referer")))
        http_query_mark(text, f->value);
}

static void value_add(struct decode *d, const struct http2_field *f, uint16_t id, uint32_t off, bool secret) {
    uint32_t len = (uint32_t)f->value.n;
    uint64_t number;
    struct slice plain;
    if (id && (field_of(id)->type == FT_UINT64 || field_of(id)->type == FT_UINT16)) {
        if (number_of(f->value, &number)) fv_u(d->out, id, off, len, number);
    } else if (id) {
        text_mark(fv_s(d->out, id, off, len, f->value), f, secret);
    }
    if (d_wants(d, FID_HTTP2_HEADER_UNESCAPED) && unescape(d->arena, f->value, &plain)) {
        text_mark(fv_s(d->out, FID_HTTP2_HEADER_UNESCAPED, off, len, plain), f, secret);
    }
}

/* field_add shows a header field that stands at `at` of the text's source `own`, and at `off` of the frame's. */
static void field_add(struct decode *d, const struct http2_field *f, uint32_t off, uint8_t own, uint32_t at) {
    uint8_t src = d->out->src;
    uint32_t name = at + 4, value = name + (uint32_t)f->name.n + 4;
    uint16_t id = known_id(f->name);
    bool secret = http_name_secret(f->name);
    uint32_t header = fv_open(d->out, FID_HTTP2_HEADER, off, f->len);
    text_mark(fv_at(d->out, header), f, secret);
    d->out->src = own;
    fv_u(d->out, FID_HTTP2_HEADER_NAME_LENGTH, at, 4, f->name.n);
    fv_s(d->out, FID_HTTP2_HEADER_NAME, name, (uint32_t)f->name.n, f->name);
    fv_u(d->out, FID_HTTP2_HEADER_VALUE_LENGTH, value - 4, 4, f->value.n);
    text_mark(fv_s(d->out, FID_HTTP2_HEADER_VALUE, value, (uint32_t)f->value.n, f->value), f, secret);
    value_add(d, f, id, value, secret);
    d->out->src = src;
    if (f->repr) {
        fv_s(d->out, FID_HTTP2_HEADER_REPR, off, 1, slice_str(repr_names[f->repr]));
        if (f->index) fv_u(d->out, FID_HTTP2_HEADER_INDEX, off, 1, f->index);
    }
    fv_close(d->out);
}

static void size_add(struct decode *d, const struct http2_field *f, uint32_t off) {
    fv_open(d->out, FID_HTTP2_HEADER_TABLE_SIZE_UPDATE, off, f->len);
    fv_u(d->out, FID_HTTP2_HEADER_TABLE_SIZE_UPDATE_HEADER_TABLE_SIZE, off, f->len, f->index);
    fv_close(d->out);
}

/* text_make puts names and values together as tshark's source of header text is made: each after its length. */
static struct slice text_make(struct decode *d, const struct http2_field *list, size_t n) {
    size_t total = 0;
    for (size_t i = 0; i < n; i++)
        if (list[i].repr != REPR_SIZE) total += 8 + list[i].name.n + list[i].value.n;
    uint8_t *text = total && total < UINT32_MAX / 2 ? arena_get(d->arena, total) : NULL;
    if (!text) return (struct slice){0};
    struct writer w = wr_fixed(text, total);
    for (size_t i = 0; i < n; i++) {
        if (list[i].repr == REPR_SIZE) continue;
        const struct slice part[] = {list[i].name, list[i].value};
        for (int k = 0; k < 2; k++) {
            uint32_t be = __builtin_bswap32((uint32_t)part[k].n);
            wr_bytes(&w, &be, 4);
            wr_slice(&w, part[k]);
        }
    }
    return wr_done(&w);
}

static struct slice find(const struct http2_field *list, size_t n, const char *name) {
    for (size_t i = 0; i < n; i++)
        if (slice_eq(list[i].name, slice_str(name))) return list[i].value;
    return (struct slice){0};
}

static void uri_add(struct decode *d, const struct http2_field *list, size_t n, uint32_t off) {
    struct slice scheme = find(list, n, ":scheme"), authority = find(list, n, ":authority"),
                 path = find(list, n, ":path");
    if (!scheme.n || !authority.n || !path.n || !d_wants(d, FID_HTTP2_REQUEST_FULL_URI)) return;
    size_t room = scheme.n + authority.n + path.n + 3;
    char *text = arena_get(d->arena, room);
    if (!text) return;
    struct writer w = wr_fixed(text, room);
    wr_slice(&w, scheme);
    wr_s(&w, "://");
    wr_slice(&w, authority);
    wr_slice(&w, path);
    http_query_mark(fv_s(d->out, FID_HTTP2_REQUEST_FULL_URI, off, 0, wr_done(&w)), wr_done(&w));
}

/* body_note remembers what the block says of the body to come. */
static void body_note(struct decode *d, struct http2_state *st, int from, uint32_t stream,
                      const struct http2_field *list, size_t n) {
    struct slice type = find(list, n, "content-type"), coding = find(list, n, "content-encoding");
    if (!find(list, n, ":method").n && !find(list, n, ":status").n) return; /* a trailer */
    struct http2_body *b = http2_body_start(d, st, from, stream);
    b->type_len = (uint8_t)(type.n < HTTP2_TYPE_MAX ? type.n : HTTP2_TYPE_MAX);
    if (b->type_len) memcpy(b->type, type.p, b->type_len);
    enum http_coding undone = http_coding_of(coding);
    b->coded = (uint8_t)(undone == HTTP_CODED ? HTTP_PLAIN : undone);
}

void http2_block_add(struct decode *d, struct http2_state *st, int from, const struct http2_frame *f, uint32_t stream,
                     struct slice block) {
    struct http2_hpack *h = &st->side[from].hpack;
    bool wanted = want_any(d->out->want, FID_HTTP2_HEADER, FID_HTTP2_REQUEST_FULL_URI + 1) ||
                  d_wants(d, FID_HTTP2_MEDIA) || media_wanted(d) ||
                  want_any(d->out->want, FID_HTTP2_HEADERS_AUTHORITY, FID_HTTP2_HEADERS_WWW_AUTHENTICATE + 1) ||
                  want_any(d->out->want, FID_HTTP2_BODY_FRAGMENTS, FID_HTTP2_BODY_REASSEMBLED_DATA + 1);
    struct http2_field *list =
        wanted && http2_hpack_works() ? arena_get(d->arena, HTTP2_LINES_MAX * sizeof *list) : NULL;
    if (!list) return; /* the wishes stay the same for all packets: a table that nobody reads need not be kept */
    bool ok, more;
    size_t n = http2_hpack_read(h, d, block, f->flags & H2_END_HEADERS, list, HTTP2_LINES_MAX, &ok, &more);
    uint32_t off = block.n ? d_off(d, block.p) : f->off, at = 0;
    struct slice text = text_make(d, list, n);
    uint8_t own = text.n ? fvec_add_source(d->out, text, "Decompressed Header") : 0;
    if (n) {
        fv_u(d->out, FID_HTTP2_HEADER_LENGTH, f->off, 1, text.n);
        fv_u(d->out, FID_HTTP2_HEADER_COUNT, f->off, 1, n);
    }
    for (size_t i = 0; i < n; i++) {
        if (list[i].repr == REPR_SIZE) size_add(d, &list[i], off + list[i].off);
        else if (own) {
            field_add(d, &list[i], off + list[i].off, own, at);
            at += (uint32_t)(8 + list[i].name.n + list[i].value.n);
        }
    }
    if (!ok) d_anomaly(d, FID_HTTP2_BAD_HEADERS, off, (uint32_t)block.n);
    if (more) d_anomaly(d, FID_HTTP2_HEADERS_EXCEEDED, off, (uint32_t)block.n);
    uri_add(d, list, n, f->off);
    body_note(d, st, from, stream, list, n);
}
