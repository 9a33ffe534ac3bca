/* SPDX-License-Identifier: Apache-2.0 */
#include "io/vendors.h"

#include "base/hex.h"

#include <stdio.h>
#include <stdlib.h>

enum { VENDORS_MAX = 1 << 17, FILE_MAX = 16 << 20, NAME_MAX_BYTES = 63 /* as in Wireshark, for the same value */ };

/* A line of the list: who owns the prefix is only read where it is asked for, as there are tens of thousands. */
struct vendor {
    uint32_t oui, at; /* at: of what stands behind the prefix, in the text */
};

struct vendors {
    struct slice text;
    struct vendor *list; /* by prefix */
    size_t count;
    bool loaded; /* or looked for in vain */
};

static struct slice file_read(const char *path) {
    FILE *f = fopen(path, "re");
    if (!f) return (struct slice){0};
    char *text = malloc(FILE_MAX);
    size_t n = text ? fread(text, 1, FILE_MAX, f) : 0;
    fclose(f);
    char *fitting = text ? realloc(text, n + 1) : NULL;
    return slice_of(fitting ? fitting : text, n);
}

static const struct slice hex_mark = {(const uint8_t *)"(hex)", 5};

/* prefix_parse reads "00:11:22" or "00-11-22" and returns how many characters it had; 0: no such prefix. */
static size_t prefix_parse(struct slice line, uint32_t *oui) {
    uint32_t v = 0;
    if (line.n < 9) return 0;
    for (size_t i = 0; i < 8; i++) {
        int d = hex_digit(line.p[i]);
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

/* Lines are "00:11:22<tab>Short<tab>Long name" (manuf) or "00-11-22   (hex)<tab><tab>Name" (ieee-data). The length of
 * the prefix is returned, 0 for other lines. */
static size_t line_parse(struct slice line, uint32_t *oui) {
    size_t used = prefix_parse(line, oui);
    struct slice rest = slice_tail(line, used);
    return used && (rest.p[0] == '\t' || slice_starts(blanks_skip(rest), hex_mark)) ? used : 0;
}

/* name_of reads the owner behind the prefix. */
static struct slice name_of(struct slice rest) {
    if (rest.p[0] != '\t') return blanks_skip(slice_tail(blanks_skip(rest), hex_mark.n));
    const uint8_t *tab = memchr(rest.p + 1, '\t', rest.n - 1);
    size_t short_len = tab ? (size_t)(tab - rest.p) : rest.n;
    struct slice full = blanks_skip(slice_tail(rest, short_len));
    const uint8_t *comment = full.n ? memchr(full.p, '\t', full.n) : NULL;
    if (comment) full = blanks_skip(slice_head(full, (size_t)(comment - full.p)));
    bool named = full.n && full.p[0] != '#'; /* a comment may stand in its place */
    return named ? slice_head(full, NAME_MAX_BYTES) : blanks_skip(slice_head(rest, short_len));
}

static int by_prefix(const void *a, const void *b) {
    uint32_t x = ((const struct vendor *)a)->oui, y = ((const struct vendor *)b)->oui;
    return (x > y) - (x < y);
}

static struct slice line_of(struct slice text) {
    const uint8_t *end = text.n ? memchr(text.p, '\n', text.n) : NULL;
    return slice_head(text, end ? (size_t)(end - text.p) : text.n);
}

static void text_parse(struct vendors *v) {
    struct slice rest = v->text;
    bool sorted = true;
    v->list = malloc(VENDORS_MAX * sizeof *v->list);
    v->count = 0;
    while (v->list && rest.n && v->count < VENDORS_MAX) {
        struct slice line = line_of(rest);
        uint32_t oui;
        size_t used = line_parse(line, &oui);
        if (used) {
            sorted = sorted && (!v->count || v->list[v->count - 1].oui <= oui);
            v->list[v->count++] = (struct vendor){oui, (uint32_t)(line.p - v->text.p + (ptrdiff_t)used)};
        }
        rest = slice_tail(rest, line.n + 1);
    }
    if (!sorted) qsort(v->list, v->count, sizeof *v->list, by_prefix);
}

static void lists_free(struct vendors *v) {
    free(v->list);
    free((void *)(uintptr_t)v->text.p);
}

static void load(struct vendors *v) {
    static const char *const paths[] = {"/usr/share/wireshark/manuf", "/usr/share/ieee-data/oui.txt",
                                        "/var/lib/ieee-data/oui.txt"};
    v->loaded = true;
    for (size_t i = 0; i < sizeof paths / sizeof *paths && !v->count; i++) {
        lists_free(v);
        v->text = file_read(paths[i]);
        text_parse(v);
    }
}

struct vendors *vendors_make(void) {
    return calloc(1, sizeof(struct vendors));
}

void vendors_free(struct vendors *v) {
    if (v) lists_free(v);
    free(v);
}

struct slice vendors_find(void *vendors, uint32_t oui) {
    struct vendors *v = vendors;
    if (v && !v->loaded) load(v);
    struct vendor key = {.oui = oui};
    const struct vendor *found = v && v->count ? bsearch(&key, v->list, v->count, sizeof *v->list, by_prefix) : NULL;
    return found ? name_of(line_of(slice_tail(v->text, found->at))) : (struct slice){0};
}
