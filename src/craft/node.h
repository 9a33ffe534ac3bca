/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_CRAFT_NODE_H
#define WEIR_CRAFT_NODE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/writer.h"

/* node is a piece of an expression; everything lies in the arena of its craft. */
enum node_kind { NODE_INT, NODE_TEXT, NODE_NONE, NODE_LIST, NODE_TUPLE, NODE_LAYER };

struct node {
    enum node_kind kind;
    uint32_t at;        /* place in the expression, from 1 */
    int64_t u;          /* of NODE_INT */
    struct slice text;  /* of NODE_TEXT; name of NODE_LAYER */
    struct slice key;   /* name it was given to, empty for the positional */
    struct node *first; /* items of a list or tuple, arguments of a layer */
    struct node *next;
    size_t n; /* items */
};

/* node_parse reads an expression: a NODE_LIST of its layers. OK, ERR_USAGE with a sentence in why, or ERR_LIMIT. */
int node_parse(struct node **out, struct slice text, struct arena *a, struct writer *why) MUST_USE;

#endif
