/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/frag.h"

#include <stdlib.h>

enum { UNITS = FRAG_BYTES / 8 + 1 };

void frag_table_free(struct frag_table *t) {
    for (size_t i = 0; t->slot && i < FRAG_DATAGRAMS; i++) {
        free(t->slot[i].bytes);
        free(t->slot[i].seen);
    }
    free(t->slot);
    t->slot = NULL;
}

static bool same(const struct frag_datagram *d, const struct fragment *f) {
    return d->used && d->id == f->id && d->proto == f->proto && addr_same(&d->src, &f->src) &&
           addr_same(&d->dst, &f->dst);
}

static struct frag_datagram *slot_for(struct frag_table *t, const struct fragment *f) {
    struct frag_datagram *oldest = &t->slot[0];
    for (size_t i = 0; i < FRAG_DATAGRAMS; i++) {
        struct frag_datagram *d = &t->slot[i];
        if (same(d, f)) return d;
        if (!d->used ? oldest->used : oldest->used && d->age < oldest->age) oldest = d;
    }
    uint8_t *bytes = oldest->bytes ? oldest->bytes : malloc(FRAG_BYTES);
    uint8_t *seen = oldest->seen ? oldest->seen : malloc(UNITS);
    *oldest = (struct frag_datagram){.bytes = bytes, .seen = seen};
    if (!bytes || !seen) return NULL;
    memset(seen, 0, UNITS);
    oldest->used = true;
    oldest->src = f->src;
    oldest->dst = f->dst;
    oldest->id = f->id;
    oldest->proto = f->proto;
    oldest->age = ++t->clock;
    return oldest;
}

/* units_add copies what is new, in units of eight bytes as fragment offsets are. */
static void units_add(struct frag_datagram *d, const struct fragment *f) {
    for (size_t at = 0; at < f->data.n; at += 8) {
        size_t unit = (f->off + at) / 8, n = f->data.n - at < 8 ? f->data.n - at : 8;
        if (d->seen[unit]) continue;
        d->seen[unit] = 1;
        memcpy(d->bytes + f->off + at, f->data.p + at, n);
    }
}

/* is_whole tells whether nothing is missing up to the end. */
static bool is_whole(const struct frag_datagram *d) {
    size_t units = (d->end + 7) / 8;
    return d->has_end && (!units || !memchr(d->seen, 0, units));
}

const struct frag_datagram *frag_add(struct frag_table *t, const struct fragment *f, uint64_t frame) {
    if (!t->slot) t->slot = calloc(FRAG_DATAGRAMS, sizeof *t->slot);
    if (!t->slot || f->data.n > FRAG_BYTES || f->off > FRAG_BYTES - f->data.n || (f->more && f->data.n % 8))
        return NULL;
    struct frag_datagram *d = slot_for(t, f);
    uint32_t behind = f->off + (uint32_t)f->data.n;
    if (!d || d->pieces >= FRAG_PIECES || (!f->more && d->has_end && d->end != behind)) return NULL;
    d->piece[d->pieces++] = (struct frag_piece){.frame = frame, .off = f->off, .len = (uint32_t)f->data.n};
    units_add(d, f);
    if (!f->more) {
        d->has_end = true;
        d->end = behind;
    }
    if (!is_whole(d)) return NULL;
    d->used = false;
    return d;
}
