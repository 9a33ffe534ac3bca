/* SPDX-License-Identifier: Apache-2.0 */
/* Google's QUIC before it was a standard (draft-tsvwg-quic-protocol-02 6.1), versions before 46: the public header,
 * recognised by a packet that names its version. */
#include "proto/protos.h"

enum { WITH_VERSION = 0x01, WITH_CID = 0x08, CID = 8, HEAD = 1 + CID + 4 };

static bool gquic_recognises(struct slice in, enum known_as known) {
    if (known) return in.n > 1 && !(in.p[0] & 0x80);
    return in.n > HEAD && !(in.p[0] & 0x80) && in.p[0] & WITH_VERSION && in.p[0] & WITH_CID && in.p[9] == 'Q' &&
           in.p[10] == '0' && in.p[11] >= '0' && in.p[11] <= '4' && in.p[12] >= '0' && in.p[12] <= '9';
}

static void gquic_read(struct decode *d, struct slice in) {
    struct reader r = d_reader(d, in);
    d_begin(d, &proto_gquic, rd_off(&r), (uint32_t)in.n);
    uint8_t flags = rd_u8(&r);
    if (flags & WITH_CID) get_be64(d, &r, FID_GQUIC_CID);
    if (flags & WITH_VERSION && d->from == 0) get_bytes(d, &r, FID_GQUIC_VERSION, 4);
    if (!rd_ok(&r)) d_bad(d, &r);
    d_end(d);
}

static void gquic_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *cid = fv_first(v, FID_GQUIC_CID, at, end);
    wr_s(w, "Payload (Encrypted)");
    if (cid) wr_f(w, ", CID: %llu", (unsigned long long)cid->u);
}

static const uint16_t info_fields[] = {FID_GQUIC_CID, 0};
const struct proto proto_gquic = {.name = "gquic",
                                  .column = "GQUIC",
                                  .id = FID_GQUIC,
                                  .end = FID_GQUIC_END,
                                  .read = gquic_read,
                                  .recognises = gquic_recognises,
                                  .info = gquic_info,
                                  .info_fields = info_fields};
