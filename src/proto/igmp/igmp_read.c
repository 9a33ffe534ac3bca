/* SPDX-License-Identifier: Apache-2.0 */
/* Internet Group Management Protocol, versions 1 to 3 (RFC 1112, 2236, 3376). */
#include "field/print.h"
#include "proto/icmp/checksum.h"
#include "proto/protos.h"

enum { SHORT = 8, QUERY_3 = 12 };
enum { T_PIM = 0x14, T_QUERY = 0x11, T_REPORT_1 = 0x12, T_REPORT_2 = 0x16, T_LEAVE = 0x17, T_REPORT_3 = 0x22 };
enum { IS_IN = 1, IS_EX, TO_IN, TO_EX, ALLOW, BLOCK };

/* version_of tells the version of a message (RFC 3376 7.1): queries differ by length and response time. */
static uint8_t version_of(const struct decode *d, struct slice in) {
    uint32_t len = d->wire_len ? d->wire_len : (uint32_t)in.n;
    switch (in.p[0]) {
    case T_QUERY: return len >= QUERY_3 ? 3 : in.n > 1 && in.p[1] ? 2 : 1;
    case T_REPORT_1: return 1;
    case T_REPORT_2:
    case T_LEAVE: return 2;
    case T_REPORT_3: return 3;
    default: return 0;
    }
}

static void checksum_read(struct decode *d, struct reader *r, struct slice all, size_t least) {
    uint32_t off = rd_off(r);
    uint16_t sum = rd_be16(r);
    if (!rd_ok(r)) return;
    d_open_u(d, FID_IGMP_CHECKSUM, off, 2, sum);
    bool whole = !d->cut && all.n >= least && !d->quoted;
    uint16_t rest = whole ? checksum_fold(checksum_add(0, all)) : 0;
    if (rest) {
        struct fval *f = d_anomaly(d, FID_IGMP_BAD_CHECKSUM, off, 2);
        if (f) f->extra = checksum_expected(sum, rest);
    }
    fv_close(d->out);
    fv_u(d->out, FID_IGMP_CHECKSUM_STATUS, off, 0, !whole ? CHECKSUM_UNVERIFIED : rest ? CHECKSUM_BAD : CHECKSUM_GOOD);
}

/* max_resp_read reads the response time: in version 3 a float where it is large (RFC 3376 4.1.1). */
static void max_resp_read(struct decode *d, struct reader *r, uint8_t version) {
    uint32_t off = rd_off(r);
    uint8_t code = rd_u8(r);
    if (!rd_ok(r)) return;
    uint32_t exp = code >> 4 & 7, mant = code & 15;
    bool large = version == 3 && code >= 128;
    struct fval *f = fv_at(d->out, fv_open(d->out, FID_IGMP_MAX_RESP, off, 1));
    if (f) {
        f->u = large ? (mant | 16) << (exp + 3) : code;
        f->extra = code;
    }
    if (large) {
        fv_u(d->out, FID_IGMP_MAX_RESP_EXP, off, 1, exp);
        fv_u(d->out, FID_IGMP_MAX_RESP_MANT, off, 1, mant);
    }
    fv_close(d->out);
}

static void query_3_read(struct decode *d, struct reader *r) {
    uint32_t off = rd_off(r);
    uint8_t bits = rd_u8(r);
    if (!rd_ok(r)) return;
    fv_u(d->out, FID_IGMP_S, off, 1, bits >> 3 & 1);
    fv_u(d->out, FID_IGMP_QRV, off, 1, bits & 7);
    get_u8(d, r, FID_IGMP_QQIC);
    uint16_t n = get_be16(d, r, FID_IGMP_NUM_SRC);
    for (uint16_t i = 0; i < n && rd_ok(r); i++) get_be32(d, r, FID_IGMP_SADDR);
}

static void group_read(struct decode *d, struct reader *r) {
    uint32_t start = rd_off(r), at = fv_open(d->out, FID_IGMP_GROUP, start, 0);
    get_u8(d, r, FID_IGMP_RECORD_TYPE);
    uint8_t aux = get_u8(d, r, FID_IGMP_AUX_DATA_LEN);
    uint16_t n = get_be16(d, r, FID_IGMP_NUM_SRC);
    get_be32(d, r, FID_IGMP_MADDR);
    for (uint16_t i = 0; i < n && rd_ok(r); i++) get_be32(d, r, FID_IGMP_SADDR);
    if (aux && rd_ok(r)) get_bytes(d, r, FID_IGMP_AUX_DATA, aux * 4u);
    fv_set_len(d->out, at, rd_off(r) - start);
    fv_close(d->out);
}

static void report_3_read(struct decode *d, struct reader *r, struct slice in) {
    get_bytes(d, r, FID_IGMP_RESERVED, 1);
    checksum_read(d, r, in, SHORT);
    get_bytes(d, r, FID_IGMP_RESERVED, 2);
    uint16_t n = get_be16(d, r, FID_IGMP_NUM_GRP_RECS);
    for (uint16_t i = 0; i < n && rd_ok(r); i++) group_read(d, r);
}

static void igmp_read(struct decode *d, struct slice in) {
    struct reader r = d_reader(d, in);
    uint32_t off = rd_off(&r);
    if (rd_peek(&r, 0) == T_PIM) {
        d_step(d, proto_igmp.name);
        d->ops->call(d, &proto_pim, in);
        return;
    }
    d_begin(d, &proto_igmp, off, (uint32_t)in.n);
    if (!in.n) {
        rd_fail(&r);
        d_bad(d, &r);
        d_end(d);
        return;
    }
    uint8_t version = version_of(d, in);
    if (version) fv_u(d->out, FID_IGMP_VERSION, off, 0, version);
    if (version) d_step(d, proto_igmp.name); /* each version is a protocol of its own to Wireshark */
    uint8_t type = get_u8(d, &r, FID_IGMP_TYPE);
    if (!version) {
        get_bytes(d, &r, FID_IGMP_DATA, rd_left(&r));
    } else if (type == T_REPORT_3) {
        report_3_read(d, &r, in);
    } else {
        if (version == 1) get_bytes(d, &r, FID_IGMP_RESERVED, 1);
        else max_resp_read(d, &r, version);
        checksum_read(d, &r, version == 3 ? in : slice_head(in, SHORT), SHORT);
        get_be32(d, &r, FID_IGMP_MADDR);
        if (version == 3) query_3_read(d, &r);
    }
    if (!rd_ok(&r)) d_bad(d, &r);
    d_end(d);
}

/* sources_text writes the source addresses from place `at` to before `end` in braces. */
static void sources_text(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    bool first = true;
    wr_c(w, '{');
    for (uint32_t i = at; i < end; i++) {
        if (v->v[i].id != FID_IGMP_SADDR) continue;
        if (!first) wr_s(w, ", ");
        print_ipv4(w, (uint32_t)v->v[i].u);
        first = false;
    }
    wr_c(w, '}');
}

static void query_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *group = fv_first(v, FID_IGMP_MADDR, at, end), *n = fv_first(v, FID_IGMP_NUM_SRC, at, end);
    wr_s(w, "Membership Query");
    if (!group) return;
    if (!group->u) {
        wr_s(w, ", general");
        return;
    }
    wr_s(w, ", specific for group ");
    print_ipv4(w, (uint32_t)group->u);
    if (!n || !n->u) return;
    wr_s(w, n->u == 1 ? ", source " : ", sources ");
    sources_text(w, v, at, end);
}

/* How a record reads: with sources, before and behind the group's address; without sources likewise. */
struct record_words {
    const char *before, *behind, *before_none, *behind_none;
};
static const struct record_words records[] = {
    [0] = {"Group ", ", unknown record type (?), sources", "Group ", ", unknown record type (?)"},
    [IS_IN] = {"Join group ", " for source", "Leave group ", ""},
    [IS_EX] = {"Join group ", ", for source", "Join group ", " for any sources"},
    [TO_IN] = {"Join group ", " for source", "Leave group ", ""},
    [TO_EX] = {"Join group ", ", for source", "Join group ", " for any sources"},
    [ALLOW] = {"Group ", ", new source", "Group ", ", ALLOW_NEW_SOURCES but no source specified (?)"},
    [BLOCK] = {"Group ", ", block source", "Group ", ", BLOCK_OLD_SOURCES but no source specified (?)"},
};

static void record_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *type = fv_first(v, FID_IGMP_RECORD_TYPE, at, end), *n = fv_first(v, FID_IGMP_NUM_SRC, at, end);
    const struct fval *group = fv_first(v, FID_IGMP_MADDR, at, end);
    if (!type || !n || !group) return;
    unsigned kind = type->u >= IS_IN && type->u <= BLOCK ? (unsigned)type->u : 0;
    const struct record_words *words = &records[kind];
    wr_s(w, " / ");
    wr_s(w, n->u ? words->before : words->before_none);
    print_ipv4(w, (uint32_t)group->u);
    wr_s(w, n->u ? words->behind : words->behind_none);
    if (!n->u) return;
    if (kind && n->u > 1) wr_c(w, 's');
    wr_s(w, kind == IS_EX || kind == TO_EX ? " not " : " ");
    sources_text(w, v, at, end);
}

static void report_3_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *n = fv_first(v, FID_IGMP_NUM_GRP_RECS, at, end);
    wr_s(w, "Membership Report");
    if (n && !n->u) wr_s(w, " - General query");
    for (uint32_t i = at; i < end; i++)
        if (v->v[i].id == FID_IGMP_GROUP) record_info(w, v, i, fv_end(v, i));
}

static void igmp_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *type = fv_first(v, FID_IGMP_TYPE, at, end), *version = fv_first(v, FID_IGMP_VERSION, at, end);
    const struct fval *group = fv_first(v, FID_IGMP_MADDR, at, end);
    if (!type) return;
    if (type->u == T_QUERY && version && version->u == 1) wr_s(w, "Membership Query");
    else if (type->u == T_QUERY) query_info(w, v, at, end);
    else if (type->u == T_REPORT_3) report_3_info(w, v, at, end);
    else if (type->u == T_REPORT_1) wr_s(w, "Membership Report");
    else if (type->u == T_REPORT_2 || type->u == T_LEAVE) {
        wr_s(w, type->u == T_LEAVE ? "Leave Group" : "Membership Report");
        if (!group) return;
        wr_s(w, type->u == T_LEAVE ? " " : " group ");
        print_ipv4(w, (uint32_t)group->u);
    } else {
        wr_f(w, "Unknown Type:0x%02x", (unsigned)type->u);
    }
}

static const char *igmp_column(const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *version = fv_first(v, FID_IGMP_VERSION, at, end);
    static const char *const names[] = {"IGMPv0", "IGMPv1", "IGMPv2", "IGMPv3"};
    return version && version->u < sizeof names / sizeof *names ? names[version->u] : "IGMP";
}

static bool igmp_label(struct writer *w, const struct fvec *v, uint32_t at) {
    const struct fval *f = &v->v[at], *other;
    switch (f->id) {
    case FID_IGMP_MAX_RESP:
        wr_f(w, "Max Resp Time: %u.%u sec (0x%02x)", (unsigned)f->u / 10, (unsigned)f->u % 10, f->extra);
        return true;
    case FID_IGMP_CHECKSUM:
        wr_f(w, "Checksum: 0x%04x ", (unsigned)f->u);
        other = fv_first(v, FID_IGMP_BAD_CHECKSUM, at, fv_end(v, at));
        if (other) {
            wr_f(w, "incorrect, should be 0x%04x", other->extra);
            return true;
        }
        other = fv_first(v, FID_IGMP_CHECKSUM_STATUS, at, v->n);
        wr_s(w, other && other->u == CHECKSUM_GOOD ? "[correct]" : "[unverified]");
        return true;
    case FID_IGMP_BAD_CHECKSUM: wr_f(w, "Bad checksum [should be 0x%04x]", f->extra); return true;
    case FID_IGMP_GROUP: {
        const struct fval *type = fv_first(v, FID_IGMP_RECORD_TYPE, at, v->n),
                          *group = fv_first(v, FID_IGMP_MADDR, at, v->n);
        const char *name = type ? field_value_name(&vals_igmp_record, type->u) : NULL;
        if (!group) return false;
        wr_s(w, "Group Record : ");
        print_ipv4(w, (uint32_t)group->u);
        wr_f(w, "  %s", name ? name : "Unknown");
        return true;
    }
    default: return false;
    }
}

static const uint16_t info_fields[] = {FID_IGMP_TYPE,         FID_IGMP_VERSION, FID_IGMP_MADDR,
                                       FID_IGMP_NUM_GRP_RECS, FID_IGMP_GROUP,   FID_IGMP_RECORD_TYPE,
                                       FID_IGMP_NUM_SRC,      FID_IGMP_SADDR,   0};
static const struct proto_key keys[] = {{TABLE_IP, 2}, {TABLE_COUNT, 0}};
const struct proto proto_igmp = {.name = "igmp",
                                 .column = "IGMP",
                                 .id = FID_IGMP,
                                 .end = FID_IGMP_END,
                                 .keys = keys,
                                 .read = igmp_read,
                                 .info = igmp_info,
                                 .info_fields = info_fields,
                                 .column_of = igmp_column,
                                 .label = igmp_label};
