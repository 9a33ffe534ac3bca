/* SPDX-License-Identifier: Apache-2.0 */
/* The frames of packets (RFC 9000 19, RFC 9221 4). */
#include "proto/protos.h"
#include "proto/quic/quic.h"

/* RFC 9000 19.3 */
static void ack_read(struct decode *d, struct reader *r, bool ecn) {
    get_quic_number(d, r, FID_QUIC_ACK_LARGEST);
    get_quic_number(d, r, FID_QUIC_ACK_DELAY);
    uint64_t ranges = get_quic_number(d, r, FID_QUIC_ACK_RANGE_COUNT);
    get_quic_number(d, r, FID_QUIC_ACK_FIRST_RANGE);
    for (uint64_t i = 0; rd_ok(r) && i < ranges; i++) {
        get_quic_number(d, r, FID_QUIC_ACK_GAP);
        get_quic_number(d, r, FID_QUIC_ACK_RANGE);
    }
    if (!ecn) return;
    get_quic_number(d, r, FID_QUIC_ACK_ECT0);
    get_quic_number(d, r, FID_QUIC_ACK_ECT1);
    get_quic_number(d, r, FID_QUIC_ACK_CE);
}

/* RFC 9000 19.19 */
static void close_read(struct decode *d, struct reader *r, bool app) {
    enum { CRYPTO_ERROR = 0x0100 };
    uint32_t off = rd_off(r);
    uint64_t code = get_quic_number(d, r, app ? FID_QUIC_CLOSE_APP_CODE : FID_QUIC_CLOSE_CODE);
    if (rd_ok(r) && !app && code >> 8 == CRYPTO_ERROR >> 8)
        fv_u(d->out, FID_QUIC_CLOSE_ALERT, off, rd_off(r) - off, code & 0xff);
    if (!app) get_quic_number(d, r, FID_QUIC_CLOSE_FRAME);
    uint64_t n = get_quic_number(d, r, FID_QUIC_CLOSE_REASON_LEN);
    get_bytes(d, r, FID_QUIC_CLOSE_REASON, n < SIZE_MAX ? (size_t)n : SIZE_MAX);
}

/* opened is the packet being read. */
struct opened {
    struct decode *d;
    struct quic_state *st;
    int side;
    enum quic_space space;
};

static void crypto_read(const struct opened *p, struct reader *r) {
    struct decode *d = p->d;
    uint64_t off = get_quic_number(d, r, FID_QUIC_CRYPTO_OFFSET);
    uint64_t n = get_quic_number(d, r, FID_QUIC_CRYPTO_LENGTH);
    uint32_t at = rd_off(r);
    struct slice bytes = rd_take(r, n < SIZE_MAX ? (size_t)n : SIZE_MAX);
    if (!rd_ok(r)) return;
    fv_add(d->out, FID_QUIC_CRYPTO_DATA, at, (uint32_t)bytes.n);
    quic_crypto_take(d, p->st, p->space, p->side, off, bytes);
}

/* RFC 9000 19.8 */
static void stream_read(const struct opened *p, uint64_t type, struct reader *r) {
    enum { FIN = 1, LEN = 2, OFF = 4 };
    struct decode *d = p->d;
    uint32_t at = rd_off(r) - 1;
    d->out->depth++; /* the bits are those of the type */
    fv_u(d->out, FID_QUIC_STREAM_FIN, at, 1, type & FIN);
    fv_u(d->out, FID_QUIC_STREAM_LEN, at, 1, type >> 1 & 1);
    fv_u(d->out, FID_QUIC_STREAM_OFF, at, 1, type >> 2 & 1);
    d->out->depth--;
    at = rd_off(r);
    uint64_t id = get_quic_number(d, r, FID_QUIC_STREAM_ID);
    d->out->depth++;
    fv_u(d->out, FID_QUIC_STREAM_INITIATOR, at, rd_off(r) - at, id & 1);
    fv_u(d->out, FID_QUIC_STREAM_DIRECTION, at, rd_off(r) - at, id >> 1 & 1);
    d->out->depth--;
    uint64_t off = type & OFF ? get_quic_number(d, r, FID_QUIC_STREAM_OFFSET) : 0;
    uint64_t n = type & LEN ? get_quic_number(d, r, FID_QUIC_STREAM_LENGTH) : rd_left(r);
    struct slice bytes = get_bytes(d, r, FID_QUIC_STREAM_DATA, n < SIZE_MAX ? (size_t)n : SIZE_MAX);
    if (rd_ok(r) && p->space == QUIC_DATA) quic_stream_take(d, p->st, p->side, id, off, bytes, type & FIN);
}

/* RFC 9000 19.4 */
static void reset_read(const struct opened *p, struct reader *r) {
    uint64_t id = get_quic_number(p->d, r, FID_QUIC_RESET_STREAM);
    get_quic_number(p->d, r, FID_QUIC_RESET_CODE);
    get_quic_number(p->d, r, FID_QUIC_RESET_SIZE);
    if (rd_ok(r) && p->space == QUIC_DATA) quic_stream_reset(p->st, p->side, id);
}

/* RFC 9000 19.7 */
static void token_read(struct decode *d, struct reader *r) {
    uint64_t n = get_quic_number(d, r, FID_QUIC_NEW_TOKEN_LENGTH);
    get_bytes(d, r, FID_QUIC_NEW_TOKEN, n < SIZE_MAX ? (size_t)n : SIZE_MAX);
}

/* RFC 9000 19.15 */
static void new_id_read(const struct opened *p, struct reader *r) {
    enum { TOKEN = 16 };
    struct decode *d = p->d;
    struct quic_session *q = quic_session_of(p->st);
    get_quic_number(d, r, FID_QUIC_NEW_ID_SEQUENCE);
    get_quic_number(d, r, FID_QUIC_NEW_ID_RETIRE);
    uint8_t n = get_u8(d, r, FID_QUIC_NEW_ID_LENGTH);
    struct slice id = get_bytes(d, r, FID_QUIC_NEW_ID, n);
    get_bytes(d, r, FID_QUIC_NEW_ID_TOKEN, TOKEN);
    if (!rd_ok(r) || n > QUIC_ID_MAX) return;
    if (q) q->side[p->side].id_lengths |= 1u << n;
    if (d->ops->known_as) d->ops->known_as(d, id);
}

/* RFC 9221 4 */
static void datagram_read(struct decode *d, struct reader *r, bool has_length) {
    uint64_t n = has_length ? get_quic_number(d, r, FID_QUIC_DATAGRAM_LENGTH) : rd_left(r);
    get_bytes(d, r, FID_QUIC_DATAGRAM, n < SIZE_MAX ? (size_t)n : SIZE_MAX);
}

static void frequency_read(struct decode *d, struct reader *r) {
    static const struct d_row last[] = {
        {FID_QUIC_AF_LAST, 1}, {FID_QUIC_AF_RESERVED, 0}, {FID_QUIC_AF_IGNORE_ORDER, 0}, {FID_QUIC_AF_IGNORE_CE, 0}};
    get_quic_number(d, r, FID_QUIC_AF_SEQUENCE);
    get_quic_number(d, r, FID_QUIC_AF_THRESHOLD);
    get_quic_number(d, r, FID_QUIC_AF_DELAY);
    d_rows(d, r, D_ROWS(last));
}

/* padding_read reads a run of zeros, the first of which is read already. */
static void padding_read(struct decode *d, struct reader *r) {
    uint32_t off = rd_off(r);
    while (rd_peek(r, 0) == QUIC_PADDING) rd_skip(r, 1);
    fv_gen(fv_u(d->out, FID_QUIC_PADDING_LENGTH, off, 0, rd_off(r) - off + 1));
}

/* The frames: their words in the Info column, and the numbers that those consist of which consist of nothing else. */
enum { NUMBERS_MAX = 2 };
static const struct frame_kind {
    uint16_t first, last;
    const char *word;
    uint16_t number[NUMBERS_MAX];
} kinds[] = {
    {QUIC_PADDING, QUIC_PADDING, "PADDING", {0}},
    {QUIC_PING, QUIC_PING, "PING", {0}},
    {QUIC_ACK, QUIC_ACK, "ACK", {0}},
    {QUIC_ACK_ECN, QUIC_ACK_ECN, "ACK_ECN", {0}},
    {QUIC_RESET_STREAM, QUIC_RESET_STREAM, "RS", {0}},
    {QUIC_STOP_SENDING, QUIC_STOP_SENDING, "SS", {FID_QUIC_STOP_STREAM, FID_QUIC_STOP_CODE}},
    {QUIC_CRYPTO, QUIC_CRYPTO, "CRYPTO", {0}},
    {QUIC_NEW_TOKEN, QUIC_NEW_TOKEN, "NT", {0}},
    {QUIC_STREAM, QUIC_STREAM_LAST, "STREAM", {0}},
    {QUIC_MAX_DATA, QUIC_MAX_DATA, "MD", {FID_QUIC_MAX_DATA}},
    {QUIC_MAX_STREAM_DATA, QUIC_MAX_STREAM_DATA, "MSD", {FID_QUIC_MAX_STREAM, FID_QUIC_MAX_STREAM_DATA}},
    {QUIC_MAX_STREAMS_BIDI, QUIC_MAX_STREAMS_UNI, "MS", {FID_QUIC_MAX_STREAMS}},
    {QUIC_DATA_BLOCKED, QUIC_DATA_BLOCKED, "DB", {FID_QUIC_BLOCKED_DATA}},
    {QUIC_STREAM_DATA_BLOCKED, QUIC_STREAM_DATA_BLOCKED, "SDB", {FID_QUIC_BLOCKED_STREAM, FID_QUIC_BLOCKED_DATA}},
    {QUIC_STREAMS_BLOCKED_BIDI, QUIC_STREAMS_BLOCKED_UNI, "SB", {FID_QUIC_BLOCKED_STREAMS}},
    {QUIC_NEW_CONNECTION_ID, QUIC_NEW_CONNECTION_ID, "NCI", {0}},
    {QUIC_RETIRE_CONNECTION_ID, QUIC_RETIRE_CONNECTION_ID, "RC", {FID_QUIC_RETIRE_SEQUENCE}},
    {QUIC_PATH_CHALLENGE, QUIC_PATH_CHALLENGE, "PC", {0}},
    {QUIC_PATH_RESPONSE, QUIC_PATH_RESPONSE, "PR", {0}},
    {QUIC_CLOSE, QUIC_CLOSE_APP, "CC", {0}},
    {QUIC_HANDSHAKE_DONE, QUIC_HANDSHAKE_DONE, "DONE", {0}},
    {QUIC_DATAGRAM, QUIC_DATAGRAM_LEN, "DG", {0}},
    {QUIC_IMMEDIATE_ACK, QUIC_IMMEDIATE_ACK, "IA", {0}},
    {QUIC_ACK_FREQUENCY, QUIC_ACK_FREQUENCY, "AF", {0}},
    {QUIC_TIME_STAMP, QUIC_TIME_STAMP, "TS", {FID_QUIC_TIME_STAMP}},
};

static const struct frame_kind *kind_of(uint64_t type) {
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (type >= kinds[i].first && type <= kinds[i].last) return &kinds[i];
    return NULL;
}

/* body_read reads what follows a frame's type; false where nobody knows the type. */
static bool body_read(const struct opened *p, uint64_t type, struct reader *r) {
    enum { PATH = 8 };
    struct decode *d = p->d;
    const struct frame_kind *kind = kind_of(type);
    if (!kind) return false;
    for (unsigned i = 0; i < NUMBERS_MAX && kind->number[i]; i++) get_quic_number(d, r, kind->number[i]);
    switch (kind->first) {
    case QUIC_PADDING: padding_read(d, r); break;
    case QUIC_ACK:
    case QUIC_ACK_ECN: ack_read(d, r, type == QUIC_ACK_ECN); break;
    case QUIC_CRYPTO: crypto_read(p, r); break;
    case QUIC_RESET_STREAM: reset_read(p, r); break;
    case QUIC_NEW_TOKEN: token_read(d, r); break;
    case QUIC_STREAM: stream_read(p, type, r); break;
    case QUIC_NEW_CONNECTION_ID: new_id_read(p, r); break;
    case QUIC_PATH_CHALLENGE: get_bytes(d, r, FID_QUIC_PATH_CHALLENGE, PATH); break;
    case QUIC_PATH_RESPONSE: get_bytes(d, r, FID_QUIC_PATH_RESPONSE, PATH); break;
    case QUIC_CLOSE: close_read(d, r, type == QUIC_CLOSE_APP); break;
    case QUIC_DATAGRAM: datagram_read(d, r, type == QUIC_DATAGRAM_LEN); break;
    case QUIC_ACK_FREQUENCY: frequency_read(d, r); break;
    default: break;
    }
    return true;
}

void quic_frames_read(struct decode *d, struct quic_state *st, int side, const struct quic_opened *o, uint8_t src,
                      uint32_t at) {
    struct opened p = {d, st, side, (enum quic_space)o->space};
    struct fvec *v = d->out;
    uint8_t outer = v->src;
    bool known = true;
    v->src = src;
    struct reader r = d_reader(d, o->plain);
    while (known && rd_ok(&r) && rd_left(&r)) {
        uint32_t off = rd_off(&r);
        v->src = outer; /* its entry stands in the packet as it came */
        uint32_t entry = fv_open(v, FID_QUIC_FRAME, at + off, 0);
        v->src = src;
        uint64_t type = get_quic_number(d, &r, FID_QUIC_FRAME_TYPE);
        if (type == QUIC_STREAM && quic_googles(st->version)) type = QUIC_CRYPTO; /* its number there */
        known = body_read(&p, type, &r);
        if (!known) d_anomaly(d, FID_QUIC_FRAME_UNKNOWN, off, rd_off(&r) - off);
        fv_set_len(v, entry, rd_off(&r) - off);
        struct fval *f = fv_at(v, entry);
        if (f) f->u = type;
        fv_close(v);
    }
    if (!rd_ok(&r)) d_bad(d, &r);
    v->src = outer;
}

static const char *frame_name(uint64_t type) {
    const char *name = field_value_name(&vals_quic_frame_type, type);
    return name ? name : "Unknown";
}

void quic_frame_say(struct writer *w, const struct fvec *v, uint32_t at) {
    uint32_t end = fv_end(v, at);
    uint64_t type = v->v[at].u;
    const struct frame_kind *kind = kind_of(type);
    const struct fval *id =
        fv_first(v, type == QUIC_MAX_STREAM_DATA ? FID_QUIC_MAX_STREAM : FID_QUIC_STREAM_ID, at, end);
    if (!kind) return;
    wr_s(w, ", ");
    wr_s(w, kind->word);
    if (id) wr_number(w, "(", id->u, ")");
}

static void number_say(struct writer *w, const char *before, const struct fvec *v, uint16_t id, uint32_t at) {
    const struct fval *f = fv_first(v, id, at, fv_end(v, at));
    if (f) wr_number(w, before, f->u, "");
}

static void stream_label(struct writer *w, const struct fvec *v, uint32_t at) {
    uint32_t end = fv_end(v, at);
    const struct fval *data = fv_first(v, FID_QUIC_STREAM_DATA, at, end),
                      *off = fv_first(v, FID_QUIC_STREAM_OFFSET, at, end);
    number_say(w, " id=", v, FID_QUIC_STREAM_ID, at);
    number_say(w, " fin=", v, FID_QUIC_STREAM_FIN, at);
    wr_number(w, " off=", off ? off->u : 0, "");
    wr_number(w, " len=", data ? data->len : 0, " dir=");
    fv_value_say(w, v, FID_QUIC_STREAM_DIRECTION, at, end);
    wr_s(w, " origin=");
    fv_value_say(w, v, FID_QUIC_STREAM_INITIATOR, at, end);
}

static void frame_label(struct writer *w, const struct fvec *v, uint32_t at) {
    uint64_t type = v->v[at].u;
    wr_s(w, frame_name(type));
    number_say(w, " Length: ", v, FID_QUIC_PADDING_LENGTH, at);
    number_say(w, " id=", v, FID_QUIC_RESET_STREAM, at);
    number_say(w, " id=", v, FID_QUIC_STOP_STREAM, at);
    number_say(w, " id=", v, FID_QUIC_MAX_STREAM, at);
    if (type >= QUIC_STREAM && type <= QUIC_STREAM_LAST) stream_label(w, v, at);
    const struct fval *code = fv_first(v, FID_QUIC_CLOSE_CODE, at, fv_end(v, at));
    const char *word = code ? field_value_name(&vals_quic_error, code->u) : NULL;
    if (type == QUIC_CLOSE && code) wr_f(w, " Error code: %s", word ? word : "Unknown");
}

static void fragments_label(struct writer *w, const struct fvec *v, uint32_t at) {
    uint32_t end = fv_end(v, at), count = 0;
    for (uint32_t i = at; i < end; i++) count += v->v[i].id == FID_QUIC_CRYPTO_FRAGMENT;
    wr_f(w, "%u Reassembled QUIC CRYPTO Data Fragments (%u bytes):", count, v->v[at].len);
    const char *between = " ";
    for (uint32_t i = at; i < end; i++) {
        if (v->v[i].id != FID_QUIC_CRYPTO_FRAGMENT) continue;
        wr_f(w, "%s#%u(%u)", between, (unsigned)v->v[i].u, v->v[i].len);
        between = ", ";
    }
}

bool quic_label(struct writer *w, const struct fvec *v, uint32_t at) {
    const struct fval *f = &v->v[at];
    switch (f->id) {
    case FID_QUIC_FRAME: frame_label(w, v, at); return true;
    case FID_QUIC_FRAME_TYPE:
        wr_f(w, "Frame Type: %s (0x%016llx)", frame_name(f->u), (unsigned long long)f->u);
        return true;
    case FID_QUIC_CRYPTO_FRAGMENTS: fragments_label(w, v, at); return true;
    case FID_QUIC_CRYPTO_FRAGMENT:
        wr_f(w, "Frame: %llu, payload: %u-%u (%u byte%s)", (unsigned long long)f->u, f->off, f->off + f->len - 1,
             f->len, f->len == 1 ? "" : "s");
        return true;
    default: return false;
    }
}
