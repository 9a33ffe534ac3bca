/* SPDX-License-Identifier: Apache-2.0 */
/* Secure Shell (RFC 4253): the version line (4.2), the packets of the key exchange (6, 7), and behind each side's New
 * Keys what is encrypted, which is shown as it comes in segments. Of version 1, where lengths stay in the clear, every
 * packet is shown.
 *
 * Theory of operation: the state says of each side whether its version line was seen and whether its keys are in use.
 * One side that speaks no more than version 1 makes the connection one of it. */
#include "proto/lines/lines.h"
#include "proto/protos.h"

#include "field/print.h"

enum { LINE_MAX = 255, PACKET_MAX = 35000, HEAD = 6, KEY_INIT = 20, NEW_KEYS = 21, COOKIE = 16, LISTS = 10 };

struct ssh_state {
    struct {
        bool versioned, encrypted;
    } side[2];
    bool first; /* version 1 is spoken */
};

static void direction_add(struct decode *d, struct slice in, int from) {
    fv_gen(fv_u(d->out, FID_SSH_DIRECTION, d_off(d, in.p), 0, from_server(d, &proto_ssh, from)));
}

static struct read_result version_read(struct decode *d, int from, struct slice in) {
    const uint8_t *end = memchr(in.p, '\n', in.n);
    if (!end && in.n < LINE_MAX) return (struct read_result){.status = READ_MORE};
    if (!end) return (struct read_result){.status = READ_BAD};
    struct slice line = slice_head(in, (size_t)(end - in.p) + 1), text = slice_head(line, line.n - 1);
    if (text.n && text.p[text.n - 1] == '\r') text.n--;
    d_begin(d, &proto_ssh, d_off(d, in.p), (uint32_t)line.n);
    fv_s(d->out, FID_SSH_PROTOCOL, d_off(d, in.p), (uint32_t)text.n, text);
    direction_add(d, in, from);
    d_end(d);
    return (struct read_result){.status = READ_OK, .consumed = line.n};
}

/* key_init_read: RFC 4253 7.1. The ids of a list's length and of the list stand in turn. */
static void key_init_read(struct decode *d, struct reader *r) {
    get_bytes(d, r, FID_SSH_COOKIE, COOKIE);
    for (unsigned i = 0; i < LISTS; i++) {
        uint16_t id = (uint16_t)(FID_SSH_KEX_ALGORITHMS_LENGTH + 2 * i);
        uint32_t n = get_be32(d, r, id);
        if (rd_ok(r)) get_bytes(d, r, (uint16_t)(id + 1), n);
    }
    get_u8(d, r, FID_SSH_FIRST_KEX_PACKET_FOLLOWS);
    get_bytes(d, r, FID_SSH_KEX_RESERVED, 4);
}

/* packet_size returns how many bytes the packet at the start of `in` takes; 0: what is there is none. */
static size_t packet_size(struct slice in) {
    size_t n = load_be32(in.p);
    return n > PACKET_MAX || n < in.p[4] + (size_t)2 ? 0 : n + 4;
}

static void packet_read(struct decode *d, struct ssh_state *st, int from, struct slice in) {
    uint8_t padding = in.p[4], code = in.p[5];
    struct reader r = d_reader(d, in);
    get_be32(d, &r, FID_SSH_PACKET_LENGTH);
    get_u8(d, &r, FID_SSH_PADDING_LENGTH);
    get_u8(d, &r, FID_SSH_MESSAGE_CODE);
    struct reader body = rd_sub(&r, in.n - HEAD - padding);
    if (code == KEY_INIT) key_init_read(d, &body);
    if (padding) get_bytes(d, &r, FID_SSH_PADDING_STRING, padding);
    if (!rd_ok(&body)) d_bad(d, &body);
    if (code == NEW_KEYS) st->side[from].encrypted = true;
}

/* packets_read reads the packets that are whole, in one layer, and what is encrypted behind them. */
static struct read_result packets_read(struct decode *d, struct ssh_state *st, int from, struct slice in) {
    struct slice left = in;
    size_t n = in.n < HEAD ? HEAD : packet_size(in);
    if (!st->side[from].encrypted && n > in.n)
        return (struct read_result){.status = READ_MORE, .needed = n, .shown = true};
    uint32_t at = d_begin(d, &proto_ssh, d_off(d, in.p), (uint32_t)in.n);
    while (!st->side[from].encrypted && left.n >= HEAD && (n = packet_size(left)) && n <= left.n) {
        packet_read(d, st, from, slice_head(left, n));
        left = slice_tail(left, n);
    }
    bool hidden = st->side[from].encrypted || (left.n >= HEAD && !packet_size(left));
    if (left.n && hidden) {
        fv_s(d->out, FID_SSH_ENCRYPTED_PACKET, d_off(d, left.p), (uint32_t)left.n, left);
        left = slice_tail(left, left.n);
    }
    direction_add(d, in, from);
    fv_set_len(d->out, at, (uint32_t)(in.n - left.n));
    d_end(d);
    return (struct read_result){.status = READ_OK, .consumed = in.n - left.n};
}

/* Of version 1: the padding makes the encrypted part, which is all but the length, a multiple of eight bytes. */
enum { FIRST_HEAD = 5, FIRST_SESSION_KEY = 3, FIRST_PACKET_MAX = 1 << 18 };
static size_t first_padding(uint32_t n) { return 8 - n % 8; }

/* first_size returns how many bytes the packet of version 1 at the start of `in` takes; 0: what is there is none. */
static size_t first_size(struct slice in) {
    uint32_t n = load_be32(in.p);
    return n < FIRST_HEAD || n > FIRST_PACKET_MAX ? 0 : 4 + first_padding(n) + n;
}

static void first_packet(struct decode *d, struct ssh_state *st, struct slice in) {
    struct reader r = d_reader(d, in);
    fv_open(d->out, FID_SSH_V1, rd_off(&r), (uint32_t)in.n);
    uint32_t n = get_be32(d, &r, FID_SSH_PACKET_LENGTH), off = rd_off(&r);
    fv_u(d->out, FID_SSH_PADDING_LENGTH, off, (uint32_t)first_padding(n), first_padding(n));
    rd_skip(&r, first_padding(n));
    if (!st->side[0].encrypted) {
        uint8_t code = get_u8(d, &r, FID_SSH_MESSAGE_CODE);
        if (code == FIRST_SESSION_KEY) st->side[0].encrypted = st->side[1].encrypted = true;
        n--;
    }
    get_bytes(d, &r, FID_SSH_PAYLOAD, n);
    fv_close(d->out);
}

/* first_read reads the packets of version 1 that are whole, in one layer. */
static struct read_result first_read(struct decode *d, struct ssh_state *st, struct slice in, int from) {
    struct slice left = in;
    size_t n = in.n < 4 ? 4 : first_size(in);
    if (n > in.n) return (struct read_result){.status = READ_MORE, .needed = n, .shown = true};
    if (!n) return (struct read_result){.status = READ_BAD};
    uint32_t at = d_begin(d, &proto_ssh, d_off(d, in.p), (uint32_t)in.n);
    while (left.n >= 4 && (n = first_size(left)) && n <= left.n) {
        first_packet(d, st, slice_head(left, n));
        left = slice_tail(left, n);
    }
    direction_add(d, in, from);
    fv_set_len(d->out, at, (uint32_t)(in.n - left.n));
    d_end(d);
    return (struct read_result){.status = READ_OK, .consumed = in.n - left.n};
}

static struct read_result ssh_read(struct decode *d, void *state, int from, struct slice in) {
    struct ssh_state *st = state;
    if (!st->side[from].versioned && slice_starts(in, SLICE("SSH-"))) {
        struct read_result r = version_read(d, from, in);
        st->side[from].versioned = r.status == READ_OK;
        st->first |= slice_starts(in, SLICE("SSH-1.")) && !slice_starts(in, SLICE("SSH-1.99-"));
        return r;
    }
    if (st->first && st->side[from].versioned) return first_read(d, st, in, from);
    if (!st->side[from].versioned) st->side[from].encrypted = true; /* the capture began later */
    return packets_read(d, st, from, in);
}

/* ssh_lost: where bytes are missing nobody knows where packets begin. */
static void ssh_lost(void *state, int from) {
    struct ssh_state *st = state;
    st->side[from].encrypted = true;
}

static enum probe_result ssh_probe(struct slice in) {
    return slice_starts(in, SLICE("SSH-2.0-")) || slice_starts(in, SLICE("SSH-1.")) ? PROBE_CERTAIN : PROBE_UNSURE;
}

static const char *ssh_column(const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *direction = fv_first(v, FID_SSH_DIRECTION, at, end);
    const struct fval *version = fv_first(v, FID_SSH_PROTOCOL, at, end);
    bool old = version && slice_starts(version->s, SLICE("SSH-1.")) && !slice_starts(version->s, SLICE("SSH-1.99-"));
    if (fv_first(v, FID_SSH_V1, at, end)) return "SSHv1";
    return version && (old || (direction && !direction->u)) ? "SSH" : "SSHv2";
}

/* first_hidden_say says how long the encrypted packets of version 1 are. */
static void first_hidden_say(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const char *comma = "";
    for (uint32_t i = at; i < end; i++) {
        if (v->v[i].id != FID_SSH_PAYLOAD) continue;
        wr_f(w, "%sEncrypted packet (len=%u)", comma, v->v[i].len);
        comma = ", ";
    }
}

static void ssh_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *direction = fv_first(v, FID_SSH_DIRECTION, at, end);
    const struct fval *version = fv_first(v, FID_SSH_PROTOCOL, at, end),
                      *hidden = fv_first(v, FID_SSH_ENCRYPTED_PACKET, at, end);
    if (direction) wr_s(w, direction->u ? "Server: " : "Client: ");
    if (version) {
        wr_s(w, "Protocol (");
        print_string(w, version->s);
        wr_c(w, ')');
    }
    fv_value_say(w, v, FID_SSH_MESSAGE_CODE, at, end);
    if (!fv_first(v, FID_SSH_MESSAGE_CODE, at, end)) first_hidden_say(w, v, at, end);
    if (hidden) wr_f(w, "Encrypted packet (len=%u)", hidden->len);
}

static const uint16_t info_fields[] = {FID_SSH_DIRECTION,
                                       FID_SSH_MESSAGE_CODE,
                                       FID_SSH_PROTOCOL,
                                       FID_SSH_ENCRYPTED_PACKET,
                                       FID_SSH_V1,
                                       FID_SSH_PAYLOAD,
                                       0};
static const struct stream_ops stream = {
    .state_size = sizeof(struct ssh_state), .read = ssh_read, .lost = ssh_lost, .resyncs = true, .probe = ssh_probe};
static const struct proto_key keys[] = {{TABLE_TCP, 22}, {TABLE_COUNT, 0}};
const struct proto proto_ssh = {.name = "ssh",
                                .column = "SSH",
                                .column_of = ssh_column,
                                .id = FID_SSH,
                                .end = FID_SSH_END,
                                .keys = keys,
                                .stream = &stream,
                                .info = ssh_info,
                                .info_fields = info_fields};
