/* SPDX-License-Identifier: Apache-2.0 */
/* Theory of operation: the connections of a conversation.
 *
 * A conversation carries a connection, and often another after it or beside it, as clients use their ports again and
 * open several connections from one. Two of them are kept, the one read last first. Keys of Initial packets come out of
 * the connection id of the client's first one (RFC 9001 5.2), so who sent a packet that opens with the keys of its own
 * id is the client. Such keys are tried for the first packet of a datagram only: all others must be for the same id
 * (RFC 9000 12.2), and a stranger may fill datagrams with small packets.
 *
 * Anybody can make such a packet, whatever address he puts on it. It therefore changes nothing of the connection that
 * is read: it begins one that stands second, which gives way to the next that begins. Packets are opened with what
 * fits, and the second takes the first one's place when it is as sure as that: when the server answered it, or, where
 * packets of the first were opened with the secrets of its handshake, when some of its own were. A client that was sent
 * a Retry (17.2.5) goes on in its handshake with keys of a new id; one that comes when the server has answered is none.
 */
#include "proto/protos.h"
#include "proto/quic/quic.h"

void quic_id_set(struct quic_id *to, struct slice id) {
    to->n = id.n <= QUIC_ID_MAX ? (uint8_t)id.n : 0;
    if (to->n) memcpy(to->bytes, id.p, to->n);
}

void quic_state_end(struct quic_state *st) {
    for (int i = 0; i < 2 * QUIC_SPACES; i++) quic_order_end(&st->crypto[i / 2][i % 2]);
    quic_session_end(st);
    proto_tls.stream->end(&st->tls);
}

static void next_end(struct quic_path *p) {
    if (p->next) quic_state_end(p->next);
    p->next = NULL;
    arena_free(&p->memory);
}

void quic_path_end(struct quic_path *p) {
    quic_state_end(&p->now);
    next_end(p);
}

/* next_make begins a second connection; NULL: there is no memory. */
static struct quic_state *next_make(struct decode *d, struct quic_path *p) {
    next_end(p);
    p->memory = arena_make_of(sizeof *p->next, d->kept);
    p->next = arena_get(&p->memory, sizeof *p->next);
    if (!p->next) return NULL;
    *p->next = (struct quic_state){0};
    tls_quic_start(&p->next->tls);
    return p->next;
}

void quic_path_settle(struct quic_path *p, const struct quic_state *read) {
    if (!p->next || read != p->next || !read->sure || read->sure < p->now.sure) return;
    struct quic_state second = p->now;
    p->now = *p->next;
    *p->next = second;
}

/* begun returns the connection that began last, where its server has not answered yet. */
static struct quic_state *begun(struct quic_path *p) { return p->next && !p->next->sure ? p->next : &p->now; }

void quic_path_retry(struct quic_path *p, int from) {
    struct quic_state *st = begun(p);
    if (st->has_keys && !st->sure && from != st->client) st->retried = true;
}

/* keys_set makes the keys of the client's Initial packets those of a new id. */
static void keys_set(struct quic_state *st, uint8_t client, uint32_t version, struct slice id,
                     const struct quic_keys keys[2]) {
    if (!st->retried) tls_quic_start(&st->tls);
    st->has_keys = true;
    st->retried = false;
    st->client = client;
    st->version = version;
    quic_id_set(&st->id, id);
    memcpy(st->keys, keys, sizeof st->keys);
}

/* version_changed opens an Initial packet of another version than those before, which the two sides go on with (RFC
 * 9368 2.4): its keys come out of the same connection id. It returns the side, or -1. */
static int version_changed(struct decode *d, struct quic_state *st, const struct quic_closed *c,
                           struct quic_opened *o) {
    struct quic_keys keys[2];
    int side = d->from != st->client;
    if (!c->first || st->version == c->version || !quic_keys_derive(c->version, quic_id_slice(&st->id), keys) ||
        !quic_open(d->arena, &keys[side], c->packet, c->number_at, st->number[QUIC_FIRST][side], o))
        return -1;
    st->version = c->version;
    memcpy(st->keys, keys, sizeof keys);
    return side;
}

/* known_open opens an Initial packet with keys a connection has. */
static int known_open(struct decode *d, struct quic_state *st, const struct quic_closed *c, struct quic_opened *o) {
    int side = d->from != st->client;
    if (!st->has_keys) return -1;
    if (st->version == c->version &&
        quic_open(d->arena, &st->keys[side], c->packet, c->number_at, st->number[QUIC_FIRST][side], o))
        return side;
    return version_changed(d, st, c, o);
}

static bool has_keys_of(const struct quic_state *st, const struct quic_closed *c) {
    return st && st->has_keys && st->version == c->version && slice_eq(c->id, quic_id_slice(&st->id));
}

/* first_open opens a packet with the keys of its own id. */
static int first_open(struct decode *d, struct quic_path *p, const struct quic_closed *c, struct quic_state **st,
                      struct quic_opened *o) {
    struct quic_keys keys[2];
    struct quic_state *latest = begun(p);
    if (!c->first || c->id.n > QUIC_ID_MAX || has_keys_of(&p->now, c) || has_keys_of(p->next, c) ||
        !quic_keys_derive(c->version, c->id, keys))
        return -1;
    bool opens = quic_open(d->arena, &keys[0], c->packet, c->number_at, 0, o);
    /* One that was not captured whole cannot be opened; the server's answer can, with its keys. */
    if (!opens && (!d->cut || latest->has_keys)) return -1;
    if (latest->has_keys && !latest->retried) latest = next_make(d, p);
    if (!latest) return -1;
    keys_set(latest, d->from, c->version, c->id, keys);
    *st = latest;
    return opens ? 0 : -1;
}

static int initial_open(struct decode *d, struct quic_path *p, const struct quic_closed *c, struct quic_state **st,
                        struct quic_opened *o) {
    o->space = QUIC_FIRST;
    for (*st = &p->now; *st; *st = *st == &p->now ? p->next : NULL) {
        int side = known_open(d, *st, c, o);
        if (side >= 0) return side;
    }
    *st = &p->now;
    return first_open(d, p, c, st, o);
}

int quic_path_open(struct decode *d, struct quic_path *p, const struct quic_closed *c, struct quic_state **st,
                   struct quic_opened *o) {
    if (c->space == QUIC_FIRST) return initial_open(d, p, c, st, o);
    for (*st = &p->now; *st; *st = *st == &p->now ? p->next : NULL) {
        int side = d->from != (*st)->client;
        /* Early data goes on in the version the client began with (RFC 9369 4.1), all else in that of the last Initial
         * packets. */
        if (!(*st)->has_keys || (!c->early && c->version != (*st)->version)) continue;
        if (quic_session_open(d, *st, side, c, o)) return side;
    }
    *st = &p->now;
    return -1;
}
