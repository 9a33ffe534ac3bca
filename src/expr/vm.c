/* SPDX-License-Identifier: Apache-2.0 */
/* The machine. Theory of operation: one flag, registers for values, no heap. `each` sets one place in the packet's list
 * for every leaf of the comparison and runs the body, up to its target, for every combination of them, as an odometer
 * turns; the relation at the end of the body says yes or no, or an instruction before finds that there is no result for
 * this combination and it is passed over. `any` stops at the first yes, `all` at the first no. `best` does the same to
 * find a least or greatest value. Bytes that have to be made (chosen parts, printed numbers) stand in a fixed room that
 * is used again for every combination.
 *
 * Limits: with one leaf every value is looked at. With several, EXPR_STEPS bounds the work; a comparison that is not
 * decided by then holds for `all` and does not for `any`. What does not fit the room has no result. */
#include "expr/program.h"
#include "field/print.h"
#include "proto/protos.h"

enum { STRING_ROOM = 256 };

/* machine is one match. */
struct machine {
    const struct expr *e;
    const struct fvec *v;
    uint64_t steps;           /* left for the present comparison */
    unsigned given_up;        /* searches and comparisons that came to a limit */
    uint32_t at[EXPR_LEAVES]; /* place of each leaf's present value */
    int last[EXPR_LEAVES];    /* its last layer */
    const struct leaf *leaf;  /* first leaf of the present comparison */
    uint8_t *base;            /* room before this is taken */
    struct scratch room;
    struct value best;
    bool has_best;
    struct value reg[EXPR_REGISTERS];
    uint8_t bytes[EXPR_SCRATCH];
};

static bool layer_chosen(const struct spans *s, int layer, int last) {
    for (uint16_t i = 0; i < s->count; i++) {
        const struct span *one = &s->list[i];
        int first = one->first >= 0 ? one->first : last + 1 + one->first;
        if (layer >= first && (!one->n || layer - first < one->n)) return true;
    }
    return false;
}

/* last_layer returns the last layer that has the leaf's field, where that matters. */
static int last_layer(const struct fvec *v, const struct leaf *l) {
    int last = 0;
    for (uint32_t i = 0; l->layers.count && i < v->n; i++)
        if (v->v[i].id == l->id && v->v[i].layer > last) last = v->v[i].layer;
    return last;
}

/* has_leaf tells whether v is a value of the leaf's field. */
static bool has_leaf(const struct leaf *l, const struct fval *v) {
    if (!l->expert) return v->id == l->id;
    return field_of(v->id)->severity && !(v->flags & FV_PLAIN);
}

/* next_value returns the place of the leaf's first value from `from` on, or UINT32_MAX. */
static uint32_t next_value(const struct fvec *v, const struct leaf *l, uint32_t from, int last) {
    for (uint32_t i = from; i < v->n; i++)
        if (has_leaf(l, &v->v[i]) && (!l->layers.count || layer_chosen(&l->layers, v->v[i].layer, last))) return i;
    return UINT32_MAX;
}

static const struct value *operand(const struct machine *m, uint16_t a) {
    return a & OPERAND_CONST ? &m->e->consts[a & ~OPERAND_CONST] : &m->reg[a];
}

static bool number_relates(enum relation rel, uint64_t a, uint64_t b) {
    switch (rel) {
    case REL_EQ: return a == b;
    case REL_NE: return a != b;
    case REL_LT: return a < b;
    case REL_LE: return a <= b;
    case REL_GT: return a > b;
    default: return a >= b;
    }
}

static bool run_number(const struct machine *m, const struct instr *i) {
    const struct fvec *v = m->v;
    uint16_t id = m->e->leaves[i->leaf].id;
    uint64_t with = operand(m, i->a)->u;
    bool any = false;
    for (uint32_t k = 0; k < v->n; k++) {
        const struct fval *f = &v->v[k];
        if (f->id != id) continue;
        any = true;
        if (number_relates((enum relation)i->op, f->u, with) != (i->quant == QUANT_ALL)) return i->quant == QUANT_ANY;
    }
    return any && i->quant == QUANT_ALL;
}

/* part_of gives the bytes a span chooses; false where they are not all there. */
static bool part_of(const struct span *s, struct slice all, struct slice *out) {
    int64_t n = (int64_t)all.n, first = s->first >= 0 ? s->first : n + s->first;
    int64_t count = s->n ? s->n : n - first;
    if (first < 0 || first >= n || count > n - first) return false;
    *out = slice_of(all.p + first, (size_t)count);
    return true;
}

static bool run_slice(struct machine *m, const struct instr *i, const struct value *a, struct value *out) {
    const struct spans *spans = &m->e->spans[i->b];
    struct value all;
    struct slice part;
    if (!value_bytes(a, &all, &m->room)) return false;
    *out = (struct value){.kind = VAL_BYTES, .fold = all.fold};
    if (spans->count == 1) {
        if (part_of(&spans->list[0], all.s, &part)) out->s = part;
        return true;
    }
    uint8_t *from = m->room.p;
    for (uint16_t k = 0; k < spans->count; k++) {
        if (!part_of(&spans->list[k], all.s, &part)) continue;
        if ((size_t)(m->room.end - m->room.p) < part.n) return false;
        memcpy(m->room.p, part.p, part.n);
        m->room.p += part.n;
    }
    out->s = slice_of(from, (size_t)(m->room.p - from));
    return true;
}

/* run_string writes numbers in decimal, whatever their field's base is, and addresses as they are printed. */
static bool run_string(struct machine *m, const struct instr *i, const struct value *a, struct value *out) {
    const struct field *f = m->e->leaves[i->leaf].field;
    if (m->room.end - m->room.p < STRING_ROOM) return false;
    struct writer w = wr_fixed(m->room.p, STRING_ROOM);
    if (a->kind == VAL_UINT) wr_u(&w, a->u);
    else if (a->kind == VAL_INT) wr_i(&w, a->i);
    else if (a->kind == VAL_IPV4) print_ipv4(&w, (uint32_t)a->u);
    else print_value(&w, f, &(struct fval){.s = a->s});
    *out = (struct value){.kind = VAL_TEXT, .s = wr_done(&w)};
    m->room.p += wr_len(&w);
    return true;
}

/* expert_value gives what _ws.expert's field `id` holds for the anomaly at a place. */
static bool expert_value(struct machine *m, uint16_t id, uint32_t at, struct value *out) {
    const struct field *f = field_of(m->v->v[at].id);
    const struct proto *p = proto_of(m->v->v[at].id);
    if (id == FID_WS_EXPERT_SEVERITY) *out = (struct value){.kind = VAL_UINT, .u = severity_number(f->severity)};
    else if (id == FID_WS_EXPERT_GROUP) *out = (struct value){.kind = VAL_UINT, .u = group_number(f->group)};
    else if (id != FID_WS_EXPERT_MESSAGE) *out = (struct value){.kind = VAL_BYTES};
    else {
        if (m->room.end - m->room.p < STRING_ROOM) return false;
        struct writer w = wr_fixed(m->room.p, STRING_ROOM);
        if (!p || !p->label || !p->label(&w, m->v, at)) wr_s(&w, f->label);
        *out = (struct value){.kind = VAL_TEXT, .s = wr_done(&w)};
        m->room.p += wr_len(&w);
    }
    return true;
}

static bool run_load(struct machine *m, const struct leaf *l, struct value *out) {
    uint32_t at = m->at[l - m->leaf];
    if (l->expert) return expert_value(m, l->id, at, out);
    *out = value_of(l->field, &m->v->v[at], m->v);
    return true;
}

static bool run_take(struct machine *m, const struct instr *best, const struct value *a) {
    int order;
    if (!m->has_best || (value_order(a, &m->best, &order) && (best->op == FUNC_MIN ? order < 0 : order > 0))) {
        m->best = *a;
        m->base = m->room.p; /* it may stand in the room */
    }
    m->has_best = true;
    return true;
}

static bool in_set(const struct set *s, const struct value *a) {
    for (uint32_t k = 0; k < s->count; k++) {
        int low, high;
        if (value_order(a, &s->list[k].low, &low) && low >= 0 && value_order(a, &s->list[k].high, &high) && high <= 0)
            return true;
    }
    return false;
}

/* steps_take pays for looking at both operands where several fields are combined. */
static void steps_take(struct machine *m, const struct value *a, const struct value *b) {
    uint64_t cost =
        1 + (a->kind >= VAL_BYTES ? (a->s.n + a->reach) / 64 : 0) + (b->kind >= VAL_BYTES ? b->s.n / 64 : 0);
    m->steps = m->steps > cost ? m->steps - cost : 0;
}

enum outcome { NO, YES, NOTHING };

/* run_step runs one instruction of a body that computes; false: there is no result. */
static bool run_step(struct machine *m, const struct instr *i) {
    struct value *out = &m->reg[i->dst];
    const struct value *a = operand(m, i->a);
    const struct leaf *l = &m->e->leaves[i->leaf];
    switch (i->code) {
    case OP_LOAD: return run_load(m, l, out);
    case OP_SLICE: return run_slice(m, i, a, out);
    case OP_BYTES: return value_bytes(a, out, &m->room);
    case OP_LEN: *out = (struct value){.kind = VAL_UINT, .u = a->s.n}; return true;
    case OP_WIDTH: {
        struct field plain = {.type = l->field->type};
        bool sized = plain.type != FT_BOOL && plain.type != FT_ABSTIME && plain.type != FT_RELTIME;
        *out = (struct value){.kind = VAL_UINT, .u = sized ? (uint64_t)field_bits(&plain) / 8 : 0};
        return true;
    }
    case OP_LOWER:
    case OP_UPPER:
        *out = *a;
        out->fold = i->code == OP_LOWER ? FOLD_LOWER : FOLD_UPPER;
        return true;
    case OP_STRING: return run_string(m, i, a, out);
    case OP_ABS: return value_absolute(a, out);
    case OP_NEGATE: return value_negate(a, out) && value_fits(out, i->op);
    default: return value_compute((enum arith)i->op, a, operand(m, i->b), out, &m->room) && value_fits(out, i->quant);
    }
}

/* run_body runs from `at` to the instruction that ends the combination. */
static enum outcome run_body(struct machine *m, uint32_t at, const struct instr *around) {
    m->room.p = m->base;
    for (;; at++) {
        const struct instr *i = &m->e->code[at];
        const struct value *a = operand(m, i->a);
        switch (i->code) {
        case OP_TAKE: return run_take(m, around, a) ? YES : NO;
        case OP_RELATE:
            if (around->leaves > 1) steps_take(m, a, operand(m, i->b));
            if (!value_relates((enum relation)i->op, a, operand(m, i->b))) return NO;
            if (!i->to) return YES;
            break;
        case OP_MATCH: return regex_matches(m->e->regexes[i->b], a, &m->given_up) ? YES : NO;
        case OP_IN: return in_set(&m->e->sets[i->b], a) ? YES : NO;
        case OP_FILLED: return a->kind < VAL_BYTES || a->s.n ? YES : NO;
        case OP_NONZERO: return value_nonzero(a) ? YES : NO;
        default:
            if (!run_step(m, i)) return NOTHING;
        }
    }
}

/* turn moves to the next combination; false behind the last one, or when the steps are used up. */
static bool turn(struct machine *m, const struct instr *i) {
    for (uint16_t k = i->leaves; k > 0; k--) {
        uint32_t *at = &m->at[k - 1], was = *at;
        *at = next_value(m->v, &m->leaf[k - 1], was + 1, m->last[k - 1]);
        if (i->leaves > 1) {
            uint64_t cost = (*at == UINT32_MAX ? m->v->n : *at) - was;
            m->steps = m->steps > cost ? m->steps - cost : 0;
            if (!m->steps) {
                m->given_up++;
                return false;
            }
        }
        if (*at != UINT32_MAX) return true;
        *at = next_value(m->v, &m->leaf[k - 1], 0, m->last[k - 1]);
    }
    return false;
}

/* loop_begin sets every leaf to its first value; false where one has none. */
static bool loop_begin(struct machine *m, const struct instr *i) {
    m->leaf = &m->e->leaves[i->leaf];
    m->steps = EXPR_STEPS;
    for (uint16_t k = 0; k < i->leaves; k++) {
        m->last[k] = last_layer(m->v, &m->leaf[k]);
        m->at[k] = next_value(m->v, &m->leaf[k], 0, m->last[k]);
        if (m->at[k] == UINT32_MAX) return false;
    }
    return true;
}

/* The commonest comparisons have a field's plain bytes on their left and a constant or a pattern on their right. They
 * are asked without registers and odometer, which is most of what they cost. */
static bool is_plain(const struct machine *m, const struct instr *i) {
    const struct instr *load = i + 1, *last = i + 2;
    const struct leaf *l = &m->e->leaves[i->leaf];
    if (i->leaves != 1 || l->expert || l->layers.count || load->code != OP_LOAD || last->a != load->dst) return false;
    if (l->field->type != FT_STRING && l->field->type != FT_BYTES) return false;
    if (last->code == OP_MATCH) return true;
    if (last->code != OP_RELATE || last->to || last->op != REL_CONTAINS || !(last->b & OPERAND_CONST)) return false;
    const struct value *with = operand(m, last->b);
    return with->kind >= VAL_BYTES && !with->fold;
}

static bool run_plain(struct machine *m, const struct instr *i) {
    const struct instr *last = i + 2;
    const struct fvec *v = m->v;
    const struct leaf *l = &m->e->leaves[i->leaf];
    uint16_t id = l->id;
    struct value left = {.kind = l->field->type == FT_STRING ? VAL_TEXT : VAL_BYTES};
    bool any = false;
    for (uint32_t k = 0; k < v->n; k++) {
        const struct fval *f = &v->v[k];
        if (f->id != id) continue;
        any = true;
        left.s = f->s;
        bool yes = last->code == OP_MATCH ? regex_matches(m->e->regexes[last->b], &left, &m->given_up)
                                          : value_contains(&left, operand(m, last->b));
        if (yes != (i->quant == QUANT_ALL)) return yes;
    }
    return any && i->quant == QUANT_ALL;
}

static bool run_each(struct machine *m, const struct instr *i) {
    uint32_t body = (uint32_t)(i - m->e->code) + 1;
    if (is_plain(m, i)) return run_plain(m, i);
    if (!loop_begin(m, i)) return false;
    do {
        enum outcome o = run_body(m, body, i);
        if (o == YES && i->quant == QUANT_ANY) return true;
        if (o == NO && i->quant == QUANT_ALL) return false;
    } while (turn(m, i));
    return i->quant == QUANT_ALL;
}

static bool run_best(struct machine *m, const struct instr *i) {
    uint32_t body = (uint32_t)(i - m->e->code) + 1;
    if (!i->quant) m->has_best = false;
    bool there = loop_begin(m, i); /* an argument without a value is passed over */
    while (there) {
        run_body(m, body, i);
        there = turn(m, i);
    }
    m->reg[i->dst] = m->best;
    return m->has_best;
}

static bool run_count(struct machine *m, const struct instr *i) {
    const struct leaf *l = &m->e->leaves[i->leaf];
    uint64_t n = 0;
    int last = last_layer(m->v, l);
    for (uint32_t at = next_value(m->v, l, 0, last); at != UINT32_MAX; at = next_value(m->v, l, at + 1, last)) n++;
    m->reg[i->dst] = (struct value){.kind = VAL_UINT, .u = n};
    return n > 0;
}

static bool run(struct machine *m) {
    const struct expr *e = m->e;
    const struct fvec *v = m->v;
    bool flag = true;
    for (uint32_t at = 0;;) {
        const struct instr *i = &e->code[at++];
        switch (i->code) {
        case OP_HAS: {
            const struct leaf *l = &e->leaves[i->leaf];
            flag = next_value(v, l, 0, last_layer(v, l)) != UINT32_MAX;
            break;
        }
        case OP_NUMBER: flag = run_number(m, i); break;
        case OP_EACH:
            flag = run_each(m, i);
            m->base = m->bytes;
            at = i->to;
            break;
        case OP_BEST:
            flag = run_best(m, i);
            at = i->to;
            break;
        case OP_COUNT: flag = run_count(m, i); break;
        case OP_NOT: flag = !flag; break;
        case OP_IF:
            if (flag) at = i->to;
            break;
        case OP_UNLESS:
            if (!flag) at = i->to;
            break;
        default: return flag;
        }
    }
}

bool expr_ask(const struct expr *e, const struct fvec *v, bool *unsure) {
    struct machine m;
    m.e = e;
    m.v = v;
    m.base = m.bytes;
    m.room = (struct scratch){m.bytes, m.bytes + sizeof m.bytes};
    m.has_best = false;
    m.given_up = 0;
    bool flag = run(&m);
    *unsure = m.given_up > 0;
    if (*unsure) __atomic_fetch_add(e->unsure, 1, __ATOMIC_RELAXED);
    return flag;
}

bool expr_match(const struct expr *e, const struct fvec *v) {
    bool unsure;
    return expr_ask(e, v, &unsure);
}

uint64_t expr_unsure(const struct expr *e) { return __atomic_load_n(e->unsure, __ATOMIC_RELAXED); }
