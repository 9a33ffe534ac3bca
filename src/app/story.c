/* SPDX-License-Identifier: Apache-2.0 */
#include "app/story.h"
#include "app/rights.h"
#include "view/words.h"

#include <errno.h>
#include <langinfo.h>
#include <limits.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#ifndef WEIR_LOCALE_DIR
#define WEIR_LOCALE_DIR "/usr/share/locale"
#endif

enum { WIDTH_LEAST = 60, WIDTH_PIPE = 100, WIDTH_MOST = 120 };

static int filter_open(struct story *s, char **filter, size_t n) {
    (void)filter;
    return n ? opt_bad_use(s->cmd, "filters are not supported in this build") : OPT_GO;
}

static int live_begin(struct story *s, const char *device, struct writer *why) {
    struct live_config config = {.device = device, .immediate = true};
    int rc = feed_open_live(&s->feed, &config, why);
    if (rc) return rc;
    struct rights rights;
    if (!rights_pick(&rights, NULL, false) || !rights_drop(&rights)) {
        wr_f(why, "cannot give up privileges: %s", strerror(errno));
        return ERR_DENIED;
    }
    fprintf(stderr, "Capturing on '%s'\n", device);
    return OK;
}

static int stops_read(struct story *s, const struct opt_list *stops) {
    for (size_t i = 0; stops && i < stops->n; i++) {
        char *end;
        double seconds = strncmp(stops->item[i], "duration:", 9) ? -1 : strtod(stops->item[i] + 9, &end);
        if (seconds <= 0 || *end) return opt_bad_use(s->cmd, "-a %s: it is duration:SECONDS", stops->item[i]);
        s->feed.stop_ms = (int64_t)(seconds * 1000);
    }
    return OPT_GO;
}

int story_open(struct story *s, const struct opt_command *cmd, const char *file, const char *device, const struct opt_list *stops,
               char **filter, size_t n) {
    char text[512];
    struct writer why = wr_fixed(text, sizeof text - 1);
    s->cmd = cmd;
    s->file = file;
    events_want(&s->want);
    int rc = filter_open(s, filter, n);
    if (rc == OPT_GO) rc = stops_read(s, stops);
    if (rc != OPT_GO) return rc;
    s->events = malloc(sizeof *s->events);
    if (!s->events || dissector_make(&s->ds, &s->want)) return opt_bad_use(cmd, "out of memory");
    s->made = true;
    int bad = device ? live_begin(s, device, &why) : feed_open_file(&s->feed, file, &why);
    if (bad) {
        *why.p = 0;
        return opt_bad_use(cmd, "%s", text);
    }
    feed_watch_signals(&s->feed);
    return OPT_GO;
}

int story_read(struct story *s, int (*take)(void *to, const struct packet_events *p, bool selected, const struct packet *pkt), void *to) {
    struct packet p;
    int rc;
    while ((rc = feed_next(&s->feed, &p)) >= 0) {
        if (rc != OK) continue;
        const struct decode *d = dissector_packet(&s->ds, &p);
        events_read(s->events, d);
        if (take(to, s->events, true, &p)) break;
    }
    if (rc >= 0 || rc == ERR_END) return EXIT_FINE;
    fprintf(stderr, "weir %s: %s\n", s->cmd->name, feed_why(&s->feed));
    return EXIT_TROUBLE;
}

void story_close(struct story *s) {
    feed_close(&s->feed);
    if (s->made) dissector_free(&s->ds);
    free(s->events);
    s->events = NULL;
    s->made = false;
}

/* words_dir finds the translations: beside the program where it was built, else where it was installed. */
static const char *words_dir(char path[PATH_MAX]) {
    ssize_t n = readlink("/proc/self/exe", path, PATH_MAX - 16);
    if (n <= 0) return WEIR_LOCALE_DIR;
    path[n] = 0;
    char *slash = strrchr(path, '/');
    strcpy(slash ? slash : path, "/po");
    return access(path, R_OK) == 0 ? path : WEIR_LOCALE_DIR;
}

void story_words(const char *language) {
    static char path[PATH_MAX];
    words_start(language, words_dir(path));
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
    return strcasestr(env, "utf-8") || strcasestr(env, "utf8") || !strcmp(env, "C") || !strcmp(env, "POSIX") ? strcmp(env, "POSIX") != 0 : false;
}

size_t story_width(void) {
    struct winsize size;
    const char *columns = getenv("COLUMNS");
    size_t width = WIDTH_PIPE;
    if (columns && atoi(columns) > 0) width = (size_t)atoi(columns);
    else if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col) width = size.ws_col;
    return width < WIDTH_LEAST ? WIDTH_LEAST : width > WIDTH_MOST ? WIDTH_MOST : width;
}
