/* SPDX-License-Identifier: Apache-2.0 */
/* A datagram socket that is connected has been routed: its own address is the one packets would leave from. */
#include "io/route.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SOME_PORT = 9 };

bool route_source(const uint8_t *dst, uint8_t *src, size_t n) {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } a = {0};
    socklen_t len = n == 4 ? sizeof a.v4 : sizeof a.v6;
    a.any.sa_family = n == 4 ? AF_INET : AF_INET6;
    if (n == 4) a.v4.sin_port = htons(SOME_PORT);
    else a.v6.sin6_port = htons(SOME_PORT);
    void *at = n == 4 ? (void *)&a.v4.sin_addr : (void *)&a.v6.sin6_addr;
    memcpy(at, dst, n);
    int fd = socket(a.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0), yes = 1;
    if (fd < 0) return false;
    if (n == 4) setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &yes, sizeof yes);
    bool fine = !connect(fd, &a.any, len) && !getsockname(fd, &a.any, &len);
    close(fd);
    if (fine) memcpy(src, at, n);
    return fine;
}
