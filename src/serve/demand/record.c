/* SPDX-License-Identifier: Apache-2.0 */
/* Theory of operation: a recorder is a process with one interface, one file and one socket to the server. It opens the
 * interface, gives up what let it do so, sets the filter, and copies packets until the time is over, a limit is
 * reached, the server says stop, or the server is gone: then the file is ended properly all the same. What decodes
 * packets (to find a client's conversations, to redact) happens here, so hostile traffic meets a process that has
 * nothing.
 *
 * After an end by clock or by word the packets the kernel still holds from before it are taken. The file is flushed at
 * least every FLUSH_MS, so that it can be read while it grows; only whole records are ever left in it. */
#include "serve/demand/record.h"
#include "analyse/redact.h"
#include "base/clock.h"
#include "io/capture/capwrite.h"
#include "io/capture/live.h"
#include "serve/demand/record_client.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WAIT_MS = 100, FLUSH_MS = 500, BUFFER_KIB = 4096 };

struct recorder {
    const struct record_order *o;
    int file, reports;
    struct live *live;
    struct capwrite *w;
    struct dissector ds;
    bool decodes, over, gone; /* gone: nobody listens any more */
    struct redact redact;
    struct client_filter *client;
    uint8_t *bytes; /* of the packet being redacted */
    int64_t begun_ns, until_ms, flushed_ms;
    uint64_t packets;         /* written; those in a report have reached the file */
    struct record_report now; /* what a report would say */
};

bool record_order_fine(const struct record_order *o) {
    return memchr(o->interface, 0, sizeof o->interface) && o->interface[0] && memchr(o->filter, 0, sizeof o->filter) &&
           o->client_n <= RECORD_CLIENT_MAX && o->seconds && o->seconds <= RECORD_SECONDS_MAX &&
           o->snaplen <= RECORD_SNAPLEN_MAX && o->redact <= REDACT_ALL;
}

static void report(struct recorder *r) {
    if (!r->gone && send(r->reports, &r->now, sizeof r->now, MSG_NOSIGNAL) < 0) r->gone = true;
}

static void end(struct recorder *r, enum record_state state, const char *reason) {
    if (r->over) return;
    r->over = true;
    r->now.state = state;
    snprintf(r->now.reason, sizeof r->now.reason, "%s", reason);
}

static void fail(struct recorder *r, int code, const char *what) {
    char text[RECORD_REASON_MAX + 1];
    int e = errno;
    if (code == ERR_LIMIT)
        snprintf(text, sizeof text, "no space left on the disk; the file is valid up to its last packet");
    else snprintf(text, sizeof text, "%s: %s", what, code == ERR_IO && e ? strerror(e) : err_text(code));
    end(r, RECORD_FAILED, text);
}

/* ---- packets ---- */

static int write_packet(void *to, const struct packet *p) {
    struct recorder *r = to;
    uint64_t size = capwrite_size(r->w);
    if (r->o->max_bytes && size + p->data.n + 64 > r->o->max_bytes) {
        end(r, RECORD_DONE, "the file reached its largest size");
        return OK;
    }
    if (r->o->room && size + p->data.n + 64 > r->o->room) {
        end(r, RECORD_FAILED, "the quota of the folder is used up");
        return OK;
    }
    int rc = capwrite_packet(r->w, p);
    if (rc == OK) r->packets++;
    return rc;
}

static int take_packet(struct recorder *r, struct packet *p) {
    if (!r->decodes) return write_packet(r, p);
    const struct decode *d = dissector_packet(&r->ds, p);
    if (r->o->redact) {
        if (p->data.n) memcpy(r->bytes, p->data.p, p->data.n);
        redact_packet(&r->redact, d, r->bytes);
        p->data.p = r->bytes;
    }
    return r->client ? client_filter_packet(r->client, d, p) : write_packet(r, p);
}

/* listen_word sees whether the server says stop or is gone. */
static void listen_word(struct recorder *r) {
    char word;
    ssize_t n = recv(r->reports, &word, 1, MSG_DONTWAIT);
    if (n == 1) end(r, RECORD_STOPPED, "it was stopped");
    else if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) end(r, RECORD_STOPPED, "the server ended");
}

static void flush(struct recorder *r) {
    bool news = r->packets != r->now.packets;
    int rc = capwrite_flush(r->w);
    r->flushed_ms = clock_ms();
    if (rc < 0) {
        fail(r, rc, "the file cannot be written");
        return;
    }
    r->now.packets = r->packets;
    r->now.bytes = capwrite_size(r->w);
    if (news && !r->over) report(r);
}

static void keep_time(struct recorder *r) {
    int64_t now = clock_ms();
    listen_word(r);
    if (now >= r->until_ms) end(r, RECORD_DONE, "");
    if (now - r->flushed_ms >= FLUSH_MS) flush(r);
}

/* copy takes packets until the end. What else there is to do waits for a moment without packets, but not for long: they
 * may come one by one, and never so late that there is such a moment. */
static void copy(struct recorder *r) {
    struct packet p;
    for (int64_t looked = 0; !r->over;) {
        int64_t now = clock_ms(), left = r->until_ms - now;
        int rc = live_next(r->live, &p, left < 0 ? 0 : left < WAIT_MS ? (int)left : WAIT_MS);
        if (rc == OK && (rc = take_packet(r, &p)) < 0) fail(r, rc, "the file cannot be written");
        else if (rc < 0 && !r->over) end(r, RECORD_FAILED, live_why(r->live));
        if (rc != LIVE_NOTHING && now - looked < WAIT_MS && left > 0) continue;
        keep_time(r);
        looked = now;
    }
}

static void drain(struct recorder *r) {
    struct packet p;
    uint32_t state = r->now.state;
    if (state == RECORD_FAILED || (state == RECORD_DONE && r->now.reason[0])) return; /* there is no room */
    live_end(r->live);
    for (int rc; (rc = live_next(r->live, &p, WAIT_MS)) >= 0;) {
        if (rc == OK && (rc = take_packet(r, &p)) < 0) {
            r->over = false; /* the end it was to have is not what it gets */
            fail(r, rc, "the file cannot be written");
            return;
        }
    }
}

/* ---- life ---- */

static int counts_write(struct recorder *r) {
    struct live_counts c;
    if (live_counts(r->live, &c) < 0) return OK;
    r->now.dropped = c.dropped + c.dropped_by_interface;
    struct capwrite_counts counts = {.start = r->begun_ns,
                                     .end = clock_wall_ns(),
                                     .received = c.received,
                                     .accepted = c.received,
                                     .dropped_kernel = c.dropped,
                                     .dropped_interface = c.dropped_by_interface,
                                     .delivered = r->packets};
    return capwrite_counts(r->w, live_interface(r->live), &counts);
}

static void close_file(struct recorder *r) {
    struct record_report last = r->now;
    r->now.state = RECORD_CLOSING;
    report(r);
    r->now.state = last.state;
    int rc = counts_write(r);
    r->now.bytes = capwrite_size(r->w);
    int closed = capwrite_close(r->w);
    if (rc == OK) rc = closed;
    if (rc == OK) r->now.packets = r->packets;
    if (rc == OK && fsync(r->file) < 0 && errno != EINVAL) rc = ERR_IO;
    if (rc < 0 && last.state != RECORD_FAILED) {
        r->over = false;
        fail(r, rc, "the file cannot be written");
    }
    struct stat st; /* at a full disk it was cut back */
    if (fstat(r->file, &st) == 0) r->now.bytes = (uint64_t)st.st_size;
}

static bool decoders_make(struct recorder *r) {
    const struct record_order *o = r->o;
    struct want want = {0};
    r->decodes = o->redact || o->client_n;
    if (!r->decodes) return true;
    r->redact = (struct redact){.what = o->redact, .secret = hash_key_random()};
    if (o->redact) redact_want(&r->redact, &want);
    if (o->client_n) client_filter_want(&want);
    if (o->client_n && !(r->client = client_filter_make(slice_of(o->client, o->client_n), write_packet, r)))
        return false;
    if (o->redact && !(r->bytes = malloc(RECORD_SNAPLEN_MAX))) return false;
    return dissector_make(&r->ds, &want) == OK;
}

/* open_interface opens it, and then has no more right than anybody. */
static bool open_interface(struct recorder *r, bool (*drop)(void *to), void *to) {
    char text[RECORD_REASON_MAX + 1] = "";
    struct writer why = wr_fixed(text, sizeof text - 1);
    struct live_config c = {.device = r->o->interface, .snaplen = (int)r->o->snaplen, .buffer_kib = BUFFER_KIB};
    int rc = live_open(&r->live, &c, &why);
    if (!drop(to)) {
        end(r, RECORD_FAILED, "privileges cannot be given up");
        return false;
    }
    if (rc == OK) rc = live_filter(r->live, r->o->filter, &why);
    *why.p = 0;
    if (rc < 0) end(r, RECORD_FAILED, *text ? text : err_text(rc));
    return rc == OK;
}

static bool begin(struct recorder *r) {
    r->begun_ns = clock_wall_ns();
    if (!decoders_make(r)) return fail(r, ERR_NOMEM, "it cannot begin"), false;
    int rc = capwrite_open(&r->w, r->file, CAPWRITE_PCAPNG, live_interface(r->live));
    if (rc == OK) rc = capwrite_flush(r->w);
    if (rc < 0) return fail(r, rc, "the file cannot be written"), false;
    r->until_ms = clock_ms() + (int64_t)r->o->seconds * 1000;
    r->now.state = RECORD_CAPTURING;
    r->now.bytes = capwrite_size(r->w);
    report(r);
    return true;
}

void record_run(const struct record_order *o, int file, int reports, bool (*drop)(void *to), void *to) {
    struct recorder *r = calloc(1, sizeof *r);
    if (!r) return;
    *r = (struct recorder){.o = o, .file = file, .reports = reports, .now.state = RECORD_BEGUN};
    report(r);
    if (open_interface(r, drop, to) && begin(r)) {
        copy(r);
        drain(r);
    }
    if (r->w) close_file(r);
    report(r);
    client_filter_free(r->client);
    if (r->decodes) dissector_free(&r->ds);
    if (r->live) live_close(r->live);
    free(r->bytes);
    free(r);
}
