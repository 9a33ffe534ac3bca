/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_SERVE_KEEPER_H
#define WEIR_SERVE_KEEPER_H

#include "serve/demand/store.h"

/* The captures on demand of a server, from request to expiry. Any thread may call. */

struct keeper;

struct keeper_plan {
    struct store *store;
    struct opener *opener;
    const char *dir;   /* of the files */
    int64_t expiry_ms; /* of finished captures; 0: they stay */
    uint64_t quota;    /* bytes of the folder; 0: no limit */
    /* used returns the bytes in the folder; create makes the file of a capture, changing its name until nobody has it:
     * a descriptor, or -1 with errno. */
    uint64_t (*used)(void *to);
    int (*create)(void *to, char name[SESSION_NAME_MAX + 1]);
    /* expire is asked once a second to let go what else of the folder is older than expiry_ms. */
    void (*expire)(void *to);
    /* removed says that the file at path is gone. */
    void (*removed)(void *to, const char *path);
    void *to;
};

/* keeper_start takes over what an earlier server left unfinished, and begins. */
int keeper_start(struct keeper **out, const struct keeper_plan *plan) MUST_USE;
/* keeper_stop ends all captures as STOPPED; what is asked afterwards is still answered, but nothing begins. keeper_free
 * releases it. NULL is fine for both. */
void keeper_stop(struct keeper *k);
void keeper_free(struct keeper *k);

/* keeper_begin starts the capture x, whose id, file, state and times it fills in: OK also where it FAILED at once;
 * ERR_LIMIT: SESSIONS_ACTIVE_MAX are under way or SESSIONS_MAX remembered; ERR_IO: the store cannot be written. */
int keeper_begin(struct keeper *k, struct session *x) MUST_USE;
/* keeper_get gives a capture as it is now, and a number that changes whenever it does; ERR_NOTFOUND. */
int keeper_get(struct keeper *k, const char *id, struct session *out, uint64_t *version) MUST_USE;
/* keeper_wait returns when the capture is not at `version` any more, or after ms. */
void keeper_wait(struct keeper *k, const char *id, uint64_t version, int ms);
/* keeper_end stops a capture and waits a moment for its last state: OK; ERR_USAGE: it is over; ERR_NOTFOUND. */
int keeper_end(struct keeper *k, const char *id, struct session *out) MUST_USE;
/* keeper_remove forgets a finished capture and deletes its file; ERR_USAGE: it is under way; ERR_NOTFOUND. */
int keeper_remove(struct keeper *k, const char *id) MUST_USE;
/* keeper_list hands out captures, newest first. */
int keeper_list(struct keeper *k, const struct store_query *q, void (*take)(void *to, const struct session *x),
                void *to);
/* keeper_writes tells whether a capture under way writes this file. */
bool keeper_writes(struct keeper *k, const char *file);
/* keeper_active returns how many captures are under way. */
unsigned keeper_active(struct keeper *k);

#endif
