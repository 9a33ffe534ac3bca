/* SPDX-License-Identifier: Apache-2.0 */
/* Theory of operation: which sockets the command, or a process that runs already, and its children have.
 *
 * The preloaded library says it at once (shim/report.h). For programs it is not in, the open descriptors of all
 * descendants are looked at every few milliseconds: a socket there has an inode number, with which the kernel's lists
 * of sockets
 * (/proc/net) tell its ends. A socket that lives shorter than that is missed, which is why the library comes first. */
#include "app/run/run.h"

#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { INODES_MAX = 4096, TRIES_ALWAYS = 40, TRIES_SPARSE = 16, DEPTH_MAX = 64 };

static void children_of(pid_t parent, int depth, void (*each)(void *to, pid_t pid), void *to) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task", (int)parent);
    DIR *tasks = depth < DEPTH_MAX ? opendir(path) : NULL;
    for (const struct dirent *t; tasks && (t = readdir(tasks));) {
        if (t->d_name[0] == '.') continue;
        char list[128];
        snprintf(list, sizeof list, "/proc/%d/task/%.16s/children", (int)parent, t->d_name);
        FILE *f = fopen(list, "re");
        for (int pid; f && fscanf(f, "%d", &pid) == 1;) {
            each(to, pid);
            children_of(pid, depth + 1, each, to);
        }
        if (f) fclose(f);
    }
    if (tasks) closedir(tasks);
}

void run_children(pid_t root, void (*each)(void *to, pid_t pid), void *to) {
    if (root) each(to, root);
    children_of(root ? root : getpid(), 0, each, to);
}

/* look is one look at the descriptors: the inodes that are not known yet. */
struct look {
    struct run_sockets *s;
    uint64_t inode[INODES_MAX];
    size_t n;
};

static void inode_note(struct look *l, uint64_t inode) {
    size_t at = inode % (sizeof l->s->known / sizeof *l->s->known);
    if (l->s->known[at] == inode) {
        uint32_t tries = l->s->tries[at];
        if (tries == UINT32_MAX) return; /* its ends are known */
        l->s->tries[at]++;
        if (tries > TRIES_ALWAYS && l->s->turns % TRIES_SPARSE) return;
    } else {
        l->s->known[at] = inode;
        l->s->tries[at] = 1;
    }
    if (l->n < INODES_MAX) l->inode[l->n++] = inode;
}

static void process_look(void *to, pid_t pid) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    DIR *fds = opendir(path);
    for (const struct dirent *d; fds && (d = readdir(fds));) {
        char target[64];
        ssize_t n = readlinkat(dirfd(fds), d->d_name, target, sizeof target - 1);
        unsigned long long inode;
        if (n <= 0) continue;
        target[n] = 0;
        if (sscanf(target, "socket:[%llu]", &inode) == 1) inode_note(to, inode);
    }
    if (fds) closedir(fds);
}

static int by_number(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* end_parse reads "0100007F:1F90": words in the machine's byte order. */
static bool end_parse(const char *text, bool v6, struct shim_end *e) {
    size_t words = v6 ? 4 : 1;
    *e = (struct shim_end){.len = (uint8_t)(words * 4)};
    for (size_t i = 0; i < words; i++) {
        unsigned word;
        if (sscanf(text + 8 * i, "%8x", &word) != 1) return false;
        memcpy(e->addr + 4 * i, &(uint32_t){word}, 4);
    }
    unsigned port;
    if (sscanf(text + 8 * words, ":%4x", &port) != 1) return false;
    e->port = (uint16_t)port;
    return true;
}

static void line_take(const struct look *l, struct run_ends *ends, uint8_t proto, bool v6, const char *line) {
    char local[48], peer[48];
    unsigned long long inode;
    struct shim_end a, b;
    if (sscanf(line, " %*d: %47s %47s %*x %*s %*s %*s %*d %*d %llu", local, peer, &inode) != 3) return;
    uint64_t key = inode;
    if (!bsearch(&key, l->inode, l->n, sizeof key, by_number)) return;
    if (!end_parse(local, v6, &a) || !end_parse(peer, v6, &b) || !a.port) return;
    if (!b.port) b = (struct shim_end){0};
    run_ends_add(ends, proto, &a, &b);
    size_t at = inode % (sizeof l->s->known / sizeof *l->s->known);
    /* a datagram socket may get other ends later */
    if (l->s->known[at] == inode && proto == IPPROTO_TCP) l->s->tries[at] = UINT32_MAX;
}

static void list_read(const struct look *l, struct run_ends *ends, const char *path, uint8_t proto, bool v6) {
    char line[512];
    FILE *f = fopen(path, "re");
    while (f && fgets(line, sizeof line, f)) line_take(l, ends, proto, v6, line);
    if (f) fclose(f);
}

static void sockets_find(struct look *l, struct run_ends *ends) {
    static const struct {
        const char *path;
        uint8_t proto;
        bool v6;
    } lists[] = {
        {"/proc/net/tcp", IPPROTO_TCP, false},   {"/proc/net/tcp6", IPPROTO_TCP, true},
        {"/proc/net/udp", IPPROTO_UDP, false},   {"/proc/net/udp6", IPPROTO_UDP, true},
        {"/proc/net/icmp", IPPROTO_ICMP, false}, {"/proc/net/icmp6", IPPROTO_ICMPV6, true},
    };
    qsort(l->inode, l->n, sizeof *l->inode, by_number);
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        list_read(l, ends, lists[i].path, lists[i].proto, lists[i].v6);
}

void run_sockets_report(struct run_sockets *s, struct run_ends *ends) {
    struct shim_report r;
    while (s->fd >= 0 && read(s->fd, &r, sizeof r) == sizeof r) {
        r.name[sizeof r.name - 1] = 0;
        if (r.size != sizeof r) continue;
        if (r.kind == SHIM_LOADED) s->joined = true;
        if (r.kind == SHIM_TLS) s->tls = true;
        if (r.kind == SHIM_LOOKUP) run_ends_lookup(ends, r.name);
        if (r.kind == SHIM_SOCKET && r.local.len <= 16 && r.peer.len <= 16)
            run_ends_add(ends, r.proto, &r.local, &r.peer);
    }
}

void run_sockets_look(struct run_sockets *s, struct run_ends *ends) {
    struct look l = {.s = s};
    run_sockets_report(s, ends);
    s->turns++;
    run_children(s->root, process_look, &l);
    if (l.n) sockets_find(&l, ends);
}
