/* SPDX-License-Identifier: Apache-2.0 */
/* What switches of Cisco say about the trunks between them: DTP and VTP, by their headers. */
#include "proto/protos.h"

#include "field/print.h"

enum { DOMAIN_SIZE = 32, SUMMARY = 1 };

static void dtp_read(struct decode *d, struct slice in) {
    struct reader r = d_reader(d, in);
    d_begin(d, &proto_dtp, rd_off(&r), (uint32_t)in.n);
    get_u8(d, &r, FID_DTP_VERSION);
    if (!rd_ok(&r)) d_bad(d, &r);
    d_end(d);
}

static void dtp_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    (void)v, (void)at, (void)end;
    wr_s(w, "Dynamic Trunk Protocol");
}

static void vtp_read(struct decode *d, struct slice in) {
    static const struct d_row head[] = {
        {FID_VTP_VERSION, 1}, {FID_VTP_CODE, 1}, {FID_VTP_FOLLOWERS, 1}, {FID_VTP_MD_LEN, 1}};
    struct reader r = d_reader(d, in);
    d_begin(d, &proto_vtp, rd_off(&r), (uint32_t)in.n);
    int code = rd_peek(&r, 1), size = rd_peek(&r, 3);
    if (code == SUMMARY) {
        d_rows(d, &r, D_ROWS(head));
        uint32_t off = rd_off(&r);
        struct slice domain = rd_take(&r, DOMAIN_SIZE);
        if (rd_ok(&r)) fv_s(d->out, FID_VTP_MD, off, DOMAIN_SIZE, slice_head(domain, (size_t)size));
        get_be32(d, &r, FID_VTP_CONF_REV_NUM);
    } else {
        d_rows(d, &r, head, 2);
    }
    if (!rd_ok(&r)) d_bad(d, &r);
    d_end(d);
}

static void vtp_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *revision = fv_first(v, FID_VTP_CONF_REV_NUM, at, end);
    fv_value_say(w, v, FID_VTP_CODE, at, end);
    if (revision) wr_f(w, ", Revision: %u", (unsigned)revision->u);
}

static const struct proto_key dtp_keys[] = {{TABLE_SNAP_CISCO, 0x2004}, {TABLE_COUNT, 0}};
const struct proto proto_dtp = {.name = "dtp",
                                .column = "DTP",
                                .id = FID_DTP,
                                .end = FID_DTP_END,
                                .keys = dtp_keys,
                                .read = dtp_read,
                                .info = dtp_info};
static const uint16_t vtp_fields[] = {FID_VTP_CODE, FID_VTP_CONF_REV_NUM, 0};
static const struct proto_key vtp_keys[] = {{TABLE_SNAP_CISCO, 0x2003}, {TABLE_COUNT, 0}};
const struct proto proto_vtp = {.name = "vtp",
                                .column = "VTP",
                                .id = FID_VTP,
                                .end = FID_VTP_END,
                                .keys = vtp_keys,
                                .read = vtp_read,
                                .info = vtp_info,
                                .info_fields = vtp_fields};
