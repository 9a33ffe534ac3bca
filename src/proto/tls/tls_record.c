/* SPDX-License-Identifier: Apache-2.0 */
/* The record layer: RFC 8446 5, RFC 5246 6.2; hellos of SSL 2.0 as in RFC 5246 appendix E.2. */
#include "proto/protos.h"
#include "proto/tls/tls_session.h"

enum {
    HEADER = 5,
    RECORD_MOST = 0x4000 + 2048, /* RFC 5246 6.2.3 */
    V2_LEAST = 11,               /* a ClientHello of SSL 2.0 with nothing in it */
};

enum kind { KIND_RECORD, KIND_V2, KIND_JUNK };

/* cut is what stands at the front of the stream. */
struct cut {
    enum kind kind;
    bool whole;
    size_t size; /* bytes, header included; 0: not known */
};

static bool content_known(uint8_t type) { return type >= TLS_CONTENT_CCS && type <= TLS_CONTENT_CID; }
static bool version_known(uint16_t v) { return (v >= SSL3 && v <= TLS13) || v == GMTLS || v >> 8 == 0x7f; }

static bool looks_v2(struct slice in) {
    if (in.n < HEADER || !(in.p[0] & 0x80) || in.p[2] != CLIENT_HELLO) return false;
    uint16_t version = load_be16(in.p + 3);
    return (version == SSL2 || (version >= SSL3 && version <= TLS12)) && (load_be16(in.p) & 0x7fff) >= V2_LEAST - 2;
}

/* is_text tells whether the bytes are words: they begin no record, and are the middle of one very rarely. */
static bool is_text(struct slice in) {
    enum { LETTERS = 4 };
    for (size_t i = 0; i < LETTERS; i++)
        if (in.n < HEADER || in.p[i] < ' ' || in.p[i] > '~') return false;
    return true;
}

/* header_find returns where a record may begin behind bytes that belong to one whose beginning was lost: at a header of
 * the session's that is followed by another, or by the end of what is there. */
static size_t header_find(const struct tls_state *st, struct slice in) {
    uint16_t version = st->version == TLS13 ? TLS12 : st->version;
    for (size_t i = 1; i < in.n; i++) {
        struct slice at = slice_tail(in, i);
        if (at.p[0] < TLS_CONTENT_CCS || at.p[0] > TLS_CONTENT_HEARTBEAT) continue;
        if (at.n > 1 && at.p[1] != version >> 8) continue;
        if (at.n > 2 && at.p[2] != (version & 0xff)) continue;
        if (at.n < HEADER) return i;
        size_t len = load_be16(at.p + 3);
        struct slice next = slice_tail(at, HEADER + len);
        if (len && len <= RECORD_MOST && (next.n < 3 || load_be16(next.p + 1) == version)) return i;
    }
    return in.n;
}

static struct cut cut_next(const struct tls_state *st, int from, struct slice in) {
    struct cut c = {.kind = KIND_RECORD};
    if (in.n < HEADER) return c;
    if (content_known(in.p[0]) && version_known(load_be16(in.p + 1))) {
        c.size = (size_t)HEADER + load_be16(in.p + 3);
    } else if (!st->version && looks_v2(in)) {
        c.kind = KIND_V2;
        c.size = (size_t)2 + (load_be16(in.p) & 0x7fff);
    } else {
        c.kind = KIND_JUNK;
        c.size = tls_session_searches(st, from) ? header_find(st, in) : in.n;
    }
    c.whole = c.size <= in.n;
    return c;
}

/* session_learn takes the version from a record that tells it: not from a ClientHello, whose record has the lowest one,
 * and not from a ServerHello of TLS 1.3, which names it in an extension. */
static void session_learn(struct tls_state *st, uint8_t type, uint16_t version, struct slice body) {
    if (st->version || version < SSL3 || version > TLS13) return;
    if (type == TLS_CONTENT_HANDSHAKE && (!body.n || body.p[0] == CLIENT_HELLO || !tls_message_name(body.p[0]))) return;
    st->version = version;
}

static void ccs_read(struct decode *d, struct tls_state *st, int from, struct slice body) {
    uint32_t off = d_off(d, body.p);
    fv_open(d->out, FID_TLS_CCS, off, body.n ? 1 : 0);
    /* In TLS 1.3 the message says nothing (RFC 8446 5). */
    if (st->version != TLS13) {
        if (from == 1 && !st->changed[1] && st->has_suite && !st->hello_done) d_anomaly(d, FID_TLS_RESUMED, off, 0);
        st->changed[from] = true;
        tls_session_ccs(st, from);
    }
    fv_close(d->out);
}

static void mark(struct decode *d, uint32_t at, uint16_t extra) {
    struct fval *f = fv_at(d->out, at);
    if (f) f->extra = extra;
}

enum { CLOSE_NOTIFY = 0 };

static void alert_read(struct decode *d, struct tls_state *st, int from, struct slice body) {
    struct reader r = d_reader(d, body);
    uint32_t at = fv_open(d->out, FID_TLS_ALERT, rd_off(&r), (uint32_t)body.n);
    if (body.n == 2 && body.p[0] >= 1 && body.p[0] <= 2 && field_value_name(&vals_tls_alert, body.p[1])) {
        get_u8(d, &r, FID_TLS_ALERT_LEVEL);
        if (get_u8(d, &r, FID_TLS_ALERT_DESC) == CLOSE_NOTIFY && st->opened) tls_session_closed(st, from);
    } else {
        mark(d, at, TLS_EXTRA_ENCRYPTED);
    }
    fv_close(d->out);
}

static void heartbeat_read(struct decode *d, const struct tls_state *st, int from, struct slice body) {
    struct reader r = d_reader(d, body);
    uint32_t at = fv_open(d->out, FID_TLS_HEARTBEAT, rd_off(&r), (uint32_t)body.n);
    bool clear =
        body.n >= 3 && body.p[0] >= 1 && body.p[0] <= 2 && (st->opened || (!st->changed[from] && st->version != TLS13));
    if (clear) {
        get_u8(d, &r, FID_TLS_HEARTBEAT_TYPE);
        uint32_t off = rd_off(&r);
        size_t len = get_be16(d, &r, FID_TLS_HEARTBEAT_LEN);
        /* RFC 6520 4: at least 16 bytes of padding follow. */
        if (len + 16 > rd_left(&r)) d_anomaly(d, FID_TLS_BAD_HEARTBEAT, off, 2);
        get_bytes(d, &r, FID_TLS_HEARTBEAT_PAYLOAD, len < rd_left(&r) ? len : rd_left(&r));
        if (rd_left(&r)) get_bytes(d, &r, FID_TLS_HEARTBEAT_PADDING, rd_left(&r));
    } else {
        mark(d, at, TLS_EXTRA_ENCRYPTED);
    }
    fv_close(d->out);
}

/* reading is what reading the records of a segment collects. */
struct reading {
    struct decode *d;
    struct tls_state *st;
    int from;
    struct tls_plain *first, **last; /* application data that was opened */
};

/* data_read shows application data as it came, and puts what it says aside until the layer is complete. */
static void data_read(struct reading *g, uint32_t at, struct slice body, const struct tls_opened *o, uint8_t source) {
    struct decode *d = g->d;
    fv_s(d->out, FID_TLS_APP_DATA, d_off(d, body.p), (uint32_t)body.n, body);
    if (d_wants(d, FID_TLS_APP_PROTO)) {
        struct slice name = tls_inner_name(d, g->st);
        if (name.n) fv_s(d->out, FID_TLS_APP_PROTO, at, 0, name);
    }
    struct tls_plain *plain = o->ok ? arena_get(d->arena, sizeof *plain) : NULL;
    if (o->ok && o->plain.n && d_wants(d, FID_TLS_PLAIN)) {
        uint8_t src = d->out->src;
        d->out->src = source;
        fv_hide(fv_s(d->out, FID_TLS_PLAIN, d_off(d, o->plain.p), (uint32_t)o->plain.n, o->plain));
        d->out->src = src;
    }
    if (plain) {
        *plain = (struct tls_plain){.bytes = o->plain, .source = source, .lost = g->st->unread[g->from]};
        *g->last = plain;
        g->last = &plain->next;
    }
    g->st->unread[g->from] = !plain;
}

static void content_read(struct reading *g, uint8_t type, struct slice body) {
    switch (type) {
    case TLS_CONTENT_CCS: ccs_read(g->d, g->st, g->from, body); break;
    case TLS_CONTENT_ALERT: alert_read(g->d, g->st, g->from, body); break;
    case TLS_CONTENT_HANDSHAKE: tls_handshake_read(g->d, g->st, g->from, body); break;
    case TLS_CONTENT_HEARTBEAT: heartbeat_read(g->d, g->st, g->from, body); break;
    default: break;
    }
}

/* opened_read reads what a record holds that was decrypted. */
static void opened_read(struct reading *g, const struct tls_opened *o, uint8_t source) {
    uint8_t src = g->d->out->src;
    g->d->out->src = source;
    g->st->opened = true;
    if (o->plain.n) content_read(g, o->type, o->plain);
    g->st->opened = false;
    g->d->out->src = src;
}

static void record_read(struct reading *g, struct slice record) {
    struct decode *d = g->d;
    struct tls_state *st = g->st;
    struct reader r = d_reader(d, record);
    uint8_t type = record.p[0];
    uint32_t off = rd_off(&r);
    st->alerted[g->from] = type == TLS_CONTENT_ALERT;
    struct slice body = slice_tail(record, HEADER);
    session_learn(st, type, load_be16(record.p + 1), body);
    bool is13 = st->version == TLS13, sealed = is13 ? type == TLS_CONTENT_DATA : st->changed[g->from];
    uint32_t at = fv_open(d->out, FID_TLS_RECORD, off, (uint32_t)record.n);
    get_u8(d, &r, type == TLS_CONTENT_DATA && is13 ? FID_TLS_OPAQUE_TYPE : FID_TLS_CONTENT_TYPE);
    uint16_t version = get_be16(d, &r, FID_TLS_RECORD_VERSION);
    get_be16(d, &r, FID_TLS_RECORD_LEN);
    mark(d, at, st->version ? st->version : version);
    struct tls_opened o = {0};
    tls_open(d, st, g->from, &(struct tls_sealed){.type = type, .version = version, .body = body}, &o);
    uint8_t source = o.ok && o.plain.n ? fvec_add_source(d->out, o.plain, "Decrypted TLS") : 0;
    if (o.ok && is13) fv_gen(fv_u(d->out, FID_TLS_CONTENT_TYPE, off, 1, type = o.type));
    if (sealed) tls_readable_add(d, st, off);
    if (sealed && !o.ok) tls_gather_drop(&st->gather[g->from]); /* what it began does not go on with the next one */
    if (body.n > RECORD_MOST || (!body.n && type != TLS_CONTENT_DATA)) d_anomaly(d, FID_TLS_BAD_RECORD_LEN, off + 3, 2);
    if (type == TLS_CONTENT_DATA) data_read(g, off, body, &o, source);
    else if (source) opened_read(g, &o, source);
    else content_read(g, type, body);
    fv_close(d->out);
}

/* v2_hello_read reads a ClientHello in the clothes of SSL 2.0. */
static void v2_hello_read(struct decode *d, struct tls_state *st, struct slice record) {
    struct reader r = d_reader(d, record);
    uint32_t off = rd_off(&r);
    mark(d, fv_open(d->out, FID_TLS_RECORD, off, (uint32_t)record.n), SSL2);
    fv_gen(fv_u(d->out, FID_TLS_RECORD_VERSION, off, 0, SSL2));
    fv_u(d->out, FID_TLS_RECORD_LEN, off, 2, record.n - 2);
    rd_skip(&r, 2);
    get_u8(d, &r, FID_TLS_HS_TYPE);
    get_be16(d, &r, FID_TLS_VERSION);
    uint16_t specs = get_be16(d, &r, FID_TLS_CIPHERSPEC_LEN);
    uint16_t id = get_be16(d, &r, FID_TLS_SESSION_ID_LEN);
    uint16_t challenge = get_be16(d, &r, FID_TLS_CHALLENGE_LEN);
    struct reader list = rd_sub(&r, specs);
    if (rd_ok(&list)) fv_open(d->out, FID_TLS_SUITES, rd_off(&list), specs);
    while (rd_ok(&list) && rd_left(&list) >= 3) get_be24(d, &list, FID_TLS_CIPHERSPEC);
    if (rd_ok(&list)) fv_close(d->out);
    if (id) get_bytes(d, &r, FID_TLS_SESSION_ID, id);
    uint32_t from = rd_off(&r);
    if (rd_take(&r, challenge).n) fv_add(d->out, FID_TLS_CHALLENGE, from, challenge);
    tls_session_hello2(d, st, slice_tail(record, 2));
    if (!rd_ok(&r)) st->damaged = true;
    fv_close(d->out);
}

static void junk_read(struct decode *d, const struct tls_state *st, struct slice junk, uint32_t layer) {
    if (!st->version) {
        mark(d, layer, TLS_EXTRA_CONTINUATION);
        return;
    }
    fv_open(d->out, FID_TLS_UNKNOWN_TEXT, d_off(d, junk.p), (uint32_t)junk.n);
    d_anomaly(d, FID_TLS_IGNORED, d_off(d, junk.p), 0);
    fv_close(d->out);
}

/* rest_cut tells whether the capture left out the end of a record, where `last` says that no more of it comes;
 * what there is of it becomes a whole one, if that is more than its header. */
static bool rest_cut(const struct decode *d, struct cut *c, struct slice in, bool last) {
    if (c->whole || !d->cut || !last || !in.n) return false;
    c->whole = in.n > HEADER;
    c->size = in.n;
    return true;
}

/* tls_read reads all the records that lie whole in `in`: they are one layer. */
static struct read_result tls_read(struct decode *d, void *state, int from, struct slice in) {
    struct tls_state *st = state;
    bool over = st->alerted[0] && st->alerted[1]; /* what was in the clear before may go on (RFC 4217 12.3) */
    if (is_text(in)) return (struct read_result){.status = READ_BAD, .stranger = !st->version || over};
    struct cut c = cut_next(st, from, in);
    bool cut = rest_cut(d, &c, in, d->stream_end);
    if (!c.whole && !cut) return (struct read_result){.status = READ_MORE, .needed = c.size};
    uint32_t off = d_off(d, in.p);
    uint32_t layer = d_begin(d, &proto_tls, off, 0);
    size_t used = 0;
    uint16_t column = 0;
    struct reading g = {.d = d, .st = st, .from = from, .last = &g.first};
    while (used < in.n && c.whole) {
        struct slice one = slice_head(slice_tail(in, used), c.size);
        if (c.kind == KIND_V2) column = SSL2;
        if (c.kind == KIND_RECORD && !st->version) column = load_be16(one.p + 1);
        if (st->version) column = st->version;
        /* A ClientHello may promise a version; the column shows it when the server agreed. */
        bool first_hello = !st->version && c.kind == KIND_RECORD && c.size > HEADER && one.p[HEADER] == CLIENT_HELLO;
        mark(d, layer, column);
        if (c.kind == KIND_RECORD) record_read(&g, one);
        else if (c.kind == KIND_V2) v2_hello_read(d, st, one);
        else junk_read(d, st, one, layer);
        if (st->version && !first_hello) mark(d, layer, st->version);
        used += c.size;
        /* RFC 8446 5.1: a handshake record is never empty; where nothing follows, the message is missing */
        if (c.kind == KIND_RECORD && c.size == HEADER && one.p[0] == TLS_CONTENT_HANDSHAKE && used == in.n)
            st->damaged = true;
        c = cut_next(st, from, slice_tail(in, used));
        cut |= rest_cut(d, &c, slice_tail(in, used), true);
    }
    if (cut) used = in.n;
    fv_set_len(d->out, layer, (uint32_t)used);
    d_end(d);
    if (st->damaged || cut) { /* said here, since the records behind the message are read nevertheless */
        struct reader r = d_reader(d, slice_tail(in, used));
        st->damaged = false;
        d_bad(d, &r);
    }
    if (g.first) tls_inner_read(d, st, from, g.first);
    return (struct read_result){.status = READ_OK, .consumed = used};
}

static void tls_lost(void *state, int from) {
    struct tls_state *st = state;
    st->unread[from & 1] = true;
    tls_session_lost(st, from);
    tls_gather_drop(&st->gather[from & 1]);
}

static void tls_closed(void *state, int from) { tls_session_closed(state, from); }

static void tls_end(void *state) {
    struct tls_state *st = state;
    if (st->inner) st->inner->end(st->inner);
    tls_session_end(st);
    for (int i = 0; i < 2; i++) tls_gather_drop(&st->gather[i]);
}

/* header_likely tells whether a record may begin here: five bytes that are not found by chance. */
static bool header_likely(struct slice in) {
    if (in.n < HEADER || in.p[0] < TLS_CONTENT_CCS || in.p[0] > TLS_CONTENT_HEARTBEAT) return false;
    uint16_t version = load_be16(in.p + 1), len = load_be16(in.p + 3);
    return version >= SSL3 && version <= TLS13 && len > 0 && len <= RECORD_MOST;
}

/* tls_probe knows a stream by its record headers. Where it finds none it says no to words only: a capture may begin in
 * the middle of a record, and a port of TLS is reason enough. */
static enum probe_result tls_probe(struct slice in) {
    if (looks_v2(in) && in.n == (size_t)2 + (load_be16(in.p) & 0x7fff)) return PROBE_CERTAIN;
    if (is_text(in)) return PROBE_NO;
    if (!header_likely(in)) return PROBE_UNSURE;
    struct slice next = slice_tail(in, (size_t)HEADER + load_be16(in.p + 3));
    if (next.n >= HEADER && !header_likely(next)) return PROBE_UNSURE;
    if (in.p[0] != TLS_CONTENT_HANDSHAKE || in.n < HEADER + 4) return PROBE_CERTAIN;
    return in.p[HEADER] == CLIENT_HELLO && load_be24(in.p + HEADER + 1) > 0x10000 ? PROBE_UNSURE : PROBE_CERTAIN;
}

static const struct proto_key keys[] = {
    {TABLE_TCP, 443},  {TABLE_TCP, 465},   {TABLE_TCP, 636},   {TABLE_TCP, 802},   {TABLE_TCP, 853},
    {TABLE_TCP, 993},  {TABLE_TCP, 995},   {TABLE_TCP, 1300},  {TABLE_TCP, 2221},  {TABLE_TCP, 2443},
    {TABLE_TCP, 3496}, {TABLE_TCP, 5061},  {TABLE_TCP, 5671},  {TABLE_TCP, 5684},  {TABLE_TCP, 5868},
    {TABLE_TCP, 8883}, {TABLE_TCP, 11207}, {TABLE_TCP, 19999}, {TABLE_TCP, 27017}, {TABLE_TCP, 324},
    {TABLE_TCP, 3249}, {TABLE_TCP, 3250},  {TABLE_TCP, 3251},  {TABLE_TCP, 3252},  {TABLE_COUNT, 0},
};

static const struct stream_ops stream = {.state_size = sizeof(struct tls_state),
                                         .end = tls_end,
                                         .read = tls_read,
                                         .lost = tls_lost,
                                         .closed = tls_closed,
                                         .clears_info = true,
                                         .probe = tls_probe};

const struct proto proto_tls = {.name = "tls",
                                .column = "TLS",
                                .column_of = tls_column,
                                .id = FID_TLS,
                                .end = FID_TLS_END,
                                .keys = keys,
                                .stream = &stream,
                                .info = tls_info,
                                .info_fields = tls_info_fields,
                                .label = tls_label};
