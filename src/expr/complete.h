/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_EXPR_COMPLETE_H
#define WEIR_EXPR_COMPLETE_H

#include "field/field.h"

/* What may stand at a place of a filter that is being typed. */

enum { COMPLETE_MAX = 100 };

enum complete_kind {
    COMPLETE_PROTOCOL,
    COMPLETE_FIELD,
    COMPLETE_VALUE,
    COMPLETE_OPERATOR,
    COMPLETE_FUNCTION,
    COMPLETE_KINDS
};

struct complete_item {
    uint8_t kind;      /* enum complete_kind */
    char text[96];     /* what is put in */
    const char *label; /* what it means; NULL: the text says it */
    const char *type;  /* of a field; NULL: of nothing else */
};

struct completion {
    size_t from, to;     /* bytes of the text that an item takes the place of */
    uint16_t field;      /* whose values are asked for; 0: none are */
    const char *expects; /* what kind of value it takes, where one is asked for; else NULL */
    size_t n;
    struct complete_item item[COMPLETE_MAX];
};

/* expr_complete fills out with at most `max` items for the word that ends at byte `cursor` of a filter, the likeliest
 * first. Labels are static storage. */
void expr_complete(struct completion *out, struct slice text, size_t cursor, const struct field_index *names,
                   size_t max);
/* complete_kind_name returns "field" and its kin. */
const char *complete_kind_name(enum complete_kind kind);

#endif
