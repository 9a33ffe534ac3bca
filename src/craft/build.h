/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_CRAFT_BUILD_H
#define WEIR_CRAFT_BUILD_H

#include "craft/craft.h"
#include "craft/layers.h"
#include "proto/write.h"

/* building is a packet on its way, from the last layer to the first. */
struct building {
    const enum layer_id *layers; /* all of them, in the order written */
    const struct value (*values)[FIELDS_PER_LAYER];
    size_t n, at; /* at: the layer being written */
    const struct craft_env *env;
    struct slice payload; /* everything above it */
    struct writer *w;     /* takes the header */
    struct writer *why;
    int depth; /* records inside records */
};

/* build_layer writes the layer at b->at; ERR_USAGE or ERR_LIMIT with a sentence. */
int build_layer(struct building *b) MUST_USE;

/* build_dns and build_mqtt write messages; the others are headers. */
int build_dns(struct building *b) MUST_USE;
int build_mqtt(struct building *b) MUST_USE;

/* build_plain writes a layer by its table. */
int build_plain(struct building *b) MUST_USE;
/* records_put writes a list of records of a group; padded: as options of IPv6, whose header has `at` bytes before them.
 */
int records_put(struct building *b, struct writer *w, const struct node *list, uint8_t group, bool padded,
                size_t at) MUST_USE;
/* build_record writes one record of a group. */
int build_record(struct building *b, struct writer *w, const struct node *n, uint8_t group) MUST_USE;
/* build_protocol gives the IP protocol number of a layer, -1 where it has none. */
int64_t build_protocol(int layer);
/* addresses_put writes a list of addresses of n bytes. */
int addresses_put(struct building *b, struct writer *w, const struct node *list, size_t n) MUST_USE;
/* build_pseudo gives what checksums of the layer at b->at count of the network layer below. */
struct pseudo build_pseudo(const struct building *b);
/* build_complain writes a sentence about a place of the expression (n may be NULL) and gives ERR_USAGE. */
int build_complain(struct building *b, const struct node *n, const char *what);

#endif
