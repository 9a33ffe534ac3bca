/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of WebSocket: frames, masks, messages of several frames, compression. */
#include "proto/websocket/websocket.h"

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

static struct read_result give(struct bench *b, struct websocket_state *st, struct slice in) {
    begin(b, in);
    return proto_websocket.stream->read(&b->d, st, 0, in);
}

static bool says(struct bench *b, uint16_t id, struct slice text) {
    const struct fval *f = fv_first(b->d.out, id, 0, b->d.out->n);
    return f && slice_eq(f->s, text);
}

static void frame_test(void) {
    struct websocket_frame f;
    CHECK(websocket_frame_read(SLICE("\x81"), &f).needed == 2, "one byte is not yet a header");
    CHECK(websocket_frame_read(SLICE("\x81\x05He"), &f).needed == 7, "the header says how long the frame is");
    CHECK(websocket_frame_read(SLICE("\x82\x7e\x01"), &f).needed == 4, "a long header says how long it is");
    CHECK(websocket_frame_read(SLICE("\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff"), &f).status == READ_BAD,
          "a length has 63 bits");
}

static void message_test(void) {
    struct bench b;
    struct websocket_state st = {0};
    bench_make(&b);
    give(&b, &st, SLICE("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58")); /* RFC 6455 5.7 */
    CHECK(says(&b, FID_WEBSOCKET_TEXT, SLICE("Hello")), "a masked text is unmasked");
    give(&b, &st, SLICE("\x01\x03Hel"));
    CHECK(!fv_first(b.d.out, FID_WEBSOCKET_TEXT, 0, b.d.out->n), "the first part of a message is not the message");
    give(&b, &st, SLICE("\x89\x00"));
    give(&b, &st, SLICE("\x80\x02lo"));
    CHECK(says(&b, FID_WEBSOCKET_TEXT, SLICE("Hello")), "frames with a ping between them make one message");
    give(&b, &st, SLICE("\x80\x02lo"));
    CHECK(b.d.out->anomalies == 1, "a continuation of nothing is an anomaly");
    give(&b, &st, SLICE("\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00")); /* RFC 7692 7.2.3.1 */
    CHECK(says(&b, FID_WEBSOCKET_TEXT, SLICE("Hello")), "a compressed message is unfolded");
    give(&b, &st, SLICE("\xc1\x05\xf2\x00\x11\x00\x00")); /* RFC 7692 7.2.3.2 */
    CHECK(says(&b, FID_WEBSOCKET_TEXT, SLICE("Hello")), "with what the message before said");
    give(&b, &st, SLICE("\xc1\x04\xff\xff\xff\xff"));
    CHECK(b.d.out->anomalies > 0, "damaged compression is an anomaly");
    give(&b, &st, SLICE("\x88\x04\x03\xe8ok"));
    CHECK(says(&b, FID_WEBSOCKET_CLOSE_REASON, SLICE("ok")), "a close has a reason");
    give(&b, &st, SLICE("\x08\x00"));
    CHECK(b.d.out->anomalies > 0, "a fragmented control frame is an anomaly");
    proto_websocket.stream->end(&st);
    bench_free(&b);
}

int main(void) {
    frame_test();
    message_test();
    return test_failures != 0;
}
