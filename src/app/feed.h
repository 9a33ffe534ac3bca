/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_APP_FEED_H
#define WEIR_APP_FEED_H

#include "flow/layer.h"
#include "io/capture/capfile.h"
#include "io/capture/live.h"

/* feed is where packets come from: a capture file, standard input, or an interface. */
struct feed {
    struct capfile *file; /* one of these two */
    struct live *live;
    struct driver *driver; /* who is shown the packets that come next; NULL: nobody */
    unsigned ahead;        /* packets it was shown and that are still to come */
    bool progress;         /* it is told on a terminal how far the file was read */
    bool progress_shown;
    int64_t progress_ms; /* the line is not shown again before that */
    uint64_t packets;    /* handed out */
    int64_t stop_ms;     /* end so long after the start (interface only); 0: never */
    int64_t began_ms;    /* monotonic, of an interface or a told progress */
    bool idle;           /* FEED_IDLE was said, and no packet has come since */
};

enum { FEED_IDLE = 1 }; /* feed_next: no packet is waiting; what was collected may be handed on */

/* feed_open_file and feed_open_live begin; on failure a negative code and a one-line reason in why. */
int feed_open_file(struct feed *f, const char *path, struct writer *why) MUST_USE;
int feed_open_live(struct feed *f, const struct live_config *config, struct writer *why) MUST_USE;
/* feed_next gives the next packet, which lives until the next call: OK, FEED_IDLE, ERR_END, or an error (feed_why).
 * A packet of an interface may take a while; Ctrl-C and SIGTERM make it ERR_END after those that came before. */
int feed_next(struct feed *f, struct packet *pkt) MUST_USE;
/* feed_progress: a file that takes longer than a second tells on standard error, where that is a terminal, how far it
 * is; the line is gone at the end. Not where lines of the output would stand between: `lines` says that standard output
 * gets them while packets are read. */
void feed_progress(struct feed *f, bool lines);
/* feed_ahead makes the feed show coming packets to the driver, which is then faster; the driver must live as long. */
static inline void feed_ahead(struct feed *f, struct driver *dr) { f->driver = dr; }
const char *feed_why(const struct feed *f);
void feed_close(struct feed *f);

/* feed_watch_signals makes Ctrl-C (and, for an interface, SIGTERM and SIGHUP) end the feed instead of the program. */
void feed_watch_signals(const struct feed *f);

#endif
