/* SPDX-License-Identifier: Apache-2.0 */
/* BGP (RFC 4271 4.1): the heads of its messages. */
#include "proto/protos.h"
#include "proto/sized.h"

enum { HEAD = 19, MARKER = 16 };

static bool is_marker(struct slice in) {
    for (size_t i = 0; i < in.n && i < MARKER; i++)
        if (in.p[i] != 0xff) return false;
    return true;
}

static size_t bgp_size(struct slice in) { return is_marker(in) ? load_be16(in.p + MARKER) : 0; }

static enum probe_result bgp_probe(struct slice in) { return is_marker(in) ? PROBE_UNSURE : PROBE_NO; }

static void bgp_read(struct decode *d, struct slice in) {
    static const struct d_row rows[] = {{FID_BGP_MARKER, MARKER}, {FID_BGP_LENGTH, 2}, {FID_BGP_TYPE, 1}};
    d_layer(d, &proto_bgp, in, D_ROWS(rows));
}

static void bgp_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    fv_value_say(w, v, FID_BGP_TYPE, at, end);
}

SIZED_STREAM(bgp, HEAD, bgp_probe)
static const uint16_t info_fields[] = {FID_BGP_TYPE, 0};
static const struct proto_key keys[] = {{TABLE_TCP, 179}, {TABLE_COUNT, 0}};
const struct proto proto_bgp = {.name = "bgp",
                                .column = "BGP",
                                .id = FID_BGP,
                                .end = FID_BGP_END,
                                .keys = keys,
                                .stream = &bgp_stream,
                                .info = bgp_info,
                                .info_fields = info_fields};
