/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"

#include "base/clock.h"

#include <sys/random.h>

struct hash_key hash_key_random(void) {
    struct hash_key k;
    if (getrandom(&k, sizeof k, GRND_NONBLOCK) != (ssize_t)sizeof k) {
        uint64_t now = (uint64_t)clock_ns();
        k.a = now * 0x9e3779b97f4a7c15u ^ (uint64_t)(uintptr_t)&k;
        k.b = hash_mix(k.a, 0xd1342543de82ef95u ^ now);
    }
    k.a |= 1;
    k.b |= 1;
    return k;
}
