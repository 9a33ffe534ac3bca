/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of captures. Theory of operation: what a client gives to decrypt a capture with lies in two hidden files of the
 * folder, named after the capture: a key log and a private key. They are read by who decodes that capture and handed
 * out to nobody; what is shown of them are counts. Their names begin with a dot, so no request can name them. */
#include "serve/web/web_keys.h"
#include "io/keyfile.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum key_kind { KEYS_LOG, KEYS_PRIVATE, KEYS_KINDS };

static bool key_path(const struct web *s, const char *path, enum key_kind kind, char out[WEB_PATH_MAX]) {
    static const char *const words[KEYS_KINDS] = {[KEYS_LOG] = "log", [KEYS_PRIVATE] = "private"};
    const char *slash = strrchr(path, '/');
    char name[WEB_NAME_MAX + 1];
    web_name_clean(name, slash ? slash + 1 : path);
    return snprintf(out, WEB_PATH_MAX, "%s/.keys-%s-%s", s->plan->dir, words[kind], name) < WEB_PATH_MAX;
}

/* take adds a file's content to the keys; false where it is none. */
static bool take(struct tls_keys *keys, enum key_kind kind, const char *file, struct writer *why) {
    struct slice bytes;
    if (keyfile_read(file, &bytes, why)) return false;
    uint64_t before = keys->generation;
    bool ok = true;
    if (kind == KEYS_PRIVATE) {
        ok = tls_keys_private(keys, bytes, NULL, why);
    } else {
        tls_keys_log(keys, bytes, TLS_FROM_LOG, true);
        ok = keys->generation != before;
        if (!ok) wr_s(why, "there is no secret in it");
    }
    keyfile_release(&bytes);
    return ok;
}

void web_keys_load(const struct web *s, const char *path, struct tls_keys *keys) {
    char file[WEB_PATH_MAX], text[160];
    struct writer why = wr_fixed(text, sizeof text);
    for (int kind = 0; kind < KEYS_KINDS; kind++)
        if (key_path(s, path, kind, file) && access(file, R_OK) == 0) take(keys, kind, file, &why);
}

/* count tells how many secrets (KEYS_LOG) or private keys a file gives. */
static unsigned count(const struct web *s, const char *path, enum key_kind kind) {
    char file[WEB_PATH_MAX], text[160];
    struct writer why = wr_fixed(text, sizeof text);
    struct tls_keys keys;
    tls_keys_make(&keys);
    uint64_t before = keys.generation;
    bool there = key_path(s, path, kind, file) && access(file, R_OK) == 0 && take(&keys, kind, file, &why);
    unsigned n = !there ? 0 : kind == KEYS_PRIVATE ? keys.n_private : (unsigned)(keys.generation - before);
    tls_keys_free(&keys);
    return n;
}

void web_keys_show(struct web_request *q, const char *path) {
    wr_f(&q->reply.w, "{\"secrets\":%u,\"private_keys\":%u}\n", count(q->web, path, KEYS_LOG),
         count(q->web, path, KEYS_PRIVATE));
}

/* kind_of looks at the beginning: a private key is PEM, or ASN.1 in DER, which begins with a SEQUENCE. */
static enum key_kind kind_of(const char *file) {
    char head[11] = "";
    FILE *f = fopen(file, "re");
    size_t n = f ? fread(head, 1, sizeof head, f) : 0;
    if (f) fclose(f);
    return (n == sizeof head && !memcmp(head, "-----BEGIN ", 11)) || (n && head[0] == 0x30) ? KEYS_PRIVATE : KEYS_LOG;
}

void web_keys_put(struct web_request *q, const char *path) {
    char text[160] = "", to[WEB_PATH_MAX];
    struct writer why = wr_fixed(text, sizeof text - 1);
    struct tls_keys keys;
    if (!web_upload_there(q)) return;
    enum key_kind kind = kind_of(q->upload_path);
    tls_keys_make(&keys);
    bool ok = take(&keys, kind, q->upload_path, &why);
    tls_keys_free(&keys);
    if (!ok) {
        *why.p = 0;
        return web_problem(q, 422, "this is no key log and no private key: %s", text);
    }
    if (!key_path(q->web, path, kind, to) || rename(q->upload_path, to))
        return web_problem(q, 500, "the keys could not be stored: %s", strerror(errno));
    q->upload_path[0] = 0;
    q->reply.status = 201;
    web_keys_show(q, path);
}

uint64_t web_keys_stamp(const struct web *s, const char *path) {
    char file[WEB_PATH_MAX];
    struct stat st;
    uint64_t stamp = 0;
    for (int kind = 0; kind < KEYS_KINDS; kind++) {
        stamp = hash_mix(stamp ^ 0x9e3779b97f4a7c15u, 0xbf58476d1ce4e5b9u);
        if (!key_path(s, path, kind, file) || stat(file, &st)) continue;
        stamp ^= hash_mix((uint64_t)st.st_mtim.tv_sec ^ st.st_ino,
                          (uint64_t)st.st_mtim.tv_nsec ^ (uint64_t)st.st_size << 32);
    }
    return stamp;
}

void web_keys_forget(const struct web *s, const char *path) {
    char file[WEB_PATH_MAX];
    for (int kind = 0; kind < KEYS_KINDS; kind++)
        if (key_path(s, path, kind, file)) unlink(file);
}

void web_keys_drop(struct web_request *q, const char *path) {
    web_keys_forget(q->web, path);
    q->reply.status = 204;
}
