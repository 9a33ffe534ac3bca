/* SPDX-License-Identifier: Apache-2.0 */
/* BitTorrent (BEP 3): handshakes and messages by type; the messages of its table of nodes (BEP 5) and of local
 * discovery (BEP 14) as such, and Gnutella by its port. What they hold is not taken apart. */
#include "proto/lines/lines.h"
#include "proto/protos.h"

#include "field/print.h"

enum { HANDSHAKE = 68, NAME = 19, MESSAGE_MOST = 1 << 20, LENGTH = 4 };
static const uint8_t handshake_begin[] = "\x13"
                                         "BitTorrent protocol";

static bool is_handshake(struct slice in) { return slice_starts(in, slice_of(handshake_begin, NAME + 1)); }

/* fits tells whether a message of a type may be so long. */
static bool fits(uint8_t type, size_t n) {
    static const uint8_t exactly[] = {[0] = 1, 1, 1, 1, 5, [6] = 13, [8] = 13, 3};
    if (!field_value_name(&vals_bittorrent_msg_type, type) || n > MESSAGE_MOST) return false;
    return type >= sizeof exactly || !exactly[type] || exactly[type] == n;
}

/* bittorrent_probe: the capture may have begun between two messages. */
static enum probe_result bittorrent_probe(struct slice in) {
    if (is_handshake(in)) return PROBE_CERTAIN;
    if (in.n < LENGTH) return in.n && in.p[0] != NAME && in.p[0] ? PROBE_NO : PROBE_UNSURE;
    size_t n = load_be32(in.p);
    if (in.n == LENGTH) return n <= MESSAGE_MOST ? PROBE_UNSURE : PROBE_NO;
    if (slice_starts(slice_of(handshake_begin, NAME + 1), in)) return PROBE_UNSURE;
    return n && fits(in.p[LENGTH], n) ? PROBE_UNSURE : PROBE_NO;
}

/* bittorrent_frame: what begins with neither a handshake nor a message goes on from a message that was lost. */
static struct read_result bittorrent_frame(struct slice in) {
    if (in.p[0] == NAME && in.n < NAME + 1) return (struct read_result){.status = READ_MORE, .needed = HANDSHAKE};
    if (in.n < LENGTH) return (struct read_result){.status = READ_MORE, .needed = LENGTH + 1};
    size_t n = load_be32(in.p), all = LENGTH + n;
    if (is_handshake(in)) all = HANDSHAKE;
    else if (n && in.n == LENGTH) return (struct read_result){.status = READ_MORE, .needed = LENGTH + 1};
    else if (n > MESSAGE_MOST || (n && !field_value_name(&vals_bittorrent_msg_type, in.p[LENGTH]))) all = in.n;
    if (all > in.n) return (struct read_result){.status = READ_MORE, .needed = all};
    return (struct read_result){.status = READ_OK, .consumed = all};
}

static void message_show(struct decode *d, struct slice in) {
    static const struct d_row handshake[] = {{FID_BITTORRENT_PROTOCOL_NAME_LENGTH, 1},
                                             {FID_BITTORRENT_PROTOCOL_NAME, NAME},
                                             {FID_BITTORRENT_RESERVED, 8},
                                             {FID_BITTORRENT_INFO_HASH, 20},
                                             {FID_BITTORRENT_PEER_ID, 20}},
                              message[] = {{FID_BITTORRENT_MSG_LENGTH, 4}, {FID_BITTORRENT_MSG_TYPE, 1}};
    struct reader r = d_reader(d, in);
    d_begin(d, &proto_bittorrent, rd_off(&r), (uint32_t)in.n);
    if (is_handshake(in)) d_rows(d, &r, D_ROWS(handshake));
    else if (in.n >= LENGTH && load_be32(in.p) + (size_t)LENGTH == in.n) d_rows(d, &r, message, in.n > LENGTH ? 2 : 1);
    d_end(d);
}

static struct read_result bittorrent_read(struct decode *d, void *state, int from, struct slice in) {
    (void)state, (void)from;
    struct read_result r = bittorrent_frame(in);
    if (r.status == READ_MORE && d->stream_end) r = (struct read_result){.status = READ_OK, .consumed = in.n};
    if (r.status == READ_OK) message_show(d, slice_head(in, r.consumed));
    return r;
}

enum message { HAVE = 4, BITFIELD, REQUEST, PIECE, CANCEL };

/* piece_say says which part of the file a message is about. */
static void piece_say(struct writer *w, uint64_t type, struct slice in) {
    enum { INDEX = 5, BEGIN = 9, SIZE = 13, WHOLE = 17 };
    if (type == BITFIELD && in.n >= INDEX) wr_f(w, ", Len:0x%x", (unsigned)(in.n - INDEX));
    else if (type == HAVE && in.n >= BEGIN) wr_f(w, ", Piece (Idx:0x%x)", (unsigned)load_be32(in.p + INDEX));
    else if ((type == REQUEST || type == CANCEL) && in.n >= WHOLE)
        wr_f(w, ", Piece (Idx:0x%x,Begin:0x%x,Len:0x%x)", (unsigned)load_be32(in.p + INDEX),
             (unsigned)load_be32(in.p + BEGIN), (unsigned)load_be32(in.p + SIZE));
    else if (type == PIECE && in.n >= SIZE)
        wr_f(w, ", Idx:0x%x,Begin:0x%x,Len:0x%x", (unsigned)load_be32(in.p + INDEX), (unsigned)load_be32(in.p + BEGIN),
             (unsigned)(in.n - SIZE));
}

static void bittorrent_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *length = fv_first(v, FID_BITTORRENT_MSG_LENGTH, at, end),
                      *type = fv_first(v, FID_BITTORRENT_MSG_TYPE, at, end);
    const char *name = fv_value_name(v, FID_BITTORRENT_MSG_TYPE, at, end);
    if (fv_first(v, FID_BITTORRENT_PEER_ID, at, end)) wr_s(w, "Handshake  ");
    else if (name && length) {
        wr_s(w, name);
        piece_say(w, type->u, slice_head(slice_tail(v->source[type->src].bytes, length->off), LENGTH + length->u));
        wr_s(w, "  ");
    } else wr_s(w, length ? "Keep-Alive  " : "Continuation data");
}

/* A query, a response or an error begins its dictionary with what it says (BEP 5, KRPC). */
static bool bt_dht_recognises(struct slice in, enum known_as known) {
    (void)known;
    return in.n > 8 && in.p[in.n - 1] == 'e' &&
           (slice_starts(in, SLICE("d1:ad")) || slice_starts(in, SLICE("d1:rd")) || slice_starts(in, SLICE("d2:ip")) ||
            slice_starts(in, SLICE("d1:el")));
}

static void bt_dht_read(struct decode *d, struct slice in) {
    d_begin(d, &proto_bt_dht, d_off(d, in.p), (uint32_t)in.n);
    d_end(d);
}

static void bt_dht_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    (void)v, (void)at, (void)end;
    wr_s(w, "BitTorrent DHT Protocol");
}

/* nothing_say: the Info column has nothing of them, not even what is below. */
static void nothing_say(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    (void)w, (void)v, (void)at, (void)end;
}

static bool lsd_recognises(struct slice in, enum known_as known) {
    (void)known;
    return slice_starts(in, SLICE("BT-SEARCH * HTTP/1.1\r\n"));
}

static void lsd_read(struct decode *d, struct slice in) {
    static const struct {
        const char *name;
        uint16_t id;
    } fields[] = {{"HOST", FID_LSD_HOST}, {"INFOHASH", FID_LSD_INFOHASH}};
    struct line line;
    struct slice name, value;
    d_begin(d, &proto_lsd, d_off(d, in.p), (uint32_t)in.n);
    if (line_take(&in, &line)) line_add(d, FID_LSD_HEADER, line.text);
    for (unsigned i = 0; i < LINES_MAX && line_take(&in, &line) && line.text.n; i++) {
        if (!header_split(line.text, &name, &value)) continue;
        for (size_t k = 0; k < sizeof fields / sizeof *fields; k++)
            if (slice_alike(name, slice_str(fields[k].name))) line_add(d, fields[k].id, value);
    }
    d_end(d);
}

/* gnutella_probe: the lines connections begin with, or a message: its id, a kind of the five, hops and what follows
 * (Gnutella 0.6, 2.2). */
static enum probe_result gnutella_probe(struct slice in) {
    enum { ID = 16, HEAD = 23, PAYLOAD_MOST = 64 << 10 };
    static const uint8_t kinds[] = {0x00, 0x01, 0x40, 0x80, 0x81};
    if (slice_starts(in, SLICE("GNUTELLA")) || slice_starts(in, SLICE("GIV "))) return PROBE_UNSURE;
    if (in.n < HEAD || !memchr(kinds, in.p[ID], sizeof kinds)) return PROBE_NO;
    return load_le32(in.p + ID + 3) <= PAYLOAD_MOST ? PROBE_UNSURE : PROBE_NO;
}

static struct read_result gnutella_read(struct decode *d, void *state, int from, struct slice in) {
    (void)state, (void)from;
    d_begin(d, &proto_gnutella, d_off(d, in.p), (uint32_t)in.n);
    d_end(d);
    return lines_whole(in);
}

static const uint16_t bittorrent_fields[] = {FID_BITTORRENT_PEER_ID, FID_BITTORRENT_MSG_LENGTH, FID_BITTORRENT_MSG_TYPE,
                                             0};
static const struct proto_key bittorrent_keys[] = {{TABLE_TCP, 6881}, {TABLE_TCP, 6882}, {TABLE_TCP, 6883},
                                                   {TABLE_TCP, 6884}, {TABLE_TCP, 6885}, {TABLE_TCP, 6886},
                                                   {TABLE_TCP, 6887}, {TABLE_TCP, 6888}, {TABLE_TCP, 6889},
                                                   {TABLE_COUNT, 0}},
                              gnutella_keys[] = {{TABLE_TCP, 6346}, {TABLE_COUNT, 0}};
static const struct stream_ops bittorrent_stream = {.read = bittorrent_read,
                                                    .frame = bittorrent_frame,
                                                    .probe = bittorrent_probe,
                                                    .resyncs = true},
                               gnutella_stream = {.read = gnutella_read, .probe = gnutella_probe, .resyncs = true};
const struct proto proto_bittorrent = {.name = "bittorrent",
                                       .column = "BitTorrent",
                                       .id = FID_BITTORRENT,
                                       .end = FID_BITTORRENT_END,
                                       .keys = bittorrent_keys,
                                       .stream = &bittorrent_stream,
                                       .info = bittorrent_info,
                                       .info_plain = true,
                                       .info_fields = bittorrent_fields};
const struct proto proto_bt_dht = {.name = "bt-dht",
                                   .column = "BT-DHT",
                                   .id = FID_BT_DHT,
                                   .end = FID_BT_DHT_END,
                                   .read = bt_dht_read,
                                   .recognises = bt_dht_recognises,
                                   .info = bt_dht_info};
const struct proto proto_lsd = {.name = "lsd",
                                .column = "LSD",
                                .id = FID_LSD,
                                .end = FID_LSD_END,
                                .read = lsd_read,
                                .recognises = lsd_recognises,
                                .info = nothing_say};
const struct proto proto_gnutella = {.name = "gnutella",
                                     .column = "Gnutella",
                                     .id = FID_GNUTELLA,
                                     .end = FID_GNUTELLA_END,
                                     .keys = gnutella_keys,
                                     .stream = &gnutella_stream,
                                     .info = nothing_say};
