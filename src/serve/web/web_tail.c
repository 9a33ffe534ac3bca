/* SPDX-License-Identifier: Apache-2.0 */
/* The file of a capture while it grows: what is there is sent, then what comes, until the capture is over. Only whole
 * records are ever in the file, so a reader can decode as it comes. */
#include "serve/web/web_in.h"
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum { TURN_MS = 200, BLOCK = 64 << 10 };

struct tail {
    struct web *web;
    char id[SESSION_ID + 1];
    int fd;
    bool over; /* it was over before the last read */
};

static ssize_t tail_read(void *to, uint64_t at, char *out, size_t max) {
    struct tail *t = to;
    struct session x;
    uint64_t version;
    for (;;) {
        ssize_t n = pread(t->fd, out, max, (off_t)at);
        if (n > 0) return n;
        if (n < 0) return MHD_CONTENT_READER_END_WITH_ERROR;
        if (t->over) return MHD_CONTENT_READER_END_OF_STREAM;
        if (keeper_get(t->web->keeper, t->id, &x, &version) != OK) return MHD_CONTENT_READER_END_WITH_ERROR;
        bool ended = atomic_load(&t->web->stopping) && !keeper_active(t->web->keeper);
        t->over = session_is_final(x.state) || ended;
        if (!t->over) keeper_wait(t->web->keeper, t->id, version, TURN_MS);
    }
}

static void tail_free(void *to) {
    struct tail *t = to;
    atomic_fetch_sub(&t->web->event_streams, 1);
    close(t->fd);
    free(t);
}

void web_session_tail(struct web_request *q, const struct session *x) {
    char path[WEB_PATH_MAX];
    bool fixed;
    int fd = x->file[0] && web_find(q->web, x->file, path, &fixed) ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
    if (fd < 0) return web_problem(q, 404, "the capture has no file");
    struct tail *t = calloc(1, sizeof *t);
    if (!t) {
        close(fd);
        return web_problem(q, 500, "out of memory");
    }
    *t = (struct tail){.web = q->web, .fd = fd};
    memcpy(t->id, x->id, sizeof t->id);
    if (atomic_fetch_add(&q->web->event_streams, 1) >= WEB_EVENTS_MAX) {
        tail_free(t);
        return web_problem(q, 503, "%d captures are being followed", WEB_EVENTS_MAX);
    }
    q->audited = true;
    q->reply.type = "application/octet-stream";
    q->reply.made = mhd.create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK, tail_read, t, tail_free);
    if (q->reply.made) return;
    tail_free(t);
    web_problem(q, 500, "out of memory");
}
