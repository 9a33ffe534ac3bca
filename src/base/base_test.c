/* SPDX-License-Identifier: Apache-2.0 */
/* The small things everything stands on: reader, writer, UTF-8, arena, pool, slabs. */
#undef NDEBUG
#include "base/arena.h"
#include "base/check.h"
#include "base/err.h"
#include "base/isotime.h"
#include "base/json.h"
#include "base/moment.h"
#include "base/near.h"
#include "base/pool.h"
#include "base/reader.h"
#include "base/slabs.h"
#include "base/utf8.h"
#include "base/writer.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

static void reader_test(void) {
    const uint8_t bytes[] = {1, 2, 3, 4, 5, 6, 7};
    struct reader r = rd_init(slice_of(bytes, sizeof bytes), bytes);
    assert(rd_u8(&r) == 1 && rd_be16(&r) == 0x0203 && rd_off(&r) == 3);
    struct reader sub = rd_sub(&r, 2);
    assert(rd_be16(&sub) == 0x0405 && rd_ok(&sub) && rd_u8(&sub) == 0 && !rd_ok(&sub));
    SAYS("a child reader does not run past its parent");
    assert(rd_ok(&r) && rd_left(&r) == 2);
    assert(rd_be32(&r) == 0 && !rd_ok(&r) && rd_left(&r) == 0 && rd_u8(&r) == 0);
    SAYS("the first read past the end is an error that stays");
    r = rd_init(slice_of(bytes, sizeof bytes), bytes);
    assert(rd_take(&r, SIZE_MAX).n == 0 && !rd_ok(&r));
    SAYS("a length that overflows takes nothing");
    struct reader failed = rd_sub(&r, 0);
    assert(!rd_ok(&failed));
    SAYS("the child of a failed reader has failed too");
}

static int flush_to(void *to, struct slice bytes) {
    struct writer *all = to;
    wr_slice(all, bytes);
    return OK;
}

static void writer_test(void) {
    char small[8];
    struct writer fixed = wr_fixed(small, sizeof small), all = wr_grow();
    wr_s(&fixed, "123456789");
    assert(fixed.err == ERR_LIMIT && wr_len(&fixed) == 8);
    SAYS("what does not fit a fixed buffer is dropped and said");
    struct writer sink = wr_sink(small, sizeof small, flush_to, &all);
    for (int i = 0; i < 100; i++) wr_s(&sink, "0123456789");
    assert(wr_flush(&sink) == OK && wr_len(&all) == 1000 && memcmp(wr_done(&all).p + 990, "0123456789", 10) == 0);
    SAYS("a sink gets every byte, in order, through a small buffer");
    wr_reset(&all);
    wr_u(&all, UINT64_MAX);
    wr_c(&all, ' ');
    wr_i(&all, INT64_MIN);
    wr_c(&all, ' ');
    wr_hex(&all, 0xab, 4);
    wr_c(&all, ' ');
    wr_uz(&all, 7, 3);
    assert(slice_eq(wr_done(&all), SLICE("18446744073709551615 -9223372036854775808 00ab 007")));
    SAYS("numbers are written at their limits");
    for (uint64_t power = 1; power <= UINT64_MAX / 10; power *= 10)
        for (int more = -1; more <= 1; more++) {
            char want[64], tight[24];
            uint64_t v = power * (power % 7 + 1) + (uint64_t)more;
            struct writer close = wr_fixed(tight, sizeof tight);
            int n = snprintf(want, sizeof want, "%" PRIu64 "%09" PRIu64, v, v);
            wr_reset(&all);
            wr_u(&all, v);
            wr_uz(&all, v, 9);
            assert(slice_eq(wr_done(&all), slice_of(want, (size_t)n)));
            wr_u(&close, v);
            assert(!close.err && slice_starts(slice_of(want, (size_t)n), wr_done(&close)));
        }
    SAYS("numbers of any length are written as printf does, with room behind them and without");
    wr_free(&all);
}

static void bytes_written_test(void) {
    uint8_t bytes[100];
    struct writer all = wr_grow(), want = wr_grow();
    for (size_t n = 0; n <= sizeof bytes; n++) {
        for (size_t i = 0; i < n; i++) bytes[i] = (uint8_t)(n * 31 + i * 7);
        wr_reset(&all);
        wr_reset(&want);
        for (size_t i = 0; i < n; i++) wr_f(&want, "%02x", bytes[i]);
        wr_c(&want, '|');
        for (size_t i = 0; i < n; i++) wr_f(&want, i ? ":%02x" : "%02x", bytes[i]);
        for (size_t i = 0; i < n; i++) wr_c(&want, ' ');
        wr_hexbytes(&all, slice_of(bytes, n), 0);
        wr_c(&all, '|');
        wr_hexbytes(&all, slice_of(bytes, n), ':');
        wr_spaces(&all, n);
        assert(slice_eq(wr_done(&all), wr_done(&want)));
    }
    SAYS("bytes in hexadecimal and spaces, of any number");
    char tight[7];
    struct writer close = wr_fixed(tight, sizeof tight);
    wr_spaces(&close, 5);
    assert(!close.err && wr_len(&close) == 5);
    wr_spaces(&close, 3);
    assert(close.err == ERR_LIMIT && wr_len(&close) == sizeof tight);
    SAYS("spaces do not run past the end of the buffer");
    wr_free(&all);
    wr_free(&want);
}

/* Most text is looked at eight bytes at a time, a byte alone is not: both must escape the same. */
static void json_test(void) {
    struct writer all = wr_grow(), alone = wr_grow();
    for (int byte = 0; byte < 256; byte++)
        for (size_t at = 0; at < 20; at++) {
            uint8_t text[20];
            memset(text, 'a', sizeof text);
            text[at] = (uint8_t)byte;
            wr_reset(&all);
            wr_reset(&alone);
            json_text(&all, slice_of(text, sizeof text));
            json_text(&alone, slice_of(text + at, 1));
            struct slice whole = wr_done(&all), one = wr_done(&alone);
            assert(whole.n == sizeof text - 1 + one.n);
            assert(memcmp(whole.p + 1 + at, one.p + 1, one.n - 2) == 0 && memcmp(whole.p + 1, text, at) == 0);
        }
    SAYS("JSON escapes a byte wherever it stands");
    wr_free(&all);
    wr_free(&alone);
}

static void utf8_test(void) {
    uint32_t code;
    assert(utf8_next(SLICE("\xe6\xb0\xb4"), &code) == 3 && code == 0x6c34);
    assert(utf8_next(SLICE("\xf0\x9f\x8c\x8a"), &code) == 4 && code == 0x1f30a);
    SAYS("characters of three and four bytes are read");
    assert(!utf8_valid(SLICE("\xed\xa0\x80")));     /* a surrogate */
    assert(!utf8_valid(SLICE("\xc0\x80")));         /* overlong NUL */
    assert(!utf8_valid(SLICE("\xf4\x90\x80\x80"))); /* above U+10FFFF */
    assert(!utf8_valid(SLICE("12345678\xff")));
    assert(!utf8_valid(SLICE("ab\xe6\xb0")));
    SAYS("surrogates, overlong, too large, stray and cut sequences are refused");
    assert(utf8_hidden(0x1b) && utf8_hidden(0x9b) && utf8_hidden(0x202e) && utf8_hidden(0x200b) &&
           utf8_hidden(0xfeff) && utf8_hidden(0xe0041));
    assert(!utf8_hidden('a') && !utf8_hidden(0xa0) && !utf8_hidden(0x2065) && !utf8_hidden(0x6c34) &&
           !utf8_hidden(0x1f30a));
    assert(utf8_readable(SLICE("two\r\nlines\t\xe6\xb0\xb4")) && !utf8_readable(SLICE("\033[2J")) &&
           !utf8_readable(SLICE("\xff")));
    assert(utf8_valid(SLICE("")) && utf8_valid(SLICE("a longer text of ASCII only")));
}

static void memory_test(void) {
    struct arena a = arena_make(64 * 1024);
    assert(arena_get(&a, 100 * 1024) == NULL);
    size_t got = 0;
    while (arena_get(&a, 1000)) got += 1000;
    assert(got > 60 * 1000 && a.held <= 64 * 1024);
    SAYS("an arena gives up to its cap and no more");
    arena_reset(&a);
    assert(arena_get(&a, 1000) != NULL);
    arena_free(&a);
    struct arena_budget both = {.cap = 100 * 1024};
    struct arena one = arena_make_of(1 << 20, &both), two = arena_make_of(1 << 20, &both);
    assert(arena_get(&one, 60 * 1024) && !arena_get(&two, 60 * 1024) && arena_get(&two, 1000));
    arena_free(&one);
    assert(arena_get(&two, 60 * 1024));
    arena_free(&two);
    assert(both.held == 0);
    SAYS("arenas of one budget share it, and give back what they had");
    struct pool p = pool_make(24, 100);
    uint32_t first = pool_get(&p), n = 1;
    while (pool_get(&p)) n++;
    assert(first == 1 && n == 99);
    pool_put(&p, first);
    assert(pool_get(&p) == first && pool_get(&p) == 0);
    SAYS("a pool hands a freed node out again and stops at its cap");
    pool_free(&p);
}

static bool clear(const uint8_t *p, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (p[i]) return false;
    return true;
}

static void slabs_test(void) {
    enum { MANY = 6000, SIZE = 700 /* more than a chunk of two megabytes holds */ };
    struct slabs s = {0};
    static uint8_t *piece[MANY];
    for (int i = 0; i < MANY; i++) {
        piece[i] = slabs_get(&s, SIZE);
        assert(piece[i] && (uintptr_t)piece[i] % SLABS_LINE == 0 && clear(piece[i], SIZE));
        memset(piece[i], i % 255 + 1, SIZE);
    }
    for (int i = 0; i < MANY; i++) assert(piece[i][0] == i % 255 + 1 && piece[i][SIZE - 1] == i % 255 + 1);
    SAYS("pieces of slabs begin with a cache line, are clear, and do not overlap");
    slabs_put(&s, piece[7], SIZE);
    slabs_put(&s, piece[9], SIZE);
    uint8_t *small = slabs_get(&s, 10), *again = slabs_get(&s, SIZE - 1);
    assert(small != piece[7] && small != piece[9] && again == piece[9] && clear(again, SIZE - 1));
    assert(slabs_get(&s, SIZE) == piece[7]);
    SAYS("what was given back is used again, cleared, for pieces of its size");
    uint8_t *great = slabs_get(&s, SLABS_MOST + 1);
    assert(great && clear(great, SLABS_MOST + 1));
    slabs_put(&s, great, SLABS_MOST + 1);
    slabs_put(&s, NULL, SIZE);
    slabs_free(&s);
    assert(!s.chunks && slabs_get(&s, 1));
    slabs_free(&s);
    SAYS("slabs begin anew after slabs_free");
}

static void near_test(void) {
    assert(near_edits(SLICE(""), SLICE("abc")) == 3 && near_edits(SLICE("ab"), SLICE("ba")) == 1);
    assert(near_edits(SLICE("mqtt.topik"), SLICE("mqtt.topic")) == 1 &&
           near_edits(SLICE("kitten"), SLICE("sitting")) == 3);
    SAYS("edits between words are counted, a swap of neighbours as one");
    uint8_t longer[NEAR_WORD_MAX + 1] = {0};
    assert(near_edits(slice_of(longer, sizeof longer), SLICE("a")) == NEAR_FAR);
    SAYS("words of more than a line are far from everything");
}

static bool iso_is(__int128 ns, int digits, const char *text) {
    char buf[64];
    struct writer w = wr_fixed(buf, sizeof buf);
    iso_time(&w, ns, digits);
    return slice_eq(wr_done(&w), slice_str(text));
}

static void isotime_test(void) {
    assert(iso_is(1700000000123456789, 0, "2023-11-14T22:13:20") &&
           iso_is(1700000000123456789, 6, "2023-11-14T22:13:20.123456"));
    assert(iso_is(0, 3, "1970-01-01T00:00:00.000") && iso_is(-1, 9, "1969-12-31T23:59:59.999999999"));
    assert(iso_is(INT64_MAX, 0, "2262-04-11T23:47:16") && iso_is(INT64_MIN, 0, "1677-09-21T00:12:43"));
    assert(iso_is(MOMENT_MAX, 0, "2396303-05-22T15:25:14"));
    SAYS("moments are written in UTC, before 1970 too, cut and not rounded");
    char tight[22];
    struct writer close = wr_fixed(tight, sizeof tight);
    iso_time(&close, 1700000000123456789, 6);
    assert(close.err == ERR_LIMIT && slice_eq(wr_done(&close), SLICE("2023-11-14T22:13:20.12")));
    SAYS("a moment is written as far as there is room");
}

static void moment_test(void) {
    const __int128 edge = (__int128)1 << 62;
    const __int128 moments[] = {0,         -1,         edge - 1,   edge,        -edge,          -edge - 1,
                                INT64_MAX, UINT64_MAX, MOMENT_MAX, -MOMENT_MAX, 2 * MOMENT_MAX, -2 * MOMENT_MAX};
    for (size_t i = 0; i < sizeof moments / sizeof *moments; i++) {
        int64_t ns = moment_ns(moments[i]);
        assert(ns >= -edge && ns < edge && moment_of(ns, moment_era(moments[i])) == moments[i]);
        struct moment_clock at = moment_clock(moments[i]);
        assert(at.ns < 1000000000 && (__int128)at.seconds * 1000000000 + at.ns == moments[i]);
    }
    assert(moment_era(edge - 1) == 0 && moment_era(-edge) == 0 && moment_era(edge) == 1);
    SAYS("moments and spans keep their era and their place in it");
}

int main(void) {
    reader_test();
    isotime_test();
    moment_test();
    writer_test();
    bytes_written_test();
    json_test();
    utf8_test();
    near_test();
    memory_test();
    slabs_test();
    return 0;
}
