/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_EXPR_PROGRAM_H
#define WEIR_EXPR_PROGRAM_H

#include "expr/compile.h"

/* The program a filter becomes, and its limits. */

enum {
    EXPR_REGISTERS = 64,
    EXPR_LEAVES = 16,         /* fields of one comparison */
    EXPR_CODE_MAX = 60000,    /* instructions */
    EXPR_SCRATCH = 64 * 1024, /* bytes made while one combination of values is looked at */
    EXPR_STEPS =
        1 << 22, /* entries of the list, and blocks of 64 bytes, looked at for a comparison of several fields */
    OPERAND_CONST = 0x8000, /* an operand with this bit is a constant */
};

enum op_code {
#define OP(code, word, operands, what) OP_##code,
#include "expr/ops.def"
#undef OP
    OP_COUNT_
};

struct instr {
    uint8_t code; /* enum op_code */
    uint8_t op;   /* relation, calculation or function */
    uint8_t quant;
    uint8_t dst;
    uint16_t a, b; /* register, or constant with OPERAND_CONST; b also: leaf, spans, set or regex */
    uint16_t leaf, leaves;
    uint32_t to;
};

/* leaf is a field as a comparison reads it. */
struct leaf {
    const struct field *field;
    uint16_t id;
    bool expert;         /* every anomaly has a value of it: _ws.expert and its fields */
    struct spans layers; /* none: all */
};

struct member {
    struct value low, high; /* the same for a single value */
};

struct set {
    const struct member *list;
    uint32_t count;
};

struct regex;
/* regex_make compiles a pattern; NULL with a reason in c. regex_free is regex_make's undoing. */
struct regex *regex_make(struct compiling *c, const struct node *n);
void regex_free(struct regex *r);
/* regex_matches looks for the pattern; false too where its limits end the search, which *given_up counts. */
bool regex_matches(const struct regex *r, const struct value *v, unsigned *given_up);
struct slice regex_text(const struct regex *r);

struct expr {
    struct arena arena; /* everything but the regexes */
    uint64_t *unsure;   /* packets that were not decided within the limits; threads share it */
    struct want want;
    struct instr *code;
    struct leaf *leaves;
    struct value *consts;
    struct spans *spans;
    struct set *sets;
    struct regex **regexes;
    uint32_t n_code, n_leaves, n_consts, n_spans, n_sets, n_regexes;
    const char *warnings[COMPILE_WARNINGS];
    size_t n_warnings;
};

/* emit_filter writes the program of a checked tree (NULL: matches everything); false after an error. */
bool emit_filter(struct compiling *c, struct node *n, struct expr *e);

#endif
