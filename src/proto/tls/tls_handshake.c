/* SPDX-License-Identifier: Apache-2.0 */
/* Handshake messages: RFC 8446 4, RFC 5246 7.4, RFC 8422 5.4, RFC 4279, RFC 6066 8. */
#include "proto/protos.h"
#include "proto/tls/tls_session.h"
#include "proto/x509/x509.h"

struct reader tls_vector(struct decode *d, struct reader *r, uint16_t id, unsigned width, uint32_t least,
                         uint32_t most) {
    uint32_t off = rd_off(r);
    if (!rd_ok(r)) return *r;
    if (rd_left(r) < width) {
        if (!d->cut) d_anomaly(d, FID_TLS_TOO_SMALL, off, (uint32_t)rd_left(r));
        return rd_sub(r, rd_left(r));
    }
    uint32_t n = width == 1 ? get_u8(d, r, id) : width == 2 ? get_be16(d, r, id) : get_be24(d, r, id);
    if (n < least || n > most) d_anomaly(d, FID_TLS_BAD_VECTOR, off, width);
    if (n > rd_left(r)) {
        if (!d->cut) d_anomaly(d, FID_TLS_TOO_SMALL, off, width);
        n = (uint32_t)rd_left(r);
    }
    return rd_sub(r, n);
}

struct slice tls_opaque(struct decode *d, struct reader *r, uint16_t len_id, unsigned width, uint16_t id) {
    struct reader v = tls_vector(d, r, len_id, width, 0, UINT32_MAX);
    struct slice bytes = rd_rest(&v);
    if (rd_ok(&v)) fv_s(d->out, id, rd_off(&v), (uint32_t)bytes.n, bytes);
    return bytes;
}

void tls_trailing(struct decode *d, struct reader *r) {
    if (!rd_ok(r) || !rd_left(r)) return;
    d_anomaly(d, FID_TLS_TRAILING, rd_off(r), (uint32_t)rd_left(r));
    rd_skip(r, rd_left(r));
}

void tls_sigalg_read(struct decode *d, struct reader *r) {
    uint32_t off = rd_off(r);
    uint16_t v = rd_be16(r);
    if (!rd_ok(r)) return;
    fv_u(d->out, FID_TLS_SIGALG, off, 2, v);
    d->out->depth++;
    fv_u(d->out, FID_TLS_SIG_HASH, off, 1, v >> 8);
    fv_u(d->out, FID_TLS_SIG_SIG, off + 1, 1, v & 0xff);
    fv_close(d->out);
}

void tls_sigalgs_read(struct decode *d, struct reader *r) {
    struct reader list = tls_vector(d, r, FID_TLS_SIGALGS_LEN, 2, 2, 0xfffe);
    if (!rd_ok(&list)) return;
    fv_open(d->out, FID_TLS_SIGALGS, rd_off(&list), (uint32_t)rd_left(&list));
    while (rd_left(&list) >= 2) tls_sigalg_read(d, &list);
    tls_trailing(d, &list);
    fv_close(d->out);
}

void tls_dnames_read(struct decode *d, struct reader *r) {
    struct reader list = tls_vector(d, r, FID_TLS_DNAMES_LEN, 2, 0, 0xffff);
    if (!rd_ok(&list) || !rd_left(&list)) return;
    fv_open(d->out, FID_TLS_DNAMES, rd_off(&list), (uint32_t)rd_left(&list));
    while (rd_ok(&list) && rd_left(&list)) {
        struct reader name = tls_vector(d, &list, FID_TLS_DNAME_LEN, 2, 1, 0xffff);
        struct der parts = der_enter(&name, DER_SEQUENCE);
        if (!rd_ok(&parts.in)) continue;
        fv_open(d->out, FID_TLS_DNAME, rd_off(&parts.in), (uint32_t)rd_left(&parts.in));
        x509_rdns_read(d, parts.in);
        fv_close(d->out);
    }
    fv_close(d->out);
}

static void ocsp_answer_read(struct decode *d, struct reader *r) {
    struct reader answer = tls_vector(d, r, FID_TLS_OCSP_LEN, 3, 1, 0xffffff);
    uint8_t layers = d->layers;
    if (rd_left(&answer)) d->ops->call(d, &proto_ocsp, rd_rest(&answer));
    if (d->layers > layers) d->layer[layers].inside = true;
}

void tls_status_read(struct decode *d, struct reader *r) {
    uint8_t type = get_u8(d, r, FID_TLS_STATUS_TYPE);
    if (type == 1) {
        ocsp_answer_read(d, r);
    } else if (type == 2) {
        struct reader list = tls_vector(d, r, FID_TLS_OCSP_LIST_LEN, 3, 0, 0xffffff);
        while (rd_ok(&list) && rd_left(&list)) ocsp_answer_read(d, &list);
    } else {
        rd_skip(r, rd_left(r));
    }
}

static void context_read(struct decode *d, struct reader *r) {
    uint8_t n = get_u8(d, r, FID_TLS_CERT_CTX_LEN);
    if (n) get_bytes(d, r, FID_TLS_CERT_CTX, n);
}

static void certificate_read(struct decode *d, struct tls_state *st, struct reader *r) {
    bool is13 = st->version == TLS13;
    if (is13) context_read(d, r);
    struct reader list = tls_vector(d, r, FID_TLS_CERTS_LEN, 3, 0, 0xffffff);
    if (!rd_ok(&list) || !rd_left(&list)) return;
    bool look = want_any(d->out->want, FID_X509, FID_X509_END) || d_wants(d, FID_FRAME_PROTOCOLS) ||
                want_any(d->out->want, FID_TLS_SCTS_LEN, FID_TLS_SCT_SIG + 1);
    struct slice before = {0};
    fv_open(d->out, FID_TLS_CERTS, rd_off(&list), (uint32_t)rd_left(&list));
    while (rd_ok(&list) && rd_left(&list)) {
        struct slice one = tls_opaque(d, &list, FID_TLS_CERT_LEN, 3, FID_TLS_CERT);
        if (look) x509_read(d, one);
        if (look && before.n && one.n) x509_chain_check(d, before, one, d_off(d, one.p));
        before = one;
        if (is13) tls_extensions_read(d, st, &list, CERTIFICATE);
    }
    fv_close(d->out);
}

static void request_read(struct decode *d, struct tls_state *st, struct reader *r) {
    if (st->version == TLS13) {
        context_read(d, r);
        tls_extensions_read(d, st, r, CERTIFICATE_REQUEST);
        return;
    }
    struct reader types = tls_vector(d, r, FID_TLS_CERT_TYPES_COUNT, 1, 1, 255);
    if (rd_ok(&types) && rd_left(&types)) {
        fv_open(d->out, FID_TLS_CERT_TYPES, rd_off(&types), (uint32_t)rd_left(&types));
        while (rd_left(&types)) get_u8(d, &types, FID_TLS_CERT_TYPE);
        fv_close(d->out);
    }
    if (st->version == TLS12) tls_sigalgs_read(d, r);
    tls_dnames_read(d, r);
}

static void ticket_read(struct decode *d, struct tls_state *st, struct reader *r) {
    bool is13 = st->version == TLS13;
    fv_open(d->out, FID_TLS_TICKET_TEXT, rd_off(r), (uint32_t)rd_left(r));
    get_be32(d, r, FID_TLS_TICKET_LIFETIME);
    if (is13) {
        get_be32(d, r, FID_TLS_TICKET_AGE_ADD);
        tls_opaque(d, r, FID_TLS_TICKET_NONCE_LEN, 1, FID_TLS_TICKET_NONCE);
    }
    tls_opaque(d, r, FID_TLS_TICKET_LEN, 2, FID_TLS_TICKET);
    if (is13) tls_extensions_read(d, st, r, NEW_SESSION_TICKET);
    fv_close(d->out);
}

static void finished_read(struct decode *d, const struct tls_state *st, struct reader *r) {
    if (st->version == SSL3) {
        fv_add(d->out, FID_TLS_MD5_HASH, rd_off(r), 16);
        rd_skip(r, 16);
        fv_add(d->out, FID_TLS_SHA_HASH, rd_off(r), 20);
        rd_skip(r, 20);
        return;
    }
    fv_add(d->out, FID_TLS_VERIFY_DATA, rd_off(r), (uint32_t)rd_left(r));
    rd_skip(r, rd_left(r));
}

static void verify_read(struct decode *d, const struct tls_state *st, struct reader *r) {
    if (st->version >= TLS12) tls_sigalg_read(d, r);
    tls_opaque(d, r, FID_TLS_VERIFY_SIG_LEN, 2, FID_TLS_VERIFY_SIG);
}

static void compressed_read(struct decode *d, struct reader *r) {
    get_be16(d, r, FID_TLS_CERT_COMP);
    get_be24(d, r, FID_TLS_CERT_COMP_PLAIN_LEN);
    tls_opaque(d, r, FID_TLS_CERT_COMP_MSG_LEN, 3, FID_TLS_CERT_COMP_MSG);
}

static void next_protocol_read(struct decode *d, struct reader *r) {
    tls_opaque(d, r, FID_TLS_NPN_SELECTED_LEN, 1, FID_TLS_NPN_SELECTED);
    tls_opaque(d, r, FID_TLS_NPN_PADDING_LEN, 1, FID_TLS_NPN_PADDING);
}

/* body_read reads one message's body; true where it was a HelloRetryRequest. */
static bool body_read(struct decode *d, struct tls_state *st, uint8_t type, struct reader *r) {
    bool retry = false;
    switch (type) {
    case CLIENT_HELLO: tls_client_hello_read(d, st, r); break;
    case SERVER_HELLO: tls_server_hello_read(d, st, r, &retry); break;
    case NEW_SESSION_TICKET: ticket_read(d, st, r); break;
    case ENCRYPTED_EXTENSIONS: tls_extensions_read(d, st, r, type); break;
    case CERTIFICATE: certificate_read(d, st, r); break;
    case SERVER_KEY_EXCHANGE: tls_server_kx_read(d, st, r); break;
    case CERTIFICATE_REQUEST: request_read(d, st, r); break;
    case SERVER_HELLO_DONE: st->hello_done = true; break;
    case CERTIFICATE_VERIFY: verify_read(d, st, r); break;
    case CLIENT_KEY_EXCHANGE:
        st->hello_done = true;
        tls_client_kx_read(d, st, r);
        break;
    case FINISHED: finished_read(d, st, r); break;
    case CERTIFICATE_STATUS: tls_status_read(d, r); break;
    case KEY_UPDATE: get_u8(d, r, FID_TLS_KEY_UPDATE); break;
    case COMPRESSED_CERTIFICATE: compressed_read(d, r); break;
    case NEXT_PROTOCOL: next_protocol_read(d, r); break;
    default: rd_skip(r, rd_left(r)); break;
    }
    return retry;
}

/* message_read reads a message that is whole; its entry stands at `off` of the source src. */
static void message_read(struct decode *d, struct tls_state *st, int from, struct reader *r, uint32_t off,
                         uint8_t src) {
    uint8_t own = d->out->src;
    uint8_t type = (uint8_t)rd_peek(r, 0);
    uint32_t len = load_be24(r->p + 1);
    d->out->src = src;
    size_t room = d->out->source[src].bytes.n - off;
    uint32_t at = fv_open(d->out, FID_TLS_HANDSHAKE, off, (uint32_t)(len + 4 < room ? len + 4 : room));
    d->out->src = own;
    struct fval *f = fv_at(d->out, at);
    if (f) f->extra = type;
    get_u8(d, r, FID_TLS_HS_TYPE);
    get_be24(d, r, FID_TLS_HS_LEN);
    struct slice whole = slice_of(r->p - 4, rd_left(r) + 4);
    bool cut = len > rd_left(r);
    struct reader body = rd_sub(r, cut ? rd_left(r) : len);
    bool retry = body_read(d, st, type, &body);
    f = fv_at(d->out, at);
    if (retry && f) f->extra = HELLO_RETRY_REQUEST;
    if (!rd_ok(&body)) st->damaged = true;
    tls_trailing(d, &body);
    if (!cut) tls_session_message(d, st, from, type, slice_head(whole, len + 4));
    fv_close(d->out);
}

/* encrypted tells whether the bytes cannot be a message in clear. */
static bool encrypted(const struct tls_state *st, int from, struct slice in) {
    if (st->opened) return false;
    if (st->changed[from] || !tls_message_name(in.p[0])) return true;
    return in.n >= 4 && load_be24(in.p + 1) > in.n - 4 && load_be24(in.p + 1) > TLS_MESSAGE_MOST;
}

/* whole_read reads the message that was gathered; the present source stays that of the record, which begins at `off`.
 */
static void whole_read(struct decode *d, struct tls_state *st, int from, uint32_t off) {
    struct tls_gather *g = &st->gather[from];
    struct slice whole = arena_copy(d->arena, slice_of(g->bytes, g->have));
    uint8_t src = d->out->src, own = whole.n ? fvec_add_source(d->out, whole, "Reassembled TLS Handshake") : 0;
    if (own) {
        tls_gather_show(d, g, off, own);
        d->out->src = own;
        struct reader r = d_reader(d, whole);
        message_read(d, st, from, &r, off, src);
        d->out->src = src;
    }
    tls_gather_drop(g);
}

/* piece_read takes a piece of a message of several records. */
static void piece_read(struct decode *d, struct tls_state *st, int from, struct reader *r, uint32_t record) {
    struct tls_gather *g = &st->gather[from];
    uint32_t off = rd_off(r);
    bool later = g->have > 0;
    uint8_t type = later ? g->bytes[0] : (uint8_t)rd_peek(r, 0);
    size_t n = tls_gather_take(d, g, rd_rest(r));
    bool last = n && tls_gather_whole(g);
    uint32_t len = (uint32_t)(n ? n : rd_left(r));
    uint32_t at = fv_open(d->out, FID_TLS_HANDSHAKE, off, len);
    struct fval *f = fv_at(d->out, at);
    if (f)
        f->extra = (uint16_t)(type | TLS_EXTRA_FRAGMENT | (later ? TLS_EXTRA_LATER : 0) | (last ? TLS_EXTRA_LAST : 0));
    if (!n) d_anomaly(d, FID_TLS_TOO_LONG, off, len);
    fv_close(d->out);
    rd_skip(r, len);
    if (last) whole_read(d, st, from, record);
}

/* whole_here tells whether the message ends here, or the capture left out its end and there is no more to come. */
static bool whole_here(const struct decode *d, const struct reader *r) {
    return rd_left(r) >= 4 && (load_be24(r->p + 1) <= rd_left(r) - 4 || (d->cut && d->stream_end));
}

static void opaque_read(struct decode *d, struct reader *r, size_t n, uint16_t extra) {
    uint32_t off = rd_off(r);
    rd_skip(r, n);
    uint32_t at = fv_open(d->out, FID_TLS_HANDSHAKE, off, (uint32_t)n);
    struct fval *f = fv_at(d->out, at);
    if (f) f->extra = extra;
    fv_close(d->out);
}

void tls_handshake_read(struct decode *d, struct tls_state *st, int from, struct slice record) {
    enum { RECORD_HEADER = 5 };
    struct reader r = d_reader(d, record);
    uint32_t head = st->quic ? 0 : RECORD_HEADER, off = rd_off(&r) >= head ? rd_off(&r) - head : 0;
    struct tls_gather *g = &st->gather[from];
    while (rd_left(&r)) {
        if (g->have) {
            piece_read(d, st, from, &r, off);
        } else if (encrypted(st, from, rd_rest(&r))) {
            opaque_read(d, &r, rd_left(&r), TLS_EXTRA_ENCRYPTED);
        } else if (whole_here(d, &r)) {
            message_read(d, st, from, &r, rd_off(&r), d->out->src);
        } else {
            piece_read(d, st, from, &r, off);
        }
    }
}
