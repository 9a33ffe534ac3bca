/* SPDX-License-Identifier: Apache-2.0 */
/* The words for certificates: names of object identifiers, and tree lines that are not the table's. */
#include "field/print.h"
#include "proto/x509/x509.h"

#include <stdlib.h>

/* Object identifiers in the order of their text. */
static const struct oid_name {
    const char *oid, *name;
} oid_names[] = {
    {"0.9.2342.19200300.100.1.1", "id-at-userid"},
    {"0.9.2342.19200300.100.1.25", "dc"},
    {"1.2.840.10040.4.1", "id-dsa"},
    {"1.2.840.10040.4.3", "id-dsa-with-sha1"},
    {"1.2.840.10045.2.1", "id-ecPublicKey"},
    {"1.2.840.10045.3.1.1", "secp192r1"},
    {"1.2.840.10045.3.1.7", "secp256r1"},
    {"1.2.840.10045.4.1", "ecdsa-with-SHA1"},
    {"1.2.840.10045.4.3.1", "ecdsa-with-SHA224"},
    {"1.2.840.10045.4.3.2", "ecdsa-with-SHA256"},
    {"1.2.840.10045.4.3.3", "ecdsa-with-SHA384"},
    {"1.2.840.10045.4.3.4", "ecdsa-with-SHA512"},
    {"1.2.840.113549.1.1.1", "rsaEncryption"},
    {"1.2.840.113549.1.1.10", "id-RSASSA-PSS"},
    {"1.2.840.113549.1.1.11", "sha256WithRSAEncryption"},
    {"1.2.840.113549.1.1.12", "sha384WithRSAEncryption"},
    {"1.2.840.113549.1.1.13", "sha512WithRSAEncryption"},
    {"1.2.840.113549.1.1.14", "sha224WithRSAEncryption"},
    {"1.2.840.113549.1.1.2", "md2WithRSAEncryption"},
    {"1.2.840.113549.1.1.4", "md5WithRSAEncryption"},
    {"1.2.840.113549.1.1.5", "sha1WithRSAEncryption"},
    {"1.2.840.113549.1.9.1", "id-at-emailAddress"},
    {"1.2.840.113549.1.9.15", "id-smime-capabilities"},
    {"1.2.840.113549.2.5", "md5"},
    {"1.3.101.112", "id-Ed25519"},
    {"1.3.101.113", "id-Ed448"},
    {"1.3.132.0.10", "secp256k1"},
    {"1.3.132.0.33", "secp224r1"},
    {"1.3.132.0.34", "secp384r1"},
    {"1.3.132.0.35", "secp521r1"},
    {"1.3.14.3.2.26", "SHA-1"},
    {"1.3.14.3.2.29", "sha1WithRSA"},
    {"1.3.6.1.4.1.11129.2.4.2", "SignedCertificateTimestampList"},
    {"1.3.6.1.4.1.11129.2.4.5", "SignedCertificateTimestampList"},
    {"1.3.6.1.4.1.311.10.3.3", "id-ms-sgc"},
    {"1.3.6.1.4.1.311.10.3.4", "id-ms-efs"},
    {"1.3.6.1.4.1.311.20.2", "id-ms-certificate-template-name"},
    {"1.3.6.1.4.1.311.20.2.2", "id-ms-smartcard-logon"},
    {"1.3.6.1.4.1.311.21.1", "id-ms-ca-version"},
    {"1.3.6.1.4.1.311.21.10", "id-ms-application-certificate-policies"},
    {"1.3.6.1.4.1.311.21.7", "id-ms-certificate-template"},
    {"1.3.6.1.4.1.311.60.2.1.1", "jurisdictionOfIncorporationLocalityName"},
    {"1.3.6.1.4.1.311.60.2.1.2", "jurisdictionOfIncorporationStateOrProvinceName"},
    {"1.3.6.1.4.1.311.60.2.1.3", "jurisdictionOfIncorporationCountryName"},
    {"1.3.6.1.5.5.7.1.1", "id-pe-authorityInfoAccess"},
    {"1.3.6.1.5.5.7.1.11", "id-pe-subjectInfoAccess"},
    {"1.3.6.1.5.5.7.1.12", "id-pe-logotype"},
    {"1.3.6.1.5.5.7.1.24", "id-pe-tlsfeature"},
    {"1.3.6.1.5.5.7.1.3", "id-pe-qcStatements"},
    {"1.3.6.1.5.5.7.2.1", "id-qt-cps"},
    {"1.3.6.1.5.5.7.2.2", "id-qt-unotice"},
    {"1.3.6.1.5.5.7.3.1", "id-kp-serverAuth"},
    {"1.3.6.1.5.5.7.3.17", "id-kp-ipsecIKE"},
    {"1.3.6.1.5.5.7.3.2", "id-kp-clientAuth"},
    {"1.3.6.1.5.5.7.3.3", "id-kp-codeSigning"},
    {"1.3.6.1.5.5.7.3.4", "id-kp-emailProtection"},
    {"1.3.6.1.5.5.7.3.8", "id-kp-timeStamping"},
    {"1.3.6.1.5.5.7.3.9", "id-kp-OCSPSigning"},
    {"1.3.6.1.5.5.7.48.1", "id-ad-ocsp"},
    {"1.3.6.1.5.5.7.48.1.1", "id-pkix-ocsp-basic"},
    {"1.3.6.1.5.5.7.48.1.2", "id-pkix-ocsp-nonce"},
    {"1.3.6.1.5.5.7.48.1.4", "id-pkix-ocsp-response"},
    {"1.3.6.1.5.5.7.48.1.5", "id-pkix-ocsp-nocheck"},
    {"1.3.6.1.5.5.7.48.1.6", "id-pkix-ocsp-archive-cutoff"},
    {"1.3.6.1.5.5.7.48.2", "id-ad-caIssuers"},
    {"2.16.840.1.101.3.4.2.1", "sha256"},
    {"2.16.840.1.101.3.4.2.2", "sha384"},
    {"2.16.840.1.101.3.4.2.3", "sha512"},
    {"2.16.840.1.101.3.4.3.17", "id-ml-dsa-44"},
    {"2.16.840.1.101.3.4.3.18", "id-ml-dsa-65"},
    {"2.16.840.1.101.3.4.3.19", "id-ml-dsa-87"},
    {"2.16.840.1.113730.1.1", "ns_cert_exts.cert_type"},
    {"2.16.840.1.113730.1.13", "ns_cert_exts.comment"},
    {"2.16.840.1.113730.4.1", "id-ns-sgc"},
    {"2.23.140.1.1", "joint-iso-itu-t.23.140.1.1"},
    {"2.5.29.14", "id-ce-subjectKeyIdentifier"},
    {"2.5.29.15", "id-ce-keyUsage"},
    {"2.5.29.16", "id-ce-privateKeyUsagePeriod"},
    {"2.5.29.17", "id-ce-subjectAltName"},
    {"2.5.29.18", "id-ce-issuerAltName"},
    {"2.5.29.19", "id-ce-basicConstraints"},
    {"2.5.29.30", "id-ce-nameConstraints"},
    {"2.5.29.31", "id-ce-cRLDistributionPoints"},
    {"2.5.29.32", "id-ce-certificatePolicies"},
    {"2.5.29.32.0", "anyPolicy"},
    {"2.5.29.33", "id-ce-policyMappings"},
    {"2.5.29.35", "id-ce-authorityKeyIdentifier"},
    {"2.5.29.36", "id-ce-policyConstraints"},
    {"2.5.29.37", "id-ce-extKeyUsage"},
    {"2.5.29.37.0", "anyExtendedKeyUsage"},
    {"2.5.29.46", "id-ce-freshestCRL"},
    {"2.5.29.54", "id-ce-inhibitAnyPolicy"},
    {"2.5.4.10", "id-at-organizationName"},
    {"2.5.4.11", "id-at-organizationalUnitName"},
    {"2.5.4.12", "id-at-title"},
    {"2.5.4.13", "id-at-description"},
    {"2.5.4.15", "id-at-businessCategory"},
    {"2.5.4.17", "id-at-postalCode"},
    {"2.5.4.3", "id-at-commonName"},
    {"2.5.4.4", "id-at-surname"},
    {"2.5.4.41", "id-at-name"},
    {"2.5.4.42", "id-at-givenName"},
    {"2.5.4.46", "id-at-dnQualifier"},
    {"2.5.4.5", "id-at-serialNumber"},
    {"2.5.4.6", "id-at-countryName"},
    {"2.5.4.65", "id-at-pseudonym"},
    {"2.5.4.7", "id-at-localityName"},
    {"2.5.4.8", "id-at-stateOrProvinceName"},
    {"2.5.4.9", "id-at-streetAddress"},
    {"2.5.4.97", "id-at-organizationIdentifier"},
};

static int by_text(const void *key, const void *entry) { return strcmp(key, ((const struct oid_name *)entry)->oid); }

/* oid_name_write writes the name of the identifier in f; one that has none gets the name of its root. */
static void oid_name_write(struct writer *w, const struct fval *f) {
    char text[256];
    struct writer t = wr_fixed(text, sizeof text - 1);
    print_value(&t, field_of(f->id), f);
    text[wr_len(&t)] = 0;
    const struct oid_name *found =
        bsearch(text, oid_names, sizeof oid_names / sizeof *oid_names, sizeof *oid_names, by_text);
    static const char *const roots[] = {"itu-t", "iso", "joint-iso-itu-t"};
    if (found) wr_s(w, found->name);
    else if (text[0] >= '0' && text[0] <= '2') wr_f(w, "%s%s", roots[text[0] - '0'], text + 1);
    else wr_s(w, text);
}

static bool is_value(uint16_t id) {
    return id == FID_X509_COUNTRY || (id >= FID_X509_TELETEX && id <= FID_X509_IA5_STRING);
}

/* part_write writes the attributes of one part of a name. */
static void part_write(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    bool first = true;
    for (uint32_t i = at; i < end; i++) {
        if (v->v[i].id == FID_X509_ATTRIBUTE_ID) {
            if (!first) wr_c(w, '+');
            first = false;
            oid_name_write(w, &v->v[i]);
        } else if (is_value(v->v[i].id)) {
            wr_c(w, '=');
            print_string(w, v->v[i].s);
        }
    }
}

void x509_name_write(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    enum { PARTS_MOST = 32 };
    uint32_t part[PARTS_MOST], n = 0;
    for (uint32_t i = at; i < end && n < PARTS_MOST; i++)
        if (v->v[i].id == FID_X509_RDN_ITEM) part[n++] = i;
    for (uint32_t i = n; i > 0; i--) {
        if (i < n) wr_c(w, ',');
        part_write(w, v, part[i - 1], fv_end(v, part[i - 1]));
    }
}

void x509_subject_write(struct writer *w, const struct fvec *v, uint32_t at) {
    uint32_t end = fv_end(v, at);
    const struct fval *subject = fv_first(v, FID_X509_SUBJECT_RDNS, at, end);
    if (!subject) return;
    uint32_t i = (uint32_t)(subject - v->v);
    wr_s(w, " (");
    x509_name_write(w, v, i, fv_end(v, i));
    wr_c(w, ')');
}

/* oid_below writes " (name)" of the first identifier below `at`. */
static void oid_below(struct writer *w, const struct fvec *v, uint32_t at, uint16_t id) {
    const struct fval *f = fv_first(v, id, at, fv_end(v, at));
    if (!f) return;
    wr_s(w, " (");
    oid_name_write(w, f);
    wr_c(w, ')');
}

static void count_label(struct writer *w, const struct fvec *v, uint32_t at, bool name) {
    const struct fval *f = &v->v[at];
    wr_f(w, "%s: %u item%s", field_of(f->id)->label, (unsigned)f->u, f->u == 1 ? "" : "s");
    if (!name) return;
    wr_s(w, " (");
    x509_name_write(w, v, at, fv_end(v, at));
    wr_c(w, ')');
}

/* number_label writes a number of many bytes in one piece. */
static void number_label(struct writer *w, const struct fval *f) {
    enum { SHOWN = 36 };
    wr_f(w, "%s: 0x", field_of(f->id)->label);
    wr_hexbytes(w, slice_head(f->s, SHOWN), 0);
    if (f->s.n > SHOWN) wr_s(w, "…");
}

static void oid_label(struct writer *w, const struct fval *f) {
    print_label(w, field_of(f->id), f);
    wr_s(w, " (");
    oid_name_write(w, f);
    wr_c(w, ')');
}

/* is_list tells whether an entry says how many items it has, and nothing else. */
static bool is_list(uint16_t id) {
    switch (id) {
    case FID_X509_EXTENSIONS:
    case FID_X509_PURPOSES:
    case FID_X509_GENERAL_NAMES:
    case FID_X509_AUTHORITY_ISSUER:
    case FID_X509_POLICIES:
    case FID_X509_QUALIFIERS:
    case FID_X509_CRL_POINTS:
    case FID_X509_FULL_NAME:
    case FID_X509_CRL_ISSUER:
    case FID_X509_PERMITTED:
    case FID_X509_EXCLUDED:
    case FID_X509_ACCESS:
    case FID_X509_FEATURES:
    case FID_OCSP_REQUESTS:
    case FID_OCSP_REQUEST_EXTS:
    case FID_OCSP_RESPONSES:
    case FID_OCSP_SINGLE_EXTS:
    case FID_OCSP_RESPONSE_EXTS:
    case FID_OCSP_CERTS: return true;
    default: return false;
    }
}

bool x509_label(struct writer *w, const struct fvec *v, uint32_t at) {
    const struct fval *f = &v->v[at];
    const struct field *field = field_of(f->id);
    if (field->type == FT_OID) return oid_label(w, f), true;
    if (is_list(f->id)) return count_label(w, v, at, false), true;
    switch (f->id) {
    case FID_X509_SERIAL:
    case FID_X509_MODULUS:
    case FID_X509_DSS_P:
    case FID_X509_DSS_Q:
    case FID_X509_DSS_G:
    case FID_X509_AUTHORITY_SERIAL:
    case FID_OCSP_SERIAL: number_label(w, f); return true;
    case FID_X509_RDNS:
    case FID_X509_SUBJECT_RDNS:
    case FID_X509_RDN_ITEM: count_label(w, v, at, true); return true;
    case FID_X509_RDN:
        wr_f(w, "%s (", field->label);
        part_write(w, v, at, fv_end(v, at));
        wr_c(w, ')');
        return true;
    case FID_X509_SIGNATURE:
    case FID_X509_ALGORITHM:
    case FID_X509_KEY_ALGORITHM:
    case FID_OCSP_HASH:
    case FID_OCSP_ALGORITHM:
        wr_s(w, field->label);
        oid_below(w, v, at, FID_X509_ALGORITHM_ID);
        return true;
    case FID_X509_EXTENSION:
        wr_s(w, field->label);
        oid_below(w, v, at, FID_X509_EXTENSION_ID);
        return true;
    case FID_OCSP_CERT:
        wr_s(w, field->label);
        x509_subject_write(w, v, at);
        return true;
    default: return false;
    }
}
