/* SPDX-License-Identifier: Apache-2.0 */
/* What a program's outcome can be. Jumps go forward only, so one pass over the instructions suffices: each has the set
 * of flags it may be reached with, and hands on those it may leave. */
#include "expr/program.h"
#include <stdlib.h>

enum { MAY_FAIL = 1, MAY_HOLD = 2, BOTH = MAY_FAIL | MAY_HOLD };

struct guessing {
    const struct expr *e;
    enum expr_guess (*there)(void *to, uint16_t id);
    void *to;
};

/* leaf_has gives the flags of "the field is there". */
static unsigned leaf_has(const struct guessing *g, uint16_t leaf) {
    const struct leaf *l = &g->e->leaves[leaf];
    enum expr_guess there = l->expert ? EXPR_MAYBE : g->there(g->to, l->id);
    if (there == EXPR_NO) return MAY_FAIL;
    return there == EXPR_YES && !l->layers.count ? MAY_HOLD : BOTH;
}

/* after gives the flags an instruction may leave, reached with `flags`. */
static unsigned after(const struct guessing *g, const struct instr *i, unsigned flags) {
    switch (i->code) {
    case OP_HAS:
    case OP_COUNT: return leaf_has(g, i->leaf);
    case OP_NUMBER: return leaf_has(g, i->leaf) == MAY_FAIL ? MAY_FAIL : BOTH;
    case OP_EACH:
        for (uint16_t k = 0; k < i->leaves; k++) /* where a field has no value nothing relates */
            if (leaf_has(g, (uint16_t)(i->leaf + k)) == MAY_FAIL) return MAY_FAIL;
        return BOTH;
    case OP_NOT: return (flags & MAY_FAIL ? MAY_HOLD : 0) | (flags & MAY_HOLD ? MAY_FAIL : 0);
    case OP_IF: return flags & MAY_FAIL;
    case OP_UNLESS: return flags & MAY_HOLD;
    default: return BOTH; /* OP_BEST */
    }
}

enum expr_guess expr_guess(const struct expr *e, enum expr_guess (*there)(void *to, uint16_t id), void *to) {
    struct guessing g = {e, there, to};
    uint8_t *flags = calloc(e->n_code + 1, 1);
    unsigned end = 0;
    if (!flags) return EXPR_MAYBE;
    flags[0] = MAY_HOLD;
    for (uint32_t at = 0; at < e->n_code; at++) {
        const struct instr *i = &e->code[at];
        bool body = i->code == OP_EACH || i->code == OP_BEST;
        if (!flags[at]) continue;
        if (i->code == OP_END) end |= flags[at];
        if (i->code == OP_IF) flags[i->to] |= flags[at] & MAY_HOLD;
        if (i->code == OP_UNLESS) flags[i->to] |= flags[at] & MAY_FAIL;
        flags[body ? i->to : at + 1] |= (uint8_t)after(&g, i, flags[at]);
    }
    free(flags);
    return end == MAY_HOLD ? EXPR_YES : end == MAY_FAIL ? EXPR_NO : EXPR_MAYBE;
}
