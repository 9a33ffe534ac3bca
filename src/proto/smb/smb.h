/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_PROTO_SMB_H
#define WEIR_PROTO_SMB_H

#include "proto/dcerpc/dcerpc.h"

/* smb_pipes is what a conversation's pipes carry: calls, and which transactions on pipes await their answers; the
 * oldest give way. All zeros at first. */
enum { SMB_ASKED = 16 };
struct smb_pipes {
    struct dcerpc_state calls;
    struct {
        uint16_t id;       /* of the message (MID) */
        uint16_t function; /* 0: the transaction is none of a pipe */
    } asked[SMB_ASKED];
    uint8_t asks; /* where the next one is kept */
};

/* mailslot_read reads a message to a mailslot out of a transaction: its three setup words, the name and the data. */
void mailslot_read(struct decode *d, struct slice setup, struct slice name, struct slice data);
/* smb_pipe_read shows what a message, which begins with the SMB header, says through a pipe; smb2_pipe_read does so
 * with one of SMB2. */
void smb_pipe_read(struct decode *d, struct smb_pipes *pipes, struct slice in);
void smb2_pipe_read(struct decode *d, struct smb_pipes *pipes, struct slice in);

#endif
