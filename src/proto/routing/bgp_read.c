/* SPDX-License-Identifier: Apache-2.0 */
/* BGP (RFC 4271 4): what a session is opened with, updates with their routes and the attributes every implementation
 * knows (5), and why a session ends. Of other attributes the head is read, and not whether they are as they should be.
 *
 * Routes may be preceded by a number each (RFC 7911 3), which only the opening of the session says: where routes fill
 * their part of the message with it and do not without, it is there. */
#include "proto/protos.h"
#include "proto/sized.h"

enum { HEAD = 19, MARKER = 16, OPEN = 1, UPDATE, NOTIFICATION, CEASE = 6, ITEMS_MAX = 8192 };
enum { ORIGIN = 1, AS_PATH, NEXT_HOP, MULTI_EXIT_DISC, LOCAL_PREF };

static bool is_marker(struct slice in) {
    for (size_t i = 0; i < in.n && i < MARKER; i++)
        if (in.p[i] != 0xff) return false;
    return true;
}

/* marker_find returns where a marker, or the beginning of one that goes on behind `in`, begins; in.n: there is none. */
static size_t marker_find(struct slice in) {
    size_t ones = 0, i = 0;
    while (i < in.n && ones < MARKER) ones = in.p[i++] == 0xff ? ones + 1 : 0;
    return i - ones;
}

static size_t bgp_size(struct slice in) { return load_be16(in.p + MARKER); }

/* bgp_frame: what stands before a marker is the end of a message that began before the capture did. Behind one whose
 * length makes no sense nobody knows where the next one begins. */
static struct read_result bgp_frame(struct slice in) {
    size_t before = in.n < HEAD ? 0 : marker_find(in);
    if (before) return (struct read_result){.status = READ_OK, .consumed = before};
    struct read_result r = sized_cut(in, HEAD, bgp_size);
    if (r.status != READ_BAD) return r;
    return (struct read_result){.status = READ_OK, .consumed = in.n};
}

/* bgp_probe asks for a marker anywhere: a session may have begun before the capture did. One that is there covers one
 * of the bytes looked at. */
static enum probe_result bgp_probe(struct slice in) {
    if (in.n < MARKER) return is_marker(in) ? PROBE_UNSURE : PROBE_NO;
    for (size_t i = MARKER - 1; i < in.n; i += MARKER) {
        if (in.p[i] != 0xff) continue;
        struct slice near = slice_head(slice_tail(in, i + 1 - MARKER), 2 * MARKER - 1);
        if (marker_find(near) + MARKER <= near.n) return PROBE_UNSURE;
    }
    return PROBE_NO;
}

/* routes_fit tells whether prefixes fill what is left, each behind a number of `id` bytes. */
static bool routes_fit(struct reader r, size_t id) {
    for (unsigned i = 0; i < ITEMS_MAX && rd_ok(&r) && rd_left(&r); i++) {
        rd_skip(&r, id);
        uint8_t bits = rd_u8(&r);
        if (bits > 32) return false;
        rd_skip(&r, (bits + 7u) / 8);
    }
    return rd_ok(&r) && !rd_left(&r);
}

/* routes_read reads prefixes (RFC 4271 4.3); false: one is too long, and nothing that follows can be found. */
static bool routes_read(struct decode *d, struct reader *r, uint16_t id) {
    bool numbered = !routes_fit(*r, 0) && routes_fit(*r, 4);
    for (unsigned i = 0; i < ITEMS_MAX && rd_ok(r) && rd_left(r); i++) {
        if (numbered) get_be32(d, r, FID_BGP_NLRI_PATH_ID);
        uint32_t off = rd_off(r), address = 0;
        uint8_t bits = get_u8(d, r, FID_BGP_PREFIX_LENGTH);
        if (rd_ok(r) && bits > 32) return false;
        struct slice bytes = rd_take(r, (bits + 7u) / 8);
        for (size_t k = 0; k < bytes.n; k++) address |= (uint32_t)bytes.p[k] << (24 - 8 * k);
        if (rd_ok(r)) fv_u(d->out, id, off + 1, (uint32_t)bytes.n, address);
    }
    return true;
}

static void attribute_read(struct decode *d, struct reader *r) {
    enum { EXTENDED = 0x10, UNUSED = 0x0f };
    uint32_t off = rd_off(r), at = fv_open(d->out, FID_BGP_ATTR, off, 0);
    uint8_t flags = rd_u8(r);
    d_open_u(d, FID_BGP_ATTR_FLAGS, off, 1, flags);
    for (unsigned i = 0; i < 4; i++) fv_u(d->out, (uint16_t)(FID_BGP_ATTR_OPTIONAL + i), off, 1, flags >> (7 - i) & 1);
    fv_u(d->out, FID_BGP_ATTR_UNUSED, off, 1, flags & UNUSED);
    fv_close(d->out);
    uint8_t type = get_u8(d, r, FID_BGP_ATTR_TYPE);
    size_t width = flags & EXTENDED ? 2 : 1, n = width == 2 ? rd_be16(r) : rd_u8(r);
    if (rd_ok(r)) fv_u(d->out, FID_BGP_ATTR_LENGTH, rd_off(r) - (uint32_t)width, (uint32_t)width, n);
    if (n > rd_left(r)) n = rd_left(r); /* it ends with all of them */
    struct reader body = rd_sub(r, n);
    fv_set_len(d->out, at, rd_off(r) - off);
    if (type == ORIGIN && n == 1) get_u8(d, &body, FID_BGP_ATTR_ORIGIN);
    if (type == NEXT_HOP && n == 4) get_be32(d, &body, FID_BGP_ATTR_NEXT_HOP);
    if (type == MULTI_EXIT_DISC && n == 4) get_be32(d, &body, FID_BGP_ATTR_MED);
    if (type == LOCAL_PREF && n == 4) get_be32(d, &body, FID_BGP_ATTR_LOCAL_PREF);
    fv_close(d->out);
}

static void update_read(struct decode *d, struct reader *r) {
    uint16_t n = get_be16(d, r, FID_BGP_WITHDRAWN_LENGTH);
    struct reader part = rd_sub(r, n);
    if (rd_ok(r) && n) {
        fv_open(d->out, FID_BGP_WITHDRAWN, rd_off(&part), n);
        bool good = routes_read(d, &part, FID_BGP_WITHDRAWN_PREFIX);
        fv_close(d->out);
        if (!good) return;
    }
    n = get_be16(d, r, FID_BGP_ATTRS_LENGTH);
    struct reader attributes = rd_sub(r, n);
    if (!rd_ok(r) || !rd_ok(&part)) {
        rd_fail(r);
        return;
    }
    if (n) fv_open(d->out, FID_BGP_ATTRS, rd_off(&attributes), n);
    for (unsigned i = 0; i < ITEMS_MAX && rd_ok(&attributes) && rd_left(&attributes); i++)
        attribute_read(d, &attributes);
    if (n) fv_close(d->out);
    if (!rd_left(r)) return;
    fv_open(d->out, FID_BGP_NLRI, rd_off(r), (uint32_t)rd_left(r));
    routes_read(d, r, FID_BGP_NLRI_PREFIX);
    fv_close(d->out);
}

static void bgp_read(struct decode *d, struct slice in) {
    static const struct d_row rows[] = {{FID_BGP_MARKER, MARKER}, {FID_BGP_LENGTH, 2}, {FID_BGP_TYPE, 1}};
    static const struct d_row opening[] = {{FID_BGP_OPEN_VERSION, 1},
                                           {FID_BGP_OPEN_AS, 2},
                                           {FID_BGP_OPEN_HOLD_TIME, 2},
                                           {FID_BGP_OPEN_IDENTIFIER, 4},
                                           {FID_BGP_OPEN_OPTIONS_LENGTH, 1}};
    struct reader r = d_reader(d, in);
    d_begin(d, &proto_bgp, rd_off(&r), (uint32_t)in.n);
    if (!is_marker(in)) {
        fv_add(d->out, FID_BGP_CONTINUATION, rd_off(&r), (uint32_t)in.n);
        d_end(d);
        return;
    }
    int type = rd_peek(&r, HEAD - 1);
    d_rows(d, &r, D_ROWS(rows));
    if (type == OPEN) d_rows(d, &r, D_ROWS(opening));
    if (type == UPDATE) update_read(d, &r);
    if (type == NOTIFICATION) {
        uint8_t major = get_u8(d, &r, FID_BGP_NOTIFY_MAJOR);
        get_u8(d, &r, major == CEASE ? FID_BGP_NOTIFY_CEASE : FID_BGP_NOTIFY_MINOR);
    }
    if (in.n >= HEAD && bgp_size(in) < HEAD) rd_fail(&r);
    if (!rd_ok(&r)) d_bad(d, &r);
    d_end(d);
}

static struct read_result bgp_stream_read(struct decode *d, void *state, int from, struct slice in) {
    (void)state, (void)from;
    struct read_result r = bgp_frame(in);
    if (r.status == READ_MORE && d->stream_end) r = (struct read_result){.status = READ_OK, .consumed = in.n};
    if (r.status == READ_OK) bgp_read(d, slice_head(in, r.consumed));
    return r;
}

static void bgp_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    if (fv_first(v, FID_BGP_CONTINUATION, at, end)) wr_s(w, "Continuation");
    fv_value_say(w, v, FID_BGP_TYPE, at, end);
}

static const struct stream_ops bgp_stream = {
    .read = bgp_stream_read, .frame = bgp_frame, .probe = bgp_probe, .resyncs = true};
static const uint16_t info_fields[] = {FID_BGP_TYPE, FID_BGP_CONTINUATION, 0};
static const struct proto_key keys[] = {{TABLE_TCP, 179}, {TABLE_COUNT, 0}};
const struct proto proto_bgp = {.name = "bgp",
                                .column = "BGP",
                                .id = FID_BGP,
                                .end = FID_BGP_END,
                                .keys = keys,
                                .stream = &bgp_stream,
                                .info = bgp_info,
                                .info_fields = info_fields};
