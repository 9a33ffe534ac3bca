/* SPDX-License-Identifier: Apache-2.0 */
/* The packets of TDS (MS-TDS 2.2.3.1) and of Oracle's TNS: their heads. */
#include "proto/lines/lines.h"
#include "proto/protos.h"
#include "proto/sized.h"

enum { HEAD = 8 };

static size_t tds_size(struct slice in) { return field_value_name(&vals_tds_type, in.p[0]) ? load_be16(in.p + 2) : 0; }

/* tds_probe: of the status five bits are used, the window is 0 (2.2.3.1.2, 2.2.3.1.6). */
static enum probe_result tds_probe(struct slice in) {
    if (in.n && !field_value_name(&vals_tds_type, in.p[0])) return PROBE_NO;
    if (in.n < HEAD) return PROBE_UNSURE;
    return tds_size(in) >= HEAD && !(in.p[1] & ~0x1f) && !in.p[7] ? PROBE_UNSURE : PROBE_NO;
}

static void tds_read(struct decode *d, struct slice in) {
    static const struct d_row rows[] = {{FID_TDS_TYPE, 1}, {FID_TDS_STATUS, 1}, {FID_TDS_LENGTH, 2}};
    d_layer(d, &proto_tds, in, D_ROWS(rows));
}

static void tds_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *status = fv_first(v, FID_TDS_STATUS, at, end);
    fv_value_say(w, v, FID_TDS_TYPE, at, end);
    if (status && !(status->u & 1)) wr_s(w, " (Not last buffer)");
    wr_c(w, ' ');
}

/* tns_size: the length has four bytes since version 315, where its upper half, the old length, is 0. */
static size_t tns_size(struct slice in) {
    size_t n = load_be16(in.p);
    if (!field_value_name(&vals_tns_type, in.p[4])) return 0;
    return n ? n : load_be32(in.p);
}

/* tns_probe: nobody sums up heads. */
static enum probe_result tns_probe(struct slice in) {
    if (in.n > 4 && !field_value_name(&vals_tns_type, in.p[4])) return PROBE_NO;
    if (in.n < HEAD) return PROBE_UNSURE;
    return tns_size(in) >= HEAD && !load_be16(in.p + 6) ? PROBE_UNSURE : PROBE_NO;
}

static void tns_side_read(struct decode *d, int from, struct slice in) {
    static const struct d_row rows[] = {{FID_TNS_LENGTH, 2}, {0, 2}, {FID_TNS_TYPE, 1}};
    struct reader r = d_reader(d, in);
    d_begin(d, &proto_tns, rd_off(&r), (uint32_t)in.n);
    d_rows(d, &r, D_ROWS(rows));
    fv_u(d->out, FID_TNS_REQUEST, rd_off(&r), 0, !from_server(d, &proto_tns, from));
    if (!rd_ok(&r)) d_bad(d, &r);
    d_end(d);
}

static void tns_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *type = fv_first(v, FID_TNS_TYPE, at, end);
    const char *name = fv_value_name(v, FID_TNS_TYPE, at, end);
    const struct fval *request = fv_first(v, FID_TNS_REQUEST, at, end);
    if (name && request) wr_f(w, "%s, %s (%u)", request->u ? "Request" : "Response", name, (unsigned)type->u);
}

SIZED_STREAM(tds, HEAD, tds_probe)
SIDED_STREAM(tns, HEAD, tns_probe)
#define LAYER(name_, ID_, COLUMN_)                                                                                     \
    .name = #name_, .column = (COLUMN_), .id = FID_##ID_, .end = FID_##ID_##_END, .keys = name_##_keys,                \
    .stream = &name_##_stream, .info = name_##_info, .info_fields = name_##_fields
static const uint16_t tds_fields[] = {FID_TDS_TYPE, FID_TDS_STATUS, 0},
                      tns_fields[] = {FID_TNS_TYPE, FID_TNS_REQUEST, 0};
static const struct proto_key tds_keys[] = {{TABLE_TCP, 1433}, {TABLE_TCP, 2433}, {TABLE_COUNT, 0}},
                              tns_keys[] = {{TABLE_TCP, 1521}, {TABLE_COUNT, 0}};
const struct proto proto_tds = {LAYER(tds, TDS, "TDS")};
const struct proto proto_tns = {LAYER(tns, TNS, "TNS")};
