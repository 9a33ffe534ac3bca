/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_PROTO_PROTOS_H
#define WEIR_PROTO_PROTOS_H

#include "proto/proto.h"

#define PROTO(name) extern const struct proto proto_##name;
#include "proto/protos.def"
#undef PROTO

/* weir_protos is every protocol of the program (proto/protos.def), ends with NULL. */
extern const struct proto *const weir_protos[];

/* proto_of returns the protocol a field id belongs to, or NULL. */
const struct proto *proto_of(uint16_t id);
/* proto_find returns the protocol of a filter name, or NULL. */
const struct proto *proto_find(struct slice name);

#endif
