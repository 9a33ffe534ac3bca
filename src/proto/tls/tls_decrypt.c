/* SPDX-License-Identifier: Apache-2.0 */
/* Opening records with the keys of their session, and saying whether that can be done; see tls_session.h. */
#include "base/words.h"
#include "proto/tls/tls_prf.h"
#include "proto/tls/tls_session.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <openssl/err.h>

enum {
    TRIES_MAX = 1024,            /* sequence numbers tried for a record behind a gap */
    TRIES_BYTES = 1 << 20,       /* bytes decrypted in trying */
    TRIES_BYTES_LATER = 1 << 16, /* the same, once FAILED_FEW records in a row did not open */
    FAILED_FEW = 8,
    TRIES_SPENT_MAX = 1 << 14, /* numbers tried in vain on a side, after which only the next one is */
    TRIES_EARNED = 16,         /* numbers that a record which opens makes up for */
};

bool tls_secret_next(const struct tls_session *s, uint8_t *secret) {
    uint8_t next[TLS_MASTER];
    size_t n = tls_hash_size(s->suite.prf);
    if (!tls_expand(tls_hash_md(s->suite.prf), s->draft, slice_of(secret, n),
                    s->draft && s->draft < 20 ? "application traffic secret" : "traffic upd", next, n))
        return false;
    memcpy(secret, next, n);
    return true;
}

/* tries_of returns how many sequence numbers a record may be tried with. */
static unsigned tries_of(const struct tls_side *side, size_t n) {
    if (!side->gap && !side->failed) return 1;
    size_t budget = side->failed < FAILED_FEW ? TRIES_BYTES : TRIES_BYTES_LATER, tries = budget / (n + 256);
    if (tries > TRIES_MAX) tries = TRIES_MAX;
    size_t left = side->spent < TRIES_SPENT_MAX ? TRIES_SPENT_MAX - side->spent : 0;
    if (tries > left) tries = left;
    return tries ? (unsigned)tries : 1;
}

static void spend(struct tls_side *side, unsigned tries) {
    if (side->spent < TRIES_SPENT_MAX) side->spent += tries;
}

static void opened_note(struct tls_side *side) {
    side->works = true;
    side->gap = side->dead = false;
    side->failed = 0;
    side->spent -= side->spent < TRIES_EARNED ? side->spent : TRIES_EARNED;
}

/* fresh tells whether there are secrets that were not looked at for this side. */
static bool fresh(const struct tls_keys *k, struct tls_side *side) {
    bool is = side->tried != k->generation;
    side->tried = k->generation;
    return is;
}

static void ask_more(struct tls_keys *k) {
    if (k->more) k->more(k->more_to);
}

/* master_await finds the master secret, asking for more where it is not there. */
static bool master_await(struct tls_keys *k, struct tls_session *s, struct tls_side *side) {
    if (fresh(k, side) && tls_master_find(k, s)) return true;
    ask_more(k);
    return fresh(k, side) && tls_master_find(k, s);
}

/* block_start makes the keys of a side up to TLS 1.2, when it changed to them or when its master secret came late. */
static bool block_start(struct tls_keys *k, struct tls_session *s, int from) {
    struct tls_side *side = &s->side[from];
    if (s->compression > COMPRESSION_DEFLATE || !s->known_suite || !master_await(k, s, side)) return false;
    tls_cipher_end(&side->now);
    if (!tls_keys_block(k, s, from, &side->now)) {
        s->known_suite = false; /* the library lacks the cipher */
        return false;
    }
    side->origin = s->origin;
    side->dead = false;
    side->now.seq = side->passed;
    if (side->passed) memcpy(side->now.iv, side->last, side->now.chained ? s->suite.block : 0);
    return true;
}

/* master_learn keeps the master secret, now that it is known to be right, for sessions that go on with it. */
static void master_learn(struct tls_keys *k, const struct tls_session *s) {
    if (s->server_id_len)
        tls_keys_put(k, TLS_KEY_MASTER_SESSION, slice_of(s->server_id, s->server_id_len),
                     slice_of(s->master, TLS_MASTER), TLS_FROM_SESSION);
}

static void last_keep(struct tls_side *side, struct slice body) {
    if (body.n >= sizeof side->last) memcpy(side->last, body.p + body.n - sizeof side->last, sizeof side->last);
    else if (body.n >= 8) memcpy(side->last, body.p + body.n - 8, 8);
}

static bool open_block(struct tls_keys *k, struct tls_session *s, int from, const struct tls_sealed *r, uint8_t *out,
                       struct tls_opened *o) {
    struct tls_side *side = &s->side[from];
    if ((!side->now.ready || side->dead) && !block_start(k, s, from)) {
        side->passed++;
        last_keep(side, r->body);
        return false;
    }
    bool first = !side->works;
    unsigned tries = tries_of(side, r->body.n);
    if (tls_cipher_open(&side->now, r, tries, out, &o->plain)) {
        opened_note(side);
        if (first) master_learn(k, s);
        o->type = r->type;
        return true;
    }
    side->failed++;
    spend(side, tries);
    if (first && (!side->gap || side->failed > FAILED_FEW)) {
        side->dead = true;
        side->passed = side->now.seq + 1;
        last_keep(side, r->body);
    }
    return false;
}

const struct tls_key *tls_epoch_secret(const struct tls_keys *k, const struct tls_session *s, int from, uint8_t epoch) {
    enum tls_key_kind kind = epoch == EPOCH_EARLY       ? TLS_KEY_CLIENT_EARLY
                             : epoch == EPOCH_HANDSHAKE ? (from ? TLS_KEY_SERVER_HANDSHAKE : TLS_KEY_CLIENT_HANDSHAKE)
                                                        : (from ? TLS_KEY_SERVER_DATA : TLS_KEY_CLIENT_DATA);
    return s->has_client ? tls_keys_find(k, kind, slice_of(s->client_random, 32)) : NULL;
}

/* epoch_try makes the keys of an epoch with a suite and opens a record with them; then they are the side's. */
static bool epoch_try(struct tls_keys *k, struct tls_session *s, int from, uint8_t epoch, const struct tls_suite *suite,
                      const struct tls_sealed *r, unsigned tries, uint8_t *out, struct tls_opened *o) {
    const struct tls_key *key = tls_epoch_secret(k, s, from, epoch);
    struct tls_side *side = &s->side[from];
    struct tls_cipher c;
    if (!key || key->n != tls_hash_size(suite->prf) || !tls_keys_secret(k, s, suite, key->secret, &c)) return false;
    if (!tls_cipher_open(&c, r, tries, out, &o->plain)) {
        tls_cipher_end(&c);
        spend(side, tries);
        return false;
    }
    tls_cipher_end(&side->now);
    side->now = c;
    side->epoch = epoch;
    side->origin = key->origin;
    memcpy(side->secret, key->secret, key->n);
    return true;
}

/* early_try: early data comes before the ServerHello that names the suite, which is that of the key it resumes: one of
 * those the client offers. */
static bool early_try(struct tls_keys *k, struct tls_session *s, const struct tls_sealed *r, uint8_t *out,
                      struct tls_opened *o) {
    for (uint8_t i = 0; i < s->n_offered; i++) {
        struct tls_suite suite;
        if (tls_suite_find(s->offered[i], &suite) && epoch_try(k, s, 0, EPOCH_EARLY, &suite, r, 1, out, o)) return true;
    }
    return false;
}

/* generation_try: the message that changed the keys may have been lost. */
static bool generation_try(struct tls_keys *k, struct tls_session *s, struct tls_side *side, const struct tls_sealed *r,
                           unsigned tries, uint8_t *out, struct tls_opened *o) {
    uint8_t secret[TLS_MASTER];
    struct tls_cipher c;
    memcpy(secret, side->secret, sizeof secret);
    if (!tls_secret_next(s, secret) || !tls_keys_secret(k, s, &s->suite, secret, &c)) return false;
    if (!tls_cipher_open(&c, r, tries, out, &o->plain)) {
        tls_cipher_end(&c);
        spend(side, tries);
        return false;
    }
    tls_cipher_end(&side->now);
    side->now = c;
    memcpy(side->secret, secret, sizeof secret);
    return true;
}

static uint8_t epoch_now(const struct tls_session *s, int from) {
    if (s->side[from].epoch) return s->side[from].epoch;
    return from == 0 && s->early ? EPOCH_EARLY : EPOCH_HANDSHAKE;
}

/* epochs_try opens a record that the side's present keys, if any, do not. */
static bool epochs_try(struct tls_keys *k, struct tls_session *s, int from, const struct tls_sealed *r, uint8_t *out,
                       struct tls_opened *o) {
    struct tls_side *side = &s->side[from];
    uint8_t epoch = side->epoch = epoch_now(s, from);
    unsigned tries = tries_of(side, r->body.n);
    if (!side->works && side->spent >= TRIES_SPENT_MAX) return false;
    if (epoch == EPOCH_EARLY && !side->now.ready && early_try(k, s, r, out, o)) return true;
    if (!s->known_suite) return false;
    if (side->now.ready) epoch++;
    for (epoch = epoch == EPOCH_EARLY ? EPOCH_HANDSHAKE : epoch; epoch <= EPOCH_DATA; epoch++) {
        /* Records that came before their keys are counted in the epoch they began in. */
        unsigned more = side->passed < TRIES_MAX ? (unsigned)side->passed + 1 : TRIES_MAX;
        if (epoch_try(k, s, from, epoch, &s->suite, r, more > tries ? more : tries, out, o)) return true;
    }
    return side->epoch == EPOCH_DATA && side->works && side->gap && generation_try(k, s, side, r, tries, out, o);
}

/* content_find takes the padding off and finds the type of what is inside (RFC 8446 5.4). */
static bool content_find(struct tls_opened *o) {
    size_t n = o->plain.n;
    while (n && !o->plain.p[n - 1]) n--;
    if (!n) return false;
    o->type = o->plain.p[n - 1];
    o->plain.n = n - 1;
    return true;
}

/* secrets_await tells whether there is something to try for a side without keys. */
static bool secrets_await(struct tls_keys *k, const struct tls_session *s, struct tls_side *side, int from) {
    if (!tls_epoch_secret(k, s, from, epoch_now(s, from))) ask_more(k);
    return fresh(k, side) || side->epoch <= EPOCH_HANDSHAKE;
}

static bool open_epoch(struct tls_keys *k, struct tls_session *s, int from, const struct tls_sealed *r, uint8_t *out,
                       struct tls_opened *o) {
    struct tls_side *side = &s->side[from];
    unsigned tries = tries_of(side, r->body.n);
    bool ok = side->now.ready && tls_cipher_open(&side->now, r, tries, out, &o->plain);
    bool try = !ok && (side->now.ready ? side->failed < FAILED_FEW || side->gap : secrets_await(k, s, side, from));
    if (try) ok = epochs_try(k, s, from, r, out, o);
    if (ok) {
        opened_note(side);
        side->passed = 0;
        return content_find(o);
    }
    if (side->now.ready) {
        side->failed++;
        spend(side, tries);
    } else {
        side->passed++;
    }
    return false;
}

/* unsealed_read reads a record that its suite does not encrypt, without its MAC, which nobody can verify without keys.
 */
static struct tls_opened unsealed_read(struct decode *d, const struct tls_state *st, const struct tls_sealed *r) {
    size_t n = r->body.n > st->unsealed_mac ? r->body.n - st->unsealed_mac : 0;
    struct slice plain = n ? arena_copy(d->arena, slice_head(r->body, n)) : (struct slice){0};
    return (struct tls_opened){.ok = plain.n != 0, .type = r->type, .plain = plain};
}

void tls_open(struct decode *d, struct tls_state *st, int from, const struct tls_sealed *r, struct tls_opened *o) {
    struct tls_session *s = tls_session_of(st);
    bool is13 = st->version == TLS13, sealed = is13 ? r->type == TLS_CONTENT_DATA : st->changed[from & 1];
    if (!s && sealed && !is13 && st->unsealed) {
        *o = unsealed_read(d, st, r);
        return;
    }
    if (!s || !sealed || !r->body.n || !(s->has_suite || is13 || s->side[from & 1].now.ready)) return;
    uint8_t *out = arena_get(d->arena, r->body.n + EVP_MAX_BLOCK_LENGTH);
    if (!out) return;
    o->ok = is13 ? open_epoch(st->keys, s, from & 1, r, out, o) : open_block(st->keys, s, from & 1, r, out, o);
    if (!o->ok) ERR_clear_error();
    if (!o->ok && !is13 && st->unsealed && !s->side[from & 1].works) *o = unsealed_read(d, st, r);
    else if (o->ok && !is13 && s->compression) o->ok = tls_inflate(&s->side[from & 1], d->arena, &o->plain);
}

/* Where explain says why a session stays shut, the sentence is translated. */
static const char *const sentences[] = {
    [VERDICT_NONE] = "",
    [READ_BY_LOG] = "the key log has the secrets of this session",
    [READ_BY_CAPTURE] = "the capture file brings the secrets of this session",
    [READ_BY_PRIVATE_KEY] = "the RSA key given opens this session",
    [READ_BY_PSK] = "the pre-shared key given opens this session",
    [READ_BY_SESSION] = "it resumes a session of this capture that could be read",
    [READ_UNSEALED] = "its cipher suite encrypts nothing",
    [SHUT_NO_KEYS] = N_("no keys were given; a key log (SSLKEYLOGFILE) of the client or the server opens it"),
    [SHUT_NO_HELLO] =
        N_("the capture began after the handshake, so it cannot be known which keys belong to this session"),
    [SHUT_NOT_IN_LOG] =
        N_("neither key log nor capture file has secrets of this session: they are of another run or program"),
    [SHUT_RSA_EPHEMERAL_DH] = N_("the RSA key given cannot open a DHE session; a key log can"),
    [SHUT_RSA_EPHEMERAL_ECDH] = N_("the RSA key given cannot open an ECDHE session; a key log can"),
    [SHUT_RSA_EXPORT] =
        N_("the RSA key given cannot open an exportable session, which makes a short key of its own; a key log can"),
    [SHUT_RSA_TLS13] = N_("the RSA key given cannot open a TLS 1.3 session; a key log can"),
    [SHUT_RSA_RESUMED] =
        N_("it resumes a session whose handshake is not in the capture, so the RSA key given cannot open "
           "it; a key log can"),
    [SHUT_RSA_OTHER_KEY] = N_("the RSA key given is not that of the server's certificate"),
    [SHUT_RSA_PSK_SUITE] = N_("the session's keys come from a pre-shared key, not from the RSA key given"),
    [SHUT_PSK_EXCHANGE] =
        N_("the pre-shared key given is not all that this session's keys are made of; a key log can open it"),
    [SHUT_PSK_TLS13] =
        N_("a pre-shared key cannot open a TLS 1.3 session, which mixes it with Diffie-Hellman; a key log can"),
    [SHUT_PSK_IDENTITY] = N_("no pre-shared key was given for the identity of this client"),
    [SHUT_RESUMED] = N_("it resumes a session whose keys are not known"),
    [SHUT_SUITE] = N_("its cipher suite is one that Weir cannot decrypt"),
    [SHUT_COMPRESSED] = N_("its records are compressed in a way that Weir does not know"),
    [SHUT_KEYS_DO_NOT_FIT] = N_("the keys found for it do not fit: its records fail verification"),
};
static_assert(sizeof sentences / sizeof *sentences == VERDICT_COUNT, "every verdict has a sentence");

const char *tls_verdict_text(uint8_t verdict) { return verdict < VERDICT_COUNT ? sentences[verdict] : ""; }

static uint8_t origin_verdict(uint8_t origin) {
    static const uint8_t of[] = {[TLS_FROM_LOG] = READ_BY_LOG,
                                 [TLS_FROM_CAPTURE] = READ_BY_CAPTURE,
                                 [TLS_FROM_PRIVATE_KEY] = READ_BY_PRIVATE_KEY,
                                 [TLS_FROM_PSK] = READ_BY_PSK,
                                 [TLS_FROM_SESSION] = READ_BY_SESSION};
    return of[origin];
}

/* private_verdict says why a private key does not open the session. */
static uint8_t private_verdict(const struct tls_session *s) {
    if (s->version == TLS13) return SHUT_RSA_TLS13;
    if (s->suite.kx == KX_DH || s->suite.kx == KX_DH_PSK) return SHUT_RSA_EPHEMERAL_DH;
    if (s->suite.kx == KX_ECDH || s->suite.kx == KX_ECDH_PSK) return SHUT_RSA_EPHEMERAL_ECDH;
    if (s->suite.kx == KX_RSA_EXPORT) return SHUT_RSA_EXPORT;
    if (s->suite.kx == KX_PSK) return SHUT_RSA_PSK_SUITE;
    return s->full ? SHUT_RSA_OTHER_KEY : SHUT_RSA_RESUMED;
}

static uint8_t psk_verdict(const struct tls_session *s) {
    if (s->version == TLS13) return SHUT_PSK_TLS13;
    if (s->suite.kx == KX_PSK) return s->full ? SHUT_PSK_IDENTITY : SHUT_RESUMED;
    return SHUT_PSK_EXCHANGE;
}

static uint8_t verdict_of(const struct tls_state *st) {
    const struct tls_session *s = tls_session_of(st);
    const struct tls_keys *k = st->keys;
    for (int i = 0; s && i < 2; i++)
        if (s->side[i].works) return origin_verdict(s->side[i].origin);
    if (st->unsealed) return READ_UNSEALED;
    if (!s || !k->any) return SHUT_NO_KEYS;
    if (!s->has_client || !s->has_server) return SHUT_NO_HELLO;
    if (!s->known_suite) return SHUT_SUITE;
    if (s->compression > COMPRESSION_DEFLATE) return SHUT_COMPRESSED;
    for (int i = 0; i < 2; i++)
        if (s->side[i].dead && !s->side[i].over) return SHUT_KEYS_DO_NOT_FIT;
    if (s->version == TLS13 && (tls_epoch_secret(k, s, 0, EPOCH_DATA) || tls_epoch_secret(k, s, 1, EPOCH_DATA)))
        return SHUT_KEYS_DO_NOT_FIT;
    if (k->has_log) return SHUT_NOT_IN_LOG;
    return k->n_private ? private_verdict(s) : psk_verdict(s);
}

void tls_readable_add(struct decode *d, struct tls_state *st, uint32_t off) {
    const struct tls_keys *k = d->tls_keys;
    uint8_t verdict = st->session || st->unsealed ? verdict_of(st) : k && k->any ? SHUT_NO_HELLO : SHUT_NO_KEYS;
    if (verdict == st->said) return;
    /* What was read stays read: a damaged record later does not change the answer. */
    if (tls_verdict_readable(st->said) && (st->said != READ_UNSEALED || !tls_verdict_readable(verdict))) return;
    st->said = verdict;
    fv_u(d->out, FID_TLS_READABLE, off, 0, tls_verdict_readable(verdict));
    fv_s(d->out, FID_TLS_WHY, off, 0, slice_str(tls_verdict_text(verdict)));
}
