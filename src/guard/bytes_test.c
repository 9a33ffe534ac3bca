/* SPDX-License-Identifier: Apache-2.0 */
/* Byte streams of files, valid and hostile, into the guard from either side, before and after a login: whole and byte
 * by byte they must give the same verdicts and the same forwarded bytes. Arguments: a folder. Skipped where it is
 * missing. */
#include "guard/guard_test.h"

#include <dirent.h>

enum { SKIPPED = 77, FILE_MAX = 1 << 20, BYTEWISE_MAX = 20000 };

static const char *const policies[] = {NULL, "mode: log\n", "topics: {rules: [{deny: all, to: ['+/#']}]}\n"};

static struct slice file_read(const char *folder, const char *name) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "rb");
    uint8_t *p = malloc(FILE_MAX);
    size_t n = f ? fread(p, 1, FILE_MAX, f) : 0;
    if (f) fclose(f);
    return slice_of(p, n);
}

static void feed(struct tube *t, enum guard_side from, int login, struct slice bytes, size_t step) {
    t->now += INT64_C(100000000000); /* limits forget the file before */
    tube_again(t);
    if (login) tube_up(t, login, "x");
    for (size_t i = 0; i < bytes.n && !t->closed; i += step) tube_send(t, from, slice_head(slice_tail(bytes, i), step));
}

static struct slice kept(const struct writer *w) {
    struct slice s = wr_done(w);
    uint8_t *copy = malloc(s.n + 1);
    if (s.n) memcpy(copy, s.p, s.n);
    return slice_of(copy, s.n);
}

static void both_ways(struct tube *whole, struct tube *bytes, const char *name, struct slice in) {
    static const int logins[] = {0, 4, 5};
    for (int from = 0; from < GUARD_SIDES; from++) {
        for (size_t k = 0; k < 3; k++) {
            feed(whole, from, logins[k], in, in.n ? in.n : 1);
            struct slice got[2] = {kept(&whole->got[0]), kept(&whole->got[1])};
            if (in.n <= BYTEWISE_MAX) {
                feed(bytes, from, logins[k], in, 1);
                CHECK(slice_eq(got[0], wr_done(&bytes->got[0])) && slice_eq(got[1], wr_done(&bytes->got[1])),
                      "%s from %d after login %d: the same bytes arrive however they are cut", name, from, logins[k]);
                CHECK(whole->closed == bytes->closed && !strcmp(whole->rules, bytes->rules),
                      "%s from %d after login %d: the same verdicts: %s and %s", name, from, logins[k], whole->rules,
                      bytes->rules);
            }
            free((void *)got[0].p);
            free((void *)got[1].p);
        }
    }
}

int main(int argc, char **argv) {
    DIR *d = argc > 1 ? opendir(argv[1]) : NULL;
    if (!d) return SKIPPED;
    struct tube whole[3], bytes[3];
    for (size_t i = 0; i < 3; i++) {
        tube_make(&whole[i], policies[i]);
        tube_make(&bytes[i], policies[i]);
    }
    for (const struct dirent *e; (e = readdir(d));) {
        if (e->d_name[0] == '.') continue;
        struct slice in = file_read(argv[1], e->d_name);
        for (size_t i = 0; i < 3; i++) both_ways(&whole[i], &bytes[i], e->d_name, in);
        free((void *)in.p);
    }
    closedir(d);
    for (size_t i = 0; i < 3; i++) {
        tube_free(&whole[i]);
        tube_free(&bytes[i]);
    }
    return test_failures != 0;
}
