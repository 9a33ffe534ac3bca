/* SPDX-License-Identifier: Apache-2.0 */
/* Theory of operation: packets sent stand in a ring in the order they left, and in hash chains by what their answer
 * will say, newest first. An answered one stays in the ring until its time is over, so that a second answer is known as
 * such. Both grow together up to ANSWERS_OPEN_MAX. The hash is keyed: what is sent may be chosen by others (a capture).
 */
#include "craft/answers.h"
#include "base/hash.h"

#include <stdlib.h>

enum { FIRST_ROOM = 1024, CHAIN_MAX = 256, NOWHERE = -1 };
enum { ICMP = 1, TCP = 6, UDP = 17, ICMP6 = 58 };

struct key {
    uint8_t family, proto, type, many;
    uint16_t a, b;
    uint8_t local[16], remote[16];
};

struct sent {
    struct key key;
    int32_t next, before; /* in its chain: places in the ring, or NOWHERE */
    uint64_t number;
    int64_t ts;
    uint32_t seq, ack, span;
    uint16_t dns_id;
    bool dns, answered;
    uint8_t to[16];
};

struct answers {
    struct hash_key secret;
    struct sent *ring;
    int32_t *heads;
    uint32_t room;       /* a power of two */
    uint64_t first, end; /* of the ring, counted from the beginning */
    uint64_t waiting;
};

struct answers *answers_make(void) {
    struct answers *a = calloc(1, sizeof *a);
    if (!a) return NULL;
    a->secret = hash_key_random();
    a->room = FIRST_ROOM;
    a->ring = malloc(a->room * sizeof *a->ring);
    a->heads = malloc(a->room * sizeof *a->heads);
    if (!a->ring || !a->heads) return answers_free(a), NULL;
    memset(a->heads, 0xff, a->room * sizeof *a->heads);
    return a;
}

void answers_free(struct answers *a) {
    if (!a) return;
    free(a->ring);
    free(a->heads);
    free(a);
}

static int32_t *head_of(struct answers *a, const struct key *k) {
    return &a->heads[hash_bytes(a->secret, k, sizeof *k) & (a->room - 1)];
}

static void chain_in(struct answers *a, int32_t at) {
    int32_t *head = head_of(a, &a->ring[at].key);
    a->ring[at].next = *head;
    a->ring[at].before = NOWHERE;
    if (*head != NOWHERE) a->ring[*head].before = at;
    *head = at;
}

static void chain_out(struct answers *a, int32_t at) {
    const struct sent *s = &a->ring[at];
    if (s->next != NOWHERE) a->ring[s->next].before = s->before;
    if (s->before != NOWHERE) a->ring[s->before].next = s->next;
    else *head_of(a, &s->key) = s->next;
}

static void grow(struct answers *a) {
    uint32_t room = a->room * 2;
    struct sent *ring = malloc(room * sizeof *ring);
    int32_t *heads = malloc(room * sizeof *heads);
    if (!ring || !heads) {
        free(ring);
        free(heads);
        return;
    }
    uint64_t n = a->end - a->first;
    for (uint64_t i = 0; i < n; i++) ring[i] = a->ring[(a->first + i) & (a->room - 1)];
    free(a->ring);
    free(a->heads);
    memset(heads, 0xff, room * sizeof *heads);
    a->ring = ring;
    a->heads = heads;
    a->room = room;
    a->first = 0;
    a->end = n;
    for (uint64_t i = 0; i < n; i++) chain_in(a, (int32_t)i);
}

/* key_of is what the packet's answer will be looked for by; false: it is none that is answered. */
static bool key_of(struct key *k, const struct talk_packet *t) {
    memset(k, 0, sizeof *k);
    k->family = t->family;
    k->proto = t->proto;
    memcpy(k->remote, t->dst, 16);
    if (t->family == TALK_ARP) return t->type == 1;
    memcpy(k->local, t->src, 16);
    if (t->proto == TCP || t->proto == UDP) {
        k->a = t->sport;
        k->b = t->dport;
        return t->whole && !(t->proto == TCP && (t->flags & TALK_RST));
    }
    if (t->proto != ICMP && t->proto != ICMP6) return t->family != TALK_NONE;
    k->type = t->type;
    k->a = t->sport;
    k->b = t->dport;
    if (t->proto == ICMP) return t->type == 8 || t->type == 13 || t->type == 15 || t->type == 17;
    if (t->type == 135) memset(k->local, 0, 16), memcpy(k->remote, t->target, 16);
    return t->type == 128 || t->type == 135;
}

/* key_answered is the key of the packet that this one answers. */
static bool key_answered(struct key *k, const struct talk_packet *t) {
    memset(k, 0, sizeof *k);
    k->family = t->family;
    k->proto = t->proto;
    memcpy(k->remote, t->src, 16);
    if (t->family == TALK_ARP) return t->type == 2;
    memcpy(k->local, t->dst, 16);
    if (t->proto == TCP || t->proto == UDP) {
        k->a = t->dport;
        k->b = t->sport;
        return t->whole;
    }
    if (t->proto != ICMP && t->proto != ICMP6) return t->family != TALK_NONE;
    k->a = t->sport;
    k->b = t->dport;
    if (t->proto == ICMP) k->type = t->type == 0 ? 8 : (uint8_t)(t->type - 1);
    else k->type = (uint8_t)(t->type - 1);
    if (t->proto == ICMP) return t->type == 0 || t->type == 14 || t->type == 16 || t->type == 18;
    if (t->type == 136) memset(k->local, 0, 16), memcpy(k->remote, t->target, 16);
    return t->type == 129 || t->type == 136;
}

/* tcp_answers: an acknowledgment of what was sent, or a reset that takes its number from the acknowledgment sent
 * (RFC 9293 3.10.7.1). */
static bool tcp_answers(const struct sent *s, const struct talk_packet *t) {
    if (t->flags & TALK_ACK) return t->ack - s->seq <= s->span;
    return (t->flags & TALK_RST) && t->seq == s->ack;
}

static bool answers_it(const struct sent *s, const struct talk_packet *t) {
    if (t->proto == TCP) return tcp_answers(s, t);
    if (t->proto == UDP && s->dns && t->dns) return t->dns_response && t->dns_id == s->dns_id;
    return true;
}

static bool quotes_it(const struct sent *s, const struct talk_packet *q) {
    if (q->proto == TCP) return q->seq == s->seq;
    return !(q->proto == UDP && s->dns && q->dns) || q->dns_id == s->dns_id;
}

/* find gives the newest packet that waits for this answer, else the newest that had one; NULL: there is none. */
static struct sent *find(struct answers *a, const struct key *k, const struct talk_packet *t, bool quoted) {
    struct sent *had = NULL;
    int32_t at = *head_of(a, k);
    for (int i = 0; at != NOWHERE && i < CHAIN_MAX; i++, at = a->ring[at].next) {
        struct sent *s = &a->ring[at];
        if (memcmp(&s->key, k, sizeof *k) || !(quoted ? quotes_it(s, t) : answers_it(s, t))) continue;
        if (!s->answered) return s;
        if (!had) had = s;
    }
    return had;
}

static struct sent *find_any(struct answers *a, struct key *k, const struct talk_packet *t, bool quoted) {
    struct sent *s = find(a, k, t, quoted);
    if (s) return s;
    k->many = 1;
    memset(k->remote, 0, sizeof k->remote);
    return find(a, k, t, quoted);
}

bool answers_take(struct answers *a, int64_t ts, const struct talk_packet *t, struct answer *out) {
    struct key k;
    struct talk_packet q;
    struct sent *s = NULL;
    bool error = t->quoted.n > 0;
    if (error) {
        if (talk_read(&q, 101, t->quoted) && key_of(&k, &q)) s = find_any(a, &k, &q, true);
    } else if (key_answered(&k, t)) {
        s = find_any(a, &k, t, false);
    }
    if (!s) return false;
    *out = (struct answer){s->number, ts > s->ts ? ts - s->ts : 0, error, s->answered};
    if (!s->answered) a->waiting--;
    s->answered = true;
    return true;
}

/* drop_first takes the oldest one out; true: it had no answer. */
static bool drop_first(struct answers *a, struct answers_open *out) {
    int32_t at = (int32_t)(a->first & (a->room - 1));
    const struct sent *s = &a->ring[at];
    chain_out(a, at);
    a->first++;
    if (s->answered) return false;
    a->waiting--;
    *out = (struct answers_open){s->number, s->key.family, s->key.proto, s->key.family == TALK_IP6 ? 16 : 4,
                                 {0},       s->key.b};
    memcpy(out->to, s->to, 16);
    return true;
}

bool answers_sent(struct answers *a, uint64_t number, int64_t ts, const struct talk_packet *t, bool many,
                  struct answers_open *lost) {
    struct sent s = {
        .number = number, .ts = ts, .seq = t->seq, .ack = t->ack, .span = t->span, .dns = t->dns, .dns_id = t->dns_id};
    bool gave_way = false;
    if (!key_of(&s.key, t)) return false;
    memcpy(s.to, t->dst, 16);
    if (many && s.key.family != TALK_ARP && s.key.type != 135) {
        s.key.many = 1;
        memset(s.key.remote, 0, 16);
    }
    if (a->end - a->first == a->room && a->room < ANSWERS_OPEN_MAX) grow(a);
    if (a->end - a->first == a->room) gave_way = drop_first(a, lost);
    int32_t at = (int32_t)(a->end++ & (a->room - 1));
    a->ring[at] = s;
    chain_in(a, at);
    a->waiting++;
    return gave_way;
}

bool answers_expire(struct answers *a, int64_t ts, struct answers_open *out) {
    while (a->first < a->end && a->ring[a->first & (a->room - 1)].ts < ts)
        if (drop_first(a, out)) return true;
    return false;
}

uint64_t answers_waiting(const struct answers *a) { return a->waiting; }
