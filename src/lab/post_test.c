/* SPDX-License-Identifier: Apache-2.0 */
#include "base/check.h"
#include "lab/post.h"
#include <stdio.h>
#include <stdlib.h>

enum { MOST = 100 };

static uint8_t room[64 << 10];
static bool full;

static bool keep(void *to, struct slice bytes) {
    struct pile *p = to;
    if (full) return false;
    CHECK(p->n + bytes.n <= sizeof room);
    memcpy(p->p + p->n, bytes.p, bytes.n);
    p->n += bytes.n;
    return true;
}

/* read_in feeds text in pieces until it is whole or refused; how many bytes it took. */
static size_t read_in(struct post *p, struct pile *pile, struct slice in, size_t piece, bool *go_on) {
    size_t took = 0;
    *pile = (struct pile){room, 0, sizeof room};
    *go_on = false;
    post_begin(p, MOST);
    while (in.n && p->phase != POST_WHOLE && p->phase != POST_REFUSED) {
        size_t n = post_feed(p, pile, slice_head(in, piece), keep, pile, go_on);
        in = slice_tail(in, n);
        took += n;
    }
    return took;
}

static void a_request_in_any_pieces_is_the_same_request(void) {
    static const struct {
        const char *text, *body;
        bool keep_alive;
    } good[] = {
        {"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello", "hello", true},
        {"\r\n\r\nPUT /a HTTP/1.0\nContent-length:\t2 \n\nab", "ab", false},
        {"POST / HTTP/1.1\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx", "x", false},
        {"POST / HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx", "x", true},
        {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0A\r\n0123456789\r\n0\r\nT: x\r\n\r\n",
         "abc0123456789", true},
        {"POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc", "abc", true},
    };
    struct post p;
    struct pile pile;
    bool go_on;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        for (size_t piece = 1; piece <= strlen(good[i].text); piece++) {
            CHECK(read_in(&p, &pile, slice_str(good[i].text), piece, &go_on) == strlen(good[i].text));
            CHECK(p.phase == POST_WHOLE && p.keep_alive == good[i].keep_alive && !go_on);
            CHECK(slice_eq(slice_of(pile.p, pile.n), slice_str(good[i].body)));
        }
}

static void what_follows_a_request_is_left_for_the_next(void) {
    struct post p;
    struct pile pile;
    bool go_on;
    struct slice two =
        SLICE("POST / HTTP/1.1\r\nContent-Length: 1\r\n\r\naPOST / HTTP/1.1\r\nContent-Length: 1\r\n\r\nb");
    CHECK(read_in(&p, &pile, two, two.n, &go_on) == two.n / 2);
}

static void refusals_have_their_status(void) {
    static const struct {
        unsigned status;
        const char *text;
    } bad[] = {
        {400, "POST /\r\n"},
        {400, "POST / SMTP/1.1\r\n"},
        {505, "POST / HTTP/2.0\r\n"},
        {405, "DELETE / HTTP/1.1\r\n"},
        {411, "POST / HTTP/1.1\r\n\r\n"},
        {413, "POST / HTTP/1.1\r\nContent-Length: 101\r\n\r\n"},
        {413, "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n64\r\n"
              "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789\r\n"
              "1\r\n"},
        {400, "POST / HTTP/1.1\r\nContent-Length: 1x\r\n\r\n"},
        {400, "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"},
        {400, "POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"},
        {400, "POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n"},
        {400, "POST / HTTP/1.1\r\n folded: yes\r\n"},
        {400, "POST / HTTP/1.1\r\nno colon\r\n"},
        {400, "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\ng\r\n"},
        {400, "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n"},
        {501, "POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n"},
    };
    struct post p;
    struct pile pile;
    bool go_on;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        for (size_t piece = 1; piece < 200; piece += 7) {
            read_in(&p, &pile, slice_str(bad[i].text), piece, &go_on);
            CHECK(p.phase == POST_REFUSED && p.status == bad[i].status);
            CHECK(*post_why(p.status) && *post_phrase(p.status));
        }
}

static void heads_have_a_limit(void) {
    static char text[3 * POST_HEAD_MAX];
    struct post p;
    struct pile pile;
    bool go_on;
    memset(text, 'a', sizeof text);
    memcpy(text, "POST / HTTP/1.1\r\nX: ", 20);
    CHECK(read_in(&p, &pile, slice_of(text, sizeof text), 1000, &go_on) < POST_HEAD_MAX + 2000);
    CHECK(p.phase == POST_REFUSED && p.status == 431);
    memset(text, '\n', sizeof text);
    read_in(&p, &pile, slice_of(text, sizeof text), 1, &go_on);
    CHECK(p.phase == POST_REFUSED && p.status == 431);
}

static void a_client_that_waits_is_told_to_go_on(void) {
    struct post p;
    struct pile pile;
    bool go_on;
    struct slice head = SLICE("POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n");
    read_in(&p, &pile, head, head.n, &go_on);
    CHECK(go_on && p.phase == POST_BODY);
}

static void without_room_a_request_is_refused(void) {
    struct post p;
    struct pile pile;
    bool go_on;
    full = true;
    read_in(&p, &pile, SLICE("POST / HTTP/1.1\r\n"), 100, &go_on);
    CHECK(p.phase == POST_REFUSED && p.status == 503);
    full = false;
}

int main(void) {
    a_request_in_any_pieces_is_the_same_request();
    what_follows_a_request_is_left_for_the_next();
    refusals_have_their_status();
    heads_have_a_limit();
    a_client_that_waits_is_told_to_go_on();
    without_room_a_request_is_refused();
    return 0;
}
