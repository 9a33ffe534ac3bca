/* SPDX-License-Identifier: Apache-2.0 */
/* AMQP 0-9-1 (2.3.5, 4.2): frames one after the other, each with type, channel and length; of methods the class and the
 * method are told, their arguments and the properties of contents are not taken apart. Other versions frame differently
 * and are not recognised. */
#include "proto/protos.h"

#include "field/print.h"

enum { GREETING = 8, HEAD = 7, FRAME_END = 0xce, FRAME_MAX = 1 << 24, METHOD = 1, HEADER, BODY, HEARTBEAT = 8 };

static bool is_greeting(struct slice in) { return slice_starts(in, SLICE("AMQP")); }

static struct read_result amqp_frame(struct slice in) {
    if (in.n < HEAD) return (struct read_result){.status = READ_MORE, .needed = HEAD};
    size_t n = is_greeting(in) ? GREETING : load_be32(in.p + 3) + (size_t)HEAD + 1;
    bool known = is_greeting(in) || (in.p[0] >= METHOD && in.p[0] <= HEARTBEAT && n <= FRAME_MAX);
    if (!known) return (struct read_result){.status = READ_BAD, .stranger = true};
    if (n > in.n) return (struct read_result){.status = READ_MORE, .needed = n};
    return (struct read_result){.status = READ_OK, .consumed = n};
}

static enum probe_result amqp_probe(struct slice in) {
    if (slice_starts(in, SLICE("AMQP\0\0\x09\x01"))) return PROBE_CERTAIN;
    struct read_result r = amqp_frame(in);
    if (r.status == READ_BAD) return PROBE_NO;
    return r.status == READ_OK && in.p[r.consumed - 1] != FRAME_END ? PROBE_NO : PROBE_UNSURE;
}

static void body_read(struct decode *d, struct reader *r, int type) {
    static const struct d_row method[] = {{FID_AMQP_METHOD_CLASS, 2}, {FID_AMQP_METHOD_METHOD, 2}};
    static const struct d_row header[] = {{FID_AMQP_HEADER_CLASS, 2},
                                          {FID_AMQP_HEADER_WEIGHT, 2},
                                          {FID_AMQP_HEADER_BODY_SIZE, 8},
                                          {FID_AMQP_HEADER_PROPERTY_FLAGS, 2}};
    if (type == METHOD) d_rows(d, r, D_ROWS(method));
    else if (type == HEADER) d_rows(d, r, D_ROWS(header));
    else if (type == BODY && rd_left(r)) get_bytes(d, r, FID_AMQP_PAYLOAD, rd_left(r));
}

static struct read_result amqp_read(struct decode *d, void *state, int from, struct slice in) {
    static const struct d_row head[] = {{FID_AMQP_TYPE, 1}, {FID_AMQP_CHANNEL, 2}, {FID_AMQP_LENGTH, 4}};
    (void)state, (void)from;
    struct read_result result = amqp_frame(in);
    if (result.status != READ_OK) return result;
    struct reader r = d_reader(d, slice_head(in, result.consumed));
    d_begin(d, &proto_amqp, rd_off(&r), (uint32_t)result.consumed);
    if (is_greeting(in)) {
        get_bytes(d, &r, FID_AMQP_INIT_PROTOCOL, 4);
    } else {
        d_rows(d, &r, D_ROWS(head));
        struct reader body = rd_sub(&r, result.consumed - HEAD - 1);
        body_read(d, &body, in.p[0]);
        if (!rd_ok(&body)) d_bad(d, &body);
    }
    d_end(d);
    return result;
}

static void amqp_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *type = fv_first(v, FID_AMQP_TYPE, at, end),
                      *method = fv_first(v, FID_AMQP_METHOD_METHOD, at, end);
    const char *name = fv_value_name(v, FID_AMQP_METHOD_CLASS, at, end);
    if (!type) wr_s(w, "Protocol-Header ");
    else if (name && method) wr_f(w, "%s.%u ", name, (unsigned)method->u);
    else if (type->u == HEADER) wr_s(w, "Content-Header ");
    else if (type->u == BODY) wr_s(w, "Content-Body ");
    else if (type->u == HEARTBEAT) wr_s(w, "Heartbeat ");
}

static const uint16_t info_fields[] = {FID_AMQP_TYPE, FID_AMQP_METHOD_CLASS, FID_AMQP_METHOD_METHOD, 0};
static const struct stream_ops stream = {.read = amqp_read, .frame = amqp_frame, .probe = amqp_probe};
static const struct proto_key keys[] = {{TABLE_TCP, 5672}, {TABLE_COUNT, 0}};
const struct proto proto_amqp = {.name = "amqp",
                                 .column = "AMQP",
                                 .id = FID_AMQP,
                                 .end = FID_AMQP_END,
                                 .keys = keys,
                                 .stream = &stream,
                                 .info = amqp_info,
                                 .info_plain = true,
                                 .info_fields = info_fields};
