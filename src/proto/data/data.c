/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes that no protocol claims, shown as they are. */
#include "proto/proto.h"
#include "proto/protos.h"

static bool data_label(struct writer *w, const struct fvec *v, uint32_t at) {
    const struct fval *f = &v->v[at];
    if (f->id != FID_DATA) return false;
    wr_f(w, "Data (%u byte%s)", f->len, f->len == 1 ? "" : "s");
    return true;
}

static void data_read(struct decode *d, struct slice in) {
    uint32_t off = d_off(d, in.p), len = (uint32_t)in.n;
    d_begin(d, &proto_data, off, len);
    fv_s(d->out, FID_DATA_DATA, off, len, in);
    fv_u(d->out, FID_DATA_LEN, off, 0, in.n);
    d_end(d);
}

const struct proto proto_data = {
    .name = "data", .id = FID_DATA, .end = FID_DATA_END, .read = data_read, .label = data_label};
