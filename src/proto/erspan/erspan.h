/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_PROTO_ERSPAN_H
#define WEIR_PROTO_ERSPAN_H

#include "proto/proto.h"

/* erspan_bare_read reads a mirrored frame without a header, as GRE without a sequence number carries it. */
void erspan_bare_read(struct decode *d, struct slice in);

#endif
