/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_FIELD_FVEC_H
#define WEIR_FIELD_FVEC_H

#include "base/moment.h"
#include "field/field.h"

/* small is a number of one byte. Unlike uint8_t, which is a character type and may stand for a part of anything, it
 * tells the compiler that to write one changes nothing else [C17 6.5 7]: adding a field does not have to read the list
 * anew. */
enum small { SMALL_MOST = 255 } __attribute__((packed));
_Static_assert(sizeof(enum small) == 1, "it is one byte");

/* fval is one decoded field: what it is, where it stands, what it says.
 *
 * Depth gives the tree (a field's children follow it with a greater depth), off/len the bytes in source `src`
 * (0: the packet itself, others: reassembled or decrypted data). */
struct fval {
    uint16_t id;
    enum small depth;
    enum small flags; /* FV_... */
    uint32_t off;
    uint32_t len;
    enum small src;
    enum small layer; /* how often this protocol has appeared in the packet, from 1 */
    uint16_t extra;   /* of times: their era (base/moment.h); others: for the protocol's own label text, or 0 */
    union {
        uint64_t u;
        int64_t i;
        double d;
        struct slice s;
    };
};

enum {
    FV_HIDDEN = 1,    /* not shown in a tree */
    FV_GENERATED = 2, /* computed, shown in brackets */
    FV_PLAIN = 4,     /* of an anomaly: a plain line, not an expert item */
    FV_SECRET = 8,    /* holds a secret, though its field often holds none */
    FV_HEX = 16,      /* a number shown in hexadecimal, though its field is not */
};

enum {
    FVEC_LIMIT = 1 << 20, /* fields of one packet */
    FVEC_SOURCES = 255,   /* byte sources of one packet */
    FVEC_DEPTH = 120,     /* depth of the tree */
};

/* fvec is the flat pre-order list of one packet's fields; it owns its storage and is used again for the next
 * packet. What is not in `want` is not stored. */
struct fvec {
    struct fval *v;
    uint32_t n, cap;
    const struct want *want;
    enum small depth; /* of what is added next */
    enum small src;   /* source of what is added next */
    enum small layer; /* layer of what is added next */
    bool overflowed;  /* FVEC_LIMIT was reached or memory ran out: fields are missing */
    uint16_t bad;     /* id of the field that says why bytes could not be decoded; 0: there were none */
    uint32_t anomalies;
    uint8_t worst;     /* greatest severity among the anomalies */
    bool show_secrets; /* whoever prints asks for it: the summary's words tell secrets, too */
    struct fvec_source {
        struct slice bytes;
        const char *name; /* "Frame", "Reassembled TCP" */
    } source[FVEC_SOURCES];
    uint16_t sources;
};

enum { FV_UNWANTED = UINT32_MAX };

/* fvec_make prepares an empty list; fvec_free releases its storage. */
void fvec_make(struct fvec *v, const struct want *want);
void fvec_free(struct fvec *v);
/* fvec_start empties the list for a packet with the given bytes. */
void fvec_start(struct fvec *v, struct slice frame);
/* fvec_source adds a byte source and returns its number, or 0 where there are too many. */
uint8_t fvec_add_source(struct fvec *v, struct slice bytes, const char *name);
/* fvec_slow makes room for one more value; false at the limit. */
bool fvec_more(struct fvec *v);

static inline bool fv_wants(const struct fvec *v, uint16_t id) { return want_has(v->want, id); }

/* fv_add appends a field and returns its place, or NULL where nobody wants it. The pointer lives until the
 * next one is added. */
static inline struct fval *fv_add(struct fvec *v, uint16_t id, uint32_t off, uint32_t len) {
    if (!fv_wants(v, id)) return NULL;
    if (__builtin_expect(v->n == v->cap, 0) && !fvec_more(v)) return NULL;
    struct fval *f = &v->v[v->n++];
    *f = (struct fval){.id = id, .depth = v->depth, .off = off, .len = len, .src = v->src, .layer = v->layer};
    return f;
}

static inline struct fval *fv_u(struct fvec *v, uint16_t id, uint32_t off, uint32_t len, uint64_t value) {
    struct fval *f = fv_add(v, id, off, len);
    if (f) f->u = value;
    return f;
}
static inline struct fval *fv_i(struct fvec *v, uint16_t id, uint32_t off, uint32_t len, int64_t value) {
    struct fval *f = fv_add(v, id, off, len);
    if (f) f->i = value;
    return f;
}
/* fv_moment adds a time that may lie outside era 0; fv_time returns what a field of times holds. */
static inline struct fval *fv_moment(struct fvec *v, uint16_t id, uint32_t off, uint32_t len, __int128 value) {
    struct fval *f = fv_i(v, id, off, len, moment_ns(value));
    if (f) f->extra = (uint16_t)moment_era(value);
    return f;
}
static inline __int128 fv_time(const struct fval *f) { return moment_of(f->i, (int16_t)f->extra); }
/* fv_s adds a string, bytes, an address or a GUID; the bytes must live as long as the packet. */
static inline struct fval *fv_s(struct fvec *v, uint16_t id, uint32_t off, uint32_t len, struct slice value) {
    struct fval *f = fv_add(v, id, off, len);
    if (f) f->s = value;
    return f;
}
/* fv_hide, fv_gen and fv_secret mark what fv_add returned; NULL is fine. */
static inline void fv_hide(struct fval *f) {
    if (f) f->flags |= FV_HIDDEN;
}
static inline void fv_gen(struct fval *f) {
    if (f) f->flags |= FV_GENERATED;
}
static inline void fv_secret(struct fval *f) {
    if (f) f->flags |= FV_SECRET;
}

/* fv_open starts a subtree: fields added until fv_close are its children. It returns the place of the parent
 * or FV_UNWANTED; both are good for fv_close and fv_at. */
static inline uint32_t fv_open(struct fvec *v, uint16_t id, uint32_t off, uint32_t len) {
    struct fval *f = fv_add(v, id, off, len);
    if (v->depth < (int)FVEC_DEPTH) v->depth++;
    return f ? (uint32_t)(f - v->v) : FV_UNWANTED;
}
static inline void fv_close(struct fvec *v) {
    if (v->depth) v->depth--;
}
/* fv_at returns the value at a place fv_open gave, or NULL. */
static inline struct fval *fv_at(struct fvec *v, uint32_t at) { return at == FV_UNWANTED ? NULL : &v->v[at]; }
/* fv_set_len gives a subtree its length once it is known. */
static inline void fv_set_len(struct fvec *v, uint32_t at, uint32_t len) {
    if (at != FV_UNWANTED) v->v[at].len = len;
}

/* fvec_clamp cuts places that reach past the end of their source, as those of headers do that claim more than there is.
 */
void fvec_clamp(struct fvec *v);

/* fv_first returns the first value of a field from place `from` to before `to`, or NULL. */
const struct fval *fv_first(const struct fvec *v, uint16_t id, uint32_t from, uint32_t to);
/* fv_end returns the place behind the subtree that starts at `at`. */
uint32_t fv_end(const struct fvec *v, uint32_t at);

#endif
