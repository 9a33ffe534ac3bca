/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/web_read.h"
#include "serve/web_keys.h"
#include "view/view.h"
#include <stdlib.h>

static bool enter(struct web *s) {
    if (atomic_fetch_add(&s->readers, 1) < WEB_READERS_MAX) return true;
    atomic_fetch_sub(&s->readers, 1);
    return false;
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
    if (!r->entered) {
        *status = 503;
        wr_f(why, "%d captures are being read; try again", WEB_READERS_MAX);
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
    *r = (struct web_reading){.web = s, .entered = enter(s)};
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
    if (r) return r;
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
    if (r->entered) atomic_fetch_sub(&r->web->readers, 1);
    free(r);
}

const struct decode *web_reading_next(struct web_reading *r) {
    struct packet *p = &r->packet;
    if (r->rc == OK) r->rc = atomic_load(&r->web->stopping) ? ERR_END : capfile_next(r->file, p);
    if (r->rc != OK) return NULL;
    if (!r->packets++) r->begin = p->has_ts ? p->ts : 0;
    return dissector_packet(&r->ds, p);
}

void web_reading_rest(struct web_reading *r) {
    if (r->entered) atomic_fetch_sub(&r->web->readers, 1);
    r->entered = false;
}

bool web_reading_wake(struct web_reading *r) {
    if (!r->entered && !enter(r->web)) return false;
    r->entered = true;
    r->rc = capfile_resume(r->file);
    return r->rc == OK;
}

void web_reading_note(struct writer *w, const struct web_reading *r) {
    if (r->rc == OK || r->rc == ERR_END) return;
    const char *why = capfile_why(r->file), *reason = strstr(why, ": ");
    wr_s(w, ",\"damaged\":");
    json_text(w, slice_str(reason ? reason + 2 : why));
}
