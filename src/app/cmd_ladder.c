/* SPDX-License-Identifier: Apache-2.0 */
/* weir ladder: the sequence picture of conversations. */
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

static int packet(void *to, const struct packet_events *p, bool selected, const struct packet *pkt) {
    (void)pkt;
    if (selected) ladder_packet(to, p);
    return OK;
}

static int draw(const struct ladder_opts *o, struct story *s) {
    static char buffer[64 * 1024];
    int fd = STDOUT_FILENO;
    struct writer out = wr_sink(buffer, sizeof buffer, out_fd_flush, &fd);
    struct ladder_view view = {.color = story_color(o->color),
                               .unicode = story_unicode(),
                               .all = o->verbose,
                               .teach = o->teach,
                               .width = story_width()};
    struct ladder l;
    if (ladder_make(&l, words)) return opt_bad_use(&ladder_command, "out of memory");
    int rc = story_read(s, packet, &l);
    ladder_finish(&l);
    if (o->svg) ladder_svg(&out, &l, &view);
    else ladder_text(&out, &l, &view);
    rc = opt_written(&ladder_command, wr_flush(&out), rc);
    ladder_free(&l);
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
