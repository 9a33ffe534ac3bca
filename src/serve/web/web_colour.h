/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_SERVE_WEB_COLOUR_H
#define WEIR_SERVE_WEB_COLOUR_H

#include "expr/expr.h"

/* The colouring rules of the packet list: those Wireshark comes with, as far as they are about protocols we decode. */

enum { WEB_COLOURS = 14 };

struct web_colours {
    struct expr *rule[WEB_COLOURS];
    struct want want; /* what the rules read */
};

/* web_colours_make compiles the rules; false where there is no memory. */
bool web_colours_make(struct web_colours *c, const struct field_index *names);
void web_colours_free(struct web_colours *c);
/* web_colour_of returns the number of the first rule a packet falls under, from 1; 0: none. */
uint8_t web_colour_of(const struct web_colours *c, const struct fvec *v);
/* web_colour_name returns a rule's name; "" for 0. */
const char *web_colour_name(uint8_t number);

#endif
