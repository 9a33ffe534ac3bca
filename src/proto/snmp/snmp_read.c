/* SPDX-License-Identifier: Apache-2.0 */
/* SNMP (RFC 3416, 3417 over UDP): version, community, what is asked and of which objects; values are not taken apart.
 * Of version 3 (RFC 3412 6) who asks and how it is secured, and what is asked where that is not encrypted. */
#include "proto/protos.h"

#include "field/print.h"

enum {
    INTEGER = 2,
    OCTETS = 4,
    OBJECT = 6,
    SEQUENCE = 0x30,
    CONSTRUCTED = 0xa0,
    TRAP_V1 = 4,
    BULK = 5,
    BINDINGS_MAX = 1000,
    V3 = 3,
    USM = 3
};

/* part_read reads the head of the next BER element (X.690 8.1) and returns its content; the reader moves behind it. */
static struct reader part_read(struct reader *r, uint8_t *tag) {
    *tag = rd_u8(r);
    size_t n = rd_u8(r);
    if (n & 0x80) {
        size_t more = n & 0x7f;
        struct slice bytes = rd_take(r, more);
        if (more > 4) rd_fail(r);
        n = rd_ok(r) ? (size_t)load_be(bytes.p, bytes.n) : 0;
    }
    return rd_sub(r, n);
}

/* is_message tells whether bytes begin with a message: a BER sequence that is there whole and begins with a version. */
static bool is_message(struct slice in) {
    struct reader r = rd_init(in, in.p);
    uint8_t outer, inner;
    struct reader message = part_read(&r, &outer), version = part_read(&message, &inner);
    return rd_ok(&r) && rd_ok(&message) && outer == SEQUENCE && inner == INTEGER && rd_left(&version) == 1 &&
           rd_u8(&version) <= V3;
}

/* number_get reads an integer into a field. */
static int64_t number_get(struct decode *d, struct reader *r, uint16_t id) {
    uint8_t tag;
    struct reader part = part_read(r, &tag);
    size_t n = rd_left(&part);
    uint32_t off = rd_off(&part);
    if (!rd_ok(r) || tag != INTEGER || !n || n > 8) {
        rd_fail(r);
        return 0;
    }
    uint64_t value = load_be(part.p, n), top = (uint64_t)1 << (8 * n - 1);
    int64_t number = (int64_t)((value ^ top) - top);
    fv_i(d->out, id, off, (uint32_t)n, number);
    return number;
}

static void bindings_read(struct decode *d, struct reader *r) {
    uint8_t tag;
    uint32_t off = rd_off(r);
    struct reader list = part_read(r, &tag);
    if (!rd_ok(r) || tag != SEQUENCE) return;
    uint32_t at = fv_open(d->out, FID_SNMP_VARIABLE_BINDINGS, off, rd_off(r) - off), n = 0;
    for (; n < BINDINGS_MAX && rd_left(&list); n++) {
        struct reader one = part_read(&list, &tag), name = part_read(&one, &tag);
        if (rd_ok(&one) && tag == OBJECT && rd_left(&name)) get_bytes(d, &name, FID_SNMP_NAME, rd_left(&name));
        if (!rd_ok(&one)) break;
    }
    if (at != FV_UNWANTED) fv_at(d->out, at)->u = n;
    fv_close(d->out);
    if (!rd_ok(&list)) rd_fail(r);
}

/* octets_get reads a string into a field. */
static void octets_get(struct decode *d, struct reader *r, uint16_t id) {
    uint8_t tag;
    struct reader part = part_read(r, &tag);
    if (rd_ok(r) && tag != OCTETS) rd_fail(r);
    else if (rd_ok(r)) get_bytes(d, &part, id, rd_left(&part));
}

/* inside returns the content of the next element, which is to be of a type. */
static struct reader inside(struct reader *r, uint8_t type) {
    uint8_t tag;
    struct reader part = part_read(r, &tag);
    if (tag != type) rd_fail(r);
    return part;
}

static void pdu_read(struct decode *d, struct reader *r) {
    uint8_t tag;
    uint32_t off = rd_off(r);
    struct reader data = part_read(r, &tag);
    if (!rd_ok(r)) return;
    bool bulk = (tag & 0x1f) == BULK;
    d_open_u(d, FID_SNMP_DATA, off, rd_off(r) - off, tag & 0x1f);
    if ((tag & 0xe0) == CONSTRUCTED && (tag & 0x1f) != TRAP_V1) {
        number_get(d, &data, FID_SNMP_REQUEST_ID);
        number_get(d, &data, bulk ? FID_SNMP_NON_REPEATERS : FID_SNMP_ERROR_STATUS);
        number_get(d, &data, bulk ? FID_SNMP_MAX_REPETITIONS : FID_SNMP_ERROR_INDEX);
        if (rd_ok(&data)) bindings_read(d, &data);
    }
    if (!rd_ok(&data)) rd_fail(r);
    fv_close(d->out);
}

/* global_read reads who sent which message and how (RFC 3412 6), and returns the security model. */
static int64_t global_read(struct decode *d, struct reader *r) {
    uint32_t off = rd_off(r);
    struct reader global = inside(r, SEQUENCE);
    if (!rd_ok(r)) return 0;
    fv_open(d->out, FID_SNMP_MSGGLOBALDATA, off, rd_off(r) - off);
    number_get(d, &global, FID_SNMP_MSGID);
    number_get(d, &global, FID_SNMP_MSGMAXSIZE);
    struct reader flags = inside(&global, OCTETS);
    uint32_t at = rd_off(&flags);
    size_t n = rd_left(&flags);
    struct slice bytes = rd_take(&flags, n);
    if (rd_ok(&global) && n) {
        struct fval *all = fv_at(d->out, fv_open(d->out, FID_SNMP_MSGFLAGS, at, (uint32_t)n));
        if (all) all->s = bytes;
        for (uint16_t id = FID_SNMP_V3_FLAGS_REPORT; id <= FID_SNMP_V3_FLAGS_AUTH; id++)
            fv_u(d->out, id, at, 1, bytes.p[0] >> (FID_SNMP_V3_FLAGS_AUTH - id) & 1);
        fv_close(d->out);
    }
    int64_t model = number_get(d, &global, FID_SNMP_MSGSECURITYMODEL);
    fv_close(d->out);
    if (!rd_ok(&global)) rd_fail(r);
    return model;
}

/* usm_read reads the parameters of the user's security (RFC 3414 2.4). */
static void usm_read(struct decode *d, struct reader *r) {
    struct reader usm = inside(r, SEQUENCE);
    octets_get(d, &usm, FID_SNMP_MSGAUTHORITATIVEENGINEID);
    number_get(d, &usm, FID_SNMP_MSGAUTHORITATIVEENGINEBOOTS);
    number_get(d, &usm, FID_SNMP_MSGAUTHORITATIVEENGINETIME);
    octets_get(d, &usm, FID_SNMP_MSGUSERNAME);
    octets_get(d, &usm, FID_SNMP_MSGAUTHENTICATIONPARAMETERS);
    octets_get(d, &usm, FID_SNMP_MSGPRIVACYPARAMETERS);
    if (!rd_ok(&usm)) rd_fail(r);
}

static void v3_read(struct decode *d, struct reader *r) {
    int64_t model = global_read(d, r);
    struct reader security = inside(r, OCTETS);
    if (rd_ok(r) && model == USM) usm_read(d, &security);
    if (!rd_ok(&security)) rd_fail(r);
    bool encrypted = rd_left(r) && rd_peek(r, 0) == OCTETS;
    if (!rd_ok(r)) return;
    d_open_u(d, FID_SNMP_MSGDATA, rd_off(r), (uint32_t)rd_left(r), encrypted);
    if (encrypted) {
        octets_get(d, r, FID_SNMP_ENCRYPTEDPDU);
    } else {
        struct reader scoped = inside(r, SEQUENCE);
        octets_get(d, &scoped, FID_SNMP_CONTEXTENGINEID);
        octets_get(d, &scoped, FID_SNMP_CONTEXTNAME);
        pdu_read(d, &scoped);
        if (!rd_ok(&scoped)) rd_fail(r);
    }
    fv_close(d->out);
}

/* version_of returns the version of a message, -1: it begins with none. */
static int version_of(struct reader r) {
    struct reader version = inside(&r, INTEGER);
    return rd_ok(&r) && rd_left(&version) == 1 ? rd_peek(&version, 0) : -1;
}

static void message_read(struct decode *d, struct reader *r) {
    bool v3 = version_of(*r) == V3;
    number_get(d, r, v3 ? FID_SNMP_MSGVERSION : FID_SNMP_VERSION);
    if (v3) {
        v3_read(d, r);
        return;
    }
    octets_get(d, r, FID_SNMP_COMMUNITY);
    pdu_read(d, r);
}

static void snmp_read(struct decode *d, struct slice in) {
    struct reader r = d_reader(d, in);
    uint8_t tag;
    bool all_there = !d->cut && !d->quoted && !d->fragment;
    if (all_there && !is_message(in)) { /* the port alone makes no message of it */
        d_data(d, in);
        return;
    }
    d_begin(d, &proto_snmp, rd_off(&r), (uint32_t)in.n);
    struct reader message = part_read(&r, &tag);
    if (rd_ok(&r) && tag == SEQUENCE) message_read(d, &message);
    if (!rd_ok(&r) || !rd_ok(&message)) d_bad(d, &r);
    d_end(d);
}

static void snmp_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    fv_value_say(w, v, FID_SNMP_DATA, at, end);
    if (fv_first(v, FID_SNMP_ENCRYPTEDPDU, at, end)) wr_s(w, "encryptedPDU");
    for (uint32_t i = at; i < end; i++) {
        if (v->v[i].id != FID_SNMP_NAME) continue;
        wr_c(w, ' ');
        print_value(w, field_of(FID_SNMP_NAME), &v->v[i]);
    }
}

static const uint16_t info_fields[] = {FID_SNMP_DATA, FID_SNMP_NAME, FID_SNMP_ENCRYPTEDPDU, 0};
static const struct proto_key keys[] = {{TABLE_UDP, 161}, {TABLE_UDP, 162}, {TABLE_COUNT, 0}};
const struct proto proto_snmp = {.name = "snmp",
                                 .column = "SNMP",
                                 .id = FID_SNMP,
                                 .end = FID_SNMP_END,
                                 .keys = keys,
                                 .read = snmp_read,
                                 .renumbers = is_message,
                                 .info = snmp_info,
                                 .info_fields = info_fields};
