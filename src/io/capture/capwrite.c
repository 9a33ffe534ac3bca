/* SPDX-License-Identifier: Apache-2.0 */
/* Theory of operation: a record is put whole into the buffer, or the buffer is written first (and grown where one
 * record is larger). So what is written are whole records, except where write(2) stops in the middle: then the records
 * in the buffer are walked to the last one that got out complete and a regular file is cut back to it. All numbers are
 * little-endian. An interface keeps the units of its times, so that stamps are copied as they were read. */
#include "io/capture/capwrite.h"
#include "base/reader.h"
#include "io/out.h"
#include <stdlib.h>
#include <sys/utsname.h>
#include <unistd.h>

/* Largest record: pcapng block of secrets. */
#define CAPWRITE_RECORD_MAX (16u << 20)
#define PCAP_PACKET_HEADER 16u

enum { SECOND = 1000000000 }; /* in nanoseconds */

struct capwrite {
    int fd, err;
    enum capwrite_format format;
    uint8_t *buf;
    size_t n, cap;
    bool big_endian; /* of the present section: blocks copied from another file */
    size_t plain;    /* bytes at the start of buf that are no record: pcap's file header */
    uint64_t written;
};

static void put16(struct capwrite *w, uint16_t v) {
    memcpy(w->buf + w->n, &v, 2);
    w->n += 2;
}
static void put32(struct capwrite *w, uint32_t v) {
    memcpy(w->buf + w->n, &v, 4);
    w->n += 4;
}
/* put_stamp writes a time as pcapng has it: the upper half comes first. */
static void put_stamp(struct capwrite *w, uint64_t v) {
    put32(w, (uint32_t)(v >> 32));
    put32(w, (uint32_t)v);
}
static void put_bytes(struct capwrite *w, struct slice s) {
    if (s.n) memcpy(w->buf + w->n, s.p, s.n);
    w->n += s.n;
}
static size_t padded(size_t n) { return (n + 3) & ~(size_t)3; }
static void put_padded(struct capwrite *w, struct slice s) {
    static const uint8_t zeros[4];
    put_bytes(w, s);
    put_bytes(w, slice_of(zeros, padded(s.n) - s.n));
}

/* whole_records returns how many of the first n bytes of the buffer are whole records. */
static size_t whole_records(const struct capwrite *w, size_t n) {
    size_t at = w->plain;
    while (at + PCAP_PACKET_HEADER <= n) {
        const uint8_t *p = w->buf + at;
        size_t size = w->format == CAPWRITE_PCAPNG ? (w->big_endian ? load_be32(p + 4) : load_le32(p + 4))
                                                   : PCAP_PACKET_HEADER + load_le32(p + 8);
        if (size > n - at) break;
        at += size;
    }
    return at <= n ? at : 0;
}

static int write_out(struct capwrite *w) {
    size_t done = 0;
    int r = out_write(w->fd, slice_of(w->buf, w->n), &done);
    if (r < 0 && done < w->n) {
        /* Not a regular file, or the cut fails: nothing better can be done, the error stands anyway. */
        size_t keep = whole_records(w, done);
        off_t end = lseek(w->fd, 0, SEEK_CUR);
        if (end >= 0 && ftruncate(w->fd, end - (off_t)(done - keep)) == 0) done = keep;
    }
    w->written += done;
    w->n = w->plain = 0;
    return w->err = r;
}

/* room makes room for a record of n bytes. */
static int room(struct capwrite *w, size_t n) {
    if (w->err) return w->err;
    if (n <= w->cap - w->n) return OK;
    if (w->n && write_out(w) < 0) return w->err;
    if (n <= w->cap) return OK;
    if (n > CAPWRITE_RECORD_MAX) return ERR_LIMIT;
    uint8_t *buf = realloc(w->buf, n);
    if (!buf) return ERR_NOMEM;
    w->buf = buf;
    w->cap = n;
    return OK;
}

static size_t option_size(struct slice s) { return s.n ? 4 + padded(s.n > UINT16_MAX ? UINT16_MAX : s.n) : 0; }
static void put_option(struct capwrite *w, uint16_t code, struct slice s) {
    s = slice_head(s, UINT16_MAX);
    if (!s.n) return;
    put16(w, code);
    put16(w, (uint16_t)s.n);
    put_padded(w, s);
}

/* resolution_of returns if_tsresol of a power of ten or of two: ticks_of() of the reader, backwards. */
static uint8_t resolution_of(uint64_t ticks) {
    uint8_t power = 0;
    if (ticks > 1 && (ticks & (ticks - 1)) == 0) return (uint8_t)(0x80 | __builtin_ctzll(ticks));
    for (; ticks > 1; ticks /= 10) power++;
    return power;
}

static uint64_t ticks_of(const struct capture_interface *i) { return i && i->ticks ? i->ticks : SECOND; }

/* stamp_of turns a moment into a count of the interface's units, held at the ends of what pcapng can say. Parts of a
 * unit are rounded up: the reader cut what is no whole nanosecond. */
static uint64_t stamp_of(const struct capture_interface *i, __int128 ns) {
    uint64_t ticks = ticks_of(i);
    if (i) ns -= (__int128)i->offset * SECOND;
    if (ticks != SECOND) {
        struct moment_clock at = moment_clock(ns);
        ns = (__int128)at.seconds * ticks + ((__int128)at.ns * ticks + SECOND - 1) / SECOND;
    }
    return ns < 0 ? 0 : ns > UINT64_MAX ? UINT64_MAX : (uint64_t)ns;
}

static int put_section(struct capwrite *w) {
    struct utsname u;
    char os[160] = "";
    if (uname(&u) == 0) {
        struct slice name = slice_head(slice_str(u.sysname), 64), release = slice_head(slice_str(u.release), 64);
        memcpy(os, name.p, name.n);
        os[name.n] = ' ';
        memcpy(os + name.n + 1, release.p, release.n);
    }
    struct slice app = SLICE("Weir " WEIR_VERSION), system = slice_str(os);
    uint32_t size = (uint32_t)(28 + option_size(system) + option_size(app) + 4);
    int r = room(w, size);
    if (r < 0) return r;
    put32(w, 0x0a0d0d0a);
    put32(w, size);
    put32(w, 0x1a2b3c4d);
    put32(w, 1);          /* version 1.0 */
    put32(w, UINT32_MAX); /* section length not said */
    put32(w, UINT32_MAX);
    put_option(w, 3, system);
    put_option(w, 4, app);
    put32(w, 0);
    put32(w, size);
    return OK;
}

int capwrite_interface(struct capwrite *w, const struct capture_interface *i) {
    const uint8_t resolution = resolution_of(ticks_of(i));
    if (w->format != CAPWRITE_PCAPNG) return OK;
    struct slice filter = slice_head(i->filter, UINT16_MAX - 1);
    uint32_t size = (uint32_t)(16 + option_size(i->name) + option_size(i->description) + 8 + 4 + 4);
    if (i->fcs_len) size += 8;
    if (i->offset) size += 12;
    if (filter.n) size += (uint32_t)(4 + padded(filter.n + 1));
    int r = room(w, size);
    if (r < 0) return r;
    put32(w, 1);
    put32(w, size);
    put16(w, (uint16_t)i->linktype);
    put16(w, 0);
    put32(w, i->snaplen);
    put_option(w, 2, i->name);
    put_option(w, 3, i->description);
    put_option(w, 9, slice_of(&resolution, 1));
    if (filter.n) {
        put16(w, 11);
        put16(w, (uint16_t)(filter.n + 1));
        w->buf[w->n++] = 0; /* text, not machine code */
        put_bytes(w, filter);
        for (size_t n = filter.n + 1; n & 3; n++) w->buf[w->n++] = 0;
    }
    if (i->fcs_len) put_option(w, 13, slice_of(&i->fcs_len, 1));
    if (i->offset) put_option(w, 14, slice_of(&i->offset, 8));
    put32(w, 0);
    put32(w, size);
    return OK;
}

static int put_pcap_header(struct capwrite *w, const struct capture_interface *i) {
    int r = room(w, 24);
    if (r < 0) return r;
    put32(w, w->format == CAPWRITE_PCAP_NS ? 0xa1b23c4d : 0xa1b2c3d4);
    put16(w, 2);
    put16(w, 4);
    put32(w, 0);
    put32(w, 0);
    put32(w, i->snaplen ? i->snaplen : 262144);
    uint32_t fcs = i->fcs_len ? 0x04000000 | (uint32_t)(i->fcs_len / 2) << 28 : 0;
    put32(w, i->linktype | fcs);
    w->plain = 24;
    return OK;
}

static struct capwrite *make(int fd, enum capwrite_format format) {
    struct capwrite *w = calloc(1, sizeof *w);
    uint8_t *buf = malloc(CAPWRITE_BUFFER);
    if (!w || !buf) {
        free(w);
        free(buf);
        return NULL;
    }
    *w = (struct capwrite){.fd = fd, .format = format, .buf = buf, .cap = CAPWRITE_BUFFER};
    return w;
}

int capwrite_continue(struct capwrite **out, int fd, enum capwrite_format format) {
    struct capwrite *w = make(fd, format);
    if (w) *out = w;
    return w ? OK : ERR_NOMEM;
}

int capwrite_open(struct capwrite **out, int fd, enum capwrite_format format, const struct capture_interface *first) {
    struct capwrite *w = make(fd, format);
    if (!w) return ERR_NOMEM;
    int r = format == CAPWRITE_PCAPNG ? put_section(w) : put_pcap_header(w, first);
    if (r == OK && first) r = capwrite_interface(w, first);
    if (r < 0) {
        free(w->buf);
        free(w);
        return r;
    }
    *out = w;
    return OK;
}

static int put_pcap_packet(struct capwrite *w, const struct packet *p) {
    struct moment_clock at = moment_clock(packet_moment(p));
    if (at.seconds < 0 || at.seconds > UINT32_MAX) return ERR_UNSUPPORTED;
    int r = room(w, PCAP_PACKET_HEADER + p->data.n);
    if (r < 0) return r;
    put32(w, (uint32_t)at.seconds);
    put32(w, w->format == CAPWRITE_PCAP_NS ? at.ns : at.ns / 1000);
    put32(w, (uint32_t)p->data.n);
    put32(w, p->len);
    put_bytes(w, p->data);
    return OK;
}

static size_t packet_options_size(const struct packet *p) {
    size_t n = 0;
    for (size_t i = 0; i < sizeof p->comments / sizeof *p->comments; i++) n += option_size(p->comments[i]);
    if (p->has_flags) n += 8;
    if (p->has_drops) n += 12;
    return n ? n + 4 : 0;
}

static void put_packet_options(struct capwrite *w, const struct packet *p) {
    for (size_t i = 0; i < sizeof p->comments / sizeof *p->comments; i++) put_option(w, 1, p->comments[i]);
    if (p->has_flags) put_option(w, 2, slice_of(&p->flags, 4));
    if (p->has_drops) put_option(w, 4, slice_of(&p->drops, 8));
    put32(w, 0);
}

int capwrite_packet(struct capwrite *w, const struct packet *p) {
    if (w->format != CAPWRITE_PCAPNG) return put_pcap_packet(w, p);
    size_t options = packet_options_size(p);
    uint32_t size = (uint32_t)(32 + padded(p->data.n) + options);
    int r = room(w, size);
    if (r < 0) return r;
    put32(w, 6);
    put32(w, size);
    put32(w, p->iface ? p->iface->id : 0);
    put_stamp(w, stamp_of(p->iface, packet_moment(p)));
    put32(w, (uint32_t)p->data.n);
    put32(w, p->len);
    put_padded(w, p->data);
    if (options) put_packet_options(w, p);
    put32(w, size);
    return OK;
}

int capwrite_secrets(struct capwrite *w, uint32_t type, struct slice bytes) {
    if (w->format != CAPWRITE_PCAPNG) return OK;
    if (bytes.n > CAPWRITE_RECORD_MAX - 64) return ERR_LIMIT;
    uint32_t size = (uint32_t)(20 + padded(bytes.n));
    int r = room(w, size);
    if (r < 0) return r;
    put32(w, 10);
    put32(w, size);
    put32(w, type);
    put32(w, (uint32_t)bytes.n);
    put_padded(w, bytes);
    put32(w, size);
    return OK;
}

int capwrite_block(struct capwrite *w, uint32_t type, bool big_endian, struct slice body) {
    if (w->format != CAPWRITE_PCAPNG) return OK;
    if (body.n > CAPWRITE_RECORD_MAX - 64) return ERR_LIMIT;
    uint32_t size = (uint32_t)(12 + padded(body.n));
    int r = OK;
    if (big_endian != w->big_endian && w->n) r = write_out(w); /* whole_records walks one order at a time */
    w->big_endian = big_endian;
    if (r == OK) r = room(w, size);
    if (r < 0) return r;
    put32(w, big_endian ? __builtin_bswap32(type) : type);
    put32(w, big_endian ? __builtin_bswap32(size) : size);
    put_padded(w, body);
    put32(w, big_endian ? __builtin_bswap32(size) : size);
    return OK;
}

static void put_time(struct capwrite *w, uint16_t code, uint64_t stamp) {
    put16(w, code);
    put16(w, 8);
    put_stamp(w, stamp);
}

int capwrite_counts(struct capwrite *w, const struct capture_interface *i, const struct capwrite_counts *counts) {
    if (w->format != CAPWRITE_PCAPNG) return OK;
    const uint64_t values[] = {counts->received, counts->dropped_interface, counts->accepted, counts->dropped_kernel,
                               counts->delivered}; /* options 4 to 8, in order */
    uint64_t start = stamp_of(i, counts->start), end = stamp_of(i, counts->end);
    uint32_t size = 24 + 7 * 12 + 4;
    int r = room(w, size);
    if (r < 0) return r;
    put32(w, 5);
    put32(w, size);
    put32(w, i->id);
    put_stamp(w, end);
    put_time(w, 2, start);
    put_time(w, 3, end);
    for (uint16_t n = 0; n < 5; n++) put_option(w, (uint16_t)(4 + n), slice_of(&values[n], 8));
    put32(w, 0);
    put32(w, size);
    return OK;
}

int capwrite_flush(struct capwrite *w) { return w->err || !w->n ? w->err : write_out(w); }

uint64_t capwrite_size(const struct capwrite *w) { return w->written + w->n; }

int capwrite_close(struct capwrite *w) {
    if (!w) return OK;
    int r = capwrite_flush(w);
    free(w->buf);
    free(w);
    return r;
}
