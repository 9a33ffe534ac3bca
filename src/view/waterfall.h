/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_VIEW_WATERFALL_H
#define WEIR_VIEW_WATERFALL_H

#include "analyse/waterfall.h"

/* waterfall_json writes the members of an object: the connections of MQTT first asked for (stream -1: all, else that
 * one), at most `most`; times are seconds since `begin`. */
void waterfall_json(struct writer *w, const struct waterfall *f, int64_t begin, int64_t stream, uint32_t most);

#endif
