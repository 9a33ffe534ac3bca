/* SPDX-License-Identifier: Apache-2.0 */
/* ServerKeyExchange and ClientKeyExchange up to TLS 1.2: RFC 5246 7.4.3 and 7.4.7, RFC 8422 5.4 and 5.7, RFC 4279,
 * RFC 5489. What they hold depends on the cipher suite, whose name says the key exchange. */
#include "proto/tls/tls.h"
#include "proto/tls/tls_suite.h"

static enum tls_kx kx_of(const struct tls_state *st) {
    struct tls_suite suite = {0};
    if (st->has_suite) (void)tls_suite_find(st->suite, &suite);
    return (enum tls_kx)suite.kx;
}

static void params_open(struct decode *d, struct reader *r, enum tls_params what) {
    uint32_t at = fv_open(d->out, FID_TLS_KX_TEXT, rd_off(r), (uint32_t)rd_left(r));
    struct fval *f = fv_at(d->out, at);
    if (f) f->extra = (uint16_t)what;
}

static void signature_read(struct decode *d, const struct tls_state *st, struct reader *r) {
    if (!rd_ok(r) || !rd_left(r)) return; /* anonymous, or by a pre-shared key */
    if (st->version == TLS12) tls_sigalg_read(d, r);
    tls_opaque(d, r, FID_TLS_SIG_LEN, 2, FID_TLS_SIG);
}

static void curve_read(struct decode *d, struct reader *r) {
    enum { NAMED_CURVE = 3 };
    if (get_u8(d, r, FID_TLS_CURVE_TYPE) != NAMED_CURVE) { /* forbidden by RFC 8422 5.4, and nobody used them */
        rd_skip(r, rd_left(r));
        return;
    }
    get_be16(d, r, FID_TLS_NAMED_CURVE);
    tls_opaque(d, r, FID_TLS_SERVER_POINT_LEN, 1, FID_TLS_SERVER_POINT);
}

static void dh_read(struct decode *d, struct reader *r) {
    tls_opaque(d, r, FID_TLS_P_LEN, 2, FID_TLS_P);
    tls_opaque(d, r, FID_TLS_G_LEN, 2, FID_TLS_G);
    tls_opaque(d, r, FID_TLS_YS_LEN, 2, FID_TLS_YS);
}

static void rsa_read(struct decode *d, struct reader *r) {
    tls_opaque(d, r, FID_TLS_MODULUS_LEN, 2, FID_TLS_MODULUS);
    tls_opaque(d, r, FID_TLS_EXPONENT_LEN, 2, FID_TLS_EXPONENT);
}

static void hint_read(struct decode *d, struct reader *r) { tls_opaque(d, r, FID_TLS_HINT_LEN, 2, FID_TLS_HINT); }

void tls_server_kx_read(struct decode *d, const struct tls_state *st, struct reader *r) {
    enum tls_kx kx = kx_of(st);
    static const uint8_t what[] = {
        [KX_RSA] = PARAMS_RSA_SERVER,   [KX_RSA_EXPORT] = PARAMS_RSA_SERVER, [KX_DH] = PARAMS_DH_SERVER,
        [KX_ECDH] = PARAMS_EC_SERVER,   [KX_PSK] = PARAMS_PSK_SERVER,        [KX_RSA_PSK] = PARAMS_PSK_SERVER,
        [KX_DH_PSK] = PARAMS_DH_SERVER, [KX_ECDH_PSK] = PARAMS_EC_SERVER};
    if (kx == KX_UNKNOWN || kx == KX_TLS13) {
        rd_skip(r, rd_left(r));
        return;
    }
    params_open(d, r, what[kx]);
    if (kx == KX_PSK || kx == KX_RSA_PSK || kx == KX_DH_PSK || kx == KX_ECDH_PSK) hint_read(d, r);
    if (kx == KX_ECDH || kx == KX_ECDH_PSK) curve_read(d, r);
    if (kx == KX_DH || kx == KX_DH_PSK) dh_read(d, r);
    if (kx == KX_RSA || kx == KX_RSA_EXPORT) rsa_read(d, r);
    if (kx == KX_ECDH || kx == KX_DH || kx == KX_RSA || kx == KX_RSA_EXPORT) signature_read(d, st, r);
    fv_close(d->out);
}

void tls_client_kx_read(struct decode *d, const struct tls_state *st, struct reader *r) {
    enum tls_kx kx = kx_of(st);
    static const uint8_t what[] = {
        [KX_RSA] = PARAMS_RSA_CLIENT,       [KX_RSA_EXPORT] = PARAMS_RSA_CLIENT, [KX_DH] = PARAMS_DH_CLIENT,
        [KX_ECDH] = PARAMS_EC_CLIENT,       [KX_PSK] = PARAMS_PSK_CLIENT,        [KX_RSA_PSK] = PARAMS_RSA_PSK_CLIENT,
        [KX_DH_PSK] = PARAMS_DH_PSK_CLIENT, [KX_ECDH_PSK] = PARAMS_EC_PSK_CLIENT};
    if (kx == KX_UNKNOWN || kx == KX_TLS13) {
        rd_skip(r, rd_left(r));
        return;
    }
    params_open(d, r, what[kx]);
    if (kx >= KX_PSK && kx <= KX_ECDH_PSK) tls_opaque(d, r, FID_TLS_IDENTITY_LEN, 2, FID_TLS_IDENTITY);
    if (kx == KX_ECDH || kx == KX_ECDH_PSK) tls_opaque(d, r, FID_TLS_CLIENT_POINT_LEN, 1, FID_TLS_CLIENT_POINT);
    if (kx == KX_DH || kx == KX_DH_PSK) tls_opaque(d, r, FID_TLS_YC_LEN, 2, FID_TLS_YC);
    if (kx == KX_RSA || kx == KX_RSA_EXPORT || kx == KX_RSA_PSK) {
        /* SSL 3.0 sends the bytes alone (RFC 6101 5.6.7.1). */
        if (st->version == SSL3) get_bytes(d, r, FID_TLS_EPMS, rd_left(r));
        else tls_opaque(d, r, FID_TLS_EPMS_LEN, 2, FID_TLS_EPMS);
    }
    fv_close(d->out);
}
