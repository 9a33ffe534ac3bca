/* SPDX-License-Identifier: Apache-2.0 */
/* Theory of operation: the keys of the command's TLS sessions.
 *
 * Lines are added to the key log by the TLS libraries themselves or by the preloaded one; the same key may come twice,
 * so lines seen before are known by a hash and left out. The sessions are counted by the ClientHellos among the
 * packets, whose random is what a key's line begins with: that tells which sessions have no key. */
#include "app/run/run.h"
#include "base/hash.h"
#include "base/hex.h"

#include <stdlib.h>
#include <unistd.h>

enum { LINE_MOST = 4096, LINES_MOST = 1 << 20 };

void run_keys_free(struct run_keys *k) {
    for (int i = 0; i < 2; i++) {
        if (k->fd[i] >= 0) close(k->fd[i]);
        wr_free(&k->part[i]);
    }
    wr_free(&k->fresh);
    struct hashes *const sets[] = {&k->lines, &k->randoms, &k->hellos, &k->begun, &k->older};
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) free(sets[i]->slot);
    free(k->session);
}

/* hash_new adds a number to the set; false where it was in it. */
static bool hash_new(struct hashes *h, uint64_t v) {
    if (h->n * 2 >= h->cap) {
        size_t cap = h->cap ? h->cap * 2 : 256;
        uint64_t *slot = h->n < LINES_MOST ? calloc(cap, sizeof *slot) : NULL;
        if (!slot) return true;
        for (size_t i = 0; i < h->cap; i++) {
            size_t at = h->slot[i] & (cap - 1);
            while (h->slot[i] && slot[at]) at = (at + 1) & (cap - 1);
            if (h->slot[i]) slot[at] = h->slot[i];
        }
        free(h->slot);
        h->slot = slot;
        h->cap = cap;
    }
    size_t at = v & (h->cap - 1);
    while (h->slot[at] && h->slot[at] != v) at = (at + 1) & (h->cap - 1);
    if (h->slot[at]) return false;
    h->slot[at] = v;
    h->n++;
    return true;
}

static bool hash_in(const struct hashes *h, uint64_t v) {
    size_t at = v & (h->cap - 1);
    if (!h->cap) return false;
    while (h->slot[at] && h->slot[at] != v) at = (at + 1) & (h->cap - 1);
    return h->slot[at] == v;
}

/* hash_of never gives 0, which marks a free place. */
static uint64_t hash_of(struct run_keys *k, const void *p, size_t n) {
    if (!k->secret.a) k->secret = hash_key_random();
    return hash_bytes(k->secret, p, n) | 1;
}

/* random_of reads the second word of a line; false where it is no client's random. */
static bool random_of(struct slice line, uint8_t random[RUN_RANDOM]) {
    const uint8_t *space = line.n ? memchr(line.p, ' ', line.n) : NULL;
    struct slice word = space ? slice_tail(line, (size_t)(space + 1 - line.p)) : (struct slice){0};
    if (word.n <= 2 * RUN_RANDOM || word.p[2 * RUN_RANDOM] != ' ') return false;
    for (size_t i = 0; i < RUN_RANDOM; i++) {
        int high = hex_digit(word.p[2 * i]), low = hex_digit(word.p[2 * i + 1]);
        if (high < 0 || low < 0) return false;
        random[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static void session_keyed(struct run_keys *k, const uint8_t random[RUN_RANDOM]) {
    for (uint32_t i = 0; i < k->sessions; i++)
        if (memcmp(k->session[i].random, random, RUN_RANDOM) == 0) k->session[i].keyed = true;
}

static void line_take(struct run_keys *k, struct slice line) {
    uint8_t random[RUN_RANDOM];
    if (!line.n || line.p[0] == '#' || !random_of(line, random)) return;
    uint64_t h = hash_of(k, line.p, line.n);
    session_keyed(k, random);
    (void)hash_new(&k->randoms, hash_of(k, random, RUN_RANDOM));
    if (!hash_new(&k->lines, h)) return;
    wr_slice(&k->fresh, line);
    wr_c(&k->fresh, '\n');
    k->lines_count++;
}

static void file_look(struct run_keys *k, int at) {
    char buf[4096];
    struct writer *part = &k->part[at];
    for (ssize_t n; k->fd[at] >= 0 && (n = read(k->fd[at], buf, sizeof buf)) > 0;) {
        for (ssize_t i = 0; i < n; i++) {
            if (buf[i] != '\n') {
                if (wr_len(part) < LINE_MOST) wr_c(part, buf[i]);
                continue;
            }
            line_take(k, wr_done(part));
            wr_reset(part);
        }
    }
}

void run_keys_text(struct run_keys *k, struct slice text) {
    while (text.n) {
        const uint8_t *end = memchr(text.p, '\n', text.n);
        size_t n = end ? (size_t)(end - text.p) : text.n;
        line_take(k, slice_head(text, n));
        text = slice_tail(text, n + 1);
    }
}

void run_keys_look(struct run_keys *k) {
    file_look(k, 0);
    file_look(k, 1);
}

void run_keys_hello(struct run_keys *k, struct slice random, const struct shim_end *server) {
    (void)hash_new(&k->hellos, hash_of(k, random.p, RUN_RANDOM));
    if (!k->session) k->session = calloc(RUN_SESSIONS_MAX, sizeof *k->session);
    if (!k->session || k->sessions == RUN_SESSIONS_MAX) return;
    for (uint32_t i = 0; i < k->sessions; i++) /* asked to try again, a client says hello twice */
        if (memcmp(k->session[i].random, random.p, RUN_RANDOM) == 0) return;
    struct run_session *s = &k->session[k->sessions++];
    *s = (struct run_session){.server = *server, .keyed = hash_in(&k->randoms, hash_of(k, random.p, RUN_RANDOM))};
    memcpy(s->random, random.p, RUN_RANDOM);
}

bool run_keys_met(struct run_keys *k, const uint8_t random[RUN_RANDOM]) {
    return k->hellos.n >= LINES_MOST / 2 || hash_in(&k->hellos, hash_of(k, random, RUN_RANDOM));
}

/* connection_hash is the same for both directions. */
static uint64_t connection_hash(struct run_keys *k, const struct run_packet *p) {
    bool swap = memcmp(&p->src, &p->dst, sizeof p->src) > 0;
    struct shim_end ends[2] = {swap ? p->dst : p->src, swap ? p->src : p->dst};
    return hash_of(k, ends, sizeof ends);
}

/* is_data tells an encrypted record, of application data or a closing alert (RFC 8446 5.1), from other bytes. */
static bool is_data(struct slice in) {
    enum { RECORD = 5, ALERT = 21, DATA = 23, RECORD_MOST = (1 << 14) + 2048 };
    if (in.n < RECORD || (in.p[0] != DATA && in.p[0] != ALERT) || in.p[1] != 3 || in.p[2] < 1 || in.p[2] > 3)
        return false;
    unsigned n = (unsigned)in.p[3] << 8 | in.p[4];
    return n > 16 && n <= RECORD_MOST;
}

void run_keys_older(struct run_keys *k, const struct run_packet *p, bool hello) {
    if (hello) (void)hash_new(&k->begun, connection_hash(k, p));
    if (hello || !is_data(p->payload)) return;
    uint64_t h = connection_hash(k, p);
    if (hash_in(&k->begun, h) || !hash_new(&k->older, h) || k->older.n != 1) return;
    k->older_ends[0] = p->src;
    k->older_ends[1] = p->dst;
}
