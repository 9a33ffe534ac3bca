/* SPDX-License-Identifier: Apache-2.0 */
#include "io/vendors.h"

#include <stdio.h>
#include <stdlib.h>

enum { VENDORS_MAX = 1 << 17, FILE_MAX = 16 << 20, NAME_MAX_BYTES = 63 /* as in Wireshark, for the same value */ };

struct vendor {
    uint32_t oui;
    struct slice name;
};

struct vendors {
    char *text;
    struct vendor *list; /* by prefix */
    size_t count;
};

static char *file_read(const char *path, size_t *n) {
    FILE *f = fopen(path, "re");
    if (!f) return NULL;
    char *text = malloc(FILE_MAX);
    *n = text ? fread(text, 1, FILE_MAX, f) : 0;
    fclose(f);
    char *fitting = text ? realloc(text, *n + 1) : NULL;
    return fitting ? fitting : text;
}

static int digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* prefix_parse reads "00:11:22" or "00-11-22" and returns how many characters it had; 0: no such prefix. */
static size_t prefix_parse(struct slice line, uint32_t *oui) {
    uint32_t v = 0;
    if (line.n < 9) return 0;
    for (size_t i = 0; i < 8; i++) {
        int d = digit((char)line.p[i]);
        if (i % 3 == 2) {
            if (line.p[i] != ':' && line.p[i] != '-') return 0;
        } else if (d < 0) {
            return 0;
        } else {
            v = v << 4 | (uint32_t)d;
        }
    }
    *oui = v;
    return 8;
}

static struct slice blanks_skip(struct slice s) {
    while (s.n && (s.p[0] == ' ' || s.p[0] == '\t')) s = slice_tail(s, 1);
    while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\r')) s.n--;
    return s;
}

/* line_parse takes "00:11:22<tab>Short<tab>Long name" (manuf) and "00-11-22   (hex)<tab><tab>Name" (ieee-data). */
static bool line_parse(struct slice line, struct vendor *out) {
    size_t used = prefix_parse(line, &out->oui);
    if (!used) return false;
    struct slice rest = slice_tail(line, used);
    if (rest.p[0] == '\t') {
        const uint8_t *tab = memchr(rest.p + 1, '\t', rest.n - 1);
        size_t short_len = tab ? (size_t)(tab - rest.p) : rest.n;
        struct slice full = blanks_skip(slice_tail(rest, short_len));
        const uint8_t *comment = memchr(full.p, '\t', full.n);
        if (comment) full = blanks_skip(slice_head(full, (size_t)(comment - full.p)));
        bool named = full.n && full.p[0] != '#'; /* a comment may stand in its place */
        out->name = named ? slice_head(full, full.n < NAME_MAX_BYTES ? full.n : NAME_MAX_BYTES)
                          : blanks_skip(slice_head(rest, short_len));
        return out->name.n > 0;
    }
    rest = blanks_skip(rest);
    if (!slice_starts(rest, SLICE("(hex)"))) return false;
    out->name = blanks_skip(slice_tail(rest, 5));
    return out->name.n > 0;
}

static int by_prefix(const void *a, const void *b) {
    uint32_t x = ((const struct vendor *)a)->oui, y = ((const struct vendor *)b)->oui;
    return (x > y) - (x < y);
}

static bool text_parse(struct vendors *v, size_t n) {
    struct slice rest = slice_of(v->text, n);
    v->list = malloc(VENDORS_MAX * sizeof *v->list);
    if (!v->list) return false;
    while (rest.n && v->count < VENDORS_MAX) {
        const uint8_t *end = memchr(rest.p, '\n', rest.n);
        size_t len = end ? (size_t)(end - rest.p) : rest.n;
        if (line_parse(slice_head(rest, len), &v->list[v->count])) v->count++;
        rest = slice_tail(rest, len + 1);
    }
    qsort(v->list, v->count, sizeof *v->list, by_prefix);
    return v->count > 0;
}

struct vendors *vendors_load(void) {
    static const char *const paths[] = {"/usr/share/wireshark/manuf", "/usr/share/ieee-data/oui.txt",
                                        "/var/lib/ieee-data/oui.txt"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        size_t n = 0;
        struct vendors *v = calloc(1, sizeof *v);
        if (!v) return NULL;
        v->text = file_read(paths[i], &n);
        if (v->text && text_parse(v, n)) return v;
        vendors_free(v);
    }
    return NULL;
}

void vendors_free(struct vendors *v) {
    if (!v) return;
    free(v->list);
    free(v->text);
    free(v);
}

struct slice vendors_find(const void *vendors, uint32_t oui) {
    const struct vendors *v = vendors;
    struct vendor key = {.oui = oui};
    const struct vendor *found = v ? bsearch(&key, v->list, v->count, sizeof *v->list, by_prefix) : NULL;
    return found ? found->name : (struct slice){0};
}
