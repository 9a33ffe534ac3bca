/* SPDX-License-Identifier: Apache-2.0 */
/* What IPv6 says in the Info column and in tree lines that are not the table's. */
#include "field/print.h"
#include "proto/ip/ip.h"
#include "proto/ipv6/ipv6.h"
#include "proto/protos.h"

const uint16_t ipv6_info_fields[] = {FID_IPV6_NXT,
                                     FID_IPV6_HOPOPTS_NXT,
                                     FID_IPV6_DSTOPTS_NXT,
                                     FID_IPV6_ROUTING_NXT,
                                     FID_IPV6_FRAGHDR_NXT,
                                     FID_AH_NEXT_HEADER,
                                     FID_IPV6_FRAGHDR_OFFSET,
                                     FID_IPV6_FRAGHDR_MORE,
                                     FID_IPV6_FRAGHDR_IDENT,
                                     FID_IPV6_BOGUS_IPV6_VERSION,
                                     0};

static bool is_next(uint16_t id) {
    for (size_t i = 0; i < 6; i++)
        if (ipv6_info_fields[i] == id) return true;
    return false;
}

static void fragment_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *off = fv_first(v, FID_IPV6_FRAGHDR_OFFSET, at, end),
                      *more = fv_first(v, FID_IPV6_FRAGHDR_MORE, at, end);
    const struct fval *id = fv_first(v, FID_IPV6_FRAGHDR_IDENT, at, end),
                      *next = fv_first(v, FID_IPV6_FRAGHDR_NXT, at, end);
    if (!off || !more || !id || !next) return;
    wr_f(w, "IPv6 fragment (off=%u more=%c ident=0x%08x nxt=%u)", (unsigned)off->u * 8, more->u ? 'y' : 'n',
         (unsigned)id->u, (unsigned)next->u);
}

/* The header is the topmost layer for a fragment, for nothing, and for a protocol nobody knows. */
void ipv6_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *bogus = fv_first(v, FID_IPV6_BOGUS_IPV6_VERSION, at, end), *next = NULL;
    for (uint32_t i = at; i < end; i++)
        if (is_next(v->v[i].id)) next = &v->v[i];
    if (bogus) {
        wr_f(w, "Bogus IPv6 version (%u, must be 6)", bogus->extra);
    } else if (next && next->id == FID_IPV6_FRAGHDR_NXT) {
        fragment_info(w, v, at, end);
    } else if (next && next->u == NEXT_NONE) {
        wr_s(w, "IPv6 no next header");
    } else if (next) {
        wr_f(w, "Unknown IP Protocol: %s (%u)", ip_proto_name(next->u), (unsigned)next->u);
    }
}

static void header_text(struct writer *w, const struct fvec *v, uint32_t at) {
    const struct fval *src = fv_first(v, FID_IPV6_SRC, at, v->n), *dst = fv_first(v, FID_IPV6_DST, at, v->n);
    wr_s(w, "Internet Protocol Version 6");
    if (!src || !dst) return;
    wr_s(w, ", Src: ");
    print_ipv6(w, src->s.p);
    wr_s(w, ", Dst: ");
    print_ipv6(w, dst->s.p);
}

static void traffic_class_text(struct writer *w, const struct fval *f) {
    const char *dscp = field_value_name(&vals_ip_dscp_short, f->u >> 2),
               *ecn = field_value_name(&vals_ip_ecn_short, f->u & 3);
    wr_s(w, "....");
    for (int i = 7; i >= 0; i--) wr_f(w, "%s%u", i % 4 == 3 ? " " : "", (unsigned)(f->u >> i & 1));
    wr_f(w, " .... .... .... .... .... = Traffic Class: 0x%02x (DSCP: %s, ECN: %s)", (unsigned)f->u,
         dscp ? dscp : "Unknown", ecn ? ecn : "Unknown");
}

static void offset_text(struct writer *w, const struct fval *f) {
    for (int i = 12; i >= 0; i--) wr_f(w, "%u%s", (unsigned)(f->u >> i & 1), i % 4 == 1 ? " " : "");
    wr_f(w, "... = Offset: %u (%u bytes)", (unsigned)f->u, (unsigned)f->u * 8);
}

static void fragments_text(struct writer *w, const struct fvec *v, uint32_t at) {
    const struct fval *f = &v->v[at];
    uint32_t end = fv_end(v, at), n = 0;
    for (uint32_t i = at; i < end; i++) n += v->v[i].id == FID_IPV6_FRAGMENT;
    wr_f(w, "%u IPv6 Fragment%s (%u byte%s): ", n, n == 1 ? "" : "s", f->len, f->len == 1 ? "" : "s");
    bool first = true;
    for (uint32_t i = at; i < end; i++) {
        if (v->v[i].id != FID_IPV6_FRAGMENT) continue;
        wr_f(w, "%s#%u(%u)", first ? "" : ", ", (unsigned)v->v[i].u, v->v[i].len);
        first = false;
    }
}

static void fragment_text(struct writer *w, const struct fval *f) {
    wr_f(w, "[Frame: %u, payload: %u-%u (%u byte%s)]", (unsigned)f->u, f->off, f->off + (f->len ? f->len - 1 : 0),
         f->len, f->len == 1 ? "" : "s");
}

static void option_text(struct writer *w, const struct fval *f, const char *behind) {
    const char *name = field_value_name(&vals_ipv6_option, f->u);
    if (name) wr_s(w, name);
    else wr_f(w, "Unknown IPv6 Option (%u)", (unsigned)f->u);
    wr_s(w, behind);
}

static void numbered_address_text(struct writer *w, const struct fval *f) {
    wr_f(w, "Address[%u]: ", f->extra);
    if (f->s.n == 16) print_ipv6(w, f->s.p);
}

static bool belongs_hop(uint64_t option) {
    return option != OPT_TEL && option != OPT_PDM && option != OPT_ILNP && option != OPT_LIO && option != OPT_HOME;
}

bool ipv6_label(struct writer *w, const struct fvec *v, uint32_t at) {
    const struct fval *f = &v->v[at];
    const char *name;
    switch (f->id) {
    case FID_IPV6: header_text(w, v, at); return true;
    case FID_IPV6_TCLASS: traffic_class_text(w, f); return true;
    case FID_IPV6_FLOW:
        wr_s(w, "....");
        for (int i = 19; i >= 0; i--) wr_f(w, "%s%u", i % 4 == 3 ? " " : "", (unsigned)(f->u >> i & 1));
        wr_f(w, " = Flow Label: 0x%05x", (unsigned)f->u);
        return true;
    case FID_IPV6_ROUTING: {
        const struct fval *type = fv_first(v, FID_IPV6_ROUTING_TYPE, at, v->n);
        name = type ? field_value_name(&vals_ipv6_routing, type->u) : NULL;
        wr_f(w, "Routing Header for IPv6 (%s)", name ? name : "Unknown");
        return true;
    }
    case FID_IPV6_FRAGHDR_OFFSET: offset_text(w, f); return true;
    case FID_IPV6_FRAGMENTS: fragments_text(w, v, at); return true;
    case FID_IPV6_FRAGMENT: fragment_text(w, f); return true;
    case FID_IPV6_OPT: option_text(w, f, ""); return true;
    case FID_IPV6_OPT_HEADER_MISMATCH:
        option_text(w, f,
                    belongs_hop(f->u) ? " must use a hop-by-hop options header"
                                      : " must use a destination options header");
        return true;
    case FID_IPV6_OPT_PADN:
        if (f->s.n) return false;
        wr_s(w, "PadN: <none>");
        return true;
    case FID_IPV6_ROUTING_SRC_ADDR:
    case FID_IPV6_ROUTING_MIPV6_HOME_ADDRESS:
    case FID_IPV6_ROUTING_SRH_ADDR:
    case FID_IPV6_ROUTING_RPL_FULL_ADDRESS: numbered_address_text(w, f); return true;
    case FID_IPV6_PLEN_EXCEEDS_FRAMING:
        wr_f(w, "IPv6 payload length exceeds framing length (%u bytes)", f->extra);
        return true;
    case FID_IPV6_ROUTING_INVALID_SEGLEFT:
        wr_f(w, "IPv6 Type 0 Routing Header segments left field must not exceed address count (%u)", f->extra);
        return true;
    default: return false;
    }
}

bool ah_label(struct writer *w, const struct fvec *v, uint32_t at) {
    const struct fval *f = &v->v[at];
    if (f->id != FID_AH_LENGTH) return false;
    wr_f(w, "Length: %u (%u bytes)", (unsigned)f->u, ((unsigned)f->u + 2) * 4);
    return true;
}
