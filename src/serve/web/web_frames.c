/* SPDX-License-Identifier: Apache-2.0 */
/* The packet list. Theory of operation: rows are written as the file is decoded and sent in pieces, so the first ones
 * arrive while the rest is read; a client that goes away ends the work. `matched` counts rows up to where reading
 * stopped: at the end of the page, or, with count, at the end of the file.
 *
 * A large file has an index, and rows that stand in it are taken from there: those of all packets, and those of a
 * filter that was once read to the end. Then `matched` is all there are. */
#include "serve/web/web_pick.h"
#include <stdlib.h>

enum { PIECE = 32 * 1024 };

struct rows {
    struct web_reading *r;
    struct expr *filter;
    struct want want;
    struct view view;
    struct web_cells cells;
    struct web_index *index;
    struct web_matches *matches;
    struct web_sift sift;
    uint64_t before; /* the last frame that matched */
    uint64_t offset, limit, matched, shown;
    bool count, begun, ended;
    struct writer w;
    size_t sent; /* bytes of w handed on */
};

static void rows_end(struct rows *s) {
    bool whole = s->r->rc == ERR_END;
    if (s->r->rc != OK && !atomic_load(&s->r->web->stopping)) {
        web_matches_keep(s->index, s->matches, s->r->packets);
        s->matches = NULL;
    }
    wr_f(&s->w, "\n],\"matched\":%llu,\"read\":%llu,\"complete\":%s", (unsigned long long)s->matched,
         (unsigned long long)s->r->packets, whole ? "true" : "false");
    if (s->sift.on) web_index_note(&s->w, s->index);
    else web_reading_note(&s->w, s->r);
    wr_s(&s->w, "}\n");
    s->ended = true;
}

static bool row_show(struct rows *s, struct web_pages *p, uint64_t number, uint64_t before, const struct decode *d) {
    wr_s(&s->w, s->shown++ ? ",\n" : "\n");
    return web_page_write(&s->w, p, &s->view, number, before, &s->cells, d);
}

/* row_sift looks at one packet by the index; false at the end. */
static bool row_sift(struct rows *s) {
    bool match, more = web_sift_step(&s->sift, &match);
    if (!match) return more;
    uint64_t number = s->sift.pick.number;
    web_matches_add(s->matches, number);
    if (s->matched++ >= s->offset && s->shown < s->limit) row_show(s, &s->sift.pick.pages, number, s->before, NULL);
    s->before = number;
    return true;
}

/* row_take looks at one packet; false at the end. */
static bool row_take(struct rows *s) {
    if (!s->count && s->shown == s->limit) return false;
    if (s->sift.on) return row_sift(s);
    s->view.times = s->r->ds.times;
    const struct decode *d = web_reading_next(s->r);
    if (!d) return false;
    if (d->pkt->number <= s->sift.skipped || (s->filter && !expr_match(s->filter, d->out))) return true;
    web_matches_add(s->matches, d->pkt->number);
    if (s->matched++ >= s->offset && s->shown < s->limit) {
        wr_s(&s->w, s->shown++ ? ",\n" : "\n");
        web_row_json(&s->w, s->r, d, &s->view, &s->cells);
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
        if (!s->ended && web_reading_go_on(s->r)) rows_more(s);
        web_reading_pause(s->r);
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
    web_sift_end(&s->sift);
    web_reading_close(s->r);
    web_matches_free(s->matches);
    web_index_release(s->index);
    expr_free(s->filter);
    wr_free(&s->w);
    free(s);
}

static bool rows_ask(struct web_request *q, struct rows *s) {
    uint64_t count;
    s->view.precision = -1;
    if (!web_number(q, "offset", 0, UINT32_MAX, &s->offset) || !web_number(q, "limit", 200, WEB_ROWS_MAX, &s->limit) ||
        !web_number(q, "count", 0, 1, &count) || !web_time(q, &s->view.time) ||
        !web_cells_read(q, &s->cells, &s->want) || !web_filter(q, &s->filter))
        return false;
    s->count = count;
    if (s->limit) web_row_want(q->web, &s->want);
    if (s->filter) want_union(&s->want, expr_want(s->filter));
    return true;
}

/* ---- from the index ---- */

/* decoded_rows shows n rows with columns the index has not: the frames are decoded, with what they depend on. */
static bool decoded_rows(struct web_request *q, const char *path, struct rows *s, const uint64_t *number, size_t n,
                         uint64_t before) {
    struct web_pick p;
    struct want want = {0};
    size_t i = 0;
    for (size_t k = 0; k < s->cells.n; k++) fields_want(&want, s->cells.id[k]);
    struct web_reading *r = web_reading_open(q, path, &want);
    bool ok = r && web_pick_begin(&p, r, s->index) && web_pick_choose_frames(&p, number, n);
    while (ok && i < n) {
        const struct decode *d = web_pick_next(&p, number[i]);
        ok = d && (p.number < number[i] || row_show(s, &p.pages, number[i], i ? number[i - 1] : before, d));
        i += ok && p.number == number[i];
    }
    if (r) web_pick_end(&p);
    web_reading_close(r);
    return ok;
}

/* numbers_find fills the numbers of the page's frames: how many, or -1 where the index does not know. */
static int64_t numbers_find(struct rows *s, const char *filter, uint64_t *number, uint64_t *all, uint64_t *before,
                            bool *whole) {
    uint64_t frames = web_index_frames(s->index, whole);
    if (filter && *filter) return web_index_matches(s->index, filter, s->offset, s->limit, number, all, before);
    if (!*whole && (s->count || s->offset + s->limit > frames)) return -1;
    *all = *whole ? frames : s->offset + s->limit;
    *before = s->offset;
    int64_t n = 0;
    for (; (uint64_t)n < s->limit && s->offset + (uint64_t)n < frames; n++) number[n] = s->offset + (uint64_t)n + 1;
    return n;
}

/* from_index makes the answer of what the index has; false where it has not all of it. */
static bool from_index(struct web_request *q, const char *path, struct rows *s) {
    struct web_pages p = {.x = s->index};
    uint64_t *number = malloc((s->limit + 1) * sizeof *number), all, before;
    bool whole, has, ok;
    int64_t n = number ? numbers_find(s, web_query(q, "filter"), number, &all, &before, &whole) : -1;
    wr_s(&s->w, "{\"frames\":[");
    ok = n >= 0;
    if (ok && s->cells.n) ok = decoded_rows(q, path, s, number, (size_t)n, before);
    else
        for (int64_t i = 0; ok && i < n; i++) ok = row_show(s, &p, number[i], i ? number[i - 1] : before, NULL);
    web_pages_free(&p);
    free(number);
    if (ok) {
        struct writer note = wr_grow();
        web_index_note(&note, s->index);
        wr_f(&s->w, "\n],\"matched\":%llu,\"read\":%llu,\"complete\":%s", (unsigned long long)all,
             (unsigned long long)(whole ? web_index_frames(s->index, &has) : all),
             whole && !wr_len(&note) ? "true" : "false");
        wr_slice(&s->w, wr_done(&note));
        wr_s(&s->w, "}\n");
        wr_slice(&q->reply.w, wr_done(&s->w));
        wr_free(&note);
        return !s->w.err;
    }
    wr_reset(&s->w);
    s->shown = 0;
    return false;
}

void web_frames(struct web_request *q, const char *path) {
    struct rows *s = calloc(1, sizeof *s);
    if (!s) return web_problem(q, 500, "out of memory");
    s->w = wr_grow();
    if (!rows_ask(q, s)) return rows_free(s);
    s->index = web_index_of(q->web, path);
    if (s->index && from_index(q, path, s)) return rows_free(s);
    if (q->reply.status != 200) return rows_free(s);
    if (s->index && s->count) s->matches = web_matches_make(web_query(q, "filter"));
    bool may = s->index && s->filter && !s->cells.n && s->view.time != TIME_DELTA_SHOWN;
    if (may) s->r = web_sift_open(&s->sift, q, path, s->index, s->filter, &s->want);
    else s->r = web_reading_open(q, path, &s->want);
    if (!s->r) return rows_free(s);
    q->reply.made = mhd.create_response_from_callback(MHD_SIZE_UNKNOWN, PIECE, rows_read, s, rows_free);
    if (q->reply.made) return;
    rows_free(s);
    web_problem(q, 500, "out of memory");
}
