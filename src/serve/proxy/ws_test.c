/* SPDX-License-Identifier: Apache-2.0 */
#include "base/check.h"
#include "serve/proxy/ws.h"
#include <stdio.h>
#include <stdlib.h>

static size_t frame(uint8_t *p, uint8_t first, const char *text, size_t n) {
    static const uint8_t mask[4] = {1, 2, 3, 4};
    size_t at = 0;
    p[at++] = first;
    if (n < 126) {
        p[at++] = (uint8_t)(0x80 | n);
    } else {
        p[at++] = 0x80 | 126;
        p[at++] = (uint8_t)(n >> 8), p[at++] = (uint8_t)n;
    }
    memcpy(p + at, mask, 4);
    for (size_t i = 0; i < n; i++) p[at + 4 + i] = (uint8_t)text[i] ^ mask[i & 3];
    return at + 4 + n;
}

/* Frames in pieces of every size give the same bytes and the same answers (RFC 6455 5.4, 5.5.2). */
static void frames_are_taken_apart_wherever_they_are_cut(void) {
    uint8_t stream[1024], got[1024];
    char text[300];
    memset(text, 'x', sizeof text);
    size_t n = frame(stream, 0x82, "abc", 3);
    n += frame(stream + n, 0x02, "de", 2);   /* a message of three frames */
    n += frame(stream + n, 0x89, "ping", 4); /* with a ping between them */
    n += frame(stream + n, 0x00, text, 300);
    n += frame(stream + n, 0x80, "", 0);
    n += frame(stream + n, 0x82, "end", 3);
    for (size_t step = 1; step <= n; step++) {
        struct ws ws = {0};
        uint8_t answer[64], copy[1024];
        struct writer reply = wr_fixed(answer, sizeof answer);
        size_t total = 0;
        enum ws_status status;
        memcpy(copy, stream, n);
        for (size_t at = 0; at < n; at += step) {
            size_t part = n - at < step ? n - at : step, k = ws_decode(&ws, copy + at, part, &reply, &status);
            CHECK(status == WS_GOING);
            memcpy(got + total, copy + at, k);
            total += k;
        }
        CHECK(total == 308 && !memcmp(got, "abcdexxx", 8) && !memcmp(got + 305, "end", 3));
        CHECK(wr_len(&reply) == 6 && !memcmp(answer, "\x8a\4ping", 6));
    }
}

static enum ws_status status_of(const char *bytes, size_t n) {
    uint8_t buf[256], answer[64];
    struct ws ws = {0};
    struct writer reply = wr_fixed(answer, sizeof answer);
    enum ws_status status;
    memcpy(buf, bytes, n);
    (void)ws_decode(&ws, buf, n, &reply, &status);
    CHECK(status == WS_GOING || (answer[0] == 0x88 && answer[1] == 2)); /* the reason is said */
    return status;
}

static void broken_frames_end_the_connection(void) {
    CHECK(status_of("\x82\x01x", 3) == WS_PROTOCOL);                           /* 5.1: not masked */
    CHECK(status_of("\xc2\x80\0\0\0\0", 6) == WS_PROTOCOL);                    /* 5.2: reserved bit */
    CHECK(status_of("\x81\x80\0\0\0\0", 6) == WS_UNSUPPORTED);                 /* [MQTT-6.0.0-1]: text */
    CHECK(status_of("\x80\x80\0\0\0\0", 6) == WS_PROTOCOL);                    /* 5.4: continues nothing */
    CHECK(status_of("\x09\x80\0\0\0\0", 6) == WS_PROTOCOL);                    /* 5.5: a ping in pieces */
    CHECK(status_of("\x89\xfe\0\x7e\0\0\0\0", 8) == WS_PROTOCOL);              /* 5.5: a ping too long */
    CHECK(status_of("\x83\x80\0\0\0\0", 6) == WS_PROTOCOL);                    /* 5.2: unknown opcode */
    CHECK(status_of("\x82\xff\x80\0\0\0\0\0\0\0\0\0\0\0", 14) == WS_PROTOCOL); /* 5.2: length of 64 bits */
    CHECK(status_of("\x88\x82\0\0\0\0\3\xe8", 8) == WS_NORMAL);
}

static int ask(const char *request, const char *path) { return ws_read_request(slice_str(request), path).status; }

static void opening_requests_are_judged(void) {
#define HEAD "Host: x\r\nUpgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\n"
#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define MQTT "Sec-WebSocket-Protocol: mqttv3.1, mqtt\r\n"
#define OLD "Sec-WebSocket-Protocol: x, mqttv3.1\r\n"
    CHECK(!strcmp(ws_read_request(SLICE("GET / HTTP/1.1\r\n" HEAD KEY MQTT "\r\n"), NULL).protocol, "mqtt"));
    CHECK(!strcmp(ws_read_request(SLICE("GET / HTTP/1.1\r\n" HEAD KEY OLD MQTT "\r\n"), NULL).protocol, "mqtt"));
    CHECK(!strcmp(ws_read_request(SLICE("GET / HTTP/1.1\r\n" HEAD KEY OLD "\r\n"), NULL).protocol, "mqttv3.1"));
    CHECK(ask("GET / HTTP/1.1\r\n" HEAD KEY "Sec-WebSocket-Protocol: mqttv3\r\n\r\n", NULL) == 400);
    CHECK(ask("GET /mqtt?x=1 HTTP/1.1\r\n" HEAD KEY MQTT "\r\n", "/mqtt") == 101);
    CHECK(ask("GET /mqtt HTTP/1.1\r\n" HEAD KEY MQTT, "/mqtt") == 0);
    CHECK(ask("GET /other HTTP/1.1\r\n" HEAD KEY MQTT "\r\n", "/mqtt") == 404);
    CHECK(ask("GET /mqtt HTTP/1.1\r\n" HEAD KEY "\r\n", NULL) == 400); /* no subprotocol: [MQTT-6.0.0-3] */
    CHECK(ask("GET /mqtt HTTP/1.1\r\n" HEAD MQTT "\r\n", NULL) == 400);
    CHECK(ask("GET /mqtt HTTP/1.1\r\nHost: x\r\n\r\n", NULL) == 426);
    CHECK(ask("GET /mqtt HTTP/1.0\r\n" HEAD KEY MQTT "\r\n", NULL) == 400);
    CHECK(ask("POST /", NULL) == 400);
    CHECK(ask("\x10\x0e", NULL) == 400);
    char *large = calloc(1, WS_REQUEST_MAX + 1);
    memset(large, 'a', WS_REQUEST_MAX);
    memcpy(large, "GET /", 5);
    CHECK(ask(large, NULL) == 431);
    free(large);
}

static void lengths_of_own_frames(void) {
    uint8_t h[WS_HEAD_MAX];
    CHECK(ws_head(h, 125) == 2 && h[0] == 0x82 && h[1] == 125);
    CHECK(ws_head(h, 126) == 4 && h[1] == 126 && h[2] == 0 && h[3] == 126);
    CHECK(ws_head(h, 65536) == 10 && h[1] == 127 && h[7] == 1 && h[9] == 0);
}

int main(void) {
    frames_are_taken_apart_wherever_they_are_cut();
    broken_frames_end_the_connection();
    opening_requests_are_judged();
    lengths_of_own_frames();
    return 0;
}
