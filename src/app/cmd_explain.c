/* SPDX-License-Identifier: Apache-2.0 */
/* weir explain: where did it stop, and what to do. */
#include "app/cmd.h"
#include "app/story.h"
#include "io/out.h"
#include "view/story/explain_view.h"
#include "view/words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct explain_opts {
    const char *device, *language;
    bool verbose, json, markdown, svg, list;
    int color;
    struct opt_list words, stops;
    struct keys_opts keys;
};

static const struct opt_def defs[] = {
    {'v', "verbose", NULL, "also notes, all roles and all conversations", OPT_FLAG,
     offsetof(struct explain_opts, verbose)},
    {0, "json", NULL, "one JSON object instead of text", OPT_FLAG, offsetof(struct explain_opts, json)},
    {0, "md", NULL, "a report in Markdown, to be sent to somebody", OPT_FLAG, offsetof(struct explain_opts, markdown)},
    {0, "svg", NULL, "the report as an SVG document, to be shown or sent", OPT_FLAG,
     offsetof(struct explain_opts, svg)},
    {0, "list", NULL, "the catalogue of checks; also with --json or --md", OPT_FLAG,
     offsetof(struct explain_opts, list)},
    {'i', "interface", "NAME", "explain what passes the interface NAME: findings as they happen, the verdict at Ctrl-C",
     OPT_TEXT, offsetof(struct explain_opts, device)},
    {'a', "autostop", "COND", "with -i: stop after duration:SECONDS", OPT_LIST, offsetof(struct explain_opts, stops)},
    KEYS_OPTIONS(struct explain_opts, keys),
    {0, "lang", "LANGUAGE", "en, ja or zh_CN; otherwise that of LANG", OPT_TEXT,
     offsetof(struct explain_opts, language)},
    {0, "color", "auto|always|never", "colours", OPT_CHOICE, offsetof(struct explain_opts, color), .bare = "always"},
};
static const char *const examples[] = {"weir explain capture.pcapng",
                                       "weir explain capture.pcapng -v 'ip.addr == 192.168.1.20'",
                                       "weir explain capture.pcapng --md > report.md", "weir explain -i eth0", NULL};
static const struct opt_command explain_command = {
    .name = "explain",
    .synopsis = "FILE [FILTER] | -i NAME [options]",
    .purpose = "where did it stop, and what to do",
    .description = "Says in words what was attempted, how far it got, why it stopped and what to do next: from ARP and "
                   "DHCP over DNS, TCP, TLS and WebSocket to MQTT and the subscriber. The verdict comes first (again "
                   "at the end of a report longer than the terminal), then the conversations, worst first; each "
                   "finding names the frames it rests on and the command that shows them.\n\n"
                   "FILTER is a display filter: findings are limited to conversations with a packet it lets through. "
                   "Exit status: 0 nothing wrong, 1 a warning or an error was found, 2 trouble.",
    .examples = examples,
    .defs = defs,
    .n_defs = sizeof defs / sizeof *defs,
    .words_at = offsetof(struct explain_opts, words),
};

struct explaining {
    struct explain_opts o;
    struct story story;
    struct explain *e;
    struct explain_view view;
    struct writer out;
    int out_fd;
    char buffer[64 * 1024];
    int64_t ticked;
    const char *next[256]; /* what each check advised last, in a live run */
};

static void told(void *to, const struct finding *f) {
    struct explaining *g = to;
    const char **next = &g->next[f->check % (sizeof g->next / sizeof *g->next)];
    explain_one(&g->out, f, *next == f->next, &g->view);
    *next = f->next;
    wr_flush(&g->out);
}

static int packet(void *to, const struct packet_events *p, bool selected, const struct packet *pkt) {
    struct explaining *g = to;
    explain_packet(g->e, p, selected, pkt->has_drops ? pkt->drops : 0);
    if (g->o.device && p->ts - g->ticked > 1000000000) {
        explain_tick(g->e, p->ts);
        g->ticked = p->ts;
    }
    return OK;
}

static void expect(void *to, uint32_t stream) { explain_expect(((struct explaining *)to)->e, stream); }

static void list(struct explaining *g) {
    if (g->o.json) explain_list_json(&g->out);
    else if (g->o.markdown) explain_list_md(&g->out);
    else explain_list(&g->out, &g->view);
}

static int run(struct explaining *g) {
    if (explain_make(g->e)) return opt_bad_use(&explain_command, "out of memory");
    if (g->o.device) {
        g->e->live = true;
        g->e->told = told;
        g->e->told_to = g;
    }
    g->story.expect = expect;
    g->e->filtered = g->story.filter != NULL;
    int rc = story_read(&g->story, packet, g);
    g->e->told = NULL;
    explain_finish(g->e);
    if (g->o.json) explain_json(&g->out, g->e, &g->view);
    else if (g->o.markdown) explain_md(&g->out, g->e, &g->view);
    else if (g->o.svg) explain_svg(&g->out, g->e, &g->view);
    else explain_text(&g->out, g->e, &g->view);
    rc = opt_written(&explain_command, wr_flush(&g->out), rc);
    if (rc != EXIT_FINE) return rc;
    return g->e->per_level[LEVEL_WARNING] || g->e->per_level[LEVEL_ERROR] ? EXIT_FINDING : EXIT_FINE;
}

static int prepare(struct explaining *g) {
    const char *file = g->o.device ? NULL : g->o.words.n ? g->o.words.item[0] : NULL;
    if (!file && !g->o.device)
        return opt_bad_use(&explain_command, "which FILE? `weir explain capture.pcapng`, or -i NAME for an interface");
    size_t first = file ? 1 : 0;
    struct story_opts o = {.file = file,
                           .device = g->o.device,
                           .stops = &g->o.stops,
                           .keys = &g->o.keys,
                           .filter = g->o.words.item + first,
                           .words = g->o.words.n - first};
    g->view.file = file && strcmp(file, "-") ? file : NULL;
    return story_open(&g->story, &explain_command, &o);
}

int cmd_explain(int argc, char **argv) {
    struct explaining *g = calloc(1, sizeof *g);
    if (!g) return opt_bad_use(&explain_command, "out of memory");
    g->e = calloc(1, sizeof *g->e);
    int rc = opt_parse(&explain_command, &g->o, argc, argv);
    story_words(g->o.language);
    g->view = (struct explain_view){.color = story_color(g->o.color),
                                    .unicode = story_unicode(),
                                    .verbose = g->o.verbose,
                                    .width = story_width(),
                                    .rows = opt_screen_rows()};
    g->out_fd = STDOUT_FILENO;
    g->out = wr_sink(g->buffer, sizeof g->buffer, out_fd_flush, &g->out_fd);
    if (rc == OPT_GO && g->o.list) {
        list(g);
        rc = opt_written(&explain_command, wr_flush(&g->out), EXIT_FINE);
    }
    if (rc == OPT_GO) rc = prepare(g);
    if (rc == OPT_GO && g->e) {
        rc = run(g);
        explain_free(g->e);
    }
    story_close(&g->story);
    opt_release(&explain_command, &g->o);
    free(g->e);
    free(g);
    return rc;
}
