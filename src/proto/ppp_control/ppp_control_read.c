/* SPDX-License-Identifier: Apache-2.0 */
/* The messages with which two ends of a PPP link agree: all begin with a code, an identifier and a length (RFC 1661 5,
 * RFC 1334 2.2, RFC 1994 4). Their options are not taken apart. */
#include "proto/protos.h"

static void message_read(struct decode *d, const struct proto *p, struct slice in, const struct d_row rows[3]) {
    struct reader r = d_reader(d, in);
    uint32_t at = d_begin(d, p, rd_off(&r), (uint32_t)in.n);
    uint16_t n = in.n >= 4 ? load_be16(in.p + 2) : 0;
    d_rows(d, &r, rows, 3);
    if (n && n < in.n) fv_set_len(d->out, at, n);
    if (!rd_ok(&r)) d_bad(d, &r);
    d_end(d);
}

static const struct d_row control[] = {{FID_LCP_CODE, 1}, {FID_LCP_IDENTIFIER, 1}, {FID_LCP_LENGTH, 2}};
static const struct d_row password[] = {{FID_PAP_CODE, 1}, {FID_PAP_IDENTIFIER, 1}, {FID_PAP_LENGTH, 2}};
static const struct d_row challenge[] = {{FID_CHAP_CODE, 1}, {FID_CHAP_IDENTIFIER, 1}, {FID_CHAP_LENGTH, 2}};

static void lcp_read(struct decode *d, struct slice in) { message_read(d, &proto_lcp, in, control); }
static void ipcp_read(struct decode *d, struct slice in) { message_read(d, &proto_ipcp, in, control); }
static void ipv6cp_read(struct decode *d, struct slice in) { message_read(d, &proto_ipv6cp, in, control); }
static void ccp_read(struct decode *d, struct slice in) { message_read(d, &proto_ccp, in, control); }
static void pap_read(struct decode *d, struct slice in) { message_read(d, &proto_pap, in, password); }
static void chap_read(struct decode *d, struct slice in) { message_read(d, &proto_chap, in, challenge); }

static void control_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    fv_value_say(w, v, FID_LCP_CODE, at, end);
}
static void pap_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    fv_value_say(w, v, FID_PAP_CODE, at, end);
}
static void chap_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    fv_value_say(w, v, FID_CHAP_CODE, at, end);
}

static const uint16_t control_fields[] = {FID_LCP_CODE, 0}, pap_fields[] = {FID_PAP_CODE, 0},
                      chap_fields[] = {FID_CHAP_CODE, 0};
static const struct proto_key lcp_keys[] = {{TABLE_PPP, 0xc021}, {TABLE_COUNT, 0}},
                              ipcp_keys[] = {{TABLE_PPP, 0x8021}, {TABLE_COUNT, 0}},
                              ipv6cp_keys[] = {{TABLE_PPP, 0x8057}, {TABLE_COUNT, 0}},
                              ccp_keys[] = {{TABLE_PPP, 0x80fd}, {TABLE_COUNT, 0}},
                              pap_keys[] = {{TABLE_PPP, 0xc023}, {TABLE_COUNT, 0}},
                              chap_keys[] = {{TABLE_PPP, 0xc223}, {TABLE_COUNT, 0}};
#define LAYER(name_, ID_, COLUMN_)                                                                                     \
    .name = #name_, .column = (COLUMN_), .id = FID_##ID_, .end = FID_##ID_##_END, .keys = name_##_keys,                \
    .read = name_##_read
const struct proto proto_lcp = {LAYER(lcp, LCP, "PPP LCP"), .info = control_info, .info_fields = control_fields};
const struct proto proto_ipcp = {LAYER(ipcp, IPCP, "PPP IPCP"), .info = control_info, .info_fields = control_fields};
const struct proto proto_ipv6cp = {LAYER(ipv6cp, IPV6CP, "PPP IPV6CP"), .info = control_info,
                                   .info_fields = control_fields};
const struct proto proto_ccp = {LAYER(ccp, CCP, "PPP CCP"), .info = control_info, .info_fields = control_fields};
const struct proto proto_pap = {LAYER(pap, PAP, "PPP PAP"), .info = pap_info, .info_fields = pap_fields};
const struct proto proto_chap = {LAYER(chap, CHAP, "PPP CHAP"), .info = chap_info, .info_fields = chap_fields};
