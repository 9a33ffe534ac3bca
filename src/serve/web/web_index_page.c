/* SPDX-License-Identifier: Apache-2.0 */
/* Reading an index: rows by their numbers, and the frames of a filter. */
#include "serve/web/web_index_in.h"
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

void web_pages_free(struct web_pages *p) {
    free(p->raw);
    p->raw = NULL;
}

static uint64_t varint(struct reader *r) {
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t b = rd_u8(r);
        v |= (uint64_t)(b & 127) << shift;
        if (!(b & 128)) break;
    }
    return v;
}
static int64_t zigzag(struct reader *r) {
    uint64_t v = varint(r);
    return (int64_t)(v >> 1 ^ (0 - (v & 1)));
}

static struct slice text(struct reader *r) {
    uint64_t n = varint(r);
    return n <= WEB_COLUMN_MAX ? rd_take(r, n) : (struct slice){0};
}

static bool block_find(struct web_index *x, uint64_t number, struct index_block *b, int *fd, uint32_t *frames) {
    uint64_t place = (number - 1) / INDEX_BLOCK;
    pthread_mutex_lock(&x->lock);
    bool found = number && place < x->blocks && (!x->whole || number <= x->frames);
    if (found) *b = x->block[place];
    *fd = x->fd;
    *frames = found && x->whole && place + 1 == x->blocks ? (uint32_t)(x->frames - place * INDEX_BLOCK) : INDEX_BLOCK;
    pthread_mutex_unlock(&x->lock);
    return found;
}

/* What stands in the flags' upper two bits. */
enum { TRANSPORT_OF_TCP = 1 };

/* record_read reads one record; offset and at are those of the one before. */
static void record_read(struct reader *r, struct web_row *row, uint64_t *offset, __int128 *at) {
    row->offset = *offset += (uint64_t)zigzag(r);
    int64_t ns = zigzag(r);
    row->at = *at += moment_of(ns, (int16_t)zigzag(r));
    uint8_t flags = rd_u8(r);
    row->digits = rd_u8(r);
    row->colour = row->digits >> 4;
    row->digits &= 15;
    if (row->digits > 9) row->digits = 9;
    row->has_ts = flags & 1;
    row->malformed = flags >> 1 & 1;
    row->cut = flags >> 2 & 1;
    row->severity = (flags >> 3 & 7) <= SEV_ERROR ? flags >> 3 & 7 : 0;
    row->transport = flags >> 6 == TRANSPORT_OF_TCP ? 6 : flags >> 6 ? 17 : 0;
    row->len = (uint32_t)varint(r);
    row->stream = (uint32_t)varint(r);
    row->source = text(r);
    row->destination = text(r);
    row->protocol = text(r);
    row->info = text(r);
}

static bool unpack(struct web_pages *p, const struct index_block *b, int fd) {
    enum { PLACES = sizeof(struct web_places), RAW_MAX = INDEX_BLOCK * (WEB_ROW_TEXT + 64) };
    if (b->packed < PLACES || b->raw > RAW_MAX) return false;
    size_t packed = b->packed - PLACES;
    uint8_t *in = malloc(packed ? packed : 1), *raw = realloc(p->raw, b->raw ? b->raw : 1);
    uLongf n = b->raw;
    if (raw) p->raw = raw;
    bool ok = in && raw && pread(fd, in, packed, (off_t)(b->at + PLACES)) == (ssize_t)packed &&
              uncompress(raw, &n, in, packed) == Z_OK && n == b->raw;
    free(in);
    p->n = n;
    return ok;
}

static bool block_load(struct web_pages *p, uint64_t number) {
    struct index_block b;
    int fd;
    uint64_t place = (number - 1) / INDEX_BLOCK;
    if (p->block == place + 1) return true;
    p->block = 0;
    if (!block_find(p->x, number, &b, &fd, &p->frames) || !unpack(p, &b, fd)) return false;
    p->block = place + 1;
    p->first = 0;
    p->next = p->offset = 0;
    p->at = 0;
    return true;
}

bool web_page_row(struct web_pages *p, uint64_t number, struct web_row *row) {
    if (!number || !block_load(p, number)) return false;
    uint32_t at = (uint32_t)((number - 1) % INDEX_BLOCK);
    if (at >= p->frames) return false;
    if (at < p->first) { /* records are read in order */
        p->first = 0;
        p->next = p->offset = 0;
        p->at = 0;
    }
    struct reader r = rd_init(slice_of(p->raw + p->next, p->n - p->next), p->raw);
    for (; p->first <= at; p->first++) {
        *row = (struct web_row){.number = number};
        record_read(&r, row, &p->offset, &p->at);
    }
    p->next = p->n - rd_left(&r);
    return rd_ok(&r);
}

uint32_t web_page_places(struct web_index *x, uint64_t number, struct web_places *out, uint64_t *base) {
    struct index_block b;
    int fd;
    uint32_t frames;
    if (!block_find(x, number, &b, &fd, &frames) || pread(fd, out, sizeof *out, (off_t)b.at) != sizeof *out) return 0;
    for (uint32_t i = 0; i < frames; i++)
        if (out->kind[i] >= x->kinds) return 0;
    *base = b.base;
    return frames;
}

/* before_time is the time of the last frame before `number` that has one. */
static bool before_time(struct web_pages *p, uint64_t number, __int128 *at) {
    struct web_row row;
    while (--number)
        if (web_page_row(p, number, &row) && row.has_ts) return *at = row.at, true;
    return false;
}

bool web_page_write(struct writer *w, struct web_pages *p, const struct view *view, uint64_t number,
                    uint64_t shown_before, const struct web_cells *cells, const struct decode *d) {
    struct web_row row;
    struct view own = *view;
    struct frame_times *t = &own.times;
    bool has;
    *t = (struct frame_times){.first = web_index_begin(p->x, &has)};
    t->has_first = view->time == TIME_RELATIVE;
    if (view->time == TIME_DELTA) t->has_first = before_time(p, number, &t->previous);
    if (view->time == TIME_DELTA_SHOWN && shown_before && web_page_row(p, shown_before, &row)) {
        t->displayed = row.at;
        t->has_displayed = true;
    }
    if (!web_page_row(p, number, &row)) return false;
    web_row_write(w, &row, &own, cells, d);
    return true;
}

/* ---- filters ---- */

struct web_matches {
    char *filter;
    uint64_t *bit;   /* of frame n: bit (n - 1) */
    uint64_t words;  /* there is room for */
    uint32_t *count; /* matches of each block; made when the list is complete */
    uint64_t all, frames, used;
    bool failed;
};

struct web_matches *web_matches_make(const char *filter) {
    struct web_matches *m = filter && *filter ? calloc(1, sizeof *m) : NULL;
    if (m && !(m->filter = strdup(filter))) free(m), m = NULL;
    return m;
}

void web_matches_free(struct web_matches *m) {
    if (!m) return;
    free(m->filter);
    free(m->bit);
    free(m->count);
    free(m);
}

void web_matches_add(struct web_matches *m, uint64_t number) {
    if (!m || m->failed) return;
    uint64_t word = (number - 1) / 64;
    if (number > INDEX_FRAMES_MAX) {
        m->failed = true;
        return;
    }
    if (word >= m->words) {
        uint64_t words = m->words ? m->words * 2 : 1024;
        while (words <= word) words *= 2;
        uint64_t *more = realloc(m->bit, words * sizeof *more);
        if (!more) {
            m->failed = true;
            return;
        }
        memset(more + m->words, 0, (words - m->words) * sizeof *more);
        m->bit = more;
        m->words = words;
    }
    m->bit[word] |= (uint64_t)1 << (number - 1) % 64;
    m->all++;
}

enum { WORDS = INDEX_BLOCK / 64 };

static bool counts_make(struct web_matches *m) {
    uint64_t blocks = m->words / WORDS;
    m->count = calloc(blocks ? blocks : 1, sizeof *m->count);
    for (uint64_t i = 0; m->count && i < blocks * WORDS; i++)
        m->count[i / WORDS] += (uint32_t)__builtin_popcountll(m->bit[i]);
    return m->count != NULL;
}

void web_matches_keep(struct web_index *x, struct web_matches *m, uint64_t frames) {
    if (!m) return;
    m->frames = frames;
    if (!x || m->failed || !counts_make(m)) return web_matches_free(m);
    pthread_mutex_lock(&x->lock);
    int best = 0;
    for (int i = 0; i < INDEX_FILTERS; i++) {
        if (x->match[i] && !strcmp(x->match[i]->filter, m->filter)) {
            best = i;
            break;
        }
        if (!x->match[i] || (x->match[best] && x->match[i]->used < x->match[best]->used)) best = i;
    }
    web_matches_free(x->match[best]);
    m->used = ++x->uses;
    x->match[best] = m;
    pthread_mutex_unlock(&x->lock);
}

void index_matches_free(struct web_index *x) {
    for (int i = 0; i < INDEX_FILTERS; i++) web_matches_free(x->match[i]);
}

/* nth gives the number of the match at a place; where m has fewer, 0. */
static uint64_t nth(const struct web_matches *m, uint64_t place) {
    uint64_t block = 0, word;
    if (place >= m->all) return 0;
    while (place >= m->count[block]) place -= m->count[block++];
    for (word = block * WORDS; place >= (uint64_t)__builtin_popcountll(m->bit[word]); word++)
        place -= (uint64_t)__builtin_popcountll(m->bit[word]);
    uint64_t bits = m->bit[word];
    while (place--) bits &= bits - 1;
    return word * 64 + (uint64_t)__builtin_ctzll(bits) + 1;
}

int64_t web_index_matches(struct web_index *x, const char *filter, uint64_t from, uint64_t n, uint64_t *out,
                          uint64_t *all, uint64_t *before) {
    int64_t found = -1;
    pthread_mutex_lock(&x->lock);
    for (int i = 0; i < INDEX_FILTERS && found < 0; i++) {
        struct web_matches *m = x->match[i];
        if (!m || strcmp(m->filter, filter) != 0 || !x->whole || m->frames != x->frames) continue;
        m->used = ++x->uses;
        *all = m->all;
        *before = from ? nth(m, from - 1) : 0;
        for (found = 0; (uint64_t)found < n && from + (uint64_t)found < m->all; found++)
            out[found] = nth(m, from + (uint64_t)found);
    }
    pthread_mutex_unlock(&x->lock);
    return found;
}
