/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_CRAFT_BUILD_H
#define WEIR_CRAFT_BUILD_H

#include "craft/craft.h"
#include "craft/layers.h"

/* building is a packet on its way, from the last layer to the first. */
struct building {
    const enum layer_id *layers; /* all of them, in the order written */
    const struct value (*values)[FIELDS_PER_LAYER];
    size_t n, at; /* at: the layer being written */
    const struct craft_env *env;
    struct slice payload; /* everything above it */
    struct writer *w;     /* takes the header */
    struct writer *why;
};

/* build_layer writes the layer at b->at; ERR_USAGE or ERR_LIMIT with a sentence. */
int build_layer(struct building *b) MUST_USE;

/* build_dns and build_mqtt write messages; the others are headers. */
int build_dns(struct building *b) MUST_USE;
int build_mqtt(struct building *b) MUST_USE;

#endif
