/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_GUARD_TEST_H
#define WEIR_GUARD_TEST_H

#include "guard/config/config.h"
#include "guard/session.h"

#include <stdio.h>
#include <stdlib.h>

/* What the guard's tests share: a tube with a guard in the middle. What either end sends is kept until it is consumed,
 * as sockets would; what each end gets is collected. */

extern int test_failures;
#define CHECK(what, ...)                                                                                               \
    do {                                                                                                               \
        if (!(what)) {                                                                                                 \
            test_failures++;                                                                                           \
            fprintf(stderr, "%s:%d: not so: ", __FILE__, __LINE__);                                                    \
            fprintf(stderr, __VA_ARGS__);                                                                              \
            fputc('\n', stderr);                                                                                       \
        }                                                                                                              \
    } while (0)

struct tube {
    struct guard_config *config;
    struct guard *g;
    struct guard_session s;
    struct writer held[GUARD_SIDES]; /* sent and not consumed */
    struct writer got[GUARD_SIDES];  /* what arrived at a side */
    uint8_t closed;                  /* enum guard_close */
    int64_t now;
    unsigned events;
    char rules[4096]; /* of all events, a space behind each; ! before what was only noted */
    char last[1024];  /* last event as JSON */
};

/* tube_make builds a tube with the policy of a YAML text (NULL: the defaults). */
void tube_make(struct tube *t, const char *yaml);
/* tube_again opens a new session on the same guard. */
void tube_again(struct tube *t);
void tube_free(struct tube *t);
/* tube_send sends bytes from a side. */
void tube_send(struct tube *t, enum guard_side from, struct slice bytes);
/* tube_hex sends bytes written as unhex of proto_test.h reads them: hexadecimal, and text in quotes. */
void tube_hex(struct tube *t, enum guard_side from, const char *hex);
/* tube_got tells whether exactly these bytes arrived at a side since it was asked last. */
bool tube_got(struct tube *t, enum guard_side at, const char *hex);
/* tube_up brings a session of a version up: CONNECT and CONNACK, whose arrival is checked. */
void tube_up(struct tube *t, int version, const char *client);
bool tube_saw(const struct tube *t, const char *rule);
struct slice test_hex(const char *text); /* the caller frees p */
/* test_bytes makes hexadecimal text with PUBLISH of that topic and payload. */
struct slice test_publish(int version, int qos, unsigned id, const char *topic, const char *payload);

#endif
