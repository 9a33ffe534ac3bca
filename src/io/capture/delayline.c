/* SPDX-License-Identifier: Apache-2.0 */
/* Theory of operation: two packet sockets and one ring of frames in the order they came. All wait equally long, so the
 * oldest is always the next to leave. A full ring drops what comes, as a link does, and frames longer than FRAME_MAX do
 * not pass in part. */
#include "io/capture/delayline.h"
#include "base/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FRAMES = 8192, FRAME_MAX = 2048 };

struct frame {
    int64_t due; /* milliseconds of clock_ms */
    uint16_t len;
    uint8_t to; /* 0 or 1: the socket it leaves by */
    uint8_t bytes[FRAME_MAX];
};

struct delayline {
    int fd[2];
    int delay_ms;
    struct frame *frame;
    uint32_t first, n;
};

static int packet_socket(const char *name) {
    struct sockaddr_ll at = {
        .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = (int)if_nametoindex(name)};
    int on = 1, fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    (void)setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on);
    if (at.sll_ifindex && bind(fd, (struct sockaddr *)&at, sizeof at) == 0) return fd;
    int e = errno;
    close(fd);
    errno = e;
    return -1;
}

static void take(struct delayline *d, int from, int64_t now) {
    uint8_t spill[FRAME_MAX];
    for (int i = 0; i < 256; i++) {
        struct frame *f = &d->frame[(d->first + d->n) % FRAMES];
        bool room = d->n < FRAMES;
        ssize_t len = recv(d->fd[from], room ? f->bytes : spill, FRAME_MAX, MSG_TRUNC);
        if (len <= 0) return;
        if (!room || len > FRAME_MAX) continue;
        f->due = now + d->delay_ms;
        f->len = (uint16_t)len;
        f->to = (uint8_t)!from;
        d->n++;
    }
}

static void give(struct delayline *d, int64_t now) {
    for (; d->n && d->frame[d->first].due <= now; d->first = (d->first + 1) % FRAMES, d->n--) {
        const struct frame *f = &d->frame[d->first];
        (void)!send(d->fd[f->to], f->bytes, f->len, 0); /* a link that is down loses it */
    }
}

int delayline_run(const char *one, const char *other, int delay_ms) {
    struct delayline d = {.fd = {packet_socket(one), packet_socket(other)}, .delay_ms = delay_ms};
    d.frame = calloc(FRAMES, sizeof *d.frame);
    while (d.fd[0] >= 0 && d.fd[1] >= 0 && d.frame) {
        struct pollfd p[2] = {{.fd = d.fd[0], .events = POLLIN}, {.fd = d.fd[1], .events = POLLIN}};
        int64_t now = clock_ms(), wait = d.n ? d.frame[d.first].due - now : -1;
        if (poll(p, 2, (int)(d.n && wait < 0 ? 0 : wait)) < 0 && errno != EINTR) break;
        now = clock_ms();
        for (int i = 0; i < 2; i++)
            if (p[i].revents) take(&d, i, now);
        give(&d, now);
    }
    for (int i = 0; i < 2; i++)
        if (d.fd[i] >= 0) close(d.fd[i]);
    free(d.frame);
    return ERR_IO;
}

bool delayline_plain(const char *name) {
    struct ethtool_value off = {.cmd = ETHTOOL_STXCSUM};
    struct ifreq r = {.ifr_data = (void *)&off};
    strncpy(r.ifr_name, name, IFNAMSIZ - 1);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool ok = fd >= 0 && ioctl(fd, SIOCETHTOOL, &r) == 0;
    if (fd >= 0) close(fd);
    return ok;
}
