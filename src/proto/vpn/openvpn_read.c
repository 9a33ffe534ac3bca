/* SPDX-License-Identifier: Apache-2.0 */
/* OpenVPN (its protocol documentation, "OpenVPN wire protocol"): the heads of its packets, in datagrams and, behind
 * their length, in streams, and the TLS connection that travels in its control channel.
 *
 * Theory of operation: whether packets of the control channel are signed, and how long signatures are, no packet says;
 * the length of the first one, which resets the connection, does: all else in it has a fixed length. Where it was not
 * seen, or the channel is encrypted, packets have only their head. Messages of the channel are numbered and carry
 * pieces of what TLS writes: those of 100 bytes are followed by more of it. Pieces are kept until the last one is there
 * (limit: KEPT_MAX bytes for a side, out of decode.kept), and go to a stream of TLS (decode_ops.carry). A number that
 * is missing leaves a hole in that; one that was seen is sent again and changes nothing. */
#include "proto/protos.h"
#include "proto/sized.h"

enum { LENGTH = 2, OPCODE_SHIFT = 3, SESSION = 8, FRAGMENT = 100, KEPT_MAX = 64 << 10, ACKS_MAX = 8, KEY = 0x07 };
enum opcode {
    RESET_CLIENT_V1 = 1,
    RESET_SERVER_V1,
    SOFT_RESET,
    CONTROL,
    ACK,
    DATA_V1,
    RESET_CLIENT,
    RESET_SERVER,
    DATA_V2
};

struct openvpn_piece {
    uint64_t frame;
    struct openvpn_piece *before;
    uint8_t bytes[FRAGMENT];
};

struct openvpn_state {
    bool open;         /* what is behind the head of a control packet can be read */
    uint8_t signature; /* bytes of it; 0: there is none */
    uint8_t key;       /* its number: each has a TLS connection and messages of its own */
    struct nested *tls;
    struct openvpn_side {
        uint32_t next; /* number of the next message */
        uint32_t kept; /* pieces */
        struct openvpn_piece *last;
        struct arena memory; /* of the pieces */
    } side[2];
};

/* is_packet tells whether a packet begins with an opcode there is, and is long enough for what follows each. Hard
 * resets have the first key. */
static bool is_packet(struct slice in) {
    enum { HARD_RESETS = 1 << 1 | 1 << 2 | 1 << 7 | 1 << 8 | 1 << 10 };
    unsigned opcode = in.n ? in.p[0] >> OPCODE_SHIFT : 0;
    bool data = opcode == DATA_V1 || opcode == DATA_V2;
    if (HARD_RESETS >> opcode & 1 && in.p[0] & KEY) return false;
    return field_value_name(&vals_openvpn_opcode, opcode) && (data || in.n > SESSION);
}

static size_t openvpn_size(struct slice in) { return LENGTH + (size_t)load_be16(in.p); }

static void pieces_drop(struct openvpn_side *side) {
    arena_free(&side->memory);
    side->kept = 0;
    side->last = NULL;
}

static void tls_end(struct openvpn_state *st) {
    if (st->tls) st->tls->end(st->tls);
    st->tls = NULL;
    for (int i = 0; i < 2; i++) pieces_drop(&st->side[i]);
}

/* key_begin goes on with the messages of another key. */
static void key_begin(struct openvpn_state *st, uint8_t key) {
    tls_end(st);
    st->key = key;
    for (int i = 0; i < 2; i++) st->side[i].next = 0;
}

static void tls_lost(struct openvpn_state *st, int from) {
    pieces_drop(&st->side[from]);
    if (st->tls) st->tls->lost(st->tls, from);
}

/* reset_learn learns from a packet that resets the connection what control packets look like. A signature comes with
 * two numbers (SIGNED). */
static void reset_learn(struct openvpn_state *st, enum opcode opcode, int from, struct slice in) {
    enum { SIGNED = 8, ASKS = 14, ANSWERS = 26, SIGNATURE_MAX = 64, LAST = 5 };
    size_t bare = opcode == RESET_SERVER ? ANSWERS : ASKS, more = in.n - bare;
    static const uint8_t none[LAST];
    if (opcode == RESET_CLIENT) key_begin(st, 0);
    st->side[from].next = 1;
    if (in.n < bare || (more && more <= SIGNED) || more > SIGNED + SIGNATURE_MAX) st->open = false;
    else st->open = memcmp(in.p + in.n - 4, none, 4) == 0 && (opcode == RESET_SERVER || !in.p[in.n - LAST]);
    st->signature = st->open && more ? (uint8_t)(more - SIGNED) : 0;
}

static bool piece_keep(struct decode *d, struct openvpn_side *side, struct slice in) {
    if (!side->memory.cap) side->memory = arena_make_of(2 * KEPT_MAX, d->kept);
    if (side->kept >= KEPT_MAX / FRAGMENT) return false;
    struct openvpn_piece *p = arena_get(&side->memory, sizeof *p);
    if (!p) return false;
    p->frame = d->pkt->number;
    p->before = side->last;
    memcpy(p->bytes, in.p, FRAGMENT);
    side->last = p;
    side->kept++;
    return true;
}

/* pieces_join returns what was kept and `last` as a new source, with the frames it came in. */
static struct slice pieces_join(struct decode *d, const struct openvpn_side *side, struct slice last) {
    size_t before = (size_t)side->kept * FRAGMENT, n = before + last.n;
    uint8_t *all = arena_get(d->arena, n);
    uint64_t *frames = arena_get(d->arena, side->kept * sizeof *frames);
    if (!all || !frames) return (struct slice){0};
    uint32_t i = side->kept;
    for (const struct openvpn_piece *p = side->last; p; p = p->before) {
        memcpy(all + (size_t)--i * FRAGMENT, p->bytes, FRAGMENT);
        frames[i] = p->frame;
    }
    memcpy(all + before, last.p, last.n);
    uint8_t source = fvec_add_source(d->out, slice_of(all, n), "Reassembled OpenVPN");
    if (!source) return (struct slice){0};
    d->out->src = source;
    fv_open(d->out, FID_OPENVPN_FRAGMENTS, 0, (uint32_t)n);
    for (i = 0; i < side->kept; i++) fv_u(d->out, FID_OPENVPN_FRAGMENT, i * FRAGMENT, FRAGMENT, frames[i]);
    fv_u(d->out, FID_OPENVPN_FRAGMENT, (uint32_t)before, (uint32_t)last.n, d->pkt->number);
    fv_u(d->out, FID_OPENVPN_FRAGMENT_COUNT, 0, 0, side->kept + 1);
    fv_u(d->out, FID_OPENVPN_REASSEMBLED_LENGTH, 0, 0, n);
    fv_close(d->out);
    return slice_of(all, n);
}

/* tls_gather returns what TLS wrote where a message brought the last piece of it, else it keeps the piece. */
static struct slice tls_gather(struct decode *d, struct openvpn_state *st, int from, struct slice in) {
    struct openvpn_side *side = &st->side[from];
    if (in.n == FRAGMENT) {
        if (!piece_keep(d, side, in)) tls_lost(st, from);
        return (struct slice){0};
    }
    struct slice whole = side->kept ? pieces_join(d, side, in) : in;
    pieces_drop(side);
    return whole;
}

static void tls_carry(struct decode *d, struct openvpn_state *st, int from, struct slice in) {
    static const struct carry how = {.by = &proto_openvpn,
                                     .proto = &proto_tls,
                                     .name = "Reassembled OpenVPN",
                                     .segments = FID_OPENVPN_FRAGMENTS,
                                     .segment = FID_OPENVPN_FRAGMENT,
                                     .segment_count = FID_OPENVPN_FRAGMENT_COUNT,
                                     .length = FID_OPENVPN_REASSEMBLED_LENGTH,
                                     .data = FID_OPENVPN_FRAGMENT_BYTES};
    if (in.n && d->ops->carry) d->ops->carry(d, &st->tls, &how, from, in);
}

/* message_next tells whether the message with a number is the next one of the present key, which a soft reset may
 * begin. */
static bool message_next(struct openvpn_state *st, int from, enum opcode opcode, uint8_t key, uint32_t number) {
    struct openvpn_side *side = &st->side[from];
    if (opcode != CONTROL && opcode != SOFT_RESET) return false;
    if (key != st->key && opcode == SOFT_RESET) key_begin(st, key);
    if (key != st->key) return false;
    if ((int32_t)(number - side->next) < 0) return false;
    if (number != side->next) tls_lost(st, from);
    side->next = number + 1;
    return true;
}

/* control_read reads a control packet behind its head; what it brings of TLS is left in *r. */
static void control_read(struct decode *d, struct reader *r, const struct openvpn_state *st, enum opcode opcode,
                         uint32_t *number) {
    if (st->signature) {
        get_bytes(d, r, FID_OPENVPN_HMAC, st->signature);
        get_be32(d, r, FID_OPENVPN_PID);
        uint32_t off = rd_off(r);
        int64_t seconds = rd_be32(r);
        if (rd_ok(r)) fv_i(d->out, FID_OPENVPN_NET_TIME, off, 4, seconds * 1000000000);
    }
    unsigned acks = get_u8(d, r, FID_OPENVPN_MPIDARRAYLENGTH);
    if (acks > ACKS_MAX) rd_fail(r);
    for (unsigned i = 0; rd_ok(r) && i < acks; i++) get_be32(d, r, FID_OPENVPN_MPIDARRAYELEMENT);
    if (rd_ok(r) && acks) get_be64(d, r, FID_OPENVPN_RSESSIONID);
    if (opcode != ACK) *number = get_be32(d, r, FID_OPENVPN_MPID);
}

/* packet_read reads a packet, whose layer has begun, and ends the layer. */
static void packet_read(struct decode *d, struct reader *r, struct openvpn_state *st, int from) {
    static const struct d_row head[] = {{FID_OPENVPN_TYPE, 1}, {FID_OPENVPN_OPCODE, 0}, {FID_OPENVPN_KEYID, 0}};
    struct slice in = slice_of(r->p, rd_left(r));
    enum opcode opcode = in.n ? in.p[0] >> OPCODE_SHIFT : 0;
    bool data = opcode == DATA_V1 || opcode == DATA_V2, read = false;
    uint32_t number = 0;
    d_rows(d, r, D_ROWS(head));
    if (opcode == DATA_V2) get_be24(d, r, FID_OPENVPN_PEERID);
    else if (!data && rd_left(r) >= SESSION) get_be64(d, r, FID_OPENVPN_SESSIONID);
    if (data && rd_left(r)) get_bytes(d, r, FID_OPENVPN_DATA, rd_left(r));
    if (st && (opcode == RESET_CLIENT || opcode == RESET_SERVER)) reset_learn(st, opcode, from, in);
    if (st && st->open && opcode >= SOFT_RESET && opcode <= RESET_SERVER && !data) {
        control_read(d, r, st, opcode, &number);
        read = rd_ok(r);
    }
    if (!rd_ok(r)) d_bad(d, r);
    uint8_t src = d->out->src;
    bool piece = read && message_next(st, from, opcode, in.p[0] & KEY, number);
    struct slice tls = piece ? tls_gather(d, st, from, rd_rest(r)) : (struct slice){0};
    d_end(d);
    if (tls.n) tls_carry(d, st, from, tls);
    d->out->src = src;
}

static void openvpn_read(struct decode *d, struct slice in) {
    if (!is_packet(in)) {
        d_data(d, in);
        return;
    }
    struct openvpn_state *st = d->ops->udp_state && !d->quoted ? d->ops->udp_state(d, &proto_openvpn) : NULL;
    struct reader r = d_reader(d, in);
    d_begin(d, &proto_openvpn, rd_off(&r), (uint32_t)in.n);
    packet_read(d, &r, st, d->from);
}

static struct read_result frame(struct slice in) { return sized_cut(in, LENGTH + 1, openvpn_size); }

static enum probe_result stream_probe(struct slice in) {
    if (in.n <= LENGTH) return PROBE_UNSURE;
    return is_packet(slice_of(in.p + LENGTH, load_be16(in.p))) ? PROBE_UNSURE : PROBE_NO;
}

static struct read_result stream_read(struct decode *d, void *state, int from, struct slice in) {
    struct read_result got = frame(in);
    if (got.status != READ_OK) return got;
    struct reader r = d_reader(d, slice_head(in, got.consumed));
    d_begin(d, &proto_openvpn, rd_off(&r), (uint32_t)got.consumed);
    get_be16(d, &r, FID_OPENVPN_PLEN);
    packet_read(d, &r, state, from);
    return got;
}

static void stream_end(void *state) { tls_end(state); }

static void stream_lost(void *state, int from) { tls_lost(state, from); }

static void openvpn_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const char *name = fv_value_name(v, FID_OPENVPN_OPCODE, at, end);
    wr_f(w, "MessageType: %s", name ? name : "Unknown Messagetype");
}

static const uint16_t info_fields[] = {FID_OPENVPN_OPCODE, 0};
static const struct proto_key keys[] = {{TABLE_UDP, 1194}, {TABLE_TCP, 1194}, {TABLE_COUNT, 0}};
static const struct stream_ops stream = {.state_size = sizeof(struct openvpn_state),
                                         .end = stream_end,
                                         .read = stream_read,
                                         .frame = frame,
                                         .lost = stream_lost,
                                         .probe = stream_probe};
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
