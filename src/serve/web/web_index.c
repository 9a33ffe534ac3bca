/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "serve/web/web_index_in.h"
#include "serve/web/web_keys.h"
#include "serve/web/web_pick.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* head is the file's first INDEX_HEAD bytes; the directory of blocks stands at its end. */
struct head {
    char magic[8], version[32];
    struct index_stamp stamp;
    uint64_t frames, blocks, kinds, directory; /* the kinds stand behind the directory */
    __int128 begin;
    uint8_t seekable, has_begin;
    char damaged[256];
};
_Static_assert(sizeof(struct head) <= INDEX_HEAD, "the head has room");
static const char magic[8] = "WEIRIX5";

/* ---- what it belongs to ---- */

static uint64_t mtime_ns(const struct stat *st) {
    return (uint64_t)st->st_mtim.tv_sec * 1000000000u + (uint64_t)st->st_mtim.tv_nsec;
}

bool index_stamp_of(const struct web *s, const char *path, struct index_stamp *out) {
    struct stat st;
    if (stat(path, &st) || !S_ISREG(st.st_mode)) return false;
    *out = (struct index_stamp){.device = st.st_dev,
                                .inode = st.st_ino,
                                .size = (uint64_t)st.st_size,
                                .changed = mtime_ns(&st),
                                .keys = web_keys_stamp(s, path)};
    return true;
}

static bool index_name(const struct web *s, const char *path, char out[WEB_PATH_MAX]) {
    const char *slash = strrchr(path, '/');
    char name[WEB_NAME_MAX + 1];
    web_name_clean(name, slash ? slash + 1 : path);
    return snprintf(out, WEB_PATH_MAX, "%s/.idx-%s", s->plan->dir, name) < WEB_PATH_MAX;
}

/* ---- the file ---- */

bool index_save(struct web_index *x) {
    struct head h = {.stamp = x->stamp,
                     .frames = x->frames,
                     .blocks = x->blocks,
                     .kinds = x->kinds,
                     .begin = x->begin,
                     .seekable = x->seekable,
                     .has_begin = x->has_begin};
    uint8_t bytes[INDEX_HEAD] = {0};
    size_t n = x->blocks * sizeof *x->block;
    h.directory = x->blocks ? x->block[x->blocks - 1].at + x->block[x->blocks - 1].packed : INDEX_HEAD;
    memcpy(h.magic, magic, sizeof magic);
    snprintf(h.version, sizeof h.version, "%s", WEIR_VERSION);
    memcpy(h.damaged, x->damaged, sizeof h.damaged);
    memcpy(bytes, &h, sizeof h);
    size_t kinds = x->kinds * sizeof *x->kind;
    return pwrite(x->fd, x->block, n, (off_t)h.directory) == (ssize_t)n &&
           pwrite(x->fd, x->kind, kinds, (off_t)(h.directory + n)) == (ssize_t)kinds &&
           pwrite(x->fd, bytes, sizeof bytes, 0) == sizeof bytes;
}

static bool blocks_sane(const struct web_index *x, uint64_t end) {
    uint64_t at = INDEX_HEAD;
    for (uint64_t i = 0; i < x->blocks; i++) {
        const struct index_block *b = &x->block[i];
        if (b->at != at || b->packed < sizeof(struct web_places) || b->packed > end - at) return false;
        at += b->packed;
    }
    return at == end;
}

/* load_head takes an index that is of this very file, these keys and this program. */
static bool load_head(struct web_index *x, const struct head *h) {
    if (memcmp(h->magic, magic, sizeof magic) != 0 || strncmp(h->version, WEIR_VERSION, sizeof h->version) != 0)
        return false;
    if (memcmp(&h->stamp, &x->stamp, sizeof x->stamp) != 0) return false;
    if (h->frames > INDEX_FRAMES_MAX || h->blocks != (h->frames + INDEX_BLOCK - 1) / INDEX_BLOCK) return false;
    if (h->kinds > INDEX_KINDS_MAX) return false;
    x->frames = h->frames;
    x->kinds = (uint32_t)h->kinds;
    x->blocks = x->room = h->blocks;
    x->begin = h->begin;
    x->seekable = h->seekable;
    x->has_begin = h->has_begin;
    memcpy(x->damaged, h->damaged, sizeof x->damaged);
    x->damaged[sizeof x->damaged - 1] = 0;
    return true;
}

static bool index_load(struct web_index *x) {
    struct head h;
    struct stat st;
    x->fd = open(x->file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (x->fd < 0) return false;
    bool ok = pread(x->fd, &h, sizeof h, 0) == sizeof h && !fstat(x->fd, &st) && load_head(x, &h);
    size_t n = ok ? x->blocks * sizeof *x->block : 0, kinds = ok ? x->kinds * sizeof *x->kind : 0;
    ok = ok && (uint64_t)st.st_size == h.directory + n + kinds &&
         pread(x->fd, x->kind, kinds, (off_t)(h.directory + n)) == (ssize_t)kinds && (x->block = malloc(n ? n : 1)) &&
         pread(x->fd, x->block, n, (off_t)h.directory) == (ssize_t)n && blocks_sane(x, h.directory);
    if (ok) {
        x->whole = true;
        return true;
    }
    close(x->fd);
    free(x->block);
    x->fd = -1;
    x->block = NULL;
    x->blocks = x->room = 0;
    x->frames = 0;
    x->kinds = 0;
    return false;
}

bool index_put(struct web_index *x, const struct index_block *b) {
    bool ok = true;
    pthread_mutex_lock(&x->lock);
    if (x->blocks == x->room) {
        uint64_t room = x->room ? x->room * 2 : 256;
        struct index_block *more = realloc(x->block, room * sizeof *more);
        if (more) x->block = more, x->room = room;
        ok = more != NULL;
    }
    if (ok) x->block[x->blocks++] = *b;
    pthread_mutex_unlock(&x->lock);
    return ok;
}

/* ---- the table of indexes ---- */

static void index_free(struct web_index *x) {
    if (x->fd >= 0) close(x->fd);
    index_matches_free(x);
    web_pick_free(x->parked);
    free(x->block);
    pthread_mutex_destroy(&x->lock);
    free(x);
}

/* forget takes an index out of its slot; the last who uses it frees it. */
static void forget(struct web *s, int slot) {
    struct web_index *x = s->index[slot];
    s->index[slot] = NULL;
    if (!x) return;
    atomic_store(&x->stale, true);
    if (!x->refs) index_free(x);
}

void web_index_release(struct web_index *x) {
    if (!x) return;
    struct web *s = x->web;
    pthread_mutex_lock(&s->index_lock);
    bool last = --x->refs == 0 && atomic_load(&x->stale);
    pthread_mutex_unlock(&s->index_lock);
    if (last) index_free(x);
}

/* slot_pick returns a free slot, or that of the index not used for longest; -1: all are in use. */
static int slot_pick(struct web *s) {
    int best = -1;
    for (int i = 0; i < WEB_INDEXES_MAX; i++) {
        if (!s->index[i]) return i;
        if (!s->index[i]->refs && (best < 0 || s->index[i]->used < s->index[best]->used)) best = i;
    }
    if (best >= 0) forget(s, best);
    return best;
}

static struct web_index *index_new(struct web *s, const char *path, const struct index_stamp *stamp) {
    struct web_index *x = calloc(1, sizeof *x);
    if (!x) return NULL;
    *x = (struct web_index){.web = s, .stamp = *stamp, .fd = -1};
    pthread_mutex_init(&x->lock, NULL);
    memcpy(x->path, path, strlen(path) + 1);
    if (index_name(s, path, x->file)) return x;
    index_free(x);
    return NULL;
}

static bool build_begin(struct web *s, struct web_index *x) {
    pthread_t thread;
    if (atomic_load(&s->stopping) || s->builders >= WEB_BUILDERS_MAX) return false;
    x->refs++;
    s->builders++;
    if (!pthread_create(&thread, NULL, index_build, x)) return pthread_detach(thread), true;
    x->refs--;
    s->builders--;
    return false;
}

/* fits tells whether an index is of the file as it is now; one in the making fits the file that grew. */
static bool fits(const struct web_index *x, const struct index_stamp *now) {
    bool same_file = x->stamp.device == now->device && x->stamp.inode == now->inode && x->stamp.keys == now->keys;
    if (!x->whole && !x->failed) return same_file && now->size >= x->stamp.size;
    return !memcmp(&x->stamp, now, sizeof *now);
}

static struct web_index *find(struct web *s, const char *path, const struct index_stamp *now) {
    for (int i = 0; i < WEB_INDEXES_MAX; i++) {
        struct web_index *x = s->index[i];
        if (!x || strcmp(x->path, path) != 0) continue;
        pthread_mutex_lock(&x->lock);
        bool ours = fits(x, now);
        pthread_mutex_unlock(&x->lock);
        if (ours) return x;
        forget(s, i);
    }
    return NULL;
}

static struct web_index *make(struct web *s, const char *path, const struct index_stamp *now) {
    int slot = slot_pick(s);
    struct web_index *x = slot < 0 ? NULL : index_new(s, path, now);
    if (!x) return NULL;
    if (index_load(x) || build_begin(s, x)) return s->index[slot] = x;
    index_free(x);
    return NULL;
}

struct web_index *web_index_of(struct web *s, const char *path) {
    struct index_stamp now;
    if (!index_stamp_of(s, path, &now) || now.size < WEB_INDEX_LEAST) return NULL;
    pthread_mutex_lock(&s->index_lock);
    struct web_index *x = find(s, path, &now);
    if (!x) x = make(s, path, &now);
    if (x) {
        x->refs++;
        x->used = (uint64_t)clock_ns();
    }
    pthread_mutex_unlock(&s->index_lock);
    return x;
}

void web_index_drop(struct web *s, const char *path) {
    char file[WEB_PATH_MAX];
    pthread_mutex_lock(&s->index_lock);
    for (int i = 0; i < WEB_INDEXES_MAX; i++)
        if (s->index[i] && !strcmp(s->index[i]->path, path)) forget(s, i);
    pthread_mutex_unlock(&s->index_lock);
    if (index_name(s, path, file)) unlink(file);
}

void web_index_end(struct web *s) {
    for (;;) {
        pthread_mutex_lock(&s->index_lock);
        bool idle = !s->builders;
        pthread_mutex_unlock(&s->index_lock);
        if (idle) break;
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    for (int i = 0; i < WEB_INDEXES_MAX; i++) forget(s, i);
}

uint64_t web_index_frames(struct web_index *x, bool *whole) {
    pthread_mutex_lock(&x->lock);
    *whole = x->whole;
    uint64_t n = x->whole ? x->frames : x->blocks * INDEX_BLOCK;
    pthread_mutex_unlock(&x->lock);
    return n;
}

bool web_index_seekable(struct web_index *x) {
    pthread_mutex_lock(&x->lock);
    bool is = x->seekable;
    pthread_mutex_unlock(&x->lock);
    return is;
}

bool web_index_comes(struct web_index *x) {
    pthread_mutex_lock(&x->lock);
    bool comes = x->whole || (!x->failed && !x->idle);
    pthread_mutex_unlock(&x->lock);
    return comes;
}

bool web_index_wait(struct web_index *x, uint64_t number, bool (*stop)(void *to), void *to) {
    for (;;) {
        pthread_mutex_lock(&x->lock);
        bool there = x->whole || (number && x->blocks * INDEX_BLOCK >= number), never = x->failed || x->idle;
        pthread_mutex_unlock(&x->lock);
        if (there || never || atomic_load(&x->web->stopping) || (stop && stop(to))) return there;
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
}

__int128 web_index_begin(struct web_index *x, bool *has) {
    pthread_mutex_lock(&x->lock);
    __int128 begin = x->begin;
    *has = x->has_begin;
    pthread_mutex_unlock(&x->lock);
    return begin;
}

bool web_index_damaged(struct web_index *x) {
    pthread_mutex_lock(&x->lock);
    bool is = x->damaged[0];
    pthread_mutex_unlock(&x->lock);
    return is;
}

void web_index_note(struct writer *w, struct web_index *x) {
    char text[sizeof x->damaged];
    pthread_mutex_lock(&x->lock);
    memcpy(text, x->damaged, sizeof text);
    pthread_mutex_unlock(&x->lock);
    if (!*text) return;
    wr_s(w, ",\"damaged\":");
    json_text(w, slice_str(text));
}
