/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/stream.h"

#include "base/check.h"

#include <stdlib.h>

/* taken tells whether the next held segment has these new bytes; it is then read, as the driver would. */
static bool taken(struct stream *s, struct stream_limits *l, const char *bytes) {
    struct slice fresh;
    struct held *h = stream_take(s, l, &fresh);
    bool same = h && slice_eq(fresh, slice_str(bytes));
    if (h) s->next += (uint32_t)fresh.n;
    free(h);
    return same;
}

static void held_test(uint32_t first) {
    struct stream s = {.next = first};
    struct stream_limits l = {0};
    struct slice none;
    CHECK(stream_hold(&s, &l, first + 6, SLICE("ghi"), 1) && stream_hold(&s, &l, first + 3, SLICE("defg"), 2));
    CHECK(!stream_take(&s, &l, &none));
    SAYS("a segment behind a hole waits");
    s.next = first + 3;
    CHECK(taken(&s, &l, "defg") && taken(&s, &l, "hi") && !s.held && l.held == 0);
    SAYS("segments come out in order, and each byte once");
    CHECK(stream_hold(&s, &l, first + 20, SLICE("xy"), 3) && stream_hold(&s, &l, first + 20, SLICE("x"), 4));
    CHECK(s.held_count == 1);
    SAYS("a copy of a held segment is not held again");
    s.next = first + 30;
    CHECK(!stream_take(&s, &l, &none) && !s.held && l.held == 0);
    SAYS("a held segment that was overtaken is dropped");
    stream_reset(&s, &l);
}

static void message_test(void) {
    struct stream s = {0};
    struct stream_limits l = {0};
    CHECK(stream_keep(&s, &l, SLICE("abc"), 7) && stream_keep(&s, &l, SLICE("de"), 9));
    CHECK(s.n == 5 && memcmp(s.buf, "abcde", 5) == 0 && s.piece_count == 2 && s.pieces[1].at == 3);
    SAYS("an unfinished message is kept with the frames its pieces came in");
    stream_repeat(&s, 1, SLICE("bX"), 10);
    CHECK(s.piece_count == 3 && s.pieces[2].conflict && s.pieces[2].old == 2 && memcmp(s.buf, "abcde", 5) == 0);
    SAYS("what is sent again changes nothing, and a difference is noted");
    stream_drop_message(&s, &l);
    CHECK(!s.buf && !s.n && l.held == 0);
    SAYS("a message that is dropped leaves nothing held");
    stream_reset(&s, &l);
}

static void detached_test(void) {
    struct stream s = {0};
    struct stream_limits l = {0};
    CHECK(stream_keep(&s, &l, SLICE("abc"), 7) && stream_keep(&s, &l, SLICE("def"), 9) &&
          stream_keep(&s, &l, SLICE("gh"), 8));
    struct stream whole = stream_detach(&s);
    CHECK(!s.n && !s.buf && whole.n == 8 && stream_keep(&s, &l, SLICE("fgh"), 8));
    stream_pieces_from(&s, &whole);
    CHECK(s.piece_count == 2 && s.pieces[0].frame == 9 && s.pieces[0].len == 1 && s.pieces[1].at == 1);
    SAYS("what is left of several messages has the pieces it came in");
    stream_drop_message(&whole, &l);
    free(whole.pieces);
    stream_reset(&s, &l);
    CHECK(l.held == 0);
}

static void limits_test(void) {
    struct stream s = {0}, other = {0};
    struct stream_limits l = {0};
    struct slice none;
    for (uint32_t i = 0; i < HELD_MAX; i++) CHECK(stream_hold(&s, &l, 10 + i, SLICE("x"), i));
    CHECK(!stream_hold(&s, &l, 9, SLICE("x"), 1));
    SAYS("no more than HELD_MAX segments wait for a direction");
    CHECK(!stream_keep(&s, &l, slice_of(NULL, MESSAGE_MAX + 1), 1) && !s.n);
    SAYS("a message of more than MESSAGE_MAX bytes is not kept");
    size_t held = l.held;
    l.held = STREAMS_MAX;
    CHECK(!stream_keep(&other, &l, SLICE("abc"), 1) && !stream_hold(&other, &l, 1, SLICE("x"), 1));
    l.held = held;
    SAYS("all directions together hold no more than STREAMS_MAX bytes");
    stream_reset(&other, &l);
    stream_reset(&s, &l);
    CHECK(l.held == 0 && !stream_take(&s, &l, &none));
    SAYS("a stream that begins anew holds nothing");
}

enum { LONG = 100 << 10 };

/* gathered fills a stream with a message of n bytes in two pieces and returns where it lies. */
static const uint8_t *gathered(struct stream *s, struct stream_limits *l, size_t n) {
    static const uint8_t bytes[LONG];
    s->needed = n;
    CHECK(stream_keep(s, l, slice_of(bytes, n / 2), 1) && stream_keep(s, l, slice_of(bytes, n - n / 2), 2));
    CHECK(s->n == n && s->piece_count == 2);
    return s->buf;
}

static void room_test(void) {
    struct stream one = {0}, two = {0};
    struct stream_limits l = {0};
    const uint8_t *first = gathered(&one, &l, 4000);
    CHECK(!stream_release(&one, &l) && !one.buf && !one.n && !l.held);
    const uint8_t *second = gathered(&one, &l, 4000);
    CHECK(second != first && first[3999] == 0);
    SAYS("while a packet shows a message its memory is nobody else's");

    uint8_t *own = stream_release(&one, &l);
    CHECK(own == second);
    free(own);
    SAYS("of several messages of a packet one leaves its memory for the next");

    stream_packet_done(&l);
    CHECK(gathered(&two, &l, 4000) == first && l.held == two.cap);
    SAYS("with the packet it becomes that of the next message, whoever's it is, and counts as held");

    CHECK(!stream_release(&two, &l));
    stream_packet_done(&l);
    CHECK(gathered(&one, &l, 100) != first && one.cap <= 100);
    SAYS("a short message takes no memory of a long one");

    CHECK(gathered(&two, &l, LONG) != first);
    own = stream_release(&two, &l);
    CHECK(own && l.held == one.cap);
    free(own);
    SAYS("a long message's memory goes back to the system");

    stream_reset(&one, &l);
    stream_reset(&two, &l);
    stream_limits_free(&l);
    CHECK(!l.held);
}

int main(void) {
    held_test(1000);
    held_test(UINT32_MAX - 4); /* sequence numbers begin again at zero meanwhile (RFC 9293 3.4) */
    message_test();
    detached_test();
    limits_test();
    room_test();
    return 0;
}
