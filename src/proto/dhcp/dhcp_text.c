/* SPDX-License-Identifier: Apache-2.0 */
/* The words of DHCP: the Info column, and tree lines that say more than their field. */
#include "proto/dhcp/dhcp.h"

#include "field/print.h"

const uint16_t dhcp_info_fields[] = {FID_DHCP_TYPE,    FID_DHCP_ID,          FID_DHCP_HW_MAC_ADDR,
                                     FID_DHCP_HW_ADDR, FID_DHCP_OPTION_DHCP, 0};

enum { BOOT_REQUEST = 1 };

static void bootp_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *type = fv_first(v, FID_DHCP_TYPE, at, end);
    const struct fval *mac = fv_first(v, FID_DHCP_HW_MAC_ADDR, at, end),
                      *other = fv_first(v, FID_DHCP_HW_ADDR, at, end);
    if (!type) return;
    if (type->u != BOOT_REQUEST) {
        const char *name = field_value_name(&vals_dhcp_type, type->u);
        if (name) wr_s(w, name);
        else wr_f(w, "Unknown BOOTP message type (%u)", (unsigned)type->u);
        return;
    }
    wr_s(w, "Boot Request from ");
    if (mac) {
        print_ether(w, mac->s.p);
        wr_s(w, " (");
        print_ether(w, mac->s.p);
        wr_c(w, ')');
    } else if (other) {
        wr_hexbytes(w, slice_head(other->s, other->extra), ':');
    }
}

void dhcp_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *type = fv_first(v, FID_DHCP_OPTION_DHCP, at, end), *id = fv_first(v, FID_DHCP_ID, at, end);
    if (!type || !id) {
        bootp_info(w, v, at, end);
        return;
    }
    const char *name = field_value_name(field_of(FID_DHCP_OPTION_DHCP)->values, type->u);
    if (name) wr_f(w, "DHCP %-8s", name);
    else wr_f(w, "DHCP Unknown Message Type (0x%02x)", (unsigned)type->u);
    wr_f(w, " - Transaction ID 0x%x", (unsigned)id->u);
}

const char *dhcp_column(const struct fvec *v, uint32_t at, uint32_t end) {
    return fv_first(v, FID_DHCP_OPTION_DHCP, at, end) ? "DHCP" : "BOOTP";
}

static void seconds_write(struct writer *w, uint64_t s) {
    static const struct {
        uint32_t seconds;
        const char *name;
    } units[] = {{86400, "day"}, {3600, "hour"}, {60, "minute"}, {1, "second"}};
    bool any = false;
    for (size_t i = 0; i < 4; i++) {
        uint64_t n = s / units[i].seconds;
        s %= units[i].seconds;
        if (!n && (i < 3 || any)) continue;
        wr_f(w, "%s%llu %s%s", any ? ", " : "", (unsigned long long)n, units[i].name, n == 1 ? "" : "s");
        any = true;
    }
}

static bool title_label(struct writer *w, const struct fvec *v, uint32_t at) {
    const struct fval *type = fv_first(v, FID_DHCP_OPTION_DHCP, at, fv_end(v, at));
    wr_s(w, field_of(FID_DHCP)->label);
    if (!type) return true;
    const char *name = field_value_name(field_of(FID_DHCP_OPTION_DHCP)->values, type->u);
    wr_f(w, " (%s)", name ? name : "Unknown");
    return true;
}

static void option_name_write(struct writer *w, uint64_t code) {
    const char *name = field_value_name(&vals_dhcp_option, code);
    wr_f(w, "(%u) %s", (unsigned)code, name ? name : "Unknown");
}

static bool option_label(struct writer *w, const struct fvec *v, uint32_t at) {
    const struct fval *f = &v->v[at];
    wr_s(w, "Option: ");
    option_name_write(w, f->extra == DHCP_END ? DHCP_END : f->u);
    uint32_t end = fv_end(v, at), shown = 0;
    const struct fval *last = NULL;
    for (uint32_t i = at + 1; i < end; i++) {
        if (v->v[i].flags & FV_HIDDEN || v->v[i].id == FID_DHCP_OPTION_LENGTH) continue;
        last = &v->v[i];
        shown++;
    }
    if (shown != 1) return true;
    if (last->id == FID_DHCP_OPTION_DHCP) {
        const char *name = field_value_name(field_of(last->id)->values, last->u);
        if (name) wr_f(w, " (%s)", name);
        else wr_f(w, " (Unknown Message Type (0x%02x))", (unsigned)last->u);
    } else if (field_of(last->id)->type == FT_IPV4 &&
               (f->u == 1 || f->u == 16 || f->u == 28 || f->u == 32 || f->u == 50 || f->u == 54)) {
        wr_s(w, " (");
        print_ipv4(w, (uint32_t)last->u);
        wr_c(w, ')');
    }
    return true;
}

static bool route_label(struct writer *w, struct slice s) {
    uint32_t net = 0;
    uint8_t width = s.n ? s.p[0] : 0;
    size_t bytes = (size_t)(width + 7) / 8;
    if (s.n < bytes + 5) return false;
    for (size_t i = 0; i < bytes; i++) net |= (uint32_t)s.p[1 + i] << (24 - 8 * i);
    wr_s(w, " ");
    if (width) {
        print_ipv4(w, net);
        wr_f(w, "/%u-", width);
    } else {
        wr_s(w, "default-");
    }
    print_ipv4(w, load_be32(s.p + 1 + bytes));
    return true;
}

static bool fqdn_label(struct writer *w, uint64_t flags) {
    static const char *const names[4] = {"Server", "Server overrides", "Encoding", "Server DDNS"};
    wr_f(w, "Flags: 0x%02x", (unsigned)flags);
    for (int i = 3; i >= 0; i--)
        if (flags >> i & 1) wr_f(w, ", %s", names[i]);
    return true;
}

static bool is_seconds(uint16_t id) {
    return id == FID_DHCP_OPTION_TIME_OFFSET || id == FID_DHCP_OPTION_PATH_MTU_AGING_TIMEOUT ||
           id == FID_DHCP_OPTION_ARP_CACHE_TIMEOUT || id == FID_DHCP_OPTION_TCP_KEEPALIVE_INTERVAL ||
           id == FID_DHCP_OPTION_IP_ADDRESS_LEASE_TIME || id == FID_DHCP_OPTION_RENEWAL_TIME_VALUE ||
           id == FID_DHCP_OPTION_REBINDING_TIME_VALUE || id == FID_DHCP_OPTION_CLIENT_LAST_TRANSACTION_TIME;
}

static bool seconds_label(struct writer *w, const struct fval *f) {
    wr_f(w, "%s: ", field_of(f->id)->label);
    if (f->id == FID_DHCP_OPTION_IP_ADDRESS_LEASE_TIME && f->u == UINT32_MAX) {
        wr_s(w, "infinity");
        return true;
    }
    bool negative = f->id == FID_DHCP_OPTION_TIME_OFFSET && f->i < 0;
    wr_f(w, "(%llds) %s", (long long)f->i, negative ? "-" : "");
    seconds_write(w, negative ? (uint64_t)-f->i : f->u);
    return true;
}

bool dhcp_label(struct writer *w, const struct fvec *v, uint32_t at) {
    const struct fval *f = &v->v[at];
    switch (f->id) {
    case FID_DHCP: return title_label(w, v, at);
    case FID_DHCP_FLAGS:
        wr_f(w, "Bootp flags: 0x%04x%s", (unsigned)f->u, f->u & 0x8000 ? ", Broadcast flag (Broadcast)" : " (Unicast)");
        return true;
    case FID_DHCP_SERVER:
    case FID_DHCP_FILE:
        if (f->s.n) return false;
        wr_f(w, "%s not given", field_of(f->id)->label);
        return true;
    case FID_DHCP_COOKIE: wr_s(w, "Magic cookie: DHCP"); return true;
    case FID_DHCP_HW_ADDR:
        wr_s(w, "Client hardware address: ");
        wr_hexbytes(w, slice_head(f->s, f->extra), 0);
        return true;
    case FID_DHCP_OPTION_TYPE: return option_label(w, v, at);
    case FID_DHCP_OPTION_REQUEST_LIST_ITEM:
        wr_s(w, "Parameter Request List Item: ");
        option_name_write(w, f->u);
        return true;
    case FID_DHCP_OPTION_AGENT_INFORMATION_OPTION_SUBOPTION: {
        const char *name = field_value_name(&vals_dhcp_agent, f->u);
        wr_f(w, "Option 82 Suboption: (%u) %s", (unsigned)f->u, name ? name : "Unknown");
        return true;
    }
    case FID_DHCP_OPTION_USER_CLASS: wr_f(w, "Instance of User Class: [%u]", (unsigned)f->u); return true;
    case FID_DHCP_OPTION_CLASSLESS_STATIC_ROUTE: return route_label(w, f->s);
    case FID_DHCP_FQDN_FLAGS: return fqdn_label(w, f->u);
    case FID_DHCP_VENDOR_SUBOPTION: wr_f(w, "Option 125 Suboption: %u", (unsigned)f->u); return true;
    default: return is_seconds(f->id) && seconds_label(w, f);
    }
}
