/* SPDX-License-Identifier: Apache-2.0 */
/* DHCP for IPv6 (RFC 8415).
 *
 * Messages of clients, servers and relays; what relays pass on is read inside the option that carries it. Options not
 * listed in option_read show their type and length. Options inside options and messages inside messages end at
 * DEPTH_MAX. */
#include "proto/protos.h"

#include "field/print.h"

enum {
    ADVERTISE = 2,
    REPLY = 7,
    RELAY_FORWARD = 12,
    RELAY_REPLY = 13,
    DEPTH_MAX = 8,
    TEXT_MAX = 256,
    TO_1970 = 946684800 /* seconds, from 2000 */
};
enum {
    CLIENT_ID = 1,
    SERVER_ID = 2,
    IA_NA = 3,
    IA_TA = 4,
    IA_ADDRESS = 5,
    REQUEST = 6,
    PREFERENCE = 7,
    ELAPSED = 8,
    RELAY_MESSAGE = 9,
    STATUS = 13,
    VENDOR_CLASS = 16,
    INTERFACE = 18,
    DNS_SERVERS = 23,
    DNS_DOMAINS = 24,
    IA_PD = 25,
    IA_PREFIX = 26,
    SNTP_SERVERS = 31,
    REFRESH = 32,
    CLIENT_NAME = 39
};
enum duid_type { DUID_LINK_TIME = 1, DUID_ENTERPRISE, DUID_LINK, DUID_UUID };

static void message_read(struct decode *d, struct reader *r, unsigned depth);

/* hex_get adds bytes as hexadecimal text; `colons` between them. */
static void hex_get(struct decode *d, struct reader *r, uint16_t id, size_t n, bool colons) {
    uint32_t off = rd_off(r);
    struct slice bytes = rd_take(r, n);
    char *text = d_wants(d, id) ? arena_get(d->arena, n * 3 + 1) : NULL;
    if (!rd_ok(r) || !text) return;
    struct writer w = wr_fixed(text, n * 3 + 1);
    wr_hexbytes(&w, bytes, colons ? ':' : 0);
    fv_s(d->out, id, off, (uint32_t)n, wr_done(&w));
}

/* duid_read: RFC 8415 11. */
static void duid_read(struct decode *d, struct reader *r) {
    uint32_t off = rd_off(r);
    fv_s(d->out, FID_DHCPV6_DUID_BYTES, off, (uint32_t)rd_left(r), rd_rest(r));
    uint16_t type = get_be16(d, r, FID_DHCPV6_DUID_TYPE);
    switch (rd_ok(r) ? type : 0) {
    case DUID_LINK_TIME:
        get_be16(d, r, FID_DHCPV6_DUIDLLT_HWTYPE);
        off = rd_off(r);
        int64_t seconds = rd_be32(r);
        if (rd_ok(r)) fv_i(d->out, FID_DHCPV6_DUIDLLT_TIME, off, 4, (seconds + TO_1970) * 1000000000);
        if (rd_left(r)) hex_get(d, r, FID_DHCPV6_DUIDLLT_LINK_LAYER_ADDR, rd_left(r), true);
        break;
    case DUID_ENTERPRISE:
        get_be32(d, r, FID_DHCPV6_DUIDEN_ENTERPRISE);
        if (rd_left(r)) get_bytes(d, r, FID_DHCPV6_DUIDEN_IDENTIFIER, rd_left(r));
        break;
    case DUID_LINK:
        get_be16(d, r, FID_DHCPV6_DUIDLL_HWTYPE);
        if (rd_left(r)) hex_get(d, r, FID_DHCPV6_DUIDLL_LINK_LAYER_ADDR, rd_left(r), true);
        break;
    case DUID_UUID: get_bytes(d, r, FID_DHCPV6_DUIDUUID_BYTES, rd_left(r)); break;
    default: break;
    }
}

/* name_read reads one domain name (RFC 8415 10); a partial one has no root and ends with its option. */
static void name_read(struct decode *d, struct reader *r, uint16_t id) {
    uint32_t off = rd_off(r);
    char *text = arena_get(d->arena, TEXT_MAX);
    struct writer w = wr_fixed(text, text ? TEXT_MAX : 0);
    uint8_t n;
    while (rd_left(r) && (n = rd_u8(r))) {
        struct slice label = rd_take(r, n);
        if (wr_len(&w)) wr_c(&w, '.');
        wr_slice(&w, label);
    }
    if (rd_ok(r) && text) fv_s(d->out, id, off, rd_off(r) - off, wr_done(&w));
}

/* client_name_read: RFC 4704 4. */
static void client_name_read(struct decode *d, struct reader *r, bool from_server) {
    static const struct d_row client[] = {
        {FID_DHCPV6_CLIENT_FQDN_FLAGS, 1}, {FID_DHCPV6_CLIENTFQDN_CLIENT_N, 0}, {FID_DHCPV6_CLIENTFQDN_CLIENT_S, 0}};
    static const struct d_row server[] = {{FID_DHCPV6_CLIENT_FQDN_FLAGS, 1},
                                          {FID_DHCPV6_CLIENTFQDN_SERVER_N, 0},
                                          {FID_DHCPV6_CLIENTFQDN_SERVER_O, 0},
                                          {FID_DHCPV6_CLIENTFQDN_SERVER_S, 0}};
    if (from_server) d_rows(d, r, D_ROWS(server));
    else d_rows(d, r, D_ROWS(client));
    name_read(d, r, FID_DHCPV6_CLIENT_DOMAIN);
}

static void options_read(struct decode *d, struct reader *r, unsigned depth, uint8_t message);

static void association_read(struct decode *d, struct reader *r, unsigned depth, uint8_t message) {
    hex_get(d, r, FID_DHCPV6_IAID, 4, false);
    get_be32(d, r, FID_DHCPV6_IAID_T1);
    get_be32(d, r, FID_DHCPV6_IAID_T2);
    options_read(d, r, depth + 1, message);
}

static void vendor_class_read(struct decode *d, struct reader *r) {
    get_be32(d, r, FID_DHCPV6_VENDORCLASS_ENTERPRISE);
    while (rd_left(r) >= 2) get_bytes(d, r, FID_DHCPV6_VENDORCLASS_DATA, rd_be16(r));
}

static void option_read(struct decode *d, struct reader *r, uint16_t type, unsigned depth, uint8_t message) {
    static const struct d_row address[] = {
        {FID_DHCPV6_IAADDR_IP, 16}, {FID_DHCPV6_IAADDR_PREF_LIFETIME, 4}, {FID_DHCPV6_IAADDR_VALID_LIFETIME, 4}};
    static const struct d_row prefix[] = {{FID_DHCPV6_IAPREFIX_PREF_LIFETIME, 4},
                                          {FID_DHCPV6_IAPREFIX_VALID_LIFETIME, 4},
                                          {FID_DHCPV6_IAPREFIX_PREF_LEN, 1},
                                          {FID_DHCPV6_IAPREFIX_PREF_ADDR, 16}};
    switch (type) {
    case CLIENT_ID:
    case SERVER_ID: duid_read(d, r); break;
    case IA_NA:
    case IA_PD: association_read(d, r, depth, message); break;
    case IA_TA:
        hex_get(d, r, FID_DHCPV6_IATA, 4, false);
        options_read(d, r, depth + 1, message);
        break;
    case IA_ADDRESS:
        d_rows(d, r, D_ROWS(address));
        options_read(d, r, depth + 1, message);
        break;
    case IA_PREFIX:
        d_rows(d, r, D_ROWS(prefix));
        options_read(d, r, depth + 1, message);
        break;
    case REQUEST:
        while (rd_left(r) >= 2) get_be16(d, r, FID_DHCPV6_REQUESTED_OPTION_CODE);
        break;
    case PREFERENCE: get_u8(d, r, FID_DHCPV6_OPTION_PREFERENCE); break;
    case ELAPSED: {
        uint32_t off = rd_off(r);
        uint16_t hundredths = rd_be16(r);
        if (rd_ok(r)) fv_u(d->out, FID_DHCPV6_ELAPSED_TIME, off, 2, hundredths * 10u);
        break;
    }
    case RELAY_MESSAGE: message_read(d, r, depth + 1); break;
    case STATUS:
        get_be16(d, r, FID_DHCPV6_STATUS_CODE);
        if (rd_left(r)) get_bytes(d, r, FID_DHCPV6_STATUS_MSG, rd_left(r));
        break;
    case VENDOR_CLASS: vendor_class_read(d, r); break;
    case INTERFACE: get_bytes(d, r, FID_DHCPV6_INTERFACE_ID, rd_left(r)); break;
    case DNS_SERVERS:
        while (rd_left(r) >= 16) get_bytes(d, r, FID_DHCPV6_DNS_SERVER, 16);
        break;
    case SNTP_SERVERS:
        while (rd_left(r) >= 16) get_bytes(d, r, FID_DHCPV6_SNTP_SERVER, 16);
        break;
    case DNS_DOMAINS:
        while (rd_left(r)) name_read(d, r, FID_DHCPV6_SEARCH_LIST_ENTRY);
        break;
    case REFRESH: get_be32(d, r, FID_DHCPV6_LIFETIME); break;
    case CLIENT_NAME: client_name_read(d, r, message == ADVERTISE || message == REPLY); break;
    default: break;
    }
}

static void options_read(struct decode *d, struct reader *r, unsigned depth, uint8_t message) {
    if (depth > DEPTH_MAX) return;
    while (rd_ok(r) && rd_left(r)) {
        uint32_t off = rd_off(r);
        uint16_t type = rd_be16(r), n = rd_be16(r);
        struct reader value = rd_sub(r, n);
        if (!rd_ok(r)) return;
        const char *name = field_value_name(&vals_dhcpv6_option_type, type);
        struct fval *f = fv_at(d->out, fv_open(d->out, FID_DHCPV6_OPTION_TYPE_STR, off, n + 4u));
        if (f) f->s = slice_str(name ? name : "DHCP option");
        fv_u(d->out, FID_DHCPV6_OPTION_TYPE, off, 2, type);
        fv_u(d->out, FID_DHCPV6_OPTION_LENGTH, off + 2, 2, n);
        option_read(d, &value, type, depth, message);
        if (!rd_ok(&value)) rd_fail(r);
        fv_close(d->out);
    }
}

static void message_read(struct decode *d, struct reader *r, unsigned depth) {
    uint8_t type = get_u8(d, r, FID_DHCPV6_MSGTYPE);
    if (type == RELAY_FORWARD || type == RELAY_REPLY) {
        get_u8(d, r, FID_DHCPV6_HOPCOUNT);
        get_bytes(d, r, FID_DHCPV6_LINKADDR, 16);
        get_bytes(d, r, FID_DHCPV6_PEERADDR, 16);
    } else {
        get_be24(d, r, FID_DHCPV6_XID);
    }
    if (rd_ok(r)) options_read(d, r, depth, type);
}

static void dhcpv6_read(struct decode *d, struct slice in) {
    struct reader r = d_reader(d, in);
    d_begin(d, &proto_dhcpv6, rd_off(&r), (uint32_t)in.n);
    message_read(d, &r, 0);
    if (!rd_ok(&r)) d_bad(d, &r);
    d_end(d);
}

static void item_say(struct writer *w, const struct fval *f, unsigned *option) {
    const char *name;
    switch (f->id) {
    case FID_DHCPV6_MSGTYPE:
        name = field_value_name(&vals_dhcpv6_msgtype, f->u);
        if (name) wr_f(w, "%s ", name);
        else wr_f(w, "Message Type %u ", (unsigned)f->u);
        break;
    case FID_DHCPV6_LINKADDR:
        wr_s(w, "L: ");
        print_ipv6(w, f->s.p);
        wr_c(w, ' ');
        break;
    case FID_DHCPV6_XID: wr_f(w, "XID: 0x%x ", (unsigned)f->u); break;
    case FID_DHCPV6_OPTION_TYPE: *option = (unsigned)f->u; break;
    case FID_DHCPV6_DUID_BYTES:
        if (*option != CLIENT_ID) break;
        wr_s(w, "CID: ");
        wr_hexbytes(w, f->s, 0);
        wr_c(w, ' ');
        break;
    case FID_DHCPV6_IAADDR_IP:
        wr_s(w, "IAA: ");
        print_ipv6(w, f->s.p);
        wr_c(w, ' ');
        break;
    default: break;
    }
}

static void dhcpv6_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    unsigned option = 0;
    for (uint32_t i = at; i < end; i++) item_say(w, &v->v[i], &option);
}

static bool dhcpv6_label(struct writer *w, const struct fvec *v, uint32_t at) {
    if (v->v[at].id != FID_DHCPV6_OPTION_TYPE_STR) return false;
    wr_slice(w, v->v[at].s); /* a name of ours */
    return true;
}

static const uint16_t info_fields[] = {FID_DHCPV6_MSGTYPE,
                                       FID_DHCPV6_LINKADDR,
                                       FID_DHCPV6_XID,
                                       FID_DHCPV6_OPTION_TYPE,
                                       FID_DHCPV6_DUID_BYTES,
                                       FID_DHCPV6_IAADDR_IP,
                                       0};
static const struct proto_key keys[] = {{TABLE_UDP, 546}, {TABLE_UDP, 547}, {TABLE_COUNT, 0}};
const struct proto proto_dhcpv6 = {.name = "dhcpv6",
                                   .column = "DHCPv6",
                                   .id = FID_DHCPV6,
                                   .end = FID_DHCPV6_END,
                                   .keys = keys,
                                   .read = dhcpv6_read,
                                   .info = dhcpv6_info,
                                   .info_fields = info_fields,
                                   .label = dhcpv6_label};
