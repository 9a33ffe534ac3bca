/* SPDX-License-Identifier: Apache-2.0 */
/* Neighbour discovery: messages (RFC 4861, 3122) and options (also RFC 3971, 4191, 5175, 6275, 6775, 8106, 8781,
 * 8910). */
#include "proto/icmp/icmp.h"
#include "proto/icmpv6/icmpv6.h"
#include "proto/protos.h"

enum { UNIT = 8, ADDRESS = 16, TYPE_IPV6 = 0x86dd, NAME_MAX_LEN = 255, LABEL_MAX = 63 };

#define COUNT(a) (sizeof(a) / sizeof *(a))

struct slice icmpv6_name(struct decode *d, struct reader *r) {
    char *text = arena_get(d->arena, NAME_MAX_LEN + 1);
    size_t n = 0;
    for (;;) {
        uint8_t len = rd_u8(r);
        if (!rd_ok(r) || !len) break;
        struct slice label = rd_take(r, len);
        if (len > LABEL_MAX || n + len + 1 > NAME_MAX_LEN) rd_fail(r);
        if (!rd_ok(r)) break;
        if (!text) continue;
        if (n) text[n++] = '.';
        memcpy(text + n, label.p, label.n);
        n += label.n;
    }
    return slice_of(text, text ? n : 0);
}

/* reserved_skip shows bytes kept for later; the field has a place and no value. */
static void reserved_skip(struct decode *d, struct reader *o, uint16_t id, size_t n) {
    uint32_t off = rd_off(o);
    rd_skip(o, n);
    if (rd_ok(o)) fv_add(d->out, id, off, (uint32_t)n);
}

static void link_address(struct decode *d, struct reader *o, uint16_t id) {
    uint32_t off = rd_off(o), len = (uint32_t)rd_left(o);
    struct slice address = get_bytes(d, o, FID_ICMPV6_OPT_LINKADDR, len);
    fv_hide(fv_s(d->out, id, off, len, address));
}

static void prefix_option(struct decode *d, struct reader *o) {
    static const struct icmpv6_bits flags[] = {{FID_ICMPV6_OPT_PREFIX_FLAG_L, 7, 1},
                                               {FID_ICMPV6_OPT_PREFIX_FLAG_A, 6, 1},
                                               {FID_ICMPV6_OPT_PREFIX_FLAG_R, 5, 1},
                                               {FID_ICMPV6_OPT_PREFIX_FLAG_RESERVED, 0, 31}};
    get_u8(d, o, FID_ICMPV6_OPT_PREFIX_LENGTH);
    uint32_t off = rd_off(o);
    uint8_t bits = rd_u8(o);
    if (!rd_ok(o)) return;
    d_open_u(d, FID_ICMPV6_OPT_PREFIX_FLAG, off, 1, bits);
    icmpv6_bits_add(d, flags, COUNT(flags), off, 1, bits);
    fv_close(d->out);
    get_be32(d, o, FID_ICMPV6_OPT_PREFIX_VALID_LIFETIME);
    get_be32(d, o, FID_ICMPV6_OPT_PREFIX_PREFERRED_LIFETIME);
    reserved_skip(d, o, FID_ICMPV6_OPT_RESERVED, 4);
    get_bytes(d, o, FID_ICMPV6_OPT_PREFIX, ADDRESS);
}

static void redirected_option(struct decode *d, struct reader *o) {
    reserved_skip(d, o, FID_ICMPV6_OPT_RESERVED, 6);
    struct slice packet = rd_rest(o);
    fv_open(d->out, FID_ICMPV6_OPT_REDIRECTED_PACKET, rd_off(o), (uint32_t)packet.n);
    d_quote(d, TABLE_ETHERTYPE, TYPE_IPV6, packet);
    fv_close(d->out);
    rd_skip(o, packet.n);
}

/* short_prefix reads the first n bytes of an address; the rest are zero. */
static void short_prefix(struct decode *d, struct reader *o, uint16_t id, size_t n) {
    uint32_t off = rd_off(o);
    struct slice part = rd_take(o, n);
    uint8_t full[ADDRESS] = {0};
    if (!rd_ok(o) || n > ADDRESS) return;
    memcpy(full, part.p, n);
    struct slice copy = arena_copy(d->arena, slice_of(full, ADDRESS));
    if (copy.n == ADDRESS) fv_s(d->out, id, off, (uint32_t)n, copy);
}

static void route_option(struct decode *d, struct reader *o) { /* RFC 4191 2.3 */
    uint32_t off = rd_off(o) + 1;
    get_u8(d, o, FID_ICMPV6_OPT_PREFIX_LENGTH);
    uint8_t bits = rd_u8(o);
    if (!rd_ok(o)) return;
    d_open_u(d, FID_ICMPV6_OPT_ROUTE_INFO_FLAG, off, 1, bits);
    fv_u(d->out, FID_ICMPV6_OPT_ROUTE_INFO_FLAG_ROUTE_PREFERENCE, off, 1, bits >> 3 & 3);
    fv_u(d->out, FID_ICMPV6_OPT_ROUTE_INFO_FLAG_RESERVED, off, 1, bits & 0xe7);
    fv_close(d->out);
    get_be32(d, o, FID_ICMPV6_OPT_ROUTE_LIFETIME);
    if (rd_left(o)) short_prefix(d, o, FID_ICMPV6_OPT_PREFIX, rd_left(o) < ADDRESS ? rd_left(o) : ADDRESS);
}

static void flags_option(struct decode *d, struct reader *o) { /* RFC 5175 4 */
    static const struct icmpv6_bits flags[] = {{FID_ICMPV6_OPT_EFO_M, 15, 1}, {FID_ICMPV6_OPT_EFO_O, 14, 1},
                                               {FID_ICMPV6_OPT_EFO_H, 13, 1}, {FID_ICMPV6_OPT_EFO_PRF, 11, 3},
                                               {FID_ICMPV6_OPT_EFO_P, 10, 1}, {FID_ICMPV6_OPT_EFO_RSV, 0, 0x2ff}};
    uint32_t off = rd_off(o);
    uint16_t bits = rd_be16(o);
    if (!rd_ok(o)) return;
    d_open_u(d, FID_ICMPV6_OPT_EFO, off, 2, bits);
    icmpv6_bits_add(d, flags, COUNT(flags), off, 2, bits);
    fv_close(d->out);
    reserved_skip(d, o, FID_ICMPV6_OPT_RESERVED, 4);
}

static void servers_option(struct decode *d, struct reader *o) { /* RFC 8106 5.1 */
    reserved_skip(d, o, FID_ICMPV6_OPT_RESERVED, 2);
    get_be32(d, o, FID_ICMPV6_OPT_RDNSS_LIFETIME);
    while (rd_ok(o) && rd_left(o) >= ADDRESS) get_bytes(d, o, FID_ICMPV6_OPT_RDNSS, ADDRESS);
}

static void search_option(struct decode *d, struct reader *o) { /* RFC 8106 5.2 */
    reserved_skip(d, o, FID_ICMPV6_OPT_RESERVED, 2);
    get_be32(d, o, FID_ICMPV6_OPT_DNSSL_LIFETIME);
    while (rd_ok(o) && rd_peek(o, 0) > 0) {
        uint32_t off = rd_off(o);
        struct slice name = icmpv6_name(d, o);
        if (rd_ok(o)) fv_s(d->out, FID_ICMPV6_OPT_DNSSL, off, rd_off(o) - off, name);
    }
    if (rd_ok(o) && rd_left(o)) reserved_skip(d, o, FID_ICMPV6_OPT_PADDING, rd_left(o));
}

static void pref64_option(struct decode *d, struct reader *o) { /* RFC 8781 4 */
    uint32_t off = rd_off(o);
    uint16_t word = rd_be16(o);
    if (!rd_ok(o)) return;
    fv_u(d->out, FID_ICMPV6_OPT_PREF64_SCALED_LIFETIME, off, 2, word >> 3);
    fv_u(d->out, FID_ICMPV6_OPT_PREF64_PLC, off, 2, word & 7);
    short_prefix(d, o, FID_ICMPV6_OPT_PREF64_PREFIX, 12);
}

static void portal_option(struct decode *d, struct reader *o) {
    uint32_t off = rd_off(o);
    struct slice uri = rd_take(o, rd_left(o));
    const uint8_t *nul = memchr(uri.p, 0, uri.n);
    fv_s(d->out, FID_ICMPV6_OPT_CAPTIVE_PORTAL, off, (uint32_t)uri.n,
         nul ? slice_head(uri, (size_t)(nul - uri.p)) : uri);
}

static void registration_option(struct decode *d, struct reader *o) { /* RFC 6775 4.1 */
    get_u8(d, o, FID_ICMPV6_OPT_ARO_STATUS);
    reserved_skip(d, o, FID_ICMPV6_OPT_RESERVED, 3);
    get_be16(d, o, FID_ICMPV6_OPT_ARO_REGISTRATION_LIFETIME);
    get_bytes(d, o, FID_ICMPV6_OPT_ARO_EUI64, 8);
}

static void option_body(struct decode *d, uint8_t type, uint32_t off, struct reader *o) {
    switch (type) {
    case ND_SOURCE: link_address(d, o, FID_ICMPV6_OPT_SRC_LINKADDR); break;
    case ND_TARGET: link_address(d, o, FID_ICMPV6_OPT_TARGET_LINKADDR); break;
    case ND_PREFIX: prefix_option(d, o); break;
    case ND_REDIRECTED: redirected_option(d, o); break;
    case ND_MTU:
        reserved_skip(d, o, FID_ICMPV6_OPT_RESERVED, 2);
        get_be32(d, o, FID_ICMPV6_OPT_MTU);
        break;
    case ND_INTERVAL:
        reserved_skip(d, o, FID_ICMPV6_OPT_RESERVED, 2);
        get_be32(d, o, FID_ICMPV6_OPT_ADVERTISEMENT_INTERVAL);
        break;
    case ND_HOME_AGENT:
        reserved_skip(d, o, FID_ICMPV6_OPT_RESERVED, 2);
        get_be16(d, o, FID_ICMPV6_OPT_HOME_AGENT_PREFERENCE);
        get_be16(d, o, FID_ICMPV6_OPT_HOME_AGENT_LIFETIME);
        break;
    case ND_SOURCE_LIST:
    case ND_TARGET_LIST:
        reserved_skip(d, o, FID_ICMPV6_OPT_RESERVED, 6);
        while (rd_ok(o) && rd_left(o) >= ADDRESS) get_bytes(d, o, FID_ICMPV6_OPT_IPV6_ADDRESS, ADDRESS);
        break;
    case ND_NONCE: get_bytes(d, o, FID_ICMPV6_OPT_NONCE, rd_left(o)); break;
    case ND_ROUTE: route_option(d, o); break;
    case ND_RDNSS: servers_option(d, o); break;
    case ND_FLAGS: flags_option(d, o); break;
    case ND_DNSSL: search_option(d, o); break;
    case ND_ARO: registration_option(d, o); break;
    case ND_PORTAL: portal_option(d, o); break;
    case ND_PREF64: pref64_option(d, o); break;
    default:
        if (!field_value_name(&vals_icmpv6_option, type)) {
            struct fval *f = d_anomaly(d, FID_ICMPV6_UNDECODED_OPTION, off, 1);
            if (f) f->extra = type;
            get_bytes(d, o, FID_ICMPV6_DATA, rd_left(o));
        }
    }
}

/* option_read reads one option; false where none can follow. */
static bool option_read(struct decode *d, struct reader *r) {
    uint32_t off = rd_off(r);
    int units = rd_peek(r, 1);
    size_t len = units < 0 ? 0 : (size_t)units * UNIT;
    fv_open(d->out, FID_ICMPV6_OPT, off, (uint32_t)(len < rd_left(r) ? len : rd_left(r)));
    uint8_t type = get_u8(d, r, FID_ICMPV6_OPT_TYPE);
    rd_u8(r);
    if (rd_ok(r)) {
        d_open_u(d, FID_ICMPV6_OPT_LENGTH, off + 1, 1, (uint64_t)units);
        if (!units) d_anomaly(d, FID_ICMPV6_INVALID_OPTION_LENGTH, off + 1, 1);
        fv_close(d->out);
    }
    bool fine = rd_ok(r) && units;
    if (fine) {
        struct reader o = rd_sub(r, len - 2);
        if (rd_ok(&o)) option_body(d, type, off, &o);
        fine = rd_ok(&o);
        if (!fine) rd_fail(r);
    }
    fv_close(d->out);
    return fine;
}

void icmpv6_options(struct decode *d, struct reader *r) {
    while (rd_ok(r) && rd_left(r))
        if (!option_read(d, r)) return;
}

static void router_advertisement(struct decode *d, struct reader *r) {
    static const struct icmpv6_bits flags[] = {{FID_ICMPV6_ND_RA_FLAG_M, 7, 1}, {FID_ICMPV6_ND_RA_FLAG_O, 6, 1},
                                               {FID_ICMPV6_ND_RA_FLAG_H, 5, 1}, {FID_ICMPV6_ND_RA_FLAG_PRF, 3, 3},
                                               {FID_ICMPV6_ND_RA_FLAG_P, 2, 1}, {FID_ICMPV6_ND_RA_FLAG_RSV, 0, 3}};
    get_u8(d, r, FID_ICMPV6_ND_RA_CUR_HOP_LIMIT);
    uint32_t off = rd_off(r);
    uint8_t bits = rd_u8(r);
    if (!rd_ok(r)) return;
    d_open_u(d, FID_ICMPV6_ND_RA_FLAG, off, 1, bits);
    icmpv6_bits_add(d, flags, COUNT(flags), off, 1, bits);
    fv_close(d->out);
    get_be16(d, r, FID_ICMPV6_ND_RA_ROUTER_LIFETIME);
    get_be32(d, r, FID_ICMPV6_ND_RA_REACHABLE_TIME);
    get_be32(d, r, FID_ICMPV6_ND_RA_RETRANS_TIMER);
}

static void neighbor_advertisement(struct decode *d, struct reader *r) {
    static const struct icmpv6_bits flags[] = {{FID_ICMPV6_ND_NA_FLAG_R, 31, 1},
                                               {FID_ICMPV6_ND_NA_FLAG_S, 30, 1},
                                               {FID_ICMPV6_ND_NA_FLAG_O, 29, 1},
                                               {FID_ICMPV6_ND_NA_FLAG_RSV, 0, 0x1fffffff}};
    uint32_t off = rd_off(r), bits = rd_be32(r);
    if (!rd_ok(r)) return;
    d_open_u(d, FID_ICMPV6_ND_NA_FLAG, off, 4, bits);
    icmpv6_bits_add(d, flags, COUNT(flags), off, 4, bits);
    fv_close(d->out);
    get_bytes(d, r, FID_ICMPV6_ND_NA_TARGET_ADDRESS, ADDRESS);
}

bool icmpv6_discovery(struct decode *d, struct reader *r, uint8_t type) {
    switch (type) {
    case V6_ROUTER_ADVERTISEMENT: router_advertisement(d, r); break;
    case V6_NEIGHBOR_ADVERTISEMENT: neighbor_advertisement(d, r); break;
    case V6_ROUTER_SOLICITATION:
    case V6_INVERSE_SOLICITATION:
    case V6_INVERSE_ADVERTISEMENT: get_bytes(d, r, FID_ICMPV6_RESERVED, 4); break;
    case V6_NEIGHBOR_SOLICITATION:
        get_bytes(d, r, FID_ICMPV6_RESERVED, 4);
        get_bytes(d, r, FID_ICMPV6_ND_NS_TARGET_ADDRESS, ADDRESS);
        break;
    case V6_REDIRECT:
        get_bytes(d, r, FID_ICMPV6_RESERVED, 4);
        get_bytes(d, r, FID_ICMPV6_ND_RD_TARGET_ADDRESS, ADDRESS);
        get_bytes(d, r, FID_ICMPV6_RD_NA_DESTINATION_ADDRESS, ADDRESS);
        break;
    default: return false;
    }
    icmpv6_options(d, r);
    return true;
}
