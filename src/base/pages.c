/* SPDX-License-Identifier: Apache-2.0 */
#include "base/pages.h"

#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

void pages_wide(void *p, size_t n) {
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), from = ((uintptr_t)p + PAGES_SPARED + page - 1) & ~(page - 1);
    if (n > PAGES_SPARED + page) (void)madvise((void *)from, ((uintptr_t)p + n - from) & ~(page - 1), MADV_HUGEPAGE);
}
