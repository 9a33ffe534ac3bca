/* SPDX-License-Identifier: Apache-2.0 */
/* Questions to the kernel over rtnetlink: one request, one answer. */
#include "io/route.h"

#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if_arp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { ANSWER_BYTES = 8192, ASK_AGAIN_MS = 5 };

struct request {
    struct nlmsghdr head;
    union {
        struct rtmsg route;
        struct ndmsg neighbour;
    };
    char room[128];
};

static void attribute(struct request *q, unsigned short type, const void *data, size_t n) {
    struct rtattr *a = (struct rtattr *)((char *)q + NLMSG_ALIGN(q->head.nlmsg_len));
    a->rta_type = type;
    a->rta_len = (unsigned short)RTA_LENGTH(n);
    memcpy(RTA_DATA(a), data, n);
    q->head.nlmsg_len = (uint32_t)(NLMSG_ALIGN(q->head.nlmsg_len) + RTA_ALIGN(a->rta_len));
}

/* kernel_socket is kept: expressions stand for millions of addresses, and each is asked for. */
static int kernel_socket(void) {
    static _Thread_local int kept = -1;
    if (kept < 0) kept = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    return kept;
}

/* answer_get waits for the kernel's answer to a request: not one to a request before, whose wait a signal ended. */
static ssize_t answer_get(int fd, uint32_t number, char answer[ANSWER_BYTES]) {
    const struct nlmsghdr *h = (const struct nlmsghdr *)(const void *)answer;
    for (;;) {
        struct sockaddr_nl from = {0};
        socklen_t size = sizeof from;
        ssize_t n = recvfrom(fd, answer, ANSWER_BYTES, 0, (struct sockaddr *)(void *)&from, &size);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return -errno;
        if (from.nl_pid != 0) continue; /* another process may write to the socket */
        if (!NLMSG_OK(h, (size_t)n)) return -EPROTO;
        if (h->nlmsg_seq == number) return n;
    }
}

/* ask gets the kernel's answer: a message of type `want` with `least` bytes of body, or, where that is NLMSG_ERROR, its
 * yes. It returns 0 or -errno. */
static int ask(struct request *q, uint16_t want, size_t least, char answer[ANSWER_BYTES]) {
    static _Thread_local uint32_t number;
    const struct nlmsghdr *h = (const struct nlmsghdr *)(const void *)answer;
    int fd = kernel_socket();
    if (fd < 0) return -errno;
    q->head.nlmsg_seq = ++number;
    if (send(fd, q, q->head.nlmsg_len, 0) < 0) return -errno;
    ssize_t n = answer_get(fd, number, answer);
    if (n < 0) return (int)n;
    if (h->nlmsg_type == NLMSG_ERROR && h->nlmsg_len >= NLMSG_LENGTH(sizeof(struct nlmsgerr))) {
        int error = ((const struct nlmsgerr *)NLMSG_DATA(h))->error;
        return error || want == NLMSG_ERROR ? error : -EPROTO;
    }
    return h->nlmsg_type == want && h->nlmsg_len >= NLMSG_LENGTH(least) ? 0 : -EPROTO;
}

static int code_of(int error) {
    errno = -error;
    if (errno == EPERM || errno == EACCES) return ERR_DENIED;
    return errno == ENETUNREACH || errno == EHOSTUNREACH || errno == ENOENT || errno == ENODEV || errno == EINVAL
               ? ERR_NOTFOUND
               : ERR_IO;
}

int route_device(struct route *out, const char *name) {
    struct ifreq q = {0};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return ERR_IO;
    memcpy(q.ifr_name, name, strnlen(name, sizeof q.ifr_name - 1));
    bool fine = !ioctl(fd, SIOCGIFHWADDR, &q);
    int error = errno;
    close(fd);
    out->device = (int)if_nametoindex(name);
    if (!fine || !out->device) return errno = error, ERR_NOTFOUND;
    memcpy(out->name, q.ifr_name, sizeof out->name);
    out->ether = q.ifr_hwaddr.sa_family == ARPHRD_ETHER || q.ifr_hwaddr.sa_family == ARPHRD_LOOPBACK;
    if (out->ether) memcpy(out->mac, q.ifr_hwaddr.sa_data, sizeof out->mac);
    return OK;
}

static void route_read(struct route *r, const struct nlmsghdr *h) {
    const struct rtmsg *m = NLMSG_DATA(h);
    size_t left = RTM_PAYLOAD(h);
    r->kind = m->rtm_type == RTN_LOCAL       ? ROUTE_LOCAL
              : m->rtm_type == RTN_BROADCAST ? ROUTE_BROADCAST
              : m->rtm_type == RTN_MULTICAST ? ROUTE_MULTICAST
                                             : ROUTE_REMOTE;
    for (const struct rtattr *a = RTM_RTA(m); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
        if (a->rta_type == RTA_OIF && RTA_PAYLOAD(a) == sizeof r->device)
            memcpy(&r->device, RTA_DATA(a), sizeof r->device);
        if (a->rta_type == RTA_PREFSRC && RTA_PAYLOAD(a) == r->n) memcpy(r->source, RTA_DATA(a), r->n);
        if (a->rta_type == RTA_GATEWAY && RTA_PAYLOAD(a) == r->n) memcpy(r->next, RTA_DATA(a), r->n);
    }
}

/* route_ask fills what the kernel's route says, save the device's name and addresses. */
static int route_ask(struct route *r, const uint8_t *dst, size_t n, const char *device) {
    char answer[ANSWER_BYTES] __attribute__((aligned(NLMSG_ALIGNTO)));
    struct request q = {
        .head = {.nlmsg_len = NLMSG_LENGTH(sizeof q.route), .nlmsg_type = RTM_GETROUTE, .nlmsg_flags = NLM_F_REQUEST},
        .route = {.rtm_family = n == 4 ? AF_INET : AF_INET6, .rtm_dst_len = (uint8_t)(8 * n)}};
    *r = (struct route){.n = (uint8_t)n};
    memcpy(r->next, dst, n);
    attribute(&q, RTA_DST, dst, n);
    int index = device ? (int)if_nametoindex(device) : 0;
    if (device && !index) return ERR_NOTFOUND;
    if (index) attribute(&q, RTA_OIF, &index, sizeof index);
    int got = ask(&q, RTM_NEWROUTE, sizeof q.route, answer);
    if (got < 0) return code_of(got);
    route_read(r, (const struct nlmsghdr *)(const void *)answer);
    if (n == 16 && dst[0] == 0xff) r->kind = ROUTE_MULTICAST;
    return OK;
}

int route_find(struct route *out, const uint8_t *dst, size_t n, const char *device) {
    struct route r;
    char name[IF_NAMESIZE];
    int rc = route_ask(&r, dst, n, device);
    if (!rc && !if_indextoname((unsigned)r.device, name)) rc = ERR_NOTFOUND;
    if (!rc) rc = route_device(&r, name);
    if (!rc) *out = r;
    return rc;
}

/* neighbour asks for the entry of the next hop; its state, 0 where there is none, or -errno. */
static int neighbour(const struct route *r, uint8_t mac[6]) {
    char answer[ANSWER_BYTES] __attribute__((aligned(NLMSG_ALIGNTO)));
    struct request q = {.head = {.nlmsg_len = NLMSG_LENGTH(sizeof q.neighbour),
                                 .nlmsg_type = RTM_GETNEIGH,
                                 .nlmsg_flags = NLM_F_REQUEST},
                        .neighbour = {.ndm_family = r->n == 4 ? AF_INET : AF_INET6, .ndm_ifindex = r->device}};
    attribute(&q, NDA_DST, r->next, r->n);
    int got = ask(&q, RTM_NEWNEIGH, sizeof q.neighbour, answer);
    if (got < 0) return got == -ENOENT ? 0 : got;
    const struct nlmsghdr *h = (const struct nlmsghdr *)(const void *)answer;
    const struct ndmsg *m = NLMSG_DATA(h);
    size_t left = h->nlmsg_len - NLMSG_LENGTH(sizeof *m);
    const int usable = NUD_PERMANENT | NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_NOARP;
    for (const struct rtattr *a = (const void *)((const char *)m + NLMSG_ALIGN(sizeof *m)); RTA_OK(a, left);
         a = RTA_NEXT(a, left))
        if (a->rta_type == NDA_LLADDR && RTA_PAYLOAD(a) == 6 && (m->ndm_state & usable))
            return memcpy(mac, RTA_DATA(a), 6), m->ndm_state;
    return m->ndm_state & NUD_FAILED ? NUD_FAILED : NUD_INCOMPLETE;
}

/* neighbour_use makes the kernel find out, as if it had something to send. */
static int neighbour_use(const struct route *r) {
    char answer[ANSWER_BYTES] __attribute__((aligned(NLMSG_ALIGNTO)));
    struct request q = {
        .head = {.nlmsg_len = NLMSG_LENGTH(sizeof q.neighbour),
                 .nlmsg_type = RTM_NEWNEIGH,
                 .nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_ACK},
        .neighbour = {.ndm_family = r->n == 4 ? AF_INET : AF_INET6, .ndm_ifindex = r->device, .ndm_flags = NTF_USE}};
    attribute(&q, NDA_DST, r->next, r->n);
    return ask(&q, NLMSG_ERROR, 0, answer);
}

/* multicast_mac: RFC 1112 6.4, RFC 2464 7. */
static void multicast_mac(const struct route *r, uint8_t mac[6]) {
    static const uint8_t v4[3] = {1, 0, 0x5e}, v6[2] = {0x33, 0x33};
    memcpy(mac, r->n == 4 ? v4 : v6, r->n == 4 ? 3 : 2);
    if (r->n == 4) memcpy(mac + 3, r->next + 1, 3), mac[3] &= 0x7f;
    else memcpy(mac + 2, r->next + 12, 4);
}

int route_next_mac(const struct route *r, uint8_t mac[6], int wait_ms) {
    if (!r->ether || r->kind == ROUTE_LOCAL) return memset(mac, 0, 6), OK;
    if (r->kind == ROUTE_BROADCAST) return memset(mac, 0xff, 6), OK;
    if (r->kind == ROUTE_MULTICAST) return multicast_mac(r, mac), OK;
    int state = neighbour(r, mac);
    bool asked = false;
    for (; state >= 0 && (state & ~(NUD_INCOMPLETE | NUD_FAILED)) == 0; state = neighbour(r, mac)) {
        if (!asked) {
            int rc = neighbour_use(r);
            if (rc < 0) return code_of(rc);
            asked = true;
        } else if (wait_ms <= 0 || state == NUD_FAILED) {
            return ERR_NOTFOUND;
        }
        struct timespec pause = {.tv_nsec = ASK_AGAIN_MS * 1000000};
        nanosleep(&pause, NULL);
        wait_ms -= ASK_AGAIN_MS;
    }
    return state < 0 ? code_of(state) : OK;
}

bool route_lookup(const char *name, uint8_t *addr, size_t n) {
    struct addrinfo hints = {.ai_family = n == 4 ? AF_INET : AF_INET6, .ai_socktype = SOCK_DGRAM}, *all = NULL;
    if (getaddrinfo(name, NULL, &hints, &all) || !all) return false;
    if (n == 4) memcpy(addr, &((struct sockaddr_in *)(void *)all->ai_addr)->sin_addr, 4);
    else memcpy(addr, &((struct sockaddr_in6 *)(void *)all->ai_addr)->sin6_addr, 16);
    freeaddrinfo(all);
    return true;
}

bool route_source(const uint8_t *dst, uint8_t *src, size_t n) {
    struct route r;
    if (route_ask(&r, dst, n, NULL)) return false;
    memcpy(src, r.source, n);
    return true;
}
