/* SPDX-License-Identifier: Apache-2.0 */
/* Link Layer Discovery Protocol (IEEE 802.1AB-2016 8 and 9): who the neighbour is. What organisations add (8.6) is told
 * by its organisation alone. */
#include "proto/protos.h"

#include "field/print.h"

enum {
    END,
    CHASSIS,
    PORT,
    TTL,
    PORT_DESCRIPTION,
    SYSTEM_NAME,
    SYSTEM_DESCRIPTION,
    CAPABILITIES,
    MANAGEMENT,
    ORGANISATION = 127
};
enum {
    CHASSIS_MAC = 4,
    CHASSIS_NETWORK = 5,
    PORT_MAC = 3,
    PORT_NETWORK = 4,
    FAMILY_IPV4 = 1,
    FAMILY_IPV6 = 2,
    TLVS_MAX = 1000
};

/* id_ids is how a chassis or a port may be called. */
struct id_ids {
    uint16_t subtype, any, mac, ip4, ip6;
    uint8_t is_mac, is_network;
};

static void id_read(struct decode *d, struct reader *r, const struct id_ids *ids) {
    uint8_t subtype = get_u8(d, r, ids->subtype);
    if (subtype == ids->is_mac && rd_left(r) == 6) {
        get_bytes(d, r, ids->mac, 6);
        return;
    }
    int family = -1;
    if (subtype == ids->is_network && rd_left(r)) family = get_u8(d, r, FID_LLDP_NETWORK_ADDRESS_SUBTYPE);
    if (family == FAMILY_IPV4 && rd_left(r) == 4) get_be32(d, r, ids->ip4);
    else if (family == FAMILY_IPV6 && rd_left(r) == 16) get_bytes(d, r, ids->ip6, 16);
    else get_bytes(d, r, ids->any, rd_left(r));
}

static void capabilities_read(struct decode *d, struct reader *r) {
#define CAPABILITY_ROWS(what)                                                                                          \
    {FID_LLDP_TLV_##what, 2}, {FID_LLDP_TLV_##what##_OTHER, 0}, {FID_LLDP_TLV_##what##_REPEATER, 0},                   \
        {FID_LLDP_TLV_##what##_BRIDGE, 0}, {FID_LLDP_TLV_##what##_WLAN_ACCESS_PT, 0},                                  \
        {FID_LLDP_TLV_##what##_ROUTER, 0}, {FID_LLDP_TLV_##what##_TELEPHONE, 0},                                       \
        {FID_LLDP_TLV_##what##_DOCSIS_CABLE_DEVICE, 0}, {                                                              \
        FID_LLDP_TLV_##what##_STATION_ONLY, 0                                                                          \
    }
    static const struct d_row rows[] = {CAPABILITY_ROWS(SYSTEM_CAP), CAPABILITY_ROWS(ENABLE_SYSTEM_CAP)};
    d_rows(d, r, D_ROWS(rows));
}

/* management_read: IEEE 802.1AB-2016 8.5.9. */
static void management_read(struct decode *d, struct reader *r) {
    static const struct d_row interface[] = {{FID_LLDP_MGN_INTERFACE_SUBTYPE, 1}, {FID_LLDP_MGN_INTERFACE_NUMBER, 4}};
    uint8_t n = get_u8(d, r, FID_LLDP_MGN_ADDRESS_LEN);
    uint8_t family = get_u8(d, r, FID_LLDP_MGN_ADDRESS_SUBTYPE);
    if (!rd_ok(r) || !n) return;
    if (family == FAMILY_IPV4 && n == 5) get_be32(d, r, FID_LLDP_MGN_ADDR_IP4);
    else if (family == FAMILY_IPV6 && n == 17) get_bytes(d, r, FID_LLDP_MGN_ADDR_IP6, 16);
    else get_bytes(d, r, FID_LLDP_MGN_ADDR_HEX, n - 1u);
    d_rows(d, r, D_ROWS(interface));
    uint8_t oid = get_u8(d, r, FID_LLDP_MGN_OBJ_LEN);
    if (rd_ok(r) && oid) get_bytes(d, r, FID_LLDP_MGN_OBJ_ID, oid);
}

static void value_read(struct decode *d, struct reader *r, unsigned type) {
    static const struct id_ids chassis = {FID_LLDP_CHASSIS_SUBTYPE, FID_LLDP_CHASSIS_ID,     FID_LLDP_CHASSIS_ID_MAC,
                                          FID_LLDP_CHASSIS_ID_IP4,  FID_LLDP_CHASSIS_ID_IP6, CHASSIS_MAC,
                                          CHASSIS_NETWORK};
    static const struct id_ids port = {FID_LLDP_PORT_SUBTYPE, FID_LLDP_PORT_ID,     FID_LLDP_PORT_ID_MAC,
                                       FID_LLDP_PORT_ID_IP4,  FID_LLDP_PORT_ID_IP6, PORT_MAC,
                                       PORT_NETWORK};
    switch (type) {
    case CHASSIS: id_read(d, r, &chassis); break;
    case PORT: id_read(d, r, &port); break;
    case TTL: get_be16(d, r, FID_LLDP_TIME_TO_LIVE); break;
    case PORT_DESCRIPTION: get_bytes(d, r, FID_LLDP_PORT_DESC, rd_left(r)); break;
    case SYSTEM_NAME: get_bytes(d, r, FID_LLDP_TLV_SYSTEM_NAME, rd_left(r)); break;
    case SYSTEM_DESCRIPTION: get_bytes(d, r, FID_LLDP_TLV_SYSTEM_DESC, rd_left(r)); break;
    case CAPABILITIES: capabilities_read(d, r); break;
    case MANAGEMENT: management_read(d, r); break;
    case ORGANISATION: get_be24(d, r, FID_LLDP_ORGTLV_OUI); break;
    default: break;
    }
}

/* tlv_read reads one item and returns its type; END also where the bytes end too early. */
static unsigned tlv_read(struct decode *d, struct reader *r) {
    uint32_t off = rd_off(r);
    uint16_t head = rd_be16(r);
    unsigned type = head >> 9, n = head & 0x1ff;
    struct reader value = rd_sub(r, n);
    if (!rd_ok(r)) return END;
    d_open_u(d, FID_LLDP_TLV, off, n + 2, type);
    fv_u(d->out, FID_LLDP_TLV_TYPE, off, 2, type);
    fv_u(d->out, FID_LLDP_TLV_LEN, off, 2, n);
    value_read(d, &value, type);
    if (!rd_ok(&value)) rd_fail(r);
    fv_close(d->out);
    return type;
}

static void lldp_read(struct decode *d, struct slice in) {
    struct reader r = d_reader(d, in);
    uint32_t off = rd_off(&r), at = d_begin(d, &proto_lldp, off, (uint32_t)in.n);
    for (int i = 0; i < TLVS_MAX && tlv_read(d, &r) != END; i++) continue;
    fv_set_len(d->out, at, rd_off(&r) - off);
    if (!rd_ok(&r)) d_bad(d, &r);
    d->payload_end = r.p;
    d_end(d);
}

static const struct {
    uint8_t tlv, subtype;
    char short_name[3];
} kinds[] = {{CHASSIS, 1, "CC"}, {CHASSIS, 2, "IA"}, {CHASSIS, 3, "PC"}, {CHASSIS, 4, "MA"}, {CHASSIS, 5, "NA"},
             {CHASSIS, 6, "IN"}, {CHASSIS, 7, "LA"}, {PORT, 1, "IA"},    {PORT, 2, "PC"},    {PORT, 3, "MA"},
             {PORT, 4, "NA"},    {PORT, 5, "IN"},    {PORT, 6, "CI"},    {PORT, 7, "LA"}};

/* item_say says the value at `at` in the Info column, where the column has it. */
static void item_say(struct writer *w, const struct fvec *v, uint32_t at) {
    const struct fval *f = &v->v[at];
    unsigned tlv = f->id == FID_LLDP_CHASSIS_SUBTYPE ? CHASSIS : PORT;
    switch (f->id) {
    case FID_LLDP_CHASSIS_SUBTYPE:
    case FID_LLDP_PORT_SUBTYPE:
        for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
            if (kinds[i].tlv == tlv && kinds[i].subtype == f->u) wr_f(w, "%s/", kinds[i].short_name);
        break;
    case FID_LLDP_CHASSIS_ID_MAC:
    case FID_LLDP_PORT_ID_MAC:
    case FID_LLDP_CHASSIS_ID_IP4:
    case FID_LLDP_PORT_ID_IP4:
    case FID_LLDP_CHASSIS_ID_IP6:
    case FID_LLDP_PORT_ID_IP6:
        print_value(w, field_of(f->id), f);
        wr_c(w, ' ');
        break;
    case FID_LLDP_CHASSIS_ID:
    case FID_LLDP_PORT_ID:
        print_string(w, f->s);
        wr_c(w, ' ');
        break;
    case FID_LLDP_TIME_TO_LIVE: wr_f(w, "%u ", (unsigned)f->u); break;
    case FID_LLDP_TLV_SYSTEM_NAME:
    case FID_LLDP_TLV_SYSTEM_DESC:
        wr_s(w, f->id == FID_LLDP_TLV_SYSTEM_NAME ? "SysN=" : "SysD=");
        print_string(w, f->s);
        wr_c(w, ' ');
        break;
    default: break;
    }
}

static void lldp_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    for (uint32_t i = at; i < end; i++) item_say(w, v, i);
}

static bool lldp_label(struct writer *w, const struct fvec *v, uint32_t at) {
    const struct fval *f = &v->v[at];
    if (f->id != FID_LLDP_TLV) return false;
    const char *name = field_value_name(&vals_lldp_tlv_type, f->u);
    wr_s(w, name ? name : "Unknown TLV");
    return true;
}

static const uint16_t info_fields[] = {FID_LLDP_CHASSIS_SUBTYPE, FID_LLDP_CHASSIS_ID,
                                       FID_LLDP_CHASSIS_ID_MAC,  FID_LLDP_CHASSIS_ID_IP4,
                                       FID_LLDP_CHASSIS_ID_IP6,  FID_LLDP_PORT_SUBTYPE,
                                       FID_LLDP_PORT_ID,         FID_LLDP_PORT_ID_MAC,
                                       FID_LLDP_PORT_ID_IP4,     FID_LLDP_PORT_ID_IP6,
                                       FID_LLDP_TIME_TO_LIVE,    FID_LLDP_TLV_SYSTEM_NAME,
                                       FID_LLDP_TLV_SYSTEM_DESC, 0};
static const struct proto_key keys[] = {{TABLE_ETHERTYPE, 0x88cc}, {TABLE_COUNT, 0}};
const struct proto proto_lldp = {.name = "lldp",
                                 .column = "LLDP",
                                 .id = FID_LLDP,
                                 .end = FID_LLDP_END,
                                 .keys = keys,
                                 .read = lldp_read,
                                 .info = lldp_info,
                                 .info_fields = info_fields,
                                 .label = lldp_label};
