/* SPDX-License-Identifier: Apache-2.0 */
/* JA4: the fingerprint of a client's hello in three parts: what it is (transport, version, whether a server is named,
 * how many suites and extensions, the first ALPN), its suites in order of number, its extensions in that order with the
 * signature algorithms as they came. Reserved (GREASE) values are left out. */
#include "proto/tls/tls.h"

enum {
    VERSION = 2,
    RANDOM = 32,
    EXT_SERVER_NAME = 0,
    EXT_SIGALGS = 13,
    EXT_ALPN = 16,
    EXT_VERSIONS = 43,
    COUNT_MOST = 99,
    LIST_MOST = 512, /* values of a list that are looked at */
    HASH_DIGITS = 12,
};

/* list is the values of a list without the reserved ones. */
struct list {
    uint16_t v[LIST_MOST];
    size_t n;
};

static void list_add(struct list *l, uint16_t v) {
    if (!tls_grease(v) && l->n < LIST_MOST) l->v[l->n++] = v;
}

static void list_take(struct list *l, struct reader r) {
    while (rd_left(&r) >= 2) list_add(l, rd_be16(&r));
}

static void list_sort(struct list *l) {
    for (size_t i = 1; i < l->n; i++) {
        uint16_t v = l->v[i];
        size_t at = i;
        for (; at && l->v[at - 1] > v; at--) l->v[at] = l->v[at - 1];
        l->v[at] = v;
    }
}

static void list_write(struct writer *w, const struct list *l) {
    for (size_t i = 0; i < l->n; i++) {
        if (i) wr_c(w, ',');
        wr_hex(w, l->v[i], 4);
    }
}

/* traits is what a hello says. */
struct traits {
    bool quic;
    uint16_t version;
    bool named;
    struct slice alpn;
    size_t extensions;
    struct list suites, types, algorithms;
};

static void extension_take(struct traits *t, uint16_t type, struct reader body) {
    if (tls_grease(type)) return;
    t->extensions++;
    if (type == EXT_SERVER_NAME) t->named = true;
    if (type == EXT_ALPN) {
        rd_skip(&body, 2);
        t->alpn = rd_take(&body, rd_u8(&body));
    }
    if (type != EXT_SERVER_NAME && type != EXT_ALPN) list_add(&t->types, type);
    if (type == EXT_SIGALGS) {
        rd_skip(&body, 2);
        list_take(&t->algorithms, body);
    }
    if (type == EXT_VERSIONS) {
        uint16_t best = 0;
        rd_skip(&body, 1);
        while (rd_left(&body) >= VERSION) {
            uint16_t v = rd_be16(&body);
            if (!tls_grease(v) && v > best) best = v;
        }
        if (best) t->version = best;
    }
}

static void hello_take(struct traits *t, struct slice hello) {
    struct reader r = rd_init(hello, hello.p);
    t->version = rd_be16(&r);
    rd_skip(&r, RANDOM);
    rd_skip(&r, rd_u8(&r));
    list_take(&t->suites, rd_sub(&r, rd_be16(&r)));
    rd_skip(&r, rd_u8(&r));
    struct reader exts = rd_sub(&r, rd_be16(&r));
    while (rd_left(&exts) >= 4) {
        uint16_t type = rd_be16(&exts);
        struct reader body = rd_sub(&exts, rd_be16(&exts));
        if (rd_ok(&body)) extension_take(t, type, body);
    }
}

static const char *version_word(uint16_t version) {
    switch (version) {
    case TLS13: return "13";
    case TLS12: return "12";
    case TLS11: return "11";
    case TLS10: return "10";
    case SSL3: return "s3";
    case SSL2: return "s2";
    default: return "00";
    }
}

static bool is_alnum(uint8_t c) { return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z'); }

static void alpn_write(struct writer *w, struct slice alpn) {
    if (!alpn.n) {
        wr_s(w, "00");
        return;
    }
    uint8_t first = alpn.p[0], last = alpn.p[alpn.n - 1];
    if (is_alnum(first) && is_alnum(last)) {
        wr_c(w, (char)first);
        wr_c(w, (char)last);
    } else {
        wr_hex(w, first >> 4, 1);
        wr_hex(w, last & 15, 1);
    }
}

static void head_write(struct writer *w, const struct traits *t) {
    wr_c(w, t->quic ? 'q' : 't');
    wr_s(w, version_word(t->version));
    wr_c(w, t->named ? 'd' : 'i');
    wr_uz(w, t->suites.n < COUNT_MOST ? t->suites.n : COUNT_MOST, 2);
    wr_uz(w, t->extensions < COUNT_MOST ? t->extensions : COUNT_MOST, 2);
    alpn_write(w, t->alpn);
}

/* hashed writes the first digits of a text's digest; of an empty one zeros. */
static void hashed(struct decode *d, struct writer *w, struct slice text) {
    uint8_t digest[32] = {0};
    if (text.n) d->ops->sha256(digest, text);
    wr_hexbytes(w, slice_of(digest, HASH_DIGITS / 2), 0);
}

void tls_ja4_add(struct decode *d, struct slice hello, uint32_t off, bool quic) {
    if (!d_wants(d, FID_TLS_JA4) && !d_wants(d, FID_TLS_JA4_R)) return;
    struct traits *t = arena_get(d->arena, sizeof *t);
    enum { LIST_TEXT = 5 * LIST_MOST, RAW = 3 * LIST_TEXT + 32, SHORT = 40 };
    char *raw = t ? arena_get(d->arena, RAW) : NULL, *text = raw ? arena_get(d->arena, SHORT) : NULL;
    if (!text) return;
    memset(t, 0, sizeof *t);
    t->quic = quic;
    hello_take(t, hello);
    list_sort(&t->suites);
    list_sort(&t->types);
    struct writer w = wr_fixed(raw, RAW), s = wr_fixed(text, SHORT);
    head_write(&w, t);
    wr_slice(&s, wr_done(&w));
    wr_c(&w, '_');
    size_t suites = wr_len(&w);
    list_write(&w, &t->suites);
    size_t types = wr_len(&w) + 1;
    wr_c(&w, '_');
    list_write(&w, &t->types);
    if (t->algorithms.n) {
        wr_c(&w, '_');
        list_write(&w, &t->algorithms);
    }
    struct slice all = wr_done(&w);
    fv_s(d->out, FID_TLS_JA4_R, off, 0, all);
    if (!d->ops || !d->ops->sha256) return;
    wr_c(&s, '_');
    hashed(d, &s, slice_tail(slice_head(all, types - 1), suites));
    wr_c(&s, '_');
    hashed(d, &s, t->types.n ? slice_tail(all, types) : (struct slice){0});
    fv_s(d->out, FID_TLS_JA4, off, 0, wr_done(&s));
}
