/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_PROTO_ETH_H
#define WEIR_PROTO_ETH_H

#include "field/print.h"
#include "proto/proto.h"

#endif
