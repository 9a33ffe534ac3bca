/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/web/web_read.h"
#include "serve/web/web_keys.h"
#include "view/view.h"
#include <stdlib.h>
#include <time.h>

enum { WAIT_NS = 5000000, PATIENCE = 400, WATCH_EVERY = 4096 };

static bool place_take(atomic_int *taken, int most) {
    if (atomic_fetch_add(taken, 1) < most) return true;
    atomic_fetch_sub(taken, 1);
    return false;
}

static bool enter(struct web_reading *r) {
    if (!r->entered) r->entered = place_take(&r->web->readers, WEB_READERS_MAX);
    return r->entered;
}

static bool begin(struct web_reading *r) {
    if (!r->counted) r->counted = place_take(&r->web->readings, WEB_READINGS_MAX);
    return r->counted && enter(r);
}

/* wait_set sets how long the client may take nothing; while we work for it that does not count (0). */
static void wait_set(const struct web_reading *r, unsigned seconds) {
    if (r->c) mhd.set_connection_option(r->c, MHD_CONNECTION_OPTION_TIMEOUT, seconds);
}

void web_reading_pause(struct web_reading *r) {
    wait_set(r, WEB_SLOW_S);
    if (r->entered) atomic_fetch_sub(&r->web->readers, 1);
    r->entered = false;
}

/* begin_soon waits a moment for a place. */
static bool begin_soon(struct web_reading *r) {
    for (int i = 0; i < PATIENCE && !begin(r) && !atomic_load(&r->web->stopping); i++)
        nanosleep(&(struct timespec){.tv_nsec = WAIT_NS}, NULL);
    return r->entered;
}

bool web_reading_go_on(struct web_reading *r) {
    wait_set(r, 0);
    while (!begin(r) && !atomic_load(&r->web->stopping)) nanosleep(&(struct timespec){.tv_nsec = WAIT_NS}, NULL);
    return r->entered;
}

#define SECRETS_TLS_LOG 0x544c534bu /* "TLSK" */

static void secrets_take(void *to, uint32_t type, struct slice bytes) {
    struct web_reading *r = to;
    if (type == SECRETS_TLS_LOG) tls_keys_log(&r->keys, bytes, TLS_FROM_CAPTURE, true);
}

/* secrets_seek: those of the capture may stand behind the packets that need them. */
static void secrets_seek(void *to) {
    struct web_reading *r = to;
    if (r->path) capfile_secrets(r->path, secrets_take, r);
    free(r->path);
    r->path = NULL;
}

static void keys_begin(struct web_reading *r, const char *path) {
    capfile_on_secrets(r->file, secrets_take, r);
    r->path = strdup(path);
    r->keys.more = secrets_seek;
    r->keys.more_to = r;
    web_keys_load(r->web, path, &r->keys);
    r->ds.driver.d.tls_keys = &r->keys;
}

static void open_file(struct web_reading *r, const char *path, const struct want *want, unsigned *status,
                      struct writer *why) {
    char text[512];
    struct writer t = wr_fixed(text, sizeof text - 1);
    if (!begin_soon(r)) {
        *status = 503;
        wr_s(why, "too many captures are being read; try again");
    } else if ((r->made = true) && dissector_make(&r->ds, want)) {
        *status = 500;
        wr_s(why, "out of memory");
    } else if (capfile_open(&r->file, path, &t)) {
        *t.p = 0;
        const char *reason = strstr(text, ": "); /* where it lies is nobody's business */
        *status = 422;
        wr_f(why, "the capture cannot be read: %s", reason ? reason + 2 : text);
    } else {
        keys_begin(r, path);
        *status = 200;
    }
}

struct web_reading *web_reading_begin(struct web *s, const char *path, const struct want *want, unsigned *status,
                                      struct writer *why) {
    struct web_reading *r = calloc(1, sizeof *r);
    *status = 500;
    if (!r) return wr_s(why, "out of memory"), NULL;
    r->web = s;
    tls_keys_make(&r->keys);
    open_file(r, path, want, status, why);
    if (*status == 200) return r;
    web_reading_close(r);
    return NULL;
}

struct web_reading *web_reading_open(struct web_request *q, const char *path, const struct want *want) {
    char text[512];
    unsigned status;
    struct writer why = wr_fixed(text, sizeof text - 1);
    struct web_reading *r = web_reading_begin(q->web, path, want, &status, &why);
    if (r) {
        r->c = q->c;
        r->q = q->job ? q : NULL;
        return r;
    }
    *why.p = 0;
    web_problem(q, status, "%s", text);
    return NULL;
}

void web_reading_close(struct web_reading *r) {
    if (!r) return;
    capfile_close(r->file);
    if (r->made) dissector_free(&r->ds);
    tls_keys_free(&r->keys);
    free(r->path);
    web_reading_rest(r);
    free(r);
}

/* watch ends a reading nobody waits for, and tells how far it is. */
static void watch(struct web_reading *r) {
    if (!r->q) return;
    web_job_note(r->q->job, r->file, r->packets);
    if (web_gone_away(r->q)) r->rc = ERR_END;
}

const struct decode *web_reading_next(struct web_reading *r) {
    struct packet *p = &r->packet;
    if (r->packets % WATCH_EVERY == WATCH_EVERY - 1 && r->rc == OK) watch(r);
    if (r->rc == OK) r->rc = atomic_load(&r->web->stopping) ? ERR_END : capfile_next(r->file, p);
    if (r->rc != OK) return NULL;
    if (!r->packets++) r->begin = p->has_ts ? p->ts : 0;
    return dissector_packet(&r->ds, p);
}

void web_reading_rest(struct web_reading *r) {
    if (r->entered) atomic_fetch_sub(&r->web->readers, 1);
    r->entered = false;
    if (r->counted) atomic_fetch_sub(&r->web->readings, 1);
    r->counted = false;
}

bool web_reading_wake(struct web_reading *r) {
    if (!begin(r)) return false;
    r->rc = capfile_resume(r->file);
    return r->rc == OK;
}

void web_reading_note(struct writer *w, const struct web_reading *r) {
    if (r->rc == OK || r->rc == ERR_END) return;
    const char *why = capfile_why(r->file), *reason = strstr(why, ": ");
    wr_s(w, ",\"damaged\":");
    json_text(w, slice_str(reason ? reason + 2 : why));
}
