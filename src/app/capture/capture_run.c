/* SPDX-License-Identifier: Apache-2.0 */
/* Theory of operation: one loop. Each turn takes a packet or waits for one, but never longer than to the next point of
 * the clock that matters, so rotation and stopping do not depend on traffic. Signals only set a flag. After a stop by
 * signal or clock the packets the kernel already holds are still taken, those of before the stop. */
#include "app/capture/capture.h"
#include "base/clock.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define WAIT_MS 200   /* longest wait: bounds how late a signal is seen that came just before it */
#define FLUSH_MS 1000 /* a file lags at most so far behind the packets */

struct old_file {
    uint32_t seq;
    int64_t when;
};

struct run {
    const struct capture_opts *o;
    const struct capture_limits *limits;
    struct live *live;
    struct savefiles *files;
    const struct capture_view *view;
    enum capwrite_format format;
    struct capwrite *w;
    int fd;
    char name[SAVEFILE_NAME_MAX];
    uint64_t packets, file_packets;
    uint32_t seq;   /* number of the next file, for its name */
    uint32_t begun; /* files */
    int64_t slot;   /* -G: time that names the files until the clock asks for the next; 0: now */
    int64_t started_ms, file_ms, file_ns, flushed_ms, shown_ms;
    int64_t interval_s; /* wall clock slot of the present file */
    struct live_counts at_file_start;
    struct old_file *old; /* ring of keep_files */
    FILE *names;          /* NULL: nobody wants them */
    bool stop, counting;
    int status;
};

static volatile sig_atomic_t stop_asked, totals_asked;

static void on_stop(int sig) { stop_asked = sig; }
static void on_totals(int sig) { totals_asked = sig; }

void capture_watch_signals(void) {
    struct sigaction stop = {.sa_handler = on_stop}, totals = {.sa_handler = on_totals};
    sigaction(SIGINT, &stop, NULL);
    sigaction(SIGTERM, &stop, NULL);
    struct sigaction hup;
    /* nohup has set SIGHUP to be ignored: it stays so */
    if (sigaction(SIGHUP, NULL, &hup) == 0 && hup.sa_handler != SIG_IGN) sigaction(SIGHUP, &stop, NULL);
    sigaction(SIGUSR1, &totals, NULL);
    signal(SIGCHLD, SIG_IGN); /* -z commands are not waited for */
}

/* tell_totals prints tcpdump's lines: one each at the end, one for all while the capture goes on. */
static void tell_totals(const struct run *r, bool live) {
    struct live_counts c = {0};
    if (live_counts(r->live, &c) < 0) return;
    const char *between = live ? ", " : "\n";
    const struct {
        uint64_t n;
        const char *how;
    } total[] = {{r->packets, "captured"},
                 {c.received, "received by filter"},
                 {c.dropped, "dropped by kernel"},
                 {c.dropped_by_interface, "dropped by interface"}};
    for (size_t i = 0; i < (c.dropped_by_interface ? 4 : 3); i++)
        fprintf(stderr, "%s%llu %s %s",
                i      ? between
                : live ? "weir: "
                       : "",
                (unsigned long long)total[i].n, plural(total[i].n, "packet", "packets"), total[i].how);
    fputc('\n', stderr);
}

static void show_count(struct run *r, int64_t now) {
    if (!r->counting || now - r->shown_ms < 1000) return;
    fprintf(stderr, "\rGot %llu ", (unsigned long long)r->packets);
    r->shown_ms = now;
}

static int fail(struct run *r, const char *what, const char *cause) {
    fprintf(stderr, "%sweir capture: %s: %s\n", r->counting ? "\r" : "", what, cause);
    r->stop = true;
    return r->status = EXIT_TROUBLE;
}

/* write_failed explains an error of the file; what is in it is whole. */
static void write_failed(struct run *r, int code) {
    if (code == ERR_END) { /* the reader of our pipe went away: not worth a word */
        r->stop = true;
        return;
    }
    char cause[200];
    snprintf(cause, sizeof cause, "%s; stopped. The file is valid up to its last whole packet",
             code == ERR_LIMIT ? "no space left (disk full, quota or file size limit)" : strerror(errno));
    fail(r, r->name, cause);
}

static uint64_t since(uint64_t now, uint64_t start) { return now - start; }

static int write_counts(struct run *r) {
    struct live_counts c, s = r->at_file_start;
    if (live_counts(r->live, &c) < 0) return OK;
    struct capwrite_counts counts = {
        .start = r->file_ns,
        .end = clock_wall_ns(),
        .received = since(c.received, s.received),
        .accepted = since(c.received, s.received),
        .dropped_kernel = since(c.dropped, s.dropped),
        .dropped_interface = since(c.dropped_by_interface, s.dropped_by_interface),
        .delivered = r->file_packets,
    };
    return capwrite_counts(r->w, live_interface(r->live), &counts);
}

static void end_file(struct run *r) {
    if (!r->w) return;
    int code = write_counts(r), closed = capwrite_close(r->w);
    if (code == OK) code = closed;
    r->w = NULL;
    if (code < 0 && !r->stop) write_failed(r, code);
    else if (code < 0 && r->status == EXIT_FINE) write_failed(r, code);
    if (r->fd != STDOUT_FILENO && close(r->fd) < 0 && r->status == EXIT_FINE) fail(r, r->name, strerror(errno));
    if (r->names && (fprintf(r->names, "%s\n", r->name) < 0 || fflush(r->names) == EOF))
        fail(r, r->limits->print_names, strerror(errno));
}

static int64_t interval_slot(const struct run *r, int64_t seconds) {
    return r->limits->next_interval_s ? seconds / r->limits->next_interval_s : 0;
}

/* keep_ring deletes the file that leaves the ring for the one that begins. */
static void keep_ring(struct run *r, uint32_t seq, int64_t when) {
    uint32_t keep = r->limits->keep_files;
    if (!keep || r->limits->wrap) return;
    struct old_file *slot = &r->old[seq % keep];
    if (seq >= keep) (void)savefiles_remove(r->files, slot->seq, slot->when);
    *slot = (struct old_file){seq, when};
}

static int open_next(struct run *r, int64_t when) {
    if (strcmp(r->o->file, "-") == 0) {
        snprintf(r->name, sizeof r->name, "standard output");
        return STDOUT_FILENO;
    }
    uint32_t keep = r->limits->keep_files;
    uint32_t seq = r->limits->wrap ? r->seq % keep : r->seq;
    return savefiles_open(r->files, seq, when, r->name, sizeof r->name);
}

static void begin_file(struct run *r) {
    r->file_ns = clock_wall_ns();
    int64_t when = r->file_ns / 1000000000;
    if (r->o->seconds && r->slot) when = r->slot;
    r->slot = when;
    r->fd = open_next(r, when);
    if (r->fd < 0) {
        fail(r, r->name, strerror(errno));
        return;
    }
    keep_ring(r, r->seq, when);
    r->seq++;
    r->begun++;
    r->file_packets = 0;
    r->interval_s = interval_slot(r, when);
    (void)!live_counts(r->live, &r->at_file_start);
    int code = capwrite_open(&r->w, r->fd, r->format, live_interface(r->live));
    if (code == OK) code = capwrite_flush(r->w); /* the file is a capture from its first moment */
    if (code < 0) write_failed(r, code);
}

/* run_after starts the command of -z for a file that is complete. */
static void run_after(const struct run *r) {
    if (!r->o->after) return;
    pid_t pid = fork();
    if (pid != 0) return;
    signal(SIGINT, SIG_IGN);
    signal(SIGCHLD, SIG_DFL);
    (void)!nice(19);
    execlp(r->o->after, r->o->after, r->name, (char *)NULL);
    fprintf(stderr, "weir capture: -z %s: %s\n", r->o->after, strerror(errno));
    _exit(127);
}

static void next_file(struct run *r) {
    end_file(r);
    if (r->status != EXIT_FINE) return;
    run_after(r);
    if (r->limits->stop_files && r->begun >= r->limits->stop_files) {
        r->stop = true;
        return;
    }
    begin_file(r);
}

/* next_point gives the ms to the next deadline, at most WAIT_MS. */
static int64_t next_point(const struct run *r, int64_t now) {
    const struct capture_limits *l = r->limits;
    int64_t wait = WAIT_MS;
    if (l->stop_ms && r->started_ms + l->stop_ms - now < wait) wait = r->started_ms + l->stop_ms - now;
    if (l->next_ms && r->file_ms + l->next_ms - now < wait) wait = r->file_ms + l->next_ms - now;
    return wait > 0 ? wait : 0;
}

/* keep_time does what the clock asks for. */
static void keep_time(struct run *r, int64_t now) {
    const struct capture_limits *l = r->limits;
    if (l->next_ms && now >= r->file_ms + l->next_ms) {
        /* the grid of -G is kept also when a turn was late */
        r->file_ms += (now - r->file_ms) / l->next_ms * l->next_ms;
        r->slot = 0;
        if (r->o->seconds) r->seq = 0; /* each name that the time gives counts from the start, as in tcpdump */
        next_file(r);
    } else if (l->next_interval_s && interval_slot(r, clock_wall_ns() / 1000000000) != r->interval_s) {
        next_file(r);
    }
    if (l->stop_ms && now >= r->started_ms + l->stop_ms) r->stop = true;
    if (totals_asked) {
        totals_asked = 0;
        tell_totals(r, true);
    }
    show_count(r, now);
}

static void flush_idle(struct run *r) {
    int code = r->w ? capwrite_flush(r->w) : OK;
    if (code < 0) write_failed(r, code);
    if (r->view && r->view->idle && r->view->idle(r->view->to) < 0) r->stop = true;
}

static void write_packet(struct run *r, const struct packet *pkt) {
    const struct capture_limits *l = r->limits;
    if ((l->next_bytes && capwrite_size(r->w) > (uint64_t)l->next_bytes) ||
        (l->next_packets && r->file_packets >= (uint64_t)l->next_packets)) {
        next_file(r);
        if (l->next_ms && r->o->ring.n) r->file_ms = clock_ms();
    }
    if (!r->w) return;
    int code = capwrite_packet(r->w, pkt);
    if (code == OK && r->o->each_packet) code = capwrite_flush(r->w);
    if (code < 0) {
        write_failed(r, code);
        return;
    }
    r->packets++;
    r->file_packets++;
    if (l->stop_bytes && !l->next_bytes && capwrite_size(r->w) > (uint64_t)l->stop_bytes) r->stop = true;
}

static void take_packet(struct run *r, const struct packet *pkt) {
    if (r->o->file) {
        write_packet(r, pkt);
    } else {
        r->packets++;
        if (r->view->packet(r->view->to, pkt) < 0) r->stop = true;
        if (r->o->lines && r->view->idle) (void)r->view->idle(r->view->to);
    }
    if (r->limits->stop_packets && r->packets >= (uint64_t)r->limits->stop_packets) r->stop = true;
}

static void turn(struct run *r) {
    struct packet pkt;
    int64_t now = clock_ms();
    int code = live_next(r->live, &pkt, 0);
    if (code == LIVE_NOTHING) {
        if (now - r->flushed_ms >= FLUSH_MS || !r->o->file || r->fd == STDOUT_FILENO) {
            flush_idle(r);
            r->flushed_ms = now;
        }
        code = live_next(r->live, &pkt, (int)next_point(r, now));
        now = clock_ms();
    }
    keep_time(r, now);
    if (code < 0) fail(r, "capturing stopped", live_why(r->live));
    if (code == OK && !r->stop) take_packet(r, &pkt);
}

/* drain takes what the kernel still holds of the time before the stop. */
static void drain(struct run *r) {
    struct packet pkt;
    live_end(r->live);
    for (r->stop = false; !r->stop;) {
        int code = live_next(r->live, &pkt, WAIT_MS);
        if (code < 0) break;
        if (code == OK) take_packet(r, &pkt);
    }
}

static void loop(struct run *r) {
    while (!r->stop && !stop_asked) turn(r);
    bool full = r->limits->stop_packets && r->packets >= (uint64_t)r->limits->stop_packets;
    if (r->status == EXIT_FINE && !full && (r->w || !r->o->file)) drain(r);
    r->stop = true;
}

static void open_names(struct run *r) {
    const char *to = r->limits->print_names;
    if (!to) return;
    r->names = !strcmp(to, "stdout") ? stdout : !strcmp(to, "stderr") ? stderr : fopen(to, "we");
    if (!r->names) fail(r, to, strerror(errno));
}

static void start_clock(struct run *r) {
    r->started_ms = r->file_ms = r->flushed_ms = r->shown_ms = clock_ms();
    r->counting = r->o->file && !r->o->quiet && (r->o->verbose || isatty(STDERR_FILENO));
}

int capture_run(const struct capture_opts *o, const struct capture_limits *limits, struct live *live,
                struct savefiles *files, const struct capture_view *view) {
    struct run *r = calloc(1, sizeof *r);
    if (!r) return EXIT_TROUBLE;
    *r = (struct run){.o = o, .limits = limits, .live = live, .files = files, .view = view, .fd = -1};
    (void)capture_format(o, &r->format);
    if (limits->keep_files && !limits->wrap) r->old = calloc(limits->keep_files, sizeof *r->old);
    start_clock(r);
    open_names(r);
    if (limits->keep_files && !limits->wrap && !r->old) fail(r, o->file, err_text(ERR_NOMEM));
    if (o->file && !r->stop) begin_file(r);
    if (!r->stop) loop(r);
    end_file(r);
    if (view && view->end) view->end(view->to);
    if (r->counting) fputc('\r', stderr);
    tell_totals(r, false);
    int status = r->status;
    if (r->names && r->names != stdout && r->names != stderr) fclose(r->names);
    free(r->old);
    free(r);
    return status;
}
