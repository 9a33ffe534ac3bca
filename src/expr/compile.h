/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_EXPR_COMPILE_H
#define WEIR_EXPR_COMPILE_H

#include "base/arena.h"
#include "expr/expr.h"
#include "expr/value.h"

/* What the steps of compiling share: text -> tokens (lex) -> tree (parse) -> tree with types and values (check) ->
 * program (emit). Everything lives in one arena, which becomes the program's. */

enum { COMPILE_ARENA = 16 << 20, COMPILE_WARNINGS = 8, SPANS_MAX = 32 };

/* span is a part of a slice or of a layer choice: [first:n], [first-last], [first], [first:]. Negative places count
 * from the end. */
struct span {
    int32_t first;
    int32_t n; /* 0: to the end */
};

/* spans is a list of them. */
struct spans {
    const struct span *list;
    uint16_t count;
};

enum token_kind {
    TOK_END,
    TOK_WORD,     /* a name, a number, an address ...: text */
    TOK_STRING,   /* text, after escapes */
    TOK_CHAR,     /* text of one byte */
    TOK_SPANS,    /* "[...]" */
    TOK_LAYERS,   /* "#3", "#[1-2]" */
    TOK_RELATION, /* op: enum relation, quant */
    TOK_ARITH,    /* op: enum arith */
    TOK_AND,
    TOK_OR,
    TOK_NOT,
    TOK_IN,
    TOK_ANY,
    TOK_ALL,
    TOK_OPEN,
    TOK_CLOSE,
    TOK_BRACE,
    TOK_UNBRACE,
    TOK_COMMA,
    TOK_DOTS, /* ".." */
};

enum quant { QUANT_ANY, QUANT_ALL };

struct token {
    uint8_t kind, op, quant;
    bool quant_said; /* the operator itself says any or all, as `!==` */
    uint32_t at, len;
    struct slice text;
    struct spans spans;
};

enum node_kind {
    NODE_WORD, /* not yet a field or a value */
    NODE_STRING,
    NODE_CHAR,
    NODE_FIELD,
    NODE_CONST,
    NODE_SLICE, /* spans of child a */
    NODE_CALL,  /* func, arguments from a on by next */
    NODE_ARITH, /* op, a, b */
    NODE_NEGATE,
    NODE_BYTES,    /* a as plain bytes */
    NODE_RELATION, /* op, quant, a, b */
    NODE_IN,       /* a, quant, members from b on by next */
    NODE_RANGE,    /* member of a set: a to b */
    NODE_EXISTS,   /* a has a value */
    NODE_NOT,
    NODE_AND, /* parts from a on by next */
    NODE_OR,
};

enum func { FUNC_LEN, FUNC_UPPER, FUNC_LOWER, FUNC_COUNT, FUNC_STRING, FUNC_ABS, FUNC_MIN, FUNC_MAX, FUNC_COUNT_ };

struct node {
    uint8_t kind, op, quant;
    uint8_t type; /* enum field_type, once checked */
    uint16_t id;  /* NODE_FIELD */
    uint16_t depth;
    uint32_t at, len;
    struct slice text;
    struct spans spans;        /* of a slice; of a field: its layers */
    const struct field *field; /* NODE_FIELD, and what gives names to values */
    struct node *a, *b, *next;
    struct value value; /* NODE_CONST */
};

/* compiling is one run of the compiler. */
struct compiling {
    say_fn *say; /* of messages; NULL: English */
    struct slice text;
    const struct field_index *names;
    struct expr_error *why;
    struct arena arena;
    int err;           /* first error, sticky */
    uint32_t at;       /* lexer: next byte */
    struct token now;  /* parser: the token looked at */
    uint32_t last_end; /* parser: end of the token before */
    unsigned depth;
    const char *warnings[COMPILE_WARNINGS];
    size_t n_warnings;
};

/* fail notes the first error: bytes at to at + len, and a sentence. It returns NULL. */
void *fail(struct compiling *c, uint32_t at, uint32_t len, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void *fail_code(struct compiling *c, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* warn notes a remark. */
void warn(struct compiling *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* take returns n cleared bytes of the arena; NULL after an error. */
void *take(struct compiling *c, size_t n);

/* lex_next reads the next token into c->now. */
void lex_next(struct compiling *c);

/* parse_filter returns the tree; NULL: an empty filter, or an error. */
struct node *parse_filter(struct compiling *c);

/* check_filter resolves names and constants and checks types; false after an error. */
bool check_filter(struct compiling *c, struct node *n);
/* field_named returns the id of a field by its present or a former name, or 0. */
uint16_t field_named(struct compiling *c, struct slice name);
bool node_is_bytes(enum field_type type);

/* literal_make turns the text of a NODE_WORD, NODE_STRING or NODE_CHAR into a value of a type; false after an error.
 * `field` gives names of values, or is NULL; partial: fewer bytes than an address has will do. */
bool literal_make(struct compiling *c, struct node *n, enum field_type type, const struct field *field, bool partial);
/* literal_time reads a point in time; NULL, or why it is none. */
const char *literal_time(struct slice text, __int128 *ns);
/* literal_span reads seconds with up to nine decimals and returns how many bytes it took: what follows decimals does
 * not count, as in Wireshark 4.0; 0 where it is none. */
size_t literal_span(struct slice text, __int128 *ns);

struct func_info {
    const char *name;
    uint8_t least, most; /* arguments */
};
extern const struct func_info funcs[FUNC_COUNT_];
const char *relation_name(enum relation rel);
char arith_sign(enum arith op);
/* type_words says what a type is, for messages; type_said does so in the words of the messages. */
const char *type_words(enum field_type type);
static inline const char *type_said(const struct compiling *c, enum field_type type) {
    return say_by(c->say, type_words(type));
}

#endif
