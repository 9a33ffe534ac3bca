/* SPDX-License-Identifier: Apache-2.0 */
/* ClientHello and ServerHello: RFC 8446 4.1, RFC 5246 7.4.1. */
#include "proto/tls/tls.h"
#include "proto/tls/tls_prf.h"
#include "proto/tls/tls_suite.h"

enum { RANDOM = 32, SESSION_ID_MOST = 32, EXT_EARLY_DATA = 42, EXT_VERSIONS = 43 };

/* A ServerHello with this random is a HelloRetryRequest (RFC 8446 4.1.3). */
static const uint8_t retry_random[RANDOM] = {0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c,
                                             0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb,
                                             0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c};

bool tls_is_retry(struct slice random) { return slice_eq(random, slice_of(retry_random, RANDOM)); }

/* Drafts 14 to 21 of TLS 1.3 had a ServerHello without session ID and compression. */
static bool short_hello(uint16_t version) { return version >= 0x7f0e && version <= 0x7f15; }

static void random_read(struct decode *d, struct reader *r, bool parts) {
    struct reader inner = *r;
    uint32_t off = rd_off(r);
    struct slice random = rd_take(r, RANDOM);
    if (!rd_ok(r)) return;
    struct fval *f = fv_s(d->out, FID_TLS_RANDOM, off, RANDOM, random);
    (void)f;
    if (!parts) return;
    d->out->depth++;
    uint32_t seconds = rd_be32(&inner);
    fv_i(d->out, FID_TLS_RANDOM_TIME, off, 4, (int64_t)seconds * 1000000000);
    get_bytes(d, &inner, FID_TLS_RANDOM_BYTES, RANDOM - 4);
    fv_close(d->out);
}

static void session_id_read(struct decode *d, struct reader *r) {
    uint32_t off = rd_off(r);
    uint8_t len = get_u8(d, r, FID_TLS_SESSION_ID_LEN);
    if (len > SESSION_ID_MOST) d_anomaly(d, FID_TLS_BAD_SESSION_ID, off, 1);
    if (len) get_bytes(d, r, FID_TLS_SESSION_ID, len);
}

/* list_read reads numbers of `width` bytes under a heading. */
static void list_read(struct decode *d, struct reader list, uint16_t heading, uint16_t id, unsigned width) {
    if (!rd_ok(&list)) return;
    fv_open(d->out, heading, rd_off(&list), (uint32_t)rd_left(&list));
    while (rd_left(&list) >= width) {
        if (width == 2) get_be16(d, &list, id);
        else get_u8(d, &list, id);
    }
    tls_trailing(d, &list);
    fv_close(d->out);
}

static struct reader ext_find(struct reader exts, uint16_t wanted) {
    while (rd_ok(&exts) && rd_left(&exts) >= 4) {
        uint16_t type = rd_be16(&exts);
        struct reader body = rd_sub(&exts, rd_be16(&exts));
        if (type == wanted) return body;
    }
    rd_fail(&exts);
    return exts;
}

void tls_client_hello_read(struct decode *d, struct tls_state *st, struct reader *r) {
    struct slice body = rd_rest(r);
    get_be16(d, r, FID_TLS_VERSION);
    random_read(d, r, st->version != TLS13); /* the one behind a HelloRetryRequest is of TLS 1.3 for sure */
    session_id_read(d, r);
    struct reader suites = tls_vector(d, r, FID_TLS_SUITES_LEN, 2, 2, 0xfffe);
    list_read(d, suites, FID_TLS_SUITES, FID_TLS_SUITE, 2);
    struct reader methods = tls_vector(d, r, FID_TLS_COMP_LEN, 1, 1, 255);
    list_read(d, methods, FID_TLS_COMPS, FID_TLS_COMP, 1);
    uint32_t off = rd_off(r);
    struct reader exts = *r;
    rd_skip(&exts, 2);
    exts = ext_find(exts, EXT_EARLY_DATA);
    if (rd_ok(&exts)) st->version = TLS13; /* what follows at once is early data of TLS 1.3 */
    if (rd_left(r)) tls_extensions_read(d, st, r, CLIENT_HELLO);
    if (!rd_ok(r)) return;
    tls_ja3_add(d, body, off);
    tls_ja4_add(d, body, off, st->quic);
}

uint16_t tls_server_hello_version(struct slice body) {
    struct reader r = rd_init(body, body.p);
    uint16_t version = rd_be16(&r);
    if (!rd_ok(&r) || short_hello(version)) return version;
    rd_skip(&r, RANDOM);
    rd_skip(&r, rd_u8(&r));
    rd_skip(&r, 3 + 2); /* suite, compression, length of the extensions */
    struct reader selected = ext_find(r, EXT_VERSIONS);
    uint16_t v = rd_be16(&selected);
    return rd_ok(&selected) ? v : version;
}

static void session_start(struct tls_state *st, uint16_t version) {
    if (tls_is_13(version)) {
        st->version = TLS13;
        st->changed[0] = st->changed[1] = false; /* that message says nothing there */
    } else if (version >= SSL3 && version <= TLS12) {
        st->version = version;
    }
    st->hello_done = false;
    if (!st->quic) st->alpn = ALPN_NONE; /* there the server's choice may stay closed: see alpn_chosen */
}

void tls_server_hello_read(struct decode *d, struct tls_state *st, struct reader *r, bool *retry) {
    struct slice body = rd_rest(r);
    uint16_t version = tls_server_hello_version(body);
    session_start(st, version);
    uint16_t named = get_be16(d, r, FID_TLS_VERSION);
    struct slice random = slice_head(rd_rest(r), RANDOM);
    *retry = tls_is_retry(random);
    random_read(d, r, !tls_is_13(version));
    if (!short_hello(named)) session_id_read(d, r);
    st->suite = get_be16(d, r, FID_TLS_SUITE);
    st->has_suite = rd_ok(r);
    uint8_t compression = short_hello(named) ? 0 : get_u8(d, r, FID_TLS_COMP);
    struct tls_suite suite;
    st->unsealed = st->has_suite && !compression && tls_suite_find(st->suite, &suite) && suite.mode == BULK_NULL;
    st->unsealed_mac = st->unsealed ? (uint8_t)tls_hash_size(suite.mac) : 0;
    uint32_t off = rd_off(r);
    if (rd_left(r)) tls_extensions_read(d, st, r, SERVER_HELLO);
    if (rd_ok(r)) tls_ja3s_add(d, body, off);
}
