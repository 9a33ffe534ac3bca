/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_FLOW_AHEAD_H
#define WEIR_FLOW_AHEAD_H

#include "flow/flow.h"

/* Asking memory for the conversations of packets that come next.
 *
 * Theory of operation. With many conversations, finding one costs more in waiting for memory than in work: its bucket,
 * its entry and its TCP state each lie elsewhere. So a glance at each packet before its turn asks for them: the bucket
 * when the packet is three ahead, the entry when it is two ahead, the TCP state and what the stream's protocol keeps
 * when it is next. It is a guess: flow_find looks at the entry it found first and takes it only where its key is the
 * right one, so what the guess gets wrong (fragments, tunnels, collisions) costs only the waiting it would have saved.
 * A line that is asked for in vain costs less than finding out whether it is needed. */

/* flow_ahead glances at a packet that comes AHEAD_STEPS packets later; link is its LINKTYPE_. */
void flow_ahead(struct flow_table *t, uint32_t link, struct slice frame);
/* flow_ahead_stream guesses the conversation's number of the packet behind the present one, for who keeps things by
 * that number; UINT32_MAX: there is no guess. */
uint32_t flow_ahead_stream(const struct flow_table *t);

#endif
