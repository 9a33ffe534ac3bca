/* SPDX-License-Identifier: Apache-2.0 */
/* A question about the revocation of certificates, and its answer: RFC 6960 4. */
#include "proto/protos.h"
#include "proto/x509/x509.h"

static void bytes_read(struct decode *d, struct reader *r, uint8_t tag, uint16_t id) {
    struct der e = der_enter(r, tag);
    if (rd_ok(&e.in)) fv_s(d->out, id, rd_off(&e.in), (uint32_t)rd_left(&e.in), rd_rest(&e.in));
    else rd_fail(r);
}

/* moment_read reads a GeneralizedTime with its header as its place. */
static void moment_read(struct decode *d, struct reader *r, uint16_t id) {
    struct der e = der_enter(r, DER_GENERALIZED_TIME);
    if (!rd_ok(&e.in)) {
        rd_fail(r);
        return;
    }
    uint32_t n = d->out->n;
    x509_time_read(d, &e, id);
    if (d->out->n == n) return;
    d->out->v[n].off = rd_off(&e.in);
    d->out->v[n].len = (uint32_t)rd_left(&e.in);
}

static void cert_id_read(struct decode *d, struct reader *r, uint16_t id) {
    struct der e = der_enter(r, DER_SEQUENCE);
    if (!rd_ok(&e.in)) {
        rd_fail(r);
        return;
    }
    fv_open(d->out, id, e.off, e.len);
    struct slice algorithm;
    (void)x509_algorithm_read(d, &e.in, FID_OCSP_HASH, &algorithm);
    if (rd_ok(&e.in)) fv_close(d->out);
    bytes_read(d, &e.in, DER_OCTETS, FID_OCSP_NAME_HASH);
    bytes_read(d, &e.in, DER_OCTETS, FID_OCSP_KEY_HASH);
    bytes_read(d, &e.in, DER_INTEGER, FID_OCSP_SERIAL);
    fv_close(d->out);
}

static void status_read(struct decode *d, struct reader *r) {
    static const uint16_t ids[] = {FID_OCSP_GOOD, FID_OCSP_REVOKED, FID_OCSP_UNKNOWN};
    struct der e = der_next(r);
    unsigned kind = e.tag & 0x1f;
    if (!rd_ok(&e.in) || kind > 2) {
        rd_fail(r);
        return;
    }
    uint32_t off = rd_off(&e.in), len = (uint32_t)rd_left(&e.in);
    d_open_u(d, FID_OCSP_CERT_STATUS, off, len, kind);
    fv_open(d->out, ids[kind], off, len);
    if (kind == 1) {
        moment_read(d, &e.in, FID_OCSP_REVOKED_AT);
        struct der reason = der_next(&e.in);
        struct der number = der_enter(&reason.in, DER_ENUMERATED);
        if (rd_ok(&number.in)) fv_u(d->out, FID_OCSP_REASON, rd_off(&number.in), 1, der_unsigned(number.in));
    }
    fv_close(d->out);
    fv_close(d->out);
}

static void extension_read(struct decode *d, struct reader *r) {
    static const uint8_t cutoff[] = {0x2b, 6, 1, 5, 5, 7, 48, 1, 6};
    struct der e = der_enter(r, DER_SEQUENCE);
    if (!rd_ok(&e.in)) return;
    fv_open(d->out, FID_OCSP_EXTENSION, e.off, e.len);
    struct slice id = x509_oid_read(d, &e.in, FID_OCSP_EXTENSION_ID);
    if (der_is(&e.in, DER_BOOLEAN)) {
        struct der b = der_next(&e.in);
        if (rd_ok(&b.in))
            fv_u(d->out, FID_OCSP_CRITICAL, rd_off(&b.in), (uint32_t)rd_left(&b.in), der_unsigned(b.in) != 0);
    }
    struct der value = der_enter(&e.in, DER_OCTETS);
    if (rd_ok(&value.in) && slice_eq(id, slice_of(cutoff, sizeof cutoff))) moment_read(d, &value.in, FID_OCSP_CUTOFF);
    fv_close(d->out);
}

static void extensions_read(struct decode *d, struct der *wrap, uint16_t id) {
    struct der list = der_enter(&wrap->in, DER_SEQUENCE);
    if (!rd_ok(&list.in)) return;
    d_open_u(d, id, rd_off(&list.in), (uint32_t)rd_left(&list.in), der_count(list.in));
    while (rd_ok(&list.in) && rd_left(&list.in)) extension_read(d, &list.in);
    fv_close(d->out);
}

static void single_read(struct decode *d, struct reader *r) {
    struct der e = der_enter(r, DER_SEQUENCE);
    if (!rd_ok(&e.in)) {
        rd_fail(r);
        return;
    }
    fv_open(d->out, FID_OCSP_SINGLE, e.off, e.len);
    cert_id_read(d, &e.in, FID_OCSP_CERT_ID);
    status_read(d, &e.in);
    moment_read(d, &e.in, FID_OCSP_THIS_UPDATE);
    while (rd_ok(&e.in) && rd_left(&e.in)) {
        struct der part = der_next(&e.in);
        if (part.tag == DER_CONTEXT_SET) moment_read(d, &part.in, FID_OCSP_NEXT_UPDATE);
        if (part.tag == (DER_CONTEXT_SET | 1)) extensions_read(d, &part, FID_OCSP_SINGLE_EXTS);
    }
    fv_close(d->out);
}

static void responder_read(struct decode *d, struct reader *r) {
    struct der e = der_next(r);
    unsigned kind = e.tag & 0x1f;
    if (!rd_ok(&e.in)) return;
    d_open_u(d, FID_OCSP_RESPONDER, rd_off(&e.in), (uint32_t)rd_left(&e.in), kind);
    if (kind == 1) x509_name_read(d, &e.in, FID_OCSP_BY_NAME, FID_X509_RDNS);
    if (kind == 2) bytes_read(d, &e.in, DER_OCTETS, FID_OCSP_BY_KEY);
    fv_close(d->out);
}

static void data_read(struct decode *d, struct reader *r) {
    struct der e = der_enter(r, DER_SEQUENCE);
    if (!rd_ok(&e.in)) {
        rd_fail(r);
        return;
    }
    fv_open(d->out, FID_OCSP_DATA, e.off, e.len);
    if (der_is(&e.in, DER_CONTEXT_SET)) {
        struct der wrap = der_next(&e.in);
        struct der number = der_enter(&wrap.in, DER_INTEGER);
        if (rd_ok(&number.in)) fv_u(d->out, FID_OCSP_VERSION, rd_off(&number.in), 1, der_unsigned(number.in));
    }
    responder_read(d, &e.in);
    moment_read(d, &e.in, FID_OCSP_PRODUCED);
    struct der list = der_enter(&e.in, DER_SEQUENCE);
    if (rd_ok(&list.in)) {
        d_open_u(d, FID_OCSP_RESPONSES, rd_off(&list.in), (uint32_t)rd_left(&list.in), der_count(list.in));
        while (rd_ok(&list.in) && rd_left(&list.in)) single_read(d, &list.in);
        fv_close(d->out);
    }
    if (der_is(&e.in, DER_CONTEXT_SET | 1)) {
        struct der wrap = der_next(&e.in);
        extensions_read(d, &wrap, FID_OCSP_RESPONSE_EXTS);
    }
    fv_close(d->out);
}

static void certificates_read(struct decode *d, struct der *wrap) {
    struct der list = der_enter(&wrap->in, DER_SEQUENCE);
    if (!rd_ok(&list.in)) return;
    d_open_u(d, FID_OCSP_CERTS, rd_off(&list.in), (uint32_t)rd_left(&list.in), der_count(list.in));
    while (rd_ok(&list.in) && rd_left(&list.in)) {
        struct der one = der_enter(&list.in, DER_SEQUENCE);
        if (!rd_ok(&one.in)) break;
        fv_open(d->out, FID_OCSP_CERT, one.off, one.len);
        x509_parts_read(d, &one.in);
        fv_close(d->out);
    }
    fv_close(d->out);
}

static void basic_read(struct decode *d, struct reader *r) {
    struct der e = der_enter(r, DER_SEQUENCE);
    if (!rd_ok(&e.in)) {
        rd_fail(r);
        return;
    }
    uint8_t depth = d->out->depth;
    bool stapled =
        d->layers > 1 && d->layer[d->layers - 2].proto == &proto_tls; /* no protocol's name but TLS's before */
    if (!stapled) d_step(d, proto_ocsp.name);
    fv_open(d->out, FID_OCSP_BASIC, e.off, e.len);
    data_read(d, &e.in);
    struct slice algorithm;
    (void)x509_algorithm_read(d, &e.in, FID_OCSP_ALGORITHM, &algorithm);
    d->out->depth = (uint8_t)(depth + 1);
    x509_bits_read(d, &e.in, FID_OCSP_SIGNATURE, true);
    if (der_is(&e.in, DER_CONTEXT_SET)) {
        struct der wrap = der_next(&e.in);
        certificates_read(d, &wrap);
    }
    d->out->depth = depth;
    if (!rd_ok(&e.in)) rd_fail(r);
}

static void response_read(struct decode *d, struct reader *r) {
    static const uint8_t basic[] = {0x2b, 6, 1, 5, 5, 7, 48, 1, 1};
    struct der wrap = der_enter(r, DER_CONTEXT_SET);
    struct der bytes = der_enter(&wrap.in, DER_SEQUENCE);
    if (!rd_ok(&bytes.in)) {
        rd_fail(r);
        return;
    }
    fv_open(d->out, FID_OCSP_BYTES, bytes.off, bytes.len);
    struct slice type = x509_oid_read(d, &bytes.in, FID_OCSP_TYPE);
    struct der value = der_enter(&bytes.in, DER_OCTETS);
    if (slice_eq(type, slice_of(basic, sizeof basic))) basic_read(d, &value.in);
    if (!rd_ok(&value.in)) rd_fail(r);
    fv_close(d->out);
}

/* request_read reads what is asked, without who asks: RFC 6960 4.1.1. */
static void request_read(struct decode *d, struct reader *r) {
    struct der e = der_enter(r, DER_SEQUENCE);
    fv_open(d->out, FID_OCSP_TBS_REQUEST, e.off, e.len);
    while (der_is(&e.in, DER_CONTEXT_SET) || der_is(&e.in, DER_CONTEXT_SET | 1)) (void)der_next(&e.in);
    struct der list = der_enter(&e.in, DER_SEQUENCE);
    d_open_u(d, FID_OCSP_REQUESTS, rd_off(&list.in), (uint32_t)rd_left(&list.in), der_count(list.in));
    while (rd_ok(&list.in) && rd_left(&list.in)) {
        struct der one = der_enter(&list.in, DER_SEQUENCE);
        fv_open(d->out, FID_OCSP_REQUEST, one.off, one.len);
        cert_id_read(d, &one.in, FID_OCSP_REQ_CERT);
        fv_close(d->out);
        if (!rd_ok(&one.in)) rd_fail(&list.in);
    }
    fv_close(d->out);
    if (der_is(&e.in, DER_CONTEXT_SET | 2)) {
        struct der wrap = der_next(&e.in);
        extensions_read(d, &wrap, FID_OCSP_REQUEST_EXTS);
    }
    fv_close(d->out);
    if (!rd_ok(&list.in)) rd_fail(r);
}

static void ocsp_read(struct decode *d, struct slice in) {
    struct reader r = d_reader(d, in);
    uint32_t off = rd_off(&r);
    uint8_t depth = d->out->depth;
    d_begin(d, &proto_ocsp, off, (uint32_t)in.n);
    struct der all = der_enter(&r, DER_SEQUENCE);
    if (der_is(&all.in, DER_SEQUENCE)) {
        request_read(d, &all.in);
    } else {
        struct der status = der_enter(&all.in, DER_ENUMERATED);
        if (rd_ok(&status.in))
            fv_u(d->out, FID_OCSP_STATUS, rd_off(&status.in), (uint32_t)rd_left(&status.in), der_unsigned(status.in));
        else rd_fail(&all.in);
        if (rd_left(&all.in)) response_read(d, &all.in);
    }
    if (!rd_ok(&all.in)) d_anomaly(d, FID_OCSP_BAD, off, (uint32_t)in.n);
    d->out->depth = depth;
}

static void ocsp_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    wr_s(w, fv_first(v, FID_OCSP_STATUS, at, end) ? "Response" : "Request");
}

static const uint16_t info_fields[] = {FID_OCSP_STATUS, 0};
const struct proto proto_ocsp = {.name = "ocsp",
                                 .column = "OCSP",
                                 .id = FID_OCSP,
                                 .end = FID_OCSP_END,
                                 .inner = true,
                                 .read = ocsp_read,
                                 .info = ocsp_info,
                                 .info_fields = info_fields,
                                 .label = x509_label};
