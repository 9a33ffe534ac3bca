/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: requests as the data sink takes them.
 *
 * Input: one byte, how large the pieces are (0: all at once); the bytes of a connection. A request read in pieces is
 * the one that is read at once. */
#include "fuzz.h"
#include "lab/post.h"

enum { MOST = 4096, KEPT_MAX = MOST + POST_HEAD_MAX + 1024 };

static bool keep(void *to, struct slice bytes) {
    struct pile *p = to;
    FUZZ_CHECK(p->n + bytes.n <= KEPT_MAX);
    if (bytes.n) memcpy(p->p + p->n, bytes.p, bytes.n);
    p->n += bytes.n;
    return true;
}

struct got {
    unsigned requests, status;
    size_t bytes;
    uint64_t sum;
};

/* whole notes a request; false where the connection ends with it. */
static bool whole(struct got *g, struct post *p, struct pile *pile) {
    if (p->phase == POST_REFUSED) {
        FUZZ_CHECK(p->status >= 400 && *post_why(p->status));
        g->status = p->status;
        return false;
    }
    if (p->phase != POST_WHOLE) return true;
    FUZZ_CHECK(pile->n <= MOST);
    g->requests++;
    g->bytes += pile->n;
    for (size_t i = 0; i < pile->n; i++) g->sum = g->sum * 31 + pile->p[i];
    pile->n = 0;
    if (!p->keep_alive) return false;
    post_begin(p, MOST);
    return true;
}

static struct got read_all(struct slice in, size_t piece, uint8_t *room) {
    struct pile pile = {room, 0, KEPT_MAX};
    struct got g = {0};
    struct post p;
    bool go_on, more = true;
    post_begin(&p, MOST);
    while (in.n && more) {
        struct slice part = slice_head(in, piece ? piece : in.n);
        in = slice_tail(in, part.n);
        while (part.n && more) {
            size_t n = post_feed(&p, &pile, part, keep, &pile, &go_on);
            FUZZ_CHECK(n > 0 && n <= part.n);
            part = slice_tail(part, n);
            more = whole(&g, &p, &pile);
        }
    }
    return g;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static uint8_t room[KEPT_MAX];
    if (!size) return 0;
    struct slice in = slice_of(data + 1, size - 1);
    struct got once = read_all(in, 0, room), parts = read_all(in, data[0], room);
    FUZZ_CHECK(once.requests == parts.requests && once.bytes == parts.bytes && once.sum == parts.sum);
    FUZZ_CHECK(once.status == parts.status);
    return 0;
}
