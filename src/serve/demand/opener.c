/* SPDX-License-Identifier: Apache-2.0 */
/* Theory of operation: who may open an interface must not be who reads what strangers send. Before `weir serve` gives
 * up its privileges it forks the opener, which keeps the two capabilities a capture takes (CAP_NET_RAW, CAP_NET_ADMIN),
 * as the same plain user, and nothing else. Over a socket pair it takes orders, each with two descriptors: the file to
 * write and a socket for reports. It checks the order's limits and forks a recorder, which opens the interface, drops
 * what is left and records (record.c). The opener itself never looks at a packet. The worst a taken-over server can ask
 * of it is a capture, which is what the server is for.
 *
 * Who dies: the opener ends when the server's end of the socket closes, a recorder when that of its reports does, so
 * nothing outlives a killed server but files that are ended properly. Ctrl-C goes to all processes of a terminal; only
 * the server listens to it. */
#include "serve/demand/opener.h"
#include "io/capture/savefile.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

struct opener {
    int sock;
};

enum { DESCRIPTORS = 2 };

bool opener_user_become(const struct opener_user *u) { return !u->change || privileges_drop(u->uid, u->gid, u->name); }

static bool drop_all(void *to) { return opener_user_become(to); }

union control {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(sizeof(int) * DESCRIPTORS)];
};

/* order_take receives an order; 1 with two descriptors, 0 where it is none to follow, -1 at the end. */
static int order_take(int sock, struct record_order *o, int fd[DESCRIPTORS]) {
    union control control = {0};
    struct iovec at = {o, sizeof *o};
    struct msghdr m = {.msg_iov = &at, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control};
    ssize_t n;
    do n = recvmsg(sock, &m, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n <= 0) return -1;
    const struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) return 0;
    size_t fds = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    int got[DESCRIPTORS];
    memcpy(got, CMSG_DATA(c), (fds < DESCRIPTORS ? fds : DESCRIPTORS) * sizeof(int));
    if (n == sizeof *o && fds == DESCRIPTORS && !(m.msg_flags & MSG_CTRUNC) && record_order_fine(o)) {
        memcpy(fd, got, sizeof got);
        return 1;
    }
    for (size_t i = 0; i < fds && i < DESCRIPTORS; i++) close(got[i]);
    return 0;
}

static _Noreturn void opener_live(int sock, struct opener_user *user) {
    struct record_order order;
    int fd[DESCRIPTORS], rc;
    prctl(PR_SET_NAME, "weir-opener");
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGQUIT, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGCHLD, SIG_IGN); /* recorders are not waited for */
    if (chdir("/") < 0 || (user->change && !privileges_keep_capture(user->uid, user->gid, user->name))) _exit(1);
    while ((rc = order_take(sock, &order, fd)) >= 0) {
        if (rc == 0) continue;
        pid_t pid = fork();
        if (pid == 0) {
            prctl(PR_SET_NAME, "weir-recorder");
            close(sock);
            record_run(&order, fd[0], fd[1], drop_all, user);
            _exit(0);
        }
        close(fd[0]);
        close(fd[1]); /* no recorder: the server sees its end */
    }
    _exit(0);
}

int opener_start(struct opener **out, const struct opener_user *user) {
    int pair[2];
    struct opener *o = malloc(sizeof *o);
    struct opener_user copy = *user;
    if (!o) return ERR_NOMEM;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
        free(o);
        return ERR_IO;
    }
    pid_t pid = fork();
    if (pid == 0) {
        close(pair[0]);
        opener_live(pair[1], &copy);
    }
    close(pair[1]);
    o->sock = pair[0];
    if (pid < 0) {
        opener_free(o);
        return ERR_IO;
    }
    *out = o;
    return OK;
}

int opener_record(struct opener *o, const struct record_order *order, int file) {
    union control control = {0};
    struct iovec at = {(void *)(uintptr_t)order, sizeof *order};
    struct msghdr m = {.msg_iov = &at, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control};
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) return -1;
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    *c = (struct cmsghdr){
        .cmsg_len = CMSG_LEN(sizeof(int) * DESCRIPTORS), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(c), (int[DESCRIPTORS]){file, pair[1]}, sizeof(int) * DESCRIPTORS);
    ssize_t n = sendmsg(o->sock, &m, MSG_NOSIGNAL);
    int e = errno;
    close(pair[1]);
    if (n == sizeof *order) return pair[0];
    close(pair[0]);
    errno = e;
    return -1;
}

void opener_free(struct opener *o) {
    if (!o) return;
    close(o->sock);
    free(o);
}
