/* SPDX-License-Identifier: Apache-2.0 */
#include "field/fvec.h"

#include <stdlib.h>

void fvec_make(struct fvec *v, const struct want *want) {
    memset(v, 0, sizeof *v);
    v->want = want;
}

void fvec_free(struct fvec *v) {
    free(v->v);
    v->v = NULL;
    v->n = v->cap = 0;
}

void fvec_start(struct fvec *v, struct slice frame) {
    v->n = 0;
    v->depth = v->src = 0;
    v->layer = 1;
    v->overflowed = false;
    v->bad = 0;
    v->anomalies = 0;
    v->worst = SEV_NONE;
    v->source[0] = (struct fvec_source){frame, "Frame"};
    v->sources = 1;
}

uint8_t fvec_add_source(struct fvec *v, struct slice bytes, const char *name) {
    if (v->sources >= FVEC_SOURCES) return 0;
    v->source[v->sources] = (struct fvec_source){bytes, name};
    return (uint8_t)v->sources++;
}

bool fvec_more(struct fvec *v) {
    uint32_t cap = v->cap ? v->cap * 2 : 256;
    struct fval *more = cap <= FVEC_LIMIT ? realloc(v->v, cap * sizeof *more) : NULL;
    if (!more) {
        v->overflowed = true;
        return false;
    }
    v->v = more;
    v->cap = cap;
    return true;
}

void fvec_clamp(struct fvec *v) {
    for (uint32_t i = 0; i < v->n; i++) {
        struct fval *f = &v->v[i];
        size_t bytes = v->source[f->src].bytes.n;
        if (f->off > bytes) f->off = (uint32_t)bytes;
        if (f->len > bytes - f->off) f->len = (uint32_t)bytes - f->off;
    }
}

const struct fval *fv_first(const struct fvec *v, uint16_t id, uint32_t from, uint32_t to) {
    if (to > v->n) to = v->n;
    for (uint32_t i = from; i < to; i++)
        if (v->v[i].id == id) return &v->v[i];
    return NULL;
}

uint32_t fv_end(const struct fvec *v, uint32_t at) {
    uint32_t i = at + 1;
    while (i < v->n && v->v[i].depth > v->v[at].depth) i++;
    return i;
}
