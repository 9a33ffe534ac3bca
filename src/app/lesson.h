/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_APP_LESSON_H
#define WEIR_APP_LESSON_H

#include "app/children.h"
#include "app/opt.h"

#include <stdbool.h>
#include <stddef.h>

/* A lesson plays a real piece of work with real programs: it says what it is about to do, does it while capturing,
 * shows what happened, asks, and tells how to go on. What it says is translated; commands are shown as they can be
 * typed. */

enum { LESSON_PATH = 512, LESSON_PORT = 8, LESSON_START_MS = 5000 };

/* stage is where a lesson plays: a folder, a network of its own where that may be, and the children that run. */
struct stage {
    const struct opt_command *cmd;
    const struct lesson *lesson;
    struct children kids;
    char self[LESSON_PATH];  /* this program */
    char typed[LESSON_PATH]; /* how a person would type it, from any folder */
    char dir[LESSON_PATH];   /* the folder; it is the present one */
    const char *keep;        /* where the capture is to be kept; NULL: in the folder */
    bool yes, color, own_net, done;
    size_t width;
    int capture;   /* place among the children; -1: none runs */
    int questions; /* asked so far */
};

/* lesson is one of the texts. `play` gives an exit status; it may end early once children_stopped(). */
struct lesson {
    const char *name, *what;
    const char *const *programs; /* that must be there, with the packages they come from: program, package, ..., NULL */
    int (*play)(struct stage *s);
};

int lesson_tcp(struct stage *s);
int lesson_mqtt(struct stage *s);
int lesson_https(struct stage *s);
int lesson_volume(struct stage *s);
int lesson_stopped(struct stage *s);
int lesson_guard(struct stage *s);

/* lesson_sample shows the sample capture that ships with the program, as the end of the lesson on MQTT does. */
int lesson_sample(struct stage *s);

/* lesson_play opens a stage, plays and cleans up; the exit status. `file`: where to keep the capture, NULL: the folder.
 */
int lesson_play(const struct lesson *l, const struct opt_command *cmd, const char *file, bool yes, bool sample);

extern const struct lesson lessons[];
extern const size_t lessons_n;

/* ---- what a lesson does; texts are of N_() ---- */

/* stage_say prints a paragraph. */
void stage_say(struct stage *s, const char *text);
/* stage_step prints a heading with its number. */
void stage_step(struct stage *s, const char *text);
/* stage_ask asks, waits for Enter where a person is there, and answers. */
void stage_ask(struct stage *s, const char *question, const char *answer);
/* stage_next prints a command to go on with, with the program's name and the folder where they are needed: "weir" as
 * first word is this program. */
void stage_next(struct stage *s, const char *const *lines);

/* stage_run shows a command line of the shell and runs it to its end, with its output on ours; "weir" in it is this
 * program. Its exit status; -1 where it was stopped or took too long. */
int stage_run(struct stage *s, const char *line);
/* stage_quiet is stage_run with the output in the file `log`, and without showing the line. */
int stage_quiet(struct stage *s, const char *log, const char *line);
/* stage_start shows a command line and starts it, with its output in the file `log`; its place, or -1. */
int stage_start(struct stage *s, const char *log, const char *line);
/* stage_show prints the file `log` so far, dimmed and indented. */
void stage_show(struct stage *s, const char *log);
/* stage_capture begins to record loopback into `file`; `filter` is of pcap-filter(7). False: it did not begin. */
bool stage_capture(struct stage *s, const char *file, const char *filter);
/* stage_capture_end waits a moment, ends the recording and shows the totals. */
bool stage_capture_end(struct stage *s);

/* stage_port writes the port wanted where it is free, else another free one. */
void stage_port(struct stage *s, int wanted, char port[static LESSON_PORT]);
/* stage_listens waits until somebody listens on a port of loopback. */
bool stage_listens(struct stage *s, const char *port);
/* stage_lines waits until the file `log` has so many lines. */
bool stage_lines(struct stage *s, const char *log, int lines);
/* stage_write makes a file in the folder; printf. */
bool stage_write(struct stage *s, const char *name, const char *text, ...) __attribute__((format(printf, 3, 4)));
/* stage_broker starts mosquitto on a port, with more lines of configuration ("": none). */
bool stage_broker(struct stage *s, const char *port, const char *more);
/* stage_failed says what did not come about and gives EXIT_TROUBLE; silent where the lesson was stopped. */
int stage_failed(struct stage *s, const char *text);
/* stage_line formats a command line; it lives until the eighth call after. */
const char *stage_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
