/* SPDX-License-Identifier: Apache-2.0 */
/* Signed certificate timestamps, in an extension of TLS or of a certificate: RFC 6962 3.2 and 3.3. */
#include "proto/tls/tls.h"

static void sct_read(struct decode *d, struct reader *r) {
    get_u8(d, r, FID_TLS_SCT_VERSION);
    get_bytes(d, r, FID_TLS_SCT_LOG, 32);
    uint32_t off = rd_off(r);
    uint64_t ms = rd_be64(r);
    if (rd_ok(r)) fv_i(d->out, FID_TLS_SCT_TIME, off, 8, (int64_t)(ms % ((uint64_t)1 << 43)) * 1000000);
    struct reader exts = tls_vector(d, r, FID_TLS_SCT_EXTS_LEN, 2, 0, 0xffff);
    if (rd_left(&exts)) fv_add(d->out, FID_TLS_SCT_EXTS, rd_off(&exts), (uint32_t)rd_left(&exts));
    tls_sigalg_read(d, r);
    tls_opaque(d, r, FID_TLS_SCT_SIG_LEN, 2, FID_TLS_SCT_SIG);
}

void tls_scts_read(struct decode *d, struct reader *r) {
    struct reader list = tls_vector(d, r, FID_TLS_SCTS_LEN, 2, 1, 0xffff);
    while (rd_ok(&list) && rd_left(&list)) {
        uint32_t at = fv_open(d->out, FID_TLS_SCT_TEXT, rd_off(&list), 0);
        struct reader one = tls_vector(d, &list, FID_TLS_SCT_LEN, 2, 1, 0xffff);
        fv_set_len(d->out, at, (uint32_t)rd_left(&one) + 2);
        if (rd_left(&one)) sct_read(d, &one);
        fv_close(d->out);
    }
}

enum { DER_OCTETS = 0x04, DER_OID = 0x06, DER_SEQUENCE = 0x30, DER_EXTENSIONS = 0xa3 };

/* der_next takes the next DER element: its tag and its content; a reader in error where there is none. */
static struct reader der_next(struct reader *r, uint8_t *tag) {
    *tag = rd_u8(r);
    size_t n = rd_u8(r);
    if (n & 0x80) {
        size_t bytes = n & 0x7f;
        n = 0;
        if (bytes > 4) rd_fail(r);
        for (size_t i = 0; i < bytes && rd_ok(r); i++) n = n << 8 | rd_u8(r);
    }
    return rd_sub(r, n);
}

/* der_enter takes an element that must have the given tag. */
static struct reader der_enter(struct reader *r, uint8_t tag) {
    uint8_t found;
    struct reader inner = der_next(r, &found);
    if (found != tag) rd_fail(&inner);
    return inner;
}

/* extensions_find returns a reader over a certificate's extensions (RFC 5280 4.1). */
static struct reader extensions_find(struct decode *d, struct slice certificate) {
    struct reader all = d_reader(d, certificate);
    struct reader outer = der_enter(&all, DER_SEQUENCE);
    struct reader body = der_enter(&outer, DER_SEQUENCE);
    uint8_t tag = 0;
    while (rd_ok(&body) && rd_left(&body)) {
        struct reader part = der_next(&body, &tag);
        if (tag == DER_EXTENSIONS) return der_enter(&part, DER_SEQUENCE);
    }
    rd_fail(&body);
    return body;
}

void tls_cert_scts_read(struct decode *d, struct slice certificate) {
    static const uint8_t wanted[] = {0x2b, 6, 1, 4, 1, 0xd6, 0x79, 2, 4, 2}; /* 1.3.6.1.4.1.11129.2.4.2 */
    struct reader list = extensions_find(d, certificate);
    while (rd_ok(&list) && rd_left(&list)) {
        struct reader one = der_enter(&list, DER_SEQUENCE);
        struct reader oid = der_enter(&one, DER_OID);
        if (!rd_ok(&oid) || !slice_eq(rd_rest(&oid), slice_of(wanted, sizeof wanted))) continue;
        struct reader value = der_enter(&one, DER_OCTETS);
        struct reader inner = der_enter(&value, DER_OCTETS);
        if (!rd_ok(&inner)) return;
        d->out->depth++;
        tls_scts_read(d, &inner);
        fv_close(d->out);
        return;
    }
}
