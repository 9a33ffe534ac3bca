/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets of servers that are one process: bound for themselves alone, read and written without ceremony. */
#include "io/sock.h"
#include <errno.h>
#include <sys/resource.h>
#include <unistd.h>

enum { RECEIVE_BUFFER = 4 << 20 }; /* of datagrams: they come in bursts and nobody sends them again */

int sock_serve(const struct sock_addr *a, int type, int backlog) {
    int fd = socket(a->any.sa_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1, off = 0, room = RECEIVE_BUFFER;
    if (fd < 0) return ERR_IO;
    /* a port in TIME-WAIT may be bound again; of datagrams the option would let two take the same port */
    if (type == SOCK_STREAM) (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    else (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    if (a->any.sa_family == AF_INET6) (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    if (bind(fd, &a->any, a->len) == 0 && (type != SOCK_STREAM || listen(fd, backlog) == 0)) return fd;
    int e = errno;
    close(fd);
    errno = e;
    return ERR_IO;
}

ssize_t sock_take(int fd, void *buf, size_t n) {
    ssize_t got = recv(fd, buf, n, 0);
    return got < 0 ? -errno : got;
}

ssize_t sock_give(int fd, struct slice bytes) {
    ssize_t put = send(fd, bytes.p, bytes.n, MSG_NOSIGNAL);
    return put < 0 ? -errno : put;
}

ssize_t sock_take_from(int fd, void *buf, size_t n, struct sock_addr *from, size_t *whole) {
    socklen_t len = sizeof *from - sizeof from->len;
    ssize_t got = recvfrom(fd, buf, n, MSG_TRUNC, &from->any, &len);
    if (got < 0) return -errno;
    from->len = len;
    *whole = (size_t)got;
    return (size_t)got < n ? got : (ssize_t)n;
}

bool sock_give_to(int fd, const struct sock_addr *to, struct slice bytes) {
    return sendto(fd, bytes.p, bytes.n, MSG_NOSIGNAL, &to->any, to->len) >= 0;
}

void sock_end(int fd) { (void)shutdown(fd, SHUT_WR); }

void sock_close(int fd) { close(fd); }

size_t sock_room(void) {
    struct rlimit r;
    if (getrlimit(RLIMIT_NOFILE, &r) < 0) return 1024;
    r.rlim_cur = r.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &r);
    (void)getrlimit(RLIMIT_NOFILE, &r);
    return r.rlim_cur;
}
