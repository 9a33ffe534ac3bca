/* SPDX-License-Identifier: Apache-2.0 */
/* What ICMPv6 says in the Info column and in tree lines that are not the table's. */
#include "field/print.h"
#include "proto/icmp/icmp.h"
#include "proto/icmpv6/icmpv6.h"
#include "proto/protos.h"

const uint16_t icmpv6_info_fields[] = {FID_ICMPV6_TYPE,
                                       FID_ICMPV6_CODE,
                                       FID_ICMPV6_ECHO_IDENTIFIER,
                                       FID_ICMPV6_ECHO_SEQUENCE_NUMBER,
                                       FID_ICMPV6_RESP_TO,
                                       FID_ICMPV6_ND_NS_TARGET_ADDRESS,
                                       FID_ICMPV6_ND_NA_TARGET_ADDRESS,
                                       FID_ICMPV6_ND_NA_FLAG,
                                       FID_ICMPV6_OPT_SRC_LINKADDR,
                                       FID_ICMPV6_OPT_TARGET_LINKADDR,
                                       FID_IPV6_HLIM,
                                       0};

/* codes_of returns the names of a type's codes, or NULL where its codes have none. */
static const struct field_values *codes_of(uint64_t type) {
    switch (type) {
    case V6_UNREACHABLE: return &vals_icmpv6_unreachable;
    case V6_EXCEEDED: return &vals_icmpv6_exceeded;
    case V6_PARAMETER: return &vals_icmpv6_parameter;
    case V6_RENUMBERING: return &vals_icmpv6_renumbering;
    case V6_NODE_QUERY: return &vals_icmpv6_query;
    case V6_NODE_REPLY: return &vals_icmpv6_reply;
    case V6_RPL: return &vals_icmpv6_rpl;
    case V6_EXTENDED:
    case V6_EXTENDED_REPLY: return &vals_icmp_extended;
    default: return NULL;
    }
}

static void code_name(struct writer *w, uint64_t type, uint64_t code) {
    const char *name = field_value_name(codes_of(type), code);
    if (name) wr_s(w, name);
    else if (type == V6_UNREACHABLE) wr_s(w, "Unknown");
    else wr_f(w, "Unknown (%u)", (unsigned)code);
}

static unsigned hop_limit_of(const struct fvec *v, uint32_t at) {
    for (uint32_t i = at; i > 0; i--)
        if (v->v[i - 1].id == FID_IPV6_HLIM) return (unsigned)v->v[i - 1].u;
    return 0;
}

static void echo_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *id = fv_first(v, FID_ICMPV6_ECHO_IDENTIFIER, at, end);
    const struct fval *seq = fv_first(v, FID_ICMPV6_ECHO_SEQUENCE_NUMBER, at, end),
                      *to = fv_first(v, FID_ICMPV6_RESP_TO, at, end);
    if (!id || !seq) return;
    wr_f(w, " id=0x%04x, seq=%u, hop limit=%u", (unsigned)id->u, (unsigned)seq->u, hop_limit_of(v, at));
    if (to) wr_f(w, " (request in %u)", (unsigned)to->u);
}

static void advertisement_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    static const char *const names[] = {"rtr", "sol", "ovr"};
    const struct fval *target = fv_first(v, FID_ICMPV6_ND_NA_TARGET_ADDRESS, at, end);
    const struct fval *flags = fv_first(v, FID_ICMPV6_ND_NA_FLAG, at, end);
    bool any = false;
    if (!target || !flags) return;
    wr_c(w, ' ');
    print_ipv6(w, target->s.p);
    wr_s(w, " (");
    for (int i = 0; i < 3; i++) {
        if (!(flags->u >> (31 - i) & 1)) continue;
        wr_f(w, "%s%s", any ? ", " : "", names[i]);
        any = true;
    }
    wr_s(w, any ? ")" : "none)");
}

static void link_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    for (uint32_t i = at; i < end; i++) {
        const struct fval *f = &v->v[i];
        if (f->id != FID_ICMPV6_OPT_SRC_LINKADDR && f->id != FID_ICMPV6_OPT_TARGET_LINKADDR) continue;
        wr_s(w, f->id == FID_ICMPV6_OPT_SRC_LINKADDR ? " from " : " is at ");
        wr_hexbytes(w, f->s, ':');
    }
}

void icmpv6_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *type = fv_first(v, FID_ICMPV6_TYPE, at, end), *code = fv_first(v, FID_ICMPV6_CODE, at, end);
    const struct fval *target = fv_first(v, FID_ICMPV6_ND_NS_TARGET_ADDRESS, at, end);
    if (!type) return;
    const char *name = field_value_name(&vals_icmpv6_type, type->u);
    if (name) wr_s(w, name);
    else wr_f(w, "Unknown (%u)", (unsigned)type->u);
    if (code && codes_of(type->u)) {
        wr_s(w, " (");
        code_name(w, type->u, code->u);
        wr_c(w, ')');
    }
    if (type->u == V6_ECHO || type->u == V6_ECHO_REPLY) echo_info(w, v, at, end);
    if (target) {
        wr_s(w, " for ");
        print_ipv6(w, target->s.p);
    }
    advertisement_info(w, v, at, end);
    link_info(w, v, at, end);
}

/* flags_text writes a set of flags with the names of those that are set. */
static void flags_text(struct writer *w, const struct fvec *v, uint32_t at) {
    const struct fval *f = &v->v[at];
    const struct field *own = field_of(f->id);
    uint32_t end = fv_end(v, at);
    wr_f(w, "%s: 0x", own->label);
    wr_hex(w, f->u, field_bits(own) / 4);
    for (uint32_t i = at + 1; i < end; i++) {
        const struct field *field = field_of(v->v[i].id);
        if (field->type == FT_BOOL && v->v[i].u) wr_f(w, ", %s", field->label);
        const char *name = field->type != FT_BOOL && field->values ? field_value_name(field->values, v->v[i].u) : NULL;
        if (name) wr_f(w, ", %s: %s", field->label, name);
    }
}

static void record_text(struct writer *w, const struct fvec *v, uint32_t at) {
    uint32_t end = fv_end(v, at);
    const struct fval *type = fv_first(v, FID_ICMPV6_MLDR_MAR_RECORD_TYPE, at, end);
    const struct fval *address = fv_first(v, FID_ICMPV6_MLDR_MAR_MULTICAST_ADDRESS, at, end);
    const char *name = type ? field_value_name(&vals_icmpv6_record, type->u) : NULL;
    wr_f(w, "Multicast Address Record %s", name ? name : "Unknown");
    if (!address) return;
    wr_s(w, ": ");
    print_ipv6(w, address->s.p);
}

/* option_value writes what an option's line says of its value. */
static void option_value(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *link = fv_first(v, FID_ICMPV6_OPT_LINKADDR, at, end),
                      *mtu = fv_first(v, FID_ICMPV6_OPT_MTU, at, end);
    const struct fval *len = fv_first(v, FID_ICMPV6_OPT_PREFIX_LENGTH, at, end),
                      *prefix = fv_first(v, FID_ICMPV6_OPT_PREFIX, at, end);
    const struct fval *preference = fv_first(v, FID_ICMPV6_OPT_ROUTE_INFO_FLAG_ROUTE_PREFERENCE, at, end);
    const struct fval *interval = fv_first(v, FID_ICMPV6_OPT_ADVERTISEMENT_INTERVAL, at, end);
    static const uint8_t none[16];
    if (link) {
        wr_s(w, " : ");
        wr_hexbytes(w, link->s, ':');
    }
    if (mtu) wr_f(w, " : %u", (unsigned)mtu->u);
    if (interval) wr_f(w, " : %u", (unsigned)interval->u);
    if (len) {
        wr_s(w, " : ");
        if (preference) wr_f(w, "%s ", field_value_name(&vals_icmpv6_preference, preference->u));
        print_ipv6(w, prefix ? prefix->s.p : none);
        wr_f(w, "/%u", (unsigned)len->u);
    }
    for (uint32_t i = at; i < end; i++) {
        const struct fval *f = &v->v[i];
        if (f->id != FID_ICMPV6_OPT_RDNSS && f->id != FID_ICMPV6_OPT_DNSSL) continue;
        wr_c(w, ' ');
        if (f->id == FID_ICMPV6_OPT_RDNSS) print_ipv6(w, f->s.p);
        else print_string(w, f->s);
    }
}

static void option_text(struct writer *w, const struct fvec *v, uint32_t at) {
    uint32_t end = fv_end(v, at);
    const struct fval *type = fv_first(v, FID_ICMPV6_OPT_TYPE, at, end);
    const char *name = type ? field_value_name(&vals_icmpv6_option, type->u) : NULL;
    wr_s(w, "ICMPv6 Option (");
    if (name) wr_s(w, name);
    else wr_f(w, "Unknown %u", type ? (unsigned)type->u : 0);
    option_value(w, v, at, end);
    wr_c(w, ')');
}

static bool is_flags(uint16_t id) {
    switch (id) {
    case FID_ICMPV6_ND_RA_FLAG:
    case FID_ICMPV6_ND_NA_FLAG:
    case FID_ICMPV6_OPT_PREFIX_FLAG:
    case FID_ICMPV6_OPT_ROUTE_INFO_FLAG:
    case FID_ICMPV6_OPT_EFO:
    case FID_ICMPV6_MLD_FLAG:
    case FID_ICMPV6_RR_FLAG:
    case FID_ICMPV6_MIP6_FLAG:
    case FID_ICMPV6_NI_FLAG:
    case FID_ICMPV6_RPL_DIO_FLAG:
    case FID_ICMPV6_RPL_DAO_FLAG:
    case FID_ICMPV6_RPL_DAOACK_FLAG: return true;
    default: return false;
    }
}

bool icmpv6_label(struct writer *w, const struct fvec *v, uint32_t at) {
    const struct fval *f = &v->v[at];
    if (is_flags(f->id)) {
        flags_text(w, v, at);
        return true;
    }
    switch (f->id) {
    case FID_ICMPV6_CODE:
        wr_f(w, "Code: %u", (unsigned)f->u);
        if (!codes_of(f->extra)) return true;
        wr_s(w, " (");
        code_name(w, f->extra, f->u);
        wr_c(w, ')');
        return true;
    case FID_ICMPV6_CHECKSUM:
        icmp_checksum_text(w, v, at, FID_ICMPV6_CHECKSUM_STATUS, FID_ICMPV6_CHECKSUM_BAD);
        return true;
    case FID_ICMPV6_CHECKSUM_BAD: wr_f(w, "Bad checksum [should be 0x%04x]", f->extra); return true;
    case FID_ICMPV6_OPT: option_text(w, v, at); return true;
    case FID_ICMPV6_OPT_LENGTH: wr_f(w, "Length: %u (%u bytes)", (unsigned)f->u, (unsigned)f->u * 8); return true;
    case FID_ICMPV6_OPT_LINKADDR:
        wr_s(w, "Link-layer address: ");
        wr_hexbytes(w, f->s, ':');
        return true;
    case FID_ICMPV6_MLDR_MAR: record_text(w, v, at); return true;
    case FID_ICMPV6_RESPTIME: wr_f(w, "[Response Time: %.3f ms]", f->d); return true;
    case FID_ICMPV6_UNDECODED_OPTION: wr_f(w, "Option %u is not decoded", f->extra); return true;
    case FID_ICMPV6_UNDECODED_TYPE: wr_f(w, "Type %u is not decoded", f->extra); return true;
    default: return false;
    }
}
