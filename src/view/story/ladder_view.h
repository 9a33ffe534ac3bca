/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_VIEW_STORY_LADDER_VIEW_H
#define WEIR_VIEW_STORY_LADDER_VIEW_H

#include "analyse/ladder.h"

/* ladder_view is how the picture is drawn. */
struct ladder_view {
    bool color, unicode;
    bool teach;   /* a sentence for each kind of arrow */
    size_t width; /* columns of the terminal */
};

/* ladder_text draws the picture for a terminal, ladder_svg as an SVG document. l is finished. */
void ladder_text(struct writer *w, const struct ladder *l, const struct ladder_view *v);
void ladder_svg(struct writer *w, const struct ladder *l);
/* ladder_json writes the members of an object: parties from left to right, and arrows `from` to before `from` + n;
 * times count from `begin`. */
void ladder_json(struct writer *w, const struct ladder *l, int64_t begin, uint32_t from, uint32_t n);

/* For both: a party's name, and its role ("broker"), to be translated; empty where it has none. */
void party_name(struct writer *w, const struct party *p);
const char *party_role(const struct party *p);
/* parties_order fills order with the places of parties from left to right: clients, then servers between their clients.
 */
size_t parties_order(const struct ladder *l, uint8_t *order, size_t max);

#endif
