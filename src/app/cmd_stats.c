/* SPDX-License-Identifier: Apache-2.0 */
/* weir stats: packets in, a table out. */
#include "app/cmd.h"
#include "app/feed.h"
#include "app/opt.h"
#include "app/taps.h"
#include "io/out.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { OUT_SIZE = 64 * 1024 };

struct stats_opts {
    const char *file, *sort;
    int64_t top, count;
    bool json, csv, backwards;
    int color;
    struct opt_list words;
};

static const struct opt_def defs[] = {
    {'r', "read-file", "FILE", "read packets from FILE; - is stdin", OPT_TEXT, offsetof(struct stats_opts, file)},
    {'c', "count", "N", "stop after N packets", OPT_NUMBER, offsetof(struct stats_opts, count), .min = 1},
    {'s', "sort", "COLUMN", "order by a column, named as in --csv; greatest number first, text from A", OPT_TEXT,
     offsetof(struct stats_opts, sort)},
    {0, "reverse", NULL, "the other way round", OPT_FLAG, offsetof(struct stats_opts, backwards)},
    {'n', "top", "N", "the first N rows only", OPT_NUMBER, offsetof(struct stats_opts, top), .min = 1},
    {0, "json", NULL, "JSON", OPT_FLAG, offsetof(struct stats_opts, json)},
    {0, "csv", NULL, "comma-separated values", OPT_FLAG, offsetof(struct stats_opts, csv)},
    {0, "color", "auto|always|never", "colours", OPT_CHOICE, offsetof(struct stats_opts, color), .bare = "always"},
};
static const char *const examples[] = {"weir stats endpoints ip -r capture.pcapng",
                                       "weir stats conversations tcp --top 10 -r capture.pcapng",
                                       "weir stats protocols --json -r capture.pcapng", NULL};
static const struct opt_command command = {
    .name = "stats",
    .synopsis = "WHAT [OF] -r FILE [options]",
    .purpose = "endpoints, conversations, protocols and more, counted",
    .description =
        "WHAT is one of: endpoints (who sends and receives how much), conversations (who talks with whom), protocols "
        "(which travel "
        "in which). OF says of which protocol: endpoints and conversations know eth, ip, ipv6, tcp and udp.\n\n"
        "The numbers are those of tshark -z endpoints, conv and io,phs; weir read -q -z prints them in its form.",
    .examples = examples,
    .defs = defs,
    .n_defs = sizeof defs / sizeof *defs,
    .words_at = offsetof(struct stats_opts, words),
};

struct run {
    struct stats_opts o;
    struct taps taps;
    struct dissector ds;
    struct feed feed;
    struct writer out;
    int out_fd;
    char buffer[OUT_SIZE];
};

/* words_take finds the statistic and, where there was no -r, the file among the words. */
static int words_take(struct run *r) {
    const struct opt_list *words = &r->o.words;
    struct stats_args args = {0};
    char text[256];
    struct writer why = wr_fixed(text, sizeof text - 1);
    size_t at = 0;
    if (!words->n) return opt_bad_use(&command, "what to count is missing; `weir stats --help` lists it");
    const struct stats_ops *ops = stats_find(words->item[at++]);
    if (!ops)
        return opt_bad_use(&command, "'%s' is not known; `weir stats --help` lists what can be counted",
                           words->item[0]);
    if (ops->which && at < words->n) args.which = words->item[at++];
    if (!r->o.file && at < words->n) r->o.file = words->item[at++];
    if (at < words->n) return opt_bad_use(&command, "'%s' is one word too many", words->item[at]);
    if (taps_start(&r->taps, ops, &args, NULL, &why)) {
        *why.p = 0;
        return opt_bad_use(&command, "%s: %s", ops->name, text);
    }
    if (!r->o.file) return opt_bad_use(&command, "what to read is missing: -r FILE (- is standard input)");
    return OPT_GO;
}

static int packets_take(struct run *r) {
    struct packet p;
    int rc = OK;
    for (int64_t n = 0; rc == OK && (!r->o.count || n < r->o.count); n++) {
        rc = feed_next(&r->feed, &p);
        if (rc == OK) taps_packet(&r->taps, dissector_packet(&r->ds, &p));
    }
    return rc == ERR_END ? OK : rc;
}

static bool colored(const struct run *r) {
    const char *no = getenv("NO_COLOR");
    return r->o.color == 1 || (r->o.color == 0 && isatty(STDOUT_FILENO) && !(no && *no));
}

static unsigned terminal_width(void) {
    struct winsize size;
    return isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

static void table_write(struct run *r, const struct table *t, bool several) {
    struct writer *w = &r->out;
    if (r->o.json && several) wr_f(w, "\"%s\": ", t->name);
    if (r->o.json) table_json(w, t);
    else if (r->o.csv) table_csv(w, t);
    else {
        if (several) wr_f(w, "%s\n", t->title);
        table_print(w, t, terminal_width(), colored(r));
    }
    if (t->next) wr_s(w, r->o.json ? ",\n" : "\n");
}

static int tables_write(struct run *r) {
    const struct tap *tap = &r->taps.tap[0];
    struct table *all = tap->ops->tables(tap->state);
    if (!all) return opt_bad_use(&command, "out of memory");
    bool found = !r->o.sort;
    for (struct table *t = all; t; t = t->next) {
        int column = r->o.sort ? table_column(t, r->o.sort) : -1;
        found |= column >= 0;
        if (column >= 0) table_sort(t, (size_t)column, r->o.backwards);
        if (r->o.top) table_head(t, (size_t)r->o.top);
    }
    int rc = EXIT_FINE;
    if (!found) {
        fprintf(stderr, "weir stats: --sort %s: no such column; there are", r->o.sort);
        for (size_t i = 0; i < all->n_columns; i++) fprintf(stderr, " %s", all->columns[i].name);
        fputc('\n', stderr);
        rc = EXIT_TROUBLE;
    }
    bool several = all->next != NULL;
    if (r->o.json && several) wr_s(&r->out, "{");
    for (struct table *t = all; t && found; t = t->next) table_write(r, t, several);
    if (r->o.json && found) wr_s(&r->out, several ? "}\n" : "\n");
    for (struct table *t = all; t; t = t->next) {
        if (t->note[0]) fprintf(stderr, "weir stats: %s\n", t->note);
        if (t->short_of_memory) fprintf(stderr, "weir stats: out of memory: %s are not complete\n", t->name);
    }
    table_free(all);
    return rc;
}

static int go(struct run *r) {
    struct want want = {0};
    char text[512];
    struct writer why = wr_fixed(text, sizeof text - 1);
    taps_want(&r->taps, &want);
    if (dissector_make(&r->ds, &want)) return opt_bad_use(&command, "out of memory");
    if (feed_open_file(&r->feed, r->o.file, &why)) {
        *why.p = 0;
        return opt_bad_use(&command, "%s", text);
    }
    feed_watch_signals(&r->feed);
    int rc = packets_take(r);
    if (rc) fprintf(stderr, "weir stats: %s\n", feed_why(&r->feed));
    int written = tables_write(r);
    int flushed = wr_flush(&r->out);
    if (flushed && flushed != ERR_END) return opt_bad_use(&command, "writing to standard output failed");
    return rc ? EXIT_TROUBLE : written;
}

int cmd_stats(int argc, char **argv) {
    struct run *r = calloc(1, sizeof *r);
    if (!r) return opt_bad_use(&command, "out of memory");
    r->out_fd = STDOUT_FILENO;
    r->out = wr_sink(r->buffer, sizeof r->buffer, out_fd_flush, &r->out_fd);
    int rc = opt_parse(&command, &r->o, argc, argv);
    if (rc == OPT_GO) rc = words_take(r);
    if (rc == OPT_GO) rc = go(r);
    feed_close(&r->feed);
    dissector_free(&r->ds);
    taps_free(&r->taps);
    opt_release(&command, &r->o);
    free(r);
    return rc;
}
