/* SPDX-License-Identifier: Apache-2.0 */
/* The tree to a program. A comparison becomes: what has to be known before (`count`, `best`), then `each` with the
 * fields it reads, then the calculation of both sides, which ends in a relation. Tables grow by doubling inside the
 * arena. */
#include "expr/program.h"
#include "proto/fields.h"

/* emitting is what emit_* write to. */
struct emitting {
    struct compiling *c;
    struct expr *e;
    uint32_t cap_code, cap_leaves, cap_consts, cap_spans, cap_sets, cap_regexes;
    unsigned registers; /* in use */
    struct instr lost;  /* written to after an error */
};

/* grow makes room for one more in a table; false after an error. */
static bool grow(struct emitting *m, void **table, uint32_t n, uint32_t *cap, size_t size, uint32_t most) {
    if (n >= most) return fail_code(m->c, ERR_LIMIT, "the filter is too long");
    if (n < *cap) return true;
    uint32_t want = *cap ? *cap * 2 : 16;
    void *more = take(m->c, want * size);
    if (!more) return false;
    if (n) memcpy(more, *table, n * size);
    *table = more;
    *cap = want;
    return true;
}
#define GROW(m, what, most)                                                                                            \
    grow(m, (void **)&(m)->e->what, (m)->e->n_##what, &(m)->cap_##what, sizeof *(m)->e->what, most)

static struct instr *put(struct emitting *m, enum op_code code) {
    if (m->c->err || !GROW(m, code, EXPR_CODE_MAX)) return &m->lost;
    struct instr *i = &m->e->code[m->e->n_code++];
    i->code = (uint8_t)code;
    return i;
}

static uint16_t constant(struct emitting *m, const struct value *v) {
    if (!GROW(m, consts, 0x7fff)) return 0;
    m->e->consts[m->e->n_consts] = *v;
    return (uint16_t)(OPERAND_CONST | m->e->n_consts++);
}

static uint8_t fresh(struct emitting *m) {
    if (m->registers >= EXPR_REGISTERS) fail_code(m->c, ERR_LIMIT, "a comparison has too many parts");
    return (uint8_t)(m->registers < EXPR_REGISTERS ? m->registers++ : 0);
}

/* expert_want adds what an item of _ws.expert may come of; its message is put together of any fields. */
static void expert_want(struct emitting *m, uint16_t id) {
    const struct field_table *table = m->c->names->table;
    if (id == FID_WS_EXPERT_MESSAGE) want_all(&m->e->want);
    for (size_t i = 1; i < table->count; i++)
        if (table->fields[i].severity) want_add(&m->e->want, (uint16_t)i);
}

static uint16_t leaf_put(struct emitting *m, const struct node *n) {
    if (!GROW(m, leaves, 0xfff0)) return 0;
    bool expert = n->id >= FID_WS_EXPERT && n->id < FID_WS_EXPERT_END;
    m->e->leaves[m->e->n_leaves] = (struct leaf){.field = n->field, .id = n->id, .expert = expert, .layers = n->spans};
    want_add(&m->e->want, n->id);
    if (expert) expert_want(m, n->id);
    return (uint16_t)m->e->n_leaves++;
}

static uint16_t spans_put(struct emitting *m, struct spans s) {
    if (!GROW(m, spans, 0xfff0)) return 0;
    m->e->spans[m->e->n_spans] = s;
    return (uint16_t)m->e->n_spans++;
}

static bool is_aggregate(const struct node *n) {
    return n->kind == NODE_CALL && (n->op == FUNC_COUNT || n->op == FUNC_MIN || n->op == FUNC_MAX);
}

static uint16_t value(struct emitting *m, struct node *n);

/* is_wide tells whether numbers of a type have more than 32 bits. */
static bool is_wide(enum field_type type) { return (type >= FT_UINT40 && type <= FT_UINT64) || type == FT_INT64; }

static uint16_t unary(struct emitting *m, enum op_code code, struct node *n) {
    uint16_t a = value(m, n->a);
    uint8_t dst = fresh(m);
    struct instr *i = put(m, code);
    i->op = is_wide((enum field_type)n->type);
    i->dst = dst;
    i->a = a;
    return dst;
}

/* length: numbers have that of their type, all others their own. */
static uint16_t length(struct emitting *m, struct node *n) {
    const struct node *arg = n->a;
    enum field_type t = (enum field_type)arg->type;
    bool own = node_is_bytes(t) || t == FT_STRING || t == FT_PROTOCOL || t == FT_IPV6;
    if (own) return unary(m, OP_LEN, n);
    uint16_t a = value(m, n->a); /* one for each value */
    uint8_t dst = fresh(m);
    struct instr *i = put(m, OP_WIDTH);
    i->dst = dst;
    i->leaf = m->e->n_leaves ? (uint16_t)(m->e->n_leaves - 1) : 0;
    (void)a;
    return dst;
}

static uint16_t call(struct emitting *m, struct node *n) {
    uint16_t r;
    switch (n->op) {
    case FUNC_LEN: return length(m, n);
    case FUNC_UPPER: return unary(m, OP_UPPER, n);
    case FUNC_LOWER: return unary(m, OP_LOWER, n);
    case FUNC_ABS: return unary(m, OP_ABS, n);
    case FUNC_STRING:
        r = unary(m, OP_STRING, n);
        m->e->code[m->e->n_code ? m->e->n_code - 1 : 0].leaf = (uint16_t)(m->e->n_leaves - 1);
        return r;
    default: return n->id; /* computed before */
    }
}

/* value writes the instructions that compute n for the present combination and returns where it will be. */
static uint16_t value(struct emitting *m, struct node *n) {
    uint16_t a, b;
    uint8_t dst;
    struct instr *i;
    if (m->c->err) return 0;
    switch (n->kind) {
    case NODE_CONST: return constant(m, &n->value);
    case NODE_FIELD:
        b = leaf_put(m, n);
        dst = fresh(m);
        i = put(m, OP_LOAD);
        i->dst = dst;
        i->leaf = b;
        return dst;
    case NODE_SLICE:
        a = unary(m, OP_SLICE, n);
        if (!m->c->err) m->e->code[m->e->n_code - 1].b = spans_put(m, n->spans);
        return a;
    case NODE_BYTES: return unary(m, OP_BYTES, n);
    case NODE_NEGATE: return unary(m, OP_NEGATE, n);
    case NODE_CALL: return call(m, n);
    default:
        a = value(m, n->a);
        b = value(m, n->b);
        dst = fresh(m);
        i = put(m, OP_COMPUTE);
        i->op = n->op;
        i->quant = is_wide((enum field_type)n->type);
        i->dst = dst;
        i->a = a;
        i->b = b;
        return dst;
    }
}

/* loop begins `each` or `best`; loop_end fills in its leaves and target. */
static uint32_t loop(struct emitting *m, enum op_code code) {
    struct instr *i = put(m, code);
    i->leaf = (uint16_t)m->e->n_leaves;
    return m->e->n_code - 1;
}

static void loop_end(struct emitting *m, uint32_t at) {
    if (m->c->err) return;
    struct instr *i = &m->e->code[at];
    uint32_t leaves = m->e->n_leaves - i->leaf;
    if (leaves > EXPR_LEAVES) fail_code(m->c, ERR_LIMIT, "a comparison has more than %d fields", EXPR_LEAVES);
    i->leaves = (uint16_t)leaves;
    i->to = m->e->n_code;
}

/* jump leaves its target open; land sets it to here. */
static uint32_t jump(struct emitting *m, enum op_code code) {
    put(m, code);
    return m->e->n_code - 1;
}

static void land(struct emitting *m, uint32_t at) {
    if (!m->c->err) m->e->code[at].to = m->e->n_code;
}

/* chained puts a jump into a list of jumps to the same place, held together by their targets; chain_land sets them all
 * to here. */
static uint32_t chained(struct emitting *m, uint32_t at, uint32_t chain) {
    if (!m->c->err) m->e->code[at].to = chain;
    return at;
}

static void chain_land(struct emitting *m, uint32_t chain) {
    while (!m->c->err && chain != UINT32_MAX) {
        uint32_t next = m->e->code[chain].to;
        land(m, chain);
        chain = next;
    }
}

enum { EARLY_MAX = 64 };

/* early is the jumps out of a comparison that cannot hold since something has no value. */
struct early {
    uint32_t at[EARLY_MAX];
    unsigned n;
};

static void early_put(struct emitting *m, struct early *out) {
    if (out->n >= EARLY_MAX) fail_code(m->c, ERR_LIMIT, "a comparison has too many parts");
    else out->at[out->n++] = jump(m, OP_UNLESS);
}

static void aggregates(struct emitting *m, struct node *n, struct early *out);

static void best(struct emitting *m, struct node *n, struct early *out) {
    for (struct node *arg = n->a; arg; arg = arg->next) aggregates(m, arg, out);
    n->id = fresh(m);
    for (struct node *arg = n->a; arg && !m->c->err; arg = arg->next) {
        unsigned before = m->registers;
        uint32_t at = loop(m, OP_BEST);
        uint16_t a = value(m, arg);
        put(m, OP_TAKE)->a = a;
        loop_end(m, at);
        if (m->c->err) return;
        m->e->code[at].dst = (uint8_t)n->id;
        m->e->code[at].op = n->op;
        m->e->code[at].quant = arg != n->a; /* goes on with what is there */
        m->registers = before;
    }
    early_put(m, out);
}

/* aggregates computes the functions over all values inside n. */
static void aggregates(struct emitting *m, struct node *n, struct early *out) {
    if (!n || m->c->err) return;
    if (!is_aggregate(n)) {
        aggregates(m, n->a, out);
        if (n->kind == NODE_CALL) return;
        for (struct node *b = n->b; b; b = b->next) aggregates(m, b, out);
        return;
    }
    if (n->op != FUNC_COUNT) {
        best(m, n, out);
        return;
    }
    n->id = fresh(m);
    uint16_t leaf = leaf_put(m, n->a);
    struct instr *i = put(m, OP_COUNT);
    i->dst = (uint8_t)n->id;
    i->leaf = leaf;
    early_put(m, out);
}

static void early_land(struct emitting *m, const struct early *out) {
    for (unsigned i = 0; i < out->n; i++) land(m, out->at[i]);
}

/* relation ends the body of `each`: a member of a set, a regular expression, or two sides. */
static void relation_end(struct emitting *m, struct node *n) {
    uint16_t a = value(m, n->a), b = 0;
    enum op_code code = n->op == REL_MATCHES ? OP_MATCH : OP_RELATE;
    if (code == OP_MATCH && GROW(m, regexes, 0x7fff)) {
        struct regex *r = regex_make(m->c, n->b);
        b = (uint16_t)m->e->n_regexes;
        if (r) m->e->regexes[m->e->n_regexes++] = r;
    } else if (code == OP_RELATE) {
        b = value(m, n->b);
    }
    struct instr *i = put(m, code);
    i->op = n->op;
    i->a = a;
    i->b = b;
}

/* quick writes a comparison of one field's whole numbers with a constant; false where it is something else. */
static bool quick(struct emitting *m, const struct node *n) {
    if (n->a->kind != NODE_FIELD || n->a->spans.count || n->b->kind != NODE_CONST || n->b->value.kind != VAL_UINT ||
        n->op > REL_GE || value_kind_of((enum field_type)n->a->type) != VAL_UINT || n->a->type == FT_BOOL ||
        (n->a->id >= FID_WS_EXPERT && n->a->id < FID_WS_EXPERT_END))
        return false;
    uint16_t b = constant(m, &n->b->value), leaf = leaf_put(m, n->a);
    struct instr *i = put(m, OP_NUMBER);
    i->op = n->op;
    i->quant = n->quant;
    i->a = b;
    i->leaf = leaf;
    return true;
}

static void relation(struct emitting *m, struct node *n) {
    struct early out = {.n = 0};
    m->registers = 0;
    if (quick(m, n)) return;
    aggregates(m, n->a, &out);
    aggregates(m, n->b, &out);
    uint32_t at = loop(m, OP_EACH);
    relation_end(m, n);
    loop_end(m, at);
    if (!m->c->err) m->e->code[at].quant = n->quant;
    early_land(m, &out);
}

static bool is_constant(const struct node *n) {
    return n->kind == NODE_RANGE ? n->a->kind == NODE_CONST && n->b->kind == NODE_CONST : n->kind == NODE_CONST;
}

static void set_constants(struct emitting *m, struct node *n, uint32_t count) {
    struct member *list = take(m->c, count * sizeof *list);
    if (!list || !GROW(m, sets, 0xfff0)) return;
    uint32_t filled = 0;
    for (struct node *b = n->b; b; b = b->next)
        if (is_constant(b))
            list[filled++] =
                b->kind == NODE_RANGE ? (struct member){b->a->value, b->b->value} : (struct member){b->value, b->value};
    m->e->sets[m->e->n_sets] = (struct set){list, filled};
    uint16_t set = (uint16_t)m->e->n_sets++;
    struct early out = {.n = 0};
    m->registers = 0;
    aggregates(m, n->a, &out);
    uint32_t at = loop(m, OP_EACH);
    uint16_t a = value(m, n->a);
    struct instr *i = put(m, OP_IN);
    i->a = a;
    i->b = set;
    loop_end(m, at);
    if (!m->c->err) m->e->code[at].quant = n->quant;
    early_land(m, &out);
}

/* member_field writes one member that is itself read from the packet. */
static void member_field(struct emitting *m, struct node *in, struct node *b) {
    struct node rel = {.kind = NODE_RELATION, .op = REL_EQ, .quant = in->quant, .a = in->a, .b = b};
    relation(m, &rel);
}

/* member_range writes a range that is read from the packet: the first relation goes on to the second where it holds. */
static void member_range(struct emitting *m, struct node *in, struct node *b) {
    struct early out = {.n = 0};
    m->registers = 0;
    aggregates(m, in->a, &out);
    aggregates(m, b->a, &out);
    aggregates(m, b->b, &out);
    uint32_t at = loop(m, OP_EACH);
    uint16_t a = value(m, in->a), low = value(m, b->a), high = value(m, b->b);
    struct instr *i = put(m, OP_RELATE);
    i->op = REL_GE;
    i->a = a;
    i->b = low;
    i->to = 1; /* goes on where it holds */
    i = put(m, OP_RELATE);
    i->op = REL_LE;
    i->a = a;
    i->b = high;
    loop_end(m, at);
    if (!m->c->err) m->e->code[at].quant = in->quant;
    early_land(m, &out);
}

/* member_put writes one member of a set as a test of its own. */
static void member_put(struct emitting *m, struct node *in, struct node *b) {
    struct node one = *in;
    struct node member = *b;
    one.b = &member;
    member.next = NULL;
    if (is_constant(b)) set_constants(m, &one, 1);
    else if (b->kind == NODE_RANGE) member_range(m, in, b);
    else member_field(m, in, b);
}

/* membership writes the test of a set: constants together, members that are read from the packet one by one. `all`
 * means, as in Wireshark 4.0, that all values are in the same member. */
static void membership(struct emitting *m, struct node *n) {
    uint32_t constants = 0, chain = UINT32_MAX;
    bool all = n->quant == QUANT_ALL, first = true;
    for (struct node *b = n->b; b && !all; b = b->next) constants += is_constant(b);
    if (constants) set_constants(m, n, constants);
    first = !constants;
    for (struct node *b = n->b; b && !m->c->err; b = b->next) {
        if (!all && is_constant(b)) continue;
        if (!first) chain = chained(m, jump(m, OP_IF), chain);
        member_put(m, n, b);
        first = false;
    }
    chain_land(m, chain);
}

static void exists(struct emitting *m, struct node *v) {
    struct early out = {.n = 0};
    m->registers = 0;
    if (v->kind == NODE_FIELD) {
        uint16_t leaf = leaf_put(m, v);
        put(m, OP_HAS)->leaf = leaf;
        return;
    }
    aggregates(m, v, &out);
    uint32_t at = loop(m, OP_EACH);
    uint16_t a = value(m, v);
    put(m, v->kind == NODE_SLICE ? OP_FILLED : OP_NONZERO)->a = a;
    loop_end(m, at);
    early_land(m, &out);
}

static void test(struct emitting *m, struct node *n);

/* parts writes tests of which the first that decides ends the list. */
static void parts(struct emitting *m, struct node *n, enum op_code leave) {
    uint32_t chain = UINT32_MAX;
    for (struct node *part = n->a; part && !m->c->err; part = part->next) {
        test(m, part);
        if (part->next) chain = chained(m, jump(m, leave), chain);
    }
    chain_land(m, chain);
}

static void test(struct emitting *m, struct node *n) {
    if (m->c->err) return;
    switch (n->kind) {
    case NODE_AND: parts(m, n, OP_UNLESS); break;
    case NODE_OR: parts(m, n, OP_IF); break;
    case NODE_NOT:
        test(m, n->a);
        put(m, OP_NOT);
        break;
    case NODE_RELATION: relation(m, n); break;
    case NODE_IN: membership(m, n); break;
    default: exists(m, n->a);
    }
}

bool emit_filter(struct compiling *c, struct node *n, struct expr *e) {
    struct emitting m = {.c = c, .e = e};
    if (n) test(&m, n);
    put(&m, OP_END);
    return !c->err;
}
