/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_PROTO_SNMP_H
#define WEIR_PROTO_SNMP_H

#include "base/slice.h"

/* snmp_message tells whether bytes begin with a message of SNMP: a BER sequence that is there whole and begins with a
 * version (RFC 3416). */
bool snmp_message(struct slice in);

#endif
