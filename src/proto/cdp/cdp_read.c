/* SPDX-License-Identifier: Apache-2.0 */
/* Cisco Discovery Protocol: who the neighbour is, as items of type, length (with the four bytes of both) and value.
 * Items not listed here are shown as bytes or by their type alone. */
#include "proto/icmp/checksum.h"
#include "proto/protos.h"

#include "field/print.h"

enum { HEAD = 4, NLPID = 1, IPV4_NLPID = 0xcc, ITEMS_MAX = 1000 };
enum {
    DEVICE = 0x01,
    ADDRESSES = 0x02,
    PORT = 0x03,
    CAPABILITIES = 0x04,
    SOFTWARE = 0x05,
    PLATFORM = 0x06,
    VTP_DOMAIN = 0x09,
    NATIVE_VLAN = 0x0a,
    DUPLEX = 0x0b,
    CONSUMPTION = 0x10,
    MTU = 0x11,
    TRUST = 0x12,
    UNTRUSTED_COS = 0x13,
    SYSTEM_NAME = 0x14,
    MANAGEMENT = 0x16,
    POWER_AVAILABLE = 0x1a
};

static void addresses_read(struct decode *d, struct reader *r) {
    uint32_t n = get_be32(d, r, FID_CDP_NUMBER_OF_ADDRESSES);
    for (uint32_t i = 0; i < n && rd_ok(r) && rd_left(r); i++) {
        uint32_t off = rd_off(r), at = fv_open(d->out, FID_CDP_ADDRESS_ENTRY, off, 0);
        uint8_t type = get_u8(d, r, FID_CDP_PROTOCOL_TYPE), length = get_u8(d, r, FID_CDP_PROTOCOL_LENGTH);
        struct slice protocol = get_bytes(d, r, FID_CDP_PROTOCOL, length);
        uint16_t size = get_be16(d, r, FID_CDP_ADDRESS_LENGTH);
        bool ipv4 = type == NLPID && protocol.n == 1 && protocol.p[0] == IPV4_NLPID && size == 4;
        if (rd_ok(r) && ipv4) get_be32(d, r, FID_CDP_NRGYZ_IP_ADDRESS);
        else if (rd_ok(r) && size == 16) get_bytes(d, r, FID_CDP_NRGYZ_IPV6_ADDRESS, 16);
        else if (rd_ok(r)) get_bytes(d, r, FID_CDP_ADDRESS, size);
        fv_set_len(d->out, at, rd_off(r) - off);
        fv_close(d->out);
    }
}

static void capabilities_read(struct decode *d, struct reader *r) {
    static const struct d_row rows[] = {{FID_CDP_CAPABILITIES, 4},
                                        {FID_CDP_CAPABILITIES_ROUTER, 0},
                                        {FID_CDP_CAPABILITIES_TRANS_BRIDGE, 0},
                                        {FID_CDP_CAPABILITIES_SRC_BRIDGE, 0},
                                        {FID_CDP_CAPABILITIES_SWITCH, 0},
                                        {FID_CDP_CAPABILITIES_HOST, 0},
                                        {FID_CDP_CAPABILITIES_IGMP_CAPABLE, 0},
                                        {FID_CDP_CAPABILITIES_REPEATER, 0},
                                        {FID_CDP_CAPABILITIES_VOIP_PHONE, 0},
                                        {FID_CDP_CAPABILITIES_REMOTE, 0},
                                        {FID_CDP_CAPABILITIES_CVTA, 0},
                                        {FID_CDP_CAPABILITIES_MAC_RELAY, 0}};
    d_rows(d, r, D_ROWS(rows));
}

/* lines_read shows each line of a text. */
static void lines_read(struct decode *d, struct reader *r, uint16_t id) {
    while (rd_left(r)) {
        const uint8_t *end = memchr(r->p, '\n', rd_left(r));
        size_t n = end ? (size_t)(end - r->p) : rd_left(r);
        get_bytes(d, r, id, n);
        rd_skip(r, end != NULL);
    }
}

static void value_read(struct decode *d, struct reader *r, uint16_t type) {
    switch (type) {
    case DEVICE: get_bytes(d, r, FID_CDP_DEVICEID, rd_left(r)); break;
    case ADDRESSES:
    case MANAGEMENT: addresses_read(d, r); break;
    case PORT: get_bytes(d, r, FID_CDP_PORTID, rd_left(r)); break;
    case CAPABILITIES: capabilities_read(d, r); break;
    case SOFTWARE: lines_read(d, r, FID_CDP_SOFTWARE_VERSION); break;
    case PLATFORM: get_bytes(d, r, FID_CDP_PLATFORM, rd_left(r)); break;
    case VTP_DOMAIN: get_bytes(d, r, FID_CDP_VTP_MANAGEMENT_DOMAIN, rd_left(r)); break;
    case NATIVE_VLAN: get_be16(d, r, FID_CDP_NATIVE_VLAN); break;
    case DUPLEX: get_u8(d, r, FID_CDP_DUPLEX); break;
    case CONSUMPTION: get_be16(d, r, FID_CDP_POWER_CONSUMPTION); break;
    case MTU: get_be32(d, r, FID_CDP_MTU); break;
    case TRUST: get_u8(d, r, FID_CDP_TRUST_BITMAP); break;
    case UNTRUSTED_COS: get_u8(d, r, FID_CDP_UNTRUSTED_PORT_COS); break;
    case SYSTEM_NAME: get_bytes(d, r, FID_CDP_SYSTEM_NAME, rd_left(r)); break;
    case POWER_AVAILABLE:
        get_be16(d, r, FID_CDP_REQUEST_ID);
        get_be16(d, r, FID_CDP_MANAGEMENT_ID);
        while (rd_left(r) >= 4) get_be32(d, r, FID_CDP_POWER_AVAILABLE);
        break;
    default: break;
    }
}

static bool item_read(struct decode *d, struct reader *r) {
    uint32_t off = rd_off(r);
    uint16_t type = rd_be16(r), n = rd_be16(r);
    if (!rd_ok(r) || n < HEAD) return false;
    struct reader value = rd_sub(r, n - (size_t)HEAD);
    if (!rd_ok(r)) return false;
    d_open_u(d, FID_CDP_TLV, off, n, type);
    fv_u(d->out, FID_CDP_TLV_TYPE, off, 2, type);
    fv_u(d->out, FID_CDP_TLV_LEN, off + 2, 2, n);
    value_read(d, &value, type);
    if (!rd_ok(&value)) rd_fail(r);
    fv_close(d->out);
    return rd_ok(r);
}

static void cdp_read(struct decode *d, struct slice in) {
    struct reader r = d_reader(d, in);
    d_begin(d, &proto_cdp, rd_off(&r), (uint32_t)in.n);
    get_u8(d, &r, FID_CDP_VERSION);
    get_u8(d, &r, FID_CDP_TTL);
    uint32_t off = rd_off(&r);
    get_be16(d, &r, FID_CDP_CHECKSUM);
    if (rd_ok(&r) && !d->cut && in.n % 2 == 0) /* of an odd length it is computed in a way of its own */
        fv_u(d->out, FID_CDP_CHECKSUM_STATUS, off, 0,
             checksum_fold(checksum_add(0, in)) ? CHECKSUM_BAD : CHECKSUM_GOOD);
    for (int i = 0; i < ITEMS_MAX && rd_left(&r) && item_read(d, &r); i++) continue;
    if (!rd_ok(&r)) d_bad(d, &r);
    d_end(d);
}

static void cdp_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *device = fv_first(v, FID_CDP_DEVICEID, at, end), *port = fv_first(v, FID_CDP_PORTID, at, end);
    if (device) {
        wr_s(w, "Device ID: ");
        print_string(w, device->s);
        wr_s(w, "  ");
    }
    if (port) {
        wr_s(w, "Port ID: ");
        print_string(w, port->s);
        wr_s(w, "  ");
    }
}

static bool cdp_label(struct writer *w, const struct fvec *v, uint32_t at) {
    const struct fval *f = &v->v[at];
    if (f->id != FID_CDP_TLV) return false;
    const char *name = field_value_name(&vals_cdp_tlv_type, f->u);
    if (name) wr_s(w, name);
    else wr_f(w, "Type: Unknown (0x%04x)", (unsigned)f->u);
    return true;
}

static const uint16_t info_fields[] = {FID_CDP_DEVICEID, FID_CDP_PORTID, 0};
static const struct proto_key keys[] = {{TABLE_SNAP_CISCO, 0x2000}, {TABLE_COUNT, 0}};
const struct proto proto_cdp = {.name = "cdp",
                                .column = "CDP",
                                .id = FID_CDP,
                                .end = FID_CDP_END,
                                .keys = keys,
                                .read = cdp_read,
                                .info = cdp_info,
                                .info_fields = info_fields,
                                .label = cdp_label};
