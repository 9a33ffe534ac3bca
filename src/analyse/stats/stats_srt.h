/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_ANALYSE_STATS_STATS_SRT_H
#define WEIR_ANALYSE_STATS_STATS_SRT_H

#include "analyse/stats/stats.h"

/* How long answers to ICMP echo requests took, tshark's -z icmp,srt and icmpv6,srt. */

enum { SRT_TIMES_MAX = 1 << 20 }; /* times kept for the median; those that come later do not count for it */

struct srt {
    bool six;
    uint64_t requests, replies;
    double least, most, sum, squares; /* milliseconds */
    uint64_t least_frame, most_frame; /* of the answers */
    double *times;                    /* up to SRT_TIMES_MAX */
    uint32_t n, room;
};

extern const struct stats_ops stats_srt;
/* srt_median returns the median of the times kept, which it sorts; 0 where there are none. */
double srt_median(struct srt *s);
/* srt_deviation returns the standard deviation of all times. */
double srt_deviation(const struct srt *s);

#endif
