/* SPDX-License-Identifier: Apache-2.0 */
/* Server-sent events of a capture, as lines: on a terminal one line that changes, else one for every event. */
#include "app/opt.h"
#include "app/peek/peek.h"

#include <stdio.h>
#include <unistd.h>

struct watch {
    bool json, terminal, shown;
    int *status;
    char state[32];
    struct writer line; /* of the stream, not complete yet */
};

static void event_print(struct watch *w, struct slice object) {
    char state[32] = "", packets[32] = "", bytes[32] = "", reason[300] = "";
    (void)peek_text(object, "state", state, sizeof state);
    (void)peek_text(object, "packets", packets, sizeof packets);
    (void)peek_text(object, "bytes", bytes, sizeof bytes);
    (void)peek_text(object, "reason", reason, sizeof reason);
    for (char *c = reason; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f) *c = '?';
    snprintf(w->state, sizeof w->state, "%s", state);
    if (w->json) printf("%.*s\n", (int)object.n, object.p);
    else
        printf("%s%-15s %9s packets %11s bytes%s%s%s", w->terminal && w->shown ? "\r\x1b[K" : "", state, packets, bytes,
               *reason ? "  " : "", reason, w->terminal ? "" : "\n");
    w->shown = true;
    fflush(stdout);
}

static bool events_take(void *to, struct slice piece) {
    struct watch *w = to;
    for (size_t i = 0; i < piece.n; i++) {
        if (piece.p[i] != '\n') {
            if (wr_len(&w->line) < PEEK_ANSWER_MAX) wr_c(&w->line, (char)piece.p[i]);
            continue;
        }
        struct slice line = wr_done(&w->line);
        if (slice_starts(line, SLICE("data: "))) event_print(w, slice_tail(line, 6));
        wr_reset(&w->line);
    }
    return true;
}

int peek_watch(struct peek *p, const char *path, bool json, int *status, struct writer *why) {
    struct watch w = {.json = json, .terminal = !json && isatty(STDOUT_FILENO), .status = status, .line = wr_grow()};
    int rc = peek_stream(p, path, events_take, &w, why);
    if (w.terminal && w.shown) putchar('\n');
    wr_free(&w.line);
    bool over = !strcmp(w.state, "DONE") || !strcmp(w.state, "STOPPED"), failed = !strcmp(w.state, "FAILED");
    *status = over ? EXIT_FINE : failed ? EXIT_FINDING : EXIT_TROUBLE;
    if (rc == OK && !over && !failed && !peek_stopped(p)) {
        wr_s(why, "the server ended before the capture did");
        return ERR_IO;
    }
    return rc;
}
