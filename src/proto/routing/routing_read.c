/* SPDX-License-Identifier: Apache-2.0 */
/* The headers of what routers and their neighbours say: OSPF (RFC 2328 A.3.1, RFC 5340 A.3.1), EIGRP (RFC 7868 6.3),
 * PIM (RFC 7761 4.9), NAT-PMP (RFC 6886 3), RADIUS (RFC 2865 3) and RSVP (RFC 2205 3.1). What follows the header is not
 * taken apart, but for the heads of PIM's options and RSVP's objects and the packets that PIM registers. */
#include "proto/protos.h"

static void ospf_read(struct decode *d, struct slice in) {
    static const struct d_row rows[] = {{FID_OSPF_VERSION, 1},   {FID_OSPF_MSG, 1},     {FID_OSPF_PACKET_LENGTH, 2},
                                        {FID_OSPF_SRCROUTER, 4}, {FID_OSPF_AREA_ID, 4}, {FID_OSPF_CHECKSUM, 2}};
    d_layer(d, &proto_ospf, in, D_ROWS(rows));
}
static void ospf_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    fv_value_say(w, v, FID_OSPF_MSG, at, end);
}

static void eigrp_read(struct decode *d, struct slice in) {
    static const struct d_row rows[] = {
        {FID_EIGRP_VERSION, 1},       {FID_EIGRP_OPCODE, 1},     {FID_EIGRP_CHECKSUM, 2},
        {FID_EIGRP_FLAGS, 4},         {FID_EIGRP_FLAGS_INIT, 0}, {FID_EIGRP_FLAGS_CONDRECV, 0},
        {FID_EIGRP_FLAGS_RESTART, 0}, {FID_EIGRP_FLAGS_EOT, 0},  {FID_EIGRP_SEQ, 4},
        {FID_EIGRP_ACK, 4},           {FID_EIGRP_VRID, 2},       {FID_EIGRP_AS, 2}};
    d_layer(d, &proto_eigrp, in, D_ROWS(rows));
}
static void eigrp_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    fv_value_say(w, v, FID_EIGRP_OPCODE, at, end);
}

enum { OPTIONS_MAX = 16384 };

/* pim_option_read reads one option of a hello (RFC 7761 4.9.2), whose value has as many bytes as its type says at
 * least.
 */
static void pim_option_read(struct decode *d, struct reader *r) {
    static const uint8_t least[] = {[1] = 2, [2] = 4, [19] = 4, [20] = 4, [21] = 4};
    static const struct d_row head[] = {{FID_PIM_OPTION_TYPE, 2}, {FID_PIM_OPTION_LENGTH, 2}};
    unsigned type = rd_left(r) >= 4 ? load_be16(r->p) : 0;
    size_t n = rd_left(r) >= 4 ? load_be16(r->p + 2) : 0;
    fv_open(d->out, FID_PIM_OPTION, rd_off(r), (uint32_t)(n + 4));
    d_rows(d, r, D_ROWS(head));
    if (type < sizeof least && rd_left(r) < least[type]) rd_fail(r);
    rd_skip(r, n);
    fv_close(d->out);
}

/* packet_pass hands on the packet that a router registers, of which no byte may be there. */
static void packet_pass(struct decode *d, struct slice packet) {
    enum { TYPE_IPV4 = 0x0800, TYPE_IPV6 = 0x86dd };
    unsigned version = packet.n ? packet.p[0] >> 4 : 0;
    if (version == 4) (void)d->ops->next(d, TABLE_ETHERTYPE, TYPE_IPV4, packet);
    else if (version == 6) (void)d->ops->next(d, TABLE_ETHERTYPE, TYPE_IPV6, packet);
}

/* pim_first_read reads a message of version 1, which travels in IGMP. */
static void pim_first_read(struct decode *d, struct slice in) {
    enum { CODE_REGISTER = 1 };
    static const struct d_row rows[] = {
        {FID_PIM_CODE, 1}, {FID_PIM_CHECKSUM, 2}, {0, 1}, {FID_PIM_VERSION, 0}, {FID_PIM_RESERVED, 3}};
    struct reader r = d_reader(d, in);
    d_begin(d, &proto_pim, rd_off(&r), (uint32_t)in.n);
    fv_s(d->out, FID_PIM_IGMP_TYPE, rd_off(&r), 0, slice_str("PIM (0x14)"));
    rd_skip(&r, 1);
    bool registers = rd_peek(&r, 0) == CODE_REGISTER;
    d_rows(d, &r, D_ROWS(rows));
    if (!rd_ok(&r)) d_bad(d, &r);
    d_end(d);
    if (registers && rd_ok(&r)) packet_pass(d, rd_rest(&r));
}

static void pim_read(struct decode *d, struct slice in) {
    enum { VERSION_1 = 1, VERSION_2_HELLO = 0x20, VERSION_2_REGISTER = 0x21 };
    static const struct d_row rows[] = {
        {0, 1}, {FID_PIM_VERSION, 0}, {FID_PIM_TYPE, 0}, {FID_PIM_RESERVED, 1}, {FID_PIM_CHECKSUM, 2}};
    static const struct d_row flags[] = {
        {FID_PIM_REGISTER_FLAG, 4}, {FID_PIM_REGISTER_BORDER, 0}, {FID_PIM_REGISTER_NULL, 0}};
    if (in.n && in.p[0] >> 4 == VERSION_1) {
        pim_first_read(d, in);
        return;
    }
    struct reader r = d_reader(d, in);
    d_begin(d, &proto_pim, rd_off(&r), (uint32_t)in.n);
    int kind = rd_peek(&r, 0);
    d_rows(d, &r, D_ROWS(rows));
    for (unsigned i = 0; kind == VERSION_2_HELLO && i < OPTIONS_MAX && rd_ok(&r) && rd_left(&r) >= 2; i++)
        pim_option_read(d, &r);
    if (kind == VERSION_2_REGISTER) d_rows(d, &r, D_ROWS(flags));
    if (!rd_ok(&r)) d_bad(d, &r);
    d_end(d);
    if (kind == VERSION_2_REGISTER && rd_ok(&r)) packet_pass(d, rd_rest(&r));
}
static void pim_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    fv_value_say(w, v, FID_PIM_TYPE, at, end);
    fv_value_say(w, v, FID_PIM_CODE, at, end);
}

enum { ADDRESS_REQUEST = 0, ADDRESS_RESPONSE = 128 };
static void nat_pmp_read(struct decode *d, struct slice in) {
    static const struct d_row address[] = {{FID_NAT_PMP_VERSION, 1}, {FID_NAT_PMP_OPCODE, 1}};
    static const struct d_row told[] = {{FID_NAT_PMP_VERSION, 1},
                                        {FID_NAT_PMP_OPCODE, 1},
                                        {FID_NAT_PMP_RESULT_CODE, 2},
                                        {FID_NAT_PMP_SSSOE, 4},
                                        {FID_NAT_PMP_EXTERNAL_IP, 4}};
    static const struct d_row asked[] = {{FID_NAT_PMP_VERSION, 1},       {FID_NAT_PMP_OPCODE, 1},
                                         {FID_NAT_PMP_RESERVED, 2},      {FID_NAT_PMP_INTERNAL_PORT, 2},
                                         {FID_NAT_PMP_EXTERNAL_PORT, 2}, {FID_NAT_PMP_PML, 4}};
    static const struct d_row mapped[] = {
        {FID_NAT_PMP_VERSION, 1}, {FID_NAT_PMP_OPCODE, 1},        {FID_NAT_PMP_RESULT_CODE, 2},
        {FID_NAT_PMP_SSSOE, 4},   {FID_NAT_PMP_INTERNAL_PORT, 2}, {FID_NAT_PMP_EXTERNAL_PORT, 2},
        {FID_NAT_PMP_PML, 4}};
    int opcode = in.n > 1 ? in.p[1] : -1;
    if (in.n && in.p[0]) d_data(d, in); /* version 2 is another protocol: RFC 6887 */
    else if (opcode == ADDRESS_RESPONSE) d_layer(d, &proto_nat_pmp, in, D_ROWS(told));
    else if (opcode > ADDRESS_RESPONSE) d_layer(d, &proto_nat_pmp, in, D_ROWS(mapped));
    else if (opcode > ADDRESS_REQUEST) d_layer(d, &proto_nat_pmp, in, D_ROWS(asked));
    else d_layer(d, &proto_nat_pmp, in, D_ROWS(address));
}
static void nat_pmp_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    fv_value_say(w, v, FID_NAT_PMP_OPCODE, at, end);
}

static void radius_read(struct decode *d, struct slice in) {
    static const struct d_row rows[] = {
        {FID_RADIUS_CODE, 1}, {FID_RADIUS_ID, 1}, {FID_RADIUS_LENGTH, 2}, {FID_RADIUS_AUTHENTICATOR, 16}};
    enum { HEADER = 20 };
    size_t length = in.n >= HEADER ? load_be16(in.p + 2) : 0;
    if (length > in.n && !d->cut) d_data(d, in); /* it is of something else: RFC 2865 3 has it discarded */
    else d_layer(d, &proto_radius, in, D_ROWS(rows));
}
static void radius_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *id = fv_first(v, FID_RADIUS_ID, at, end);
    fv_value_say(w, v, FID_RADIUS_CODE, at, end);
    if (id) wr_f(w, " id=%u", (unsigned)id->u);
}

/* rsvp_read: RFC 2205 3.1; of the objects the heads are read. */
static void rsvp_read(struct decode *d, struct slice in) {
    enum { HEAD = 8, OBJECT_HEAD = 4 };
    static const struct d_row rows[] = {{0, 1},
                                        {FID_RSVP_VERSION, 0},
                                        {FID_RSVP_FLAGS, 0},
                                        {FID_RSVP_MSG, 1},
                                        {FID_RSVP_MESSAGE_CHECKSUM, 2},
                                        {FID_RSVP_SENDING_TTL, 1},
                                        {0, 1},
                                        {FID_RSVP_LENGTH, 2}};
    struct reader r = d_reader(d, in);
    size_t whole = in.n >= HEAD ? load_be16(in.p + 6) : 0;
    uint32_t start = rd_off(&r);
    d_begin(d, &proto_rsvp, start, (uint32_t)in.n);
    d_rows(d, &r, D_ROWS(rows));
    for (unsigned i = 0; i < OPTIONS_MAX && rd_ok(&r) && rd_off(&r) - start < whole; i++) {
        uint32_t off = rd_off(&r);
        size_t n = rd_be16(&r);
        uint8_t class = rd_u8(&r);
        if (!rd_ok(&r) || n < OBJECT_HEAD) break; /* where the next one begins nobody knows */
        d_open_u(d, FID_RSVP_OBJECT, off + 2, 1, class);
        fv_u(d->out, FID_RSVP_OBJECT_LENGTH, off, 2, n);
        get_u8(d, &r, FID_RSVP_OBJECT_CTYPE);
        rd_skip(&r, n - OBJECT_HEAD);
        fv_close(d->out);
    }
    if (!rd_ok(&r)) d_bad(d, &r);
    d_end(d);
}
static void rsvp_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    fv_value_say(w, v, FID_RSVP_MSG, at, end);
}

#define LAYER(short_, name_, ID_)                                                                                      \
    .name = (name_), .id = FID_##ID_, .end = FID_##ID_##_END, .keys = short_##_keys, .read = short_##_read,            \
    .info = short_##_info, .info_fields = short_##_fields
static const uint16_t ospf_fields[] = {FID_OSPF_MSG, 0}, eigrp_fields[] = {FID_EIGRP_OPCODE, 0},
                      pim_fields[] = {FID_PIM_TYPE, FID_PIM_CODE, 0}, nat_pmp_fields[] = {FID_NAT_PMP_OPCODE, 0},
                      rsvp_fields[] = {FID_RSVP_MSG, 0}, radius_fields[] = {FID_RADIUS_CODE, FID_RADIUS_ID, 0};
static const struct proto_key ospf_keys[] = {{TABLE_IP, 89}, {TABLE_COUNT, 0}},
                              eigrp_keys[] = {{TABLE_IP, 88}, {TABLE_COUNT, 0}},
                              pim_keys[] = {{TABLE_IP, 103}, {TABLE_COUNT, 0}},
                              rsvp_keys[] = {{TABLE_IP, 46}, {TABLE_COUNT, 0}},
                              nat_pmp_keys[] = {{TABLE_UDP, 5350}, {TABLE_UDP, 5351}, {TABLE_COUNT, 0}},
                              radius_keys[] = {{TABLE_UDP, 1812}, {TABLE_UDP, 1813}, {TABLE_UDP, 1645},
                                               {TABLE_UDP, 1646}, {TABLE_UDP, 1700}, {TABLE_UDP, 3799},
                                               {TABLE_COUNT, 0}};
const struct proto proto_ospf = {LAYER(ospf, "ospf", OSPF), .column = "OSPF"};
const struct proto proto_eigrp = {LAYER(eigrp, "eigrp", EIGRP), .column = "EIGRP"};
const struct proto proto_pim = {LAYER(pim, "pim", PIM), .column = "PIM", .carrier = true};
const struct proto proto_nat_pmp = {LAYER(nat_pmp, "nat-pmp", NAT_PMP), .column = "NAT-PMP"};
const struct proto proto_radius = {LAYER(radius, "radius", RADIUS), .column = "RADIUS"};
const struct proto proto_rsvp = {LAYER(rsvp, "rsvp", RSVP), .column = "RSVP"};
