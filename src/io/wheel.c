/* SPDX-License-Identifier: Apache-2.0 */
/* Theory of operation: a ring of lists, one per tick. A node lies in the list of the tick it was due at when it was put
 * there. A deadline that moves later only changes `due`; when the wheel passes the list, a node whose time has not come
 * moves to its right place, which may be several rounds away. A deadline that moves earlier is put in its new list at
 * once. A list is first moved to the place WALKING, so that fire may change anything: a node cleared meanwhile unlinks
 * itself from there as from any list, and the walk may rest in the middle: what is put in meanwhile goes to a list
 * ahead.
 */
#include "io/wheel.h"
#include <string.h>

enum { WALKING = WHEEL_SLOTS }; /* the list being walked */

void wheel_init(struct wheel *w, int64_t now) {
    memset(w->slot, 0, sizeof w->slot);
    w->start = now;
    w->tick = 1;
}

static struct wheel_node *at_node(struct wheel *w, uint32_t at) { return w->node(w->owner, at); }

static void link_node(struct wheel *w, uint32_t at, struct wheel_node *n, uint32_t s) {
    n->slot = (uint16_t)(s + 1);
    n->prev = 0;
    n->next = w->slot[s];
    if (n->next) at_node(w, n->next)->prev = at;
    w->slot[s] = at;
}

static void unlink_node(struct wheel *w, struct wheel_node *n) {
    if (n->prev) at_node(w, n->prev)->next = n->next;
    else w->slot[n->slot - 1] = n->next;
    if (n->next) at_node(w, n->next)->prev = n->prev;
    n->slot = 0;
}

/* sooner tells whether tick `due` comes before the wheel passes the list the node lies in. */
static bool sooner(const struct wheel *w, const struct wheel_node *n, uint32_t due) {
    if (n->slot == WALKING + 1) return true;
    return due - w->tick < (n->slot - 1u - w->tick) % WHEEL_SLOTS;
}

void wheel_set(struct wheel *w, uint32_t at, int64_t when) {
    struct wheel_node *n = at_node(w, at);
    int64_t tick = (when - w->start + WHEEL_TICK_MS - 1) / WHEEL_TICK_MS + 1;
    n->due = tick < (int64_t)w->tick ? w->tick : (uint32_t)tick;
    if (n->slot && !sooner(w, n, n->due)) return;
    if (n->slot) unlink_node(w, n);
    link_node(w, at, n, n->due % WHEEL_SLOTS);
}

void wheel_clear(struct wheel *w, uint32_t at) {
    struct wheel_node *n = at_node(w, at);
    if (n->slot) unlink_node(w, n);
    n->due = 0;
}

static void take_list(struct wheel *w, uint32_t slot) {
    w->slot[WALKING] = w->slot[slot];
    w->slot[slot] = 0;
    for (uint32_t at = w->slot[WALKING]; at; at = at_node(w, at)->next) at_node(w, at)->slot = WALKING + 1;
}

bool wheel_turn(struct wheel *w, int64_t now, unsigned most) {
    uint32_t last = (uint32_t)((now - w->start) / WHEEL_TICK_MS) + 1;
    for (;;) {
        for (uint32_t at; (at = w->slot[WALKING]);) {
            struct wheel_node *n = at_node(w, at);
            bool due = n->due < w->tick;
            if (due && most-- == 0) return true;
            unlink_node(w, n);
            if (!due) {
                link_node(w, at, n, n->due % WHEEL_SLOTS);
                continue;
            }
            n->due = 0;
            w->fire(w->owner, at);
        }
        if (w->tick > last) return false;
        take_list(w, w->tick++ % WHEEL_SLOTS);
    }
}
