/* SPDX-License-Identifier: Apache-2.0 */
/* The words of DNS: the Info column, and tree lines that say more than their field. */
#include "proto/dns/dns.h"

#include "base/json.h"

#include "field/print.h"

const uint16_t dns_info_fields[] = {FID_DNS_ID,
                                    FID_DNS_FLAGS,
                                    FID_DNS_QUERIES,
                                    FID_DNS_ANSWERS,
                                    FID_DNS_AUTHORITY,
                                    FID_DNS_ADDITIONAL,
                                    FID_DNS_QRY_NAME,
                                    FID_DNS_QRY_TYPE,
                                    FID_DNS_QRY_QU,
                                    FID_DNS_RESP_NAME,
                                    FID_DNS_RESP_TYPE,
                                    FID_DNS_RESP_CACHE_FLUSH,
                                    FID_DNS_A,
                                    FID_DNS_AAAA,
                                    FID_DNS_NS,
                                    FID_DNS_CNAME,
                                    FID_DNS_SOA_MNAME,
                                    FID_DNS_PTR_DOMAIN_NAME,
                                    FID_DNS_MX_PREFERENCE,
                                    FID_DNS_MX_MAIL_EXCHANGE,
                                    FID_DNS_HINFO_CPU,
                                    FID_DNS_HINFO_OS,
                                    FID_DNS_WKS_ADDRESS,
                                    FID_DNS_NXT_NEXT_DOMAIN_NAME,
                                    FID_DNS_SRV_PRIORITY,
                                    FID_DNS_SRV_WEIGHT,
                                    FID_DNS_SRV_PORT,
                                    FID_DNS_SRV_TARGET,
                                    FID_DNS_NAPTR_ORDER,
                                    FID_DNS_NAPTR_PREFERENCE,
                                    FID_DNS_NAPTR_FLAGS,
                                    FID_DNS_KX_PREFERENCE,
                                    FID_DNS_KX_KEY_EXCHANGE,
                                    FID_DNS_A6_PREFIX_LEN,
                                    FID_DNS_A6_ADDRESS_SUFFIX,
                                    FID_DNS_A6_PREFIX_NAME,
                                    FID_DNS_DNAME,
                                    FID_DNS_NSEC_NEXT_DOMAIN_NAME,
                                    FID_DNS_WINSR_NAME_RESULT_DOMAIN,
                                    0};

/* dns_type_short writes the mnemonic of a record type. */
static void dns_type_short(struct writer *w, uint16_t type) {
    const char *name = field_value_name(&vals_dns_type, type);
    if (type == 255) wr_s(w, "ANY");
    else if (name) wr_bytes(w, name, strcspn(name, " "));
    else wr_f(w, "Unknown (%u)", type);
}

/* owner_in_info tells for which types the Info column names the owner and not what is in the record. */
static bool owner_in_info(uint16_t type) {
    switch (type) {
    case DNS_T_MD:
    case DNS_T_MF:
    case DNS_T_MB:
    case DNS_T_MG:
    case DNS_T_MR:
    case DNS_T_NULL:
    case DNS_T_MINFO:
    case DNS_T_RP:
    case DNS_T_AFSDB:
    case DNS_T_X25:
    case DNS_T_ISDN:
    case DNS_T_RT:
    case DNS_T_NSAP:
    case DNS_T_NSAP_PTR:
    case DNS_T_PX:
    case DNS_T_GPOS:
    case DNS_T_APL:
    case DNS_T_DHCID:
    case DNS_T_NSEC3PARAM:
    case DNS_T_TLSA:
    case DNS_T_HIP: return true;
    default: return false;
    }
}

/* data_in_info tells which fields of record data the Info column shows. */
static bool data_in_info(uint16_t id) {
    if (id < FID_DNS_SRV_PRIORITY) return false;
    for (const uint16_t *f = dns_info_fields + 12; *f; f++)
        if (*f == id) return true;
    return false;
}

static void opcode_write(struct writer *w, unsigned flags, bool number) {
    unsigned opcode = flags >> 11 & 15;
    const char *name = field_value_name(&vals_dns_flags_opcode, opcode);
    wr_s(w, name ? name : "Unknown operation");
    if (!name && number) wr_f(w, " (%u)", opcode);
    if (flags & 0x8000) wr_s(w, " response");
}

static void header_info(struct writer *w, unsigned id, unsigned flags) {
    opcode_write(w, flags, true);
    wr_s(w, " 0x");
    wr_hex(w, id, 4);
    unsigned rcode = flags & 15;
    if (!(flags & 0x8000) || !rcode) return;
    const char *name = field_value_name(&vals_dns_rcode, rcode);
    wr_c(w, ' ');
    if (name) wr_s(w, name);
    else wr_f(w, "Unknown error (%u)", rcode);
}

static void record_info(struct writer *w, const struct fvec *v, uint32_t i, uint32_t end, struct slice owner) {
    uint16_t type = (uint16_t)v->v[i].u;
    wr_c(w, ' ');
    dns_type_short(w, type);
    for (uint32_t k = i + 1; k < end && k < i + 4; k++)
        if (v->v[k].id == FID_DNS_RESP_CACHE_FLUSH && v->v[k].u) wr_s(w, ", cache flush");
    if (owner_in_info(type)) {
        wr_c(w, ' ');
        print_string(w, owner);
    }
}

void dns_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    struct slice name = {0};
    unsigned id = 0;
    uint64_t cut = 0;
    for (uint32_t i = at; i < end; i++) {
        const struct fval *f = &v->v[i];
        switch (f->id) {
        case FID_DNS_ID: id = (unsigned)f->u; break;
        case FID_DNS_FLAGS: header_info(w, id, (unsigned)f->u); break;
        case FID_DNS_ANSWERS:
        case FID_DNS_AUTHORITY:
        case FID_DNS_ADDITIONAL: cut = f->u; break;
        case FID_DNS_QRY_NAME:
        case FID_DNS_RESP_NAME: name = f->s; break;
        case FID_DNS_QRY_TYPE:
            wr_c(w, ' ');
            dns_type_short(w, (uint16_t)f->u);
            wr_c(w, ' ');
            print_string(w, name);
            break;
        case FID_DNS_QRY_QU: wr_s(w, f->u ? ", \"QU\" question" : ", \"QM\" question"); break;
        case FID_DNS_RESP_TYPE:
            if (f->extra != DNS_X_BITMAP) record_info(w, v, i, end, name);
            break;
        default:
            if (!data_in_info(f->id)) break;
            wr_c(w, ' ');
            print_value(w, field_of(f->id), f);
        }
    }
    if (!cut) return;
    wr_c(w, ' ');
    dns_type_short(w, (uint16_t)cut);
    if (cut & 0x20000) wr_s(w, ", cache flush");
}

/* Tree lines. */

static void seconds_write(struct writer *w, uint64_t s) {
    static const struct {
        uint32_t seconds;
        const char *name;
    } units[] = {{86400, "day"}, {3600, "hour"}, {60, "minute"}, {1, "second"}};
    bool any = false;
    wr_s(w, " (");
    for (size_t i = 0; i < 4; i++) {
        uint64_t n = s / units[i].seconds;
        s %= units[i].seconds;
        if (!n && (i < 3 || any)) continue;
        wr_f(w, "%s%llu %s%s", any ? ", " : "", (unsigned long long)n, units[i].name, n == 1 ? "" : "s");
        any = true;
    }
    wr_c(w, ')');
}

static bool title_label(struct writer *w, const struct fvec *v, uint32_t at) {
    const struct fval *flags = fv_first(v, FID_DNS_FLAGS, at, v->n);
    wr_s(w, field_of(v->v[at].id)->label);
    if (flags) wr_s(w, flags->u & 0x8000 ? " (response)" : " (query)");
    return true;
}

static bool flags_label(struct writer *w, unsigned flags) {
    wr_s(w, "Flags: 0x");
    wr_hex(w, flags, 4);
    wr_c(w, ' ');
    opcode_write(w, flags, false);
    if (!(flags & 0x8000)) return true;
    const char *name = field_value_name(&vals_dns_rcode, flags & 15);
    wr_s(w, ", ");
    wr_s(w, name ? name : "Unknown error");
    return true;
}

/* Words before the values that a record's line shows. */
struct lead {
    uint16_t id;
    const char *words;
};
static const struct lead leads[] = {
    {FID_DNS_A, ", addr "},
    {FID_DNS_AAAA, ", addr "},
    {FID_DNS_NS, ", ns "},
    {FID_DNS_CNAME, ", cname "},
    {FID_DNS_SOA_MNAME, ", mname "},
    {FID_DNS_PTR_DOMAIN_NAME, ", "},
    {FID_DNS_MX_PREFERENCE, ", preference "},
    {FID_DNS_MX_MAIL_EXCHANGE, ", mx "},
    {FID_DNS_HINFO_CPU, ", CPU "},
    {FID_DNS_HINFO_OS, ", OS "},
    {FID_DNS_WKS_ADDRESS, ", addr "},
    {FID_DNS_NXT_NEXT_DOMAIN_NAME, ", next domain name "},
    {FID_DNS_SRV_PRIORITY, ", priority "},
    {FID_DNS_SRV_WEIGHT, ", weight "},
    {FID_DNS_SRV_PORT, ", port "},
    {FID_DNS_SRV_TARGET, ", target "},
    {FID_DNS_NAPTR_ORDER, ", order "},
    {FID_DNS_NAPTR_PREFERENCE, ", preference "},
    {FID_DNS_NAPTR_FLAGS, ", flags "},
    {FID_DNS_KX_PREFERENCE, ", preference "},
    {FID_DNS_KX_KEY_EXCHANGE, ", kx "},
    {FID_DNS_A6_PREFIX_LEN, ", addr "},
    {FID_DNS_A6_ADDRESS_SUFFIX, " "},
    {FID_DNS_A6_PREFIX_NAME, " "},
    {FID_DNS_DNAME, ", dname "},
    {FID_DNS_NSEC_NEXT_DOMAIN_NAME, ", next domain name "},
    {FID_DNS_WINSR_NAME_RESULT_DOMAIN, ", name result domain "},
};

static void class_write(struct writer *w, uint64_t class) {
    const char *name = field_value_name(&vals_dns_class, class);
    wr_s(w, ", class ");
    wr_s(w, name ? name : "Unknown");
}

static bool record_label(struct writer *w, const struct fvec *v, uint32_t at) {
    uint32_t end = fv_end(v, at);
    print_string(w, v->v[at].s);
    for (uint32_t i = at + 1; i < end; i++) {
        const struct fval *f = &v->v[i];
        switch (f->id) {
        case FID_DNS_QRY_TYPE:
        case FID_DNS_RESP_TYPE:
            if (f->extra == DNS_X_BITMAP) break;
            wr_s(w, ": type ");
            dns_type_short(w, (uint16_t)f->u);
            break;
        case FID_DNS_QRY_CLASS:
        case FID_DNS_RESP_CLASS: class_write(w, f->u); break;
        case FID_DNS_QRY_QU: wr_s(w, f->u ? ", \"QU\" question" : ", \"QM\" question"); break;
        case FID_DNS_RESP_CACHE_FLUSH:
            if (f->u) wr_s(w, ", cache flush");
            break;
        default:
            for (size_t k = 0; k < sizeof leads / sizeof *leads; k++) {
                if (leads[k].id != f->id) continue;
                wr_s(w, leads[k].words);
                print_value(w, field_of(f->id), f);
            }
        }
    }
    return true;
}

static bool option_label(struct writer *w, const struct fvec *v, uint32_t at) {
    const struct fval *code = fv_first(v, FID_DNS_OPT_CODE, at, fv_end(v, at));
    if (!code) return false;
    const char *name = field_value_name(&vals_dns_opt_code, code->u);
    wr_s(w, "Option: ");
    if (name) wr_s(w, name);
    else wr_f(w, "Unknown (%u)", (unsigned)code->u);
    return true;
}

static void param_key_write(struct writer *w, uint64_t key) {
    const char *name = field_value_name(&vals_dns_svcparam, key);
    if (name) wr_s(w, name);
    else wr_f(w, "key%u", (unsigned)key);
}

static bool param_label(struct writer *w, const struct fvec *v, uint32_t at) {
    bool first = true;
    wr_s(w, "SvcParam: ");
    for (uint32_t i = at + 1, end = fv_end(v, at); i < end; i++) {
        const struct fval *f = &v->v[i];
        if (f->id == FID_DNS_SVCB_SVCPARAM_KEY) param_key_write(w, f->u);
        if (f->id == FID_DNS_SVCB_SVCPARAM_KEY || f->id == FID_DNS_SVCB_SVCPARAM_VALUE_LENGTH ||
            f->id == FID_DNS_SVCB_SVCPARAM_ALPN_LENGTH)
            continue;
        wr_c(w, first ? '=' : ',');
        first = false;
        if (f->id == FID_DNS_SVCB_SVCPARAM_MANDATORY_KEY) param_key_write(w, f->u);
        else if (f->id == FID_DNS_SVCB_SVCPARAM_ECHCONFIG || f->id == FID_DNS_SVCB_SVCPARAM_ODOHCONFIG)
            base64_write(w, f->s);
        else if (f->id == FID_DNS_SVCB_SVCPARAM_VALUE) print_string(w, f->s);
        else print_value(w, field_of(f->id), f);
    }
    return true;
}

/* loc_size_write: RFC 1876, 2: mantissa and power of ten, in centimetres. */
static void loc_size_write(struct writer *w, uint64_t value) {
    uint64_t cm = value >> 4 & 15;
    for (unsigned i = 0; i < (value & 15) && i < 9; i++) cm *= 10;
    wr_f(w, " (%llu", (unsigned long long)cm / 100);
    if (cm % 100) wr_f(w, ".%02u", (unsigned)(cm % 100));
    wr_s(w, " m)");
}

static void loc_angle_write(struct writer *w, uint32_t value, const char *ends) {
    bool positive = value >= 0x80000000u;
    uint32_t ms = positive ? value - 0x80000000u : 0x80000000u - value;
    wr_f(w, " (%u deg %u min %u.%03u sec %c)", ms / 3600000, ms / 60000 % 60, ms / 1000 % 60, ms % 1000,
         positive ? ends[0] : ends[1]);
}

static bool loc_label(struct writer *w, const struct fval *f) {
    wr_f(w, "%s: %llu", field_of(f->id)->label, (unsigned long long)f->u);
    if (f->id == FID_DNS_LOC_LATITUDE) loc_angle_write(w, (uint32_t)f->u, "NS");
    else if (f->id == FID_DNS_LOC_LONGITUDE) loc_angle_write(w, (uint32_t)f->u, "EW");
    else if (f->id == FID_DNS_LOC_ALTITUDE) wr_f(w, " (%g m)", ((double)f->u - 10000000.0) / 100.0);
    else loc_size_write(w, f->u);
    return true;
}

static bool wks_label(struct writer *w, const struct fval *f) {
    bool first = true;
    wr_f(w, "Bits: 0x%02x (", (unsigned)f->u);
    for (unsigned bit = 0; bit < 8; bit++) {
        if (!(f->u & 0x80u >> bit)) continue;
        wr_f(w, first ? "%u" : ", %u", f->extra + bit);
        first = false;
    }
    wr_c(w, ')');
    return true;
}

/* class_label writes a class without the bit above it, which mDNS uses otherwise. */
static bool class_label(struct writer *w, const struct fval *f) {
    for (int i = 14; i >= 0; i--) {
        if (i == 14) wr_c(w, '.');
        wr_c(w, f->u >> i & 1 ? '1' : '0');
        if (i && i % 4 == 0) wr_c(w, ' ');
    }
    wr_s(w, " = ");
    if (f->id == FID_DNS_RR_UDP_PAYLOAD_SIZE) {
        wr_f(w, "UDP payload size: 0x%04x", (unsigned)f->u);
        return true;
    }
    wr_s(w, "Class: ");
    print_named(w, field_of(f->id), f->u);
    return true;
}

static bool section_label(struct writer *w, const struct fval *f) {
    if (f->extra != DNS_X_UPDATE || f->id == FID_DNS_ADDITIONAL) return false;
    wr_s(w, f->id == FID_DNS_QUERIES ? "Zone" : f->id == FID_DNS_ANSWERS ? "Prerequisites" : "Updates");
    return true;
}

/* flag_label: bits of the header whose words depend on whose message it is. */
static bool flag_label(struct writer *w, const struct fval *f) {
    if (f->id == FID_DNS_FLAGS_CONFLICT && f->extra == DNS_X_RESPONSE)
        wr_f(w, ".... .%u.. .... .... = Conflict: The name is %sconsidered unique", (unsigned)f->u, f->u ? "not " : "");
    else if (f->id == FID_DNS_FLAGS_AUTHENTICATED && f->extra == DNS_X_QUERY)
        wr_s(w, ".... .... ..1. .... = AD bit: Set");
    else return false;
    return true;
}

static bool bitmap_label(struct writer *w, const struct fval *f) {
    const char *name = field_value_name(&vals_dns_type, f->u);
    if (f->extra != DNS_X_BITMAP) return false;
    wr_s(w, "RR type in bit map: ");
    if (name) wr_s(w, name);
    else wr_f(w, "Unknown (%u)", (unsigned)f->u);
    return true;
}

static bool seconds_label(struct writer *w, const struct fval *f) {
    wr_f(w, "%s: %llu", field_of(f->id)->label, (unsigned long long)f->u);
    seconds_write(w, f->u);
    return true;
}

static bool dso_label(struct writer *w, const struct fvec *v, uint32_t at) {
    const struct fval *type = fv_first(v, FID_DNS_DSO_TLV_TYPE, at, fv_end(v, at));
    const char *name = type ? field_value_name(&vals_dns_dso_tlv_type, type->u) : NULL;
    wr_f(w, "DSO TLV: %s", name ? name : "Unknown");
    return true;
}

/* remark_label: what is said of a message beside its fields. */
static bool remark_label(struct writer *w, const struct fval *f) {
    unsigned long long u = f->u;
    switch (f->id) {
    case FID_DNS_EXTRANEOUS_LINE: wr_f(w, "Extraneous Data (%u bytes)", f->len); return true;
    case FID_DNS_RETRANSMIT_REQUEST:
        wr_f(w, "DNS query retransmission. Original request in frame %llu", u);
        return true;
    case FID_DNS_RETRANSMIT_RESPONSE:
        wr_f(w, "DNS response retransmission. Original response in frame %llu", u);
        return true;
    case FID_DNS_UNDECODED_TYPE: wr_f(w, "The data of records of type %llu is not decoded", u); return true;
    case FID_DNS_TSIG_NOALG:
        wr_s(w, "No dissector for algorithm:");
        print_string(w, f->s);
        return true;
    default: return false;
    }
}

bool dns_label(struct writer *w, const struct fvec *v, uint32_t at) {
    const struct fval *f = &v->v[at];
    switch (f->id) {
    case FID_DNS:
    case FID_MDNS:
    case FID_LLMNR: return title_label(w, v, at);
    case FID_DNS_FLAGS: return flags_label(w, (unsigned)f->u);
    case FID_DNS_FLAGS_CONFLICT:
    case FID_DNS_FLAGS_AUTHENTICATED: return flag_label(w, f);
    case FID_DNS_QUERIES:
    case FID_DNS_ANSWERS:
    case FID_DNS_AUTHORITY:
    case FID_DNS_ADDITIONAL: return section_label(w, f);
    case FID_DNS_QUESTION:
    case FID_DNS_RR: return record_label(w, v, at);
    case FID_DNS_QRY_CLASS:
    case FID_DNS_RESP_CLASS:
    case FID_DNS_RR_UDP_PAYLOAD_SIZE: return f->extra == DNS_X_MULTICAST && class_label(w, f);
    case FID_DNS_RESP_TYPE: return bitmap_label(w, f);
    case FID_DNS_RESP_TTL:
    case FID_DNS_RRSIG_ORIGINAL_TTL:
    case FID_DNS_SOA_REFRESH_INTERVAL:
    case FID_DNS_SOA_RETRY_INTERVAL:
    case FID_DNS_SOA_EXPIRE_LIMIT:
    case FID_DNS_SOA_MINIMUM_TTL: return seconds_label(w, f);
    case FID_DNS_DSO_TLV: return dso_label(w, v, at);
    case FID_DNS_OPT: return option_label(w, v, at);
    case FID_DNS_SVCB_SVCPARAM: return param_label(w, v, at);
    case FID_DNS_SVCB_SVCPARAM_ECHCONFIG:
    case FID_DNS_SVCB_SVCPARAM_ODOHCONFIG:
        wr_f(w, "%s: ", field_of(f->id)->label);
        base64_write(w, f->s);
        return true;
    case FID_DNS_WKS_BITS: return wks_label(w, f);
    case FID_DNS_LOC_SIZE:
    case FID_DNS_LOC_HORIZONTAL_PRECISION:
    case FID_DNS_LOC_VERTICAL_PRECISION:
    case FID_DNS_LOC_LATITUDE:
    case FID_DNS_LOC_LONGITUDE:
    case FID_DNS_LOC_ALTITUDE: return loc_label(w, f);
    default: return remark_label(w, f);
    }
}
