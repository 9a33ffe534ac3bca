/* SPDX-License-Identifier: Apache-2.0 */
/* A connection by hand against a peer that loses, repeats and lies. */
#undef NDEBUG
#include "base/check.h"
#include "craft/hand.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define SECOND INT64_C(1000000000)

enum { QUEUE = 64 };

/* world is the wire and a small server behind it. */
struct world {
    struct hand hand;
    struct talk_packet queue[QUEUE]; /* on the way to us */
    size_t n;
    int words[HAND_WORDS];
    uint8_t got[8192]; /* what the server received */
    size_t n_got, n_data;
    uint32_t rcv, snd;
    unsigned loss;        /* one in so many is lost; 0: none */
    unsigned every, seen; /* of the segments with data, those are lost; 0: none */
    bool silent, fin;
};

static bool lost(struct world *w) { return w->loss && (unsigned)rand() % w->loss == 0; }

static void answer(struct world *w, uint8_t flags, const char *text) {
    struct talk_packet t = {.seq = w->snd,
                            .ack = w->rcv,
                            .flags = flags,
                            .window = 4000,
                            .mss = flags & TALK_SYN ? 1000 : 0,
                            .payload = slice_str(text),
                            .whole = true,
                            .proto = 6};
    t.span = (uint32_t)t.payload.n + !!(flags & TALK_SYN) + !!(flags & TALK_FIN);
    if (w->n < QUEUE && !lost(w)) w->queue[w->n++] = t;
}

static void server(void *to, const struct hand_segment *s, enum hand_word why, uint64_t number) {
    struct world *w = to;
    (void)number;
    w->words[why]++;
    if (w->silent || lost(w) || (s->data.n && w->every && w->seen++ % w->every == 0)) return;
    if (s->flags & TALK_SYN) {
        w->snd = 5000;
        w->rcv = s->seq + 1;
        return answer(w, TALK_SYN | TALK_ACK, "");
    }
    if (w->snd == 5000) w->snd = 5001;
    uint32_t had = w->rcv - s->seq;
    if (had <= s->data.n && s->data.n) {
        struct slice fresh = slice_tail(s->data, had);
        memcpy(w->got + w->n_got, fresh.p, fresh.n);
        w->n_got += fresh.n;
        w->rcv += (uint32_t)fresh.n;
    }
    if (s->flags & TALK_FIN && s->seq + s->data.n == w->rcv) {
        w->rcv++;
        w->fin = true;
    }
    if (s->data.n || s->flags & TALK_FIN) answer(w, w->fin ? TALK_FIN | TALK_ACK : TALK_ACK, w->fin ? "bye" : "");
}

static void came(void *to, enum hand_word what, uint64_t number) {
    (void)number;
    ((struct world *)to)->words[what]++;
}
static void data(void *to, struct slice s) { ((struct world *)to)->n_data += s.n; }

static const struct hand_ops ops = {server, came, data};

/* run lets time go by until the connection is over. */
static int64_t run(struct world *w, struct slice bytes) {
    int64_t now = SECOND;
    hand_start(&w->hand, &ops, w, now, 0xfffff000u, 1000, bytes, SECOND); /* numbers that wrap around */
    for (int i = 0; i < 100000 && !hand_is_over(&w->hand); i++) {
        if (w->n) {
            struct talk_packet t = w->queue[0];
            memmove(w->queue, w->queue + 1, --w->n * sizeof t);
            hand_came(&w->hand, now += 1000000, &t);
        } else {
            int64_t due = hand_due(&w->hand);
            now = due > now ? due : now + 1000000;
            hand_tick(&w->hand, now);
        }
    }
    assert(hand_is_over(&w->hand));
    return now;
}

static uint8_t text[6000];

static void in_order(void) {
    struct world w = {0};
    run(&w, slice_of(text, 3000));
    assert(w.hand.state == HAND_OVER && w.n_got == 3000 && !memcmp(w.got, text, 3000) && w.n_data == 3 && w.fin);
    assert(w.words[HAND_ASK] == 1 && w.words[HAND_AGREED] == 1 && w.words[HAND_OPEN] == 1 && w.words[HAND_SEND] == 3 &&
           w.words[HAND_FINISH] == 1 && w.words[HAND_OTHER_FIN] == 1 && w.words[HAND_FINISHED] == 1 &&
           !w.words[HAND_AGAIN]);
    SAYS("opened, 3000 bytes in three segments, closed");
}

static void with_loss(void) {
    for (unsigned seed = 1; seed <= 200; seed++) {
        struct world w = {.loss = 4};
        srand(seed);
        run(&w, slice_of(text, sizeof text));
        if (w.hand.state == HAND_SILENT) continue; /* seven losses in a row */
        assert(w.n_got == sizeof text && !memcmp(w.got, text, sizeof text));
    }
    SAYS("with a quarter of all packets lost, what arrives is whole and in order");
}

/* Segments are lost as regularly as they are sent: whoever sends the whole window again loses the same one again. */
static void with_loss_in_step(void) {
    static uint8_t much[60000];
    for (unsigned every = 2; every <= HAND_IN_FLIGHT; every++) {
        struct world w = {.every = every};
        int64_t took = run(&w, slice_of(much, sizeof w.got - 1));
        assert(w.n_got == sizeof w.got - 1 && w.hand.state == HAND_OVER && took < 200 * SECOND);
    }
    SAYS("losses in step with the window: what is missing is sent again, not all");
}

static void refused_and_silent(void) {
    struct world w = {.silent = true};
    int64_t took = run(&w, slice_of(text, 1));
    assert(w.hand.state == HAND_SILENT && w.words[HAND_AGAIN] == HAND_TRIES && took < 60 * SECOND);
    struct world r = {.silent = true};
    hand_start(&r.hand, &ops, &r, SECOND, 100, 1000, slice_of(text, 1), SECOND);
    struct talk_packet t = {.flags = TALK_RST | TALK_ACK, .ack = 999};
    hand_came(&r.hand, SECOND, &t);
    assert(r.hand.state == HAND_ASKING && r.words[HAND_STRANGE] == 1);
    t.ack = 101;
    hand_came(&r.hand, SECOND, &t);
    assert(r.hand.state == HAND_REFUSED_STATE && r.words[HAND_REFUSED] == 1);
    SAYS("a peer that says nothing, and one that refuses; a reset with another number is not believed");
}

static void lies(void) {
    for (unsigned seed = 1; seed <= 300; seed++) {
        struct world w = {0};
        int64_t now = SECOND;
        srand(seed);
        hand_start(&w.hand, &ops, &w, now, 0xfffffff0u, 1000, slice_of(text, sizeof text), SECOND);
        for (int i = 0; i < 500; i++) {
            bool near = rand() & 1;
            struct talk_packet t = {.seq = near ? w.hand.rcv + (uint32_t)(rand() % 9) - 4 : (uint32_t)rand() * 7u,
                                    .ack = near ? w.hand.una + (uint32_t)(rand() % 4000) - 40 : (uint32_t)rand() * 5u,
                                    .flags = (uint8_t)(rand() & (rand() & 1 ? 0x1b : 0x1f)),
                                    .window = (uint16_t)rand(),
                                    .mss = (uint16_t)rand(),
                                    .payload = slice_of(text, (size_t)rand() % 2000)};
            t.span = (uint32_t)t.payload.n + !!(t.flags & TALK_SYN) + !!(t.flags & TALK_FIN);
            if (w.n) t = w.queue[--w.n];
            hand_came(&w.hand, now += 1000, &t);
            if (rand() % 50 == 0) hand_tick(&w.hand, now += SECOND);
            assert(w.hand.nxt - w.hand.iss <= sizeof text + 2 && w.hand.una - w.hand.iss <= sizeof text + 2);
        }
    }
    SAYS("segments that lie about everything lead nowhere");
}

int main(void) {
    for (size_t i = 0; i < sizeof text; i++) text[i] = (uint8_t)(i * 7);
    in_order();
    with_loss();
    with_loss_in_step();
    refused_and_silent();
    lies();
    return 0;
}
