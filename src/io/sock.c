/* SPDX-License-Identifier: Apache-2.0 */
#include "io/sock.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define HOST_MAX 256
#define KEEPALIVE_S 300

static int parse_local(struct sock_addr *out, const char *path, struct writer *why) {
    struct sock_addr a = {.local = {.sun_family = AF_UNIX}, .len = sizeof a.local};
    if (!*path || strlen(path) >= sizeof a.local.sun_path) {
        wr_f(why, "unix:%s: the path must have 1 to %zu bytes", path, sizeof a.local.sun_path - 1);
        return ERR_USAGE;
    }
    memcpy(a.local.sun_path, path, strlen(path) + 1);
    *out = a;
    return OK;
}

/* split takes "HOST:PORT" apart; port stays where the text names none. False where it cannot be read. */
static bool split(const char *text, char host[HOST_MAX], char port[8]) {
    const char *end = NULL, *colon = NULL;
    if (*text == '[') {
        if (!(end = strchr(++text, ']'))) return false;
        colon = end[1] == ':' ? end + 1 : NULL;
        if (!colon && end[1]) return false;
    } else {
        colon = strrchr(text, ':');
        if (colon && strchr(text, ':') != colon) colon = NULL; /* a bare IPv6 address */
        end = colon ? colon : text + strlen(text);
    }
    if (end - text >= HOST_MAX || (colon && (strlen(colon + 1) > 5 || !colon[1]))) return false;
    memcpy(host, text, (size_t)(end - text));
    host[end - text] = 0;
    if (colon) snprintf(port, 8, "%s", colon + 1);
    char *rest;
    unsigned long n = strtoul(port, &rest, 10);
    return !*rest && n <= 65535;
}

/* one_of returns the address of a name that is taken: its first, but of a name that means loopback in both versions of
 * IP that of IPv4, which is what most who listen there listen on, at least. */
static const struct addrinfo *one_of(const struct addrinfo *all) {
    if (all->ai_family != AF_INET6) return all;
    const struct sockaddr_in6 *first = (const struct sockaddr_in6 *)(const void *)all->ai_addr;
    const struct addrinfo *a = IN6_IS_ADDR_LOOPBACK(&first->sin6_addr) ? all : NULL;
    while (a && a->ai_family != AF_INET) a = a->ai_next;
    return a ? a : all;
}

static void address_take(struct sock_addr *out, const struct addrinfo *a) {
    memset(out, 0, sizeof *out);
    memcpy(&out->any, a->ai_addr, a->ai_addrlen);
    out->len = a->ai_addrlen;
}

int sock_parse(struct sock_addr *out, const char *text, uint16_t port, struct writer *why) {
    int n = sock_parse_all(out, 1, text, port, why);
    return n < 0 ? n : OK;
}

static int local_one(struct sock_addr *out, const char *path, struct writer *why) {
    int rc = parse_local(out, path, why);
    return rc < 0 ? rc : 1;
}

int sock_parse_all(struct sock_addr *out, size_t most, const char *text, uint16_t port, struct writer *why) {
    if (!strncmp(text, "unix:", 5)) return local_one(out, text + 5, why);
    if (*text == '/') return local_one(out, text, why);
    char host[HOST_MAX], service[8] = "";
    if (port) snprintf(service, sizeof service, "%u", port);
    bool ok = split(text, host, service);
    if (!ok || !*service) {
        wr_f(why, "%s: expected HOST:PORT, [IPV6]:PORT or unix:/PATH", text);
        return ERR_USAGE;
    }
    bool all = !*host || !strcmp(host, "*");
    struct addrinfo want = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV}, *got = NULL;
    int r = getaddrinfo(all ? "0.0.0.0" : host, service, &want, &got);
    if (r != 0 || got->ai_addrlen > sizeof out->v6) {
        wr_f(why, "%s: %s", text, r ? gai_strerror(r) : "not an IP address");
        if (!r) freeaddrinfo(got);
        return ERR_NOTFOUND;
    }
    const struct addrinfo *one = one_of(got);
    size_t n = 0;
    address_take(&out[n++], one);
    for (const struct addrinfo *a = got; a && n < most; a = a->ai_next)
        if (a != one && a->ai_addrlen <= sizeof out->v6) address_take(&out[n++], a);
    freeaddrinfo(got);
    return (int)n;
}

void sock_print(const struct sock_addr *a, struct writer *w) {
    char text[INET6_ADDRSTRLEN] = "";
    if (sock_is_local(a)) {
        bool named = a->len > sizeof(sa_family_t) && a->local.sun_path[0];
        wr_f(w, "unix:%s", named ? a->local.sun_path : "");
    } else if (a->any.sa_family == AF_INET6) {
        wr_f(w, "[%s]:%u", inet_ntop(AF_INET6, &a->v6.sin6_addr, text, sizeof text), ntohs(a->v6.sin6_port));
    } else {
        wr_f(w, "%s:%u", inet_ntop(AF_INET, &a->v4.sin_addr, text, sizeof text), ntohs(a->v4.sin_port));
    }
}

void sock_peer_print(const struct sock_peer *p, struct writer *w) {
    char text[INET6_ADDRSTRLEN] = "";
    if (!p->len) wr_s(w, "unix");
    else wr_s(w, inet_ntop(p->len == 4 ? AF_INET : AF_INET6, p->ip, text, sizeof text));
}

struct sock_peer sock_peer_of(const struct sock_addr *a) {
    struct sock_peer p = {0};
    if (a->any.sa_family == AF_INET) {
        p.len = 4, p.port = ntohs(a->v4.sin_port);
        memcpy(p.ip, &a->v4.sin_addr, 4);
    } else if (a->any.sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&a->v6.sin6_addr)) {
        p.len = 4, p.port = ntohs(a->v6.sin6_port);
        memcpy(p.ip, a->v6.sin6_addr.s6_addr + 12, 4);
    } else if (a->any.sa_family == AF_INET6) {
        p.len = 16, p.port = ntohs(a->v6.sin6_port);
        memcpy(p.ip, &a->v6.sin6_addr, 16);
    }
    return p;
}

struct sock_addr sock_addr_of(const struct sock_peer *p) {
    struct sock_addr a = {0};
    if (p->len == 4) {
        a.v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(p->port)};
        memcpy(&a.v4.sin_addr, p->ip, 4);
        a.len = sizeof a.v4;
    } else if (p->len == 16) {
        a.v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(p->port)};
        memcpy(&a.v6.sin6_addr, p->ip, 16);
        a.len = sizeof a.v6;
    }
    return a;
}

bool sock_same(const struct sock_addr *a, const struct sock_addr *b) {
    if (a->any.sa_family != b->any.sa_family) return false;
    if (sock_is_local(a)) return !strcmp(a->local.sun_path, b->local.sun_path);
    if (a->any.sa_family == AF_INET)
        return a->v4.sin_port == b->v4.sin_port && a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;
    return a->v6.sin6_port == b->v6.sin6_port && !memcmp(&a->v6.sin6_addr, &b->v6.sin6_addr, 16);
}

static void option(int fd, int level, int name, int value) { (void)setsockopt(fd, level, name, &value, sizeof value); }

/* remove_stale deletes the file of a Unix socket nobody listens on any more. One that is too busy to accept is not
 * waited for. */
static void remove_stale(const struct sock_addr *a) {
    struct stat st;
    if (stat(a->local.sun_path, &st) < 0 || !S_ISSOCK(st.st_mode)) return;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return;
    if (connect(fd, &a->any, a->len) < 0 && errno == ECONNREFUSED) (void)unlink(a->local.sun_path);
    close(fd);
}

/* keepalive makes the kernel ask a peer that was silent for idle_s seconds, and end the connection with one that is
 * gone.
 */
static void keepalive(int fd, int idle_s) {
    option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    option(fd, IPPROTO_TCP, TCP_KEEPIDLE, idle_s);
    option(fd, IPPROTO_TCP, TCP_KEEPINTVL, idle_s / 4 + 1);
    option(fd, IPPROTO_TCP, TCP_KEEPCNT, 4);
}

int sock_listen(const struct sock_addr *a, int backlog) {
    int fd = socket(a->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return ERR_IO;
    if (sock_is_local(a)) {
        remove_stale(a);
    } else {
        option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
        option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
        /* inherited by what is accepted */
        option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
        keepalive(fd, KEEPALIVE_S);
        if (a->any.sa_family == AF_INET6) option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    }
    if (bind(fd, &a->any, a->len) == 0 && listen(fd, backlog) == 0) return fd;
    int e = errno;
    close(fd);
    errno = e;
    return ERR_IO;
}

int sock_accept(int fd, struct sock_addr *peer) {
    socklen_t len = sizeof *peer - sizeof peer->len;
    int got = accept4(fd, &peer->any, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (got < 0) return -errno;
    peer->len = len;
    return got;
}

static int bind_from(int fd, const struct sock_addr *from) {
    if (!from || !from->len) return 0;
    option(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
    return bind(fd, &from->any, from->len);
}

int sock_connect(const struct sock_addr *to, const struct sock_addr *from) {
    int fd = socket(to->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -errno;
    if (!sock_is_local(to)) option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (bind_from(fd, from) == 0 && (connect(fd, &to->any, to->len) == 0 || errno == EINPROGRESS)) return fd;
    int e = errno;
    close(fd);
    return -e;
}

int sock_hold_port(struct sock_addr *a) {
    int fd = socket(a->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return -errno;
    if (bind(fd, &a->any, a->len) || getsockname(fd, &a->any, &a->len)) {
        int error = errno;
        close(fd);
        return -error;
    }
    return fd;
}

int sock_connected(int fd) {
    int e = 0;
    socklen_t n = sizeof e;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &e, &n) < 0 ? errno : e;
}

struct sock_addr sock_name(int fd) {
    struct sock_addr a = {0};
    socklen_t len = sizeof a - sizeof a.len;
    if (getsockname(fd, &a.any, &len) == 0) a.len = len;
    return a;
}

struct sock_addr sock_peer_name(int fd) {
    struct sock_addr a = {0};
    socklen_t len = sizeof a - sizeof a.len;
    if (getpeername(fd, &a.any, &len) == 0) a.len = len;
    return a;
}

int sock_unsent(int fd) {
    int n;
    return ioctl(fd, SIOCOUTQ, &n) == 0 ? n : -1;
}

void sock_close_hard(int fd) {
    struct linger now = {1, 0};
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(fd);
}
