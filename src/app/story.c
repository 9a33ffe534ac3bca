/* SPDX-License-Identifier: Apache-2.0 */
#include "app/story.h"
#include "app/device.h"
#include "app/filter.h"
#include "flow/ahead.h"
#include "view/words.h"

#include <errno.h>
#include <langinfo.h>
#include <limits.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WIDTH_LEAST = 60, WIDTH_PIPE = 100, WIDTH_MOST = 120 };

/* filter_open joins the words behind the file's name to a display filter. */
static int filter_open(struct story *s, const struct story_opts *o) {
    struct writer text = wr_grow();
    for (size_t i = 0; i < o->words; i++) wr_f(&text, "%s%s", i ? " " : "", o->filter[i]);
    int rc = text.err ? opt_bad_use(s->cmd, "out of memory") : OPT_GO;
    if (rc == OPT_GO && wr_len(&text)) rc = filter_compile(s->cmd, "FILTER", wr_done(&text), &s->filter);
    if (s->filter) want_union(&s->want, expr_want(s->filter));
    wr_free(&text);
    return rc;
}

int story_open(struct story *s, const struct opt_command *cmd, const struct story_opts *o) {
    char text[512];
    struct writer why = wr_fixed(text, sizeof text - 1);
    s->cmd = cmd;
    events_want(&s->want);
    int rc = filter_open(s, o);
    if (rc == OPT_GO) rc = device_stops(&s->feed, cmd, o->stops);
    if (rc != OPT_GO) return rc;
    s->events = malloc(sizeof *s->events);
    if (!s->events || dissector_make(&s->ds, &s->want)) return opt_bad_use(cmd, "out of memory");
    s->made = true;
    feed_ahead(&s->feed, &s->ds.driver);
    s->ds.driver.d.tls_keys = &s->keys.store;
    rc = keys_open(&s->keys, cmd, o->keys, &(struct opt_list){0}, o->device != NULL);
    if (rc != OPT_GO) return rc;
    int bad = o->file ? feed_open_file(&s->feed, o->file, &why) : device_begin(&s->feed, o->device, &why);
    if (bad) {
        *why.p = 0;
        return opt_bad_use(cmd, "%s", text);
    }
    feed_progress(&s->feed, false);
    if (o->file) keys_watch_file(&s->keys, o->file, s->feed.file);
    feed_watch_signals(&s->feed);
    return OPT_GO;
}

int story_read(struct story *s,
               int (*take)(void *to, const struct packet_events *p, bool selected, const struct packet *pkt),
               void *to) {
    struct packet p;
    int rc;
    while ((rc = feed_next(&s->feed, &p)) >= 0) {
        if (rc != OK) continue;
        const struct flow_table *flows = &s->ds.driver.flows;
        uint32_t next = s->expect ? flow_ahead_stream(flows) : UINT32_MAX;
        if (next != UINT32_MAX) s->expect(to, next);
        const struct decode *d = dissector_packet(&s->ds, &p);
        events_read(s->events, d);
        if (take(to, s->events, !s->filter || expr_match(s->filter, d->out), &p)) break;
    }
    if (rc >= 0 || rc == ERR_END) return EXIT_FINE;
    fprintf(stderr, "weir %s: %s\n", s->cmd->name, feed_why(&s->feed));
    return EXIT_TROUBLE;
}

void story_close(struct story *s) {
    feed_close(&s->feed);
    if (s->made) {
        dissector_free(&s->ds);
        keys_close(&s->keys);
    }
    filter_free(s->cmd, s->filter);
    s->filter = NULL;
    free(s->events);
    s->events = NULL;
    s->made = false;
}

/* words_dir finds the translations: beside the program where it was built, else where it was installed. */
static const char *words_dir(char path[static PATH_MAX]) {
    char *slash = realpath("/proc/self/exe", path) ? strrchr(path, '/') : NULL;
    if (!slash || slash - path > PATH_MAX - (int)sizeof "/po") return WEIR_LOCALE_DIR;
    strcpy(slash, "/po");
    return access(path, R_OK) == 0 ? path : WEIR_LOCALE_DIR;
}

void story_words(const char *language) {
    static char path[PATH_MAX];
    static const char *const there[] = {"en", "ja", "zh", "C", "POSIX"};
    bool known = !language;
    for (size_t i = 0; language && i < sizeof there / sizeof *there; i++)
        known |= !strncmp(language, there[i], strlen(there[i]));
    if (!known) fprintf(stderr, "weir: --lang %s: there are en, ja and zh_CN; this is English\n", language);
    words_start(language, words_dir(path));
}

bool story_catalogue(const char *language, struct words_catalogue *c) {
    enum { MO_MAX = 8 << 20 };
    char dir[PATH_MAX], path[PATH_MAX + 64];
    snprintf(path, sizeof path, "%s/%s/LC_MESSAGES/weir.mo", words_dir(dir), language);
    FILE *f = fopen(path, "rbe");
    uint8_t *mo = f ? malloc(MO_MAX) : NULL;
    size_t n = mo ? fread(mo, 1, MO_MAX, f) : 0;
    bool ok = n && n < MO_MAX && words_catalogue_read(c, slice_of(mo, n));
    if (f) fclose(f);
    if (!ok) free(mo);
    return ok;
}

bool story_color(int when) {
    const char *none = getenv("NO_COLOR");
    if (when) return when == 1;
    return isatty(STDOUT_FILENO) && !(none && *none);
}

bool story_unicode(void) {
    const char *env = getenv("LC_ALL");
    if (!env || !*env) env = getenv("LC_CTYPE");
    if (!env || !*env) env = getenv("LANG");
    if (!env || !*env) return !isatty(STDOUT_FILENO) || getenv("TERM") == NULL || strcmp(getenv("TERM"), "linux") != 0;
    return strcasestr(env, "utf-8") || strcasestr(env, "utf8") || !strcmp(env, "C") || !strcmp(env, "POSIX")
               ? strcmp(env, "POSIX") != 0
               : false;
}

size_t story_width(void) {
    const char *columns = getenv("COLUMNS");
    size_t width = opt_screen();
    if (columns && atoi(columns) > 0) width = (size_t)atoi(columns);
    else if (!width) width = WIDTH_PIPE;
    return width < WIDTH_LEAST ? WIDTH_LEAST : width > WIDTH_MOST ? WIDTH_MOST : width;
}

void story_entry(struct writer *w, const char *name, size_t width, const char *what) {
    wr_s(w, "  ");
    text_pad(w, slice_str(name), width);
    text_wrap(w, slice_str(words(what)), 2 + width, story_width());
}
