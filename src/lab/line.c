/* SPDX-License-Identifier: Apache-2.0 */
#include "lab/line.h"
#include "base/isotime.h"
#include "base/words.h"
#include "view/words.h"

#include <time.h>

enum { SECOND_NS = 1000000000, PEER_WIDTH = 21, NUMBERS_MAX = 9 };

/* line_clock writes the local time of day of ts (nanoseconds since 1970) with milliseconds. */
static void line_clock(struct writer *w, int64_t ts) {
    time_t t = ts / SECOND_NS;
    struct tm tm = {0};
    localtime_r(&t, &tm);
    wr_f(w, "%02d:%02d:%02d.%03d", tm.tm_hour, tm.tm_min, tm.tm_sec, (int)(ts % SECOND_NS / 1000000));
}

void line_time(struct writer *w, int64_t ts) {
    iso_time(w, ts, 6);
    wr_c(w, 'Z');
}

void line_day(struct writer *w, int64_t ts) {
    time_t t = ts / SECOND_NS;
    struct tm tm = {0};
    localtime_r(&t, &tm);
    wr_f(w, "%04d-%02d-%02d ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday);
    line_clock(w, ts);
}

/* line_peer writes ADDRESS:PORT. */
static void line_peer(struct writer *w, const struct sock_peer *who) {
    struct sock_addr a = sock_addr_of(who);
    sock_print(&a, w);
}

void line_begin(struct writer *w, int64_t ts, const char *protocol, const struct sock_peer *who) {
    char text[80];
    struct writer peer = wr_fixed(text, sizeof text);
    line_clock(w, ts);
    wr_f(w, "  %s ", protocol);
    line_peer(&peer, who);
    wr_slice(w, wr_done(&peer));
    if (wr_len(&peer) < PEER_WIDTH) wr_spaces(w, PEER_WIDTH - wr_len(&peer));
    wr_s(w, "  ");
}

void line_say(struct writer *w, const char *english, const uint64_t *number, size_t n) {
    char text[NUMBERS_MAX][24];
    struct argument arg[NUMBERS_MAX];
    for (size_t i = 0; i < n && i < NUMBERS_MAX; i++) {
        struct writer t = wr_fixed(text[i], sizeof text[i]);
        wr_u(&t, number[i]);
        arg[i] = (struct argument){.text = wr_done(&t)};
    }
    words_fill(w, english, arg, n < NUMBERS_MAX ? n : NUMBERS_MAX);
}

void line_bytes(struct writer *w, uint64_t n) { line_say(w, plural(n, N_("%1$s byte"), N_("%1$s bytes")), &n, 1); }
