/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens to a tree, by recursive descent; weakest first: or, and, not, comparison, &, + -, * / %, unary minus, [slice].
 * Round brackets hold tests, curly ones calculations and sets. Depth is limited: brackets inside each other count, and
 * so does every operator of a calculation. */
#include "expr/compile.h"

const struct func_info funcs[] = {
    [FUNC_LEN] = {"len", 1, 1},     [FUNC_UPPER] = {"upper", 1, 1},   [FUNC_LOWER] = {"lower", 1, 1},
    [FUNC_COUNT] = {"count", 1, 1}, [FUNC_STRING] = {"string", 1, 1}, [FUNC_ABS] = {"abs", 1, 1},
    [FUNC_MIN] = {"min", 1, 16},    [FUNC_MAX] = {"max", 1, 16},
};

static struct node *parse_or(struct compiling *c);
static struct node *parse_value(struct compiling *c);

static struct node *node_new(struct compiling *c, enum node_kind kind, uint32_t at, uint32_t end) {
    struct node *n = take(c, sizeof *n);
    if (!n) return NULL;
    n->kind = (uint8_t)kind;
    n->at = at;
    n->len = end - at;
    n->depth = 1;
    return n;
}

static struct node *unexpected(struct compiling *c, const char *wanted) {
    const struct token *t = &c->now;
    if (c->err) return NULL;
    if (t->kind == TOK_END) return fail(c, t->at, 1, "the filter ends where %s is expected", say_by(c->say, wanted));
    return fail(c, t->at, t->len, "%s is expected here", say_by(c->say, wanted));
}

static bool eat(struct compiling *c, enum token_kind kind) {
    if (c->now.kind != kind || c->err) return false;
    lex_next(c);
    return true;
}

static bool enter(struct compiling *c) {
    if (++c->depth > EXPR_DEPTH_MAX)
        fail(c, c->now.at, c->now.len, "more than %d levels inside each other", EXPR_DEPTH_MAX);
    return !c->err;
}

/* join makes a node of one or two others. */
static struct node *join(struct compiling *c, enum node_kind kind, struct node *a, struct node *b) {
    if (!a || c->err) return NULL;
    struct node *n = node_new(c, kind, a->at, b ? b->at + b->len : a->at + a->len);
    if (!n) return NULL;
    n->a = a;
    n->b = b;
    n->depth = (uint16_t)(1 + (b && b->depth > a->depth ? b->depth : a->depth));
    if (n->depth > EXPR_DEPTH_MAX)
        return fail(c, n->at, n->len, "more than %d levels inside each other", EXPR_DEPTH_MAX);
    return n;
}

static struct node *parse_call(struct compiling *c, struct node *name) {
    int f = 0;
    while (f < FUNC_COUNT_ && !slice_eq(name->text, slice_str(funcs[f].name))) f++;
    if (f == FUNC_COUNT_)
        return fail(c, name->at, name->len,
                    "there is no such function; there are len upper lower count string abs min max");
    name->kind = NODE_CALL;
    name->op = (uint8_t)f;
    struct node **to = &name->a;
    unsigned n = 0;
    lex_next(c);
    if (!enter(c)) return NULL;
    while (!c->err && c->now.kind != TOK_CLOSE) {
        if (n++ && !eat(c, TOK_COMMA)) return unexpected(c, "a comma or )");
        *to = parse_value(c);
        if (!*to) return NULL;
        if ((*to)->depth >= name->depth) name->depth = (uint16_t)((*to)->depth + 1);
        to = &(*to)->next;
    }
    c->depth--;
    if (!eat(c, TOK_CLOSE)) return unexpected(c, ")");
    if (n < funcs[f].least || n > funcs[f].most)
        return fail(c, name->at, name->len, "%s takes %s", funcs[f].name,
                    say_by(c->say, funcs[f].most == 1 ? N_("one argument") : N_("one argument to 16")));
    name->len = c->last_end - name->at;
    return name;
}

/* parse_slices reads what stands in [] behind a value. */
static struct node *parse_slices(struct compiling *c, struct node *n) {
    while (n && c->now.kind == TOK_SPANS && !c->err) {
        struct node *slice = join(c, NODE_SLICE, n, NULL);
        if (!slice) return NULL;
        slice->spans = c->now.spans;
        lex_next(c);
        slice->len = c->last_end - slice->at;
        n = slice;
    }
    return n;
}

static struct node *parse_word(struct compiling *c) {
    struct node *n = node_new(c, NODE_WORD, c->now.at, c->now.at + c->now.len);
    if (!n) return NULL;
    n->text = c->now.text;
    lex_next(c);
    if (c->now.kind == TOK_OPEN && c->now.at == c->last_end) return parse_call(c, n);
    if (c->now.kind == TOK_LAYERS) {
        n->spans = c->now.spans;
        lex_next(c);
        n->len = c->last_end - n->at;
    }
    return n;
}

static struct node *parse_text(struct compiling *c, enum node_kind kind) {
    struct node *n = node_new(c, kind, c->now.at, c->now.at + c->now.len);
    if (n) n->text = c->now.text;
    lex_next(c);
    return n;
}

static struct node *parse_atom(struct compiling *c) {
    struct node *n;
    switch (c->now.kind) {
    case TOK_WORD: return parse_slices(c, parse_word(c));
    case TOK_STRING: return parse_text(c, NODE_STRING);
    case TOK_CHAR: return parse_text(c, NODE_CHAR);
    case TOK_BRACE:
        lex_next(c);
        if (!enter(c)) return NULL;
        n = parse_value(c);
        c->depth--;
        if (n && !eat(c, TOK_UNBRACE)) return unexpected(c, "}");
        return n;
    case TOK_OPEN:
        return fail(c, c->now.at, c->now.len, "round brackets hold tests; a calculation is grouped with { }");
    default: return unexpected(c, "a field, a value or a test");
    }
}

static struct node *parse_unary(struct compiling *c) {
    bool minus = c->now.kind == TOK_ARITH && c->now.op == ARITH_SUB,
         plus = c->now.kind == TOK_ARITH && c->now.op == ARITH_ADD;
    uint32_t at = c->now.at;
    if (!minus && !plus) return parse_atom(c);
    lex_next(c);
    if (!enter(c)) return NULL;
    struct node *n = parse_unary(c);
    c->depth--;
    if (!minus || !n) return n;
    n = join(c, NODE_NEGATE, n, NULL);
    if (n) {
        n->len += n->at - at;
        n->at = at;
    }
    return n;
}

static unsigned binding(enum arith op) { return op == ARITH_AND ? 1 : op <= ARITH_SUB ? 2 : 3; }

/* parse_arith reads operators that bind at least as strongly as `level`, left first. */
static struct node *parse_arith(struct compiling *c, unsigned level) {
    struct node *n = level > 3 ? parse_unary(c) : parse_arith(c, level + 1);
    while (n && !c->err && level <= 3 && c->now.kind == TOK_ARITH && binding((enum arith)c->now.op) == level) {
        uint8_t op = c->now.op;
        lex_next(c);
        struct node *right = parse_arith(c, level + 1);
        n = right ? join(c, NODE_ARITH, n, right) : NULL;
        if (n) n->op = op;
    }
    return n;
}

static struct node *parse_value(struct compiling *c) { return parse_arith(c, 1); }

/* parse_member reads a member of a set: nothing is calculated there but a sign, and no bytes are chosen. */
static struct node *parse_member(struct compiling *c) {
    if (c->now.kind == TOK_BRACE) return unexpected(c, "a field or a value");
    struct node *n = parse_unary(c);
    if (n && n->kind == NODE_SLICE) return fail(c, n->at, n->len, "a slice cannot be a member of a set");
    return n;
}

/* parse_set reads "{a, b..c}" into in->b and those behind it. */
static struct node *parse_set(struct compiling *c, struct node *in) {
    struct node **to = &in->b;
    if (!eat(c, TOK_BRACE)) return unexpected(c, "a set in { }");
    do {
        struct node *member = parse_member(c);
        if (member && eat(c, TOK_DOTS)) {
            struct node *high = parse_member(c);
            member = high ? join(c, NODE_RANGE, member, high) : NULL;
        }
        if (!member) return NULL;
        *to = member;
        to = &member->next;
    } while (eat(c, TOK_COMMA));
    if (!eat(c, TOK_UNBRACE)) return unexpected(c, "a comma or }");
    in->len = c->last_end - in->at;
    return in;
}

static struct node *negate(struct compiling *c, struct node *n) { return n ? join(c, NODE_NOT, n, NULL) : NULL; }

static struct node *parse_in(struct compiling *c, struct node *left, int quant) {
    if (left->kind != NODE_WORD && left->kind != NODE_STRING && left->kind != NODE_CHAR)
        return fail(c, left->at, left->len, "only a field can be in a set or not");
    bool inverted = eat(c, TOK_NOT);
    if (!eat(c, TOK_IN)) return unexpected(c, "in");
    struct node *in = join(c, NODE_IN, left, NULL);
    if (!in) return NULL;
    in->quant = quant < 0 ? QUANT_ANY : (uint8_t)quant;
    in = parse_set(c, in);
    return inverted ? negate(c, in) : in;
}

/* parse_chain reads "a < b <= c", which means "a < b and b <= c". */
static struct node *parse_chain(struct compiling *c, struct node *left, int quant) {
    struct node *first = NULL, **to = &first;
    unsigned n = 0;
    while (!c->err && c->now.kind == TOK_RELATION) {
        struct token t = c->now;
        if (quant >= 0 && t.quant_said) return fail(c, t.at, t.len, "this operator says any or all itself");
        bool search = t.op == REL_CONTAINS || t.op == REL_MATCHES;
        if (search && (left->kind == NODE_ARITH || left->kind == NODE_NEGATE || first))
            return fail(c, t.at, t.len, "%s stands behind a field, a slice or a function",
                        relation_name((enum relation)t.op));
        lex_next(c);
        if (search && (c->now.kind == TOK_BRACE || c->now.kind == TOK_ARITH))
            return unexpected(c, "a field or a value");
        struct node *right = search ? parse_atom(c) : parse_value(c), *copy = right ? take(c, sizeof *copy) : NULL;
        struct node *rel = copy ? join(c, NODE_RELATION, left, right) : NULL;
        if (!rel) return NULL;
        rel->op = t.op;
        rel->quant = quant < 0 ? t.quant : (uint8_t)quant;
        *to = rel;
        to = &rel->next;
        *copy = *right; /* each comparison gives its operands types of its own */
        left = copy;
        n++;
    }
    if (n < 2) return first;
    struct node *all = join(c, NODE_AND, first, NULL);
    return all;
}

static struct node *parse_test(struct compiling *c) {
    int quant = c->now.kind == TOK_ANY ? QUANT_ANY : c->now.kind == TOK_ALL ? QUANT_ALL : -1;
    if (quant >= 0) lex_next(c);
    struct node *left = parse_value(c);
    if (!left || c->err) return NULL;
    if (c->now.kind == TOK_IN || c->now.kind == TOK_NOT) return parse_in(c, left, quant);
    if (c->now.kind == TOK_RELATION) return parse_chain(c, left, quant);
    if (quant >= 0) return unexpected(c, "a comparison");
    return join(c, NODE_EXISTS, left, NULL);
}

static struct node *parse_not(struct compiling *c) {
    struct node *n;
    if (c->now.kind != TOK_NOT && c->now.kind != TOK_OPEN) return parse_test(c);
    bool inverted = c->now.kind == TOK_NOT;
    lex_next(c);
    if (!enter(c)) return NULL;
    n = inverted ? negate(c, parse_not(c)) : parse_or(c);
    c->depth--;
    if (!n || c->err) return NULL;
    if (!inverted && !eat(c, TOK_CLOSE)) return unexpected(c, ")");
    if (!inverted && (c->now.kind == TOK_RELATION || c->now.kind == TOK_ARITH || c->now.kind == TOK_IN))
        return fail(c, c->now.at, c->now.len, "round brackets hold tests; a calculation is grouped with { }");
    return n;
}

static struct node *parse_list(struct compiling *c, enum token_kind by, enum node_kind kind,
                               struct node *(*part)(struct compiling *)) {
    struct node *first = part(c), *all = NULL, **to = NULL;
    while (first && !c->err && c->now.kind == by) {
        lex_next(c);
        struct node *next = part(c);
        if (!next) return NULL;
        if (!all) {
            all = join(c, kind, first, NULL);
            if (!all) return NULL;
            to = &first->next;
        }
        *to = next;
        to = &next->next;
        if (next->depth >= all->depth) all->depth = (uint16_t)(next->depth + 1);
    }
    return c->err ? NULL : all ? all : first;
}

static struct node *parse_and(struct compiling *c) { return parse_list(c, TOK_AND, NODE_AND, parse_not); }
static struct node *parse_or(struct compiling *c) { return parse_list(c, TOK_OR, NODE_OR, parse_and); }

struct node *parse_filter(struct compiling *c) {
    lex_next(c);
    if (c->err || c->now.kind == TOK_END) return NULL;
    struct node *n = parse_or(c);
    if (!c->err && c->now.kind == TOK_CLOSE)
        return fail(c, c->now.at, c->now.len, "there is no ( that belongs to this )");
    if (!c->err && c->now.kind != TOK_END) return unexpected(c, "and, or, or the end");
    return c->err ? NULL : n;
}
