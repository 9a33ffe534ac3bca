/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_PROTO_PROTOS_H
#define WEIR_PROTO_PROTOS_H

#include "proto/proto.h"

extern const struct proto proto_frame, proto_eth, proto_ip, proto_tcp, proto_tls, proto_data;

extern const struct proto proto_dns, proto_mdns, proto_llmnr;

/* weir_protos is every protocol of the program, ends with NULL: where to register a new one. */
extern const struct proto *const weir_protos[];

/* proto_of returns the protocol a field id belongs to, or NULL. */
const struct proto *proto_of(uint16_t id);
/* proto_find returns the protocol of a filter name, or NULL. */
const struct proto *proto_find(struct slice name);

#endif
