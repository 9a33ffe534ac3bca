/* SPDX-License-Identifier: Apache-2.0 */
/* A certificate: RFC 5280 4.1; its key: RFC 8017 A.1.1, RFC 5480 2, RFC 3279 2.3. */
#include "proto/protos.h"
#include "proto/x509/x509.h"

static const uint8_t oid_rsa[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1};
static const uint8_t oid_ec[] = {0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1};
static const uint8_t oid_dsa[] = {0x2a, 0x86, 0x48, 0xce, 0x38, 4, 1};

struct slice x509_oid_read(struct decode *d, struct reader *r, uint16_t id) {
    struct der oid = der_enter(r, DER_OID);
    struct slice bytes = rd_rest(&oid.in);
    if (rd_ok(&oid.in)) fv_s(d->out, id, rd_off(&oid.in), (uint32_t)bytes.n, bytes);
    else rd_fail(r);
    return bytes;
}

static void number_read(struct decode *d, struct reader *r, uint16_t id) {
    struct der number = der_enter(r, DER_INTEGER);
    struct slice bytes = rd_rest(&number.in);
    if (rd_ok(&number.in)) fv_s(d->out, id, rd_off(&number.in), (uint32_t)bytes.n, bytes);
    else rd_fail(r);
}

struct reader x509_algorithm_read(struct decode *d, struct reader *r, uint16_t id, struct slice *algorithm) {
    struct der e = der_enter(r, DER_SEQUENCE);
    if (!rd_ok(&e.in)) rd_fail(r);
    else fv_open(d->out, id, e.off, e.len);
    *algorithm = x509_oid_read(d, &e.in, FID_X509_ALGORITHM_ID);
    return e.in;
}

struct slice x509_bits_read(struct decode *d, struct reader *r, uint16_t id, bool padding) {
    struct der bits = der_enter(r, DER_BITS);
    uint32_t off = rd_off(&bits.in);
    uint8_t pad = rd_u8(&bits.in);
    if (!rd_ok(&bits.in)) {
        rd_fail(r);
        return (struct slice){0};
    }
    if (padding) fv_u(d->out, FID_BER_PADDING, off, 1, pad);
    struct slice bytes = rd_rest(&bits.in);
    fv_s(d->out, id, rd_off(&bits.in), (uint32_t)bytes.n, bytes);
    return bytes;
}

static void dss_params_read(struct decode *d, struct reader *r) {
    struct der params = der_enter(r, DER_SEQUENCE);
    if (!rd_ok(&params.in)) return;
    d_step(d, "pkcs-1");
    fv_open(d->out, FID_X509_DSS_PARAMS, params.off, params.len);
    number_read(d, &params.in, FID_X509_DSS_P);
    number_read(d, &params.in, FID_X509_DSS_Q);
    number_read(d, &params.in, FID_X509_DSS_G);
    fv_close(d->out);
}

static void ec_params_read(struct decode *d, struct reader *r) {
    enum { NAMED_CURVE = 1 };
    if (!der_is(r, DER_OID)) return; /* the only kind RFC 5480 allows */
    struct reader ahead = *r;
    struct der e = der_next(&ahead);
    d_step(d, "pkcs-1");
    d_open_u(d, FID_X509_EC_PARAMS, e.off, e.len, NAMED_CURVE);
    x509_oid_read(d, r, FID_X509_CURVE);
    fv_close(d->out);
}

static uint32_t bits_of(struct slice number) {
    while (number.n && !number.p[0]) number = slice_tail(number, 1);
    return number.n ? (uint32_t)number.n * 8 - (uint32_t)(__builtin_clz(number.p[0]) - 24) : 0;
}

/* rsa_key_read reads the two numbers inside the bits of an RSA key. */
static void rsa_key_read(struct decode *d, struct slice key) {
    struct reader r = d_reader(d, key);
    struct der both = der_enter(&r, DER_SEQUENCE);
    struct der modulus = der_enter(&both.in, DER_INTEGER), exponent = der_enter(&both.in, DER_INTEGER);
    if (!rd_ok(&modulus.in) || !rd_ok(&exponent.in)) return;
    struct slice n = rd_rest(&modulus.in);
    fv_s(d->out, FID_X509_MODULUS, rd_off(&modulus.in), (uint32_t)n.n, n);
    fv_u(d->out, FID_X509_EXPONENT, rd_off(&exponent.in), (uint32_t)rd_left(&exponent.in), der_unsigned(exponent.in));
    fv_u(d->out, FID_X509_KEY_BITS, rd_off(&modulus.in), (uint32_t)n.n, bits_of(n));
}

static void key_read(struct decode *d, struct reader *r) {
    struct der info = der_enter(r, DER_SEQUENCE);
    if (!rd_ok(&info.in)) {
        rd_fail(r);
        return;
    }
    fv_open(d->out, FID_X509_KEY_INFO, info.off, info.len);
    struct slice algorithm;
    struct reader params = x509_algorithm_read(d, &info.in, FID_X509_KEY_ALGORITHM, &algorithm);
    bool rsa = slice_eq(algorithm, slice_of(oid_rsa, sizeof oid_rsa));
    if (slice_eq(algorithm, slice_of(oid_ec, sizeof oid_ec))) ec_params_read(d, &params);
    if (slice_eq(algorithm, slice_of(oid_dsa, sizeof oid_dsa))) dss_params_read(d, &params);
    if (rd_ok(&info.in)) fv_close(d->out);
    struct slice key = x509_bits_read(d, &info.in, FID_X509_KEY, !rsa);
    if (rsa && key.n) {
        d->out->depth++;
        rsa_key_read(d, key);
        fv_close(d->out);
    }
    if (!rd_ok(&info.in)) rd_fail(r);
    fv_close(d->out);
}

static void moment_read(struct decode *d, struct reader *r, uint16_t id) {
    struct der e = der_next(r);
    if (!rd_ok(&e.in)) return;
    d_open_u(d, id, e.off, e.len, e.tag == DER_GENERALIZED_TIME);
    if (e.tag == DER_GENERALIZED_TIME) x509_time_read(d, &e, FID_X509_GENERALIZED_TIME);
    else x509_utc_read(d, &e);
    fv_close(d->out);
}

static void validity_read(struct decode *d, struct reader *r) {
    struct der both = der_enter(r, DER_SEQUENCE);
    if (!rd_ok(&both.in)) {
        rd_fail(r);
        return;
    }
    fv_open(d->out, FID_X509_VALIDITY, both.off, both.len);
    moment_read(d, &both.in, FID_X509_NOT_BEFORE);
    moment_read(d, &both.in, FID_X509_NOT_AFTER);
    fv_close(d->out);
}

static void version_read(struct decode *d, struct reader *r) {
    if (!der_is(r, DER_CONTEXT_SET)) return;
    struct der wrap = der_next(r);
    struct der number = der_enter(&wrap.in, DER_INTEGER);
    if (rd_ok(&number.in))
        fv_u(d->out, FID_X509_VERSION, rd_off(&number.in), (uint32_t)rd_left(&number.in), der_unsigned(number.in));
}

static void signed_read(struct decode *d, struct reader *r) {
    version_read(d, r);
    number_read(d, r, FID_X509_SERIAL);
    struct slice algorithm;
    (void)x509_algorithm_read(d, r, FID_X509_SIGNATURE, &algorithm);
    if (rd_ok(r)) fv_close(d->out);
    x509_name_read(d, r, FID_X509_ISSUER, FID_X509_RDNS);
    validity_read(d, r);
    x509_name_read(d, r, FID_X509_SUBJECT, FID_X509_SUBJECT_RDNS);
    key_read(d, r);
    while (rd_ok(r) && rd_left(r)) {
        struct der part = der_next(r);
        if (part.tag != (DER_CONTEXT_SET | 3)) continue; /* unique identifiers: nobody has them */
        struct der list = der_enter(&part.in, DER_SEQUENCE);
        if (rd_ok(&list.in)) x509_extensions_read(d, list.in);
    }
}

void x509_parts_read(struct decode *d, struct reader *r) {
    uint32_t off = rd_off(r), len = (uint32_t)rd_left(r);
    struct der body = der_enter(r, DER_SEQUENCE);
    bool bad = !rd_ok(&body.in);
    if (!bad) {
        uint8_t depth = d->out->depth;
        fv_open(d->out, FID_X509_SIGNED, body.off, body.len);
        signed_read(d, &body.in);
        d->out->depth = depth;
        bad = !rd_ok(&body.in);
    }
    struct slice algorithm;
    uint8_t depth = d->out->depth;
    (void)x509_algorithm_read(d, r, FID_X509_ALGORITHM, &algorithm);
    d->out->depth = depth;
    x509_bits_read(d, r, FID_X509_ENCRYPTED, true);
    if (bad || !rd_ok(r)) d_anomaly(d, FID_X509_BAD, off, len);
}

void x509_read(struct decode *d, struct slice certificate) {
    struct reader r = d_reader(d, certificate);
    struct der all = der_enter(&r, DER_SEQUENCE);
    d->out->depth++;
    if (rd_ok(&all.in)) x509_parts_read(d, &all.in);
    else d_anomaly(d, FID_X509_BAD, d_off(d, certificate.p), (uint32_t)certificate.n);
    fv_close(d->out);
}

/* names_find puts the bytes of a certificate's issuer and subject where told. */
static bool names_find(struct slice certificate, struct slice *issuer, struct slice *subject) {
    struct reader r = rd_init(certificate, certificate.p);
    struct der all = der_enter(&r, DER_SEQUENCE), body = der_enter(&all.in, DER_SEQUENCE);
    if (der_is(&body.in, DER_CONTEXT_SET)) (void)der_next(&body.in);
    (void)der_next(&body.in); /* serial number */
    (void)der_next(&body.in); /* signature algorithm */
    struct der from = der_enter(&body.in, DER_SEQUENCE);
    (void)der_next(&body.in); /* validity */
    struct der to = der_enter(&body.in, DER_SEQUENCE);
    *issuer = rd_rest(&from.in);
    *subject = rd_rest(&to.in);
    return rd_ok(&from.in) && rd_ok(&to.in);
}

void x509_chain_check(struct decode *d, struct slice before, struct slice next, uint32_t at) {
    struct slice issuer, subject, unused;
    if (!names_find(before, &issuer, &unused) || !names_find(next, &unused, &subject)) return;
    if (!slice_eq(issuer, subject)) d_anomaly(d, FID_X509_CHAIN, at, (uint32_t)next.n);
}

const struct proto proto_x509 = {
    .name = "x509af", .id = FID_X509, .end = FID_X509_END, .inner = true, .label = x509_label};
