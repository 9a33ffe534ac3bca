/* SPDX-License-Identifier: Apache-2.0 */
/* Making an index. A block is: the places of its frames (struct web_places), padded with zeros; then, compressed, the
 * number of frames, and of each frame the distance of its record from the one before in the file, that of its time, a
 * byte of flags, digits of its clock and colour, length, stream and four texts. Numbers are varints (7 bits a byte, low
 * ones first); what may be negative is in zigzag. */
#include "io/capture/capfile.h"
#include "proto/protos.h"
#include "proto/tls/tls_keys.h"
#include "serve/web/web_index_in.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

enum { LOOK_MS = 100 };

struct building {
    struct web_index *x;
    struct web_reading *r;
    char name[WEB_PATH_MAX]; /* of the file in the making */
    uint64_t at;             /* its end */
    struct web_places places;
    uint64_t base; /* of the block */
    uint32_t n;
    uint64_t tcp, udp;                  /* conversations before the present frame */
    uint8_t bit_of[FIELD_MAX];          /* of a protocol's entry: its place in weir_protos + 1 */
    uint16_t slot[4 * INDEX_KINDS_MAX]; /* where a kind is in x->kind, + 1; by its hash */
    struct writer raw;
    uint8_t *packed;
    size_t packed_room;
    uint64_t last_offset;
    __int128 last_at;
};

static void varint(struct writer *w, uint64_t v) {
    while (v > 127) wr_c(w, (char)(v | 0x80)), v >>= 7;
    wr_c(w, (char)v);
}
static void zigzag(struct writer *w, int64_t v) { varint(w, (uint64_t)v << 1 ^ (uint64_t)(v >> 63)); }

static void text(struct writer *w, struct slice s) {
    varint(w, s.n);
    wr_slice(w, s);
}

/* kind_find gives the place of a kind, which is put where there is none like it; reading may not begin anywhere once
 * there are too many. */
static uint16_t kind_find(struct building *b, const struct index_kind *k) {
    struct web_index *x = b->x;
    enum { SLOTS = 4 * INDEX_KINDS_MAX };
    uint64_t h = 0;
    for (size_t i = 0; i < sizeof k->protos / sizeof *k->protos; i++) h = (h ^ k->protos[i]) * 0x9e3779b97f4a7c15u;
    h = h * 0xbf58476d1ce4e5b9u + k->tcp * 31 + k->udp;
    for (uint32_t i = (uint32_t)(h >> 32) % SLOTS;; i = (i + 1) % SLOTS) {
        if (b->slot[i] && !memcmp(&x->kind[b->slot[i] - 1], k, sizeof *k)) return (uint16_t)(b->slot[i] - 1);
        if (b->slot[i]) continue;
        pthread_mutex_lock(&x->lock);
        if (x->kinds == INDEX_KINDS_MAX) x->seekable = false;
        else x->kind[x->kinds] = *k, b->slot[i] = (uint16_t)++x->kinds;
        pthread_mutex_unlock(&x->lock);
        return b->slot[i] ? (uint16_t)(b->slot[i] - 1) : 0;
    }
}

static uint16_t kind_of(struct building *b, const struct decode *d) {
    const struct flow_table *flows = &b->r->ds.driver.flows;
    struct index_kind k = {.tcp = (uint32_t)(flows->tcp_streams - b->tcp),
                           .udp = (uint32_t)(flows->udp_streams - b->udp)};
    for (uint32_t i = 0; i < d->out->n; i++) {
        unsigned bit = b->bit_of[d->out->v[i].id];
        if (bit) k.protos[(bit - 1) / 64] |= (uint64_t)1 << (bit - 1) % 64;
    }
    b->tcp = flows->tcp_streams;
    b->udp = flows->udp_streams;
    return kind_find(b, &k);
}

/* place notes where a frame is, and what it is. */
static void place(struct building *b, const struct web_row *row, const struct decode *d) {
    if (!b->n) b->base = row->offset;
    uint64_t offset = row->offset - b->base;
    b->places.group[b->n] = row->group;
    b->places.offset[b->n] = (uint32_t)offset;
    b->places.kind[b->n] = kind_of(b, d);
    b->n++;
    if (offset <= UINT32_MAX) return;
    pthread_mutex_lock(&b->x->lock);
    b->x->seekable = false;
    pthread_mutex_unlock(&b->x->lock);
}

static void record(struct building *b, const struct web_row *row) {
    struct writer *w = &b->raw;
    zigzag(w, (int64_t)(row->offset - b->last_offset));
    zigzag(w, moment_ns(row->at - b->last_at));
    zigzag(w, moment_era(row->at - b->last_at));
    wr_c(w, (char)(row->has_ts | row->malformed << 1 | row->cut << 2 | row->severity << 3 |
                   (row->transport == 6 ? 1
                    : row->transport    ? 2
                                        : 0)
                       << 6));
    wr_c(w, (char)(row->digits | row->colour << 4));
    varint(w, row->len);
    varint(w, row->stream);
    text(w, row->source);
    text(w, row->destination);
    text(w, row->protocol);
    text(w, row->info);
    b->last_offset = row->offset;
    b->last_at = row->at;
}

/* block_end writes the block that was collected; false where the disk is full. */
static bool block_end(struct building *b) {
    size_t places = sizeof b->places, room = compressBound(wr_len(&b->raw));
    if (!b->n) return true;
    if (places + room > b->packed_room) {
        free(b->packed);
        b->packed_room = places + room;
        b->packed = malloc(b->packed_room);
    }
    uLongf packed = room;
    if (!b->packed || b->raw.err ||
        compress2(b->packed + places, &packed, (const Bytef *)b->raw.buf, wr_len(&b->raw), 1) != Z_OK)
        return false;
    memcpy(b->packed, &b->places, places);
    memset(&b->places, 0, places);
    struct index_block block = {b->at, b->base, (uint32_t)(places + packed), (uint32_t)wr_len(&b->raw)};
    if (pwrite(b->x->fd, b->packed, block.packed, (off_t)b->at) != (ssize_t)block.packed) return false;
    b->at += block.packed;
    if (b->at > INDEX_BYTES_MAX) return false;
    b->n = 0;
    b->last_offset = 0;
    b->last_at = 0;
    wr_reset(&b->raw);
    return index_put(b->x, &block);
}

/* ---- which frames belong together ---- */

static uint32_t group_hash(const struct decode *d, struct slice ports, uint8_t proto) {
    uint8_t key[2][18] = {{0}};
    const struct net_addr *end[2] = {&d->src, &d->dst};
    for (int i = 0; i < 2; i++) {
        memcpy(key[i], end[i]->bytes, end[i]->len);
        if (ports.n == 4) memcpy(key[i] + 16, ports.p + 2 * i, 2);
    }
    bool swap = memcmp(key[0], key[1], sizeof key[0]) > 0;
    struct hash_key k = {proto, 0x6a09e667f3bcc908u};
    uint64_t h = hash_bytes(k, key[swap], sizeof key[0]) * 31 + hash_bytes(k, key[!swap], sizeof key[0]);
    return (uint32_t)(h ^ h >> 32) | 0x80000000u;
}

/* ip_payload gives what follows a plain IP header of an Ethernet, raw IP or cooked packet, and its protocol; false for
 * fragments, extension headers and other links. */
static bool ip_payload(const struct packet *p, struct slice *out, uint8_t *proto, bool *arp) {
    struct slice s = p->data;
    uint16_t type = 0;
    switch (p->iface->linktype) {
    case 1:
        if (s.n < 14) return false;
        type = load_be16(s.p + 12);
        s = slice_tail(s, 14);
        while ((type == 0x8100 || type == 0x88a8) && s.n >= 4) type = load_be16(s.p + 2), s = slice_tail(s, 4);
        break;
    case 101: break;
    case 113:
        if (s.n < 16) return false;
        type = load_be16(s.p + 14);
        s = slice_tail(s, 16);
        break;
    case 276:
        if (s.n < 20) return false;
        type = load_be16(s.p);
        s = slice_tail(s, 20);
        break;
    default: return false;
    }
    *arp = type == 0x0806;
    if (type && type != 0x0800 && type != 0x86dd) return false;
    if (s.n >= 20 && s.p[0] >> 4 == 4) {
        size_t head = (size_t)(s.p[0] & 15) * 4;
        if (head < 20 || s.n < head || (load_be16(s.p + 6) & 0x3fff)) return false;
        *proto = s.p[9];
        *out = slice_tail(s, head);
        return true;
    }
    if (s.n < 40 || s.p[0] >> 4 != 6) return false;
    *proto = s.p[6];
    *out = slice_tail(s, 40);
    return true;
}

/* index_group_of returns the group of a frame. */
static uint32_t index_group_of(const struct decode *d) {
    enum { ICMP = 1, TCP = 6, UDP = 17, ICMPV6 = 58 };
    struct slice rest;
    uint8_t proto;
    bool arp = false;
    unsigned networks = 0;
    for (uint8_t i = 0; i < d->layers; i++) {
        const struct layer_mark *m = &d->layer[i];
        if (m->quoted) return GROUP_ALL;
        /* A connection that is opened may go on from another address. */
        if (m->proto->id == FID_QUIC && d->tls_keys && d->tls_keys->any) return GROUP_ALL;
        networks += m->proto->id == FID_IP || m->proto->id == FID_IPV6;
    }
    if (!ip_payload(d->pkt, &rest, &proto, &arp)) return arp ? GROUP_ARP : GROUP_ALL;
    if (networks != 1) return GROUP_ALL;
    if ((proto == TCP || proto == UDP) && rest.n >= 4) return group_hash(d, slice_head(rest, 4), proto);
    return proto == ICMP || proto == ICMPV6 ? group_hash(d, (struct slice){0}, proto) : GROUP_ALL;
}

/* ---- the work ---- */

static void block_seen(void *to, const struct capfile_block *block) {
    struct building *b = to;
    if (!b->r || !b->r->packets || (block->type != 0x0a0d0d0a && block->type != 1)) return;
    pthread_mutex_lock(&b->x->lock);
    b->x->seekable = false;
    pthread_mutex_unlock(&b->x->lock);
}

/* waits tells whether the file had more to come within INDEX_QUIET_MS; then reading goes on. */
static bool waits(struct building *b) {
    struct stat st;
    struct web_index *x = b->x;
    off_t seen = 0;
    if (b->r->rc != ERR_END && b->r->rc != ERR_CUT) return false;
    for (int waited = 0; waited < INDEX_QUIET_MS; waited += LOOK_MS) {
        if (atomic_load(&x->web->stopping) || atomic_load(&x->stale) || stat(x->path, &st)) return false;
        time_t now = time(NULL);
        uint64_t had = x->stamp.size;
        if (!waited && (uint64_t)st.st_size == had && now - st.st_mtim.tv_sec > INDEX_QUIET_MS / 1000) return false;
        if (st.st_size != seen && (uint64_t)st.st_size > had) {
            seen = st.st_size;
            pthread_mutex_lock(&x->lock);
            x->stamp.size = (uint64_t)seen;
            pthread_mutex_unlock(&x->lock);
            int rc = b->r->rc;
            if (web_reading_wake(b->r)) return true;
            b->r->rc = rc;
        }
        web_reading_rest(b->r);
        nanosleep(&(struct timespec){.tv_nsec = LOOK_MS * 1000000}, NULL);
    }
    return false;
}

static void begin_note(struct building *b) {
    pthread_mutex_lock(&b->x->lock);
    b->x->begin = b->r->ds.times.first;
    b->x->has_begin = b->r->ds.times.has_first;
    pthread_mutex_unlock(&b->x->lock);
}

static void idle_set(struct building *b, bool idle) {
    pthread_mutex_lock(&b->x->lock);
    b->x->idle = idle;
    pthread_mutex_unlock(&b->x->lock);
}

/* read_all makes rows until the file ends; false where it cannot go on. */
static bool read_all(struct building *b) {
    static _Thread_local char texts[WEB_ROW_TEXT];
    struct web_row row;
    const struct decode *d;
    for (;;) {
        while ((d = web_reading_next(b->r))) {
            web_row_of(&row, b->r, d, texts);
            row.group = index_group_of(d);
            record(b, &row);
            place(b, &row, d);
            dissector_shown(&b->r->ds);
            if (row.number != b->r->packets) return false; /* records that are no packets took numbers */
            if (b->r->packets == 1) begin_note(b);
            if (b->n == INDEX_BLOCK && !block_end(b)) return false;
            if (b->r->packets == INDEX_FRAMES_MAX || atomic_load(&b->x->stale)) return false;
        }
        if (atomic_load(&b->x->web->stopping)) return false;
        idle_set(b, true);
        if (!waits(b)) return block_end(b);
        idle_set(b, false);
    }
}

static void finish(struct building *b) {
    struct web_index *x = b->x;
    struct index_stamp now;
    const char *reason = b->r->rc == ERR_END ? "" : capfile_why(b->r->file), *colon = strstr(reason, ": ");
    pthread_mutex_lock(&x->lock);
    snprintf(x->damaged, sizeof x->damaged, "%s", colon ? colon + 2 : reason);
    x->frames = b->r->packets;
    x->seekable = x->seekable && capfile_seek(b->r->file, 0, 1) == OK;
    bool same = index_stamp_of(x->web, x->path, &now) && now.size == x->stamp.size && now.keys == x->stamp.keys;
    if (same) x->stamp.changed = now.changed;
    if (same && index_save(x) && !rename(b->name, x->file)) x->whole = true;
    else x->failed = true;
    pthread_mutex_unlock(&x->lock);
}

static bool begin(struct building *b) {
    struct want want = {0};
    char reason[512];
    unsigned status;
    struct writer why = wr_fixed(reason, sizeof reason);
    struct web_index *x = b->x;
    web_row_want(x->web, &want);
    for (size_t i = 0; weir_protos[i]; i++) {
        want_add(&want, weir_protos[i]->id);
        b->bit_of[weir_protos[i]->id] = (uint8_t)(i + 1);
    }
    if (snprintf(b->name, sizeof b->name, "%s/" WEB_INDEX_NEW "XXXXXX", x->web->plan->dir) >= (int)sizeof b->name)
        return false;
    int fd = mkostemp(b->name, O_CLOEXEC);
    if (fd < 0) return b->name[0] = 0, false;
    pthread_mutex_lock(&x->lock);
    x->fd = fd;
    x->seekable = true;
    pthread_mutex_unlock(&x->lock);
    b->raw = wr_grow();
    b->at = INDEX_HEAD;
    if (!(b->r = web_reading_begin(x->web, x->path, &want, &status, &why))) return false;
    capfile_on_block(b->r->file, block_seen, b);
    return true;
}

void *index_build(void *arg) {
    struct web_index *x = arg;
    struct web *s = x->web;
    struct building *b = calloc(1, sizeof *b);
    if (b) b->x = x;
    bool ok = b && begin(b) && read_all(b);
    if (ok) finish(b);
    pthread_mutex_lock(&x->lock);
    if (!x->whole) x->failed = true;
    pthread_mutex_unlock(&x->lock);
    if (b) {
        if (!x->whole && b->name[0]) unlink(b->name);
        web_reading_close(b->r);
        wr_free(&b->raw);
        free(b->packed);
    }
    free(b);
    web_index_release(x);
    pthread_mutex_lock(&s->index_lock);
    s->builders--;
    pthread_mutex_unlock(&s->index_lock);
    return NULL;
}
