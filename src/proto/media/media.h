/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_PROTO_MEDIA_H
#define WEIR_PROTO_MEDIA_H

#include "proto/proto.h"

/* media_wanted tells whether anybody asked for what content is. */
bool media_wanted(const struct decode *d);
/* media_read shows `data`, which lies in the present source, as what its media type says: in lower case and without
 * parameters, empty where nobody said. It begins layers, so the carrier's own entry must be closed. */
void media_read(struct decode *d, struct slice type, struct slice data);
/* media_json_read shows JSON texts, one behind the other; false where `data` is something else: then there is an empty
 * layer. */
bool media_json_read(struct decode *d, struct slice data);

#endif
