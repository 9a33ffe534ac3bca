/* SPDX-License-Identifier: Apache-2.0 */
/* Theory of operation: a file is read as fast as it goes. An interface is asked without waiting; when it has nothing
 * the caller hears FEED_IDLE once, and the call after that waits, in slices of WAIT_MS so that clock and signals are
 * seen. After a stop, packets of before the stop that the kernel still holds are handed out. */
#include "app/feed.h"
#include "base/clock.h"
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { WAIT_MS = 200, PROGRESS_EVERY = 1 << 12 /* packets */, PROGRESS_FIRST_MS = 1000, PROGRESS_MS = 250 };

static volatile sig_atomic_t stopped;
static int nothing_fd = -1; /* /dev/null */

/* A read of standard input may be under way and would go on after the signal: it finds the end instead. */
static void on_stop(int signal_number) {
    (void)signal_number;
    stopped = 1;
    if (nothing_fd >= 0) (void)dup2(nothing_fd, STDIN_FILENO);
}

void feed_watch_signals(const struct feed *f) {
    struct sigaction stop = {.sa_handler = on_stop}, hup;
    if (f->file && nothing_fd < 0) nothing_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    sigaction(SIGINT, &stop, NULL);
    if (f->file) return;
    sigaction(SIGTERM, &stop, NULL);
    /* nohup has set SIGHUP to be ignored: it stays so */
    if (sigaction(SIGHUP, NULL, &hup) == 0 && hup.sa_handler != SIG_IGN) sigaction(SIGHUP, &stop, NULL);
}

int feed_open_file(struct feed *f, const char *path, struct writer *why) { return capfile_open(&f->file, path, why); }

int feed_open_live(struct feed *f, const struct live_config *config, struct writer *why) {
    f->began_ms = clock_ms();
    int rc = live_open(&f->live, config, why);
    if (rc == OK) feed_watch_signals(f); /* before anybody is told that packets are captured, and sends one */
    return rc;
}

static int next_live(struct feed *f, struct packet *pkt) {
    int64_t left = f->stop_ms ? f->began_ms + f->stop_ms - clock_ms() : WAIT_MS;
    bool over = stopped || left <= 0;
    if (over) live_end(f->live);
    int rc = live_next(f->live, pkt, !f->idle ? 0 : over || left > WAIT_MS ? WAIT_MS : (int)left);
    f->idle = rc == LIVE_NOTHING;
    return rc == LIVE_NOTHING ? FEED_IDLE : rc;
}

/* show_next keeps the driver AHEAD_STEPS packets ahead of the present one; after a refill of the buffer in one go. */
static void show_next(struct feed *f, const struct packet *present) {
    struct slice frame;
    if (!driver_ahead_pays(f->driver)) {
        f->ahead = 0;
        return;
    }
    if (f->ahead) f->ahead--;
    for (; f->ahead < AHEAD_STEPS && capfile_ahead(f->file, &frame); f->ahead++)
        driver_ahead(f->driver, present->iface->linktype, frame);
}

void feed_progress(struct feed *f, bool lines) {
    f->began_ms = clock_ms();
    f->progress = f->file && capfile_size(f->file) && isatty(STDERR_FILENO) && !(lines && isatty(STDOUT_FILENO));
}

static void progress_show(struct feed *f) {
    int64_t now = clock_ms();
    if (now - f->began_ms < PROGRESS_FIRST_MS || now < f->progress_ms) return;
    f->progress_ms = now + PROGRESS_MS;
    double seconds = (double)(now - f->began_ms) / 1000;
    uint64_t done = capfile_done(f->file), size = capfile_size(f->file);
    double rate = (double)done / seconds;
    fprintf(stderr, "\r%llu %s, %.0f of %.0f MB (%.0f %%), %.0f MB/s, %.0f s left\033[K",
            (unsigned long long)f->packets, plural(f->packets, "packet", "packets"), (double)done / 1e6,
            (double)size / 1e6, 100 * (double)done / (double)size, rate / 1e6, (double)(size - done) / rate);
    f->progress_shown = true;
}

static void progress_end(struct feed *f) {
    if (f->progress_shown) fputs("\r\033[K", stderr);
    f->progress_shown = false;
}

int feed_next(struct feed *f, struct packet *pkt) {
    if (f->live) return next_live(f, pkt);
    int rc = stopped ? ERR_END : capfile_next(f->file, pkt);
    if (f->driver && rc == OK) show_next(f, pkt);
    if (f->progress && rc == OK && ++f->packets % PROGRESS_EVERY == 0) progress_show(f);
    if (rc != OK) progress_end(f);
    return stopped && rc < 0 ? ERR_END : rc; /* cut off by us, not damaged */
}

const char *feed_why(const struct feed *f) { return f->live ? live_why(f->live) : capfile_why(f->file); }

void feed_close(struct feed *f) {
    progress_end(f);
    capfile_close(f->file);
    live_close(f->live);
    f->file = NULL;
    f->live = NULL;
}
