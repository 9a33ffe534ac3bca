/* SPDX-License-Identifier: Apache-2.0 */
/* Theory of operation: frames are taken apart as bytes come: a header is collected (2 to 14 bytes), then its payload is
 * unmasked in place and moved behind what was already found, so that MQTT's bytes of many frames lie together. A
 * client's frames must be masked (5.1), control frames short and whole (5.5), messages binary (MQTT 5 [MQTT-6.0.0-1]).
 * MQTT takes no notice of message boundaries ([MQTT-6.0.0-2]), so nothing is kept of them but whether one is open
 * (5.4). */
#include "serve/proxy/ws.h"
#include "base/reader.h"
#include <strings.h>

enum { OP_CONTINUE = 0, OP_TEXT = 1, OP_BINARY = 2, OP_CLOSE = 8, OP_PING = 9, OP_PONG = 10 };
enum { FIN = 0x80, RESERVED = 0x70, MASKED = 0x80 };

static size_t head_size(const struct ws *ws) {
    if (ws->head_n < 2) return 2;
    uint8_t len = ws->head[1] & 0x7f;
    return 2 + (len == 126 ? 2u : len == 127 ? 8u : 0) + (ws->head[1] & MASKED ? 4u : 0);
}

static void frame_head(uint8_t opcode, size_t n, struct writer *w) {
    wr_c(w, (char)(FIN | opcode));
    wr_c(w, (char)n);
}

void ws_close_frame(struct ws *ws, struct writer *reply, enum ws_status status) {
    if (ws->closed) return;
    ws->closed = true;
    frame_head(OP_CLOSE, 2, reply);
    wr_c(reply, (char)(status >> 8));
    wr_c(reply, (char)status);
}

/* check_head judges a whole header; WS_GOING: it is fine. */
static enum ws_status check_head(const struct ws *ws) {
    uint8_t first = ws->head[0], op = first & 15, len = ws->head[1] & 0x7f;
    if (first & RESERVED || !(ws->head[1] & MASKED)) return WS_PROTOCOL;                                /* 5.2, 5.1 */
    if (op & 8) return op > OP_PONG || !(first & FIN) || len > WS_CONTROL_MAX ? WS_PROTOCOL : WS_GOING; /* 5.5 */
    if (op == OP_TEXT) return WS_UNSUPPORTED;                                        /* [MQTT-6.0.0-1] */
    if (op > OP_BINARY || (op == OP_CONTINUE) != ws->in_message) return WS_PROTOCOL; /* 5.4 */
    return WS_GOING;
}

static enum ws_status begin_frame(struct ws *ws) {
    enum ws_status bad = check_head(ws);
    if (bad != WS_GOING) return bad;
    uint8_t len = ws->head[1] & 0x7f;
    ws->left = len == 126 ? load_be16(ws->head + 2) : len == 127 ? load_be64(ws->head + 2) : len;
    if (ws->left >> 63) return WS_PROTOCOL;
    memcpy(ws->mask, ws->head + ws->head_n - 4, 4);
    ws->opcode = ws->head[0] & 15;
    ws->phase = 0;
    ws->control_n = 0;
    ws->in_payload = true;
    if (!(ws->opcode & 8)) ws->in_message = !(ws->head[0] & FIN);
    ws->head_n = 0;
    return WS_GOING;
}

static void unmask(struct ws *ws, uint8_t *to, const uint8_t *from, size_t n) {
    uint8_t phase = ws->phase;
    for (size_t i = 0; i < n; i++) to[i] = from[i] ^ ws->mask[(phase + i) & 3];
    ws->phase = (uint8_t)((phase + n) & 3);
}

/* end_frame acts on a frame that is whole. */
static enum ws_status end_frame(struct ws *ws, struct writer *reply) {
    ws->in_payload = false;
    if (ws->opcode == OP_CLOSE) return ws->control_n == 1 ? WS_PROTOCOL : WS_NORMAL;
    /* 5.5.3: of several pings it is enough to answer some; an answer is written whole or not at all. */
    if (ws->opcode != OP_PING || (size_t)(reply->end - reply->p) < 6u + ws->control_n) return WS_GOING;
    frame_head(OP_PONG, ws->control_n, reply);
    wr_bytes(reply, ws->control, ws->control_n);
    return WS_GOING;
}

static size_t take_payload(struct ws *ws, uint8_t *p, size_t at, size_t n, size_t *kept) {
    size_t part = n - at < ws->left ? n - at : (size_t)ws->left;
    if (ws->opcode & 8) {
        unmask(ws, ws->control + ws->control_n, p + at, part);
        ws->control_n = (uint8_t)(ws->control_n + part);
    } else {
        unmask(ws, p + *kept, p + at, part);
        *kept += part;
    }
    ws->left -= part;
    return part;
}

size_t ws_decode(struct ws *ws, uint8_t *p, size_t n, struct writer *reply, enum ws_status *status) {
    size_t at = 0, kept = 0;
    *status = WS_GOING;
    while (*status == WS_GOING && (at < n || (ws->in_payload && ws->left == 0))) {
        if (ws->in_payload) {
            at += take_payload(ws, p, at, n, &kept);
            if (ws->left == 0) *status = end_frame(ws, reply);
            continue;
        }
        ws->head[ws->head_n++] = p[at++];
        if (ws->head_n >= 2 && ws->head_n == head_size(ws)) *status = begin_frame(ws);
    }
    if (*status != WS_GOING) ws_close_frame(ws, reply, *status);
    return kept;
}

size_t ws_head(uint8_t head[WS_HEAD_MAX], uint64_t n) {
    head[0] = FIN | OP_BINARY;
    if (n < 126) return head[1] = (uint8_t)n, 2;
    int bytes = n < 65536 ? 2 : 8;
    head[1] = bytes == 2 ? 126 : 127;
    for (int i = 0; i < bytes; i++) head[2 + i] = (uint8_t)(n >> 8 * (bytes - 1 - i));
    return 2 + (size_t)bytes;
}

static struct slice trim(struct slice s) {
    while (s.n && (s.p[0] == ' ' || s.p[0] == '\t')) s = slice_tail(s, 1);
    while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t' || s.p[s.n - 1] == '\r')) s.n--;
    return s;
}

/* lists tells whether a comma-separated header names the word. */
static bool lists(struct slice s, const char *word) {
    while (s.n) {
        const uint8_t *comma = memchr(s.p, ',', s.n);
        size_t n = comma ? (size_t)(comma - s.p) : s.n;
        if (slice_alike(trim(slice_head(s, n)), slice_str(word))) return true;
        s = slice_tail(s, n + 1);
    }
    return false;
}

static struct slice cut_line(struct slice *s) {
    const uint8_t *end = memchr(s->p, '\n', s->n);
    size_t n = end ? (size_t)(end - s->p) : s->n;
    struct slice line = slice_head(*s, n);
    *s = slice_tail(*s, n + 1);
    if (line.n && line.p[line.n - 1] == '\r') line.n--;
    return line;
}

/* request_path takes "GET /path HTTP/1.1" apart; empty where it is something else. */
static struct slice request_path(struct slice line) {
    struct slice none = {line.p, 0};
    if (!slice_starts(line, SLICE("GET /"))) return none;
    const uint8_t *end = memchr(line.p + 4, ' ', line.n - 4);
    if (!end || !slice_eq(slice_tail(line, (size_t)(end - line.p)), SLICE(" HTTP/1.1"))) return none;
    struct slice path = {line.p + 4, (size_t)(end - line.p) - 4};
    const uint8_t *query = memchr(path.p, '?', path.n);
    return query ? slice_head(path, (size_t)(query - path.p)) : path;
}

/* what RFC 6455 4.2.1 asks of a request */
enum { HAS_UPGRADE = 1, HAS_CONNECTION = 2, HAS_VERSION = 4, HAS_PROTOCOL = 8, HAS_HOST = 16, HAS_ALL = 31 };

/* read_protocol chooses the subprotocol: clients of MQTT 3.1 know it by the name it had before the standard. */
static unsigned read_protocol(struct slice value, struct ws_request *r) {
    if (lists(value, "mqtt")) r->protocol = "mqtt";
    else if (!r->protocol && lists(value, "mqttv3.1")) r->protocol = "mqttv3.1";
    return r->protocol ? HAS_PROTOCOL : 0;
}

static unsigned read_header(struct slice line, struct ws_request *r) {
    const uint8_t *colon = memchr(line.p, ':', line.n);
    if (!colon) return 0;
    struct slice name = slice_head(line, (size_t)(colon - line.p)), value = trim(slice_tail(line, name.n + 1));
    if (slice_alike(name, SLICE("Upgrade"))) return lists(value, "websocket") ? HAS_UPGRADE : 0;
    if (slice_alike(name, SLICE("Connection"))) return lists(value, "upgrade") ? HAS_CONNECTION : 0;
    if (slice_alike(name, SLICE("Sec-WebSocket-Version"))) return slice_alike(value, SLICE("13")) ? HAS_VERSION : 0;
    if (slice_alike(name, SLICE("Sec-WebSocket-Protocol"))) return read_protocol(value, r);
    if (slice_alike(name, SLICE("Host"))) return HAS_HOST;
    if (slice_alike(name, SLICE("Sec-WebSocket-Key"))) r->key = value;
    return 0;
}

struct ws_request ws_read_request(struct slice in, const char *path) {
    struct ws_request r = {0};
    const uint8_t *end = memmem(in.p, in.n, "\r\n\r\n", 4);
    /* Whatever is no HTTP is answered as such at once, not after it has filled the buffer. */
    if (!slice_starts(in, slice_head(SLICE("GET /"), in.n))) r.status = 400;
    else if (!end && in.n >= WS_REQUEST_MAX) r.status = 431;
    if (r.status || !end) return r;
    r.length = (size_t)(end - in.p) + 4;
    struct slice head = slice_head(in, r.length - 2);
    r.path = request_path(cut_line(&head));
    unsigned has = 0;
    while (head.n) has |= read_header(cut_line(&head), &r);
    if (!r.path.n) r.status = 400;
    else if (path && !slice_eq(r.path, slice_str(path))) r.status = 404;
    else if (!(has & HAS_UPGRADE) || !(has & HAS_VERSION)) r.status = 426;
    else r.status = has == HAS_ALL && r.key.n == 24 ? 101 : 400;
    return r;
}

void ws_answer(struct writer *w, int status, const char *accept, const char *protocol) {
    if (status == 101) {
        wr_f(w,
             "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
             "Sec-WebSocket-Accept: %s\r\nSec-WebSocket-Protocol: %s\r\n\r\n",
             accept, protocol);
        return;
    }
    const char *reason = status == 404   ? "Not Found"
                         : status == 426 ? "Upgrade Required"
                         : status == 431 ? "Request Header Fields Too Large"
                                         : "Bad Request";
    wr_f(w, "HTTP/1.1 %d %s\r\n%sConnection: close\r\nContent-Length: 0\r\n\r\n", status, reason,
         status == 426 ? "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" : "");
}
