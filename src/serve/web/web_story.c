/* SPDX-License-Identifier: Apache-2.0 */
/* Pictures of what happened: the ladder of a capture, the waterfall of its connections, and the difference of captures.
 */
#include "analyse/compare.h"
#include "analyse/waterfall.h"
#include "serve/web/web_read.h"
#include "view/story/diff_view.h"
#include "view/story/ladder_view.h"
#include "view/waterfall.h"
#include <stdlib.h>

enum { ARROWS_USUAL = 2000, DIFF_MAX = 8 };

/* events_each hands the events of every packet to take, read with more fields where `want` has some; the reading is
 * closed by the caller. NULL after a problem. */
static struct web_reading *
events_each(struct web_request *q, const char *path, const struct expr *filter, struct want *want,
            void (*take)(void *to, const struct packet_events *p, bool selected, const struct packet *pkt), void *to) {
    const struct decode *d;
    struct packet_events *events = malloc(sizeof *events);
    if (!events) return web_problem(q, 500, "out of memory"), NULL;
    events_want(want);
    if (filter) want_union(want, expr_want(filter));
    struct web_reading *r = web_reading_open(q, path, want);
    while (r && (d = web_reading_next(r))) {
        events_read(events, d);
        take(to, events, !filter || expr_match(filter, d->out), d->pkt);
    }
    free(events);
    return r;
}

/* ---- ladder ---- */

static void ladder_take(void *to, const struct packet_events *p, bool selected, const struct packet *pkt) {
    (void)pkt;
    if (selected) ladder_packet(to, p);
}

void web_ladder(struct web_request *q, const char *path) {
    struct ladder *l = malloc(sizeof *l);
    struct expr *filter = NULL;
    uint64_t offset, limit, all;
    if (!l || ladder_make(l, words)) {
        free(l);
        return web_problem(q, 500, "out of memory");
    }
    if (web_number(q, "offset", 0, RUNGS_MAX, &offset) && web_number(q, "limit", ARROWS_USUAL, RUNGS_MAX, &limit) &&
        web_number(q, "all", 0, 1, &all) && web_filter(q, &filter)) {
        l->all = all;
        struct web_reading *r = events_each(q, path, filter, &(struct want){0}, ladder_take, l);
        if (r) {
            ladder_finish(l);
            wr_c(&q->reply.w, '{');
            ladder_json(&q->reply.w, l, r->begin, (uint32_t)offset, (uint32_t)limit);
            web_reading_note(&q->reply.w, r);
            wr_s(&q->reply.w, "}\n");
        }
        web_reading_close(r);
    }
    expr_free(filter);
    ladder_free(l);
    free(l);
}

/* ---- waterfall ---- */

static void waterfall_take(void *to, const struct packet_events *p, bool selected, const struct packet *pkt) {
    (void)pkt;
    waterfall_packet(to, p, selected);
}

void web_waterfall(struct web_request *q, const char *path) {
    struct expr *filter = NULL;
    struct waterfall *f = malloc(sizeof *f);
    uint64_t limit, bars, stream;
    if (!f || waterfall_make(f)) {
        free(f);
        return web_problem(q, 500, "out of memory");
    }
    if (web_number(q, "limit", 200, WATERFALLS_MAX, &limit) && web_number(q, "bars", 100, WATERFALL_BARS, &bars) &&
        web_number(q, "stream", UINT32_MAX, UINT32_MAX, &stream) && web_filter(q, &filter)) {
        f->bars_max = (uint32_t)bars;
        struct web_reading *r = events_each(q, path, filter, &(struct want){0}, waterfall_take, f);
        if (r) {
            wr_c(&q->reply.w, '{');
            waterfall_json(&q->reply.w, f, r->begin, web_query(q, "stream") ? (int64_t)stream : -1, (uint32_t)limit);
            web_reading_note(&q->reply.w, r);
            wr_s(&q->reply.w, "}\n");
        }
        web_reading_close(r);
    }
    expr_free(filter);
    waterfall_free(f);
    free(f);
}

/* ---- diff ---- */

struct taking {
    struct run *run;
    struct explain *e; /* NULL: not of a good run */
};

static void diff_take(void *to, const struct packet_events *p, bool selected, const struct packet *pkt) {
    struct taking *t = to;
    (void)selected;
    run_packet(t->run, p);
    if (t->e) explain_packet(t->e, p, true, pkt->has_drops ? pkt->drops : 0);
}

struct diffing {
    struct run *run[DIFF_MAX + 1];
    char name[DIFF_MAX + 1][WEB_NAME_MAX + 1];
    size_t n;
    struct explain *e;
};

static bool run_take(struct web_request *q, struct diffing *f, const char *name, size_t n, bool bad) {
    char path[WEB_PATH_MAX], *own = f->name[f->n];
    bool fixed;
    if (f->n > DIFF_MAX) return web_problem(q, 400, "good: at most %d captures", DIFF_MAX), false;
    snprintf(own, WEB_NAME_MAX + 1, "%.*s", (int)n, name);
    if (n > WEB_NAME_MAX || !web_find(q->web, own, path, &fixed)) return web_problem(q, 404, "no such capture"), false;
    struct run *run = f->run[f->n] = calloc(1, sizeof *run);
    if (!run || run_make(run, own, words)) return web_problem(q, 500, "out of memory"), false;
    f->n++;
    struct taking t = {run, bad ? f->e : NULL};
    struct want want = {0};
    run_want(&want);
    struct web_reading *r = events_each(q, path, NULL, &want, diff_take, &t);
    web_reading_close(r);
    return r != NULL;
}

static bool runs_take(struct web_request *q, struct diffing *f) {
    const char *good = web_query(q, "good"), *bad = web_query(q, "bad");
    if (!good || !bad || !*good || !*bad)
        return web_problem(q, 400, "which captures? good=NAME,NAME...&bad=NAME"), false;
    while (*good) {
        size_t n = strcspn(good, ",");
        if (!run_take(q, f, good, n, false)) return false;
        good += n + (good[n] == ',');
    }
    return run_take(q, f, bad, strlen(bad), true);
}

static void diff_answer(struct web_request *q, struct diffing *f) {
    struct diff_view view = {.all = web_query(q, "all") != NULL, .width = 100, .bad = f->e};
    struct comparison *c = malloc(sizeof *c);
    bool ok = c != NULL;
    explain_finish(f->e);
    for (size_t i = 1; ok && i + 1 < f->n; i++) ok = run_learn(f->run[0], f->run[i]) == OK;
    if (!ok || compare_runs(c, f->run[0], f->run[f->n - 1])) web_problem(q, 500, "out of memory");
    else diff_json(&q->reply.w, c, &view);
    if (ok) compare_free(c);
    free(c);
}

void web_diff(struct web_request *q) {
    struct diffing f = {.e = calloc(1, sizeof *f.e)};
    bool made = f.e && explain_make(f.e) == OK;
    if (!made) web_problem(q, 500, "out of memory");
    else q->job = web_job_begin(q, "");
    if (made && runs_take(q, &f)) diff_answer(q, &f);
    web_job_answered(q);
    for (size_t i = 0; i <= DIFF_MAX; i++) {
        if (f.run[i]) run_free(f.run[i]);
        free(f.run[i]);
    }
    if (f.e) explain_free(f.e);
    free(f.e);
}
