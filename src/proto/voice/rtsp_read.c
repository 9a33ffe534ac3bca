/* SPDX-License-Identifier: Apache-2.0 */
/* RTSP (RFC 2326 6, 7, 10.12): the first line of its messages, the ports of the streams a server agrees to, and the
 * packets of those that travel between the messages. */
#include "proto/lines/lines.h"
#include "proto/protos.h"

#include "field/print.h"

enum { MAGIC = '$', PACKET_HEAD = 4, HEADER_MAX = 16384 };

static bool is_message(struct slice text) {
    return slice_starts(text, SLICE("RTSP/1.0 ")) ||
           (text.n > 9 && memcmp(text.p + text.n - 9, " RTSP/1.0", 9) == 0 && text.p[0] >= 'A' && text.p[0] <= 'Z');
}

static uint32_t digits(struct slice s) {
    uint32_t n = 0;
    for (size_t i = 0; i < s.n && s.p[i] >= '0' && s.p[i] <= '9' && n < 1u << 24; i++) n = n * 10 + (s.p[i] - '0');
    return n;
}

static struct read_result rtsp_frame(struct slice in) {
    struct slice left = in, name, value;
    struct line line;
    size_t body = 0;
    if (in.p[0] == MAGIC) {
        size_t all = in.n < PACKET_HEAD ? PACKET_HEAD : PACKET_HEAD + (size_t)load_be16(in.p + 2);
        return (struct read_result){.status = all > in.n ? READ_MORE : READ_OK, .consumed = all};
    }
    for (unsigned i = 0; i < LINES_MAX && line_take(&left, &line) && line.all.p[line.all.n - 1] == '\n'; i++) {
        if (i == 0 && !is_message(line.text)) return (struct read_result){.status = READ_BAD, .stranger = true};
        if (!line.text.n) {
            size_t all = in.n - left.n + body;
            return (struct read_result){.status = all > in.n ? READ_MORE : READ_OK, .consumed = all};
        }
        if (header_split(line.text, &name, &value) && slice_alike(name, SLICE("CONTENT-LENGTH"))) body = digits(value);
    }
    return (struct read_result){.status = in.n > HEADER_MAX ? READ_BAD : READ_MORE};
}

/* rtsp_probe: where the capture begins with a packet of a stream, that has RTP's version. */
static enum probe_result rtsp_probe(struct slice in) {
    enum { RTP_VERSION = 2 };
    struct line line;
    if (in.n && in.p[0] == MAGIC)
        return in.n <= PACKET_HEAD || in.p[PACKET_HEAD] >> 6 == RTP_VERSION ? PROBE_UNSURE : PROBE_NO;
    return line_take(&in, &line) && is_message(line.text) ? PROBE_UNSURE : PROBE_NO;
}

/* ports_announce says that the pair of ports `name` has in a transport's parameters carries RTP and RTCP. */
static void ports_announce(struct decode *d, struct slice value, struct slice name, const struct net_addr *at) {
    const uint8_t *found = value.n ? memmem(value.p, value.n, name.p, name.n) : NULL;
    if (!found || !d->ops->announce) return;
    uint32_t port = digits(slice_tail(value, (size_t)(found - value.p) + name.n));
    if (!port || port >= UINT16_MAX) return;
    d->ops->announce(d, &proto_rtp, at, (uint16_t)port, (struct slice){0});
    d->ops->announce(d, &proto_rtcp, at, (uint16_t)(port + 1), (struct slice){0});
}

static void first_read(struct decode *d, struct slice text) {
    struct slice rest = text, word = word_take(&rest);
    bool response = slice_starts(text, SLICE("RTSP/"));
    line_open(d, response ? FID_RTSP_RESPONSE : FID_RTSP_REQUEST, text);
    if (!response) line_add(d, FID_RTSP_METHOD, word);
    word = word_take(&rest);
    if (!response) line_add(d, FID_RTSP_URL, word);
    else fv_u(d->out, FID_RTSP_STATUS, d_off(d, word.p), (uint32_t)word.n, digits(word));
    fv_close(d->out);
}

static void message_read(struct decode *d, struct slice in) {
    struct slice name, value;
    struct line line;
    bool described = false, response = slice_starts(in, SLICE("RTSP/"));
    d_begin(d, &proto_rtsp, d_off(d, in.p), (uint32_t)in.n);
    if (line_take(&in, &line)) first_read(d, line.text);
    for (unsigned i = 0; i < LINES_MAX && line_take(&in, &line) && line.text.n; i++) {
        if (!header_split(line.text, &name, &value)) continue;
        if (slice_alike(name, SLICE("CONTENT-TYPE"))) described = slice_alike(value, SLICE("APPLICATION/SDP"));
        if (!slice_alike(name, SLICE("TRANSPORT"))) continue;
        line_add(d, FID_RTSP_TRANSPORT, value);
        if (!response) continue;
        ports_announce(d, value, SLICE("client_port="), &d->dst);
        ports_announce(d, value, SLICE("server_port="), &d->src);
    }
    if (described && in.n) d->ops->call(d, &proto_sdp, in);
    d_end(d);
}

static void packet_read(struct decode *d, struct slice in) {
    static const struct d_row rows[] = {{0, 1}, {FID_RTSP_CHANNEL, 1}, {FID_RTSP_LENGTH, 2}};
    struct reader r = d_reader(d, in);
    bool control = in.p[1] & 1;
    d_begin(d, &proto_rtsp, rd_off(&r), PACKET_HEAD);
    d_rows(d, &r, D_ROWS(rows));
    d_end(d);
    if (rd_left(&r)) d->ops->call(d, control ? &proto_rtcp : &proto_rtp, rd_rest(&r));
}

static struct read_result rtsp_read(struct decode *d, void *state, int from, struct slice in) {
    (void)state, (void)from;
    struct read_result r = rtsp_frame(in);
    if (r.status != READ_OK) return r;
    if (in.p[0] == MAGIC) packet_read(d, slice_head(in, r.consumed));
    else message_read(d, slice_head(in, r.consumed));
    return r;
}

static void rtsp_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *line = fv_first(v, FID_RTSP_REQUEST, at, end);
    if (!line) line = fv_first(v, FID_RTSP_RESPONSE, at, end);
    if (!line) return;
    wr_s(w, line->id == FID_RTSP_REQUEST ? "" : "Reply: ");
    print_string(w, line->s);
}

static const char *rtsp_column(const struct fvec *v, uint32_t at, uint32_t end) {
    return fv_first(v, FID_SDP_VERSION, at, end) ? "RTSP/SDP" : NULL;
}

static const uint16_t info_fields[] = {FID_RTSP_REQUEST, FID_RTSP_RESPONSE, FID_SDP_VERSION, 0};
static const struct proto_key keys[] = {{TABLE_TCP, 554}, {TABLE_TCP, 8554}, {TABLE_TCP, 7236}, {TABLE_COUNT, 0}};
static const struct stream_ops stream = {.read = rtsp_read, .frame = rtsp_frame, .probe = rtsp_probe};
const struct proto proto_rtsp = {.name = "rtsp",
                                 .column = "RTSP",
                                 .column_of = rtsp_column,
                                 .id = FID_RTSP,
                                 .end = FID_RTSP_END,
                                 .keys = keys,
                                 .stream = &stream,
                                 .info = rtsp_info,
                                 .info_fields = info_fields};
