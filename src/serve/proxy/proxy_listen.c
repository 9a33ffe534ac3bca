/* SPDX-License-Identifier: Apache-2.0 */
/* Theory of operation: the parent opens every listening socket before the first fork, for IP one for each worker
 * (SO_REUSEPORT: the kernel spreads new connections). A worker that dies leaves its socket open in the parent, so who
 * waits in its queue is served by its successor.
 *
 * Sockets handed over (by systemd, or by the parent of an older run at SIGUSR2, in the same way: LISTEN_FDS) are taken
 * where their address is configured. When there are fewer than workers and no more can be bound, workers share. */
#include "io/notify.h"
#include "serve/proxy/parent.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

enum { BACKLOG = 4096, FIRST_FD = 3, CMDLINE_MAX = 65536, WORDS_MAX = 512 };

static void print_addr(char *buf, size_t n, const struct sock_addr *a) {
    struct writer w = wr_fixed(buf, n - 1);
    sock_print(a, &w);
    *w.p = 0;
}

static bool add(struct parent *p, int fd, const struct sock_addr *configured) {
    if (p->sockets == SOCKETS_MAX) return close(fd), false;
    p->socket[p->sockets++] = (struct listening){fd, *configured};
    return true;
}

/* same_listener tells whether an inherited socket is the configured one; port 0 matches any port. */
static bool same_listener(const struct sock_addr *own, const struct sock_addr *want) {
    struct sock_addr a = *own;
    if (!sock_is_local(want) && want->v4.sin_port == 0) a.v4.sin_port = 0; /* IPv6 has it in the same place */
    return sock_same(&a, want);
}

static unsigned take_inherited(struct parent *p, const struct sock_addr *want, int inherited, bool *taken) {
    unsigned n = 0;
    for (int i = 0; i < inherited; i++) {
        struct sock_addr own = sock_name(FIRST_FD + i);
        if (taken[i] || !own.len || !same_listener(&own, want)) continue;
        taken[i] = true;
        n += add(p, FIRST_FD + i, want);
    }
    return n;
}

/* open_listener completes one listener's sockets to one for each worker. */
static bool open_listener(struct parent *p, const struct setting_listener *l, unsigned have) {
    struct sock_addr at = have ? sock_name(p->socket[p->sockets - 1].fd) : l->addr;
    unsigned want = sock_is_local(&l->addr) ? 1 : p->workers;
    for (; have < want; have++) {
        int fd = sock_listen(&at, l->conf->backlog ? (int)l->conf->backlog : BACKLOG);
        if (fd < 0 && have) return true; /* workers share what there is */
        if (fd < 0) {
            parent_say("cannot listen on %s: %s", l->conf->address, strerror(errno));
            return false;
        }
        at = sock_name(fd);
        if (!add(p, fd, &l->addr)) return true;
    }
    return true;
}

static void tell(const struct parent *p, const struct setting_listener *l) {
    char text[160] = "";
    for (unsigned i = 0; i < p->sockets; i++) {
        if (!sock_same(&p->socket[i].configured, &l->addr)) continue;
        struct sock_addr own = sock_name(p->socket[i].fd);
        print_addr(text, sizeof text, &own);
    }
    parent_say("listening on %s (%s%s%s)", text, l->tls ? "TLS" : "plain", l->conf->websocket ? ", WebSocket" : "",
               l->conf->proxy_protocol ? ", PROXY protocol" : "");
}

bool listen_open(struct parent *p) {
    bool taken[SOCKETS_MAX] = {0};
    int inherited = notify_sockets();
    if (inherited > SOCKETS_MAX) inherited = SOCKETS_MAX;
    for (unsigned i = 0; i < p->set->listeners; i++) {
        const struct setting_listener *l = &p->set->listener[i];
        unsigned have = take_inherited(p, &l->addr, inherited, taken);
        if (!open_listener(p, l, have)) return false;
        tell(p, l);
    }
    for (int i = 0; i < inherited; i++) {
        if (taken[i]) continue;
        char text[160];
        struct sock_addr own = sock_name(FIRST_FD + i);
        print_addr(text, sizeof text, &own);
        parent_say("a socket handed over is no listener of the configuration: %s", own.len ? text : "no socket");
        close(FIRST_FD + i);
    }
    return true;
}

unsigned listen_of(const struct parent *p, unsigned k, struct worker_listener *out, struct sock_addr *bound) {
    unsigned n = 0;
    for (unsigned first = 0, end; first < p->sockets; first = end) {
        for (end = first; end < p->sockets && sock_same(&p->socket[end].configured, &p->socket[first].configured);)
            end++;
        unsigned have = end - first;
        /* One each; who is left over when there are fewer shares, what is left over when there are more is dealt out.
         */
        for (unsigned i = k % have; i < have && n < LISTENERS_MAX; i += p->workers) {
            bound[n] = p->socket[first + i].configured;
            out[n++].fd = p->socket[first + i].fd;
        }
    }
    return n;
}

void listen_close(struct parent *p) {
    for (unsigned i = 0; i < p->sockets; i++) close(p->socket[i].fd);
    p->sockets = 0;
}

/* own_command reads the words this process was started with; they live in `buf`. */
static bool own_command(char *buf, char **words) {
    int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, buf, CMDLINE_MAX - 1);
    if (fd >= 0) close(fd);
    int k = 0;
    for (char *p = buf; n > 0 && p < buf + n && k < WORDS_MAX - 1; p += strlen(p) + 1) words[k++] = p;
    words[k] = NULL;
    return k > 0;
}

static void become_successor(const struct parent *p, char **words) {
    char text[32];
    /* First out of the way of the numbers they are to get, then to their place. */
    int high[SOCKETS_MAX];
    for (unsigned i = 0; i < p->sockets; i++) high[i] = fcntl(p->socket[i].fd, F_DUPFD, FIRST_FD + (int)p->sockets);
    for (unsigned i = 0; i < p->sockets; i++) (void)dup2(high[i], FIRST_FD + (int)i);
    closefrom(FIRST_FD + (int)p->sockets);
    snprintf(text, sizeof text, "%u", p->sockets);
    setenv("LISTEN_FDS", text, 1);
    snprintf(text, sizeof text, "%d", (int)getpid());
    setenv("LISTEN_PID", text, 1);
    snprintf(text, sizeof text, "%d", (int)getppid());
    setenv("WEIR_GUARD_BEFORE", text, 1);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execvp(words[0], words);
    fprintf(stderr, "weir guard: cannot start %s: %s\n", words[0], strerror(errno));
    _exit(2);
}

pid_t listen_successor(struct parent *p) {
    static char buf[CMDLINE_MAX]; /* too large for the stack; used once in a process's life */
    char *words[WORDS_MAX];
    if (!own_command(buf, words)) return -1;
    pid_t pid = fork();
    if (pid == 0) become_successor(p, words);
    return pid;
}
