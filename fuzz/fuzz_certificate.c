/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: certificates and answers about their revocation.
 *
 * Input: one byte (bit 0: an answer; else a chain), then for a chain certificates with two bytes of length before each.
 */
#include "fuzz_fields.h"

#include "proto/protos.h"
#include "proto/x509/x509.h"

enum { ARENA_MAX = 4 << 20 };

static void chain_read(struct decode *d, struct slice in) {
    struct reader r = d_reader(d, in);
    struct slice before = {0};
    while (rd_left(&r) > 2) {
        size_t n = rd_be16(&r);
        struct slice one = rd_take(&r, n < rd_left(&r) ? n : rd_left(&r));
        fv_s(d->out, FID_TLS_CERT, d_off(d, one.p), (uint32_t)one.n, one);
        x509_read(d, one);
        FUZZ_CHECK(d->out->depth == 0);
        if (before.n) x509_chain_check(d, before, one, d_off(d, one.p));
        before = one;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct fvec fields;
    static struct want want;
    struct arena arena = arena_make(ARENA_MAX);
    struct packet pkt = {.number = 1};
    struct decode d = {.out = &fields, .arena = &arena, .pkt = &pkt};
    struct slice in = slice_tail(slice_of(data, size), 1);
    if (!in.n) return 0;
    want_all(&want);
    fvec_make(&fields, &want);
    fvec_start(&fields, in);
    if (data[0] & 1) proto_ocsp.read(&d, in);
    else chain_read(&d, in);
    FUZZ_CHECK(fields.depth == 0);
    fuzz_fields(&fields, 0);
    fvec_free(&fields);
    arena_free(&arena);
    return 0;
}
