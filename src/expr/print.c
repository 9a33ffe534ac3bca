/* SPDX-License-Identifier: Apache-2.0 */
/* Programs and complaints as text. */
#include "field/print.h"
#include "base/utf8.h"
#include "expr/program.h"

static const struct {
    const char *word, *operands;
} ops[] = {
#define OP(code, word, operands, what) [OP_##code] = {word, operands},
#include "expr/ops.def"
#undef OP
};

static void put_value(struct writer *w, const struct value *v) {
    switch (v->kind) {
    case VAL_UINT: wr_u(w, v->u); break;
    case VAL_INT: wr_i(w, v->i); break;
    case VAL_DOUBLE: wr_f(w, "%.15g", v->d); break;
    case VAL_TIME:
        print_reltime(w, value_moment(v), 9);
        wr_c(w, 's');
        break;
    case VAL_IPV4:
        print_ipv4(w, (uint32_t)v->u);
        if (v->prefix < 32) wr_f(w, "/%u", v->prefix);
        break;
    case VAL_IPV6:
        print_ipv6(w, v->s.p);
        if (v->prefix < 128) wr_f(w, "/%u", v->prefix);
        break;
    case VAL_TEXT: print_quoted(w, v->s); break;
    default: wr_hexbytes(w, v->s, ':');
    }
}

static void put_spans(struct writer *w, const struct spans *s, const char *open) {
    wr_s(w, open);
    for (uint16_t i = 0; i < s->count; i++) {
        if (i) wr_c(w, ',');
        wr_i(w, s->list[i].first);
        wr_c(w, ':');
        if (s->list[i].n) wr_i(w, s->list[i].n);
    }
    wr_c(w, ']');
}

static void put_leaf(struct writer *w, const struct leaf *l) {
    wr_s(w, l->field->name);
    if (l->layers.count) put_spans(w, &l->layers, "#[");
}

static void put_operand(struct writer *w, const struct expr *e, uint16_t a) {
    if (a & OPERAND_CONST) put_value(w, &e->consts[a & ~OPERAND_CONST]);
    else wr_f(w, "r%u", a);
}

static void put_set(struct writer *w, const struct set *s) {
    wr_c(w, '{');
    for (uint32_t i = 0; i < s->count; i++) {
        int order;
        if (i) wr_s(w, ", ");
        put_value(w, &s->list[i].low);
        if (value_order(&s->list[i].low, &s->list[i].high, &order) && order == 0) continue;
        wr_s(w, " .. ");
        put_value(w, &s->list[i].high);
    }
    wr_c(w, '}');
}

static void put_part(struct writer *w, const struct expr *e, const struct instr *i, char what) {
    switch (what) {
    case 'L': put_leaf(w, &e->leaves[i->leaf]); break;
    case 'D': wr_f(w, "r%u", i->dst); break;
    case 'A': put_operand(w, e, i->a); break;
    case 'B': put_operand(w, e, i->b); break;
    case 'O': wr_s(w, funcs[i->op].name); break;
    case 'P': wr_c(w, arith_sign((enum arith)i->op)); break;
    case 'Q': wr_s(w, i->quant == QUANT_ALL ? "all" : "any"); break;
    case 'R': wr_s(w, relation_name((enum relation)i->op)); break;
    case 'S': put_spans(w, &e->spans[i->b], "["); break;
    case 'M': put_set(w, &e->sets[i->b]); break;
    case 'X': print_quoted(w, regex_text(e->regexes[i->b])); break;
    default: wr_f(w, "-> %u", i->to);
    }
}

void expr_print(struct writer *w, const struct expr *e) {
    uint32_t inside = 0;
    for (uint32_t at = 0; at < e->n_code; at++) {
        const struct instr *i = &e->code[at];
        wr_f(w, "%4u  %s%-8s", at, at < inside ? "  " : "", ops[i->code].word);
        for (const char *part = ops[i->code].operands; *part; part++) {
            wr_c(w, ' ');
            put_part(w, e, i, *part);
        }
        if (i->code == OP_RELATE && i->to) wr_s(w, " and");
        while (w->p > w->buf && w->p[-1] == ' ') w->p--;
        wr_c(w, '\n');
        if (i->code == OP_EACH || i->code == OP_BEST) inside = i->to;
    }
}

/* put_line writes a part of a filter as it was typed, one column a character, and returns how many there are; what
 * could disturb a terminal becomes a space. Without w it only counts. */
static size_t put_line(struct writer *w, struct slice s) {
    size_t columns = 0;
    for (; s.n; columns++) {
        uint32_t code;
        size_t n = utf8_next(s, &code);
        bool plain = n > 0 && !utf8_hidden(code);
        if (w && plain) wr_bytes(w, s.p, n);
        else if (w) wr_c(w, ' ');
        s = slice_tail(s, n ? n : 1);
    }
    return columns;
}

void expr_error_print(struct writer *w, struct slice text, const struct expr_error *why) {
    size_t from = why->at < text.n ? why->at : text.n, to = text.n, at = from;
    while (from > 0 && text.p[from - 1] != '\n') from--;
    for (size_t i = at; i < to; i++)
        if (text.p[i] == '\n') to = i;
    wr_s(w, why->message);
    for (size_t i = 0; i < why->near_count; i++) {
        wr_s(w, i == 0 ? "; did you mean " : i + 1 == why->near_count ? " or " : ", ");
        wr_s(w, why->near[i]);
    }
    wr_s(w, why->near_count ? "?\n    " : "\n    ");
    put_line(w, slice_of(text.p + from, to - from));
    wr_s(w, "\n    ");
    wr_spaces(w, put_line(NULL, slice_of(text.p + from, at - from)));
    wr_c(w, '^');
    size_t len = why->len < to - at ? why->len : to - at;
    for (size_t i = put_line(NULL, slice_of(text.p + at, len)); i > 1; i--) wr_c(w, '~');
    wr_c(w, '\n');
}
