/* SPDX-License-Identifier: Apache-2.0 */
/* Theory of operation: captures are the plain files of one folder, and those named on the command line. A name is
 * checked letter by letter before it meets a path, so that no name leaves the folder; links and hidden files are not
 * captures. An upload is written to a hidden file and gets its name when it is complete and its beginning is that of a
 * capture: nobody sees half of one. */
#include "base/clock.h"
#include "base/isotime.h"
#include "io/capture/capfile.h"
#include "io/out.h"
#include "serve/web/web_cache.h"
#include "serve/web/web_keys.h"
#include "view/view.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static bool letter_fine(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
           c == '_';
}

bool web_name_fine(const char *text) {
    size_t n = 0;
    if (!text || *text == '.' || *text == '-') return false;
    while (letter_fine(text[n]) && n <= WEB_NAME_MAX) n++;
    return n && n <= WEB_NAME_MAX && !text[n];
}

void web_name_clean(char out[WEB_NAME_MAX + 1], const char *text) {
    size_t n = 0;
    while (*text == '.' || *text == '-') text++;
    for (; *text && n < WEB_NAME_MAX; text++) out[n++] = letter_fine(*text) ? *text : '_';
    if (!n) memcpy(out, "capture", n = 7);
    out[n] = 0;
}

static const char *base_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static bool is_plain_file(const char *path, bool links, struct stat *st) {
    return (links ? stat(path, st) : lstat(path, st)) == 0 && S_ISREG(st->st_mode);
}

bool web_find(struct web *s, const char *name, char path[WEB_PATH_MAX], bool *fixed) {
    struct stat st;
    char shown[WEB_NAME_MAX + 1];
    *fixed = false;
    if (!web_name_fine(name)) return false;
    for (size_t i = 0; i < s->plan->n_files; i++) {
        web_name_clean(shown, base_name(s->plan->files[i]));
        if (strcmp(shown, name) != 0) continue;
        *fixed = true;
        return snprintf(path, WEB_PATH_MAX, "%s", s->plan->files[i]) < WEB_PATH_MAX && is_plain_file(path, true, &st);
    }
    return snprintf(path, WEB_PATH_MAX, "%s/%s", s->plan->dir, name) < WEB_PATH_MAX && is_plain_file(path, false, &st);
}

static void time_json(struct writer *w, time_t t) {
    wr_c(w, '"');
    iso_time(w, (int64_t)t * 1000000000, 0);
    wr_s(w, "Z\"");
}

/* is_upload tells whether the file of that name is still the one that was uploaded at that time. */
static bool is_upload(const struct stat *st, int64_t at) {
    enum { SLACK_MS = 2000 }; /* between the last write and the note in the store */
    int64_t changed = (int64_t)st->st_mtim.tv_sec * 1000 + st->st_mtim.tv_nsec / 1000000;
    return at && changed <= at + SLACK_MS;
}

static void entry_json(const struct web *s, struct writer *w, const char *name, const struct stat *st, bool fixed) {
    int64_t at = s->store && s->plan->expiry_ms && !fixed ? store_upload_at(s->store, name) : 0;
    wr_s(w, "{\"name\":");
    json_text(w, slice_str(name));
    wr_f(w, ",\"size\":%llu,\"modified\":", (unsigned long long)st->st_size);
    time_json(w, st->st_mtime);
    if (is_upload(st, at)) web_time_json(w, "expires", at + s->plan->expiry_ms);
    wr_s(w, fixed ? ",\"fixed\":true}" : ",\"fixed\":false}");
}

static int in_order(const struct dirent **a, const struct dirent **b) { return strcmp((*a)->d_name, (*b)->d_name); }
static int named_well(const struct dirent *e) { return web_name_fine(e->d_name); }

/* each calls fn for every capture of the folder, in the order of names. */
static void each(const struct web *s, void (*fn)(void *to, const char *name, const struct stat *st), void *to) {
    struct dirent **list = NULL;
    char path[WEB_PATH_MAX];
    struct stat st;
    int n = scandir(s->plan->dir, &list, named_well, in_order);
    for (int i = 0; i < n; i++) {
        bool fits = snprintf(path, sizeof path, "%s/%s", s->plan->dir, list[i]->d_name) < (int)sizeof path;
        if (i < WEB_CAPTURES_MAX && fits && is_plain_file(path, false, &st)) fn(to, list[i]->d_name, &st);
        free(list[i]);
    }
    free(list);
}

static void sum(void *to, const char *name, const struct stat *st) {
    (void)name;
    *(uint64_t *)to += (uint64_t)st->st_size;
}

uint64_t web_used(const struct web *s) {
    uint64_t used = 0;
    each(s, sum, &used);
    return used;
}

void web_gone(struct web *s, const char *path) {
    web_keys_forget(s, path);
    web_index_drop(s, path);
    web_cache_drop(s, path);
}

/* left_over tells whether a hidden file is of no more use: half of an upload or of an index, or what was kept beside a
 * capture that is gone. */
static bool left_over(struct web *s, const char *name) {
    char path[WEB_PATH_MAX], of[WEB_NAME_MAX + 1];
    bool fixed;
    if (!strncmp(name, ".upload-", 8) || !strncmp(name, WEB_INDEX_NEW, sizeof WEB_INDEX_NEW - 1)) return true;
    if (!strncmp(name, ".idx-", 5)) return !web_find(s, name + 5, path, &fixed);
    const char *dash = strrchr(name, '-');
    if (strncmp(name, WEB_CACHE_FILE, 5) != 0 || dash - name < 5) return false;
    snprintf(of, sizeof of, "%.*s", (int)(dash - name - 5), name + 5);
    return !web_find(s, of, path, &fixed);
}

void web_sweep(struct web *s) {
    char path[WEB_PATH_MAX];
    struct dirent *e;
    DIR *d = opendir(s->plan->dir);
    while (d && (e = readdir(d)))
        if (left_over(s, e->d_name) && snprintf(path, sizeof path, "%s/%s", s->plan->dir, e->d_name) < (int)sizeof path)
            unlink(path);
    if (d) closedir(d);
}

struct listing {
    struct web_request *q;
    unsigned n;
};

static void list_one(void *to, const char *name, const struct stat *st) {
    struct listing *l = to;
    if (l->n++) wr_s(&l->q->reply.w, ",\n");
    entry_json(l->q->web, &l->q->reply.w, name, st, false);
}

void web_captures(struct web_request *q) {
    struct listing l = {q, 0};
    struct stat st;
    char shown[WEB_NAME_MAX + 1];
    wr_s(&q->reply.w, "{\"captures\":[");
    for (size_t i = 0; i < q->web->plan->n_files; i++) {
        if (!is_plain_file(q->web->plan->files[i], true, &st)) continue;
        web_name_clean(shown, base_name(q->web->plan->files[i]));
        if (l.n++) wr_s(&q->reply.w, ",\n");
        entry_json(q->web, &q->reply.w, shown, &st, true);
    }
    each(q->web, list_one, &l);
    wr_s(&q->reply.w, "]}\n");
}

void web_capture(struct web_request *q, const char *name) {
    char path[WEB_PATH_MAX];
    struct stat st;
    bool fixed;
    if (!web_find(q->web, name, path, &fixed) || stat(path, &st)) return web_problem(q, 404, "no such capture");
    entry_json(q->web, &q->reply.w, name, &st, fixed);
    wr_c(&q->reply.w, '\n');
}

/* ---- the file itself ---- */

/* range_read reads "bytes=A-B", "bytes=A-" and "bytes=-N": 1 a range, 0 none (others are ignored, RFC 9110 14.2), -1
 * outside the file. */
static int range_read(const char *text, uint64_t size, uint64_t *from, uint64_t *n) {
    char *end;
    if (!text || strncmp(text, "bytes=", 6) != 0) return 0;
    text += 6;
    bool suffix = *text == '-';
    if (suffix) text++;
    if (*text < '0' || *text > '9') return 0;
    uint64_t a = strtoull(text, &end, 10), b = size ? size - 1 : 0;
    if (suffix) {
        if (*end) return 0;
        *n = a < size ? a : size;
        *from = size - *n;
        return *n ? 1 : -1;
    }
    if (*end++ != '-') return 0;
    if (*end) {
        if (*end < '0' || *end > '9') return 0;
        uint64_t last = strtoull(end, &end, 10);
        if (*end || last < a) return 0;
        if (last < b) b = last;
    }
    *from = a;
    *n = a < size ? b - a + 1 : 0;
    return a < size ? 1 : -1;
}

static const char *header(struct web_request *q, const char *name) {
    return mhd.lookup_connection_value(q->c, MHD_HEADER_KIND, name);
}

void web_file(struct web_request *q, const char *name) {
    char path[WEB_PATH_MAX], etag[64], text[128];
    struct stat st;
    bool fixed;
    int fd = web_find(q->web, name, path, &fixed)
                 ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | (fixed ? 0 : O_NOFOLLOW))
                 : -1;
    if (fd >= 0 && (fstat(fd, &st) || !S_ISREG(st.st_mode))) close(fd), fd = -1; /* another one since it was found */
    if (fd < 0) return web_problem(q, 404, "no such capture");
    uint64_t size = (uint64_t)st.st_size, from = 0, n = size;
    snprintf(etag, sizeof etag, "\"%llx-%llx%09lx\"", (unsigned long long)size, (unsigned long long)st.st_mtim.tv_sec,
             st.st_mtim.tv_nsec);
    const char *known = header(q, "If-None-Match"), *still = header(q, "If-Range");
    bool same = known && (strstr(known, etag) || !strcmp(known, "*"));
    int range = still && strcmp(still, etag) != 0 ? 0 : range_read(header(q, "Range"), size, &from, &n);
    q->reply.status = same ? 304 : range > 0 ? 206 : range < 0 ? 416 : 200;
    if (q->reply.status == 304 || q->reply.status == 416) {
        close(fd);
        q->reply.made = mhd.create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
    } else if (!(q->reply.made = mhd.create_response_from_fd_at_offset64(n, fd, from))) {
        close(fd);
    }
    if (!q->reply.made) return web_problem(q, 500, "out of memory");
    mhd.add_response_header(q->reply.made, "ETag", etag);
    mhd.add_response_header(q->reply.made, "Accept-Ranges", "bytes");
    snprintf(text, sizeof text, "attachment; filename=\"%s\"", name);
    mhd.add_response_header(q->reply.made, "Content-Disposition", text);
    q->reply.type = "application/octet-stream";
    if (range > 0)
        snprintf(text, sizeof text, "bytes %llu-%llu/%llu", (unsigned long long)from,
                 (unsigned long long)(from + n - 1), (unsigned long long)size);
    else snprintf(text, sizeof text, "bytes */%llu", (unsigned long long)size);
    if (range && !same) mhd.add_response_header(q->reply.made, "Content-Range", text);
}

void web_delete(struct web_request *q, const char *name) {
    char path[WEB_PATH_MAX];
    bool fixed;
    if (!web_find(q->web, name, path, &fixed)) return web_problem(q, 404, "no such capture");
    if (fixed)
        return web_problem(q, 409, "this capture was named on the command line and is not the server's to delete");
    if (q->web->keeper && keeper_writes(q->web->keeper, name))
        return web_problem(q, 409, "this capture is under way; stop it first");
    if (unlink(path)) return web_problem(q, 500, "it could not be deleted: %s", strerror(errno));
    web_gone(q->web, path);
    if (q->web->store) store_upload_remove(q->web->store, name);
    q->reply.status = 204;
}

/* ---- uploads ---- */

void web_upload_begin(struct web_request *q) {
    const struct web_plan *plan = q->web->plan;
    const char *length = header(q, "Content-Length");
    uint64_t n = length ? strtoull(length, NULL, 10) : 0;
    if (n > plan->upload_max) {
        q->upload_error = 413;
        return;
    }
    q->upload_folder = plan->quota ? web_used(q->web) : 0;
    if (plan->quota && q->upload_folder + q->web->uploading + n > plan->quota) {
        q->upload_error = 507;
        return;
    }
    if (snprintf(q->upload_path, sizeof q->upload_path, "%s/.upload-XXXXXX", plan->dir) < (int)sizeof q->upload_path)
        q->upload_fd = mkostemp(q->upload_path, O_CLOEXEC);
    if (q->upload_fd < 0) {
        q->upload_error = 500;
        q->upload_path[0] = 0;
    }
}

/* upload_fits takes room for a piece: what else is on its way needs some, too. */
static bool upload_fits(struct web_request *q, size_t n) {
    uint64_t quota = q->web->plan->quota, others = atomic_fetch_add(&q->web->uploading, n);
    q->upload_taken += n;
    return !quota || q->upload_folder + others + n <= quota;
}

void web_upload_data(struct web_request *q, struct slice piece) {
    q->upload_bytes += piece.n;
    if (q->upload_error) return;
    if (q->upload_bytes > q->web->plan->upload_max) q->upload_error = 413;
    else if (!upload_fits(q, piece.n) || out_write(q->upload_fd, piece, NULL)) q->upload_error = 507;
}

void web_upload_drop(struct web_request *q) {
    if (q->upload_fd >= 0) close(q->upload_fd);
    if (q->upload_path[0]) unlink(q->upload_path);
    atomic_fetch_sub(&q->web->uploading, q->upload_taken);
    q->upload_taken = 0;
    q->upload_fd = -1;
    q->upload_path[0] = 0;
}

static void upload_refuse(struct web_request *q) {
    unsigned long long most = q->web->plan->upload_max;
    if (q->upload_error == 413) web_problem(q, 413, "an upload has at most %llu bytes", most);
    else if (q->upload_error == 507) web_problem(q, 507, "there is no room for it: the quota or the disk is full");
    else web_problem(q, 500, "the folder of captures cannot be written");
}

/* free_name finds a name nobody has: name, name-2, name-3... */
static bool free_name(struct web *s, char name[WEB_NAME_MAX + 1]) {
    char first[WEB_NAME_MAX + 1], path[WEB_PATH_MAX];
    bool fixed;
    memcpy(first, name, sizeof first);
    char *dot = strrchr(first, '.');
    size_t stem = dot ? (size_t)(dot - first) : strlen(first);
    if (stem > WEB_NAME_MAX - 24) stem = WEB_NAME_MAX - 24;
    for (int i = 2; web_find(s, name, path, &fixed); i++) {
        if (i > WEB_CAPTURES_MAX) return false;
        snprintf(name, WEB_NAME_MAX + 1, "%.*s-%d%.12s", (int)stem, first, i, dot ? dot : "");
    }
    return true;
}

int web_capture_make(struct web *s, char name[WEB_NAME_MAX + 1]) {
    char path[WEB_PATH_MAX];
    for (int i = 0; i < 100 && free_name(s, name); i++) {
        if (snprintf(path, sizeof path, "%s/%s", s->plan->dir, name) >= (int)sizeof path)
            return errno = ENAMETOOLONG, -1;
        int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0640);
        if (fd >= 0 || errno != EEXIST) return fd;
    }
    return errno = EEXIST, -1;
}

enum { EXPIRE_BATCH = 32 };
struct expired {
    char file[EXPIRE_BATCH][WEB_NAME_MAX + 1];
    int64_t at[EXPIRE_BATCH];
    size_t n;
};

static void expired_take(void *to, const char *file, int64_t at) {
    struct expired *e = to;
    if (e->n == EXPIRE_BATCH) return;
    e->at[e->n] = at;
    snprintf(e->file[e->n++], WEB_NAME_MAX + 1, "%s", file);
}

/* upload_expire: a file somebody put in its place by hand is theirs and stays. */
static void upload_expire(struct web *s, const char *file, int64_t at) {
    char path[WEB_PATH_MAX], said[WEB_NAME_MAX + 32];
    struct stat st;
    bool fixed, there = web_find(s, file, path, &fixed) && !fixed && !lstat(path, &st) && is_upload(&st, at);
    if (store_upload_remove(s->store, file) < 0 || !there || unlink(path)) return;
    web_gone(s, path);
    snprintf(said, sizeof said, "/v1/captures/%s", file);
    struct store_action a = {.at = clock_wall_ms(), .who = "expiry", .from = "", .method = "DELETE", .path = said};
    (void)store_audit_add(s->store, &a);
}

void web_uploads_expire(struct web *s) {
    struct expired e = {.n = 0};
    pthread_mutex_lock(&s->changing);
    store_uploads(s->store, clock_wall_ms() - s->plan->expiry_ms, EXPIRE_BATCH, expired_take, &e);
    for (size_t i = 0; i < e.n; i++) upload_expire(s, e.file[i], e.at[i]);
    pthread_mutex_unlock(&s->changing);
}

/* is_capture: it begins as one, and what comes first can be read, if only in part. */
static bool is_capture(const char *path, char *why, size_t n) {
    struct capfile *file = NULL;
    struct packet p;
    struct writer w = wr_fixed(why, n - 1);
    int rc = capfile_open(&file, path, &w);
    *w.p = 0;
    if (rc) return false;
    rc = capfile_next(file, &p);
    bool fine = rc == OK || rc == ERR_END || rc == ERR_CUT;
    if (!fine) snprintf(why, n, "%s", capfile_why(file));
    capfile_close(file);
    return fine;
}

/* upload_name moves the complete file to its name; the folder is locked. */
static void upload_name(struct web_request *q, const char *name, bool replace) {
    char shown[WEB_NAME_MAX + 1], path[WEB_PATH_MAX];
    struct stat st;
    bool fixed;
    web_name_clean(shown, name);
    if (replace && web_find(q->web, shown, path, &fixed) && fixed)
        return web_problem(q, 409, "this capture was named on the command line and is not replaced");
    if (replace && q->web->keeper && keeper_writes(q->web->keeper, shown))
        return web_problem(q, 409, "this capture is under way; stop it first");
    if (!replace && !free_name(q->web, shown)) return web_problem(q, 409, "too many captures have this name");
    if (snprintf(path, sizeof path, "%s/%s", q->web->plan->dir, shown) >= (int)sizeof path ||
        fstat(q->upload_fd, &st) || rename(q->upload_path, path))
        return web_problem(q, 500, "it could not be stored: %s", strerror(errno));
    q->upload_path[0] = 0;
    q->reply.status = 201;
    snprintf(q->reply.location, sizeof q->reply.location, "/v1/captures/%s", shown);
    if (q->web->store && store_upload_put(q->web->store, shown, clock_wall_ms()) < 0)
        fprintf(stderr, "weir serve: %s: the store cannot be written: this upload does not expire\n", shown);
    entry_json(q->web, &q->reply.w, shown, &st, false);
    wr_c(&q->reply.w, '\n');
}

bool web_upload_there(struct web_request *q) {
    if (q->upload_error) upload_refuse(q);
    else if (q->upload_fd < 0 || !q->upload_bytes) web_problem(q, 400, "the body of the request is empty");
    else return true;
    return false;
}

void web_upload_end(struct web_request *q, const char *name, bool replace) {
    char why[512] = "";
    struct web *s = q->web;
    if (!web_upload_there(q)) return;
    if (!is_capture(q->upload_path, why, sizeof why)) {
        const char *reason = strstr(why, ": "); /* without our path */
        return web_problem(q, 422, "this is no capture: %s", reason ? reason + 2 : "its format is not known");
    }
    pthread_mutex_lock(&s->changing);
    if (s->plan->quota && web_used(s) + q->upload_bytes > s->plan->quota)
        web_problem(q, 507, "the quota of the folder is used up");
    else upload_name(q, name, replace);
    pthread_mutex_unlock(&s->changing);
}
