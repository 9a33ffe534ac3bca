/* SPDX-License-Identifier: Apache-2.0 */
/* What the handshake leaves for decryption; see tls_session.h. */
#include "proto/tls/tls_session.h"

#include <assert.h>
#include <openssl/crypto.h>

enum {
    EXT_TRUNCATED_HMAC = 4,
    EXT_EXTENDED = 23,
    EXT_ETM = 22,
    EXT_TICKET = 35,
    EXT_EARLY = 42,
    HEAD = 4,
    RANDOM = 32,
    END_OF_EARLY = 5
};

static void transcript_end(struct tls_session *s) {
    for (int i = 0; i < 3; i++) {
        EVP_MD_CTX_free(s->transcript[i]);
        s->transcript[i] = NULL;
    }
}

/* transcript_start begins the digests of the handshake: which one is needed only the ServerHello tells. */
static void transcript_start(struct tls_session *s) {
    const EVP_MD *const md[] = {EVP_md5_sha1(), EVP_sha256(), EVP_sha384()};
    transcript_end(s);
    for (int i = 0; i < 3; i++) {
        s->transcript[i] = EVP_MD_CTX_new();
        if (s->transcript[i] && !EVP_DigestInit_ex(s->transcript[i], md[i], NULL)) {
            EVP_MD_CTX_free(s->transcript[i]);
            s->transcript[i] = NULL;
        }
    }
}

static void transcript_add(struct tls_session *s, struct slice message) {
    for (int i = 0; i < 3; i++)
        if (s->transcript[i]) EVP_DigestUpdate(s->transcript[i], message.p, message.n);
}

/* transcript_take ends the digests and keeps the one of the session's version. */
static void transcript_take(struct tls_session *s) {
    int which = s->version < TLS12 ? 0 : s->suite.prf == HASH_SHA384 ? 2 : 1;
    unsigned n = 0;
    if (s->transcript[which]) s->has_digest = EVP_DigestFinal_ex(s->transcript[which], s->digest, &n) > 0;
    s->digest_len = (uint8_t)n;
    transcript_end(s);
}

/* session_make gives the connection its place in the store; NULL where there is no store, or it is full. */
static struct tls_session *session_make(struct decode *d, struct tls_state *st) {
    if (st->session) return tls_session_of(st);
    struct tls_keys *k = d->tls_keys;
    if (k && !k->any && k->more) k->more(k->more_to);
    if (!k || !(k->any || k->expected)) return NULL;
    st->session = pool_get(&k->sessions);
    if (st->session) st->keys = k;
    struct tls_session *s = tls_session_of(st);
    if (s) s->private = -1;
    return s;
}

void tls_session_end(struct tls_state *st) {
    struct tls_session *s = tls_session_of(st);
    if (!s) return;
    transcript_end(s);
    for (int i = 0; i < 2; i++) {
        tls_cipher_end(&s->side[i].now);
        tls_inflate_end(&s->side[i]);
    }
    OPENSSL_cleanse(s, sizeof *s);
    pool_put(&st->keys->sessions, st->session);
    st->session = 0;
}

static struct slice vector(struct reader *r, unsigned width) {
    size_t n = width == 1 ? rd_u8(r) : rd_be16(r);
    return rd_take(r, n);
}

static uint8_t id_take(struct reader *r, uint8_t *to) {
    struct slice id = vector(r, 1);
    if (id.n > 32) return 0;
    memcpy(to, id.p, id.n);
    return (uint8_t)id.n;
}

/* handshake_reset forgets the handshake before; the keys in use stay (a renegotiation runs under them). */
static void handshake_reset(struct tls_session *s) {
    struct tls_side sides[2] = {s->side[0], s->side[1]};
    transcript_end(s);
    OPENSSL_cleanse(s, sizeof *s);
    s->side[0] = sides[0];
    s->side[1] = sides[1];
    s->private = -1;
}

static void offered_take(struct tls_session *s, struct slice suites) {
    for (; suites.n >= 2; suites = slice_tail(suites, 2)) {
        struct tls_suite suite;
        uint16_t number = load_be16(suites.p);
        if (s->n_offered < TLS_OFFERED_MAX && tls_suite_find(number, &suite) && suite.kx == KX_TLS13)
            s->offered[s->n_offered++] = number;
    }
}

static void client_hello(struct tls_session *s, struct slice body, bool digest) {
    struct reader r = rd_init(body, body.p);
    rd_skip(&r, 2);
    struct slice random = rd_take(&r, RANDOM);
    bool again = s->retried && random.n && slice_eq(random, slice_of(s->client_random, RANDOM));
    if (!random.n) return;
    if (!again) handshake_reset(s);
    if (digest && !again) transcript_start(s);
    s->retried = s->early = s->has_ticket = false;
    memcpy(s->client_random, random.p, RANDOM);
    s->has_client = true;
    s->client_id_len = id_take(&r, s->client_id);
    s->n_offered = 0;
    offered_take(s, vector(&r, 2));
    vector(&r, 1);
    struct slice list = vector(&r, 2);
    struct reader exts = rd_init(list, list.p);
    while (rd_ok(&r) && rd_left(&exts) >= HEAD) {
        uint16_t type = rd_be16(&exts);
        struct slice value = vector(&exts, 2);
        if (type == EXT_EARLY) s->early = !again;
        if (type == EXT_TICKET && value.n)
            s->has_ticket = EVP_Digest(value.p, value.n, s->ticket, NULL, EVP_sha256(), NULL) > 0;
    }
}

/* server_extensions reads what the server agreed to; the version of TLS 1.3 tells its drafts apart. */
static void server_extensions(struct tls_session *s, struct reader *r) {
    struct slice list = vector(r, 2);
    struct reader exts = rd_init(list, list.p);
    while (rd_ok(r) && rd_left(&exts) >= HEAD) {
        uint16_t type = rd_be16(&exts);
        vector(&exts, 2);
        if (!rd_ok(&exts)) return;
        if (type == EXT_EXTENDED) s->extended = true;
        if (type == EXT_ETM) s->etm = true;
        if (type == EXT_TRUNCATED_HMAC) s->short_mac = true;
    }
}

static void server_hello(struct tls_state *st, struct tls_session *s, struct slice body) {
    struct reader r = rd_init(body, body.p);
    uint16_t named = tls_server_hello_version(body), legacy = rd_be16(&r);
    bool short_form = tls_is_13(legacy); /* drafts of TLS 1.3 that name it here have no session id */
    struct slice random = rd_take(&r, RANDOM);
    if (!random.n) return;
    s->version = st->version;
    s->draft = named >> 8 == 0x7f ? (uint8_t)named : 0;
    s->retried = tls_is_retry(random);
    if (s->retried) return;
    memcpy(s->server_random, random.p, RANDOM);
    if (!short_form) s->server_id_len = id_take(&r, s->server_id);
    s->suite_number = rd_be16(&r);
    s->has_server = s->has_suite = rd_ok(&r);
    if (!short_form) s->compression = rd_u8(&r);
    s->known_suite = tls_suite_find(s->suite_number, &s->suite);
    if (rd_left(&r)) server_extensions(s, &r);
}

static void ticket_learn(struct tls_keys *k, struct tls_session *s, struct slice body) {
    uint8_t digest[32];
    struct reader r = rd_init(body, body.p);
    rd_skip(&r, 4);
    struct slice ticket = vector(&r, 2);
    if (!ticket.n || !tls_master_find(k, s)) return;
    if (EVP_Digest(ticket.p, ticket.n, digest, NULL, EVP_sha256(), NULL) > 0)
        tls_keys_put(k, TLS_KEY_MASTER_TICKET, slice_of(digest, sizeof digest), slice_of(s->master, TLS_MASTER),
                     TLS_FROM_SESSION);
}

static void certificate_learn(const struct tls_keys *k, struct tls_session *s, struct slice body) {
    struct reader r = rd_init(body, body.p);
    rd_skip(&r, 3);
    struct slice first = rd_take(&r, rd_be24(&r));
    if (!first.n || !k->n_private) return;
    s->has_certificate = true;
    s->private = (int8_t)tls_private_match(k, first);
}

/* epoch_next: the side's following records are protected with other keys, which are looked for when one comes. */
static void epoch_next(struct tls_side *side, enum tls_epoch epoch) {
    struct tls_cipher *c = &side->now;
    tls_cipher_end(c);
    tls_inflate_end(side);
    side->epoch = (uint8_t)epoch;
    side->works = side->dead = false;
    side->failed = side->spent = 0;
    side->passed = side->tried = 0;
}

static void key_update(struct tls_keys *k, struct tls_session *s, struct tls_side *side) {
    struct tls_cipher next;
    if (side->epoch != EPOCH_DATA || !side->now.ready || !tls_secret_next(s, side->secret)) return;
    if (!tls_keys_secret(k, s, &s->suite, side->secret, &next)) return;
    tls_cipher_end(&side->now);
    side->now = next;
}

static void message13(struct tls_keys *k, struct tls_session *s, int from, uint8_t type) {
    struct tls_side *side = &s->side[from];
    if (type == FINISHED && side->epoch <= EPOCH_HANDSHAKE) epoch_next(side, EPOCH_DATA);
    else if (type == END_OF_EARLY && from == 0) epoch_next(side, EPOCH_HANDSHAKE);
    else if (type == KEY_UPDATE) key_update(k, s, side);
}

void tls_session_message(struct decode *d, struct tls_state *st, int from, uint8_t type, struct slice message) {
    struct tls_session *s = type == CLIENT_HELLO || type == SERVER_HELLO ? session_make(d, st) : tls_session_of(st);
    struct slice body = slice_tail(message, HEAD);
    if (!s || message.n < HEAD) return;
    struct tls_keys *k = st->keys;
    from &= 1;
    if (type == CLIENT_HELLO) client_hello(s, body, k->premasters);
    if (type == SERVER_HELLO) server_hello(st, s, body);
    if (s->version == TLS13 && type != CLIENT_HELLO) {
        if (!st->quic) message13(k, s, from, type); /* there the packets say which keys they are protected with */
        return;
    }
    if (type != HELLO_REQUEST) transcript_add(s, message);
    if (type == CERTIFICATE && from == 1) certificate_learn(k, s, body);
    if (type == NEW_SESSION_TICKET) ticket_learn(k, s, body);
    if (type != CLIENT_KEY_EXCHANGE) return;
    transcript_take(s);
    tls_master_exchange(k, s, body);
}

void tls_session_hello2(struct decode *d, struct tls_state *st, struct slice message) {
    struct tls_session *s = session_make(d, st);
    struct reader r = rd_init(message, message.p);
    if (!s) return;
    rd_skip(&r, 3);
    size_t suites = rd_be16(&r), id = rd_be16(&r), challenge = rd_be16(&r);
    rd_skip(&r, suites + id);
    struct slice random = rd_take(&r, challenge);
    if (!rd_ok(&r) || random.n > RANDOM) return;
    handshake_reset(s);
    memcpy(s->client_random + RANDOM - random.n, random.p, random.n); /* RFC 5246 E.2: zeros in front */
    s->has_client = true;
    if (!st->keys->premasters) return;
    transcript_start(s);
    transcript_add(s, message);
}

void tls_session_ccs(struct tls_state *st, int from) {
    struct tls_session *s = tls_session_of(st);
    if (!s || st->version == TLS13) return;
    struct tls_side *side = &s->side[from & 1];
    epoch_next(side, EPOCH_DATA);
    side->gap = false;
}

void tls_session_closed(struct tls_state *st, int from) {
    struct tls_session *s = tls_session_of(st);
    if (!s) return;
    struct tls_side *side = &s->side[from & 1];
    tls_cipher_end(&side->now);
    tls_inflate_end(side);
    side->over |= !side->dead;
    side->dead = true;
    side->tried = st->keys->generation;
}

void tls_session_lost(struct tls_state *st, int from) {
    struct tls_session *s = tls_session_of(st);
    if (s) s->side[from & 1].gap = true;
}

bool tls_session_searches(const struct tls_state *st, int from) {
    const struct tls_session *s = tls_session_of(st);
    return s && s->side[from & 1].gap && s->side[from & 1].works;
}
