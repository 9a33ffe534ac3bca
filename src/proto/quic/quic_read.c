/* SPDX-License-Identifier: Apache-2.0 */
/* QUIC (RFC 9000 17, RFC 8999): the headers of its packets, which are all that is in the clear.
 *
 * Theory of operation: a conversation is recognised by a long header whose version is one of QUIC's; after that each of
 * its datagrams is one. Several packets may lie in a datagram, each a layer of its own. How long the connection id of a
 * short header is only who chose it knows: it is that of the source id the peer of its sender gave in a long header,
 * which the state keeps. What it does not do: open packets. */
#include "proto/protos.h"

enum { LONG = 0x80, ID_MAX = 20, LEAST = 13, PACKETS_MAX = 64, TAG = 16 };
enum { INITIAL, ZERO_RTT, HANDSHAKE, RETRY };
enum {
    VERSION_1 = 1,
    VERSION_2 = 0x6b3343cf,
    DRAFT = 0xff000000,
    DRAFT_FIRST = 11,
    FACEBOOK = 0xfaceb000,
    GREASE = 0x0a0a0a0a
};

struct quic_state {
    bool known[2];
    uint8_t id_size[2]; /* of the connection ids each side chose for itself */
};

static bool is_version(uint32_t v) {
    return v == VERSION_1 || v == VERSION_2 || ((v & 0xffffff00) == DRAFT && (v & 0xff) >= DRAFT_FIRST) ||
           (v & 0xfffffff0) == FACEBOOK || (v & 0x0f0f0f0f) == GREASE;
}

static bool quic_recognises(struct slice in, bool known) {
    if (known) return true;
    if (in.n < LEAST || !(in.p[0] & LONG) || !is_version(load_be32(in.p + 1))) return false;
    size_t destination = in.p[5];
    return destination <= ID_MAX && 6 + destination < in.n && in.p[6 + destination] <= ID_MAX;
}

/* number_read reads a number of one to eight bytes (RFC 9000 16). */
static uint64_t number_read(struct decode *d, struct reader *r, uint16_t id) {
    uint32_t off = rd_off(r);
    uint8_t first = rd_u8(r);
    size_t n = (size_t)1 << (first >> 6);
    struct slice more = rd_take(r, n - 1);
    if (!rd_ok(r)) return 0;
    uint64_t value = first & 0x3f;
    for (size_t i = 0; i < more.n; i++) value = value << 8 | more.p[i];
    fv_u(d->out, id, off, (uint32_t)n, value);
    return value;
}

static void id_read(struct decode *d, struct reader *r, uint16_t length, uint16_t id, uint8_t *size) {
    *size = get_u8(d, r, length);
    if (rd_ok(r) && *size) get_bytes(d, r, id, *size);
}

/* payload_read shows what the packet's key hides, which `length` counts with the packet number. */
static void payload_read(struct decode *d, struct reader *r, uint64_t length) {
    size_t n = length < rd_left(r) ? (size_t)length : rd_left(r);
    if (n) get_bytes(d, r, FID_QUIC_REMAINING_PAYLOAD, n);
}

/* long_type returns what a packet is in the numbers of version 1 (RFC 9369 3.2). */
static unsigned long_type(uint8_t first, uint32_t version) {
    unsigned type = first >> 4 & 3;
    return version == VERSION_2 ? (type + 3) & 3 : type;
}

static void long_read(struct decode *d, struct reader *r, uint8_t first, struct quic_state *st) {
    uint8_t sizes[2];
    uint32_t off = rd_off(r);
    uint32_t version = rd_left(r) >= 5 ? load_be32(r->p + 1) : 0;
    unsigned type = long_type(first, version);
    fv_u(d->out, FID_QUIC_HEADER_FORM, off, 1, 1);
    if (version) fv_u(d->out, FID_QUIC_FIXED_BIT, off, 1, first >> 6 & 1);
    if (version)
        fv_u(d->out, version == VERSION_2 ? FID_QUIC_LONG_PACKET_TYPE_V2 : FID_QUIC_LONG_PACKET_TYPE, off, 1,
             first >> 4 & 3);
    rd_skip(r, 1);
    get_be32(d, r, FID_QUIC_VERSION);
    id_read(d, r, FID_QUIC_DCIL, FID_QUIC_DCID, &sizes[0]);
    id_read(d, r, FID_QUIC_SCIL, FID_QUIC_SCID, &sizes[1]);
    if (rd_ok(r) && st) {
        st->known[d->from] = true;
        st->id_size[d->from] = sizes[1];
    }
    if (!version) { /* negotiation: the versions the server has (RFC 8999 6) */
        while (rd_left(r) >= 4) get_be32(d, r, FID_QUIC_SUPPORTED_VERSION);
    } else if (type == RETRY) {
        if (rd_left(r) > TAG) get_bytes(d, r, FID_QUIC_RETRY_TOKEN, rd_left(r) - TAG);
        get_bytes(d, r, FID_QUIC_RETRY_INTEGRITY_TAG, TAG);
    } else {
        uint64_t token = type == INITIAL ? number_read(d, r, FID_QUIC_TOKEN_LENGTH) : 0;
        if (token && rd_ok(r)) get_bytes(d, r, FID_QUIC_TOKEN, token < SIZE_MAX ? (size_t)token : SIZE_MAX);
        payload_read(d, r, number_read(d, r, FID_QUIC_LENGTH));
    }
}

static void short_read(struct decode *d, struct reader *r, uint8_t first, const struct quic_state *st) {
    uint32_t off = rd_off(r);
    fv_open(d->out, FID_QUIC_SHORT, off, (uint32_t)rd_left(r));
    fv_u(d->out, FID_QUIC_HEADER_FORM, off, 1, 0);
    fv_u(d->out, FID_QUIC_FIXED_BIT, off, 1, first >> 6 & 1);
    fv_u(d->out, FID_QUIC_SPIN_BIT, off, 1, first >> 5 & 1);
    rd_skip(r, 1);
    uint8_t size = st ? st->id_size[!d->from] : 0;
    if (size) get_bytes(d, r, FID_QUIC_DCID, size);
    payload_read(d, r, rd_left(r));
    fv_close(d->out);
}

static void quic_read(struct decode *d, struct slice in) {
    struct quic_state *st = d->ops->udp_state ? d->ops->udp_state(d, &proto_quic) : NULL;
    struct reader r = d_reader(d, in);
    for (unsigned i = 0; i < PACKETS_MAX && rd_ok(&r) && rd_left(&r); i++) {
        uint32_t off = rd_off(&r), at = d_begin(d, &proto_quic, off, (uint32_t)rd_left(&r));
        uint32_t length = d->out->n; /* the place of the packet's length */
        uint8_t first = (uint8_t)rd_peek(&r, 0);
        fv_gen(fv_u(d->out, FID_QUIC_PACKET_LENGTH, off, 0, 0));
        if (first & LONG) long_read(d, &r, first, st);
        else short_read(d, &r, first, st);
        uint32_t n = rd_off(&r) - off;
        fv_set_len(d->out, at, n);
        if (length < d->out->n && d->out->v[length].id == FID_QUIC_PACKET_LENGTH) d->out->v[length].u = n;
        if (!rd_ok(&r)) d_bad(d, &r);
        d_end(d);
    }
}

static void id_say(struct writer *w, const char *what, const struct fval *f) {
    if (!f) return;
    wr_s(w, what);
    wr_hexbytes(w, f->s, 0);
}

static void quic_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *form = fv_first(v, FID_QUIC_HEADER_FORM, at, end),
                      *version = fv_first(v, FID_QUIC_VERSION, at, end);
    const struct fval *type = fv_first(v, FID_QUIC_LONG_PACKET_TYPE, at, end);
    if (!type) type = fv_first(v, FID_QUIC_LONG_PACKET_TYPE_V2, at, end);
    if (!form) return;
    if (!form->u) wr_s(w, "Protected Payload (KP0)");
    else if (version && !version->u) wr_s(w, "Version Negotiation");
    else if (type && version)
        wr_s(w,
             field_value_name(&vals_quic_long_packet_type, long_type((uint8_t)(type->u << 4), (uint32_t)version->u)));
    id_say(w, ", DCID=", fv_first(v, FID_QUIC_DCID, at, end));
    id_say(w, ", SCID=", fv_first(v, FID_QUIC_SCID, at, end));
}

static const uint16_t info_fields[] = {FID_QUIC_HEADER_FORM,
                                       FID_QUIC_VERSION,
                                       FID_QUIC_LONG_PACKET_TYPE,
                                       FID_QUIC_LONG_PACKET_TYPE_V2,
                                       FID_QUIC_DCID,
                                       FID_QUIC_SCID,
                                       0};
static const struct stream_ops kept = {.state_size = sizeof(struct quic_state)};
const struct proto proto_quic = {.name = "quic",
                                 .column = "QUIC",
                                 .id = FID_QUIC,
                                 .end = FID_QUIC_END,
                                 .read = quic_read,
                                 .stream = &kept,
                                 .recognises = quic_recognises,
                                 .info = quic_info,
                                 .info_fields = info_fields};
