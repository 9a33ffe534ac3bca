/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration testing of Ethernet 2.0 (chapter 8): frames that are sent back, as switches use to find loops. */
#include "proto/protos.h"

enum { REPLY = 1, FORWARD = 2, FUNCTIONS_MAX = 64 };

static void loop_read(struct decode *d, struct slice in) {
    static const struct d_row first[] = {{FID_LOOP_SKIPCOUNT, 2, true}};
    static const struct d_row reply[] = {{FID_LOOP_FUNCTION, 2, true}, {FID_LOOP_RECEIPT_NUMBER, 2, true}};
    static const struct d_row forward[] = {{FID_LOOP_FUNCTION, 2, true}, {FID_LOOP_FORWARDING_ADDRESS, 6}};
    struct reader r = d_reader(d, in);
    d_begin(d, &proto_loop, rd_off(&r), (uint32_t)in.n);
    size_t skip = in.n >= 2 ? load_le16(in.p) : 0;
    d_rows(d, &r, D_ROWS(first));
    bool relevant = skip + 4 <= in.n;
    if (relevant) fv_u(d->out, FID_LOOP_RELEVANT_FUNCTION, rd_off(&r) + (uint32_t)skip, 2, load_le16(in.p + 2 + skip));
    for (int i = 0; i < FUNCTIONS_MAX && rd_left(&r) >= 2; i++) {
        uint16_t function = load_le16(r.p);
        if (function == FORWARD) d_rows(d, &r, D_ROWS(forward));
        else if (function == REPLY) d_rows(d, &r, D_ROWS(reply));
        else fv_u(d->out, FID_LOOP_FUNCTION, rd_off(&r), 2, function);
        if (function != FORWARD) break;
    }
    struct slice rest = rd_rest(&r);
    if (!rd_ok(&r)) d_bad(d, &r);
    d_end(d);
    if (rd_ok(&r)) d_data(d, rest);
}

static void loop_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *function = fv_first(v, FID_LOOP_RELEVANT_FUNCTION, at, end);
    if (!function) return;
    const char *name = field_value_name(&vals_loop_function, function->u);
    if (name) wr_s(w, name);
    else wr_f(w, "Unknown function (%u)", (unsigned)function->u);
}

static const uint16_t info_fields[] = {FID_LOOP_RELEVANT_FUNCTION, 0};
static const struct proto_key keys[] = {{TABLE_ETHERTYPE, 0x9000}, {TABLE_COUNT, 0}};
const struct proto proto_loop = {.name = "loop",
                                 .column = "LOOP",
                                 .id = FID_LOOP,
                                 .end = FID_LOOP_END,
                                 .keys = keys,
                                 .read = loop_read,
                                 .info = loop_info,
                                 .info_fields = info_fields};
