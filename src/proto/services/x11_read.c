/* SPDX-License-Identifier: Apache-2.0 */
/* X11 (X Window System Protocol, appendix B): requests of one side; replies, errors and events of the other. The first
 * byte of a client says in which order the bytes of numbers stand; without it nothing can be told apart. */
#include "proto/protos.h"

struct x11_state {
    enum { ORDER_UNKNOWN, BIG, LITTLE } order;
    bool begun[2]; /* the side's part of the setup was read */
};

enum { SETUP = 12, SETUP_ANSWER = 8, REQUEST = 4, REQUEST_BIG = 8, EVENT = 32, MESSAGE_MOST = 16 << 20, REPLY = 1 };
enum { GENERIC_EVENT = 35, EVENT_SENT = 0x80 };

static uint32_t number(const struct x11_state *st, const uint8_t *p, size_t n) {
    if (n == 2) return st->order == LITTLE ? load_le16(p) : load_be16(p);
    return st->order == LITTLE ? load_le32(p) : load_be32(p);
}

static size_t padded(size_t n) { return (n + 3) & ~(size_t)3; }

/* client_size returns the length of the client's next message, 0: more of it is needed to tell. */
static size_t client_size(const struct x11_state *st, struct slice in) {
    if (!st->begun[0])
        return in.n < SETUP ? 0 : SETUP + padded(number(st, in.p + 6, 2)) + padded(number(st, in.p + 8, 2));
    if (in.n < REQUEST) return 0;
    size_t words = number(st, in.p + 2, 2);
    if (words) return words * 4;
    return in.n < REQUEST_BIG ? 0 : number(st, in.p + 4, 4) * (size_t)4;
}

static size_t server_size(const struct x11_state *st, struct slice in) {
    if (in.n < SETUP_ANSWER) return 0;
    if (!st->begun[1]) return SETUP_ANSWER + number(st, in.p + 6, 2) * (size_t)4;
    bool more = in.p[0] == REPLY || (in.p[0] & ~EVENT_SENT) == GENERIC_EVENT;
    return EVENT + (more ? number(st, in.p + 4, 4) * (size_t)4 : 0);
}

/* x11_probe: behind the order of bytes and one that is not used stands version 11; text has these letters, too. */
static enum probe_result x11_probe(struct slice in) {
    if (!in.n || (in.p[0] != 'B' && in.p[0] != 'l')) return PROBE_NO;
    if (in.n < 4) return PROBE_UNSURE;
    return (in.p[0] == 'l' ? load_le16(in.p + 2) : load_be16(in.p + 2)) == 11 ? PROBE_UNSURE : PROBE_NO;
}

static void message_show(struct decode *d, const struct x11_state *st, int side, struct slice in) {
    struct reader r = d_reader(d, in);
    d_begin(d, &proto_x11, rd_off(&r), (uint32_t)in.n);
    if (!side && st->begun[0]) get_u8(d, &r, FID_X11_OPCODE);
    else if (st->begun[1] && in.p[0] == REPLY) get_u8(d, &r, FID_X11_REPLY);
    else if (st->begun[1] && in.p[0] > REPLY) get_u8(d, &r, FID_X11_EVENTCODE);
    else if (st->begun[1]) rd_skip(&r, 1), get_u8(d, &r, FID_X11_ERRORCODE);
    d_end(d);
}

static struct read_result x11_read(struct decode *d, void *state, int from, struct slice in) {
    struct x11_state *st = state;
    int side = from & 1;
    if (st->order == ORDER_UNKNOWN && !side) st->order = in.p[0] == 'l' ? LITTLE : BIG;
    size_t n = side ? server_size(st, in) : client_size(st, in);
    if (!n && in.n < SETUP) return (struct read_result){.status = READ_MORE};
    if (st->order == ORDER_UNKNOWN || n < REQUEST || n > MESSAGE_MOST)
        return (struct read_result){.status = READ_BAD, .stranger = !st->begun[0]};
    if (n > in.n) return (struct read_result){.status = READ_MORE, .needed = n};
    message_show(d, st, side, slice_head(in, n));
    st->begun[side] = true;
    return (struct read_result){.status = READ_OK, .consumed = n};
}

static void x11_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *request = fv_first(v, FID_X11_OPCODE, at, end), *reply = fv_first(v, FID_X11_REPLY, at, end);
    if (request) wr_f(w, "Request %u", (unsigned)request->u);
    else if (reply) wr_s(w, "Reply");
    else wr_s(w, fv_first(v, FID_X11_EVENTCODE, at, end) ? "Event" : "Initial connection request");
}

static const uint16_t info_fields[] = {FID_X11_OPCODE, FID_X11_REPLY, FID_X11_EVENTCODE, 0};
/* Displays 0 to 63. */
#define EIGHT(n_)                                                                                                      \
    {TABLE_TCP, 6000 + (n_)}, {TABLE_TCP, 6001 + (n_)}, {TABLE_TCP, 6002 + (n_)}, {TABLE_TCP, 6003 + (n_)},            \
        {TABLE_TCP, 6004 + (n_)}, {TABLE_TCP, 6005 + (n_)}, {TABLE_TCP, 6006 + (n_)}, {                                \
        TABLE_TCP, 6007 + (n_)                                                                                         \
    }
static const struct proto_key keys[] = {EIGHT(0),  EIGHT(8),  EIGHT(16), EIGHT(24),       EIGHT(32),
                                        EIGHT(40), EIGHT(48), EIGHT(56), {TABLE_COUNT, 0}};
static const struct stream_ops stream = {.state_size = sizeof(struct x11_state), .read = x11_read, .probe = x11_probe};
const struct proto proto_x11 = {.name = "x11",
                                .column = "X11",
                                .id = FID_X11,
                                .end = FID_X11_END,
                                .keys = keys,
                                .stream = &stream,
                                .info = x11_info,
                                .info_fields = info_fields};
