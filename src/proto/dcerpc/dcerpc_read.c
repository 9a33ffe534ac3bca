/* SPDX-License-Identifier: Apache-2.0 */
/* Remote procedure calls over connections (DCE 1.1 RPC 12.6.3, 12.6.4): the head of each packet, and which service is
 * called. Services are named, what they are told is not taken apart.
 *
 * Theory of operation: a packet that binds says which interface a context stands for; calls name the context, and
 * answers are found by the number of the call. Both are kept in dcerpc_state, DCERPC_KEPT of each. */
#include "proto/dcerpc/dcerpc.h"

#include "proto/protos.h"
#include "proto/sized.h"

enum {
    VERSION = 5,
    TYPE_MAX = 20,
    LITTLE = 0x10,
    HEAD = 16,
    CALL_HEAD = 24,
    UUID = 16,
    SYNTAX = 20,
    LAST_FRAGMENT = 2
};
enum { REQUEST = 0, RESPONSE = 2, BIND = 11, ALTER_CONTEXT = 14 };

#define SERVICE(name_, ...)                                                                                            \
    {                                                                                                                  \
        &proto_##name_, { __VA_ARGS__ }                                                                                \
    }
static const struct {
    const struct proto *proto;
    uint8_t interface[UUID]; /* as little-endian hosts send it */
} services[] = {
    SERVICE(epm, 0x08, 0x83, 0xaf, 0xe1, 0x1f, 0x5d, 0xc9, 0x11, 0x91, 0xa4, 0x08, 0x00, 0x2b, 0x14, 0xa0, 0xfa),
    SERVICE(rpc_netlogon, 0x78, 0x56, 0x34, 0x12, 0x34, 0x12, 0xcd, 0xab, 0xef, 0x00, 0x01, 0x23, 0x45, 0x67, 0xcf,
            0xfb),
    SERVICE(lsarpc, 0x78, 0x57, 0x34, 0x12, 0x34, 0x12, 0xcd, 0xab, 0xef, 0x00, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab),
    SERVICE(samr, 0x78, 0x57, 0x34, 0x12, 0x34, 0x12, 0xcd, 0xab, 0xef, 0x00, 0x01, 0x23, 0x45, 0x67, 0x89, 0xac),
    SERVICE(srvsvc, 0xc8, 0x4f, 0x32, 0x4b, 0x70, 0x16, 0xd3, 0x01, 0x12, 0x78, 0x5a, 0x47, 0xbf, 0x6e, 0xe1, 0x88),
    SERVICE(svcctl, 0x81, 0xbb, 0x7a, 0x36, 0x44, 0x98, 0xf1, 0x35, 0xad, 0x32, 0x98, 0xf0, 0x38, 0x00, 0x10, 0x03),
    SERVICE(wkssvc, 0x98, 0xd0, 0xff, 0x6b, 0x12, 0xa1, 0x10, 0x36, 0x98, 0x33, 0x46, 0xc3, 0xf8, 0x7e, 0x34, 0x5a),
    SERVICE(drsuapi, 0x35, 0x42, 0x51, 0xe3, 0x06, 0x4b, 0xd1, 0x11, 0xab, 0x04, 0x00, 0xc0, 0x4f, 0xc2, 0xdc, 0xd2),
    SERVICE(spoolss, 0x78, 0x56, 0x34, 0x12, 0x34, 0x12, 0xcd, 0xab, 0xef, 0x00, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab),
    SERVICE(dssetup, 0x6a, 0x28, 0x19, 0x39, 0x0c, 0xb1, 0xd0, 0x11, 0x9b, 0xa8, 0x00, 0xc0, 0x4f, 0xd9, 0x2e, 0xf5),
    SERVICE(nspi, 0x18, 0x5a, 0xcc, 0xf5, 0x64, 0x42, 0x1a, 0x10, 0x8c, 0x59, 0x08, 0x00, 0x2b, 0x2f, 0x84, 0x26),
    SERVICE(mapi, 0x00, 0xdb, 0xf1, 0xa4, 0x47, 0xca, 0x67, 0x10, 0xb3, 0x1f, 0x00, 0xdd, 0x01, 0x06, 0x62, 0xda),
};

bool dcerpc_begins(struct slice in) {
    if (in.n < HEAD || in.p[0] != VERSION || in.p[1] > 1 || in.p[2] > TYPE_MAX) return false;
    return (in.p[4] == LITTLE || in.p[4] == 0) && !in.p[5] && !in.p[6] && !in.p[7];
}

static bool is_little(struct slice in) { return in.p[4] == LITTLE; }
static uint16_t load_16(struct slice in, size_t at) {
    return is_little(in) ? load_le16(in.p + at) : load_be16(in.p + at);
}
static uint32_t call_of(struct slice in) { return is_little(in) ? load_le32(in.p + 12) : load_be32(in.p + 12); }

static size_t dcerpc_size(struct slice in) {
    enum { LENGTH = 8 };
    return dcerpc_begins(in) ? load_16(in, LENGTH) : 0;
}

static uint8_t service_of(const uint8_t *interface) {
    for (uint8_t i = 0; i < sizeof services / sizeof *services; i++)
        if (memcmp(services[i].interface, interface, UUID) == 0) return i + 1;
    return 0;
}

const struct proto *dcerpc_service(const uint8_t *interface) {
    uint8_t service = service_of(interface);
    return service ? services[service - 1].proto : NULL;
}

/* bind_note keeps the contexts that a packet binds: 12.6.4.3. */
static void bind_note(struct dcerpc_state *st, uint64_t pipe, struct slice in) {
    enum { LIST = 24, ITEM = 4 };
    if (in.n < LIST + ITEM) return;
    struct reader r = rd_init(slice_tail(in, LIST), in.p);
    size_t items = rd_u8(&r);
    rd_skip(&r, 3);
    for (size_t i = 0; i < items; i++) {
        struct slice item = rd_take(&r, ITEM + SYNTAX);
        if (!rd_ok(&r)) return;
        uint8_t at = st->bounds++ % DCERPC_KEPT;
        st->bound[at].pipe = pipe;
        st->bound[at].context = is_little(in) ? load_le16(item.p) : load_be16(item.p);
        st->bound[at].service = service_of(item.p + ITEM);
        rd_skip(&r, item.p[2] * (size_t)SYNTAX);
    }
}

/* asked_service returns which service a request is for, and keeps it for the answer. */
static uint8_t asked_service(struct dcerpc_state *st, uint64_t pipe, struct slice in) {
    enum { CONTEXT = 20 };
    uint8_t service = 0;
    for (unsigned i = 1; i <= DCERPC_KEPT && !service; i++) { /* the newest first */
        unsigned at = (st->bounds - i) % DCERPC_KEPT;
        if (st->bound[at].pipe == pipe && st->bound[at].context == load_16(in, CONTEXT))
            service = st->bound[at].service;
    }
    uint8_t at = st->asks++ % DCERPC_KEPT;
    st->asked[at].call = call_of(in);
    st->asked[at].service = service;
    return service;
}

static uint8_t answered_service(const struct dcerpc_state *st, struct slice in) {
    for (unsigned i = 1; i <= DCERPC_KEPT; i++) {
        unsigned at = (st->asks - i) % DCERPC_KEPT;
        if (st->asked[at].call == call_of(in)) return st->asked[at].service;
    }
    return 0;
}

static void head_read(struct decode *d, struct slice in) {
    struct d_row rows[] = {{FID_DCERPC_VER, 1},         {FID_DCERPC_VER_MINOR, 1},  {FID_DCERPC_PKT_TYPE, 1},
                           {FID_DCERPC_CN_FLAGS, 1},    {FID_DCERPC_DREP, 4},       {FID_DCERPC_CN_FRAG_LEN, 2},
                           {FID_DCERPC_CN_AUTH_LEN, 2}, {FID_DCERPC_CN_CALL_ID, 4}, {0, 4},
                           {FID_DCERPC_CN_CTX_ID, 2},   {FID_DCERPC_OPNUM, 2}};
    enum { IN_HEAD = 8, IN_ANSWER = 10, IN_REQUEST = 11 };
    for (size_t i = 0; i < IN_REQUEST; i++) rows[i].little = is_little(in);
    size_t n = in.n < CALL_HEAD || in.p[2] > RESPONSE ? IN_HEAD : in.p[2] == REQUEST ? IN_REQUEST : IN_ANSWER;
    d_layer(d, &proto_dcerpc, in, rows, n);
}

void dcerpc_show(struct decode *d, struct dcerpc_state *st, uint64_t pipe, struct slice in) {
    uint8_t type = in.p[2], service = 0;
    head_read(d, in);
    if (type == BIND || type == ALTER_CONTEXT) bind_note(st, pipe, in);
    if (in.n < CALL_HEAD || !(in.p[3] & LAST_FRAGMENT)) return;
    if (type == REQUEST) service = asked_service(st, pipe, in);
    else if (type == RESPONSE) service = answered_service(st, in);
    if (service) d_layer(d, services[service - 1].proto, slice_tail(in, CALL_HEAD), NULL, 0);
}

static struct read_result stream_frame(struct slice in) { return sized_cut(in, HEAD, dcerpc_size); }

static struct read_result stream_read(struct decode *d, void *state, int from, struct slice in) {
    (void)from;
    struct read_result r = stream_frame(in);
    if (r.status == READ_OK) dcerpc_show(d, state, 0, slice_head(in, r.consumed));
    return r;
}

static enum probe_result probe(struct slice in) { return dcerpc_begins(in) ? PROBE_CERTAIN : PROBE_NO; }

static void dcerpc_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *call = fv_first(v, FID_DCERPC_CN_CALL_ID, at, end),
                      *turn = fv_first(v, FID_DCERPC_DG_SEQNUM, at, end);
    const char *name = fv_value_name(v, FID_DCERPC_PKT_TYPE, at, end);
    if (turn) wr_f(w, "%s: seq: %u", name ? name : "Unknown", (unsigned)turn->u);
    if (call) wr_f(w, "%s: call_id: %u", name ? name : "Unknown", (unsigned)call->u);
}

static const uint16_t info_fields[] = {FID_DCERPC_CN_CALL_ID, FID_DCERPC_DG_SEQNUM, FID_DCERPC_PKT_TYPE, 0};
static const struct stream_ops stream = {
    .state_size = sizeof(struct dcerpc_state), .read = stream_read, .frame = stream_frame, .probe = probe};
const struct proto proto_dcerpc = {.name = "dcerpc",
                                   .column = "DCERPC",
                                   .id = FID_DCERPC,
                                   .end = FID_DCERPC_END,
                                   .stream = &stream,
                                   .read = dcerpc_datagram_read,
                                   .recognises = dcerpc_is_datagram,
                                   .info = dcerpc_info,
                                   .info_fields = info_fields};
#define NAMED(name_, ID_, COLUMN_)                                                                                     \
    const struct proto proto_##name_ = {.name = #name_,                                                                \
                                        .column = (COLUMN_),                                                           \
                                        .id = FID_##ID_,                                                               \
                                        .end = FID_##ID_##_END,                                                        \
                                        .inner = true,                                                                 \
                                        .unlisted = true};
NAMED(epm, EPM, "EPM")
NAMED(rpc_netlogon, RPC_NETLOGON, "RPC_NETLOGON")
NAMED(lsarpc, LSARPC, "LSARPC")
NAMED(samr, SAMR, "SAMR")
NAMED(srvsvc, SRVSVC, "SRVSVC")
NAMED(svcctl, SVCCTL, "SVCCTL")
NAMED(wkssvc, WKSSVC, "WKSSVC")
NAMED(drsuapi, DRSUAPI, "DRSUAPI")
NAMED(spoolss, SPOOLSS, "SPOOLSS")
NAMED(dssetup, DSSETUP, "DSSETUP")
NAMED(nspi, NSPI, "NSPI")
NAMED(mapi, MAPI, "MAPI")
