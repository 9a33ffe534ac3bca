/* SPDX-License-Identifier: Apache-2.0 */
/* DNP3 (IEEE 1815 9.2): the head of its data link frames, on their port and on any where the checksum of the head fits.
 * What they carry is not taken apart. */
#include "proto/protos.h"
#include "proto/sized.h"

enum { HEAD = 10, LENGTH_LEAST = 5, BLOCK = 16, CHECKSUM = 2 };

static bool starts(struct slice in) {
    return in.n >= 3 && in.p[0] == 0x05 && in.p[1] == 0x64 && in.p[2] >= LENGTH_LEAST;
}

/* dnp3_size: two bytes begin every frame, and the third says how long it is. */
static size_t dnp3_size(struct slice in) {
    if (in.n < 3) return in.p[0] == 0x05 && (in.n < 2 || in.p[1] == 0x64) ? HEAD : 0;
    size_t user = starts(in) ? in.p[2] - (size_t)LENGTH_LEAST : 0;
    return starts(in) ? HEAD + user + (user + BLOCK - 1) / BLOCK * CHECKSUM : 0;
}

/* head_checksum is the CRC of the head's first eight bytes: 9.2.4.3. */
static uint16_t head_checksum(const uint8_t *p) {
    uint16_t crc = 0;
    for (size_t i = 0; i < HEAD - CHECKSUM; i++) {
        crc ^= p[i];
        for (int bit = 0; bit < 8; bit++) crc = (uint16_t)(crc & 1 ? crc >> 1 ^ 0xa6bc : crc >> 1);
    }
    return (uint16_t)~crc;
}

static enum probe_result dnp3_probe(struct slice in) {
    if (!starts(in)) return PROBE_NO;
    return in.n >= HEAD && load_le16(in.p + HEAD - CHECKSUM) == head_checksum(in.p) ? PROBE_CERTAIN : PROBE_UNSURE;
}

static bool dnp3_recognises(struct slice in, enum known_as known) {
    (void)known;
    return dnp3_probe(in) == PROBE_CERTAIN;
}

static void dnp3_read(struct decode *d, struct slice in) {
    static const struct d_row rows[] = {{FID_DNP3_START, 2},     {FID_DNP3_LEN, 1},     {FID_DNP3_CTL, 1},
                                        {FID_DNP3_CTL_DIR, 0},   {FID_DNP3_CTL_PRM, 0}, {FID_DNP3_DST, 2, true},
                                        {FID_DNP3_SRC, 2, true}, {0, CHECKSUM}};
    if (starts(in)) d_layer(d, &proto_dnp3, in, D_ROWS(rows));
    else d_data(d, in);
}

static void dnp3_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *from = fv_first(v, FID_DNP3_SRC, at, end), *to = fv_first(v, FID_DNP3_DST, at, end);
    if (from && to) wr_f(w, "from %u to %u", (unsigned)from->u, (unsigned)to->u);
}

SIZED_STREAM(dnp3, 1, dnp3_probe)
static const uint16_t info_fields[] = {FID_DNP3_SRC, FID_DNP3_DST, 0};
static const struct proto_key keys[] = {{TABLE_TCP, 20000}, {TABLE_UDP, 20000}, {TABLE_COUNT, 0}};
const struct proto proto_dnp3 = {.name = "dnp3",
                                 .column = "DNP 3.0",
                                 .id = FID_DNP3,
                                 .end = FID_DNP3_END,
                                 .keys = keys,
                                 .read = dnp3_read,
                                 .stream = &dnp3_stream,
                                 .recognises = dnp3_recognises,
                                 .info = dnp3_info,
                                 .info_fields = info_fields};
