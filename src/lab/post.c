/* SPDX-License-Identifier: Apache-2.0 */
#include "lab/post.h"

#include "base/hex.h"
#include "base/words.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { CHUNK_LINE_MAX = 256 };

static const struct {
    unsigned status;
    const char *phrase, *why;
} answers[] = {
    {100, "Continue", ""},
    {201, "Created", ""},
    {400, "Bad Request", N_("this could not be read to its end, or there is no data in it")},
    {405, "Method Not Allowed", N_("data is taken by POST or PUT only")},
    {408, "Request Timeout", N_("the request did not come to its end in time")},
    {411, "Length Required", N_("a request needs Content-Length or chunks")},
    {413, "Content Too Large", N_("this is more than is taken at once")},
    {415, "Unsupported Media Type", N_("this is MQTT: a broker takes it, not the data sink")},
    {426, "Upgrade Required", N_("no TLS is spoken here: send http, not https")},
    {429, "Too Many Requests", N_("too much in too short a time; try again in a second")},
    {431, "Request Header Fields Too Large", N_("the header of the request is too long")},
    {501, "Not Implemented", N_("this transfer coding is not understood; chunked is")},
    {503, "Service Unavailable", N_("too many are sending at this moment; try again in a second")},
    {505, "HTTP Version Not Supported", N_("HTTP/1.0 and HTTP/1.1 are spoken here")},
    {507, "Insufficient Storage", N_("the store is full, or its disk")},
};

const char *post_phrase(unsigned status) {
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++)
        if (answers[i].status == status) return answers[i].phrase;
    return "Unknown";
}

const char *post_why(unsigned status) {
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++)
        if (answers[i].status == status) return answers[i].why;
    return "";
}

void post_begin(struct post *p, size_t most) { *p = (struct post){.most = most, .keep_alive = true}; }

static void refuse(struct post *p, unsigned status) {
    p->phase = POST_REFUSED;
    p->status = (uint16_t)status;
    p->keep_alive = false;
}

static struct slice trimmed(struct slice s) {
    while (s.n && (s.p[0] == ' ' || s.p[0] == '\t')) s = slice_tail(s, 1);
    while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t' || s.p[s.n - 1] == '\r')) s.n--;
    return s;
}

/* "METHOD TARGET HTTP/1.x", RFC 9112 3. */
static void request_line(struct post *p, struct slice line) {
    const uint8_t *a = memchr(line.p, ' ', line.n), *b = line.n ? memrchr(line.p, ' ', line.n) : NULL;
    if (!line.n) return; /* RFC 9112 2.2: empty lines before a request are passed over */
    if (!a || a == b) return refuse(p, 400);
    struct slice method = slice_of(line.p, (size_t)(a - line.p));
    struct slice version = slice_tail(line, (size_t)(b - line.p) + 1);
    if (!slice_starts(version, SLICE("HTTP/"))) return refuse(p, 400);
    if (!slice_eq(version, SLICE("HTTP/1.1")) && !slice_eq(version, SLICE("HTTP/1.0"))) return refuse(p, 505);
    if (!slice_eq(method, SLICE("POST")) && !slice_eq(method, SLICE("PUT"))) return refuse(p, 405);
    p->keep_alive = version.p[7] == '1';
    p->phase = POST_FIELDS;
}

/* A decimal number, nothing else; false also where it is too large to be meant. */
static bool number(struct slice s, uint64_t *out) {
    uint64_t v = 0;
    if (!s.n || s.n > 15) return false;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9') return false;
        v = v * 10 + (s.p[i] - '0');
    }
    *out = v;
    return true;
}

/* RFC 9112 6: what says how long the body is must say it once. */
static void field(struct post *p, struct slice line) {
    const uint8_t *colon = memchr(line.p, ':', line.n);
    if (!colon || colon == line.p || line.p[0] == ' ' || line.p[0] == '\t') return refuse(p, 400);
    struct slice name = slice_of(line.p, (size_t)(colon - line.p));
    struct slice value = trimmed(slice_tail(line, name.n + 1));
    uint64_t n;
    if (slice_alike(name, SLICE("content-length"))) {
        if (!number(value, &n) || (p->has_length && n != p->left)) return refuse(p, 400);
        p->has_length = true;
        p->left = n;
    } else if (slice_alike(name, SLICE("transfer-encoding"))) {
        if (!slice_alike(value, SLICE("chunked")) || p->chunked) return refuse(p, 501);
        p->chunked = true;
    } else if (slice_alike(name, SLICE("connection"))) {
        if (slice_alike(value, SLICE("close"))) p->keep_alive = false;
        if (slice_alike(value, SLICE("keep-alive"))) p->keep_alive = true;
    } else if (slice_alike(name, SLICE("expect"))) {
        p->expects = slice_alike(value, SLICE("100-continue"));
    } else if (slice_alike(name, SLICE("content-type"))) {
        snprintf(p->type, sizeof p->type, "%.*s", (int)(value.n < sizeof p->type ? value.n : sizeof p->type - 1),
                 value.p);
    }
}

static void head_end(struct post *p, bool *go_on) {
    if (p->chunked && p->has_length) return refuse(p, 400);
    if (!p->chunked && !p->has_length) return refuse(p, 411);
    if (p->left > p->most) return refuse(p, 413);
    *go_on = p->expects;
    p->phase = p->chunked ? POST_CHUNK : p->left ? POST_BODY : POST_WHOLE;
}

/* RFC 9112 7.1: the size in hexadecimal, extensions behind ';' are passed over. */
static void chunk_line(struct post *p, struct slice line, size_t body) {
    uint64_t n = 0;
    size_t i = 0;
    for (; i < line.n && i < 9; i++) {
        int v = hex_digit(line.p[i]);
        if (v < 0) break;
        n = n * 16 + (unsigned)v;
    }
    if (!i || i == 9 || (i < line.n && line.p[i] != ';' && line.p[i] != ' ')) return refuse(p, 400);
    if (body + n > p->most) return refuse(p, 413);
    p->left = n;
    p->phase = n ? POST_DATA : POST_TRAILER;
}

static void line_whole(struct post *p, struct slice line, size_t body, bool *go_on) {
    switch (p->phase) {
    case POST_REQUEST: request_line(p, line); break;
    case POST_FIELDS:
        if (line.n) field(p, line);
        else head_end(p, go_on);
        break;
    case POST_CHUNK: chunk_line(p, line, body); break;
    case POST_GAP:
        if (line.n) refuse(p, 400);
        else p->phase = POST_CHUNK;
        break;
    case POST_TRAILER:
        if (!line.n) p->phase = POST_WHOLE;
        break;
    }
}

/* in_line tells whether lines are read now; those of a chunked body stand behind the body in the pile. */
static bool in_line(const struct post *p) { return p->phase != POST_BODY && p->phase != POST_DATA; }

static size_t feed_line(struct post *p, struct pile *pile, struct slice in, bool (*keep)(void *to, struct slice bytes),
                        void *to, bool *go_on) {
    const uint8_t *end = memchr(in.p, '\n', in.n);
    size_t n = end ? (size_t)(end - in.p) + 1 : in.n;
    bool of_chunk = p->phase == POST_CHUNK || p->phase == POST_GAP;
    if (!of_chunk) p->head += (uint32_t)n;
    if (of_chunk ? pile->n - p->line_at + n > CHUNK_LINE_MAX : p->head > POST_HEAD_MAX)
        return refuse(p, of_chunk ? 400 : 431), n;
    if (!keep(to, slice_of(in.p, n))) return refuse(p, 503), n;
    if (!end) return n;
    struct slice line = slice_of(pile->p + p->line_at, pile->n - p->line_at - 1);
    if (line.n && line.p[line.n - 1] == '\r') line.n--;
    line_whole(p, line, p->line_at, go_on);
    pile->n = p->line_at; /* a line is forgotten once it is read */
    return n;
}

static size_t feed_bytes(struct post *p, struct pile *pile, struct slice in, bool (*keep)(void *to, struct slice bytes),
                         void *to) {
    size_t n = in.n < p->left ? in.n : (size_t)p->left;
    if (!keep(to, slice_of(in.p, n))) return refuse(p, 503), n;
    p->left -= n;
    if (!p->left) {
        p->phase = p->phase == POST_BODY ? POST_WHOLE : POST_GAP;
        p->line_at = pile->n; /* the next line stands behind what is kept */
    }
    return n;
}

size_t post_feed(struct post *p, struct pile *pile, struct slice in, bool (*keep)(void *to, struct slice bytes),
                 void *to, bool *go_on) {
    size_t took = 0;
    while (in.n && p->phase != POST_WHOLE && p->phase != POST_REFUSED) {
        size_t n = in_line(p) ? feed_line(p, pile, in, keep, to, go_on) : feed_bytes(p, pile, in, keep, to);
        in = slice_tail(in, n);
        took += n;
    }
    return took;
}
