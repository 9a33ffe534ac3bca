/* SPDX-License-Identifier: Apache-2.0 */
#include "base/check.h"
#include "io/proxyhdr.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct sock_peer peer(const char *text) {
    struct sock_addr a;
    struct writer why = wr_fixed(NULL, 0);
    CHECK(sock_parse(&a, text, 0, &why) == OK);
    return sock_peer_of(&a);
}

static bool same(const struct sock_peer *a, const struct sock_peer *b) {
    return a->len == b->len && a->port == b->port && !memcmp(a->ip, b->ip, a->len);
}

/* Every header that is written is read back, and every shorter start of it asks for more. */
static void headers_survive_the_round_trip_and_any_split(void) {
    static const char *const pairs[][2] = {{"192.0.2.1:50000", "198.51.100.7:1883"},
                                           {"[2001:db8::1]:1", "[2001:db8:ffff:ffff:ffff:ffff:ffff:2]:65535"}};
    for (int version = 1; version <= 2; version++)
        for (int i = 0; i < 2; i++) {
            struct sock_peer src = peer(pairs[i][0]), dst = peer(pairs[i][1]);
            uint8_t buf[PROXYHDR_OUT_MAX + 1];
            size_t n = proxyhdr_write(buf, version, &src, &dst);
            struct proxyhdr h = {0};
            for (size_t k = 0; k < n; k++) CHECK(proxyhdr_read(slice_of(buf, k), &h) == 0);
            buf[n] = 0x10;
            CHECK(proxyhdr_read(slice_of(buf, n + 1), &h) == (int)n);
            CHECK(!h.local && same(&h.src, &src) && same(&h.dst, &dst));
        }
}

static void what_is_no_header_is_refused(void) {
    static const char *const bad[] = {"GET / HTTP/1.1\r\n",
                                      "PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n",
                                      "PROXY TCP4 1.2.3.4 5.6.7.8 1 65536\r\n",
                                      "PROXY TCP4 ::1 ::1 1 2\r\n",
                                      "PROXY TCP9 1.2.3.4 5.6.7.8 1 2\r\n",
                                      "PROXY TCP4 1.2.3.4  5.6.7.8 1 2\r\n",
                                      "PROXY TCP4 1.2.3.4 5.6.7.8 1 2 3\r\n",
                                      "PROXY TCP4 1.2.3.4 5.6.7.8 01 2\r\n",
                                      "PROXY TCP4 1.2.3.4 5.6.7.8 1 \r\n",
                                      "PROXY TCP4 1.2.3.4 5.6.7.8 1 2 and a line that does not end in the 107 bytes it "
                                      "may have, whatever comes behind it",
                                      "\r\n\r\n\0\r\nQUIT\n\x31\x11\0\0"};
    struct proxyhdr h;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        size_t n = i == 10 ? 16 : strlen(bad[i]);
        CHECK(proxyhdr_read(slice_of(bad[i], n), &h) == ERR_DAMAGED);
    }
}

static void unknown_and_local_leave_the_connections_own_address(void) {
    struct proxyhdr h = {0};
    CHECK(proxyhdr_read(SLICE("PROXY UNKNOWN\r\n"), &h) == 15 && h.local);
    CHECK(proxyhdr_read(SLICE("PROXY UNKNOWN ffff::1  x 1 2 3 4\r\n"), &h) == 34 && h.local);
    CHECK(proxyhdr_read(SLICE("\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"), &h) == 16 && h.local);
    struct sock_peer none = {0};
    uint8_t buf[PROXYHDR_OUT_MAX];
    CHECK(proxyhdr_read(slice_of(buf, proxyhdr_write(buf, 2, &none, &none)), &h) == 16 && h.local);
}

static void addresses_are_read_in_all_forms(void) {
    struct sock_addr a;
    char text[200];
    struct writer why = wr_fixed(text, sizeof text);
    CHECK(sock_parse(&a, "127.0.0.1", 1883, &why) == OK && ntohs(a.v4.sin_port) == 1883);
    CHECK(sock_parse(&a, "[::1]:8883", 0, &why) == OK && a.any.sa_family == AF_INET6);
    CHECK(sock_parse(&a, ":1884", 0, &why) == OK && a.v4.sin_addr.s_addr == 0);
    CHECK(sock_parse(&a, "unix:/tmp/x", 0, &why) == OK && sock_is_local(&a));
    CHECK(sock_parse(&a, "127.0.0.1", 0, &why) == ERR_USAGE);
    CHECK(sock_parse(&a, "127.0.0.1:99999", 0, &why) == ERR_USAGE);
    CHECK(sock_parse(&a, "[::1", 1, &why) == ERR_USAGE);
    CHECK(sock_parse(&a, "unix:", 0, &why) == ERR_USAGE);
}

/* A path belongs to who listens there, also where that one has no time to accept. */
static void only_a_dead_listener_gives_way(void) {
    char folder[] = "/tmp/weir-sock-XXXXXX", text[200];
    struct writer why = wr_fixed(text, sizeof text);
    struct sock_addr a = {0};
    CHECK(mkdtemp(folder));
    snprintf(text, sizeof text, "unix:%s/s", folder);
    CHECK(sock_parse(&a, text, 0, &why) == OK);
    int busy = sock_listen(&a, 0), waits, n = 0;
    CHECK(busy >= 0);
    int waiting[64];
    while (n < 64 && (waits = sock_connect(&a, NULL)) >= 0) waiting[n++] = waits;
    CHECK(n < 64); /* nobody else is taken */
    alarm(10);
    CHECK(sock_listen(&a, 1) == ERR_IO && errno == EADDRINUSE);
    alarm(0);
    while (n) close(waiting[--n]);
    close(busy);
    int next = sock_listen(&a, 1);
    CHECK(next >= 0);
    close(next);
    unlink(a.local.sun_path);
    rmdir(folder);
}

int main(void) {
    headers_survive_the_round_trip_and_any_split();
    what_is_no_header_is_refused();
    unknown_and_local_leave_the_connections_own_address();
    addresses_are_read_in_all_forms();
    only_a_dead_listener_gives_way();
    return 0;
}
