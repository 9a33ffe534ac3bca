/* SPDX-License-Identifier: Apache-2.0 */
/* The header of DCCP (RFC 4340 5); its options are shown in one piece. What it carries is nobody's. */
#include "proto/protos.h"

enum { WORD = 4, SHORT_NUMBER = 3, LONG_NUMBER = 6 };
enum { REQUEST, RESPONSE, DATA, RESET = 7, SYNCACK = 9 };

/* number_read reads a sequence number of n bytes. */
static void number_read(struct decode *d, struct reader *r, uint16_t id, size_t n) {
    uint32_t off = rd_off(r);
    struct slice bytes = rd_take(r, n);
    if (rd_ok(r)) fv_u(d->out, id, off, (uint32_t)n, load_be(bytes.p, n));
}

/* numbers_read reads the sequence numbers, which are short or long; an acknowledgment stands in packets of all types
 * but two. RFC 4340 5.1, 5.3 */
static void numbers_read(struct decode *d, struct reader *r, uint8_t type, bool extended) {
    size_t n = extended ? LONG_NUMBER : SHORT_NUMBER;
    if (extended) rd_skip(r, 1);
    number_read(d, r, FID_DCCP_SEQ, n);
    if (type == REQUEST || type == DATA || type > SYNCACK) return;
    rd_skip(r, extended ? 2 : 1);
    number_read(d, r, FID_DCCP_ACK, n);
}

static void dccp_read(struct decode *d, struct slice in) {
    static const struct d_row ports[] = {{FID_DCCP_SRCPORT, 2}, {FID_DCCP_DSTPORT, 2}};
    static const struct d_row rest[] = {{0, 1}, {FID_DCCP_CCVAL, 0}, {FID_DCCP_CSCOV, 0}, {FID_DCCP_CHECKSUM, 2},
                                        {0, 1}, {FID_DCCP_TYPE, 0},  {FID_DCCP_X, 0}};
    static const struct d_row reset[] = {
        {FID_DCCP_RESET_CODE, 1}, {FID_DCCP_DATA1, 1}, {FID_DCCP_DATA2, 1}, {FID_DCCP_DATA3, 1}};
    struct reader r = d_reader(d, in);
    uint32_t off = rd_off(&r), at = d_begin(d, &proto_dccp, off, 0);
    d_rows(d, &r, D_ROWS(ports));
    if (rd_ok(&r)) {
        fv_hide(fv_u(d->out, FID_DCCP_PORT, off, 2, load_be16(in.p)));
        fv_hide(fv_u(d->out, FID_DCCP_PORT, off + 2, 2, load_be16(in.p + 2)));
    }
    size_t header = (size_t)get_u8(d, &r, FID_DCCP_DATA_OFFSET) * WORD;
    d_rows(d, &r, D_ROWS(rest));
    uint8_t kind = rd_ok(&r) ? in.p[rd_off(&r) - off - 1] : 0, type = kind >> 1 & 0xf;
    numbers_read(d, &r, type, kind & 1);
    if (type == REQUEST || type == RESPONSE) get_be32(d, &r, FID_DCCP_SERVICE);
    if (type == RESET) d_rows(d, &r, D_ROWS(reset));
    size_t used = rd_off(&r) - off;
    bool fits = rd_ok(&r) && header >= used && header <= in.n;
    if (rd_ok(&r) && !fits) d_anomaly(d, FID_DCCP_BAD_LENGTH, off + WORD, 1);
    if (fits && header > used) fv_add(d->out, FID_DCCP_OPTIONS, rd_off(&r), (uint32_t)(header - used));
    if (!rd_ok(&r)) d_bad(d, &r);
    fv_set_len(d->out, at, (uint32_t)(fits ? header : used));
    d_end(d);
    if (fits) d_data(d, slice_tail(in, header));
}

static void dccp_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *src = fv_first(v, FID_DCCP_SRCPORT, at, end), *dst = fv_first(v, FID_DCCP_DSTPORT, at, end);
    const struct fval *type = fv_first(v, FID_DCCP_TYPE, at, end), *code = fv_first(v, FID_DCCP_RESET_CODE, at, end);
    if (!src || !dst || !type) return;
    wr_f(w, "%u → %u [%s]", (unsigned)src->u, (unsigned)dst->u, field_value_name(&vals_dccp_type, type->u));
    const char *why = code ? field_value_name(&vals_dccp_reset_code, code->u) : NULL;
    if (why) wr_f(w, " (code=%s)", why);
}

static const uint16_t info_fields[] = {FID_DCCP_SRCPORT, FID_DCCP_DSTPORT, FID_DCCP_TYPE, FID_DCCP_RESET_CODE, 0};
static const struct proto_key keys[] = {{TABLE_IP, 33}, {TABLE_COUNT, 0}};
const struct proto proto_dccp = {.name = "dccp",
                                 .column = "DCCP",
                                 .id = FID_DCCP,
                                 .end = FID_DCCP_END,
                                 .keys = keys,
                                 .read = dccp_read,
                                 .info = dccp_info,
                                 .info_fields = info_fields};
