/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the TLS decoder: framing, hellos, what is encrypted, damage. */
#include "proto/proto_test.h"
#include "proto/protos.h"
#include "proto/tls/tls.h"

#define RANDOM "000102030405060708090a0b0c0d0e0f 101112131415161718191a1b1c1d1e1f"
/* A ClientHello: GREASE, two suites, server name, groups, point formats, ALPN, versions. */
#define CLIENT_BODY                                                                                                    \
    "0303" RANDOM "00 0006 0a0a 1301 c02f 01 00 0031 "                                                                 \
    "0000 000b 0009 00 0006 'a.test' "                                                                                 \
    "000a 0006 0004 001d 0017 "                                                                                        \
    "000b 0002 01 00 "                                                                                                 \
    "0010 0005 0003 02 'h2' "                                                                                          \
    "002b 0005 04 0304 0303"
#define CLIENT_RECORD "16 0301 0064 01 000060 " CLIENT_BODY
#define SERVER_12 "16 0303 0034 02 000030 0303" RANDOM "00 c02f 00 0008 0017 0000 0023 0000"
#define SERVER_13 "16 0303 0032 02 00002e 0303" RANDOM "00 1301 00 0006 002b 0002 0304"
#define RETRY                                                                                                          \
    "16 0303 0032 02 00002e 0303 cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c 00 1301 00 0006 "    \
    "002b 0002 0304"
#define CCS "14 0303 0001 01"

static const struct stream_ops *ops;
static struct slice last;

/* feed reads bytes from a side once; the fields stay in the bench, the bytes until the next call. */
static struct read_result feed(struct bench *b, struct tls_state *st, int from, const char *hex) {
    free((void *)last.p);
    last = unhex(hex);
    bench_start(b, last);
    return ops->read(&b->d, st, from, last);
}

static bool info_is(const struct bench *b, const char *text) {
    char buf[256];
    struct writer w = wr_fixed(buf, sizeof buf);
    tls_info(&w, &b->v, 0, b->v.n);
    bool same = slice_eq(wr_done(&w), slice_str(text));
    if (!same) fprintf(stderr, "info is: %.*s\n", (int)wr_len(&w), buf);
    return same;
}

static bool column_is(const struct bench *b, const char *text) {
    return strcmp(tls_column(&b->v, 0, b->v.n), text) == 0;
}

static void framing(struct bench *b) {
    struct tls_state st = {0};
    struct read_result r = feed(b, &st, 0, "16 0303 00");
    CHECK(r.status == READ_MORE && r.needed == 0 && b->v.n == 0, "half a header asks for more and shows nothing");
    r = feed(b, &st, 0, "17 0303 0004 0102");
    CHECK(r.status == READ_MORE && r.needed == 9 && b->v.n == 0, "half a record asks for the whole of it");
    r = feed(b, &st, 0, "17 0303 0002 0102 15 0303 0002 0100 17 0303 0009 00");
    CHECK(r.status == READ_OK && r.consumed == 14, "the whole records of a segment are one message");
    CHECK(bench_is(b, FID_TLS_RECORD_LEN, 1, 2) && !bench_find(b, FID_TLS_RECORD, 2), "two records are shown");
    CHECK(info_is(b, "Application Data, Alert (Level: Warning, Description: Close Notify)"), "both are named");
    CHECK(column_is(b, "TLSv1.2"), "a record of data tells the version");
    r = feed(b, &st, 0, "00 'GET / HTTP/1.1'");
    CHECK(r.status == READ_OK && r.consumed == 15 && bench_find(b, FID_TLS_IGNORED, 0), "what is no record is ignored");
    CHECK(info_is(b, "Ignored Unknown Record"), "and named so");
    r = feed(b, &st, 0, "'GET / HTTP/1.1'");
    CHECK(r.status == READ_BAD && !r.stranger && b->v.n == 0, "words are nothing of a session's");
    feed(b, &st, 0, "15 0303 0002 0100");
    feed(b, &st, 1, "15 0303 0002 0100");
    r = feed(b, &st, 0, "'PASV' 0d0a");
    CHECK(r.status == READ_BAD && r.stranger, "when both sides ended it they may be another protocol's");
    st = (struct tls_state){0};
    r = feed(b, &st, 0, "'GET / HTTP/1.1'");
    CHECK(r.status == READ_BAD && r.stranger, "before any record they may be another protocol's");
    feed(b, &st, 0, "00 'GET / HTTP/1.1'");
    CHECK(info_is(b, "Continuation Data") && column_is(b, "SSL"), "before any record it is the rest of something");
}

static void client_hello(struct bench *b) {
    struct tls_state st = {0};
    struct read_result r = feed(b, &st, 0, CLIENT_RECORD);
    CHECK(r.status == READ_OK && r.consumed == last.n, "a ClientHello is read");
    CHECK(info_is(b, "Client Hello") && column_is(b, "TLSv1") && !b->v.bad && !b->v.anomalies, "and has no fault");
    CHECK(bench_says(b, FID_TLS_SNI, 0, "a.test") && bench_says(b, FID_TLS_ALPN, 0, "h2"), "its names are shown");
    CHECK(bench_is(b, FID_TLS_SUITE, 2, 0xc02f) && bench_is(b, FID_TLS_GROUP, 1, 0x17), "its lists are shown");
    CHECK(bench_is(b, FID_TLS_SUPPORTED_VERSION, 0, 0x0304), "its versions are shown");
    CHECK(bench_says(b, FID_TLS_JA3_FULL, 0, "771,4865-49199,0-10-11-16-43,29-23,0"), "JA3 leaves GREASE out");
    CHECK(st.version == 0 && st.alpn == ALPN_NONE, "a ClientHello decides nothing");
}

static void encrypted_hello(struct bench *b) {
    struct tls_state st = {0};
    feed(b, &st, 0,
         "16 0301 0042 01 00003e 0303" RANDOM
         "00 0002 1301 01 00 0013 fe0d 000f 00 0001 0003 07 0002 aabb 0003 010203");
    CHECK(bench_is(b, FID_TLS_ECH_CONFIG, 0, 7) && bench_is(b, FID_TLS_ECH_AEAD, 0, 3),
          "the outer hello says how the inner one is encrypted");
    CHECK(bench_find(b, FID_TLS_ECH_PAYLOAD, 0) && bench_find(b, FID_TLS_ECH_PAYLOAD, 0)->len == 3, "and holds it");
    feed(b, &st, 0, "16 0301 0036 01 000032 0303" RANDOM "00 0002 1301 01 00 0007 fe0d 0003 00 0001");
    CHECK(bench_find(b, FID_TLS_TOO_SMALL, 0), "one that is cut is an anomaly");
}

static void fingerprints(struct bench *b) {
    struct tls_state st = {0};
    feed(b, &st, 0, CLIENT_RECORD);
    CHECK(bench_says(b, FID_TLS_JA4_R, 0, "t13d0205h2_1301,c02f_000a,000b,002b"),
          "suites and extensions in order, reserved ones left out");
    feed(b, &st, 0, "16 0301 002d 01 000029 0302" RANDOM "00 0002 c02f 01 00 0000");
    CHECK(bench_says(b, FID_TLS_JA4_R, 0, "t11i010000_c02f_"), "a hello that says little has a fingerprint too");
}

static void session_12(struct bench *b) {
    struct tls_state st = {0};
    feed(b, &st, 1, SERVER_12 "16 0303 0004 0e 000000");
    CHECK(info_is(b, "Server Hello, Server Hello Done") && column_is(b, "TLSv1.2"), "the server's flight is read");
    CHECK(st.version == TLS12 && st.suite == 0xc02f, "the session has a version and a suite");
    CHECK(bench_says(b, FID_TLS_JA3S_FULL, 0, "771,49199,23-35"), "JA3S");
    feed(b, &st, 0, "16 0303 0007 10 000003 02 0405" CCS "16 0303 0008 0000000000000000");
    CHECK(info_is(b, "Client Key Exchange, Change Cipher Spec, Encrypted Handshake Message"),
          "the client's flight too");
    CHECK(bench_is(b, FID_TLS_CLIENT_POINT_LEN, 0, 2), "the suite tells the key exchange");
    feed(b, &st, 1, CCS);
    CHECK(!bench_find(b, FID_TLS_RESUMED, 0), "with a key exchange it is no resumption");
    st = (struct tls_state){0};
    feed(b, &st, 1, SERVER_12 CCS);
    CHECK(bench_find(b, FID_TLS_RESUMED, 0), "without one it is");
}

static void session_13(struct bench *b) {
    struct tls_state st = {0};
    feed(b, &st, 1, RETRY);
    CHECK(info_is(b, "Hello Retry Request") && column_is(b, "TLSv1.3"), "the special random makes a retry request");
    feed(b, &st, 0, CCS CLIENT_RECORD);
    CHECK(info_is(b, "Change Cipher Spec, Client Hello"),
          "the second hello is in clear in spite of the message before");
    feed(b, &st, 1, SERVER_13 CCS "17 0303 0003 010203");
    CHECK(info_is(b, "Server Hello, Change Cipher Spec, Application Data"), "what follows is data");
    CHECK(bench_find(b, FID_TLS_OPAQUE_TYPE, 0) && !bench_find(b, FID_TLS_RANDOM_TIME, 0),
          "TLS 1.3 has opaque types and no time");
}

static void faults(struct bench *b) {
    struct tls_state st = {0};
    /* The list of suites says to be longer than the message. */
    feed(b, &st, 0, "16 0301 002d 01 000029 0303" RANDOM "00 fffe 1301 0100");
    CHECK(bench_find(b, FID_TLS_TOO_SMALL, 0), "a list that runs out of its message is an anomaly");
    st = (struct tls_state){0};
    feed(b, &st, 0, "18 0303 0003 01 4000");
    CHECK(bench_find(b, FID_TLS_BAD_HEARTBEAT, 0), "a heartbeat that asks for more than it sent is an anomaly");
    feed(b, &st, 0, "15 0303 0002 0999");
    CHECK(info_is(b, "Encrypted Alert"), "an alert that makes no sense is taken for encrypted");
}

/* fragments: RFC 8446 5.1. */
static void fragments(struct bench *b) {
    struct tls_state st = {0};
    feed(b, &st, 0, "16 0301 0002 01 00");
    CHECK(info_is(b, "[Client Hello Fragment]") && !bench_find(b, FID_TLS_HS_TYPE, 0),
          "a message may go on in the next record");
    feed(b, &st, 0, "16 0301 0002 0060 16 0301 0060 " CLIENT_BODY);
    CHECK(info_is(b, "Client Hello") && bench_says(b, FID_TLS_SNI, 0, "a.test"), "and is read when it is whole");
    CHECK(bench_is(b, FID_TLS_HS_FRAGMENT_COUNT, 0, 3) && bench_is(b, FID_TLS_HS_FRAGMENT, 1, b->pkt.number),
          "its pieces are listed");
    CHECK(!st.gather[0].have && !st.gather[0].bytes, "nothing is kept of it");
    feed(b, &st, 1, "16 0303 0005 02 00002e 03");
    ops->lost(&st, 1);
    feed(b, &st, 1, SERVER_13);
    CHECK(info_is(b, "Server Hello"), "where bytes are lost the message that began is forgotten");
    feed(b, &st, 0, "16 0301 0005 01 020001 03");
    CHECK(info_is(b, "Encrypted Handshake Message") && !st.gather[0].bytes,
          "a message too long to be one is not gathered");
    ops->end(&st);
}

static void old_hello(struct bench *b) {
    struct tls_state st = {0};
    feed(b, &st, 0, "801c 01 0301 0003 0000 0010 00002f 000102030405060708090a0b0c0d0e0f");
    CHECK(info_is(b, "Client Hello") && column_is(b, "SSLv2"), "a hello in the form of SSL 2.0 is known");
    CHECK(bench_is(b, FID_TLS_CIPHERSPEC, 0, 0x2f) && bench_find(b, FID_TLS_CHALLENGE, 0), "and read");
}

static void probes(void) {
    static const struct {
        const char *hex;
        enum probe_result result;
    } cases[] = {
        {CLIENT_RECORD, PROBE_CERTAIN},
        {"17 0303 0020 00112233", PROBE_CERTAIN},
        {"16 0301", PROBE_UNSURE},
        {"'GET / HTTP/1.1'", PROBE_NO},
        {"'GET' 20 7f 'HTTP'", PROBE_NO},
        {"00 'GET'", PROBE_UNSURE},
        {"17 0303 0001 00 99999999 99", PROBE_UNSURE},
        {"17 0303 ffff 00", PROBE_UNSURE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct slice s = unhex(cases[i].hex);
        CHECK(ops->probe(s) == cases[i].result, "case %zu is recognised", i);
        free((void *)s.p);
    }
}

/* damage changes every byte of some streams to several values and cuts them everywhere: nothing is read out of bounds.
 */
static void damage(struct bench *b) {
    static const char *const streams[] = {
        CLIENT_RECORD, SERVER_12 CCS, SERVER_13 CCS, RETRY, "16 0303 0007 10 000003 02 0405", "18 0303 0003 01 4000"};
    static const uint8_t values[] = {0, 1, 0x7f, 0x80, 0xff};
    for (size_t i = 0; i < sizeof streams / sizeof *streams; i++) {
        struct slice whole = unhex(streams[i]);
        for (size_t at = 0; at < whole.n * sizeof values; at++) {
            uint8_t *copy = malloc(whole.n);
            memcpy(copy, whole.p, whole.n);
            copy[at / sizeof values] = values[at % sizeof values];
            struct tls_state st = {.version = i == 4 ? TLS12 : 0, .suite = 0xc02f, .has_suite = true};
            struct slice in = slice_of(copy, whole.n - at % 3);
            bench_start(b, in);
            struct read_result r = ops->read(&b->d, &st, (int)(at & 1), in);
            CHECK(r.status != READ_OK || (r.consumed && r.consumed <= in.n), "reading moves on");
            CHECK(b->v.depth == 0, "every subtree is closed");
            ops->end(&st);
            free(copy);
        }
        free((void *)whole.p);
    }
}

int main(void) {
    struct bench b;
    ops = proto_tls.stream;
    bench_make(&b);
    framing(&b);
    client_hello(&b);
    session_12(&b);
    session_13(&b);
    faults(&b);
    fingerprints(&b);
    encrypted_hello(&b);
    fragments(&b);
    old_hello(&b);
    probes();
    damage(&b);
    free((void *)last.p);
    bench_free(&b);
    return test_failures != 0;
}
