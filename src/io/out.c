/* SPDX-License-Identifier: Apache-2.0 */
#include "io/out.h"
#include <errno.h>
#include <poll.h>
#include <unistd.h>

static int code_of(int e) {
    if (e == EPIPE) return ERR_END;
    return e == ENOSPC || e == EDQUOT || e == EFBIG ? ERR_LIMIT : ERR_IO;
}

/* wait_writable waits on a descriptor that somebody else made non-blocking. */
static bool wait_writable(int fd) {
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    return poll(&p, 1, -1) > 0 || errno == EINTR;
}

int out_write(int fd, struct slice bytes, size_t *written) {
    size_t at = 0;
    int r = OK;
    while (at < bytes.n && r == OK) {
        ssize_t n = write(fd, bytes.p + at, bytes.n - at);
        if (n >= 0) {
            at += (size_t)n;
        } else if (errno == EAGAIN ? !wait_writable(fd) : errno != EINTR) {
            r = code_of(errno);
        }
    }
    if (written) *written = at;
    return r;
}

int out_fd_flush(void *to_fd, struct slice bytes) { return out_write(*(const int *)to_fd, bytes, NULL); }
