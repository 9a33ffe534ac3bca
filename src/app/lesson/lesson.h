/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_APP_LESSON_H
#define WEIR_APP_LESSON_H

#include "analyse/explain/judge.h" /* N_() */
#include "app/children.h"
#include "app/opt.h"

#include <stdbool.h>
#include <stddef.h>

/* A lesson plays a real piece of work with real programs: it says what it is about to do, does it while capturing,
 * shows what happened, asks, and tells how to go on. What it says is translated; commands are shown as they can be
 * typed. */

enum { LESSON_PATH = 512, LESSON_PORT = 8, LESSON_START_MS = 5000 };

/* scene is where a lesson plays: a folder, a network of its own where that may be, and the children that run. */
struct scene {
    const struct opt_command *cmd;
    const struct lesson *lesson;
    struct children kids;
    char self[LESSON_PATH];  /* this program */
    char typed[LESSON_PATH]; /* how a person would type it, from any folder */
    char dir[LESSON_PATH];   /* the folder; it is the present one */
    const char *keep;        /* where the capture is to be kept; NULL: in the folder */
    bool yes, color, own_net, done;
    bool in_dir; /* what one goes on with lies in the folder */
    size_t width;
    int capture;   /* place among the children; -1: none runs */
    int questions; /* asked so far */
};

/* lesson is one of the texts. `play` gives an exit status; it may end early once children_stopped(). */
struct lesson {
    const char *name, *what;
    const char *const *programs; /* that must be there, with the packages they come from: program, package, ..., NULL */
    int (*play)(struct scene *s);
};

int lesson_tcp(struct scene *s);
int lesson_mqtt(struct scene *s);
int lesson_https(struct scene *s);
int lesson_volume(struct scene *s);
int lesson_stopped(struct scene *s);
int lesson_guard(struct scene *s);

/* lesson_sample shows the sample capture that ships with the program, as the end of the lesson on MQTT does. */
int lesson_sample(struct scene *s);

/* lesson_play opens a scene, plays and cleans up; the exit status. `file`: where to keep the capture, NULL: the folder.
 */
int lesson_play(const struct lesson *l, const struct opt_command *cmd, const char *file, bool yes, bool sample);

extern const struct lesson lessons[];
extern const size_t lessons_n;

/* ---- what a lesson does; texts are of N_() ---- */

/* scene_say prints a paragraph. */
void scene_say(struct scene *s, const char *text);
/* scene_step prints a heading with its number. */
void scene_step(struct scene *s, const char *text);
/* scene_ask asks, waits for Enter where a person is there, and answers. */
void scene_ask(struct scene *s, const char *question, const char *answer);
/* scene_next prints a command to go on with, with the program's name and the folder where they are needed: "weir" as
 * first word is this program. */
void scene_next(struct scene *s, const char *const *lines);

/* scene_run shows a command line of the shell and runs it to its end, with its output on ours; "weir" in it is this
 * program. Its exit status; -1 where it was stopped or took too long. */
int scene_run(struct scene *s, const char *line);
/* scene_quiet is scene_run with the output in the file `log`, and without showing the line. */
int scene_quiet(struct scene *s, const char *log, const char *line);
/* scene_start shows a command line and starts it, with its output in the file `log`; its place, or -1. */
int scene_start(struct scene *s, const char *log, const char *line);
/* scene_show prints the file `log` so far, dimmed and indented. */
void scene_show(struct scene *s, const char *log);
/* scene_capture begins to record loopback into `file`; `filter` is of pcap-filter(7). False: it did not begin. */
bool scene_capture(struct scene *s, const char *file, const char *filter);
/* scene_capture_end waits a moment, ends the recording and shows the totals. */
bool scene_capture_end(struct scene *s);

/* scene_port writes the port wanted where it is free, else another free one. */
void scene_port(struct scene *s, int wanted, char port[static LESSON_PORT]);
/* scene_listens waits until somebody listens on a port of loopback. */
bool scene_listens(struct scene *s, const char *port);
/* scene_lines waits until the file `log` has so many lines. */
bool scene_lines(struct scene *s, const char *log, int lines);
/* scene_subscribed waits until the broker has taken a client's subscription. */
bool scene_subscribed(struct scene *s, const char *client);
/* scene_write makes a file in the folder; printf. */
bool scene_write(struct scene *s, const char *name, const char *text, ...) __attribute__((format(printf, 3, 4)));
/* scene_broker starts mosquitto on a port, with more lines of configuration ("": none). */
bool scene_broker(struct scene *s, const char *port, const char *more);
/* scene_failed says what did not come about and gives EXIT_TROUBLE; silent where the lesson was stopped. */
int scene_failed(struct scene *s, const char *text);
/* scene_line formats a command line; it lives until the eighth call after. */
const char *scene_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
