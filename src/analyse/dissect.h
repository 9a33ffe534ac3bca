/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_ANALYSE_DISSECT_H
#define WEIR_ANALYSE_DISSECT_H

#include "base/err.h"
#include "flow/layer.h"
#include "proto/frame/frame.h"

/* dissector turns the packets of a capture, in order, into lists of fields. */
struct dissector {
    struct driver driver;
    struct frame_times times;
};

/* dissector_make prepares for the fields in want; 0 or ERR_NOMEM. */
int dissector_make(struct dissector *ds, const struct want *want) MUST_USE;
void dissector_free(struct dissector *ds);

/* dissector_packet decodes one packet; the result lives until the next call. */
const struct decode *dissector_packet(struct dissector *ds, const struct packet *p);
/* dissector_shown says that the present packet is shown: frame.time_delta_displayed counts from it. */
void dissector_shown(struct dissector *ds);

#endif
