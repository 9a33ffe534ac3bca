/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_PROTO_VLAN_H
#define WEIR_PROTO_VLAN_H

#include "proto/proto.h"

/* vlan_trailer_add shows what follows the network packet where no frame check sequence is expected: padding up to
 * the least frame, as the zeros it must be, then the rest as field `id`. */
void vlan_trailer_add(struct decode *d, uint16_t id, struct slice rest);

#endif
