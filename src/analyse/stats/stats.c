/* SPDX-License-Identifier: Apache-2.0 */
#include "analyse/stats/stats.h"

#include <inttypes.h>

const struct stats_ops *const stats_kinds[] = {
    &stats_endpoints, &stats_conversations, &stats_protocols, &stats_io,     &stats_expert, &stats_flags,
    &stats_rtt,       &stats_mqtt,          &stats_dns,       &stats_volume, NULL};

const struct stats_ops *stats_find(const char *name) {
    for (size_t i = 0; stats_kinds[i]; i++)
        if (strcmp(stats_kinds[i]->name, name) == 0) return stats_kinds[i];
    return NULL;
}

void stats_note(struct table *t, const struct keytab *of, const char *what) {
    if (!of->refused || t->note[0]) return;
    struct writer w = wr_fixed(t->note, sizeof t->note - 1);
    wr_f(&w,
         plural(of->refused, "%" PRIu64 " packet of further %s is not counted: the limit of %u is reached",
                "%" PRIu64 " packets of further %s are not counted: the limit of %u is reached"),
         of->refused, what, of->limit);
    *w.p = 0;
}

uint32_t stats_outer(const struct decode *d) {
    for (uint8_t i = 0; i < d->layers; i++)
        if (d->layer[i].quoted) return d->layer[i].at;
    return d->out->n;
}
