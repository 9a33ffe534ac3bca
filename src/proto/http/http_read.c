/* SPDX-License-Identifier: Apache-2.0 */
/* Theory of operation: HTTP/1.0 and 1.1 in a stream.
 *
 * http_frame finds the end of a message; a whole message is then decoded in one go. State beside the search: the last
 * request and answer, which the next one is linked to, and the request's method, on which the framing of the answer
 * depends. An answer belongs to the last request seen: where requests are pipelined that is the last one of them.
 * Bytes that begin no message, in a conversation that spoke HTTP before, are a continuation (RFC 9112 knows none: the
 * beginning was lost, or somebody speaks something else now) and are shown as such, never searched again. */
#include "proto/http/http.h"

#include "base/lines.h"
#include "proto/http2/http2.h"
#include "proto/protos.h"
#include "proto/websocket/websocket.h"

static bool over_tls(const struct decode *d) {
    for (uint8_t i = 0; i < d->layers; i++)
        if (strcmp(d->layer[i].proto->name, "tls") == 0) return true;
    return false;
}

static struct slice join(struct arena *a, struct slice x, struct slice y, struct slice z) {
    uint8_t *p = arena_get(a, x.n + y.n + z.n + 1);
    if (!p) return (struct slice){0};
    if (x.n) memcpy(p, x.p, x.n);
    if (y.n) memcpy(p + x.n, y.p, y.n);
    if (z.n) memcpy(p + x.n + y.n, z.p, z.n);
    return slice_of(p, x.n + y.n + z.n);
}

/* full_uri puts the parts of a request's target together: RFC 9112 3.3. */
static struct slice full_uri(struct decode *d, const struct http_facts *f) {
    if (slice_starts(f->uri, SLICE("http://")) || slice_starts(f->uri, SLICE("https://"))) return f->uri;
    if (!f->host.p || f->uri.n > HTTP_URI_MAX || f->host.n > HTTP_URI_MAX) return (struct slice){0};
    if (slice_eq(f->method, SLICE("CONNECT"))) return f->uri;
    return join(d->arena, over_tls(d) ? SLICE("https://") : SLICE("http://"), f->host, f->uri);
}

static void query_add(struct decode *d, struct slice uri) {
    const uint8_t *mark = uri.n ? memchr(uri.p, '?', uri.n) : NULL;
    if (!mark) return;
    size_t n = (size_t)(mark - uri.p);
    struct slice query = slice_tail(uri, n + 1);
    uint32_t off = d_off(d, uri.p);
    fv_s(d->out, FID_HTTP_REQUEST_URI_PATH, off, (uint32_t)n, slice_head(uri, n));
    size_t secret = http_query_secret(uri);
    struct fval *all = fv_s(d->out, FID_HTTP_REQUEST_URI_QUERY, off + (uint32_t)n + 1, (uint32_t)query.n, query);
    if (secret && all) all->extra = (uint16_t)(secret - n - 1 < UINT16_MAX ? secret - n - 1 : 0), fv_secret(all);
    d->out->depth++;
    while (query.n && d_wants(d, FID_HTTP_REQUEST_URI_PARAM)) {
        const uint8_t *amp = memchr(query.p, '&', query.n);
        size_t len = amp ? (size_t)(amp - query.p) : query.n;
        struct slice param = slice_head(query, len);
        const uint8_t *is = len ? memchr(param.p, '=', len) : NULL;
        struct fval *f = len ? fv_s(d->out, FID_HTTP_REQUEST_URI_PARAM, d_off(d, query.p), (uint32_t)len, param) : NULL;
        if (f && is && http_key_secret(slice_head(param, (size_t)(is - param.p)))) {
            f->extra = (uint16_t)(is - param.p < UINT16_MAX ? is + 1 - param.p : 0);
            fv_secret(f);
        }
        query = slice_tail(query, len + 1);
    }
    d->out->depth--;
}

/* word_take takes the bytes up to the next space off *line, and the space. */
static struct slice word_take(struct slice *line) {
    size_t n = 0;
    while (n < line->n && line->p[n] != ' ') n++;
    struct slice word = slice_head(*line, n);
    *line = slice_tail(*line, n + 1);
    return word;
}

static void request_line(struct decode *d, struct slice line, struct http_facts *f) {
    f->method = word_take(&line);
    f->uri = word_take(&line);
    struct slice version = line;
    fv_s(d->out, FID_HTTP_REQUEST_METHOD, d_off(d, f->method.p), (uint32_t)f->method.n, f->method);
    http_query_mark(fv_s(d->out, FID_HTTP_REQUEST_URI, d_off(d, f->uri.p), (uint32_t)f->uri.n, f->uri), f->uri);
    d->out->depth++;
    query_add(d, f->uri);
    d->out->depth--;
    fv_s(d->out, FID_HTTP_REQUEST_VERSION, d_off(d, version.p), (uint32_t)version.n, version);
}

static struct slice status_words(struct decode *d, uint16_t code) {
    const char *name = field_value_name(&vals_http_status, code);
    if (name) return slice_str(name);
    enum { ROOM = 24 };
    char *text = arena_get(d->arena, ROOM);
    if (!text) return (struct slice){0};
    struct writer w = wr_fixed(text, ROOM);
    wr_s(&w, "Unknown (");
    wr_u(&w, code);
    wr_c(&w, ')');
    return wr_done(&w);
}

static void status_line(struct decode *d, struct slice line, uint16_t status) {
    struct slice version = word_take(&line);
    fv_s(d->out, FID_HTTP_RESPONSE_VERSION, d_off(d, version.p), (uint32_t)version.n, version);
    while (line.n && line.p[0] == ' ') line = slice_tail(line, 1);
    if (!line.n) return;
    struct slice code = word_take(&line);
    uint32_t off = d_off(d, code.p);
    fv_u(d->out, FID_HTTP_RESPONSE_CODE, off, (uint32_t)code.n, status);
    if (d_wants(d, FID_HTTP_RESPONSE_CODE_DESC))
        fv_s(d->out, FID_HTTP_RESPONSE_CODE_DESC, off, (uint32_t)code.n, status_words(d, status));
    if (line.n) fv_s(d->out, FID_HTTP_RESPONSE_PHRASE, d_off(d, line.p), (uint32_t)line.n, line);
}

static struct slice without_end(struct slice line) {
    while (line.n && (line.p[line.n - 1] == '\n' || line.p[line.n - 1] == '\r')) line.n--;
    return line;
}

static void first_line(struct decode *d, const struct http_scan *s, struct slice line, struct http_facts *f) {
    uint32_t off = d_off(d, line.p);
    struct fval *node = fv_add(d->out, FID_HTTP_FIRST, off, (uint32_t)line.n);
    if (node) node->s = line;
    http_query_mark(node, line);
    d->out->depth++;
    struct fval *chat = d_remark(d, FID_HTTP_CHAT, off, 0);
    if (chat) chat->s = line;
    http_query_mark(chat, line);
    if (s->kind == HTTP_LINE_RESPONSE) status_line(d, without_end(line), s->status);
    else request_line(d, without_end(line), f);
    fv_close(d->out);
}

static void exchange_begin(struct http_state *st) {
    st->before = st->now;
    st->now = (struct http_exchange){.number = st->before.number + 1};
}

static void flag_add(struct decode *d, uint16_t id, uint32_t off) { fv_hide(fv_u(d->out, id, off, 0, 1)); }

static void request_link(struct decode *d, struct http_state *st, const struct http_scan *s, const struct http_facts *f,
                         uint32_t off) {
    bool wanted = d_wants(d, FID_HTTP_REQUEST_FULL_URI) || d_wants(d, FID_HTTP_RESPONSE_FOR_URI);
    struct slice uri = wanted ? full_uri(d, f) : (struct slice){0};
    if (s->kind == HTTP_LINE_NOTIFICATION) {
        if (uri.n) http_query_mark(fv_s(d->out, FID_HTTP_REQUEST_FULL_URI, off, 0, uri), uri);
        flag_add(d, FID_HTTP_NOTIFICATION, off);
        return;
    }
    exchange_begin(st);
    st->now.req_frame = d->pkt->number;
    st->now.req_ts = d->pkt->ts;
    st->asked = slice_eq(f->method, SLICE("HEAD"))      ? HTTP_ASKED_HEAD
                : slice_eq(f->method, SLICE("CONNECT")) ? HTTP_ASKED_CONNECT
                : s->rpc                                ? HTTP_ASKED_RPC
                                                        : HTTP_ASKED_OTHER;
    if (!st->memory.cap) st->memory = arena_make_of(2 * HTTP_URI_MAX, d->kept);
    arena_reset(&st->memory);
    struct slice asked = uri.n ? uri : f->uri; /* without a Host it stands alone */
    st->uri = d_wants(d, FID_HTTP_RESPONSE_FOR_URI) && asked.n <= HTTP_URI_MAX ? arena_copy(&st->memory, asked)
                                                                               : (struct slice){0};
    if (uri.n) http_query_mark(fv_s(d->out, FID_HTTP_REQUEST_FULL_URI, off, 0, uri), uri);
    flag_add(d, FID_HTTP_REQUEST, off);
    fv_u(d->out, FID_HTTP_REQUEST_NUMBER, off, 0, st->now.number);
    if (st->before.req_frame) fv_u(d->out, FID_HTTP_PREV_REQUEST_IN, off, 0, st->before.req_frame);
}

static void response_link(struct decode *d, struct http_state *st, uint32_t off) {
    if (!st->now.number || st->now.res_frame) exchange_begin(st); /* its request was not seen */
    st->now.res_frame = d->pkt->number;
    flag_add(d, FID_HTTP_RESPONSE, off);
    fv_u(d->out, FID_HTTP_RESPONSE_NUMBER, off, 0, st->now.number);
    if (st->now.req_frame) fv_i(d->out, FID_HTTP_TIME, off, 0, d->pkt->ts - st->now.req_ts);
    if (st->before.req_frame) fv_u(d->out, FID_HTTP_PREV_REQUEST_IN, off, 0, st->before.req_frame);
    if (st->before.res_frame) fv_u(d->out, FID_HTTP_PREV_RESPONSE_IN, off, 0, st->before.res_frame);
    if (st->now.req_frame) fv_u(d->out, FID_HTTP_REQUEST_IN, off, 0, st->now.req_frame);
    if (st->uri.n) {
        struct slice uri = arena_copy(d->arena, st->uri);
        http_query_mark(fv_s(d->out, FID_HTTP_RESPONSE_FOR_URI, off, 0, uri), uri);
    }
}

void http_message(struct decode *d, const struct proto *p, struct http_state *st, const struct http_scan *s,
                  struct slice in) {
    enum { HTTPS = 443 };
    struct http_facts f = {0};
    uint32_t off = d_off(d, in.p);
    struct slice head = slice_head(in, s->head), body = slice_tail(in, s->head);
    d_begin(d, p, off, (uint32_t)in.n);
    if (d->service == HTTPS && !over_tls(d)) d_anomaly(d, FID_HTTP_TLS_PORT, off, 0);
    first_line(d, s, slice_head(head, s->first), &f);
    http_headers_add(d, s, slice_tail(head, s->first), &f);
    if (!s->part && s->kind == HTTP_LINE_RESPONSE) response_link(d, st, off);
    else if (!s->part) request_link(d, st, s, &f, off);
    struct http_content content = http_body_add(d, s, body, &f, off);
    d_end(d);
    http_content_read(d, &content);
    if (s->kind != HTTP_LINE_RESPONSE || p != &proto_http || !d->ops->become) return;
    if (s->status == 101) { /* RFC 9110 15.2.2: what follows is the other protocol's */
        bool mqtt = http_has_token(f.subprotocol, "mqtt") || http_has_token(f.subprotocol, "mqttv3.1");
        const struct proto *websocket = mqtt ? &proto_websocket_mqtt : &proto_websocket;
        const struct proto *next = http_has_token(f.upgrade, "websocket") ? websocket
                                   : http_has_token(f.upgrade, "h2c")     ? &proto_http2 /* RFC 7540 3.2 */
                                                                          : &proto_data;
        d->ops->become(d, next, 0);
    }
    if (s->status / 100 == 2 && st->asked == HTTP_ASKED_CONNECT && d->ops->tunnel)
        d->ops->tunnel(d, &proto_http, slice_of(st->connect_host, st->connect_host_len), st->connect_port);
}

static void continuation(struct decode *d, struct slice in) {
    static const struct http_scan none;
    static const struct http_facts nothing;
    uint32_t off = d_off(d, in.p);
    d_begin(d, &proto_http, off, (uint32_t)in.n);
    struct http_content content = http_body_add(d, &none, in, &nothing, off);
    d_end(d);
    http_content_read(d, &content);
}

/* fields_alone_read shows the end of a head whose beginning nobody saw; false: `in` does not look like one. It says
 * nothing in the list: it may be chance. Behind a gap it nearly always is. */
static bool fields_alone_read(struct decode *d, struct slice in) {
    static const struct http_scan none;
    struct http_facts f = {0};
    bool whole;
    size_t n = http_fields_alone(in, &whole);
    if (!n) return false;
    uint32_t off = d_off(d, in.p);
    d_begin_inside(d, &proto_http, off, (uint32_t)in.n);
    http_headers_add(d, &none, slice_head(in, n), &f);
    struct http_content content = http_body_add(d, &none, slice_tail(in, n), &f, off);
    d_end(d);
    http_content_read(d, &content);
    struct reader rest = d_reader(d, slice_tail(in, n));
    if (!whole) d_bad(d, &rest);
    return true;
}

static void http_end(void *state) {
    struct http_state *st = state;
    arena_free(&st->memory);
}

static void http_lost(void *state, int from) {
    struct http_state *st = state;
    st->scan[from & 1] = (struct http_scan){0};
}

/* connect_take keeps where a CONNECT wants to go: RFC 9110 9.3.6. */
static void connect_take(struct http_state *st, struct slice line) {
    word_take(&line);
    struct slice target = word_take(&line);
    const uint8_t *colon = target.n ? memrchr(target.p, ':', target.n) : NULL;
    size_t n = colon ? (size_t)(colon - target.p) : target.n;
    uint32_t port = 0;
    for (struct slice p = slice_tail(target, n + 1); p.n; p = slice_tail(p, 1)) {
        if (p.p[0] < '0' || p.p[0] > '9' || port > 6553) break;
        port = port * 10 + (uint32_t)(p.p[0] - '0');
    }
    st->connect_port = port <= 65535 ? (uint16_t)port : 0;
    st->connect_host_len = (uint8_t)slice_head(target, n < HTTP_HOST_MAX ? n : HTTP_HOST_MAX).n;
    memcpy(st->connect_host, target.p, st->connect_host_len);
}

static void http_tunnel(struct decode *d, struct slice host, uint16_t port, struct slice in) {
    uint32_t off = d_off(d, in.p);
    d_begin(d, &proto_http, off, (uint32_t)in.n);
    fv_s(d->out, FID_HTTP_PROXY_CONNECT_HOST, off, 0, arena_copy(d->arena, host));
    fv_u(d->out, FID_HTTP_PROXY_CONNECT_PORT, off, 0, port);
    d_end(d);
}

/* cut_take makes a message of what the capture left of one: its first line and header fields, as far as they are there.
 */
static struct read_result cut_take(struct http_scan *s, struct slice in) {
    if (!s->first) s->kind = (uint8_t)http_line_kind_of(in);
    if (s->kind == HTTP_LINE_OTHER) return (struct read_result){.status = READ_MORE};
    if (!s->head) { /* the last line is shown where it has a name already */
        struct slice last = s->first ? slice_tail(in, s->line) : (struct slice){0};
        s->part = last.n && !memchr(last.p, ':', last.n);
        s->head = s->part ? s->line : in.n;
    }
    if (!s->first) s->first = in.n;
    return (struct read_result){.status = READ_OK, .consumed = in.n};
}

/* part_tell says of a message that its head is there and its body is not; it is asked once for a message. */
static void part_tell(struct decode *d, const struct http_scan *s, struct slice in) {
    struct http_part *part = arena_get(d->arena, sizeof *part);
    if (!part) return;
    struct slice line = without_end(slice_head(in, s->first));
    size_t secret = http_query_secret(line);
    *part = (struct http_part){
        .kind = s->kind,
        .body = s->body,
        .status = s->status,
        .line = secret ? slice_head(line, secret) : line,
        .head = s->head,
        .length = s->length,
        .got = in.n,
        .carried = d->carried,
    };
    d->http = part;
}

static struct read_result http_read(struct decode *d, void *state, int from, struct slice in) {
    struct http_state *st = state;
    struct http_scan *s = &st->scan[from & 1];
    struct read_result r;
    lines_ask(st, offsetof(struct http_state, connect_host));
    if (in.n < s->seen) *s = (struct http_scan){0}; /* the driver threw bytes away */
    size_t blank = s->seen ? 0 : http_blank(in);
    if (blank) return (struct read_result){.status = READ_OK, .consumed = blank};
    bool empty = slice_eq(in, SLICE("\r\n")); /* it may stand in front of a message (RFC 9112 2.2) */
    if (empty && st->seen && !d->stream_end) return (struct read_result){.status = READ_MORE};
    bool headless = !s->head;
    r = http_frame(s, in, st->asked, d->stream_end);
    bool cut = d->cut && d->stream_end, in_head = cut && r.status == READ_MORE;
    if (in_head) r = cut_take(s, in);
    if (cut && r.status == READ_MORE && st->seen) r.status = READ_BAD;
    if (r.status == READ_MORE) {
        if (headless && s->head) part_tell(d, s, in);
        r.begun = s->kind != HTTP_LINE_OTHER ? (uint32_t)without_end(slice_head(in, s->first)).n : 0;
        return r;
    }
    struct http_scan done = *s;
    d->http = NULL; /* it is whole with bytes that had come before */
    *s = (struct http_scan){0};
    if (r.status == READ_BAD) {
        r.stranger = !st->seen;
        if (!st->seen && !d->gap && fields_alone_read(d, in))
            return (struct read_result){.status = READ_OK, .consumed = in.n};
        if (!st->seen) return r;
        if (http2_is_preface(in) && d->ops->become) { /* RFC 9113 3.4: a client may know that the server speaks it */
            d_begin(d, &proto_http, d_off(d, in.p), HTTP2_PREFACE);
            d_end(d);
            d->ops->become(d, &proto_http2, 0);
            return proto_http2.stream->read(d, NULL, from, in); /* the preface needs no state */
        }
        continuation(d, in);
        if (cut) {
            struct reader rest = d_reader(d, slice_tail(in, in.n));
            d_bad(d, &rest);
        }
        return (struct read_result){.status = READ_OK, .consumed = in.n};
    }
    st->seen = true;
    if (done.kind == HTTP_LINE_REQUEST && slice_starts(in, SLICE("CONNECT ")))
        connect_take(st, slice_head(in, done.first));
    http_message(d, &proto_http, st, &done, slice_head(in, in_head ? done.head : r.consumed));
    if (cut) {
        struct reader rest = d_reader(d, slice_tail(in, done.head));
        d_bad(d, &rest);
    }
    return r;
}

/* ssdp_read reads a datagram: one message, its body up to the end. */
static void ssdp_read(struct decode *d, struct slice in) {
    struct http_state alone = {0}, *st = d->ops->udp_state ? d->ops->udp_state(d, &proto_ssdp) : NULL;
    struct http_scan s = {0};
    if (!st) st = &alone;
    struct read_result r = http_frame(&s, in, HTTP_ASKED_OTHER, true);
    if (r.status == READ_OK) http_message(d, &proto_ssdp, st, &s, slice_head(in, r.consumed));
    else d_data(d, in);
    if (st == &alone) http_end(st);
}

static const struct stream_ops stream = {.state_size = sizeof(struct http_state),
                                         .end = http_end,
                                         .read = http_read,
                                         .lost = http_lost,
                                         .resyncs = true,
                                         .owns_port = true,
                                         .probe = http_probe};
static const struct proto_key keys[] = {
    {TABLE_TCP, 80},    {TABLE_TCP, 3128}, {TABLE_TCP, 3132}, {TABLE_TCP, 5985}, {TABLE_TCP, 8080}, {TABLE_TCP, 8088},
    {TABLE_TCP, 11371}, {TABLE_TCP, 1900}, {TABLE_TCP, 2869}, {TABLE_TCP, 2710}, {TABLE_TLS, 443},  {TABLE_COUNT, 0},
};
const struct proto proto_http = {.name = "http",
                                 .column = "HTTP",
                                 .column_of = http_column,
                                 .id = FID_HTTP,
                                 .end = FID_HTTP_END,
                                 .keys = keys,
                                 .stream = &stream,
                                 .info = http_info,
                                 .info_fields = http_info_fields,
                                 .info_plain = true,
                                 .tunnel = http_tunnel,
                                 .label = http_label};

static const struct stream_ops ssdp_state = {.state_size = sizeof(struct http_state), .end = http_end};
static const struct proto_key ssdp_keys[] = {{TABLE_UDP, 1900}, {TABLE_COUNT, 0}};
const struct proto proto_ssdp = {.name = "ssdp",
                                 .column = "SSDP",
                                 .id = FID_SSDP,
                                 .end = FID_SSDP_END,
                                 .keys = ssdp_keys,
                                 .read = ssdp_read,
                                 .stream = &ssdp_state,
                                 .info = http_info,
                                 .info_fields = http_info_fields};
