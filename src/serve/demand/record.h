/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_SERVE_RECORD_H
#define WEIR_SERVE_RECORD_H

#include "base/err.h"
#include "base/slice.h"

/* One capture on demand, recorded by a process of its own. */

enum {
    RECORD_INTERFACE_MAX = 63,
    RECORD_FILTER_MAX = 2047,
    RECORD_CLIENT_MAX = 512, /* bytes of a client identifier */
    RECORD_REASON_MAX = 255,
    RECORD_SECONDS_MAX = 86400,
    RECORD_SNAPLEN_MAX = 262144,
};

/* record_order is what is to be recorded: it crosses a socket as it stands. */
struct record_order {
    char interface[RECORD_INTERFACE_MAX + 1];
    char filter[RECORD_FILTER_MAX + 1]; /* capture filter; empty: everything */
    uint8_t client[RECORD_CLIENT_MAX];  /* only conversations of this MQTT client */
    uint16_t client_n;                  /* 0: all */
    uint32_t seconds, snaplen;          /* snaplen 0: the default */
    uint64_t max_bytes;                 /* of the file; 0: no limit */
    uint64_t room;                      /* what is left of the folder's quota; 0: there is none */
    uint32_t redact;                    /* enum redact_what */
};

enum record_state { RECORD_BEGUN, RECORD_CAPTURING, RECORD_CLOSING, RECORD_DONE, RECORD_STOPPED, RECORD_FAILED };

/* record_report is what the recorder says: at every change of state, and while packets come. After one of the last
 * three states nothing follows. */
struct record_report {
    uint32_t state;          /* enum record_state */
    uint64_t packets, bytes; /* in the file; at a full disk a few more packets may be */
    uint64_t dropped;        /* by the kernel */
    char reason[RECORD_REASON_MAX + 1];
};

/* record_order_fine tells whether an order that came from elsewhere is within its limits. */
bool record_order_fine(const struct record_order *o);

/* record_run records into the descriptor `file` until the time is over, a limit is reached, one byte comes from
 * `reports` (stop) or its other end is closed (the server has gone); it reports there. `drop` gives up all privileges
 * once the interface is open; false: it could not, and nothing is recorded. */
void record_run(const struct record_order *o, int file, int reports, bool (*drop)(void *to), void *to);

#endif
