/* SPDX-License-Identifier: Apache-2.0 */
/* NetBIOS datagrams (RFC 1002 4.4) and the SMB message in them. */
#include "proto/netbios/netbios.h"

#include "field/print.h"
#include "proto/protos.h"

enum { DIRECT_UNIQUE = 0x10, BROADCAST = 0x12, ERROR = 0x13, QUERY = 0x14, NEGATIVE = 0x16, FIRST = 2 };

static void name_read(struct decode *d, struct reader *r, uint16_t id) {
    struct slice text;
    uint8_t type;
    uint32_t off = rd_off(r);
    netbios_name_read(d, r, rd_rest(r), &text, &type);
    struct fval *f = rd_ok(r) ? fv_s(d->out, id, off, rd_off(r) - off, text) : NULL;
    if (f) f->extra = (uint16_t)(type + 1);
}

static void nbdgm_read(struct decode *d, struct slice in) {
    static const struct d_row head[] = {{FID_NBDGM_TYPE, 1},   {FID_NBDGM_FLAGS, 1},     {FID_NBDGM_NEXT, 0},
                                        {FID_NBDGM_FIRST, 0},  {FID_NBDGM_NODE_TYPE, 0}, {FID_NBDGM_DGRAM_ID, 2},
                                        {FID_NBDGM_SRC_IP, 4}, {FID_NBDGM_SRC_PORT, 2}};
    static const struct d_row lengths[] = {{FID_NBDGM_DGRAM_LEN, 2}, {FID_NBDGM_PKT_OFFSET, 2}};
    struct reader r = d_reader(d, in);
    uint32_t off = rd_off(&r), at = d_begin(d, &proto_nbdgm, off, (uint32_t)in.n);
    int type = rd_peek(&r, 0), flags = rd_peek(&r, 1);
    bool carries = type >= DIRECT_UNIQUE && type <= BROADCAST;
    d_rows(d, &r, D_ROWS(head));
    if (carries) {
        d_rows(d, &r, D_ROWS(lengths));
        name_read(d, &r, FID_NBDGM_SOURCE_NAME);
        name_read(d, &r, FID_NBDGM_DESTINATION_NAME);
    } else if (type == ERROR) {
        get_u8(d, &r, FID_NBDGM_ERROR_CODE);
    } else if (type >= QUERY && type <= NEGATIVE) {
        name_read(d, &r, FID_NBDGM_DESTINATION_NAME);
    }
    fv_set_len(d->out, at, rd_off(&r) - off);
    if (!rd_ok(&r)) d_bad(d, &r);
    d_end(d);
    if (!rd_ok(&r) || !carries || !rd_left(&r)) return;
    if (flags & FIRST && slice_starts(rd_rest(&r), SLICE("\xffSMB"))) d->ops->call(d, &proto_smb, rd_rest(&r));
    else d_data(d, rd_rest(&r));
}

static void nbdgm_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *type = fv_first(v, FID_NBDGM_TYPE, at, end);
    const char *name = type ? field_value_name(&vals_nbdgm_type, type->u) : NULL;
    if (name) wr_s(w, name);
}

static bool nbdgm_label(struct writer *w, const struct fvec *v, uint32_t at) {
    const struct fval *f = &v->v[at];
    if (f->id == FID_NBDGM_FLAGS) {
        const char *node = field_value_name(&vals_nbdgm_node_type, f->u >> 2 & 3);
        wr_f(w, "Flags: 0x%02x%s%s, Node Type: %s", (unsigned)f->u, f->u & 1 ? ", More fragments follow" : "",
             f->u & FIRST ? ", This is first fragment" : "", node ? node : "Unknown");
        return true;
    }
    if (f->id != FID_NBDGM_SOURCE_NAME && f->id != FID_NBDGM_DESTINATION_NAME) return false;
    const char *of = field_value_name(&vals_netbios_name_type, f->extra - 1u);
    wr_f(w, "%s: ", field_of(f->id)->label);
    print_string(w, f->s);
    wr_f(w, " (%s)", of ? of : "Unknown");
    return true;
}

static const uint16_t info_fields[] = {FID_NBDGM_TYPE, 0};
static const struct proto_key keys[] = {{TABLE_UDP, 138}, {TABLE_COUNT, 0}};
const struct proto proto_nbdgm = {.name = "nbdgm",
                                  .column = "NBDS",
                                  .id = FID_NBDGM,
                                  .end = FID_NBDGM_END,
                                  .keys = keys,
                                  .read = nbdgm_read,
                                  .info = nbdgm_info,
                                  .info_fields = info_fields,
                                  .label = nbdgm_label};
