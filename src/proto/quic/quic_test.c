/* SPDX-License-Identifier: Apache-2.0 */
/* The examples of RFC 9001 appendix A and RFC 9369 appendix A, the handshake in pieces out of order, and that damage
 * neither opens nor breaks anything. */
#include "proto/quic/quic.h"

#include "proto/proto_test.h"
#include "proto/protos.h"

static struct quic_path *conversation;

static void *test_state(struct decode *d, const struct proto *p) {
    (void)d, (void)p;
    return conversation;
}
static void test_call(struct decode *d, const struct proto *p, struct slice in) {
    if (p->read) p->read(d, in);
}
static const struct decode_ops ops = {.call = test_call, .udp_state = test_state};

#define CLIENT_ID "8394c8f03e515708"
#define SERVER_INITIAL                                                                                                 \
    "cf000000010008f067a5502a4262b5004075c0d95a482cd0991cd25b0aac406a5816b6394100f37a1c69797554780bb38cc5a99f5ede4cf7" \
    "3c3ec2493a1839b3dbcba3f6ea46c5b7684df3548e7ddeb9c3bf9c73cc3f3bded74b562bfb19fb84022f8ef4cdd93795d77d06edbb7aaf2f" \
    "58891850abbdca3d20398c276456cbc42158407dd074ee"

static bool is_hex(const uint8_t *bytes, const char *hex) {
    struct slice want = unhex(hex);
    bool same = slice_eq(slice_of(bytes, want.n), want);
    free((void *)want.p);
    return same;
}

static void keys_are_those_of_the_examples(void) {
    struct slice id = unhex(CLIENT_ID);
    struct quic_keys k[2];
    CHECK(quic_keys_derive(QUIC_VERSION_1, id, k), "version 1 has keys");
    CHECK(is_hex(k[0].key, "1f369613dd76d5467730efcbe3b1a22d"), "the client's key is that of RFC 9001 A.1");
    CHECK(is_hex(k[0].iv, "fa044b2f42a3fd3b46fb255c"), "and its IV");
    CHECK(is_hex(k[0].header, "9f50449e04a0e810283a1e9933adedd2"), "and its header protection key");
    CHECK(is_hex(k[1].key, "cf3a5331653c364c88f0f379b6067e37"), "the server's key is that of RFC 9001 A.1");
    CHECK(quic_keys_derive(QUIC_VERSION_2, id, k), "version 2 has keys");
    CHECK(is_hex(k[0].key, "8b1a0bc121284290a29e0971b5cd045d"), "the client's key is that of RFC 9369 A.1");
    CHECK(is_hex(k[1].header, "edf6d05c83121201b436e16877593c3a"), "and the server's header protection key");
    CHECK(!quic_keys_derive(0x51303433, id, k), "Google's own QUIC has none");
    free((void *)id.p);
}

/* RFC 9001 A.5, RFC 9369 A.5: one secret, a packet of version 1 and one of version 2 with a PING in it. */
#define CHACHA_SECRET "9ac312a7f877468ebe69422748ad00a15443f18203a07d6060f688f30f21632b"
static const struct {
    uint32_t version;
    const char *key, *iv, *header, *next, *packet;
} chacha[] = {
    {QUIC_VERSION_1, "c6d98ff3441c3fe1b2182094f69caa2ed4b716b65488960a7a984979fb23e1c8", "e0459b3474bdd0e44a41c144",
     "25a282b9e82f06f21f488917a4fc8f1b73573685608597d0efcb076b0ab7a7a4",
     "1223504755036d556342ee9361d253421a826c9ecdf3c7148684b36b714881f9", "4cfe4189655e5cd55c41f69080575d7999c25a5bfb"},
    {QUIC_VERSION_2, "3bfcddd72bcf02541d7fa0dd1f5f9eeea817e09a6963a0e6c7df0f9a1bab90f2", "a6b5bc6ab7dafce30ffff5dd",
     "d659760d2ba434a226fd37b35c69e2da8211d10c4f12538787d65645d5d1b8e2",
     "c69374c49e3d2a9466fa689e49d476db5d0dfbc87d32ceeaa6343fd0ae4c7d88", "5558b1c60ae7b6b932bc27d786f4bc2bb20f2162ba"},
};

static void chacha20_opens_a_short_header(void) {
    enum { NUMBER = 654360564 };
    struct arena memory = arena_make(1 << 20);
    for (size_t i = 0; i < sizeof chacha / sizeof *chacha; i++) {
        struct slice secret = unhex(CHACHA_SECRET), packet = unhex(chacha[i].packet);
        struct quic_keys k = {.mode = BULK_CHACHA, .size = 32};
        struct quic_opened o;
        CHECK(quic_keys_expand(chacha[i].version, EVP_sha256(), secret, &k), "the secret has keys");
        CHECK(is_hex(k.key, chacha[i].key) && is_hex(k.iv, chacha[i].iv) && is_hex(k.header, chacha[i].header),
              "which are those of the example");
        CHECK(quic_open(&memory, &k, packet, 1, NUMBER, &o), "the packet opens");
        CHECK(o.number == NUMBER && o.number_len == 3 && o.plain.n == 1 && o.plain.p[0] == QUIC_PING,
              "and holds a PING");
        CHECK(quic_secret_next(chacha[i].version, EVP_sha256(), (uint8_t *)secret.p) &&
                  is_hex(secret.p, chacha[i].next),
              "the secret behind a key update is that of the example");
        ((uint8_t *)packet.p)[packet.n - 1] ^= 1;
        CHECK(!quic_open(&memory, &k, packet, 1, NUMBER, &o), "a packet that was changed does not open");
        free((void *)secret.p);
        free((void *)packet.p);
    }
    arena_free(&memory);
}

static void a_packet_opens_with_its_keys_only(void) {
    enum { NUMBER_AT = 18 };
    struct slice id = unhex(CLIENT_ID), packet = unhex(SERVER_INITIAL);
    struct arena memory = arena_make(1 << 20);
    struct quic_opened o;
    struct quic_keys k[2];
    CHECK(quic_keys_derive(QUIC_VERSION_1, id, k), "version 1 has keys");
    CHECK(quic_open(&memory, &k[1], packet, NUMBER_AT, 0, &o), "the server's packet of RFC 9001 A.3 opens");
    CHECK(o.number == 1 && o.number_len == 2 && o.plain.n == 99 && o.plain.p[0] == QUIC_ACK, "and says what it must");
    CHECK(quic_open(&memory, &k[1], packet, NUMBER_AT, 60000, &o) == false, "its number has a part in the key stream");
    CHECK(!quic_open(&memory, &k[0], packet, NUMBER_AT, 0, &o), "the client's keys do not open it");
    for (size_t i = 0; i < packet.n; i++) {
        ((uint8_t *)packet.p)[i] ^= 1;
        CHECK(!quic_open(&memory, &k[1], packet, NUMBER_AT, 0, &o), "a bit changed at %zu: it does not open", i);
        ((uint8_t *)packet.p)[i] ^= 1;
        CHECK(!quic_open(&memory, &k[1], slice_head(packet, i), NUMBER_AT, 0, &o), "cut at %zu: it does not open", i);
    }
    arena_free(&memory);
    free((void *)id.p);
    free((void *)packet.p);
}

/* The handshake in pieces: offset and length of each, as they come. */
static const struct order {
    const char *what;
    struct {
        uint16_t off, len;
    } piece[4];
} orders[] = {
    {"as sent", {{0, 40}, {40, 20}, {60, 30}}},
    {"the last one first", {{60, 30}, {40, 20}, {0, 40}}},
    {"overlapping", {{30, 60}, {0, 20}, {10, 35}}},
    {"one of them again", {{0, 40}, {0, 40}, {60, 30}, {40, 20}}},
};

static void pieces_are_read_in_any_order(void) {
    struct slice hello = unhex("020000560303" /* a ServerHello: RFC 9001 A.3 */
                               "eefce7f7b37ba1d1632e96677825ddf73988cfc79825df566dc5430b9a045a1200130100002e003300240"
                               "01d00209d3c940d89690b84d08a60993c144eca684d1081287c834d5311bcf32bb9da1a002b00020304");
    struct bench b;
    bench_make(&b);
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) {
        struct quic_state st = {0};
        tls_quic_start(&st.tls);
        unsigned read = 0;
        for (size_t k = 0; k < 4 && orders[i].piece[k].len; k++) {
            size_t off = orders[i].piece[k].off;
            struct slice piece = slice_head(slice_tail(hello, off), orders[i].piece[k].len);
            bench_start(&b, piece);
            b.d.ops = &ops;
            quic_crypto_take(&b.d, &st, QUIC_FIRST, 1, off, piece);
            read += bench_is(&b, FID_TLS_SUITE, 0, 0x1301);
        }
        CHECK(read == 1, "%s: the ServerHello is read once, not %u times", orders[i].what, read);
        CHECK(st.crypto[QUIC_FIRST][1].next == hello.n && !st.crypto[QUIC_FIRST][1].early, "%s: nothing waits any more",
              orders[i].what);
        quic_state_end(&st);
    }
    bench_free(&b);
    free((void *)hello.p);
}

static void what_waits_is_bounded(void) {
    struct quic_state st = {0};
    struct arena_budget all = {.cap = 1 << 30};
    struct bench b;
    static uint8_t bytes[1200];
    bench_make(&b);
    tls_quic_start(&st.tls);
    for (uint64_t off = 1; off < 1 << 20; off += sizeof bytes + 1) {
        bench_start(&b, slice_of(bytes, sizeof bytes));
        b.d.ops = &ops;
        b.d.kept = &all;
        quic_crypto_take(&b.d, &st, QUIC_FIRST, 0, off, slice_of(bytes, sizeof bytes));
    }
    CHECK(all.held > 0 && all.held <= 256 << 10, "a side keeps some pieces, not %zu bytes", all.held);
    quic_state_end(&st);
    CHECK(all.held == 0, "and gives the memory back");
    bench_free(&b);
}

static void damage_breaks_nothing(void) {
    struct slice packet = unhex(SERVER_INITIAL), id = unhex(CLIENT_ID);
    struct quic_path path = {.now = {.has_keys = true, .client = 1, .version = QUIC_VERSION_1}};
    struct bench b;
    bench_make(&b);
    CHECK(quic_keys_derive(QUIC_VERSION_1, id, path.now.keys), "version 1 has keys");
    tls_quic_start(&path.now.tls);
    conversation = &path;
    for (size_t i = 0; i < 2 * packet.n; i++) {
        struct slice in = i < packet.n ? slice_head(packet, i) : packet;
        if (i >= packet.n) ((uint8_t *)packet.p)[i - packet.n] ^= 0x55;
        bench_start(&b, in);
        b.d.ops = &ops;
        if (in.n) proto_quic.read(&b.d, in);
        CHECK(!bench_find(&b, FID_QUIC_FRAME, 0), "a damaged packet shows no frame");
        if (i >= packet.n) ((uint8_t *)packet.p)[i - packet.n] ^= 0x55;
    }
    bench_start(&b, packet);
    b.d.ops = &ops;
    proto_quic.read(&b.d, packet);
    CHECK(bench_is(&b, FID_QUIC_NUMBER, 0, 1), "the whole one is still read");
    CHECK(bench_is(&b, FID_TLS_HS_TYPE, 0, SERVER_HELLO), "with the ServerHello in it");
    proto_quic.stream->end(&path);
    conversation = NULL;
    bench_free(&b);
    free((void *)packet.p);
    free((void *)id.p);
}

int main(void) {
    keys_are_those_of_the_examples();
    a_packet_opens_with_its_keys_only();
    chacha20_opens_a_short_header();
    pieces_are_read_in_any_order();
    what_waits_is_bounded();
    damage_breaks_nothing();
    return test_failures != 0;
}
