/* SPDX-License-Identifier: Apache-2.0 */
/* OpenVPN (its protocol documentation, "OpenVPN wire protocol"): the head of its packets, in datagrams and, behind
 * their length, in streams. What follows is encrypted, or was wrapped with a key both sides know. */
#include "proto/protos.h"
#include "proto/sized.h"

enum { LENGTH = 2, OPCODE_SHIFT = 3, DATA_V1 = 6, DATA_V2 = 9, SESSION = 8 };

/* is_packet tells whether a packet begins with an opcode there is, and is long enough for what follows each. Hard
 * resets have the first key. */
static bool is_packet(struct slice in) {
    enum { HARD_RESETS = 1 << 1 | 1 << 2 | 1 << 7 | 1 << 8 | 1 << 10, KEY = 0x07 };
    unsigned opcode = in.n ? in.p[0] >> OPCODE_SHIFT : 0;
    bool data = opcode == DATA_V1 || opcode == DATA_V2;
    if (HARD_RESETS >> opcode & 1 && in.p[0] & KEY) return false;
    return field_value_name(&vals_openvpn_opcode, opcode) && (data || in.n > SESSION);
}

static size_t openvpn_size(struct slice in) { return LENGTH + (size_t)load_be16(in.p); }

static void head_read(struct decode *d, struct reader *r) {
    static const struct d_row head[] = {{0, 1}, {FID_OPENVPN_OPCODE, 0}, {FID_OPENVPN_KEYID, 0}};
    unsigned opcode = (unsigned)(rd_left(r) ? rd_peek(r, 0) : 0) >> OPCODE_SHIFT;
    d_rows(d, r, D_ROWS(head));
    if (opcode == DATA_V2) get_be24(d, r, FID_OPENVPN_PEERID);
    else if (opcode != DATA_V1 && rd_left(r) >= SESSION) get_be64(d, r, FID_OPENVPN_SESSIONID);
}

static void openvpn_read(struct decode *d, struct slice in) {
    if (!is_packet(in)) {
        d_data(d, in);
        return;
    }
    struct reader r = d_reader(d, in);
    d_begin(d, &proto_openvpn, rd_off(&r), (uint32_t)in.n);
    head_read(d, &r);
    if (!rd_ok(&r)) d_bad(d, &r);
    d_end(d);
}

static struct read_result frame(struct slice in) { return sized_cut(in, LENGTH + 1, openvpn_size); }

static enum probe_result stream_probe(struct slice in) {
    if (in.n <= LENGTH) return PROBE_UNSURE;
    return is_packet(slice_of(in.p + LENGTH, load_be16(in.p))) ? PROBE_UNSURE : PROBE_NO;
}

static struct read_result stream_read(struct decode *d, void *state, int from, struct slice in) {
    (void)state, (void)from;
    struct read_result got = frame(in);
    if (got.status != READ_OK) return got;
    struct reader r = d_reader(d, slice_head(in, got.consumed));
    d_begin(d, &proto_openvpn, rd_off(&r), (uint32_t)got.consumed);
    get_be16(d, &r, FID_OPENVPN_PLEN);
    head_read(d, &r);
    d_end(d);
    return got;
}

static void openvpn_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const char *name = fv_value_name(v, FID_OPENVPN_OPCODE, at, end);
    wr_f(w, "MessageType: %s", name ? name : "Unknown Messagetype");
}

static const uint16_t info_fields[] = {FID_OPENVPN_OPCODE, 0};
static const struct proto_key keys[] = {{TABLE_UDP, 1194}, {TABLE_TCP, 1194}, {TABLE_COUNT, 0}};
static const struct stream_ops stream = {.read = stream_read, .frame = frame, .probe = stream_probe};
const struct proto proto_openvpn = {.name = "openvpn",
                                    .column = "OpenVPN",
                                    .id = FID_OPENVPN,
                                    .end = FID_OPENVPN_END,
                                    .keys = keys,
                                    .read = openvpn_read,
                                    .stream = &stream,
                                    .info = openvpn_info,
                                    .info_plain = true,
                                    .info_fields = info_fields};
