/* SPDX-License-Identifier: Apache-2.0 */
/* Events of a capture on demand, as server-sent events: `state` at first and at every change of state, `progress` while
 * packets come, each with the whole capture as JSON; the stream ends behind a last state. A line of comment every few
 * seconds shows that the server lives. */
#include "serve/web/web_in.h"
#include <stdlib.h>

enum { TURN_MS = 500, SIGN_OF_LIFE_TURNS = 20, TEXT_BYTES = 16 << 10 };

struct events {
    struct web *web;
    char id[SESSION_ID + 1];
    struct session x;
    uint64_t version;
    int said; /* the last state; -1: nothing yet */
    bool over;
    size_t n, sent;
    char text[TEXT_BYTES];
};

static void event_write(struct events *e) {
    struct writer w = wr_fixed(e->text, sizeof e->text);
    bool state = (int)e->x.state != e->said;
    e->said = (int)e->x.state;
    e->over = session_is_final(e->x.state);
    wr_f(&w, "event: %s\ndata: ", state ? "state" : "progress");
    web_session_write(e->web, &w, &e->x);
    wr_s(&w, "\n\n");
    e->n = wr_len(&w);
    e->sent = 0;
}

/* more waits for something to say; false at the end. */
static bool more(struct events *e) {
    uint64_t before = e->version;
    if (e->over) return false;
    for (int turn = 0; turn < SIGN_OF_LIFE_TURNS; turn++) {
        bool ended = atomic_load(&e->web->stopping) && !keeper_active(e->web->keeper);
        if (keeper_get(e->web->keeper, e->id, &e->x, &e->version) != OK) return false;
        if (e->said < 0 || e->version != before) return event_write(e), true;
        if (ended) return false;
        keeper_wait(e->web->keeper, e->id, e->version, TURN_MS);
    }
    memcpy(e->text, ":\n\n", e->n = 3);
    e->sent = 0;
    return true;
}

static ssize_t report_read(void *to, uint64_t at, char *out, size_t max) {
    struct events *e = to;
    (void)at;
    if (e->sent == e->n && !more(e)) return MHD_CONTENT_READER_END_OF_STREAM;
    size_t n = e->n - e->sent < max ? e->n - e->sent : max;
    memcpy(out, e->text + e->sent, n);
    e->sent += n;
    return (ssize_t)n;
}

static void events_free(void *to) {
    struct events *e = to;
    atomic_fetch_sub(&e->web->event_streams, 1);
    free(e);
}

void web_session_events(struct web_request *q, const struct session *x) {
    struct events *e = calloc(1, sizeof *e);
    if (!e) return web_problem(q, 500, "out of memory");
    e->web = q->web;
    e->said = -1;
    memcpy(e->id, x->id, sizeof e->id);
    if (atomic_fetch_add(&q->web->event_streams, 1) >= WEB_EVENTS_MAX) {
        events_free(e);
        return web_problem(q, 503, "%d streams of events are open", WEB_EVENTS_MAX);
    }
    q->reply.type = "text/event-stream";
    q->reply.made = mhd.create_response_from_callback(MHD_SIZE_UNKNOWN, 4096, report_read, e, events_free);
    if (q->reply.made) return;
    events_free(e);
    web_problem(q, 500, "out of memory");
}
