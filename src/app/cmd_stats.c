/* SPDX-License-Identifier: Apache-2.0 */
/* weir stats: packets in, a table out. */
#include "app/cmd.h"
#include "app/device.h"
#include "app/keys.h"
#include "app/opt.h"
#include "app/read/taps.h"
#include "field/print.h"
#include "io/out.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { OUT_SIZE = 64 * 1024 };

struct stats_opts {
    const char *file, *filter, *sort, *baseline, *interval;
    int64_t top, count, overhead, alarm;
    bool json, csv, backwards;
    int color;
    struct device_opts device;
    struct keys_opts keys;
    struct opt_list columns, prefs, words;
};

static const struct opt_def defs[] = {
    {'r', "read-file", "FILE", "read packets from FILE; - is stdin", OPT_TEXT, offsetof(struct stats_opts, file)},
    DEVICE_OPTIONS(struct stats_opts, device),
    {'Y', "display-filter", "FILTER", "count only packets that pass this display filter", OPT_TEXT,
     offsetof(struct stats_opts, filter)},
    {'c', "count", "N", "stop after N packets", OPT_NUMBER, offsetof(struct stats_opts, count), .min = 1},
    {'s', "sort", "COLUMN", "order by a column, named as in --csv; greatest number first, text from A", OPT_TEXT,
     offsetof(struct stats_opts, sort)},
    {0, "reverse", NULL, "the other way round", OPT_FLAG, offsetof(struct stats_opts, backwards)},
    {'n', "top", "N", "the first N rows only", OPT_NUMBER, offsetof(struct stats_opts, top), .min = 1},
    {0, "interval", "SECONDS", "io: length of an interval (1)", OPT_TEXT, offsetof(struct stats_opts, interval)},
    {0, "column", "FILTER",
     "io: what a column counts, FILTER or CALC(FIELD)FILTER with SUM, COUNT, MIN, MAX, AVG; repeat for more", OPT_LIST,
     offsetof(struct stats_opts, columns)},
    {0, "overhead", "BYTES", "volume: bytes billed for each packet beside its IP bytes", OPT_NUMBER,
     offsetof(struct stats_opts, overhead), .max = 65535},
    {0, "baseline", "FILE", "volume: show what changed since this capture", OPT_TEXT,
     offsetof(struct stats_opts, baseline)},
    {0, "alarm", "PERCENT",
     "volume: exit status 1, and a line for each, where a destination or the whole is so far above the baseline or new",
     OPT_NUMBER, offsetof(struct stats_opts, alarm), .min = 1},
    {0, "json", NULL, "JSON", OPT_FLAG, offsetof(struct stats_opts, json)},
    {0, "csv", NULL, "comma-separated values", OPT_FLAG, offsetof(struct stats_opts, csv)},
    KEYS_OPTIONS(struct stats_opts, keys),
    {'o', NULL, "NAME:VALUE", "a preference of tshark: tls.keylog_file", OPT_LIST, offsetof(struct stats_opts, prefs)},
    {0, "color", "auto|always|never", "colours", OPT_CHOICE, offsetof(struct stats_opts, color), .bare = "always"},
};
static const char *const examples[] = {
    "weir stats endpoints ip -r capture.pcapng",
    "weir stats conversations tcp --top 10 -r capture.pcapng",
    "weir stats mqtt --json -r capture.pcapng",
    "weir stats io --interval 10 --column 'AVG(tcp.analysis.ack_rtt)' --column mqtt -r capture.pcapng",
    "weir stats endpoints ip -i eth0 -a duration:60",
    "weir stats volume --overhead 40 --baseline monday.pcapng -r capture.pcapng",
    "weir stats volume --baseline monday.pcapng --alarm 50 -r capture.pcapng",
    NULL};
static const struct opt_command command = {
    .name = "stats",
    .synopsis = "WHAT [OF] -r FILE | -i NAME [options]",
    .purpose = "endpoints, conversations, protocols and more, counted",
    .description =
        "WHAT is one of: endpoints (who sends and receives how much), conversations (who talks with whom), protocols "
        "(which travel in which), expert (what the decoders found; error, warn, note or chat behind it: from there "
        "up), flags and rtt (of TCP), dns, mqtt (by client, topic and topic filter), volume (who uses the data and "
        "what for, as billed), io (packets, bytes and values of fields per interval). OF says of which protocol: "
        "endpoints and conversations know eth, ip, ipv6, tcp and udp.\n\n"
        "The numbers of endpoints, conversations, protocols and expert are those of tshark -z endpoints, conv, io,phs "
        "and expert; tshark's own names (io,phs, conv,tcp) work too, and print them in its form, as weir read -q -z "
        "does.",
    .examples = examples,
    .defs = defs,
    .n_defs = sizeof defs / sizeof *defs,
    .words_at = offsetof(struct stats_opts, words),
};

struct run {
    struct stats_opts o;
    struct taps taps, base;
    struct dissector ds;
    struct keys keys;
    struct feed feed;
    struct writer out;
    int out_fd;
    char buffer[OUT_SIZE];
};

static int packets_take(struct run *r, struct taps *taps) {
    struct packet p;
    int rc = OK;
    for (int64_t n = 0; rc >= 0 && (!r->o.count || n < r->o.count);) {
        rc = feed_next(&r->feed, &p);
        if (rc != OK) continue; /* the interface is idle, or this is the end */
        taps_packet(taps, dissector_packet(&r->ds, &p));
        n++;
    }
    return rc == ERR_END || rc > 0 ? OK : rc;
}

/* file_take counts a whole file, or what passes the interface where path is NULL; false after a message where it could
 * not be read to its end. *opened: it was begun. */
static bool file_take(struct run *r, const char *path, struct taps *taps, bool *opened) {
    struct want want = {0};
    char text[512];
    struct writer why = wr_fixed(text, sizeof text - 1);
    *opened = false;
    taps_want(taps, &want);
    if (dissector_make(&r->ds, &want)) return opt_bad_use(&command, "out of memory"), false;
    if (path ? feed_open_file(&r->feed, path, &why) : device_begin(&r->feed, r->o.device.name, &why)) {
        *why.p = 0;
        return opt_bad_use(&command, "%s", text), false;
    }
    feed_ahead(&r->feed, &r->ds.driver);
    feed_progress(&r->feed, false);
    r->ds.driver.d.tls_keys = &r->keys.store;
    if (keys_open(&r->keys, &command, &r->o.keys, &r->o.prefs, !path) != OPT_GO) return false;
    if (path) keys_watch_file(&r->keys, path, r->feed.file);
    *opened = true;
    feed_watch_signals(&r->feed);
    int rc = packets_take(r, taps);
    if (rc) opt_bad_use(&command, "%s", feed_why(&r->feed));
    feed_close(&r->feed);
    dissector_free(&r->ds);
    keys_close(&r->keys);
    memset(&r->ds, 0, sizeof r->ds);
    memset(&r->keys, 0, sizeof r->keys);
    return rc == OK;
}

static int baseline_read(struct run *r, const struct stats_ops *ops, const struct stats_args *args) {
    char text[256];
    struct writer why = wr_fixed(text, sizeof text - 1);
    bool opened;
    if (taps_start(&r->base, ops, args, &why)) return opt_bad_use(&command, "out of memory");
    int rc = taps_filter(&r->base, &command, "-Y", r->o.filter);
    if (rc != OPT_GO) return rc;
    return file_take(r, r->o.baseline, &r->base, &opened) ? OPT_GO : EXIT_TROUBLE;
}

static bool which_has(const struct stats_ops *ops, const char *word) {
    for (size_t i = 0; ops->which[i]; i++)
        if (strcmp(ops->which[i], word) == 0) return true;
    return false;
}

static int unknown(const char *word) {
    const char *names[64];
    size_t n = 0;
    for (; n < sizeof names / sizeof *names && stats_kinds[n]; n++) names[n] = stats_kinds[n]->name;
    int near = opt_nearest(word, names, n);
    if (near < 0)
        return opt_bad_use(&command, "'%s' is not known; `weir stats --help` lists what can be counted", word);
    return opt_bad_use(&command, "'%s' is not known; did you mean '%s'? `weir stats --help` lists what can be counted",
                       word, names[near]);
}

/* words_take finds the statistic and, where there was no -r, the file among the words. */
static int words_take(struct run *r) {
    const struct opt_list *words = &r->o.words;
    struct stats_args args = {0};
    char text[256];
    struct writer why = wr_fixed(text, sizeof text - 1);
    size_t at = 0;
    char *end = NULL;
    if (!words->n) return opt_bad_use(&command, "what to count is missing; `weir stats --help` lists it");
    const struct stats_ops *ops = stats_find(words->item[at++]);
    if (!ops) return unknown(words->item[0]);
    if (ops->which && at < words->n && (!ops->which_optional || which_has(ops, words->item[at])))
        args.which = words->item[at++];
    if (!r->o.file && !r->o.device.name && at < words->n) r->o.file = words->item[at++];
    if (at < words->n) return opt_bad_use(&command, "'%s' is one word too many", words->item[at]);
    args.overhead = (uint64_t)r->o.overhead;
    double seconds = r->o.interval ? strtod(r->o.interval, &end) : 1;
    if ((r->o.interval || r->o.columns.n) && ops != &stats_io)
        return opt_bad_use(&command, "--interval and --column belong to io");
    if (r->o.interval && (*end || !(seconds >= 1e-6 && seconds < 1e9)))
        return opt_bad_use(&command, "--interval %s: expected seconds", r->o.interval);
    args.interval = (int64_t)(seconds * 1e9 + 0.5);
    args.columns = (const char *const *)r->o.columns.item;
    args.n_columns = r->o.columns.n;
    if ((r->o.baseline || r->o.overhead) && ops != &stats_volume)
        return opt_bad_use(&command, "--baseline and --overhead belong to volume");
    if (r->o.alarm && !r->o.baseline) return opt_bad_use(&command, "--alarm compares with a --baseline");
    int rc = r->o.baseline ? baseline_read(r, ops, &args) : OPT_GO;
    if (rc != OPT_GO) return rc;
    if (r->o.baseline) args.baseline = r->base.tap[0].state;
    if (taps_start(&r->taps, ops, &args, &why)) {
        *why.p = 0;
        return opt_bad_use(&command, "%s: %s", ops->name, text);
    }
    if (r->o.file && r->o.device.name) return opt_bad_use(&command, "-r and -i: packets come from one source");
    if (!r->o.file && !r->o.device.name)
        return opt_bad_use(&command, "what to read is missing: -r FILE (- is standard input), or -i NAME");
    rc = device_stops(&r->feed, &command, &r->o.device.stops);
    if (rc != OPT_GO) return rc;
    return taps_filter(&r->taps, &command, "-Y", r->o.filter);
}

static bool colored(const struct run *r) {
    const char *no = getenv("NO_COLOR");
    return r->o.color == 1 || (r->o.color == 0 && isatty(STDOUT_FILENO) && !(no && *no));
}

static void table_write(struct run *r, const struct table *t, bool several) {
    struct writer *w = &r->out;
    if (r->o.json && several) wr_f(w, "\"%s\": ", t->name);
    if (r->o.json) table_json(w, t);
    else if (r->o.csv) table_csv(w, t);
    else {
        if (several) wr_f(w, "%s\n", t->title);
        table_print(w, t, opt_screen(), colored(r));
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

static void alarm_tell(struct slice name, uint64_t now, uint64_t before) {
    char text[512];
    struct writer w = wr_fixed(text, sizeof text);
    print_string(&w, name);
    fprintf(stderr, "weir stats: alarm: %.*s: %llu %s billed, %llu before\n", (int)wr_len(&w), text,
            (unsigned long long)now, plural(now, "byte", "bytes"), (unsigned long long)before);
}

static int go(struct run *r) {
    bool opened, whole = file_take(r, r->o.file, &r->taps, &opened);
    if (!opened) return EXIT_TROUBLE;
    int written = tables_write(r);
    if (r->o.alarm && written == EXIT_FINE &&
        stats_volume_alarm(r->taps.tap[0].state, (uint64_t)r->o.alarm, alarm_tell))
        written = EXIT_FINDING;
    return opt_written(&command, wr_flush(&r->out), whole ? written : EXIT_TROUBLE);
}

/* as_tshark answers `weir stats io,phs -r FILE` as `weir read -q -z io,phs -r FILE` does: tshark's name, its form. */
static int as_tshark(int argc, char **argv) {
    static char read[] = "read", quiet[] = "-qz";
    char **as = calloc((size_t)argc + 2, sizeof *as);
    if (!as) return opt_bad_use(&command, "out of memory");
    as[0] = read;
    as[1] = quiet;
    memcpy(as + 2, argv + 1, (size_t)(argc - 1) * sizeof *as);
    int rc = cmd_read(argc + 1, as);
    free(as);
    return rc;
}

int cmd_stats(int argc, char **argv) {
    if (argc > 1 && *argv[1] != '-' && strchr(argv[1], ',')) return as_tshark(argc, argv);
    struct run *r = calloc(1, sizeof *r);
    if (!r) return opt_bad_use(&command, "out of memory");
    r->out_fd = STDOUT_FILENO;
    r->out = wr_sink(r->buffer, sizeof r->buffer, out_fd_flush, &r->out_fd);
    int rc = opt_parse(&command, &r->o, argc, argv);
    if (rc == OPT_GO) rc = words_take(r);
    if (rc == OPT_GO) rc = go(r);
    feed_close(&r->feed);
    dissector_free(&r->ds);
    keys_close(&r->keys);
    taps_free(&r->taps);
    taps_free(&r->base);
    opt_release(&command, &r->o);
    free(r);
    return rc;
}
