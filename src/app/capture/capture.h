/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_APP_CAPTURE_H
#define WEIR_APP_CAPTURE_H

#include "app/opt.h"
#include "io/capture/capwrite.h"
#include "io/capture/live.h"
#include "io/capture/savefile.h"

/* capture_opts is what the command line says, as typed. */
struct capture_opts {
    const char *device, *file, *linktype, *user, *after, *format, *filter, *size, *direction, *precision;
    int64_t snaplen, count, seconds, files, buffer_kib;
    bool devices, linktypes, each_packet, no_promiscuous, monitor, immediate, quiet, lines;
    int no_names, verbose;
    struct opt_list stops, ring, words;
};

/* capture_limits are the points at which a file or the whole capture ends; 0: none. Times in ms, sizes in bytes. */
struct capture_limits {
    int64_t stop_ms, stop_bytes, stop_packets, stop_files;
    int64_t next_ms, next_bytes, next_packets, next_interval_s;
    uint32_t keep_files;     /* ring of so many files */
    const char *print_names; /* where the names of complete files go: a file, stdout or stderr; NULL: nowhere */
    bool wrap;               /* the count starts over at keep_files (tcpdump -C -W); else old files are deleted */
};

/* capture_view shows packets where no file is written; `packet` and `idle` give 0 or a negative code that stops. */
struct capture_view {
    int (*packet)(void *to, const struct packet *pkt);
    int (*idle)(void *to); /* no packet is waiting: hand out what was collected */
    void (*end)(void *to);
    void *to;
};

/* capture_view_open sets up the view of decoded lines; 0 or an exit status after a message. */
int capture_view_open(struct capture_view *v, const struct capture_opts *o);

extern const struct opt_command capture_command;

/* capture_limits_read makes limits of the options: OPT_GO or an exit status after a message. */
int capture_limits_read(const struct capture_opts *o, struct capture_limits *limits);
/* capture_plan says how files are named. */
struct savefile_plan capture_plan(const struct capture_opts *o, const struct capture_limits *limits);
/* capture_format reads -F: false where it is unknown. */
bool capture_format(const struct capture_opts *o, enum capwrite_format *format);
/* capture_watch_signals makes the stopping signals end the capture instead of the program, and SIGUSR1 tell its totals;
 * before it is said that the capture listens, since somebody may wait for that to send one. */
void capture_watch_signals(void);
/* capture_run captures until a limit or a signal; the exit status. */
int capture_run(const struct capture_opts *o, const struct capture_limits *limits, struct live *live,
                struct savefiles *files, const struct capture_view *view);

#endif
