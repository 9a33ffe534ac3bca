/* SPDX-License-Identifier: Apache-2.0 */
/* SNMP (RFC 3416, 3417 over UDP): version, community, what is asked and of which objects; values are not taken apart,
 * nor are messages of version 3 (RFC 3412). */
#include "proto/protos.h"

#include "field/print.h"

enum {
    INTEGER = 2,
    OCTETS = 4,
    OBJECT = 6,
    SEQUENCE = 0x30,
    CONSTRUCTED = 0xa0,
    TRAP_V1 = 4,
    BINDINGS_MAX = 1000,
    V3 = 3
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

static void message_read(struct decode *d, struct reader *r) {
    uint8_t tag;
    int64_t version = number_get(d, r, FID_SNMP_VERSION);
    if (version == V3) return;
    struct reader community = part_read(r, &tag);
    if (rd_ok(r) && tag == OCTETS) get_bytes(d, &community, FID_SNMP_COMMUNITY, rd_left(&community));
    uint32_t off = rd_off(r);
    struct reader data = part_read(r, &tag);
    if (!rd_ok(r)) return;
    d_open_u(d, FID_SNMP_DATA, off, rd_off(r) - off, tag & 0x1f);
    if ((tag & 0xe0) == CONSTRUCTED && (tag & 0x1f) != TRAP_V1) {
        number_get(d, &data, FID_SNMP_REQUEST_ID);
        number_get(d, &data, FID_SNMP_ERROR_STATUS);
        number_get(d, &data, FID_SNMP_ERROR_INDEX);
        if (rd_ok(&data)) bindings_read(d, &data);
    }
    if (!rd_ok(&data)) rd_fail(r);
    fv_close(d->out);
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
    for (uint32_t i = at; i < end; i++) {
        if (v->v[i].id != FID_SNMP_NAME) continue;
        wr_c(w, ' ');
        print_value(w, field_of(FID_SNMP_NAME), &v->v[i]);
    }
}

static const uint16_t info_fields[] = {FID_SNMP_DATA, FID_SNMP_NAME, 0};
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
