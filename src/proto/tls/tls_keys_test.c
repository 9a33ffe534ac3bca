/* SPDX-License-Identifier: Apache-2.0 */
/* Key logs, private keys' refusals, pre-shared keys, cipher suites, and the key schedule with published vectors. */
#include "proto/proto_test.h"
#include "proto/tls/tls.h"
#include "proto/tls/tls_prf.h"
#include "proto/tls/tls_session.h"

#define RANDOM "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define MASTER RANDOM "000102030405060708090a0b0c0d0e0f"

static struct slice hex(const char *text) { return unhex(text); }

static const struct tls_key *found(const struct tls_keys *k, enum tls_key_kind kind, const char *id) {
    struct slice bytes = hex(id);
    const struct tls_key *key = tls_keys_find(k, kind, bytes);
    free((void *)(uintptr_t)bytes.p);
    return key;
}

static void test_key_log_lines(void) {
    struct tls_keys k;
    tls_keys_make(&k);
    struct slice text = slice_str("# a comment\r\n"
                                  "CLIENT_RANDOM " RANDOM " " MASTER "\r\n"
                                  "RSA 0011223344556677 " MASTER "\n"
                                  "RSA Session-ID:aabb Master-Key:" MASTER "\n"
                                  "PMS_CLIENT_RANDOM " RANDOM " 0102\n"
                                  "CLIENT_HANDSHAKE_TRAFFIC_SECRET\t" RANDOM "  " RANDOM "\n"
                                  "SERVER_TRAFFIC_SECRET_0 " RANDOM " " MASTER "\n"
                                  "EXPORTER_SECRET " RANDOM " " RANDOM "\n"
                                  "CLIENT_EARLY_TRAFFIC_SECRET " RANDOM " " RANDOM);
    size_t used = tls_keys_log(&k, text, TLS_FROM_LOG, false);
    CHECK(used < text.n && text.p[used - 1] == '\n', "a line without its end is left for later");
    CHECK(!found(&k, TLS_KEY_CLIENT_EARLY, RANDOM), "and not taken");
    CHECK(tls_keys_log(&k, slice_tail(text, used), TLS_FROM_LOG, true) == text.n - used,
          "at the end of the file it is taken");
    CHECK(found(&k, TLS_KEY_CLIENT_EARLY, RANDOM), "early secret");
    CHECK(found(&k, TLS_KEY_MASTER, RANDOM) && found(&k, TLS_KEY_MASTER, RANDOM)->n == 48, "master secret by random");
    CHECK(found(&k, TLS_KEY_PREMASTER_SENT, "0011223344556677"), "premaster secret by its encrypted form");
    CHECK(found(&k, TLS_KEY_MASTER_SESSION, "aabb"), "master secret by session id");
    CHECK(found(&k, TLS_KEY_PREMASTER, RANDOM) && found(&k, TLS_KEY_PREMASTER, RANDOM)->n == 2,
          "premaster secret by random");
    CHECK(found(&k, TLS_KEY_CLIENT_HANDSHAKE, RANDOM), "tabs and several spaces part words");
    CHECK(found(&k, TLS_KEY_SERVER_DATA, RANDOM), "server's first traffic secret");
    CHECK(!found(&k, TLS_KEY_CLIENT_DATA, RANDOM), "the exporter secret is none of these");
    CHECK(k.premasters, "premaster secrets need the handshake's digest");
    tls_keys_free(&k);
}

static void test_later_line_replaces(void) {
    struct tls_keys k;
    tls_keys_make(&k);
    tls_keys_log(&k, SLICE("CLIENT_RANDOM " RANDOM " " MASTER "\n"), TLS_FROM_LOG, true);
    uint64_t generation = k.generation;
    tls_keys_log(&k, SLICE("CLIENT_RANDOM " RANDOM " " MASTER "\n"), TLS_FROM_LOG, true);
    CHECK(k.generation == generation, "the same line again is nothing new");
    tls_keys_log(&k, SLICE("CLIENT_RANDOM " RANDOM " 000102030405060708090a0b0c0d0e0f" RANDOM "\n"), TLS_FROM_CAPTURE,
                 true);
    const struct tls_key *key = found(&k, TLS_KEY_MASTER, RANDOM);
    CHECK(key && key->secret[15] == 15 && key->origin == TLS_FROM_CAPTURE, "the later line counts");
    CHECK(k.generation != generation, "and is news");
    tls_keys_free(&k);
}

static void test_broken_lines(void) {
    static const char *const lines[] = {"CLIENT_RANDOM " RANDOM,
                                        "CLIENT_RANDOM  " MASTER,
                                        "CLIENT_RANDOM " RANDOM "0 " MASTER,
                                        "CLIENT_RANDOM " RANDOM " " RANDOM,
                                        "CLIENT_RANDOM " RANDOM " " MASTER "00",
                                        "client_random " RANDOM " " MASTER,
                                        "#CLIENT_RANDOM " RANDOM " " MASTER,
                                        "CLIENT_RANDOM x" RANDOM " " MASTER,
                                        "RSA Session-ID: Master-Key:" MASTER,
                                        "RSA Session-ID:aa Master-Key:bb",
                                        "",
                                        " ",
                                        "\t\t\t",
                                        "SERVER_TRAFFIC_SECRET_0 " RANDOM " 00",
                                        "CLIENT_RANDOM " RANDOM " g" MASTER};
    struct tls_keys k;
    tls_keys_make(&k);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct slice line = slice_of(lines[i], strlen(lines[i]));
        CHECK(tls_keys_log(&k, line, TLS_FROM_LOG, true) == line.n, "line %zu is passed over", i);
    }
    CHECK(k.secrets.used <= 1 && k.generation == 1, "nothing was taken from broken lines");
    tls_keys_free(&k);
}

static void test_pre_shared_keys(void) {
    struct tls_keys k;
    char text[128];
    struct writer why = wr_fixed(text, sizeof text);
    tls_keys_make(&k);
    CHECK(tls_keys_psk(&k, SLICE("00ff"), &why) && k.psk[0]->n == 2 && !k.psk[0]->identity_len, "digits");
    CHECK(tls_keys_psk(&k, SLICE("a=b=0x0102"), &why) && k.psk[1]->identity_len == 3,
          "an identity may have an equals sign in it");
    CHECK(!tls_keys_psk(&k, SLICE(""), &why) && !tls_keys_psk(&k, SLICE("0"), &why) &&
              !tls_keys_psk(&k, SLICE("id="), &why) && !tls_keys_psk(&k, SLICE("zz"), &why),
          "what is no key is refused");
    CHECK(!tls_keys_private(&k, SLICE("no key at all"), NULL, &why) && !tls_keys_private(&k, SLICE(""), NULL, &why),
          "no private key");
    tls_keys_free(&k);
}

static void test_suites(void) {
    struct tls_suite s;
    CHECK(tls_suite_find(0x002f, &s) && s.kx == KX_RSA && s.mode == BULK_CBC && s.key == 16 && s.mac == HASH_SHA1 &&
              s.prf == HASH_SHA256,
          "TLS_RSA_WITH_AES_128_CBC_SHA");
    CHECK(tls_suite_find(0xc030, &s) && s.kx == KX_ECDH && s.mode == BULK_GCM && s.key == 32 && s.prf == HASH_SHA384 &&
              s.tag == 16,
          "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384");
    CHECK(tls_suite_find(0xc0ae, &s) && s.mode == BULK_CCM && s.tag == 8, "TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8");
    CHECK(tls_suite_find(0xc0ac, &s) && s.mode == BULK_CCM && s.tag == 16, "TLS_ECDHE_ECDSA_WITH_AES_128_CCM");
    CHECK(tls_suite_find(0x1303, &s) && s.kx == KX_TLS13 && s.mode == BULK_CHACHA, "TLS_CHACHA20_POLY1305_SHA256");
    CHECK(tls_suite_find(0x000a, &s) && s.key == 24 && s.block == 8, "TLS_RSA_WITH_3DES_EDE_CBC_SHA");
    CHECK(tls_suite_find(0x003b, &s) && s.mode == BULK_NULL && s.mac == HASH_SHA256, "TLS_RSA_WITH_NULL_SHA256");
    CHECK(tls_suite_find(0x0014, &s) && s.kx == KX_DH && s.drawn == 5 && s.key == 8,
          "TLS_DHE_RSA_EXPORT_WITH_DES40_CBC_SHA");
    CHECK(!tls_suite_find(0x00ff, &s) && !tls_suite_find(0x0a0a, &s) && !tls_suite_find(0xfffe, &s),
          "what is no suite");
}

/* RFC 8448 3: the handshake secret of the server and the keys made of it. */
static void test_tls13_keys(void) {
    struct slice secret = hex("b67b7d690cc16c4e75e54213cb2d37b4e9c912bcded9105d42befd59d391ad38");
    struct slice key = hex("3fce516009c21727d0f2e4e86ee403bc"), iv = hex("5d313eb2671276ee13000b30");
    uint8_t out[32];
    CHECK(tls_expand(EVP_sha256(), 0, secret, "key", out, 16) && memcmp(out, key.p, 16) == 0, "key of RFC 8448");
    CHECK(tls_expand(EVP_sha256(), 0, secret, "iv", out, 12) && memcmp(out, iv.p, 12) == 0, "iv of RFC 8448");
    CHECK(tls_expand(EVP_sha256(), 18, secret, "key", out, 16) && memcmp(out, key.p, 16) != 0,
          "old drafts have other labels");
    free((void *)(uintptr_t)secret.p);
    free((void *)(uintptr_t)key.p);
    free((void *)(uintptr_t)iv.p);
}

/* The test vector for P_SHA256 that was posted to the TLS working group's list for TLS 1.2. */
static void test_tls12_prf(void) {
    struct slice secret = hex("9bbe436ba940f017b17652849a71db35"), seed = hex("a0ba9f936cda311827a6f796ffd5198c");
    struct slice want = hex("e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a6b301791e90d35c9c9a46b4e14"
                            "baf9af0fa022f7077def17"
                            "abfd3797c0564bab4fbc91666e9def9b97fce34f796789baa48082d122ee42c5a72e5a5110fff70187347b66");
    uint8_t out[100];
    CHECK(tls_prf(TLS12, EVP_sha256(), secret, "test label", seed, (struct slice){0}, out, sizeof out) &&
              memcmp(out, want.p, sizeof out) == 0,
          "P_SHA256");
    uint8_t seeds[300] = {0};
    CHECK(!tls_prf(TLS12, EVP_sha256(), secret, "x", slice_of(seeds, sizeof seeds), seed, out, sizeof out),
          "seeds that are too long are refused");
    free((void *)(uintptr_t)secret.p);
    free((void *)(uintptr_t)seed.p);
    free((void *)(uintptr_t)want.p);
}

/* The designers' example: key 0001..0008, text 0000 0001 0002 0003. */
static void test_idea(void) {
    struct slice key = hex("00010002000300040005000600070008"), sealed = hex("11fbed2b01986de5 11fbed2b01986de5");
    uint8_t iv[8] = {0}, out[16];
    struct idea c;
    idea_start(&c, key.p);
    idea_cbc_open(&c, iv, sealed.p, sealed.n, out);
    struct slice want = hex("0000000100020003 11fbed2a019a6de6");
    CHECK(memcmp(out, want.p, 16) == 0, "IDEA in CBC mode");
    free((void *)(uintptr_t)key.p);
    free((void *)(uintptr_t)sealed.p);
    free((void *)(uintptr_t)want.p);
}

static void test_verdicts(void) {
    for (uint8_t v = VERDICT_NONE + 1; v < VERDICT_COUNT; v++) {
        size_t n = strlen(tls_verdict_text(v));
        CHECK(n > 20 && n < 160, "verdict %u has a sentence", v);
    }
    CHECK(!tls_verdict_text(VERDICT_COUNT)[0], "there is nothing behind the last");
}

int main(void) {
    test_key_log_lines();
    test_later_line_replaces();
    test_broken_lines();
    test_pre_shared_keys();
    test_suites();
    test_tls13_keys();
    test_tls12_prf();
    test_idea();
    test_verdicts();
    return test_failures != 0;
}
