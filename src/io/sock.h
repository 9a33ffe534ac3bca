/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_IO_SOCK_H
#define WEIR_IO_SOCK_H

#include "base/err.h"
#include "base/slice.h"
#include "base/writer.h"
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

/* sock_addr is an IPv4, IPv6 or Unix address; len 0: none. */
struct sock_addr {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        struct sockaddr_un local;
    };
    socklen_t len;
};

/* sock_peer is an address in 20 bytes, for what is kept per connection: IPv4 lies in the first four bytes. */
struct sock_peer {
    uint8_t ip[16];
    uint16_t port;
    uint8_t len; /* 4, 16; 0: a Unix socket */
};

/* sock_parse reads "HOST:PORT", "[V6]:PORT", "*:PORT", ":PORT", "HOST" (with `port`, 0: refuse) or "unix:/PATH";
 * names are looked up. Says why where it gives ERR_USAGE or ERR_NOTFOUND. */
int sock_parse(struct sock_addr *out, const char *text, uint16_t port, struct writer *why) MUST_USE;
/* sock_parse_all is the same, but gives all addresses of a name, `most` at most, the one sock_parse takes first, and
 * returns how many. */
int sock_parse_all(struct sock_addr *out, size_t most, const char *text, uint16_t port, struct writer *why) MUST_USE;
/* sock_print writes an address the way sock_parse reads it; sock_peer_print writes the address without the port. */
void sock_print(const struct sock_addr *a, struct writer *w);
void sock_peer_print(const struct sock_peer *p, struct writer *w);
/* sock_peer_of packs an address, sock_addr_of unpacks it; sock_same compares address and port, or the path. */
struct sock_peer sock_peer_of(const struct sock_addr *a);
struct sock_addr sock_addr_of(const struct sock_peer *p);
bool sock_same(const struct sock_addr *a, const struct sock_addr *b);
static inline bool sock_is_local(const struct sock_addr *a) { return a->any.sa_family == AF_UNIX; }

/* sock_listen opens a listening socket (non-blocking, SO_REUSEPORT for IP); the descriptor or ERR_IO with errno. A
 * stale Unix socket nobody listens on is replaced. */
int sock_listen(const struct sock_addr *a, int backlog) MUST_USE;
/* sock_accept takes a connection (non-blocking, no delay); the descriptor or -errno. */
int sock_accept(int fd, struct sock_addr *peer);
/* sock_connect starts to connect, from `from` where it is given, without binding a port early
 * (IP_BIND_ADDRESS_NO_PORT); the descriptor or -errno. */
int sock_connect(const struct sock_addr *to, const struct sock_addr *from);
/* sock_connected gives how a connect ended: 0 or errno. */
int sock_connected(int fd);
/* sock_serve binds a socket of `type` that nobody else may share, listening where it is SOCK_STREAM; an IPv6 address
 * that stands for all takes IPv4 too. The descriptor or ERR_IO with errno. */
int sock_serve(const struct sock_addr *a, int type, int backlog) MUST_USE;
/* sock_take reads what has come, at most n bytes: how many, 0 at the end of the stream, or -errno (-EAGAIN: nothing).
 */
ssize_t sock_take(int fd, void *buf, size_t n);
/* sock_give writes what the kernel takes now: how many bytes, or -errno (-EAGAIN: none). */
ssize_t sock_give(int fd, struct slice bytes);
/* sock_take_from reads one datagram and who sent it; a longer one loses its end, *whole tells its length. -errno. */
ssize_t sock_take_from(int fd, void *buf, size_t n, struct sock_addr *from, size_t *whole);
/* sock_give_to sends one datagram; false where the kernel did not take it. */
bool sock_give_to(int fd, const struct sock_addr *to, struct slice bytes);
/* sock_end says that nothing more will be sent; sock_close closes. */
void sock_end(int fd);
void sock_close(int fd);
/* sock_room raises the limit of open files as far as it goes and returns it. */
size_t sock_room(void);
/* sock_hold_port takes a TCP port of `a`'s address for nobody else to use (port 0: a free one, put into a): a socket
 * that neither listens nor connects; the descriptor or -errno. */
int sock_hold_port(struct sock_addr *a);
/* sock_name gives the own address, sock_peer_name the other's; len 0: not known. */
struct sock_addr sock_name(int fd);
struct sock_addr sock_peer_name(int fd);
/* sock_unsent returns how many bytes the peer has not acknowledged yet; -1: not known. */
int sock_unsent(int fd);
/* sock_close_hard closes with a reset: nothing is kept in the kernel for it. */
void sock_close_hard(int fd);

#endif
