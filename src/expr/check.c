/* SPDX-License-Identifier: Apache-2.0 */
/* What the words of a filter are and whether they fit together: words become fields or values, constants take the type
 * of what they are compared with, calculations with constants only are done. */
#include "expr/compile.h"

#include <stdlib.h>

static bool check_test(struct compiling *c, struct node *n);
static bool check_value(struct compiling *c, struct node *n);

static const char *const words[] = {
    [FT_NONE] = N_("label"),        [FT_PROTOCOL] = N_("byte string"),
    [FT_BOOL] = N_("boolean"),      [FT_DOUBLE] = N_("floating-point number"),
    [FT_ABSTIME] = N_("time"),      [FT_RELTIME] = N_("time span"),
    [FT_STRING] = N_("string"),     [FT_BYTES] = N_("byte string"),
    [FT_ETHER] = N_("MAC address"), [FT_EUI64] = N_("EUI-64 address"),
    [FT_IPV4] = N_("IPv4 address"), [FT_IPV6] = N_("IPv6 address"),
    [FT_GUID] = N_("GUID"),         [FT_OID] = N_("object identifier"),
};

const char *type_words(enum field_type type) {
    const char *w = type < sizeof words / sizeof *words ? words[type] : NULL;
    return w ? w : N_("number");
}

const char *relation_name(enum relation rel) {
    static const char *const names[] = {"==", "!=", "<", "<=", ">", ">=", "contains", "matches"};
    return rel < RELATIONS ? names[rel] : "?";
}

char arith_sign(enum arith op) { return op < ARITH_OPS ? "+-*/%&"[op] : '?'; }

bool node_is_bytes(enum field_type type) {
    return type == FT_BYTES || type == FT_ETHER || type == FT_EUI64 || type == FT_OID || type == FT_GUID;
}

static bool is_whole(enum field_type type) { return (type >= FT_UINT8 && type <= FT_INT64) || type == FT_FRAMENUM; }
static bool is_number(enum field_type t) { return is_whole(t) || t == FT_DOUBLE || t == FT_RELTIME; }

/* fits tells whether values of two types may be compared: as in Wireshark, a number with a boolean behind it, but no
 * boolean with a number. */
static bool fits(enum field_type a, enum field_type b) {
    if (is_whole(a)) return is_whole(b) || b == FT_BOOL;
    if (a == FT_GUID || b == FT_GUID) return a == b;
    if (node_is_bytes(a)) return node_is_bytes(b);
    return a == b;
}

static bool sliceable(enum field_type t) {
    return node_is_bytes(t) || t == FT_PROTOCOL || t == FT_STRING || t == FT_IPV4 || t == FT_IPV6;
}

uint16_t field_named(struct compiling *c, struct slice name) {
    static const struct { const char *old, *now; } renamed[] = {{"bootp", "dhcp"}, {"ssl", "tls"}};
    char text[128];
    uint16_t id = field_find(c->names, name);
    for (size_t i = 0; !id && i < sizeof renamed / sizeof *renamed; i++) {
        struct slice old = slice_str(renamed[i].old);
        if (!slice_starts(name, old) || (name.n > old.n && name.p[old.n] != '.') || name.n > 100) continue;
        struct writer w = wr_fixed(text, sizeof text);
        wr_s(&w, renamed[i].now);
        wr_slice(&w, slice_tail(name, old.n));
        id = field_find(c->names, wr_done(&w));
        if (id) warn(c, "%.*s is now called %s", (int)name.n, name.p, c->names->table->fields[id].name);
    }
    return id;
}

/* resolve_field makes a word a field where there is one of this name. A dot before it says that it is none but a field.
 */
static bool resolve_field(struct compiling *c, struct node *n) {
    if (n->kind == NODE_FIELD) return true;
    if (n->kind != NODE_WORD) return false;
    uint16_t id = field_named(c, n->text.n && n->text.p[0] == '.' ? slice_tail(n->text, 1) : n->text);
    if (!id) return false;
    n->kind = NODE_FIELD;
    n->id = id;
    n->field = &c->names->table->fields[id];
    n->type = n->field->type;
    return true;
}

static bool looks_like_name(struct slice s) {
    bool letter = false;
    for (size_t i = 0; i < s.n; i++) {
        uint8_t ch = letter_fold(s.p[i], FOLD_LOWER);
        letter |= (ch > 'f' && ch <= 'z') || ch == '_' || (i == 0 && ch >= 'a' && ch <= 'z');
        if (ch == ':') return false;
    }
    return letter;
}

/* no_field complains about something that should be a field. */
static bool no_field(struct compiling *c, const struct node *n) {
    uint16_t near[EXPR_NEAR_MAX];
    if (c->err) return false;
    if (n->kind != NODE_WORD || !looks_like_name(n->text))
        return fail(c, n->at, n->len, "a field or a protocol is expected here, not a value");
    fail(c, n->at, n->len, "there is no field or protocol '%.*s'", (int)(n->text.n < 80 ? n->text.n : 80), n->text.p);
    c->why->near_count = field_nearest(c->names, n->text, near, EXPR_NEAR_MAX);
    for (size_t i = 0; i < c->why->near_count; i++) c->why->near[i] = c->names->table->fields[near[i]].name;
    return false;
}

static bool is_plain(const struct node *n) {
    return n->kind == NODE_WORD || n->kind == NODE_STRING || n->kind == NODE_CHAR || n->kind == NODE_CONST;
}

/* typed finds a part of a calculation that has a type of its own, from the left; NULL: there are constants only. */
static struct node *typed(struct compiling *c, struct node *n) {
    if (n->kind == NODE_ARITH) {
        struct node *left = typed(c, n->a);
        return left ? left : typed(c, n->b);
    }
    if (n->kind == NODE_NEGATE) return typed(c, n->a);
    resolve_field(c, n);
    return is_plain(n) ? NULL : n;
}

static bool can_compute(enum arith op, enum field_type t) {
    if (is_whole(t)) return true;
    if (op == ARITH_AND) return t == FT_IPV4 || t == FT_IPV6 || node_is_bytes(t);
    if (t == FT_DOUBLE) return op != ARITH_MOD;
    return t == FT_RELTIME && op <= ARITH_SUB;
}

/* folded does a calculation whose parts are constants. */
static bool folded(struct compiling *c, struct node *n) {
    uint8_t *p = take(c, 256);
    struct scratch room = {p, p + 256};
    struct value out;
    if (!p) return false;
    bool done = n->kind == NODE_NEGATE ? value_negate(&n->a->value, &out)
                                       : value_compute((enum arith)n->op, &n->a->value, &n->b->value, &out, &room);
    if (!done) return fail(c, n->at, n->len, "this calculation has no result");
    n->kind = NODE_CONST;
    n->value = out;
    return true;
}

static bool resolve(struct compiling *c, struct node *n, enum field_type type, const struct field *names, bool partial);
static bool check_number_argument(struct compiling *c, struct node *call, enum field_type type);

static bool resolve_arith(struct compiling *c, struct node *n, enum field_type type) {
    struct node *own = typed(c, n);
    if (own && !check_value(c, own)) return false;
    if (own) type = (enum field_type)own->type;
    enum arith op = n->kind == NODE_NEGATE ? ARITH_SUB : (enum arith)n->op;
    struct node *blame = own ? own : n->a;
    if (!can_compute(op, type))
        return fail(c, blame->at, blame->len, "'%c' cannot be used with a %s", arith_sign(op), type_said(c, type));
    if (n->kind == NODE_NEGATE && !is_number(type))
        return fail(c, blame->at, blame->len, "a %s has no sign", type_said(c, type));
    for (struct node *part = n->a; part; part = part == n->a ? n->b : NULL)
        if (part->kind == NODE_STRING || part->kind == NODE_CHAR)
            return fail(c, part->at, part->len, "a calculation is done with numbers, not with what is quoted");
    if (!resolve(c, n->a, type, NULL, false) || (n->b && !resolve(c, n->b, type, NULL, false))) return false;
    for (struct node *part = n->a; part; part = part == n->a ? n->b : NULL)
        if (!fits(type, (enum field_type)part->type) || (part->type == FT_BOOL && type != FT_BOOL))
            return fail(c, part->at, part->len, "a %s and a %s cannot be put together", type_said(c, type),
                        type_said(c, (enum field_type)part->type));
    n->type = (uint8_t)type;
    if (n->a->kind == NODE_CONST && (!n->b || n->b->kind == NODE_CONST)) return folded(c, n);
    return true;
}

/* resolve gives a value its type: constants take that of `type`, with the value names of field `names`. */
static bool resolve(struct compiling *c, struct node *n, enum field_type type, const struct field *names,
                    bool partial) {
    if (n->kind == NODE_CONST) return true;
    if (n->kind == NODE_ARITH || n->kind == NODE_NEGATE) return resolve_arith(c, n, type);
    if (n->kind == NODE_CALL && n->op >= FUNC_ABS) return check_number_argument(c, n, type);
    if (n->kind == NODE_WORD && !resolve_field(c, n) && (n->spans.count || n->text.p[0] == '.')) return no_field(c, n);
    return is_plain(n) ? literal_make(c, n, type, names, partial) : check_value(c, n);
}

/* check_number_argument checks the arguments of abs, min and max. They have one type: that of the first one or, where
 * it is a constant, the `type` of what the call is compared with (FT_NONE: nothing yet). */
static bool check_number_argument(struct compiling *c, struct node *call, enum field_type type) {
    struct node *first = call->a, *own = typed(c, first);
    const char *name = funcs[call->op].name;
    if (own && !check_value(c, own)) return false;
    if (own) type = (enum field_type)own->type;
    else if (type == FT_NONE) return fail(c, first->at, first->len, "%s begins with a field or a function here", name);
    for (struct node *a = call->a; a; a = a->next) {
        if (a->kind == NODE_STRING || a->kind == NODE_CHAR || a->kind == NODE_SLICE)
            return fail(c, a->at, a->len, "%s takes fields and numbers, not %s", name,
                        a->kind == NODE_SLICE ? "slices" : "what is quoted");
        if (!resolve(c, a, type, NULL, false)) return false;
        if (a->type != type)
            return fail(c, a->at, a->len, "the arguments of %s have one type and one width: a %s does not go with a %s",
                        name, type_said(c, (enum field_type)a->type), type_said(c, type));
    }
    if (type == FT_NONE) return fail(c, first->at, first->len, "%s needs values, not a label", name);
    if (call->op == FUNC_ABS && !is_number(type) && type != FT_BOOL)
        return fail(c, first->at, first->len, "abs needs a number, not a %s", type_said(c, type));
    call->type = (uint8_t)type;
    return true;
}

/* string_works: types whose values string() turns into text. */
static bool string_works(enum field_type t) {
    return is_whole(t) || t == FT_ETHER || t == FT_EUI64 || t == FT_IPV4 || t == FT_IPV6 || t == FT_GUID ||
           t == FT_DOUBLE;
}

static bool check_field_argument(struct compiling *c, struct node *call) {
    struct node *arg = call->a;
    bool known = resolve_field(c, arg);
    if (!known && arg->kind == NODE_WORD && looks_like_name(arg->text)) return no_field(c, arg);
    if (!known) return fail(c, arg->at, arg->len, "%s needs a field", funcs[call->op].name);
    enum field_type t = (enum field_type)arg->type;
    if (call->op == FUNC_STRING && !string_works(t))
        return fail(c, arg->at, arg->len, "string does not work with a %s", type_said(c, t));
    if ((call->op == FUNC_UPPER || call->op == FUNC_LOWER) && t != FT_STRING)
        return fail(c, arg->at, arg->len, "%s needs a string, not a %s", funcs[call->op].name, type_said(c, t));
    if (call->op == FUNC_LEN && t == FT_NONE) return fail(c, arg->at, arg->len, "a %s has no length", type_said(c, t));
    bool number = call->op == FUNC_LEN || call->op == FUNC_COUNT;
    call->type = number ? FT_UINT32 : FT_STRING;
    return true;
}

static bool check_slice(struct compiling *c, struct node *n) {
    if (!resolve_field(c, n->a) && is_plain(n->a)) return no_field(c, n->a);
    if (!check_value(c, n->a)) return false;
    if (!sliceable((enum field_type)n->a->type))
        return fail(c, n->a->at, n->a->len, "a %s has no bytes to choose from",
                    type_said(c, (enum field_type)n->a->type));
    n->type = FT_BYTES;
    return true;
}

/* check_value checks something that has a type of its own. */
static bool check_value(struct compiling *c, struct node *n) {
    if (resolve_field(c, n)) return true;
    switch (n->kind) {
    case NODE_SLICE: return check_slice(c, n);
    case NODE_CALL: return n->op >= FUNC_ABS ? check_number_argument(c, n, FT_NONE) : check_field_argument(c, n);
    case NODE_ARITH:
    case NODE_NEGATE: return resolve_arith(c, n, FT_INT64);
    case NODE_BYTES:
    case NODE_CONST: return true;
    default: return no_field(c, n);
    }
}

static const struct node *leftmost(const struct node *n) {
    while (n->kind == NODE_ARITH || n->kind == NODE_NEGATE) n = n->a;
    return n;
}

/* check_left checks what stands left of a comparison: not a constant, nor a calculation that begins with one. */
static bool check_left(struct compiling *c, struct node *n) {
    const struct node *first = leftmost(n);
    struct node probe = *first;
    if (is_plain(first) && !resolve_field(c, &probe)) {
        if (first->kind == NODE_WORD && looks_like_name(first->text)) return no_field(c, first);
        return fail(c, first->at, first->len, "the left side of a comparison begins with a field or a function");
    }
    return check_value(c, n);
}

/* as_bytes makes *n plain bytes where the other side is a slice. */
static bool as_bytes(struct compiling *c, struct node **n) {
    struct node *wrap = (*n)->type == FT_BYTES ? *n : take(c, sizeof *wrap);
    if (!wrap) return false;
    if (wrap != *n)
        *wrap = (struct node){.kind = NODE_BYTES,
                              .type = FT_BYTES,
                              .at = (*n)->at,
                              .len = (*n)->len,
                              .a = *n,
                              .next = (*n)->next,
                              .depth = (*n)->depth};
    *n = wrap;
    return true;
}

static bool sides_meet(struct compiling *c, struct node **left, struct node **right) {
    enum field_type a = (enum field_type)(*left)->type, b = (enum field_type)(*right)->type;
    if (((*left)->kind == NODE_SLICE && sliceable(b)) || ((*right)->kind == NODE_SLICE && sliceable(a)))
        return as_bytes(c, left) && as_bytes(c, right);
    if (fits(a, b)) return true;
    return fail(c, (*right)->at, (*right)->len, "a %s cannot be compared with a %s", type_said(c, a), type_said(c, b));
}

static const struct field *names_of(const struct node *n) { return n->kind == NODE_FIELD ? n->field : NULL; }

static bool check_matches(struct compiling *c, struct node *n) {
    if (n->b->kind != NODE_STRING)
        return fail(c, n->b->at, n->b->len, "matches needs a regular expression in double quotes");
    n->b->value = (struct value){.kind = VAL_TEXT, .s = n->b->text};
    n->b->kind = NODE_CONST;
    return true;
}

static bool check_relation(struct compiling *c, struct node *n) {
    if (!check_left(c, n->a)) return false;
    enum field_type t = (enum field_type)n->a->type;
    bool bytes = n->op >= REL_CONTAINS;
    if (t == FT_NONE)
        return fail(c, n->a->at, n->a->len, "this field is a label without a value: it can only be there or not");
    if (bytes && (!sliceable(t) || t == FT_IPV4 || t == FT_IPV6))
        return fail(c, n->a->at, n->a->len, "'%s' works on strings and bytes, not on a %s",
                    relation_name((enum relation)n->op), type_said(c, t));
    if (n->op == REL_MATCHES) return check_matches(c, n);
    if (!resolve(c, n->b, t, names_of(n->a), bytes)) return false;
    if (n->b->kind == NODE_CONST) return true;
    return sides_meet(c, &n->a, &n->b);
}

static bool check_member(struct compiling *c, struct node *in, struct node **m) {
    if (!resolve(c, *m, (enum field_type)in->a->type, names_of(in->a), false)) return false;
    return (*m)->kind == NODE_CONST || sides_meet(c, &in->a, m);
}

static bool check_in(struct compiling *c, struct node *n) {
    if (is_plain(n->a) && !resolve_field(c, n->a) && !(n->a->kind == NODE_WORD && looks_like_name(n->a->text)))
        return fail(c, n->a->at, n->a->len, "only a field can be in a set or not");
    if (!check_left(c, n->a)) return false;
    if (n->a->type == FT_NONE)
        return fail(c, n->a->at, n->a->len, "this field is a label without a value: it can only be there or not");
    for (struct node **m = &n->b; *m; m = &(*m)->next) {
        struct node *r = *m;
        bool fine =
            r->kind == NODE_RANGE ? check_member(c, n, &r->a) && check_member(c, n, &r->b) : check_member(c, n, m);
        if (!fine) return false;
    }
    return true;
}

static bool check_exists(struct compiling *c, struct node *n) {
    struct node *v = n->a;
    if (v->kind == NODE_CALL)
        return fail(c, v->at, v->len, "the result of a function is always there: compare it with something");
    if (v->kind == NODE_ARITH || v->kind == NODE_NEGATE) return check_left(c, v);
    return check_value(c, v);
}

static bool check_list(struct compiling *c, struct node *n) {
    for (struct node *part = n->a; part; part = part->next)
        if (!check_test(c, part)) return false;
    return true;
}

static bool check_test(struct compiling *c, struct node *n) {
    switch (n->kind) {
    case NODE_AND:
    case NODE_OR: return check_list(c, n);
    case NODE_NOT: return check_test(c, n->a);
    case NODE_RELATION: return check_relation(c, n);
    case NODE_IN: return check_in(c, n);
    default: return check_exists(c, n);
    }
}

bool check_filter(struct compiling *c, struct node *n) { return check_test(c, n) && !c->err; }
