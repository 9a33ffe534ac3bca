/* SPDX-License-Identifier: Apache-2.0 */
/* Options of the IPv6 hop-by-hop and destination options headers (RFC 8200 4.2 and the RFCs named below). */
#include "proto/ipv6/ipv6.h"
#include "proto/protos.h"

enum place { ANYWHERE, HOP_ONLY, DST_ONLY };
enum { ADDRESS = 16, NO_LENGTH = -1 };

/* option_rule is what is fixed about an option: its length, or NO_LENGTH, and the header it belongs in. */
struct option_rule {
    uint8_t type;
    int16_t len;
    uint8_t place; /* enum place */
};
static const struct option_rule rules[] = {
    {OPT_TEL, 1, DST_ONLY},
    {OPT_ROUTER_ALERT, 2, HOP_ONLY},
    {OPT_CALIPSO, NO_LENGTH, HOP_ONLY},
    {OPT_SMF_DPD, NO_LENGTH, HOP_ONLY},
    {OPT_PDM, 10, DST_ONLY},
    {OPT_QUICK_START, 6, HOP_ONLY},
    {OPT_RPL, NO_LENGTH, HOP_ONLY},
    {OPT_MPL, NO_LENGTH, HOP_ONLY},
    {OPT_ILNP, NO_LENGTH, DST_ONLY},
    {OPT_LIO, NO_LENGTH, DST_ONLY},
    {OPT_JUMBO, 4, HOP_ONLY},
    {OPT_HOME, 16, DST_ONLY},
    {OPT_DFF, 3, HOP_ONLY},
};

static const struct option_rule *rule_of(uint8_t type) {
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (rules[i].type == type) return &rules[i];
    return NULL;
}

/* jumbo_read checks the length that replaces the header's (RFC 2675 3). */
static void jumbo_read(struct decode *d, struct ipv6_walk *walk, struct reader *o) {
    uint32_t off = rd_off(o);
    walk->jumbo = get_be32(d, o, FID_IPV6_OPT_JUMBO);
    if (!rd_ok(o)) return;
    if (walk->plen) d_anomaly(d, FID_IPV6_OPT_JUMBO_PROHIBITED, off - 2, 6);
    else if (walk->jumbo < JUMBO_LEAST) d_anomaly(d, FID_IPV6_OPT_JUMBO_TRUNCATED, off - 2, 6);
}

static void quick_start_read(struct decode *d, struct reader *o) {
    uint32_t off = rd_off(o);
    uint8_t bits = rd_u8(o);
    if (!rd_ok(o)) return;
    fv_u(d->out, FID_IPV6_OPT_QS_FUNC, off, 1, bits >> 4);
    fv_u(d->out, FID_IPV6_OPT_QS_RATE, off, 1, bits & 15);
    uint8_t ttl = get_u8(d, o, bits >> 4 ? FID_IPV6_OPT_QS_UNUSED : FID_IPV6_OPT_QS_TTL);
    (void)ttl;
    off = rd_off(o);
    uint32_t nonce = rd_be32(o);
    if (!rd_ok(o)) return;
    fv_u(d->out, FID_IPV6_OPT_QS_NONCE, off, 4, nonce >> 2);
    fv_u(d->out, FID_IPV6_OPT_QS_RESERVED, off, 4, nonce & 3);
}

static void calipso_read(struct decode *d, struct reader *o) { /* RFC 5570 5.1 */
    get_be32(d, o, FID_IPV6_OPT_CALIPSO_DOI);
    uint8_t words = get_u8(d, o, FID_IPV6_OPT_CALIPSO_CMPT_LENGTH);
    get_u8(d, o, FID_IPV6_OPT_CALIPSO_SENS_LEVEL);
    get_be16(d, o, FID_IPV6_OPT_CALIPSO_CHECKSUM);
    if (rd_ok(o) && words) get_bytes(d, o, FID_IPV6_OPT_CALIPSO_CMPT_BITMAP, words * 4u);
}

static void smf_dpd_read(struct decode *d, struct reader *o) { /* RFC 6621 6.1.1 */
    uint32_t off = rd_off(o);
    int bits = rd_peek(o, 0);
    if (bits < 0) return;
    fv_u(d->out, FID_IPV6_OPT_SMF_DPD_HASH_BIT, off, 1, (uint64_t)bits >> 7);
    if (bits & 0x80) {
        get_bytes(d, o, FID_IPV6_OPT_SMF_DPD_HAV, rd_left(o));
        return;
    }
    fv_u(d->out, FID_IPV6_OPT_SMF_DPD_TID_TYPE, off, 1, (uint64_t)bits >> 4 & 7);
    fv_u(d->out, FID_IPV6_OPT_SMF_DPD_TID_LEN, off, 1, (uint64_t)bits & 15);
    rd_skip(o, 1);
    if (bits >> 4 & 7) get_bytes(d, o, FID_IPV6_OPT_SMF_DPD_TAGGER_ID, ((size_t)bits & 15) + 1);
    if (rd_ok(o) && rd_left(o)) get_bytes(d, o, FID_IPV6_OPT_SMF_DPD_IDENT, rd_left(o));
}

static void pdm_read(struct decode *d, struct reader *o) { /* RFC 8250 3.2 */
    get_u8(d, o, FID_IPV6_OPT_PDM_SCALE_DTLR);
    get_u8(d, o, FID_IPV6_OPT_PDM_SCALE_DTLS);
    get_be16(d, o, FID_IPV6_OPT_PDM_PSN_THIS_PKT);
    get_be16(d, o, FID_IPV6_OPT_PDM_PSN_LAST_RECV);
    get_be16(d, o, FID_IPV6_OPT_PDM_DELTA_LAST_RECV);
    get_be16(d, o, FID_IPV6_OPT_PDM_DELTA_LAST_SENT);
}

static void rpl_read(struct decode *d, struct reader *o) { /* RFC 6553 3 */
    uint32_t off = rd_off(o);
    uint8_t bits = rd_u8(o);
    if (!rd_ok(o)) return;
    d_open_u(d, FID_IPV6_OPT_RPL_FLAG, off, 1, bits);
    fv_u(d->out, FID_IPV6_OPT_RPL_FLAG_O, off, 1, bits >> 7);
    fv_u(d->out, FID_IPV6_OPT_RPL_FLAG_R, off, 1, bits >> 6 & 1);
    fv_u(d->out, FID_IPV6_OPT_RPL_FLAG_F, off, 1, bits >> 5 & 1);
    fv_u(d->out, FID_IPV6_OPT_RPL_FLAG_RSV, off, 1, bits & 31);
    fv_close(d->out);
    get_u8(d, o, FID_IPV6_OPT_RPL_INSTANCE_ID);
    get_be16(d, o, FID_IPV6_OPT_RPL_SENDER_RANK);
}

static void mpl_read(struct decode *d, struct reader *o) { /* RFC 7731 6.1 */
    static const uint8_t seed_bytes[] = {0, 2, 8, 16};
    uint32_t off = rd_off(o);
    uint8_t bits = rd_u8(o);
    if (!rd_ok(o)) return;
    d_open_u(d, FID_IPV6_OPT_MPL_FLAG, off, 1, bits);
    fv_u(d->out, FID_IPV6_OPT_MPL_FLAG_S, off, 1, bits >> 6);
    fv_u(d->out, FID_IPV6_OPT_MPL_FLAG_M, off, 1, bits >> 5 & 1);
    fv_u(d->out, FID_IPV6_OPT_MPL_FLAG_V, off, 1, bits >> 4 & 1);
    fv_u(d->out, FID_IPV6_OPT_MPL_FLAG_RSV, off, 1, bits & 15);
    fv_close(d->out);
    get_u8(d, o, FID_IPV6_OPT_MPL_SEQUENCE);
    if (rd_ok(o) && bits >> 6) get_bytes(d, o, FID_IPV6_OPT_MPL_SEED_ID, seed_bytes[bits >> 6]);
}

static void dff_read(struct decode *d, struct reader *o) { /* RFC 6971 14.1 */
    uint32_t off = rd_off(o);
    uint8_t bits = rd_u8(o);
    if (!rd_ok(o)) return;
    d_open_u(d, FID_IPV6_OPT_DFF_FLAGS, off, 1, bits);
    fv_u(d->out, FID_IPV6_OPT_DFF_FLAG_VER, off, 1, bits >> 6);
    fv_u(d->out, FID_IPV6_OPT_DFF_FLAG_DUP, off, 1, bits >> 5 & 1);
    fv_u(d->out, FID_IPV6_OPT_DFF_FLAG_RET, off, 1, bits >> 4 & 1);
    fv_u(d->out, FID_IPV6_OPT_DFF_FLAG_RSV, off, 1, bits & 15);
    fv_close(d->out);
    get_be16(d, o, FID_IPV6_OPT_DFF_SEQUENCE_NUMBER);
}

/* home_read reads the address that stands for the source's (RFC 6275 6.3). */
static void home_read(struct decode *d, struct reader *o) {
    struct slice a = get_bytes(d, o, FID_IPV6_OPT_MIPV6_HOME_ADDRESS, ADDRESS);
    if (rd_ok(o)) d->src = addr_of(a.p, ADDRESS);
}

static void unknown_read(struct decode *d, struct reader *o) {
    uint32_t off = rd_off(o), len = (uint32_t)rd_left(o);
    if (!len) return;
    struct fval *f = fv_at(d->out, fv_open(d->out, FID_IPV6_OPT_UNKNOWN, off, len));
    if (f) f->s = rd_rest(o);
    rd_skip(o, len);
    d_anomaly(d, FID_IPV6_OPT_UNKNOWN_DATA_EXPERT, off, len);
    fv_close(d->out);
}

static void body_read(struct decode *d, struct ipv6_walk *walk, uint8_t type, struct reader *o) {
    switch (type) {
    case OPT_PADN: get_bytes(d, o, FID_IPV6_OPT_PADN, rd_left(o)); break;
    case OPT_TEL: get_u8(d, o, FID_IPV6_OPT_TEL); break;
    case OPT_ROUTER_ALERT: get_be16(d, o, FID_IPV6_OPT_ROUTER_ALERT); break;
    case OPT_CALIPSO: calipso_read(d, o); break;
    case OPT_SMF_DPD: smf_dpd_read(d, o); break;
    case OPT_PDM: pdm_read(d, o); break;
    case OPT_QUICK_START: quick_start_read(d, o); break;
    case OPT_TPF: get_be32(d, o, FID_IPV6_OPT_TPF_INFORMATION); break;
    case OPT_RPL: rpl_read(d, o); break;
    case OPT_MPL: mpl_read(d, o); break;
    case OPT_ILNP: get_bytes(d, o, FID_IPV6_OPT_ILNP_NONCE, rd_left(o)); break;
    case OPT_LIO:
        get_u8(d, o, FID_IPV6_OPT_LIO_LENGTH);
        get_bytes(d, o, FID_IPV6_OPT_LIO_LINE_ID, rd_left(o));
        break;
    case OPT_JUMBO: jumbo_read(d, walk, o); break;
    case OPT_HOME: home_read(d, o); break;
    case OPT_DFF: dff_read(d, o); break;
    case OPT_EXP_1E:
    case OPT_EXP_3E:
    case OPT_EXP_5E:
    case OPT_EXP_7E:
    case OPT_EXP_9E:
    case OPT_EXP_BE:
    case OPT_EXP_DE:
    case OPT_EXP_FE: get_bytes(d, o, FID_IPV6_OPT_EXPERIMENTAL, rd_left(o)); break;
    default: unknown_read(d, o);
    }
    if (!rd_ok(o) || !rd_left(o)) return;
    uint32_t off = rd_off(o), len = (uint32_t)rd_left(o);
    get_bytes(d, o, FID_IPV6_OPT_UNKNOWN_DATA, len);
    d_anomaly(d, FID_IPV6_OPT_UNKNOWN_DATA_EXPERT, off, len);
}

static void type_add(struct decode *d, uint32_t off, uint8_t type) {
    d_open_u(d, FID_IPV6_OPT_TYPE, off, 1, type);
    fv_u(d->out, FID_IPV6_OPT_TYPE_ACTION, off, 1, type >> 6);
    fv_u(d->out, FID_IPV6_OPT_TYPE_CHANGE, off, 1, type >> 5 & 1);
    fv_u(d->out, FID_IPV6_OPT_TYPE_REST, off, 1, type & 31);
    fv_close(d->out);
}

/* body_take returns a reader over an option's data, also where the option outgrows its header: it is shown as it
 * says it is, and the header still ends where it ends. */
static struct reader body_take(struct decode *d, const struct ipv6_walk *walk, struct reader *o, uint8_t len) {
    if (!rd_ok(o) || len <= rd_left(o)) return rd_sub(o, len);
    struct reader wide = d_reader(d, slice_of(o->p, rd_left(o) + rd_left(&walk->r)));
    struct reader body = rd_sub(&wide, len);
    if (rd_ok(&body)) rd_skip(o, rd_left(o));
    else rd_fail(o);
    return body;
}

/* option_read reads one option; its place counts as if a length followed, also behind Pad1. */
static void option_read(struct decode *d, struct ipv6_walk *walk, struct reader *o, bool hop) {
    uint32_t off = rd_off(o);
    int after = rd_peek(o, 1);
    uint32_t span = 2 + (uint32_t)(after < 0 ? (walk->r.p < walk->r.end ? *walk->r.p : 0) : after);
    size_t most = rd_left(o) + rd_left(&walk->r);
    struct fval *f = fv_at(d->out, fv_open(d->out, FID_IPV6_OPT, off, span < most ? span : (uint32_t)most));
    uint8_t type = rd_u8(o);
    const struct option_rule *rule = rule_of(type);
    if (f) f->u = type;
    if (type == OPT_PAD1) {
        fv_u(d->out, FID_IPV6_OPT_TYPE, off, 1, type);
        fv_add(d->out, FID_IPV6_OPT_PAD1, off, 1);
        fv_close(d->out);
        return;
    }
    type_add(d, off, type);
    if (rule && rule->place == (hop ? DST_ONLY : HOP_ONLY)) {
        f = d_anomaly(d, FID_IPV6_OPT_HEADER_MISMATCH, off, 1);
        if (f) f->u = type;
    }
    uint32_t len_off = rd_off(o);
    uint8_t len = rd_u8(o);
    if (rd_ok(o)) {
        d_open_u(d, FID_IPV6_OPT_LENGTH, len_off, 1, len);
        if (rule && rule->len != NO_LENGTH && rule->len != len) d_anomaly(d, FID_IPV6_OPT_INVALID_LEN, len_off, 1);
        fv_close(d->out);
    }
    struct reader body = body_take(d, walk, o, len);
    if (rd_ok(&body)) body_read(d, walk, type, &body);
    fv_close(d->out);
}

void ipv6_options(struct decode *d, struct ipv6_walk *walk, struct reader *o, bool hop) {
    while (rd_ok(o) && rd_left(o)) option_read(d, walk, o, hop);
}
