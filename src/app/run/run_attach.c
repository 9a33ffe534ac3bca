/* SPDX-License-Identifier: Apache-2.0 */
/* Theory of operation: the keys of a process that runs already, and of those it started.
 *
 * Each process' OpenSSL is found among the files it has loaded; what the library is like inside is learnt once per file
 * (io/process/layout.h); breakpoints at the functions every connection goes through (io/process/uprobe.h) hand out its
 * secrets after its handshake. What a process loads or starts later is looked for every SCAN_MS, more often while it is
 * new, and new children are listed at their first sight, so that libraries known so far are noticed in them from the
 * start.
 *
 * A connection whose ClientHello has a random that the process has used is the process' own; this finds those that are
 * over before their sockets are looked at. Hello and hit come in either order (GREETINGS_MOST and PENDING_MOST).
 *
 * Only keys of sessions whose ClientHello is among the packets go into the file: those of connections that are older
 * would open nothing in it. Keys come a second before their packets are judged, and wait for them (PENDING_MOST, the
 * oldest goes). Bounds: libraries and processes; beyond them processes are recorded without keys, and that is said. */
#include "app/run/run_attach.h"
#include "base/clock.h"
#include "io/process/process.h"
#include "io/process/symbols.h"
#include "io/process/uprobe.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum {
    LIBRARIES_MOST = 16,
    UNUSABLE_MOST = 4, /* each may cost the time until it is given up */
    PROCESSES_MOST = 256,
    FILES_MOST = 1024,
    PENDING_MOST = 1024,
    GREETINGS_MOST = 1024,
    SCAN_MS = 250,
    SCAN_EARLY_MS = 10, /* of a process that is new */
    SCANS_EARLY = 20,
    LINES_BYTES = 1024
};

/* Where connections come by soon after their handshake, each costing some microseconds a call and a tenth of a second
 * at the end, so no more than needed; the last one gives them back. */
static const char *const functions[] = {
    "SSL_read", "SSL_read_ex", "SSL_write", "SSL_write_ex", "SSL_shutdown", "SSL_get_verify_result", "SSL_free",
};
enum { FUNCTIONS = sizeof functions / sizeof *functions };

struct library {
    uint64_t device, inode;
    int file, program[UPROBE_KINDS]; /* -1: none */
    uint64_t at[FUNCTIONS];
    int fd[2][FUNCTIONS]; /* breakpoints in the process, and for its children */
    bool usable, joined[2];
};

struct seen { /* a process */
    pid_t pid;
    int64_t scan_at;
    uint32_t turn, scans;
};

struct run_attach {
    struct process p;
    struct uprobe *probe; /* NULL: keys cannot be taken */
    char reason[400];     /* why not */
    struct library library[LIBRARIES_MOST];
    uint32_t libraries, unusable;
    struct seen seen[PROCESSES_MOST];
    uint32_t processes, turn;
    bool joined, over; /* there were more than we hold */
    int64_t look_at;
    struct process_file files[FILES_MOST];
    struct pending {
        uint8_t random[RUN_RANDOM];
        uint32_t bytes;
        bool waits;
        char lines[LINES_BYTES];
    } pending[PENDING_MOST];
    struct greeting {
        uint8_t random[RUN_RANDOM];
        struct shim_end src, dst;
    } greeting[GREETINGS_MOST];
    uint32_t pendings, greetings;
};

int run_attach_open(struct run_attach **out, pid_t pid) {
    struct run_attach *a = calloc(1, sizeof *a);
    if (!a) return EXIT_TROUBLE;
    int code = process_open(&a->p, pid), status = EXIT_FINE;
    if (code == ERR_NOTFOUND) status = opt_bad_use(&run_command, "--pid %d: there is no such process", (int)pid);
    else if (code < 0)
        status = opt_bad_use(&run_command, "--pid %d: this is a thread; give the number of its process", (int)pid);
    else if (pid == getpid()) status = opt_bad_use(&run_command, "--pid %d: this is weir itself", (int)pid);
    else if (!process_open_to_us(&a->p))
        status = opt_bad_use(&run_command,
                             geteuid() ? "--pid %d: %s belongs to another user; run weir as root to join it"
                                       : "--pid %d: the kernel lets nobody look into %s",
                             (int)pid, a->p.name);
    else if (process_network_join(&a->p) < 0)
        status = opt_bad_use(&run_command, "--pid %d: %s has a network of its own, which only root may enter", (int)pid,
                             a->p.name);
    if (status == EXIT_FINE) *out = a;
    else free(a);
    return status;
}

const char *run_attach_name(const struct run_attach *a) { return a->p.name; }
bool run_attach_ended(const struct run_attach *a) { return process_ended(&a->p); }

static const char *base_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static bool is_openssl(const char *path) {
    const char *name = base_name(path);
    return !strncmp(name, "libssl", 6) && !strstr(name, "libssl3.so"); /* that one is NSS' */
}

/* crypto_find finds the libcrypto that goes with a libssl: the one beside it, else any; NULL: none is loaded. */
static const struct process_file *crypto_find(const struct run_attach *a, size_t n, const struct process_file *ssl) {
    const struct process_file *best = NULL;
    size_t folder = (size_t)(base_name(ssl->path) - ssl->path);
    for (size_t i = 0; i < n; i++) {
        const char *path = a->files[i].path;
        if (strncmp(base_name(path), "libcrypto", 9) != 0) continue;
        bool beside = (size_t)(base_name(path) - path) == folder && !strncmp(path, ssl->path, folder);
        if (!best || beside) best = &a->files[i];
    }
    return best;
}

/* entry passes over endbr64, with which functions of x86-64 may begin: there the kernel would have to stop twice. */
static uint64_t entry(struct slice file, uint64_t at) {
    static const uint8_t endbr64[] = {0xf3, 0x0f, 0x1e, 0xfa};
    bool marked = at && slice_starts(slice_tail(file, at), slice_of(endbr64, sizeof endbr64));
    return marked ? at + sizeof endbr64 : at;
}

/* library_learn fills a library's place, or says why it cannot be asked. */
static int library_learn(struct run_attach *a, struct library *l, int crypto, struct writer *why) {
    struct layout layout;
    struct slice bytes = {0};
    struct elf elf;
    int code = l->file < 0 || !file_take(l->file, &bytes) ? ERR_IO : elf_open(&elf, bytes);
    for (int i = 0; code == OK && i < FUNCTIONS; i++) l->at[i] = entry(bytes, elf_function(&elf, functions[i]));
    free((void *)(uintptr_t)bytes.p);
    if (code < 0) {
        wr_s(why, code == ERR_IO ? "it cannot be read" : "it is not for this kind of processor");
        return code;
    }
    code = layout_learn(&layout, l->file, crypto, a->p.uid, a->p.gid, why);
    for (int kind = 0; code == OK && kind < UPROBE_KINDS; kind++) {
        l->program[kind] = uprobe_program(a->probe, &layout, kind, why);
        if (l->program[kind] < 0) code = l->program[kind];
    }
    return code;
}

static struct library *library_of(struct run_attach *a, pid_t pid, size_t n, const struct process_file *f) {
    for (uint32_t i = 0; i < a->libraries; i++)
        if (a->library[i].inode == f->inode && a->library[i].device == f->device) return &a->library[i];
    if (a->libraries == LIBRARIES_MOST || a->unusable == UNUSABLE_MOST) return NULL;
    const struct process_file *with = crypto_find(a, n, f);
    int file = process_file_open(pid, f), crypto = with ? process_file_open(pid, with) : -1;
    struct library *l = NULL;
    if (file >= 0 && (!with || crypto >= 0)) { /* else the process has just ended */
        char text[300];
        struct writer why = wr_fixed(text, sizeof text);
        l = &a->library[a->libraries++];
        *l = (struct library){.device = f->device, .inode = f->inode, .file = file, .program = {-1, -1, -1, -1}};
        l->usable = library_learn(a, l, crypto, &why) == OK;
        a->unusable += !l->usable;
        if (!l->usable) snprintf(a->reason, sizeof a->reason, "of %.200s: %.*s", f->path, (int)wr_len(&why), text);
    } else if (file >= 0) {
        close(file);
    }
    if (crypto >= 0) close(crypto);
    return l;
}

/* join sets the breakpoints of a library, in the process itself, or for its children. */
static void join(struct run_attach *a, struct library *l, bool children) {
    int kind = children ? UPROBE_LISTED : 0, any = 0;
    if (!l->usable || l->joined[children]) return;
    l->joined[children] = true;
    for (int i = 0; i < FUNCTIONS; i++) {
        int program = l->program[i == FUNCTIONS - 1 ? kind | UPROBE_LAST : kind];
        l->fd[children][i] =
            l->at[i] ? uprobe_attach(a->probe, program, children ? -1 : a->p.pid, l->file, l->at[i]) : -1;
        any += l->fd[children][i] >= 0;
    }
    if (any) a->joined = true;
    else snprintf(a->reason, sizeof a->reason, "the kernel refused to set breakpoints (%s)", strerror(errno));
}

static void scan(struct run_attach *a, pid_t pid) {
    size_t n = process_files(pid, a->files, FILES_MOST);
    for (size_t i = 0; i < n; i++) {
        struct library *l = is_openssl(a->files[i].path) ? library_of(a, pid, n, &a->files[i]) : NULL;
        if (l) join(a, l, pid != a->p.pid);
    }
}

/* child_meet has what a child does with the libraries known so far noticed, also before it loads them. */
static void child_meet(struct run_attach *a, pid_t pid) {
    uprobe_list(a->probe, pid, true);
    for (uint32_t i = 0; i < a->libraries; i++) join(a, &a->library[i], true);
}

/* process_meet sees to a process at its first sight, and now and then. */
static void process_meet(void *to, pid_t pid) {
    struct run_attach *a = to;
    struct seen *s = a->seen;
    int64_t now = clock_ms();
    while (s < a->seen + a->processes && s->pid != pid) s++;
    if (s == a->seen + a->processes) {
        if (a->processes == PROCESSES_MOST) {
            a->over = true;
            return;
        }
        a->processes++;
        *s = (struct seen){.pid = pid};
        if (pid != a->p.pid) child_meet(a, pid);
    }
    s->turn = a->turn;
    if (now < s->scan_at) return;
    scan(a, pid);
    s->scan_at = clock_ms() + (s->scans++ < SCANS_EARLY ? SCAN_EARLY_MS : SCAN_MS);
}

/* forget_ended lets go of processes that are no more. */
static void forget_ended(struct run_attach *a) {
    for (uint32_t i = 0; i < a->processes;) {
        if (a->seen[i].turn == a->turn) {
            i++;
            continue;
        }
        uprobe_list(a->probe, a->seen[i].pid, false);
        a->seen[i] = a->seen[--a->processes];
    }
}

static void processes_look(struct run_attach *a) {
    a->turn++;
    run_children(a->p.pid, process_meet, a);
    forget_ended(a);
}

/* program_kind says what can be told of a program without a TLS library. */
static const char *program_kind(const struct run_attach *a) {
    struct slice bytes;
    struct elf elf;
    const char *kind = NULL;
    int fd = process_program_open(a->p.pid);
    if (fd >= 0 && file_take(fd, &bytes)) {
        if (elf_open(&elf, bytes) < 0) kind = "it is no program of this kind of processor";
        else if (elf_has_section(&elf, ".go.buildinfo")) kind = "it is written in Go, which brings a TLS of its own";
        else if (elf_function(&elf, "SSL_do_handshake")) kind = "OpenSSL or one of its kin is built into the program";
        free((void *)(uintptr_t)bytes.p);
    }
    if (fd >= 0) close(fd);
    return kind;
}

/* others_name names a TLS library that is there but cannot be asked. */
static const char *others_name(struct run_attach *a) {
    static const char *const others[][2] = {{"libgnutls", "GnuTLS"},    {"libssl3.so", "NSS"},
                                            {"libmbedtls", "Mbed TLS"}, {"libwolfssl", "wolfSSL"},
                                            {"libs2n", "s2n-tls"},      {"libtls.so", "LibreSSL"}};
    size_t n = process_files(a->p.pid, a->files, FILES_MOST);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < sizeof others / sizeof *others; j++)
            if (strstr(base_name(a->files[i].path), others[j][0]) == base_name(a->files[i].path)) return others[j][1];
    return NULL;
}

static void reason_find(struct run_attach *a) {
    const char *other = others_name(a), *kind = other ? NULL : program_kind(a);
    if (other)
        snprintf(a->reason, sizeof a->reason, "its TLS is %s; keys can be taken from OpenSSL as a shared library only",
                 other);
    else if (kind)
        snprintf(a->reason, sizeof a->reason, "%s; keys can be taken from OpenSSL as a shared library only", kind);
    else
        snprintf(a->reason, sizeof a->reason,
                 "no OpenSSL library is loaded in it so far; should it load one, its keys are "
                 "taken from then on");
}

void run_attach_begin(struct run_attach *a) {
    struct writer why = wr_fixed(a->reason, sizeof a->reason - 1);
    if (uprobe_open(&a->probe, &why) < 0) a->probe = NULL;
    else processes_look(a);
    if (a->probe && !a->joined && !a->reason[0]) reason_find(a);
}

void run_attach_tell(const struct run_attach *a, const char *file) {
    fprintf(stderr, "weir run: recording %s (%d) to %s; Ctrl-C ends it\n", a->p.name, (int)a->p.pid, file);
    if (!a->joined) fprintf(stderr, "weir run: recording without TLS keys: %s\n", a->reason);
}

/* pending_add keeps lines until their ClientHello was recorded. */
static void pending_add(struct run_attach *a, const uint8_t *random, struct slice lines) {
    struct pending *p = &a->pending[a->pendings++ % PENDING_MOST];
    memcpy(p->random, random, RUN_RANDOM);
    p->bytes = (uint32_t)lines.n;
    p->waits = true;
    memcpy(p->lines, lines.p, lines.n);
}

void run_attach_greeting(struct run_attach *a, struct run_ends *e, const struct run_packet *p, struct slice random) {
    struct greeting *g = &a->greeting[a->greetings++ % GREETINGS_MOST];
    *g = (struct greeting){.src = p->src, .dst = p->dst};
    memcpy(g->random, random.p, RUN_RANDOM);
    for (int i = 0; i < PENDING_MOST; i++)
        if (a->pending[i].waits && !memcmp(a->pending[i].random, random.p, RUN_RANDOM))
            run_ends_add(e, IPPROTO_TCP, &p->src, &p->dst);
}

static void greeting_match(const struct run_attach *a, struct run_ends *e, const uint8_t *random) {
    for (int i = 0; i < GREETINGS_MOST; i++) {
        const struct greeting *g = &a->greeting[i];
        if (g->src.len && !memcmp(g->random, random, RUN_RANDOM)) run_ends_add(e, IPPROTO_TCP, &g->src, &g->dst);
    }
}

static void hit_take(struct run_attach *a, struct run_keys *k, struct run_ends *e, const struct layout_hit *hit) {
    static const uint8_t none[RUN_RANDOM];
    char text[LINES_BYTES];
    struct writer w = wr_fixed(text, sizeof text);
    if (!memcmp(hit->random, none, sizeof none)) return; /* a connection that never said hello */
    greeting_match(a, e, hit->random);
    (void)layout_lines(hit, &w); /* there may be none: of a handshake that failed */
    if (run_keys_met(k, hit->random)) run_keys_text(k, wr_done(&w));
    else pending_add(a, hit->random, wr_done(&w));
}

void run_attach_look(struct run_attach *a, struct run_keys *k, struct run_ends *e) {
    struct layout_hit hit;
    int64_t now = clock_ms();
    if (!a->probe) return;
    for (int i = 0; i < PENDING_MOST && uprobe_next(a->probe, &hit); i++) hit_take(a, k, e, &hit);
    if (now < a->look_at) return;
    processes_look(a);
    int64_t cost = (clock_ms() - now) * 4;
    a->look_at = clock_ms() + (cost > 5 ? cost : 5);
}

void run_attach_hello(struct run_attach *a, struct run_keys *k, struct slice random) {
    for (int i = 0; i < PENDING_MOST; i++) {
        struct pending *p = &a->pending[i];
        if (!p->waits || memcmp(p->random, random.p, RUN_RANDOM) != 0) continue;
        run_keys_text(k, slice_of(p->lines, p->bytes));
        explicit_bzero(p, sizeof *p);
    }
}

const char *run_attach_reason(const struct run_attach *a) {
    if (!a->joined && a->reason[0]) return a->reason;
    return a->over ? "there were more processes than weir joins at once"
                   : "the handshake was not completed, or the process that made it has its TLS from elsewhere than an "
                     "OpenSSL library, or lived too shortly to be joined";
}

void run_attach_close(struct run_attach *a) {
    if (!a) return;
    for (uint32_t i = 0; i < a->libraries; i++) {
        const struct library *l = &a->library[i];
        for (int children = 0; children < 2; children++)
            for (int j = 0; l->joined[children] && j < FUNCTIONS; j++)
                if (l->fd[children][j] >= 0) close(l->fd[children][j]);
        for (int kind = 0; kind < UPROBE_KINDS; kind++)
            if (l->program[kind] >= 0) close(l->program[kind]);
        close(l->file);
    }
    uprobe_close(a->probe);
    process_close(&a->p);
    explicit_bzero(a->pending, sizeof a->pending);
    free(a);
}
