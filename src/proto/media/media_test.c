/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of content by its media type: JSON and what is none, forms, lines. */
#include "proto/media/media.h"

#include "proto/proto_test.h"
#include "proto/protos.h"

static struct bench b;

static void show(const char *type, const char *text) {
    struct slice in = slice_str(text);
    bench_start(&b, in);
    media_or_data_read(&b.d, slice_str(type), in);
}

static bool is(uint16_t id, unsigned nth, const char *text) {
    const struct fval *f = bench_find(&b, id, nth);
    return f && slice_eq(f->s, slice_str(text));
}

/* json tells whether a text is shown as JSON, and not as lines as well. */
static bool json(const char *text) {
    show("application/json", text);
    return bench_find(&b, FID_JSON, 0) && !bench_find(&b, FID_DATA_TEXT_LINES, 0);
}

static void json_values(void) {
    CHECK(json("{\"a\": 1, \"b\": {\"c\": [true, null, \"x\\u00e9\\n\"]}}"), "an object is JSON");
    CHECK(is(FID_JSON_VALUE_NUMBER, 0, "1") && is(FID_JSON_VALUE_STRING, 0, "x\xc3\xa9\n"),
          "values are fields, without escapes");
    CHECK(is(FID_JSON_PATH, 0, "/a") && is(FID_JSON_PATH, 1, "/b/c") && is(FID_JSON_PATH, 2, "/b"),
          "a path follows its member");
    CHECK(is(FID_JSON_PATH_WITH_VALUE, 1, "/b/c/[]:true") && is(FID_JSON_MEMBER_WITH_VALUE, 0, "a:1"),
          "paths go with values");
    CHECK(is(FID_JSON_MEMBER, 2, "c") && is(FID_JSON_KEY, 0, "a"), "members have their names");
    CHECK(bench_find(&b, FID_JSON_VALUE_TRUE, 0) && bench_find(&b, FID_JSON_VALUE_NULL, 0), "true and null are there");
    CHECK(json("[\"\\ud83d\\ude00\"]") && is(FID_JSON_VALUE_STRING, 0, "\xf0\x9f\x98\x80"),
          "two halves make one character");
    CHECK(json(" [1,[2]]\n{\"b\":-1.5e3}") && is(FID_JSON_VALUE_NUMBER, 2, "-1.5e3"),
          "several texts may follow each other");
}

static void json_refused(void) {
    static const char *const bad[] = {"\"abc\"",
                                      "12",

                                      "{a:1}",
                                      "{\"a\":1,}",
                                      "{\"a\":01}",
                                      "{\"a\"}",
                                      "[1",
                                      "[1,]",
                                      "{\"a\":\"\\x\"}",
                                      "{\"a\":\"\\u12g4\"}",
                                      "{\"a\":tru}",
                                      "[-]",
                                      "[1.]",
                                      "[1e]",
                                      "{\"a\":\"\x01\"}",
                                      "{\"a\":\"",
                                      "{\"\\"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK(!json(bad[i]), "%s is no JSON", bad[i]);
        CHECK(bench_find(&b, FID_DATA_TEXT_LINES_LINE, 0) && !bench_find(&b, FID_JSON_OBJECT, 0),
              "%s is shown as lines alone", bad[i]);
    }
    CHECK(!json("{\"a\":1}\nx") && is(FID_JSON_KEY, 0, "a") && is(FID_DATA_TEXT_LINES_LINE, 0, "x"),
          "what follows JSON is shown as lines");
    char deep[400];
    memset(deep, '[', sizeof deep - 1);
    deep[sizeof deep - 1] = 0;
    CHECK(!json(deep), "what is nested too deep is none");
}

static bool image(const char *type, struct slice in, uint16_t id, bool whole) {
    bench_start(&b, in);
    return media_read(&b.d, slice_str(type), in) && bench_find(&b, id, 0) &&
           whole == !bench_find(&b, FID_WS_MALFORMED, 0);
}

static void images(void) {
    static const struct slice png = SLICE("\x89PNG\r\n\x1a\n\0\0\0\x02IHDRab1234\0\0\0\0IEND1234"),
                              gif = SLICE("GIF89a\1\0\1\0\x80\0\0rgbrgb!\xf9\4abcd\0,12345678\0\2\2ab\0;"),
                              jpeg = SLICE("\xff\xd8\xff\xe0\0\x04JF\xff\xda\0\3.ab\xff\0cd\xff\xd0"
                                           "ef\xff\xd9");
    CHECK(image("image/png", png, FID_PNG, true) && image("", png, FID_PNG, true) &&
              image("image/jpeg", png, FID_PNG, true),
          "an image is known by its bytes, whatever its type");
    CHECK(image("image/gif", gif, FID_IMAGE_GIF, true) && image("image/jpeg", jpeg, FID_IMAGE_JFIF, true),
          "whole images are whole");
    for (size_t n = 20; n < png.n; n++)
        CHECK(image("image/png", slice_head(png, n), FID_PNG, n == 8 + 14), "PNG of %zu bytes", n);
    for (size_t n = 20; n < gif.n; n++)
        CHECK(image("image/gif", slice_head(gif, n), FID_IMAGE_GIF, false), "GIF of %zu bytes", n);
    for (size_t n = 20; n < jpeg.n; n++)
        CHECK(image("image/jpeg", slice_head(jpeg, n), FID_IMAGE_JFIF, false), "JPEG of %zu bytes", n);
    bench_start(&b, png);
    CHECK(!media_read(&b.d, SLICE("application/octet-stream"), png), "what is said to be just bytes stays that");
}

static void others(void) {
    show("text/plain", "a\nbb\r\nccc");
    CHECK(is(FID_DATA_TEXT_LINES_LINE, 1, "bb\r\n") && is(FID_DATA_TEXT_LINES_LINE, 2, "ccc"),
          "text is shown by its lines");
    show("application/x-www-form-urlencoded", "a=1&b=%41+x&c&d=%4");
    CHECK(is(FID_URLENCODED_FORM_KEY, 1, "b") && is(FID_URLENCODED_FORM_VALUE, 1, "A x"),
          "a form's values are decoded");
    CHECK(is(FID_URLENCODED_FORM_KEY, 2, "c") && is(FID_URLENCODED_FORM_VALUE, 2, ""), "a key may stand alone");
    CHECK(is(FID_URLENCODED_FORM_VALUE, 3, "%4"), "half an escape stays as it is");
    show("image/gif", "no picture");
    CHECK(bench_find(&b, FID_MEDIA, 0) && !bench_find(&b, FID_IMAGE_GIF, 0),
          "an image must look like what its type says");
    show("application/soap+xml", "<a/>");
    CHECK(bench_find(&b, FID_XML, 0), "XML is named");
}

static void data_call(struct decode *d, const struct proto *p, struct slice in) { p->read(d, in); }

static void parts(const char *value, const char *text) {
    static const struct decode_ops ops = {.call = data_call};
    struct slice in = slice_str(text);
    bench_start(&b, in);
    b.d.ops = &ops;
    media_multipart_read(&b.d, slice_str(value), in);
}

static void parts_are_read(void) {
    parts("multipart/form-data; boundary=\"x y\"",
          "before\r\n--x y\r\nContent-Disposition: form-data;\r\n name=\"a\"\r\n\r\n1\r\n"
          "--x y \r\nContent-Type: text/plain\r\nX: y\r\n\r\nline --x y\r\nline\r\n--x y--\r\nbehind");
    CHECK(is(FID_MIME_MULTIPART_CONTENT_DISPOSITION, 0, "form-data;name=\"a\""), "a part has its header fields");
    CHECK(is(FID_DATA_DATA, 0, "1"), "its content is what stands in front of the boundary's line end");
    CHECK(is(FID_DATA_TEXT_LINES_LINE, 0, "line --x y\r\n"), "a boundary begins a line, and the media type counts");
    CHECK(is(FID_MIME_MULTIPART_PREAMBLE, 0, "before\r\n") && is(FID_MIME_MULTIPART_TRAILER, 0, "behind"),
          "what stands around the parts is shown");
    parts("multipart/mixed; boundary=a",
          "--a\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\n1\n--b--\n--a\n\n2\n--a--");
    CHECK(is(FID_DATA_DATA, 0, "1") && is(FID_DATA_DATA, 1, "2"), "parts may have parts");
    parts("multipart/mixed; boundary=a", "--a\n\nno end");
    CHECK(bench_find(&b, FID_MIME_MULTIPART, 0) && !bench_find(&b, FID_MIME_MULTIPART_PART, 0),
          "a part that no boundary ends is none");
    parts("multipart/mixed; boundary=a", "--b\n\n1\n--b--");
    CHECK(bench_find(&b, FID_MIME_MULTIPART, 0) && is(FID_DATA_DATA, 0, "--b\n\n1\n--b--"),
          "without the boundary that was said all of it is data");
    parts("multipart/mixed", "--\n\n1\n--");
    CHECK(!bench_find(&b, FID_MIME_MULTIPART, 0), "without a boundary there are no parts");
}

int main(void) {
    bench_make(&b);
    parts_are_read();
    json_values();
    json_refused();
    images();
    others();
    bench_free(&b);
    return test_failures != 0;
}
