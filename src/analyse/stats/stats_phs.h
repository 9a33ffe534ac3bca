/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_ANALYSE_STATS_STATS_PHS_H
#define WEIR_ANALYSE_STATS_STATS_PHS_H

#include "analyse/stats/stats.h"

/* The protocol hierarchy: which protocols travel in which, with packets and bytes. A node counts the packets that have
 * its protocol at its place; a protocol twice in a packet is a node below itself. */

enum { PHS_NODES_MAX = 65536, PHS_DEPTH_MAX = 200 };

struct phs_node {
    uint16_t id;             /* field */
    uint32_t child, sibling; /* places; 0: none */
    uint64_t packets, bytes;
};

struct phs {
    struct phs_node *node; /* node[0] is the root */
    uint32_t n, room;
    uint64_t refused;
};

#endif
