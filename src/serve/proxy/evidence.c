/* SPDX-License-Identifier: Apache-2.0 */
/* Theory of operation: where the configuration asks for it, every connection keeps the last bytes of both sides, as the
 * guard saw them: decrypted and out of WebSocket's frames. They lie in one block, a small head before each piece; what
 * is oldest gives way. When something is stopped, all of it goes to the parent, piece by piece as packets of a TCP
 * connection that never was, and is forgotten; what is stopped later on the same connection continues the file.
 *
 * Passwords are not remembered: in every CONNECT of the client's stream they are overwritten before they are kept, and
 * where a CONNECT is broken, all from the place where it breaks. The block is wiped when it is given up.
 *
 * Limits: `evidence.bytes` for each connection, TELLS_MAX times for each of them, TELLS_PER_SECOND for each worker. */
#include "serve/proxy/evidence.h"
#include "base/reader.h"
#include "serve/proxy/worker.h"
#include <stdlib.h>

enum { TELLS_MAX = 16, TELLS_PER_SECOND = 20, HIDDEN = '*', USER_NAME_BIT = 0x80, PASSWORD_BIT = 0x40, WILL_BIT = 4 };

struct piece {
    int64_t ts;
    uint32_t seq, ack, len, kept;
    uint8_t side;
};

struct evidence {
    uint32_t seq[GUARD_SIDES]; /* of the next byte */
    uint32_t left;             /* bytes of the client's packet that has begun */
    uint32_t n, cap;
    uint8_t tells;
    bool hidden; /* that packet is a CONNECT */
    bool lost;   /* the client's packets cannot be told apart any more: all of it is overwritten */
    uint8_t data[];
};

void evidence_free(struct evidence *e) {
    if (e) explicit_bzero(e->data, e->cap);
    free(e);
}

/* copy is the part of some bytes that is kept. */
struct copy {
    uint8_t *p;
    size_t n;
};

static struct copy copy_part(struct copy c, size_t at, size_t n) {
    if (at > c.n) at = c.n;
    return (struct copy){c.p + at, n < c.n - at ? n : c.n - at};
}

static void hide(struct copy c) {
    if (c.n) memset(c.p, HIDDEN, c.n);
}

static void skip_text(struct reader *r) { (void)rd_take(r, rd_be16(r)); }

static uint32_t read_length(struct reader *r) {
    uint32_t n = 0;
    for (int shift = 0; shift < 28; shift += 7) {
        uint8_t b = rd_u8(r);
        n |= (uint32_t)(b & 127) << shift;
        if (!(b & 128)) break;
    }
    return n;
}

/* hide_password overwrites the password of a CONNECT, of which c is what stands behind the fixed header (MQTT 3.1.2,
 * 3.1.3): it is the last field and ends where the packet does. Where that does not come out, nobody knows what is what,
 * and all fields are overwritten: false. */
static bool hide_password(struct copy c) {
    struct reader r = rd_init(slice_of(c.p, c.n), c.p);
    struct slice name = rd_take(&r, rd_be16(&r));
    uint8_t version = rd_u8(&r), flags = rd_u8(&r);
    (void)rd_be16(&r);
    bool known = rd_ok(&r) && (slice_eq(name, SLICE("MQTT")) || slice_eq(name, SLICE("MQIsdp")));
    if (known && !(flags & PASSWORD_BIT)) return true;
    size_t from = known ? rd_off(&r) : 0;
    for (int field = 0; field < 6; field++) {
        if ((field == 0 || (field == 2 && flags & WILL_BIT)) && version == 5) (void)rd_take(&r, read_length(&r));
        if (field == 1 || (field >= 3 && field < 5 && flags & WILL_BIT) || (field == 5 && flags & USER_NAME_BIT))
            skip_text(&r);
    }
    size_t password = rd_off(&r);
    skip_text(&r);
    bool right = known && rd_ok(&r) && !rd_left(&r);
    hide(copy_part(c, right ? password : from, c.n));
    return right;
}

/* walk goes through what the client said, which begins where the last call ended, and overwrites passwords in the copy
 * of its first bytes. */
static void walk(struct evidence *e, struct slice in, struct copy copy) {
    size_t at = 0;
    while (at < in.n && !e->lost) {
        size_t part = e->left < in.n - at ? e->left : in.n - at;
        if (e->hidden) hide(copy_part(copy, at, part)); /* its beginning was not enough to find the password in */
        e->left -= (uint32_t)part, at += part;
        if (at == in.n) return;
        struct reader r = rd_init(slice_tail(in, at), in.p + at);
        uint8_t first = rd_u8(&r);
        e->left = read_length(&r);
        e->lost = !rd_ok(&r);
        size_t head = e->lost ? 1 : rd_off(&r), rest = in.n - at - head;
        part = e->lost || rest < e->left ? rest : e->left;
        e->hidden = first >> 4 == MQTT_CONNECT;
        struct copy body = copy_part(copy, at + head, part);
        e->left -= e->lost ? 0 : (uint32_t)part;
        /* Behind a CONNECT that is wrong there may be the rest of it; nobody answers it. */
        if ((e->hidden || e->lost) && !hide_password(body) && body.n == part) e->lost = true;
        at += head + part;
    }
    if (e->lost) hide(copy_part(copy, at, in.n - at));
}

/* make_room lets the oldest pieces go until `more` bytes fit. */
static void make_room(struct evidence *e, size_t more) {
    size_t at = 0;
    struct piece p;
    while (at < e->n && e->n - at + more > e->cap) {
        memcpy(&p, e->data + at, sizeof p);
        at += sizeof p + p.kept;
    }
    memmove(e->data, e->data + at, e->n - at);
    e->n -= (uint32_t)at;
}

static struct evidence *evidence_of(const struct worker *w, struct conn *c) {
    size_t cap = (size_t)w->set->config->evidence_bytes + 2 * sizeof(struct piece);
    if (c->evidence || !w->set->config->evidence) return c->evidence;
    if (!(c->evidence = malloc(sizeof *c->evidence + cap))) return NULL;
    *c->evidence = (struct evidence){.seq = {1, 1}, .cap = (uint32_t)cap};
    return c->evidence;
}

void evidence_add(struct worker *w, struct conn *c, enum guard_side side, struct slice bytes) {
    struct evidence *e = bytes.n ? evidence_of(w, c) : NULL;
    if (!e) return;
    size_t most = e->cap / 2 - sizeof(struct piece), kept = bytes.n < most ? bytes.n : most;
    struct piece p = {.ts = w->now + w->wall,
                      .seq = e->seq[side],
                      .ack = e->seq[!side],
                      .len = (uint32_t)bytes.n,
                      .kept = (uint32_t)kept,
                      .side = (uint8_t)side};
    make_room(e, sizeof p + kept);
    memcpy(e->data + e->n, &p, sizeof p);
    uint8_t *to = memcpy(e->data + e->n + sizeof p, bytes.p, kept);
    e->n += (uint32_t)(sizeof p + kept);
    e->seq[side] += p.len;
    if (side == GUARD_CLIENT) walk(e, bytes, (struct copy){to, kept});
}

void evidence_caught(struct worker *w, const struct guard_event *e) {
    struct writer why = wr_fixed(w->caught, sizeof w->caught);
    if (!w->set->config->evidence || e->action < GUARD_DROP) return;
    wr_f(&why, "%.100s: %.180s%s", e->rule, e->reason ? e->reason : "stopped",
         e->would ? " (not stopped: log mode)" : "");
    w->caught_n = (uint16_t)wr_len(&why);
}

static bool too_often(struct worker *w, struct evidence *e) {
    int64_t second = w->now_ms / 1000;
    if (w->evidence_second != second) w->evidence_second = second, w->evidence_count = 0;
    return e->tells >= TELLS_MAX || w->evidence_count >= TELLS_PER_SECOND;
}

/* tell_piece tells one piece, in parts that a record can hold; false: there is no room. */
static bool tell_piece(struct worker *w, const struct conn *c, const struct piece *p, const uint8_t *data, bool last) {
    uint8_t buf[RING_RECORD_MAX - 1];
    for (uint32_t at = 0; at < p->kept;) {
        uint32_t n = p->kept - at < EVIDENCE_PART ? p->kept - at : EVIDENCE_PART;
        bool end = at + n == p->kept;
        struct evidence_record r = {.peer = c->guard.peer,
                                    .ts = p->ts,
                                    .seq = p->seq + at,
                                    .ack = p->ack,
                                    .len = end ? p->len - at : n,
                                    .why_n = last && end ? w->caught_n : 0,
                                    .side = p->side};
        memcpy(buf, &r, sizeof r);
        memcpy(buf + sizeof r, w->caught, r.why_n);
        memcpy(buf + sizeof r + r.why_n, data + at, n);
        if (!worker_tell(w, 'P', slice_of(buf, sizeof r + r.why_n + n))) return false;
        at += n;
    }
    return true;
}

void evidence_tell(struct worker *w, struct conn *c) {
    struct evidence *e = c->evidence;
    struct piece p;
    if (!w->caught_n || !e || too_often(w, e)) return;
    for (size_t at = 0; at < e->n; at += sizeof p + p.kept) {
        memcpy(&p, e->data + at, sizeof p);
        if (!tell_piece(w, c, &p, e->data + at + sizeof p, at + sizeof p + p.kept == e->n)) break;
    }
    e->n = 0;
    e->tells++;
    w->evidence_count++;
}
