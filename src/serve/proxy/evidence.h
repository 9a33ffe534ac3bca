/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_SERVE_EVIDENCE_H
#define WEIR_SERVE_EVIDENCE_H

#include "guard/guard.h"
#include "io/ring.h"

/* Evidence: what a connection said before and when something of it was stopped, as a capture file. Workers remember
 * and tell (evidence.c), the parent writes (evidence_file.c). */

struct worker;
struct conn;
struct parent;
struct evidence; /* what is remembered of a connection */

enum {
    EVIDENCE_WHY = 320,                     /* bytes of text on why */
    EVIDENCE_PART = RING_RECORD_MAX - 1024, /* bytes of one packet of the file */
};

/* evidence_record is one packet on its way from worker to parent; `why_n` bytes of text and then the data follow. */
struct evidence_record {
    struct guard_peer peer;
    int64_t ts; /* nanoseconds since 1970 */
    uint32_t seq, ack, len;
    uint16_t why_n;
    uint8_t side;
};

/* Workers: evidence_add remembers bytes a side said, or the guard in its name. evidence_caught notes what an audit
 * record says of the packet that is judged just now; evidence_tell hands over what was remembered if it was something
 * that was stopped. */
void evidence_add(struct worker *w, struct conn *c, enum guard_side side, struct slice bytes);
void evidence_caught(struct worker *w, const struct guard_event *e);
void evidence_tell(struct worker *w, struct conn *c);
void evidence_free(struct evidence *e);

/* The parent: evidence_write adds a record to its connection's file; evidence_flush is to be called when no more are
 * there. */
void evidence_write(struct parent *p, struct slice record);
void evidence_flush(struct parent *p);

#endif
