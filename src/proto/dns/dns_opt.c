/* SPDX-License-Identifier: Apache-2.0 */
/* What is a list of key, length, value: the options of OPT (RFC 6891), the parameters of SVCB (RFC 9460), and
 * stateful operations (RFC 8490). */
#include "proto/dns/dns.h"

enum {
    O_DAU = 5,
    O_DHU = 6,
    O_N3U = 7,
    O_SUBNET = 8,
    O_COOKIE = 10,
    O_KEEPALIVE = 11,
    O_PADDING = 12,
    O_CHAIN = 13,
    O_ERROR = 15,
    O_SUBNET_TRIAL = 20730,
};
enum { COOKIE_CLIENT = 8 };

static void list_get(struct dns_msg *m, struct reader *r, uint16_t id) {
    while (rd_left(r)) get_u8(m->d, r, id);
}

/* subnet_read: RFC 7871, 6. */
static void subnet_read(struct dns_msg *m, struct reader *r) {
    uint16_t family = get_be16(m->d, r, FID_DNS_OPT_CLIENT_FAMILY);
    get_u8(m->d, r, FID_DNS_OPT_CLIENT_NETMASK);
    get_u8(m->d, r, FID_DNS_OPT_CLIENT_SCOPE);
    if (!rd_ok(r)) return;
    size_t n = rd_left(r);
    if (family == 1) dns_address4_get(m, r, FID_DNS_OPT_CLIENT_ADDR4, n);
    else if (family == 2) dns_address6_get(m, r, FID_DNS_OPT_CLIENT_ADDR6, n);
    else if (n) get_bytes(m->d, r, FID_DNS_OPT_CLIENT_ADDR, n);
}

static void option_read(struct dns_msg *m, struct reader *r, uint16_t code) {
    struct decode *d = m->d;
    size_t n = rd_left(r);
    switch (code) {
    case O_DAU: list_get(m, r, FID_DNS_OPT_DAU); break;
    case O_DHU: list_get(m, r, FID_DNS_OPT_DHU); break;
    case O_N3U: list_get(m, r, FID_DNS_OPT_N3U); break;
    case O_SUBNET:
    case O_SUBNET_TRIAL: subnet_read(m, r); break;
    case O_COOKIE: /* RFC 7873, 4 */
        get_bytes(d, r, FID_DNS_OPT_COOKIE_CLIENT, n < COOKIE_CLIENT ? n : COOKIE_CLIENT);
        get_bytes(d, r, FID_DNS_OPT_COOKIE_SERVER, rd_left(r));
        break;
    case O_KEEPALIVE: /* RFC 7828, 3.1 */
        if (n == 2) get_be16(d, r, FID_DNS_OPT_EDNS_TCP_KEEPALIVE_TIMEOUT);
        break;
    case O_PADDING: get_bytes(d, r, FID_DNS_OPT_PADDING, n); break;
    case O_CHAIN:
        if (n) dns_text_get(m, r, FID_DNS_OPT_CHAIN_FQDN, n);
        break;
    case O_ERROR: /* RFC 8914, 2 */
        get_be16(d, r, FID_DNS_OPT_EXT_ERROR_INFO_CODE);
        if (rd_left(r)) dns_text_get(m, r, FID_DNS_OPT_EXT_ERROR_EXTRA_TEXT, rd_left(r));
        break;
    default: break;
    }
}

void dns_options_read(struct dns_msg *m, struct reader *r) {
    struct decode *d = m->d;
    while (rd_ok(r) && rd_left(r)) {
        uint32_t off = rd_off(r);
        uint16_t code = rd_be16(r), n = rd_be16(r);
        if (!rd_ok(r)) return;
        struct reader data = rd_sub(r, n);
        fv_open(d->out, FID_DNS_OPT, off, rd_ok(r) ? n + 4u : 4);
        fv_u(d->out, FID_DNS_OPT_CODE, off, 2, code);
        fv_u(d->out, FID_DNS_OPT_LEN, off + 2, 2, n);
        if (!rd_ok(r)) {
            fv_close(d->out);
            return;
        }
        fv_s(d->out, FID_DNS_OPT_DATA, off + 4, n, rd_rest(&data));
        option_read(m, &data, code);
        fv_close(d->out);
        if (!rd_ok(&data)) rd_fail(r);
    }
}

enum { P_MANDATORY, P_ALPN, P_NO_DEFAULT_ALPN, P_PORT, P_IPV4HINT, P_ECH, P_IPV6HINT, P_ODOH = 32769 };

/* param_read: RFC 9460, 7 and 8. */
static void param_read(struct dns_msg *m, struct reader *r, uint16_t key) {
    struct decode *d = m->d;
    switch (key) {
    case P_MANDATORY:
        while (rd_ok(r) && rd_left(r)) get_be16(d, r, FID_DNS_SVCB_SVCPARAM_MANDATORY_KEY);
        break;
    case P_ALPN:
        while (rd_ok(r) && rd_left(r)) {
            uint8_t n = get_u8(d, r, FID_DNS_SVCB_SVCPARAM_ALPN_LENGTH);
            dns_text_get(m, r, FID_DNS_SVCB_SVCPARAM_ALPN, n);
        }
        break;
    case P_NO_DEFAULT_ALPN: break;
    case P_PORT: get_be16(d, r, FID_DNS_SVCB_SVCPARAM_PORT); break;
    case P_IPV4HINT:
        while (rd_ok(r) && rd_left(r)) dns_address4_get(m, r, FID_DNS_SVCB_SVCPARAM_IPV4HINT_IP, 4);
        break;
    case P_ECH: get_bytes(d, r, FID_DNS_SVCB_SVCPARAM_ECHCONFIG, rd_left(r)); break;
    case P_IPV6HINT:
        while (rd_ok(r) && rd_left(r)) dns_address6_get(m, r, FID_DNS_SVCB_SVCPARAM_IPV6HINT_IP, 16);
        break;
    case P_ODOH: get_bytes(d, r, FID_DNS_SVCB_SVCPARAM_ODOHCONFIG, rd_left(r)); break;
    default:
        if (rd_left(r)) get_bytes(d, r, FID_DNS_SVCB_SVCPARAM_VALUE, rd_left(r));
    }
}

void dns_svcb_read(struct dns_msg *m, struct reader *r) {
    struct decode *d = m->d;
    get_be16(d, r, FID_DNS_SVCB_SVCPRIORITY);
    dns_name_get(m, r, FID_DNS_SVCB_TARGETNAME);
    while (rd_ok(r) && rd_left(r)) {
        uint32_t off = rd_off(r);
        uint16_t key = rd_be16(r), n = rd_be16(r);
        struct reader value = rd_sub(r, n);
        if (!rd_ok(r)) return;
        fv_open(d->out, FID_DNS_SVCB_SVCPARAM, off, n + 4u);
        fv_u(d->out, FID_DNS_SVCB_SVCPARAM_KEY, off, 2, key);
        fv_u(d->out, FID_DNS_SVCB_SVCPARAM_VALUE_LENGTH, off + 2, 2, n);
        param_read(m, &value, key);
        fv_close(d->out);
        if (!rd_ok(&value)) rd_fail(r);
    }
}

enum { DSO_KEEPALIVE = 1, DSO_RETRY_DELAY, DSO_PADDING };

void dns_dso_read(struct dns_msg *m, struct reader *r) {
    struct decode *d = m->d;
    fv_open(d->out, FID_DNS_DSO, rd_off(r), (uint32_t)rd_left(r));
    while (rd_ok(r) && rd_left(r)) {
        uint32_t off = rd_off(r);
        uint16_t type = rd_be16(r), n = rd_be16(r);
        struct reader value = rd_sub(r, n);
        if (!rd_ok(r)) break;
        fv_open(d->out, FID_DNS_DSO_TLV, off, n + 4u);
        fv_u(d->out, FID_DNS_DSO_TLV_TYPE, off, 2, type);
        fv_u(d->out, FID_DNS_DSO_TLV_LENGTH, off + 2, 2, n);
        if (type == DSO_KEEPALIVE) {
            get_be32(d, &value, FID_DNS_DSO_TLV_KEEPALIVE_INACTIVITY);
            get_be32(d, &value, FID_DNS_DSO_TLV_KEEPALIVE_INTERVAL);
        } else if (type == DSO_RETRY_DELAY) {
            get_be32(d, &value, FID_DNS_DSO_TLV_RETRYDELAY_RETRYDELAY);
        } else if (n) {
            get_bytes(d, &value, type == DSO_PADDING ? FID_DNS_DSO_TLV_ENCPAD_PADDING : FID_DNS_DSO_TLV_DATA, n);
        }
        fv_close(d->out);
        if (!rd_ok(&value)) rd_fail(r);
    }
    fv_close(d->out);
}
