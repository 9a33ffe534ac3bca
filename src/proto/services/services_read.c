/* SPDX-License-Identifier: Apache-2.0 */
/* VNC (RFC 6143 7) as a stream without its messages, and the heads of the messages of TACACS+ (RFC 8907 4.1) and
 * Diameter (RFC 6733 3). */
#include "proto/lines/lines.h"
#include "proto/protos.h"
#include "proto/sized.h"

#include "field/print.h"

enum { VERSION_LINE = 12 };

/* vnc_probe: both sides begin with the line of their version (7.1.1). */
static enum probe_result vnc_probe(struct slice in) {
    if (!slice_starts(in, SLICE("RFB "))) return PROBE_NO;
    return in.n >= VERSION_LINE && in.p[7] == '.' ? PROBE_CERTAIN : PROBE_UNSURE;
}

static struct read_result vnc_read(struct decode *d, void *state, int from, struct slice in) {
    (void)state;
    bool server = from_server(d, &proto_vnc, from);
    struct reader r = d_reader(d, in);
    d_begin(d, &proto_vnc, rd_off(&r), (uint32_t)in.n);
    if (vnc_probe(in) == PROBE_CERTAIN) {
        rd_skip(&r, 4);
        get_bytes(d, &r, server ? FID_VNC_SERVER_PROTO_VER : FID_VNC_CLIENT_PROTO_VER, 7);
    }
    d_end(d);
    return lines_whole(in);
}

static void vnc_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *version = fv_first(v, FID_VNC_SERVER_PROTO_VER, at, end);
    bool server = version != NULL;
    if (!version) version = fv_first(v, FID_VNC_CLIENT_PROTO_VER, at, end);
    if (!version) return;
    wr_f(w, "%s protocol version: ", server ? "Server" : "Client");
    print_string(w, version->s);
}

enum { TACPLUS_HEAD = 12, TACPLUS_MAJOR = 0xc, DIAMETER_HEAD = 20, LENGTH_MOST = 1 << 20 };

static size_t tacplus_size(struct slice in) {
    size_t body = load_be32(in.p + 8);
    return in.p[0] >> 4 == TACPLUS_MAJOR && body < LENGTH_MOST ? TACPLUS_HEAD + body : 0;
}

/* tacplus_probe: the types are three, packets are counted from 1. */
static enum probe_result tacplus_probe(struct slice in) {
    if (!in.n || in.p[0] >> 4 != TACPLUS_MAJOR) return PROBE_NO;
    if (in.n < 3) return PROBE_UNSURE;
    return in.p[1] >= 1 && in.p[1] <= 3 && in.p[2] ? PROBE_UNSURE : PROBE_NO;
}

static void tacplus_read(struct decode *d, struct slice in) {
    static const struct d_row rows[] = {{0, 1},
                                        {FID_TACPLUS_MAJVERS, 0},
                                        {FID_TACPLUS_MINVERS, 0},
                                        {FID_TACPLUS_TYPE, 1},
                                        {FID_TACPLUS_SEQNO, 1},
                                        {FID_TACPLUS_FLAGS, 1},
                                        {FID_TACPLUS_SESSION_ID, 4},
                                        {FID_TACPLUS_PACKET_LEN, 4}};
    d_layer(d, &proto_tacplus, in, D_ROWS(rows));
}

static void tacplus_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *number = fv_first(v, FID_TACPLUS_SEQNO, at, end);
    if (number) wr_s(w, number->u & 1 ? "Q: " : "R: ");
    fv_value_say(w, v, FID_TACPLUS_TYPE, at, end);
}

static size_t diameter_size(struct slice in) { return in.p[0] == 1 ? load_be24(in.p + 1) : 0; }

/* diameter_probe: lengths are of whole words, and four flags are 0. */
static enum probe_result diameter_probe(struct slice in) {
    if (!in.n || in.p[0] != 1) return PROBE_NO;
    if (in.n < 5) return PROBE_UNSURE;
    return diameter_size(in) >= DIAMETER_HEAD && diameter_size(in) % 4 == 0 && !(in.p[4] & 0x0f) ? PROBE_UNSURE
                                                                                                 : PROBE_NO;
}

static void diameter_read(struct decode *d, struct slice in) {
    static const struct d_row rows[] = {
        {FID_DIAMETER_VERSION, 1},       {FID_DIAMETER_LENGTH, 3},          {FID_DIAMETER_FLAGS, 1},
        {FID_DIAMETER_FLAGS_REQUEST, 0}, {FID_DIAMETER_FLAGS_PROXYABLE, 0}, {FID_DIAMETER_FLAGS_ERROR, 0},
        {FID_DIAMETER_FLAGS_T, 0},       {FID_DIAMETER_CMD_CODE, 3},        {FID_DIAMETER_APPLICATIONID, 4},
        {FID_DIAMETER_HOPBYHOPID, 4},    {FID_DIAMETER_ENDTOENDID, 4}};
    d_layer(d, &proto_diameter, in, D_ROWS(rows));
}

static void diameter_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    static const char letters[] = "RPET";
    const struct fval *code = fv_first(v, FID_DIAMETER_CMD_CODE, at, end),
                      *flags = fv_first(v, FID_DIAMETER_FLAGS, at, end);
    const char *name = fv_value_name(v, FID_DIAMETER_CMD_CODE, at, end);
    if (!code || !flags) return;
    wr_f(w, "cmd=%s%s(%u) flags=", name ? name : "Unknown", flags->u & 0x80 ? " Request" : " Answer",
         (unsigned)code->u);
    for (unsigned i = 0; i < 4; i++) wr_c(w, flags->u & (0x80u >> i) ? letters[i] : '-');
    const struct fval *application = fv_first(v, FID_DIAMETER_APPLICATIONID, at, end);
    if (application) {
        const char *title = field_value_name(&vals_diameter_applicationId, application->u);
        wr_f(w, " appl=%s(%u)", title ? title : "Unknown", (unsigned)application->u);
    }
    const struct fval *hop = fv_first(v, FID_DIAMETER_HOPBYHOPID, at, end),
                      *ends = fv_first(v, FID_DIAMETER_ENDTOENDID, at, end);
    if (hop && ends) wr_f(w, " h2h=%x e2e=%x | ", (unsigned)hop->u, (unsigned)ends->u);
}

SIZED_STREAM(tacplus, TACPLUS_HEAD, tacplus_probe)
SIZED_STREAM(diameter, DIAMETER_HEAD, diameter_probe)
static const struct stream_ops vnc_stream = {.read = vnc_read, .probe = vnc_probe, .resyncs = true};
#define LAYER(name_, ID_, COLUMN_)                                                                                     \
    .name = #name_, .column = (COLUMN_), .id = FID_##ID_, .end = FID_##ID_##_END, .keys = name_##_keys,                \
    .stream = &name_##_stream, .info = name_##_info, .info_fields = name_##_fields
static const uint16_t vnc_fields[] = {FID_VNC_SERVER_PROTO_VER, FID_VNC_CLIENT_PROTO_VER, 0},
                      tacplus_fields[] = {FID_TACPLUS_TYPE, FID_TACPLUS_SEQNO, 0},
                      diameter_fields[] = {FID_DIAMETER_CMD_CODE,   FID_DIAMETER_FLAGS,      FID_DIAMETER_APPLICATIONID,
                                           FID_DIAMETER_HOPBYHOPID, FID_DIAMETER_ENDTOENDID, 0};
static const struct proto_key vnc_keys[] = {{TABLE_TCP, 5500},
                                            {TABLE_TCP, 5501},
                                            {TABLE_TCP, 5900},
                                            {TABLE_TCP, 5901},
                                            {TABLE_COUNT, 0}},
                              tacplus_keys[] = {{TABLE_TCP, 49}, {TABLE_COUNT, 0}},
                              diameter_keys[] = {{TABLE_TCP, 3868}, {TABLE_TLS, 5868}, {TABLE_COUNT, 0}};
const struct proto proto_vnc = {LAYER(vnc, VNC, "VNC")};
const struct proto proto_tacplus = {LAYER(tacplus, TACPLUS, "TACACS+")};
const struct proto proto_diameter = {LAYER(diameter, DIAMETER, "DIAMETER"), .read = diameter_read, .info_plain = true};
