/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_SERVE_SESSION_H
#define WEIR_SERVE_SESSION_H

#include "serve/demand/device.h"
#include "serve/demand/opener.h"
#include "serve/demand/record.h"

/* A capture on demand: what was asked for, what became of it. */

/* session_state: REQUESTED is written down; ACCEPTED has a recorder; CAPTURING has an open interface; POST_PROCESSING
 * has its last packet, and the file is being ended (or, after a restart, counted); the last three are final. Every
 * state may be followed by FAILED, every one but the final ones by STOPPED. */
enum session_state {
    SESSION_REQUESTED,
    SESSION_ACCEPTED,
    SESSION_CAPTURING,
    SESSION_POST_PROCESSING,
    SESSION_DONE,
    SESSION_FAILED,
    SESSION_STOPPED,
    SESSION_STATES
};

enum {
    SESSION_ID = 24,        /* letters of an id; later ids are greater */
    SESSION_NAME_MAX = 100, /* of the capture's file */
    SESSION_WHO_MAX = 64,
    SESSIONS_ACTIVE_MAX = 16, /* captures at the same time: each has a process and an interface of its own */
    SESSIONS_MAX = 10000,     /* captures remembered */
};

struct session {
    char id[SESSION_ID + 1];
    char asked[DEVICE_ID_MAX + 1]; /* the device as it was asked for: its label, where it has one */
    struct device device;
    char name[SESSION_NAME_MAX + 1]; /* as given; may be empty */
    char file[SESSION_NAME_MAX + 1]; /* of the folder */
    char interface[RECORD_INTERFACE_MAX + 1];
    char filter[RECORD_FILTER_MAX + 1]; /* as given */
    char reason[RECORD_REASON_MAX + 1];
    char who[SESSION_WHO_MAX + 1]; /* name of the token, or where it was asked from */
    enum session_state state;
    uint32_t duration, snaplen, redact;
    uint64_t max_bytes, packets, bytes, dropped;
    int64_t created, started, ended; /* ms since 1970; 0: not yet */
};

/* session_state_name returns the word the API has for a state. */
const char *session_state_name(enum session_state s);
static inline bool session_is_final(enum session_state s) { return s >= SESSION_DONE; }

#endif
