/* SPDX-License-Identifier: Apache-2.0 */
/* Virtual Router Redundancy Protocol: version 3 (RFC 5798 5.2) and 2 (RFC 3768 5.3). */
#include "proto/protos.h"

enum { PASSWORD = 8, SIMPLE_TEXT = 1 };

static void password_read(struct decode *d, struct reader *r) {
    uint32_t off = rd_off(r);
    struct slice text = rd_take(r, PASSWORD);
    if (!rd_ok(r)) return;
    const uint8_t *end = memchr(text.p, 0, PASSWORD);
    fv_s(d->out, FID_VRRP_AUTH_STRING, off, PASSWORD, end ? slice_head(text, (size_t)(end - text.p)) : text);
}

static void vrrp_read(struct decode *d, struct slice in) {
    static const struct d_row head[] = {{FID_VRRP_TYPEVER, 1},     {FID_VRRP_VERSION, 0}, {FID_VRRP_TYPE, 0},
                                        {FID_VRRP_VIRT_RTR_ID, 1}, {FID_VRRP_PRIO, 1},    {FID_VRRP_ADDR_COUNT, 1}};
    static const struct d_row second[] = {{FID_VRRP_AUTH_TYPE, 1}, {FID_VRRP_ADVER_INT, 1}};
    static const struct d_row third[] = {{FID_VRRP_RESERVED_MBZ, 1}};
    struct reader r = d_reader(d, in);
    d_begin(d, &proto_vrrp, rd_off(&r), (uint32_t)in.n);
    int version = rd_peek(&r, 0) >> 4, count = rd_peek(&r, 3), authentication = rd_peek(&r, 4);
    d_rows(d, &r, D_ROWS(head));
    if (version == 3) {
        struct reader interval = r;
        d_rows(d, &r, D_ROWS(third));
        rd_skip(&r, 1);
        uint32_t off = rd_off(&interval);
        uint16_t value = rd_be16(&interval);
        if (rd_ok(&interval)) fv_u(d->out, FID_VRRP_SHORT_ADVER_INT, off, 2, value & 0x0fff);
    } else {
        d_rows(d, &r, D_ROWS(second));
    }
    get_be16(d, &r, FID_VRRP_CHECKSUM);
    for (int i = 0; i < count && rd_ok(&r); i++) {
        if (d->src.len == 16) get_bytes(d, &r, FID_VRRP_IPV6_ADDR, 16);
        else get_be32(d, &r, FID_VRRP_IP_ADDR);
    }
    if (rd_ok(&r) && version == 2 && authentication == SIMPLE_TEXT) password_read(d, &r);
    if (!rd_ok(&r)) d_bad(d, &r);
    d_end(d);
}

static void vrrp_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *head = fv_first(v, FID_VRRP_TYPEVER, at, end);
    if (!head) return;
    if ((head->u & 15) == 1) wr_s(w, "Announcement");
    else wr_s(w, "Unknown");
    wr_f(w, " (v%u)", (unsigned)head->u >> 4);
}

static bool vrrp_label(struct writer *w, const struct fvec *v, uint32_t at) {
    const struct fval *f = &v->v[at];
    if (f->id != FID_VRRP_TYPEVER) return false;
    const char *type = field_value_name(&vals_vrrp_type, f->u & 15);
    wr_f(w, "Version %u, Packet type %u (%s)", (unsigned)f->u >> 4, (unsigned)f->u & 15, type ? type : "Unknown");
    return true;
}

static const uint16_t info_fields[] = {FID_VRRP_TYPEVER, 0};
static const struct proto_key keys[] = {{TABLE_IP, 112}, {TABLE_COUNT, 0}};
const struct proto proto_vrrp = {.name = "vrrp",
                                 .column = "VRRP",
                                 .id = FID_VRRP,
                                 .end = FID_VRRP_END,
                                 .keys = keys,
                                 .read = vrrp_read,
                                 .info = vrrp_info,
                                 .info_fields = info_fields,
                                 .label = vrrp_label};
