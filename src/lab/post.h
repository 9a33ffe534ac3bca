/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_LAB_POST_H
#define WEIR_LAB_POST_H

#include "base/slice.h"

/* The requests the sink takes: POST and PUT of HTTP/1.0 and 1.1 (RFC 9112) with a length or in chunks. A state machine
 * that is fed what came and keeps lines and the body in a pile of its caller; no byte is looked at twice. */

enum { POST_HEAD_MAX = 8192 }; /* bytes of request line and header fields together */

/* pile is bytes collected so far, within the room its owner grants. */
struct pile {
    uint8_t *p;
    size_t n, room;
};

enum post_phase {
    POST_REQUEST, /* the request line is being collected */
    POST_FIELDS,  /* header fields */
    POST_BODY,    /* `left` bytes are still to come */
    POST_CHUNK,   /* the line with a chunk's size */
    POST_DATA,    /* `left` bytes of a chunk */
    POST_GAP,     /* the line end behind a chunk */
    POST_TRAILER, /* fields behind the last chunk */
    POST_WHOLE,   /* the body lies in the pile */
    POST_REFUSED, /* `status` says why */
};

struct post {
    uint8_t phase; /* enum post_phase */
    bool keep_alive, has_length, chunked, expects;
    uint16_t status; /* of a refusal */
    uint32_t head;   /* bytes of the head so far */
    uint64_t left;
    size_t most;    /* bytes of a body */
    size_t line_at; /* where in the pile the present line begins: behind the body */
    char type[96];
};

/* post_begin waits for the next request; its body may have `most` bytes. */
void post_begin(struct post *p, size_t most);
/* post_feed takes bytes from in until the request is whole or refused; how many it took. keep adds bytes to the pile
 * and returns false where there is no room, which is a refusal (503). *go_on is set where the client waits for 100. */
size_t post_feed(struct post *p, struct pile *pile, struct slice in, bool (*keep)(void *to, struct slice bytes),
                 void *to, bool *go_on);
/* post_phrase returns the reason phrase of a status, post_why a sentence for a refusal. */
const char *post_phrase(unsigned status);
const char *post_why(unsigned status);

#endif
