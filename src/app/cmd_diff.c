/* SPDX-License-Identifier: Apache-2.0 */
/* weir diff: a good run against a bad one, step by step. */
#include "app/cmd.h"
#include "app/story.h"
#include "io/out.h"
#include "view/story/diff_view.h"

#include <stdlib.h>
#include <unistd.h>

struct diff_opts {
    const char *language;
    bool svg, json, verbose;
    int color;
    struct opt_list words;
    struct keys_opts keys;
};

static const struct opt_def defs[] = {
    {0, "svg", NULL, "both runs as one SVG document", OPT_FLAG, offsetof(struct diff_opts, svg)},
    {0, "json", NULL, "one JSON object", OPT_FLAG, offsetof(struct diff_opts, json)},
    {'v', "verbose", NULL, "all conversations from beginning to end", OPT_FLAG, offsetof(struct diff_opts, verbose)},
    KEYS_OPTIONS(struct diff_opts, keys),
    {0, "lang", "LANGUAGE", "en, ja or zh_CN; otherwise that of LANG", OPT_TEXT, offsetof(struct diff_opts, language)},
    {0, "color", "auto|always|never", "colours", OPT_CHOICE, offsetof(struct diff_opts, color), .bare = "always"},
};
static const char *const examples[] = {"weir diff good.pcapng bad.pcapng",
                                       "weir diff monday.pcapng tuesday.pcapng today.pcapng",
                                       "weir diff good.pcapng bad.pcapng --svg > diff.svg", NULL};
static const struct opt_command diff_command = {
    .name = "diff",
    .synopsis = "GOOD... BAD [options]",
    .purpose = "good run against bad run, by protocol event",
    .description =
        "Turns each capture into what its parties did, leaves out what differs by nature (times, ports of clients, "
        "numbers, identifiers, payloads), puts the runs side by side and says where they part first, and what follows "
        "from it. Of several good runs it learns what varies.\n\nExit status: 0 the same, 1 they differ, 2 trouble.",
    .examples = examples,
    .defs = defs,
    .n_defs = sizeof defs / sizeof *defs,
    .words_at = offsetof(struct diff_opts, words),
};

struct taking {
    struct run *run;
    struct explain *e; /* NULL: not of a good run */
};

static int packet(void *to, const struct packet_events *p, bool selected, const struct packet *pkt) {
    struct taking *t = to;
    (void)selected;
    run_packet(t->run, p);
    if (t->e) explain_packet(t->e, p, true, pkt->has_drops ? pkt->drops : 0);
    return OK;
}

static int run_read(struct run *r, const char *file, const struct keys_opts *keys, struct explain *e) {
    struct story s = {0};
    struct taking t = {r, e};
    run_want(&s.want);
    struct story_opts o = {.file = file, .keys = keys};
    int rc = run_make(r, file, words) ? EXIT_TROUBLE : story_open(&s, &diff_command, &o);
    if (rc == OPT_GO) rc = story_read(&s, packet, &t);
    story_close(&s);
    return rc;
}

static int show(const struct diff_opts *o, struct run *good, struct run *bad, struct explain *e) {
    static char buffer[64 * 1024];
    int fd = STDOUT_FILENO;
    struct writer out = wr_sink(buffer, sizeof buffer, out_fd_flush, &fd);
    struct diff_view view = {.color = story_color(o->color),
                             .unicode = story_unicode(),
                             .all = o->verbose,
                             .width = story_width(),
                             .bad = e};
    struct comparison *c = malloc(sizeof *c);
    if (!c || compare_runs(c, good, bad)) {
        if (c) compare_free(c);
        free(c);
        return opt_bad_use(&diff_command, "out of memory");
    }
    if (o->svg) diff_svg(&out, c, &view);
    else if (o->json) diff_json(&out, c, &view);
    else diff_text(&out, c, &view);
    int rc = opt_written(&diff_command, wr_flush(&out), c->first < 0 ? EXIT_FINE : EXIT_FINDING);
    compare_free(c);
    free(c);
    return rc;
}

static int run_all(const struct diff_opts *o) {
    size_t n = o->words.n;
    struct run *runs = calloc(n, sizeof *runs);
    struct explain *e = calloc(1, sizeof *e);
    int rc = runs && e && explain_make(e) == OK ? EXIT_FINE : opt_bad_use(&diff_command, "out of memory");
    size_t made = 0;
    for (; rc == EXIT_FINE && made < n; made++)
        rc = run_read(&runs[made], o->words.item[made], &o->keys, made + 1 == n ? e : NULL);
    if (rc == EXIT_FINE) explain_finish(e);
    for (size_t i = 1; rc == EXIT_FINE && i + 1 < n; i++)
        if (run_learn(&runs[0], &runs[i])) rc = opt_bad_use(&diff_command, "out of memory");
    if (rc == EXIT_FINE) rc = show(o, &runs[0], &runs[n - 1], e);
    for (size_t i = 0; runs && i < made; i++) run_free(&runs[i]);
    if (e) explain_free(e);
    free(e);
    free(runs);
    return rc;
}

int cmd_diff(int argc, char **argv) {
    struct diff_opts o = {0};
    int rc = opt_parse(&diff_command, &o, argc, argv);
    if (rc == OPT_GO && o.words.n < 2)
        rc = opt_bad_use(&diff_command, "two captures are needed: `weir diff good.pcapng bad.pcapng`");
    if (rc == OPT_GO) {
        story_words(o.language);
        rc = run_all(&o);
    }
    opt_release(&diff_command, &o);
    return rc;
}
