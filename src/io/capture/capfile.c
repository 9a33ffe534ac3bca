/* SPDX-License-Identifier: Apache-2.0 */
/* Theory of operation: one buffer, filled by read(2) or a decompressor; records are handed out as slices into it. When
 * a record is not complete in the buffer the remainder moves to the front and the rest is read. The buffer grows only
 * for pcapng blocks larger than it and never beyond CAPFILE_BLOCK_MAX, so memory is bounded whatever a file claims.
 * Offsets in messages count in the decompressed stream. The first error is sticky. */
#include "io/capture/capfile_in.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static bool grow(struct capfile *c, size_t n) {
    if (n > CAPFILE_BLOCK_MAX) return false;
    uint8_t *buf = malloc(n);
    if (!buf) return false;
    memcpy(buf, c->buf + c->pos, c->end - c->pos);
    free(c->buf);
    c->buf = buf;
    c->cap = n;
    return true;
}

enum { PIECE_FIRST = 16 << 10 };

static size_t piece_next(struct capfile *c) {
    size_t room = c->cap - c->end, piece = c->piece;
    if (!piece || piece >= room) return c->piece = 0, room;
    c->piece = piece * 2;
    return piece;
}

bool cf_fill(struct capfile *c, size_t n) {
    size_t have = c->end - c->pos;
    if (c->eof || c->src.err) return false;
    if (n > c->cap) {
        if (!grow(c, n)) return false;
    } else if (have && c->pos) {
        memmove(c->buf, c->buf + c->pos, have);
    }
    c->base += c->pos;
    c->pos = 0;
    c->end = have;
    while (c->end < n) {
        ssize_t got = source_read(&c->src, c->buf + c->end, piece_next(c));
        if (got <= 0) {
            c->eof = got == 0;
            return false;
        }
        c->end += (size_t)got;
    }
    return true;
}

bool cf_skip(struct capfile *c, uint64_t n) {
    while (n > c->end - c->pos) {
        n -= c->end - c->pos;
        c->pos = c->end;
        if (!cf_fill(c, 1)) return false;
    }
    c->pos += n;
    return true;
}

int cf_error(struct capfile *c, int code, uint64_t at, const char *fmt, ...) {
    struct writer w = wr_fixed(c->why, sizeof c->why - 1);
    char cause[256];
    va_list args;
    va_start(args, fmt);
    vsnprintf(cause, sizeof cause, fmt, args);
    va_end(args);
    wr_f(&w, "%.200s: byte %llu: %s; read %llu %s up to here", c->name, (unsigned long long)at, cause,
         (unsigned long long)c->packets, plural(c->packets, "packet", "packets"));
    *w.p = 0;
    return c->err = code;
}

int cf_short(struct capfile *c, uint64_t at, const char *what) {
    uint64_t have = c->base + c->end - at;
    if (c->src.err) return cf_error(c, c->src.err, c->base + c->end, "%s", c->src.why);
    if (!c->eof) return cf_error(c, ERR_NOMEM, at, "out of memory for %s", what);
    if (!have) return c->err = ERR_END;
    return cf_error(c, ERR_CUT, at,
                    plural(have, "the file is cut short: only %llu byte of %s is there",
                           "the file is cut short: only %llu bytes of %s are there"),
                    (unsigned long long)have, what);
}

int capfile_next(struct capfile *c, struct packet *pkt) {
    if (__builtin_expect(c->err != 0, 0)) return c->err;
    return c->next(c, pkt);
}

bool capfile_ahead(struct capfile *c, struct slice *frame) {
    size_t size;
    if (c->ahead < c->base + c->pos) c->ahead = c->base + c->pos;
    size_t at = (size_t)(c->ahead - c->base);
    if (at >= c->end || !c->glance(c, c->buf + at, c->end - at, frame, &size)) return false;
    c->ahead += size;
    return true;
}

static int go_to(struct capfile *c, uint64_t at) {
    int r = source_seek(&c->src, at);
    if (r < 0) return r;
    c->pos = c->end = 0;
    c->base = at;
    c->ahead = at;
    c->eof = false;
    c->err = 0;
    return OK;
}

int capfile_resume(struct capfile *c) {
    if (!c->err) return OK;
    if ((c->err != ERR_END && c->err != ERR_CUT) || !c->next) return c->err;
    c->unread = c->record_unread;
    return go_to(c, c->record);
}

int capfile_seek(struct capfile *c, uint64_t at, uint64_t number) {
    if (!c->next || c->src.kind != SOURCE_PLAIN || c->src.fd < 0) return ERR_UNSUPPORTED;
    c->packets = number - 1;
    c->unread = 0;
    if (at >= c->base && at < c->base + c->end) {
        c->pos = (size_t)(at - c->base);
        c->ahead = at;
        c->err = 0;
        return OK;
    }
    c->piece = PIECE_FIRST;
    return go_to(c, at);
}

/* first_bytes says what stands at the start of an input that is no capture. */
static int unknown(struct capfile *c) {
    char hex[3 * 4 + 1] = "";
    size_t n = c->end < 4 ? c->end : 4;
    if (!n) return cf_error(c, ERR_FORMAT, 0, "the file is empty, not a capture");
    for (size_t i = 0; i < n; i++) snprintf(hex + 3 * i, 4, "%02x ", c->buf[i]);
    hex[3 * n - 1] = 0;
    return cf_error(c, ERR_FORMAT, 0, "not a capture: it begins with %s, pcap and pcapng files do not", hex);
}

static int start(struct capfile *c) {
    if (!cf_fill(c, 4) && c->src.err) return cf_short(c, 0, "the first bytes");
    int r = pcapng_start(c);
    if (r == ERR_FORMAT && !c->err) r = pcap_start(c);
    return r == ERR_FORMAT && !c->err ? unknown(c) : r;
}

static int open_on(struct capfile **out, struct capfile *c, int opened, const char *name, struct writer *why) {
    c->name = strdup(name);
    c->buf = malloc(CAPFILE_BUFFER);
    c->cap = CAPFILE_BUFFER;
    c->arena = arena_make(CAPFILE_INTERFACES_MAX);
    int r = opened;
    if (!c->name || !c->buf) r = ERR_NOMEM;
    if (r < 0) {
        wr_f(why, "%s: %s", name, c->src.err ? c->src.why : err_text(r));
    } else if ((r = start(c)) < 0 && r != ERR_END) {
        wr_s(why, c->why);
    }
    if (r < 0 && r != ERR_END) {
        capfile_close(c);
        return r;
    }
    *out = c;
    return OK;
}

int capfile_open(struct capfile **out, const char *path, struct writer *why) {
    struct capfile *c = calloc(1, sizeof *c);
    if (!c) return ERR_NOMEM;
    int r = source_open(&c->src, path);
    return open_on(out, c, r, strcmp(path, "-") == 0 ? "standard input" : path, why);
}

int capfile_open_bytes(struct capfile **out, struct slice bytes, struct writer *why) {
    struct capfile *c = calloc(1, sizeof *c);
    if (!c) return ERR_NOMEM;
    int r = source_open_bytes(&c->src, bytes);
    return open_on(out, c, r, "memory", why);
}

const char *capfile_why(const struct capfile *c) { return c->why; }
uint64_t capfile_done(const struct capfile *c) {
    uint64_t ahead = c->src.kind == SOURCE_PLAIN ? c->end - c->pos + (c->src.end - c->src.at) : 0;
    return c->src.done - ahead;
}
uint64_t capfile_size(const struct capfile *c) { return c->src.size; }

void capfile_on_secrets(struct capfile *c, void (*fn)(void *to, uint32_t type, struct slice bytes), void *to) {
    c->on_secrets = fn;
    c->secrets_to = to;
}

void capfile_on_block(struct capfile *c, void (*fn)(void *to, const struct capfile_block *b), void *to) {
    c->on_block = fn;
    c->block_to = to;
}

void capfile_close(struct capfile *c) {
    if (!c) return;
    source_close(&c->src);
    arena_free(&c->arena);
    free(c->ifaces);
    free(c->buf);
    free(c->name);
    free(c);
}
