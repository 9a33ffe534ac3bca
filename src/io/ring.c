/* SPDX-License-Identifier: Apache-2.0 */
#include "io/ring.h"

static void copy_in(struct ring *r, uint64_t at, const void *p, size_t n) {
    size_t off = (size_t)(at % RING_BYTES), first = n < RING_BYTES - off ? n : RING_BYTES - off;
    memcpy(r->bytes + off, p, first);
    memcpy(r->bytes, (const uint8_t *)p + first, n - first);
}

static void copy_out(struct ring *r, uint64_t at, void *p, size_t n) {
    size_t off = (size_t)(at % RING_BYTES), first = n < RING_BYTES - off ? n : RING_BYTES - off;
    memcpy(p, r->bytes + off, first);
    memcpy((uint8_t *)p + first, r->bytes, n - first);
}

bool ring_put(struct ring *r, struct slice record) {
    uint64_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
    uint64_t used = head - atomic_load_explicit(&r->tail, memory_order_acquire);
    uint32_t n = (uint32_t)record.n;
    if (record.n == 0 || record.n > RING_RECORD_MAX || RING_BYTES - used < sizeof n + record.n) {
        atomic_fetch_add_explicit(&r->lost, 1, memory_order_relaxed);
        return false;
    }
    copy_in(r, head, &n, sizeof n);
    copy_in(r, head + sizeof n, record.p, record.n);
    atomic_store_explicit(&r->head, head + sizeof n + n, memory_order_release);
    return true;
}

size_t ring_get(struct ring *r, uint8_t *buf) {
    uint64_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
    uint64_t have = atomic_load_explicit(&r->head, memory_order_acquire) - tail;
    uint32_t n;
    if (have < sizeof n) return 0;
    copy_out(r, tail, &n, sizeof n);
    /* Shared memory a crashed writer may have damaged: a length that cannot be ends the backlog. */
    if (n == 0 || n > RING_RECORD_MAX || n > have - sizeof n) {
        atomic_store_explicit(&r->tail, tail + have, memory_order_release);
        return 0;
    }
    copy_out(r, tail + sizeof n, buf, n);
    atomic_store_explicit(&r->tail, tail + sizeof n + n, memory_order_release);
    return n;
}
