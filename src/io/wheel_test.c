/* SPDX-License-Identifier: Apache-2.0 */
#include "base/check.h"
#include "io/wheel.h"
#include <stdio.h>
#include <stdlib.h>

enum { NODES = 300 };
struct clockwork {
    struct wheel w;
    struct wheel_node node[NODES];
    int64_t now, due[NODES], fired[NODES];
    uint32_t kill, again;
};

static struct wheel_node *node_of(void *owner, uint32_t at) { return &((struct clockwork *)owner)->node[at]; }
static void fire(void *owner, uint32_t at) {
    struct clockwork *c = owner;
    c->fired[at] = c->now;
    if (c->kill) wheel_clear(&c->w, c->kill);
    if (c->again) wheel_set(&c->w, at, c->now), c->again--;
}
static struct clockwork *make(void) {
    struct clockwork *c = calloc(1, sizeof *c);
    CHECK(c);
    c->w.node = node_of, c->w.fire = fire, c->w.owner = c;
    c->now = 1000;
    wheel_init(&c->w, c->now);
    return c;
}
static void run_to(struct clockwork *c, int64_t end) {
    for (; c->now < end; c->now += 10) CHECK(!wheel_turn(&c->w, c->now, NODES));
}

static void deadlines_fire_once_and_never_early(void) {
    struct clockwork *c = make();
    for (uint32_t i = 1; i < NODES; i++) {
        c->due[i] = 1000 + (int64_t)i * 1709; /* up to 511 s: several rounds */
        wheel_set(&c->w, i, c->due[i]);
    }
    run_to(c, 600000);
    for (uint32_t i = 1; i < NODES; i++)
        CHECK(c->fired[i] >= c->due[i] && c->fired[i] <= c->due[i] + 2 * WHEEL_TICK_MS);
    free(c);
}

static void a_deadline_moves_both_ways(void) {
    struct clockwork *c = make();
    wheel_set(&c->w, 1, 50000);
    wheel_set(&c->w, 1, 2000);
    wheel_set(&c->w, 2, 2000);
    wheel_set(&c->w, 2, 400000);
    run_to(c, 399000);
    CHECK(c->fired[1] >= 2000 && c->fired[1] < 2200 && c->fired[2] == 0);
    run_to(c, 402000);
    CHECK(c->fired[2] >= 400000);
    free(c);
}

static void a_cleared_node_does_not_fire_even_in_the_list_being_walked(void) {
    struct clockwork *c = make();
    for (uint32_t i = 1; i < 4; i++) wheel_set(&c->w, i, 3000);
    c->kill = 2; /* node 3 is walked first, then 2, then 1 */
    run_to(c, 10000);
    CHECK(c->fired[3] && !c->fired[2] && c->fired[1]);
    free(c);
}

static void a_node_set_while_it_fires_is_due_at_the_next_tick(void) {
    struct clockwork *c = make();
    wheel_set(&c->w, 1, 3000);
    c->again = 3;
    run_to(c, 4000);
    CHECK(c->again == 0 && c->fired[1] < 3600);
    free(c);
}

/* Very many deadlines of one moment are met in several turns; what moves or goes in between is not fired. */
static void a_turn_fires_no_more_than_it_may(void) {
    struct clockwork *c = make();
    for (uint32_t i = 1; i < NODES; i++) wheel_set(&c->w, i, 3000);
    c->now = 4000;
    CHECK(wheel_turn(&c->w, c->now, 100));
    unsigned fired = 0, turns = 1;
    for (uint32_t i = 1; i < NODES; i++) fired += c->fired[i] != 0;
    CHECK(fired == 100 && c->fired[NODES - 1] && !c->fired[7]);
    wheel_clear(&c->w, 5);
    wheel_set(&c->w, 6, 8000);
    wheel_set(&c->w, NODES - 1, 4100); /* a new one while the walk rests */
    while (wheel_turn(&c->w, c->now, 100)) turns++;
    CHECK(turns == 2 && !c->fired[5] && !c->fired[6] && c->fired[7] == 4000);
    run_to(c, 5000);
    CHECK(c->fired[NODES - 1] >= 4100 && !c->fired[6]);
    run_to(c, 9000);
    CHECK(c->fired[6] >= 8000);
    free(c);
}

int main(void) {
    a_turn_fires_no_more_than_it_may();
    deadlines_fire_once_and_never_early();
    a_deadline_moves_both_ways();
    a_cleared_node_does_not_fire_even_in_the_list_being_walked();
    a_node_set_while_it_fires_is_due_at_the_next_tick();
    return 0;
}
