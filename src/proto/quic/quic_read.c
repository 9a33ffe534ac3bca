/* SPDX-License-Identifier: Apache-2.0 */
/* QUIC (RFC 9000 17, RFC 8999): the packets of a datagram, their headers, and what is in them.
 *
 * Theory of operation: a conversation is recognised by a long header whose version is one of QUIC's; after that each of
 * its datagrams is one. Several packets may lie in a datagram, each a layer of its own; what follows them and is not
 * for the same connection is padding. How long the connection id of a short header is only who chose it knows: it is
 * shown where it is the source id the peer of its sender gave in a long header, which the state keeps: one that opened,
 * where there was any, as nobody else's header changes it (RFC 9000 7.2).
 *
 * Which connection a packet is of, and so what opens it, quic_path.c tells. */
#include "proto/protos.h"
#include "proto/quic/quic.h"

enum { LONG = 0x80, FIXED = 0x40, LEAST = 13, PACKETS_MAX = 64 };
enum { INITIAL, ZERO_RTT, HANDSHAKE, RETRY };
enum { DRAFT = 0xff000000, DRAFT_FIRST = 11, FACEBOOK = 0xfaceb000 };

static bool is_version(uint32_t v) {
    return v == QUIC_VERSION_1 || v == QUIC_VERSION_2 || ((v & 0xffffff00) == DRAFT && (v & 0xff) >= DRAFT_FIRST) ||
           (v & 0xfffffff0) == FACEBOOK || quic_googles(v) || (v & 0x0f0f0f0f) == QUIC_RESERVED;
}

static bool quic_recognises(struct slice in, enum known_as known) {
    if (known) return true;
    if (in.n < LEAST || !(in.p[0] & LONG) || !is_version(load_be32(in.p + 1))) return false;
    size_t destination = in.p[5];
    return destination <= QUIC_ID_MAX && 6 + destination < in.n && in.p[6 + destination] <= QUIC_ID_MAX;
}

/* long_type returns what a packet is in the numbers of version 1 (RFC 9369 3.2). */
static unsigned long_type(uint8_t first, uint32_t version) {
    unsigned type = first >> 4 & 3;
    return version == QUIC_VERSION_2 ? (type + 3) & 3 : type;
}

/* reading is a datagram on its way. */
struct reading {
    struct decode *d;
    struct quic_path *path; /* NULL: there is no memory */
    struct quic_state *st;  /* of the packet; NULL likewise */
    bool first;             /* the packet is the datagram's first one, */
    uint32_t version;       /* which had this version, 0: none, */
    struct slice id;        /* and was for this connection id */
    bool opens;             /* somebody wants what is inside packets */
};

static struct slice id_read(struct decode *d, struct reader *r, uint16_t length, uint16_t id) {
    uint8_t size = get_u8(d, r, length);
    return rd_ok(r) && size ? get_bytes(d, r, id, size) : (struct slice){0};
}

/* long_head is what stands in a long header, up to the packet's number. */
struct long_head {
    uint32_t version;
    unsigned type;
    struct slice to, from; /* connection ids */
    size_t number_at, end; /* 0: it has no number */
};

/* head_find reads a long header without showing it; false where it is cut short. */
static bool head_find(struct slice in, struct long_head *h) {
    struct reader r = rd_init(in, in.p);
    uint8_t first = rd_u8(&r);
    *h = (struct long_head){.version = rd_be32(&r)};
    h->type = long_type(first, h->version);
    h->to = rd_take(&r, rd_u8(&r));
    h->from = rd_take(&r, rd_u8(&r));
    if (!rd_ok(&r)) return false;
    if (!h->version || h->type == RETRY) return true;
    uint64_t token = h->type == INITIAL ? quic_number(&r) : 0;
    rd_skip(&r, token < SIZE_MAX ? (size_t)token : SIZE_MAX);
    uint64_t length = quic_number(&r);
    if (!rd_ok(&r)) return true;
    h->number_at = rd_off(&r);
    h->end = h->number_at + (length < rd_left(&r) ? (size_t)length : rd_left(&r));
    return true;
}

/* bits_read shows the first byte of a long header; `o`: without its protection, NULL where that could not be taken off.
 */
static void bits_read(struct decode *d, uint32_t off, uint8_t first, uint32_t version, const struct quic_opened *o) {
    bool two = version == QUIC_VERSION_2;
    fv_u(d->out, FID_QUIC_HEADER_FORM, off, 1, 1);
    if (!version) {
        fv_u(d->out, FID_QUIC_VN_UNUSED, off, 1, first & 0x7f);
        return;
    }
    fv_u(d->out, FID_QUIC_FIXED_BIT, off, 1, first >> 6 & 1);
    fv_u(d->out, two ? FID_QUIC_LONG_PACKET_TYPE_V2 : FID_QUIC_LONG_PACKET_TYPE, off, 1, first >> 4 & 3);
    if (!o) return;
    fv_u(d->out, FID_QUIC_LONG_RESERVED, off, 1, o->first >> 2 & 3);
    fv_u(d->out, FID_QUIC_NUMBER_LENGTH, off, 1, o->first & 3);
}

/* payload_read shows what stands behind the header, `n` bytes at most: what was opened, else what is hidden. */
static void payload_read(struct decode *d, struct reader *r, size_t n, uint16_t id, const struct quic_opened *o) {
    if (n > rd_left(r)) n = rd_left(r);
    if (!o && n) get_bytes(d, r, FID_QUIC_REMAINING_PAYLOAD, n);
    if (!o) return;
    fv_u(d->out, FID_QUIC_NUMBER, rd_off(r), o->number_len, o->number);
    rd_skip(r, o->number_len);
    get_bytes(d, r, id, n - o->number_len);
}

/* frames_read reads what was opened. */
static void frames_read(struct reading *g, int side, const struct quic_opened *o, uint32_t packet) {
    bool early = o->space == QUIC_DATA && o->first & LONG; /* it can be sent again by anybody */
    uint8_t sure = early ? QUIC_UNSURE : o->space != QUIC_FIRST ? QUIC_SECRET : side ? QUIC_ANSWERED : QUIC_UNSURE;
    if (sure > g->st->sure) g->st->sure = sure;
    uint64_t *next = &g->st->number[o->space][side];
    if (o->number >= *next) *next = o->number + 1;
    uint8_t src = o->plain.n ? fvec_add_source(g->d->out, o->plain, "Decrypted QUIC") : 0;
    if (src) quic_frames_read(g->d, g->st, side, o, src, packet);
}

/* why_add says, where that is to be said, why packets can be opened or not. */
static void why_add(struct reading *g, uint32_t off) {
    if (g->st && g->opens) tls_readable_add(g->d, &g->st->tls, off);
}

/* long_open opens a packet, after which g->st is the connection it is of: the side that sent it, or -1. */
static int long_open(struct reading *g, const struct long_head *h, struct slice in, struct quic_opened *o) {
    struct quic_closed c = {
        .packet = slice_head(in, h->end),
        .number_at = h->number_at,
        .version = h->version,
        .space = h->type == INITIAL     ? QUIC_FIRST
                 : h->type == HANDSHAKE ? QUIC_HANDSHAKE
                                        : QUIC_DATA,
        .early = h->type == ZERO_RTT,
        .first = g->first,
        .id = h->to,
    };
    return g->path && g->opens ? quic_path_open(g->d, g->path, &c, &g->st, o) : -1;
}

/* connection_count gives a connection its number. */
static void connection_count(struct decode *d, struct quic_state *st) {
    if (st && !st->connection && d->quic_connections) st->connection = ++*d->quic_connections;
}

/* connection_show says at the place `to` of a datagram's first packet which connection it is of. */
static void connection_show(const struct reading *g, uint32_t off, uint32_t to) {
    struct decode *d = g->d;
    uint32_t from = d->out->n;
    if (!g->first || !g->st || !g->st->connection) return;
    fv_open(d->out, FID_QUIC_CONNECTION, off, 0);
    fv_u(d->out, FID_QUIC_CONNECTION_NUMBER, off, 0, g->st->connection - 1);
    fv_close(d->out);
    if (d->out->n > from) d_move_back(d, to, from);
}

static void long_read(struct reading *g, struct reader *r) {
    struct decode *d = g->d;
    struct long_head h;
    enum {
        SAMPLE_END = 4 + 16
    }; /* behind the number's place: what its protection is taken off with (RFC 9001 5.4.2) */
    struct quic_opened opened, *o = NULL;
    struct slice in = rd_rest(r);
    uint32_t off = rd_off(r);
    int side = -1;
    bool whole = head_find(in, &h);
    if (whole && g->first) g->version = h.version, g->id = h.to;
    if (whole && h.version && h.type == RETRY && g->st) quic_path_retry(g->path, d->from);
    if (whole && h.number_at) side = long_open(g, &h, in, &opened);
    if (whole && g->st && (side >= 0 || !g->st->own_sure[d->from])) {
        quic_id_set(&g->st->own[d->from], h.from);
        g->st->own_sure[d->from] = side >= 0;
    }
    if (side >= 0) o = &opened;
    if (whole && h.version && h.type == INITIAL) connection_count(d, g->st);
    bits_read(d, off, in.p[0], h.version, o);
    rd_skip(r, 1);
    get_be32(d, r, FID_QUIC_VERSION);
    id_read(d, r, FID_QUIC_DCIL, FID_QUIC_DCID);
    id_read(d, r, FID_QUIC_SCIL, FID_QUIC_SCID);
    if (!h.version) { /* negotiation: the versions the server has (RFC 8999 6) */
        while (rd_left(r) >= 4) get_be32(d, r, FID_QUIC_SUPPORTED_VERSION);
    } else if (h.type == RETRY) {
        if (rd_left(r) > QUIC_TAG) get_bytes(d, r, FID_QUIC_RETRY_TOKEN, rd_left(r) - QUIC_TAG);
        get_bytes(d, r, FID_QUIC_RETRY_INTEGRITY_TAG, QUIC_TAG);
    } else {
        uint64_t token = h.type == INITIAL ? get_quic_number(d, r, FID_QUIC_TOKEN_LENGTH) : 0;
        if (token && rd_ok(r)) get_bytes(d, r, FID_QUIC_TOKEN, token < SIZE_MAX ? (size_t)token : SIZE_MAX);
        uint64_t length = get_quic_number(d, r, FID_QUIC_LENGTH);
        payload_read(d, r, length < SIZE_MAX ? (size_t)length : SIZE_MAX, FID_QUIC_PAYLOAD, o);
        if (h.type != INITIAL) why_add(g, off);
        else if (d->cut && in.n < h.number_at + SAMPLE_END) d_bad(d, r);
        if (o && h.type == HANDSHAKE && d->ops->known_as) d->ops->known_as(d, h.from);
        if (o) frames_read(g, side, o, off);
    }
}

/* part_size returns where the first of several packets with short headers ends, 0 where there is but one: a sender that
 * leaves it to its interface to make datagrams of many packets may be captured before that is done, and then the next
 * packet begins with the same connection id. */
static size_t part_size(struct slice in, struct slice id) {
    enum { ID_SURE = 4 }; /* bytes that do not stand elsewhere by chance */
    const uint8_t *rest = id.p + id.n;
    const uint8_t *again = id.n < ID_SURE ? NULL : memmem(rest, in.n - 1 - id.n, id.p, id.n);
    return again ? (size_t)(again - in.p) - 1 : 0;
}

/* short_head is what is known of a packet with a short header. */
struct short_head {
    struct slice id; /* the connection id, whose length is known to its receiver only; empty: not known */
    size_t n;        /* bytes of the packet */
};

/* short_try opens a packet with a short header whose connection id has `id_n` bytes: the side that sent it, or -1. */
static int short_try(struct decode *d, struct quic_state *st, struct slice in, size_t id_n, struct short_head *h,
                     struct quic_opened *o) {
    enum { DATAGRAM_MOST = 1500 };
    struct slice id = slice_head(slice_tail(in, 1), id_n);
    bool many = in.n > DATAGRAM_MOST; /* it is likely that they are several */
    int side = d->from != st->client;
    for (int i = 0; i < 2; i++, many = !many) {
        size_t n = many ? part_size(in, id) : in.n;
        struct quic_closed c = {
            .packet = slice_head(in, n), .number_at = 1 + id.n, .version = st->version, .space = QUIC_DATA};
        if (!n || !quic_session_open(d, st, side, &c, o)) continue;
        *h = (struct short_head){id, n};
        return side;
    }
    return -1;
}

/* short_open opens a packet with a short header: the side that sent it, or -1. It is for the id the receiver has from
 * the beginning, or for one it gave later. */
static int short_open(struct decode *d, struct quic_state *st, struct slice in, struct short_head *h,
                      struct quic_opened *o) {
    struct quic_session *q = quic_session_of(st);
    size_t own = st->own[!d->from].n;
    uint32_t others = q ? q->side[d->from == st->client].id_lengths & ~(1u << own) : 0;
    int side = st->has_keys && st->tls.session ? short_try(d, st, in, own, h, o) : -1;
    for (size_t size = 0; side < 0 && others >> size; size++)
        if (others >> size & 1) side = short_try(d, st, in, size, h, o);
    return side;
}

/* short_find opens a packet with a short header, after which g->st is the connection it is of. */
static int short_find(struct reading *g, struct slice in, struct short_head *h, struct quic_opened *o) {
    struct quic_path *p = g->path;
    *h = (struct short_head){.n = in.n};
    for (g->st = p && g->opens ? &p->now : NULL; g->st; g->st = g->st == &p->now ? p->next : NULL) {
        int side = short_open(g->d, g->st, in, h, o);
        if (side >= 0) return side;
    }
    if (!p) return -1;
    g->st = &p->now;
    struct slice own = quic_id_slice(&p->now.own[!g->d->from]);
    if (slice_starts(slice_tail(in, 1), own)) h->id = slice_head(slice_tail(in, 1), own.n);
    return -1;
}

static void short_read(struct reading *g, struct reader *r) {
    struct decode *d = g->d;
    uint32_t off = rd_off(r);
    uint8_t first = (uint8_t)rd_peek(r, 0);
    struct short_head h;
    struct quic_opened o;
    int side = short_find(g, rd_rest(r), &h, &o);
    fv_open(d->out, FID_QUIC_SHORT, off, (uint32_t)h.n);
    fv_u(d->out, FID_QUIC_HEADER_FORM, off, 1, 0);
    fv_u(d->out, FID_QUIC_FIXED_BIT, off, 1, first >> 6 & 1);
    fv_u(d->out, FID_QUIC_SPIN_BIT, off, 1, first >> 5 & 1);
    if (side >= 0) {
        fv_u(d->out, FID_QUIC_SHORT_RESERVED, off, 1, o.first >> 3 & 3);
        fv_u(d->out, FID_QUIC_KEY_PHASE, off, 1, o.first >> 2 & 1);
        fv_u(d->out, FID_QUIC_NUMBER_LENGTH, off, 1, o.first & 3);
    }
    rd_skip(r, 1);
    if (h.id.n) get_bytes(d, r, FID_QUIC_DCID, h.id.n);
    payload_read(d, r, h.n - 1 - h.id.n, FID_QUIC_PROTECTED_PAYLOAD, side >= 0 ? &o : NULL);
    fv_close(d->out);
    why_add(g, off);
    if (side >= 0) frames_read(g, side, &o, off);
}

/* belongs tells whether what follows a packet in its datagram is another one for the same connection (RFC 9000 12.2).
 */
static bool belongs(const struct reading *g, struct slice in) {
    struct long_head h;
    if (!g->version) return true; /* a short header came first, and nothing follows it */
    if (in.p[0] & LONG) return head_find(in, &h) && h.version == g->version && slice_eq(h.to, g->id);
    return g->id.n ? slice_starts(slice_tail(in, 1), g->id) : (in.p[0] & FIXED) != 0;
}

/* padding_read shows the end of a datagram that is no packet. */
static void padding_read(struct decode *d, struct reader *r) {
    uint32_t off = rd_off(r), n = (uint32_t)rd_left(r);
    d_begin_inside(d, &proto_quic, off, n);
    d_anomaly(d, FID_QUIC_COALESCED_PADDING, off, n);
    rd_skip(r, n);
    d_end(d);
}

static void packet_read(struct reading *g, struct reader *r) {
    struct decode *d = g->d;
    uint32_t off = rd_off(r), at = d_begin(d, &proto_quic, off, (uint32_t)rd_left(r));
    uint32_t length = d->out->n; /* the place of the packet's length */
    fv_gen(fv_u(d->out, FID_QUIC_PACKET_LENGTH, off, 0, 0));
    if (rd_peek(r, 0) & LONG) long_read(g, r);
    else short_read(g, r);
    uint32_t n = rd_off(r) - off;
    fv_set_len(d->out, at, n);
    if (length < d->out->n && d->out->v[length].id == FID_QUIC_PACKET_LENGTH) d->out->v[length].u = n;
    connection_show(g, off, length);
    if (!rd_ok(r)) d_bad(d, r);
    d_end(d);
    if (g->st && g->st->plain) quic_streams_read(d, g->st);
    if (g->path) quic_path_settle(g->path, g->st);
}

static void quic_read(struct decode *d, struct slice in) {
    struct reading g = {.d = d, .first = true};
    g.path = d->ops->udp_state && !d->quoted ? d->ops->udp_state(d, &proto_quic) : NULL;
    if (g.path) g.path->now.plain = NULL;
    if (g.path && g.path->next) g.path->next->plain = NULL;
    g.opens = want_any(d->out->want, FID_QUIC_LONG_RESERVED, FID_QUIC_END) ||
              want_any(d->out->want, FID_TLS, FID_TLS_END) || d_wants(d, FID_FRAME_PROTOCOLS) ||
              (d->tls_keys && (d->tls_keys->any || d->tls_keys->expected));
    struct reader r = d_reader(d, in);
    for (unsigned i = 0; i < PACKETS_MAX && rd_ok(&r) && rd_left(&r); i++) {
        g.st = g.path ? &g.path->now : NULL;
        if (!g.first && !belongs(&g, rd_rest(&r))) padding_read(d, &r);
        else packet_read(&g, &r);
        g.first = false;
    }
}

/* quic_owns opens the packet, which then is opened again when it is read: there is one for each move. */
static bool quic_owns(struct decode *d, void *state, struct slice name, struct slice in) {
    struct quic_path *p = state;
    struct short_head h;
    struct quic_opened o;
    for (struct quic_state *st = &p->now; st; st = st == &p->now ? p->next : NULL) {
        int side = st->has_keys && st->tls.session ? short_try(d, st, in, name.n, &h, &o) : -1;
        if (side < 0) continue;
        quic_session_of(st)->side[!side].id_lengths |= 1u << name.n;
        return true;
    }
    return false;
}

static void quic_end(void *state) { quic_path_end(state); }

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
    const struct fval *phase = fv_first(v, FID_QUIC_KEY_PHASE, at, end);
    if (!form->u) wr_s(w, phase && phase->u ? "Protected Payload (KP1)" : "Protected Payload (KP0)");
    else if (version && !version->u) wr_s(w, "Version Negotiation");
    else if (type && version)
        wr_s(w,
             field_value_name(&vals_quic_long_packet_type, long_type((uint8_t)(type->u << 4), (uint32_t)version->u)));
    id_say(w, ", DCID=", fv_first(v, FID_QUIC_DCID, at, end));
    id_say(w, ", SCID=", fv_first(v, FID_QUIC_SCID, at, end));
    const struct fval *number = fv_first(v, FID_QUIC_NUMBER, at, end);
    if (number) wr_number(w, ", PKN: ", number->u, "");
    for (uint32_t i = at; i < end; i++)
        if (v->v[i].id == FID_QUIC_FRAME) quic_frame_say(w, v, i);
}

static const uint16_t info_fields[] = {
    FID_QUIC_HEADER_FORM, FID_QUIC_VERSION,    FID_QUIC_LONG_PACKET_TYPE, FID_QUIC_LONG_PACKET_TYPE_V2,
    FID_QUIC_DCID,        FID_QUIC_SCID,       FID_QUIC_NUMBER,           FID_QUIC_FRAME,
    FID_QUIC_STREAM_ID,   FID_QUIC_MAX_STREAM, FID_QUIC_KEY_PHASE,        0};
static const struct stream_ops kept = {.state_size = sizeof(struct quic_path), .end = quic_end, .owns = quic_owns};
const struct proto proto_quic = {.name = "quic",
                                 .column = "QUIC",
                                 .id = FID_QUIC,
                                 .end = FID_QUIC_END,
                                 .read = quic_read,
                                 .stream = &kept,
                                 .recognises = quic_recognises,
                                 .certain = true,
                                 .info = quic_info,
                                 .info_fields = info_fields,
                                 .info_last = true,
                                 .label = quic_label};
