/* SPDX-License-Identifier: Apache-2.0 */
/* The output of weir edit.
 *
 * Theory of operation: what is no packet (section, interfaces, names, secrets, blocks nobody knows) belongs to every
 * output file and is kept as a list of parts; a file remembers how many of them it has, and gets what it lacks before
 * its next packet. With a single file the list is emptied as soon as it is written. Files of a split are opened when a
 * packet comes for them; of more than EDIT_OPEN_MAX the one used longest ago is closed, to be opened again at its end.
 * A packet of a pcapng file keeps its options: its block is taken over with the data, lengths and interface put in. */
#include "app/edit/edit.h"

#include "base/reader.h"
#include "io/out.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOCK_SIMPLE = 3, BLOCK_ENHANCED = 6, BLOCK_SECTION = 0x0a0d0d0a, EPB_HEAD = 20, SPB_HEAD = 4 };

struct edit_file {
    char *path;
    int fd; /* -1: closed */
    bool begun;
    struct capwrite *w;
    size_t parts; /* written */
    uint64_t used;
};

static int fail(struct edit_out *o, int rc, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static int fail(struct edit_out *o, int rc, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    vsnprintf(o->why, sizeof o->why, fmt, args);
    va_end(args);
    return rc;
}

static int write_failed(struct edit_out *o, const struct edit_file *f, int rc) {
    if (rc == OK) return OK;
    return fail(o, rc, "%s: %s", f->path,
                rc == ERR_LIMIT         ? "the disk is full, or a record is too large"
                : rc == ERR_UNSUPPORTED ? "classic pcap has no times before 1970 or after February 2106; pcapng has"
                                        : err_text(rc));
}

/* file_close closes an open file; one of which nothing could be written is no capture and does not stay. */
static int file_close(struct edit_out *o, uint32_t place) {
    struct edit_file *f = o->opened[place];
    struct stat st;
    int rc = capwrite_close(f->w);
    if (rc != OK && fstat(f->fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == 0) (void)unlink(f->path);
    if (f->fd != STDOUT_FILENO && close(f->fd) && rc == OK) rc = ERR_IO;
    f->fd = -1;
    f->w = NULL;
    o->opened[place] = o->opened[--o->open];
    return write_failed(o, f, rc);
}

static int oldest_close(struct edit_out *o) {
    uint32_t oldest = 0;
    for (uint32_t i = 1; i < o->open; i++)
        if (o->opened[i]->used < o->opened[oldest]->used) oldest = i;
    return file_close(o, oldest);
}

/* descriptor_get opens the file, and closes others where the system gives no more descriptors. */
static int descriptor_get(struct edit_out *o, struct edit_file *f) {
    int flags = O_WRONLY | O_CREAT | O_CLOEXEC | (f->begun ? O_APPEND : O_TRUNC), rc = OK;
    if (strcmp(f->path, "-") == 0) f->fd = STDOUT_FILENO;
    if (o->open == EDIT_OPEN_MAX) rc = oldest_close(o);
    while (rc == OK && f->fd < 0 && (f->fd = open(f->path, flags, 0666)) < 0)
        rc = errno == EMFILE && o->open ? oldest_close(o) : fail(o, ERR_IO, "%s: %s", f->path, strerror(errno));
    return rc;
}

static int file_open(struct edit_out *o, struct edit_file *f, const struct capture_interface *i) {
    if (f->fd >= 0) return OK;
    int rc = descriptor_get(o, f);
    if (rc) return rc;
    o->opened[o->open++] = f;
    if (f->begun || o->copy) rc = capwrite_continue(&f->w, f->fd, o->format);
    else rc = capwrite_open(&f->w, f->fd, o->format, o->format == CAPWRITE_PCAPNG ? NULL : i);
    f->begun |= rc == OK;
    return write_failed(o, f, rc);
}

static int parts_write(struct edit_out *o, struct edit_file *f) {
    int rc = OK;
    for (; f->parts < o->n_parts && rc == OK; f->parts++) {
        const struct edit_part *p = &o->parts[f->parts];
        rc = p->iface ? capwrite_interface(f->w, p->iface)
                      : capwrite_block(f->w, p->type, p->big_endian, slice_of(p->body, p->n));
    }
    return write_failed(o, f, rc);
}

static void parts_drop(struct edit_out *o) {
    for (size_t i = 0; i < o->n_parts; i++) free(o->parts[i].body);
    o->n_parts = o->held = 0;
}

static struct edit_file *file_add(struct edit_out *o, const char *path) {
    if ((o->n_files & (o->n_files - 1)) == 0) {
        struct edit_file **more = realloc(o->files, (o->n_files ? 2 * (size_t)o->n_files : 1) * sizeof *more);
        if (!more) return NULL;
        o->files = more;
    }
    struct edit_file *f = calloc(1, sizeof *f);
    if (!f || !(f->path = strdup(path))) {
        free(f);
        return NULL;
    }
    f->fd = -1;
    o->files[o->n_files++] = f;
    return f;
}

int edit_out_begin(struct edit_out *o) {
    if (o->split) return OK;
    struct edit_file *f = file_add(o, o->path);
    if (!f) return fail(o, ERR_NOMEM, "out of memory");
    return o->format == CAPWRITE_PCAPNG ? file_open(o, f, NULL) : OK;
}

/* part_add takes a part, whose body it owns from now on. */
static int part_add(struct edit_out *o, struct edit_part part) {
    if (o->format != CAPWRITE_PCAPNG) return OK;
    if (o->n_parts == o->room) {
        size_t room = o->room ? o->room * 2 : 16;
        struct edit_part *more = realloc(o->parts, room * sizeof *more);
        if (!more) {
            free(part.body);
            return fail(o, ERR_NOMEM, "out of memory");
        }
        o->parts = more;
        o->room = room;
    }
    o->parts[o->n_parts++] = part;
    if (o->split) return OK;
    int rc = parts_write(o, o->files[0]);
    parts_drop(o);
    o->files[0]->parts = 0;
    return rc;
}

int edit_out_block(struct edit_out *o, uint32_t type, bool big_endian, struct slice body) {
    if (o->format != CAPWRITE_PCAPNG) return OK;
    o->held += body.n;
    if (o->held > EDIT_BLOCKS_MAX)
        return fail(o, ERR_LIMIT, "more than %d bytes of blocks that every file needs", EDIT_BLOCKS_MAX);
    uint8_t *copy = malloc(body.n ? body.n : 1);
    if (!copy) return fail(o, ERR_NOMEM, "out of memory");
    if (body.n) memcpy(copy, body.p, body.n);
    return part_add(o, (struct edit_part){.type = type, .big_endian = big_endian, .body = copy, .n = body.n});
}

int edit_out_copy(struct edit_out *o, const struct capfile_block *b) {
    if (b->type != BLOCK_SECTION || b->body.n < 16) return edit_out_block(o, b->type, b->big_endian, b->body);
    uint8_t *copy = malloc(b->body.n); /* a section's length is no more what it was */
    if (!copy) return fail(o, ERR_NOMEM, "out of memory");
    memcpy(copy, b->body.p, b->body.n);
    memset(copy + 8, 0xff, 8);
    int rc = edit_out_block(o, b->type, b->big_endian, slice_of(copy, b->body.n));
    free(copy);
    return rc;
}

int edit_out_interface(struct edit_out *o, const struct capture_interface *i) {
    return part_add(o, (struct edit_part){.iface = i});
}

/* split_path puts the name before the ending: out.pcapng, out-tcp-3.pcapng. */
static void split_path(const char *path, const char *name, char *out, size_t n) {
    const char *slash = strrchr(path, '/'), *dot = strrchr(slash ? slash : path, '.');
    size_t stem = dot && dot > (slash ? slash + 1 : path) ? (size_t)(dot - path) : strlen(path);
    snprintf(out, n, "%.*s-%s%s", (int)stem, path, name, path + stem);
}

int64_t edit_out_file(struct edit_out *o, uint32_t known, const char *name) {
    char path[4096];
    if (known) return known - 1;
    if (o->n_files >= EDIT_SPLIT_MAX) return fail(o, ERR_LIMIT, "more than %d conversations to split", EDIT_SPLIT_MAX);
    split_path(o->path, name, path, sizeof path);
    return file_add(o, path) ? (int64_t)o->n_files - 1 : fail(o, ERR_NOMEM, "out of memory");
}

static void put32(uint8_t *p, uint32_t v, bool big_endian) {
    if (big_endian) v = __builtin_bswap32(v);
    memcpy(p, &v, 4);
}

/* raw_write writes the packet's own block with its data, lengths and interface put in. */
static int raw_write(struct edit_file *f, const struct packet *p, const struct capfile_block *raw, uint32_t id) {
    bool simple = raw->type == BLOCK_SIMPLE, big = raw->big_endian;
    size_t head = simple ? SPB_HEAD : EPB_HEAD;
    if (raw->body.n < head) return ERR_DAMAGED;
    uint32_t was = big ? load_be32(raw->body.p + 12) : load_le32(raw->body.p + 12);
    struct slice options = {0};
    if (!simple) options = slice_tail(raw->body, EPB_HEAD + (((size_t)was + 3) & ~(size_t)3));
    size_t n = head + ((p->data.n + 3) & ~(size_t)3) + options.n;
    uint8_t *body = calloc(1, n);
    if (!body) return ERR_NOMEM;
    memcpy(body, raw->body.p, head);
    put32(body + head - 4, p->len, big);
    if (!simple) put32(body + 12, (uint32_t)p->data.n, big);
    if (raw->type == BLOCK_ENHANCED) put32(body, id, big);
    if (p->data.n) memcpy(body + head, p->data.p, p->data.n);
    if (options.n) memcpy(body + n - options.n, options.p, options.n);
    int rc = capwrite_block(f->w, raw->type, big, slice_of(body, n));
    free(body);
    return rc;
}

int edit_out_packet(struct edit_out *o, uint32_t file, const struct packet *p, const struct capfile_block *raw,
                    uint32_t id) {
    struct edit_file *f = o->files[file];
    if (o->format != CAPWRITE_PCAPNG && o->has_linktype && o->linktype != p->iface->linktype)
        return fail(o, ERR_UNSUPPORTED,
                    "%s: packets of several link types do not fit into one classic pcap file; pcapng takes them",
                    o->path);
    o->linktype = p->iface->linktype;
    o->has_linktype = true;
    f->used = ++o->clock;
    int rc = file_open(o, f, p->iface);
    if (rc == OK) rc = parts_write(o, f);
    if (rc) return rc;
    if (raw && o->format == CAPWRITE_PCAPNG) return write_failed(o, f, raw_write(f, p, raw, id));
    struct capture_interface iface = *p->iface;
    struct packet q = *p;
    iface.id = id;
    q.iface = &iface;
    return write_failed(o, f, capwrite_packet(f->w, &q));
}

int edit_out_end(struct edit_out *o) {
    int rc = OK;
    if (!o->split && o->n_files && !o->files[0]->begun && o->has_linktype == false && o->format != CAPWRITE_PCAPNG) {
        static const struct capture_interface ethernet = {.linktype = 1};
        rc = file_open(o, o->files[0], &ethernet); /* an empty file is a file */
    }
    while (o->open) {
        int closed = file_close(o, o->open - 1);
        if (rc == OK) rc = closed;
    }
    for (uint32_t i = 0; i < o->n_files; i++) {
        free(o->files[i]->path);
        free(o->files[i]);
    }
    parts_drop(o);
    free(o->parts);
    free(o->files);
    o->parts = NULL;
    o->files = NULL;
    o->n_files = 0;
    return rc;
}
