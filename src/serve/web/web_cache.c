/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/web/web_cache.h"
#include "base/clock.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { KEY_MAX = 8192 };

struct web_cache *web_cache_make(void) {
    struct web_cache *c = calloc(1, sizeof *c);
    if (c) pthread_mutex_init(&c->lock, NULL);
    return c;
}

static void drop(struct web_cache *c, struct web_answer *a) {
    if (!a->used) return;
    c->bytes -= a->key.n + a->body.n;
    free((void *)(uintptr_t)a->key.p);
    free((void *)(uintptr_t)a->body.p);
    *a = (struct web_answer){0};
}

void web_cache_free(struct web_cache *c) {
    for (int i = 0; c && i < WEB_CACHE_ENTRIES; i++) drop(c, &c->answer[i]);
    if (c) pthread_mutex_destroy(&c->lock);
    free(c);
}

static enum MHD_Result argument(void *to, enum MHD_ValueKind kind, const char *key, const char *value) {
    struct writer *w = to;
    (void)kind;
    if (!strcmp(key, "job") || !strcmp(key, "lang")) return MHD_YES; /* its name and language are no part of it */
    wr_s(w, key);
    wr_c(w, 0);
    wr_s(w, value ? value : "");
    wr_c(w, 0);
    return MHD_YES;
}

/* key_make writes what was asked, of which capture. */
static void key_make(struct web_request *q, const char *path, struct writer *w) {
    wr_s(w, path);
    wr_c(w, 0);
    wr_s(w, q->url);
    wr_c(w, 0);
    mhd.get_connection_values(q->c, MHD_GET_ARGUMENT_KIND, argument, w);
    wr_s(w, q->language);
}

static void keep(struct web_cache *c, struct slice key, const struct index_stamp *stamp, struct slice body);

/* ---- in files ---- */

struct file_head {
    char magic[8], version[32];
    struct index_stamp stamp;
    uint32_t key, body; /* bytes of each, behind the head */
};
static const char magic[8] = "WEIRAN1";

static bool file_name(const struct web *s, const char *path, unsigned slot, char out[WEB_PATH_MAX]) {
    const char *slash = strrchr(path, '/');
    char name[WEB_NAME_MAX + 1];
    web_name_clean(name, slash ? slash + 1 : path);
    return snprintf(out, WEB_PATH_MAX, "%s/" WEB_CACHE_FILE "%s-%x", s->plan->dir, name, slot) < WEB_PATH_MAX;
}

static unsigned slot_of(struct slice key) {
    struct hash_key k = {1, 2};
    return (unsigned)(hash_bytes(k, key.p, key.n) % WEB_CACHE_FILES);
}

static struct file_head head_of(struct slice key, const struct index_stamp *stamp, size_t body) {
    struct file_head h;
    memset(&h, 0, sizeof h);
    memcpy(h.magic, magic, sizeof magic);
    snprintf(h.version, sizeof h.version, "%s", WEIR_VERSION);
    h.stamp = *stamp;
    h.key = (uint32_t)key.n;
    h.body = (uint32_t)body;
    return h;
}

void web_cache_drop(const struct web *s, const char *path) {
    char file[WEB_PATH_MAX];
    for (unsigned i = 0; i < WEB_CACHE_FILES; i++)
        if (file_name(s, path, i, file)) unlink(file);
}

static void file_save(const struct web *s, const char *path, struct slice key, const struct index_stamp *stamp,
                      struct slice body) {
    char file[WEB_PATH_MAX], made[WEB_PATH_MAX];
    struct file_head h = head_of(key, stamp, body.n);
    if (!file_name(s, path, slot_of(key), file) ||
        snprintf(made, sizeof made, "%s/" WEB_INDEX_NEW "XXXXXX", s->plan->dir) >= (int)sizeof made)
        return;
    int fd = mkostemp(made, O_CLOEXEC);
    if (fd < 0) return;
    bool ok = write(fd, &h, sizeof h) == sizeof h && write(fd, key.p, key.n) == (ssize_t)key.n &&
              write(fd, body.p, body.n) == (ssize_t)body.n;
    if (close(fd) || !ok || rename(made, file)) unlink(made);
}

/* file_load takes an answer that is to this very question, of this file as it is; the caller frees *body. */
static bool file_load(const struct web *s, const char *path, struct slice key, const struct index_stamp *stamp,
                      uint8_t **body, size_t *n) {
    char file[WEB_PATH_MAX], asked[KEY_MAX];
    struct file_head h, mine;
    int fd = file_name(s, path, slot_of(key), file) ? open(file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
    if (fd < 0) return false;
    bool ok = read(fd, &h, sizeof h) == sizeof h && h.body <= WEB_CACHE_ANSWER;
    mine = head_of(key, stamp, ok ? h.body : 0);
    ok = ok && !memcmp(&h, &mine, sizeof h) && read(fd, asked, key.n) == (ssize_t)key.n && !memcmp(asked, key.p, key.n);
    *body = ok ? malloc(h.body + 1) : NULL;
    ok = *body && read(fd, *body, h.body) == (ssize_t)h.body;
    *n = ok ? h.body : 0;
    if (!ok) free(*body);
    close(fd);
    return ok;
}

static bool find_in_file(struct web_request *q, const char *path, struct slice key, const struct index_stamp *now) {
    uint8_t *body;
    size_t n;
    if (!file_load(q->web, path, key, now, &body, &n)) return false;
    wr_bytes(&q->reply.w, body, n);
    keep(q->web->cache, key, now, slice_of(body, n));
    free(body);
    return true;
}

/* ---- in memory ---- */

static bool find(struct web_request *q, struct web_cache *c, struct slice key, const struct index_stamp *now) {
    bool found = false;
    pthread_mutex_lock(&c->lock);
    for (int i = 0; i < WEB_CACHE_ENTRIES && !found; i++) {
        struct web_answer *a = &c->answer[i];
        if (!a->used || !slice_eq(a->key, key)) continue;
        found = !memcmp(&a->stamp, now, sizeof *now);
        if (found) wr_slice(&q->reply.w, a->body), a->used = ++c->uses;
        else drop(c, a);
    }
    pthread_mutex_unlock(&c->lock);
    return found;
}

static struct slice own(struct slice s) {
    uint8_t *p = malloc(s.n ? s.n : 1);
    if (p) memcpy(p, s.p, s.n);
    return slice_of(p, p ? s.n : 0);
}

/* oldest returns an empty place, or the one not used for longest. */
static struct web_answer *oldest(struct web_cache *c) {
    struct web_answer *best = &c->answer[0];
    for (int i = 1; i < WEB_CACHE_ENTRIES; i++)
        if (c->answer[i].used < best->used) best = &c->answer[i];
    return best;
}

static void keep(struct web_cache *c, struct slice key, const struct index_stamp *stamp, struct slice body) {
    struct web_answer a = {.stamp = *stamp, .key = own(key), .body = own(body)};
    if (!a.key.p || !a.body.p) {
        free((void *)(uintptr_t)a.key.p);
        free((void *)(uintptr_t)a.body.p);
        return;
    }
    pthread_mutex_lock(&c->lock);
    drop(c, oldest(c));
    c->bytes += a.key.n + a.body.n;
    a.used = ++c->uses;
    *oldest(c) = a;
    for (int i = 0; c->bytes > WEB_CACHE_BYTES && i < WEB_CACHE_ENTRIES; i++) {
        struct web_answer *old = NULL;
        for (int k = 0; k < WEB_CACHE_ENTRIES; k++)
            if (c->answer[k].used && (!old || c->answer[k].used < old->used)) old = &c->answer[k];
        if (old) drop(c, old);
    }
    pthread_mutex_unlock(&c->lock);
}

void web_cached(struct web_request *q, const char *path, void (*answer)(struct web_request *q, void *to), void *to) {
    char text[KEY_MAX];
    struct writer key = wr_fixed(text, sizeof text);
    struct index_stamp stamp;
    key_make(q, path, &key);
    bool may = q->web->cache && !key.err && index_stamp_of(q->web, path, &stamp);
    if (may && (find(q, q->web->cache, wr_done(&key), &stamp) || find_in_file(q, path, wr_done(&key), &stamp))) return;
    int64_t begin = clock_ms();
    answer(q, to);
    bool fine = q->reply.status == 200 && !q->reply.made && !q->reply.w.err && wr_len(&q->reply.w) <= WEB_CACHE_ANSWER;
    if (!may || !fine || clock_ms() - begin < WEB_CACHE_LEAST_MS || atomic_load(&q->web->stopping)) return;
    keep(q->web->cache, wr_done(&key), &stamp, wr_done(&q->reply.w));
    file_save(q->web, path, wr_done(&key), &stamp, wr_done(&q->reply.w));
}
