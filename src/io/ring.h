/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_IO_RING_H
#define WEIR_IO_RING_H

#include "base/slice.h"
#include <stdatomic.h>

/* A queue of records in shared memory with one writer and one reader, in different processes, without locks.
 *
 * The writer never waits: what does not fit is dropped and counted. A writer that dies leaves everything it finished;
 * its successor goes on where it stopped. */
enum { RING_BYTES = 1 << 20, RING_RECORD_MAX = 1 << 14 };

struct ring {
    _Atomic uint64_t head; /* bytes ever written; the writer's */
    _Atomic uint64_t tail; /* bytes ever read; the reader's */
    _Atomic uint64_t lost; /* records that did not fit; the writer's */
    uint8_t bytes[RING_BYTES];
};

/* ring_put appends a record of at most RING_RECORD_MAX bytes; false where it was dropped. */
bool ring_put(struct ring *r, struct slice record);
/* ring_get copies the oldest record to buf (RING_RECORD_MAX bytes) and removes it; its length, 0: there is none. */
size_t ring_get(struct ring *r, uint8_t *buf);

#endif
