/* SPDX-License-Identifier: Apache-2.0 */
/* What goes through named pipes: of SMB transactions on pipes ([MS-CIFS] 2.2.5) and on \PIPE\LANMAN ([MS-RAP] 2.5), and
 * of what SMB2 reads, writes and exchanges ([MS-SMB2] 2.2.20, 2.2.21, 2.2.31).
 *
 * Theory of operation: an answer does not say which pipe it is from, so the transactions on pipes are kept by the
 * number of their message. Whether a file of SMB2 is a pipe is known by the calls in it; what is no call is data. */
#include "proto/smb/smb.h"

#include "proto/protos.h"

enum { HEADER = 32, COMMAND = 4, FLAGS = 9, FLAGS2_HIGH = 11, MESSAGE_ID = 30, TRANSACTION = 0x25, RESPONSE = 0x80 };
enum { LANMAN = 1 /* stands for a function of pipes */, EXCHANGE = 0x26 };

static struct slice part(struct slice in, size_t off, size_t n) { return slice_head(slice_tail(in, off), n); }

/* name_is compares the name of a transaction, which is in ASCII or in UTF-16. */
static bool name_is(struct slice name, bool wide, const char *text) {
    size_t step = wide ? 2 : 1, n = strlen(text);
    if (name.n < n * step) return false;
    for (size_t i = 0; i < n; i++)
        if (name.p[i * step] != (uint8_t)text[i]) return false;
    return true;
}

/* request_function tells what a transaction asks of a pipe, 0: it is of none. */
static uint16_t request_function(struct slice in) {
    enum { SETUP_COUNT = 59, SETUP = 61, BYTE_COUNT = 2 };
    if (in.n <= SETUP + 4) return 0;
    bool wide = in.p[FLAGS2_HIGH] & 0x80;
    size_t at = SETUP + in.p[SETUP_COUNT] * 2u + BYTE_COUNT;
    if (wide) at += at & 1;
    struct slice name = slice_tail(in, at);
    if (name_is(name, wide, "\\PIPE\\LANMAN")) return LANMAN;
    return in.p[SETUP_COUNT] == 2 && name_is(name, wide, "\\PIPE\\") ? load_le16(in.p + SETUP) : 0;
}

static void function_keep(struct smb_pipes *pipes, struct slice in, uint16_t function) {
    uint8_t at = pipes->asks++ % SMB_ASKED;
    pipes->asked[at].id = load_le16(in.p + MESSAGE_ID);
    pipes->asked[at].function = function;
}

static uint16_t answer_function(const struct smb_pipes *pipes, struct slice in) {
    for (unsigned i = 1; i <= SMB_ASKED; i++) { /* the newest first */
        unsigned at = (pipes->asks - i) % SMB_ASKED;
        if (pipes->asked[at].id == load_le16(in.p + MESSAGE_ID)) return pipes->asked[at].function;
    }
    return 0;
}

void smb_pipe_read(struct decode *d, struct smb_pipes *pipes, struct slice in) {
    enum { ASKED_COUNT = 55, ANSWERED_COUNT = 45, OFFSET = 2, FILE = 63, LEAST = 65 };
    if (in.n < LEAST - FILE + ANSWERED_COUNT + OFFSET || in.p[COMMAND] != TRANSACTION) return;
    bool answer = in.p[FLAGS] & RESPONSE;
    size_t at = answer ? ANSWERED_COUNT : ASKED_COUNT;
    uint16_t function = answer ? answer_function(pipes, in) : request_function(in);
    if (!answer) function_keep(pipes, in, function);
    if (!function || in.n < at + 4) return;
    struct slice data = part(in, load_le16(in.p + at + OFFSET), load_le16(in.p + at));
    d_begin(d, &proto_smb_pipe, d_off(d, in.p) + HEADER, 0);
    if (function != LANMAN) fv_u(d->out, FID_SMB_PIPE_FUNCTION, d_off(d, in.p) + HEADER, 0, function);
    d_end(d);
    if (function == LANMAN) d_layer(d, &proto_lanman, data, NULL, 0);
    else if (function == EXCHANGE && dcerpc_begins(data))
        dcerpc_show(d, &pipes->calls, answer || in.n < LEAST ? 0 : load_le16(in.p + FILE), data);
}

/* through_show shows what goes through a file: calls, where it is a pipe. */
static void through_show(struct decode *d, struct dcerpc_state *calls, uint64_t file, struct slice data) {
    if (dcerpc_begins(data)) dcerpc_show(d, calls, file, data);
    else d_data(d, data);
}

void smb2_pipe_read(struct decode *d, struct smb_pipes *pipes, struct slice in) {
    enum {
        HEADER2 = 64,
        CMD = 12,
        FLAGS2 = 16,
        BODY_LEAST = 40,
        ANSWER_LEAST = 16,
        READ = 8,
        READ_ANSWER = 17, /* the size of its structure; an error's is another */
        WRITE = 9,
        IOCTL = 11,
        TRANSCEIVE = 0x11c017,
        ASYNC = 2
    };
    if (in.n < HEADER2 + ANSWER_LEAST) return;
    bool answer = in.p[FLAGS2] & 1;
    const uint8_t *body = in.p + HEADER2;
    uint16_t command = load_le16(in.p + CMD);
    if (in.n < HEADER2 + BODY_LEAST && command != READ) return;
    /* An answer that comes later names no tree: the call it belongs to is not looked for, as in Wireshark. */
    struct dcerpc_state none = {0}, *calls = answer && in.p[FLAGS2] & ASYNC ? &none : &pipes->calls;
    if (command == READ && answer && body[0] == READ_ANSWER)
        through_show(d, calls, 0, part(in, body[2], load_le32(body + 4)));
    else if (command == WRITE && !answer)
        through_show(d, calls, load_le64(body + 24), part(in, load_le16(body + 2), load_le32(body + 4)));
    if (command != IOCTL || load_le32(body + 4) != TRANSCEIVE) return;
    through_show(d, calls, load_le64(body + 16), part(in, load_le32(body + 24), load_le32(body + 28)));
    if (answer) through_show(d, calls, load_le64(body + 16), part(in, load_le32(body + 32), load_le32(body + 36)));
}

#define LAYER(name_, ID_, COLUMN_) .name = #name_, .column = (COLUMN_), .id = FID_##ID_, .end = FID_##ID_##_END
const struct proto proto_smb_pipe = {LAYER(smb_pipe, SMB_PIPE, "SMB Pipe"), .inner = true, .unlisted = true};
const struct proto proto_lanman = {LAYER(lanman, LANMAN, "LANMAN"), .inner = true, .unlisted = true};
