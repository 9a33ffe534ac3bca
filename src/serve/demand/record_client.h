/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_SERVE_RECORD_CLIENT_H
#define WEIR_SERVE_RECORD_CLIENT_H

#include "analyse/dissect.h"

/* The conversations of one MQTT client among all that pass. */

struct client_filter;

/* client_filter_make looks for the client with this identifier, which lives as long as the filter. Packets that are its
 * own go to `take`, in order within their conversation; a packet's pointers live during the call. `take` returns 0 or a
 * negative code, which client_filter_packet passes on. NULL: no memory. */
struct client_filter *client_filter_make(struct slice client, int (*take)(void *to, const struct packet *p), void *to);
void client_filter_free(struct client_filter *f);
/* client_filter_want adds the fields it reads. */
void client_filter_want(struct want *w);
/* client_filter_packet takes a decoded packet; p is what is to be kept of it. */
int client_filter_packet(struct client_filter *f, const struct decode *d, const struct packet *p) MUST_USE;

#endif
