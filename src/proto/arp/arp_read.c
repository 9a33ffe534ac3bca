/* SPDX-License-Identifier: Apache-2.0 */
/* Address Resolution Protocol and its reverse, inverse and dynamic kin (RFC 826, 903, 2390, 1931; RFC 5227). */
#include "field/print.h"
#include "proto/protos.h"

enum { FIXED = 8, HW_ETHER = 1, HW_EXPERIMENTAL_ETHER = 2, HW_IEEE802 = 6 };
enum arp_op {
    OP_REQUEST = 1,
    OP_REPLY,
    OP_REVERSE_REQUEST,
    OP_REVERSE_REPLY,
    OP_DYNAMIC_REQUEST,
    OP_DYNAMIC_REPLY,
    OP_DYNAMIC_ERROR,
    OP_INVERSE_REQUEST,
    OP_INVERSE_REPLY,
    OP_NAK,
    OP_EXPERIMENT_1 = 24,
    OP_EXPERIMENT_2
};

/* Which fields the addresses of one side fill. */
struct side_ids {
    uint16_t hw, mac, proto, ipv4;
};
static const struct side_ids sender = {FID_ARP_SRC_HW, FID_ARP_SRC_HW_MAC, FID_ARP_SRC_PROTO, FID_ARP_SRC_PROTO_IPV4};
static const struct side_ids target = {FID_ARP_DST_HW, FID_ARP_DST_HW_MAC, FID_ARP_DST_PROTO, FID_ARP_DST_PROTO_IPV4};

/* arp_header is the fixed part. */
struct arp_header {
    uint16_t hw, proto, op;
    uint8_t hlen, plen;
};

static bool all_zero(struct slice s) {
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i]) return false;
    return true;
}

static void side_read(struct decode *d, struct reader *r, const struct arp_header *h, const struct side_ids *id) {
    bool ether = (h->hw == HW_ETHER || h->hw == HW_EXPERIMENTAL_ETHER || h->hw == HW_IEEE802) && h->hlen == 6;
    if (h->hlen) get_bytes(d, r, ether ? id->mac : id->hw, h->hlen);
    if (!h->plen) return;
    if (id == &target && h->op == OP_DYNAMIC_ERROR) {
        fv_u(d->out, FID_ARP_DST_DRARP_ERROR_STATUS, rd_off(r), 1, (uint64_t)rd_peek(r, 0));
        rd_skip(r, h->plen);
    } else if (h->proto == 0x0800 && h->plen == 4) {
        get_be32(d, r, id->ipv4);
    } else {
        get_bytes(d, r, id->proto, h->plen);
    }
}

/* kind_add says what a request or reply is for beyond asking (RFC 5227 1.1, 3). `body` starts with the sender. */
static void kind_add(struct decode *d, const struct arp_header *h, struct slice body, uint32_t off) {
    size_t pair = (size_t)h->hlen + h->plen;
    struct slice spa = slice_of(body.p + h->hlen, h->plen), tpa = slice_of(body.p + pair + h->hlen, h->plen);
    struct slice tha = slice_of(body.p + pair, h->hlen);
    if (!h->plen || (h->op != OP_REQUEST && h->op != OP_REPLY)) return;
    bool gratuitous = slice_eq(spa, tpa), asks_nobody = h->op == OP_REQUEST && all_zero(tha);
    if (gratuitous) fv_u(d->out, FID_ARP_ISGRATUITOUS, off, 0, 1);
    if (!gratuitous && asks_nobody && all_zero(spa)) fv_u(d->out, FID_ARP_ISPROBE, off, 0, 1);
    if (gratuitous && asks_nobody) fv_u(d->out, FID_ARP_ISANNOUNCEMENT, off, 0, 1);
}

static void arp_read(struct decode *d, struct slice in) {
    struct reader r = d_reader(d, in);
    uint32_t off = rd_off(&r), at = d_begin(d, &proto_arp, off, (uint32_t)in.n);
    struct arp_header h = {0};
    size_t whole = in.n < FIXED ? FIXED : FIXED + 2 * ((size_t)in.p[4] + in.p[5]);
    if (in.n < whole) {
        rd_fail(&r);
        d_bad(d, &r);
        d_end(d);
        return;
    }
    fv_set_len(d->out, at, (uint32_t)whole);
    h.hw = get_be16(d, &r, FID_ARP_HW_TYPE);
    h.proto = get_be16(d, &r, FID_ARP_PROTO_TYPE);
    h.hlen = get_u8(d, &r, FID_ARP_HW_SIZE);
    h.plen = get_u8(d, &r, FID_ARP_PROTO_SIZE);
    h.op = get_be16(d, &r, FID_ARP_OPCODE);
    kind_add(d, &h, rd_rest(&r), off);
    side_read(d, &r, &h, &sender);
    side_read(d, &r, &h, &target);
    d->payload_end = in.p + whole;
    d_end(d);
}

/* address_text writes the address that one of two fields holds, as bytes or as what it is. */
static void address_text(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end, uint16_t plain,
                         uint16_t known) {
    const struct fval *f = fv_first(v, known, at, end);
    if (f && field_of(known)->type == FT_IPV4) {
        print_ipv4(w, (uint32_t)f->u);
    } else if (f) {
        print_ether(w, f->s.p);
    } else {
        f = fv_first(v, plain, at, end);
        if (f) wr_hexbytes(w, f->s, 0);
        else wr_s(w, "<No address>");
    }
}

struct span {
    const struct fvec *v;
    uint32_t at, end;
};
static void hw_text(struct writer *w, struct span s, const struct side_ids *id) {
    address_text(w, s.v, s.at, s.end, id->hw, id->mac);
}
static void proto_text(struct writer *w, struct span s, const struct side_ids *id) {
    address_text(w, s.v, s.at, s.end, id->proto, id->ipv4);
}
static bool has(struct span s, uint16_t id) { return fv_first(s.v, id, s.at, s.end); }

static void request_info(struct writer *w, struct span s) {
    if (has(s, FID_ARP_ISANNOUNCEMENT)) {
        wr_s(w, "ARP Announcement for ");
        proto_text(w, s, &target);
    } else if (has(s, FID_ARP_ISGRATUITOUS)) {
        wr_s(w, "Gratuitous ARP for ");
        proto_text(w, s, &target);
        wr_s(w, " (Request)");
    } else {
        wr_s(w, "Who has ");
        proto_text(w, s, &target);
        wr_s(w, has(s, FID_ARP_ISPROBE) ? "? (ARP Probe)" : "? Tell ");
        if (!has(s, FID_ARP_ISPROBE)) proto_text(w, s, &sender);
    }
}

static void reply_info(struct writer *w, struct span s) {
    if (has(s, FID_ARP_ISGRATUITOUS)) {
        wr_s(w, "Gratuitous ARP for ");
        proto_text(w, s, &sender);
        wr_s(w, " (Reply)");
        return;
    }
    proto_text(w, s, &sender);
    wr_s(w, " is at ");
    hw_text(w, s, &sender);
}

static void arp_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *op = fv_first(v, FID_ARP_OPCODE, at, end);
    struct span s = {v, at, end};
    if (!op) return;
    switch (op->u) {
    case OP_REQUEST: request_info(w, s); break;
    case OP_REPLY: reply_info(w, s); break;
    case OP_REVERSE_REQUEST:
    case OP_DYNAMIC_REQUEST:
    case OP_INVERSE_REQUEST:
        wr_s(w, "Who is ");
        hw_text(w, s, &target);
        wr_s(w, "? Tell ");
        hw_text(w, s, &sender);
        break;
    case OP_REVERSE_REPLY:
    case OP_DYNAMIC_REPLY:
        hw_text(w, s, &target);
        wr_s(w, " is at ");
        proto_text(w, s, &target);
        break;
    case OP_INVERSE_REPLY:
        hw_text(w, s, &sender);
        wr_s(w, " is at ");
        proto_text(w, s, &sender);
        break;
    case OP_DYNAMIC_ERROR: wr_s(w, "DRARP Error"); break;
    case OP_NAK: wr_s(w, "ARP NAK"); break;
    case OP_EXPERIMENT_1:
    case OP_EXPERIMENT_2: wr_f(w, "Experimental %u ( opcode %u )", (unsigned)op->u - 23, (unsigned)op->u); break;
    default: wr_f(w, "Unknown ARP opcode 0x%04x", (unsigned)op->u);
    }
}

static const char *arp_column(const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *op = fv_first(v, FID_ARP_OPCODE, at, end);
    uint64_t code = op ? op->u : 0;
    if (code == OP_REVERSE_REQUEST || code == OP_REVERSE_REPLY) return "RARP";
    if (code >= OP_DYNAMIC_REQUEST && code <= OP_DYNAMIC_ERROR) return "DRARP";
    if (code == OP_INVERSE_REQUEST || code == OP_INVERSE_REPLY) return "Inverse ARP";
    return "ARP";
}

static bool arp_label(struct writer *w, const struct fvec *v, uint32_t at) {
    if (v->v[at].id != FID_ARP) return false;
    struct span s = {v, at, fv_end(v, at)};
    const struct fval *op = fv_first(v, FID_ARP_OPCODE, s.at, s.end);
    if (!op) return false;
    const char *name = field_value_name(&vals_arp_opcode, op->u);
    wr_s(w, "Address Resolution Protocol (");
    if (has(s, FID_ARP_ISPROBE)) wr_s(w, "ARP Probe");
    else if (has(s, FID_ARP_ISANNOUNCEMENT)) wr_s(w, "ARP Announcement");
    else {
        if (name) wr_s(w, name);
        else wr_f(w, "opcode 0x%04x", (unsigned)op->u);
        if (has(s, FID_ARP_ISGRATUITOUS)) wr_s(w, "/gratuitous ARP");
    }
    wr_c(w, ')');
    return true;
}

static const uint16_t info_fields[] = {FID_ARP_OPCODE,
                                       FID_ARP_ISGRATUITOUS,
                                       FID_ARP_ISPROBE,
                                       FID_ARP_ISANNOUNCEMENT,
                                       FID_ARP_SRC_HW,
                                       FID_ARP_SRC_HW_MAC,
                                       FID_ARP_SRC_PROTO,
                                       FID_ARP_SRC_PROTO_IPV4,
                                       FID_ARP_DST_HW,
                                       FID_ARP_DST_HW_MAC,
                                       FID_ARP_DST_PROTO,
                                       FID_ARP_DST_PROTO_IPV4,
                                       0};
static const struct proto_key keys[] = {{TABLE_ETHERTYPE, 0x0806}, {TABLE_ETHERTYPE, 0x8035}, {TABLE_COUNT, 0}};
const struct proto proto_arp = {.name = "arp",
                                .column = "ARP",
                                .id = FID_ARP,
                                .end = FID_ARP_END,
                                .keys = keys,
                                .read = arp_read,
                                .info = arp_info,
                                .info_fields = info_fields,
                                .column_of = arp_column,
                                .label = arp_label};
