/* SPDX-License-Identifier: Apache-2.0 */
/* Synchrophasor frames (IEEE C37.118.2 6.2): the head they have in common, in streams and in datagrams. */
#include "proto/protos.h"

enum { SYNC = 0xaa, LEAST = 16 };

static void head_read(struct decode *d, struct slice in) {
    static const struct d_row rows[] = {{FID_SYNPHASOR_SYNC, 2},
                                        {FID_SYNPHASOR_FRTYPE, 0},
                                        {FID_SYNPHASOR_VERSION, 0},
                                        {FID_SYNPHASOR_FRSIZE, 2},
                                        {FID_SYNPHASOR_IDCODE_STREAM_SOURCE, 2}};
    d_layer(d, &proto_synphasor, in, D_ROWS(rows));
}

static void datagram_read(struct decode *d, struct slice in) {
    if (in.n && in.p[0] == SYNC) head_read(d, in);
    else d_data(d, in);
}

static struct read_result frame(struct slice in) {
    if (in.n < 4) return (struct read_result){.status = READ_MORE, .needed = 4};
    size_t n = load_be16(in.p + 2);
    if (in.p[0] != SYNC || n < LEAST) return (struct read_result){.status = READ_BAD, .stranger = true};
    if (n > in.n) return (struct read_result){.status = READ_MORE, .needed = n};
    return (struct read_result){.status = READ_OK, .consumed = n};
}

static enum probe_result probe(struct slice in) { return in.n && in.p[0] == SYNC ? PROBE_UNSURE : PROBE_NO; }

static struct read_result stream_read(struct decode *d, void *state, int from, struct slice in) {
    (void)state, (void)from;
    struct read_result r = frame(in);
    if (r.status == READ_OK) head_read(d, slice_head(in, r.consumed));
    return r;
}

static void synphasor_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    fv_value_say(w, v, FID_SYNPHASOR_FRTYPE, at, end);
}

static const uint16_t info_fields[] = {FID_SYNPHASOR_FRTYPE, 0};
static const struct stream_ops stream = {.read = stream_read, .frame = frame, .probe = probe};
static const struct proto_key keys[] = {{TABLE_TCP, 4712}, {TABLE_UDP, 4713}, {TABLE_COUNT, 0}};
const struct proto proto_synphasor = {.name = "synphasor",
                                      .column = "SYNCHROPHASOR",
                                      .id = FID_SYNPHASOR,
                                      .end = FID_SYNPHASOR_END,
                                      .keys = keys,
                                      .read = datagram_read,
                                      .stream = &stream,
                                      .info = synphasor_info,
                                      .info_fields = info_fields};
