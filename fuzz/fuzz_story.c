/* SPDX-License-Identifier: Apache-2.0 */
/* A capture file to its story: packets to events, events to findings, to the sequence picture and to event lines, all
 * forms of each. */
#include "analyse/explain/explain.h"
#include "io/capture/capfile.h"
#include "view/eve/eve.h"
#include "view/story/explain_view.h"
#include "view/story/ladder_view.h"

#include <stdlib.h>

struct tale {
    struct want want;
    struct dissector ds;
    struct explain e;
    struct ladder ladder;
    struct packet_events events;
    struct eve eve;
    struct writer lines;
};

static void read_all(struct tale *t, struct capfile *file) {
    struct packet p;
    while (capfile_next(file, &p) == OK) {
        const struct decode *d = dissector_packet(&t->ds, &p);
        if (t->ds.driver.flow) explain_expect(&t->e, t->ds.driver.flow->stream + 1);
        events_read(&t->events, d);
        explain_packet(&t->e, &t->events, true, p.has_drops ? p.drops : 0);
        ladder_packet(&t->ladder, &t->events);
        eve_packet(&t->eve, &t->lines, &t->events);
    }
}

static void tell(struct tale *t) {
    struct writer w = wr_grow();
    struct explain_view view = {.file = "a file", .color = true, .unicode = true, .verbose = true, .width = 80};
    struct ladder_view picture = {.unicode = true, .width = 80};
    explain_finish(&t->e);
    ladder_finish(&t->ladder);
    eve_end(&t->eve, &t->lines);
    explain_text(&w, &t->e, &view);
    explain_json(&w, &t->e, &view);
    explain_md(&w, &t->e, &view);
    explain_svg(&w, &t->e, &view);
    ladder_text(&w, &t->ladder, &picture);
    ladder_svg(&w, &t->ladder);
    wr_free(&w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char text[600];
    struct writer why = wr_fixed(text, sizeof text);
    struct capfile *file;
    if (capfile_open_bytes(&file, slice_of(data, size), &why) < 0) return 0;
    struct tale *t = calloc(1, sizeof *t);
    if (!t) abort();
    events_want(&t->want);
    if (dissector_make(&t->ds, &t->want) || explain_make(&t->e) || ladder_make(&t->ladder, NULL) || eve_make(&t->eve))
        abort();
    t->ladder.all = size & 1;
    t->lines = wr_grow();
    read_all(t, file);
    tell(t);
    eve_free(&t->eve);
    wr_free(&t->lines);
    ladder_free(&t->ladder);
    explain_free(&t->e);
    dissector_free(&t->ds);
    free(t);
    capfile_close(file);
    return 0;
}
