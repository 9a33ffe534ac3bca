/* SPDX-License-Identifier: Apache-2.0 */
/* Domain names and their compression (RFC 1035, 3.1 and 4.1.4).
 *
 * A pointer may lead anywhere in the message, also to itself. A name is given up as a loop when more bytes were
 * walked over than the message has, and as too long when the message's names together took DNS_NAME_WORK: so no
 * message costs more than that, however its pointers are laid out. */
#include "proto/dns/dns.h"

enum name_end { NAME_GOOD, NAME_SHORT, NAME_LOOP, NAME_LONG };

struct name_walk {
    char *buf; /* DNS_NAME_MAX bytes, or NULL */
    size_t n;  /* bytes of text, also those that did not fit */
    size_t used;
    size_t walked;
};

static void put(struct name_walk *w, const uint8_t *p, size_t n) {
    if (w->buf && w->n + n <= DNS_NAME_MAX) memcpy(w->buf + w->n, p, n);
    w->n += n;
}

static enum name_end walk(struct dns_msg *m, size_t pos, struct name_walk *w) {
    struct slice in = m->in;
    size_t at = pos;
    bool jumped = false;
    for (;;) {
        if (at >= in.n) return NAME_SHORT;
        uint8_t c = in.p[at];
        size_t step = 0;
        if (c == 0) {
            if (!jumped) w->used = at + 1 - pos;
            return NAME_GOOD;
        }
        if (c >= 0xc0) {
            if (at + 2 > in.n) return NAME_SHORT;
            if (!jumped) w->used = at + 2 - pos;
            jumped = true;
            at = (size_t)(c & 0x3f) << 8 | in.p[at + 1];
            step = 2;
        } else if (c >= 0x40) { /* reserved label types */
            return NAME_SHORT;
        } else {
            step = 1u + c;
            if (at + step > in.n) return NAME_SHORT;
            if (w->n) put(w, (const uint8_t *)".", 1);
            put(w, in.p + at + 1, c);
            at += step;
        }
        w->walked += step;
        if (jumped && w->walked >= in.n) return NAME_LOOP;
        if (jumped && m->work < step) return NAME_LONG;
        m->work -= step < m->work ? step : m->work;
    }
}

size_t dns_name_read(struct dns_msg *m, struct reader *r, struct slice *text) {
    struct name_walk w = {.buf = text ? arena_get(m->d->arena, DNS_NAME_MAX) : NULL};
    if (text) *text = (struct slice){0};
    enum name_end end = rd_ok(r) ? walk(m, (size_t)(r->p - m->in.p), &w) : NAME_SHORT;
    if (end == NAME_SHORT) {
        rd_fail(r);
        return 0;
    }
    /* Data of a record may be shorter than the name in it says: the record ends where its length says. */
    rd_skip(r, w.used < rd_left(r) ? w.used : rd_left(r));
    if (!text) return w.used;
    if (end == NAME_LOOP) *text = SLICE("<Name contains a pointer that loops>");
    else if (end == NAME_LONG || w.n >= DNS_NAME_MAX) *text = SLICE("<Name too long>");
    else if (w.n == 0) *text = SLICE("<Root>");
    else if (w.buf) *text = slice_of(w.buf, w.n);
    return w.used;
}

struct slice dns_name_get(struct dns_msg *m, struct reader *r, uint16_t id) {
    struct slice text = {0};
    uint32_t off = rd_off(r);
    size_t n = dns_name_read(m, r, d_wants(m->d, id) ? &text : NULL);
    if (n) fv_s(m->d->out, id, off, (uint32_t)n, text);
    return text;
}

unsigned dns_name_labels(struct slice text) {
    unsigned n = 1;
    for (size_t i = 0; i < text.n; i++) n += text.p[i] == '.';
    return n;
}
