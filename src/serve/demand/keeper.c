/* SPDX-License-Identifier: Apache-2.0 */
/* Theory of operation: captures under way have a slot here, all others are in the store alone. One thread follows the
 * reports of the recorders, writes changes of state to the store, and once a second looks after quota and expiry. A
 * slot is free again when the last state is written down: where the disk is full that is tried again every second.
 *
 * What a former server left in a state that is not final is taken over at the start (`rescue`): its recorder ended the
 * file properly when that server went away, which is waited for through the lock the file has as long as somebody
 * writes; then packets are counted and the capture is STOPPED.
 *
 * Locks: `lock` guards the slots; the store has its own, and is called with `lock` held, never the other way round. */
#include "serve/demand/keeper.h"
#include "base/clock.h"
#include "io/capture/capfile.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    TURN_MS = 1000,
    STOP_WAIT_MS = 10000, /* how long a request waits for the last state: a disk may be slow */
    SILENCE_MS = 15000,   /* a recorder that is overdue by that much is given up */
    RESCUE_WAIT_MS = 5000,
    EXPIRE_BATCH = 64,
    PATH_BYTES = 4096,
};

struct slot {
    bool used, dirty;
    int reports;         /* -1: closed */
    const char *verdict; /* what a stop means, where not the one who asked wanted it */
    bool failed;         /* the verdict is FAILED */
    int64_t due_ms;      /* monotonic: when it is to be over at the latest */
    uint64_t version;
    struct session s;
};

struct keeper {
    struct keeper_plan plan;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t thread, rescuer;
    int wake[2];
    atomic_bool stopping;
    uint64_t version;
    struct slot slot[SESSIONS_ACTIVE_MAX];
};

static int64_t wall_ms(void) { return clock_wall_ns() / 1000000; }

static bool file_path(const struct keeper *k, const char *file, char path[PATH_BYTES]) {
    return *file && snprintf(path, PATH_BYTES, "%s/%s", k->plan.dir, file) < PATH_BYTES;
}

static void file_remove(const struct keeper *k, const char *file) {
    char path[PATH_BYTES];
    if (file_path(k, file, path) && unlink(path) == 0) k->plan.removed(k->plan.to, path);
}

/* ---- slots; `lock` is held ---- */

static struct slot *slot_of(struct keeper *k, const char *id) {
    for (size_t i = 0; i < SESSIONS_ACTIVE_MAX; i++)
        if (k->slot[i].used && strcmp(k->slot[i].s.id, id) == 0) return &k->slot[i];
    return NULL;
}

/* write_down stores a slot's session, and frees the slot when it is over. */
static void write_down(struct keeper *k, struct slot *t) {
    t->dirty = store_session_put(k->plan.store, &t->s) < 0;
    if (!t->dirty && session_is_final(t->s.state)) t->used = false;
}

static void tell(struct keeper *k, struct slot *t) {
    t->version = ++k->version;
    pthread_cond_broadcast(&k->changed);
}

static void finish(struct keeper *k, struct slot *t, enum session_state state, const char *reason) {
    if (t->reports >= 0) close(t->reports);
    t->reports = -1;
    t->s.state = state;
    t->s.ended = wall_ms();
    snprintf(t->s.reason, sizeof t->s.reason, "%s", reason);
    if (!t->s.bytes) { /* nothing that could be called a capture */
        file_remove(k, t->s.file);
        t->s.file[0] = 0;
    }
    write_down(k, t);
    tell(k, t);
}

static void stop_word(struct slot *t, const char *verdict, bool failed) {
    if (t->verdict) return;
    t->verdict = verdict;
    t->failed = failed;
    t->due_ms = clock_ms() + SILENCE_MS;
    (void)!send(t->reports, "s", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* ---- reports ---- */

static void report_take(struct keeper *k, struct slot *t, const struct record_report *r) {
    static const enum session_state states[] = {
        [RECORD_BEGUN] = SESSION_ACCEPTED,          [RECORD_CAPTURING] = SESSION_CAPTURING,
        [RECORD_CLOSING] = SESSION_POST_PROCESSING, [RECORD_DONE] = SESSION_DONE,
        [RECORD_STOPPED] = SESSION_STOPPED,         [RECORD_FAILED] = SESSION_FAILED};
    enum session_state state = states[r->state];
    t->s.packets = r->packets;
    t->s.bytes = r->bytes;
    t->s.dropped = r->dropped;
    if (state == SESSION_CAPTURING && !t->s.started) t->s.started = wall_ms();
    if (state == SESSION_STOPPED && t->failed) finish(k, t, SESSION_FAILED, t->verdict);
    else if (session_is_final(state))
        finish(k, t, state, state == SESSION_STOPPED && t->verdict ? t->verdict : r->reason);
    else {
        bool changed = state != t->s.state;
        t->s.state = state;
        if (changed) write_down(k, t);
        tell(k, t);
    }
}

/* recorder_lost: it ended without a last word. What it wrote is whole records. */
static void recorder_lost(struct keeper *k, struct slot *t, const char *why) {
    char path[PATH_BYTES];
    struct stat st;
    if (file_path(k, t->s.file, path) && stat(path, &st) == 0) t->s.bytes = (uint64_t)st.st_size;
    finish(k, t, SESSION_FAILED, why);
}

static void reports_read(struct keeper *k, struct slot *t) {
    struct record_report r;
    while (t->reports >= 0) {
        ssize_t n = recv(t->reports, &r, sizeof r, MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
        r.reason[RECORD_REASON_MAX] = 0;
        if (n == sizeof r && r.state <= RECORD_FAILED) report_take(k, t, &r);
        else recorder_lost(k, t, "the process that recorded it ended unexpectedly");
    }
}

/* ---- once a second ---- */

static void look_after(struct keeper *k, uint64_t used) {
    int64_t now = clock_ms();
    for (size_t i = 0; i < SESSIONS_ACTIVE_MAX; i++) {
        struct slot *t = &k->slot[i];
        if (!t->used) continue;
        if (t->dirty) write_down(k, t);
        if (!t->used || t->reports < 0) continue;
        if (now > t->due_ms) recorder_lost(k, t, "the process that recorded it did not answer");
        else if (k->plan.quota && used >= k->plan.quota) stop_word(t, "the quota of the folder is used up", true);
    }
}

struct batch {
    unsigned n;
    char id[EXPIRE_BATCH][SESSION_ID + 1], file[EXPIRE_BATCH][SESSION_NAME_MAX + 1];
};

static void batch_take(void *to, const struct session *x) {
    struct batch *b = to;
    if (b->n == EXPIRE_BATCH) return;
    memcpy(b->id[b->n], x->id, sizeof x->id);
    memcpy(b->file[b->n++], x->file, sizeof x->file);
}

static void expire(struct keeper *k) {
    struct batch b = {0};
    struct store_query q = {.ended_before = wall_ms() - k->plan.expiry_ms, .limit = EXPIRE_BATCH};
    if (!k->plan.expiry_ms || store_sessions(k->plan.store, &q, batch_take, &b) < 0) return;
    for (unsigned i = 0; i < b.n; i++) {
        char path[64];
        file_remove(k, b.file[i]);
        (void)!store_session_remove(k->plan.store, b.id[i]);
        snprintf(path, sizeof path, "/v1/sessions/%s", b.id[i]);
        struct store_action a = {.at = wall_ms(), .who = "expiry", .from = "", .method = "DELETE", .path = path};
        (void)store_audit_add(k->plan.store, &a);
    }
}

static void *keeper_live(void *to) {
    struct keeper *k = to;
    struct pollfd p[SESSIONS_ACTIVE_MAX + 1];
    int64_t looked = 0;
    while (!atomic_load(&k->stopping) || keeper_active(k)) {
        nfds_t n = 0;
        p[n++] = (struct pollfd){.fd = k->wake[0], .events = POLLIN};
        pthread_mutex_lock(&k->lock);
        for (size_t i = 0; i < SESSIONS_ACTIVE_MAX; i++)
            if (k->slot[i].used && k->slot[i].reports >= 0)
                p[n++] = (struct pollfd){.fd = k->slot[i].reports, .events = POLLIN};
        pthread_mutex_unlock(&k->lock);
        poll(p, n, TURN_MS);
        if (p[0].revents) (void)!read(k->wake[0], (char[64]){0}, 64);
        bool second = clock_ms() - looked >= TURN_MS;
        uint64_t used = second && k->plan.quota ? k->plan.used(k->plan.to) : 0;
        pthread_mutex_lock(&k->lock);
        for (size_t i = 0; i < SESSIONS_ACTIVE_MAX; i++)
            if (k->slot[i].used) reports_read(k, &k->slot[i]);
        if (second) look_after(k, used);
        pthread_mutex_unlock(&k->lock);
        if (second) expire(k);
        if (second && k->plan.expiry_ms) k->plan.expire(k->plan.to);
        if (second) looked = clock_ms();
    }
    return NULL;
}

static void wake(struct keeper *k) { (void)!write(k->wake[1], "w", 1); }

/* ---- what a former server left ---- */

/* file_count waits until nobody writes the file, then counts; false where it is no capture. */
static bool file_count(struct keeper *k, const char *path, uint64_t *packets, uint64_t *bytes) {
    char text[256];
    struct writer why = wr_fixed(text, sizeof text);
    struct capfile *file = NULL;
    struct packet p;
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) return false;
    for (int ms = 0; flock(fd, LOCK_SH | LOCK_NB) < 0 && ms < RESCUE_WAIT_MS && !atomic_load(&k->stopping); ms += 50)
        nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    bool fine = fstat(fd, &st) == 0 && capfile_open(&file, path, &why) == OK;
    close(fd);
    if (!fine) return false;
    *bytes = (uint64_t)st.st_size;
    for (*packets = 0; !atomic_load(&k->stopping) && capfile_next(file, &p) == OK;) ++*packets;
    capfile_close(file);
    return true;
}

static void rescue_one(struct keeper *k, struct session *x) {
    char path[PATH_BYTES];
    bool valid = file_path(k, x->file, path) && file_count(k, path, &x->packets, &x->bytes);
    if (atomic_load(&k->stopping)) return; /* the next server will find it */
    x->state = valid ? SESSION_STOPPED : SESSION_FAILED;
    x->ended = wall_ms();
    snprintf(x->reason, sizeof x->reason, "%s",
             valid ? "the server ended during the capture" : "the server ended before the capture began");
    if (!valid) {
        file_remove(k, x->file);
        x->file[0] = 0;
    }
    (void)!store_session_put(k->plan.store, x);
}

struct left {
    size_t n;
    struct session *s;
};

static void left_take(void *to, const struct session *x) {
    struct left *l = to;
    if (l->n < SESSIONS_ACTIVE_MAX) l->s[l->n++] = *x;
}

static void *rescue(void *to) {
    struct left *l = ((void **)to)[1];
    struct keeper *k = ((void **)to)[0];
    for (size_t i = 0; i < l->n; i++) rescue_one(k, &l->s[i]);
    free(l->s);
    free(l);
    free(to);
    return NULL;
}

/* rescue_start finds what is unfinished before anything new begins. */
static int rescue_start(struct keeper *k) {
    struct left *l = calloc(1, sizeof *l);
    void **arg = calloc(2, sizeof *arg);
    struct store_query q = {.unfinished = true};
    if (l) l->s = calloc(SESSIONS_ACTIVE_MAX, sizeof *l->s);
    int rc = l && l->s && arg ? store_sessions(k->plan.store, &q, left_take, l) : ERR_NOMEM;
    if (rc == OK) arg[0] = k, arg[1] = l;
    if (rc == OK && pthread_create(&k->rescuer, NULL, rescue, arg) == 0) return OK;
    if (l) free(l->s);
    free(l);
    free(arg);
    return rc == OK ? ERR_NOMEM : rc;
}

/* ---- life ---- */

int keeper_start(struct keeper **out, const struct keeper_plan *plan) {
    struct keeper *k = calloc(1, sizeof *k);
    pthread_condattr_t clock;
    if (!k) return ERR_NOMEM;
    k->plan = *plan;
    pthread_mutex_init(&k->lock, NULL);
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&k->changed, &clock);
    pthread_condattr_destroy(&clock);
    int rc = pipe2(k->wake, O_CLOEXEC | O_NONBLOCK) == 0 ? rescue_start(k) : ERR_IO;
    if (rc == OK && pthread_create(&k->thread, NULL, keeper_live, k) != 0) {
        atomic_store(&k->stopping, true);
        pthread_join(k->rescuer, NULL);
        rc = ERR_NOMEM;
    }
    if (rc < 0) {
        free(k);
        return rc;
    }
    *out = k;
    return OK;
}

void keeper_stop(struct keeper *k) {
    if (!k) return;
    atomic_store(&k->stopping, true);
    pthread_mutex_lock(&k->lock);
    for (size_t i = 0; i < SESSIONS_ACTIVE_MAX; i++)
        if (k->slot[i].used && k->slot[i].reports >= 0) stop_word(&k->slot[i], "the server was stopped", false);
    int64_t until = clock_ms() + STOP_WAIT_MS;
    pthread_mutex_unlock(&k->lock);
    wake(k);
    while (keeper_active(k) && clock_ms() < until) nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    pthread_mutex_lock(&k->lock); /* what did not answer, or could not be written, is found by the next server */
    for (size_t i = 0; i < SESSIONS_ACTIVE_MAX; i++) {
        if (k->slot[i].used && k->slot[i].reports >= 0) close(k->slot[i].reports);
        k->slot[i].used = false;
    }
    pthread_mutex_unlock(&k->lock);
    wake(k);
    pthread_join(k->thread, NULL);
    pthread_join(k->rescuer, NULL);
}

void keeper_free(struct keeper *k) {
    if (!k) return;
    close(k->wake[0]);
    close(k->wake[1]);
    pthread_cond_destroy(&k->changed);
    pthread_mutex_destroy(&k->lock);
    free(k);
}

/* ---- requests ---- */

static bool id_make(char id[SESSION_ID + 1]) {
    uint64_t random;
    if (getrandom(&random, sizeof random, 0) != sizeof random) return false;
    snprintf(id, SESSION_ID + 1, "%011llx%013llx", (unsigned long long)wall_ms(), (unsigned long long)(random >> 12));
    return true;
}

static struct record_order order_of(const struct keeper *k, const struct session *x) {
    struct record_order o = {
        .seconds = x->duration, .snaplen = x->snaplen, .max_bytes = x->max_bytes, .redact = x->redact};
    struct writer w = wr_fixed(o.filter, sizeof o.filter - 1);
    memcpy(o.interface, x->interface, sizeof o.interface);
    device_filter(&x->device, x->filter, &w);
    *w.p = 0;
    if (x->device.kind == DEVICE_CLIENT) {
        o.client_n = (uint16_t)strlen(x->device.text);
        memcpy(o.client, x->device.text, o.client_n);
    }
    uint64_t used = k->plan.quota ? k->plan.used(k->plan.to) : 0;
    if (k->plan.quota) o.room = used < k->plan.quota ? k->plan.quota - used : 1;
    return o;
}

/* begin_slot takes the session into a slot and starts its recorder. */
static int begin_slot(struct keeper *k, struct slot *t, struct session *x, int file) {
    int rc = store_session_put(k->plan.store, x);
    if (rc < 0) return rc;
    struct record_order order = order_of(k, x);
    *t = (struct slot){.used = true, .reports = -1, .s = *x};
    t->due_ms = clock_ms() + (int64_t)x->duration * 1000 + SILENCE_MS;
    t->reports = opener_record(k->plan.opener, &order, file);
    if (t->reports < 0) finish(k, t, SESSION_FAILED, "no process could be started for it");
    else tell(k, t);
    *x = t->s;
    return OK;
}

static struct slot *slot_free(struct keeper *k) {
    for (size_t i = 0; i < SESSIONS_ACTIVE_MAX; i++)
        if (!k->slot[i].used) return &k->slot[i];
    return NULL;
}

/* begin_unwritable remembers a capture that has no file. */
static int begin_unwritable(struct keeper *k, struct session *x, int error) {
    x->state = SESSION_FAILED;
    x->ended = x->created;
    x->file[0] = 0;
    snprintf(x->reason, sizeof x->reason, "its file cannot be made: %s", strerror(error));
    return store_session_put(k->plan.store, x);
}

int keeper_begin(struct keeper *k, struct session *x) {
    if (atomic_load(&k->stopping) || store_sessions_count(k->plan.store) >= SESSIONS_MAX) return ERR_LIMIT;
    if (!id_make(x->id)) return ERR_IO;
    x->state = SESSION_REQUESTED;
    x->created = wall_ms();
    pthread_mutex_lock(&k->lock);
    struct slot *t = slot_free(k);
    int rc = ERR_LIMIT, file = t ? k->plan.create(k->plan.to, x->file) : -1;
    if (t && file < 0) rc = begin_unwritable(k, x, errno);
    if (t && file >= 0) {
        (void)flock(file, LOCK_EX | LOCK_NB); /* held by the recorder until it is done */
        rc = begin_slot(k, t, x, file);
        close(file);
        if (rc < 0) file_remove(k, x->file);
    }
    pthread_mutex_unlock(&k->lock);
    wake(k);
    return rc;
}

int keeper_get(struct keeper *k, const char *id, struct session *out, uint64_t *version) {
    pthread_mutex_lock(&k->lock);
    const struct slot *t = slot_of(k, id);
    int rc = OK;
    if (t) *out = t->s, *version = t->version;
    else rc = store_session_get(k->plan.store, id, out), *version = 0;
    pthread_mutex_unlock(&k->lock);
    return rc;
}

static struct timespec in_ms(int ms) {
    int64_t at = clock_ns() + (int64_t)ms * 1000000;
    return (struct timespec){.tv_sec = at / 1000000000, .tv_nsec = at % 1000000000};
}

void keeper_wait(struct keeper *k, const char *id, uint64_t version, int ms) {
    struct timespec until = in_ms(ms);
    pthread_mutex_lock(&k->lock);
    for (;;) {
        const struct slot *t = slot_of(k, id);
        if (!t || t->version != version) break;
        if (pthread_cond_timedwait(&k->changed, &k->lock, &until) == ETIMEDOUT) break;
    }
    pthread_mutex_unlock(&k->lock);
}

int keeper_end(struct keeper *k, const char *id, struct session *out) {
    struct timespec until = in_ms(STOP_WAIT_MS);
    pthread_mutex_lock(&k->lock);
    struct slot *t = slot_of(k, id);
    if (!t || session_is_final(t->s.state)) {
        int rc = t ? OK : store_session_get(k->plan.store, id, out);
        pthread_mutex_unlock(&k->lock);
        return rc < 0 ? rc : ERR_USAGE;
    }
    stop_word(t, "it was stopped", false);
    while ((t = slot_of(k, id)) && !session_is_final(t->s.state))
        if (pthread_cond_timedwait(&k->changed, &k->lock, &until) == ETIMEDOUT) break;
    int rc = OK;
    if ((t = slot_of(k, id))) *out = t->s;
    else rc = store_session_get(k->plan.store, id, out);
    pthread_mutex_unlock(&k->lock);
    return rc;
}

int keeper_remove(struct keeper *k, const char *id) {
    struct session x;
    pthread_mutex_lock(&k->lock);
    int rc = slot_of(k, id) ? ERR_USAGE : store_session_get(k->plan.store, id, &x);
    if (rc == OK && !session_is_final(x.state)) rc = ERR_USAGE; /* being rescued */
    if (rc == OK) rc = store_session_remove(k->plan.store, id);
    if (rc == OK) file_remove(k, x.file);
    pthread_mutex_unlock(&k->lock);
    return rc;
}

struct overlay {
    struct keeper *k;
    void (*take)(void *to, const struct session *x);
    void *to;
};

/* overlay_take hands out what is under way as it is now, not as it was written down. */
static void overlay_take(void *to, const struct session *x) {
    const struct overlay *o = to;
    const struct slot *t = slot_of(o->k, x->id);
    o->take(o->to, t ? &t->s : x);
}

int keeper_list(struct keeper *k, const struct store_query *q, void (*take)(void *to, const struct session *x),
                void *to) {
    struct overlay o = {k, take, to};
    pthread_mutex_lock(&k->lock);
    int rc = store_sessions(k->plan.store, q, overlay_take, &o);
    pthread_mutex_unlock(&k->lock);
    return rc;
}

bool keeper_writes(struct keeper *k, const char *file) {
    bool writes = false;
    pthread_mutex_lock(&k->lock);
    for (size_t i = 0; i < SESSIONS_ACTIVE_MAX; i++)
        if (k->slot[i].used && !session_is_final(k->slot[i].s.state) && strcmp(k->slot[i].s.file, file) == 0)
            writes = true;
    pthread_mutex_unlock(&k->lock);
    return writes;
}

unsigned keeper_active(struct keeper *k) {
    unsigned n = 0;
    pthread_mutex_lock(&k->lock);
    for (size_t i = 0; i < SESSIONS_ACTIVE_MAX; i++) n += k->slot[i].used;
    pthread_mutex_unlock(&k->lock);
    return n;
}
