/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"

#include <sys/random.h>
#include <time.h>

struct hash_key hash_key_random(void) {
    struct hash_key k;
    if (getrandom(&k, sizeof k, GRND_NONBLOCK) != (ssize_t)sizeof k) {
        struct timespec t;
        clock_gettime(CLOCK_MONOTONIC, &t);
        k.a = (uint64_t)t.tv_nsec * 0x9e3779b97f4a7c15u ^ (uint64_t)(uintptr_t)&k;
        k.b = hash_mix(k.a, 0xd1342543de82ef95u ^ (uint64_t)t.tv_sec);
    }
    k.a |= 1;
    k.b |= 1;
    return k;
}
