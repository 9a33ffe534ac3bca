/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_PROTO_ETH_H
#define WEIR_PROTO_ETH_H

#include "field/print.h"
#include "proto/proto.h"

/* eth_address_names adds the hidden companions of a MAC address: its text, its vendor prefix as a number and,
 * where it is known, the vendor's name. `off` is the place of the address, `mac` its six bytes. */
void eth_address_names(struct decode *d, uint16_t resolved, uint16_t oui, uint16_t oui_resolved, uint32_t off,
                       struct slice mac);

#endif
