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

static void pieces_show(struct decode *d, const struct mail_kept *k) {
    uint32_t at = 0;
    fv_open(d->out, FID_SMTP_DATA_FRAGMENTS, 0, (uint32_t)k->length);
    for (const struct mail_piece *p = k->first; p; p = p->next) {
        fv_u(d->out, FID_SMTP_DATA_FRAGMENT, at, (uint32_t)p->bytes.n, p->frame);
        at += (uint32_t)p->bytes.n;
    }
    fv_u(d->out, FID_SMTP_DATA_FRAGMENT_COUNT, 0, 0, k->count);
    fv_u(d->out, FID_SMTP_DATA_REASSEMBLED_LENGTH, 0, 0, k->length);
    fv_close(d->out);
}

/* head_of returns a message up to its first empty line, with that (RFC 5322 2.1). */
static struct slice head_of(struct slice mail) {
    const uint8_t *end = mail.n ? memmem(mail.p, mail.n, "\r\n\r\n", 4) : NULL;
    return end ? slice_head(mail, (size_t)(end - mail.p) + 4) : mail;
}

struct slice mail_whole(struct decode *d, const struct mail_kept *k) {
    uint8_t *all = k->length ? arena_get(d->arena, k->length) : NULL;
    size_t at = 0;
    if (!all) return (struct slice){0};
    for (const struct mail_piece *p = k->first; p; p = p->next) {
        memcpy(all + at, p->bytes.p, p->bytes.n);
        at += p->bytes.n;
    }
    struct slice whole = k->overflow ? head_of(slice_of(all, at)) : slice_of(all, at);
    uint8_t source = fvec_add_source(d->out, whole, "Reassembled SMTP");
    if (!source) return (struct slice){0};
    d->out->src = source;
    if (!k->overflow) pieces_show(d, k);
    return whole;
}

void mail_drop(struct mail_kept *k) {
    arena_free(&k->memory);
    *k = (struct mail_kept){0};
}
