/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_APP_READ_TAPS_H
#define WEIR_APP_READ_TAPS_H

#include "app/filter.h"
#include "io/capture/capfile.h"
#include "view/follow.h"
#include "view/stats/tables.h"

enum { TAPS_MAX = 32 };

/* tap is one statistic that runs beside the reading of packets: what -z asks for, or the command stats. */
struct tap {
    const struct stats_ops *ops;
    void *state;
    void (*print)(struct writer *w, const struct tap *t); /* tshark's form; NULL: tables */
    const char *filter;                                   /* text; NULL: none */
    const char *from;                                     /* what was read, for those that say it */
    struct expr *program;                                 /* of it */
    const struct opt_command *cmd;                        /* whose option it is */
};

struct taps {
    struct tap tap[TAPS_MAX];
    size_t n;
    bool begun;
    int64_t begin; /* time of the capture's first packet */
};

/* taps_start adds a statistic: 0 or a negative code with a reason in why. The texts must outlive it. */
int taps_start(struct taps *t, const struct stats_ops *ops, const struct stats_args *args, struct writer *why) MUST_USE;
/* taps_filter makes the last one count only what passes a display filter, given with `option`: OPT_GO, or EXIT_TROUBLE
 * after the complaint. */
int taps_filter(struct taps *t, const struct opt_command *cmd, const char *option, const char *filter);
/* taps_parse adds what a -z says, "endpoints,ip" or "io,phs,mqtt": OPT_GO, or EXIT_TROUBLE after the complaint. */
int taps_parse(struct taps *t, const struct opt_command *cmd, const char *text);
/* taps_watch_file has those that look at more of a file than its packets see the rest of it. */
void taps_watch_file(struct taps *t, struct capfile *c);
/* taps_want adds the fields the statistics read, taps_packet counts a packet in those it is let through to. */
void taps_want(const struct taps *t, struct want *w);
void taps_packet(struct taps *t, const struct decode *d);
/* taps_print writes the results in tshark's order: the last one asked for first. `from` is the name of what was read.
 */
void taps_print(struct writer *w, struct taps *t, const char *from);
void taps_free(struct taps *t);

/* -z follow. */
extern const struct stats_ops tap_follow_ops;
void tap_follow_print(struct writer *w, const struct tap *t);

/* -z flow. tap_flow_filter returns the filter behind "tcp,network,", NULL where there is none. */
extern const struct stats_ops tap_flow_ops;
const char *tap_flow_filter(const char *text);
void tap_flow_print(struct writer *w, const struct tap *t);

#endif
