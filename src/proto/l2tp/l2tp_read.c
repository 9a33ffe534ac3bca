/* SPDX-License-Identifier: Apache-2.0 */
/* Layer 2 Tunneling Protocol. Version 2 over UDP (RFC 2661 3.1): its header, and PPP in data messages. Version 3 over
 * UDP and over IP (RFC 3931 3.2, 4.1): its headers. What its sessions carry, and how long the cookie before it is, was
 * agreed upon by messages that are not taken apart: it is shown as bytes. */
#include "proto/protos.h"

enum { FLAG_CONTROL = 0x8000, FLAG_LENGTH = 0x4000, FLAG_SEQUENCE = 0x0800, FLAG_OFFSET = 0x0200, VERSION = 0x0f };

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

/* header3_read reads what follows the flags in version 3 (RFC 3931 3.2.1, 4.1.2.1). */
static void header3_read(struct decode *d, struct reader *r, bool control) {
    static const struct d_row head[] = {{FID_L2TP_LENGTH, 2}, {FID_L2TP_CCID, 4}, {FID_L2TP_NS, 2}, {FID_L2TP_NR, 2}};
    static const struct d_row session[] = {{FID_L2TP_RES, 2}, {FID_L2TP_SID, 4}};
    if (control) d_rows(d, r, D_ROWS(head));
    else d_rows(d, r, D_ROWS(session));
}

static uint16_t flags_read(struct decode *d, struct reader *r) {
    uint32_t off = rd_off(r);
    uint16_t flags = rd_be16(r);
    if (!rd_ok(r)) return 0;
    fv_u(d->out, FID_L2TP_TYPE, off, 2, flags >> 15);
    fv_u(d->out, FID_L2TP_VERSION, off, 2, flags & VERSION);
    return flags;
}

/* l2tp_read: over IP the session's number comes first, and number 0 stands for control messages (RFC 3931 4.1.1). */
static void l2tp_read(struct decode *d, struct slice in) {
    bool over_udp = d->layers && d->layer[d->layers - 1].proto == &proto_udp;
    if (over_udp && in.n >= 2 && (in.p[1] & VERSION) != 2 && (in.p[1] & VERSION) != 3) {
        d_data(d, in);
        return;
    }
    struct reader r = d_reader(d, in);
    uint32_t off = rd_off(&r), at = d_begin(d, &proto_l2tp, off, (uint32_t)in.n), version = 3;
    bool control = !over_udp && get_be32(d, &r, FID_L2TP_SID) == 0;
    if (over_udp || control) {
        uint16_t flags = flags_read(d, &r);
        version = flags & VERSION;
        control = flags & FLAG_CONTROL;
        if (version == 2) header_read(d, &r, flags);
        else if (version == 3) header3_read(d, &r, control);
    }
    bool carries = !control && (version == 2 || version == 3);
    if (!rd_ok(&r)) d_bad(d, &r);
    else if (carries) fv_set_len(d->out, at, rd_off(&r) - off);
    d_end(d);
    if (!rd_ok(&r) || !carries || !rd_left(&r)) return;
    if (version == 2) d->ops->call(d, &proto_ppp, rd_rest(&r));
    else d_data(d, rd_rest(&r));
}

static void l2tp_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *type = fv_first(v, FID_L2TP_TYPE, at, end);
    const struct fval *tunnel = fv_first(v, FID_L2TP_TUNNEL, at, end),
                      *session = fv_first(v, FID_L2TP_SESSION, at, end), *sid = fv_first(v, FID_L2TP_SID, at, end),
                      *ccid = fv_first(v, FID_L2TP_CCID, at, end);
    if (type && tunnel && session)
        wr_f(w, "%s  (tunnel id=%u, session id=%u)", type->u ? "Control Message" : "Data Message", (unsigned)tunnel->u,
             (unsigned)session->u);
    else if (ccid) wr_f(w, "Control Message (ccid=0x%08x)", (unsigned)ccid->u);
    else if (sid) wr_f(w, "D[S:0x%08X]", (unsigned)sid->u);
}

/* column_of: only version 3 has ids of 32 bits. */
static const char *column_of(const struct fvec *v, uint32_t at, uint32_t end) {
    return fv_first(v, FID_L2TP_SID, at, end) || fv_first(v, FID_L2TP_CCID, at, end) ? "L2TPv3" : NULL;
}

static const uint16_t info_fields[] = {FID_L2TP_TYPE, FID_L2TP_TUNNEL, FID_L2TP_SESSION,
                                       FID_L2TP_SID,  FID_L2TP_CCID,   0};
static const struct proto_key keys[] = {{TABLE_UDP, 1701}, {TABLE_IP, 115}, {TABLE_COUNT, 0}};
const struct proto proto_l2tp = {.name = "l2tp",
                                 .column = "L2TP",
                                 .column_of = column_of,
                                 .id = FID_L2TP,
                                 .end = FID_L2TP_END,
                                 .keys = keys,
                                 .read = l2tp_read,
                                 .info = l2tp_info,
                                 .info_fields = info_fields,
                                 .carrier = true};
