/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: expressions. Any text either becomes packets, each within its limit, read back by who matches answers
 * and broken in every way there is, or is refused with a sentence. */
#include "fuzz.h"

#include "craft/answers.h"
#include "craft/craft.h"
#include "craft/mqtt_break.h"

enum { PACKETS = 8 };

static void packet_use(struct answers *a, const struct craft *c, uint64_t number, struct slice bytes) {
    struct talk_packet t;
    struct answers_open lost;
    struct answer found;
    FUZZ_CHECK(bytes.n <= CRAFT_BYTES_MAX);
    for (size_t i = 0; i < mqtt_breaks_count; i++) {
        struct writer w = wr_grow();
        if (!mqtt_break_apply((int)i, 4 + (i & 1), bytes, &w)) FUZZ_CHECK(!wr_len(&w));
        wr_free(&w);
    }
    if (craft_linktype(c) < 0 || !talk_read(&t, (uint32_t)craft_linktype(c), bytes)) return;
    (void)answers_take(a, 1, &t, &found);
    (void)answers_sent(a, number, 1, &t, number & 1, &lost);
    (void)answers_take(a, 2, &t, &found);
}

static void expression_use(struct craft *c) {
    char buf[256];
    struct answers *a = answers_make();
    uint64_t n = craft_count(c);
    FUZZ_CHECK(a && n >= 1 && n <= CRAFT_PACKETS_MAX);
    for (uint64_t i = 0; i < n && i < PACKETS; i++) {
        struct writer why = wr_fixed(buf, sizeof buf);
        struct slice bytes;
        uint64_t which = i < PACKETS / 2 ? i : n - 1 - (i - PACKETS / 2);
        int rc = craft_packet(c, which < n ? which : 0, &bytes, &why);
        if (rc) FUZZ_CHECK(wr_len(&why) || rc != ERR_USAGE);
        else packet_use(a, c, i + 1, bytes);
    }
    answers_free(a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char buf[512], *text = malloc(size + 1);
    struct writer why = wr_fixed(buf, sizeof buf);
    struct craft *c;
    if (!text) return 0;
    memcpy(text, data, size);
    text[size] = 0;
    if (craft_make(&c, text, NULL, &why) == OK) expression_use(c);
    else FUZZ_CHECK(!c && wr_len(&why));
    craft_free(c);
    free(text);
    return 0;
}
