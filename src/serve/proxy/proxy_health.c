/* SPDX-License-Identifier: Apache-2.0 */
/* The parent connects to every broker at intervals and tells the workers, in shared memory, which do not answer. A
 * broker whose name has several addresses is down when none of them answers. A connection that was made is closed with
 * a reset before anything is sent: it costs the broker next to nothing. */
#include "serve/proxy/parent.h"
#include <errno.h>
#include <unistd.h>

void health_init(struct parent *p) {
    for (unsigned i = 0; i < BROKERS_MAX; i++) {
        if (p->probe[i].fd > 0) close(p->probe[i].fd);
        p->probe[i] = (struct probe){.fd = -1};
        atomic_store(&p->shared->down[i], 0);
    }
}

static void begin(struct parent *p, unsigned i);

static void result(struct parent *p, unsigned i, int error) {
    struct probe *b = &p->probe[i];
    if (b->fd >= 0) sock_close_hard(b->fd);
    b->fd = -1;
    if (error && ++b->address < p->set->broker[i].addrs) return begin(p, i);
    b->address = 0;
    b->due = p->now + p->set->config->health_interval / 1000000;
    bool down = error != 0, was = atomic_load(&p->shared->down[i]);
    if (down && (!was || !b->known))
        parent_say("broker %s is down: %s", p->set->broker[i].conf->address, strerror(error));
    if (!down && was && b->known) parent_say("broker %s is up", p->set->broker[i].conf->address);
    b->known = true;
    atomic_store(&p->shared->down[i], down);
}

static void begin(struct parent *p, unsigned i) {
    struct probe *b = &p->probe[i];
    const struct sock_addr *to = &p->set->broker[i].addr[b->address];
    int fd = sock_connect(to, setting_source(p->set, to, 0));
    if (fd < 0) return result(p, i, -fd);
    b->fd = fd;
    b->due = p->now + p->set->config->connect_time / 1000000;
    struct loop_ref ref = {.kind = PEV_PROBE, .at = i};
    if (loop_add(&p->loop, fd, EPOLLOUT, ref) != OK) result(p, i, errno);
}

void health_turn(struct parent *p) {
    if (p->set->config->health_interval <= 0) return;
    for (unsigned i = 0; i < p->set->brokers; i++) {
        if (p->now < p->probe[i].due) continue;
        if (p->probe[i].fd >= 0) result(p, i, ETIMEDOUT);
        else begin(p, i);
    }
}

void health_event(struct parent *p, unsigned broker) {
    if (p->probe[broker].fd >= 0) result(p, broker, sock_connected(p->probe[broker].fd));
}
