/* SPDX-License-Identifier: Apache-2.0 */
/* Theory of operation: a key log is read from where its last whole line ended. Programs append to it; some replace it,
 * so that the file under the name is another one or shorter: then reading starts over. A read asks fstat first, so
 * looking for news costs one call. Memory: one buffer of CHUNK bytes; a line longer than it is no line of a key log and
 * passed over. */
#include "io/keyfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHUNK = 64 * 1024 };

struct keylog {
    char *path;
    int fd;
    dev_t dev;
    ino_t ino;
    uint64_t at; /* bytes of the file that were used */
    size_t have; /* bytes of buf that were not */
    char buf[CHUNK];
};

static int why_not(struct writer *why, int e) {
    wr_s(why, strerror(e));
    return e == ENOENT ? ERR_NOTFOUND : e == EACCES || e == EPERM ? ERR_DENIED : ERR_IO;
}

static int fill(int fd, uint8_t *to, size_t room, size_t *n) {
    for (*n = 0; *n < room;) {
        ssize_t got = read(fd, to + *n, room - *n);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return errno;
        if (!got) break;
        *n += (size_t)got;
    }
    return 0;
}

int keyfile_read(const char *path, struct slice *bytes, struct writer *why) {
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return why_not(why, errno);
    int rc = fstat(fd, &st) == 0 && S_ISDIR(st.st_mode) ? EISDIR : 0;
    uint8_t *buf = malloc(KEYFILE_MAX + 1);
    size_t n = 0;
    if (!rc) rc = buf ? fill(fd, buf, KEYFILE_MAX + 1, &n) : ENOMEM;
    close(fd);
    if (!rc && n > KEYFILE_MAX) rc = EFBIG;
    if (rc) {
        free(buf);
        return why_not(why, rc);
    }
    *bytes = slice_of(buf, n);
    return OK;
}

void keyfile_release(struct slice *bytes) {
    if (bytes->p) explicit_bzero((void *)(uintptr_t)bytes->p, bytes->n);
    free((void *)(uintptr_t)bytes->p);
    *bytes = (struct slice){0};
}

static void start_over(struct keylog *log) {
    if (log->fd >= 0) close(log->fd);
    log->fd = open(log->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    if (log->fd >= 0 && fstat(log->fd, &st) == 0) {
        log->dev = st.st_dev;
        log->ino = st.st_ino;
    }
    log->at = 0;
    log->have = 0;
}

int keylog_open(struct keylog **out, const char *path, struct writer *why) {
    struct keylog *log = calloc(1, sizeof *log);
    struct stat st;
    if (!log || !(log->path = strdup(path))) {
        free(log);
        return why_not(why, ENOMEM);
    }
    log->fd = -1;
    start_over(log);
    int rc = log->fd < 0 && errno != ENOENT                                    ? errno
             : log->fd >= 0 && fstat(log->fd, &st) == 0 && S_ISDIR(st.st_mode) ? EISDIR
                                                                               : 0;
    if (rc) {
        keylog_close(log);
        return why_not(why, rc);
    }
    *out = log;
    return OK;
}

bool keylog_missing(const struct keylog *log) { return log->fd < 0; }

/* news tells whether there is something to read. */
static bool news(struct keylog *log) {
    struct stat st;
    if (stat(log->path, &st) == 0 && (log->fd < 0 || st.st_dev != log->dev || st.st_ino != log->ino)) start_over(log);
    if (log->fd < 0 || fstat(log->fd, &st) != 0) return false;
    if (S_ISREG(st.st_mode) && (uint64_t)st.st_size < log->at + log->have) start_over(log);
    return log->fd >= 0 && (!S_ISREG(st.st_mode) || (uint64_t)st.st_size > log->at + log->have);
}

void keylog_read(struct keylog *log, bool ended, size_t (*take)(void *to, struct slice text, bool ended), void *to) {
    if (!news(log) && !(ended && log->have)) return;
    for (;;) {
        ssize_t got = read(log->fd, log->buf + log->have, CHUNK - log->have);
        if (got < 0 && errno == EINTR) continue;
        bool end = got <= 0;
        if (got > 0) log->have += (size_t)got;
        size_t used = log->have ? take(to, slice_of(log->buf, log->have), end && ended) : 0;
        if (!used && log->have == CHUNK) used = CHUNK; /* no line is that long */
        memmove(log->buf, log->buf + used, log->have - used);
        log->at += used;
        log->have -= used;
        if (end) return;
    }
}

void keylog_close(struct keylog *log) {
    if (!log) return;
    if (log->fd >= 0) close(log->fd);
    explicit_bzero(log->buf, sizeof log->buf);
    free(log->path);
    free(log);
}
