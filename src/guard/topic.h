/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_GUARD_TOPIC_H
#define WEIR_GUARD_TOPIC_H

#include "base/arena.h"
#include "base/hash.h"

/* Topic names and filters, MQTT 4.7, as sets of topics. A wildcard at the start does not match topics that begin with
 * $, [MQTT-4.7.2-1]. */

enum { TOPIC_MAX = 65535, TOPIC_LEVELS_MAX = 256 }; /* levels of a filter in a policy */

/* topic_levels counts the levels of a name or filter. */
size_t topic_levels(struct slice topic);
/* topic_filter_ok tells whether the wildcards of a filter stand where they may, and it has no more than
 * TOPIC_LEVELS_MAX levels. */
bool topic_filter_ok(struct slice filter);
/* topic_matches tells whether a filter matches a topic name. */
bool topic_matches(struct slice filter, struct slice topic);
/* topic_covers tells whether every topic that `narrow` matches is matched by `wide`. */
bool topic_covers(struct slice wide, struct slice narrow);
/* topic_meet writes the filter of the topics that both match into buf, which has TOPIC_MAX bytes, and returns it;
 * false: there is no such topic. */
bool topic_meet(struct slice a, struct slice b, uint8_t *buf, struct slice *meet);
/* topic_subscription returns the topic filter of a subscription: what stands behind $share/name/ and $queue/. */
struct slice topic_subscription(struct slice filter);

/* topic_names is what %c and %u stand for in the filters of a policy. A name that is empty or holds a separator or a
 * wildcard stands for nothing: then allowing filters do not match, and denying ones match whatever stands there. */
struct topic_names {
    struct slice client, user;
};

/* topic_expand writes a policy's filter with its placeholders filled in; what stands for nothing becomes `otherwise`.
 * False where it does not fit into TOPIC_MAX bytes or `otherwise` is empty and needed. */
bool topic_expand(struct slice filter, const struct topic_names *names, struct slice otherwise, uint8_t *buf,
                  struct slice *out);

/* topic_index finds which of many filters match a name, in the time of a walk along its levels. */
struct topic_index;

/* topic_index_make returns an empty index in the arena, or NULL. */
struct topic_index *topic_index_make(struct arena *a);
/* topic_index_add adds a filter under a number; 0, ERR_FORMAT, or ERR_NOMEM. */
int topic_index_add(struct topic_index *t, struct slice filter, uint32_t number);
/* topic_index_match calls `hit` for every filter that matches; `loose` tells that a placeholder stood for nothing. */
void topic_index_match(const struct topic_index *t, struct slice topic, const struct topic_names *names,
                       void (*hit)(void *to, uint32_t number, bool loose), void *to);

#endif
