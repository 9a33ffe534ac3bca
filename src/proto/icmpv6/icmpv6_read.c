/* SPDX-License-Identifier: Apache-2.0 */
/* ICMPv6 (RFC 4443): errors, echo, multicast listeners (RFC 2710, 3810), routers' and nodes' lesser messages. */
#include "proto/icmpv6/icmpv6.h"

#include "proto/icmp/checksum.h"
#include "proto/icmp/icmp.h"
#include "proto/protos.h"

enum { TYPE_IPV6 = 0x86dd, NEXT_ICMPV6 = 58, ADDRESS = 16, MLD2_QUERY = 28, KIND_ECHO6 = 1, LENGTH_UNIT = 8 };
enum { RPL_DIS, RPL_DIO, RPL_DAO, RPL_DAO_ACK };
enum { NI_NAME = 2, NI_NODE_ADDRESSES, NI_IPV4_ADDRESSES, NI_SUBJECT_IPV6 = 0, NI_SUBJECT_NAME, NI_SUBJECT_IPV4 };

#define COUNT(a) (sizeof(a) / sizeof *(a))

void icmpv6_bits_add(struct decode *d, const struct icmpv6_bits *bits, size_t n, uint32_t off, uint32_t len,
                     uint32_t value) {
    for (size_t i = 0; i < n; i++) fv_u(d->out, bits[i].id, off, len, value >> bits[i].shift & bits[i].mask);
}

static void checksum_read(struct decode *d, struct reader *r, struct slice all) {
    uint32_t off = rd_off(r);
    uint16_t sum = rd_be16(r);
    if (!rd_ok(r)) return;
    bool whole = !d->quoted && !d->wire_len && d->src.len == ADDRESS;
    uint16_t rest = 0;
    if (whole) { /* RFC 8200 8.1 */
        uint64_t pseudo = all.n + NEXT_ICMPV6;
        pseudo = checksum_add(pseudo, slice_of(d->src.bytes, ADDRESS));
        pseudo = checksum_add(pseudo, slice_of(d->dst.bytes, ADDRESS));
        rest = checksum_fold(checksum_add(pseudo, all));
    }
    d_open_u(d, FID_ICMPV6_CHECKSUM, off, 2, sum);
    if (rest) {
        struct fval *f = d_anomaly(d, FID_ICMPV6_CHECKSUM_BAD, off, 2);
        if (f) f->extra = checksum_expected(sum, rest);
    }
    fv_close(d->out);
    fv_u(d->out, FID_ICMPV6_CHECKSUM_STATUS, off, 0,
         !whole ? CHECKSUM_UNVERIFIED
         : rest ? CHECKSUM_BAD
                : CHECKSUM_GOOD);
}

static void error_read(struct decode *d, struct reader *r, uint8_t type) {
    uint8_t words = 0;
    bool extends = type == V6_UNREACHABLE || type == V6_EXCEEDED;
    if (extends && rd_peek(r, 0) > 0) { /* RFC 4884 4.4 */
        words = get_u8(d, r, FID_ICMPV6_LENGTH);
        get_bytes(d, r, FID_ICMPV6_RESERVED, 3);
    } else if (extends) {
        get_bytes(d, r, FID_ICMPV6_RESERVED, 4);
    } else {
        get_be32(d, r, type == V6_TOO_BIG ? FID_ICMPV6_MTU : FID_ICMPV6_POINTER);
    }
    if (!rd_ok(r)) return;
    struct slice body = rd_rest(r);
    if (extends) body = icmp_extensions(d, body, words, LENGTH_UNIT);
    d_quote(d, TABLE_ETHERTYPE, TYPE_IPV6, body);
}

static void echo_read(struct decode *d, struct reader *r, uint8_t type, uint32_t off) {
    uint16_t ident = get_be16(d, r, FID_ICMPV6_ECHO_IDENTIFIER), seq = get_be16(d, r, FID_ICMPV6_ECHO_SEQUENCE_NUMBER);
    if (!rd_ok(r)) return;
    struct icmp_echo e = {.kind = KIND_ECHO6,
                          .ident = ident,
                          .seq = seq,
                          .request = type == V6_ECHO,
                          .to = FID_ICMPV6_RESP_TO,
                          .time = FID_ICMPV6_RESPTIME};
    icmp_echo_add(d, &e, off);
    d_data(d, rd_rest(r));
}

/* exponent_value expands a float of `bits` bits of mantissa (RFC 3810 5.1.3, 5.1.9). */
static uint32_t exponent_value(uint32_t code, unsigned bits) {
    if (!(code >> (bits + 3))) return code;
    return ((code & ((1u << bits) - 1)) | 1u << bits) << ((code >> bits & 7) + 3);
}

static void mld_query2_rest(struct decode *d, struct reader *r) {
    static const struct icmpv6_bits flags[] = {
        {FID_ICMPV6_MLD_FLAG_S, 3, 1}, {FID_ICMPV6_MLD_FLAG_QRV, 0, 7}, {FID_ICMPV6_MLD_FLAG_RESERVED, 4, 15}};
    uint32_t off = rd_off(r);
    uint8_t bits = rd_u8(r), code = rd_u8(r);
    if (!rd_ok(r)) return;
    d_open_u(d, FID_ICMPV6_MLD_FLAG, off, 1, bits);
    icmpv6_bits_add(d, flags, COUNT(flags), off, 1, bits);
    fv_close(d->out);
    fv_u(d->out, FID_ICMPV6_MLD_QQI, off + 1, 1, exponent_value(code, 4));
    uint16_t n = get_be16(d, r, FID_ICMPV6_MLD_NB_SOURCES);
    for (uint16_t i = 0; i < n && rd_ok(r); i++) get_bytes(d, r, FID_ICMPV6_MLD_SOURCE_ADDRESS, ADDRESS);
}

static void mld_read(struct decode *d, struct reader *r, bool second) {
    uint32_t off = rd_off(r);
    uint16_t code = rd_be16(r);
    if (!rd_ok(r)) return;
    if (second) fv_u(d->out, FID_ICMPV6_MLD_MAXIMUM_RESPONSE_CODE, off, 2, exponent_value(code, 12));
    else fv_u(d->out, FID_ICMPV6_MLD_MAXIMUM_RESPONSE_DELAY, off, 2, code);
    get_bytes(d, r, FID_ICMPV6_RESERVED, 2);
    get_bytes(d, r, FID_ICMPV6_MLD_MULTICAST_ADDRESS, ADDRESS);
    if (second) mld_query2_rest(d, r);
}

static void mld_record(struct decode *d, struct reader *r) {
    uint32_t start = rd_off(r), at = fv_open(d->out, FID_ICMPV6_MLDR_MAR, start, 0);
    get_u8(d, r, FID_ICMPV6_MLDR_MAR_RECORD_TYPE);
    uint8_t aux = get_u8(d, r, FID_ICMPV6_MLDR_MAR_AUX_DATA_LEN);
    uint16_t n = get_be16(d, r, FID_ICMPV6_MLDR_MAR_NB_SOURCES);
    get_bytes(d, r, FID_ICMPV6_MLDR_MAR_MULTICAST_ADDRESS, ADDRESS);
    for (uint16_t i = 0; i < n && rd_ok(r); i++) get_bytes(d, r, FID_ICMPV6_MLDR_MAR_SOURCE_ADDRESS, ADDRESS);
    if (aux && rd_ok(r)) get_bytes(d, r, FID_ICMPV6_MLDR_MAR_AUXILIARY_DATA, aux * 4u);
    fv_set_len(d->out, at, rd_off(r) - start);
    fv_close(d->out);
}

static void mld2_report(struct decode *d, struct reader *r) {
    get_bytes(d, r, FID_ICMPV6_RESERVED, 2);
    uint16_t n = get_be16(d, r, FID_ICMPV6_MLDR_NB_MCAST_RECORDS);
    for (uint16_t i = 0; i < n && rd_ok(r); i++) mld_record(d, r);
}

static void renumbering_read(struct decode *d, struct reader *r) { /* RFC 2894 3.1 */
    static const struct icmpv6_bits flags[] = {{FID_ICMPV6_RR_FLAG_T, 7, 1}, {FID_ICMPV6_RR_FLAG_R, 6, 1},
                                               {FID_ICMPV6_RR_FLAG_A, 5, 1}, {FID_ICMPV6_RR_FLAG_S, 4, 1},
                                               {FID_ICMPV6_RR_FLAG_P, 3, 1}, {FID_ICMPV6_RR_FLAG_RSV, 0, 7}};
    get_be32(d, r, FID_ICMPV6_RR_SEQUENCE_NUMBER);
    get_u8(d, r, FID_ICMPV6_RR_SEGMENT_NUMBER);
    uint32_t off = rd_off(r);
    uint8_t bits = rd_u8(r);
    if (!rd_ok(r)) return;
    d_open_u(d, FID_ICMPV6_RR_FLAG, off, 1, bits);
    icmpv6_bits_add(d, flags, COUNT(flags), off, 1, bits);
    fv_close(d->out);
    get_be16(d, r, FID_ICMPV6_RR_MAXDELAY);
    get_bytes(d, r, FID_ICMPV6_RESERVED, 4);
}

static void node_name(struct decode *d, struct reader *r, uint16_t id) {
    uint32_t off = rd_off(r);
    struct slice name = icmpv6_name(d, r);
    fv_s(d->out, id, off, rd_off(r) - off, name);
}

static void node_query(struct decode *d, struct reader *r, uint8_t code) {
    if (!rd_left(r)) return;
    if (code == NI_SUBJECT_IPV6) get_bytes(d, r, FID_ICMPV6_NI_QUERY_SUBJECT_IPV6, ADDRESS);
    else if (code == NI_SUBJECT_NAME) node_name(d, r, FID_ICMPV6_NI_QUERY_SUBJECT_FQDN);
    else if (code == NI_SUBJECT_IPV4) get_be32(d, r, FID_ICMPV6_NI_QUERY_SUBJECT_IPV4);
}

static void node_reply(struct decode *d, struct reader *r, uint16_t qtype) {
    if (qtype == NI_NAME && rd_left(r)) {
        get_be32(d, r, FID_ICMPV6_NI_REPLY_NODE_TTL);
        while (rd_ok(r) && rd_left(r)) node_name(d, r, FID_ICMPV6_NI_REPLY_NODE_NAME);
        return;
    }
    bool four = qtype == NI_IPV4_ADDRESSES;
    if (!four && qtype != NI_NODE_ADDRESSES) return;
    while (rd_ok(r) && rd_left(r)) {
        get_be32(d, r, FID_ICMPV6_NI_REPLY_NODE_TTL);
        if (four) get_be32(d, r, FID_ICMPV6_NI_REPLY_IPV4_ADDRESS);
        else get_bytes(d, r, FID_ICMPV6_NI_REPLY_NODE_ADDRESS, ADDRESS);
    }
}

static void node_read(struct decode *d, struct reader *r, uint8_t type, uint8_t code) { /* RFC 4620 4 */
    static const struct icmpv6_bits flags[] = {{FID_ICMPV6_NI_FLAG_G, 5, 1},      {FID_ICMPV6_NI_FLAG_S, 4, 1},
                                               {FID_ICMPV6_NI_FLAG_L, 3, 1},      {FID_ICMPV6_NI_FLAG_C, 2, 1},
                                               {FID_ICMPV6_NI_FLAG_A, 1, 1},      {FID_ICMPV6_NI_FLAG_T, 0, 1},
                                               {FID_ICMPV6_NI_FLAG_RSV, 6, 0x3ff}};
    uint16_t qtype = get_be16(d, r, FID_ICMPV6_NI_QTYPE);
    uint32_t off = rd_off(r);
    uint16_t bits = rd_be16(r);
    if (!rd_ok(r)) return;
    d_open_u(d, FID_ICMPV6_NI_FLAG, off, 2, bits);
    icmpv6_bits_add(d, flags, COUNT(flags), off, 2, bits);
    fv_close(d->out);
    get_be64(d, r, FID_ICMPV6_NI_NONCE);
    if (!rd_ok(r)) return;
    if (type == V6_NODE_QUERY) node_query(d, r, code);
    else node_reply(d, r, qtype);
}

/* mobile_read reads home agent discovery and mobile prefixes (RFC 6275 6.5 to 6.8). */
static void mobile_read(struct decode *d, struct reader *r, uint8_t type) {
    static const struct icmpv6_bits flags[] = {
        {FID_ICMPV6_MIP6_FLAG_M, 15, 1}, {FID_ICMPV6_MIP6_FLAG_O, 14, 1}, {FID_ICMPV6_MIP6_FLAG_RSV, 0, 0x3fff}};
    get_be16(d, r, FID_ICMPV6_MIP6_IDENTIFIER);
    if (type != V6_PREFIX_ADVERTISEMENT) {
        get_bytes(d, r, FID_ICMPV6_RESERVED, 2);
        while (type == V6_HOME_REPLY && rd_ok(r) && rd_left(r))
            get_bytes(d, r, FID_ICMPV6_MIP6_HOME_AGENT_ADDRESS, ADDRESS);
        return;
    }
    uint32_t off = rd_off(r);
    uint16_t bits = rd_be16(r);
    if (!rd_ok(r)) return;
    d_open_u(d, FID_ICMPV6_MIP6_FLAG, off, 2, bits);
    icmpv6_bits_add(d, flags, COUNT(flags), off, 2, bits);
    fv_close(d->out);
    icmpv6_options(d, r);
}

static void dio_read(struct decode *d, struct reader *r) { /* RFC 6550 6.3.1 */
    static const struct icmpv6_bits flags[] = {{FID_ICMPV6_RPL_DIO_FLAG_G, 7, 1},
                                               {FID_ICMPV6_RPL_DIO_FLAG_0, 6, 1},
                                               {FID_ICMPV6_RPL_DIO_FLAG_MOP, 3, 7},
                                               {FID_ICMPV6_RPL_DIO_FLAG_PREFERENCE, 0, 7}};
    get_u8(d, r, FID_ICMPV6_RPL_DIO_INSTANCE);
    get_u8(d, r, FID_ICMPV6_RPL_DIO_VERSION);
    get_be16(d, r, FID_ICMPV6_RPL_DIO_RANK);
    uint32_t off = rd_off(r);
    uint8_t bits = rd_u8(r);
    if (!rd_ok(r)) return;
    d_open_u(d, FID_ICMPV6_RPL_DIO_FLAG, off, 1, bits);
    icmpv6_bits_add(d, flags, COUNT(flags), off, 1, bits);
    fv_close(d->out);
    get_u8(d, r, FID_ICMPV6_RPL_DIO_DTSN);
    get_u8(d, r, FID_ICMPV6_RPL_DIO_FLAG);
    get_bytes(d, r, FID_ICMPV6_RESERVED, 1);
    get_bytes(d, r, FID_ICMPV6_RPL_DIO_DAGID, ADDRESS);
}

static void dao_read(struct decode *d, struct reader *r, bool ack) { /* RFC 6550 6.4.1, 6.5.1 */
    static const struct icmpv6_bits flags[] = {
        {FID_ICMPV6_RPL_DAO_FLAG_K, 7, 1}, {FID_ICMPV6_RPL_DAO_FLAG_D, 6, 1}, {FID_ICMPV6_RPL_DAO_FLAG_RSV, 0, 63}};
    static const struct icmpv6_bits ack_flags[] = {{FID_ICMPV6_RPL_DAOACK_FLAG_D, 7, 1},
                                                   {FID_ICMPV6_RPL_DAOACK_FLAG_RSV, 0, 127}};
    get_u8(d, r, ack ? FID_ICMPV6_RPL_DAOACK_INSTANCE : FID_ICMPV6_RPL_DAO_INSTANCE);
    uint32_t off = rd_off(r);
    uint8_t bits = rd_u8(r);
    if (!rd_ok(r)) return;
    d_open_u(d, ack ? FID_ICMPV6_RPL_DAOACK_FLAG : FID_ICMPV6_RPL_DAO_FLAG, off, 1, bits);
    if (ack) icmpv6_bits_add(d, ack_flags, COUNT(ack_flags), off, 1, bits);
    else icmpv6_bits_add(d, flags, COUNT(flags), off, 1, bits);
    fv_close(d->out);
    if (!ack) get_bytes(d, r, FID_ICMPV6_RESERVED, 1);
    get_u8(d, r, ack ? FID_ICMPV6_RPL_DAOACK_SEQUENCE : FID_ICMPV6_RPL_DAO_SEQUENCE);
    if (ack) get_u8(d, r, FID_ICMPV6_RPL_DAOACK_STATUS);
    bool dodag = bits & (ack ? 0x80 : 0x40);
    if (dodag) get_bytes(d, r, ack ? FID_ICMPV6_RPL_DAOACK_DODAGID : FID_ICMPV6_RPL_DAO_DODAGID, ADDRESS);
}

static void rpl_read(struct decode *d, struct reader *r, uint8_t code) {
    switch (code) {
    case RPL_DIS:
        get_u8(d, r, FID_ICMPV6_RPL_DIS_FLAGS);
        get_bytes(d, r, FID_ICMPV6_RESERVED, 1);
        break;
    case RPL_DIO: dio_read(d, r); break;
    case RPL_DAO:
    case RPL_DAO_ACK: dao_read(d, r, code == RPL_DAO_ACK); break;
    default: break;
    }
}

static void duplicate_read(struct decode *d, struct reader *r) { /* RFC 6775 4.4 */
    get_u8(d, r, FID_ICMPV6_6LOWPANND_DA_STATUS);
    get_u8(d, r, FID_ICMPV6_6LOWPANND_DA_RSV);
    get_be16(d, r, FID_ICMPV6_6LOWPANND_DA_LIFETIME);
    get_bytes(d, r, FID_ICMPV6_6LOWPANND_DA_EUI64, 8);
    get_bytes(d, r, FID_ICMPV6_6LOWPANND_DA_REG_ADDR, ADDRESS);
}

static void extended_read(struct decode *d, struct reader *r, bool reply) { /* RFC 8335 2, 3 */
    static const struct icmpv6_bits request[] = {{FID_ICMPV6_EXT_ECHO_REQ_RES, 1, 127},
                                                 {FID_ICMPV6_EXT_ECHO_REQ_LOCAL, 0, 1}};
    static const struct icmpv6_bits answer[] = {{FID_ICMPV6_EXT_ECHO_RSP_STATE, 5, 7},
                                                {FID_ICMPV6_EXT_ECHO_RSP_RES, 3, 3},
                                                {FID_ICMPV6_EXT_ECHO_RSP_ACTIVE, 2, 1},
                                                {FID_ICMPV6_EXT_ECHO_RSP_IPV4, 1, 1},
                                                {FID_ICMPV6_EXT_ECHO_RSP_IPV6, 0, 1}};
    get_be16(d, r, FID_ICMPV6_ECHO_IDENTIFIER);
    get_u8(d, r, FID_ICMPV6_EXT_ECHO_SEQ);
    uint32_t off = rd_off(r);
    uint8_t bits = rd_u8(r);
    if (!rd_ok(r)) return;
    if (reply) icmpv6_bits_add(d, answer, COUNT(answer), off, 1, bits);
    else icmpv6_bits_add(d, request, COUNT(request), off, 1, bits);
    if (!reply) icmp_extension_read(d, rd_rest(r));
}

static void certificate_read(struct decode *d, struct reader *r, bool advertisement) { /* RFC 3971 6.4 */
    get_be16(d, r, FID_ICMPV6_SEND_IDENTIFIER);
    if (advertisement) get_be16(d, r, FID_ICMPV6_SEND_ALL_COMPONENTS);
    get_be16(d, r, FID_ICMPV6_SEND_COMPONENT);
    if (advertisement) get_bytes(d, r, FID_ICMPV6_RESERVED, 2);
    icmpv6_options(d, r);
}

static void body_read(struct decode *d, struct reader *r, uint8_t type, uint8_t code, uint32_t off, size_t len) {
    switch (type) {
    case V6_UNREACHABLE:
    case V6_TOO_BIG:
    case V6_EXCEEDED:
    case V6_PARAMETER: error_read(d, r, type); break;
    case V6_ECHO:
    case V6_ECHO_REPLY: echo_read(d, r, type, off); break;
    case V6_MLD_QUERY: mld_read(d, r, len >= MLD2_QUERY); break;
    case V6_MLD_REPORT:
    case V6_MLD_DONE: mld_read(d, r, false); break;
    case V6_MLD2_REPORT: mld2_report(d, r); break;
    case V6_RENUMBERING: renumbering_read(d, r); break;
    case V6_NODE_QUERY:
    case V6_NODE_REPLY: node_read(d, r, type, code); break;
    case V6_HOME_REQUEST:
    case V6_HOME_REPLY:
    case V6_PREFIX_SOLICITATION:
    case V6_PREFIX_ADVERTISEMENT: mobile_read(d, r, type); break;
    case V6_CERT_SOLICITATION:
    case V6_CERT_ADVERTISEMENT: certificate_read(d, r, type == V6_CERT_ADVERTISEMENT); break;
    case V6_MRD_ADVERTISEMENT:
        get_be16(d, r, FID_ICMPV6_MCAST_RA_QUERY_INTERVAL);
        get_be16(d, r, FID_ICMPV6_MCAST_RA_ROBUSTNESS_VARIABLE);
        break;
    case V6_RPL: rpl_read(d, r, code); break;
    case V6_DAR:
    case V6_DAC: duplicate_read(d, r); break;
    case V6_EXTENDED:
    case V6_EXTENDED_REPLY: extended_read(d, r, type == V6_EXTENDED_REPLY); break;
    case V6_MRD_SOLICITATION:
    case V6_MRD_TERMINATION:
    case V6_MOBILITY:
    case V6_FMIP:
    case V6_LOCATOR:
    case V6_MPL: break;
    default:
        if (!icmpv6_discovery(d, r, type)) {
            struct fval *f = d_anomaly(d, FID_ICMPV6_UNDECODED_TYPE, off, 1);
            if (f) f->extra = type;
            if (rd_left(r)) get_bytes(d, r, FID_ICMPV6_DATA, rd_left(r));
        }
    }
}

static void icmpv6_read(struct decode *d, struct slice in) {
    struct reader r = d_reader(d, in);
    uint32_t off = rd_off(&r);
    d_begin(d, &proto_icmpv6, off, (uint32_t)in.n);
    uint8_t type = get_u8(d, &r, FID_ICMPV6_TYPE);
    uint8_t code = rd_u8(&r);
    struct fval *f = rd_ok(&r) ? fv_u(d->out, FID_ICMPV6_CODE, off + 1, 1, code) : NULL;
    if (f) f->extra = type;
    checksum_read(d, &r, in);
    if (rd_ok(&r)) body_read(d, &r, type, code, off, d->wire_len ? d->wire_len : in.n);
    if (!rd_ok(&r)) d_bad(d, &r);
    d_end(d);
}

static const struct proto_key keys[] = {{TABLE_IP, NEXT_ICMPV6}, {TABLE_COUNT, 0}};
const struct proto proto_icmpv6 = {.name = "icmpv6",
                                   .shown_empty = true,
                                   .column = "ICMPv6",
                                   .id = FID_ICMPV6,
                                   .end = FID_ICMPV6_END,
                                   .keys = keys,
                                   .read = icmpv6_read,
                                   .info = icmpv6_info,
                                   .info_fields = icmpv6_info_fields,
                                   .label = icmpv6_label};
