/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of what weir run --pid knows of a library: its symbols, where it keeps secrets, and the lines made of these. */
#include "base/check.h"
#include "io/process/layout.h"
#include "io/process/process.h"
#include "io/process/symbols.h"
#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
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

enum { SEGMENTS = 60000, SYMBOLS = 100000 };
struct crowd {
    Elf64_Ehdr head;
    Elf64_Shdr section[2];
    char names[8];
    Elf64_Phdr segment[SEGMENTS];
    Elf64_Sym symbol[SYMBOLS];
};

/* Many symbols of one name, each in none of many segments, are not looked for again and again. */
static void a_crowd_of_symbols_does_not_hold_up(void) {
    struct crowd *f = calloc(1, sizeof *f);
    struct slice own = self();
    struct elf e;
    CHECK(f && own.n >= sizeof f->head);
    memcpy(&f->head, own.p, sizeof f->head);
    f->head.e_phoff = offsetof(struct crowd, segment);
    f->head.e_phnum = SEGMENTS;
    f->head.e_shoff = offsetof(struct crowd, section);
    f->head.e_shnum = 2;
    memcpy(f->names, "crowd", 6);
    f->section[0] = (Elf64_Shdr){.sh_offset = offsetof(struct crowd, names), .sh_size = 6};
    f->section[1] = (Elf64_Shdr){.sh_type = SHT_SYMTAB,
                                 .sh_offset = offsetof(struct crowd, symbol),
                                 .sh_size = sizeof f->symbol,
                                 .sh_entsize = sizeof *f->symbol};
    for (int i = 0; i < SYMBOLS; i++)
        f->symbol[i] = (Elf64_Sym){.st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC), .st_shndx = 1, .st_value = 1};
    clock_t begun = clock();
    CHECK(elf_open(&e, slice_of((uint8_t *)f, sizeof *f)) == OK && !elf_function(&e, "crowd"));
    CHECK(clock() - begun < CLOCKS_PER_SEC);
    free((void *)(uintptr_t)own.p);
    free(f);
}

static void names_of_processes_are_harmless(void) {
    struct process p;
    char had[16];
    CHECK(prctl(PR_GET_NAME, had) == 0 && prctl(PR_SET_NAME, "a\033[2J\x9b b") == 0);
    CHECK(process_open(&p, getpid()) == OK && !strcmp(p.name, "a?[2J? b"));
    process_close(&p);
    CHECK(prctl(PR_SET_NAME, had) == 0);
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

/* build makes a library of C text; false where there is no compiler. */
static bool build(const char *path, const char *text) {
    char command[200];
    snprintf(command, sizeof command, "cc -shared -fPIC -o %s -x c - 2>/dev/null", path);
    FILE *f = popen(command, "w");
    CHECK(f);
    fputs(text, f);
    return pclose(f) == 0;
}

/* A library leaves empty files behind to tell what it could do. */
static void a_library_can_start_nothing_and_reach_nobody(void) {
    static const char body[] = "#include <fcntl.h>\n#include <netinet/in.h>\n#include <unistd.h>\n"
                               "__attribute__((constructor)) static void loaded(void) {\n"
                               "    struct sockaddr_in to = {AF_INET, 9, {htonl(INADDR_LOOPBACK)}, {0}};\n"
                               "    creat(FOLDER \"/loaded\", 0600);\n"
                               "    if (!connect(socket(AF_INET, SOCK_DGRAM, 0), (void *)&to, sizeof to))\n"
                               "        creat(FOLDER \"/reached\", 0600);\n"
                               "    if (fork() >= 0) creat(FOLDER \"/started\", 0600);\n"
                               "}\n";
    char folder[] = "/tmp/weir-library-XXXXXX", path[64], text[sizeof body + 100];
    struct writer why = wr_grow();
    struct layout l;
    CHECK(mkdtemp(folder) && chmod(folder, 0777) == 0);
    snprintf(path, sizeof path, "%s/lib.so", folder);
    snprintf(text, sizeof text, "#define FOLDER \"%s\"\n%s", folder, body);
    if (build(path, text)) {
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        CHECK(chmod(path, 0644) == 0 && layout_learn(&l, fd, -1, getuid(), getgid(), &why) == ERR_UNSUPPORTED);
        close(fd);
        CHECK(chdir(folder) == 0 && unlink("loaded") == 0 && access("started", F_OK) < 0);
        CHECK(geteuid() != 0 || access("reached", F_OK) < 0);
        (void)unlink("reached");
        CHECK(unlink("lib.so") == 0);
    }
    CHECK(rmdir(folder) == 0);
    wr_free(&why);
}

int main(void) {
    handshake_secrets_are_those_of_the_published_trace();
    what_is_not_ready_gives_no_lines();
    functions_are_found_in_the_file();
    damaged_files_are_survived();
    a_crowd_of_symbols_does_not_hold_up();
    names_of_processes_are_harmless();
    a_library_is_learnt();
    a_library_can_start_nothing_and_reach_nobody();
    return 0;
}
