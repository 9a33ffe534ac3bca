/* SPDX-License-Identifier: Apache-2.0 */
/* The header fields of a message of HTTP/1: which have a name of their own, and what stands inside some of them. */
#include "field/print.h"
#include "proto/http/http.h"

/* Header fields with an entry in the field table, by the length of their names. */
static const struct known {
    struct slice name;
    uint16_t id;
} known[] = {
    {SLICE("date"), FID_HTTP_DATE},
    {SLICE("host"), FID_HTTP_HOST},
    {SLICE("accept"), FID_HTTP_ACCEPT},
    {SLICE("cookie"), FID_HTTP_COOKIE},
    {SLICE("server"), FID_HTTP_SERVER},
    {SLICE("referer"), FID_HTTP_REFERER},
    {SLICE("upgrade"), FID_HTTP_UPGRADE},
    {SLICE("location"), FID_HTTP_LOCATION},
    {SLICE("connection"), FID_HTTP_CONNECTION},
    {SLICE("set-cookie"), FID_HTTP_SET_COOKIE},
    {SLICE("user-agent"), FID_HTTP_USER_AGENT},
    {SLICE("content-type"), FID_HTTP_CONTENT_TYPE},
    {SLICE("authorization"), FID_HTTP_AUTHORIZATION},
    {SLICE("cache-control"), FID_HTTP_CACHE_CONTROL},
    {SLICE("last-modified"), FID_HTTP_LAST_MODIFIED},
    {SLICE("content-length"), FID_HTTP_CONTENT_LENGTH_HEADER},
    {SLICE("http2-settings"), FID_HTTP_HTTP2_SETTINGS},
    {SLICE("accept-encoding"), FID_HTTP_ACCEPT_ENCODING},
    {SLICE("accept-language"), FID_HTTP_ACCEPT_LANGUAGE},
    {SLICE("x-forwarded-for"), FID_HTTP_X_FORWARDED_FOR},
    {SLICE("content-encoding"), FID_HTTP_CONTENT_ENCODING},
    {SLICE("www-authenticate"), FID_HTTP_WWW_AUTHENTICATE},
    {SLICE("sec-websocket-key"), FID_HTTP_SEC_WEBSOCKET_KEY},
    {SLICE("transfer-encoding"), FID_HTTP_TRANSFER_ENCODING},
    {SLICE("proxy-authenticate"), FID_HTTP_PROXY_AUTHENTICATE},
    {SLICE("proxy-authorization"), FID_HTTP_PROXY_AUTHORIZATION},
    {SLICE("sec-websocket-accept"), FID_HTTP_SEC_WEBSOCKET_ACCEPT},
    {SLICE("sec-websocket-version"), FID_HTTP_SEC_WEBSOCKET_VERSION},
    {SLICE("sec-websocket-protocol"), FID_HTTP_SEC_WEBSOCKET_PROTOCOL},
    {SLICE("sec-websocket-extensions"), FID_HTTP_SEC_WEBSOCKET_EXTENSIONS},
};

static uint16_t known_id(struct slice name) {
    for (size_t i = 0; i < sizeof known / sizeof *known && known[i].name.n <= name.n; i++)
        if (slice_alike(name, known[i].name)) return known[i].id;
    return 0;
}

static bool ends_in(struct slice word, struct slice end) {
    return word.n >= end.n && slice_alike(slice_tail(word, word.n - end.n), end);
}

/* word_tells tells whether a word of a name, with the one before it, names what opens a door: X-Auth-Token,
 * accessToken, X-Api-Key, but not Idempotency-Key. */
static bool word_tells(struct slice before, struct slice word) {
    static const struct slice alone[] = {SLICE("token"),  SLICE("secret"),  SLICE("password"),     SLICE("passwd"),
                                         SLICE("apikey"), SLICE("authkey"), SLICE("authorization")};
    static const struct slice key_of[] = {SLICE("api"),       SLICE("auth"),    SLICE("access"), SLICE("subscription"),
                                          SLICE("functions"), SLICE("private"), SLICE("account")};
    if (!word.n || !memchr("dnty", ascii_lower(word.p[word.n - 1]), 4)) return false; /* they all end so */
    for (size_t i = 0; i < sizeof alone / sizeof *alone; i++)
        if (ends_in(word, alone[i])) return true;
    for (size_t i = 0; i < sizeof key_of / sizeof *key_of; i++)
        if (slice_alike(word, SLICE("key")) && slice_alike(before, key_of[i])) return true;
    return false;
}

bool http_name_secret(struct slice name) {
    while (name.n && (name.p[0] == ' ' || name.p[0] == '\t')) name = slice_tail(name, 1);
    while (name.n && (name.p[name.n - 1] == ' ' || name.p[name.n - 1] == '\t')) name.n--;
    uint16_t id = known_id(name);
    if (id) return field_of(id)->secret;
    struct slice before = {0}, word = {name.p, 0};
    for (; name.n; name = slice_tail(name, 1)) {
        bool parts = name.p[0] == '-' || name.p[0] == '_';
        if (!parts) word.n++;
        if (!parts && name.n > 1) continue;
        if (word_tells(before, word)) return true;
        before = word;
        word = (struct slice){name.p + 1, 0};
    }
    return false;
}

/* secret_mark marks what stands behind `head` bytes of a field, which may be NULL. */
static void secret_mark(struct fval *f, size_t head) {
    if (f) f->extra = (uint16_t)(head < UINT16_MAX ? head : 0);
    fv_secret(f);
}

bool http_key_secret(struct slice name) {
    static const char *const also[] = {"key", "sig", "pwd", "pass", "auth"};
    for (size_t i = 0; i < sizeof also / sizeof *also; i++)
        if (slice_alike(name, slice_str(also[i]))) return true;
    return ends_in(name, SLICE("signature")) || http_name_secret(name);
}

/* params_secret returns how far the first secret value is behind the beginning of parameters; 0: there is none. */
static size_t params_secret(struct slice params) {
    size_t at = 0;
    while (params.n) {
        const uint8_t *amp = memchr(params.p, '&', params.n);
        struct slice param = slice_head(params, amp ? (size_t)(amp - params.p) : params.n);
        const uint8_t *is = param.n ? memchr(param.p, '=', param.n) : NULL;
        size_t name = is ? (size_t)(is - param.p) : param.n;
        if (name + 1 < param.n && http_key_secret(slice_head(param, name))) return at + name + 1;
        at += param.n + 1;
        params = slice_tail(params, param.n + 1);
    }
    return 0;
}

size_t http_query_secret(struct slice text) {
    const uint8_t *mark = text.n ? memchr(text.p, '?', text.n) : NULL;
    if (!mark) return 0;
    struct slice query = slice_tail(text, (size_t)(mark - text.p) + 1);
    const uint8_t *space = query.n ? memchr(query.p, ' ', query.n) : NULL;
    size_t at = params_secret(slice_head(query, space ? (size_t)(space - query.p) : query.n));
    return at ? text.n - query.n + at : 0;
}

void http_query_mark(struct fval *f, struct slice text) {
    size_t at = f ? http_query_secret(text) : 0;
    if (at) secret_mark(f, at);
}

/* line_mark marks the field of a line; id is that of its name, as known_id gives it. */
static void line_mark(struct fval *f, uint16_t id, const struct http_header *h) {
    if (!f) return;
    if (id ? field_of(id)->secret : http_name_secret(h->name))
        secret_mark(f, h->value.n ? (size_t)(h->value.p - h->line.p) : 0);
    else if (id == FID_HTTP_REFERER || id == FID_HTTP_LOCATION) http_query_mark(f, h->line);
}

void http_line_mark(struct fval *f, const struct http_header *h) {
    if (f) line_mark(f, known_id(h->name), h);
}

/* token_ok tells whether every byte may stand in a field name: RFC 9110 5.6.2. */
static bool token_ok(struct slice name) {
    for (size_t i = 0; i < name.n; i++) {
        uint8_t c = name.p[i];
        bool letter = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
        if (!letter && !(c && strchr("!#$%&'*+-.^_`|~", c))) return false;
    }
    return true;
}

static void cookie_pairs(struct decode *d, struct slice value) {
    if (!d_wants(d, FID_HTTP_COOKIE_PAIR)) return;
    while (value.n) {
        const uint8_t *end = memchr(value.p, ';', value.n);
        size_t n = end ? (size_t)(end - value.p) : value.n;
        struct slice pair = slice_head(value, n);
        while (pair.n && pair.p[0] == ' ') pair = slice_tail(pair, 1);
        if (pair.n) fv_s(d->out, FID_HTTP_COOKIE_PAIR, d_off(d, pair.p), (uint32_t)pair.n, pair);
        value = slice_tail(value, n + 1);
    }
}

static int base64_digit(uint8_t c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* credentials_add shows user and password of the Basic scheme: RFC 7617 2. */
static void credentials_add(struct decode *d, struct slice value, uint32_t off) {
    static const size_t scheme = sizeof "Basic " - 1;
    if (!slice_alike(slice_head(value, scheme), SLICE("basic ")) || !d_wants(d, FID_HTTP_AUTHBASIC)) return;
    struct slice text = slice_tail(value, scheme);
    while (text.n && text.p[0] == ' ') text = slice_tail(text, 1);
    uint8_t *out = arena_get(d->arena, text.n / 4 * 3 + 3);
    size_t n = 0;
    uint32_t bits = 0;
    if (!out) return;
    for (size_t i = 0, have = 0; i < text.n && base64_digit(text.p[i]) >= 0; i++) {
        bits = bits << 6 | (uint32_t)base64_digit(text.p[i]);
        have += 6;
        if (have < 8) continue;
        have -= 8;
        out[n++] = (uint8_t)(bits >> have);
    }
    fv_s(d->out, FID_HTTP_AUTHBASIC, off, 0, slice_of(out, n));
}

/* inside_add adds what is decoded of a header field's value. */
static void inside_add(struct decode *d, const struct http_scan *s, uint16_t id, const struct http_header *h) {
    uint32_t off = d_off(d, h->line.p), len = (uint32_t)h->line.n;
    uint64_t length;
    switch (id) {
    case FID_HTTP_COOKIE: cookie_pairs(d, h->value); break;
    case FID_HTTP_CONTENT_LENGTH_HEADER:
        if (http_length_of(h->value, &length)) fv_u(d->out, FID_HTTP_CONTENT_LENGTH, off, len, length);
        if (s->bad_length) d_anomaly(d, FID_HTTP_BAD_LENGTH, off, len);
        break;
    case FID_HTTP_AUTHORIZATION:
    case FID_HTTP_PROXY_AUTHORIZATION: credentials_add(d, h->value, off); break;
    case FID_HTTP_TRANSFER_ENCODING:
        if (s->has_length && s->chunked) d_anomaly(d, FID_HTTP_TE_AND_LENGTH, off, 0);
        if (s->other_coding && !s->chunked) d_anomaly(d, FID_HTTP_TE_UNKNOWN, off, 0);
        break;
    default: break;
    }
}

static void facts_take(struct http_facts *f, uint16_t id, struct slice value) {
    switch (id) {
    case FID_HTTP_CONTENT_TYPE: f->content_type = value; break;
    case FID_HTTP_CONTENT_ENCODING: f->content_encoding = value; break;
    case FID_HTTP_HOST: f->host = value; break;
    case FID_HTTP_UPGRADE: f->upgrade = value; break;
    case FID_HTTP_SEC_WEBSOCKET_PROTOCOL: f->subprotocol = value; break;
    default: break;
    }
}

/* escaped returns the line as it is shown. */
static struct slice escaped(struct decode *d, struct slice line) {
    size_t room = line.n * 4 + 1;
    char *text = d_wants(d, FID_HTTP_UNKNOWN_HEADER) ? arena_get(d->arena, room) : NULL;
    if (!text) return (struct slice){0};
    struct writer w = wr_fixed(text, room);
    print_string(&w, line);
    return wr_done(&w);
}

void http_headers_add(struct decode *d, const struct http_scan *s, struct slice head, struct http_facts *f) {
    uint16_t line_id = s->kind == HTTP_LINE_RESPONSE  ? FID_HTTP_RESPONSE_LINE
                       : s->kind == HTTP_LINE_REQUEST ? FID_HTTP_REQUEST_LINE
                                                      : FID_HTTP_UNKNOWN_HEADER;
    struct http_header h;
    while (http_header_next(&head, &h)) {
        uint32_t off = d_off(d, h.line.p), len = (uint32_t)h.line.n;
        uint16_t id = known_id(h.name);
        if (id) {
            facts_take(f, id, h.value);
            struct fval *value = fv_s(d->out, id, off, len, http_string(h.value));
            if (id == FID_HTTP_REFERER || id == FID_HTTP_LOCATION) http_query_mark(value, h.value);
            d->out->depth++;
            inside_add(d, s, id, &h);
            d->out->depth--;
        }
        if (id && line_id == FID_HTTP_UNKNOWN_HEADER) continue;
        bool token = token_ok(h.name), escape = line_id == FID_HTTP_UNKNOWN_HEADER && token;
        struct slice text = escape ? escaped(d, h.line) : http_string(h.line);
        struct fval *line = fv_s(d->out, line_id, off, len, text);
        if (id) fv_hide(line);
        line_mark(line, id, &h);
        if (!token) d_anomaly(d, FID_HTTP_BAD_HEADER_NAME, off, 0);
    }
    if (head.n) fv_add(d->out, FID_HTTP_TEXT, d_off(d, head.p), (uint32_t)head.n);
    f->chunked = s->body == HTTP_BODY_CHUNKED;
}
