/* SPDX-License-Identifier: Apache-2.0 */
/* The chain of certificates a server sent: dates, names, and whether each was issued by the next (RFC 5280 6.1, RFC
 * 6125). Nothing is verified: who is trusted is not in a capture. */
#include "analyse/explain/gather.h"

#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <time.h>

static int64_t seconds_of(const ASN1_TIME *t) {
    struct tm tm;
    return t && ASN1_TIME_to_tm(t, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

static struct slice name_text(struct explain *e, X509_NAME *name) {
    char text[KEPT_TEXT] = "";
    int n = name ? X509_NAME_get_text_by_NID(name, NID_commonName, text, sizeof text) : -1;
    if (n < 0 && name) X509_NAME_oneline(name, text, sizeof text);
    return keep(e, slice_str(text));
}

/* names_text joins the DNS names of a certificate. */
static struct slice names_text(struct explain *e, X509 *x) {
    char text[KEPT_TEXT];
    struct writer w = wr_fixed(text, sizeof text);
    GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; names && i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *g = sk_GENERAL_NAME_value(names, i);
        if (g->type != GEN_DNS) continue;
        if (wr_len(&w)) wr_s(&w, ", ");
        wr_bytes(&w, ASN1_STRING_get0_data(g->d.dNSName), (size_t)ASN1_STRING_length(g->d.dNSName));
    }
    GENERAL_NAMES_free(names);
    return keep(e, wr_done(&w));
}

static X509 *parse(struct slice der) {
    const unsigned char *p = der.p;
    return der.n && der.n < 1 << 20 ? d2i_X509(NULL, &p, (long)der.n) : NULL;
}

void certificate_read(struct explain *e, struct certificate_rec *rec, const struct tls_event *t, struct slice name) {
    X509 *leaf = parse(t->certificate[0]);
    rec->count = t->certificates;
    if (!leaf) return;
    rec->read = true;
    rec->not_before = seconds_of(X509_get0_notBefore(leaf));
    rec->not_after = seconds_of(X509_get0_notAfter(leaf));
    rec->subject = name_text(e, X509_get_subject_name(leaf));
    rec->issuer = name_text(e, X509_get_issuer_name(leaf));
    rec->names = names_text(e, leaf);
    if (!rec->names.n) rec->names = rec->subject;
    rec->self_signed = X509_NAME_cmp(X509_get_subject_name(leaf), X509_get_issuer_name(leaf)) == 0;
    if (name.n) rec->name_differs = X509_check_host(leaf, (const char *)name.p, name.n, 0, NULL) == 0;
    void *access = X509_get_ext_d2i(leaf, NID_info_access, NULL, NULL);
    rec->aia = access != NULL;
    AUTHORITY_INFO_ACCESS_free(access);
    rec->linked = true;
    X509 *below = leaf;
    for (unsigned i = 1; i < t->certificates; i++) {
        X509 *above = parse(t->certificate[i]);
        if (!above) break;
        if (X509_NAME_cmp(X509_get_issuer_name(below), X509_get_subject_name(above)) != 0) rec->linked = false;
        if (below != leaf) X509_free(below);
        below = above;
    }
    if (below != leaf) X509_free(below);
    X509_free(leaf);
}
