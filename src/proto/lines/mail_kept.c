/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/lines/mail.h"

#include "proto/protos.h"

enum { MAIL_MAX = 1 << 20, MAIL_PIECES_MAX = 4096 };

struct mail_piece {
    uint64_t frame;
    struct slice bytes;
    struct mail_piece *next;
};

void mail_keep(struct decode *d, struct mail_kept *k, struct slice lines) {
    struct mail_piece *piece = NULL;
    if (!lines.n || k->overflow) return;
    if (!k->memory.cap) k->memory = arena_make_of(2 * MAIL_MAX, d->kept);
    if (lines.n <= MAIL_MAX - k->length && k->count < MAIL_PIECES_MAX) piece = arena_get(&k->memory, sizeof *piece);
    struct slice bytes = piece ? arena_copy(&k->memory, lines) : (struct slice){0};
    k->overflow = bytes.n < lines.n;
    if (k->overflow) return;
    *piece = (struct mail_piece){d->pkt->number, bytes, NULL};
    if (k->last) k->last->next = piece;
    else k->first = piece;
    k->last = piece;
    k->count++;
    k->length += bytes.n;
}

static void pieces_show(struct decode *d, const struct mail_kept *k, const struct mail_pieces *ids) {
    uint32_t at = 0;
    fv_open(d->out, ids->all, 0, (uint32_t)k->length);
    for (const struct mail_piece *p = k->first; p; p = p->next) {
        fv_u(d->out, ids->one, at, (uint32_t)p->bytes.n, p->frame);
        at += (uint32_t)p->bytes.n;
    }
    fv_u(d->out, ids->count, 0, 0, k->count);
    fv_u(d->out, ids->length, 0, 0, k->length);
    fv_close(d->out);
}

/* head_of returns a message up to its first empty line, with that (RFC 5322 2.1). */
static struct slice head_of(struct slice mail) {
    const uint8_t *end = mail.n ? memmem(mail.p, mail.n, "\r\n\r\n", 4) : NULL;
    return end ? slice_head(mail, (size_t)(end - mail.p) + 4) : mail;
}

struct slice mail_whole(struct decode *d, const struct mail_kept *k, const struct mail_pieces *ids) {
    uint8_t *all = k->length ? arena_get(d->arena, k->length) : NULL;
    size_t at = 0;
    if (!all) return (struct slice){0};
    for (const struct mail_piece *p = k->first; p; p = p->next) {
        memcpy(all + at, p->bytes.p, p->bytes.n);
        at += p->bytes.n;
    }
    struct slice whole = k->overflow ? head_of(slice_of(all, at)) : slice_of(all, at);
    uint8_t source = fvec_add_source(d->out, whole, ids->source);
    if (!source) return (struct slice){0};
    d->out->src = source;
    if (!k->overflow) pieces_show(d, k, ids);
    return whole;
}

void mail_drop(struct mail_kept *k) {
    arena_free(&k->memory);
    *k = (struct mail_kept){0};
}

/* pieces_say says in which frames the message came. */
static void pieces_say(struct writer *w, const struct fvec *v, uint32_t at, const struct mail_pieces *ids) {
    const struct fval *count = fv_first(v, ids->count, at, fv_end(v, at));
    wr_f(w, "%u DATA fragment%s (%u bytes)", count ? (unsigned)count->u : 0u, count && count->u == 1 ? "" : "s",
         (unsigned)v->v[at].len);
    const char *before = ": ";
    for (uint32_t i = at + 1, end = fv_end(v, at); i < end; i++) {
        if (v->v[i].id != ids->one) continue;
        wr_f(w, "%s#%llu(%u)", before, (unsigned long long)v->v[i].u, (unsigned)v->v[i].len);
        before = ", ";
    }
}

bool mail_label(struct writer *w, const struct fvec *v, uint32_t at, const struct mail_pieces *ids) {
    const struct fval *f = &v->v[at];
    if (f->id == ids->all) pieces_say(w, v, at, ids);
    else if (f->id == ids->one)
        wr_f(w, "Frame: %llu, payload: %u-%u (%u bytes)", (unsigned long long)f->u, (unsigned)f->off,
             (unsigned)(f->off + f->len - 1), (unsigned)f->len);
    return f->id == ids->all || f->id == ids->one;
}
