/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_PROTO_FABRIC_H
#define WEIR_PROTO_FABRIC_H

#include "proto/proto.h"

enum { FABRIC_ETHERNET = 3 };
/* fabric_next hands a packet on by the numbers NSH and VXLAN-GPE share for what follows them (RFC 8300 11.2.5). */
void fabric_next(struct decode *d, uint8_t next, struct slice in);

#endif
