/* SPDX-License-Identifier: Apache-2.0 */
/* The view of `weir capture` without -w: the lines of `weir read`. */
#include "app/capture/capture.h"
#include "io/out.h"
#include "view/view.h"
#include <stdlib.h>
#include <unistd.h>

struct lines {
    struct dissector ds;
    struct want want;
    struct view view;
    struct writer out;
    int fd;
    char buffer[64 * 1024];
};

static int show(void *to, const struct packet *pkt) {
    struct lines *l = to;
    l->view.times = l->ds.times;
    columns_print(&l->out, dissector_packet(&l->ds, pkt), &l->view);
    dissector_shown(&l->ds);
    return l->out.err ? ERR_END : OK;
}

static int flush(void *to) {
    struct lines *l = to;
    return wr_flush(&l->out) ? ERR_END : OK;
}

static void end(void *to) {
    struct lines *l = to;
    (void)wr_flush(&l->out);
    dissector_free(&l->ds);
    free(l);
}

int capture_view_open(struct capture_view *v, const struct capture_opts *o) {
    (void)o;
    struct lines *l = calloc(1, sizeof *l);
    if (!l) return opt_bad_use(&capture_command, "out of memory");
    columns_want(&l->want);
    if (dissector_make(&l->ds, &l->want)) {
        free(l);
        return opt_bad_use(&capture_command, "out of memory");
    }
    l->view.precision = -1;
    l->fd = STDOUT_FILENO;
    l->out = wr_sink(l->buffer, sizeof l->buffer, out_fd_flush, &l->fd);
    *v = (struct capture_view){.packet = show, .idle = flush, .end = end, .to = l};
    return 0;
}
