/* SPDX-License-Identifier: Apache-2.0 */
/* SMB messages: the header ([MS-CIFS] 2.2.3.1) and, of the commands, the transaction request that writes to a mailslot
 * (2.2.4.33). */
#include "proto/smb/smb.h"

#include "proto/protos.h"

enum { HEADER = 32, TRANSACTION = 0x25, NT_STATUS = 0x4000, UNICODE = 0x8000, WORDS_LEAST = 14, NAME_MAX = 256 };

static void header_read(struct decode *d, struct reader *r, uint16_t flags2) {
    static const struct d_row first[] = {{FID_SMB_SERVER_COMPONENT, 4, true}, {FID_SMB_CMD, 1}};
    static const struct d_row dos[] = {{FID_SMB_ERROR_CLASS, 1}, {FID_SMB_RESERVED, 1}, {FID_SMB_ERROR_CODE, 2, true}};
    static const struct d_row nt[] = {{FID_SMB_NT_STATUS, 4, true}};
    static const struct d_row rest[] = {{FID_SMB_FLAGS, 1},
                                        {FID_SMB_FLAGS_RESPONSE, 0},
                                        {FID_SMB_FLAGS_NOTIFY, 0},
                                        {FID_SMB_FLAGS_OPLOCK, 0},
                                        {FID_SMB_FLAGS_CANON, 0},
                                        {FID_SMB_FLAGS_CASELESS, 0},
                                        {FID_SMB_FLAGS_RECEIVE_BUFFER, 0},
                                        {FID_SMB_FLAGS_LOCK, 0},
                                        {FID_SMB_FLAGS2, 2, true},
                                        {FID_SMB_FLAGS2_STRING, 0},
                                        {FID_SMB_FLAGS2_NT_ERROR, 0},
                                        {FID_SMB_FLAGS2_ROE, 0},
                                        {FID_SMB_FLAGS2_DFS, 0},
                                        {FID_SMB_FLAGS2_ESN, 0},
                                        {FID_SMB_FLAGS2_REPARSE_PATH, 0},
                                        {FID_SMB_FLAGS2_LONG_NAMES_USED, 0},
                                        {FID_SMB_FLAGS2_SEC_SIG_REQUIRED, 0},
                                        {FID_SMB_FLAGS2_COMPRESSED, 0},
                                        {FID_SMB_FLAGS2_SEC_SIG, 0},
                                        {FID_SMB_FLAGS2_EA, 0},
                                        {FID_SMB_FLAGS2_LONG_NAMES_ALLOWED, 0},
                                        {FID_SMB_PID_HIGH, 2, true},
                                        {FID_SMB_SIGNATURE, 8},
                                        {FID_SMB_RESERVED, 2},
                                        {FID_SMB_TID, 2, true},
                                        {FID_SMB_PID, 2, true},
                                        {FID_SMB_UID, 2, true},
                                        {FID_SMB_MID, 2, true}};
    fv_open(d->out, FID_SMB_HEADER, rd_off(r), HEADER);
    d_rows(d, r, D_ROWS(first));
    if (flags2 & NT_STATUS) d_rows(d, r, D_ROWS(nt));
    else d_rows(d, r, D_ROWS(dos));
    d_rows(d, r, D_ROWS(rest));
    fv_close(d->out);
}

/* transaction_read reads the request and hands what goes to a mailslot on; offsets count from the header's start. */
static void transaction_read(struct decode *d, struct reader *r, struct slice in) {
    static const struct d_row words[] = {{FID_SMB_WCT, 1},
                                         {FID_SMB_TPC, 2, true},
                                         {FID_SMB_TDC, 2, true},
                                         {FID_SMB_MPC, 2, true},
                                         {FID_SMB_MDC, 2, true},
                                         {FID_SMB_MSC, 1},
                                         {FID_SMB_RESERVED, 1},
                                         {FID_SMB_TRANSACTION_FLAGS, 2, true},
                                         {FID_SMB_TRANSACTION_FLAGS_OWT, 0},
                                         {FID_SMB_TRANSACTION_FLAGS_DTID, 0},
                                         {FID_SMB_TIMEOUT, 4, true},
                                         {FID_SMB_RESERVED, 2},
                                         {FID_SMB_PC, 2, true},
                                         {FID_SMB_PO, 2, true}};
    uint32_t off = rd_off(r), at = fv_open(d->out, FID_SMB_TRANS, off, 0);
    struct slice name = {0}, setup = {0}, data = {0};
    d_rows(d, r, D_ROWS(words));
    uint32_t data_off = rd_off(r);
    uint16_t count = rd_le16(r), begin = rd_le16(r);
    uint8_t setups = rd_u8(r);
    if (rd_ok(r)) {
        fv_u(d->out, FID_SMB_DC, data_off, 2, count);
        fv_u(d->out, FID_SMB_DATA_OFFSET, data_off + 2, 2, begin);
        fv_u(d->out, FID_SMB_SC, data_off + 4, 1, setups);
        get_bytes(d, r, FID_SMB_RESERVED, 1);
        setup = rd_take(r, setups * 2u);
        static const struct d_row bytes[] = {{FID_SMB_BCC, 2, true}};
        d_rows(d, r, D_ROWS(bytes));
        const uint8_t *end = rd_left(r) ? memchr(r->p, 0, rd_left(r) < NAME_MAX ? rd_left(r) : NAME_MAX) : NULL;
        uint32_t name_off = rd_off(r);
        if (end) name = rd_take(r, (size_t)(end - r->p) + 1);
        if (end) fv_s(d->out, FID_SMB_TRANS_NAME, name_off, (uint32_t)name.n, slice_head(name, name.n - 1));
        data = slice_head(slice_tail(in, begin), count);
    }
    fv_set_len(d->out, at, rd_off(r) - off);
    fv_close(d->out);
    if (!rd_ok(r)) d_bad(d, r);
    d_end(d);
    if (rd_ok(r) && slice_starts(name, SLICE("\\MAILSLOT\\"))) mailslot_read(d, setup, name, data);
}

static void smb_read(struct decode *d, struct slice in) {
    struct reader r = d_reader(d, in);
    d_begin(d, &proto_smb, rd_off(&r), (uint32_t)in.n);
    uint16_t flags2 = in.n >= HEADER ? load_le16(in.p + 10) : 0;
    header_read(d, &r, flags2);
    if (!rd_ok(&r)) d_bad(d, &r);
    bool request = rd_ok(&r) && !(in.p[9] & 0x80);
    if (request && in.p[4] == TRANSACTION && !(flags2 & UNICODE) && rd_peek(&r, 0) >= WORDS_LEAST)
        transaction_read(d, &r, in);
    else d_end(d);
}

static void smb_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *command = fv_first(v, FID_SMB_CMD, at, end),
                      *response = fv_first(v, FID_SMB_FLAGS_RESPONSE, at, end);
    if (!command || !response) return;
    const char *name = field_value_name(&vals_smb_cmd, command->u);
    wr_f(w, "%s %s", name ? name : "Unknown", response->u ? "Response" : "Request");
}

static bool smb_label(struct writer *w, const struct fvec *v, uint32_t at) {
    if (v->v[at].id != FID_SMB_SERVER_COMPONENT) return false;
    wr_s(w, "Server Component: SMB");
    return true;
}

static const uint16_t info_fields[] = {FID_SMB_CMD, FID_SMB_FLAGS_RESPONSE, 0};
const struct proto proto_smb = {.name = "smb",
                                .column = "SMB",
                                .id = FID_SMB,
                                .end = FID_SMB_END,
                                .read = smb_read,
                                .info = smb_info,
                                .info_fields = info_fields,
                                .label = smb_label};
