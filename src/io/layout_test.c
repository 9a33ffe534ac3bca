/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of what weir run --pid knows of a library: its symbols, where it keeps secrets, and the lines made of these. */
#include "base/check.h"
#include "io/layout.h"
#include "io/process.h"
#include "io/symbols.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void hex(uint8_t *to, const char *text) {
    for (unsigned byte; *text && sscanf(text, "%2x", &byte) == 1; text += 2) *to++ = (uint8_t)byte;
}

static bool lines_of(const struct layout_hit *h, char *text, size_t size) {
    struct writer w = wr_fixed(text, size - 1);
    bool any = layout_lines(h, &w);
    text[wr_len(&w)] = 0;
    return any;
}

/* RFC 8448 3: the handshake secret and the hash of the hellos of the simple handshake, and what follows from them. */
static void handshake_secrets_are_those_of_the_published_trace(void) {
    struct layout_hit h = {.version = 0x0304, .init = 1};
    char text[1200];
    h.random[0] = 0xcb;
    hex(h.handshake, "1dc826e93606aa6fdc0aadc12f741b01046aa6b99f691ed221a9f0ca043fbeac");
    hex(h.hash, "860c06edc07858ee8e78f0e7428c58edd6b43f2ca3e6e95f02ed063cf0e1cad8");
    CHECK(lines_of(&h, text, sizeof text));
    CHECK(strstr(text, "CLIENT_HANDSHAKE_TRAFFIC_SECRET cb00"));
    CHECK(strstr(text, " b3eddb126e067f35a780b3abf45e2d8f3b1a950738f52e9600746a0e27a55a21\nSERVER_HANDSHAKE"));
    CHECK(strstr(text, " b67b7d690cc16c4e75e54213cb2d37b4e9c912bcded9105d42befd59d391ad38\n"));
    CHECK(!strstr(text, "TRAFFIC_SECRET_0")); /* the handshake is not over */
}

static void what_is_not_ready_gives_no_lines(void) {
    struct layout_hit h = {.version = 0x0303, .init = 0};
    char text[1200];
    memset(h.master, 7, sizeof h.master);
    CHECK(!lines_of(&h, text, sizeof text)); /* no random */
    h.random[31] = 1;
    CHECK(lines_of(&h, text, sizeof text));
    CHECK(!strncmp(text, "CLIENT_RANDOM 0000", 18) && strlen(text) == 13 + 1 + 64 + 1 + 96 + 1);
    h.init = 1;
    CHECK(!lines_of(&h, text, sizeof text)); /* the session may be one that is only offered */
    h.init = 0;
    h.version = 0xfefd;
    CHECK(!lines_of(&h, text, sizeof text)); /* DTLS */
    h.version = 0x0304;
    CHECK(!lines_of(&h, text, sizeof text)); /* no handshake secret */
    memset(h.handshake, 1, 32);
    memset(h.hash, 2, 32);
    memset(h.client, 3, 32);
    memset(h.server, 4, 32);
    CHECK(lines_of(&h, text, sizeof text));
    CHECK(strstr(text, "\nCLIENT_TRAFFIC_SECRET_0 ") && strstr(text, "\nSERVER_TRAFFIC_SECRET_0 "));
    memset(h.hash + 32, 2, 16);
    char longer[1200];
    CHECK(lines_of(&h, longer, sizeof longer) && strlen(longer) == strlen(text) + 4 * 32);
}

static struct slice self(void) {
    struct slice s = {0};
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    CHECK(fd >= 0 && file_take(fd, &s));
    close(fd);
    return s;
}

__attribute__((noinline, used)) int symbol_to_be_found(int n) { return n * 77; }

static void functions_are_found_in_the_file(void) {
    struct slice file = self();
    struct elf e;
    CHECK(elf_open(&e, file) == OK);
    uint64_t at = elf_function(&e, "symbol_to_be_found");
    CHECK(at && at < file.n && memcmp(file.p + at, (const void *)(uintptr_t)symbol_to_be_found, 8) == 0);
    CHECK(!elf_function(&e, "symbol_to_be_foun") && !elf_function(&e, "no such symbol"));
    CHECK(elf_has_section(&e, ".text") && !elf_has_section(&e, ".go.buildinfo"));
    free((void *)(uintptr_t)file.p);
}

/* Every table of the file is made to point anywhere; the result may be anything but a fault. */
static void damaged_files_are_survived(void) {
    struct slice whole = self();
    uint32_t seed = 1;
    for (int i = 0; i < 300; i++) {
        size_t n = i < 150 ? whole.n : whole.n * (size_t)(i - 150) / 150;
        uint8_t *copy = malloc(n ? n : 1);
        struct elf e;
        memcpy(copy, whole.p, n);
        for (int k = 0; i < 200 && n && k < 12; k++) {
            seed = seed * 1103515245 + 12345;
            size_t at = k < 4 ? seed % 64 : n - 1 - seed % (n < 2200 ? n : 2200); /* the header; the section table */
            if (at >= 20 || k >= 4) copy[at < n ? at : 0] ^= (uint8_t)(seed >> 16);
        }
        if (elf_open(&e, slice_of(copy, n)) == OK) {
            (void)elf_has_section(&e, ".go.buildinfo");
            (void)elf_function(&e, "SSL_read");
        }
        free(copy);
    }
    struct elf e;
    CHECK(elf_open(&e, SLICE("")) < 0 && elf_open(&e, SLICE("\177ELF")) < 0);
    free((void *)(uintptr_t)whole.p);
}

/* own_files finds the libraries this test is linked with. */
static bool own_files(int *ssl, int *crypto) {
    static struct process_file files[64];
    size_t n = process_files(getpid(), files, 64);
    *ssl = *crypto = -1;
    for (size_t i = 0; i < n; i++) {
        if (strstr(files[i].path, "/libssl.so")) *ssl = process_file_open(getpid(), &files[i]);
        if (strstr(files[i].path, "/libcrypto.so")) *crypto = process_file_open(getpid(), &files[i]);
    }
    return *ssl >= 0 && *crypto >= 0;
}

static void a_library_is_learnt(void) {
    struct layout l;
    char text[300];
    int ssl, crypto;
    struct writer why = wr_fixed(text, sizeof text);
    CHECK(sizeof(struct layout_hit) % 8 == 0);
    if (own_files(&ssl, &crypto)) {
        int code = layout_learn(&l, ssl, crypto, getuid(), getgid(), &why);
        if (code < 0) fprintf(stderr, "%.*s\n", (int)wr_len(&why), text);
        CHECK(code == OK);
        CHECK(l.place[LAYOUT_CLIENT].at != l.place[LAYOUT_SERVER].at);
        close(ssl);
        close(crypto);
    }
    wr_reset(&why);
    int other = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    CHECK(layout_learn(&l, other, -1, getuid(), getgid(), &why) == ERR_UNSUPPORTED && wr_len(&why) > 10);
    close(other);
}

int main(void) {
    handshake_secrets_are_those_of_the_published_trace();
    what_is_not_ready_gives_no_lines();
    functions_are_found_in_the_file();
    damaged_files_are_survived();
    a_library_is_learnt();
    return 0;
}
