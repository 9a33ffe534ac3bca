/* SPDX-License-Identifier: Apache-2.0 */
/* The packet list. Theory of operation: rows are written as the file is decoded and sent in pieces, so the first ones
 * arrive while the rest is read; a client that goes away ends the work. `matched` counts rows up to where reading
 * stopped: at the end of the page, or, with count, at the end of the file. */
#include "serve/web_rows.h"
#include <stdlib.h>

enum { PIECE = 32 * 1024, PACKETS_PER_TURN = 20000 };

struct rows {
    struct web_reading *r;
    struct expr *filter;
    struct want want;
    struct view view;
    uint64_t offset, limit, matched, shown;
    bool count, begun, ended;
    struct writer w;
    size_t sent; /* bytes of w handed on */
};

static void rows_end(struct rows *s) {
    bool whole = s->r->rc == ERR_END;
    wr_f(&s->w, "\n],\"matched\":%llu,\"read\":%llu,\"complete\":%s", (unsigned long long)s->matched,
         (unsigned long long)s->r->packets, whole ? "true" : "false");
    web_reading_note(&s->w, s->r);
    wr_s(&s->w, "}\n");
    s->ended = true;
}

/* row_take looks at one packet; false at the end. */
static bool row_take(struct rows *s) {
    if (!s->count && s->shown == s->limit) return false;
    s->view.times = s->r->ds.times;
    const struct decode *d = web_reading_next(s->r);
    if (!d) return false;
    if (s->filter && !expr_match(s->filter, d->out)) return true;
    if (s->matched++ >= s->offset && s->shown < s->limit) {
        wr_s(&s->w, s->shown++ ? ",\n" : "\n");
        web_row_json(&s->w, d, &s->view);
    }
    dissector_shown(&s->r->ds);
    return true;
}

static void rows_more(struct rows *s) {
    size_t before = wr_len(&s->w);
    if (!s->begun) wr_s(&s->w, "{\"frames\":[");
    s->begun = true;
    while (!s->ended && wr_len(&s->w) - before < PIECE && !s->w.err) {
        if (s->shown && wr_len(&s->w) > before && s->r->packets % 256 == 0 && s->shown == s->limit)
            break; /* send the rows, then count */
        if (!row_take(s)) rows_end(s);
    }
}

static ssize_t rows_read(void *to, uint64_t at, char *out, size_t max) {
    struct rows *s = to;
    (void)at;
    if (s->sent == wr_len(&s->w)) {
        wr_reset(&s->w);
        s->sent = 0;
        if (!s->ended) rows_more(s);
    }
    size_t n = wr_len(&s->w) - s->sent;
    if (s->w.err) return MHD_CONTENT_READER_END_WITH_ERROR;
    if (!n) return MHD_CONTENT_READER_END_OF_STREAM;
    if (n > max) n = max;
    memcpy(out, s->w.buf + s->sent, n);
    s->sent += n;
    return (ssize_t)n;
}

static void rows_free(void *to) {
    struct rows *s = to;
    web_reading_close(s->r);
    expr_free(s->filter);
    wr_free(&s->w);
    free(s);
}

static bool rows_ask(struct web_request *q, struct rows *s) {
    uint64_t count;
    s->view.precision = -1;
    if (!web_number(q, "offset", 0, UINT32_MAX, &s->offset) || !web_number(q, "limit", 200, WEB_ROWS_MAX, &s->limit) ||
        !web_number(q, "count", 0, 1, &count) || !web_time(q, &s->view.time) || !web_filter(q, &s->filter))
        return false;
    s->count = count;
    if (s->limit) columns_want(&s->want);
    if (s->filter) want_union(&s->want, expr_want(s->filter));
    return true;
}

void web_frames(struct web_request *q, const char *path) {
    struct rows *s = calloc(1, sizeof *s);
    if (!s) return web_problem(q, 500, "out of memory");
    s->w = wr_grow();
    if (!rows_ask(q, s) || !(s->r = web_reading_open(q, path, &s->want))) return rows_free(s);
    q->reply.made = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, PIECE, rows_read, s, rows_free);
    if (q->reply.made) return;
    rows_free(s);
    web_problem(q, 500, "out of memory");
}
