/* SPDX-License-Identifier: Apache-2.0 */
/* Theory of operation: what stands before the word at the cursor is read token by token; the last ones tell what comes
 * next: a field, an operator, or a value of the field before. What stands behind the cursor does not count, but the
 * rest of the word is replaced with it. Items begin with the word; where there are too few, those follow that have it
 * anywhere in their name or label. */
#include "expr/complete.h"
#include "expr/compile.h"

#include <string.h>

enum expects { EXPECT_FIELD, EXPECT_OPERATOR, EXPECT_VALUE, EXPECT_MEMBER, EXPECT_BRACE, EXPECT_LINK, EXPECT_NOTHING };

enum { FEW = 8 }; /* with fewer items, others are offered that have the word elsewhere */

const char *complete_kind_name(enum complete_kind kind) {
    static const char *const names[] = {"protocol", "field", "value", "operator", "function"};
    _Static_assert(sizeof names / sizeof *names == COMPLETE_KINDS, "every kind has a name");
    return names[kind];
}

static bool in_word(uint8_t c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
           c == '-' || c == ':' || c == '/' || c >= 0x80;
}

/* ---- where we are ---- */

struct place {
    enum expects expects;
    uint16_t field; /* the last one named; 0: none, or something else */
};

static bool in_set(const struct place *p) { return p->expects == EXPECT_MEMBER; }

static void word_take(struct place *p, struct compiling *c) {
    if (p->expects == EXPECT_VALUE) {
        p->expects = EXPECT_LINK;
    } else if (!in_set(p)) {
        p->field = field_named(c, c->now.text);
        p->expects = EXPECT_OPERATOR;
    }
}

static void token_take(struct place *p, struct compiling *c) {
    switch (c->now.kind) {
    case TOK_WORD: word_take(p, c); break;
    case TOK_STRING:
    case TOK_CHAR:
        if (!in_set(p)) p->expects = EXPECT_LINK;
        break;
    case TOK_SPANS:
    case TOK_LAYERS:
        if (c->now.kind == TOK_SPANS) p->field = 0; /* bytes of it, not its values */
        p->expects = EXPECT_OPERATOR;
        break;
    case TOK_RELATION: p->expects = EXPECT_VALUE; break;
    case TOK_IN: p->expects = EXPECT_BRACE; break;
    case TOK_BRACE: p->expects = EXPECT_MEMBER; break;
    case TOK_UNBRACE:
    case TOK_CLOSE: p->expects = EXPECT_LINK; break;
    case TOK_COMMA:
    case TOK_DOTS:
        if (!in_set(p)) p->expects = EXPECT_FIELD;
        break;
    case TOK_ARITH: break; /* a calculation goes on as it began */
    default: p->field = 0, p->expects = EXPECT_FIELD; break;
    }
}

static struct place place_find(struct slice before, const struct field_index *names) {
    struct expr_error why = {0};
    struct compiling c = {.text = before, .names = names, .why = &why, .arena = arena_make(COMPILE_ARENA)};
    struct place p = {.expects = EXPECT_FIELD};
    for (lex_next(&c); c.now.kind != TOK_END; lex_next(&c)) token_take(&p, &c);
    if (c.err) p.expects = EXPECT_NOTHING; /* inside a string, or lost before */
    arena_free(&c.arena);
    return p;
}

/* ---- what fits ---- */

static bool starts_nocase(const char *text, struct slice word) {
    return strlen(text) >= word.n && strncasecmp(text, (const char *)word.p, word.n) == 0;
}

static bool has_nocase(const char *text, struct slice word) {
    for (; text && *text; text++)
        if (starts_nocase(text, word)) return true;
    return false;
}

static bool add(struct completion *out, size_t max, enum complete_kind kind, const char *text, const char *label,
                const char *type) {
    if (out->n >= max || strlen(text) >= sizeof out->item[0].text) return false;
    struct complete_item *i = &out->item[out->n++];
    *i = (struct complete_item){.kind = (uint8_t)kind, .label = label, .type = type};
    memcpy(i->text, text, strlen(text) + 1);
    return true;
}

enum pass { PASS_PROTOCOLS, PASS_FIELDS, PASS_ELSEWHERE, PASSES };

static bool field_fits(const struct field *f, struct slice word, enum pass pass) {
    bool starts = starts_nocase(f->name, word);
    switch (pass) {
    case PASS_PROTOCOLS: return starts && f->type == FT_PROTOCOL;
    case PASS_FIELDS: return starts && f->type != FT_PROTOCOL;
    default: return !starts && word.n > 1 && (has_nocase(f->name, word) || has_nocase(f->label, word));
    }
}

static void fields_add(struct completion *out, size_t max, struct slice word, const struct field_index *names) {
    const char *last = "";
    for (enum pass pass = PASS_PROTOCOLS; pass < PASSES; pass++) {
        if (pass == PASS_ELSEWHERE && out->n >= FEW) break;
        for (size_t i = 0; i < names->table->count && out->n < max; i++) {
            const struct field *f = &names->table->fields[names->by_name[i]];
            if (!f->name || !f->name[0] || !strcmp(f->name, last) || !field_fits(f, word, pass)) continue;
            last = f->name;
            add(out, max, f->type == FT_PROTOCOL ? COMPLETE_PROTOCOL : COMPLETE_FIELD, f->name, f->label,
                field_type_name((enum field_type)f->type));
        }
    }
}

static void functions_add(struct completion *out, size_t max, struct slice word) {
    for (int i = 0; word.n && i < FUNC_COUNT_; i++)
        if (starts_nocase(funcs[i].name, word)) add(out, max, COMPLETE_FUNCTION, funcs[i].name, NULL, NULL);
}

static const struct sign {
    const char *text, *label;
    bool values, bytes; /* for fields with values; for those with bytes or text only */
} signs[] = {{"==", "equal", true, false},
             {"!=", "not equal", true, false},
             {">", "greater", true, false},
             {"<", "less", true, false},
             {">=", "greater or equal", true, false},
             {"<=", "less or equal", true, false},
             {"contains", "has the text or bytes", true, true},
             {"matches", "fits the regular expression", true, true},
             {"in", "is one of { }", true, false},
             {"&&", "and", false, false},
             {"||", "or", false, false}};

static void signs_add(struct completion *out, size_t max, struct slice word, const struct field *f) {
    bool none = !f || f->type == FT_NONE || f->severity, packet = f && f->type == FT_PROTOCOL;
    bool bytes = packet || (f && (field_is_bytes(f) || f->type == FT_STRING));
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++) {
        const struct sign *s = &signs[i];
        if ((s->values && (none || (packet && !s->bytes))) || (s->bytes && !bytes) || !starts_nocase(s->text, word))
            continue;
        add(out, max, COMPLETE_OPERATOR, s->text, s->label, NULL);
    }
}

static void links_add(struct completion *out, size_t max, struct slice word) {
    static const char *const links[] = {"&&", "||", "and", "or"};
    for (size_t i = 0; i < 4; i++)
        if (starts_nocase(links[i], word)) add(out, max, COMPLETE_OPERATOR, links[i], NULL, NULL);
}

static void value_add(struct completion *out, size_t max, struct slice word, const struct field *f, uint64_t v,
                      const char *name) {
    char text[24] = "";
    struct writer w = wr_fixed(text, sizeof text - 1);
    bool hex = f->base == BASE_HEX || f->base == BASE_HEX_DEC;
    if (hex) wr_f(&w, "0x%llx", (unsigned long long)v);
    else if (field_signed(f)) wr_i(&w, (int64_t)v);
    else wr_u(&w, v);
    if (starts_nocase(text, word) || has_nocase(name, word)) add(out, max, COMPLETE_VALUE, text, name, NULL);
}

static void values_add(struct completion *out, size_t max, struct slice word, const struct field *f) {
    if (f->type == FT_BOOL) {
        value_add(out, max, word, f, 1, f->set ? f->set : "True");
        value_add(out, max, word, f, 0, f->unset ? f->unset : "False");
        return;
    }
    if (!f->values || !field_is_int(f)) return;
    for (size_t i = 0; i < f->values->count; i++) {
        const struct field_value *v = &f->values->list[i];
        if (v->lo == v->hi) value_add(out, max, word, f, v->lo, v->name);
    }
}

void expr_complete(struct completion *out, struct slice text, size_t cursor, const struct field_index *names,
                   size_t max) {
    if (cursor > text.n) cursor = text.n;
    if (max > COMPLETE_MAX) max = COMPLETE_MAX;
    size_t from = cursor, to = cursor;
    while (from && in_word(text.p[from - 1]) && !(from > 1 && text.p[from - 1] == '.' && text.p[from - 2] == '.'))
        from--;
    while (to < text.n && in_word(text.p[to])) to++;
    out->from = from;
    out->to = to;
    out->n = 0;
    out->field = 0;
    out->expects = NULL;
    if (text.n > EXPR_TEXT_MAX) return;
    struct slice word = slice_of(text.p + from, cursor - from);
    struct place p = place_find(slice_head(text, from), names);
    const struct field *f = p.field ? &names->table->fields[p.field] : NULL;
    switch (p.expects) {
    case EXPECT_FIELD:
        fields_add(out, max, word, names);
        functions_add(out, max, word);
        break;
    case EXPECT_OPERATOR: signs_add(out, max, word, f); break;
    case EXPECT_LINK: links_add(out, max, word); break;
    case EXPECT_BRACE: add(out, max, COMPLETE_OPERATOR, "{", "the values it may have", NULL); break;
    case EXPECT_VALUE:
    case EXPECT_MEMBER:
        if (!f) break;
        out->field = p.field;
        out->expects = type_words((enum field_type)f->type);
        values_add(out, max, word, f);
        break;
    default: break;
    }
}
