/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_ANALYSE_STATS_STATS_H
#define WEIR_ANALYSE_STATS_STATS_H

#include "analyse/dissect.h"
#include "analyse/keytab.h"
#include "analyse/stats/table.h"

/* Statistics: packets in, tables out.
 *
 * Each kind is one stats_ops: it says what has to be decoded, takes every packet, and gives its tables at the end.
 * Memory grows with what is counted (addresses, conversations, topics), never with packets, and each kind names its
 * limit; the table's note says when it was reached. */

/* Addresses, conversations or names that one statistic tells apart, such that with their rows they stay below 256 MiB;
 * streams whose entry is remembered, so that it need not be looked for. */
enum { STATS_ENTRIES_MAX = 1 << 19, STATS_STREAMS_MAX = 1 << 21 };

struct stats_args {
    const char *which;          /* "ip", "tcp"; NULL: none was given */
    const char *text;           /* what tshark's -z has behind the name: "1,tcp,SUM(frame.len)frame.len"; NULL: none */
    int64_t interval;           /* ns; 0: the kind's own */
    const void *baseline;       /* of volume: the state of another capture's; NULL: none */
    uint64_t overhead;          /* bytes billed for each packet beside its IP bytes */
    const char *const *columns; /* of io: "SUM(frame.len)frame.len && tcp" */
    size_t n_columns;
};

struct stats_ops {
    const char *name, *purpose;
    const char *const *which; /* words that may follow the name, NULL at the end; NULL: none may */
    bool which_optional;      /* none need follow */
    size_t state_size;
    /* start prepares a zeroed state: 0, or a negative code with a reason in why. */
    int (*start)(void *state, const struct stats_args *args, struct writer *why);
    void (*want)(const void *state, struct want *w);
    /* packet takes one packet; `begin` is the time of the capture's first one. */
    void (*packet)(void *state, const struct decode *d, int64_t begin);
    /* tables returns the result, the caller's from then on; NULL: no memory. */
    struct table *(*tables)(void *state);
    void (*end)(void *state);
};

/* stats_kinds is every kind, NULL at the end. */
extern const struct stats_ops *const stats_kinds[];
const struct stats_ops *stats_find(const char *name);

/* stats_note says in t's note how many packets were not counted for want of room in a table. */
void stats_note(struct table *t, const struct keytab *of, const char *what);
/* volume_tell is told of what was billed too much: a destination, or "all", with the bytes billed now and before. */
typedef void volume_tell(struct slice name, uint64_t now, uint64_t before);
/* stats_volume_alarm tells of each destination of `state`, and of the whole, that was billed more than `percent` above
 * the baseline, or is not in it; it returns how many. */
unsigned stats_volume_alarm(const void *state, uint64_t percent, volume_tell *tell);
/* stats_outer returns the end of the fields that belong to the packet itself and not to one quoted in it. */
uint32_t stats_outer(const struct decode *d);

extern const struct stats_ops stats_endpoints, stats_conversations, stats_protocols, stats_expert, stats_mqtt,
    stats_volume, stats_io, stats_flags, stats_rtt, stats_dns;

#endif
