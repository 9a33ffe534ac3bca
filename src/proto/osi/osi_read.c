/* SPDX-License-Identifier: Apache-2.0 */
/* What follows the identifier of a network layer protocol (ISO/IEC TR 9577): IS-IS (ISO/IEC 10589 9), the head all its
 * packets share and of each kind what stands before the addresses. Lists of neighbours and routes are not taken apart,
 * nor are the other protocols of OSI. */
#include "proto/protos.h"

enum { ISIS = 0x83, CHDLC_PADDING = 0xfe, SYSTEM = 6, P2P_HELLO = 17, L2_LSP = 20, L2_CSNP = 25, TYPE = 4 };

static void hello_read(struct decode *d, struct slice in) {
    static const struct d_row rows[] = {{0, 1},
                                        {FID_ISIS_HELLO_CIRCUIT_TYPE, 0},
                                        {0, SYSTEM},
                                        {FID_ISIS_HELLO_HOLDING_TIMER, 2},
                                        {FID_ISIS_HELLO_PDU_LENGTH, 2}};
    d_layer(d, &proto_isis_hello, in, D_ROWS(rows));
}

static void lsp_read(struct decode *d, struct slice in) {
    static const struct d_row rows[] = {{FID_ISIS_LSP_PDU_LENGTH, 2},
                                        {FID_ISIS_LSP_REMAINING_LIFE, 2},
                                        {0, SYSTEM + 2},
                                        {FID_ISIS_LSP_SEQUENCE_NUMBER, 4},
                                        {FID_ISIS_LSP_CHECKSUM, 2}};
    d_layer(d, &proto_isis_lsp, in, D_ROWS(rows));
}

static void csnp_read(struct decode *d, struct slice in) {
    static const struct d_row rows[] = {{FID_ISIS_CSNP_PDU_LENGTH, 2}};
    d_layer(d, &proto_isis_csnp, in, D_ROWS(rows));
}

static void psnp_read(struct decode *d, struct slice in) {
    static const struct d_row rows[] = {{FID_ISIS_PSNP_PDU_LENGTH, 2}};
    d_layer(d, &proto_isis_psnp, in, D_ROWS(rows));
}

static void isis_read(struct decode *d, struct slice in) {
    static const struct d_row rows[] = {
        {FID_ISIS_IRPD, 1}, {FID_ISIS_LEN, 1},      {FID_ISIS_VERSION, 1},  {FID_ISIS_SYSID_LEN, 1},   {0, 1},
        {FID_ISIS_TYPE, 0}, {FID_ISIS_VERSION2, 1}, {FID_ISIS_RESERVED, 1}, {FID_ISIS_MAX_AREA_ADR, 1}};
    enum { HEAD = 8 };
    d_layer(d, &proto_isis, in, D_ROWS(rows));
    if (in.n <= HEAD) return;
    uint8_t type = in.p[TYPE] & 0x1f;
    const struct proto *p = type <= P2P_HELLO ? &proto_isis_hello
                            : type <= L2_LSP  ? &proto_isis_lsp
                            : type <= L2_CSNP ? &proto_isis_csnp
                                              : &proto_isis_psnp;
    d->ops->call(d, p, slice_tail(in, HEAD));
}

/* osi_read goes by the identifier; on Cisco's HDLC a byte of padding stands before it. */
static void osi_read(struct decode *d, struct slice in) {
    if (in.n && in.p[0] == CHDLC_PADDING) in = slice_tail(in, 1);
    if (in.n && in.p[0] == ISIS) {
        d->ops->call(d, &proto_isis, in);
        return;
    }
    if (in.n) fv_u(d->out, FID_OSI_NLPID, d_off(d, in.p), 1, in.p[0]);
    d_data(d, in);
}

static void isis_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    fv_value_say(w, v, FID_ISIS_TYPE, at, end);
}

#define LAYER(name_, ID_, read_) .name = (name_), .id = FID_##ID_, .end = FID_##ID_##_END, .read = read_
static const uint16_t isis_fields[] = {FID_ISIS_TYPE, 0};
static const struct proto_key osi_keys[] = {{TABLE_LLC, 0xfe}, {TABLE_PPP, 0x0023}, {TABLE_COUNT, 0}};
const struct proto proto_osi = {LAYER("osi", OSI, osi_read), .keys = osi_keys};
static const struct proto_key isis_keys[] = {{TABLE_ETHERTYPE, 0x22f4}, {TABLE_COUNT, 0}};
const struct proto proto_isis = {LAYER("isis", ISIS, isis_read), .column = "ISIS", .keys = isis_keys, .info = isis_info,
                                 .info_fields = isis_fields};
const struct proto proto_isis_hello = {LAYER("isis.hello", ISIS_HELLO, hello_read), .column = "ISIS HELLO"};
const struct proto proto_isis_lsp = {LAYER("isis.lsp", ISIS_LSP, lsp_read), .column = "ISIS LSP"};
const struct proto proto_isis_csnp = {LAYER("isis.csnp", ISIS_CSNP, csnp_read), .column = "ISIS CSNP"};
const struct proto proto_isis_psnp = {LAYER("isis.psnp", ISIS_PSNP, psnp_read), .column = "ISIS PSNP"};
