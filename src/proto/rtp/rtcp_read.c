/* SPDX-License-Identifier: Apache-2.0 */
/* RTCP (RFC 3550 6): reports on streams, recognised by the type and the length of the first packet of a datagram. Of
 * sender and receiver reports the head is read; the blocks behind it are not taken apart. */
#include "proto/protos.h"

enum { SENDER = 200, RECEIVER = 201, LAST_FIRST = 207, HEAD = 8, PACKETS_MAX = 64, PACKET_HEAD = 4, VERSION = 2 };

/* rtcp_recognises: a datagram begins with a report (6.1), but where a goodbye, an application's or feedback is alone.
 */
static bool rtcp_recognises(struct slice in, enum known_as known) {
    enum { FIRST = 1 << 0 | 1 << 1 | 1 << 3 | 1 << 4 | 1 << 6 };
    if (in.n < HEAD || in.p[0] >> 6 != VERSION || in.p[1] < SENDER || in.p[1] > LAST_FIRST) return false;
    if (known == KNOWN_SAID) return true;
    if (!(FIRST >> (in.p[1] - SENDER) & 1)) return false;
    size_t n = (load_be16(in.p + 2) + (size_t)1) * 4;
    return n <= in.n && in.n % 4 == 0;
}

static void packet_read(struct decode *d, struct reader *r) {
    static const struct d_row head[] = {{0, 1},           {FID_RTCP_VERSION, 0}, {FID_RTCP_PADDING, 0},
                                        {FID_RTCP_RC, 0}, {FID_RTCP_PT, 1},      {FID_RTCP_LENGTH, 2}};
    static const struct d_row sender[] = {{FID_RTCP_SENDERSSRC, 4},         {FID_RTCP_TIMESTAMP_NTP_MSW, 4},
                                          {FID_RTCP_TIMESTAMP_NTP_LSW, 4},  {FID_RTCP_TIMESTAMP_RTP, 4},
                                          {FID_RTCP_SENDER_PACKETCOUNT, 4}, {FID_RTCP_SENDER_OCTETCOUNT, 4}};
    static const struct d_row receiver[] = {{FID_RTCP_SENDERSSRC, 4}};
    int type = rd_peek(r, 1);
    size_t n = rd_left(r) >= 4 ? load_be16(r->p + 2) * (size_t)4 : 0;
    if (type != SENDER && type != RECEIVER) { /* of these only what they are and how long */
        static const struct d_row plain[] = {
            {0, 1}, {FID_RTCP_VERSION, 0}, {FID_RTCP_PADDING, 0}, {FID_RTCP_PT, 1}, {FID_RTCP_LENGTH, 2}};
        d_rows(d, r, D_ROWS(plain));
        rd_skip(r, n);
        return;
    }
    d_rows(d, r, D_ROWS(head));
    struct reader body = rd_sub(r, n);
    if (type == SENDER) d_rows(d, &body, D_ROWS(sender));
    else d_rows(d, &body, D_ROWS(receiver));
}

/* begins_packet tells whether another packet follows: behind the last one may stand what SRTCP adds (RFC 3711 3.4). */
static bool begins_packet(const struct reader *r) {
    enum { TYPE_FIRST = 192, TYPE_LAST = 212 };
    return rd_ok(r) && rd_left(r) >= PACKET_HEAD && r->p[1] >= TYPE_FIRST && r->p[1] <= TYPE_LAST;
}

static void rtcp_read(struct decode *d, struct slice in) {
    struct reader r = d_reader(d, in);
    for (unsigned i = 0; i < PACKETS_MAX && begins_packet(&r); i++) {
        uint32_t off = rd_off(&r), at = d_begin(d, &proto_rtcp, off, 0);
        packet_read(d, &r);
        fv_set_len(d->out, at, rd_off(&r) - off);
        if (!rd_ok(&r)) d_bad(d, &r);
        d_end(d);
    }
}

/* srtcp_read reads what is in the clear of an encrypted packet (RFC 3711 3.4), whose tag is of 80 bits, as all profiles
 * of DTLS have it for control (RFC 5764 4.1.2) that are not of AEAD. */
static void srtcp_read(struct decode *d, struct slice in) {
    enum { TAG = 10, INDEX = 4 };
    static const struct d_row head[] = {
        {0, 1},           {FID_RTCP_VERSION, 0}, {FID_RTCP_PADDING, 0},   {FID_RTCP_RC, 0},
        {FID_RTCP_PT, 1}, {FID_RTCP_LENGTH, 2},  {FID_RTCP_SENDERSSRC, 4}};
    static const struct d_row index[] = {{0, INDEX}, {FID_SRTCP_E, 0}, {FID_SRTCP_INDEX, 0}};
    struct reader r = d_reader(d, in);
    d_begin(d, &proto_srtcp, rd_off(&r), (uint32_t)in.n);
    d_rows(d, &r, D_ROWS(head));
    if (rd_left(&r) >= INDEX + TAG) {
        rd_skip(&r, rd_left(&r) - INDEX - TAG);
        d_rows(d, &r, D_ROWS(index));
        get_bytes(d, &r, FID_SRTCP_AUTH_TAG, TAG);
    }
    if (!rd_ok(&r)) d_bad(d, &r);
    d_end(d);
}

static void rtcp_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const char *name = fv_value_name(v, FID_RTCP_PT, at, end);
    if (name) wr_f(w, "%s   ", name);
}

static const uint16_t info_fields[] = {FID_RTCP_PT, 0};
const struct proto proto_srtcp = {.name = "srtcp",
                                  .column = "SRTCP",
                                  .id = FID_SRTCP,
                                  .end = FID_SRTCP_END,
                                  .read = srtcp_read,
                                  .info = rtcp_info,
                                  .info_plain = true,
                                  .info_fields = info_fields};
const struct proto proto_rtcp = {.name = "rtcp",
                                 .column = "RTCP",
                                 .id = FID_RTCP,
                                 .end = FID_RTCP_END,
                                 .read = rtcp_read,
                                 .recognises = rtcp_recognises,
                                 .info = rtcp_info,
                                 .info_plain = true,
                                 .info_fields = info_fields};
