/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_ANALYSE_STATS_STATS_EXPERT_H
#define WEIR_ANALYSE_STATS_STATS_EXPERT_H

#include "analyse/keytab.h"
#include "analyse/stats/stats.h"

/* What the decoders found worth saying, counted by what they said. */

enum { EXPERT_TEXT = 160, EXPERT_ENTRIES_MAX = 20000 };

struct expert_entry {
    uint16_t id; /* of the anomaly */
    char text[EXPERT_TEXT];
    uint64_t count, first; /* frame */
};

struct expert {
    struct keytab tab; /* of expert_entry, in the order first seen */
    uint8_t least;     /* severity, enum severity: what is less than that does not count */
};

/* expert_severity and expert_group return what an entry is; expert_protocol the name of who said it. */
static inline uint8_t expert_severity(const struct expert_entry *e) { return field_of(e->id)->severity; }
const char *expert_protocol(const struct expert_entry *e);

#endif
