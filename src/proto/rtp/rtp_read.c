/* SPDX-License-Identifier: Apache-2.0 */
/* RTP (RFC 3550 5.1), where a session description announced it, or the keys for it were agreed upon (RFC 5764): its
 * header. What it carries is not taken apart. */
#include "proto/protos.h"

enum { HEAD = 12, VERSION = 2, RTCP_FIRST = 192, RTCP_LAST = 223 };

static bool rtp_recognises(struct slice in, enum known_as known) {
    return known == KNOWN_SAID && in.n >= HEAD && in.p[0] >> 6 == VERSION;
}

/* rtp_names_others: what shares the port has other first bits (RFC 7983 7). */
static bool rtp_names_others(struct slice in) { return in.p[0] >> 6 != VERSION; }

static void rtp_read(struct decode *d, struct slice in) {
    static const struct d_row head[] = {
        {0, 1},           {FID_RTP_VERSION, 0}, {FID_RTP_PADDING, 0}, {FID_RTP_EXT, 0}, {FID_RTP_CC, 0},
        {0, 1},           {FID_RTP_MARKER, 0},  {FID_RTP_P_TYPE, 0},  {FID_RTP_SEQ, 2}, {FID_RTP_TIMESTAMP, 4},
        {FID_RTP_SSRC, 4}};
    static const struct d_row extension[] = {{FID_RTP_EXT_PROFILE, 2}, {FID_RTP_EXT_LEN, 2}};
    enum { CSRC_COUNT = 0x0f, EXTENDED = 0x10 };
    struct reader r = d_reader(d, in);
    if (in.p[1] >= RTCP_FIRST && in.p[1] <= RTCP_LAST) { /* on the same port: RFC 5761 4 */
        d->ops->call(d, d->secured ? &proto_srtcp : &proto_rtcp, in);
        return;
    }
    d_begin(d, &proto_rtp, rd_off(&r), (uint32_t)in.n);
    if (d->secured) fv_gen(fv_s(d->out, FID_RTP_SETUP_METHOD, rd_off(&r), 0, SLICE("DTLS-SRTP")));
    int first = rd_peek(&r, 0);
    d_rows(d, &r, D_ROWS(head));
    for (int i = 0; rd_ok(&r) && i < (first & CSRC_COUNT); i++) get_be32(d, &r, FID_RTP_CSRC_ITEM);
    if (rd_ok(&r) && first & EXTENDED) {
        size_t words = rd_left(&r) >= 4 ? load_be16(r.p + 2) : 0;
        d_rows(d, &r, D_ROWS(extension));
        rd_skip(&r, words * 4);
    }
    if (rd_left(&r)) get_bytes(d, &r, FID_RTP_PAYLOAD, rd_left(&r));
    if (!rd_ok(&r)) d_bad(d, &r);
    d_end(d);
}

static void rtp_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *type = fv_first(v, FID_RTP_P_TYPE, at, end), *ssrc = fv_first(v, FID_RTP_SSRC, at, end);
    const struct fval *seq = fv_first(v, FID_RTP_SEQ, at, end), *time = fv_first(v, FID_RTP_TIMESTAMP, at, end);
    const struct fval *marker = fv_first(v, FID_RTP_MARKER, at, end);
    if (!type || !ssrc || !seq || !time) return;
    const char *name = field_value_name(&vals_rtp_p_type, type->u);
    if (name) wr_f(w, "PT=%s", name);
    else if (type->u >= 96) wr_f(w, "PT=DynamicRTP-Type-%u", (unsigned)type->u);
    else wr_f(w, "PT=Unknown (%u)", (unsigned)type->u);
    wr_f(w, ", SSRC=0x%X, Seq=%u, Time=%u", (unsigned)ssrc->u, (unsigned)seq->u, (unsigned)time->u);
    if (marker && marker->u) wr_s(w, ", Mark");
}

static const char *rtp_column(const struct fvec *v, uint32_t at, uint32_t end) {
    return fv_first(v, FID_RTP_SETUP_METHOD, at, end) ? "SRTP" : NULL;
}

static const uint16_t info_fields[] = {
    FID_RTP_SETUP_METHOD, FID_RTP_P_TYPE, FID_RTP_SSRC, FID_RTP_SEQ, FID_RTP_TIMESTAMP, FID_RTP_MARKER, 0};
const struct proto proto_rtp = {.name = "rtp",
                                .column = "RTP",
                                .id = FID_RTP,
                                .end = FID_RTP_END,
                                .read = rtp_read,
                                .recognises = rtp_recognises,
                                .names_others = rtp_names_others,
                                .column_of = rtp_column,
                                .info = rtp_info,
                                .info_fields = info_fields};
