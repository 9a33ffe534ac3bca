/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of HTTP/1: where messages end, however the bytes arrive, and what is said of them. */
#include "proto/http/http.h"
#include "proto/proto_test.h"
#include "proto/protos.h"

static void call(struct decode *d, const struct proto *p, struct slice in) { (void)d, (void)p, (void)in; }
static const struct decode_ops ops_stub = {.call = call};
static const struct packet packet = {.number = 7};

/* begin starts a packet in a driver that knows no other protocol. */
static void begin(struct bench *b, struct slice in) {
    bench_start(b, in);
    b->d.ops = &ops_stub;
    b->d.pkt = &packet;
}

/* ends feeds the bytes in steps of `step` and returns the length of the message, or 0 where it is not whole. */
static size_t ends(const char *text, size_t n, enum http_asked asked, size_t step) {
    struct http_scan s = {0};
    struct read_result r = {.status = READ_MORE};
    for (size_t have = step; r.status == READ_MORE; have += step) {
        r = http_frame(&s, slice_of(text, have < n ? have : n), asked, false);
        if (have >= n) break;
    }
    return r.status == READ_OK ? r.consumed : 0;
}

static void framing_test(void) {
    static const struct {
        const char *name, *text;
        enum http_asked asked;
        size_t rest; /* bytes behind the message */
    } cases[] = {
        {"a request without a body ends with its header", "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET", HTTP_ASKED_OTHER, 3},
        {"a body has the length its header says", "POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcPOST",
         HTTP_ASKED_OTHER, 4},
        {"names of header fields are in any case", "POST / HTTP/1.1\ncontent-LENGTH:3\n\nabcP", HTTP_ASKED_OTHER, 1},
        {"an answer to HEAD has no body", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nHTTP", HTTP_ASKED_HEAD, 4},
        {"an answer to CONNECT has no body", "HTTP/1.1 200 OK\r\n\r\n\x16\x03", HTTP_ASKED_CONNECT, 2},
        {"304 has no body", "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", HTTP_ASKED_OTHER, 0},
        {"1xx has no body", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1", HTTP_ASKED_OTHER, 8},
        {"chunks end with the empty one",
         "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\nH",
         HTTP_ASKED_OTHER, 1},
        {"a trailer belongs to the message",
         "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\nA: b\r\n\r\nHT", HTTP_ASKED_OTHER, 2},
        {"a CR alone ends a line", "HTTP/1.1 200 OK\rA: b\rContent-Length: 3\r\n\nabcH", HTTP_ASKED_OTHER, 1},
        {"many CRs are many ends", "HTTP/1.1 204 No\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\rX", HTTP_ASKED_OTHER, 16},
        {"CRs before a LF are part of one end", "HTTP/1.1 200 OK\r\r\nContent-Length: 3\r\r\n\r\r\nabcH",
         HTTP_ASKED_OTHER, 1},
        {"a size may be marked as hexadecimal",
         "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\nHT", HTTP_ASKED_OTHER, 2},
        {"chunked goes before a length",
         "POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", HTTP_ASKED_OTHER, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t n = strlen(cases[i].text);
        CHECK(ends(cases[i].text, n, cases[i].asked, n) == n - cases[i].rest, "%s", cases[i].name);
        CHECK(ends(cases[i].text, n, cases[i].asked, 1) == n - cases[i].rest, "%s", cases[i].name);
    }
}

static void hostile_test(void) {
    struct http_scan s = {0};
    struct read_result r = http_frame(&s, SLICE("\x16\x03\x01\n"), HTTP_ASKED_OTHER, false);
    CHECK(r.status == READ_BAD, "a line that is no first line is no HTTP");
    s = (struct http_scan){0};
    r = http_frame(&s, SLICE("POST / HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n"), HTTP_ASKED_OTHER,
                   false);
    CHECK(r.status == READ_OK && s.bad_length, "a length that is no number is an anomaly, not a length");
    s = (struct http_scan){0};
    r = http_frame(&s, SLICE("POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"), HTTP_ASKED_OTHER,
                   false);
    CHECK(s.bad_length, "two lengths that differ are an anomaly");
    s = (struct http_scan){0};
    r = http_frame(&s, SLICE("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n"),
                   HTTP_ASKED_OTHER, false);
    CHECK(r.status == READ_OK && s.bad_chunk, "a chunk size out of range ends the framing, not the program");
    s = (struct http_scan){0};
    r = http_frame(&s, SLICE("HTTP/1.1 200 OK\r\n\r\nabc"), HTTP_ASKED_OTHER, false);
    CHECK(r.status == READ_MORE && r.needed == READ_UNTIL_END, "an answer without a length ends with its stream");
    r = http_frame(&s, SLICE("HTTP/1.1 200 OK\r\n\r\nabc"), HTTP_ASKED_OTHER, true);
    CHECK(r.status == READ_OK && r.consumed == 22, "and is whole when the stream ends");
}

static void probe_test(void) {
    CHECK(http_probe(SLICE("GET / HTTP/1.1\r\nHo")) == PROBE_CERTAIN, "a request line is HTTP");
    CHECK(http_probe(SLICE("HTTP/1.0 200 OK\r\n")) == PROBE_CERTAIN, "a status line is HTTP");
    CHECK(http_probe(SLICE("\r\nHTTP/1.0 200 OK\r\n")) == PROBE_CERTAIN, "also behind an empty line");
    CHECK(http_probe(SLICE("GET /abc")) == PROBE_UNSURE, "the beginning of a request line may be HTTP");
    CHECK(http_probe(SLICE("GE")) != PROBE_CERTAIN, "two letters are not certain");
    CHECK(http_probe(SLICE("\x10\x0e\0\x04MQTT")) == PROBE_NO, "MQTT is not HTTP");
    CHECK(http_probe((struct slice){0}) == PROBE_NO, "nothing is not HTTP");
}

static void body_test(void) {
    struct arena a = arena_make(1 << 20);
    CHECK(slice_eq(http_dechunk(&a, SLICE("3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")), SLICE("abcde")), "chunks are joined");
    CHECK(slice_eq(http_dechunk(&a, SLICE("3\r\nabc\r\n0\r\n\r\n")), SLICE("abc")), "one chunk is the body");
    CHECK(http_dechunk(&a, SLICE("zz\r\n")).n == 0, "what has no size is no chunk");
    struct slice out;
    CHECK(!http_unfold(&a, HTTP_DEFLATED, SLICE("this is not compressed"), 1000, &out), "damaged data are refused");
    if (http_coding_of(SLICE("br")) == HTTP_BROTLI) {
        struct slice br = unhex("1b7700f88d946ede445586966c206f115b1c80c501");
        CHECK(http_unfold(&a, HTTP_BROTLI, br, 1000, &out) && out.n == 120 && slice_starts(out, SLICE("hello hello ")),
              "br is undone");
        CHECK(http_unfold(&a, HTTP_BROTLI, br, 50, &out) && out.n == 50, "up to a limit");
        CHECK(!http_unfold(&a, HTTP_BROTLI, SLICE("this is not compressed"), 1000, &out),
              "and damaged data are refused");
        free((void *)br.p);
    }
    CHECK(http_coding_of(SLICE("identity")) == HTTP_PLAIN, "a body may be as it is");
    arena_free(&a);
}

static struct slice value(struct bench *b, uint16_t id) {
    const struct fval *f = fv_first(b->d.out, id, 0, b->d.out->n);
    return f ? f->s : (struct slice){0};
}

static void fields_test(void) {
    struct bench b;
    struct http_state st = {0};
    const struct stream_ops *ops = proto_http.stream;
    bench_make(&b);
    struct slice in = SLICE("GET /a?x=1 HTTP/1.1\r\nHost: h\r\nAuthorization: Basic dTpw\r\nFold: a\r\n b\r\n\r\n");
    begin(&b, in);
    struct read_result r = ops->read(&b.d, &st, 0, in);
    CHECK(r.status == READ_OK && r.consumed == in.n, "a request is read whole");
    CHECK(slice_eq(value(&b, FID_HTTP_REQUEST_FULL_URI), SLICE("http://h/a?x=1")), "host and target make the URI");
    CHECK(slice_eq(value(&b, FID_HTTP_REQUEST_URI_PARAM), SLICE("x=1")), "parameters of the query are fields");
    CHECK(slice_eq(value(&b, FID_HTTP_AUTHBASIC), SLICE("u:p")), "basic credentials are decoded");
    struct slice answer = SLICE("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
    begin(&b, answer);
    r = ops->read(&b.d, &st, 1, slice_head(answer, 20));
    CHECK(r.status == READ_MORE && b.d.out->n == 0, "a part of an answer adds no fields");
    CHECK(r.begun == sizeof "HTTP/1.1 200 OK" - 1, "but says what it is");
    r = ops->read(&b.d, &st, 1, answer);
    CHECK(r.status == READ_OK, "the whole answer is read");
    CHECK(slice_eq(value(&b, FID_HTTP_FILE_DATA), SLICE("hi")), "the body is a field");
    CHECK(slice_eq(value(&b, FID_HTTP_RESPONSE_FOR_URI), SLICE("http://h/a?x=1")), "the answer knows its request");
    struct slice junk = SLICE("\x80\x81\n");
    begin(&b, junk);
    r = ops->read(&b.d, &st, 1, junk);
    CHECK(r.status == READ_OK && r.consumed == junk.n, "bytes that begin no message are a continuation");
    ops->end(&st);
    bench_free(&b);
}

static bool words_are(struct bench *b, const char *type, const char *data, const char *want) {
    return slice_eq(http_media_words(&b->d, slice_str(type), slice_str(data), NULL), slice_str(want));
}

static struct read_result stream_read(struct bench *b, struct http_state *st, struct slice in) {
    begin(b, in);
    return proto_http.stream->read(&b->d, st, 0, in);
}

static void fields_alone_test(void) {
    struct bench bench, *b = &bench;
    bench_make(b);
    struct http_state st = {0};
    CHECK(http_probe(SLICE("temp: 21\r\nx")) == PROBE_UNLIKELY, "a header field alone may be the middle of a head");
    struct read_result r = stream_read(b, &st, SLICE("ost: a\r\nServer: b\r\n\r\nbody"));
    CHECK(r.status == READ_OK && r.consumed == 25 && !b->v.bad, "the end of a head is read");
    CHECK(bench_says(b, FID_HTTP_SERVER, 0, "b") && bench_says(b, FID_HTTP_FILE_DATA, 0, "body"), "with what it says");
    stream_read(b, &st, SLICE("a\xff:b\rno field\r\nc: d\r\n"));
    CHECK(bench_says(b, FID_HTTP_FILE_DATA, 0, "no field\r\nc: d\r\n"), "up to a line that is no field");
    stream_read(b, &st, SLICE("a: b\r\nServ"));
    CHECK(b->v.bad, "a name that is cut is malformed");
    stream_read(b, &st, SLICE("a: b\r\nc: d"));
    CHECK(!b->v.bad, "a value may end anywhere");
    CHECK(stream_read(b, &st, SLICE("21.5\r\na: b\r\n")).stranger && b->v.n == 0,
          "what begins otherwise is not HTTP's");
    CHECK(stream_read(b, &st, SLICE("\x01:\r\n\r\n")).stranger, "nor is what begins with no letter");
    CHECK(!st.seen, "and none of it is a message");
    bench_free(b);
}

static void media_test(void) {
    struct bench b;
    bench_make(&b);
    begin(&b, SLICE("x"));
    CHECK(words_are(&b, "Text/HTML; charset=x", "<p>", " (text/html)"), "a type is named without its parameters");
    CHECK(words_are(&b, "application/octet-stream", "x", ""), "bytes of which nothing is known have no name");
    CHECK(words_are(&b, "application/foo+json", "{}", " (application/foo+json)"), "the end of a name makes no JSON");
    CHECK(words_are(&b, "image/x", "GIF89a....", " (GIF89a)"), "an image is known by its bytes");
    const char *parts = "before\r\n--A\r\nContent-Type: text/csv\r\n\r\nx\r\n--AB\r\n--A\r\nX: y\r\n\r\nz\r\n"
                        "--A\r\nContent-Type: application/pdf\r\n\r\ny\r\n--A--\r\n";
    CHECK(words_are(&b, "multipart/mixed; boundary=\"A\"", parts, " (text/csv) (application/pdf)"), "parts are named");
    CHECK(words_are(&b, "multipart/mixed", parts, ""), "not without a boundary");
    CHECK(words_are(&b, "multipart/mixed; boundary=A", "--A\r\nContent-Type: text/csv\r\n\r\nx", ""),
          "nor a part that nothing ends");
    bench_free(&b);
}

static void first_line_test(void) {
    CHECK(http_probe(SLICE("hello")) != PROBE_NO, "text may go on to be a line");
    CHECK(http_probe(SLICE("hello\r\n")) == PROBE_NO, "a line of text is none of HTTP");
    CHECK(http_probe(SLICE("\x01hello")) == PROBE_NO, "nor are bytes");
    CHECK(http_probe(SLICE("OPTIONS\r\n")) == PROBE_UNSURE, "a method may stand alone");
    CHECK(http_blank(SLICE("\r\nGET / HTTP/1.1\r\n")) == 2, "an empty line in front of a request is passed over");
    CHECK(http_blank(SLICE("\r\n\r\nGET / HTTP/1.1\r\n")) == 0 && http_blank(SLICE("\r\n")) == 0, "but one alone");
    CHECK(http_line_kind_of(SLICE("M-GET / HTTP/1.1")) == HTTP_LINE_REQUEST, "RFC 2774 puts M- in front of a method");
}

int main(void) {
    fields_alone_test();
    media_test();
    first_line_test();
    framing_test();
    hostile_test();
    probe_test();
    body_test();
    fields_test();
    return test_failures != 0;
}
