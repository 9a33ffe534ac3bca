/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_PROTO_SMB_H
#define WEIR_PROTO_SMB_H

#include "proto/proto.h"

/* mailslot_read reads a message to a mailslot out of a transaction: its three setup words, the name and the data. */
void mailslot_read(struct decode *d, struct slice setup, struct slice name, struct slice data);

#endif
