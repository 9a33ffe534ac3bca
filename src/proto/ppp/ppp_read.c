/* SPDX-License-Identifier: Apache-2.0 */
/* Point-to-Point Protocol headers (RFC 1661, 1662) and PPP over Ethernet (RFC 2516). What control protocols
 * negotiate is not decoded. */
#include "field/print.h"
#include "proto/protos.h"

enum { ADDRESS_CONTROL = 0xff03, PPPOE_HEADER = 6, FCS = 4, LEAST_FRAME = 60 };
enum pppoe_tag {
    TAG_END = 0,
    TAG_SERVICE_NAME = 0x0101,
    TAG_AC_NAME,
    TAG_HOST_UNIQ,
    TAG_AC_COOKIE,
    TAG_VENDOR,
    TAG_RELAY = 0x0110,
    TAG_HURL,
    TAG_MOTM,
    TAG_MAX_PAYLOAD = 0x0120,
    TAG_IP_ROUTE_ADD,
    TAG_SERVICE_ERROR = 0x0201,
    TAG_AC_ERROR,
    TAG_GENERIC_ERROR
};

static void ppp_read(struct decode *d, struct slice in) {
    struct reader r = d_reader(d, in);
    uint32_t start = rd_off(&r), at = d_begin(d, &proto_ppp, start, 0);
    if (in.n >= 2 && load_be16(in.p) == ADDRESS_CONTROL) {
        get_u8(d, &r, FID_PPP_ADDRESS);
        get_u8(d, &r, FID_PPP_CONTROL);
    }
    /* RFC 1661 2: a protocol ends with an odd byte, which may be the only one (RFC 1661 6.5). */
    uint32_t off = rd_off(&r);
    uint16_t protocol = rd_u8(&r);
    if (rd_ok(&r) && !(protocol & 1)) protocol = (uint16_t)(protocol << 8 | rd_u8(&r));
    if (rd_ok(&r)) fv_u(d->out, FID_PPP_PROTOCOL, off, rd_off(&r) - off, protocol);
    else d_bad(d, &r);
    fv_set_len(d->out, at, rd_off(&r) - start);
    d_end(d);
    if (rd_ok(&r) && !d->ops->next(d, TABLE_PPP, protocol, rd_rest(&r))) d_data(d, rd_rest(&r));
}

static void ppp_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *protocol = fv_first(v, FID_PPP_PROTOCOL, at, end);
    if (!protocol) return;
    const char *name = field_value_name(&vals_ppp_protocol, protocol->u);
    if (name) wr_f(w, "PPP %s (0x%04x)", name, (unsigned)protocol->u);
    else wr_f(w, "PPP Unknown (0x%04x)", (unsigned)protocol->u);
}

/* pppoe_header reads the common header and returns its payload. */
static struct slice pppoe_header(struct decode *d, struct reader *r, bool session) {
    uint32_t off = rd_off(r);
    if (!rd_need(r, PPPOE_HEADER)) return (struct slice){r->p, 0};
    uint8_t first = rd_u8(r);
    fv_u(d->out, FID_PPPOE_VERSION, off, 1, first >> 4);
    fv_u(d->out, FID_PPPOE_TYPE, off, 1, first & 15);
    get_u8(d, r, FID_PPPOE_CODE);
    get_be16(d, r, FID_PPPOE_SESSION_ID);
    uint16_t len = rd_be16(r);
    size_t have = rd_left(r);
    bool odd = session && have > len && have != (size_t)len + FCS && d->pkt->len > LEAST_FRAME;
    d_open_u(d, FID_PPPOE_PAYLOAD_LENGTH, off + 4, 2, len);
    if (odd) {
        struct fval *f = d_anomaly(d, FID_PPPOE_PAYLOAD_LENGTH_BAD, off + 4, 2);
        if (f) f->extra = (uint16_t)have;
    }
    fv_close(d->out);
    return slice_head(rd_rest(r), len);
}

static void pppoes_read(struct decode *d, struct slice in) {
    struct reader r = d_reader(d, in);
    d_begin(d, &proto_pppoes, rd_off(&r), PPPOE_HEADER);
    struct slice payload = pppoe_header(d, &r, true);
    if (!rd_ok(&r)) d_bad(d, &r);
    d_end(d);
    if (rd_ok(&r)) d->ops->call(d, &proto_ppp, payload);
    d->payload_end = NULL; /* what follows the payload is shown nowhere */
}

/* tag_field returns the field that holds a tag's value; 0 for tags nobody defined. */
static uint16_t tag_field(uint16_t tag) {
    switch (tag) {
    case TAG_SERVICE_NAME: return FID_PPPOED_TAGS_SERVICE_NAME;
    case TAG_AC_NAME: return FID_PPPOED_TAGS_AC_NAME;
    case TAG_HOST_UNIQ: return FID_PPPOED_TAGS_HOST_UNIQ;
    case TAG_AC_COOKIE: return FID_PPPOED_TAGS_AC_COOKIE;
    case TAG_RELAY: return FID_PPPOED_TAGS_RELAY_SESSION_ID;
    case TAG_HURL: return FID_PPPOED_TAGS_HURL;
    case TAG_MOTM: return FID_PPPOED_TAGS_MOTM;
    case TAG_MAX_PAYLOAD: return FID_PPPOED_TAGS_MAX_PAYLOAD;
    case TAG_IP_ROUTE_ADD: return FID_PPPOED_TAGS_IP_ROUTE_ADD;
    case TAG_SERVICE_ERROR: return FID_PPPOED_TAGS_SERVICE_NAME_ERROR;
    case TAG_AC_ERROR: return FID_PPPOED_TAGS_AC_SYSTEM_ERROR;
    case TAG_GENERIC_ERROR: return FID_PPPOED_TAGS_GENERIC_ERROR;
    default: return 0;
    }
}

static void tag_read(struct decode *d, uint16_t tag, uint32_t off, struct reader *value) {
    uint16_t id = tag_field(tag);
    uint16_t len = (uint16_t)rd_left(value);
    if (tag == TAG_VENDOR) {
        if (len >= 4) get_be32(d, value, FID_PPPOED_TAGS_VENDOR_ID);
        if (rd_left(value)) get_bytes(d, value, FID_PPPOED_TAGS_VENDOR_UNSPECIFIED, rd_left(value));
    } else if (id) {
        if (len || tag >= TAG_SERVICE_ERROR) get_bytes(d, value, id, len);
    } else {
        fv_u(d->out, FID_PPPOED_TAG, off, 2, tag);
        fv_u(d->out, FID_PPPOED_TAG_LENGTH, off + 2, 2, len);
        if (len) get_bytes(d, value, FID_PPPOED_TAG_UNKNOWN_DATA, len);
    }
}

static void pppoed_read(struct decode *d, struct slice in) {
    struct reader r = d_reader(d, in);
    uint32_t at = d_begin(d, &proto_pppoed, rd_off(&r), (uint32_t)in.n);
    struct slice payload = pppoe_header(d, &r, false);
    if (rd_ok(&r)) fv_set_len(d->out, at, (uint32_t)(PPPOE_HEADER + payload.n));
    struct reader tags = d_reader(d, payload);
    if (payload.n) fv_open(d->out, FID_PPPOED_TAGS, rd_off(&tags), (uint32_t)payload.n);
    while (rd_ok(&tags) && rd_left(&tags)) {
        uint32_t off = rd_off(&tags);
        uint16_t tag = rd_be16(&tags), len = rd_be16(&tags);
        struct reader value = rd_sub(&tags, len);
        if (!rd_ok(&tags) || tag == TAG_END) break;
        tag_read(d, tag, off, &value);
    }
    if (payload.n) fv_close(d->out);
    if (!rd_ok(&r) || !rd_ok(&tags)) d_bad(d, rd_ok(&r) ? &tags : &r);
    d_end(d);
    d->payload_end = NULL;
}

static void pppoe_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *code = fv_first(v, FID_PPPOE_CODE, at, end);
    const struct fval *name = fv_first(v, FID_PPPOED_TAGS_AC_NAME, at, end);
    if (!code) return;
    const char *text = field_value_name(&vals_pppoe_code, code->u);
    wr_s(w, text ? text : "Unknown");
    if (!name) return;
    wr_s(w, " AC-Name='");
    print_string(w, name->s);
    wr_c(w, '\'');
}

static bool pppoe_label(struct writer *w, const struct fvec *v, uint32_t at) {
    const struct fval *f = &v->v[at];
    if (f->id != FID_PPPOE_PAYLOAD_LENGTH_BAD || !at) return false;
    wr_f(w, "Possible bad payload length %u != %u", (unsigned)v->v[at - 1].u, f->extra);
    return true;
}

static const uint16_t ppp_info_fields[] = {FID_PPP_PROTOCOL, 0};
static const struct proto_key ppp_keys[] = {{TABLE_LINK, 9}, {TABLE_LINK, 50}, {TABLE_COUNT, 0}};
const struct proto proto_ppp = {.name = "ppp",
                                .column = "PPP",
                                .id = FID_PPP,
                                .end = FID_PPP_END,
                                .keys = ppp_keys,
                                .read = ppp_read,
                                .info = ppp_info,
                                .info_fields = ppp_info_fields};

/* The fields that discovery and session share; never a layer of its own. */
const struct proto proto_pppoe = {.name = "pppoe", .id = FID_PPPOE, .end = FID_PPPOE_END, .label = pppoe_label};

static const uint16_t pppoe_info_fields[] = {FID_PPPOE_CODE, FID_PPPOED_TAGS_AC_NAME, 0};
static const struct proto_key pppoes_keys[] = {{TABLE_ETHERTYPE, 0x8864}, {TABLE_COUNT, 0}};
const struct proto proto_pppoes = {.name = "pppoes",
                                   .column = "PPPoES",
                                   .id = FID_PPPOES,
                                   .end = FID_PPPOES_END,
                                   .keys = pppoes_keys,
                                   .read = pppoes_read,
                                   .info = pppoe_info,
                                   .info_fields = pppoe_info_fields};

static const struct proto_key pppoed_keys[] = {{TABLE_ETHERTYPE, 0x8863}, {TABLE_COUNT, 0}};
const struct proto proto_pppoed = {.name = "pppoed",
                                   .column = "PPPoED",
                                   .id = FID_PPPOED,
                                   .end = FID_PPPOED_END,
                                   .keys = pppoed_keys,
                                   .read = pppoed_read,
                                   .info = pppoe_info,
                                   .info_fields = pppoe_info_fields};
