/* SPDX-License-Identifier: Apache-2.0 */
/* Catalogues of translations, good ones and damaged ones. */
#undef NDEBUG
#include "base/check.h"
#include "view/words.h"

#include <assert.h>
#include <stdio.h>

static uint8_t mo[256];
static size_t mo_n;

static void put(size_t at, uint32_t v) { memcpy(mo + at, &v, 4); }

/* texts writes a table of n texts at `table`, their bytes behind what is there. */
static void texts(size_t table, const char *const *text, size_t n) {
    for (size_t i = 0; i < n; i++) {
        size_t size = strlen(text[i]);
        put(table + 8 * i, (uint32_t)size);
        put(table + 8 * i + 4, (uint32_t)mo_n);
        memcpy(mo + mo_n, text[i], size + 1);
        mo_n += size + 1;
    }
}

static void make(void) {
    static const char *const from[] = {"", "frame", "no answer"}, *const to[] = {"head", "フレーム", "応答なし"};
    memset(mo, 0, sizeof mo);
    put(0, 0x950412de), put(8, 3), put(12, 28), put(16, 52);
    mo_n = 76;
    texts(28, from, 3);
    texts(52, to, 3);
}

static bool is(const char *english, const char *want) { return strcmp(words(english), want) == 0; }

int main(void) {
    struct words_catalogue c, none = {.n = 0};
    make();
    assert(words_catalogue_read(&c, slice_of(mo, mo_n)));
    words_use(&c);
    assert(is("frame", "フレーム") && is("no answer", "応答なし") && is("nothing", "nothing") && is("", ""));
    words_use(&none);
    assert(is("frame", "frame"));
    words_use(NULL);
    assert(is("frame", "frame"));
    SAYS("a thread has the words of its catalogue, and English where it has none");

    for (size_t n = 0; n < mo_n; n++) {
        make();
        if (!words_catalogue_read(&c, slice_of(mo, n))) continue;
        words_use(&c);
        assert(strlen(words("frame")) && strlen(words("no answer")));
    }
    for (size_t at = 0; at < mo_n; at++)
        for (unsigned bit = 0; bit < 8; bit++) {
            make();
            mo[at] ^= (uint8_t)(1u << bit);
            if (!words_catalogue_read(&c, slice_of(mo, mo_n))) continue;
            words_use(&c);
            assert(strlen(words("frame")) < sizeof mo && strlen(words("no answer")) < sizeof mo);
        }
    struct writer t = wr_grow();
    text_cut(&t, SLICE("台所の温度"), 7, true);
    wr_c(&t, '|');
    text_cut(&t, SLICE("abc"), 5, true);
    wr_c(&t, '|');
    text_cut(&t, SLICE("abcdef"), 5, false);
    assert(slice_eq(wr_done(&t), SLICE("台所の…|abc  |abc..")));
    wr_reset(&t);
    text_cut(&t, SLICE("台所の温度"), 6, true);
    assert(slice_eq(wr_done(&t), SLICE("台所… ")));
    wr_free(&t);
    SAYS("what is cut fills its columns, wide characters and all, and shows that it was cut");
    SAYS("a damaged catalogue is refused or gives what it has, never what lies beside it");
    return 0;
}
