/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_IO_WHEEL_H
#define WEIR_IO_WHEEL_H

#include <stdbool.h>
#include <stdint.h>

/* A timer wheel for very many deadlines that are mostly moved on before they are due.
 *
 * Every owner has one node, known by number; number 0 means none. Moving a deadline later costs one store: the node
 * stays where it is and is put right when the wheel comes by. Times are milliseconds of clock_ms; a deadline fires up
 * to WHEEL_TICK_MS late, never early. */
enum { WHEEL_TICK_MS = 64, WHEEL_SLOTS = 2048 };

struct wheel_node {
    uint32_t next, prev;
    uint32_t due;  /* tick; 0: no deadline */
    uint16_t slot; /* 1 + the slot the node lies in; 0: in none */
};

struct wheel {
    uint32_t slot[WHEEL_SLOTS + 1]; /* first node of each list; the last is used while one is walked */
    uint32_t tick;                  /* next one to look at */
    int64_t start;
    struct wheel_node *(*node)(void *owner, uint32_t at);
    void (*fire)(void *owner, uint32_t at);
    void *owner;
};

/* wheel_init empties the wheel, whose node, fire and owner are set, at the time `now`. */
void wheel_init(struct wheel *w, int64_t now);
/* wheel_set gives node `at` the deadline `when`; it replaces the one it had. */
void wheel_set(struct wheel *w, uint32_t at, int64_t when);
/* wheel_clear takes node `at` out. */
void wheel_clear(struct wheel *w, uint32_t at);
/* wheel_turn fires what is due at `now`, `most` nodes at most: true where more are, for the next call. `fire` may set
 * and clear any node. */
bool wheel_turn(struct wheel *w, int64_t now, unsigned most);

#endif
