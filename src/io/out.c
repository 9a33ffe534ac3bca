/* SPDX-License-Identifier: Apache-2.0 */
#include "io/out.h"

#include "base/err.h"

#include <errno.h>
#include <unistd.h>

int out_fd_flush(void *to, struct slice bytes) {
    int fd = (int)(intptr_t)to;
    while (bytes.n) {
        ssize_t n = write(fd, bytes.p, bytes.n);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return errno == EPIPE ? ERR_END : ERR_IO;
        bytes = slice_tail(bytes, (size_t)n);
    }
    return OK;
}
