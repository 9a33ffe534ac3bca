/* SPDX-License-Identifier: Apache-2.0 */
#include "io/loop.h"
#include <assert.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static_assert(sizeof(struct loop_ref) == sizeof(uint64_t), "a reference fits epoll's data");

int loop_open(struct loop *l) {
    l->fd = epoll_create1(EPOLL_CLOEXEC);
    return l->fd < 0 ? ERR_IO : OK;
}

void loop_close(struct loop *l) {
    if (l->fd >= 0) close(l->fd);
    l->fd = -1;
}

static int watch(struct loop *l, int how, int fd, uint32_t events, struct loop_ref ref) {
    struct epoll_event e = {.events = events};
    memcpy(&e.data, &ref, sizeof ref);
    return epoll_ctl(l->fd, how, fd, &e) < 0 ? ERR_IO : OK;
}

int loop_add(struct loop *l, int fd, uint32_t events, struct loop_ref ref) {
    return watch(l, EPOLL_CTL_ADD, fd, events, ref);
}

int loop_change(struct loop *l, int fd, uint32_t events, struct loop_ref ref) {
    return watch(l, EPOLL_CTL_MOD, fd, events, ref);
}

void loop_drop(struct loop *l, int fd) { (void)epoll_ctl(l->fd, EPOLL_CTL_DEL, fd, NULL); }

int loop_wait(struct loop *l, struct loop_event out[LOOP_BATCH], int ms) {
    struct epoll_event got[LOOP_BATCH];
    int n = epoll_wait(l->fd, got, LOOP_BATCH, ms);
    for (int i = 0; i < n; i++) {
        memcpy(&out[i].ref, &got[i].data, sizeof out[i].ref);
        out[i].events = got[i].events;
    }
    return n < 0 ? 0 : n;
}
