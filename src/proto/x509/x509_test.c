/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the certificate decoder: what a certificate holds, names and times, chains, damage. */
#include "proto/proto_test.h"
#include "proto/protos.h"
#include "proto/x509/x509.h"

/* Issuer "root"; subject "äb" in UTF-16 and the country XX; from 1950 to 2051; an RSA key of 65 bits; key usage
 * (critical), basic constraints, another name. */
#define CERTIFICATE                                                                                                    \
    "3081d73081c0a00302010202021234300d06092a864886f70d01010b0500300f310d300b06035504030c04726f6f74302017"             \
    "0d3530303130323033303430355a180f32303531303130323033303430355a301c310d300b06035504031e0400e40062310b"             \
    "30090603550406130258583024300d06092a864886f70d0101010500031300301002090100000000000000010203010001a3"             \
    "2f302d300e0603551d0f0101ff040403020780300c0603551d13040530030101ff300d0603551d110406300482026162300d"             \
    "06092a864886f70d01010b0500030300abcd"

static struct slice start(struct bench *b, const char *hex) {
    struct slice s = unhex(hex);
    bench_start(b, s);
    return s;
}

static void reads(struct bench *b) {
    struct slice s = start(b, CERTIFICATE);
    x509_read(&b->d, s);
    CHECK(!bench_find(b, FID_X509_BAD, 0), "a good certificate is no anomaly");
    CHECK(bench_is(b, FID_X509_VERSION, 0, 2), "the version is behind its tag");
    CHECK(bench_says(b, FID_X509_UTC_TIME, 0, "1950-01-02 03:04:05 (UTC)"),
          "years from 50 on are of the century before");
    CHECK(bench_find(b, FID_X509_GENERALIZED_TIME, 0)->i == INT64_C(2556241445) * 1000000000,
          "the other form has four digits");
    CHECK(bench_says(b, FID_X509_UTF8, 0, "root"), "the issuer's name is read");
    CHECK(bench_says(b, FID_X509_BMP, 0,
                     "\xc3\xa4"
                     "b"),
          "text of two bytes a character becomes UTF-8");
    CHECK(bench_says(b, FID_X509_COUNTRY, 0, "XX"), "a country is a name of its own");
    CHECK(bench_is(b, FID_X509_KEY_BITS, 0, 65) && bench_is(b, FID_X509_EXPONENT, 0, 65537),
          "the key's size is counted in bits");
    CHECK(bench_is(b, FID_X509_EXTENSIONS, 0, 3), "the extensions are counted");
    CHECK(bench_is(b, FID_X509_KU_SIGN, 0, 1) && bench_is(b, FID_X509_KU_KEY, 0, 0), "key usage is a row of bits");
    CHECK(bench_is(b, FID_X509_CA, 0, 1), "it may sign others");
    CHECK(bench_says(b, FID_X509_DNS, 0, "ab"), "the other names are read");
    CHECK(b->v.depth == 0, "every subtree is closed");
    free((void *)s.p);
}

static void label_says(struct bench *b, uint16_t id, unsigned nth, const char *text) {
    char buf[256];
    struct writer w = wr_fixed(buf, sizeof buf);
    const struct fval *f = bench_find(b, id, nth);
    CHECK(f && x509_label(&w, &b->v, (uint32_t)(f - b->v.v)) && slice_eq(wr_done(&w), slice_str(text)), "%s: %.*s",
          text, (int)wr_len(&w), buf);
}

static void words(struct bench *b) {
    struct slice s = start(b, CERTIFICATE);
    x509_read(&b->d, s);
    label_says(b, FID_X509_SUBJECT_RDNS, 0,
               "rdnSequence: 2 items (id-at-countryName=XX,id-at-commonName=\xc3\xa4"
               "b)");
    label_says(b, FID_X509_ALGORITHM, 0, "algorithmIdentifier (sha256WithRSAEncryption)");
    label_says(b, FID_X509_SERIAL, 0, "serialNumber: 0x1234");
    label_says(b, FID_X509_EXTENSION, 1, "Extension (id-ce-basicConstraints)");
    free((void *)s.p);
}

static void chain(struct bench *b) {
    struct slice s = start(b, CERTIFICATE);
    x509_chain_check(&b->d, s, s, 0);
    CHECK(bench_find(b, FID_X509_CHAIN, 0), "a certificate behind one that names another issuer is out of order");
    free((void *)s.p);
}

/* damage changes and cuts every byte: nothing is read out of bounds, every subtree is closed. */
static void damage(struct bench *b) {
    static const uint8_t values[] = {0, 1, 0x30, 0x7f, 0x80, 0x84, 0xff};
    struct slice whole = unhex(CERTIFICATE);
    for (size_t at = 0; at < whole.n * sizeof values; at++) {
        size_t n = at % 2 ? whole.n : at / sizeof values + 1;
        uint8_t *copy = malloc(n);
        memcpy(copy, whole.p, n);
        copy[at / sizeof values] = values[at % sizeof values];
        bench_start(b, slice_of(copy, n));
        x509_read(&b->d, slice_of(copy, n));
        CHECK(b->v.depth == 0, "every subtree is closed");
        if (n < whole.n) CHECK(bench_find(b, FID_X509_BAD, 0), "a certificate that is cut is an anomaly");
        bench_start(b, slice_of(copy, n));
        proto_ocsp.read(&b->d, slice_of(copy, n));
        CHECK(b->v.depth == 0 && bench_find(b, FID_OCSP_BAD, 0), "it is no answer about revocation");
        free(copy);
    }
    free((void *)whole.p);
}

int main(void) {
    struct bench b;
    bench_make(&b);
    reads(&b);
    words(&b);
    chain(&b);
    damage(&b);
    bench_free(&b);
    return test_failures != 0;
}
