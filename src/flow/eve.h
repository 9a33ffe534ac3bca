/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_FLOW_EVE_H
#define WEIR_FLOW_EVE_H

#include "base/json.h"
#include "flow/flow.h"

/* Event lines in the shape of Suricata's EVE: one JSON object a line, the same head for the guard and for `read`. */

/* eve_head is what every event says first. */
struct eve_head {
    int64_t ts;  /* ns since 1970, */
    int16_t era; /* in that era */
    const char *type;
    uint64_t flow_id;
    uint64_t frame;               /* 0: not from a capture */
    const struct flow_ends *ends; /* src is the client; an end of length 0 is a Unix socket; NULL: of no conversation */
    const char *app;              /* NULL: not known */
};

/* eve_time writes a time as EVE does: UTC with microseconds. */
void eve_time(struct writer *w, __int128 ns);
/* eve_begin writes the object up to where its own members follow; the caller closes it with `}` and a line end. */
void eve_begin(struct writer *w, const struct eve_head *h);

#endif
