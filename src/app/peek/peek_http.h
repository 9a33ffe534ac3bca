/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_APP_PEEK_HTTP_H
#define WEIR_APP_PEEK_HTTP_H

#include "base/err.h"
#include "base/writer.h"

#include <signal.h>

/* The client's side of `weir serve`'s API. */

struct peek_plan {
    const char *server; /* http://HOST:PORT; what `weir serve` printed, with its #token=, is fine; NULL: $WEIR_SERVER,
                         * else the default */
    const char *token;  /* NULL: $WEIR_TOKEN, or that of the address */
    const char *ca;     /* PEM file of who signed the server's certificate; NULL: the system's */
    bool insecure;      /* take any certificate */
    int connect_ms;     /* 0: 10 s */
    const volatile sig_atomic_t *stop; /* set: a stream ends within a second; may be NULL */
};

struct peek;

enum { PEEK_ANSWER_MAX = 16 << 20, PEEK_WHY_MAX = 1024 };

/* peek_open prepares requests to a server; on failure a negative code and a one-line reason. */
int peek_open(struct peek **out, const struct peek_plan *plan, struct writer *why) MUST_USE;
void peek_free(struct peek *p);
/* peek_ask sends a request (body NULL: none) and collects the answer: OK for a status of 2xx, else a negative code and
 * in why what the server, or the network, said. */
int peek_ask(struct peek *p, const char *method, const char *path, const char *body, struct writer *answer,
             struct writer *why) MUST_USE;
/* peek_stream sends a GET and hands the answer on in pieces as they come; `take` ends it by false, which is no failure.
 */
int peek_stream(struct peek *p, const char *path, bool (*take)(void *to, struct slice piece), void *to,
                struct writer *why) MUST_USE;
/* peek_stopped tells whether the plan's `stop` is set. */
bool peek_stopped(const struct peek *p);
/* peek_escape writes text as a part of a path. */
void peek_escape(struct writer *w, const char *text);

/* peek_text reads a text or number member of an object into out, empty where there is none. */
bool peek_text(struct slice object, const char *name, char *out, size_t size);
/* peek_list gives the inside of a member that is an array; peek_item takes its next element. */
struct slice peek_list(struct slice object, const char *name);
bool peek_item(struct slice *inside, struct slice *item);

#endif
