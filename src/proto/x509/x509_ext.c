/* SPDX-License-Identifier: Apache-2.0 */
/* The extensions of a certificate: RFC 5280 4.2; those of Microsoft and Netscape as they are met. */
#include "proto/tls/tls.h"
#include "proto/x509/x509.h"

enum {
    GENERAL_NAME_OTHER,
    GENERAL_NAME_MAIL,
    GENERAL_NAME_DNS,
    GENERAL_NAME_DIRECTORY = 4,
    GENERAL_NAME_URI = 6,
    GENERAL_NAME_IP,
    GENERAL_NAME_ID
};

static void bytes_add(struct decode *d, uint16_t id, struct reader in) {
    fv_s(d->out, id, rd_off(&in), (uint32_t)rd_left(&in), rd_rest(&in));
}

static void number_add(struct decode *d, uint16_t id, struct reader in) {
    fv_u(d->out, id, rd_off(&in), (uint32_t)rd_left(&in), der_unsigned(in));
}

/* list_open opens the entry of a list with the number of its items. */
static void list_open(struct decode *d, uint16_t id, struct reader in) {
    d_open_u(d, id, rd_off(&in), (uint32_t)rd_left(&in), der_count(in));
}

static void address_add(struct decode *d, struct reader in) {
    struct slice s = rd_rest(&in);
    if (s.n == 4) fv_u(d->out, FID_X509_ADDRESS4, rd_off(&in), 4, load_be32(s.p));
    else if (s.n != 16) bytes_add(d, FID_X509_ADDRESS, in);
    else fv_s(d->out, FID_X509_ADDRESS6, rd_off(&in), 16, s);
}

static void other_name_read(struct decode *d, struct reader in) {
    fv_open(d->out, FID_X509_OTHER_NAME, rd_off(&in), (uint32_t)rd_left(&in));
    x509_oid_read(d, &in, FID_X509_OTHER_NAME_TYPE);
    fv_close(d->out);
}

/* general_name_read reads one GeneralName under `id`. */
static void general_name_read(struct decode *d, struct reader *r, uint16_t id) {
    struct der e = der_next(r);
    if (!rd_ok(&e.in)) return;
    unsigned kind = e.tag & 0x1f;
    d_open_u(d, id, rd_off(&e.in), (uint32_t)rd_left(&e.in), kind);
    switch (kind) {
    case GENERAL_NAME_OTHER: other_name_read(d, e.in); break;
    case GENERAL_NAME_MAIL: bytes_add(d, FID_X509_MAIL, e.in); break;
    case GENERAL_NAME_DNS: bytes_add(d, FID_X509_DNS, e.in); break;
    case GENERAL_NAME_DIRECTORY: x509_name_read(d, &e.in, FID_X509_DIRECTORY_NAME, FID_X509_RDNS); break;
    case GENERAL_NAME_URI: bytes_add(d, FID_X509_URI, e.in); break;
    case GENERAL_NAME_IP: address_add(d, e.in); break;
    case GENERAL_NAME_ID: bytes_add(d, FID_X509_REGISTERED_ID, e.in); break;
    default: break;
    }
    fv_close(d->out);
}

static void general_names_read(struct decode *d, struct reader in, uint16_t id) {
    list_open(d, id, in);
    while (rd_ok(&in) && rd_left(&in)) general_name_read(d, &in, FID_X509_GENERAL_NAME);
    fv_close(d->out);
}

static void subject_names_read(struct decode *d, struct reader *r) {
    struct der list = der_enter(r, DER_SEQUENCE);
    if (rd_ok(&list.in)) general_names_read(d, list.in, FID_X509_GENERAL_NAMES);
}

static void key_id_read(struct decode *d, struct reader *r) {
    struct der e = der_enter(r, DER_OCTETS);
    if (rd_ok(&e.in)) bytes_add(d, FID_X509_KEY_ID, e.in);
}

static void authority_key_read(struct decode *d, struct reader *r) {
    struct der all = der_enter(r, DER_SEQUENCE);
    if (!rd_ok(&all.in)) return;
    fv_open(d->out, FID_X509_AUTHORITY_KEY, all.off, all.len);
    while (rd_ok(&all.in) && rd_left(&all.in)) {
        struct der e = der_next(&all.in);
        if (!rd_ok(&e.in)) break;
        if ((e.tag & 0x1f) == 0) bytes_add(d, FID_X509_AUTHORITY_KEY_ID, e.in);
        if ((e.tag & 0x1f) == 1) general_names_read(d, e.in, FID_X509_AUTHORITY_ISSUER);
        if ((e.tag & 0x1f) == 2) bytes_add(d, FID_X509_AUTHORITY_SERIAL, e.in);
    }
    fv_close(d->out);
}

static void key_usage_read(struct decode *d, struct reader *r) {
    static const uint16_t bits[] = {FID_X509_KU_SIGN,     FID_X509_KU_COMMIT,   FID_X509_KU_KEY,
                                    FID_X509_KU_DATA,     FID_X509_KU_AGREE,    FID_X509_KU_CERT_SIGN,
                                    FID_X509_KU_CRL_SIGN, FID_X509_KU_ENCIPHER, FID_X509_KU_DECIPHER};
    struct slice usage = x509_bits_read(d, r, FID_X509_KEY_USAGE, true);
    if (!usage.n) return;
    d->out->depth++;
    for (size_t i = 0; i < sizeof bits / sizeof *bits; i++) {
        size_t at = i / 8 < usage.n ? i / 8 : usage.n - 1; /* the ninth bit is mostly left out */
        bool set = i / 8 < usage.n && usage.p[i / 8] << (i % 8) & 0x80;
        fv_u(d->out, bits[i], d_off(d, usage.p) + (uint32_t)at, 1, set);
    }
    fv_close(d->out);
}

static void purposes_read(struct decode *d, struct reader *r) {
    struct der list = der_enter(r, DER_SEQUENCE);
    if (!rd_ok(&list.in)) return;
    list_open(d, FID_X509_PURPOSES, list.in);
    while (rd_ok(&list.in) && rd_left(&list.in)) x509_oid_read(d, &list.in, FID_X509_PURPOSE);
    fv_close(d->out);
}

static void basic_read(struct decode *d, struct reader *r) {
    struct der all = der_enter(r, DER_SEQUENCE);
    if (!rd_ok(&all.in)) return;
    fv_open(d->out, FID_X509_BASIC, all.off, all.len);
    if (der_is(&all.in, DER_BOOLEAN)) {
        struct der ca = der_next(&all.in);
        if (rd_ok(&ca.in))
            fv_u(d->out, FID_X509_CA, rd_off(&ca.in), (uint32_t)rd_left(&ca.in), der_unsigned(ca.in) != 0);
    }
    if (der_is(&all.in, DER_INTEGER)) number_add(d, FID_X509_PATH_LEN, der_next(&all.in).in);
    fv_close(d->out);
}

static void notice_read(struct decode *d, struct reader in) {
    static const struct {
        uint8_t tag;
        uint16_t id;
    } texts[] = {{DER_IA5, FID_X509_NOTICE_IA5},
                 {DER_VISIBLE, FID_X509_NOTICE_VISIBLE},
                 {DER_BMP, FID_X509_NOTICE_BMP},
                 {DER_UTF8, FID_X509_NOTICE_UTF8}};
    while (rd_ok(&in) && rd_left(&in)) {
        struct der e = der_next(&in);
        for (size_t i = 0; rd_ok(&e.in) && i < sizeof texts / sizeof *texts; i++) {
            if (texts[i].tag != e.tag) continue;
            d_open_u(d, FID_X509_NOTICE_TEXT, e.off, e.len, i);
            x509_string_add(d, texts[i].id, &e);
            fv_close(d->out);
        }
    }
}

static void qualifier_read(struct decode *d, struct reader *r) {
    struct der e = der_enter(r, DER_SEQUENCE);
    if (!rd_ok(&e.in)) return;
    fv_open(d->out, FID_X509_QUALIFIER, e.off, e.len);
    x509_oid_read(d, &e.in, FID_X509_QUALIFIER_ID);
    struct der value = der_next(&e.in);
    bool notice = value.tag == DER_SEQUENCE;
    d_step(d, notice ? "pkix1implicit" : "pkix1explicit");
    if (rd_ok(&value.in) && notice) {
        fv_open(d->out, FID_X509_NOTICE, value.off, value.len);
        notice_read(d, value.in);
        fv_close(d->out);
    } else if (rd_ok(&value.in)) {
        bytes_add(d, FID_X509_CPS, value.in);
    }
    fv_close(d->out);
}

static void policy_read(struct decode *d, struct reader *r) {
    struct der e = der_enter(r, DER_SEQUENCE);
    if (!rd_ok(&e.in)) return;
    fv_open(d->out, FID_X509_POLICY, e.off, e.len);
    x509_oid_read(d, &e.in, FID_X509_POLICY_ID);
    struct der list = der_enter(&e.in, DER_SEQUENCE);
    if (rd_ok(&list.in)) {
        list_open(d, FID_X509_QUALIFIERS, list.in);
        while (rd_ok(&list.in) && rd_left(&list.in)) qualifier_read(d, &list.in);
        fv_close(d->out);
    }
    fv_close(d->out);
}

static void policies_read(struct decode *d, struct reader *r) {
    struct der list = der_enter(r, DER_SEQUENCE);
    if (!rd_ok(&list.in)) return;
    list_open(d, FID_X509_POLICIES, list.in);
    while (rd_ok(&list.in) && rd_left(&list.in)) policy_read(d, &list.in);
    fv_close(d->out);
}

static void crl_point_read(struct decode *d, struct reader *r) {
    struct der e = der_enter(r, DER_SEQUENCE);
    if (!rd_ok(&e.in)) return;
    fv_open(d->out, FID_X509_CRL_POINT, e.off, e.len);
    while (rd_ok(&e.in) && rd_left(&e.in)) {
        struct der part = der_next(&e.in);
        if (part.tag == (DER_CONTEXT_SET | 2)) general_names_read(d, part.in, FID_X509_CRL_ISSUER);
        if (part.tag != DER_CONTEXT_SET) continue;
        struct der name = der_next(&part.in);
        if (!rd_ok(&name.in)) continue;
        d_open_u(d, FID_X509_POINT_NAME, rd_off(&name.in), (uint32_t)rd_left(&name.in), name.tag & 0x1f);
        if (name.tag == DER_CONTEXT_SET) general_names_read(d, name.in, FID_X509_FULL_NAME);
        fv_close(d->out);
    }
    fv_close(d->out);
}

static void crl_points_read(struct decode *d, struct reader *r) {
    struct der list = der_enter(r, DER_SEQUENCE);
    if (!rd_ok(&list.in)) return;
    list_open(d, FID_X509_CRL_POINTS, list.in);
    while (rd_ok(&list.in) && rd_left(&list.in)) crl_point_read(d, &list.in);
    fv_close(d->out);
}

static void subtrees_read(struct decode *d, struct reader in, uint16_t id) {
    list_open(d, id, in);
    while (rd_ok(&in) && rd_left(&in)) {
        struct der e = der_enter(&in, DER_SEQUENCE);
        if (!rd_ok(&e.in)) break;
        fv_open(d->out, FID_X509_SUBTREE, e.off, e.len);
        general_name_read(d, &e.in, FID_X509_SUBTREE_BASE);
        fv_close(d->out);
    }
    fv_close(d->out);
}

static void name_constraints_read(struct decode *d, struct reader *r) {
    struct der all = der_enter(r, DER_SEQUENCE);
    if (!rd_ok(&all.in)) return;
    fv_open(d->out, FID_X509_CONSTRAINTS, all.off, all.len);
    while (rd_ok(&all.in) && rd_left(&all.in)) {
        struct der e = der_next(&all.in);
        if (rd_ok(&e.in)) subtrees_read(d, e.in, e.tag & 1 ? FID_X509_EXCLUDED : FID_X509_PERMITTED);
    }
    fv_close(d->out);
}

static void policy_constraints_read(struct decode *d, struct reader *r) {
    struct der all = der_enter(r, DER_SEQUENCE);
    if (!rd_ok(&all.in)) return;
    fv_open(d->out, FID_X509_POLICY_CONSTRAINTS, all.off, all.len);
    while (rd_ok(&all.in) && rd_left(&all.in)) {
        struct der e = der_next(&all.in);
        if (rd_ok(&e.in)) number_add(d, e.tag & 1 ? FID_X509_INHIBIT_MAPPING : FID_X509_REQUIRE_POLICY, e.in);
    }
    fv_close(d->out);
}

static void access_read(struct decode *d, struct reader *r) {
    struct der list = der_enter(r, DER_SEQUENCE);
    if (!rd_ok(&list.in)) return;
    list_open(d, FID_X509_ACCESS, list.in);
    while (rd_ok(&list.in) && rd_left(&list.in)) {
        struct der e = der_enter(&list.in, DER_SEQUENCE);
        if (!rd_ok(&e.in)) break;
        fv_open(d->out, FID_X509_ACCESS_ITEM, e.off, e.len);
        x509_oid_read(d, &e.in, FID_X509_ACCESS_METHOD);
        general_name_read(d, &e.in, FID_X509_ACCESS_LOCATION);
        fv_close(d->out);
    }
    fv_close(d->out);
}

static void template_read(struct decode *d, struct reader *r) {
    struct der all = der_enter(r, DER_SEQUENCE);
    if (!rd_ok(&all.in)) return;
    fv_open(d->out, FID_X509_TEMPLATE, all.off, all.len);
    x509_oid_read(d, &all.in, FID_X509_TEMPLATE_ID);
    if (der_is(&all.in, DER_INTEGER)) number_add(d, FID_X509_TEMPLATE_MAJOR, der_next(&all.in).in);
    if (der_is(&all.in, DER_INTEGER)) number_add(d, FID_X509_TEMPLATE_MINOR, der_next(&all.in).in);
    fv_close(d->out);
}

static void timestamps_read(struct decode *d, struct reader *r) {
    struct der list = der_enter(r, DER_OCTETS);
    if (rd_ok(&list.in)) tls_scts_read(d, &list.in);
}

static void features_read(struct decode *d, struct reader *r) {
    struct der list = der_enter(r, DER_SEQUENCE);
    if (!rd_ok(&list.in)) return;
    list_open(d, FID_X509_FEATURES, list.in);
    while (rd_ok(&list.in) && rd_left(&list.in)) {
        struct der e = der_enter(&list.in, DER_INTEGER);
        if (rd_ok(&e.in)) number_add(d, FID_X509_FEATURE, e.in);
    }
    fv_close(d->out);
}

static void comment_read(struct decode *d, struct reader *r) {
    struct der e = der_enter(r, DER_IA5);
    if (rd_ok(&e.in)) bytes_add(d, FID_X509_NS_COMMENT, e.in);
}

static void no_check_read(struct decode *d, struct reader *r) {
    struct der e = der_next(r);
    if (rd_ok(&e.in)) fv_add(d->out, FID_OCSP_NULL, rd_off(&e.in), 0);
}

#define CE(number)                                                                                                     \
    {                                                                                                                  \
        3, { 0x55, 0x1d, number }                                                                                      \
    }
static const struct {
    struct {
        uint8_t n, bytes[11];
    } oid;
    void (*read)(struct decode *d, struct reader *r); /* NULL: it is named only */
    const char *step;                                 /* the module of ASN.1 it is of; NULL: x509ce */
} kinds[] = {
    {CE(14), key_id_read},
    {CE(15), key_usage_read},
    {CE(17), subject_names_read},
    {CE(18), subject_names_read},
    {CE(19), basic_read},
    {CE(30), name_constraints_read},
    {CE(31), crl_points_read},
    {CE(32), policies_read},
    {CE(35), authority_key_read},
    {CE(36), policy_constraints_read},
    {CE(37), purposes_read},
    {{8, {0x2b, 6, 1, 5, 5, 7, 1, 1}}, access_read, "pkix1implicit"},
    {{8, {0x2b, 6, 1, 5, 5, 7, 1, 24}}, features_read},
    {{9, {0x2b, 6, 1, 4, 1, 0x82, 0x37, 21, 7}}, template_read},
    {{9, {0x2b, 6, 1, 4, 1, 0x82, 0x37, 21, 10}}, policies_read},
    {{9, {0x2b, 6, 1, 4, 1, 0x82, 0x37, 20, 2}}, NULL, "x509sat"},
    {{9, {0x2b, 6, 1, 5, 5, 7, 48, 1, 5}}, no_check_read, "ocsp"},
    {{10, {0x2b, 6, 1, 4, 1, 0xd6, 0x79, 2, 4, 2}}, timestamps_read, "tls"},
    {{9, {0x60, 0x86, 0x48, 1, 0x86, 0xf8, 0x42, 1, 13}}, comment_read},
};

static void extension_read(struct decode *d, struct reader *r) {
    struct der e = der_enter(r, DER_SEQUENCE);
    if (!rd_ok(&e.in)) return;
    fv_open(d->out, FID_X509_EXTENSION, e.off, e.len);
    struct slice oid = x509_oid_read(d, &e.in, FID_X509_EXTENSION_ID);
    if (der_is(&e.in, DER_BOOLEAN)) {
        struct der b = der_next(&e.in);
        if (rd_ok(&b.in))
            fv_u(d->out, FID_X509_CRITICAL, rd_off(&b.in), (uint32_t)rd_left(&b.in), der_unsigned(b.in) != 0);
    }
    struct der value = der_enter(&e.in, DER_OCTETS);
    for (size_t i = 0; rd_ok(&value.in) && i < sizeof kinds / sizeof *kinds; i++) {
        if (!slice_eq(oid, slice_of(kinds[i].oid.bytes, kinds[i].oid.n))) continue;
        d_step(d, kinds[i].step ? kinds[i].step : "x509ce");
        if (kinds[i].read) kinds[i].read(d, &value.in);
    }
    fv_close(d->out);
}

void x509_extensions_read(struct decode *d, struct reader list) {
    list_open(d, FID_X509_EXTENSIONS, list);
    while (rd_ok(&list) && rd_left(&list)) extension_read(d, &list);
    fv_close(d->out);
}
