/* SPDX-License-Identifier: Apache-2.0 */
/* Theory of operation: the first piece of the input is read into `in` and its magic number decides the kind. A plain
 * source hands that piece out and then reads straight into the buffer of its caller; a compressed one decompresses from
 * `in` into that buffer. An error after some output is kept until the output is handed out, so nothing readable is
 * lost. Several gzip members or zstd frames in a row are one stream. Memory: `in` and the decompressor's window. */
#include "io/capture/source.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#ifdef WEIR_ZSTD
#include <zstd.h>
#endif

static int fail(struct source *s, int code, const char *what, const char *detail) {
    if (s->err) return s->err;
    snprintf(s->why, sizeof s->why, "%s%s%s", what, detail ? ": " : "", detail ? detail : "");
    return s->err = code;
}

/* wait_readable waits on a descriptor that somebody else made non-blocking. */
static bool wait_readable(int fd) {
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, -1) > 0 || errno == EINTR;
}

static ssize_t raw_read(struct source *s, uint8_t *out, size_t n) {
    ssize_t got;
    if (s->fd < 0) {
        struct slice piece = slice_head(s->mem, n);
        if (piece.n) memcpy(out, piece.p, piece.n);
        s->mem = slice_tail(s->mem, piece.n);
        got = (ssize_t)piece.n;
    } else {
        do got = read(s->fd, out, n);
        while (got < 0 && (errno == EINTR || (errno == EAGAIN && wait_readable(s->fd))));
        if (got < 0) return fail(s, ERR_IO, "reading failed", strerror(errno));
    }
    s->done += (uint64_t)got;
    return got;
}

/* refill reads more compressed bytes; it returns their number as raw_read does. */
static ssize_t refill(struct source *s) {
    ssize_t got = raw_read(s, s->in, SOURCE_IN_SIZE);
    s->at = 0;
    s->end = got > 0 ? (size_t)got : 0;
    return got;
}

static ssize_t plain_read(struct source *s, uint8_t *out, size_t n) {
    size_t have = s->end - s->at;
    if (!have) return raw_read(s, out, n);
    if (have > n) have = n;
    memcpy(out, s->in + s->at, have);
    s->at += have;
    return (ssize_t)have;
}

/* step decompresses once from `in` to out; it returns the bytes made or a negative code. */
static ssize_t gzip_step(struct source *s, uint8_t *out, size_t n) {
    z_stream *z = s->z;
    if (!s->open_end && inflateReset(z) != Z_OK) return fail(s, ERR_NOMEM, "gzip cannot start", NULL);
    s->open_end = true;
    z->next_in = s->in + s->at;
    z->avail_in = (uInt)(s->end - s->at);
    z->next_out = out;
    z->avail_out = n > UINT32_MAX ? UINT32_MAX : (uInt)n;
    uInt room = z->avail_out;
    int r = inflate(z, Z_NO_FLUSH);
    s->at = s->end - z->avail_in;
    s->z_full = z->avail_out == 0;
    if (r == Z_STREAM_END) {
        s->open_end = s->z_full = false;
    } else if (r != Z_OK && r != Z_BUF_ERROR) {
        (void)fail(s, ERR_DAMAGED, "the gzip data is damaged", z->msg);
    }
    return room - z->avail_out;
}

static ssize_t zstd_step(struct source *s, uint8_t *out, size_t n) {
#ifdef WEIR_ZSTD
    ZSTD_inBuffer in = {s->in, s->end, s->at};
    ZSTD_outBuffer to = {out, n, 0};
    size_t r = ZSTD_decompressStream(s->z, &to, &in);
    s->at = in.pos;
    s->z_full = to.pos == to.size;
    s->open_end = r != 0;
    if (ZSTD_isError(r)) (void)fail(s, ERR_DAMAGED, "the zstd data is damaged", ZSTD_getErrorName(r));
    return (ssize_t)to.pos;
#else
    (void)out, (void)n;
    return fail(s, ERR_UNSUPPORTED, "this build cannot read zstd; decompress the file with `zstd -d` first", NULL);
#endif
}

/* at_member tells whether another compressed member begins here; padding after the last one is not an error. */
static bool at_member(const struct source *s) {
    if (s->kind == SOURCE_ZSTD || s->open_end) return true;
    return s->in[s->at] == 0x1f;
}

static ssize_t packed_read(struct source *s, uint8_t *out, size_t n) {
    for (;;) {
        if (s->err) return s->err;
        if (s->at == s->end && !s->z_full) {
            ssize_t got = refill(s);
            if (got < 0) return got;
            if (!got && !s->open_end) return 0;
            if (!got) return fail(s, ERR_CUT, "the compressed data ends too early", NULL);
        }
        if (s->at < s->end && !at_member(s)) return 0;
        ssize_t made = s->kind == SOURCE_GZIP ? gzip_step(s, out, n) : zstd_step(s, out, n);
        if (made > 0) return made;
        s->z_full = false;
    }
}

ssize_t source_read(struct source *s, uint8_t *out, size_t n) {
    return s->kind == SOURCE_PLAIN ? plain_read(s, out, n) : packed_read(s, out, n);
}

static int start_gzip(struct source *s) {
    z_stream *z = calloc(1, sizeof *z);
    if (!z || inflateInit2(z, 15 + 16) != Z_OK) {
        free(z);
        return fail(s, ERR_NOMEM, "out of memory", NULL);
    }
    s->z = z;
    s->kind = SOURCE_GZIP;
    return OK;
}

static int start_zstd(struct source *s) {
    s->kind = SOURCE_ZSTD;
#ifdef WEIR_ZSTD
    s->z = ZSTD_createDStream();
    if (!s->z) return fail(s, ERR_NOMEM, "out of memory", NULL);
    (void)ZSTD_DCtx_setParameter(s->z, ZSTD_d_windowLogMax, SOURCE_ZSTD_WINDOW_LOG);
#endif
    return OK;
}

/* start reads the first bytes (a pipe may give fewer than asked) and finds out the kind. */
static int start(struct source *s) {
    s->in = calloc(1, SOURCE_IN_SIZE);
    if (!s->in) return fail(s, ERR_NOMEM, "out of memory", NULL);
    while (s->end < 4) {
        ssize_t got = raw_read(s, s->in + s->end, SOURCE_IN_SIZE - s->end);
        if (got < 0) return (int)got;
        if (!got) break;
        s->end += (size_t)got;
    }
    struct slice head = {s->in, s->end};
    if (slice_starts(head, SLICE("\x1f\x8b"))) return start_gzip(s);
    if (slice_starts(head, SLICE("\x28\xb5\x2f\xfd"))) return start_zstd(s);
    return OK;
}

static int open_code(int e) { return e == ENOENT ? ERR_NOTFOUND : e == EACCES || e == EPERM ? ERR_DENIED : ERR_IO; }

static int open_fd(struct source *s, const char *path) {
    struct stat st;
    if (strcmp(path, "-") == 0) {
        s->fd = STDIN_FILENO;
    } else if ((s->fd = open(path, O_RDONLY | O_CLOEXEC)) < 0) {
        return fail(s, open_code(errno), "cannot open", strerror(errno));
    }
    if (fstat(s->fd, &st) == 0) {
        if (S_ISDIR(st.st_mode)) return fail(s, ERR_USAGE, "is a directory; name a capture file", NULL);
        if (S_ISREG(st.st_mode)) s->size = (uint64_t)st.st_size;
    }
    (void)posix_fadvise(s->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    return OK;
}

int source_open(struct source *s, const char *path) {
    *s = (struct source){.fd = -1};
    int r = open_fd(s, path);
    return r < 0 ? r : start(s);
}

int source_open_bytes(struct source *s, struct slice bytes) {
    *s = (struct source){.fd = -1, .mem = bytes, .size = bytes.n};
    return start(s);
}

int source_seek(struct source *s, uint64_t at) {
    if (s->kind != SOURCE_PLAIN || s->fd < 0 || lseek(s->fd, (off_t)at, SEEK_SET) < 0) return ERR_UNSUPPORTED;
    s->at = s->end = 0;
    s->done = at;
    s->err = 0;
    return OK;
}

void source_close(struct source *s) {
    if (s->kind == SOURCE_GZIP && s->z) {
        inflateEnd(s->z);
        free(s->z);
    }
#ifdef WEIR_ZSTD
    if (s->kind == SOURCE_ZSTD && s->z) ZSTD_freeDStream(s->z);
#endif
    free(s->in);
    if (s->fd > STDIN_FILENO) close(s->fd);
    *s = (struct source){.fd = -1};
}
