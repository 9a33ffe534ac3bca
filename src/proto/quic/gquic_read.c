/* SPDX-License-Identifier: Apache-2.0 */
/* Google's QUIC before it was a standard (draft-tsvwg-quic-protocol-02 6.1), versions before 46: the public header,
 * recognised by a packet that names its version. That says, too, what the packets after it look like. */
#include "proto/protos.h"

enum {
    WITH_VERSION = 0x01,
    RESET = 0x02,
    WITH_NONCE = 0x04,
    WITH_CID = 0x08,
    NUMBER_SHIFT = 4,
    CID = 8,
    HEAD = 1 + CID + 4,
    NONCE = 32,
    NONCE_SINCE = 33, /* versions */
    BIG_SINCE = 39    /* numbers have their highest byte first */
};

static bool gquic_recognises(struct slice in, enum known_as known) {
    if (known) return in.n > 1 && !(in.p[0] & 0x80);
    return in.n > HEAD && !(in.p[0] & 0x80) && in.p[0] & WITH_VERSION && in.p[0] & WITH_CID && in.p[9] == 'Q' &&
           in.p[10] == '0' && in.p[11] >= '0' && in.p[11] <= '4' && in.p[12] >= '0' && in.p[12] <= '9';
}

/* flags_read: what says the length of the id in old versions is one bit of it and another meaning in later ones. */
static void flags_read(struct decode *d, struct reader *r, bool old) {
    static const struct d_row first[] = {{FID_GQUIC_PUFLAGS, 1},       {FID_GQUIC_PUFLAGS_VERSION, 0},
                                         {FID_GQUIC_PUFLAGS_RESET, 0}, {FID_GQUIC_PUFLAGS_CID_OLD, 0},
                                         {FID_GQUIC_PUFLAGS_PKN, 0},   {FID_GQUIC_PUFLAGS_MPTH, 0},
                                         {FID_GQUIC_PUFLAGS_RSV, 0}};
    static const struct d_row later[] = {{FID_GQUIC_PUFLAGS, 1},       {FID_GQUIC_PUFLAGS_VERSION, 0},
                                         {FID_GQUIC_PUFLAGS_RESET, 0}, {FID_GQUIC_PUFLAGS_NONCE, 0},
                                         {FID_GQUIC_PUFLAGS_CID, 0},   {FID_GQUIC_PUFLAGS_PKN, 0},
                                         {FID_GQUIC_PUFLAGS_MPTH, 0},  {FID_GQUIC_PUFLAGS_RSV, 0}};
    if (old) d_rows(d, r, D_ROWS(first));
    else d_rows(d, r, D_ROWS(later));
}

/* number_get reads a number of n bytes, the lowest first where `little`. */
static void number_get(struct decode *d, struct reader *r, uint16_t id, size_t n, bool little) {
    uint32_t off = rd_off(r);
    struct slice bytes = rd_take(r, n);
    uint64_t number = 0;
    for (size_t i = 0; i < bytes.n; i++) number = number << 8 | bytes.p[little ? bytes.n - 1 - i : i];
    if (rd_ok(r)) fv_u(d->out, id, off, (uint32_t)n, number);
}

/* version_named returns the version the packet names, or the conversation named before; 0: none. */
static unsigned version_named(struct decode *d, struct slice in) {
    uint8_t *known = d->ops->udp_state && !d->quoted ? d->ops->udp_state(d, &proto_gquic) : NULL;
    if (d->from == 0 && gquic_recognises(in, KNOWN_NOT)) {
        unsigned version = (in.p[11] - '0') * 10u + (in.p[12] - '0');
        if (known) *known = (uint8_t)version;
        return version;
    }
    return known ? *known : 0;
}

static void gquic_read(struct decode *d, struct slice in) {
    static const uint8_t number_sizes[] = {1, 2, 4, 6};
    struct reader r = d_reader(d, in);
    d_begin(d, &proto_gquic, rd_off(&r), (uint32_t)in.n);
    unsigned version = version_named(d, in);
    bool old = version && version < NONCE_SINCE, little = version && version < BIG_SINCE;
    uint8_t flags = in.n ? in.p[0] : 0;
    flags_read(d, &r, old);
    if (flags & WITH_CID) number_get(d, &r, FID_GQUIC_CID, CID, little);
    if (flags & WITH_VERSION && d->from == 0) get_bytes(d, &r, FID_GQUIC_VERSION, 4);
    if (flags & WITH_NONCE && !old && d->from) get_bytes(d, &r, FID_GQUIC_DIVERSIFICATION_NONCE, NONCE);
    if (!(flags & RESET) && !(flags & WITH_VERSION && d->from))
        number_get(d, &r, FID_GQUIC_PACKET_NUMBER, number_sizes[flags >> NUMBER_SHIFT & 3], little);
    if (!rd_ok(&r)) d_bad(d, &r);
    d_end(d);
}

static void gquic_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *cid = fv_first(v, FID_GQUIC_CID, at, end),
                      *number = fv_first(v, FID_GQUIC_PACKET_NUMBER, at, end);
    wr_s(w, "Payload (Encrypted)");
    if (number) wr_f(w, ", PKN: %llu", (unsigned long long)number->u);
    if (cid) wr_f(w, ", CID: %llu", (unsigned long long)cid->u);
}

static const struct stream_ops gquic_state = {.state_size = sizeof(uint8_t)}; /* the version of the conversation */
static const uint16_t info_fields[] = {FID_GQUIC_CID, FID_GQUIC_PACKET_NUMBER, 0};
const struct proto proto_gquic = {.name = "gquic",
                                  .column = "GQUIC",
                                  .id = FID_GQUIC,
                                  .end = FID_GQUIC_END,
                                  .read = gquic_read,
                                  .recognises = gquic_recognises,
                                  .stream = &gquic_state,
                                  .info = gquic_info,
                                  .info_fields = info_fields};
