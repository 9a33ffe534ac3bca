/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/3 (RFC 9114): the frames in the streams of QUIC.
 *
 * Theory of operation: a stream that goes one way begins with its type (6.2), which says whether frames follow; one
 * that goes both ways has frames only. A frame is read when it is whole, but for the bodies of great ones: of these the
 * head is shown, and then what comes as it comes. Behind bytes that were lost no frame is found again. What it does not
 * do: take field sections apart, which needs all of the QPACK streams. */
#include "proto/protos.h"
#include "proto/quic/quic.h"

enum { STREAM_PUSH = 1, STREAM_DECODER = 3 }; /* RFC 9114 6.2, RFC 9204 4.2 */
enum {
    CANCEL_PUSH = 0x3,
    SETTINGS = 0x4,
    PUSH_PROMISE = 0x5,
    GOAWAY = 0x7,
    MAX_PUSH_ID = 0xd,
    PRIORITY_UPDATE = 0xf0700,
    PRIORITY_UPDATE_PUSH,
};
enum { GREAT = 1 << 20, SETTINGS_MOST = 256 };

/* http3_state is what is known of the sides of a stream. */
struct http3_state {
    struct {
        bool begun;    /* its type was read */
        bool closed;   /* there are no frames, or none are found */
        uint64_t left; /* bytes of a great frame that are still to come */
    } side[2];
};

static bool one_way(const struct decode *d) { return d->exchange && (d->exchange - 1) & 2; }

static void setting_read(struct decode *d, struct reader *r) {
    uint32_t off = rd_off(r), at = fv_open(d->out, FID_HTTP3_SETTINGS, off, 0);
    uint64_t id = get_quic_number(d, r, FID_HTTP3_SETTING_ID);
    uint32_t value_at = rd_off(r);
    uint64_t value = get_quic_number(d, r, FID_HTTP3_SETTING_VALUE);
    uint16_t field = id == 1   ? FID_HTTP3_TABLE_CAPACITY
                     : id == 6 ? FID_HTTP3_SECTION_SIZE
                     : id == 7 ? FID_HTTP3_BLOCKED_STREAMS
                     : id == 8 ? FID_HTTP3_EXTENDED_CONNECT
                               : 0;
    if (field && rd_ok(r)) fv_u(d->out, field, value_at, rd_off(r) - value_at, value);
    fv_set_len(d->out, at, rd_off(r) - off);
    fv_close(d->out);
}

static void body_read(struct decode *d, uint64_t type, struct slice body) {
    struct reader r = d_reader(d, body);
    switch (type) {
    case SETTINGS:
        for (unsigned i = 0; i < SETTINGS_MOST && rd_ok(&r) && rd_left(&r); i++) setting_read(d, &r);
        break;
    case CANCEL_PUSH:
    case PUSH_PROMISE:
    case GOAWAY: /* of the server it is a stream's number, of the client a push */
    case MAX_PUSH_ID: get_quic_number(d, &r, FID_HTTP3_PUSH_ID); break;
    case PRIORITY_UPDATE:
    case PRIORITY_UPDATE_PUSH:
        get_quic_number(d, &r, FID_HTTP3_PRIORITY_ELEMENT);
        get_bytes(d, &r, FID_HTTP3_PRIORITY_VALUE, rd_left(&r));
        break;
    default: break;
    }
    if (!rd_ok(&r)) d_bad(d, &r);
}

static struct read_result more(size_t needed) { return (struct read_result){.status = READ_MORE, .needed = needed}; }
static struct read_result used(size_t n) { return (struct read_result){.status = READ_OK, .consumed = n}; }

/* frame_read reads one frame; the numbers before its body are read twice, as nothing may be shown of a part. */
static struct read_result frame_read(struct decode *d, struct http3_state *st, int from, struct slice in) {
    struct reader head = rd_init(in, in.p);
    uint64_t type = quic_number(&head), length = quic_number(&head);
    if (!rd_ok(&head)) return more(0);
    bool great = length > GREAT;
    size_t n = great ? 0 : (size_t)length;
    if (rd_left(&head) < n) return more(in.n - rd_left(&head) + n);
    if (great) st->side[from].left = length;
    size_t whole = in.n - rd_left(&head) + n;
    struct reader r = d_reader(d, slice_head(in, whole));
    d_begin(d, &proto_http3, rd_off(&r), (uint32_t)whole);
    get_quic_number(d, &r, FID_HTTP3_TYPE);
    get_quic_number(d, &r, FID_HTTP3_LENGTH);
    struct slice body = n ? get_bytes(d, &r, FID_HTTP3_PAYLOAD, n) : (struct slice){0};
    if (n) body_read(d, type, body);
    d_end(d);
    return used(whole);
}

/* great_read shows what comes of a great frame's body. */
static struct read_result great_read(struct decode *d, struct http3_state *st, int from, struct slice in) {
    size_t n = in.n < st->side[from].left ? in.n : (size_t)st->side[from].left;
    struct reader r = d_reader(d, slice_head(in, n));
    d_begin(d, &proto_http3, rd_off(&r), (uint32_t)n);
    get_bytes(d, &r, FID_HTTP3_PAYLOAD, n);
    d_end(d);
    st->side[from].left -= n;
    return used(n);
}

/* type_read reads what a stream that goes one way begins with. */
static struct read_result type_read(struct decode *d, struct http3_state *st, int from, struct slice in) {
    struct reader r = rd_init(in, in.p);
    uint64_t type = quic_number(&r);
    if (rd_ok(&r) && type == STREAM_PUSH) quic_number(&r);
    if (!rd_ok(&r)) return more(0);
    size_t n = in.n - rd_left(&r);
    r = d_reader(d, slice_head(in, n));
    d_begin(d, &proto_http3, rd_off(&r), (uint32_t)n);
    get_quic_number(d, &r, FID_HTTP3_STREAM_TYPE);
    if (type == STREAM_PUSH) get_quic_number(d, &r, FID_HTTP3_PUSH_ID);
    if (type > STREAM_DECODER) d_anomaly(d, FID_HTTP3_UNKNOWN_STREAM, rd_off(&r) - (uint32_t)n, (uint32_t)n);
    d_end(d);
    st->side[from].begun = true;
    st->side[from].closed = type > STREAM_PUSH;
    return used(n);
}

static struct read_result http3_read(struct decode *d, void *state, int from, struct slice in) {
    struct http3_state *st = state;
    from &= 1;
    if (st->side[from].closed) return used(in.n);
    if (st->side[from].left) return great_read(d, st, from, in);
    if (one_way(d) && !st->side[from].begun) return type_read(d, st, from, in);
    return frame_read(d, st, from, in);
}

static void http3_lost(void *state, int from) { ((struct http3_state *)state)->side[from & 1].closed = true; }

static bool http3_label(struct writer *w, const struct fvec *v, uint32_t at) {
    const struct fval *value = fv_first(v, FID_HTTP3_SETTING_VALUE, at, fv_end(v, at));
    const char *name = fv_value_name(v, FID_HTTP3_SETTING_ID, at, fv_end(v, at));
    if (v->v[at].id != FID_HTTP3_SETTINGS || !value) return false;
    wr_s(w, "Settings - ");
    wr_s(w, name ? name : "Unknown");
    wr_number(w, ": ", value->u, "");
    return true;
}

static void http3_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const char *name = fv_value_name(v, FID_HTTP3_TYPE, at, end);
    if (!name) name = fv_value_name(v, FID_HTTP3_STREAM_TYPE, at, end);
    if (!name) name = fv_first(v, FID_HTTP3_TYPE, at, end) ? "Unknown" : "Body";
    wr_s(w, name);
}

static const uint16_t info_fields[] = {FID_HTTP3_TYPE, FID_HTTP3_STREAM_TYPE, 0};
static const struct stream_ops stream = {
    .state_size = sizeof(struct http3_state), .read = http3_read, .lost = http3_lost};
const struct proto proto_http3 = {.name = "http3",
                                  .column = "HTTP3",
                                  .id = FID_HTTP3,
                                  .end = FID_HTTP3_END,
                                  .stream = &stream,
                                  .info = http3_info,
                                  .info_fields = info_fields,
                                  .label = http3_label};
