/* SPDX-License-Identifier: Apache-2.0 */
/* Extensions of hellos, certificates and tickets: RFC 8446 4.2, RFC 6066, and those named at each. */
#include "proto/protos.h"
#include "proto/tls/tls.h"

/* ext is one extension on its way. */
struct ext {
    struct decode *d;
    struct tls_state *st;
    struct reader *r; /* over its data */
    uint8_t message;
};

static void sni_read(struct ext *e) {
    struct decode *d = e->d;
    fv_open(d->out, FID_TLS_SNI_TEXT, rd_off(e->r), (uint32_t)rd_left(e->r));
    struct reader list = tls_vector(d, e->r, FID_TLS_SNI_LIST_LEN, 2, 1, 0xffff);
    while (rd_ok(&list) && rd_left(&list)) {
        get_u8(d, &list, FID_TLS_SNI_TYPE);
        tls_opaque(d, &list, FID_TLS_SNI_LEN, 2, FID_TLS_SNI);
    }
    fv_close(d->out);
}

static void fragment_read(struct ext *e) { get_u8(e->d, e->r, FID_TLS_MAX_FRAGMENT); }

static void status_item_read(struct ext *e, struct reader *r) {
    (void)tls_vector(e->d, r, FID_TLS_STATUS_IDS_LEN, 2, 0, 0xffff);
    (void)tls_vector(e->d, r, FID_TLS_STATUS_EXTS_LEN, 2, 0, 0xffff);
}

static void status_request_read(struct ext *e) {
    if (e->message == CERTIFICATE) {
        tls_status_read(e->d, e->r);
        return;
    }
    uint8_t type = get_u8(e->d, e->r, FID_TLS_STATUS_TYPE);
    if (type == 1) status_item_read(e, e->r);
}

/* RFC 6961 2.2 */
static void status_v2_read(struct ext *e) {
    struct reader list = tls_vector(e->d, e->r, FID_TLS_STATUS_LIST_LEN, 2, 1, 0xffff);
    while (rd_ok(&list) && rd_left(&list)) {
        get_u8(e->d, &list, FID_TLS_STATUS_TYPE);
        struct reader item = tls_vector(e->d, &list, FID_TLS_STATUS_LEN, 2, 0, 0xffff);
        if (rd_left(&item)) status_item_read(e, &item);
    }
}

static void groups_read(struct ext *e) {
    struct reader list = tls_vector(e->d, e->r, FID_TLS_GROUPS_LEN, 2, 2, 0xffff);
    if (!rd_ok(&list)) return;
    fv_open(e->d->out, FID_TLS_GROUPS, rd_off(&list), (uint32_t)rd_left(&list));
    while (rd_left(&list) >= 2) get_be16(e->d, &list, FID_TLS_GROUP);
    fv_close(e->d->out);
}

static void points_read(struct ext *e) {
    struct reader list = tls_vector(e->d, e->r, FID_TLS_POINTS_LEN, 1, 1, 255);
    if (!rd_ok(&list)) return;
    fv_open(e->d->out, FID_TLS_POINTS, rd_off(&list), (uint32_t)rd_left(&list));
    while (rd_left(&list)) get_u8(e->d, &list, FID_TLS_POINT);
    fv_close(e->d->out);
}

static void srp_read(struct ext *e) { tls_opaque(e->d, e->r, FID_TLS_SRP_LEN, 1, FID_TLS_SRP); }

static void sigalgs_read(struct ext *e) { tls_sigalgs_read(e->d, e->r); }

static void heartbeat_mode_read(struct ext *e) { get_u8(e->d, e->r, FID_TLS_HEARTBEAT_MODE); }

/* is_doq: drafts before the third had no length before a message. */
static bool is_doq(struct slice name) {
    return slice_eq(name, SLICE("doq")) || (slice_starts(name, SLICE("doq-i")) && name.n == 7 && name.p[6] > '2');
}

static void alpn_chosen(struct ext *e, struct slice name) {
    /* What QUIC carries before the server answers can only be what the client likes most. */
    if (e->message == CLIENT_HELLO && (!e->st->quic || e->st->alpn)) return;
    if (slice_eq(name, SLICE("h2"))) e->st->alpn = ALPN_HTTP2;
    else if (slice_starts(name, SLICE("http/1."))) e->st->alpn = ALPN_HTTP1;
    else if (slice_starts(name, SLICE("spdy/"))) e->st->alpn = ALPN_SPDY;
    else if (slice_eq(name, SLICE("h3")) || slice_starts(name, SLICE("h3-"))) e->st->alpn = ALPN_HTTP3;
    else if (is_doq(name)) e->st->alpn = ALPN_DNS;
    else if (slice_eq(name, SLICE("mqtt"))) e->st->alpn = ALPN_MQTT;
    else e->st->alpn = ALPN_OTHER;
}

/* alpn_read: a list that would lead beyond all the bytes there are makes nonsense of what stands around it, too. */
static void alpn_read(struct ext *e) {
    struct decode *d = e->d;
    size_t said = rd_left(e->r) >= 2 ? load_be16(e->r->p) : 0;
    struct reader list = tls_vector(d, e->r, FID_TLS_ALPN_LEN, 2, 2, 0xffff);
    if (!rd_ok(&list)) return;
    if (said > d->out->source[d->out->src].bytes.n - rd_off(&list)) d_bad(d, &list);
    fv_open(d->out, FID_TLS_ALPN_LIST, rd_off(&list), (uint32_t)rd_left(&list));
    while (rd_ok(&list) && rd_left(&list)) alpn_chosen(e, tls_opaque(d, &list, FID_TLS_ALPN_STR_LEN, 1, FID_TLS_ALPN));
    fv_close(d->out);
}

static void npn_read(struct ext *e) {
    while (rd_ok(e->r) && rd_left(e->r)) tls_opaque(e->d, e->r, FID_TLS_NPN_LEN, 1, FID_TLS_NPN);
}

static void data_read(struct ext *e) { get_bytes(e->d, e->r, FID_TLS_EXT_DATA, rd_left(e->r)); }

/* application_settings, draft-vvv-tls-alps */
static void alps_read(struct ext *e) {
    struct decode *d = e->d;
    if (e->message != CLIENT_HELLO) {
        data_read(e);
        return;
    }
    struct reader list = tls_vector(d, e->r, FID_TLS_ALPS_LEN, 2, 2, 0xffff);
    if (!rd_ok(&list)) return;
    fv_open(d->out, FID_TLS_ALPS_LIST, rd_off(&list), (uint32_t)rd_left(&list));
    while (rd_ok(&list) && rd_left(&list)) tls_opaque(d, &list, FID_TLS_ALPS_STR_LEN, 1, FID_TLS_ALPS);
    fv_close(d->out);
}

/* RFC 7250 3 */
static void cert_formats_read(struct ext *e) {
    if (e->message != CLIENT_HELLO) {
        get_u8(e->d, e->r, FID_TLS_CERT_FORMAT);
        return;
    }
    struct reader list = tls_vector(e->d, e->r, FID_TLS_CERT_FORMATS_LEN, 1, 1, 255);
    if (!rd_ok(&list)) return;
    fv_open(e->d->out, FID_TLS_CERT_FORMATS, rd_off(&list), (uint32_t)rd_left(&list));
    while (rd_left(&list)) get_u8(e->d, &list, FID_TLS_CERT_FORMAT);
    fv_close(e->d->out);
}

static void scts_read(struct ext *e) { tls_scts_read(e->d, e->r); }

static void padding_read(struct ext *e) { get_bytes(e->d, e->r, FID_TLS_PADDING_DATA, rd_left(e->r)); }

static void cert_compression_read(struct ext *e) {
    struct reader list = tls_vector(e->d, e->r, FID_TLS_CERT_COMP_LEN, 1, 2, 254);
    while (rd_ok(&list) && rd_left(&list) >= 2) get_be16(e->d, &list, FID_TLS_CERT_COMP);
}

static void size_limit_read(struct ext *e) { get_be16(e->d, e->r, FID_TLS_SIZE_LIMIT); }

/* RFC 9345 4 */
static void credentials_read(struct ext *e) {
    if (e->message == CLIENT_HELLO) {
        tls_sigalgs_read(e->d, e->r);
        return;
    }
    uint32_t off = rd_off(e->r);
    uint32_t seconds = rd_be32(e->r);
    if (rd_ok(e->r)) fv_u(e->d->out, FID_TLS_CRED_TIME, off, 4, seconds);
    tls_sigalg_read(e->d, e->r);
    tls_opaque(e->d, e->r, FID_TLS_CRED_KEY_LEN, 3, FID_TLS_CRED_KEY);
    tls_sigalg_read(e->d, e->r);
    tls_opaque(e->d, e->r, FID_TLS_CRED_SIG_LEN, 2, FID_TLS_CRED_SIG);
}

static void psk_identity_read(struct decode *d, struct reader *list) {
    uint32_t off = rd_off(list), at = fv_open(d->out, FID_TLS_PSK_ID_TEXT, off, 0);
    tls_opaque(d, list, FID_TLS_PSK_ID_LEN, 2, FID_TLS_PSK_ID);
    get_be32(d, list, FID_TLS_PSK_AGE);
    fv_set_len(d->out, at, rd_off(list) - off);
    fv_close(d->out);
}

static void psk_read(struct ext *e) {
    struct decode *d = e->d;
    fv_open(d->out, FID_TLS_PSK_TEXT, rd_off(e->r), (uint32_t)rd_left(e->r));
    if (e->message == CLIENT_HELLO) {
        struct reader list = tls_vector(d, e->r, FID_TLS_PSK_IDS_LEN, 2, 7, 0xffff);
        while (rd_ok(&list) && rd_left(&list)) psk_identity_read(d, &list);
        struct reader binders = tls_vector(d, e->r, FID_TLS_PSK_BINDERS_LEN, 2, 33, 0xffff);
        if (rd_ok(&binders)) fv_add(d->out, FID_TLS_PSK_BINDERS, rd_off(&binders), (uint32_t)rd_left(&binders));
    } else {
        get_be16(d, e->r, FID_TLS_PSK_SELECTED);
    }
    fv_close(d->out);
}

static void early_data_read(struct ext *e) {
    if (e->message == NEW_SESSION_TICKET) get_be32(e->d, e->r, FID_TLS_EARLY_MAX);
}

static void versions_read(struct ext *e) {
    if (e->message != CLIENT_HELLO) {
        get_be16(e->d, e->r, FID_TLS_SUPPORTED_VERSION);
        return;
    }
    struct reader list = tls_vector(e->d, e->r, FID_TLS_VERSIONS_LEN, 1, 2, 254);
    while (rd_ok(&list) && rd_left(&list) >= 2) get_be16(e->d, &list, FID_TLS_SUPPORTED_VERSION);
}

static void cookie_read(struct ext *e) { tls_opaque(e->d, e->r, FID_TLS_COOKIE_LEN, 2, FID_TLS_COOKIE); }

static void psk_modes_read(struct ext *e) {
    struct reader list = tls_vector(e->d, e->r, FID_TLS_PSK_MODES_LEN, 1, 1, 255);
    while (rd_ok(&list) && rd_left(&list)) get_u8(e->d, &list, FID_TLS_PSK_MODE);
}

static void authorities_read(struct ext *e) { tls_dnames_read(e->d, e->r); }

static void oid_filters_read(struct ext *e) {
    struct reader list = tls_vector(e->d, e->r, FID_TLS_OIDS_LEN, 2, 0, 0xffff);
    while (rd_ok(&list) && rd_left(&list)) {
        struct reader oid = tls_vector(e->d, &list, FID_TLS_OID_LEN, 1, 1, 255);
        rd_skip(&oid, 2); /* tag and length of the OBJECT IDENTIFIER */
        if (rd_ok(&oid)) get_bytes(e->d, &oid, FID_TLS_OID, rd_left(&oid));
        (void)tls_vector(e->d, &list, FID_TLS_OID_VALUES_LEN, 2, 0, 0xffff);
    }
}

static void key_share_entry_read(struct decode *d, struct reader *r) {
    uint32_t off = rd_off(r), at = fv_open(d->out, FID_TLS_KEY_SHARE_ENTRY, off, 0);
    get_be16(d, r, FID_TLS_KEY_SHARE_GROUP);
    tls_opaque(d, r, FID_TLS_KEY_SHARE_LEN, 2, FID_TLS_KEY_SHARE);
    fv_set_len(d->out, at, rd_off(r) - off);
    fv_close(d->out);
}

static void key_share_read(struct ext *e) {
    struct decode *d = e->d;
    fv_open(d->out, FID_TLS_KEY_SHARE_TEXT, rd_off(e->r), (uint32_t)rd_left(e->r));
    if (e->message == CLIENT_HELLO) {
        struct reader list = tls_vector(d, e->r, FID_TLS_KEY_SHARES_LEN, 2, 0, 0xffff);
        while (rd_ok(&list) && rd_left(&list)) key_share_entry_read(d, &list);
    } else if (rd_left(e->r) == 2) { /* a HelloRetryRequest */
        get_be16(d, e->r, FID_TLS_KEY_SHARE_SELECTED);
    } else {
        key_share_entry_read(d, e->r);
    }
    fv_close(d->out);
}

/* RFC 9146 3 */
static void cid_read(struct ext *e) { tls_opaque(e->d, e->r, FID_TLS_CID_LEN, 1, FID_TLS_CID); }

/* draft-ietf-tls-esni-01 */
static void esni_read(struct ext *e) {
    if (e->message != CLIENT_HELLO) {
        data_read(e);
        return;
    }
    get_be16(e->d, e->r, FID_TLS_ESNI_SUITE);
    key_share_entry_read(e->d, e->r);
    tls_opaque(e->d, e->r, FID_TLS_ESNI_DIGEST_LEN, 2, FID_TLS_ESNI_DIGEST);
    tls_opaque(e->d, e->r, FID_TLS_ESNI_LEN, 2, FID_TLS_ESNI);
}

static void reneg_read(struct ext *e) {
    fv_open(e->d->out, FID_TLS_RENEG_TEXT, rd_off(e->r), (uint32_t)rd_left(e->r));
    struct reader info = tls_vector(e->d, e->r, FID_TLS_RENEG_LEN, 1, 0, 255);
    if (rd_ok(&info) && rd_left(&info)) get_bytes(e->d, &info, FID_TLS_RENEG, rd_left(&info));
    fv_close(e->d->out);
}

/* ech_read shows what the outer hello says of the encrypted one: draft-ietf-tls-esni 5, 5.1 and 7. */
static void ech_read(struct ext *e) {
    enum { OUTER = 0 };
    struct reader r = *e->r;
    data_read(e);
    if (e->message == SERVER_HELLO) {
        get_bytes(e->d, &r, FID_TLS_ECH_CONFIRMATION, rd_left(&r));
    } else if (e->message == ENCRYPTED_EXTENSIONS) {
        get_bytes(e->d, &r, FID_TLS_ECH_RETRY, rd_left(&r));
    } else if (get_u8(e->d, &r, FID_TLS_ECH_TYPE) == OUTER) {
        get_be16(e->d, &r, FID_TLS_ECH_KDF);
        get_be16(e->d, &r, FID_TLS_ECH_AEAD);
        get_u8(e->d, &r, FID_TLS_ECH_CONFIG);
        tls_opaque(e->d, &r, FID_TLS_ECH_ENC_LEN, 2, FID_TLS_ECH_ENC);
        tls_opaque(e->d, &r, FID_TLS_ECH_PAYLOAD_LEN, 2, FID_TLS_ECH_PAYLOAD);
    }
    if (!rd_ok(&r)) rd_fail(e->r);
}

static void quic_read(struct ext *e) {
    bool sure = e->message == ENCRYPTED_EXTENSIONS && e->st->quic && !e->st->open_to_all;
    tls_quic_params_read(e->d, e->r, sure);
}

static void nothing_read(struct ext *e) { (void)e; }

/* Who reads which extension, ascending; any other is shown as bytes. */
static const struct {
    uint16_t type;
    bool empty; /* may be there without data, and is shown as bytes then too */
    void (*read)(struct ext *e);
} readers[] = {
    {0, false, sni_read},
    {1, false, fragment_read},
    {5, false, status_request_read},
    {9, false, cert_formats_read},
    {10, false, groups_read},
    {11, false, points_read},
    {12, false, srp_read},
    {13, false, sigalgs_read},
    {14, false, nothing_read},
    {15, false, heartbeat_mode_read},
    {16, false, alpn_read},
    {17, false, status_v2_read},
    {18, false, scts_read},
    {19, false, cert_formats_read},
    {20, false, cert_formats_read},
    {21, true, padding_read},
    {22, false, nothing_read},
    {23, false, nothing_read},
    {27, false, cert_compression_read},
    {28, false, size_limit_read},
    {34, false, credentials_read},
    {40, false, key_share_read}, /* as drafts of TLS 1.3 had it */
    {41, false, psk_read},
    {42, false, early_data_read},
    {43, false, versions_read},
    {44, false, cookie_read},
    {45, false, psk_modes_read},
    {47, false, authorities_read},
    {48, false, oid_filters_read},
    {49, false, nothing_read},
    {50, false, sigalgs_read},
    {51, false, key_share_read},
    {53, false, cid_read},
    {54, false, cid_read},
    {57, false, quic_read},
    {13172, false, npn_read},
    {17513, false, alps_read},
    {65037, false, ech_read},
    {65281, false, reneg_read},
    {65445, false, quic_read}, /* as drafts of QUIC had it */
    {65486, false, esni_read},
};

static void ext_data_read(struct ext *e, uint16_t type) {
    for (size_t i = 0; i < sizeof readers / sizeof *readers; i++) {
        if (readers[i].type != type) continue;
        if (rd_left(e->r) || readers[i].empty) readers[i].read(e);
        return;
    }
    data_read(e);
}

void tls_extensions_read(struct decode *d, struct tls_state *st, struct reader *r, uint8_t message) {
    struct reader list = tls_vector(d, r, FID_TLS_EXTS_LEN, 2, 0, 0xffff);
    while (rd_ok(&list) && rd_left(&list)) {
        uint32_t off = rd_off(&list), at = fv_open(d->out, FID_TLS_EXT_TEXT, off, 0);
        uint16_t type = get_be16(d, &list, FID_TLS_EXT_TYPE);
        struct reader data = tls_vector(d, &list, FID_TLS_EXT_LEN, 2, 0, 0xffff);
        fv_set_len(d->out, at, rd_off(&list) - off);
        struct ext e = {.d = d, .st = st, .r = &data, .message = message};
        if (rd_ok(&data)) ext_data_read(&e, type);
        if (!rd_ok(&data)) d_anomaly(d, FID_TLS_TOO_SMALL, rd_off(&data), 0);
        tls_trailing(d, &data);
        fv_close(d->out);
    }
    if (!rd_ok(&list)) d_anomaly(d, FID_TLS_TOO_SMALL, rd_off(&list), 0);
}
