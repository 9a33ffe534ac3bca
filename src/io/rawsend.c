/* SPDX-License-Identifier: Apache-2.0 */
/* Two ways out. A raw socket hands a packet to the kernel's output path: routes, neighbours and packet filters do their
 * work, nothing waits. A packet socket puts bytes on a device as they are; the kernel's own addresses cannot be reached
 * that way, since what arrives from one of them is dropped as forged. */
#include "io/rawsend.h"
#include "base/reader.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { TRIES = 200, SEND_BUFFER = 4 << 20 };

struct rawsend {
    int v4, v6, frames, packets; /* descriptors; -1: not there */
};

static int raw_socket(int family, const char *device) {
    int fd = socket(family, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW), yes = 1, mark = RAWSEND_MARK, room = SEND_BUFFER;
    if (fd < 0) return -1;
    if (family == AF_INET) (void)setsockopt(fd, IPPROTO_IP, IP_HDRINCL, &yes, sizeof yes);
    else (void)setsockopt(fd, IPPROTO_IPV6, IPV6_HDRINCL, &yes, sizeof yes);
    (void)setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &yes, sizeof yes);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    (void)setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof mark); /* needs CAP_NET_ADMIN; only the RST rule cares */
    if (device && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, (socklen_t)strlen(device))) return close(fd), -1;
    return fd;
}

int rawsend_open(struct rawsend **out, const char *device, struct writer *why) {
    struct rawsend *s = malloc(sizeof *s);
    if (!s) return ERR_NOMEM;
    *s = (struct rawsend){raw_socket(AF_INET, device), raw_socket(AF_INET6, device),
                          socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0),
                          socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    if (s->v4 >= 0 && s->frames >= 0 && s->packets >= 0) return *out = s, OK; /* a kernel may be without IPv6 */
    int error = errno;
    rawsend_close(s);
    if (error == EPERM || error == EACCES) {
        wr_s(why, "no permission to send packets; run it with sudo, or give the program the right once: `setcap "
                  "cap_net_raw,cap_net_admin=ep PATH`");
        return ERR_DENIED;
    }
    wr_f(why, "%s%spackets cannot be sent: %s", device ? device : "", device ? ": " : "", strerror(error));
    return ERR_IO;
}

/* send_out waits a little where the device's queue is full. */
static int send_out(int fd, struct slice s, const void *to, socklen_t n) {
    const struct timespec pause = {.tv_nsec = 1000000};
    for (int i = 0; i < TRIES; i++) {
        if (sendto(fd, s.p, s.n, 0, to, n) >= 0) return OK;
        if (errno != ENOBUFS && errno != EAGAIN && errno != EINTR) break;
        nanosleep(&pause, NULL);
    }
    return ERR_IO;
}

int rawsend_frame(struct rawsend *s, int device, struct slice frame) {
    struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = device, .sll_halen = 6};
    if (frame.n >= 14) memcpy(to.sll_addr, frame.p, 6), to.sll_protocol = htons(load_be16(frame.p + 12));
    return send_out(s->frames, frame, &to, sizeof to);
}

int rawsend_ip(struct rawsend *s, int device, struct slice p) {
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    if (p.n >= 20 && p.p[0] >> 4 == 4) {
        memcpy(&v4.sin_addr, p.p + 16, 4);
        return send_out(s->v4, p, &v4, sizeof v4);
    }
    if (p.n < 40 || s->v6 < 0) return errno = EAFNOSUPPORT, ERR_IO;
    memcpy(&v6.sin6_addr, p.p + 24, 16);
    if (IN6_IS_ADDR_LINKLOCAL(&v6.sin6_addr) || IN6_IS_ADDR_MULTICAST(&v6.sin6_addr))
        v6.sin6_scope_id = (uint32_t)device;
    return send_out(s->v6, p, &v6, sizeof v6);
}

int rawsend_direct(struct rawsend *s, const struct route *r, const uint8_t next_mac[6], struct slice packet) {
    struct sockaddr_ll to = {.sll_family = AF_PACKET,
                             .sll_protocol = htons(r->n == 4 ? ETH_P_IP : ETH_P_IPV6),
                             .sll_ifindex = r->device,
                             .sll_halen = 6};
    memcpy(to.sll_addr, next_mac, 6);
    return send_out(s->packets, packet, &to, sizeof to);
}

void rawsend_close(struct rawsend *s) {
    if (!s) return;
    if (s->v4 >= 0) close(s->v4);
    if (s->v6 >= 0) close(s->v6);
    if (s->frames >= 0) close(s->frames);
    if (s->packets >= 0) close(s->packets);
    free(s);
}
