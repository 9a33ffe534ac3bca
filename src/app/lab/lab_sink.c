/* SPDX-License-Identifier: Apache-2.0 */
/* weir lab sink: the data sink, and what it has stored. */
#include "app/children.h"
#include "app/lab/lab.h"
#include "app/story.h"
#include "base/json.h"
#include "base/utf8.h"
#include "base/words.h"
#include "io/out.h"
#include "lab/hello.h"
#include "lab/line.h"
#include "lab/sink.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STORE_DEFAULT = 1 << 30 };

struct sink_opts {
    const char *store, *language;
    int64_t size, rate, conns, room, wait, last;
    bool quiet, list, json;
    struct opt_list words;
};

static const struct opt_def defs[] = {
    {'s', "store", "FILE", "keep the readings in FILE (SQLite); otherwise in ~/.local/state/weir/sink.db", OPT_TEXT,
     offsetof(struct sink_opts, store)},
    {'q', "quiet", NULL, "print the totals only", OPT_FLAG, offsetof(struct sink_opts, quiet)},
    {0, "max-size", "SIZE", "bytes of one reading at most (64Ki)", OPT_SIZE, offsetof(struct sink_opts, size), .min = 1,
     .max = SINK_SIZE_MOST},
    {0, "rate", "N", "readings a second from one address at most (10000); 0: any", OPT_NUMBER,
     offsetof(struct sink_opts, rate), .max = 100000000},
    {0, "connections", "N", "at most N open connections (16000)", OPT_NUMBER, offsetof(struct sink_opts, conns),
     .min = 1, .max = 1000000},
    {0, "max-store", "SIZE", "bytes of all readings at most (1Gi); 0: as the disk allows", OPT_SIZE,
     offsetof(struct sink_opts, room)},
    {0, "line-wait", "MS", "a line without an end counts as whole after so much silence (500); 0: never", OPT_NUMBER,
     offsetof(struct sink_opts, wait), .max = 600000},
    {'l', "list", NULL, "list what is stored, and end", OPT_FLAG, offsetof(struct sink_opts, list)},
    {0, "json", NULL, "with --list: an array of JSON", OPT_FLAG, offsetof(struct sink_opts, json)},
    {'n', "last", "N", "with --list: the last N only", OPT_NUMBER, offsetof(struct sink_opts, last), .min = 1},
    {0, "lang", "LANGUAGE", "en, ja or zh_CN; otherwise that of LANG", OPT_TEXT, offsetof(struct sink_opts, language)},
};
static const char *const examples[] = {"weir lab sink 127.0.0.1:8514 --store data.db",
                                       "echo hoge | nc -q 1 127.0.0.1 8514     (answers 201)",
                                       "curl -d '{\"temp\":21.5}' http://127.0.0.1:8514/",
                                       "weir lab sink --list --json --store data.db | jq '.[].text'", NULL};

static const struct opt_command command = {
    .name = "lab sink",
    .synopsis = "ADDRESS:PORT [--store FILE] | --list [--json] [--store FILE]",
    .purpose = "store what comes by TCP lines, UDP and HTTP POST",
    .description =
        "Takes readings on one port: each line of a TCP connection, each datagram, the body of each POST or PUT. It is "
        "stored with its time, source and size and then answered 201; what is answered 201 survives a killed process "
        "and a power cut. What is not taken is answered with a status and a sentence: 400, 405, 408, 411, 413 too "
        "large, 429 too fast, 503, 507 full.\n\nA port alone means 127.0.0.1.",
    .examples = examples,
    .defs = defs,
    .n_defs = sizeof defs / sizeof *defs,
    .words_at = offsetof(struct sink_opts, words),
};

/* store_default names the file where none is given, and makes its folder. */
static const char *store_default(char path[PATH_MAX]) {
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    if (state && *state) snprintf(path, PATH_MAX, "%s/weir", state);
    else snprintf(path, PATH_MAX, "%s/.local/state/weir", home && *home ? home : "/tmp");
    for (char *at = strchr(path + 1, '/'); at; at = strchr(at + 1, '/')) {
        *at = 0;
        (void)mkdir(path, 0700);
        *at = '/';
    }
    (void)mkdir(path, 0700);
    strncat(path, "/sink.db", PATH_MAX - strlen(path) - 1);
    return path;
}

/* ---- --list ---- */

struct listing {
    struct writer *w;
    bool json, any;
};

static int list_json(struct listing *l, const struct reading *g) {
    struct writer *w = l->w;
    wr_s(w, l->any ? ",\n " : "[\n ");
    l->any = true;
    wr_f(w, "{\"id\":%lld,\"time\":\"", (long long)g->id);
    line_time(w, g->ts);
    wr_c(w, '"');
    json_member(w, "protocol", g->how);
    json_member(w, "source", g->source);
    wr_f(w, ",\"port\":%u,\"size\":%zu", g->port, g->data.n);
    if (g->type.n) json_member(w, "type", g->type);
    if (utf8_valid(g->data)) {
        json_member(w, "text", g->data);
    } else {
        wr_s(w, ",\"hex\":\"");
        wr_hexbytes(w, g->data, 0);
        wr_c(w, '"');
    }
    wr_c(w, '}');
    return w->err;
}

static int list_one(void *to, const struct reading *g) {
    struct listing *l = to;
    if (l->json) return list_json(l, g);
    char text[80];
    struct writer who = wr_fixed(text, sizeof text - 1);
    wr_f(&who, memchr(g->source.p, ':', g->source.n) ? "[%.*s]:%u" : "%.*s:%u", (int)g->source.n, g->source.p, g->port);
    *who.p = 0;
    wr_f(l->w, "%6lld  ", (long long)g->id);
    line_day(l->w, g->ts);
    wr_f(l->w, "  %-4.*s  %-21s %7zu  ", (int)g->how.n, g->how.p, text, g->data.n);
    bytes_words(l->w, g->data);
    wr_c(l->w, '\n');
    return l->w->err;
}

static void list_head(struct writer *w) {
    static const struct {
        const char *name;
        size_t width;
    } columns[] = {{"id", 4}, {N_("time"), 25}, {N_("how"), 6}, {N_("source"), 25}, {N_("size"), 6}, {N_("data"), 0}};
    wr_spaces(w, 4);
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
        text_pad(w, slice_str(words(columns[i].name)), columns[i].width);
    wr_c(w, '\n');
}

static int list(const struct sink_opts *o, struct readings *store, struct writer *w) {
    struct listing l = {.w = w, .json = o->json};
    if (!o->json) list_head(w);
    int rc = readings_each(store, (uint64_t)o->last, list_one, &l);
    if (o->json) wr_s(w, l.any ? "\n]\n" : "[]\n");
    if (rc == OK) rc = wr_flush(w);
    if (rc == OK || rc == ERR_END) return EXIT_FINE;
    return opt_bad_use(&command, "the list is not whole: %s", readings_why(store));
}

/* ---- the server ---- */

static int serve(const struct sink_config *config, const char *path) {
    char text[1024];
    struct writer w = wr_fixed(text, sizeof text - 1);
    struct sink *s;
    children_watch();
    if (sink_open(&s, config, &w) != OK) {
        *w.p = 0;
        return opt_bad_use(&command, "%s", text);
    }
    wr_reset(&w);
    sock_print(sink_addr(s), &w);
    *w.p = 0;
    char greeting[PATH_MAX + 512], there[24];
    struct writer hello = wr_fixed(greeting, sizeof greeting - 1), count = wr_fixed(there, sizeof there);
    wr_u(&count, readings_count(config->store));
    struct argument arg[] = {{.text = slice_str(text)}, {.text = slice_str(path)}, {.text = wr_done(&count)}};
    words_fill(&hello, N_("Taking TCP lines, UDP and HTTP POST on %1$s into %2$s (%3$s there); Ctrl-C ends it."), arg,
               3);
    *hello.p = 0;
    fprintf(stderr, "%s\n", greeting);
    int rc = OK;
    while (!children_stopped() && rc == OK) rc = sink_turn(s, 250);
    wr_reset(&w);
    sink_totals(s, &w);
    *w.p = 0;
    sink_close(s);
    if (rc == OK) rc = wr_flush(config->out);
    fprintf(stderr, "\n%s", text);
    return rc == OK || rc == ERR_END ? EXIT_FINE : opt_bad_use(&command, "writing to standard output failed");
}

static int sink(const struct sink_opts *o, const struct sock_addr *addr) {
    static char buffer[64 * 1024];
    int fd = STDOUT_FILENO;
    char path[PATH_MAX], reason[512];
    struct writer out = wr_sink(buffer, sizeof buffer, out_fd_flush, &fd), why = wr_fixed(reason, sizeof reason - 1);
    const char *file = o->store ? o->store : store_default(path);
    struct sink_config config = {.addr = *addr,
                                 .size = (size_t)o->size,
                                 .rate = (uint32_t)o->rate,
                                 .conns = (uint32_t)o->conns,
                                 .line_wait_ms = (uint32_t)o->wait,
                                 .quiet = o->quiet,
                                 .out = &out};
    if (readings_open(&config.store, file, o->list, (uint64_t)o->room, &why) != OK) {
        *why.p = 0;
        return opt_bad_use(&command, "%s", reason);
    }
    int rc = o->list ? list(o, config.store, &out) : serve(&config, file);
    readings_close(config.store);
    return rc;
}

int cmd_lab_sink(int argc, char **argv) {
    struct sink_opts o = {
        .size = SINK_SIZE_DEFAULT, .rate = SINK_RATE_DEFAULT, .room = STORE_DEFAULT, .wait = SINK_LINE_WAIT_MS};
    struct sock_addr addr = {0};
    int rc = opt_parse(&command, &o, argc, argv);
    if (rc == OPT_GO && o.list && o.words.n)
        rc = opt_bad_use(&command, "--list lists what is stored; it takes no address");
    if (rc == OPT_GO && !o.list) rc = lab_address(&command, &o.words, &addr);
    if (!o.json) story_words(o.language); /* programs get English */
    return rc == OPT_GO ? sink(&o, &addr) : rc;
}
