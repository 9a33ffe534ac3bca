/* SPDX-License-Identifier: Apache-2.0 */
/* Where rule sets get their files, their cache and libinjection from.
 *
 * Cached forms are code for a matching engine, so only files that belong to this user (or root) and that nobody else
 * may write are taken; they are written beside their place and renamed into it. */
#include "serve/proxy/rules_source.h"
#include "base/clock.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SYSTEM_CACHE "/var/cache/weir"

enum { BLOB_MAX = 256 << 20, PATH_LEN = 4096 };

static int code_of_errno(void) { return errno == ENOENT ? ERR_NOTFOUND : errno == EACCES ? ERR_DENIED : ERR_IO; }

static int read_all(int fd, size_t n, struct slice *text) {
    uint8_t *p = malloc(n + 1);
    size_t got = 0;
    if (!p) return ERR_NOMEM;
    while (got < n) {
        ssize_t r = read(fd, p + got, n - got);
        if (r < 0 && errno == EINTR) continue;
        if (r <= 0) break;
        got += (size_t)r;
    }
    *text = slice_of(p, got);
    return 0;
}

static int file_read(void *ctx, const char *path, struct slice *text) {
    (void)ctx;
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return code_of_errno();
    int rc = fstat(fd, &st) < 0 || S_ISDIR(st.st_mode) ? ERR_IO : 0;
    if (!rc && st.st_size > RULES_TEXT_MAX) rc = ERR_LIMIT;
    /* A pipe has no size: as much as is allowed. */
    if (!rc) rc = read_all(fd, S_ISREG(st.st_mode) ? (size_t)st.st_size : RULES_TEXT_MAX, text);
    close(fd);
    return rc;
}

static void file_release(void *ctx, struct slice text) {
    (void)ctx;
    free((void *)text.p);
}

static int file_expand(void *ctx, const char *pattern, int (*each)(void *to, const char *path), void *to) {
    (void)ctx;
    glob_t found = {0};
    int rc = glob(pattern, 0, NULL, &found);
    if (rc) return globfree(&found), rc == GLOB_NOMATCH ? ERR_NOTFOUND : ERR_IO;
    for (size_t i = 0; i < found.gl_pathc && !rc; i++) rc = each(to, found.gl_pathv[i]);
    globfree(&found);
    return rc;
}

/* cache_path names the file of a key; false where there is no folder for it. */
static bool cache_path(char *out, size_t n, const char *key) {
    const char *own = getenv("WEIR_CACHE_DIR"), *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    char dir[PATH_LEN - 128];
    if (own && own[0]) snprintf(dir, sizeof dir, "%s", own);
    else if (xdg && xdg[0] == '/') snprintf(dir, sizeof dir, "%s/weir", xdg);
    else if (geteuid() == 0) snprintf(dir, sizeof dir, SYSTEM_CACHE);
    else if (home && home[0] == '/') snprintf(dir, sizeof dir, "%s/.cache/weir", home);
    else return false;
    return snprintf(out, n, "%s/rules-%s.bin", dir, key) < (int)n;
}

static bool blob_read(const char *path, struct slice *blob) {
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) return false;
    bool ok = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (st.st_uid == geteuid() || st.st_uid == 0) &&
              !(st.st_mode & (S_IWGRP | S_IWOTH)) && st.st_size > 0 && st.st_size <= BLOB_MAX;
    if (ok) ok = read_all(fd, (size_t)st.st_size, blob) == 0;
    close(fd);
    if (ok && blob->n != (size_t)st.st_size) file_release(NULL, *blob), ok = false;
    return ok;
}

/* A worker that gave up root's rights finds what the parent compiled before in the system's folder. */
static bool cache_get(void *ctx, const char *key, struct slice *blob) {
    (void)ctx;
    char path[PATH_LEN];
    if (cache_path(path, sizeof path, key) && blob_read(path, blob)) return true;
    snprintf(path, sizeof path, SYSTEM_CACHE "/rules-%s.bin", key);
    return geteuid() != 0 && blob_read(path, blob);
}

static void folders_make(const char *path) {
    char dir[PATH_LEN];
    snprintf(dir, sizeof dir, "%s", path);
    for (char *p = dir + 1; (p = strchr(p, '/')); p++) {
        *p = 0;
        (void)mkdir(dir, 0755);
        *p = '/';
    }
}

static void cache_put(void *ctx, const char *key, struct slice blob) {
    (void)ctx;
    char path[PATH_LEN], part[PATH_LEN + 32];
    if (!cache_path(path, sizeof path, key)) return;
    folders_make(path);
    snprintf(part, sizeof part, "%s.%ld", path, (long)getpid());
    int fd = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0) return;
    bool ok = true;
    for (size_t done = 0; ok && done < blob.n;) {
        ssize_t n = write(fd, blob.p + done, blob.n - done);
        ok = n > 0;
        if (ok) done += (size_t)n;
    }
    close(fd);
    if (!ok || rename(part, path) < 0) (void)unlink(part);
}

static struct rules_libinjection libinjection_here(void) {
    struct rules_libinjection l = {0};
    void *lib = dlopen("libmodsecurity.so.3", RTLD_LAZY | RTLD_LOCAL);
    if (!lib) return l;
    *(void **)&l.sqli = dlsym(lib, "libinjection_sqli");
    *(void **)&l.xss = dlsym(lib, "libinjection_xss");
    return l;
}

static int64_t clock_here(bool exact) { return clock_read(exact ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC_COARSE); }

struct rules_source rules_source_here(void) {
    return (struct rules_source){
        .files = {.read = file_read, .release = file_release, .expand = file_expand},
        .cache = {.get = cache_get, .release = file_release, .put = cache_put},
        .libinjection = libinjection_here(),
        .clock = clock_here,
    };
}
