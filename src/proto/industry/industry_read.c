/* SPDX-License-Identifier: Apache-2.0 */
/* Modbus over TCP (Modbus Messaging on TCP/IP 3.1.3), telecontrol by IEC 60870-5-104 (5, and 7 of -101), BACnet/IP
 * (ASHRAE 135 annex J, 6.2, 20.1) and OPC UA over TCP (OPC 10000-6 7.1): their heads and what they ask or answer. */
#include "proto/lines/lines.h"
#include "proto/protos.h"
#include "proto/sized.h"

#include "field/print.h"

enum { MODBUS_HEAD = 7, LENGTH_BEFORE = 6, EXCEPTION = 0x80, UNIT_LEAST = 2, UNIT_MOST = 254 };

static size_t mbtcp_size(struct slice in) {
    return load_be16(in.p + 2) ? 0 : LENGTH_BEFORE + (size_t)load_be16(in.p + 4);
}

/* mbtcp_probe: the protocol is 0, and behind the length stand a unit, a function, which is not 0, and no more than 252
 * bytes (Modbus Application Protocol 1.1b3 4.1). */
static enum probe_result mbtcp_probe(struct slice in) {
    if (in.n >= 4 && load_be16(in.p + 2)) return PROBE_NO;
    if (in.n < LENGTH_BEFORE) return PROBE_UNSURE;
    unsigned n = load_be16(in.p + 4);
    return n < UNIT_LEAST || n > UNIT_MOST || (in.n > MODBUS_HEAD && !in.p[MODBUS_HEAD]) ? PROBE_NO : PROBE_UNSURE;
}

/* asked_least returns how many bytes a request has at least behind the code of its function (Modbus Application
 * Protocol 1.1b3 6). */
static size_t asked_least(uint8_t code) {
    static const uint8_t least[] = {[1] = 4,  [2] = 4,  [3] = 4,  [4] = 4,  [5] = 4,  [6] = 4,  [8] = 2,
                                    [15] = 5, [16] = 5, [20] = 1, [21] = 1, [22] = 6, [23] = 9, [24] = 2};
    return code < sizeof least ? least[code] : 0;
}

static void modbus_read(struct decode *d, struct slice in, bool query) {
    struct reader r = d_reader(d, in);
    d_begin(d, &proto_modbus, rd_off(&r), (uint32_t)in.n);
    uint32_t off = rd_off(&r);
    uint8_t code = rd_u8(&r);
    if (rd_ok(&r)) fv_u(d->out, FID_MODBUS_FUNC_CODE, off, 1, code & ~EXCEPTION);
    if (code & EXCEPTION) get_u8(d, &r, FID_MODBUS_EXCEPTION_CODE);
    else if (query) rd_skip(&r, asked_least(code));
    if (!rd_ok(&r)) d_bad(d, &r);
    d_end(d);
}

static struct read_result mbtcp_frame(struct slice in) { return sized_cut(in, MODBUS_HEAD, mbtcp_size); }

static struct read_result mbtcp_read(struct decode *d, void *state, int from, struct slice in) {
    static const struct d_row rows[] = {
        {FID_MBTCP_TRANS_ID, 2}, {FID_MBTCP_PROT_ID, 2}, {FID_MBTCP_LEN, 2}, {FID_MBTCP_UNIT_ID, 1}};
    (void)state;
    struct read_result r = mbtcp_frame(in);
    if (r.status != READ_OK) return r;
    struct reader at = d_reader(d, in);
    bool query = !from_server(d, &proto_mbtcp, from);
    d_begin(d, &proto_mbtcp, rd_off(&at), MODBUS_HEAD);
    d_rows(d, &at, D_ROWS(rows));
    fv_gen(fv_u(d->out, FID_MBTCP_QUERY, rd_off(&at), 0, query));
    d_end(d);
    if (r.consumed > MODBUS_HEAD) modbus_read(d, slice_tail(slice_head(in, r.consumed), MODBUS_HEAD), query);
    return r;
}

static void mbtcp_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *query = fv_first(v, FID_MBTCP_QUERY, at, end), *id = fv_first(v, FID_MBTCP_TRANS_ID, at, end);
    const struct fval *unit = fv_first(v, FID_MBTCP_UNIT_ID, at, end);
    const struct fval *code = fv_first(v, FID_MODBUS_FUNC_CODE, at, end);
    if (!query || !id || !unit) return;
    wr_f(w, "%s: Trans: %5u; Unit: %3u", query->u ? "   Query" : "Response", (unsigned)id->u, (unsigned)unit->u);
    if (!code) return;
    const char *name = field_value_name(&vals_modbus_func_code, code->u);
    wr_f(w, ", Func: %3u: ", (unsigned)code->u);
    wr_s(w, name ? name : "Unknown function");
    if (fv_first(v, FID_MODBUS_EXCEPTION_CODE, at, end)) wr_s(w, ". Exception returned ");
}

enum { IEC_START = 0x68, IEC_HEAD = 6, FORMAT_S = 1, FORMAT_U = 3 };

static size_t iec60870_104_size(struct slice in) { return in.p[0] == IEC_START ? 2u + in.p[1] : 0; }

/* iec60870_104_probe: text may begin with the byte of the start as well; the control field has bits that are 0, and
 * only the format I has something behind it (5.1). */
static enum probe_result iec60870_104_probe(struct slice in) {
    if (!in.n || in.p[0] != IEC_START) return PROBE_NO;
    if (in.n < IEC_HEAD) return PROBE_UNSURE;
    const uint8_t *control = in.p + 2;
    bool bare = control[0] & 1, more = in.p[1] > IEC_HEAD - 2;
    if (bare == more || in.p[1] < IEC_HEAD - 2 || control[2] & 1 || (bare && control[1])) return PROBE_NO;
    return (control[0] & FORMAT_U) == FORMAT_U && (control[2] || control[3]) ? PROBE_NO : PROBE_UNSURE;
}

static void iec60870_asdu_read(struct decode *d, struct slice in) {
    static const struct d_row rows[] = {{FID_IEC60870_ASDU_TYPEID, 1},
                                        {0, 1},
                                        {FID_IEC60870_ASDU_SQ, 0},
                                        {FID_IEC60870_ASDU_NUMIX, 0},
                                        {0, 1},
                                        {FID_IEC60870_ASDU_CAUSETX, 0},
                                        {FID_IEC60870_ASDU_NEGA, 0},
                                        {FID_IEC60870_ASDU_TEST, 0},
                                        {FID_IEC60870_ASDU_OA, 1},
                                        {FID_IEC60870_ASDU_ADDR, 2, true},
                                        {FID_IEC60870_ASDU_IOA, 3, true}};
    d_layer(d, &proto_iec60870_asdu, in, D_ROWS(rows));
}

static void iec60870_104_side_read(struct decode *d, int from, struct slice in) {
    static const struct d_row head[] = {{0, 1}, {FID_IEC60870_104_APDULEN, 1}};
    struct reader r = d_reader(d, in);
    d_begin(d, &proto_iec60870_104, rd_off(&r), (uint32_t)(in.n < IEC_HEAD ? in.n : IEC_HEAD));
    d_rows(d, &r, D_ROWS(head));
    uint32_t off = rd_off(&r);
    uint32_t control = rd_le32(&r);
    unsigned format = control & FORMAT_U;
    fv_gen(fv_u(d->out, FID_IEC60870_104_ANSWER, off, 0, from_server(d, &proto_iec60870_104, from)));
    if (rd_ok(&r)) fv_u(d->out, FID_IEC60870_104_TYPE, off, 1, format & 1 ? format : 0);
    if (rd_ok(&r) && format == FORMAT_U) fv_u(d->out, FID_IEC60870_104_UTYPE, off, 1, (control & 0xfc) >> 2);
    if (rd_ok(&r) && !(format & 1)) fv_u(d->out, FID_IEC60870_104_TX, off, 2, (control & 0xfffe) >> 1);
    if (rd_ok(&r) && format != FORMAT_U) fv_u(d->out, FID_IEC60870_104_RX, off + 2, 2, control >> 17);
    if (!rd_ok(&r)) d_bad(d, &r);
    d_end(d);
    if (rd_ok(&r) && !(format & 1) && rd_left(&r)) d->ops->call(d, &proto_iec60870_asdu, rd_rest(&r));
}

static void iec60870_104_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *type = fv_first(v, FID_IEC60870_104_TYPE, at, end);
    const struct fval *tx = fv_first(v, FID_IEC60870_104_TX, at, end), *rx = fv_first(v, FID_IEC60870_104_RX, at, end);
    const struct fval *answer = fv_first(v, FID_IEC60870_104_ANSWER, at, end);
    if (!type || !answer) return;
    wr_s(w, answer->u ? "-> " : "<- ");
    wr_s(w, type->u == FORMAT_U ? "U " : type->u == FORMAT_S ? "S " : "I ");
    if (tx && rx) wr_f(w, "(%u,%u) ", (unsigned)tx->u, (unsigned)rx->u);
    else if (rx) wr_f(w, "(%u) ", (unsigned)rx->u);
}

static void iec60870_asdu_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *addr = fv_first(v, FID_IEC60870_ASDU_ADDR, at, end),
                      *ioa = fv_first(v, FID_IEC60870_ASDU_IOA, at, end);
    if (!addr || !ioa) return;
    wr_f(w, "ASDU=%u ", (unsigned)addr->u);
    fv_value_say(w, v, FID_IEC60870_ASDU_TYPEID, at, end);
    wr_c(w, ' ');
    const struct fval *cause = fv_first(v, FID_IEC60870_ASDU_CAUSETX, at, end);
    const char *name = fv_value_name(v, FID_IEC60870_ASDU_CAUSETX, at, end);
    if (name) wr_s(w, name);
    else if (cause) wr_f(w, "<CauseTx=%u>", (unsigned)cause->u);
    wr_f(w, " IOA=%u", (unsigned)ioa->u);
}

enum { BVLC_TYPE = 0x81, BVLC_HEAD = 4, FORWARDED = 4, UNICAST = 10, BROADCAST = 11, DISTRIBUTE = 9, FORWARDER = 6 };
enum { NET_MESSAGE = 0x80, NET_DESTINATION = 0x20, NET_SOURCE = 0x08, APDU_CONFIRMED = 0, APDU_UNCONFIRMED = 1 };

static void bvlc_read(struct decode *d, struct slice in) {
    static const struct d_row rows[] = {{FID_BVLC_TYPE, 1}, {FID_BVLC_FUNCTION, 1}, {FID_BVLC_LENGTH, 2}};
    if (in.n < BVLC_HEAD || in.p[0] != BVLC_TYPE) {
        d_data(d, in);
        return;
    }
    struct reader r = d_reader(d, in);
    uint8_t function = in.p[1];
    bool carries = function == FORWARDED || function == UNICAST || function == BROADCAST || function == DISTRIBUTE;
    uint32_t head = BVLC_HEAD + (function == FORWARDED ? FORWARDER : 0);
    d_begin(d, &proto_bvlc, rd_off(&r), carries ? head : (uint32_t)in.n);
    d_rows(d, &r, D_ROWS(rows));
    rd_skip(&r, head - BVLC_HEAD);
    if (!rd_ok(&r)) d_bad(d, &r);
    d_end(d);
    if (carries && rd_ok(&r) && rd_left(&r)) d->ops->call(d, &proto_bacnet, rd_rest(&r));
}

/* bacnet_read: the addresses of networks behind routers are passed over. */
static void bacnet_read(struct decode *d, struct slice in) {
    static const struct d_row rows[] = {{FID_BACNET_VERSION, 1}, {FID_BACNET_CONTROL, 1}};
    struct reader r = d_reader(d, in);
    uint32_t off = rd_off(&r), at = d_begin(d, &proto_bacnet, off, (uint32_t)in.n);
    int control = rd_peek(&r, 1);
    d_rows(d, &r, D_ROWS(rows));
    for (int bit = NET_DESTINATION; rd_ok(&r) && bit >= NET_SOURCE; bit >>= 2) {
        if (!(control & bit)) continue;
        rd_skip(&r, 2);
        uint8_t n = rd_u8(&r);
        rd_skip(&r, n);
    }
    if (control & NET_DESTINATION) rd_skip(&r, 1);
    if (rd_ok(&r) && control & NET_MESSAGE) get_u8(d, &r, FID_BACNET_MESGTYP);
    else fv_set_len(d->out, at, rd_off(&r) - off);
    if (!rd_ok(&r)) d_bad(d, &r);
    d_end(d);
    if (rd_ok(&r) && !(control & NET_MESSAGE)) d->ops->call(d, &proto_bacapp, rd_rest(&r));
}

static void bacapp_read(struct decode *d, struct slice in) {
    enum { SEGMENTED = 0x08, COMPLEX_ACK = 3, ERROR = 5 };
    if (!d_header(d, &proto_bacapp, in, 1)) return;
    struct reader r = d_reader(d, in);
    d_begin(d, &proto_bacapp, rd_off(&r), (uint32_t)in.n);
    uint32_t off = rd_off(&r);
    uint8_t first = rd_u8(&r);
    unsigned type = first >> 4;
    if (rd_ok(&r)) fv_u(d->out, FID_BACAPP_TYPE, off, 1, type);
    if (type == APDU_CONFIRMED) rd_skip(&r, 1);
    if (type == APDU_UNCONFIRMED) get_u8(d, &r, FID_BACAPP_UNCONFIRMED_SERVICE);
    else get_u8(d, &r, FID_BACAPP_INVOKE_ID);
    if ((type == APDU_CONFIRMED || type == COMPLEX_ACK) && first & SEGMENTED) rd_skip(&r, 2);
    if (type == APDU_CONFIRMED || (type > APDU_UNCONFIRMED && type <= ERROR && type != 4))
        get_u8(d, &r, FID_BACAPP_CONFIRMED_SERVICE);
    if (!rd_ok(&r)) d_bad(d, &r);
    d_end(d);
}

static void bvlc_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    wr_s(w, "BVLC Function ");
    fv_value_say(w, v, FID_BVLC_FUNCTION, at, end);
}

static void bacnet_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    fv_value_say(w, v, FID_BACNET_MESGTYP, at, end);
}

static void bacapp_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *id = fv_first(v, FID_BACAPP_INVOKE_ID, at, end);
    fv_value_say(w, v, FID_BACAPP_TYPE, at, end);
    wr_s(w, "   ");
    fv_value_say(w, v, FID_BACAPP_CONFIRMED_SERVICE, at, end);
    fv_value_say(w, v, FID_BACAPP_UNCONFIRMED_SERVICE, at, end);
    if (id) wr_f(w, "[%3u] ", (unsigned)id->u);
}

enum { OPCUA_HEAD = 8, OPCUA_CHUNK = 3 };

static size_t opcua_size(struct slice in) { return load_le32(in.p + 4); }

static const char *opcua_words(struct slice in) {
    static const struct {
        char type[4];
        const char *words;
    } all[] = {{"HEL", "Hello message"},
               {"ACK", "Acknowledge message"},
               {"ERR", "Error message"},
               {"RHE", "Reverse Hello message"},
               {"MSG", "UA Secure Conversation Message"},
               {"OPN", "OpenSecureChannel message"},
               {"CLO", "CloseSecureChannel message"}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (slice_starts(in, slice_str(all[i].type))) return all[i].words;
    return NULL;
}

static enum probe_result opcua_probe(struct slice in) {
    return in.n >= OPCUA_CHUNK && opcua_words(in) ? PROBE_UNSURE : PROBE_NO;
}

/* opcua_read: OPC 10000-6 7.1.2.2; what stands behind the head is not taken apart. */
static void opcua_read(struct decode *d, struct slice in) {
    static const struct d_row rows[] = {{FID_OPCUA_TYPE, OPCUA_CHUNK}, {FID_OPCUA_CHUNK, 1}, {FID_OPCUA_SIZE, 4, true}};
    d_layer(d, &proto_opcua, in, D_ROWS(rows));
}

static void opcua_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *type = fv_first(v, FID_OPCUA_TYPE, at, end);
    const char *words = type ? opcua_words(type->s) : NULL;
    if (words) wr_s(w, words);
}

SIZED_STREAM(opcua, OPCUA_HEAD, opcua_probe)
SIDED_STREAM(iec60870_104, 2, iec60870_104_probe)
#define LAYER(name_, ID_, COLUMN_)                                                                                     \
    .name = #name_, .column = (COLUMN_), .id = FID_##ID_, .end = FID_##ID_##_END, .info = name_##_info,                \
    .info_fields = name_##_fields
static const struct stream_ops mbtcp_stream = {.read = mbtcp_read, .frame = mbtcp_frame, .probe = mbtcp_probe};
static const uint16_t mbtcp_fields[] = {FID_MBTCP_QUERY,      FID_MBTCP_TRANS_ID,        FID_MBTCP_UNIT_ID,
                                        FID_MODBUS_FUNC_CODE, FID_MODBUS_EXCEPTION_CODE, 0},
                      iec60870_104_fields[] = {FID_IEC60870_104_ANSWER, FID_IEC60870_104_TYPE, FID_IEC60870_104_TX,
                                               FID_IEC60870_104_RX, 0},
                      iec60870_asdu_fields[] = {FID_IEC60870_ASDU_ADDR, FID_IEC60870_ASDU_TYPEID,
                                                FID_IEC60870_ASDU_CAUSETX, FID_IEC60870_ASDU_IOA, 0},
                      opcua_fields[] = {FID_OPCUA_TYPE, 0}, bvlc_fields[] = {FID_BVLC_FUNCTION, 0},
                      bacnet_fields[] = {FID_BACNET_MESGTYP, 0},
                      bacapp_fields[] = {FID_BACAPP_TYPE, FID_BACAPP_INVOKE_ID, FID_BACAPP_CONFIRMED_SERVICE,
                                         FID_BACAPP_UNCONFIRMED_SERVICE, 0};
static const struct proto_key mbtcp_keys[] = {{TABLE_TCP, 502}, {TABLE_TLS, 802}, {TABLE_COUNT, 0}},
                              iec60870_104_keys[] = {{TABLE_TCP, 2404}, {TABLE_COUNT, 0}},
                              opcua_keys[] = {{TABLE_TCP, 4840}, {TABLE_COUNT, 0}},
                              bvlc_keys[] = {{TABLE_UDP, 47808}, {TABLE_COUNT, 0}},
                              bacnet_keys[] = {{TABLE_LLC, 0x82}, {TABLE_COUNT, 0}};
const struct proto proto_mbtcp = {LAYER(mbtcp, MBTCP, "Modbus/TCP"), .keys = mbtcp_keys, .stream = &mbtcp_stream};
const struct proto proto_modbus = {.name = "modbus", .id = FID_MODBUS, .end = FID_MODBUS_END, .inner = true};
const struct proto proto_iec60870_104 = {LAYER(iec60870_104, IEC60870_104, "IEC 60870-5-104"),
                                         .keys = iec60870_104_keys, .stream = &iec60870_104_stream, .info_plain = true};
const struct proto proto_iec60870_asdu = {LAYER(iec60870_asdu, IEC60870_ASDU, "IEC 60870-5 ASDU"),
                                          .read = iec60870_asdu_read, .info_plain = true};
const struct proto proto_bvlc = {LAYER(bvlc, BVLC, "BVLC"), .keys = bvlc_keys, .read = bvlc_read};
const struct proto proto_bacnet = {LAYER(bacnet, BACNET, "BACnet-NPDU"), .keys = bacnet_keys, .read = bacnet_read};
const struct proto proto_bacapp = {LAYER(bacapp, BACAPP, "BACnet-APDU"), .read = bacapp_read};
const struct proto proto_opcua = {LAYER(opcua, OPCUA, "OpcUa"), .keys = opcua_keys, .stream = &opcua_stream};
