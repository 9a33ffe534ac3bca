/* SPDX-License-Identifier: Apache-2.0 */
/* Rows as they are found. Theory of operation: the answer has no end until the work has: server-sent events (or JSON
 * Lines) with rows as they match, with how far the work is, and with how it ended. The connection's own thread decodes
 * while the answer is sent, so a client that goes away ends the work at the next event, and one is sent at least every
 * BEAT_MS; another request may end it too (DELETE /v1/jobs/ID). With `tail` the work goes on where the file ends: its
 * size is looked at every LOOK_MS, and meanwhile no place among the readers is held. */
#include "base/clock.h"
#include "serve/web/web_pick.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

enum {
    PIECE = 32 * 1024,
    TURN = 64,       /* packets between two looks at the clock */
    ROWS_MS = 40,    /* rows wait for others so long */
    ROWS_MOST = 500, /* and no more than these in one event */
    PROGRESS_MS = 250,
    BEAT_MS = 2000,
    LOOK_MS = 100,
};

struct events {
    struct web_reading *r;
    struct web_job *job;
    struct web_index *index;
    struct web_matches *matches; /* kept when all is read */
    struct web_sift sift;
    uint64_t before; /* the last frame that matched */
    struct expr *filter;
    struct want want;
    struct view view;
    struct web_cells cells;
    char path[WEB_PATH_MAX];
    uint64_t from, limit, matched, shown;
    uint64_t told; /* packets that were read when progress was told last */
    off_t seen;    /* size of the file when its growth was looked for last */
    bool tail, lines, ended, caught_up, begun;
    uint32_t pending; /* rows in `rows` */
    int64_t last_rows, last_event, last_progress;
    struct writer rows, w;
    size_t sent;
};

/* ---- events ---- */

static void event_begin(struct events *s, const char *name) {
    if (s->lines) wr_f(&s->w, "{\"event\":\"%s\",", name);
    else wr_f(&s->w, "event: %s\ndata: {", name);
    s->last_event = clock_ms();
}

static void event_end(struct events *s) { wr_s(&s->w, s->lines ? "}\n" : "}\n\n"); }

static void rows_send(struct events *s) {
    if (!s->pending) return;
    event_begin(s, "rows");
    wr_s(&s->w, "\"frames\":[");
    wr_slice(&s->w, wr_done(&s->rows));
    wr_c(&s->w, ']');
    event_end(s);
    wr_reset(&s->rows);
    s->pending = 0;
    s->last_rows = s->last_event;
}

static void progress_note(struct events *s) {
    uint64_t done = s->sift.on ? web_pick_offset(&s->sift.pick) : capfile_done(s->r->file),
             size = capfile_size(s->r->file);
    atomic_store(&s->job->read, s->r->packets);
    atomic_store(&s->job->matched, s->matched);
    atomic_store(&s->job->done, done);
    atomic_store(&s->job->size, size > done ? size : done);
}

static void progress_send(struct events *s, const char *name) {
    progress_note(s);
    event_begin(s, name);
    web_job_counts(&s->w, s->job);
    if (!strcmp(name, "end")) {
        bool cancelled = atomic_load(&s->job->cancelled);
        wr_f(&s->w, ",\"complete\":%s,\"cancelled\":%s", s->r->rc == ERR_END && !cancelled ? "true" : "false",
             cancelled ? "true" : "false");
        if (s->sift.on) web_index_note(&s->w, s->index);
        else web_reading_note(&s->w, s->r);
    }
    event_end(s);
    s->last_progress = s->last_event;
    s->told = s->r->packets;
}

static void job_send(struct events *s) {
    s->begun = true;
    s->last_rows = s->last_progress = clock_ms();
    event_begin(s, "job");
    wr_f(&s->w, "\"id\":\"%s\",\"size\":%llu", s->job->id, (unsigned long long)capfile_size(s->r->file));
    event_end(s);
}

/* ---- work ---- */

static bool stopped(const struct events *s) {
    return atomic_load(&s->job->cancelled) || atomic_load(&s->r->web->stopping);
}

static bool row_next(struct events *s, uint64_t number) {
    s->matched++;
    web_matches_add(s->matches, number);
    if (number <= s->from || s->shown >= s->limit) return false;
    if (s->pending++) wr_s(&s->rows, ",");
    s->shown++;
    return true;
}

/* sift looks at one packet by the index; false at the end. */
static bool sift(struct events *s) {
    bool match, more = web_sift_step(&s->sift, &match);
    if (!match) return more;
    uint64_t number = s->sift.pick.number;
    if (row_next(s, number)) web_page_write(&s->rows, &s->sift.pick.pages, &s->view, number, s->before, NULL, NULL);
    s->before = number;
    return true;
}

/* take looks at one packet; false at the end of what there is. */
static bool take(struct events *s) {
    if (s->sift.on) return sift(s);
    s->view.times = s->r->ds.times;
    const struct decode *d = web_reading_next(s->r);
    if (!d) return false;
    if (d->pkt->number <= s->sift.skipped || (s->filter && !expr_match(s->filter, d->out))) return true;
    if (row_next(s, d->pkt->number)) web_row_json(&s->rows, s->r, d, &s->view, &s->cells);
    dissector_shown(&s->r->ds);
    return true;
}

/* grown waits until the file has more than was read; false where it is gone, or the work is over. */
static bool grown(struct events *s) {
    struct stat st;
    web_reading_rest(s->r);
    while (!stopped(s)) {
        if (stat(s->path, &st)) return false;
        bool changed = st.st_size != s->seen;
        if (changed && web_reading_wake(s->r)) {
            s->seen = st.st_size;
            return true;
        }
        if (changed && s->r->rc != OK && s->r->rc != ERR_END && s->r->rc != ERR_CUT) return false;
        if (clock_ms() - s->last_event >= BEAT_MS) {
            wr_s(&s->w, s->lines ? "\n" : ": \n\n");
            s->last_event = clock_ms();
            return true;
        }
        nanosleep(&(struct timespec){.tv_nsec = LOOK_MS * 1000000}, NULL);
    }
    return false;
}

/* at_end is what comes where the file has no more packets. */
static void at_end(struct events *s) {
    rows_send(s);
    bool waits = s->tail && (s->r->rc == ERR_END || s->r->rc == ERR_CUT) && !stopped(s);
    if (waits && (!s->caught_up || s->told != s->r->packets)) {
        progress_send(s, s->caught_up ? "progress" : "caught_up");
        s->caught_up = true;
        return;
    }
    if (waits && grown(s)) return;
    if (!stopped(s)) {
        web_matches_keep(s->index, s->matches, s->r->packets);
        s->matches = NULL;
    }
    progress_send(s, "end");
    s->ended = true;
}

static void more(struct events *s) {
    if (!s->begun) return job_send(s);
    while (!s->ended && !wr_len(&s->w) && !s->w.err) {
        bool some = !stopped(s) && s->r->rc == OK;
        for (int i = 0; some && i < TURN && s->pending < ROWS_MOST; i++) some = take(s);
        int64_t now = clock_ms();
        if (!some) at_end(s);
        else if (s->pending && (s->pending == ROWS_MOST || now - s->last_rows >= ROWS_MS || s->shown <= TURN))
            rows_send(s);
        else if (now - s->last_progress >= PROGRESS_MS) progress_send(s, "progress");
    }
}

static ssize_t events_read_out(void *to, uint64_t at, char *out, size_t max) {
    struct events *s = to;
    (void)at;
    if (s->sent == wr_len(&s->w)) {
        wr_reset(&s->w);
        s->sent = 0;
        if (!s->ended && web_reading_go_on(s->r)) more(s);
        web_reading_pause(s->r);
    }
    size_t n = wr_len(&s->w) - s->sent;
    if (s->w.err || s->rows.err) return MHD_CONTENT_READER_END_WITH_ERROR;
    if (!n) return MHD_CONTENT_READER_END_OF_STREAM;
    if (n > max) n = max;
    memcpy(out, s->w.buf + s->sent, n);
    s->sent += n;
    return (ssize_t)n;
}

static void events_free(void *to) {
    struct events *s = to;
    if (s->r) web_job_end(s->r->web, s->job);
    web_sift_end(&s->sift);
    web_reading_close(s->r);
    web_matches_free(s->matches);
    web_index_release(s->index);
    expr_free(s->filter);
    wr_free(&s->rows);
    wr_free(&s->w);
    free(s);
}

static bool form_read(struct web_request *q, bool *lines) {
    const char *form = web_query(q, "form");
    *lines = form && !strcmp(form, "jsonl");
    if (!form || *lines || !strcmp(form, "sse")) return true;
    web_problem(q, 400, "form: it is sse or jsonl");
    return false;
}

static bool ask(struct web_request *q, struct events *s) {
    uint64_t tail;
    s->view.precision = -1;
    if (!web_number(q, "from", 0, UINT32_MAX, &s->from) || !web_number(q, "tail", 0, 1, &tail) ||
        !web_number(q, "limit", tail ? UINT32_MAX : 1000, UINT32_MAX, &s->limit) || !form_read(q, &s->lines) ||
        !web_time(q, &s->view.time) || !web_cells_read(q, &s->cells, &s->want) || !web_filter(q, &s->filter))
        return false;
    s->tail = tail;
    if (s->limit) web_row_want(q->web, &s->want);
    if (s->filter) want_union(&s->want, expr_want(s->filter));
    return true;
}

void web_stream(struct web_request *q, const char *path, const char *name) {
    struct events *s = calloc(1, sizeof *s);
    if (!s) return web_problem(q, 500, "out of memory");
    s->w = wr_grow();
    s->rows = wr_grow();
    memcpy(s->path, path, strlen(path) + 1);
    if (!ask(q, s)) return events_free(s);
    s->index = web_index_of(q->web, path);
    bool may = s->index && !s->tail && !s->cells.n && s->view.time != TIME_DELTA_SHOWN;
    if (may) s->r = web_sift_open(&s->sift, q, path, s->index, s->filter, &s->want);
    else s->r = web_reading_open(q, path, &s->want);
    if (!s->r) return events_free(s);
    if (!(s->job = web_job_begin(q, name))) {
        events_free(s);
        return web_problem(q, 503, "%d jobs are under way; try again", WEB_JOBS_MAX);
    }
    if (s->index) s->matches = web_matches_make(web_query(q, "filter"));
    q->reply.type = s->lines ? "application/x-ndjson" : "text/event-stream";
    q->reply.made = mhd.create_response_from_callback(MHD_SIZE_UNKNOWN, PIECE, events_read_out, s, events_free);
    if (q->reply.made) return;
    events_free(s);
    web_problem(q, 500, "out of memory");
}
