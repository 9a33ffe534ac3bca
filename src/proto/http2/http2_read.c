/* SPDX-License-Identifier: Apache-2.0 */
/* Theory of operation: HTTP/2 (RFC 9113) in a stream.
 *
 * Every frame gives its length up front, so the stream is cut without looking inside. State, per side: the table of
 * its header compression (http2_hpack.c), and the messages whose bodies are under way (http2_body.c). A stream is
 * recognised by the client's preface, or, where that was not seen, by a SETTINGS frame at its start. */
#include "proto/http2/http2.h"
#include "proto/media/media.h"
#include "proto/protos.h"

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
_Static_assert(sizeof preface - 1 == HTTP2_PREFACE, "the preface has its length");

enum { SETTING = 6, SETTINGS_SEEN = 32, FRAME_USUAL = 1 << 14 };

bool http2_is_preface(struct slice in) { return slice_starts(in, SLICE(preface)); }

static bool preface_begun(struct slice in) {
    size_t n = in.n < HTTP2_PREFACE ? in.n : HTTP2_PREFACE;
    return n && memcmp(in.p, preface, n) == 0;
}

static struct http2_frame frame_head(struct slice in) {
    struct reader r = rd_init(in, in.p);
    struct http2_frame f = {.length = rd_be24(&r)};
    f.type = rd_u8(&r);
    f.flags = rd_u8(&r);
    uint32_t stream = rd_be32(&r);
    f.r = stream >> 31;
    f.stream = stream & 0x7fffffff;
    f.payload = slice_head(rd_rest(&r), f.length);
    return f;
}

static struct read_result http2_cut(struct slice in) {
    if (in.n >= 3 && preface_begun(in)) {
        if (in.n < HTTP2_PREFACE) return (struct read_result){.status = READ_MORE, .needed = HTTP2_PREFACE};
        return (struct read_result){.status = READ_OK, .consumed = HTTP2_PREFACE};
    }
    if (in.n < HTTP2_HEAD) return (struct read_result){.status = READ_MORE, .needed = HTTP2_HEAD};
    size_t size = HTTP2_HEAD + (size_t)load_be24(in.p);
    if (size > in.n) return (struct read_result){.status = READ_MORE, .needed = size};
    return (struct read_result){.status = READ_OK, .consumed = size};
}

/* settings_likely tells whether a frame is what a side begins with: RFC 9113 3.4, 6.5. */
static bool settings_likely(const struct http2_frame *f) {
    if (f->type != H2_SETTINGS || f->flags || f->r || f->stream || !f->length || f->length % SETTING ||
        f->length > SETTINGS_SEEN * SETTING || f->payload.n < f->length)
        return false;
    for (size_t i = 0; i < f->length; i += SETTING)
        if (field_value_name(&vals_http2_setting, load_be16(f->payload.p + i))) return true;
    return false;
}

static enum probe_result http2_probe(struct slice in) {
    if (preface_begun(in)) return in.n >= HTTP2_PREFACE ? PROBE_CERTAIN : PROBE_UNSURE;
    if (in.n < HTTP2_HEAD) return PROBE_UNSURE;
    struct http2_frame f = frame_head(in);
    if (settings_likely(&f)) return PROBE_CERTAIN;
    bool usual = field_value_name(&vals_http2_type, f.type) && !f.r && f.length <= FRAME_USUAL;
    return usual ? PROBE_UNSURE : PROBE_NO;
}

static void flag(struct decode *d, const struct http2_frame *f, uint16_t id, uint8_t bit) {
    fv_u(d->out, id, f->off + 4, 1, (f->flags & bit) != 0);
}

static void unused(struct decode *d, const struct http2_frame *f, uint16_t id) {
    uint64_t mask = field_of(id)->mask;
    fv_u(d->out, id, f->off + 4, 1, (f->flags & mask) >> __builtin_ctzll(mask));
}

static void flags_add(struct decode *d, const struct http2_frame *f) {
    d_open_u(d, FID_HTTP2_FLAGS, f->off + 4, 1, f->flags);
    switch (f->type) {
    case H2_DATA:
        unused(d, f, FID_HTTP2_FLAGS_UNUSED_DATA);
        flag(d, f, FID_HTTP2_FLAGS_PADDED, H2_PADDED);
        flag(d, f, FID_HTTP2_FLAGS_END_STREAM, H2_END_STREAM);
        break;
    case H2_HEADERS:
        unused(d, f, FID_HTTP2_FLAGS_UNUSED_HEADERS);
        flag(d, f, FID_HTTP2_FLAGS_PRIORITY, H2_PRIORITIZED);
        flag(d, f, FID_HTTP2_FLAGS_PADDED, H2_PADDED);
        flag(d, f, FID_HTTP2_FLAGS_EH, H2_END_HEADERS);
        flag(d, f, FID_HTTP2_FLAGS_END_STREAM, H2_END_STREAM);
        break;
    case H2_SETTINGS:
        unused(d, f, FID_HTTP2_FLAGS_UNUSED_SETTINGS);
        flag(d, f, FID_HTTP2_FLAGS_ACK_SETTINGS, H2_ACK);
        break;
    case H2_PUSH_PROMISE:
        unused(d, f, FID_HTTP2_FLAGS_UNUSED_PUSH_PROMISE);
        flag(d, f, FID_HTTP2_FLAGS_PADDED, H2_PADDED);
        flag(d, f, FID_HTTP2_FLAGS_EH, H2_END_HEADERS);
        break;
    case H2_CONTINUATION:
        unused(d, f, FID_HTTP2_FLAGS_UNUSED_CONTINUATION);
        flag(d, f, FID_HTTP2_FLAGS_EH, H2_END_HEADERS);
        break;
    case H2_PING:
        unused(d, f, FID_HTTP2_FLAGS_UNUSED_PING);
        flag(d, f, FID_HTTP2_FLAGS_ACK_PING, H2_ACK);
        break;
    default: unused(d, f, FID_HTTP2_FLAGS_UNUSED);
    }
    fv_close(d->out);
}

/* split32 reads a field of one bit and one of 31. */
static uint32_t split32(struct decode *d, struct reader *r, uint16_t bit, uint16_t rest) {
    uint32_t off = rd_off(r), v = rd_be32(r);
    if (!rd_ok(r)) return 0;
    fv_u(d->out, bit, off, 4, v >> 31);
    fv_u(d->out, rest, off, 4, v & 0x7fffffff);
    return v & 0x7fffffff;
}

static void priority_add(struct decode *d, struct reader *r) {
    split32(d, r, FID_HTTP2_EXCLUSIVE, FID_HTTP2_STREAM_DEPENDENCY);
    uint32_t off = rd_off(r);
    uint8_t weight = get_u8(d, r, FID_HTTP2_HEADERS_WEIGHT);
    if (rd_ok(r)) fv_u(d->out, FID_HTTP2_HEADERS_WEIGHT_REAL, off, 1, (uint64_t)weight + 1);
}

/* pad_add reads the length of the padding behind the payload. */
static size_t pad_add(struct decode *d, struct reader *r, const struct http2_frame *f) {
    uint32_t off = rd_off(r);
    bool padded = f->flags & H2_PADDED;
    uint8_t pad = padded ? get_u8(d, r, FID_HTTP2_PADDING) : 0;
    if (rd_ok(r)) fv_u(d->out, FID_HTTP2_PAD_LENGTH, off, padded, pad);
    return pad;
}

/* content_of returns what stands before the padding. */
static struct slice content_of(struct decode *d, struct reader *r, size_t pad) {
    if (pad > rd_left(r)) {
        d_anomaly(d, FID_HTTP2_BAD_PADDING, rd_off(r), (uint32_t)rd_left(r));
        pad = 0;
    }
    return rd_take(r, rd_left(r) - pad);
}

static void rest_add(struct decode *d, struct reader *r, uint16_t id) {
    if (rd_left(r)) get_bytes(d, r, id, rd_left(r));
}

static void block_begin(struct decode *d, struct http2_state *st, int from, const struct http2_frame *f,
                        uint32_t stream, struct slice block, uint16_t id) {
    struct http2_side *s = &st->side[from];
    if (block.n) fv_s(d->out, id, d_off(d, block.p), (uint32_t)block.n, block);
    if (s->block_stream && f->type != H2_CONTINUATION) http2_hpack_end(&s->hpack); /* the block before has no end */
    s->block_stream = f->flags & H2_END_HEADERS ? 0 : stream;
    http2_block_add(d, st, from, f, stream, block);
}

static void settings_add(struct decode *d, struct reader *r, const struct http2_frame *f) {
    static const uint16_t ids[] = {[1] = FID_HTTP2_SETTINGS_HEADER_TABLE_SIZE, FID_HTTP2_SETTINGS_ENABLE_PUSH,
                                   FID_HTTP2_SETTINGS_MAX_CONCURRENT_STREAMS,  FID_HTTP2_SETTINGS_INITIAL_WINDOW_SIZE,
                                   FID_HTTP2_SETTINGS_MAX_FRAME_SIZE,          FID_HTTP2_SETTINGS_MAX_HEADER_LIST_SIZE,
                                   [8] = FID_HTTP2_SETTINGS_EXTENDED_CONNECT};
    while (rd_left(r) >= SETTING) {
        fv_open(d->out, FID_HTTP2_SETTINGS, rd_off(r), SETTING);
        uint16_t id = get_be16(d, r, FID_HTTP2_SETTINGS_ID);
        uint16_t field = id < sizeof ids / sizeof *ids ? ids[id] : 0;
        get_be32(d, r, field ? field : FID_HTTP2_SETTINGS_UNKNOWN);
        fv_close(d->out);
    }
    if (f->stream) d_anomaly(d, FID_HTTP2_BAD_STREAM, f->off + 5, 4);
}

static void headers_add(struct decode *d, struct http2_state *st, int from, struct reader *r,
                        const struct http2_frame *f) {
    size_t pad = pad_add(d, r, f);
    if (f->flags & H2_PRIORITIZED) priority_add(d, r);
    block_begin(d, st, from, f, f->stream, content_of(d, r, pad), FID_HTTP2_HEADERS);
    rest_add(d, r, FID_HTTP2_HEADERS_PADDING);
}

static void promise_add(struct decode *d, struct http2_state *st, int from, struct reader *r,
                        const struct http2_frame *f) {
    size_t pad = pad_add(d, r, f);
    split32(d, r, FID_HTTP2_PUSH_PROMISE_R, FID_HTTP2_PUSH_PROMISE_PROMISED_STREAM_ID);
    block_begin(d, st, from, f, 0, content_of(d, r, pad), FID_HTTP2_PUSH_PROMISE_HEADER);
    rest_add(d, r, FID_HTTP2_PUSH_PROMISE_PADDING);
}

static void data_add(struct decode *d, struct http2_state *st, int from, struct reader *r,
                     const struct http2_frame *f) {
    size_t pad = pad_add(d, r, f);
    http2_data_add(d, st, from, f, content_of(d, r, pad));
    rest_add(d, r, FID_HTTP2_DATA_PADDING);
    if (!f->stream) d_anomaly(d, FID_HTTP2_BAD_STREAM, f->off + 5, 4);
}

static void goaway_add(struct decode *d, struct reader *r) {
    split32(d, r, FID_HTTP2_GOAWAY_R, FID_HTTP2_GOAWAY_LAST_STREAM_ID);
    get_be32(d, r, FID_HTTP2_GOAWAY_ERROR);
    rest_add(d, r, FID_HTTP2_GOAWAY_ADDATA);
}

static void origin_add(struct decode *d, struct reader *r) {
    while (rd_left(r) >= 2) {
        uint32_t off = rd_off(r), at = fv_open(d->out, FID_HTTP2_ORIGIN, off, 2);
        uint16_t n = get_be16(d, r, FID_HTTP2_ORIGIN_ORIGIN_LEN);
        get_bytes(d, r, FID_HTTP2_ORIGIN_ORIGIN, n);
        if (rd_ok(r)) fv_set_len(d->out, at, 2u + n);
        fv_close(d->out);
    }
}

static void payload_add(struct decode *d, struct http2_state *st, int from, struct reader *r,
                        const struct http2_frame *f) {
    switch (f->type) {
    case H2_DATA: data_add(d, st, from, r, f); break;
    case H2_HEADERS: headers_add(d, st, from, r, f); break;
    case H2_PRIORITY: priority_add(d, r); break;
    case H2_RST_STREAM: get_be32(d, r, FID_HTTP2_RST_STREAM_ERROR); break;
    case H2_SETTINGS: settings_add(d, r, f); break;
    case H2_PUSH_PROMISE: promise_add(d, st, from, r, f); break;
    case H2_PING: get_bytes(d, r, f->flags & H2_ACK ? FID_HTTP2_PONG : FID_HTTP2_PING, 8); break;
    case H2_GOAWAY: goaway_add(d, r); break;
    case H2_WINDOW_UPDATE:
        split32(d, r, FID_HTTP2_WINDOW_UPDATE_R, FID_HTTP2_WINDOW_UPDATE_WINDOW_SIZE_INCREMENT);
        break;
    case H2_CONTINUATION:
        if (f->stream != st->side[from].block_stream) d_anomaly(d, FID_HTTP2_BAD_STREAM, f->off + 5, 4);
        block_begin(d, st, from, f, f->stream, rd_take(r, rd_left(r)), FID_HTTP2_CONTINUATION_HEADER);
        break;
    case H2_ALTSVC:
        get_bytes(d, r, FID_HTTP2_ALTSVC_ORIGIN, get_be16(d, r, FID_HTTP2_ALTSVC_ORIGIN_LEN));
        rest_add(d, r, FID_HTTP2_ALTSVC_FIELD_VALUE);
        break;
    case H2_ORIGIN: origin_add(d, r); break;
    case H2_PRIORITY_UPDATE: {
        uint32_t off = rd_off(r), stream = rd_be32(r);
        if (rd_ok(r)) fv_u(d->out, FID_HTTP2_PRIORITY_UPDATE_STREAM_ID, off, 4, stream & 0x7fffffff);
        rest_add(d, r, FID_HTTP2_PRIORITY_UPDATE_FIELD_VALUE);
        break;
    }
    default: rest_add(d, r, FID_HTTP2_UNKNOWN);
    }
    if (!rd_ok(r) || rd_left(r)) d_anomaly(d, FID_HTTP2_BAD_LENGTH, f->off, HTTP2_HEAD);
}

static void frame_add(struct decode *d, struct http2_state *st, int from, struct http2_frame *f) {
    uint32_t size = HTTP2_HEAD + f->length;
    d_begin(d, &proto_http2, f->off, size);
    fv_open(d->out, FID_HTTP2_STREAM, f->off, size);
    fv_u(d->out, FID_HTTP2_LENGTH, f->off, 3, f->length);
    fv_u(d->out, FID_HTTP2_TYPE, f->off + 3, 1, f->type);
    flags_add(d, f);
    fv_u(d->out, FID_HTTP2_R, f->off + 5, 4, f->r);
    fv_u(d->out, FID_HTTP2_STREAMID, f->off + 5, 4, f->stream);
    struct reader r = d_reader(d, f->payload);
    st->content.data.n = 0;
    payload_add(d, st, from, &r, f);
    fv_close(d->out);
    d_end(d);
    if (!st->content.data.n || !d->ops) return;
    uint8_t src = d->out->src;
    d->out->src = st->content.src;
    d->exchange = f->stream;
    media_read(d, st->content.type, st->content.data);
    d->exchange = 0;
    d->out->src = src;
}

static struct read_result http2_read(struct decode *d, void *state, int from, struct slice in) {
    struct read_result r = http2_cut(in);
    if (r.status != READ_OK) return r;
    uint32_t off = d_off(d, in.p);
    if (http2_is_preface(in)) {
        d_begin(d, &proto_http2, off, HTTP2_PREFACE);
        fv_open(d->out, FID_HTTP2_STREAM, off, HTTP2_PREFACE);
        fv_s(d->out, FID_HTTP2_MAGIC, off, HTTP2_PREFACE, slice_head(in, HTTP2_PREFACE));
        fv_close(d->out);
        d_end(d);
        return r;
    }
    struct http2_frame f = frame_head(in);
    f.off = off;
    frame_add(d, state, from & 1, &f);
    return r;
}

static void http2_lost(void *state, int from) {
    struct http2_state *st = state;
    struct http2_side *s = &st->side[from & 1];
    http2_hpack_end(&s->hpack);
    s->block_stream = 0;
    for (size_t i = 0; i < HTTP2_BODIES; i++) s->body[i].overflow = true; /* they have a hole */
}

static void http2_closed(void *state, int from) {
    struct http2_state *st = state;
    struct http2_side *s = &st->side[from & 1];
    http2_hpack_end(&s->hpack);
    for (size_t i = 0; i < HTTP2_BODIES; i++) http2_body_end(st, &s->body[i]);
}

static void http2_end(void *state) {
    for (int side = 0; side < 2; side++) http2_closed(state, side);
}

static const struct stream_ops stream = {.state_size = sizeof(struct http2_state),
                                         .end = http2_end,
                                         .read = http2_read,
                                         .frame = http2_cut,
                                         .lost = http2_lost,
                                         .closed = http2_closed,
                                         .probe = http2_probe};
const struct proto proto_http2 = {.name = "http2",
                                  .column = "HTTP2",
                                  .id = FID_HTTP2,
                                  .end = FID_HTTP2_END,
                                  .stream = &stream,
                                  .info = http2_info,
                                  .info_fields = http2_info_fields,
                                  .label = http2_label};
