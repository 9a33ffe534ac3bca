/* SPDX-License-Identifier: Apache-2.0 */
/* weir ladder: the sequence picture of conversations. */
#include "analyse/explain/explain.h"
#include "app/cmd.h"
#include "app/story.h"
#include "io/out.h"
#include "view/story/ladder_view.h"
#include "view/words.h"

#include <stdlib.h>
#include <unistd.h>

struct ladder_opts {
    const char *language;
    bool svg, verbose, teach;
    int color;
    struct opt_list words;
    struct keys_opts keys;
};

static const struct opt_def defs[] = {
    {0, "svg", NULL, "an SVG document instead of text", OPT_FLAG, offsetof(struct ladder_opts, svg)},
    {'v', "verbose", NULL, "also bare acknowledgments", OPT_FLAG, offsetof(struct ladder_opts, verbose)},
    {0, "teach", NULL, "below each kind of arrow, when it comes first, a sentence that says what it means", OPT_FLAG,
     offsetof(struct ladder_opts, teach)},
    KEYS_OPTIONS(struct ladder_opts, keys),
    {0, "lang", "LANGUAGE", "en, ja or zh_CN; otherwise that of LANG", OPT_TEXT,
     offsetof(struct ladder_opts, language)},
    {0, "color", "auto|always|never", "colours", OPT_CHOICE, offsetof(struct ladder_opts, color), .bare = "always"},
};
static const char *const examples[] = {"weir ladder capture.pcapng", "weir ladder capture.pcapng 'tcp.stream == 1'",
                                       "weir ladder --teach -v capture.pcapng tcp",
                                       "weir ladder capture.pcapng mqtt --svg > ladder.svg", NULL};
static const struct opt_command ladder_command = {
    .name = "ladder",
    .synopsis = "FILE [FILTER] [options]",
    .purpose = "the sequence picture of conversations",
    .description = "Draws who said what to whom, in order: a line for each party with its role, an arrow for each "
                   "packet with its frame, time and meaning. FILTER is a display filter for packets.",
    .examples = examples,
    .defs = defs,
    .n_defs = sizeof defs / sizeof *defs,
    .words_at = offsetof(struct ladder_opts, words),
};

/* drawing is the picture, and what explain says of the same packets. */
struct drawing {
    struct ladder ladder;
    struct explain explain;
};

static int packet(void *to, const struct packet_events *p, bool selected, const struct packet *pkt) {
    struct drawing *d = to;
    explain_packet(&d->explain, p, selected, pkt->has_drops ? pkt->drops : 0);
    if (selected) ladder_packet(&d->ladder, p);
    return OK;
}

/* verdict_want has the parties in the picture whom the verdict is about. */
static void verdict_want(struct drawing *d) {
    bool fine;
    explain_finish(&d->explain);
    const struct finding *f = explain_verdict(&d->explain, &fine);
    for (unsigned i = 0; i < f->frames; i++) ladder_want(&d->ladder, f->frame[i]);
}

static int draw(const struct ladder_opts *o, struct story *s) {
    static char buffer[64 * 1024];
    int fd = STDOUT_FILENO;
    struct writer out = wr_sink(buffer, sizeof buffer, out_fd_flush, &fd);
    struct ladder_view view = {
        .color = story_color(o->color), .unicode = story_unicode(), .teach = o->teach, .width = story_width()};
    struct drawing *d = calloc(1, sizeof *d);
    if (!d || ladder_make(&d->ladder, words) || explain_make(&d->explain)) {
        free(d);
        return opt_bad_use(&ladder_command, "out of memory");
    }
    d->explain.filtered = s->filter != NULL;
    d->ladder.all = o->verbose;
    int rc = story_read(s, packet, d);
    verdict_want(d);
    ladder_finish(&d->ladder);
    if (o->svg) ladder_svg(&out, &d->ladder);
    else ladder_text(&out, &d->ladder, &view);
    rc = opt_written(&ladder_command, wr_flush(&out), rc);
    ladder_free(&d->ladder);
    explain_free(&d->explain);
    free(d);
    return rc;
}

int cmd_ladder(int argc, char **argv) {
    struct ladder_opts o = {0};
    struct story s = {0};
    int rc = opt_parse(&ladder_command, &o, argc, argv);
    if (rc == OPT_GO && !o.words.n) rc = opt_bad_use(&ladder_command, "which FILE? `weir ladder capture.pcapng`");
    story_words(o.language);
    if (rc == OPT_GO) {
        struct story_opts so = {
            .file = o.words.item[0], .keys = &o.keys, .filter = o.words.item + 1, .words = o.words.n - 1};
        rc = story_open(&s, &ladder_command, &so);
    }
    if (rc == OPT_GO) rc = draw(&o, &s);
    story_close(&s);
    opt_release(&ladder_command, &o);
    return rc;
}
