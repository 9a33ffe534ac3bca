/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: display filters. Any text either becomes a program, which is printed and asked of a packet that has some
 * values of every field it reads, or is refused with a place inside the text. */
#include "fuzz.h"

#include "expr/expr.h"
#include "proto/fields.h"

enum { VALUES = 3, FIELDS = 40 };

static const uint8_t bytes[] =
    "\x00\x09\x6b\x88\xf5\xc9 sensors/Kitchen/temperature 21.5 10.0.0.5 HEAD / HTTP/1.1\r\n\xff\xfe";

/* value_make gives field f its k-th value. */
static struct fval value_make(const struct field *f, uint16_t id, unsigned k) {
    struct fval v = {.id = id, .len = 4 + 9 * k, .off = k, .layer = (uint8_t)(1 + k)};
    static const uint8_t fixed[] = {[FT_ETHER] = 6, [FT_EUI64] = 8, [FT_IPV6] = 16, [FT_GUID] = 16};
    size_t size = f->type < sizeof fixed && fixed[f->type] ? fixed[f->type] : k * 17;
    if (field_is_bytes(f)) v.s = slice_of(bytes + k, size);
    else if (f->type == FT_DOUBLE) v.d = k * 1.5;
    else v.u = f->type == FT_BOOL ? k & 1 : k * 1883;
    return v;
}

static void packet_make(struct fvec *v, const struct want *want) {
    unsigned fields = 0;
    fvec_start(v, slice_of(bytes, sizeof bytes));
    for (uint16_t id = 1; id < FID_COUNT && fields < FIELDS; id++) {
        if (!want_has(want, id)) continue;
        fields++;
        for (unsigned k = 0; k < VALUES; k++) {
            struct fval made = value_make(field_of(id), id, k), *place = fv_add(v, id, made.off, made.len);
            if (place) *place = made;
        }
    }
}

static void program_use(const struct expr *e) {
    struct fvec v;
    struct writer w = wr_grow();
    expr_print(&w, e);
    FUZZ_CHECK(wr_len(&w) > 0);
    wr_free(&w);
    fvec_make(&v, expr_want(e));
    fvec_start(&v, slice_of(bytes, sizeof bytes));
    (void)expr_match(e, &v);
    packet_make(&v, expr_want(e));
    bool first = expr_match(e, &v);
    FUZZ_CHECK(expr_match(e, &v) == first);
    fvec_free(&v);
}

static void refusal_check(struct slice text, const struct expr_error *why) {
    char line[512];
    struct writer w = wr_fixed(line, sizeof line);
    FUZZ_CHECK(why->message[0]);
    FUZZ_CHECK(why->at <= text.n);
    FUZZ_CHECK(why->len > 0);
    expr_error_print(&w, text, why);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct field_index names;
    struct expr_error why;
    struct expr *e = NULL;
    if (!names.by_name && field_index_make(&names, &weir_fields)) abort();
    if (expr_compile(&e, slice_of(data, size), &names, &why) == OK) {
        program_use(e);
        expr_free(e);
    } else {
        refusal_check(slice_of(data, size), &why);
    }
    return 0;
}
