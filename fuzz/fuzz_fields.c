/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz_fields.h"

#include "field/print.h"
#include "proto/protos.h"

static void field_print(const struct fvec *v, uint32_t at) {
    char text[512]; /* what does not fit is dropped by the writer */
    struct writer w = wr_fixed(text, sizeof text);
    const struct proto *p = proto_of(v->v[at].id);
    print_value(&w, field_of(v->v[at].id), &v->v[at]);
    wr_reset(&w);
    if (!p || !p->label || !p->label(&w, v, at)) print_label(&w, field_of(v->v[at].id), &v->v[at]);
}

/* place_check wants every place inside its source: whoever shows or slices the bytes relies on it. To fuzz past
 * places that are known to be wrong, compile with FUZZ_ANY_PLACE. */
static void place_check(const struct fvec *v, const struct fval *f) {
    size_t n = v->source[f->src].bytes.n;
    if (f->off <= n && f->len <= n - f->off) return;
#ifndef FUZZ_ANY_PLACE
    fprintf(stderr, "%s at %u, %u bytes, source %u has %zu\n", field_of(f->id)->name, f->off, f->len, f->src, n);
    FUZZ_CHECK(!"places lie inside their source");
#endif
}

void fuzz_fields(const struct fvec *v, uint32_t from) {
    for (uint32_t i = from; i < v->n; i++) {
        const struct fval *f = &v->v[i];
        FUZZ_CHECK(f->id > FID_NONE && f->id < FID_COUNT);
        FUZZ_CHECK(f->src < v->sources);
        place_check(v, f);
        if (i > from) FUZZ_CHECK(f->depth <= f[-1].depth + 1);
        field_print(v, i);
    }
}
