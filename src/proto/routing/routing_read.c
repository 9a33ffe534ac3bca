/* SPDX-License-Identifier: Apache-2.0 */
/* The headers of what routers and their neighbours say: OSPF (RFC 2328 A.3.1, RFC 5340 A.3.1), EIGRP (RFC 7868 6.3),
 * PIM (RFC 7761 4.9), NAT-PMP (RFC 6886 3) and RADIUS (RFC 2865 3). What follows the header is not taken apart. */
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

static void pim_read(struct decode *d, struct slice in) {
    static const struct d_row rows[] = {{0, 1}, {FID_PIM_VERSION, 0}, {FID_PIM_TYPE, 0}};
    d_layer(d, &proto_pim, in, D_ROWS(rows));
}
static void pim_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    fv_value_say(w, v, FID_PIM_TYPE, at, end);
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
    d_layer(d, &proto_radius, in, D_ROWS(rows));
}
static void radius_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *id = fv_first(v, FID_RADIUS_ID, at, end);
    fv_value_say(w, v, FID_RADIUS_CODE, at, end);
    if (id) wr_f(w, " id=%u", (unsigned)id->u);
}

/* rsvp_read: RFC 2205 3.1.1; the objects behind the header are not taken apart. */
static void rsvp_read(struct decode *d, struct slice in) {
    static const struct d_row rows[] = {{0, 1},
                                        {FID_RSVP_VERSION, 0},
                                        {FID_RSVP_FLAGS, 0},
                                        {FID_RSVP_MSG, 1},
                                        {FID_RSVP_MESSAGE_CHECKSUM, 2},
                                        {FID_RSVP_SENDING_TTL, 1},
                                        {0, 1},
                                        {FID_RSVP_LENGTH, 2}};
    d_layer(d, &proto_rsvp, in, D_ROWS(rows));
}
static void rsvp_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    fv_value_say(w, v, FID_RSVP_MSG, at, end);
}

#define LAYER(short_, name_, ID_)                                                                                      \
    .name = (name_), .id = FID_##ID_, .end = FID_##ID_##_END, .keys = short_##_keys, .read = short_##_read,            \
    .info = short_##_info, .info_fields = short_##_fields
static const uint16_t ospf_fields[] = {FID_OSPF_MSG, 0}, eigrp_fields[] = {FID_EIGRP_OPCODE, 0},
                      pim_fields[] = {FID_PIM_TYPE, 0}, nat_pmp_fields[] = {FID_NAT_PMP_OPCODE, 0},
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
const struct proto proto_pim = {LAYER(pim, "pim", PIM), .column = "PIM"};
const struct proto proto_nat_pmp = {LAYER(nat_pmp, "nat-pmp", NAT_PMP), .column = "NAT-PMP"};
const struct proto proto_radius = {LAYER(radius, "radius", RADIUS), .column = "RADIUS"};
const struct proto proto_rsvp = {LAYER(rsvp, "rsvp", RSVP), .column = "RSVP"};
