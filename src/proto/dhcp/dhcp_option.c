/* SPDX-License-Identifier: Apache-2.0 */
/* The data of DHCP options. Most are a value or a list of values of one kind: the table says which. */
#include "proto/dhcp/dhcp.h"

#include "proto/dns/dns.h"

enum option_kind {
    O_OPAQUE, /* not known: the bytes are shown */
    O_BARE,   /* known, not taken apart */
    O_ADDRESS,
    O_ADDRESSES,
    O_ADDRESS_PAIRS,
    O_TEXT,
    O_U8,
    O_U8S,
    O_U16,
    O_U16S,
    O_SECONDS,
    O_TIME_OFFSET,
    O_SPECIAL,
};

struct option {
    uint8_t kind;
    uint16_t id, id2;
};

static const struct option options[256] = {
    [1] = {O_ADDRESS, FID_DHCP_OPTION_SUBNET_MASK},
    [2] = {O_TIME_OFFSET, FID_DHCP_OPTION_TIME_OFFSET},
    [3] = {O_ADDRESSES, FID_DHCP_OPTION_ROUTER},
    [4] = {O_ADDRESSES, FID_DHCP_OPTION_TIME_SERVER},
    [5] = {O_ADDRESSES, FID_DHCP_OPTION_NAME_SERVER},
    [6] = {O_ADDRESSES, FID_DHCP_OPTION_DOMAIN_NAME_SERVER},
    [7] = {O_ADDRESSES, FID_DHCP_OPTION_LOG_SERVER},
    [8] = {O_ADDRESSES, FID_DHCP_OPTION_QUOTES_SERVER},
    [9] = {O_ADDRESSES, FID_DHCP_OPTION_LPR_SERVER},
    [10] = {O_ADDRESSES, FID_DHCP_OPTION_IMPRESS_SERVER},
    [11] = {O_ADDRESSES, FID_DHCP_OPTION_RESOURCE_LOCATION_SERVER},
    [12] = {O_TEXT, FID_DHCP_OPTION_HOSTNAME},
    [13] = {O_U16, FID_DHCP_OPTION_BOOT_FILE_SIZE},
    [14] = {O_TEXT, FID_DHCP_OPTION_MERIT_DUMP_FILE},
    [15] = {O_TEXT, FID_DHCP_OPTION_DOMAIN_NAME},
    [16] = {O_ADDRESS, FID_DHCP_OPTION_SWAP_SERVER},
    [17] = {O_TEXT, FID_DHCP_OPTION_ROOT_PATH},
    [18] = {O_TEXT, FID_DHCP_OPTION_EXTENSION_PATH},
    [19] = {O_U8, FID_DHCP_OPTION_IP_FORWARDING},
    [20] = {O_U8, FID_DHCP_OPTION_NON_LOCAL_SOURCE_ROUTING},
    [21] = {O_ADDRESS_PAIRS, FID_DHCP_OPTION_POLICY_FILTER_IP, FID_DHCP_OPTION_POLICY_FILTER_SUBNET_MASK},
    [22] = {O_U16, FID_DHCP_OPTION_MAX_DATAGRAM_REASSEMBLY_SIZE},
    [23] = {O_U8, FID_DHCP_OPTION_DEFAULT_IP_TTL},
    [24] = {O_SECONDS, FID_DHCP_OPTION_PATH_MTU_AGING_TIMEOUT},
    [25] = {O_U16S, FID_DHCP_OPTION_PATH_MTU_PLATEAU_TABLE_ITEM},
    [26] = {O_U16, FID_DHCP_OPTION_INTERFACE_MTU},
    [27] = {O_U8, FID_DHCP_OPTION_ALL_SUBNETS_ARE_LOCAL},
    [28] = {O_ADDRESS, FID_DHCP_OPTION_BROADCAST_ADDRESS},
    [29] = {O_U8, FID_DHCP_OPTION_PERFORM_MASK_DISCOVERY},
    [30] = {O_U8, FID_DHCP_OPTION_MASK_SUPPLIER},
    [31] = {O_U8, FID_DHCP_OPTION_PERFORM_ROUTER_DISCOVER},
    [32] = {O_ADDRESS, FID_DHCP_OPTION_ROUTER_SOLICITATION_ADDRESS},
    [33] = {O_ADDRESS_PAIRS, FID_DHCP_OPTION_STATIC_ROUTE_IP, FID_DHCP_OPTION_STATIC_ROUTE_ROUTER},
    [34] = {O_U8, FID_DHCP_OPTION_TRAILER_ENCAPSULATION},
    [35] = {O_SECONDS, FID_DHCP_OPTION_ARP_CACHE_TIMEOUT},
    [36] = {O_U8, FID_DHCP_OPTION_ETHERNET_ENCAPSULATION},
    [37] = {O_U8, FID_DHCP_OPTION_TCP_DEFAULT_TTL},
    [38] = {O_SECONDS, FID_DHCP_OPTION_TCP_KEEPALIVE_INTERVAL},
    [39] = {O_U8, FID_DHCP_OPTION_TCP_KEEPALIVE_GARBAGE},
    [40] = {O_TEXT, FID_DHCP_OPTION_NIS_DOMAIN},
    [41] = {O_ADDRESSES, FID_DHCP_OPTION_NIS_SERVER},
    [42] = {O_ADDRESSES, FID_DHCP_OPTION_NTP_SERVER},
    [44] = {O_ADDRESSES, FID_DHCP_OPTION_NETBIOS_OVER_TCPIP_NAME_SERVER},
    [45] = {O_ADDRESSES, FID_DHCP_OPTION_NETBIOS_OVER_TCPIP_DD_NAME_SERVER},
    [46] = {O_U8, FID_DHCP_OPTION_NETBIOS_OVER_TCPIP_NODE_TYPE},
    [47] = {O_TEXT, FID_DHCP_OPTION_NETBIOS_OVER_TCPIP_SCOPE},
    [48] = {O_ADDRESSES, FID_DHCP_OPTION_XWINDOWS_SYSTEM_FONT_SERVER},
    [49] = {O_ADDRESSES, FID_DHCP_OPTION_XWINDOWS_SYSTEM_DISPLAY_MANAGER},
    [50] = {O_ADDRESS, FID_DHCP_OPTION_REQUESTED_IP_ADDRESS},
    [51] = {O_SECONDS, FID_DHCP_OPTION_IP_ADDRESS_LEASE_TIME},
    [54] = {O_ADDRESS, FID_DHCP_OPTION_DHCP_SERVER_ID},
    [55] = {O_U8S, FID_DHCP_OPTION_REQUEST_LIST_ITEM},
    [56] = {O_TEXT, FID_DHCP_OPTION_MESSAGE},
    [57] = {O_U16, FID_DHCP_OPTION_DHCP_MAX_MESSAGE_SIZE},
    [58] = {O_SECONDS, FID_DHCP_OPTION_RENEWAL_TIME_VALUE},
    [59] = {O_SECONDS, FID_DHCP_OPTION_REBINDING_TIME_VALUE},
    [60] = {O_TEXT, FID_DHCP_OPTION_VENDOR_CLASS_ID},
    [64] = {O_TEXT, FID_DHCP_OPTION_NIS_PLUS_DOMAIN},
    [65] = {O_ADDRESSES, FID_DHCP_OPTION_NIS_PLUS_SERVER},
    [66] = {O_TEXT, FID_DHCP_OPTION_TFTP_SERVER_NAME},
    [67] = {O_TEXT, FID_DHCP_OPTION_BOOTFILE_NAME},
    [68] = {O_ADDRESSES, FID_DHCP_OPTION_MOBILE_IP_HOME_AGENT},
    [69] = {O_ADDRESSES, FID_DHCP_OPTION_SMTP_SERVER},
    [70] = {O_ADDRESSES, FID_DHCP_OPTION_POP3_SERVER},
    [71] = {O_ADDRESSES, FID_DHCP_OPTION_NNTP_SERVER},
    [72] = {O_ADDRESSES, FID_DHCP_OPTION_DEFAULT_WWW_SERVER},
    [73] = {O_ADDRESSES, FID_DHCP_OPTION_DEFAULT_FINGER_SERVER},
    [74] = {O_ADDRESSES, FID_DHCP_OPTION_DEFAULT_IRC_SERVER},
    [75] = {O_ADDRESSES, FID_DHCP_OPTION_STREETTALK_SERVER},
    [76] = {O_ADDRESSES, FID_DHCP_OPTION_STREETTALK_DA_SERVER},
    [85] = {O_ADDRESSES, FID_DHCP_OPTION_NOVELL_DSS_IP},
    [86] = {O_TEXT, FID_DHCP_OPTION_NOVELL_DS_TREE_NAME},
    [87] = {O_TEXT, FID_DHCP_OPTION_NOVELL_DS_CONTEXT},
    [91] = {O_SECONDS, FID_DHCP_OPTION_CLIENT_LAST_TRANSACTION_TIME},
    [92] = {O_ADDRESSES, FID_DHCP_OPTION_ASSOCIATED_IP_OPTION},
    [93] = {O_U16S, FID_DHCP_OPTION_CLIENT_SYSTEM_ARCHITECTURE},
    [100] = {O_TEXT, FID_DHCP_OPTION_TZ_PCODE},
    [101] = {O_TEXT, FID_DHCP_OPTION_TZ_TCODE},
    [112] = {O_ADDRESSES, FID_DHCP_OPTION_NETINFO_PARENT_SERVER_ADDRESS},
    [113] = {O_TEXT, FID_DHCP_OPTION_NETINFO_PARENT_SERVER_TAG},
    [114] = {O_TEXT, FID_DHCP_OPTION_CAPTIVE_PORTAL},
    [116] = {O_U8, FID_DHCP_OPTION_DHCP_AUTO_CONFIGURATION},
    [118] = {O_ADDRESSES, FID_DHCP_OPTION_SUBNET_SELECTION_OPTION},
    [136] = {O_ADDRESSES, FID_DHCP_OPTION_PANA_AGENT},
    [137] = {O_TEXT, FID_DHCP_OPTION_LOST_SERVER_DOMAIN_NAME},
    [138] = {O_ADDRESSES, FID_DHCP_OPTION_CAPWAP_ACCESS_CONTROLLER},
    [142] = {O_ADDRESSES, FID_DHCP_OPTION_ANDSF_SERVER},
    [145] = {O_U8S, FID_DHCP_OPTION_FORCERENEW_NONCE_ALGORITHM},
    [150] = {O_ADDRESSES, FID_DHCP_OPTION_TFTP_SERVER_ADDRESS},
    [151] = {O_BARE},
    [152] = {O_BARE},
    [153] = {O_SECONDS, FID_DHCP_OPTION_BULK_LEASE_START_TIME_OF_STATE},
    [154] = {O_BARE},
    [155] = {O_BARE},
    [156] = {O_U8, FID_DHCP_OPTION_BULK_LEASE_DHCP_STATE},
    [157] = {O_U8, FID_DHCP_OPTION_BULK_LEASE_DATA_SOURCE},
    [158] = {O_U8, FID_DHCP_OPTION_PCP_LIST_LENGTH},
    [159] = {O_BARE},
    [160] = {O_TEXT, FID_DHCP_OPTION_CAPTIVE_PORTAL},
    [161] = {O_TEXT, FID_DHCP_OPTION_MUDURL},
    [209] = {O_TEXT, FID_DHCP_OPTION_PXE_CONFIG_FILE},
    [210] = {O_TEXT, FID_DHCP_OPTION_PXE_PATH_PREFIX},
    [242] = {O_ADDRESS_PAIRS, FID_DHCP_OPTION_VENDOR_AVAYA, FID_DHCP_SUBOPT_UNKNOWN_TYPE},
    [252] = {O_TEXT, FID_DHCP_OPTION_PRIVATE_PROXY_AUTODISCOVERY},
    [43] = {O_SPECIAL},
    [53] = {O_SPECIAL},
    [52] = {O_SPECIAL},
    [55] = {O_U8S, FID_DHCP_OPTION_REQUEST_LIST_ITEM},
    [61] = {O_SPECIAL},
    [77] = {O_SPECIAL},
    [78] = {O_SPECIAL},
    [79] = {O_SPECIAL},
    [81] = {O_SPECIAL},
    [82] = {O_SPECIAL},
    [90] = {O_SPECIAL},
    [94] = {O_SPECIAL},
    [97] = {O_SPECIAL},
    [117] = {O_SPECIAL},
    [119] = {O_SPECIAL},
    [120] = {O_SPECIAL},
    [121] = {O_SPECIAL},
    [124] = {O_SPECIAL},
    [125] = {O_SPECIAL},
    [212] = {O_SPECIAL},
    [249] = {O_SPECIAL},
    [252] = {O_TEXT, FID_DHCP_OPTION_PRIVATE_PROXY_AUTODISCOVERY},
};

/* text_make returns n bytes of text in the packet's memory to write to, or NULL. */
static char *text_make(struct decode *d, size_t n) { return arena_get(d->arena, n); }

static void hex_get(struct decode *d, struct reader *r, uint16_t id, size_t n, char separator) {
    uint32_t off = rd_off(r);
    struct slice s = rd_take(r, n);
    if (!rd_ok(r) || !d_wants(d, id)) return;
    size_t room = n * 3 + 1;
    char *text = text_make(d, room);
    if (!text) return;
    struct writer w = wr_fixed(text, room);
    wr_hexbytes(&w, s, separator);
    fv_s(d->out, id, off, (uint32_t)n, wr_done(&w));
}

/* uuid_get reads a UUID whose first three parts are little-endian, as PXE writes them (RFC 4578, 2.3). */
static void uuid_get(struct decode *d, struct reader *r) {
    static const uint8_t order[16] = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};
    uint32_t off = rd_off(r);
    struct slice s = rd_take(r, 16);
    uint8_t *swapped = rd_ok(r) ? arena_get(d->arena, 16) : NULL;
    if (!swapped) return;
    for (size_t i = 0; i < 16; i++) swapped[i] = s.p[order[i]];
    fv_s(d->out, FID_DHCP_CLIENT_ID_UUID, off, 16, slice_of(swapped, 16));
}

enum { ID_TEXT = 0, ID_ETHERNET = 1, ID_IEEE802 = 6, ID_DUID = 255, DUID_LLT = 1, DUID_EN = 2, DUID_LL = 3 };

/* duid_read: RFC 4361, 6.1, and RFC 8415, 11. */
static void duid_read(struct decode *d, struct reader *r) {
    rd_u8(r);
    hex_get(d, r, FID_DHCP_CLIENT_ID_IAID, 4, 0);
    uint16_t type = get_be16(d, r, FID_DHCP_CLIENT_ID_DUID_TYPE);
    if (!rd_ok(r)) return;
    if (type == DUID_LLT) {
        get_be16(d, r, FID_DHCP_CLIENT_ID_DUID_LLT_HW_TYPE);
        get_be32(d, r, FID_DHCP_CLIENT_ID_TIME);
    } else if (type == DUID_LL) {
        get_be16(d, r, FID_DHCP_CLIENT_ID_DUID_LL_HW_TYPE);
    } else if (type == DUID_EN) {
        get_be32(d, r, FID_DHCP_CLIENT_ID_ENTERPRISE_NUM);
        if (rd_left(r)) get_bytes(d, r, FID_DHCP_CLIENT_ID, rd_left(r));
        return;
    } else {
        return;
    }
    if (rd_left(r)) hex_get(d, r, FID_DHCP_CLIENT_ID_LINK_LAYER_ADDRESS, rd_left(r), ':');
}

static void client_id_read(struct decode *d, struct reader *r) {
    size_t n = rd_left(r);
    int type = rd_peek(r, 0);
    if (n == 7 && (type == ID_ETHERNET || type == ID_IEEE802)) {
        get_u8(d, r, FID_DHCP_HW_TYPE);
        get_bytes(d, r, FID_DHCP_HW_MAC_ADDR, 6);
    } else if (n == 17 && type == ID_TEXT) {
        rd_u8(r);
        uuid_get(d, r);
    } else if (type == ID_DUID && n > 7) {
        duid_read(d, r);
    } else if (type == ID_TEXT && n > 1) {
        get_u8(d, r, FID_DHCP_CLIENT_ID_TYPE);
        dhcp_text_get(d, r, FID_DHCP_CLIENT_ID_UNDEF, rd_left(r));
    }
}

/* user_class_read: RFC 3004, 4. Many clients leave the lengths out; then it is one text. */
static void user_class_read(struct decode *d, struct reader *r) {
    struct reader check = *r;
    while (rd_ok(&check) && rd_left(&check)) {
        uint8_t n = rd_u8(&check);
        rd_skip(&check, n);
        if (!n) rd_fail(&check);
    }
    if (!rd_ok(&check)) {
        uint32_t off = rd_off(r), n = (uint32_t)rd_left(r);
        dhcp_text_get(d, r, FID_DHCP_OPTION_USER_CLASS_TEXT, n);
        d->out->depth++;
        d_anomaly(d, FID_DHCP_OPTION_NONSTD_DATA, off, n);
        fv_close(d->out);
        return;
    }
    for (unsigned i = 0; rd_left(r); i++) {
        uint32_t off = rd_off(r);
        uint8_t n = (uint8_t)rd_peek(r, 0);
        uint32_t at = fv_open(d->out, FID_DHCP_OPTION_USER_CLASS, off, n + 1u);
        if (at != FV_UNWANTED) fv_at(d->out, at)->u = i;
        get_u8(d, r, FID_DHCP_OPTION_USER_CLASS_LENGTH);
        get_bytes(d, r, FID_DHCP_OPTION_USER_CLASS_DATA, n);
        fv_close(d->out);
    }
}

/* labels_get reads the labels of a name without pointers, to its root or to the end. */
static void labels_get(struct decode *d, struct reader *r, uint16_t id) {
    uint32_t off = rd_off(r);
    char *text = text_make(d, rd_left(r) + 1);
    size_t n = 0;
    while (rd_left(r)) {
        uint8_t len = rd_u8(r);
        if (!len) break;
        struct slice part = rd_take(r, len < rd_left(r) ? len : rd_left(r));
        if (!text) continue;
        if (n) text[n++] = '.';
        if (part.n) memcpy(text + n, part.p, part.n);
        n += part.n;
    }
    fv_s(d->out, id, off, rd_off(r) - off, slice_of(text, text ? n : 0));
}

/* fqdn_read: RFC 4702, 2. */
static void fqdn_read(struct decode *d, struct reader *r) {
    uint32_t off = rd_off(r);
    uint8_t flags = rd_u8(r);
    if (!rd_ok(r)) return;
    uint32_t at = fv_open(d->out, FID_DHCP_FQDN_FLAGS, off, 1);
    if (at != FV_UNWANTED) fv_at(d->out, at)->u = flags;
    fv_u(d->out, FID_DHCP_FQDN_MBZ, off, 1, flags >> 4);
    fv_u(d->out, FID_DHCP_FQDN_N, off, 1, flags >> 3 & 1);
    fv_u(d->out, FID_DHCP_FQDN_E, off, 1, flags >> 2 & 1);
    fv_u(d->out, FID_DHCP_FQDN_O, off, 1, flags >> 1 & 1);
    fv_u(d->out, FID_DHCP_FQDN_S, off, 1, flags & 1);
    fv_close(d->out);
    get_u8(d, r, FID_DHCP_FQDN_RCODE1);
    get_u8(d, r, FID_DHCP_FQDN_RCODE2);
    if (!rd_ok(r) || !rd_left(r)) return;
    if (flags & 4) labels_get(d, r, FID_DHCP_FQDN_NAME);
    else dhcp_text_get(d, r, FID_DHCP_FQDN_NAME, rd_left(r));
}

static void agent_value_read(struct decode *d, struct reader *r, uint8_t code) {
    size_t n = rd_left(r);
    switch (code) {
    case 1: get_bytes(d, r, FID_DHCP_OPTION_AGENT_INFORMATION_OPTION_AGENT_CIRCUIT_ID, n); break;
    case 2: get_bytes(d, r, FID_DHCP_OPTION_AGENT_INFORMATION_OPTION_AGENT_REMOTE_ID, n); break;
    case 5: get_be32(d, r, FID_DHCP_OPTION_AGENT_INFORMATION_OPTION_LINK_SELECTION); break;
    case 6: dhcp_text_get(d, r, FID_DHCP_OPTION_AGENT_INFORMATION_OPTION_SUBSCRIBER_ID, n); break;
    case 7: get_bytes(d, r, FID_DHCP_OPTION_AGENT_INFORMATION_OPTION_RADIUS_ATTRIBUTES, n); break;
    case 8: get_bytes(d, r, FID_DHCP_OPTION_AGENT_INFORMATION_OPTION_AUTHENTICATION, n); break;
    case 10: get_u8(d, r, FID_DHCP_OPTION_AGENT_INFORMATION_OPTION_FLAGS); break;
    case 11: get_be32(d, r, FID_DHCP_OPTION_AGENT_INFORMATION_OPTION_SERVER_ID_OVERRIDE); break;
    case 12: get_bytes(d, r, FID_DHCP_OPTION_AGENT_INFORMATION_OPTION_RELAY_AGENT_ID, n); break;
    case 150: get_be32(d, r, FID_DHCP_OPTION_AGENT_INFORMATION_OPTION_LINK_SELECTION_CISCO); break;
    case 152: get_be32(d, r, FID_DHCP_OPTION_AGENT_INFORMATION_OPTION_SERVER_ID_OVERRIDE_CISCO); break;
    default: break;
    }
}

/* agent_read: RFC 3046, 2.0. */
static void agent_read(struct decode *d, struct reader *r) {
    while (rd_ok(r) && rd_left(r)) {
        uint32_t off = rd_off(r);
        uint8_t code = rd_u8(r), n = rd_u8(r);
        struct reader value = rd_sub(r, n);
        if (!rd_ok(r)) return;
        uint32_t at = fv_open(d->out, FID_DHCP_OPTION_AGENT_INFORMATION_OPTION_SUBOPTION, off, n + 2u);
        if (at != FV_UNWANTED) fv_at(d->out, at)->u = code;
        fv_u(d->out, FID_DHCP_OPTION_SUBOPTION_LENGTH, off + 1, 1, n);
        fv_hide(fv_s(d->out, FID_DHCP_OPTION_AGENT_INFORMATION_OPTION_VALUE, off + 2, n, rd_rest(&value)));
        agent_value_read(d, &value, code);
        fv_close(d->out);
        if (!rd_ok(&value)) d_anomaly(d, FID_DHCP_BAD_LENGTH, off, n + 2u);
    }
}

/* authentication_read: RFC 3118, 2. */
static void authentication_read(struct decode *d, struct reader *r) {
    uint8_t protocol = get_u8(d, r, FID_DHCP_OPTION_DHCP_AUTHENTICATION_PROTOCOL);
    get_u8(d, r,
           protocol == 1 ? FID_DHCP_OPTION_DHCP_AUTHENTICATION_ALG_DELAY
                         : FID_DHCP_OPTION_DHCP_AUTHENTICATION_ALGORITHM);
    get_u8(d, r, FID_DHCP_OPTION_DHCP_AUTHENTICATION_RDM);
    get_be64(d, r, FID_DHCP_OPTION_DHCP_AUTHENTICATION_RDM_REPLAY_DETECTION);
    if (!rd_ok(r)) return;
    if (protocol == 1 && rd_left(r) >= 20) {
        get_be32(d, r, FID_DHCP_OPTION_DHCP_AUTHENTICATION_SECRET_ID);
        get_bytes(d, r, FID_DHCP_OPTION_DHCP_AUTHENTICATION_HMAC_MD5_HASH, 16);
    } else if (rd_left(r)) {
        dhcp_text_get(d, r, FID_DHCP_OPTION_DHCP_AUTHENTICATION_INFORMATION, rd_left(r));
    }
}

/* search_read: RFC 2937, 3: numbers of the options that name a service, shown as words. */
static void search_read(struct decode *d, struct reader *r) {
    while (rd_left(r) >= 2) {
        uint32_t off = rd_off(r);
        uint16_t code = rd_be16(r);
        const char *name = code == 0    ? "Refer to local naming information (0)"
                           : code == 6  ? "Domain Name Server Option (6)"
                           : code == 41 ? "Network Information Servers Option (41)"
                           : code == 44 ? "NetBIOS over TCP/IP Name Server Option (44)"
                           : code == 65 ? "Network Information Service+ Servers Option (65)"
                                        : NULL;
        if (name) fv_s(d->out, FID_DHCP_OPTION_DHCP_NAME_SERVICE_SEARCH_OPTION, off, 2, slice_str(name));
    }
}

/* domains_read: RFC 3397, 2: names compressed among themselves. */
static void domains_read(struct decode *d, struct reader *r, uint16_t id) {
    struct dns_msg m = {.d = d, .in = rd_rest(r), .work = DNS_NAME_WORK};
    while (rd_ok(r) && rd_left(r)) dns_name_get(&m, r, id);
}

/* sip_read: RFC 3361, 3. */
static void sip_read(struct decode *d, struct reader *r) {
    uint8_t encoding = get_u8(d, r, FID_DHCP_OPTION_SIP_SERVER_ENCODING);
    if (!rd_ok(r)) return;
    if (encoding == 0) domains_read(d, r, FID_DHCP_OPTION_SIP_SERVER_NAME);
    while (encoding == 1 && rd_left(r) >= 4) get_be32(d, r, FID_DHCP_OPTION_SIP_SERVER_ADDRESS);
}

/* routes_read: RFC 3442: width of the mask, the bytes of the network it covers, the router. */
static void routes_read(struct decode *d, struct reader *r) {
    while (rd_ok(r) && rd_left(r)) {
        int width = rd_peek(r, 0);
        if (width > 32) {
            rd_fail(r);
            return;
        }
        get_bytes(d, r, FID_DHCP_OPTION_CLASSLESS_STATIC_ROUTE, 1 + (size_t)(width + 7) / 8 + 4);
    }
}

/* vendor_class_read: RFC 3925, 3. */
static void vendor_class_read(struct decode *d, struct reader *r) {
    while (rd_ok(r) && rd_left(r)) {
        get_be32(d, r, FID_DHCP_OPTION_VI_CLASS_ENTERPRISE);
        uint8_t n = get_u8(d, r, FID_DHCP_OPTION_VI_CLASS_LENGTH);
        if (rd_ok(r)) dhcp_text_get(d, r, FID_DHCP_OPTION_VI_CLASS_DATA, n);
    }
}

/* vendor_read: RFC 3925, 4. */
static void vendor_read(struct decode *d, struct reader *r) {
    while (rd_ok(r) && rd_left(r)) {
        uint32_t off = rd_off(r), enterprise = rd_be32(r);
        if (!rd_ok(r)) return;
        uint32_t at = fv_open(d->out, FID_DHCP_OPTION_VI_ENTERPRISE, off, 4);
        if (at != FV_UNWANTED) fv_at(d->out, at)->u = enterprise;
        uint8_t n = get_u8(d, r, FID_DHCP_OPTION_VI_LENGTH);
        struct reader data = rd_sub(r, rd_ok(r) ? n : 0);
        while (rd_ok(&data) && rd_left(&data)) {
            off = rd_off(&data);
            uint8_t code = rd_u8(&data), len = rd_u8(&data);
            struct slice value = rd_take(&data, len);
            if (!rd_ok(&data)) break;
            uint32_t sub = fv_open(d->out, FID_DHCP_VENDOR_SUBOPTION, off, 1);
            if (sub != FV_UNWANTED) fv_at(d->out, sub)->u = code;
            fv_s(d->out, FID_DHCP_VENDOR_DATA, off + 2, len, value);
            fv_close(d->out);
        }
        fv_close(d->out);
    }
}

/* sixrd_read: RFC 5969, 7.1.1. */
static void sixrd_read(struct decode *d, struct reader *r) {
    get_u8(d, r, FID_DHCP_OPTION_6RD_IPV4_MASK_LEN);
    get_u8(d, r, FID_DHCP_OPTION_6RD_PREFIX_LEN);
    get_bytes(d, r, FID_DHCP_OPTION_6RD_PREFIX, 16);
    while (rd_ok(r) && rd_left(r) >= 4) get_be32(d, r, FID_DHCP_OPTION_6RD_BORDER_RELAY_IP);
}

static void special_read(struct decode *d, struct reader *r, uint8_t code) {
    switch (code) {
    case 43:
        if (rd_left(r)) get_bytes(d, r, FID_DHCP_OPTION_VENDOR_VALUE, rd_left(r));
        break;
    case DHCP_OVERLOAD: get_u8(d, r, FID_DHCP_OPTION_OPTION_OVERLOAD); break;
    case DHCP_MESSAGE_TYPE: get_u8(d, r, FID_DHCP_OPTION_DHCP); break;
    case 61: client_id_read(d, r); break;
    case 77: user_class_read(d, r); break;
    case 78:
        get_u8(d, r, FID_DHCP_OPTION_SLP_DIRECTORY_AGENT_VALUE);
        while (rd_left(r) >= 4) get_be32(d, r, FID_DHCP_OPTION_SLP_DIRECTORY_AGENT_SLPDA_ADDRESS);
        break;
    case 79:
        get_u8(d, r, FID_DHCP_OPTION_SLP_SERVICE_SCOPE_VALUE);
        dhcp_text_get(d, r, FID_DHCP_OPTION_SLP_SERVICE_SCOPE_STRING, rd_left(r));
        break;
    case 81: fqdn_read(d, r); break;
    case 82: agent_read(d, r); break;
    case 90: authentication_read(d, r); break;
    case 94:
        if (rd_u8(r) != 1) break;
        get_u8(d, r, FID_DHCP_CLIENT_NETWORK_ID_MAJOR);
        get_u8(d, r, FID_DHCP_CLIENT_NETWORK_ID_MINOR);
        break;
    case 97:
        if (rd_u8(r) == 0 && rd_left(r) >= 16) uuid_get(d, r);
        break;
    case 117: search_read(d, r); break;
    case 119: domains_read(d, r, FID_DHCP_OPTION_DHCP_DNS_DOMAIN_SEARCH_LIST_FQDN); break;
    case 120: sip_read(d, r); break;
    case 121:
    case 249: routes_read(d, r); break;
    case 124: vendor_class_read(d, r); break;
    case 125: vendor_read(d, r); break;
    case 212: sixrd_read(d, r); break;
    default: break;
    }
}

/* length_fits tells whether n bytes can be an option of that kind. */
static bool length_fits(enum option_kind kind, size_t n) {
    switch (kind) {
    case O_ADDRESS:
    case O_SECONDS:
    case O_TIME_OFFSET: return n == 4;
    case O_ADDRESSES: return n && n % 4 == 0;
    case O_ADDRESS_PAIRS: return n && n % 8 == 0;
    case O_U8: return n == 1;
    case O_U16: return n == 2;
    case O_U16S: return n && n % 2 == 0;
    default: return true;
    }
}

static void values_read(struct decode *d, struct reader *r, const struct option *o) {
    do {
        uint32_t off = rd_off(r);
        switch ((enum option_kind)o->kind) {
        case O_ADDRESS:
        case O_ADDRESSES:
        case O_SECONDS: get_be32(d, r, o->id); break;
        case O_ADDRESS_PAIRS:
            get_be32(d, r, o->id);
            get_be32(d, r, o->id2);
            break;
        case O_TIME_OFFSET: fv_i(d->out, o->id, off, 4, (int32_t)rd_be32(r)); break;
        case O_TEXT: dhcp_text_get(d, r, o->id, rd_left(r)); break;
        case O_U8:
        case O_U8S:
            if (rd_left(r)) get_u8(d, r, o->id);
            break;
        case O_U16:
        case O_U16S: get_be16(d, r, o->id); break;
        case O_OPAQUE:
        case O_BARE:
        case O_SPECIAL: return;
        }
    } while (rd_ok(r) && rd_left(r));
}

void dhcp_option_read(struct decode *d, struct reader *r, uint8_t code) {
    const struct option *o = &options[code];
    uint32_t off = rd_off(r), n = (uint32_t)rd_left(r);
    bool fits = length_fits((enum option_kind)o->kind, n);
    struct fval *f = fv_s(d->out, FID_DHCP_OPTION_VALUE, off, n, rd_rest(r));
    if (o->kind != O_OPAQUE && (fits || o->kind == O_ADDRESS_PAIRS)) fv_hide(f);
    if (!fits) {
        d_anomaly(d, FID_DHCP_BAD_LENGTH, off - 2, n + 2);
        return;
    }
    if (o->kind != O_SPECIAL) {
        values_read(d, r, o);
        return;
    }
    special_read(d, r, code);
    if (rd_ok(r)) return;
    d_anomaly(d, FID_DHCP_BAD_LENGTH, off - 2, n + 2);
    r->err = false; /* the option's length holds: the list goes on behind it */
}
