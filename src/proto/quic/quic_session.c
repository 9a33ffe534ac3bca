/* SPDX-License-Identifier: Apache-2.0 */
/* Theory of operation: packets whose keys come out of the handshake's secrets (RFC 9001 4 to 6).
 *
 * The TLS session that proto/tls keeps of the handshake tells which secrets are this connection's and of which suite.
 * A cipher is made when a packet first asks for it, and asked for again only where the store has new secrets, so that a
 * key log may grow and secrets may come later in the file. Early data comes before the suite is known, which is that of
 * the session it resumes: one of those the client offers.
 *
 * Keys of 1-RTT packets change with the key phase bit (6.1), header protection does not. A packet of the other phase
 * with a number greater than those of the present one is tried with the keys that follow, another one, as it was late,
 * with those before. When the next ones fit they become the present ones. Invariant: `secret` is that of the latest
 * cipher there is. Nothing that does not open changes anything but `after`, which is made once.
 *
 * Packets that come before their secrets are counted, since their numbers are only sent in part. */
#include "proto/quic/quic.h"

#include <openssl/crypto.h>
#include <openssl/err.h>

enum { KEY_PHASE = 0x04 };

static struct quic_session *session_make(struct quic_state *st, struct tls_keys *k) {
    if (!st->session) {
        st->session = pool_get(&k->quic);
        st->store = k;
    }
    return quic_session_of(st);
}

static void side_end(struct quic_side *side) {
    quic_cipher_end(&side->handshake);
    quic_cipher_end(&side->data);
    quic_cipher_end(&side->before);
    quic_cipher_end(&side->after);
}

void quic_session_end(struct quic_state *st) {
    if (!st->session) return;
    struct quic_session *q = quic_session_of(st);
    quic_streams_end(st->store, q);
    quic_cipher_end(&q->early);
    for (int i = 0; i < 2; i++) side_end(&q->side[i]);
    OPENSSL_cleanse(q, sizeof *q);
    pool_put(&st->store->quic, st->session);
    st->session = 0;
}

/* secret_keys makes the keys of a secret; false where it is not of the suite's length, or QUIC does not use the suite.
 */
static bool secret_keys(uint32_t version, const struct tls_suite *suite, const uint8_t *secret, size_t n,
                        struct quic_keys *k) {
    *k = (struct quic_keys){.mode = suite->mode, .size = suite->key};
    return suite->kx == KX_TLS13 && suite->tag == QUIC_TAG && k->size <= QUIC_KEY_MAX &&
           n == tls_hash_size(suite->prf) && quic_keys_expand(version, tls_hash_md(suite->prf), slice_of(secret, n), k);
}

/* secret_await returns the secret of a side in a space, asking for more where it is not there. */
static const struct tls_key *secret_await(struct tls_keys *k, const struct tls_session *s, int from,
                                          enum quic_space space) {
    uint8_t epoch = space == QUIC_HANDSHAKE ? EPOCH_HANDSHAKE : EPOCH_DATA;
    const struct tls_key *key = tls_epoch_secret(k, s, from, epoch);
    if (!key && k->more) {
        k->more(k->more_to);
        key = tls_epoch_secret(k, s, from, epoch);
    }
    return key;
}

/* cipher_await makes the cipher of a space, where there are secrets that were not tried. */
static bool cipher_await(struct tls_keys *k, struct tls_session *s, struct quic_session *q, int from,
                         enum quic_space space, uint32_t version) {
    struct quic_side *side = &q->side[from];
    struct quic_cipher *c = space == QUIC_HANDSHAKE ? &side->handshake : &side->data;
    struct quic_keys keys;
    if (c->payload && (s->side[from].works || side->tried[space] == k->generation)) return true;
    const struct tls_key *key = s->known_suite ? secret_await(k, s, from, space) : NULL;
    if (!key || side->tried[space] == k->generation) return c->payload != NULL;
    side->tried[space] = k->generation;
    quic_cipher_end(c);
    if (!secret_keys(version, &s->suite, key->secret, key->n, &keys) || !quic_cipher_start(c, &keys)) return false;
    if (space == QUIC_DATA) memcpy(side->secret, key->secret, key->n);
    s->side[from].origin = key->origin;
    return true;
}

/* after_ready makes the keys of the phase behind the present one; false: there are none. */
static bool after_ready(const struct tls_session *s, struct quic_side *side, uint32_t version) {
    struct quic_keys keys;
    if (side->after.payload) return true;
    const EVP_MD *md = tls_hash_md(s->suite.prf);
    return quic_secret_next(version, md, side->secret) &&
           secret_keys(version, &s->suite, side->secret, tls_hash_size(s->suite.prf), &keys) &&
           quic_cipher_payload_start(&side->after, &keys);
}

/* phase_step makes the keys that follow the present ones. */
static void phase_step(struct quic_side *side, uint64_t number) {
    EVP_CIPHER_CTX *header = side->data.header;
    side->data.header = NULL;
    quic_cipher_end(&side->before);
    side->before = side->data;
    side->data = side->after;
    side->data.header = header;
    side->after = (struct quic_cipher){0};
    side->phase = !side->phase;
    side->began = number;
}

static bool data_open(struct decode *d, const struct tls_session *s, struct quic_side *side,
                      const struct quic_closed *c, struct quic_opened *o) {
    struct slice packet = c->packet;
    size_t number_at = c->number_at;
    bool phase = (o->first & KEY_PHASE) != 0;
    if (phase == side->phase) {
        if (!quic_payload_open(d->arena, &side->data, packet, number_at, o)) return false;
        if (o->number < side->began) side->began = o->number;
        return true;
    }
    if (o->number < side->began)
        return side->before.payload && quic_payload_open(d->arena, &side->before, packet, number_at, o);
    if (!after_ready(s, side, c->version) || !quic_payload_open(d->arena, &side->after, packet, number_at, o))
        return false;
    phase_step(side, o->number);
    return true;
}

/* early_open opens a packet of early data with one of the suites the client offers, until one fits. */
static bool early_open(struct decode *d, struct tls_keys *k, struct tls_session *s, struct quic_session *q,
                       const struct quic_closed *c, uint64_t next, struct quic_opened *o) {
    const struct tls_key *key = tls_epoch_secret(k, s, 0, EPOCH_EARLY);
    if (q->early.payload)
        return quic_header_open(&q->early, c->packet, c->number_at, next, o) &&
               quic_payload_open(d->arena, &q->early, c->packet, c->number_at, o);
    for (uint8_t i = 0; key && i < s->n_offered; i++) {
        struct tls_suite suite;
        struct quic_keys keys;
        if (!tls_suite_find(s->offered[i], &suite) || !secret_keys(c->version, &suite, key->secret, key->n, &keys) ||
            !quic_cipher_start(&q->early, &keys))
            continue;
        s->side[0].origin = key->origin;
        if (quic_header_open(&q->early, c->packet, c->number_at, next, o) &&
            quic_payload_open(d->arena, &q->early, c->packet, c->number_at, o))
            return true;
        quic_cipher_end(&q->early);
    }
    return false;
}

bool quic_session_open(struct decode *d, struct quic_state *st, int side, const struct quic_closed *c,
                       struct quic_opened *o) {
    struct tls_session *s = tls_session_of(&st->tls);
    struct quic_session *q = s ? session_make(st, st->tls.keys) : NULL;
    uint64_t *next = &st->number[c->space][side];
    bool ok = false, ready = false;
    o->space = (uint8_t)c->space;
    if (q && c->early) {
        ok = side == 0 && early_open(d, st->tls.keys, s, q, c, *next, o);
    } else if (q) {
        ready = cipher_await(st->tls.keys, s, q, side, c->space, c->version);
        const struct quic_cipher *k = c->space == QUIC_HANDSHAKE ? &q->side[side].handshake : &q->side[side].data;
        ok = ready && quic_header_open(k, c->packet, c->number_at, *next, o);
        if (ok && c->space == QUIC_HANDSHAKE) ok = quic_payload_open(d->arena, k, c->packet, c->number_at, o);
        else if (ok) ok = data_open(d, s, &q->side[side], c, o);
    }
    if (!ok) ERR_clear_error();
    if (q && !ok && !ready && c->space == QUIC_DATA) {
        ++*next;
        q->side[side].late = true;
    }
    if (ok) s->side[side].works = true;
    else if (ready && !d->cut) s->side[side].dead = true;
    return ok;
}
