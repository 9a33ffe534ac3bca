/* SPDX-License-Identifier: Apache-2.0 */
/* Headers by which a fabric of switches steers a packet: the Network Service Header (RFC 8300), and the metadata of
 * Cisco switches, which has the security group of the sender, Cisco FabricPath, a header of Ethernet in which switches
 * have numbers, and the time at which a switch of Arista saw a packet. All only precede a packet. */
#include "proto/fabric/fabric.h"

#include "proto/protos.h"

enum { WORD = 4, CONTEXTS = 4, METADATA_MAX = 64 };
enum { FIXED_METADATA = 1, VARIABLE_METADATA = 2 };

/* metadata_read reads what stands behind the service path: four words, or types with lengths. */
static void metadata_read(struct decode *d, struct slice in, uint8_t kind) {
    static const struct d_row rows[] = {
        {FID_NSH_CLASS, 2}, {FID_NSH_TYPE, 1}, {0, 1}, {FID_NSH_UNASSIGNED, 0}, {FID_NSH_METADATA_LEN, 0}};
    struct reader r = d_reader(d, in);
    for (int i = 0; kind == FIXED_METADATA && i < CONTEXTS; i++) get_bytes(d, &r, FID_NSH_CONTEXT, WORD);
    for (int i = 0; kind == VARIABLE_METADATA && i < METADATA_MAX && rd_left(&r) >= WORD; i++) {
        uint8_t len = r.p[WORD - 1] & 0x7f;
        d_rows(d, &r, D_ROWS(rows));
        if (len) get_bytes(d, &r, FID_NSH_METADATA, len);
        rd_skip(&r, (size_t)-len % WORD); /* RFC 8300 2.5.1: padded to a whole word */
    }
    if (!rd_ok(&r)) d_bad(d, &r);
}

void fabric_next(struct decode *d, uint8_t next, struct slice in) {
    enum { IPV4 = 1, IPV6 = 2, NSH = 4, MPLS = 5 };
    static const uint16_t types[] = {
        [IPV4] = 0x0800, [IPV6] = 0x86dd, [FABRIC_ETHERNET] = 0x6558, [NSH] = 0x894f, [MPLS] = 0x8847};
    if (next > MPLS || !d->ops->next(d, TABLE_ETHERTYPE, types[next], in)) d_data(d, in);
}

static void nsh_read(struct decode *d, struct slice in) {
    static const struct d_row base[] = {{0, 2},           {FID_NSH_VERSION, 0}, {FID_NSH_OBIT, 0}, {FID_NSH_CBIT, 0},
                                        {FID_NSH_TTL, 0}, {FID_NSH_LENGTH, 0}};
    static const struct d_row path[] = {{FID_NSH_SPI, 3}, {FID_NSH_SI, 1}};
    struct reader r = d_reader(d, in);
    uint32_t off = rd_off(&r), words = in.n >= 2 ? in.p[1] & 0x3f : 0;
    d_begin(d, &proto_nsh, off, words * WORD);
    d_rows(d, &r, D_ROWS(base));
    uint8_t kind = get_u8(d, &r, FID_NSH_MDTYPE), next = get_u8(d, &r, FID_NSH_NEXTPROTO);
    d_rows(d, &r, D_ROWS(path));
    bool fits = words >= 2 && (kind != FIXED_METADATA || words == 2 + CONTEXTS);
    if (!rd_ok(&r)) d_bad(d, &r);
    else if (!fits) d_anomaly(d, FID_NSH_LENGTH_INVALID, off, 2);
    struct slice metadata = rd_take(&r, fits ? (words - 2) * WORD : 0);
    if (rd_ok(&r)) metadata_read(d, metadata, kind);
    else if (fits) d_bad(d, &r);
    d_end(d);
    if (!rd_ok(&r)) return;
    if (fits) fabric_next(d, next, rd_rest(&r));
    else d_data(d, rd_rest(&r));
}

static void cmd_read(struct decode *d, struct slice in) {
    static const struct d_row rows[] = {
        {FID_CMD_VERSION, 1}, {FID_CMD_LENGTH, 1}, {FID_CMD_OPTIONS, 2}, {FID_CMD_SGT, 2}};
    struct reader r = d_reader(d, in);
    d_begin(d, &proto_cmd, rd_off(&r), 8);
    d_rows(d, &r, D_ROWS(rows));
    uint16_t type = get_be16(d, &r, FID_CMD_TYPE);
    if (!rd_ok(&r)) d_bad(d, &r);
    d_end(d);
    if (rd_ok(&r) && !d->ops->next(d, TABLE_ETHERTYPE, type, rd_rest(&r))) d_data(d, rd_rest(&r));
}

static const struct proto_key nsh_keys[] = {{TABLE_ETHERTYPE, 0x894f}, {TABLE_COUNT, 0}};
const struct proto proto_nsh = {.name = "nsh",
                                .column = "NSH",
                                .id = FID_NSH,
                                .end = FID_NSH_END,
                                .keys = nsh_keys,
                                .read = nsh_read,
                                .carrier = true};
static const struct proto_key cmd_keys[] = {{TABLE_ETHERTYPE, 0x8909}, {TABLE_COUNT, 0}};
const struct proto proto_cmd = {.name = "cmd",
                                .column = "CMD",
                                .id = FID_CMD,
                                .end = FID_CMD_END,
                                .keys = cmd_keys,
                                .read = cmd_read,
                                .carrier = true};

/* end_read reads which end of the fabric a frame comes from or goes to. */
static void end_read(struct decode *d, struct reader *r, uint16_t id) {
    static const struct d_row rows[] = {{0, 3},
                                        {FID_CFP_EID, 0},
                                        {FID_CFP_UL, 0},
                                        {FID_CFP_IG, 0},
                                        {FID_CFP_OOODL, 0},
                                        {FID_CFP_SWID, 0},
                                        {FID_CFP_SSWID, 1},
                                        {FID_CFP_LID, 2}};
    struct slice whole = slice_of(r->p, 6);
    uint32_t at = fv_open(d->out, id, rd_off(r), 6);
    if (at != FV_UNWANTED) fv_at(d->out, at)->s = whole;
    d_rows(d, r, D_ROWS(rows));
    fv_close(d->out);
}

/* cfp_read: a group's address is that of the frame inside. */
static void cfp_read(struct decode *d, struct slice in) {
    enum { HEADER = 16, GROUP = 1 };
    static const struct d_row rows[] = {{FID_CFP_ETYPE, 2}, {0, 2}, {FID_CFP_FTAG, 0}, {FID_CFP_TTL, 0}};
    if (!d_header(d, &proto_cfp, in, HEADER)) return;
    struct reader r = d_reader(d, in);
    d_begin(d, &proto_cfp, rd_off(&r), HEADER);
    if (in.p[0] & GROUP) get_bytes(d, &r, FID_CFP_D_HMAC_MC, 6);
    else end_read(d, &r, FID_CFP_D_HMAC);
    end_read(d, &r, FID_CFP_S_HMAC);
    d_rows(d, &r, D_ROWS(rows));
    d_end(d);
    d->ops->call(d, &proto_eth, rd_rest(&r));
}

static void avsp_read(struct decode *d, struct slice in) {
    enum { TIMESTAMP = 1, LONG = 0x10, SHORT = 0x20, CLOCK = 0x100 }; /* one bit says by which clock */
    static const struct d_row head[] = {{FID_AVSP_SUB_TYPE, 2}, {FID_AVSP_VER, 2}};
    static const struct d_row wide[] = {{FID_AVSP_64SEC, 4}, {FID_AVSP_64NS, 4}};
    static const struct d_row narrow[] = {{FID_AVSP_48SEC, 2}, {FID_AVSP_48NS, 4}};
    struct reader r = d_reader(d, in);
    uint32_t off = rd_off(&r), at = d_begin(d, &proto_avsp, off, (uint32_t)in.n);
    unsigned version = in.n >= 4 ? load_be16(in.p + 2) & ~(unsigned)CLOCK : 0;
    bool known = in.n >= 4 && load_be16(in.p) == TIMESTAMP && (version == LONG || version == SHORT);
    d_rows(d, &r, D_ROWS(head));
    if (known && version == LONG) d_rows(d, &r, D_ROWS(wide));
    if (known && version == SHORT) d_rows(d, &r, D_ROWS(narrow));
    uint16_t type = known ? get_be16(d, &r, FID_AVSP_ETYPE) : 0;
    fv_set_len(d->out, at, rd_off(&r) - off);
    if (!rd_ok(&r)) d_bad(d, &r);
    else if (!known) d_anomaly(d, FID_AVSP_UNKNOWN_VERSION, off + 2, 2);
    d_end(d);
    if (known && rd_ok(&r) && !d->ops->next(d, TABLE_ETHERTYPE, type, rd_rest(&r))) d_data(d, rd_rest(&r));
}

const struct proto proto_cfp = {
    .name = "cfp", .column = "FabricPath", .id = FID_CFP, .end = FID_CFP_END, .read = cfp_read, .carrier = true};
static const struct proto_key avsp_keys[] = {{TABLE_ETHERTYPE, 0xd28b}, {TABLE_COUNT, 0}};
const struct proto proto_avsp = {.name = "avsp",
                                 .column = "AVSP",
                                 .id = FID_AVSP,
                                 .end = FID_AVSP_END,
                                 .keys = avsp_keys,
                                 .read = avsp_read,
                                 .carrier = true};
