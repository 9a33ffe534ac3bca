/* SPDX-License-Identifier: Apache-2.0 */
/* The heads of NetFlow's datagrams (RFC 3954 5.1; versions 5 and 7 as their maker documents them) and IPFIX's (RFC 7011
 * 3.1), of sFlow's (sFlow version 5, datagram format) and of PTP's messages (IEEE 1588 13.3). */
#include "proto/protos.h"

#include "field/print.h"

enum { NETFLOW_1 = 1, NETFLOW_5 = 5, NETFLOW_7 = 7, NETFLOW_8 = 8, NETFLOW_9 = 9, IPFIX = 10 };

static void cflow_read(struct decode *d, struct slice in) {
    static const struct d_row plain[] = {{FID_CFLOW_VERSION, 2}, {FID_CFLOW_COUNT, 2}, {0, 4}, {0, 4}},
                              ipfix[] = {{FID_CFLOW_VERSION, 2},
                                         {FID_CFLOW_LEN, 2},
                                         {0, 4},
                                         {FID_CFLOW_SEQUENCE, 4},
                                         {FID_CFLOW_OD_ID, 4}};
    struct reader r = d_reader(d, in);
    unsigned version = in.n >= 2 ? load_be16(in.p) : 0;
    bool known = version == NETFLOW_1 || (version >= NETFLOW_5 && version <= IPFIX && version != 6);
    if (!known) {
        d_data(d, in);
        return;
    }
    d_begin(d, &proto_cflow, rd_off(&r), (uint32_t)in.n);
    if (version == IPFIX) d_rows(d, &r, D_ROWS(ipfix));
    else d_rows(d, &r, D_ROWS(plain));
    if (version >= NETFLOW_5 && version <= NETFLOW_8) rd_skip(&r, 4);
    if (version != NETFLOW_1 && version != IPFIX) get_be32(d, &r, FID_CFLOW_SEQUENCE);
    if (version == NETFLOW_9) get_be32(d, &r, FID_CFLOW_SOURCE_ID);
    if (!rd_ok(&r)) d_bad(d, &r);
    d_end(d);
}

static void cflow_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *version = fv_first(v, FID_CFLOW_VERSION, at, end),
                      *count = fv_first(v, FID_CFLOW_COUNT, at, end), *n = fv_first(v, FID_CFLOW_LEN, at, end);
    const struct fval *source = fv_first(v, FID_CFLOW_SOURCE_ID, at, end),
                      *domain = fv_first(v, FID_CFLOW_OD_ID, at, end);
    if (!version) return;
    if (n && domain) wr_f(w, "IPFIX flow (%4u bytes) Obs-Domain-ID=%5u", (unsigned)n->u, (unsigned)domain->u);
    if (!count) return;
    wr_f(w, "total: %u (v%u) %s%s", (unsigned)count->u, (unsigned)version->u,
         version->u == NETFLOW_9 ? "record" : "flow", count->u == 1 ? "" : "s");
    if (source) wr_f(w, " Obs-Domain-ID=%5u", (unsigned)source->u);
}

/* is_ptp_2 tells whether a message has the version and a length that its head and a frame allow (13.3.2). */
static bool is_ptp_2(struct slice in) {
    enum { HEAD = 34, FRAME = 1500 };
    return in.n >= 4 && (in.p[1] & 0x0f) == 2 && load_be16(in.p + 2) >= HEAD && load_be16(in.p + 2) <= FRAME;
}

static void ptp_read(struct decode *d, struct slice in) {
    static const struct d_row first[] = {{FID_PTP_VERSIONPTP, 2}}, second[] = {{0, 1},
                                                                               {FID_PTP_V2_MESSAGETYPE, 0},
                                                                               {0, 1},
                                                                               {FID_PTP_V2_VERSIONPTP, 0},
                                                                               {FID_PTP_V2_MESSAGELENGTH, 2},
                                                                               {FID_PTP_V2_DOMAINNUMBER, 1},
                                                                               {0, 25},
                                                                               {FID_PTP_V2_SEQUENCEID, 2}};
    if (in.n >= 2 && (in.p[1] & 0x0f) == 1 && !in.p[0]) d_layer(d, &proto_ptp, in, D_ROWS(first));
    else if (is_ptp_2(in)) d_layer(d, &proto_ptp, in, D_ROWS(second));
    else d_data(d, in);
}

static const char *ptp_column(const struct fvec *v, uint32_t at, uint32_t end) {
    return fv_first(v, FID_PTP_VERSIONPTP, at, end) ? "PTPv1" : NULL;
}

static void ptp_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    fv_value_say(w, v, FID_PTP_V2_MESSAGETYPE, at, end);
}

static const uint16_t cflow_fields[] = {FID_CFLOW_VERSION,   FID_CFLOW_COUNT, FID_CFLOW_LEN,
                                        FID_CFLOW_SOURCE_ID, FID_CFLOW_OD_ID, 0},
                      ptp_fields[] = {FID_PTP_VERSIONPTP, FID_PTP_V2_MESSAGETYPE, 0};
static const struct proto_key cflow_keys[] = {{TABLE_UDP, 2055},
                                              {TABLE_UDP, 9996},
                                              {TABLE_UDP, 4739},
                                              {TABLE_COUNT, 0}},
                              ptp_keys[] = {
                                  {TABLE_UDP, 319}, {TABLE_UDP, 320}, {TABLE_ETHERTYPE, 0x88f7}, {TABLE_COUNT, 0}};
#define LAYER(name_, ID_, COLUMN_)                                                                                     \
    .name = #name_, .column = (COLUMN_), .id = FID_##ID_, .end = FID_##ID_##_END, .keys = name_##_keys,                \
    .read = name_##_read, .info = name_##_info, .info_fields = name_##_fields
const struct proto proto_cflow = {LAYER(cflow, CFLOW, "CFLOW")};
const struct proto proto_ptp = {LAYER(ptp, PTP, "PTPv2"), .column_of = ptp_column};
