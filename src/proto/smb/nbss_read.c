/* SPDX-License-Identifier: Apache-2.0 */
/* NetBIOS sessions and SMB directly over TCP (RFC 1002 4.3, [MS-SMB2] 2.1): packets with their length in front, and the
 * header of each SMB2 message in them ([MS-SMB2] 2.2.1). What does not begin like a packet goes on with one whose
 * beginning was missed. */
#include "proto/smb/smb.h"

#include "proto/protos.h"
#include "proto/sized.h"

enum {
    HEAD = 4,
    MESSAGE = 0x00,
    REQUEST = 0x81,
    KEEP_ALIVE = 0x85,
    SMB2_HEAD = 64,
    CHAIN_MAX = 256,
    SMB1 = 0xff,
    SMB2 = 0xfe
};

static bool is_smb(struct slice in) { return in.n >= 4 && in.p[0] >= 0xfc && memcmp(in.p + 1, "SMB", 3) == 0; }

static bool begins(struct slice in) {
    if (in.n < HEAD) return false;
    if (in.p[0] == MESSAGE) return is_smb(slice_tail(in, HEAD));
    return in.p[0] >= REQUEST && in.p[0] <= KEEP_ALIVE;
}

static size_t nbss_size(struct slice in) {
    if (in.p[0] == MESSAGE && in.n < 2 * HEAD) return 2 * HEAD; /* what it is tells the next word */
    return begins(in) ? HEAD + (size_t)load_be24(in.p + 1) : in.n;
}

static void nbss_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const char *name = fv_value_name(v, FID_NBSS_TYPE, at, end);
    wr_s(w, name ? name : "NBSS Continuation Message");
}

/* message_read reads the header of a message, which is alone or one of a chain ([MS-SMB2] 2.2.1): a request has the
 * channel's sequence number where a response has the status. */
static void message_read(struct decode *d, struct slice in) {
    enum { FLAGS = 16, RESPONSE = 0x1, ASYNC = 0x2 };
    static const struct d_row first[] = {
        {FID_SMB2_PROTOCOL_ID, 4}, {FID_SMB2_HEADER_LEN, 2, true}, {FID_SMB2_CREDIT_CHARGE, 2, true}};
    static const struct d_row request[] = {{FID_SMB2_CHANNEL_SEQUENCE, 2, true},
                                           {FID_SMB2_RESERVED, 2},
                                           {FID_SMB2_CMD, 2, true},
                                           {FID_SMB2_CREDITS_REQUESTED, 2, true}};
    static const struct d_row response[] = {
        {FID_SMB2_NT_STATUS, 4, true}, {FID_SMB2_CMD, 2, true}, {FID_SMB2_CREDITS_GRANTED, 2, true}};
    static const struct d_row middle[] = {{FID_SMB2_FLAGS, 4, true},        {FID_SMB2_FLAGS_RESPONSE, 0},
                                          {FID_SMB2_FLAGS_ASYNC, 0},        {FID_SMB2_FLAGS_CHAINED, 0},
                                          {FID_SMB2_FLAGS_SIGNATURE, 0},    {FID_SMB2_FLAGS_PRIORITY_MASK, 0},
                                          {FID_SMB2_FLAGS_DFS, 0},          {FID_SMB2_FLAGS_REPLAY, 0},
                                          {FID_SMB2_CHAIN_OFFSET, 4, true}, {FID_SMB2_MSG_ID, 8, true}};
    static const struct d_row async[] = {{FID_SMB2_AID, 8, true}};
    static const struct d_row sync[] = {{FID_SMB2_PID, 4, true}, {FID_SMB2_TID, 4, true}};
    static const struct d_row last[] = {{FID_SMB2_SESID, 8, true}, {FID_SMB2_SIGNATURE, 16}};
    struct reader r = d_reader(d, in);
    uint8_t flags = in.n > FLAGS ? in.p[FLAGS] : 0;
    d_begin(d, &proto_smb2, rd_off(&r), (uint32_t)in.n);
    fv_open(d->out, FID_SMB2_HEADER, rd_off(&r), in.n < SMB2_HEAD ? (uint32_t)in.n : SMB2_HEAD);
    d_rows(d, &r, D_ROWS(first));
    if (flags & RESPONSE) d_rows(d, &r, D_ROWS(response));
    else d_rows(d, &r, D_ROWS(request));
    d_rows(d, &r, D_ROWS(middle));
    if (flags & ASYNC) d_rows(d, &r, D_ROWS(async));
    else d_rows(d, &r, D_ROWS(sync));
    d_rows(d, &r, D_ROWS(last));
    fv_close(d->out);
    if (!rd_ok(&r)) d_bad(d, &r);
    d_end(d);
}

/* messages_read reads a message, or a chain of them. */
static void messages_read(struct decode *d, struct smb_pipes *pipes, struct slice in) {
    enum { NEXT = 20 };
    if (in.p[0] != SMB2) { /* encrypted, or compressed */
        d_layer(d, &proto_smb2, in, NULL, 0);
        return;
    }
    for (unsigned i = 0; i < CHAIN_MAX && in.n; i++) {
        size_t next = in.n >= SMB2_HEAD ? load_le32(in.p + NEXT) : 0;
        struct slice one = next && next < in.n ? slice_head(in, next) : in;
        message_read(d, one);
        smb2_pipe_read(d, pipes, one);
        if (next < SMB2_HEAD) return;
        in = slice_tail(in, next);
    }
}

static void packet_read(struct decode *d, struct smb_pipes *pipes, struct slice in) {
    static const struct d_row rows[] = {{FID_NBSS_TYPE, 1}, {FID_NBSS_LENGTH, 3}};
    struct reader r = d_reader(d, in);
    bool smb = begins(in) && in.p[0] == MESSAGE;
    d_begin(d, &proto_nbss, rd_off(&r), (uint32_t)(smb ? HEAD : in.n));
    if (begins(in)) d_rows(d, &r, D_ROWS(rows));
    d_end(d);
    if (!smb) return;
    struct slice message = rd_rest(&r);
    if (message.p[0] == SMB1) {
        d->ops->call(d, &proto_smb, message);
        smb_pipe_read(d, pipes, message);
    } else {
        messages_read(d, pipes, message);
    }
}

static void smb2_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *flags = fv_first(v, FID_SMB2_FLAGS, at, end);
    const char *name = fv_value_name(v, FID_SMB2_CMD, at, end);
    if (flags) wr_f(w, "%s %s", name ? name : "Unknown", flags->u & 1 ? "Response" : "Request");
}

/* nbss_frame: a zero alone asks whether the other end is still there; a capture may begin with it. */
static struct read_result nbss_frame(struct slice in) {
    if (in.n == 1 && !in.p[0]) return (struct read_result){.status = READ_OK, .consumed = 1};
    return sized_cut(in, HEAD, nbss_size);
}

static struct read_result nbss_read(struct decode *d, void *state, int from, struct slice in) {
    (void)from;
    struct read_result r = nbss_frame(in);
    if (r.status == READ_MORE && d->stream_end) r = (struct read_result){.status = READ_OK, .consumed = in.n};
    if (r.status == READ_OK) packet_read(d, state, slice_head(in, r.consumed));
    return r;
}

static const struct stream_ops nbss_stream = {
    .state_size = sizeof(struct smb_pipes), .read = nbss_read, .frame = nbss_frame};
#define LAYER(name_, ID_, COLUMN_)                                                                                     \
    .name = #name_, .column = (COLUMN_), .id = FID_##ID_, .end = FID_##ID_##_END, .info = name_##_info,                \
    .info_fields = name_##_fields
static const uint16_t nbss_fields[] = {FID_NBSS_TYPE, 0}, smb2_fields[] = {FID_SMB2_FLAGS, FID_SMB2_CMD, 0};
static const struct proto_key nbss_keys[] = {{TABLE_TCP, 139}, {TABLE_TCP, 445}, {TABLE_COUNT, 0}};
const struct proto proto_nbss = {LAYER(nbss, NBSS, "NBSS"), .keys = nbss_keys, .stream = &nbss_stream};
const struct proto proto_smb2 = {LAYER(smb2, SMB2, "SMB2")};
