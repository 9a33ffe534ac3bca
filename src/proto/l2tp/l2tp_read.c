/* SPDX-License-Identifier: Apache-2.0 */
/* Layer 2 Tunneling Protocol, version 2, over UDP (RFC 2661 3.1): its header, and PPP in data messages. */
#include "proto/protos.h"

enum { FLAG_CONTROL = 0x8000, FLAG_LENGTH = 0x4000, FLAG_SEQUENCE = 0x0800, FLAG_OFFSET = 0x0200, VERSION = 2 };

static void header_read(struct decode *d, struct reader *r, uint16_t flags) {
    if (flags & FLAG_LENGTH) get_be16(d, r, FID_L2TP_LENGTH);
    get_be16(d, r, FID_L2TP_TUNNEL);
    get_be16(d, r, FID_L2TP_SESSION);
    if (flags & FLAG_SEQUENCE) {
        get_be16(d, r, FID_L2TP_NS);
        get_be16(d, r, FID_L2TP_NR);
    }
    if (!(flags & FLAG_OFFSET)) return;
    uint16_t pad = get_be16(d, r, FID_L2TP_OFFSET);
    rd_skip(r, pad);
}

static void l2tp_read(struct decode *d, struct slice in) {
    struct reader r = d_reader(d, in);
    uint32_t off = rd_off(&r), at = d_begin(d, &proto_l2tp, off, (uint32_t)in.n);
    uint16_t flags = rd_be16(&r);
    bool control = flags & FLAG_CONTROL, known = (flags & 15) == VERSION;
    if (rd_ok(&r)) {
        fv_u(d->out, FID_L2TP_TYPE, off, 2, flags >> 15);
        fv_u(d->out, FID_L2TP_VERSION, off, 2, flags & 15);
    }
    if (known) header_read(d, &r, flags);
    if (!rd_ok(&r)) d_bad(d, &r);
    else if (known && !control) fv_set_len(d->out, at, rd_off(&r) - off);
    d_end(d);
    if (rd_ok(&r) && known && !control && rd_left(&r)) d->ops->call(d, &proto_ppp, rd_rest(&r));
}

static void l2tp_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *type = fv_first(v, FID_L2TP_TYPE, at, end);
    const struct fval *tunnel = fv_first(v, FID_L2TP_TUNNEL, at, end),
                      *session = fv_first(v, FID_L2TP_SESSION, at, end);
    if (!type || !tunnel || !session) return;
    wr_f(w, "%s  (tunnel id=%u, session id=%u)", type->u ? "Control Message" : "Data Message", (unsigned)tunnel->u,
         (unsigned)session->u);
}

static const uint16_t info_fields[] = {FID_L2TP_TYPE, FID_L2TP_TUNNEL, FID_L2TP_SESSION, 0};
static const struct proto_key keys[] = {{TABLE_UDP, 1701}, {TABLE_COUNT, 0}};
const struct proto proto_l2tp = {.name = "l2tp",
                                 .column = "L2TP",
                                 .id = FID_L2TP,
                                 .end = FID_L2TP_END,
                                 .keys = keys,
                                 .read = l2tp_read,
                                 .info = l2tp_info,
                                 .info_fields = info_fields,
                                 .carrier = true};
