/* SPDX-License-Identifier: Apache-2.0 */
/* Theory of operation: `nft -i` reads commands from a pipe and is started in a session of its own, so that Ctrl-C does
 * not reach it. Its table has the flag `owner`: it lives as long as the process that made it, a promise of the kernel
 * (5.12 and later) that holds for kill -9 of us, of nft, and of both. Asking for the listing of the table is how we
 * learn that the rule stands. */
#include "io/nft.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ANSWER_MS = 5000, ANSWER_BYTES = 4096, END_MS = 2000 };

static int start(struct nft_hold *h) {
    char *const argv[] = {(char *)"nft", (char *)"-i", NULL};
    /* sbin is not in everybody's path */
    static const char *const paths[] = {"/usr/sbin/nft", "/sbin/nft", "/usr/local/sbin/nft"};
    int in[2], out[2];
    posix_spawn_file_actions_t files;
    posix_spawnattr_t how;
    if (pipe2(in, O_CLOEXEC)) return ERR_IO;
    if (pipe2(out, O_CLOEXEC)) return close(in[0]), close(in[1]), ERR_IO;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, in[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&files, out[1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&files, out[1], STDERR_FILENO);
    posix_spawnattr_init(&how);
    posix_spawnattr_setflags(&how, POSIX_SPAWN_SETSID);
    int error = posix_spawnp(&h->pid, "nft", &files, &how, argv, environ);
    for (size_t i = 0; error == ENOENT && i < sizeof paths / sizeof *paths; i++)
        error = posix_spawn(&h->pid, paths[i], &files, &how, argv, environ);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&how);
    close(in[0]);
    close(out[1]);
    h->in = in[1];
    h->out = out[0];
    if (!error) return OK;
    close(h->in);
    close(h->out);
    h->pid = 0;
    errno = error;
    return error == ENOENT ? ERR_NOTFOUND : ERR_IO;
}

static bool say(int fd, const char *text) {
    struct sigaction ignore = {.sa_handler = SIG_IGN}, old;
    sigaction(SIGPIPE, &ignore, &old);
    bool fine = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    sigaction(SIGPIPE, &old, NULL);
    return fine;
}

/* complaint hands on nft's own line about what was wrong. */
static int complaint(const char *text, struct writer *why) {
    const char *line = strstr(text, "Error:");
    if (line) line += 6 + (line[6] == ' ');
    else line = strstr(text, "Operation not permitted") ? "Operation not permitted" : "nft did not answer";
    wr_f(why, "nft: %.*s", (int)strcspn(line, "\n"), line);
    return strstr(text, "not permitted") ? ERR_DENIED : ERR_IO;
}

static int stands(const struct nft_hold *h, struct writer *why) {
    char text[ANSWER_BYTES];
    size_t n = 0;
    struct pollfd p = {.fd = h->out, .events = POLLIN};
    while (n < sizeof text - 1 && poll(&p, 1, ANSWER_MS) > 0) {
        ssize_t got = read(h->out, text + n, sizeof text - 1 - n);
        if (got <= 0) break;
        n += (size_t)got;
        text[n] = 0;
        if (strstr(text, "Error:")) break;
        const char *rule = strstr(text, "table inet");
        if (rule && strstr(rule, " drop\n")) return OK;
    }
    text[n] = 0;
    return complaint(text, why);
}

int nft_hold_resets(struct nft_hold *h, const uint8_t *src, const uint8_t *dst, size_t n, uint16_t sport,
                    uint16_t dport, uint32_t mark, struct writer *why) {
    char text[1024], name[48], from[INET6_ADDRSTRLEN], to[INET6_ADDRSTRLEN];
    const char *ip = n == 4 ? "ip" : "ip6";
    *h = (struct nft_hold){0};
    inet_ntop(n == 4 ? AF_INET : AF_INET6, src, from, sizeof from);
    inet_ntop(n == 4 ? AF_INET : AF_INET6, dst, to, sizeof to);
    snprintf(name, sizeof name, "weir_craft_%ld", (long)getpid());
    snprintf(text, sizeof text,
             "add table inet %s { flags owner; }\n"
             "add chain inet %s output { type filter hook output priority 0; }\n"
             "add rule inet %s output %s saddr %s %s daddr %s tcp sport %u tcp dport %u tcp flags & rst == rst mark != "
             "0x%x drop\n"
             "list table inet %s\n",
             name, name, name, ip, from, ip, to, sport, dport, mark, name);
    int rc = start(h);
    if (rc == ERR_IO) wr_f(why, "nft cannot be started: %s", strerror(errno));
    if (rc) return rc;
    rc = say(h->in, text) ? stands(h, why) : complaint("", why);
    if (rc) nft_release(h);
    return rc;
}

void nft_release(struct nft_hold *h) {
    if (!h->pid) return;
    const struct timespec nap = {.tv_nsec = 5000000};
    close(h->in);
    close(h->out);
    for (int ms = 0; ms < END_MS && waitpid(h->pid, NULL, WNOHANG) == 0; ms += 5) nanosleep(&nap, NULL);
    if (kill(h->pid, 0) == 0) {
        kill(h->pid, SIGKILL);
        waitpid(h->pid, NULL, 0);
    }
    h->pid = 0;
}
