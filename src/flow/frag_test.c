/* SPDX-License-Identifier: Apache-2.0 */
#include "base/check.h"
#include "flow/frag.h"

static const uint8_t text[] = "0123456789abcdefghijklmnopqrstuv";

/* add hands the bytes from `from` to before `to` of the text over as a fragment. */
static const struct frag_datagram *add(struct frag_table *t, uint32_t id, uint32_t from, uint32_t to, bool more) {
    struct fragment f = {.src.len = 4, .dst.len = 4, .id = id, .proto = 17, .off = from, .more = more};
    f.data = slice_of(text + from, to - from);
    return frag_add(t, &f, 1);
}

static bool is_text(const struct frag_datagram *d, uint32_t n) {
    return d && d->end == n && memcmp(d->bytes, text, n) == 0;
}

static void order(struct frag_table *t) {
    CHECK(!add(t, 1, 16, 21, false) && !add(t, 1, 8, 16, true) && is_text(add(t, 1, 0, 8, true), 21));
    SAYS("a datagram is whole when its last missing piece comes, whichever that is");
    CHECK(!add(t, 1, 0, 8, true) && is_text(add(t, 1, 8, 12, false), 12));
    SAYS("an identification may be used again");
    CHECK(!add(t, 2, 0, 8, true) && !add(t, 3, 8, 16, false) && is_text(add(t, 2, 8, 16, false), 16));
    SAYS("pieces of another identification are pieces of another datagram");
}

static void holes(struct frag_table *t) {
    CHECK(!add(t, 4, 8, 24, true) && !add(t, 4, 8, 12, false));
    CHECK(is_text(add(t, 4, 0, 8, true), 12));
    SAYS("as many bytes as the end says, but not those before it, are no datagram");
    CHECK(!add(t, 5, 16, 20, false) && !add(t, 5, 8, 12, false) && !add(t, 5, 0, 8, true));
    CHECK(is_text(add(t, 5, 8, 16, true), 20));
    SAYS("a second end does not count, and leaves no bytes that nobody sent");
}

static void limits(struct frag_table *t) {
    CHECK(!add(t, 6, 0, 12, true));
    SAYS("a piece in the middle that is no multiple of eight bytes is none (RFC 791 3.2)");
    struct fragment far = {.src.len = 4, .dst.len = 4, .id = 7, .off = FRAG_BYTES, .data = slice_of(text, 8)};
    CHECK(!frag_add(t, &far, 1));
    SAYS("a piece behind the greatest datagram is none");
    for (unsigned i = 0; i < FRAG_PIECES; i++) CHECK(!add(t, 8, 0, 8, true));
    CHECK(!add(t, 8, 8, 16, false));
    SAYS("a datagram in more than FRAG_PIECES pieces is given up");
    CHECK(!add(t, 9, 0, 8, true));
    for (uint32_t i = 0; i < FRAG_DATAGRAMS; i++) CHECK(!add(t, 100 + i, 0, 8, true));
    CHECK(!add(t, 9, 8, 16, false));
    SAYS("of more than FRAG_DATAGRAMS datagrams the oldest is given up");
}

int main(void) {
    struct frag_table t = {0};
    order(&t);
    holes(&t);
    limits(&t);
    frag_table_free(&t);
    return 0;
}
