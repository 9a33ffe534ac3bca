/* SPDX-License-Identifier: Apache-2.0 */
/* What ICMP says in the Info column and in tree lines that are not the table's. */
#include "proto/icmp/checksum.h"
#include "proto/icmp/icmp.h"
#include "proto/protos.h"

enum { TEXT_WIDTH = 20 };

const uint16_t icmp_info_fields[] = {FID_ICMP_TYPE,   FID_ICMP_CODE,    FID_ICMP_IDENT, FID_ICMP_SEQ,
                                     FID_ICMP_SEQ_LE, FID_ICMP_RESP_TO, FID_IP_TTL,     0};

/* codes_of returns the names of a type's codes, or NULL where its codes have none. */
static const struct field_values *codes_of(uint64_t type) {
    switch (type) {
    case 3: return &vals_icmp_unreachable;
    case 5: return &vals_icmp_redirect;
    case 9: return &vals_icmp_router;
    case 11: return &vals_icmp_exceeded;
    case 12: return &vals_icmp_parameter;
    case 40: return &vals_icmp_photuris;
    case 42:
    case 43: return &vals_icmp_extended;
    default: return NULL;
    }
}

static const char *type_name(uint64_t type) {
    const char *name = field_value_name(&vals_icmp_type, type);
    return name ? name : "Unknown ICMP (obsolete or malformed?)";
}

static void code_name(struct writer *w, const struct field_values *codes, uint64_t code) {
    const char *name = field_value_name(codes, code);
    if (name) wr_s(w, name);
    else wr_f(w, "Unknown code: %u", (unsigned)code);
}

static bool has_sequence(uint64_t type) { return type == 0 || type == 8 || (type >= 13 && type <= 18); }

/* ttl_of returns the TTL of the IP header before place `at`. */
static unsigned ttl_of(const struct fvec *v, uint32_t at) {
    for (uint32_t i = at; i > 0; i--)
        if (v->v[i - 1].id == FID_IP_TTL) return (unsigned)v->v[i - 1].u;
    return 0;
}

void icmp_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *type = fv_first(v, FID_ICMP_TYPE, at, end), *code = fv_first(v, FID_ICMP_CODE, at, end);
    const struct fval *id = fv_first(v, FID_ICMP_IDENT, at, end), *seq = fv_first(v, FID_ICMP_SEQ, at, end);
    const struct fval *swapped = fv_first(v, FID_ICMP_SEQ_LE, at, end), *to = fv_first(v, FID_ICMP_RESP_TO, at, end);
    if (!type || !code) return;
    const struct field_values *codes = codes_of(type->u);
    const char *name = type_name(type->u);
    wr_s(w, name);
    for (size_t n = strlen(name); n < TEXT_WIDTH; n++) wr_c(w, ' ');
    if (codes) {
        wr_s(w, " (");
        code_name(w, codes, code->u);
        wr_c(w, ')');
    }
    if (!has_sequence(type->u) || !id || !seq || !swapped) return;
    wr_f(w, " id=0x%04x, seq=%u/%u, ttl=%u", (unsigned)id->u, (unsigned)seq->u, (unsigned)swapped->u, ttl_of(v, at));
    if (to) wr_f(w, " (request in %u)", (unsigned)to->u);
}

void icmp_checksum_text(struct writer *w, const struct fvec *v, uint32_t at, uint16_t status, uint16_t bad) {
    const struct fval *wrong = fv_first(v, bad, at, fv_end(v, at)), *state = fv_first(v, status, at, v->n);
    wr_f(w, "Checksum: 0x%04x ", (unsigned)v->v[at].u);
    if (wrong) wr_f(w, "incorrect, should be 0x%04x", wrong->extra);
    else if (state && state->u == CHECKSUM_GOOD) wr_s(w, "[correct]");
    else wr_s(w, "[unverified] [in ICMP error packet]");
}

/* span_text writes a time of day or a lifetime in words: "30 minutes", "1 hour, 2 seconds". */
static void span_text(struct writer *w, uint64_t ms) {
    static const struct {
        uint32_t ms;
        const char *unit;
    } units[] = {{86400000, "day"}, {3600000, "hour"}, {60000, "minute"}};
    bool first = true;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        uint64_t n = ms / units[i].ms;
        ms %= units[i].ms;
        if (!n) continue;
        wr_f(w, "%s%u %s%s", first ? "" : ", ", (unsigned)n, units[i].unit, n == 1 ? "" : "s");
        first = false;
    }
    if (!ms && !first) return;
    wr_f(w, "%s%u", first ? "" : ", ", (unsigned)(ms / 1000));
    if (ms % 1000) wr_f(w, ".%03u", (unsigned)(ms % 1000));
    wr_f(w, " second%s", ms == 1000 ? "" : "s");
}

static void timestamp_text(struct writer *w, const struct fval *f) {
    wr_f(w, "%s: %u (", field_of(f->id)->label, (unsigned)f->u);
    span_text(w, f->u & 0x7fffffff);
    wr_s(w, " after midnight UTC)");
}

static void type_text(struct writer *w, const struct fval *f) {
    wr_f(w, "Type: %u (%s)", (unsigned)f->u, type_name(f->u));
}

static void code_text(struct writer *w, const struct fval *f) {
    const struct field_values *codes = codes_of(f->extra);
    wr_f(w, "Code: %u", (unsigned)f->u);
    if (!codes) return;
    wr_s(w, " (");
    code_name(w, codes, f->u);
    wr_c(w, ')');
}

static void mpls_text(struct writer *w, const struct fvec *v, uint32_t at) {
    const struct fval *label = fv_first(v, FID_ICMP_MPLS_LABEL, at, v->n),
                      *exp = fv_first(v, FID_ICMP_MPLS_EXP, at, v->n);
    const struct fval *s = fv_first(v, FID_ICMP_MPLS_S, at, v->n), *ttl = fv_first(v, FID_ICMP_MPLS_TTL, at, v->n);
    wr_s(w, "MPLS Stack Entry");
    if (label && exp && s && ttl)
        wr_f(w, " (Label: %u, EXP: %u, S: %u, TTL: %u)", (unsigned)label->u, (unsigned)exp->u, (unsigned)s->u,
             (unsigned)ttl->u);
}

bool icmp_label(struct writer *w, const struct fvec *v, uint32_t at) {
    const struct fval *f = &v->v[at];
    switch (f->id) {
    case FID_ICMP_TYPE: type_text(w, f); return true;
    case FID_ICMP_CODE: code_text(w, f); return true;
    case FID_ICMP_CHECKSUM: icmp_checksum_text(w, v, at, FID_ICMP_CHECKSUM_STATUS, FID_ICMP_CHECKSUM_BAD); return true;
    case FID_ICMP_EXT_CHECKSUM:
        icmp_checksum_text(w, v, at, FID_ICMP_EXT_CHECKSUM_STATUS, FID_ICMP_EXT_CHECKSUM_BAD);
        return true;
    case FID_ICMP_EXT_CHECKSUM_BAD:
    case FID_ICMP_CHECKSUM_BAD: wr_f(w, "Bad checksum [should be 0x%04x]", f->extra); return true;
    case FID_ICMP_ORIGINATE_TIMESTAMP:
    case FID_ICMP_RECEIVE_TIMESTAMP:
    case FID_ICMP_TRANSMIT_TIMESTAMP: timestamp_text(w, f); return true;
    case FID_ICMP_LIFETIME:
        wr_f(w, "Lifetime: %u (", (unsigned)f->u);
        span_text(w, f->u * 1000);
        wr_c(w, ')');
        return true;
    case FID_ICMP_RESPTIME: wr_f(w, "[Response time: %.3f ms]", f->d); return true;
    case FID_ICMP_EXT: wr_s(w, "ICMP Multi-Part Extensions"); return true;
    case FID_ICMP_MPLS: mpls_text(w, v, at); return true;
    default: return false;
    }
}
