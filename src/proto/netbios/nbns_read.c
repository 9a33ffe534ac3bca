/* SPDX-License-Identifier: Apache-2.0 */
/* NetBIOS names (RFC 1002 4.2): questions, records with addresses, and what a node says of itself. */
#include "proto/netbios/netbios.h"

#include "field/print.h"
#include "proto/protos.h"

enum { RESPONSE = 0x8000, TYPE_NB = 32, TYPE_NBSTAT = 33, WAIT = 7, NB_ENTRY = 6, LABEL_MAX = 128 };

/* titled returns a name with what it is of: "NAME<00> (Workstation/Redirector)". */
static struct slice titled(struct decode *d, struct slice name, uint8_t type) {
    char *text = arena_get(d->arena, LABEL_MAX);
    if (!text) return name;
    struct writer w = wr_fixed(text, LABEL_MAX);
    const char *of = field_value_name(&vals_netbios_name_type, type);
    wr_slice(&w, name);
    wr_f(&w, " (%s)", of ? of : "Unknown");
    return wr_done(&w);
}

/* name_read reads the name, type and class questions and records begin with, and opens their entry. */
static uint16_t name_read(struct decode *d, struct reader *r, struct slice in, bool record) {
    uint32_t off = rd_off(r);
    struct slice name;
    uint8_t of;
    netbios_name_read(d, r, in, &name, &of);
    uint32_t n = rd_off(r) - off;
    uint16_t type = rd_be16(r), class = rd_be16(r);
    struct fval *f = fv_at(d->out, fv_open(d->out, FID_NBNS_RECORD, off, n + 4));
    if (f) f->s = name;
    if (!rd_ok(r)) return 0;
    f = fv_s(d->out, FID_NBNS_NAME, off, n, record ? titled(d, name, of) : name);
    if (f) f->extra = record ? 0 : (uint16_t)(of + 1);
    fv_u(d->out, FID_NBNS_TYPE, off + n, 2, type);
    fv_u(d->out, FID_NBNS_CLASS, off + n + 2, 2, class);
    return type;
}

static void addresses_read(struct decode *d, struct reader *r, unsigned opcode) {
    static const struct d_row flags[] = {
        {FID_NBNS_NB_FLAGS, 2}, {FID_NBNS_NB_FLAGS_GROUP, 0}, {FID_NBNS_NB_FLAGS_ONT, 0}};
    if (opcode == WAIT) return;
    while (rd_left(r) >= NB_ENTRY) {
        d_rows(d, r, D_ROWS(flags));
        get_be32(d, r, FID_NBNS_ADDR);
    }
}

/* status_read: the names a node has, and its counters (RFC 1002 4.2.18). */
static void status_read(struct decode *d, struct reader *r) {
    static const struct d_row flags[] = {{FID_NBNS_NAME_FLAGS, 2},     {FID_NBNS_NAME_FLAGS_GROUP, 0},
                                         {FID_NBNS_NAME_FLAGS_ONT, 0}, {FID_NBNS_NAME_FLAGS_DRG, 0},
                                         {FID_NBNS_NAME_FLAGS_CNF, 0}, {FID_NBNS_NAME_FLAGS_ACT, 0},
                                         {FID_NBNS_NAME_FLAGS_PRM, 0}};
    static const struct d_row counters[] = {{FID_NBNS_UNIT_ID, 6},
                                            {FID_NBNS_JUMPERS, 1},
                                            {FID_NBNS_TEST_RESULT, 1},
                                            {FID_NBNS_VERSION_NUMBER, 2},
                                            {FID_NBNS_PERIOD_OF_STATISTICS, 2},
                                            {FID_NBNS_NUM_CRCS, 2},
                                            {FID_NBNS_NUM_ALIGNMENT_ERRORS, 2},
                                            {FID_NBNS_NUM_COLLISIONS, 2},
                                            {FID_NBNS_NUM_SEND_ABORTS, 2},
                                            {FID_NBNS_NUM_GOOD_SENDS, 4},
                                            {FID_NBNS_NUM_GOOD_RECEIVES, 4},
                                            {FID_NBNS_NUMRETRANSMITS, 2},
                                            {FID_NBNS_NUM_NO_RESOURCE_CONDITIONS, 2},
                                            {FID_NBNS_NUMCOMMAND_BLOCKS, 2},
                                            {FID_NBNS_NUMPENDING_SESSIONS, 2},
                                            {FID_NBNS_MAX_NUM_PENDING_SESSIONS, 2},
                                            {FID_NBNS_MAX_TOTAL_SESSIONS_POSSIBLE, 2},
                                            {FID_NBNS_SESSION_DATA_PACKET_SIZE, 2}};
    uint8_t names = get_u8(d, r, FID_NBNS_NUMBER_OF_NAMES);
    for (uint8_t i = 0; i < names && rd_ok(r); i++) {
        uint32_t off = rd_off(r);
        struct slice name = rd_take(r, NETBIOS_NAME);
        char *text = arena_get(d->arena, NETBIOS_TEXT_MAX);
        if (!rd_ok(r) || !text) return;
        struct writer w = wr_fixed(text, NETBIOS_TEXT_MAX);
        netbios_name_text(&w, name.p);
        fv_s(d->out, FID_NBNS_NETBIOS_NAME, off, NETBIOS_NAME, titled(d, wr_done(&w), name.p[NETBIOS_NAME - 1]));
        d_rows(d, r, D_ROWS(flags));
    }
    d_rows(d, r, D_ROWS(counters));
}

static void record_read(struct decode *d, struct reader *r, struct slice in, unsigned opcode) {
    uint16_t type = name_read(d, r, in, true);
    if (rd_ok(r)) get_be32(d, r, FID_NBNS_TTL);
    uint16_t n = get_be16(d, r, FID_NBNS_DATA_LENGTH);
    struct reader data = rd_sub(r, n);
    if (rd_ok(&data) && type == TYPE_NB) addresses_read(d, &data, opcode);
    else if (rd_ok(&data) && type == TYPE_NBSTAT) status_read(d, &data);
    else if (rd_ok(&data) && n) get_bytes(d, &data, FID_NBNS_DATA, n);
    fv_close(d->out);
}

static void sections_read(struct decode *d, struct reader *r, struct slice in, unsigned opcode,
                          const uint16_t counts[4]) {
    static const uint16_t ids[] = {FID_NBNS_QUERIES, FID_NBNS_ANSWERS, FID_NBNS_AUTHORITIES, FID_NBNS_ADDITIONALS};
    for (unsigned i = 0; i < 4; i++) {
        uint32_t off = rd_off(r), at = counts[i] ? fv_open(d->out, ids[i], off, 0) : FV_UNWANTED;
        for (unsigned n = 0; n < counts[i] && rd_ok(r); n++) {
            if (i) {
                record_read(d, r, in, opcode);
            } else {
                name_read(d, r, in, false);
                fv_close(d->out);
            }
        }
        fv_set_len(d->out, at, rd_off(r) - off);
        if (counts[i]) fv_close(d->out);
    }
}

static void flags_read(struct decode *d, struct reader *r, bool response) {
    static const struct d_row query[] = {
        {FID_NBNS_FLAGS, 2},           {FID_NBNS_FLAGS_RESPONSE, 0},   {FID_NBNS_FLAGS_OPCODE, 0},
        {FID_NBNS_FLAGS_TRUNCATED, 0}, {FID_NBNS_FLAGS_RECDESIRED, 0}, {FID_NBNS_FLAGS_BROADCAST, 0}};
    static const struct d_row answer[] = {{FID_NBNS_FLAGS, 2},           {FID_NBNS_FLAGS_RESPONSE, 0},
                                          {FID_NBNS_FLAGS_OPCODE, 0},    {FID_NBNS_FLAGS_AUTHORITATIVE, 0},
                                          {FID_NBNS_FLAGS_TRUNCATED, 0}, {FID_NBNS_FLAGS_RECDESIRED, 0},
                                          {FID_NBNS_FLAGS_RECAVAIL, 0},  {FID_NBNS_FLAGS_BROADCAST, 0},
                                          {FID_NBNS_FLAGS_RCODE, 0}};
    if (response) d_rows(d, r, D_ROWS(answer));
    else d_rows(d, r, D_ROWS(query));
}

static void nbns_read(struct decode *d, struct slice in) {
    static const uint16_t ids[] = {FID_NBNS_COUNT_QUERIES, FID_NBNS_COUNT_ANSWERS, FID_NBNS_COUNT_AUTH_RR,
                                   FID_NBNS_COUNT_ADD_RR};
    struct reader r = d_reader(d, in);
    uint16_t counts[4];
    d_begin(d, &proto_nbns, rd_off(&r), (uint32_t)in.n);
    get_be16(d, &r, FID_NBNS_ID);
    unsigned first = rd_left(&r) ? in.p[2] : 0;
    flags_read(d, &r, first >> 7);
    for (size_t i = 0; i < 4; i++) counts[i] = get_be16(d, &r, ids[i]);
    if (rd_ok(&r)) sections_read(d, &r, in, first >> 3 & 15, counts);
    if (!rd_ok(&r)) d_bad(d, &r);
    d_end(d);
}

/* record_say: of a question the name, of a record its addresses. */
static void record_say(struct writer *w, const struct fvec *v, uint32_t at) {
    uint32_t end = fv_end(v, at);
    const struct fval *name = fv_first(v, FID_NBNS_NAME, at, end), *type = fv_first(v, FID_NBNS_TYPE, at, end);
    if (!name || !type) return;
    const char *what = field_value_name(&vals_nbns_type, type->u);
    if (what) wr_f(w, " %s", what);
    else wr_f(w, " Unknown (%u)", (unsigned)type->u);
    if (name->extra) {
        wr_c(w, ' ');
        wr_slice(w, name->s);
        return;
    }
    for (uint32_t i = at; i < end; i++) {
        if (v->v[i].id != FID_NBNS_ADDR) continue;
        wr_c(w, ' ');
        print_ipv4(w, (uint32_t)v->v[i].u);
    }
}

static void nbns_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *flags = fv_first(v, FID_NBNS_FLAGS, at, end);
    if (!flags) return;
    const char *what = field_value_name(&vals_nbns_flags_opcode, flags->u >> 11 & 15);
    if (what) wr_s(w, what);
    else wr_f(w, "Unknown operation (%u)", (unsigned)flags->u >> 11 & 15);
    bool response = flags->u & RESPONSE;
    if (response) wr_s(w, " response");
    if (response && flags->u & 15) {
        what = field_value_name(&vals_nbns_flags_rcode, flags->u & 15);
        wr_f(w, ", %s", what ? what : "Unknown error");
    }
    uint32_t section = at;
    uint16_t wanted = response ? FID_NBNS_ANSWERS : FID_NBNS_QUERIES;
    while (section < end && v->v[section].id != wanted) section++;
    for (uint32_t i = section; i < end && i < fv_end(v, section); i++)
        if (v->v[i].id == FID_NBNS_RECORD) record_say(w, v, i);
}

static void flags_label(struct writer *w, unsigned flags) {
    static const struct {
        unsigned bit;
        const char *name;
    } bits[] = {{0x0400, "Authoritative"},
                {0x0200, "Truncated"},
                {0x0100, "Recursion desired"},
                {0x0080, "Recursion available"},
                {0x0010, "Broadcast"}};
    const char *opcode = field_value_name(&vals_nbns_flags_opcode, flags >> 11 & 15);
    wr_f(w, "Flags: 0x%04x%s, Opcode: %s", flags, flags & RESPONSE ? ", Response" : "", opcode ? opcode : "Unknown");
    for (size_t i = 0; i < sizeof bits / sizeof *bits; i++)
        if (flags & bits[i].bit && (flags & RESPONSE || (bits[i].bit & 0x0480) == 0)) wr_f(w, ", %s", bits[i].name);
    const char *code = field_value_name(&vals_nbns_flags_rcode, flags & 15);
    if (flags & RESPONSE) wr_f(w, ", Reply code: %s", code ? code : "Unknown");
}

static bool nbns_label(struct writer *w, const struct fvec *v, uint32_t at) {
    const struct fval *f = &v->v[at];
    switch (f->id) {
    case FID_NBNS_FLAGS: flags_label(w, (unsigned)f->u); return true;
    case FID_NBNS_NAME: {
        const char *of = f->extra ? field_value_name(&vals_netbios_name_type, f->extra - 1u) : NULL;
        wr_s(w, "Name: ");
        print_string(w, f->s);
        if (f->extra) wr_f(w, " (%s)", of ? of : "Unknown");
        return true;
    }
    case FID_NBNS_RECORD: {
        const struct fval *type = fv_first(v, FID_NBNS_TYPE, at, fv_end(v, at));
        const struct fval *class = fv_first(v, FID_NBNS_CLASS, at, fv_end(v, at));
        if (!type || !class) return false;
        const char *type_name = field_value_name(&vals_nbns_type, type->u);
        const char *class_name = field_value_name(&vals_nbns_class, class->u);
        print_string(w, f->s);
        wr_f(w, ": type %s, class %s", type_name ? type_name : "Unknown", class_name ? class_name : "Unknown");
        return true;
    }
    default: return false;
    }
}

static const uint16_t info_fields[] = {FID_NBNS_FLAGS, FID_NBNS_QUERIES, FID_NBNS_ANSWERS, FID_NBNS_RECORD,
                                       FID_NBNS_NAME,  FID_NBNS_TYPE,    FID_NBNS_ADDR,    0};
static const struct proto_key keys[] = {{TABLE_UDP, 137}, {TABLE_COUNT, 0}};
const struct proto proto_nbns = {.name = "nbns",
                                 .column = "NBNS",
                                 .id = FID_NBNS,
                                 .end = FID_NBNS_END,
                                 .keys = keys,
                                 .read = nbns_read,
                                 .info = nbns_info,
                                 .info_fields = info_fields,
                                 .label = nbns_label};
