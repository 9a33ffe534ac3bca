/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of HTTP/2: framing, recognition, settings, header blocks, bodies. */
#include "proto/http2/http2.h"

#include "proto/proto_test.h"
#include "proto/protos.h"

static const struct packet packet = {.number = 7};
#define PREFACE "'PRI * HTTP/2.0' 0d0a0d0a 'SM' 0d0a0d0a "

static struct read_result give(struct bench *b, struct http2_state *st, int from, const char *hex) {
    static struct slice in;
    free((void *)(uintptr_t)in.p);
    in = unhex(hex);
    bench_start(b, in);
    b->d.pkt = &packet;
    return proto_http2.stream->read(&b->d, st, from, in);
}

static enum probe_result probed(const char *hex) {
    struct slice in = unhex(hex);
    enum probe_result r = proto_http2.stream->probe(in);
    free((void *)(uintptr_t)in.p);
    return r;
}

static void probe_test(void) {
    CHECK(probed(PREFACE) == PROBE_CERTAIN, "the preface is HTTP/2");
    CHECK(probed("'PRI * HT'") == PROBE_UNSURE, "its beginning may be");
    CHECK(probed("00000c 04 00 00000000 000300000064 00040000ffff") == PROBE_CERTAIN, "a settings frame is HTTP/2");
    CHECK(probed("00000c 04 00 00000001 000300000064 00040000ffff") != PROBE_CERTAIN, "not on a stream");
    CHECK(probed("'GET / HTTP/1.1'") == PROBE_NO, "a request of HTTP/1 is not");
    CHECK(proto_http2.stream->frame(SLICE("PRI *")).needed == HTTP2_PREFACE, "the preface has 24 bytes");
    CHECK(proto_http2.stream->frame(SLICE("\0\0\5\0\0\0\0\0\1ab")).needed == 14, "the header says how long a frame is");
}

static void frame_test(struct bench *b, struct http2_state *st) {
    CHECK(give(b, st, 0, PREFACE "00").consumed == HTTP2_PREFACE, "the preface is a message of its own");
    give(b, st, 0, "00000c 04 00 00000000 000300000064 00990000ffff");
    CHECK(bench_is(b, FID_HTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 0, 100), "a setting has its field");
    CHECK(bench_is(b, FID_HTTP2_SETTINGS_UNKNOWN, 0, 0xffff), "an unknown one is shown as such");
    CHECK(b->v.anomalies == 0, "nothing is wrong with it");
    give(b, st, 0, "000002 08 00 00000000 0001");
    CHECK(b->v.anomalies == 1, "a short frame is an anomaly");
    give(b, st, 0, "000003 00 09 00000001 05 'ab'");
    CHECK(b->v.anomalies == 1, "padding longer than the frame is an anomaly");
    give(b, st, 0, "000005 77 00 00000001 'abcde'");
    CHECK(bench_find(b, FID_HTTP2_UNKNOWN, 0) && !b->v.anomalies, "an unknown type is shown as bytes");
}

static void block_test(struct bench *b, struct http2_state *st) {
    if (!http2_hpack_works()) return;
    give(b, st, 0, "000014 01 05 00000001 828684 418c f1e3c2e5f23a6ba0ab90f4ff 58 01 61"); /* RFC 7541 C.4.1 */
    CHECK(bench_says(b, FID_HTTP2_HEADERS_METHOD, 0, "GET"), "an indexed field");
    CHECK(bench_says(b, FID_HTTP2_HEADERS_AUTHORITY, 0, "www.example.com"), "a compressed value");
    CHECK(bench_says(b, FID_HTTP2_REQUEST_FULL_URI, 0, "http://www.example.com/"), "the parts make a URI");
    give(b, st, 0, "000003 01 00 00000003 828684");
    give(b, st, 0, "000002 09 04 00000003 bfbe"); /* C.4.2: what the block before put into the table */
    CHECK(bench_says(b, FID_HTTP2_HEADERS_AUTHORITY, 0, "www.example.com"), "the table lasts, and blocks go on");
    give(b, st, 0, "000002 01 04 00000005 82ff");
    CHECK(b->v.anomalies == 1, "a damaged block is an anomaly");
    give(b, st, 0, "000001 01 04 00000007 be");
    CHECK(b->v.anomalies == 1, "the table is empty after it");
}

static void body_test(struct bench *b, struct http2_state *st) {
    if (!http2_hpack_works()) return;
    give(b, st, 1, "00000e 01 04 00000001 88 5f 0a 'text/plain' 00");
    give(b, st, 1, "00000d 01 04 00000001 88 5f 0a 'text/plain'");
    give(b, st, 1, "000002 00 00 00000001 'ab'");
    CHECK(!bench_find(b, FID_HTTP2_BODY_FRAGMENTS, 0), "a part of a body is not the body");
    give(b, st, 1, "000002 00 01 00000001 'cd'");
    CHECK(bench_says(b, FID_HTTP2_DATA_DATA, 0, "abcd"), "the parts make a body");
    CHECK(bench_says(b, FID_HTTP2_MEDIA, 0, " (text/plain)"), "of the type the header block said");
    CHECK(st->held == 0, "nothing of it is kept");
}

int main(void) {
    struct bench b;
    struct http2_state *st = calloc(1, sizeof *st);
    bench_make(&b);
    probe_test();
    frame_test(&b, st);
    block_test(&b, st);
    body_test(&b, st);
    proto_http2.stream->end(st);
    free(st);
    bench_free(&b);
    return test_failures != 0;
}
