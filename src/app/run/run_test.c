/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of weir run: whose a packet is, and which keys belong to which session. */
#include "app/run/run.h"
#include "proto/proto_test.h"

#include <netinet/in.h>
#include <unistd.h>

/* IPv4, UDP or TCP, from 10.0.0.1:1000 to 10.0.0.2:53. */
#define IP4(proto) "45 00 0000 0000 0000 40 " proto " 0000 0a000001 0a000002 "
#define UDP_PORTS "03e8 0035 0000 0000 "
#define TCP_HEAD "03e8 0035 00000001 00000002 5018 0100 0000 0000 "
#define SLL2 "0800 0000 00000001 0001 00 06 0000000000000000 "

static struct run_packet packet_of(uint32_t link, const char *hex, bool *ok) {
    struct run_packet p;
    struct slice s = unhex(hex);
    *ok = run_packet_read(link, s, &p);
    p.payload = (struct slice){0};
    free((void *)s.p);
    return p;
}

static void packets(void) {
    bool ok;
    struct run_packet p = packet_of(276, SLL2 IP4("11") UDP_PORTS "aa", &ok);
    CHECK(ok && p.proto == IPPROTO_UDP && p.src.port == 1000 && p.dst.port == 53 && p.src.addr[3] == 1,
          "a cooked frame has ends");
    p = packet_of(1, "020202020202 010101010101 8100 0001 0800" IP4("06") TCP_HEAD, &ok);
    CHECK(ok && p.proto == IPPROTO_TCP && p.dst.addr[3] == 2, "so has an Ethernet frame with a VLAN tag");
    p = packet_of(101, "45 00 0000 0000 0000 40 01 0000 0a000009 0a000001 03 03 0000 00000000" IP4("11") UDP_PORTS,
                  &ok);
    CHECK(ok && p.proto == IPPROTO_UDP && p.src.port == 1000, "an ICMP error is about the packet inside it");
    p = packet_of(101, "45 00 0000 0000 0000 40 01 0000 0a000001 0a000009 08 00 0000 0007 0001", &ok);
    CHECK(ok && p.proto == IPPROTO_ICMP && p.src.port == 7, "an echo is known by its identifier");
    packet_of(101, "45 00 0000 0000 0010 40 11 0000 0a000001 0a000002" UDP_PORTS, &ok);
    CHECK(!ok, "a later fragment has no ends");
    p = packet_of(101,
                  "60000000 0000 00 40 "
                  "20010db8000000000000000000000001 20010db8000000000000000000000002"
                  "11 00 000000000000" UDP_PORTS,
                  &ok);
    CHECK(ok && p.proto == IPPROTO_UDP && p.dst.port == 53 && p.src.len == 16,
          "extension headers of IPv6 are passed over");
    static const char whole[] = SLL2 IP4("06") TCP_HEAD;
    struct slice s = unhex(whole);
    for (size_t n = 0; n < s.n; n++) {
        uint8_t *cut = malloc(n ? n : 1);
        memcpy(cut, s.p, n);
        struct run_packet unused;
        if (run_packet_read(276, slice_of(cut, n), &unused))
            CHECK(n >= 20 + 20 + 4, "there are no ports in %zu bytes", n);
        free(cut);
    }
    free((void *)s.p);
}

static struct shim_end at(uint8_t last, uint16_t port) {
    return (struct shim_end){.addr = {10, 0, 0, last}, .len = 4, .port = port};
}

static bool has(struct run_ends *e, uint8_t proto, struct shim_end src, struct shim_end dst) {
    struct run_packet p = {.proto = proto, .src = src, .dst = dst};
    return run_ends_has(e, &p);
}

static void ends(void) {
    struct run_ends e = {0};
    struct shim_end none = {0}, local = at(1, 1000), server = at(2, 443), any = {.len = 4, .port = 8080};
    if (run_ends_make(&e) < 0) return;
    e.own[0] = at(1, 0);
    e.owns = 1;
    run_ends_add(&e, IPPROTO_TCP, &local, &server);
    CHECK(has(&e, IPPROTO_TCP, local, server) && has(&e, IPPROTO_TCP, server, local),
          "both directions are the command's");
    CHECK(!has(&e, IPPROTO_TCP, local, at(3, 443)) && !has(&e, IPPROTO_UDP, local, server),
          "others on that port are not");
    run_ends_add(&e, IPPROTO_TCP, &any, &none);
    CHECK(has(&e, IPPROTO_TCP, at(9, 5), at(1, 8080)), "a server on all addresses owns its port here");
    CHECK(!has(&e, IPPROTO_TCP, at(1, 5), at(9, 8080)), "but not the port of another machine");
    struct shim_end mapped = {.addr = {[10] = 0xff, 0xff, 10, 0, 0, 1}, .len = 16, .port = 7};
    run_ends_add(&e, IPPROTO_UDP, &mapped, &none);
    CHECK(has(&e, IPPROTO_UDP, at(1, 7), at(4, 4)), "IPv4 in the clothes of IPv6 is IPv4");
    for (uint32_t i = 0; i < RUN_ENDS_MAX + 10; i++) {
        struct shim_end many = at((uint8_t)(i >> 8), (uint16_t)i);
        run_ends_add(&e, IPPROTO_UDP, &many, &none);
    }
    CHECK(!has(&e, IPPROTO_TCP, local, server) && has(&e, IPPROTO_UDP, at(0x40, RUN_ENDS_MAX + 5), at(9, 9)),
          "where it is full the oldest goes");
    run_ends_free(&e);
}

static bool asks(struct run_ends *e, const char *question) {
    struct slice payload = unhex(question);
    struct run_packet p = {.proto = IPPROTO_UDP, .src = at(1, 5353), .dst = at(2, 53), .payload = payload};
    bool yes = run_ends_has(e, &p);
    free((void *)payload.p);
    return yes;
}

#define HEAD "0001 0100 0001 0000 0000 0000 "

static void lookups(void) {
    struct run_ends e = {0};
    if (run_ends_make(&e) < 0) return;
    e.own[0] = at(1, 0);
    e.owns = 1;
    run_ends_lookup(&e, "www.Example.org");
    CHECK(!asks(&e, HEAD "03 'www' 04 'else' 00 0001 0001"), "the question of somebody else is not ours");
    CHECK(!asks(&e, HEAD "03 'www' 07 'exampl"), "nor is one that is cut");
    CHECK(asks(&e, HEAD "03 'www' 07 'example' 03 'org' 03 'lan' 00 0001 0001"),
          "one for the name, with a search list, is");
    CHECK(asks(&e, HEAD "00"), "and what comes from the same socket");
    run_ends_free(&e);
}

#define RANDOM "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

static void keys(void) {
    int pipes[2];
    static const char log[] =
        "# a comment\nCLIENT_RANDOM " RANDOM " aabb\nbroken line\nCLIENT_RANDOM " RANDOM " aabb\nCLIENT_";
    if (pipe(pipes) < 0 || write(pipes[1], log, sizeof log - 1) < 0) return;
    close(pipes[1]);
    struct run_keys k = {.fd = {pipes[0], -1}, .part = {wr_grow(), wr_grow()}, .fresh = wr_grow()};
    struct slice random = unhex(RANDOM),
                 other = unhex("ff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
    struct shim_end server = at(2, 443);
    run_keys_look(&k);
    CHECK(slice_eq(wr_done(&k.fresh), SLICE("CLIENT_RANDOM " RANDOM " aabb\n")), "a key is taken once, and only a key");
    run_keys_hello(&k, random, &server);
    run_keys_hello(&k, random, &server);
    run_keys_hello(&k, other, &server);
    CHECK(k.sessions == 2 && k.session[0].keyed && !k.session[1].keyed,
          "a session is counted once, and knows whether it has keys");
    free((void *)random.p);
    free((void *)other.p);
    run_keys_free(&k);
}

static void hellos(void) {
    struct slice s = unhex("16 0301 0030 01 00002c 0303 " RANDOM "00");
    CHECK(run_hello_random(s).n == RUN_RANDOM && run_hello_random(s).p == s.p + 11, "a hello has a random");
    CHECK(!run_hello_random(slice_head(s, 40)).n && !run_hello_random(slice_tail(s, 1)).n,
          "what is none or is cut has not");
    free((void *)s.p);
}

#define RANDOM_TEXT "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

/* A connection is older than the recording where it carries encrypted records and its hello was not seen. */
static void older(void) {
    struct run_keys k = {.fd = {-1, -1}, .part = {wr_grow(), wr_grow()}, .fresh = wr_grow()};
    struct slice data = unhex("17 0303 0020 00"), alert = unhex("15 0303 0002 02"), text = unhex("17 0909 0020 00");
    struct run_packet to = {.proto = IPPROTO_TCP, .src = at(1, 1000), .dst = at(2, 443), .payload = data};
    struct run_packet back = {.proto = IPPROTO_TCP, .src = at(2, 443), .dst = at(1, 1000), .payload = data};
    struct run_packet other = {.proto = IPPROTO_TCP, .src = at(1, 1001), .dst = at(2, 443), .payload = alert};
    run_keys_older(&k, &other, false);
    other.payload = text;
    run_keys_older(&k, &other, false);
    CHECK(k.older.n == 0, "an alert in plain text, or no TLS at all, says nothing");
    run_keys_older(&k, &to, true);
    run_keys_older(&k, &back, false);
    CHECK(k.older.n == 0, "after a hello, data of either side is of this recording");
    other.payload = data;
    run_keys_older(&k, &other, false);
    run_keys_older(&k, &other, false);
    CHECK(k.older.n == 1 && k.older_ends[0].port == 1001, "an older connection counts once, and is known by its ends");
    run_keys_text(&k, SLICE("CLIENT_RANDOM " RANDOM_TEXT " 00\nnothing\nCLIENT_RANDOM " RANDOM_TEXT " 00\n"));
    CHECK(k.lines_count == 1, "a line that came before is not taken again");
    struct slice random = unhex(RANDOM_TEXT);
    CHECK(!run_keys_met(&k, random.p), "a key alone is no hello");
    run_keys_hello(&k, random, &to.dst);
    CHECK(run_keys_met(&k, random.p) && k.session[0].keyed, "the hello of a key is known");
    free((void *)random.p);
    free((void *)data.p);
    free((void *)alert.p);
    free((void *)text.p);
    run_keys_free(&k);
}

int main(void) {
    packets();
    ends();
    lookups();
    keys();
    hellos();
    older();
    return test_failures != 0;
}
