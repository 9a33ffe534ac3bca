/* SPDX-License-Identifier: Apache-2.0 */
/* JA3 and JA3S: the numbers of a hello in a row, and the MD5 of that text. Reserved (GREASE) values are left out. */
#include "proto/tls/tls.h"

enum { RANDOM = 32 };

/* hello is where the lists of a hello stand; a reader in error is an empty list. */
struct hello {
    uint16_t version;
    struct reader suites, exts;
};

static struct hello hello_find(struct slice body, bool client) {
    struct reader r = rd_init(body, body.p);
    struct hello h = {.version = rd_be16(&r)};
    rd_skip(&r, RANDOM);
    rd_skip(&r, rd_u8(&r));
    h.suites = rd_sub(&r, client ? rd_be16(&r) : 2);
    rd_skip(&r, client ? rd_u8(&r) : 1);
    h.exts = rd_sub(&r, rd_be16(&r));
    return h;
}

/* numbers writes the values of a list, `width` bytes each, with dashes. */
static void numbers(struct writer *w, struct reader r, unsigned width) {
    bool any = false;
    while (rd_ok(&r) && rd_left(&r) >= width) {
        uint16_t v = width == 2 ? rd_be16(&r) : rd_u8(&r);
        if (width == 2 && tls_grease(v)) continue;
        if (any) wr_c(w, '-');
        wr_u(w, v);
        any = true;
    }
}

static void types(struct writer *w, struct reader r) {
    bool any = false;
    while (rd_ok(&r) && rd_left(&r) >= 4) {
        uint16_t type = rd_be16(&r);
        rd_skip(&r, rd_be16(&r));
        if (tls_grease(type)) continue;
        if (any) wr_c(w, '-');
        wr_u(w, type);
        any = true;
    }
}

static struct reader ext_find(struct reader r, uint16_t wanted) {
    while (rd_ok(&r) && rd_left(&r) >= 4) {
        uint16_t type = rd_be16(&r);
        struct reader body = rd_sub(&r, rd_be16(&r));
        if (type == wanted) return body;
    }
    rd_fail(&r);
    return r;
}

static void add(struct decode *d, struct writer *w, uint16_t full, uint16_t hash, uint32_t off) {
    struct slice text = wr_done(w);
    fv_s(d->out, full, off, 0, text);
    if (!d->ops || !d->ops->md5 || !d_wants(d, hash)) return;
    uint8_t digest[16];
    char *hex = arena_get(d->arena, 2 * sizeof digest);
    if (!hex) return;
    d->ops->md5(digest, text);
    struct writer h = wr_fixed(hex, 2 * sizeof digest);
    wr_hexbytes(&h, slice_of(digest, sizeof digest), 0);
    fv_s(d->out, hash, off, 0, wr_done(&h));
}

static bool room(struct decode *d, struct slice body, struct writer *w) {
    size_t most = 3 * body.n + 32; /* two bytes become five digits and a dash */
    char *buf = arena_get(d->arena, most);
    if (buf) *w = wr_fixed(buf, most);
    return buf != NULL;
}

void tls_ja3_add(struct decode *d, struct slice body, uint32_t off) {
    struct writer w;
    if (!d_wants(d, FID_TLS_JA3_FULL) && !d_wants(d, FID_TLS_JA3)) return;
    if (!room(d, body, &w)) return;
    struct hello h = hello_find(body, true);
    wr_u(&w, h.version);
    wr_c(&w, ',');
    numbers(&w, h.suites, 2);
    wr_c(&w, ',');
    types(&w, h.exts);
    wr_c(&w, ',');
    struct reader groups = ext_find(h.exts, 10), points = ext_find(h.exts, 11);
    rd_skip(&groups, 2);
    numbers(&w, groups, 2);
    wr_c(&w, ',');
    rd_skip(&points, 1);
    numbers(&w, points, 1);
    add(d, &w, FID_TLS_JA3_FULL, FID_TLS_JA3, off);
}

void tls_ja3s_add(struct decode *d, struct slice body, uint32_t off) {
    struct writer w;
    if (!d_wants(d, FID_TLS_JA3S_FULL) && !d_wants(d, FID_TLS_JA3S)) return;
    if (!room(d, body, &w)) return;
    struct hello h = hello_find(body, false);
    wr_u(&w, h.version);
    wr_c(&w, ',');
    numbers(&w, h.suites, 2);
    wr_c(&w, ',');
    types(&w, h.exts);
    add(d, &w, FID_TLS_JA3S_FULL, FID_TLS_JA3S, off);
}
