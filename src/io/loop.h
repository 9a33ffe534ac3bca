/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_IO_LOOP_H
#define WEIR_IO_LOOP_H

#include "base/err.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

/* The event loop: epoll with a typed reference instead of a pointer.
 *
 * Who registers a descriptor says what it is (`kind`, the caller's enum), which side of it and which number; `life`
 * tells events of a number's former owner from those of the present one. One switch over `kind` handles all. */
struct loop_ref {
    uint8_t kind, side;
    uint16_t life;
    uint32_t at;
};

struct loop_event {
    struct loop_ref ref;
    uint32_t events; /* EPOLLIN and its kin */
};

enum { LOOP_BATCH = 256 };

struct loop {
    int fd;
};

/* loop_open makes the loop; ERR_IO with errno. */
int loop_open(struct loop *l) MUST_USE;
void loop_close(struct loop *l);
/* loop_add watches fd; ERR_IO with errno. */
int loop_add(struct loop *l, int fd, uint32_t events, struct loop_ref ref) MUST_USE;
/* loop_change watches fd, which was added, for other events. */
int loop_change(struct loop *l, int fd, uint32_t events, struct loop_ref ref) MUST_USE;
/* loop_drop forgets fd before it is closed; needed only where the descriptor has copies elsewhere. */
void loop_drop(struct loop *l, int fd);
/* loop_wait gives up to LOOP_BATCH events, 0 after ms milliseconds (-1: no limit) or a signal. */
int loop_wait(struct loop *l, struct loop_event out[LOOP_BATCH], int ms);

#endif
