/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_VIEW_STATS_TABLES_H
#define WEIR_VIEW_STATS_TABLES_H

#include "analyse/stats/stats_credentials.h"
#include "analyse/stats/stats_expert.h"
#include "analyse/stats/stats_hosts.h"
#include "analyse/stats/stats_io.h"
#include "analyse/stats/stats_phs.h"
#include "analyse/stats/stats_srt.h"
#include "analyse/stats/stats_talk.h"
#include "analyse/stats/stats_tree.h"
#include "view/view.h"

/* table_print writes a table in aligned columns; width: of the terminal, 0 for none, and then no bars. */
void table_print(struct writer *w, const struct table *t, unsigned width, bool color);
/* table_csv writes a heading and the rows (RFC 4180), table_json the rows as an array of objects. */
void table_csv(struct writer *w, const struct table *t);
void table_json(struct writer *w, const struct table *t);

/* The statistics as tshark prints them; filter: the text behind "Filter:", NULL for none. */
void tap_talk_print(struct writer *w, const struct talk *t, const char *filter);
void tap_phs_print(struct writer *w, const struct phs *p, const char *filter);

void tap_io_print(struct writer *w, const struct io_stats *s);
void tap_tree_print(struct writer *w, const struct stats_tree *t);
/* tap_lists_print writes the counters below each root as a list without rates; where tshark follows its hash table, the
 * greatest comes first. */
void tap_lists_print(struct writer *w, const struct stats_tree *t, const char *filter);
void tap_expert_print(struct writer *w, const struct expert *x);
/* tap_hosts_print sorts by address, where tshark has the order of a hash table; from: what was read. */
void tap_hosts_print(struct writer *w, struct hosts *h, const char *from);
void tap_dhcp_print(struct writer *w, const struct dhcp_types *t, const char *filter);
void tap_srt_print(struct writer *w, struct srt *s, const char *filter);
void tap_credentials_print(struct writer *w, const struct credentials *c);

#endif
