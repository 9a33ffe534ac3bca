/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_SERVE_WEB_READ_H
#define WEIR_SERVE_WEB_READ_H

#include "analyse/dissect.h"
#include "io/capture/capfile.h"
#include "proto/tls/tls_keys.h"
#include "serve/web/web_in.h"

/* web_reading is a capture being decoded for one request. */
struct web_reading {
    struct web *web;
    struct web_request *q;    /* who waits for all of it; NULL: nobody, or for a part at a time */
    struct MHD_Connection *c; /* who asked; NULL: nobody does */
    struct capfile *file;
    struct dissector ds;
    struct packet packet; /* what the decoded one points to */
    struct tls_keys keys;
    char *path;                  /* searched for secrets once one is missing; NULL: done */
    bool made, counted, entered; /* counted among the readings, entered among the readers */
    int rc;                      /* of the last packet */
    uint64_t packets;            /* read so far */
    int64_t begin;               /* time of the first one */
};

/* web_reading_begin gives a capture ready to be read, or NULL with a status and a reason: busy, unreadable;
 * web_reading_open makes a problem of them. web_reading_close takes NULL too. */
struct web_reading *web_reading_begin(struct web *s, const char *path, const struct want *want, unsigned *status,
                                      struct writer *why);
struct web_reading *web_reading_open(struct web_request *q, const char *path, const struct want *want);
void web_reading_close(struct web_reading *r);
/* web_reading_next decodes the next packet; NULL at the end, where the file is damaged, and where the server ends. */
const struct decode *web_reading_next(struct web_reading *r);
/* web_job_note tells how far a job is. */
void web_job_note(struct web_job *j, const struct capfile *file, uint64_t packets);
/* web_reading_pause gives the place among those who decode back while a piece of the answer is sent, web_reading_go_on
 * waits for one; so clients that read slowly keep nobody out, and who takes nothing for WEB_SLOW_S is let go. false:
 * the server ends. */
void web_reading_pause(struct web_reading *r);
bool web_reading_go_on(struct web_reading *r);
/* web_reading_rest gives the place among those who read back while there is nothing to read; web_reading_wake takes one
 * again and lets the reading go on behind the file's former end: false where all are taken, or it cannot. */
void web_reading_rest(struct web_reading *r);
bool web_reading_wake(struct web_reading *r);
/* web_reading_note writes ,"damaged":"why" where the file could not be read to its end. */
void web_reading_note(struct writer *w, const struct web_reading *r);

#endif
