/* SPDX-License-Identifier: Apache-2.0 */
/* Theory of operation: a library is asked where it keeps things by having it make connections.
 *
 * A process of its own, with no rights and for four seconds at most, loads the library file beside our own (a name
 * space of the dynamic linker), and has a client and a server shake hands in memory: TLS 1.3 with both hashes, and
 * TLS 1.2, twice each, with the heap disturbed in between. The library's key log says what the secrets are; a place is
 * taken when every connection, of either side, has its secret there. Then the lines are made from these places as they
 * will be made from a process, and must be those of the key log. What comes back is numbers, which are checked: a
 * library that lies can only mislead about the process that brought it. */
#include "base/clock.h"
#include "io/process/layout.h"

#include "base/hex.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    LEARN_MS = 4000,
    ROUNDS = 6,
    SIDES = 2,
    BODY_MOST = 16384,  /* bytes of a connection that are looked at */
    BEHIND_MOST = 2048, /* bytes behind a pointer of it */
    FLIGHT_MOST = 16384,
    LOG_MOST = 4096,
    DER_MOST = 2048,
    NOBODY = 65534,
};

/* The functions of the library, by their names; OpenSSL 1.1.1 has all of them. */
#define FUNCTIONS(X)                                                                                                   \
    X(TLS_method, const void *, (void))                                                                                \
    X(SSL_CTX_new, void *, (const void *))                                                                             \
    X(SSL_CTX_ctrl, long, (void *, int, long, void *))                                                                 \
    X(SSL_CTX_set_keylog_callback, void, (void *, void (*)(const void *, const char *)))                               \
    X(SSL_CTX_use_certificate_ASN1, int, (void *, int, const unsigned char *))                                         \
    X(SSL_CTX_use_PrivateKey_ASN1, int, (int, void *, const unsigned char *, long))                                    \
    X(SSL_CTX_set_ciphersuites, int, (void *, const char *))                                                           \
    X(SSL_new, void *, (void *))                                                                                       \
    X(SSL_set_connect_state, void, (void *))                                                                           \
    X(SSL_set_accept_state, void, (void *))                                                                            \
    X(SSL_set_bio, void, (void *, void *, void *))                                                                     \
    X(SSL_do_handshake, int, (void *))                                                                                 \
    X(SSL_read, int, (void *, void *, int))                                                                            \
    X(BIO_s_mem, const void *, (void))                                                                                 \
    X(BIO_new, void *, (const void *))                                                                                 \
    X(BIO_read, int, (void *, void *, int))                                                                            \
    X(BIO_write, int, (void *, const void *, int))                                                                     \
    X(malloc_usable_size, size_t, (void *))                                                                            \
    X(malloc, void *, (size_t))

struct library {
#define POINTER(name, type, arguments) type(*name) arguments;
    FUNCTIONS(POINTER)
};

struct der {
    unsigned char bytes[DER_MOST];
    int n;
};

struct identity {
    struct der cert, key;
};

/* round is one handshake. */
struct round {
    bool v13;
    size_t hash; /* bytes */
    struct slice truth[LAYOUT_VALUES];
    uint8_t value[LAYOUT_VALUES][EVP_MAX_MD_SIZE];
    struct body {
        void *ssl;
        size_t n;
        uint8_t *fresh, *during, *done;
    } side[SIDES];
    void *in[SIDES], *out[SIDES]; /* BIOs */
    char log[LOG_MOST];
    uint8_t hellos[2 * FLIGHT_MOST]; /* messages ClientHello and ServerHello */
    size_t hellos_n;
    uint8_t client_hs[EVP_MAX_MD_SIZE];
};

static struct round *now; /* for the callback, in a process that does nothing else */

static void on_line(const void *ssl, const char *text) {
    (void)ssl;
    size_t n = strlen(now->log), m = strlen(text);
    if (n + m + 2 > sizeof now->log) return;
    memcpy(now->log + n, text, m);
    memcpy(now->log + n + m, "\n", 2);
}

/* memory_read reads bytes of this process that may not be there; how many it got. */
static size_t memory_read(const void *from, void *to, size_t n) {
    struct iovec here = {to, n}, there = {(void *)(uintptr_t)from, n};
    ssize_t r = process_vm_readv(getpid(), &here, 1, &there, 1, 0);
    return r > 0 ? (size_t)r : 0;
}

static bool library_load(struct library *l, int ssl, int crypto) {
    char path[32];
    Lmid_t space = LM_ID_NEWLM;
    if (crypto >= 0) {
        snprintf(path, sizeof path, "/proc/self/fd/%d", crypto);
        void *first = dlmopen(space, path, RTLD_NOW);
        if (!first || dlinfo(first, RTLD_DI_LMID, &space) < 0) return false;
    }
    snprintf(path, sizeof path, "/proc/self/fd/%d", ssl);
    void *lib = dlmopen(space, path, RTLD_NOW);
    if (!lib) return false;
#define FIND(name, type, arguments)                                                                                    \
    if (!(l->name = (type(*) arguments)(uintptr_t)dlsym(lib, #name))) return false;
    FUNCTIONS(FIND)
    return true;
}

static void *context_make(const struct library *l, const struct identity *id, const struct round *r) {
    enum { SET_MIN = 123, SET_MAX = 124, EC = 408, V12 = 0x0303, V13 = 0x0304 };
    void *c = l->SSL_CTX_new(l->TLS_method());
    if (!c) return NULL;
    l->SSL_CTX_set_keylog_callback(c, on_line);
    bool ok = l->SSL_CTX_ctrl(c, SET_MIN, r->v13 ? V13 : V12, NULL) == 1 &&
              l->SSL_CTX_ctrl(c, SET_MAX, r->v13 ? V13 : V12, NULL) == 1 &&
              l->SSL_CTX_use_certificate_ASN1(c, id->cert.n, id->cert.bytes) == 1 &&
              l->SSL_CTX_use_PrivateKey_ASN1(EC, c, id->key.bytes, id->key.n) == 1 &&
              l->SSL_CTX_set_ciphersuites(c, r->hash == 48 ? "TLS_AES_256_GCM_SHA384" : "TLS_AES_128_GCM_SHA256") == 1;
    return ok ? c : NULL;
}

static uint8_t *copy_of(const struct body *b) {
    uint8_t *p = malloc(b->n);
    return p && memory_read(b->ssl, p, b->n) == b->n ? p : NULL;
}

static bool side_make(const struct library *l, const struct identity *id, struct round *r, int side) {
    struct body *b = &r->side[side];
    void *c = context_make(l, id, r);
    b->ssl = c ? l->SSL_new(c) : NULL;
    r->in[side] = l->BIO_new(l->BIO_s_mem());
    r->out[side] = l->BIO_new(l->BIO_s_mem());
    if (!b->ssl || !r->in[side] || !r->out[side]) return false;
    l->SSL_set_bio(b->ssl, r->in[side], r->out[side]);
    (side ? l->SSL_set_accept_state : l->SSL_set_connect_state)(b->ssl);
    b->n = l->malloc_usable_size(b->ssl);
    if (b->n > BODY_MOST) b->n = BODY_MOST;
    return (b->fresh = copy_of(b)) != NULL;
}

/* hello_take keeps the first handshake message of a flight, for the hash over both hellos. */
static bool hello_take(struct round *r, const uint8_t *p, size_t n) {
    enum { RECORD = 5, HANDSHAKE = 22 };
    if (n < RECORD || p[0] != HANDSHAKE) return false;
    size_t m = (size_t)p[3] << 8 | p[4];
    if (m > n - RECORD || r->hellos_n + m > sizeof r->hellos) return false;
    memcpy(r->hellos + r->hellos_n, p + RECORD, m);
    r->hellos_n += m;
    return true;
}

/* shake has both sides take turns; OpenSSL asks for three. */
static bool shake(const struct library *l, struct round *r) {
    static uint8_t flight[FLIGHT_MOST];
    bool done[SIDES] = {0};
    for (int turn = 0; turn < 8 && !(done[0] && done[1]); turn++) {
        int side = turn & 1;
        struct body *b = &r->side[side];
        done[side] = done[side] || l->SSL_do_handshake(b->ssl) == 1;
        int n = l->BIO_read(r->out[side], flight, sizeof flight);
        if (turn < 2 && (n <= 0 || !hello_take(r, flight, (size_t)n) || !(b->during = copy_of(b)))) return false;
        if (n > 0 && l->BIO_write(r->in[1 - side], flight, n) != n) return false;
    }
    uint8_t byte;
    (void)l->SSL_read(r->side[0].ssl, &byte, 1); /* what follows the handshake: tickets */
    (void)l->SSL_read(r->side[1].ssl, &byte, 1);
    for (int side = 0; side < SIDES; side++)
        if (!done[side] || !(r->side[side].done = copy_of(&r->side[side]))) return false;
    return true;
}

static size_t unhex(const char *text, uint8_t *to, size_t most) {
    size_t n = 0;
    for (; n < most && hex_digit(text[0]) >= 0 && hex_digit(text[1]) >= 0; text += 2)
        to[n++] = (uint8_t)(hex_digit(text[0]) << 4 | hex_digit(text[1]));
    return n;
}

/* log_value finds the secret of a label in the key log, and the random before it. */
static size_t log_value(const struct round *r, const char *label, uint8_t *random, uint8_t *to) {
    const char *at = strstr(r->log, label), *space = at ? strchr(at, ' ') : NULL;
    if (!space || unhex(space + 1, random, 32) != 32 || space[65] != ' ') return 0;
    return unhex(space + 66, to, EVP_MAX_MD_SIZE);
}

static void truth_set(struct round *r, enum layout_value v, size_t n) { r->truth[v] = slice_of(r->value[v], n); }

/* truths_find says what the values of a round are; the handshake secret alone has to be tried for. */
static bool truths_find(struct round *r) {
    uint8_t *random = r->value[LAYOUT_RANDOM];
    uint32_t version = r->v13 ? 0x0304 : 0x0303;
    memcpy(r->value[LAYOUT_VERSION], &version, sizeof version);
    truth_set(r, LAYOUT_VERSION, sizeof version);
    truth_set(r, LAYOUT_RANDOM, 32);
    if (!r->v13) {
        truth_set(r, LAYOUT_MASTER, 48);
        return log_value(r, "CLIENT_RANDOM ", random, r->value[LAYOUT_MASTER]) == 48;
    }
    unsigned n = 0;
    truth_set(r, LAYOUT_HASH, r->hash);
    truth_set(r, LAYOUT_CLIENT, r->hash);
    truth_set(r, LAYOUT_SERVER, r->hash);
    return EVP_Digest(r->hellos, r->hellos_n, r->value[LAYOUT_HASH], &n, r->hash == 48 ? EVP_sha384() : EVP_sha256(),
                      NULL) == 1 &&
           n == r->hash && log_value(r, "CLIENT_TRAFFIC_SECRET_0 ", random, r->value[LAYOUT_CLIENT]) == r->hash &&
           log_value(r, "SERVER_TRAFFIC_SECRET_0 ", random, r->value[LAYOUT_SERVER]) == r->hash &&
           log_value(r, "CLIENT_HANDSHAKE_TRAFFIC_SECRET ", random, r->client_hs) == r->hash;
}

/* place_read reads n bytes at a place of a finished connection. */
static bool place_read(const struct body *b, struct layout_place at, void *to, size_t n) {
    if (at.via == LAYOUT_DIRECT) {
        if ((size_t)at.at + n > b->n) return false;
        memcpy(to, b->done + at.at, n);
        return true;
    }
    const uint8_t *pointer;
    memcpy(&pointer, b->done + at.via, sizeof pointer);
    return memory_read(pointer + at.at, to, n) == n;
}

/* holds tells whether the value of a round stands at the place in one of its sides. */
static bool holds(const struct round *r, int side, enum layout_value v, struct layout_place at) {
    uint8_t got[EVP_MAX_MD_SIZE];
    const struct body *b = &r->side[side];
    if (v == LAYOUT_INIT) {
        uint32_t fresh, during, done;
        memcpy(&fresh, b->fresh + at.at, 4);
        memcpy(&during, b->during + at.at, 4);
        memcpy(&done, b->done + at.at, 4);
        return fresh && during && !done;
    }
    if (v == LAYOUT_HANDSHAKE) {
        struct layout_hit hit = {.version = 0x0304, .init = 1};
        char text[2 * LOG_MOST], *line = text;
        struct writer w = wr_fixed(text, sizeof text - 1);
        if (!r->v13) return true;
        if (!place_read(b, at, hit.handshake, r->hash)) return false;
        memcpy(hit.random, r->value[LAYOUT_RANDOM], 32);
        memcpy(hit.hash, r->value[LAYOUT_HASH], r->hash);
        if (!layout_lines(&hit, &w)) return false;
        text[wr_len(&w)] = 0;
        line = strchr(line, '\n');
        *line = 0;
        return strstr(r->log, text) != NULL;
    }
    size_t n = r->truth[v].n;
    return !n || (place_read(b, at, got, n) && memcmp(got, r->truth[v].p, n) == 0);
}

static bool holds_always(const struct round *rounds, enum layout_value v, struct layout_place at) {
    for (int i = 0; i < ROUNDS; i++)
        for (int side = 0; side < SIDES; side++)
            if (!holds(&rounds[i], side, v, at)) return false;
    return true;
}

/* place_find takes the first place in the connection itself, else the first behind one of its pointers. */
static bool place_find(const struct round *rounds, enum layout_value v, struct layout_place *out) {
    const struct round *r = v == LAYOUT_MASTER ? &rounds[ROUNDS - 1] : &rounds[0]; /* one that has the value */
    const struct body *b = &r->side[0];
    struct layout_place at = {.via = LAYOUT_DIRECT};
    for (; (size_t)at.at + 4 <= b->n; at.at += 4) {
        if (!holds(r, 0, v, at) || !holds_always(rounds, v, at)) continue;
        *out = at;
        return true;
    }
    if (v == LAYOUT_INIT || v == LAYOUT_HANDSHAKE || v == LAYOUT_VERSION) return false;
    for (at.via = 0; (size_t)at.via + 8 <= b->n; at.via += 8) {
        static uint8_t behind[BEHIND_MOST];
        const uint8_t *pointer;
        memcpy(&pointer, b->done + at.via, sizeof pointer);
        size_t n = pointer ? memory_read(pointer, behind, sizeof behind) : 0;
        for (at.at = 0; (size_t)at.at + r->truth[v].n <= n; at.at += 4) {
            if (memcmp(behind + at.at, r->truth[v].p, r->truth[v].n) != 0 || !holds_always(rounds, v, at)) continue;
            *out = at;
            return true;
        }
    }
    return false;
}

/* lines_agree makes the lines as they will be made, from one finished connection, and looks for each in the key log. */
static bool lines_agree(const struct layout *l, const struct round *r, int side) {
    struct layout_hit hit = {0};
    char text[LOG_MOST];
    struct writer w = wr_fixed(text, sizeof text - 1);
    for (enum layout_value v = 0; v < LAYOUT_VALUES; v++)
        if (!place_read(&r->side[side], l->place[v], (uint8_t *)&hit + layout_offset(v), layout_bytes(v))) return false;
    if (!layout_lines(&hit, &w)) return false;
    text[wr_len(&w)] = 0;
    int lines = 0;
    char *rest = text;
    for (const char *line; (line = strsep(&rest, "\n")) && *line; lines++)
        if (!strstr(r->log, line)) return false;
    return lines == (r->v13 ? 4 : 1);
}

static bool rounds_make(const struct library *l, const struct identity *id, struct round *rounds) {
    for (int i = 0; i < ROUNDS; i++) {
        now = &rounds[i];
        now->v13 = i < 4; /* with either hash, twice */
        now->hash = i & 1 ? 48 : 32;
        if (!l->malloc((size_t)(i + 1) * 1000)) return false; /* heaps look different every time */
        if (!side_make(l, id, now, 0) || !side_make(l, id, now, 1) || !shake(l, now) || !truths_find(now)) return false;
        if (now->side[0].n != rounds[0].side[0].n || now->side[1].n != rounds[0].side[0].n) return false;
    }
    return true;
}

/* What the process gives back. */
enum answer_kind { ANSWER_FOUND, ANSWER_LOAD, ANSWER_SHAKE, ANSWER_PLACE, ANSWER_KINDS };
struct answer {
    uint32_t kind, value; /* value: which was not found */
    struct layout layout;
};

static struct answer learn(int ssl, int crypto, const struct identity *id) {
    struct answer a = {.kind = ANSWER_LOAD};
    struct library l;
    struct round *rounds = calloc(ROUNDS, sizeof *rounds);
    if (!rounds || !library_load(&l, ssl, crypto)) return a;
    a.kind = ANSWER_SHAKE;
    if (!rounds_make(&l, id, rounds)) return a;
    a.kind = ANSWER_PLACE;
    for (a.value = 0; a.value < LAYOUT_VALUES; a.value++)
        if (!place_find(rounds, a.value, &a.layout.place[a.value])) return a;
    for (int i = 0; i < ROUNDS; i++)
        for (int side = 0; side < SIDES; side++)
            if (!lines_agree(&a.layout, &rounds[i], side)) return a;
    a.kind = ANSWER_FOUND;
    return a;
}

/* rights_shed leaves the process what loading a library needs: the file, and memory. What it starts would outlive it,
 * so it can start nothing; and root's network is not for who brought the library. */
static bool rights_shed(uid_t uid, gid_t gid) {
    if (uid == 0) uid = gid = NOBODY;
    if (geteuid() == 0) (void)unshare(CLONE_NEWNET | CLONE_NEWIPC);
    if (geteuid() == 0 && (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0))
        return false;
    struct rlimit none = {0}, seconds = {LEARN_MS / 1000, LEARN_MS / 1000};
    (void)setrlimit(RLIMIT_CORE, &none);
    (void)setrlimit(RLIMIT_FSIZE, &none);
    (void)setrlimit(RLIMIT_NPROC, &none);
    (void)setrlimit(RLIMIT_CPU, &seconds);
    (void)prctl(PR_SET_DUMPABLE, 1); /* or /proc/self/fd would stay root's */
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

/* files_shed closes all descriptors but three, which become 3, 4 and 5; standard ones lead nowhere. */
static void files_shed(int *ssl, int *crypto, int *to) {
    int at[3] = {*ssl, *crypto, *to};
    for (int i = 0; i < 3; i++)
        if (at[i] >= 0) at[i] = fcntl(at[i], F_DUPFD, 16);
    int null = open("/dev/null", O_RDWR);
    for (int i = 0; i < 3; i++) dup2(null, i);
    for (int i = 0; i < 3; i++)
        if (at[i] >= 0) dup2(at[i], 3 + i);
        else close(3 + i);
    close_range(6, ~0u, 0);
    *ssl = 3;
    *crypto = *crypto >= 0 ? 4 : -1;
    *to = 5;
}

static _Noreturn void process(int ssl, int crypto, int to, uid_t uid, gid_t gid, const struct identity *id) {
    for (int sig = 1; sig < NSIG; sig++) signal(sig, SIG_DFL);
    (void)setsid(); /* Ctrl-C is not for it */
    files_shed(&ssl, &crypto, &to);
    (void)clearenv();
    (void)setenv("OPENSSL_CONF", "/dev/null", 1);
    struct answer a = {.kind = ANSWER_LOAD};
    if (rights_shed(uid, gid)) a = learn(ssl, crypto, id);
    (void)!write(to, &a, sizeof a);
    _exit(0);
}

static int der_of(struct der *d, int n, int (*to)(const void *what, unsigned char **out), const void *what) {
    unsigned char *p = d->bytes;
    d->n = n > 0 && n <= DER_MOST ? to(what, &p) : 0;
    return d->n > 0 ? OK : ERR_LIMIT;
}

static int cert_der(const void *cert, unsigned char **out) { return i2d_X509(cert, out); }
static int key_der(const void *key, unsigned char **out) { return i2d_PrivateKey(key, out); }

/* identity_make makes a certificate that signs itself, for a server nobody asks who it is. */
static int identity_make(struct identity *id) {
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    int code = ERR_NOMEM;
    if (key && cert && X509_set_version(cert, 2) && ASN1_INTEGER_set(X509_get_serialNumber(cert), 1) &&
        X509_gmtime_adj(X509_getm_notBefore(cert), -86400) && X509_gmtime_adj(X509_getm_notAfter(cert), 86400) &&
        X509_set_pubkey(cert, key) && X509_sign(cert, key, EVP_sha256())) {
        code = der_of(&id->cert, i2d_X509(cert, NULL), cert_der, cert);
        if (code == OK) code = der_of(&id->key, i2d_PrivateKey(key, NULL), key_der, key);
    }
    X509_free(cert);
    EVP_PKEY_free(key);
    return code;
}

/* answer_wait takes the answer, which comes whole or not at all (it is shorter than PIPE_BUF). */
static bool answer_wait(int from, struct answer *a) {
    struct pollfd p = {.fd = from, .events = POLLIN};
    int64_t until = clock_ms() + LEARN_MS, left;
    while ((left = until - clock_ms()) > 0) {
        int r = poll(&p, 1, (int)left);
        if (r > 0) return read(from, a, sizeof *a) == sizeof *a;
        if (r < 0 && errno != EINTR) return false;
    }
    return false;
}

static bool answer_fine(const struct answer *a) {
    for (enum layout_value v = 0; v < LAYOUT_VALUES; v++) {
        const struct layout_place *p = &a->layout.place[v];
        if (p->via < LAYOUT_DIRECT || p->via >= LAYOUT_REACH || p->at < 0 || p->at >= LAYOUT_REACH) return false;
    }
    return a->kind == ANSWER_FOUND;
}

int layout_learn(struct layout *out, int ssl, int crypto, uid_t uid, gid_t gid, struct writer *why) {
    static const char *const reasons[] = {
        [ANSWER_FOUND] = "its answer makes no sense",
        [ANSWER_LOAD] = "it cannot be loaded here, or is not like OpenSSL 1.1.1 and later",
        [ANSWER_SHAKE] = "it does not complete a handshake with itself",
        [ANSWER_PLACE] = "it keeps its secrets where they cannot be found",
    };
    _Static_assert(sizeof reasons / sizeof *reasons == ANSWER_KINDS, "every answer has its sentence");
    struct identity id;
    struct answer a = {.kind = ANSWER_LOAD};
    int pipe[2], code = identity_make(&id);
    if (code < 0) return code;
    if (pipe2(pipe, O_CLOEXEC) < 0) return ERR_IO;
    pid_t pid = fork();
    if (pid == 0) process(ssl, crypto, pipe[1], uid, gid, &id);
    close(pipe[1]);
    bool came = pid > 0 && answer_wait(pipe[0], &a);
    close(pipe[0]);
    if (pid > 0) {
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
    if (came && answer_fine(&a)) {
        *out = a.layout;
        return OK;
    }
    wr_s(why, reasons[a.kind < ANSWER_KINDS ? a.kind : ANSWER_FOUND]);
    return ERR_UNSUPPORTED;
}
