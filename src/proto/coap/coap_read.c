/* SPDX-License-Identifier: Apache-2.0 */
/* Constrained Application Protocol over UDP (RFC 7252), with the options of RFC 7641 (observe), 7959 (blocks), 8613
 * (OSCORE) and 8768 (hop limit). Which request a response answers, and blocks put together, are not known here. */
#include "proto/http/http.h"
#include "proto/media/media.h"
#include "proto/protos.h"

#include "field/print.h"

#include <stdarg.h>
#include <stdio.h>

enum {
    MARKER = 0xff,
    OBSERVE = 6,
    URI_HOST = 3,
    URI_PORT = 7,
    URI_PATH = 11,
    CONTENT_FORMAT = 12,
    URI_QUERY = 15,
    SIZE2 = 28,
    URI_MAX = 1024, /* bytes of an address put together */
};

enum value_kind { V_OPAQUE, V_EMPTY, V_UINT, V_TEXT, V_FORMAT, V_BLOCK, V_OSCORE };

/* The options of RFC 7252, 5.10, and its companions: number, name, field, kind and lengths. */
static const struct option {
    uint16_t number;
    uint8_t kind, least;
    uint16_t most, id;
    const char *name;
} options[] = {
    {1, V_OPAQUE, 0, 8, FID_COAP_OPT_IF_MATCH, "If-Match"},
    {3, V_TEXT, 1, 255, FID_COAP_OPT_URI_HOST, "Uri-Host"},
    {4, V_OPAQUE, 1, 8, FID_COAP_OPT_ETAG, "Etag"},
    {5, V_EMPTY, 0, 0, 0, "If-None-Match"},
    {6, V_UINT, 0, 3, FID_COAP_OPT_OBSERVE, "Observe"},
    {7, V_UINT, 0, 2, FID_COAP_OPT_URI_PORT, "Uri-Port"},
    {8, V_TEXT, 0, 255, FID_COAP_OPT_LOCATION_PATH, "Location-Path"},
    {9, V_OSCORE, 0, 255, 0, "OSCORE"},
    {11, V_TEXT, 0, 255, FID_COAP_OPT_URI_PATH, "Uri-Path"},
    {12, V_FORMAT, 0, 2, FID_COAP_OPT_CTYPE, "Content-Format"},
    {14, V_UINT, 0, 4, FID_COAP_OPT_MAX_AGE, "Max-age"},
    {15, V_TEXT, 0, 255, FID_COAP_OPT_URI_QUERY, "Uri-Query"},
    {16, V_UINT, 1, 1, FID_COAP_OPT_HOP_LIMIT, "Hop-Limit"},
    {17, V_FORMAT, 0, 2, FID_COAP_OPT_ACCEPT, "Accept"},
    {20, V_TEXT, 0, 255, FID_COAP_OPT_LOCATION_QUERY, "Location-Query"},
    {23, V_BLOCK, 0, 3, 0, "Block2"},
    {27, V_BLOCK, 0, 3, 0, "Block1"},
    {28, V_UINT, 0, 4, FID_COAP_OPT_BLOCK_SIZE, "Size2"},
    {35, V_TEXT, 1, 1034, FID_COAP_OPT_PROXY_URI, "Proxy-Uri"},
    {39, V_TEXT, 1, 255, FID_COAP_OPT_PROXY_SCHEME, "Proxy-Scheme"},
    {60, V_UINT, 0, 4, FID_COAP_OPT_SIZE1, "Size1"},
};

/* Names of content formats: IANA's registry of CoRE parameters. */
static const struct {
    uint16_t number;
    const char *name;
} formats[] = {
    {0, "text/plain; charset=utf-8"},
    {16, "application/cose; cose-type=\"cose-encrypt0\""},
    {17, "application/cose; cose-type=\"cose-mac0\""},
    {18, "application/cose; cose-type=\"cose-sign1\""},
    {40, "application/link-format"},
    {41, "application/xml"},
    {42, "application/octet-stream"},
    {47, "application/exi"},
    {50, "application/json"},
    {51, "application/json-patch+json"},
    {52, "application/merge-patch+json"},
    {60, "application/cbor"},
    {61, "application/cwt"},
    {62, "application/multipart-core"},
    {63, "application/cbor-seq"},
    {110, "application/senml+json"},
    {111, "application/sensml+json"},
    {112, "application/senml+cbor"},
    {113, "application/sensml+cbor"},
    {310, "application/senml+xml"},
    {311, "application/sensml+xml"},
    {11542, "application/vnd.oma.lwm2m+tlv"},
    {11543, "application/vnd.oma.lwm2m+json"},
};

/* coap_msg is what the options said, for what comes after them. */
struct coap_msg {
    struct decode *d;
    uint8_t code;
    struct slice format; /* empty: none was given */
    bool block;
    char *uri; /* URI_MAX bytes, or NULL */
    size_t path_n, query_n;
    char *query; /* URI_MAX bytes, or NULL */
    struct slice host;
    uint64_t port;
    bool has_host, has_port;
};

static const struct option *option_find(uint32_t number) {
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (options[i].number == number) return &options[i];
    return NULL;
}

/* text_keep writes a short text into the packet's memory. */
__attribute__((format(printf, 2, 3))) static struct slice text_keep(struct decode *d, const char *format, ...) {
    enum { ROOM = 64 };
    char *p = arena_get(d->arena, ROOM);
    if (!p) return (struct slice){0};
    va_list args;
    va_start(args, format);
    int n = vsnprintf(p, ROOM, format, args);
    va_end(args);
    return slice_of(p, n < 0 ? 0 : n >= ROOM ? ROOM - 1 : (size_t)n);
}

static struct slice format_name(struct decode *d, uint32_t number) {
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (formats[i].number == number) return slice_str(formats[i].name);
    return text_keep(d, "Unknown Type %u", number);
}

/* append adds a part of the path or of the query with the character before it. */
static void append(char *buf, size_t *n, char before, struct slice s) {
    if (!buf || *n + 1 + s.n > URI_MAX) return;
    buf[(*n)++] = before;
    if (s.n) memcpy(buf + *n, s.p, s.n);
    *n += s.n;
}

static void text_read(struct coap_msg *m, struct reader *r, const struct option *o) {
    struct slice s = rd_rest(r);
    get_bytes(m->d, r, o->id, s.n);
    if (o->number == URI_PATH) append(m->uri, &m->path_n, '/', s);
    if (o->number == URI_QUERY) append(m->query, &m->query_n, m->query_n ? '&' : '?', s);
    if (o->number == URI_HOST) {
        m->host = s;
        m->has_host = true;
    }
}

/* block_read: RFC 7959, 2.2: number, more, size. */
static void block_read(struct coap_msg *m, struct reader *r) {
    struct decode *d = m->d;
    uint32_t off = rd_off(r);
    struct slice s = rd_take(r, rd_left(r));
    uint64_t v = load_be(s.p, s.n);
    uint32_t n = (uint32_t)s.n, last = n ? off + n - 1 : off;
    fv_u(d->out, FID_COAP_OPT_BLOCK_NUMBER, off, n, v >> 4);
    fv_u(d->out, FID_COAP_OPT_BLOCK_MFLAG, last, n ? 1 : 0, v >> 3 & 1);
    struct fval *f = fv_u(d->out, FID_COAP_OPT_BLOCK_SIZE, last, n ? 1 : 0, v & 7);
    if (f) f->extra = 1;
    m->block = true;
}

/* oscore_read: RFC 8613, 6.1. */
static void oscore_read(struct decode *d, struct reader *r) {
    if (!rd_left(r)) return;
    uint32_t off = rd_off(r);
    uint8_t flags = rd_u8(r);
    fv_u(d->out, FID_COAP_OPT_OBJECT_SECURITY_RESERVED, off, 1, (flags & 0xe0) != 0);
    fv_u(d->out, FID_COAP_OPT_OBJECT_SECURITY_KID_CONTEXT_PRESENT, off, 1, flags >> 4 & 1);
    fv_u(d->out, FID_COAP_OPT_OBJECT_SECURITY_KID_PRESENT, off, 1, flags >> 3 & 1);
    fv_u(d->out, FID_COAP_OPT_OBJECT_SECURITY_PIV_LEN, off, 1, flags & 7);
    if (flags & 7) get_bytes(d, r, FID_COAP_OPT_OBJECT_SECURITY_PIV, flags & 7u);
    if (flags & 0x10) {
        uint8_t n = get_u8(d, r, FID_COAP_OPT_OBJECT_SECURITY_KID_CONTEXT_LEN);
        if (rd_ok(r)) get_bytes(d, r, FID_COAP_OPT_OBJECT_SECURITY_KID_CONTEXT, n);
    }
    if (flags & 8 && rd_ok(r)) get_bytes(d, r, FID_COAP_OPT_OBJECT_SECURITY_KID, rd_left(r));
}

static void value_read(struct coap_msg *m, struct reader *r, const struct option *o) {
    struct decode *d = m->d;
    uint32_t off = rd_off(r), n = (uint32_t)rd_left(r);
    struct slice s = rd_rest(r);
    switch (o ? (enum value_kind)o->kind : V_OPAQUE) {
    case V_EMPTY: break;
    case V_OPAQUE:
        if (n) get_bytes(d, r, o ? o->id : FID_COAP_OPT_UNKNOWN, n);
        break;
    case V_UINT: {
        uint64_t v = n > 4 ? UINT32_MAX : load_be(s.p, n);
        struct fval *f = fv_u(d->out, o->id, off, n, v);
        if (f && o->number == OBSERVE && m->code >= 64) f->extra = 1;
        if (f && o->number == SIZE2) f->extra = 2;
        if (o->number == URI_PORT) {
            m->port = v;
            m->has_port = true;
        }
        break;
    }
    case V_TEXT: text_read(m, r, o); break;
    case V_FORMAT: {
        struct slice name = format_name(d, (uint32_t)(n > 4 ? UINT32_MAX : load_be(s.p, n)));
        fv_s(d->out, o->id, off, n, name);
        if (o->number == CONTENT_FORMAT) m->format = name;
        break;
    }
    case V_BLOCK: block_read(m, r); break;
    case V_OSCORE: oscore_read(d, r); break;
    }
}

/* description: the bits of an option's number (RFC 7252, 5.4.6). */
static struct slice description(struct decode *d, uint32_t number) {
    return text_keep(d, "Type %u, %s, %s%s", number, number & 1 ? "Critical" : "Elective",
                     number & 2 ? "Unsafe" : "Safe", (number & 0x1e) == 0x1c ? ", NoCacheKey" : "");
}

static void option_show(struct coap_msg *m, struct reader *value, uint32_t off, uint32_t number, unsigned count) {
    struct decode *d = m->d;
    const struct option *o = option_find(number);
    uint32_t len = rd_off(value) - off + (uint32_t)rd_left(value);
    uint8_t head = d_base(d)[off];
    unsigned delta = head >> 4, length = head & 15;
    uint32_t at = fv_open(d->out, FID_COAP_OPT_NAME, off, len);
    struct fval *f = fv_at(d->out, at);
    if (f) {
        f->extra = (uint16_t)number;
        f->s = o ? text_keep(d, "#%u: %s", count, o->name) : text_keep(d, "#%u: Unknown Option (%u)", count, number);
    }
    if (!o) d_anomaly(d, FID_COAP_UNKNOWN_OPTION_NUMBER, off, len);
    else if (rd_left(value) < o->least || rd_left(value) > o->most)
        d_anomaly(d, FID_COAP_INVALID_OPTION_RANGE, off, len);
    if (d_wants(d, FID_COAP_OPT_DESC)) fv_s(d->out, FID_COAP_OPT_DESC, off, len, description(d, number));
    fv_u(d->out, FID_COAP_OPT_DELTA, off, 1, delta);
    fv_u(d->out, FID_COAP_OPT_LENGTH, off, 1, length);
    uint32_t ext = off + 1, width = delta == 13 ? 1 : delta == 14 ? 2 : 0;
    if (width) fv_u(d->out, FID_COAP_OPT_DELTA_EXT, ext, width, load_be(d_base(d) + ext, width));
    ext += width;
    width = length == 13 ? 1 : length == 14 ? 2 : 0;
    if (width) fv_u(d->out, FID_COAP_OPT_LENGTH_EXT, ext, width, load_be(d_base(d) + ext, width));
    value_read(m, value, o);
    fv_close(d->out);
}

/* extended_read reads what a nibble of 13 or 14 announces (RFC 7252, 3.1). */
static uint32_t extended_read(struct reader *r, unsigned nibble) {
    if (nibble == 13) return rd_u8(r) + 13u;
    if (nibble == 14) return rd_be16(r) + 269u;
    return nibble;
}

/* options_read reads the options; false where they are broken and nothing behind them makes sense. */
static bool options_read(struct coap_msg *m, struct reader *r) {
    uint32_t number = 0;
    for (unsigned count = 1; rd_left(r); count++) {
        uint32_t off = rd_off(r);
        uint8_t head = rd_u8(r);
        if (head == MARKER) {
            fv_u(m->d->out, FID_COAP_OPT_END_MARKER, off, 1, MARKER);
            return true;
        }
        bool half_marker = head >> 4 == 15 || (head & 15) == 15;
        uint32_t delta = half_marker ? 0 : extended_read(r, head >> 4);
        uint32_t n = half_marker ? 0 : extended_read(r, head & 15);
        if (half_marker || !rd_ok(r) || n > rd_left(r)) {
            d_anomaly(m->d, FID_COAP_OPTION_LENGTH_BAD, off, 1);
            r->err = false;
            return false;
        }
        number += delta;
        struct reader value = rd_sub(r, n);
        option_show(m, &value, off, number, count);
    }
    return true;
}

/* payload_read tells about the payload and returns it, unless it is a piece of one. */
static struct slice payload_read(struct coap_msg *m, struct reader *r) {
    struct decode *d = m->d;
    struct slice none = {0}, payload = rd_rest(r);
    uint32_t off = rd_off(r), n = (uint32_t)payload.n;
    if (!n) return none;
    if (m->block) {
        get_bytes(d, r, FID_COAP_BLOCK_PAYLOAD, n);
        fv_u(d->out, FID_COAP_BLOCK_LENGTH, off, 0, n);
        return none;
    }
    struct slice format = m->format.n ? m->format : SLICE("application/octet-stream");
    char *p = d_wants(d, FID_COAP_PAYLOAD) ? arena_get(d->arena, 160) : NULL;
    struct writer w = wr_fixed(p, p ? 160 : 0);
    if (p) {
        wr_s(&w, "Payload Content-Format: ");
        wr_slice(&w, format);
        wr_f(&w, "%s, Length: %u", m->format.n ? "" : " (no Content-Format)", n);
    }
    uint32_t at = fv_open(d->out, FID_COAP_PAYLOAD, off, n);
    if (at != FV_UNWANTED) fv_at(d->out, at)->s = wr_done(&w);
    fv_s(d->out, FID_COAP_PAYLOAD_DESC, off, 0, format);
    fv_u(d->out, FID_COAP_PAYLOAD_LENGTH, off, 0, n);
    fv_close(d->out);
    return payload;
}

/* content_read shows the payload as what its format says it is. */
static void content_read(struct decode *d, struct slice format, struct slice payload) {
    struct slice type = format.n ? http_media_type(d, format) : SLICE("application/octet-stream");
    if (media_kind_of(type) == MEDIA_DATA) d_data(d, payload);
    else media_read(d, type, payload);
}

/* uri_show puts the address together (RFC 7252, 6.5). */
static void uri_show(struct coap_msg *m, uint32_t start) {
    struct decode *d = m->d;
    if (!m->path_n && !m->query_n && !m->has_host) return;
    size_t room = m->host.n + m->path_n + m->query_n + 32;
    char *p = arena_get(d->arena, room);
    if (!p) return;
    struct writer w = wr_fixed(p, room);
    if (m->has_host) {
        wr_s(&w, "coap://");
        wr_slice(&w, m->host);
        if (m->has_port) wr_f(&w, ":%u", (unsigned)m->port);
    }
    if (m->uri) wr_bytes(&w, m->uri, m->path_n);
    struct fval *f = fv_s(d->out, FID_COAP_OPT_URI_PATH_RECON, start, 0, wr_done(&w));
    if (!f) return;
    /* The query is shown in the Info column only: it follows the address in memory. */
    if (m->query) wr_bytes(&w, m->query, m->query_n);
    f->extra = (uint16_t)m->query_n;
}

static void coap_read(struct decode *d, struct slice in) {
    struct coap_msg m = {.d = d, .uri = d_wants(d, FID_COAP_OPT_URI_PATH_RECON) ? arena_get(d->arena, URI_MAX) : NULL};
    m.query = m.uri ? arena_get(d->arena, URI_MAX) : NULL;
    struct reader r = d_reader(d, in);
    uint32_t off = rd_off(&r);
    d_begin(d, &proto_coap, off, (uint32_t)in.n);
    uint8_t head = rd_u8(&r);
    if (rd_ok(&r)) {
        fv_u(d->out, FID_COAP_VERSION, off, 1, head >> 6);
        fv_u(d->out, FID_COAP_TYPE, off, 1, head >> 4 & 3);
        fv_u(d->out, FID_COAP_TOKEN_LEN, off, 1, head & 15);
    }
    m.code = get_u8(d, &r, FID_COAP_CODE);
    get_be16(d, &r, FID_COAP_MID);
    if (rd_ok(&r) && head & 15) get_bytes(d, &r, FID_COAP_TOKEN, head & 15u);
    struct slice data = {0};
    if (rd_ok(&r) && options_read(&m, &r)) {
        data = payload_read(&m, &r);
        uri_show(&m, off);
    }
    if (!rd_ok(&r)) d_bad(d, &r);
    d_end(d);
    if (data.n) content_read(d, m.format, data);
}

static const char *code_name(uint64_t code) { return field_value_name(&vals_coap_code, code); }

static void coap_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    static const char *const types[4] = {"CON", "NON", "ACK", "RST"};
    const struct fval *type = fv_first(v, FID_COAP_TYPE, at, end), *code = fv_first(v, FID_COAP_CODE, at, end);
    const struct fval *mid = fv_first(v, FID_COAP_MID, at, end), *token = fv_first(v, FID_COAP_TOKEN, at, end);
    const struct fval *uri = fv_first(v, FID_COAP_OPT_URI_PATH_RECON, at, end);
    const struct fval *block = fv_first(v, FID_COAP_OPT_BLOCK_NUMBER, at, end);
    const struct fval *format = fv_first(v, FID_COAP_PAYLOAD_DESC, at, end);
    if (!type || !code || !mid) return;
    wr_f(w, "%s, MID:%u, ", types[type->u & 3], (unsigned)mid->u);
    if (code_name(code->u)) wr_s(w, code_name(code->u));
    else wr_f(w, "Unknown %u", (unsigned)code->u);
    if (format && slice_starts(format->s, SLICE("text/plain"))) wr_s(w, " (text/plain)");
    if (token) {
        wr_s(w, ", TKN:");
        wr_hexbytes(w, token->s, ' ');
    }
    if (block) wr_f(w, ", Block #%u", (unsigned)block->u);
    if (format &&
        (slice_eq(format->s, SLICE("application/json")) || slice_eq(format->s, SLICE("application/senml+json")))) {
        wr_s(w, ", JavaScript Object Notation (");
        wr_slice(w, format->s);
        wr_c(w, ')');
    }
    if (!uri) return;
    wr_s(w, ", ");
    print_string(w, slice_of(uri->s.p, uri->s.n + uri->extra));
}

static const char *coap_column(const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *format = fv_first(v, FID_COAP_PAYLOAD_DESC, at, end);
    if (!format) return "CoAP";
    if (slice_eq(format->s, SLICE("application/json")) || slice_eq(format->s, SLICE("application/senml+json")))
        return "CoAP/JSON";
    return slice_eq(format->s, SLICE("application/xml")) ? "CoAP/XML" : "CoAP";
}

static bool title_label(struct writer *w, const struct fvec *v, uint32_t at) {
    uint32_t end = fv_end(v, at);
    const struct fval *type = fv_first(v, FID_COAP_TYPE, at, end), *code = fv_first(v, FID_COAP_CODE, at, end);
    const struct fval *mid = fv_first(v, FID_COAP_MID, at, end);
    wr_s(w, field_of(FID_COAP)->label);
    if (!type || !code || !mid) return true;
    const char *type_name = field_value_name(&vals_coap_type, type->u);
    wr_f(w, ", %s, ", type_name ? type_name : "Unknown");
    if (code_name(code->u)) wr_s(w, code_name(code->u));
    else wr_f(w, "Unknown %u", (unsigned)code->u);
    wr_f(w, ", MID:%u", (unsigned)mid->u);
    return true;
}

/* option_label writes an option's name and value in one line. */
static bool option_label(struct writer *w, const struct fvec *v, uint32_t at) {
    uint32_t end = fv_end(v, at);
    wr_s(w, "Opt Name: ");
    print_string(w, v->v[at].s);
    if (end == at + 1) return true;
    const struct fval *last = &v->v[end - 1], *block = fv_first(v, FID_COAP_OPT_BLOCK_NUMBER, at, end);
    const struct fval *more = fv_first(v, FID_COAP_OPT_BLOCK_MFLAG, at, end);
    if (block && more) {
        wr_f(w, ": NUM:%u, M:%u, SZX:%u", (unsigned)block->u, (unsigned)more->u, 16u << (last->u & 7));
    } else if (last->id == FID_COAP_OPT_LENGTH || last->id == FID_COAP_OPT_LENGTH_EXT ||
               last->id == FID_COAP_OPT_DELTA_EXT) {
        return true;
    } else if (field_of(last->id)->type == FT_BYTES) {
        wr_s(w, ": ");
        wr_hexbytes(w, last->s, ' ');
    } else {
        wr_s(w, ": ");
        print_value(w, field_of(last->id), last);
    }
    return true;
}

static bool coap_label(struct writer *w, const struct fvec *v, uint32_t at) {
    const struct fval *f = &v->v[at];
    switch (f->id) {
    case FID_COAP: return title_label(w, v, at);
    case FID_COAP_OPT_NAME: return option_label(w, v, at);
    case FID_COAP_OPT_OBSERVE:
        if (f->extra) wr_f(w, "Observe sequence number: %u", (unsigned)f->u);
        return f->extra;
    case FID_COAP_OPT_BLOCK_SIZE:
        if (f->extra == 1) wr_f(w, "Block Size: %u (%u encoded)", 16u << (f->u & 7), (unsigned)f->u);
        if (f->extra == 2) wr_f(w, "Size2: %u", (unsigned)f->u);
        return f->extra;
    default: return false;
    }
}

static const uint16_t info_fields[] = {FID_COAP_TYPE,
                                       FID_COAP_CODE,
                                       FID_COAP_MID,
                                       FID_COAP_TOKEN,
                                       FID_COAP_OPT_URI_PATH_RECON,
                                       FID_COAP_OPT_BLOCK_NUMBER,
                                       FID_COAP_PAYLOAD_DESC,
                                       0};
static const struct proto_key keys[] = {{TABLE_UDP, 5683}, {TABLE_COUNT, 0}};
const struct proto proto_coap = {.name = "coap",
                                 .column = "CoAP",
                                 .column_of = coap_column,
                                 .id = FID_COAP,
                                 .end = FID_COAP_END,
                                 .keys = keys,
                                 .read = coap_read,
                                 .info = coap_info,
                                 .info_fields = info_fields,
                                 .label = coap_label};
