/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_GUARD_RULES_FIRST_IN_H
#define WEIR_GUARD_RULES_FIRST_IN_H
/* What the two halves of the first pass share: first.c makes it at load time, first_run.c runs it on packets. */

#include "guard/rules/hs.h"
#include "guard/rules/need.h"
#include "guard/rules/tx.h"

enum { CLASS_MAX = 512, TEXTS = 3 }; /* texts: arguments and topic, body, fields */

enum how { HOW_ASK, HOW_BYTES, HOW_PATTERN };

struct check {
    uint8_t how;
    uint8_t texts;    /* bits: where its targets stand */
    bool input_only;  /* its targets are inputs, so its answer stays the same in a full evaluation */
    bool lines;       /* HOW_PATTERN: with ^ or $ */
    bool special;     /* HOW_PATTERN: needs bytes that ordinary text has not */
    struct need need; /* what a text must hold */
};

struct group {
    uint8_t text, family;
    bool lines, special;
    uint16_t chain; /* UINT16_MAX: all chains of the family */
    hs_database_t *db;
    uint32_t n;       /* expressions */
    uint32_t class;   /* of the first of a class (text, family, lines, special): how many groups it has */
    uint64_t need[4]; /* special: one of these must be in the text */
};

struct first {
    struct check *check; /* beside set->sensitive */
    uint32_t n;
    struct group *group;
    uint32_t n_groups, cap_groups;
    hs_scratch_t *scratch;
    size_t bytes;
    bool cached;
};

/* made is what a chain made of a text. */
struct made {
    uint8_t *p;
    size_t n;
    uint32_t *end; /* of each value */
    uint32_t values;
    uint64_t seen[4];
    struct kid { /* what a transformation made of it */
        struct kid *next;
        struct made *made;
        uint8_t tfn;
    } * kids;
};

struct first_state {
    hs_scratch_t *scratch;
    struct made **made; /* by text and chain */
    uint8_t *candidate;
    uint32_t *from;             /* beside candidate: the first input that may match */
    const struct made *scanned; /* the text of the scan under way */
    uint8_t text;
    uint32_t *input[TEXTS]; /* the input of every value of a text */
};

/* text_of_var gives the text a variable's values stand in, or TEXTS. */
static inline uint8_t text_of_var(uint8_t var) {
    static const uint8_t text[] = {
        [FROM_ABSENT] = TEXTS, [FROM_IN_ARGS] = 0,   [FROM_IN_BODY] = 1,   [FROM_IN_HEAD] = 0,
        [FROM_IN_FIELD] = 2,   [FROM_PLAIN] = TEXTS, [FROM_STATE] = TEXTS, [FROM_KEPT] = TEXTS};
    return text[rules_vars[var].from];
}

#endif
