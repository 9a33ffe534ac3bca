/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_SERVE_SETTING_H
#define WEIR_SERVE_SETTING_H

#include "io/sock.h"
#include "serve/proxy/proxy.h"

/* What one reading of the configuration came to: the configuration, its addresses looked up, its TLS contexts made. It
 * never changes; a reload makes another one and swaps. */

enum { LISTENERS_MAX = 64, BROKERS_MAX = 64, SOURCES_MAX = 64, SETTING_HOST_MAX = 128, BROKER_ADDRESSES = 8 };

struct setting_listener {
    const struct guard_listener *conf;
    struct sock_addr addr;
    struct ssl_ctx_st *tls; /* NULL: plain */
};

struct setting_broker {
    const struct guard_broker *conf;
    struct sock_addr addr[BROKER_ADDRESSES]; /* of its name, tried in turn */
    unsigned addrs;
    struct ssl_ctx_st *tls;
    char host[SETTING_HOST_MAX]; /* name to verify; empty: none */
    uint64_t hash;               /* of its address, for the sticky choice */
    double weight;
};

struct setting {
    struct guard_config *config;
    struct setting_listener listener[LISTENERS_MAX];
    struct setting_broker broker[BROKERS_MAX];
    struct sock_addr source[SOURCES_MAX];
    unsigned listeners, brokers, sources;
};

/* setting_source returns the first source address of an address' kind that is at least number `from`, counted around;
 * NULL: there is none. */
const struct sock_addr *setting_source(const struct setting *s, const struct sock_addr *to, unsigned from);

/* setting_load reads `text` (the YAML) and what the command line adds. 0, or a negative code with one line for each
 * mistake in `why`: "FILE:LINE:COLUMN: reason". `tickets` are TLS_TICKET_KEY bytes all processes share. */
int setting_load(struct setting **out, const struct proxy_plan *plan, struct slice text, const uint8_t *tickets,
                 struct writer *why) MUST_USE;
void setting_free(struct setting *s);

#endif
