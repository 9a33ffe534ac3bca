/* SPDX-License-Identifier: Apache-2.0 */
/* Rule files into a rule set: files, lines and words. What a directive means stands in load_directive.c.
 *
 * A logical line is what remains after a backslash at the end of a line joined it with the next; it is kept in the
 * set's arena, so that words, patterns and messages can point into it. `joints` remembers where its parts came from: an
 * error names the file's own line and column. */
#include "guard/rules/load.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { JOINTS = 4096, WORDS = 16, SET_MEMORY = 512 << 20 };

struct joint {
    size_t at; /* in the logical line */
    unsigned line, column;
};
struct reading {
    struct load *l;
    struct slice text; /* the logical line */
    struct joint joint[JOINTS];
    size_t n;
};

static _Thread_local struct reading *now; /* of the innermost file: errors are placed by it */

static void place(struct load *l, const char *at, unsigned *line, unsigned *column) {
    *line = l->line;
    *column = l->column ? l->column : 1;
    if (!now || !at || (const uint8_t *)at < now->text.p || (const uint8_t *)at > now->text.p + now->text.n) return;
    size_t off = (size_t)((const uint8_t *)at - now->text.p), i = now->n;
    while (i > 1 && now->joint[i - 1].at > off) i--;
    *line = now->joint[i - 1].line;
    *column = now->joint[i - 1].column + (unsigned)(off - now->joint[i - 1].at);
}

int load_fail(struct load *l, const char *at, const char *fmt, ...) {
    va_list args;
    place(l, at, &l->error->line, &l->error->column);
    snprintf(l->error->file, sizeof l->error->file, "%s", l->file);
    va_start(args, fmt);
    vsnprintf(l->error->text, sizeof l->error->text, fmt, args);
    va_end(args);
    return ERR_FORMAT;
}

void load_note(struct load *l, const char *fmt, ...) {
    struct rules_report note = {.line = l->line, .column = 1};
    va_list args;
    if (!l->source->note) return;
    snprintf(note.file, sizeof note.file, "%s", l->file);
    va_start(args, fmt);
    vsnprintf(note.text, sizeof note.text, fmt, args);
    va_end(args);
    l->source->note(l->source->note_ctx, &note);
}

struct slice load_keep(struct load *l, struct slice s) {
    return arena_copy(&l->set->arena, s);
}

/* line_end returns the length of the file line at the start of text, without its line feed. */
static size_t line_end(struct slice text) {
    const uint8_t *nl = text.n ? memchr(text.p, '\n', text.n) : NULL;
    return nl ? (size_t)(nl - text.p) : text.n;
}

/* join takes file lines until one does not end in a backslash; it returns how many bytes of text it took. */
static size_t join(struct reading *r, struct slice text, unsigned *line) {
    size_t took = 0, room = 0, n;
    for (bool more = true; more && room < text.n; room += n + 1) {
        n = line_end(slice_tail(text, room));
        struct slice one = s_trim(slice_of(text.p + room, n));
        more = one.n && one.p[one.n - 1] == '\\';
    }
    uint8_t *out = arena_get(&r->l->set->arena, room + 1), *d = out;
    if (!out) return 0;
    r->n = 0;
    for (bool more = true; more && took < text.n; took += n + 1, ++*line) {
        n = line_end(slice_tail(text, took));
        size_t from = 0, end = n;
        while (end && c_space(text.p[took + end - 1])) end--;
        more = end && text.p[took + end - 1] == '\\';
        if (more) end--;
        while (r->n && from < end && c_space(text.p[took + from])) from++;
        if (r->n < JOINTS) r->joint[r->n++] = (struct joint){(size_t)(d - out), *line, (unsigned)from + 1};
        memcpy(d, text.p + took + from, end - from);
        d += end - from;
    }
    r->text = slice_of(out, (size_t)(d - out));
    return took;
}

/* quoted returns the length of the text behind an opening quote, up to the closing one that no backslash escapes. */
static size_t quoted(struct slice s, uint8_t quote, bool *closed) {
    size_t i = 0;
    for (; i < s.n && s.p[i] != quote; i++)
        if (s.p[i] == '\\' && i + 1 < s.n) i++;
    *closed = i < s.n;
    return i < s.n ? i : s.n;
}

static int words_of(struct load *l, struct slice line, struct slice *word, size_t *n) {
    for (*n = 0;;) {
        while (line.n && c_space(line.p[0])) line = slice_tail(line, 1);
        if (!line.n) return 0;
        if (*n == WORDS) return load_fail(l, (const char *)line.p, "too many words in one directive");
        bool closed = true, q = line.p[0] == '"' || line.p[0] == '\'';
        size_t len = 0;
        if (q) len = quoted(slice_tail(line, 1), line.p[0], &closed);
        else
            for (bool inside = false; len < line.n && (inside || !c_space(line.p[len])); len++)
                if (line.p[len] == '\'') inside = !inside;
        if (!closed) return load_fail(l, (const char *)line.p, "this quote is not closed");
        word[(*n)++] = slice_of(line.p + q, len);
        line = slice_tail(line, len + (q ? 2 : 0));
    }
}

static int read_lines(struct reading *r, struct slice text) {
    struct load *l = r->l;
    struct slice word[WORDS];
    size_t n, took;
    if (slice_starts(text, SLICE("\xef\xbb\xbf"))) text = slice_tail(text, 3);
    for (unsigned line = 1; text.n; text = slice_tail(text, took)) {
        l->line = line;
        l->column = 1;
        if (!(took = join(r, text, &line))) return load_fail(l, NULL, "out of memory");
        struct slice all = s_trim(r->text);
        if (!all.n || all.p[0] == '#') continue;
        int rc = words_of(l, all, word, &n);
        if (!rc) rc = load_directive(l, word, n);
        if (rc) return rc;
    }
    return 0;
}

static int load_text(struct load *l, const char *name, struct slice text) {
    struct reading *r = calloc(1, sizeof *r), *outer = now;
    const char *file = l->file;
    unsigned line = l->line;
    struct slice kept = load_keep(l, slice_of(name, strlen(name) + 1));
    if (!r || !kept.p) return free(r), load_fail(l, NULL, "out of memory");
    r->l = l;
    l->file = (const char *)kept.p;
    now = r;
    int rc = read_lines(r, text);
    now = outer;
    if (!rc) {
        l->file = file;
        l->line = line;
    }
    free(r);
    return rc;
}

static int load_one(void *to, const char *path) {
    struct load *l = to;
    struct slice text;
    if (++l->files > RULES_FILES_MAX) return load_fail(l, NULL, "more than %d files", RULES_FILES_MAX);
    if (l->depth >= RULES_INCLUDE_DEPTH)
        return load_fail(l, NULL, "files include each other more than %d deep", RULES_INCLUDE_DEPTH);
    int rc = l->source->files.read(l->source->files.ctx, path, &text);
    if (rc) return load_fail(l, NULL, "cannot read %s: %s", path, err_text(rc)), rc;
    l->depth++;
    rc = text.n > RULES_TEXT_MAX ? load_fail(l, NULL, "%s is larger than %d bytes", path, RULES_TEXT_MAX)
                                 : load_text(l, path, text);
    l->depth--;
    l->source->files.release(l->source->files.ctx, text);
    return rc;
}

int load_path(struct load *l, const char *path) {
    if (!strpbrk(path, "*?[")) return load_one(l, path);
    const char *file = l->file;
    unsigned line = l->line;
    l->error->text[0] = 0;
    int rc = l->source->files.expand(l->source->files.ctx, path, load_one, l);
    if (rc && !l->error->text[0]) {
        l->file = file;
        l->line = line;
        return load_fail(l, NULL, "cannot expand %s: %s", path, err_text(rc)), rc;
    }
    return rc;
}

/* load_file_text reads a data file that stands beside the rule file; the caller releases it. */
int load_file_text(struct load *l, const char *name, struct slice *text, char *path, size_t n_path) {
    const char *slash = strrchr(l->file, '/');
    if (name[0] != '/' && slash) snprintf(path, n_path, "%.*s/%s", (int)(slash - l->file), l->file, name);
    else snprintf(path, n_path, "%s", name);
    return l->source->files.read(l->source->files.ctx, path, text);
}

static struct rules_set *set_make(const struct rules_source *source) {
    struct rules_set *set = calloc(1, sizeof *set);
    if (!set) return NULL;
    set->arena = arena_make(SET_MEMORY);
    set->rules_end = &set->rules;
    set->limits = (struct limits){
        .pcre = RULES_PCRE_LIMIT, .ttl = RULES_COLLECTION_TTL, .json_depth = RULES_JSON_DEPTH, .body_reject = true};
    set->libinjection = source->libinjection;
    set->clock = source->clock;
    for (int i = 0; i < PHASES; i++) set->defaults[i] = (struct acts_of){.disrupt = DIS_PASS, .log = 1, .severity = -1};
    set->chains = calloc(64, sizeof *set->chains);
    set->cap_chains = 64;
    set->n_chains = 1;
    static const char digits[] = "0123456789";
    for (int i = 0; i < 10; i++)
        if (load_slot(set, slice_of(digits + i, 1)) != i) return rules_free(set), NULL;
    return set->chains ? set : (rules_free(set), NULL);
}

static int load_all(struct load *l, const char *const *paths, size_t n) {
    if (l->source->paranoia) {
        char text[160];
        int len = snprintf(text, sizeof text,
                           "SecAction \"id:4294967290,phase:1,nolog,pass,t:none,setvar:tx.paranoia_level=%d\"\n",
                           l->source->paranoia);
        int rc = load_text(l, "(paranoia)", slice_of(text, (size_t)len));
        if (rc) return rc;
    }
    for (size_t i = 0; i < n; i++) {
        l->file = paths[i];
        l->line = 0;
        int rc = load_path(l, paths[i]);
        if (rc) return rc;
    }
    return load_finish(l);
}

int rules_load(struct rules_set **out, const struct rules_source *source, const char *const *paths, size_t n,
               struct rules_report *error) {
    struct load l = {.source = source, .error = error, .file = ""};
    memset(error, 0, sizeof *error);
    l.set = set_make(source);
    l.updates_end = &l.updates;
    if (!l.set) return load_fail(&l, NULL, "out of memory"), ERR_NOMEM;
    int rc = load_all(&l, paths, n);
    if (rc) return rules_free(l.set), rc;
    *out = l.set;
    return 0;
}

void rules_free(struct rules_set *set) {
    if (!set) return;
    for (struct rx *rx = set->rxs; rx; rx = rx->next) pcre2_code_free(rx->code);
    first_free(set->first);
    free(set->chains);
    free(set->slots);
    free(set->unicode_map);
    for (int i = 0; i < PHASES; i++) free(set->phase[i]);
    free(set->sensitive);
    free(set->fixed);
    arena_free(&set->arena);
    free(set);
}

bool rules_interpreted(const struct rules_set *set) { return set->interpreted; }
bool rules_available(void) { return true; }
const char *rules_missing(void) { return ""; }
