/* SPDX-License-Identifier: Apache-2.0 */
/* Generic Routing Encapsulation (RFC 2784; key and sequence number of RFC 2890; routing of RFC 1701; the enhanced
 * form of RFC 2637 4.1; in UDP: RFC 8086). */
#include "proto/erspan/erspan.h"
#include "proto/icmp/checksum.h"
#include "proto/protos.h"

enum { HAS_CHECKSUM = 0x8000, HAS_ROUTING = 0x4000, HAS_KEY = 0x2000, HAS_SEQUENCE = 0x1000, HAS_ACK = 0x0080 };
enum {
    TYPE_PPP = 0x880b,
    TYPE_WCCP = 0x883e,
    TYPE_ERSPAN = 0x88be,
    TYPE_ERSPAN_III = 0x22eb,
    TYPE_IPV4 = 0x0800,
    WCCP_HEADER = 4,
    ROUTES_MAX = 256
};

static void flags_add(struct decode *d, uint32_t off, uint16_t flags) {
    bool enhanced = (flags & 7) == 1;
    d_open_u(d, FID_GRE_FLAGS_AND_VERSION, off, 2, flags);
    fv_u(d->out, FID_GRE_FLAGS_CHECKSUM, off, 2, flags >> 15);
    fv_u(d->out, FID_GRE_FLAGS_ROUTING, off, 2, flags >> 14 & 1);
    fv_u(d->out, FID_GRE_FLAGS_KEY, off, 2, flags >> 13 & 1);
    fv_u(d->out, FID_GRE_FLAGS_SEQUENCE, off, 2, flags >> 12 & 1);
    fv_u(d->out, FID_GRE_FLAGS_STRICT, off, 2, flags >> 11 & 1);
    fv_u(d->out, FID_GRE_FLAGS_RECURSION, off, 2, flags >> 8 & 7);
    if (enhanced) fv_u(d->out, FID_GRE_FLAGS_ACK, off, 2, flags >> 7 & 1);
    fv_u(d->out, FID_GRE_FLAGS_RESERVED, off, 2, flags >> 3 & (enhanced ? 0x0f : 0x1f));
    fv_u(d->out, FID_GRE_FLAGS_VERSION, off, 2, flags & 7);
    fv_close(d->out);
}

static void checksum_read(struct decode *d, struct reader *r, struct slice whole) {
    uint32_t off = rd_off(r);
    get_be16(d, r, FID_GRE_CHECKSUM);
    if (!rd_ok(r) || !d_wants(d, FID_GRE_CHECKSUM_STATUS)) return;
    uint8_t status = CHECKSUM_UNVERIFIED;
    if (!d->cut && !d->quoted) status = checksum_fold(checksum_add(0, whole)) ? CHECKSUM_BAD : CHECKSUM_GOOD;
    fv_gen(fv_u(d->out, FID_GRE_CHECKSUM_STATUS, off, 0, status));
}

/* routes_skip passes over the source route entries of RFC 1701; an entry of length 0 is the last. */
static void routes_skip(struct reader *r) {
    for (int i = 0; i < ROUTES_MAX && rd_ok(r); i++) {
        uint16_t family = rd_be16(r);
        rd_skip(r, 1);
        uint8_t len = rd_u8(r);
        rd_skip(r, len);
        if (!family && !len) return;
    }
}

static void options_read(struct decode *d, struct reader *r, uint16_t flags, struct slice whole) {
    bool enhanced = (flags & 7) == 1;
    if (flags & (HAS_CHECKSUM | HAS_ROUTING)) {
        checksum_read(d, r, whole);
        get_be16(d, r, FID_GRE_OFFSET);
    }
    if ((flags & HAS_KEY) && enhanced) {
        get_be16(d, r, FID_GRE_KEY_PAYLOAD_LENGTH);
        get_be16(d, r, FID_GRE_KEY_CALL_ID);
    } else if (flags & HAS_KEY) {
        get_be32(d, r, FID_GRE_KEY);
    }
    if (flags & HAS_SEQUENCE) get_be32(d, r, FID_GRE_SEQUENCE_NUMBER);
    if ((flags & HAS_ACK) && enhanced) get_be32(d, r, FID_GRE_ACK_NUMBER);
    if (flags & HAS_ROUTING) routes_skip(r);
}

/* aruba_type tells whether Aruba's access points carry frames of 802.11 under this type; its last hex digit but one is
 * a queue. */
static bool aruba_type(uint16_t type) { return (type >= 0x8200 && type <= 0x8370 && type % 16 == 0) || type == 0x9000; }

static void payload_pass(struct decode *d, uint16_t type, uint16_t flags, struct slice payload) {
    if (!payload.n) return;
    if (type == TYPE_PPP) {
        d->ops->call(d, &proto_ppp, payload);
        return;
    }
    if (type == TYPE_ERSPAN && !(flags & HAS_SEQUENCE)) {
        erspan_bare_read(d, payload);
        return;
    }
    if (type == TYPE_ERSPAN || type == TYPE_ERSPAN_III) {
        d->ops->call(d, &proto_erspan, payload);
        return;
    }
    if (type == TYPE_WCCP) { /* IPv4, in WCCP version 2 behind a redirect header */
        if (payload.p[0] >> 4 != 4) payload = slice_tail(payload, WCCP_HEADER);
        type = TYPE_IPV4;
    }
    if (aruba_type(type)) {
        d->ops->call(d, &proto_wlan, payload);
        return;
    }
    enum { OSI = 0x00fe }; /* RFC 1701: a service access point of LLC */
    enum proto_table table = type == OSI ? TABLE_LLC : TABLE_ETHERTYPE;
    if (!d->ops->next(d, table, type, payload)) d_data(d, payload);
}

static void gre_read(struct decode *d, struct slice in) {
    enum { HEADER = 4 };
    if (!d_header(d, &proto_gre, in, HEADER)) return;
    struct reader r = d_reader(d, in);
    uint32_t off = rd_off(&r), at = d_begin(d, &proto_gre, off, HEADER);
    uint16_t flags = rd_be16(&r);
    if (rd_ok(&r)) flags_add(d, off, flags);
    uint16_t type = get_be16(d, &r, FID_GRE_PROTO);
    if (rd_ok(&r)) options_read(d, &r, flags, in);
    fv_set_len(d->out, at, rd_off(&r) - off);
    if (!rd_ok(&r)) d_bad(d, &r);
    d_end(d);
    if (rd_ok(&r)) payload_pass(d, type, flags, rd_rest(&r));
}

static void type_text(struct writer *w, const struct fval *type) {
    const char *name = aruba_type((uint16_t)type->u) ? "ARUBA WLAN" : field_value_name(&vals_gre_type, type->u);
    if (name) wr_s(w, name);
    else wr_f(w, "0x%04x", (unsigned)type->u);
}

static void gre_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *type = fv_first(v, FID_GRE_PROTO, at, end);
    if (!type) return;
    wr_s(w, "Encapsulated ");
    type_text(w, type);
}

static bool gre_label(struct writer *w, const struct fvec *v, uint32_t at) {
    if (v->v[at].id != FID_GRE) return false;
    const struct fval *type = fv_first(v, FID_GRE_PROTO, at, fv_end(v, at));
    if (!type) return false;
    wr_s(w, "Generic Routing Encapsulation (");
    type_text(w, type);
    wr_c(w, ')');
    return true;
}

static const uint16_t info_fields[] = {FID_GRE_PROTO, 0};
static const struct proto_key keys[] = {{TABLE_IP, 47}, {TABLE_UDP, 4754}, {TABLE_COUNT, 0}};
const struct proto proto_gre = {.name = "gre",
                                .column = "GRE",
                                .id = FID_GRE,
                                .end = FID_GRE_END,
                                .keys = keys,
                                .read = gre_read,
                                .info = gre_info,
                                .info_fields = info_fields,
                                .label = gre_label,
                                .carrier = true};
