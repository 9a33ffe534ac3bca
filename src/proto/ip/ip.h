/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_PROTO_IP_H
#define WEIR_PROTO_IP_H

#include <stdint.h>

/* ip_proto_name returns the name of a protocol number, for every number [IANA, Assigned Internet Protocol Numbers]. */
const char *ip_proto_name(uint64_t number);

#endif
